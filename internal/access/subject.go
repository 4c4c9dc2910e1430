package access

import "time"

// Kind of a subject.
type Kind string

// The kinds of subject.
const (
	Person   Kind = "person"
	Workload Kind = "workload"
)

// Subject is who asks. It is built once, when a credential is verified, and never changed afterwards.
type Subject struct {
	// ID is the stable name that policies and the log use. People: "<provider>:<immutable subject>" or as the provider's
	// template says; workloads: from immutable claims by the provider's template ("github:acme/recommender:train").
	ID string `json:"id"`
	// Name is for people's eyes only; policy never uses it.
	Name     string   `json:"name,omitempty"`
	Kind     Kind     `json:"kind"`
	Provider string   `json:"provider"`
	Groups   []string `json:"groups,omitempty"`
	// Person is who is counted when persons are counted: for a person the same for all of their accounts, for a workload
	// its owner's. Empty for a workload without an owner: it then counts as nobody and can approve nothing.
	Person string `json:"person,omitempty"`
	// Owner is the person answerable for a workload.
	Owner string `json:"owner,omitempty"`
	// OwnerAccount is the account that the provider named as the owner's; which person that is, is looked up anew whenever
	// the credential is shown. Empty where the configuration alone says who owns the workload.
	OwnerAccount string `json:"owner_account,omitempty"`
	// Instance tells two runs of one workload apart (run id, pod uid); it is for the record.
	Instance string `json:"instance,omitempty"`
	// Actor acts on the subject's behalf (RFC 8693 "act"); nil when nobody does.
	Actor *Subject `json:"actor,omitempty"`
	// Claims are what conditions may look at (subject.claims in CEL). Never a secret.
	Claims map[string]any `json:"-"`
	// Credential names the token or certificate that was shown (its jti, or a digest), never its value.
	Credential string `json:"credential,omitempty"`
	// Parents are the credentials of the gateway that this one was made of, the oldest first: it ends when one of them is
	// revoked.
	Parents []string `json:"parents,omitempty"`
	// Method is how it was shown: token, scram, oauthbearer, certificate, console, api.
	Method string `json:"method,omitempty"`
	// Scopes narrow what the credential may do ("read"); empty means everything that policy allows.
	Scopes []string `json:"scopes,omitempty"`
	// Targets narrow which targets the credential opens; empty means every target that policy allows.
	Targets []string `json:"targets,omitempty"`
	// Ticket is a change ticket carried inside the credential.
	Ticket string `json:"ticket,omitempty"`
	// Expires is when the credential ends; the zero time means never.
	Expires time.Time `json:"expires,omitzero"`
}

// Display is the name for people, the ID when there is none.
func (s *Subject) Display() string {
	if s.Name != "" {
		return s.Name
	}
	return s.ID
}

// ShownBy reports whether a credential, or what was made of it, is what the subject or who acts for it was verified by.
func (s *Subject) ShownBy(credential string) bool {
	if credential == "" {
		return false
	}
	for ; s != nil; s = s.Actor {
		if s.Credential == credential {
			return true
		}
		for _, p := range s.Parents {
			if p == credential {
				return true
			}
		}
	}
	return false
}

// InGroup reports whether the subject is in the named group.
func (s *Subject) InGroup(group string) bool {
	for _, g := range s.Groups {
		if g == group {
			return true
		}
	}
	return false
}

// MayReach reports whether the credential that was shown is good for a target.
func (s *Subject) MayReach(target string) bool {
	if len(s.Targets) == 0 {
		return true
	}
	for _, t := range s.Targets {
		if t == target {
			return true
		}
	}
	return false
}
