package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
)

// termsOf are the terms under which a rule lets a request wait.
func termsOf(r *rule) *access.HoldTerms {
	a := r.after.approval
	return &access.HoldTerms{
		Rule: r.name, Groups: slices.Clone(a.groups), Persons: a.persons, Within: a.within, Window: a.grant, Exclude: slices.Clone(a.exclude),
	}
}

// merge makes terms that fulfil both: approvers who could release either, the larger number of persons, the shorter
// times. There are none when no group may release both.
func merge(a, b *access.HoldTerms) (*access.HoldTerms, bool) {
	m := &access.HoldTerms{
		Rule: a.Rule, Persons: max(a.Persons, b.Persons), Within: min(a.Within, b.Within), Window: min(a.Window, b.Window),
		Exclude: slices.Clone(a.Exclude),
	}
	if names := strings.Split(a.Rule, "+"); !slices.Contains(names, b.Rule) {
		names = append(names, b.Rule)
		slices.Sort(names)
		m.Rule = strings.Join(names, "+")
	}
	for _, g := range a.Groups {
		if slices.Contains(b.Groups, g) {
			m.Groups = append(m.Groups, g)
		}
	}
	for _, person := range b.Exclude {
		if !slices.Contains(m.Exclude, person) {
			m.Exclude = append(m.Exclude, person)
		}
	}
	return m, len(m.Groups) > 0
}

func noCommonApprover(s *access.Subject, a, b *access.HoldTerms) access.Reason {
	return access.Reason{
		Code: access.CodeDenied, Rule: b.Rule,
		Sentence: fmt.Sprintf("%s asks for two things at once that nobody may release together: rule %s wants %s, rule %s wants %s",
			s.Display(), a.Rule, oneOf(a.Groups), b.Rule, oneOf(b.Groups)),
		Hint: "send them as requests of their own",
	}
}
