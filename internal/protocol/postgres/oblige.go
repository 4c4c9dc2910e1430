package postgres

import (
	"fmt"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/hidden"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
	"github.com/vecgate/vecgate/internal/protocol/postgres/analysis"
	"github.com/vecgate/vecgate/internal/protocol/postgres/value"
	"github.com/vecgate/vecgate/internal/protocol/postgres/wire"
)

// Oblige implements gate.Exchange.
func (x *exchange) Oblige(o *access.Obligations) error {
	x.stopWatching()
	if x.obliged {
		if err := x.again(); err != nil {
			return err
		}
	}
	x.obliged, x.protection = true, o.Protection
	if x.fault != nil {
		return &access.Refusal{Code: access.CodeUnclear, Message: x.fault.message, Hint: x.fault.hint}
	}
	if refusal := o.Unfiltered(&x.op); refusal != nil {
		refusal.Hint = "let the database filter the table by row-level security, and ask for it to be left out of rule " + refusal.Rule
		return refusal
	}
	for i := range x.runs {
		if err := x.obligeRun(&x.runs[i], o); err != nil {
			return err
		}
	}
	open := false // an answer before this one may have to be cut off
	for i := range x.runs {
		e := &x.runs[i]
		if e.treatment != nil {
			x.redact = x.redact || e.treatment.Redact
		}
		if open && writes(e.accesses) {
			return &access.Refusal{
				Code: access.CodeObligation, Message: "an answer whose length is limited cannot be followed by a change in the same pipeline",
				Hint: "give the query before it a LIMIT, or send the change by itself",
			}
		}
		open = open || e.cap != access.Unbounded && !e.promised
	}
	// What is only prepared or described must be possible too, and says what its rows will look like.
	for i := range x.steps {
		about := x.steps[i].about
		if about == nil || about.plan.Refused != nil {
			continue
		}
		if st := about.statement(); st != nil {
			t, refusal := st.Oblige(o.Protection)
			if refusal != nil {
				return own(refusal)
			}
			x.redact = x.redact || t.Redact
		}
	}
	return nil
}

func writes(accesses []access.Access) bool {
	for i := range accesses {
		if accesses[i].Action.Writes() {
			return true
		}
	}
	return false
}

// own is a copy of a refusal that analysis keeps and gives to others too; the gate writes into it.
func own(r *access.Refusal) *access.Refusal {
	c := *r
	return &c
}

func (x *exchange) obligeRun(e *execution, o *access.Obligations) error {
	st := e.of.statement()
	if st == nil || e.statement == nil {
		return nil
	}
	if e.statement != st { // EXECUTE, FETCH: what stands in the text, besides what its name stands for
		if _, refusal := e.statement.Oblige(o.Protection); refusal != nil {
			return own(refusal)
		}
	}
	t, refusal := st.Oblige(o.Protection)
	if refusal != nil {
		return own(refusal)
	}
	e.treatment = t
	if n := promised(st); n >= 0 && (!e.promised || n < e.cap) {
		e.cap, e.promised = n, true
	}
	if o.TopK > 0 {
		for i := range e.accesses {
			a := &e.accesses[i]
			if a.Action == access.Search && (a.Attributes.Limit == access.Unbounded || a.Attributes.Limit > o.TopK) {
				return &access.Refusal{
					Code: access.CodeLimit, Message: fmt.Sprintf("a search of %s may ask for the %d nearest at most", a.Resource, o.TopK),
					Hint: fmt.Sprintf("write LIMIT %d or less", o.TopK),
				}
			}
		}
	}
	if o.Rows <= 0 {
		return nil
	}
	if e.promised && e.cap > o.Rows && e.cap != access.Unbounded {
		return &access.Refusal{
			Code: access.CodeLimit, Message: fmt.Sprintf("a request may return %d rows at most here, and this one asks for %d", o.Rows, e.cap),
			Hint: fmt.Sprintf("write LIMIT %d or less", o.Rows),
		}
	}
	if e.cap == access.Unbounded {
		e.cap = o.Rows
	}
	return nil
}

// leak ends the session: what the target is about to send is not what was analysed.
func leak(t *analysis.Treatment, what string, args ...any) error {
	why := fmt.Errorf(what, args...)
	return fmt.Errorf("answer does not fit its analysis: %w", &access.Refusal{
		Code: access.CodeObligation, Rule: ruleOf(t), Message: "the answer does not have the columns that were expected, so nothing of it is shown",
		Hint: "the definition of a table may just have changed: connect and try again", Err: why,
	})
}

// described checks a RowDescription against what was analysed.
func described(t *analysis.Treatment, columns []wire.ResultColumn) error {
	if !guarded(t) {
		return nil
	}
	if t.Types != nil && len(columns) != len(t.Types) || t.Columns != nil && len(columns) != len(t.Columns) {
		return leak(t, "%d columns, expected %d", len(columns), max(len(t.Types), len(t.Columns)))
	}
	for i := range columns {
		c := &columns[i]
		if t.Types != nil && t.Types[i] != 0 && t.Types[i] != c.Type {
			return leak(t, "column %d has type %d, expected %d", i+1, c.Type, t.Types[i])
		}
		if t.Columns != nil && t.Columns[i].Mask != access.MaskNone {
			continue
		}
		if _, bad := t.Forbidden[analysis.ColumnKey{Relation: c.Relation, Attnum: c.Attnum}]; bad {
			return leak(t, "column %d is protected column %d of relation %d, unmasked", i+1, c.Attnum, c.Relation)
		}
	}
	return nil
}

// documentOf says what happens to a document that is a copy of a column, under all the names that it has.
func documentOf(p *access.Protection, columns []*analysis.Column) *jsonstream.Node {
	places := make([]access.Resource, len(columns))
	for i, c := range columns {
		places[i] = c.Resource
	}
	treat := func(path string) (t access.Treatment) {
		for _, c := range columns {
			if t = p.Field(c.Resource, c.Name+"."+path, false); t.Mask != access.MaskNone {
				break
			}
		}
		return t
	}
	return hidden.Of(p, treat, places...).Inside(columns[0].Name)
}

// rewriterOf returns what rewrites the rows of an execution; nil when they pass as they are.
func (x *exchange) rewriterOf(e *execution, columns []wire.ResultColumn) (*value.Rewriter, error) {
	t := e.treatment
	if t == nil || t.Columns == nil {
		return nil, nil
	}
	p := e.of
	oids := t.Types
	var formats []byte
	if columns != nil {
		oids = make([]uint32, len(columns))
		formats = make([]byte, 0, 2*len(columns))
		for i := range columns {
			oids[i] = columns[i].Type
			formats = append(formats, 0, byte(columns[i].Format))
		}
	} else {
		if p.seen != nil && len(p.seen) == len(t.Columns) {
			oids = p.seen
		}
		formats = e.formats
	}
	if len(oids) != len(t.Columns) {
		oids = make([]uint32, len(t.Columns)) // unknown: what is masked becomes NULL
	}
	if columns == nil && p.rewriter != nil && p.treatment == t && string(p.formats) == string(formats) {
		return p.rewriter, nil
	}
	codes := make([]int16, len(formats)/2)
	for i := range codes {
		codes[i] = int16(formats[2*i+1])
	}
	r, err := value.NewRewriter(x.s.server.masker, x.s.snapshot().types, t.Columns, oids, codes)
	for i, columns := range t.Inside {
		if err == nil {
			r.Inside(i, documentOf(x.protection, columns))
		}
	}
	if err != nil {
		return nil, leak(t, "%w", err)
	}
	if columns == nil {
		p.rewriter, p.treatment, p.formats = r, t, formats
	}
	return r, nil
}
