package admin

import (
	"context"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// Policy is the policy in force.
type Policy interface {
	// Current returns the policy's text and what names it.
	Current(context.Context) (PolicyText, error)
	// Explain says what the policy in force would decide about a question, and why.
	Explain(context.Context, Question) (Explanation, error)
}

// PolicyText is a policy as its author wrote it.
type PolicyText struct {
	File       string    `json:"file"`
	Digest     string    `json:"digest"`
	Statements int       `json:"statements"`
	Since      time.Time `json:"since,omitzero"` // in force since
	Text       string    `json:"text"`
}

// Question is what somebody wants to know of a policy.
type Question struct {
	Subject  string        `json:"subject"` // ID
	Groups   []string      `json:"groups,omitempty"`
	Kind     access.Kind   `json:"kind,omitempty"` // empty means person
	Action   access.Action `json:"action"`
	Resource string        `json:"resource"` // products/public/items
	Rows     int64         `json:"rows,omitempty"`
}

// Explanation is the answer.
type Explanation struct {
	Effect access.Effect     `json:"effect"`
	Reason access.Reason     `json:"reason"`
	Hold   *access.HoldTerms `json:"hold,omitempty"`
	Masks  []string          `json:"masks,omitempty"` // what would be hidden, in words
	Steps  []Step            `json:"steps,omitempty"` // every statement that was looked at
}

// Step is one statement of the policy, and why it did or did not match.
type Step struct {
	Kind     string `json:"kind"` // allow, deny, protect, separate
	Name     string `json:"name"`
	Position string `json:"position,omitempty"` // policy.yaml:14
	Matched  bool   `json:"matched"`
	Why      string `json:"why,omitempty"`
}

// CurrentPolicy returns the policy in force.
func (s *Service) CurrentPolicy(ctx context.Context, c Caller) (PolicyText, error) {
	if err := s.either(c, "read the policy"); err != nil {
		return PolicyText{}, err
	}
	return s.Policy.Current(ctx)
}

// Explain says what the policy would decide. Everybody may ask about themselves; about others, auditors and operators.
func (s *Service) Explain(ctx context.Context, c Caller, q Question) (Explanation, error) {
	if r := s.signedIn(c); r != nil {
		return Explanation{}, r
	}
	if q.Subject == "" || q.Subject == c.Subject.ID {
		q.Subject = c.Subject.ID
		if len(q.Groups) == 0 {
			q.Groups, q.Kind = c.Subject.Groups, c.Subject.Kind
		}
	}
	if !s.Auditor(c) && !s.Operator(c) {
		if q.Subject != c.Subject.ID {
			return Explanation{}, s.either(c, "ask what the policy says of others")
		}
		q.Groups, q.Kind = c.Subject.Groups, c.Subject.Kind
	}
	if q.Kind == "" {
		q.Kind = access.Person
	}
	if !q.Action.Known() {
		return Explanation{}, &access.Refusal{Code: access.CodeLimit, Message: "\"" + string(q.Action) + "\" is not an action", Hint: "use one of those in docs/reference/policy.md, such as search or upsert"}
	}
	if len(q.Resource) > 512 || len(q.Groups) > 100 || len(q.Subject) > 512 {
		return Explanation{}, &access.Refusal{Code: access.CodeLimit, Message: "the question is too long"}
	}
	return s.Policy.Explain(ctx, q)
}
