package generic

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// condition is one field's part in deciding which points are meant.
type condition struct {
	field    string
	equality bool // the field equals a constant, and nothing else could make the point one that is meant
}

// conditions reads a filter of a form that is understood; of another there are none.
func conditions(form Form, v jsonstream.Value) ([]condition, error) {
	var all []condition
	if form == Opaque {
		return nil, nil
	}
	if v.Kind() != jsonstream.Object {
		return nil, unclear("its filter is not an object")
	}
	if form == Equals {
		for field, value := range v.Members() {
			if k := value.Kind(); k == jsonstream.Object || k == jsonstream.Array || strings.HasPrefix(field, "$") {
				return nil, unclear("its filter compares with something that is not a value")
			}
			all = append(all, condition{field, true})
		}
		return all, nil
	}
	return all, mongo(v, true, &all)
}

func mongo(v jsonstream.Value, top bool, all *[]condition) error {
	if v.Kind() != jsonstream.Object {
		return unclear("a condition of its filter is not an object")
	}
	for name, member := range v.Members() {
		switch {
		case name == "$and" || name == "$or" || name == "$nor":
			if member.Kind() != jsonstream.Array {
				return unclear("a " + name + " of its filter is not a list")
			}
			for item := range member.Items() {
				if err := mongo(item, top && name == "$and", all); err != nil {
					return err
				}
			}
		case strings.HasPrefix(name, "$"):
			return unclear("its filter has an operator that is not known")
		case member.Kind() == jsonstream.Object:
			equality := top && member.Len() == 1 && present(member.Get("$eq"))
			for op, operand := range member.Members() {
				if !operators[op] || operand.Kind() == jsonstream.Object {
					return unclear("its filter has an operator that is not known")
				}
			}
			*all = append(*all, condition{name, equality})
		case member.Kind() == jsonstream.Array:
			return unclear("its filter compares with a list")
		default:
			*all = append(*all, condition{name, top})
		}
	}
	return nil
}

var operators = map[string]bool{"$eq": true, "$ne": true, "$gt": true, "$gte": true, "$lt": true, "$lte": true, "$in": true, "$nin": true, "$exists": true}

// narrowed is the filter with every filter of policy in it, so that a point passes them all.
func narrowed(form Form, filter jsonstream.Value, on []access.FilterRule) (jsonstream.Value, error) {
	if form == Equals {
		for _, f := range on {
			value, has := filter.Get(f.Field).Text()
			switch {
			case has && slices.Contains(f.Values, value):
			case present(filter.Get(f.Field)) || len(f.Values) > 1:
				return filter, &access.Refusal{
					Code: access.CodeObligation, Rule: f.Rule, Message: fmt.Sprintf("rule %s lets you reach points with some values of %s only, and the filter names none of them", f.Rule, f.Field),
					Hint: fmt.Sprintf("put one of your values of %s into the filter", f.Field),
				}
			default:
				filter = filter.With(f.Field, jsonstream.String(f.Values[0]))
			}
		}
		return filter, nil
	}
	var all []jsonstream.Value
	for _, f := range on {
		values := make([]jsonstream.Value, len(f.Values))
		for i, v := range f.Values {
			values[i] = jsonstream.String(v)
		}
		all = append(all, jsonstream.Value{}.With(f.Field, jsonstream.Value{}.With("$in", jsonstream.List(values...))))
	}
	if filter.Len() > 0 {
		all = append(all, filter)
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return jsonstream.Value{}.With("$and", jsonstream.List(all...)), nil
}

// carried says whether every record that is written holds a value that each filter lets pass.
func (r *request) carried(on []access.FilterRule) error {
	list := r.records.in(r.Request)
	if list.Kind() == jsonstream.Object {
		list = jsonstream.List(list)
	}
	var path []string
	if r.RecordFields != "" && r.RecordFields != "." {
		path = strings.Split(r.RecordFields, ".")
	}
	i := 0
	for record := range list.Items() {
		for _, f := range on {
			if value, ok := at(record, path).Get(f.Field).Text(); !ok || !slices.Contains(f.Values, value) {
				return &access.Refusal{
					Code: access.CodeObligation, Rule: f.Rule, Message: fmt.Sprintf("record %d has no value of yours in %s, which rule %s asks of what is written to %s", i, f.Field, f.Rule, r.at),
					Hint: fmt.Sprintf("put a value of yours into %s of every record", f.Field),
				}
			}
		}
		i++
	}
	return nil
}
