package milvus

import (
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/hidden"
	"github.com/vecgate/vecgate/internal/protocol/milvus/expr"
)

// view is what a subject may see of a collection.
type view struct {
	at     access.Resource
	schema *schema
	p      *access.Protection
}

// field is what happens to a field, which is a column, or a key inside of one.
func (v *view) field(path string) access.Treatment {
	if t := v.p.Field(v.at, path, v.isVector(path)); t.Mask != access.MaskNone {
		return t
	}
	if v.schema.columns[columnOf(path)] == nil {
		if t := v.p.Field(v.at, expr.Meta, false); t.Mask != access.MaskNone {
			return t // the column of all dynamic fields
		}
	}
	return access.Treatment{}
}

// fields are what is hidden below columns.
func (v *view) fields() *hidden.Fields { return hidden.Of(v.p, v.field, v.at) }

// columnOf is the first part of a path.
func columnOf(path string) string {
	name, _, _ := strings.Cut(path, ".")
	return name
}

func (v *view) isVector(path string) bool {
	col := v.schema.columns[path]
	return col != nil && col.vector
}

// any says whether anything of the collection is hidden.
func (v *view) any() bool {
	if v.p == nil {
		return false
	}
	if v.p.Inside(v.at, "").Mask != access.MaskNone {
		return true
	}
	for _, r := range v.p.Vectors {
		if r.Treatment.Mask != access.MaskNone && r.Pattern.Match(v.at) {
			return true
		}
	}
	return false
}

// whole is what happens to a field in a condition or a computation: as if all of it were hidden when that could tell what is
// inside. No condition compares a whole object with another but one on the column, so that a rule about names at any depth
// leaves conditions on other keys alone.
func (v *view) whole(path string) access.Treatment {
	t := v.field(path)
	if t.Mask != access.MaskNone || !v.schema.opaque(columnOf(path)) {
		return t
	}
	inside := v.p.Named(v.at, path)
	switch {
	case path == expr.Meta:
		inside = v.p.Inside(v.at, "")
	case v.schema.columns[path] != nil:
		inside = v.p.Inside(v.at, path)
	}
	if inside.Mask != access.MaskNone {
		t = access.Treatment{Mask: access.MaskNull, Rule: inside.Rule}
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
