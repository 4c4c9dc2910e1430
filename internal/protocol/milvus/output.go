package milvus

import (
	"regexp"
	"slices"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/milvus/expr"
)

// output is what an answer is asked to hold.
type output struct {
	names     []string // as they were written
	paths     []string // the field that each of them is; "" for count(*), "*" for all
	all       bool     // all columns, also when nothing is said: servers differ in what that means
	count     bool     // how many points there are, and nothing else
	aggregate bool     // something is computed from fields
}

var (
	aggregateForm = regexp.MustCompile(`^(count|sum|min|max|avg)\(([A-Za-z_][A-Za-z0-9_]*|\*)\)$`)
	structForm    = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)\[([A-Za-z_][A-Za-z0-9_]*)\]$`)
)

func readOutput(names []string) (*output, error) {
	o := &output{names: names, all: len(names) == 0}
	for _, name := range names {
		path, err := outputPath(name)
		if err != nil {
			return nil, err
		}
		switch m := aggregateForm.FindStringSubmatch(name); {
		case name == "count(*)":
			o.count = true
		case m != nil:
			o.aggregate = true
		case name == "*":
			o.all = true
		}
		o.paths = append(o.paths, path)
	}
	if o.count && (len(names) > 1 || o.aggregate) {
		o.count, o.aggregate = false, true
	}
	return o, nil
}

// outputPath is the field that an output name stands for.
func outputPath(name string) (string, error) {
	if name == "*" || name == "count(*)" {
		return strings.TrimSuffix(strings.TrimPrefix(name, "count("), ")"), nil
	}
	if m := aggregateForm.FindStringSubmatch(name); m != nil {
		return m[2], nil
	}
	if m := structForm.FindStringSubmatch(name); m != nil {
		return m[1] + "." + m[2], nil
	}
	return onePath(name, "output field")
}

// onePath reads the name of one field, which may be a key inside of a column.
func onePath(name, what string) (string, error) {
	e, err := expr.Parse(name)
	if err != nil || len(e.Conditions()) != 1 || len(e.Conditions()[0].Fields) != 1 || e.Conditions()[0].Fields[0] == nil || strings.ContainsAny(name, " (){}") {
		return "", unclear("a name of its " + what + "s could not be read: " + shown(name))
	}
	return e.Conditions()[0].Fields[0].String(), nil
}

// fields are what the answer shows, as policy names them; nil stands for all.
func (o *output) fields() []string {
	if o.all {
		return nil
	}
	if o.count {
		return []string{}
	}
	return o.paths
}

// vectors says whether embeddings are asked for.
func (o *output) vectors(s *schema) bool {
	if o.all {
		return !s.exists || len(s.vectors()) > 0
	}
	for _, path := range o.paths {
		if col := s.columns[columnOf(path)]; col != nil && col.vector {
			return true
		}
	}
	return false
}

// only says whether nothing but the key is asked for.
func (o *output) only(key string) bool {
	return len(o.paths) > 0 && !slices.ContainsFunc(o.paths, func(p string) bool { return p != key })
}

// visible is what may be asked for of an output: what is left out of answers altogether is not asked for at all.
func (v *view) visible(o *output) []string {
	if len(o.names) == 0 || !v.any() {
		return o.names
	}
	out := []string{}
	add := func(name, path string) {
		t := v.field(path)
		if t.Mask != access.MaskNone && (v.isVector(columnOf(path)) || t.Mask == access.MaskDrop) || slices.Contains(out, name) {
			return
		}
		out = append(out, name)
	}
	for i, name := range o.names {
		if name != "*" || !v.schema.exists {
			add(name, o.paths[i])
			continue
		}
		for _, column := range v.schema.order {
			add(column, column)
		}
		if v.schema.dynamic {
			add(expr.Meta, expr.Meta)
		}
	}
	if len(out) == 0 && v.schema.key != "" {
		out = append(out, v.schema.key) // an empty list would mean something else
	}
	return out
}
