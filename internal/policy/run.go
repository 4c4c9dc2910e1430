package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// Run asks the policy every case.
func (s *Suite) Run(p *Policy) []Result {
	results := make([]Result, len(s.Cases))
	for i := range s.Cases {
		results[i] = s.Cases[i].run(p)
	}
	return results
}

func (c *Case) run(p *Policy) Result {
	d := c.decide(p)
	r := Result{Case: c, Decision: d}
	e := &c.expect
	r.compare("effect", string(e.effect), string(d.Effect))
	if e.code != "" {
		r.compare("code", string(e.code), string(d.Reason.Code))
	}
	if e.rule != nil {
		r.compare("rule", *e.rule, d.Reason.Rule)
	}
	if e.says != "" && !strings.Contains(d.Reason.Sentence, e.says) {
		r.differ("the sentence %q does not say %q", d.Reason.Sentence, e.says)
	}
	for _, k := range e.maskKeys {
		resource, field := splitField(access.FieldPattern(k))
		at, err := ParseResource(resource)
		if err != nil {
			r.differ("%v", err)
			continue
		}
		r.compare("mask of "+k, showMask(e.masks[k]), showMask(d.Obligations.Protection.Field(at, field, false).Mask))
	}
	if e.vectors != "" {
		got := "allow"
		if d.Obligations.Protection.Field(c.Operation.First().Resource, "", true).Mask != access.MaskNone {
			got = "withhold"
		}
		r.compare("vectors", e.vectors, got)
	}
	if e.filters != nil {
		r.compare("filters", showFilters(e.filters), showFilters(filtersOn(&d, c.Operation.First().Resource)))
	}
	if e.persons != 0 || e.groups != nil {
		terms := d.Hold
		if terms == nil {
			terms = &access.HoldTerms{}
		}
		if e.persons != 0 {
			r.compare("persons", itoa(e.persons), itoa(terms.Persons))
		}
		if e.groups != nil {
			r.compare("groups", strings.Join(e.groups, ", "), strings.Join(terms.Groups, ", "))
		}
	}
	if e.rows != nil {
		r.compare("rows", fmt.Sprint(*e.rows), fmt.Sprint(d.Obligations.Rows))
	}
	if e.topK != nil {
		r.compare("top_k", fmt.Sprint(*e.topK), fmt.Sprint(d.Obligations.TopK))
	}
	if e.record != nil {
		r.compare("record", string(*e.record), string(d.Obligations.Record))
	}
	return r
}

// decide asks the policy: for the operation, with the release if the case has one, and for the approver if it has one.
func (c *Case) decide(p *Policy) access.Decision {
	about := c.Context
	d := p.Decide(c.Subject, &c.Operation, about)
	if d.Effect != access.Hold {
		if c.Approver != nil {
			return access.Decision{Effect: access.Deny, Policy: p.digest, Reason: access.Reason{
				Code: d.Reason.Code, Rule: d.Reason.Rule, Sentence: "there is nothing to approve: " + d.Reason.Sentence,
			}}
		}
		return d
	}
	if c.Approver != nil {
		request := access.Request{ID: "CASE", Subject: *c.Subject, Target: c.Operation.First().Resource.Target, Accesses: c.Operation.Accesses, Terms: *d.Hold, Policy: p.digest}
		if no := p.MayApprove(c.Approver, &request); no != nil {
			return access.Decision{Effect: access.Deny, Policy: p.digest, Reason: access.Reason{Code: no.Code, Rule: no.Rule, Sentence: no.Message, Hint: no.Hint}}
		}
		return access.Decision{Effect: access.Allow, Policy: p.digest, Reason: access.Reason{
			Code: access.CodeAllowed, Rule: d.Reason.Rule, Sentence: c.Approver.Display() + " may decide on the request",
		}}
	}
	if c.Released != nil {
		about.Grant = &access.Grant{Request: "CASE", Digest: "case", Rule: d.Hold.Rule, Persons: slices.Clone(c.Released), Expires: about.Now.Add(time.Minute)}
		d = p.Decide(c.Subject, &c.Operation, about)
	}
	return d
}

func showMask(m access.Mask) string {
	if m == access.MaskNone {
		return "none"
	}
	return string(m)
}

func (r *Result) compare(what, want, got string) {
	if want != got {
		r.differ("%s is %q, expected %q", what, got, want)
	}
}

func (r *Result) differ(format string, args ...any) {
	r.Differences = append(r.Differences, fmt.Sprintf(format, args...))
}

// Change is a case that two policies decide otherwise.
type Change struct {
	Case        *Case
	Old, New    access.Decision
	Differences []string
}

// Diff asks two policies the cases of a suite and returns those that they decide otherwise.
func (s *Suite) Diff(old, new *Policy) []Change {
	var changes []Change
	for i := range s.Cases {
		c := &s.Cases[i]
		ch := Change{Case: c, Old: c.decide(old), New: c.decide(new)}
		add := func(what, a, b string) {
			if a != b {
				ch.Differences = append(ch.Differences, fmt.Sprintf("%s: %s -> %s", what, orNone(a), orNone(b)))
			}
		}
		add("effect", string(ch.Old.Effect), string(ch.New.Effect))
		add("code", string(ch.Old.Reason.Code), string(ch.New.Reason.Code))
		add("rule", ch.Old.Reason.Rule, ch.New.Reason.Rule)
		add("hold", showTerms(ch.Old.Hold), showTerms(ch.New.Hold))
		add("protection", showProtection(ch.Old.Obligations.Protection), showProtection(ch.New.Obligations.Protection))
		add("filters", strings.Join(filterWords(ch.Old.Obligations.Filters), ", "), strings.Join(filterWords(ch.New.Obligations.Filters), ", "))
		add("rows", fmt.Sprint(ch.Old.Obligations.Rows), fmt.Sprint(ch.New.Obligations.Rows))
		add("top_k", fmt.Sprint(ch.Old.Obligations.TopK), fmt.Sprint(ch.New.Obligations.TopK))
		add("record", string(ch.Old.Obligations.Record), string(ch.New.Obligations.Record))
		if ch.Differences != nil {
			changes = append(changes, ch)
		}
	}
	return changes
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func showTerms(t *access.HoldTerms) string {
	if t == nil {
		return ""
	}
	return fmt.Sprintf("%s within %s", persons(t.Persons, t.Groups), showDuration(t.Within))
}

// filtersOn are the values that each field of a resource's points may have; a field that several filters are about may
// have what all of them let it.
func filtersOn(d *access.Decision, at access.Resource) map[string][]string {
	fields := map[string][]string{}
	for _, f := range d.Obligations.FiltersOn(at) {
		values, again := fields[f.Field]
		if !again {
			values = f.Values
		}
		fields[f.Field] = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return !containsText(f.Values, v) })
	}
	return fields
}

func showFilters(fields map[string][]string) string {
	var words []string
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		words = append(words, field+": "+strings.Join(slices.Sorted(slices.Values(fields[field])), ", "))
	}
	return strings.Join(words, "; ")
}

func showProtection(p *access.Protection) string { return strings.Join(maskWords(p), ", ") }

// maskWords says what a protection hides, the strictest first.
func maskWords(p *access.Protection) []string {
	if p.Empty() {
		return nil
	}
	var words []string
	for _, f := range p.Fields {
		words = append(words, fmt.Sprintf("%s %s (rule %s)", f.Treatment.Mask, f.Pattern, f.Treatment.Rule))
	}
	for _, v := range p.Vectors {
		if v.Treatment.Mask == access.MaskNone {
			words = append(words, fmt.Sprintf("show vectors of %s", v.Pattern))
			continue
		}
		words = append(words, fmt.Sprintf("withhold vectors of %s (rule %s)", v.Pattern, v.Treatment.Rule))
	}
	return words
}
