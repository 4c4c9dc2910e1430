package weaviate

import (
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// operators of a condition on one property; everything that is not here is unclear.
var operators = map[string]bool{
	"Equal": true, "NotEqual": true, "GreaterThan": true, "GreaterThanEqual": true, "LessThan": true, "LessThanEqual": true, "Like": true,
	"WithinGeoRange": true, "IsNull": true, "ContainsAny": true, "ContainsAll": true, "ContainsNone": true,
}

// values are the members that hold what a property is compared with.
const values = "valueInt valueNumber valueBoolean valueString valueText valueDate valueIntArray valueNumberArray valueBooleanArray valueStringArray valueTextArray valueDateArray valueGeoRange"

// where reads a filter as REST and GraphQL write it.
func (r *reading) where(v jsonstream.Value, c *class, tenant string) (*conditions, error) {
	w := &conditions{}
	if v.Kind() == jsonstream.None || v.Kind() == jsonstream.Null {
		return w, nil
	}
	w.present = true
	return w, r.clause(w, v, c, tenant, true)
}

// clause reads a part of a filter. top says that no object is meant that does not pass it.
func (r *reading) clause(w *conditions, v jsonstream.Value, c *class, tenant string, top bool) error {
	operator, ok := v.Get("operator").Text()
	if !ok {
		return unclear("a condition of its where has no operator")
	}
	if operator == "And" || operator == "Or" || operator == "Not" {
		if err := members(v, "operator operands", "a condition of its where"); err != nil {
			return err
		}
		operands := v.Get("operands")
		n := operands.Len()
		if operands.Kind() != jsonstream.Array || n == 0 {
			return unclear("a condition of its where has no operands")
		}
		for item := range operands.Items() {
			if err := r.clause(w, item, c, tenant, top && (operator == "And" || n == 1 && operator == "Or")); err != nil {
				return err
			}
		}
		return nil
	}
	if !operators[operator] {
		return unclear("its where has an operator that is not known")
	}
	if err := members(v, "operator path "+values, "a condition of its where"); err != nil {
		return err
	}
	if v.Len() != 3 {
		return unclear("a condition of its where does not compare one property with one value")
	}
	path, ok := texts(v.Get("path"))
	if !ok {
		return unclear("the path of a condition is not a list of names")
	}
	on, err := r.path(c, tenant, path)
	if err != nil {
		return err
	}
	whole := len(path) == 1 && !strings.HasPrefix(path[0], "len(")
	w.all = append(w.all, condition{on, top && whole && operator == "Equal"})
	if top && len(path) == 1 && on.field == fieldID && (operator == "Equal" || operator == "ContainsAny") {
		for _, name := range []string{"valueText", "valueString", "valueTextArray", "valueStringArray"} {
			if ids, ok := texts(v.Get(name)); ok {
				w.ids = append(w.ids, ids...)
			}
		}
	}
	return nil
}

// stripped is a filter of REST without its members that are null: to Weaviate they are not there, and its client for Go writes a path
// and operands into every clause, whichever it has. A clause with more members than there are is refused as it stands.
func stripped(v jsonstream.Value) jsonstream.Value {
	if v.Kind() != jsonstream.Object || v.Len() > len(strings.Fields(values))+3 {
		return v
	}
	out := empty
	for name, member := range v.Members() {
		if member.Kind() == jsonstream.Null {
			continue
		}
		if name == "operands" && member.Kind() == jsonstream.Array {
			var operands []jsonstream.Value
			for item := range member.Items() {
				operands = append(operands, stripped(item))
			}
			member = jsonstream.List(operands...)
		}
		out = out.With(name, member)
	}
	return out
}

// texts reads a list of texts; one text is a list of one, as GraphQL has it.
func texts(v jsonstream.Value) ([]string, bool) {
	if one, ok := v.Text(); ok {
		return []string{one}, true
	}
	if v.Kind() != jsonstream.Array {
		return nil, false
	}
	var list []string
	for item := range v.Items() {
		s, ok := item.Text()
		if !ok {
			return nil, false
		}
		list = append(list, s)
	}
	return list, len(list) > 0
}

// confined is a filter with the obligation's own put before it.
func confined(rules []access.FilterRule, v jsonstream.Value) jsonstream.Value {
	if len(rules) == 0 {
		return v
	}
	object := func(operator string, operands []jsonstream.Value) jsonstream.Value {
		if len(operands) == 1 {
			return operands[0]
		}
		return empty.With("operator", jsonstream.String(operator)).With("operands", jsonstream.List(operands...))
	}
	var all []jsonstream.Value
	for _, f := range rules {
		var any []jsonstream.Value
		for _, value := range f.Values {
			any = append(any, empty.With("operator", jsonstream.String("Equal")).
				With("path", jsonstream.List(jsonstream.String(f.Field))).With("valueText", jsonstream.String(value)))
		}
		all = append(all, object("Or", any))
	}
	if v.Kind() == jsonstream.Object {
		all = append(all, v)
	}
	return object("And", all)
}

// empty is an object without members.
var empty, _ = jsonstream.Read([]byte("{}"))
