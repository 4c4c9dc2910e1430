package milvus

import (
	"strconv"
	"strings"

	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/milvus/expr"
)

// templates are the values that stand in the place of names in a filter.
type templates = map[string]*schemapb.TemplateValue

// mostIDs is how many ids the record of a request names.
const mostIDs = 256

// where reads a filter.
func where(text string) (*expr.Expr, error) {
	e, err := expr.Parse(text)
	if err != nil {
		return nil, unclear(err.Error())
	}
	return e, nil
}

// keys are the ids that a filter names, some of them by text; n is how many there are, and ok that there are no others.
func keys(e *expr.Expr, key string, t templates) (some []string, n int64, ok bool) {
	values, ok := e.Keys(key)
	if !ok || key == "" {
		return nil, 0, false
	}
	for _, v := range values {
		list := []string{v.Text + v.Number}
		if v.Variable != "" {
			if list, ok = constants(t[v.Variable]); !ok {
				return nil, 0, false
			}
		}
		n += int64(len(list))
		some = append(some, list[:min(len(list), mostIDs-len(some))]...)
	}
	return some, n, true
}

// constants are the texts of a template's value, when it is one that keys can be.
func constants(v *schemapb.TemplateValue) ([]string, bool) {
	switch v := v.GetVal().(type) {
	case *schemapb.TemplateValue_Int64Val:
		return []string{strconv.FormatInt(v.Int64Val, 10)}, true
	case *schemapb.TemplateValue_StringVal:
		return []string{v.StringVal}, true
	case *schemapb.TemplateValue_ArrayVal:
		switch a := v.ArrayVal.GetData().(type) {
		case *schemapb.TemplateArrayValue_StringData:
			return a.StringData.GetData(), true
		case *schemapb.TemplateArrayValue_LongData:
			list := make([]string, len(a.LongData.GetData()))
			for i, n := range a.LongData.GetData() {
				list[i] = strconv.FormatInt(n, 10)
			}
			return list, true
		}
	}
	return nil, false
}

// describe puts a filter into the attributes of an access.
func describe(at *access.Attributes, e *expr.Expr, key string, named bool) {
	for _, c := range e.Conditions() {
		for _, f := range c.Fields {
			at.FilterFields = append(at.FilterFields, f.String())
		}
	}
	switch {
	case e.Empty():
	case named && len(e.Conditions()) == 1:
		at.Filter = access.FilterKey
	case e.Narrows(key):
		at.Filter = access.FilterOther
	default:
		at.Filter = access.FilterTrivial
	}
}

// narrowed is a filter that lets through only what the obliged filters let through as well.
func (v *view) narrowed(e *expr.Expr, filters []access.FilterRule) (string, error) {
	var parts []string
	for _, f := range filters {
		condition, err := v.condition(f)
		if err != nil {
			return "", err
		}
		parts = append(parts, condition)
	}
	if !e.Empty() {
		parts = append(parts, e.String())
	}
	switch len(parts) {
	case 0:
		return "", nil
	case 1:
		return parts[0], nil
	}
	return "(" + strings.Join(parts, ") and (") + ")", nil
}

// condition writes an obliged filter in Milvus' language.
func (v *view) condition(f access.FilterRule) (string, error) {
	cannot := func(why string) error {
		return &access.Refusal{
			Code: access.CodeObligation, Rule: f.Rule, Message: "rule " + f.Rule + " narrows " + v.at.String() + " by its field " + f.Field + ", which cannot be done: " + why,
			Hint: "tell whoever wrote the rule",
		}
	}
	parts := strings.Split(f.Field, ".")
	if !v.schema.exists {
		return "", cannot("there is no such collection")
	}
	col := v.schema.columns[parts[0]]
	if !nameForm.MatchString(parts[0]) || strings.Contains(parts[0], "$") {
		return "", cannot("it has a name that filters cannot hold")
	}
	name, quoted := parts[0], true
	switch {
	case col == nil && !v.schema.dynamic:
		return "", cannot("there is no such field")
	case col == nil:
		name = expr.Meta + "[" + expr.Quote(parts[0]) + "]"
	case col.kind == schemapb.DataType_VarChar && len(parts) == 1:
	case isInteger(col.kind) && len(parts) == 1:
		quoted = false
	case col.kind == schemapb.DataType_JSON && len(parts) > 1:
	default:
		return "", cannot("it is neither a text nor a whole number")
	}
	for _, key := range parts[1:] {
		name += "[" + expr.Quote(key) + "]"
	}
	values := make([]string, len(f.Values))
	for i, value := range f.Values {
		if values[i] = expr.Quote(value); quoted {
			continue
		}
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return "", cannot("one of its values is not a whole number, as the field is")
		}
		values[i] = strconv.FormatInt(n, 10)
	}
	condition := name + " in [" + strings.Join(values, ", ") + "]"
	if e, err := expr.Parse(condition); err != nil || len(e.Conditions()) != 1 || !e.Conditions()[0].Equality {
		return "", cannot("one of its values cannot stand in a filter")
	}
	return condition, nil
}

func isInteger(t schemapb.DataType) bool {
	switch t {
	case schemapb.DataType_Int8, schemapb.DataType_Int16, schemapb.DataType_Int32, schemapb.DataType_Int64:
		return true
	}
	return false
}
