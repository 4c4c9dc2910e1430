package qdrant

import (
	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// readFilter reads a filter. Every member of every condition is looked at: what Qdrant would not know as we do is refused.
func readFilter(t *tree) (*filter, error) {
	if t == nil {
		return nil, nil
	}
	f := &filter{}
	narrows, err := f.clauses(t, "", true)
	if f.narrows = narrows; err == nil {
		f.ids, f.named = namedBy(t)
	}
	return f, err
}

// namedBy are the points that a filter which was read keeps everything to, whatever else it says.
func namedBy(t *tree) (some []string, n int64) {
	for _, c := range list(t.get("must")) {
		if some, n = namedByCondition(c); n > 0 {
			return some, n
		}
	}
	for _, c := range list(t.get("should")) {
		more, m := namedByCondition(c)
		if m == 0 {
			return nil, 0
		}
		some, n = append(some, more...), n+m
	}
	return some[:min(len(some), mostIDs)], n
}

func namedByCondition(t *tree) (some []string, n int64) {
	switch {
	case t.get("has_id") != nil:
		some, n, _ = readIDs(t.get("has_id")) // read before
		return some, n
	case t.get("nested") != nil, t.get("key") != nil:
		return nil, 0
	}
	return namedBy(t)
}

// clauses reads must, should, must_not and min_should. certain says that the filter itself must hold.
func (f *filter) clauses(t *tree, inside string, certain bool) (narrows bool, err error) {
	if !t.only("must", "should", "must_not", "min_should") {
		return false, unclear("its filter has something other than must, should, must_not and min_should")
	}
	for _, c := range list(t.get("must")) {
		n, err := f.condition(c, inside, certain)
		if err != nil {
			return false, err
		}
		narrows = narrows || n
	}
	should := list(t.get("should"))
	every := len(should) > 0
	for _, c := range should {
		n, err := f.condition(c, inside, false)
		if err != nil {
			return false, err
		}
		every = every && n
	}
	for _, c := range list(t.get("must_not")) {
		if _, err := f.condition(c, inside, false); err != nil {
			return false, err
		}
	}
	if m := t.get("min_should"); m != nil {
		if !m.only("conditions", "min_count") {
			return false, unclear("a min_should of its filter is not of the known form")
		}
		for _, c := range list(m.get("conditions")) {
			if _, err := f.condition(c, inside, false); err != nil {
				return false, err
			}
		}
	}
	return narrows || every, nil
}

// list is a clause's conditions: a list, or one alone.
func list(t *tree) []*tree {
	if t == nil || t.kind() == jsonstream.Array {
		return t.items()
	}
	return []*tree{t}
}

// condition reads one condition and says whether it narrows.
func (f *filter) condition(t *tree, inside string, certain bool) (narrows bool, err error) {
	var key string
	switch {
	case t.get("nested") != nil && t.only("nested"):
		n := t.get("nested")
		if !n.only("key", "filter") || n.get("filter") == nil {
			return false, unclear("a nested condition of its filter is not of the known form")
		}
		if key, err = f.key(n.get("key"), inside); err != nil {
			return false, err
		}
		f.uses = append(f.uses, condition{field: key})
		return f.clauses(n.get("filter"), key, false)
	case t.get("key") != nil && t.only("key", "match", "range", "geo_bounding_box", "geo_radius", "geo_polygon", "values_count", "is_empty", "is_null"):
		if key, err = f.key(t.get("key"), inside); err != nil {
			return false, err
		}
		equality := false
		if m := t.get("match"); m != nil {
			if equality, narrows, err = readMatch(m); err != nil {
				return false, err
			}
		}
		f.uses = append(f.uses, condition{key, equality && certain})
		for _, name := range []string{"geo_bounding_box", "geo_radius", "geo_polygon"} {
			narrows = narrows || t.get(name) != nil
		}
		if r := t.get("range"); r != nil {
			if !r.only("lt", "lte", "gt", "gte") {
				return false, unclear("a range of its filter is not of the known form")
			}
			for _, bound := range r.parts {
				narrows = narrows || bound.kind() != jsonstream.Null
			}
		}
		return narrows, nil
	case t.get("is_empty") != nil && t.only("is_empty"), t.get("is_null") != nil && t.only("is_null"):
		for _, field := range t.parts {
			if !field.only("key") {
				return false, unclear("a condition of its filter is not of the known form")
			}
			if key, err = f.key(field.get("key"), inside); err != nil {
				return false, err
			}
			f.uses = append(f.uses, condition{field: key})
		}
		return false, nil
	case t.get("has_id") != nil && t.only("has_id"):
		_, n, err := readIDs(t.get("has_id"))
		return n > 0, err
	case t.get("has_vector") != nil && t.only("has_vector"):
		if t.get("has_vector").kind() != jsonstream.Text {
			return false, unclear("a has_vector of its filter is not a text")
		}
		return false, nil
	case t.kind() == jsonstream.Object && len(t.look().names) > 0 && t.get("key") == nil:
		return f.clauses(t, inside, certain)
	}
	return false, unclear("a condition of its filter is not of a known form")
}

func (f *filter) key(t *tree, inside string) (string, error) {
	text, err := field(t)
	if inside != "" {
		text = inside + "." + text
	}
	return text, err
}

// field reads a key of a payload.
func field(t *tree) (string, error) {
	if t != nil {
		if text, ok := t.value.Text(); ok {
			if path, ok := fieldOf(text); ok {
				return path, nil
			}
		}
	}
	return "", unclear("a key is not a path in Qdrant's grammar")
}

// readMatch says whether it is an equality, and whether not everything matches.
func readMatch(t *tree) (equality, narrows bool, err error) {
	if t.kind() != jsonstream.Object || len(t.look().names) != 1 {
		return false, false, unclear("a match of its filter has not exactly one member")
	}
	member := t.parts[0].kind()
	switch t.names[0] {
	case "value":
		if member == jsonstream.Text || member == jsonstream.Number || member == jsonstream.Bool {
			return true, true, nil
		}
	case "text", "text_any", "phrase":
		if member == jsonstream.Text {
			return false, true, nil
		}
	case "any":
		if member == jsonstream.Array {
			return false, true, nil
		}
	case "except":
		if member == jsonstream.Array {
			return false, false, nil
		}
	}
	return false, false, unclear("a match of its filter is not of a known form")
}

// readIDs reads a list of point ids: numbers and UUIDs, as texts.
func readIDs(t *tree) (some []string, n int64, err error) {
	if t.kind() != jsonstream.Array {
		return nil, 0, unclear("its ids are not a list")
	}
	for item := range t.value.Items() {
		id, ok := readID(item)
		if !ok {
			return nil, 0, unclear("an id is neither a number nor a UUID")
		}
		if n++; n <= mostIDs {
			some = append(some, id)
		}
	}
	return some, n, nil
}

func readID(v jsonstream.Value) (string, bool) {
	switch v.Kind() {
	case jsonstream.Number:
		for _, c := range v.Raw() {
			if c < '0' || c > '9' {
				return "", false
			}
		}
		return string(v.Raw()), true
	case jsonstream.Text:
		text, _ := v.Text()
		return canonicalUUID(text)
	}
	return "", false
}

// tenants are the conditions that filters ask for, as one condition.
func tenants(rules []access.FilterRule) jsonstream.Value {
	must := make([]jsonstream.Value, len(rules))
	for i, r := range rules {
		values := make([]jsonstream.Value, len(r.Values))
		for j, v := range r.Values {
			values[j] = jsonstream.String(v)
		}
		must[i] = object([]string{"key", "match"}, []jsonstream.Value{
			jsonstream.String(keyOf(r.Field)), object([]string{"any"}, []jsonstream.Value{jsonstream.List(values...)}),
		})
	}
	return jsonstream.List(must...)
}

// narrowAt puts the conditions before the filter of an object.
func narrowAt(t *tree, member string) func([]access.FilterRule) {
	return func(rules []access.FilterRule) {
		must := allOf(rules)
		if f := t.get(member); f != nil && f.render().Len() > 0 {
			must = allOf(rules, f.render())
		}
		t.set(member, object([]string{"must"}, []jsonstream.Value{must}))
	}
}

// narrowIDs turns named points into a condition, and puts the others before it.
func narrowIDs(t *tree) func([]access.FilterRule) {
	return func(rules []access.FilterRule) {
		if ids := t.get("points"); ids != nil {
			t.set("filter", object([]string{"must"}, []jsonstream.Value{jsonstream.List(object([]string{"has_id"}, []jsonstream.Value{ids.render()}))}))
			t.remove("points")
		}
		narrowAt(t, "filter")(rules)
	}
}
