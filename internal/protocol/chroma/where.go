package chroma

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

// conditions are read from where and where_document.
type conditions struct {
	all     []condition
	trivial bool
}

// operators of a field; everything that is not here is unclear.
var operators = map[string]bool{
	"$eq": true, "$ne": true, "$gt": true, "$gte": true, "$lt": true, "$lte": true, "$in": true, "$nin": true,
	"$contains": true, "$not_contains": true, "$regex": true, "$not_regex": true,
}

func (c *call) conditions() (*conditions, error) {
	w := &conditions{}
	if v := c.Body.Get("where"); present(v) {
		if v.Kind() == jsonstream.Object && v.Len() == 0 {
			w.trivial = true
		} else if err := w.where(v, true); err != nil {
			return nil, err
		}
	}
	if v := c.Body.Get("where_document"); present(v) {
		if v.Kind() == jsonstream.Object && v.Len() == 0 {
			w.trivial = true
		} else if err := w.document(v); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func present(v jsonstream.Value) bool {
	return v.Kind() != jsonstream.None && v.Kind() != jsonstream.Null
}

// one returns the only member of an object.
func one(v jsonstream.Value) (name string, member jsonstream.Value, ok bool) {
	if v.Kind() != jsonstream.Object || v.Len() != 1 {
		return "", member, false
	}
	for name, member = range v.Members() {
	}
	return name, member, true
}

func (w *conditions) where(v jsonstream.Value, top bool) error {
	name, member, ok := one(v)
	if !ok {
		return unclear("a condition of its where is not an object with one member")
	}
	if name == "$and" || name == "$or" {
		if member.Kind() != jsonstream.Array {
			return unclear("a " + name + " of its where is not a list")
		}
		for item := range member.Items() {
			if err := w.where(item, top && name == "$and"); err != nil {
				return err
			}
		}
		return nil
	}
	field, ok := fieldOf(name)
	if !ok {
		return unclear("its where has an operator that is not known")
	}
	equality := top
	switch member.Kind() {
	case jsonstream.Object:
		op, operand, ok := one(member)
		if !ok || !operators[op] || operand.Kind() == jsonstream.Object {
			return unclear("its where has an operator that is not known")
		}
		equality = top && op == "$eq"
	case jsonstream.Array, jsonstream.None, jsonstream.Null:
		return unclear("its where compares with something that is not a value")
	}
	w.all = append(w.all, condition{field, equality})
	return nil
}

// fieldOf is the field that a key of where stands for.
func fieldOf(key string) (string, bool) {
	switch key {
	case "#document", "chroma:document":
		return fieldDocument, true
	case "chroma:uri":
		return fieldURI, true
	case "#id":
		return fieldID, true
	}
	return key, !strings.HasPrefix(key, "$") && !strings.HasPrefix(key, "#") && !strings.HasPrefix(key, "chroma:")
}

func (w *conditions) document(v jsonstream.Value) error {
	name, member, ok := one(v)
	if !ok {
		return unclear("a condition of its where_document is not an object with one member")
	}
	if name == "$and" || name == "$or" {
		if member.Kind() != jsonstream.Array {
			return unclear("a " + name + " of its where_document is not a list")
		}
		for item := range member.Items() {
			if err := w.document(item); err != nil {
				return err
			}
		}
		return nil
	}
	if !operators[name] || member.Kind() != jsonstream.Text {
		return unclear("its where_document has an operator that is not known")
	}
	w.all = append(w.all, condition{field: fieldDocument})
	return nil
}

// describe puts the conditions into the attributes of an access.
func (w *conditions) describe(at *access.Attributes) {
	for _, c := range w.all {
		at.FilterFields = append(at.FilterFields, c.field)
	}
	switch {
	case len(w.all) > 0:
		at.Filter = access.FilterOther
	case w.trivial:
		at.Filter = access.FilterTrivial
	}
}

// oblige refuses conditions on what is hidden: which records come back would tell the value.
func (w *conditions) oblige(p *access.Protection, at access.Resource) error {
	for _, c := range w.all {
		t := p.Field(at, c.field, false)
		if t.Mask == access.MaskNone || t.Predicates == "allow" || t.Predicates == "equality" && c.equality {
			continue
		}
		return &access.Refusal{
			Code: access.CodeObligation, Rule: t.Rule, Message: "field " + c.field + " of " + at.String() + " is hidden, so no condition may be put on it",
			Hint: "leave it out of where",
		}
	}
	return nil
}
