package milvus

import (
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/milvus/expr"
)

// view is what a subject may see of a collection.
type view struct {
	at     access.Resource
	schema *schema
	p      *access.Protection
}

// field is what happens to a field, which is a column, or a key inside of one: what hides the whole hides its parts.
func (v *view) field(path string) access.Treatment {
	for i := 0; i <= len(path); i++ {
		if i < len(path) && path[i] != '.' {
			continue
		}
		if t := v.p.Field(v.at, path[:i], i == len(path) && v.isVector(path)); t.Mask != access.MaskNone {
			return t
		}
	}
	if v.schema.columns[columnOf(path)] == nil {
		if t := v.p.Field(v.at, expr.Meta, false); t.Mask != access.MaskNone {
			return t // the column of all dynamic fields
		}
	}
	return access.Treatment{}
}

// columnOf is the first part of a path.
func columnOf(path string) string {
	name, _, _ := strings.Cut(path, ".")
	return name
}

func (v *view) isVector(path string) bool {
	col := v.schema.columns[path]
	return col != nil && col.vector
}

// within says whether some value inside of a field is hidden, and by which rule.
func (v *view) within(path string) (rule string, hidden bool) {
	if v.p == nil {
		return "", false
	}
	for _, f := range v.p.Fields {
		if f.Treatment.Mask != access.MaskNone && reachesInto(string(f.Pattern), v.at, path) {
			return f.Treatment.Rule, true
		}
	}
	return "", false
}

// reachesInto says whether a field pattern can match a field inside of path. A dot anywhere after the last slash can be
// the one between collection and field, as access.FieldPattern reads it.
func reachesInto(pattern string, at access.Resource, path string) bool {
	for i := strings.LastIndexByte(pattern, '/') + 1; i < len(pattern); i++ {
		if pattern[i] == '.' && begins(pattern[i+1:], path+".") && access.Pattern(pattern[:i]).Match(at) {
			return true
		}
	}
	return false
}

// begins says whether a glob can match a text that begins with prefix and goes on.
func begins(glob, prefix string) bool {
	for i := range len(glob) {
		if glob[i] == '*' {
			return true // what stands before it has matched, and it takes the rest
		}
		if i == len(prefix) {
			return true
		}
		if glob[i] != prefix[i] {
			return false
		}
	}
	return false
}

// any says whether anything of the collection is hidden.
func (v *view) any() bool {
	if v.p == nil {
		return false
	}
	for _, f := range v.p.Fields {
		if f.Treatment.Mask == access.MaskNone {
			continue
		}
		pattern := string(f.Pattern)
		for i := strings.LastIndexByte(pattern, '/') + 1; i < len(pattern); i++ {
			if pattern[i] == '.' && access.Pattern(pattern[:i]).Match(v.at) {
				return true
			}
		}
	}
	for _, r := range v.p.Vectors {
		if r.Treatment.Mask != access.MaskNone && r.Pattern.Match(v.at) {
			return true
		}
	}
	return false
}

// whole is what happens to a field of which some part may be hidden: as if all of it were.
func (v *view) whole(path string) access.Treatment {
	t := v.field(path)
	if t.Mask == access.MaskNone && v.schema.opaque(columnOf(path)) {
		if rule, hidden := v.within(path); hidden {
			t = access.Treatment{Mask: access.MaskNull, Rule: rule}
		}
	}
	return t
}

// shaping refuses that a hidden field shapes which points come back, or in which order: that would tell its value.
// equality says that all that is asked is whether it equals a constant.
func (v *view) shaping(path, what string, equality bool) error {
	t := v.whole(path)
	if t.Mask == access.MaskNone || t.Predicates == "allow" || t.Predicates == "equality" && equality {
		return nil
	}
	return &access.Refusal{
		Code: access.CodeObligation, Rule: t.Rule, Message: "field " + path + " of " + v.at.String() + " is hidden, so no " + what + " may be put on it",
		Hint: "leave it out of the " + what,
	}
}

// conditions refuses those on what is hidden.
func (v *view) conditions(e *expr.Expr) error {
	for _, c := range e.Conditions() {
		for _, f := range c.Fields {
			if err := v.shaping(f.String(), "condition", c.Sure && c.Equality && len(c.Equal) == 1 && c.Equal[0].Variable == ""); err != nil {
				return err
			}
		}
	}
	return nil
}
