package analysis

import (
	"fmt"
	"slices"

	"github.com/vecgate/vecgate/internal/access"
)

// maxTreated is how many protections' answers a statement keeps.
const maxTreated = 16

// Oblige checks the statement under a protection: it returns how the answer must be treated, or why the statement must
// be refused. The answer is kept by the protection's pointer. A nil protection asks nothing.
func (s *Statement) Oblige(p *access.Protection) (*Treatment, *access.Refusal) {
	kept := s.treated.Load()
	if kept != nil {
		for i := range *kept {
			if (*kept)[i].protection == p {
				return (*kept)[i].treatment, (*kept)[i].refusal
			}
		}
	}
	t, refusal := s.oblige(p)
	var all []treated
	if kept != nil {
		all = append(all, *kept...)
	}
	if len(all) >= maxTreated {
		all = all[1:]
	}
	all = append(all, treated{p, t, refusal})
	s.treated.CompareAndSwap(kept, &all)
	return t, refusal
}

func (s *Statement) oblige(p *access.Protection) (*Treatment, *access.Refusal) {
	if s.Unclear != "" {
		return nil, &access.Refusal{
			Code: access.CodeUnclear, Message: "the statement could not be read: " + s.Unclear,
			Hint: "Send it in a form that names its tables and columns plainly.",
		}
	}
	t := &Treatment{}
	if s.ReturnsRows && s.Outputs != nil {
		t.Types = make([]uint32, len(s.Outputs))
		for i, out := range s.Outputs {
			t.Types[i] = out.TypeOID
		}
	}
	if p.Empty() {
		return t, nil
	}
	o := obliger{s: s, p: p, t: t}
	for _, check := range []func() *access.Refusal{o.opaque, o.raw, o.body, o.shaping, o.distances, o.sinks, o.explain, o.outputs} {
		if refusal := check(); refusal != nil {
			return nil, refusal
		}
	}
	o.redact()
	return t, nil
}

// obliger checks one statement under one protection.
type obliger struct {
	s *Statement
	p *access.Protection
	t *Treatment
}

// of is what happens to a column. One that holds documents of which a rule speaks by the column's name is looked into where it
// comes back as it is, and counts as hidden everywhere else: what is computed of it is not followed into it.
func (o *obliger) of(c *Column) access.Treatment {
	t := o.p.Field(c.Resource, c.Name, c.Vector)
	if t.Mask == access.MaskNone && !flat[c.TypeOID] && !c.Vector {
		if inside := o.p.Named(c.Resource, c.Name); inside.Mask != access.MaskNone {
			t = inside
			t.Mask = access.MaskInside
			if t.Predicates == "equality" {
				t.Predicates = "deny" // of a part is no equality of the whole
			}
		}
	}
	return t
}

// flat are the types that hold no documents: of bool to xid, of texts, numbers, times and addresses.
var flat = map[uint32]bool{
	16: true, 17: true, 18: true, 19: true, 20: true, 21: true, 23: true, 25: true, 26: true, 27: true, 28: true, 700: true, 701: true, 790: true, 829: true, 869: true, 650: true,
	1042: true, 1043: true, 1082: true, 1083: true, 1114: true, 1184: true, 1186: true, 1266: true, 1560: true, 1562: true, 1700: true, 2950: true,
	1000: true, 1005: true, 1007: true, 1009: true, 1014: true, 1015: true, 1016: true, 1021: true, 1022: true, 1115: true, 1182: true, 1185: true, 1231: true, 2951: true,
}

// refuse says no in words that name the column, the rule and the way out.
func refuse(c *Column, rule, sentence, hint string) *access.Refusal {
	kind := "masked"
	if c.Vector {
		kind = "withheld"
	}
	return &access.Refusal{
		Code: access.CodeObligation, Rule: rule,
		Message: fmt.Sprintf("column %q of %s is %s for you (rule %s) %s", c.Name, c.Resource, kind, rule, sentence), Hint: hint,
	}
}

func (o *obliger) opaque() *access.Refusal {
	if o.s.Opaque == "" {
		return nil
	}
	return &access.Refusal{
		Code: access.CodeObligation, Message: "what the statement returns cannot be traced while columns are masked for you: " + o.s.Opaque,
		Hint: "Read the tables directly, or ask for an exception from the rules that mask columns here.",
	}
}

// raw refuses statistics, other people's queries and the like, which hold values of masked columns.
func (o *obliger) raw() *access.Refusal {
	for _, acc := range o.s.Accesses {
		switch acc.Action {
		case access.RawRead:
			return &access.Refusal{
				Code:    access.CodeObligation,
				Message: fmt.Sprintf("%s may show values of columns that are masked for you", acc.Resource),
				Hint:    "Read the tables directly, or ask for an exception from the rules that mask columns here.",
			}
		}
	}
	return nil
}

func (o *obliger) body() *access.Refusal {
	if o.s.Body == nil {
		return nil
	}
	_, refusal := o.s.Body.Oblige(o.p)
	return refusal
}

func (o *obliger) shaping() *access.Refusal {
	for _, u := range o.s.Shaping {
		t := o.of(u.Column)
		if t.Mask == access.MaskNone {
			continue
		}
		if !allowed(predicates(t, u.Column), u.How) {
			hint := "Leave it out of the conditions, the joins and the order of the statement."
			if u.Column.Vector {
				hint = "Order by its distance to a constant, with a LIMIT, to search; leave it out of all conditions."
			}
			return refuse(u.Column, t.Rule, "and may not be used in "+u.Where, hint)
		}
	}
	return nil
}

// predicates is what a treatment lets a column be used for; a vector that nothing is said of may be searched.
func predicates(t access.Treatment, c *Column) string {
	if t.Predicates == "" && c.Vector {
		return "knn"
	}
	return t.Predicates
}

func allowed(predicates string, how How) bool {
	switch predicates {
	case "allow":
		return true
	case "equality":
		return how == UseEquality
	case "knn":
		return how == UseKNN
	}
	return false
}

// maxDistances is how many distances of a hidden vector one statement may compute. A search computes one or two; as many as
// the vector has dimensions tell all of it.
const maxDistances = 16

func (o *obliger) distances() *access.Refusal {
	for c, n := range o.s.distances {
		if t := o.of(c); n > maxDistances && t.Mask != access.MaskNone && t.Distance != "allow" {
			return refuse(c, t.Rule, fmt.Sprintf("and a statement may compute %d distances of it; this one computes %d", maxDistances, n), "Search for one vector at a time.")
		}
	}
	return nil
}

func (o *obliger) sinks() *access.Refusal {
	for _, f := range o.s.Sinks {
		for _, c := range f.Sources {
			t := o.of(c)
			if t.Mask == access.MaskNone {
				continue
			}
			if f.Target != nil && f.Target.Name == c.Name && family(f.Sources, f.Target) {
				if f.Copy {
					continue
				}
				// The mask shows part of a value, or its digest: of the value cut in pieces it would show every part. And
				// whether a computation fails says what it computed with.
				return refuse(c, t.Rule, "and may not be computed with, not even for "+f.Into+" itself", "Write a value that does not depend on it.")
			}
			return refuse(c, t.Rule, "and may not flow into "+f.Into, "Leave it out of what the statement writes.")
		}
	}
	return nil
}

// family reports whether the target is one of the names of the value that flows: a column may take on its own values.
func family(sources []*Column, target *Column) bool {
	for _, c := range sources {
		if c == target {
			return true
		}
	}
	return false
}

func (o *obliger) explain() *access.Refusal {
	if o.s.Kind != Explain {
		return nil
	}
	for _, out := range o.s.Outputs {
		for _, c := range out.Sources {
			if t := o.of(c); t.Mask != access.MaskNone && !searchOnly(o.s.Body, c) {
				return refuse(c, t.Rule, "and a plan shows estimates that are made of its values", "Explain a statement that does not use it.")
			}
		}
	}
	return nil
}

// searchOnly reports whether a statement uses a vector column for nothing but nearest neighbours, of which a plan shows
// no value.
func searchOnly(s *Statement, c *Column) bool {
	for _, u := range s.Shaping {
		if u.Column == c && u.How != UseKNN {
			return false
		}
	}
	for _, out := range s.Outputs {
		if out.Distance == nil {
			for _, have := range out.Sources {
				if have == c {
					return false
				}
			}
		}
	}
	return c.Vector
}

// outputs finds the mask of each output.
func (o *obliger) outputs() *access.Refusal {
	if o.s.Kind == Explain || o.s.Kind == Declare || o.s.Kind == Prepare {
		return nil
	}
	for i, out := range o.s.Outputs {
		t, refusal := o.output(out)
		if refusal != nil {
			return refusal
		}
		if t.Mask == access.MaskNone {
			continue
		}
		if o.t.Columns == nil {
			o.t.Columns = make([]access.Treatment, len(o.s.Outputs))
		}
		o.t.Columns[i] = t
		if t.Mask == access.MaskInside {
			if o.t.Inside == nil {
				o.t.Inside = map[int][]*Column{}
			}
			o.t.Inside[i] = out.Sources
		}
	}
	return nil
}

func (o *obliger) output(out Output) (access.Treatment, *access.Refusal) {
	var worst access.Treatment
	for _, c := range out.Sources {
		t := o.of(c)
		if t.Mask == access.MaskNone {
			continue
		}
		switch {
		case out.Distance != nil && c.Vector:
			switch t.Distance {
			case "allow":
				continue
			case "", "round":
				t.Mask = access.MaskRound
			default:
				return t, refuse(c, t.Rule, "and its distances are not shown", "Order by the distance without selecting it.")
			}
		case out.Copy != nil:
		case t.Derived == "null":
			t.Mask = access.MaskNull
		default:
			return t, refuse(c, t.Rule, fmt.Sprintf("and may not be computed with (output %q)", out.Name),
				"Select the column itself, which comes back masked, or leave it out.")
		}
		if strictness[t.Mask] > strictness[worst.Mask] {
			worst = t
		}
	}
	return worst, nil
}

// speaks reports whether code stands on a relation or on one of its partitions and ancestors.
func speaks(rel *Relation) bool {
	for _, r := range rel.family {
		if r.speaks {
			return true
		}
	}
	return rel.speaks
}

// reaches reports whether a change of the relation's rows may change, or fail to change, rows with protected columns in
// another one: what PostgreSQL then says of the failure quotes such a row.
func (o *obliger) reaches(rel *Relation) bool {
	protected := func(r *Relation) bool {
		return slices.ContainsFunc(r.Columns, func(c *Column) bool {
			return slices.ContainsFunc(r.sources(c), func(n *Column) bool { return o.of(n).Mask != access.MaskNone })
		})
	}
	for _, r := range append([]*Relation{rel}, rel.family...) {
		if slices.ContainsFunc(r.reached, protected) {
			return true
		}
	}
	return false
}

// strictness orders masks by how much they hide, for a value that goes by several names.
var strictness = map[access.Mask]int{access.MaskRound: 1, access.MaskInside: 1, access.MaskPartial: 2, access.MaskHash: 3, access.MaskRedact: 4, access.MaskNull: 5, access.MaskDrop: 6}

// redact finds whether errors may carry protected values, and which columns must not come back unmasked by mistake.
func (o *obliger) redact() {
	o.t.Redact = o.s.hooked
	writes := slices.ContainsFunc(o.s.Accesses, func(acc access.Access) bool { return acc.Action.Writes() })
	for _, rel := range o.s.Touches {
		o.t.Redact = o.t.Redact || speaks(rel) || writes && o.reaches(rel)
		for _, c := range rel.Columns {
			names := rel.sources(c)
			for _, n := range append(names[:len(names):len(names)], o.s.behind[c]...) {
				t := o.of(n)
				if t.Mask == access.MaskNone {
					continue
				}
				o.t.Redact = true
				if o.t.Forbidden == nil {
					o.t.Forbidden = map[ColumnKey]access.Treatment{}
				}
				key := ColumnKey{Relation: rel.OID, Attnum: c.Attnum}
				if strictness[t.Mask] > strictness[o.t.Forbidden[key].Mask] {
					o.t.Forbidden[key] = t
				}
			}
		}
	}
}
