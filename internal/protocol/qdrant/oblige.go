package qdrant

import (
	"fmt"
	"slices"

	"github.com/vecgate/vecgate/internal/access"
)

// oblige takes on obligations for all parts of a request: it refuses what cannot be fulfilled, and changes the request
// where it can. The parts must have been read from what is sent on, and their edits change that. What must be known about
// stored points first is left to the checks that it returns.
func oblige(o *access.Obligations, parts []*part) (checks []check, err error) {
	var rows int64
	for _, p := range parts {
		if err := p.predicates(o.Protection); err != nil {
			return nil, err
		}
		if err := p.compares(o.Protection); err != nil {
			return nil, err
		}
		if err := p.narrow(o); err != nil {
			return nil, err
		}
		if c := p.byID(o); c != nil {
			checks = append(checks, c)
		}
		if o.TopK > 0 && p.action == access.Search && p.rows()+p.offset > o.TopK {
			return nil, &access.Refusal{
				Code: access.CodeLimit, Message: fmt.Sprintf("a search of %s may ask for the %d nearest at most", p.at, o.TopK),
				Hint: fmt.Sprintf("ask for a limit of %d or less, offset and sizes of groups included", o.TopK),
			}
		}
		if p.show != nil || p.limit > 0 {
			rows += p.rows()
		}
		if p.edit.vectors != nil {
			p.edit.vectors(shown(o.Protection, p.at))
		}
		for _, l := range p.lookups {
			if l.edit != nil {
				l.edit(shown(o.Protection, l.at))
			}
		}
	}
	if o.Rows > 0 && rows > o.Rows {
		return nil, &access.Refusal{
			Code: access.CodeLimit, Message: fmt.Sprintf("a request may return %d points at most here, and this one asks for %d", o.Rows, rows),
			Hint: "ask for a smaller limit",
		}
	}
	return checks, nil
}

// stays says whether obligations leave what is sent as it is: there is nothing in it that they could change.
func stays(o *access.Obligations, parts []*part) bool {
	if len(o.Filters) > 0 {
		return false
	}
	return !slices.ContainsFunc(parts, func(p *part) bool {
		return p.edit.vectors != nil || len(p.edit.thresholds) > 0 || slices.ContainsFunc(p.lookups, func(l *lookup) bool { return l.edit != nil })
	})
}

func shown(p *access.Protection, at access.Resource) func(string) bool {
	return func(name string) bool { return treatVector(p, at, name).Mask == access.MaskNone }
}

// vectorField is the name of a vector as policy names it.
func vectorField(name string) string {
	if name == "" {
		return "vector"
	}
	return name
}

func treatVector(p *access.Protection, at access.Resource, name string) access.Treatment {
	return p.Field(at, vectorField(name), true)
}

// treat is what happens to a field of a payload.
func treat(p *access.Protection, at access.Resource, field string) access.Treatment {
	return p.Field(at, field, false)
}

// predicates refuses what hidden fields must not do: which points come back, and in which order, would tell their values.
func (p *part) predicates(pr *access.Protection) error {
	if p.filter != nil {
		for _, c := range p.filter.uses {
			t := treat(pr, p.at, c.field)
			if t.Mask == access.MaskNone || t.Predicates == "allow" || t.Predicates == "equality" && c.equality {
				continue
			}
			return hiddenField(t, p.at, c.field, "no condition may be put on it", "leave it out of the filter")
		}
	}
	for _, u := range p.uses {
		t := treat(pr, p.at, u.field)
		if t.Mask == access.MaskNone || t.Predicates == "allow" && u.as != asFormula {
			continue
		}
		switch u.as {
		case asOrder:
			return hiddenField(t, p.at, u.field, "nothing may be ordered by it", "order by another field")
		case asGroup:
			return hiddenField(t, p.at, u.field, "nothing may be grouped by it", "group by another field")
		case asFacet:
			return hiddenField(t, p.at, u.field, "its values may not be counted", "count another field")
		case asFormula:
			return hiddenField(t, p.at, u.field, "no score may be made of it", "leave it out of the formula")
		default:
			return hiddenField(t, p.at, u.field, "no condition may be put on it", "leave it out of the filter")
		}
	}
	return nil
}

func hiddenField(t access.Treatment, at access.Resource, field, why, hint string) error {
	return &access.Refusal{
		Code: access.CodeObligation, Rule: t.Rule, Message: "field " + field + " of " + at.String() + " is hidden, so " + why, Hint: hint,
	}
}

// compares refuses searches of vectors that may not be searched, and keeps scores from telling more than they may.
func (p *part) compares(pr *access.Protection) error {
	for _, name := range p.searched {
		t := treatVector(pr, p.at, name)
		if t.Mask == access.MaskNone {
			continue
		}
		if t.Predicates == "deny" || t.Predicates == "equality" {
			return hiddenVectors(t, p.at, "they may not be searched")
		}
		if t.Distance == "allow" {
			continue
		}
		switch {
		case t.Distance == "deny":
			return hiddenVectors(t, p.at, "they may not be searched: an answer always tells the scores")
		case p.rescored:
			return hiddenVectors(t, p.at, "scores may not be computed from their scores")
		}
		for _, round := range p.edit.thresholds {
			round()
		}
	}
	// Distances from hidden vectors to those of another collection, which may be anybody's own, would tell all of them.
	for _, l := range p.lookups {
		if l.show != nil {
			continue
		}
		for _, name := range append([]string{l.vector}, p.searched...) {
			t := treatVector(pr, l.at, name)
			if t.Mask != access.MaskNone && (t.Predicates == "deny" || t.Predicates == "equality" || t.Distance != "allow") {
				return hiddenVectors(t, l.at, "nothing may be searched with them")
			}
		}
	}
	return nil
}

func hiddenVectors(t access.Treatment, at access.Resource, why string) error {
	return &access.Refusal{Code: access.CodeObligation, Rule: t.Rule, Message: "the vectors of " + at.String() + " are hidden, so " + why}
}

// scores is what happens to the scores of a part.
func (p *part) scores(pr *access.Protection) access.Treatment {
	for _, name := range p.searched {
		if t := treatVector(pr, p.at, name); t.Mask != access.MaskNone && t.Distance != "allow" {
			return access.Treatment{Mask: access.MaskRound, Rule: t.Rule}
		}
	}
	return access.Treatment{}
}

// narrow fulfils filters: every way to points gets one, or is refused.
func (p *part) narrow(o *access.Obligations) error {
	for _, l := range p.lookups {
		if rules := o.FiltersOn(l.at); len(rules) > 0 {
			return unfiltered(rules, l.at, "it may not be looked up", "")
		}
	}
	rules := o.FiltersOn(p.at)
	if len(rules) == 0 {
		return nil
	}
	if len(p.probes) > 0 {
		return unfiltered(rules, p.at, "a search may not start from a point's id", "fetch the vector and search with it")
	}
	for _, r := range rules {
		if p.edit.written == nil {
			break
		}
		err := p.edit.written(r.Field, func(text string, ok bool) error {
			if ok && slices.Contains(r.Values, text) {
				return nil
			}
			return &access.Refusal{
				Code: access.CodeObligation, Rule: r.Rule, Hint: "put one of them into the payload, as a text",
				Message: fmt.Sprintf("what is written to %s must have one of the values %q in field %s", p.at, r.Values, r.Field),
			}
		})
		if err != nil {
			return err
		}
	}
	if p.edit.exactly != nil {
		p.edit.exactly()
	}
	switch {
	case len(p.edit.narrow) > 0:
		for _, put := range p.edit.narrow {
			put(rules)
		}
	case p.edit.keep != nil:
	default:
		return unfiltered(rules, p.at, string(p.action)+" cannot be kept to them", "")
	}
	return nil
}

func unfiltered(rules []access.FilterRule, at access.Resource, why, hint string) error {
	return &access.Refusal{
		Code: access.CodeObligation, Rule: rules[0].Rule, Hint: hint,
		Message: fmt.Sprintf("only points with certain values in field %s of %s may be reached, and %s", rules[0].Field, at, why),
	}
}

// whole says whether something may be done that concerns all of a place, whatever is in it: not while parts of it are
// hidden or out of reach.
func whole(o *access.Obligations, at access.Resource, verb string) error {
	if !o.Protection.Empty() || o.Rows > 0 || len(o.Filters) > 0 {
		return &access.Refusal{Code: access.CodeObligation, Message: at.String() + " cannot be " + verb + " by who may not see all of it"}
	}
	return nil
}

// unshared says whether something may be done that concerns all points of a collection at once.
func unshared(o *access.Obligations, at access.Resource, verb string) error {
	rules := o.FiltersOn(at)
	if at.Collection == "" {
		rules = o.Filters
	}
	if len(rules) > 0 {
		return &access.Refusal{Code: access.CodeObligation, Rule: rules[0].Rule, Message: at.String() + " cannot be " + verb + " by who may reach some of its points only"}
	}
	return nil
}
