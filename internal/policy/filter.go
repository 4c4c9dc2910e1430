package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/vecgate/vecgate/internal/access"
)

// filter is the filter of a protect statement: a point is reached when its field has one of the values.
type filter struct {
	field   string
	literal []string
	text    string      // the expression as it was written; empty with literal values
	prog    cel.Program // nil with literal values
}

// compileValues compiles the expression that gives a filter its values.
func (c *conditions) compileValues(text string) (cel.Program, error) {
	env, err := c.environment()
	if err != nil {
		return nil, err
	}
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		fault := celFault(issues)
		if filterField.MatchString(text) && !strings.Contains(text, ".") {
			return nil, fmt.Errorf("%w; if it is the value itself, write [%s]", fault, text)
		}
		return nil, fault
	}
	switch out := checked.OutputType(); {
	case out.IsExactType(cel.StringType), out.IsExactType(cel.DynType), out.IsExactType(textList), out.IsExactType(cel.ListType(cel.DynType)):
	default:
		return nil, fmt.Errorf("gives %s, not a text or a list of texts", out)
	}
	if asks(checked, "access.") {
		return nil, errors.New("looks at access; the values of a filter may depend on subject and context only")
	}
	prog, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(conditionCost))
	if err != nil {
		return nil, fmt.Errorf("cannot be prepared: %w", err)
	}
	return prog, nil
}

// source is where the values come from, in words.
func (f *filter) source() string {
	if f.prog == nil {
		return "[" + strings.Join(f.literal, ", ") + "]"
	}
	return f.text
}

// values are what the field may hold on this request: at least one, each once. An error says why there are none, and
// then nothing may be reached.
func (f *filter) values(facts *facts) ([]string, error) {
	if f.prog == nil {
		return f.literal, nil
	}
	out, _, err := f.prog.Eval(facts)
	if err != nil {
		what, _, _ := strings.Cut(err.Error(), "\n")
		return nil, errors.New(what)
	}
	items := []ref.Val{out}
	if list, ok := out.(traits.Lister); ok {
		n, _ := list.Size().(types.Int)
		if n > maxFilterValues {
			return nil, fmt.Errorf("it is a list of %d values, more than %d", n, maxFilterValues)
		}
		items = items[:0]
		for i := range n {
			items = append(items, list.Get(i))
		}
	}
	values := make([]string, 0, len(items))
	for _, item := range items {
		s, ok := item.(types.String)
		if !ok {
			return nil, fmt.Errorf("it is of type %s, not a text", item.Type().TypeName())
		}
		value := string(s)
		switch {
		case value == "":
			return nil, errors.New("it is an empty text")
		case len(value) > maxFilterValue:
			return nil, fmt.Errorf("it is longer than %d bytes", maxFilterValue)
		case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
			return nil, errors.New("it holds a control character")
		case !containsText(values, value):
			values = append(values, value)
		}
	}
	if len(values) == 0 {
		return nil, errors.New("it is an empty list")
	}
	return values, nil
}

// forbids reports whether a deny statement is about a question. What is done to the points of a whole namespace or target is
// done to those of everything in it: dropping a database drops the collection that may not be dropped.
func (r *rule) forbids(q question) bool {
	if r.can[q.action] && matchAny(r.on, q.resource) {
		return true
	}
	if !q.takesWhole() || !slices.ContainsFunc(comesTo(q.action), func(a access.Action) bool { return r.can[a] }) {
		return false
	}
	for _, on := range r.on {
		if on.Reaches(q.resource) {
			return true
		}
	}
	return false
}

// takesWhole reports whether it is about all points of a whole.
func (q question) takesWhole() bool { return q.resource.Collection == "" && takesAll[q.action] }

// takesAll are the actions that, on a whole, show, change or destroy what is stored in each part.
var takesAll = map[access.Action]bool{
	access.Search: true, access.Fetch: true, access.Scroll: true, access.ListIDs: true, access.Count: true, access.Aggregate: true, access.Export: true,
	access.RawRead: true, access.SnapshotCreate: true, access.SnapshotDownload: true, access.SnapshotRestore: true, access.SnapshotDelete: true,
	access.Insert: true, access.Upsert: true, access.Update: true, access.UpdateVectors: true, access.Delete: true, access.DeleteByFilter: true,
	access.DeleteAll: true, access.Import: true, access.SchemaRename: true, access.SchemaTruncate: true, access.SchemaDrop: true, access.TenantDrop: true,
}

// concerns reports whether the filter of a protect statement has to do with a question. What could not be read may reach
// any point of the target.
func (r *rule) concerns(q question) bool {
	if r.protect.filter == nil || !q.action.ReachesPoints() {
		return false
	}
	if q.action == access.Unknown {
		return onTarget(r.on, q.resource.Target)
	}
	for _, on := range r.on {
		if on.Reaches(q.resource) {
			return true
		}
	}
	return false
}

// narrow turns the filters of statements into an obligation, or says of which there is no value.
func (v *view) narrow(o *access.Obligations, filtering []*rule, f *facts) *access.Reason {
	for _, r := range filtering {
		values, err := r.protect.filter.values(f)
		if err != nil {
			return &access.Reason{
				Code: access.CodeObligation, Rule: r.name, Position: r.position,
				Sentence: fmt.Sprintf("%s may reach only points whose %s is one of %s (rule %s), and there is no such value: %v",
					v.subject.Display(), r.protect.filter.field, r.protect.filter.source(), r.name, err),
				Hint: "sign in with a credential that carries it",
			}
		}
		for _, on := range r.on {
			o.Filters = append(o.Filters, access.FilterRule{Pattern: on, Field: r.protect.filter.field, Values: values, Rule: r.name})
		}
	}
	return nil
}

// filterWords says which points filters keep from being reached.
func filterWords(filters []access.FilterRule) []string {
	var words []string
	for _, f := range filters {
		words = append(words, fmt.Sprintf("points of %s whose %s is not %s (rule %s)", f.Pattern, f.Field, oneOf(f.Values), f.Rule))
	}
	return words
}
