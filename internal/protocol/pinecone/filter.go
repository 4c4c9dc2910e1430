package pinecone

import (
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// condition is one field's part in deciding which records are meant.
type condition struct {
	field    string
	equality bool // the field equals a constant, and nothing else could make the record one that is meant
}

// conditions are read from a filter. A nil *conditions is no filter.
type conditions struct {
	text     jsonstream.Value
	all      []condition
	positive bool // something must be so, not only not so
}

// operators of a field, and whether they say what a value must be. Everything that is not here is unclear.
var operators = map[string]bool{
	"$eq": true, "$ne": false, "$gt": true, "$gte": true, "$lt": true, "$lte": true, "$in": true, "$nin": false, "$exists": false,
}

// maxConditions is how many conditions a filter may have.
const maxConditions = 10_000

// readFilter takes a filter apart; absent and null are none.
func readFilter(v jsonstream.Value) (*conditions, error) {
	if !present(v) {
		return nil, nil
	}
	w := &conditions{text: v}
	return w, w.read(v, true)
}

func present(v jsonstream.Value) bool {
	return v.Kind() != jsonstream.None && v.Kind() != jsonstream.Null
}

func (w *conditions) read(v jsonstream.Value, top bool) error {
	if v.Kind() != jsonstream.Object {
		return unclear("a condition of its filter is not an object")
	}
	for name, member := range v.Members() {
		if name == "$and" || name == "$or" {
			if member.Kind() != jsonstream.Array {
				return unclear("a " + name + " of its filter is not a list")
			}
			for item := range member.Items() {
				if err := w.read(item, top && name == "$and"); err != nil {
					return err
				}
			}
			continue
		}
		if strings.HasPrefix(name, "$") || name == "" {
			return unclear("its filter has an operator that is not known")
		}
		if err := w.field(name, member, top); err != nil {
			return err
		}
	}
	if len(w.all) > maxConditions {
		return unclear("its filter has too many conditions")
	}
	return nil
}

func (w *conditions) field(name string, member jsonstream.Value, top bool) error {
	switch member.Kind() {
	case jsonstream.Object:
		if member.Len() == 0 {
			return unclear("a condition of its filter has no operator")
		}
		for op, operand := range member.Members() {
			positive, ok := operators[op]
			if !ok || operand.Kind() == jsonstream.Object || operand.Kind() == jsonstream.Null {
				return unclear("its filter has an operator that is not known")
			}
			if (op == "$in" || op == "$nin") != (operand.Kind() == jsonstream.Array) {
				return unclear("an operator of its filter has an operand of the wrong kind")
			}
			w.all = append(w.all, condition{name, top && op == "$eq"})
			w.positive = w.positive || top && positive
		}
	case jsonstream.Text, jsonstream.Number, jsonstream.Bool:
		w.all = append(w.all, condition{name, top})
		w.positive = w.positive || top
	default:
		return unclear("its filter compares with something that is not a value")
	}
	return nil
}

// describe puts the conditions into the attributes of an access.
func (w *conditions) describe(at *access.Attributes) {
	if w == nil {
		return
	}
	for _, c := range w.all {
		at.FilterFields = append(at.FilterFields, c.field)
	}
	at.Filter = access.FilterTrivial
	if len(w.all) > 0 {
		at.Filter = access.FilterOther
	}
}

// shape is the treatment of a field that decides which records come back: its own, or that of all metadata.
func shape(p *access.Protection, at access.Resource, name string) access.Treatment {
	t := p.Field(at, name, false)
	if t.Mask == access.MaskNone {
		t = p.Field(at, "metadata", false)
	}
	return t
}

// oblige refuses conditions on what is hidden: which records come back would tell the value.
func (w *conditions) oblige(p *access.Protection, at access.Resource) error {
	if w == nil {
		return nil
	}
	for _, c := range w.all {
		t := shape(p, at, c.field)
		if t.Mask == access.MaskNone || t.Predicates == "allow" || t.Predicates == "equality" && c.equality {
			continue
		}
		return &access.Refusal{
			Code: access.CodeObligation, Rule: t.Rule, Message: "field " + c.field + " of " + at.String() + " is hidden, so no condition may be put on it",
			Hint: "leave it out of the filter",
		}
	}
	return nil
}

// narrowed is the filter with what every record must pass besides.
func (w *conditions) narrowed(rules []access.FilterRule) jsonstream.Value {
	var own jsonstream.Value
	if w != nil {
		own = w.text
	}
	if len(rules) == 0 {
		return own
	}
	all := make([]jsonstream.Value, 0, len(rules)+1)
	for _, r := range rules {
		values := make([]jsonstream.Value, len(r.Values))
		for i, v := range r.Values {
			values[i] = jsonstream.String(v)
		}
		all = append(all, object(r.Field, object("$in", jsonstream.List(values...))))
	}
	if w != nil && len(w.all) > 0 {
		all = append(all, own)
	}
	return object("$and", jsonstream.List(all...))
}
