package policy

import (
	"fmt"

	"github.com/vecgate/vecgate/internal/access"
)

// MayApprove says why a subject may not decide on a request, nil when it may. That nobody decides on their own request
// is part of the gateway, not of the policy file: persons are compared, a workload counts as its owner, and only
// persons decide.
func (p *Policy) MayApprove(voter *access.Subject, request *access.Request) *access.Refusal {
	if voter == nil || request == nil {
		return &access.Refusal{Code: access.CodeIdentity, Message: "nobody is signed in"}
	}
	no := func(code access.Code, rule, hint, format string, args ...any) *access.Refusal {
		return &access.Refusal{Code: code, Rule: rule, Ref: request.ID, Hint: hint, Message: voter.Display() + " may not decide on request " + request.ID + ": " + fmt.Sprintf(format, args...)}
	}
	switch {
	case voter.Kind != access.Person:
		return no(access.CodeSeparation, "", "a person must do it", "only persons decide, and %s is a %s", voter.Display(), voter.Kind)
	case voter.Actor != nil:
		return no(access.CodeSeparation, "", "sign in yourself", "%s acts for them, and nobody decides through somebody else", voter.Actor.Display())
	case voter.Person == "":
		return no(access.CodeSeparation, "", "ask the operator to map the account to a person", "it is not known which person the account %s belongs to", voter.ID)
	case len(voter.Scopes) > 0 && !containsText(voter.Scopes, approve):
		return no(access.CodeScope, "", "sign in without a scope, or with the scope "+approve, "the credential is narrowed to %s", oneOf(voter.Scopes))
	case voter.ID == request.Subject.ID || isRequester(voter.Person, &request.Subject):
		return no(access.CodeSeparation, RequesterIsNotApprover, "ask "+persons(1, request.Terms.Groups), "nobody decides on a request of their own, or of a workload that they own")
	case containsText(request.Terms.Exclude, voter.Person):
		return no(access.CodeSeparation, request.Terms.Rule, "ask another approver", "rule %s excludes them", request.Terms.Rule)
	case !inAnyGroup(voter, request.Terms.Groups):
		return no(access.CodeNoRule, request.Terms.Rule, "ask "+persons(1, request.Terms.Groups), "rule %s wants %s", request.Terms.Rule, persons(1, request.Terms.Groups))
	}
	v := p.view(voter)
	for _, s := range p.separations {
		if !s.approve {
			continue
		}
		for i := range request.Accesses {
			r := request.Accesses[i].Resource
			if !matchAny(s.on, r) {
				continue
			}
			for _, d := range s.duties {
				if by := v.holds(d, r); by != nil {
					return no(access.CodeSeparation, s.name, "ask another approver", "rule %s keeps %s and approve apart, and they hold %s on %s (rule %s)%s",
						s.name, d.name, d.name, r, by.name, because(s.because))
				}
			}
		}
	}
	return nil
}

// RequesterIsNotApprover is how the separation that every gateway keeps is called in reasons.
const RequesterIsNotApprover = "requester-is-not-approver"

// isRequester reports whether a person is the subject, answers for it, or acts through it.
func isRequester(person string, s *access.Subject) bool {
	for depth := 0; s != nil; depth++ {
		if depth == maxActors || person == s.Person || person == s.Owner {
			return true
		}
		s = s.Actor
	}
	return false
}

func inAnyGroup(s *access.Subject, groups []string) bool {
	for _, g := range groups {
		if s.InGroup(g) {
			return true
		}
	}
	return false
}
