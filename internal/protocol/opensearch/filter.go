package opensearch

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// demand is what a filter demands of one index.
type demand struct {
	field   string // as it is asked about: the field of the rule, or the part of it that keeps whole values
	written string // as documents write it
	values  []string
	rule    string
}

// exact are the types whose values match as a whole.
var exact = map[string]bool{"keyword": true, "constant_keyword": true, "long": true, "integer": true, "short": true, "byte": true, "unsigned_long": true, "boolean": true}

// demands are what the filters of an obligation demand of a place.
func demands(o *access.Obligations, p *place) ([]demand, error) {
	var all []demand
	for _, f := range o.FiltersOn(p.resource) {
		d := demand{written: f.Field, values: f.Values, rule: f.Rule}
		for _, name := range []string{f.Field, f.Field + ".keyword"} {
			if m := p.fields[name]; m != nil && exact[m.kind] && !m.normalized && len(m.from) == 0 {
				d.field = name
				break
			}
		}
		if d.field == "" && len(p.fields) > 0 {
			return nil, &access.Refusal{
				Code: access.CodeObligation, Rule: f.Rule,
				Message: "rule " + f.Rule + " narrows " + p.resource.String() + " by field " + f.Field + ", whose type there does not keep whole values",
				Hint:    "the field's mapping should be keyword",
			}
		}
		if d.field == "" {
			d.field = f.Field // there is no mapping: nothing is found
		}
		all = append(all, d)
	}
	return all, nil
}

// conditions are the queries that every document must match; all indices of one request must ask for the same.
func conditions(o *access.Obligations, at places) ([]jsonstream.Value, error) {
	var common []jsonstream.Value
	for i, p := range at {
		all, err := demands(o, p)
		if err != nil {
			return nil, err
		}
		var queries []jsonstream.Value
		for _, d := range all {
			values := make([]jsonstream.Value, len(d.values))
			for j, s := range d.values {
				values[j] = jsonstream.String(s)
			}
			queries = append(queries, object("terms", object(d.field, jsonstream.List(values...))))
		}
		if i > 0 && !slices.EqualFunc(queries, common, same) {
			return nil, &access.Refusal{
				Code: access.CodeObligation, Message: "the indices of the request are narrowed in different ways for you", Hint: "ask for one index at a time",
			}
		}
		common = queries
	}
	if len(common) > 0 && !slices.ContainsFunc(at, func(p *place) bool { return len(p.fields) > 0 }) {
		// Nothing is found, whatever type the first document gives to the field a moment later.
		return []jsonstream.Value{object("match_none", nothing)}, nil
	}
	return common, nil
}

func same(a, b jsonstream.Value) bool { return string(a.Raw()) == string(b.Raw()) }

// stored collects what a document has at a path, in whichever way the path is spelled.
func stored(doc jsonstream.Value, path string) []jsonstream.Value {
	var all []jsonstream.Value
	if doc.Kind() == jsonstream.Array {
		for item := range doc.Items() {
			all = append(all, stored(item, path)...)
		}
		return all
	}
	for name, m := range doc.Members() {
		if name == path {
			all = append(all, m)
		} else if rest, ok := strings.CutPrefix(path, name+"."); ok {
			all = append(all, stored(m, rest)...)
		}
	}
	return all
}

// text is a plain value as filters write it.
func text(v jsonstream.Value) (string, bool) {
	switch v.Kind() {
	case jsonstream.Text:
		return v.Text()
	case jsonstream.Number, jsonstream.Bool:
		return string(v.Raw()), true
	}
	return "", false
}

// written refuses a document that does not carry one of the values; when part is true it may also leave the field alone.
func written(all []demand, at access.Resource, doc jsonstream.Value, part bool) error {
	for _, d := range all {
		found := stored(doc, d.written)
		if part && len(found) == 0 {
			// What stands above the field would take it away.
			above := false
			for i := range d.written {
				above = above || d.written[i] == '.' && slices.ContainsFunc(stored(doc, d.written[:i]), func(v jsonstream.Value) bool { return v.Kind() != jsonstream.Object })
			}
			if !above {
				continue
			}
		}
		ok := len(found) == 1
		if ok {
			s, plain := text(found[0])
			ok = plain && slices.Contains(d.values, s)
		}
		if !ok {
			return &access.Refusal{
				Code: access.CodeObligation, Rule: d.rule, Message: fmt.Sprintf("a document written to %s must carry %s in field %s (rule %s)", at, either(d.values), d.written, d.rule),
			}
		}
	}
	return nil
}

func either(values []string) string {
	quoted := make([]string, min(len(values), 10))
	for i := range quoted {
		quoted[i] = fmt.Sprintf("%q", values[i])
	}
	if len(values) > len(quoted) {
		quoted = append(quoted, "…")
	}
	return strings.Join(quoted, " or ")
}

// point is a document that a request names.
type point struct {
	index   string // as the client named it
	id      string
	routing string
	at      place
	demands []demand
}

// owned returns a check that every named document which exists carries one of the values. It asks for the documents as they
// are now, not as they were when the index was last made ready for searches.
func (c *call) owned(points []point) func(context.Context) error {
	return func(ctx context.Context) error {
		for chunk := range slices.Chunk(points, 500) {
			docs := make([]jsonstream.Value, len(chunk))
			for i, p := range chunk {
				var wanted []jsonstream.Value
				for _, d := range p.demands {
					wanted = append(wanted, jsonstream.String(d.written))
				}
				docs[i] = object("_index", jsonstream.String(p.index)).With("_id", jsonstream.String(p.id)).With("_source", jsonstream.List(wanted...))
				if p.routing != "" {
					docs[i] = docs[i].With("routing", jsonstream.String(p.routing))
				}
			}
			status, v, err := c.Post(ctx, httpwire.Path("_mget"), object("docs", jsonstream.List(docs...)))
			if err != nil {
				return err
			}
			if status != http.StatusOK || v.Get("docs").Len() != len(chunk) {
				return &access.Refusal{Code: access.CodeUnavailable, Message: "the target does not tell whose documents those are"}
			}
			i := 0
			for doc := range v.Get("docs").Items() {
				if err := chunk[i].mine(doc); err != nil {
					return err
				}
				i++
			}
		}
		return nil
	}
}

func (p *point) mine(doc jsonstream.Value) error {
	found, ok := doc.Get("found").Bool()
	if kind, _ := doc.Get("error").Get("type").Text(); kind == "index_not_found_exception" {
		return nil
	}
	if ok && !found {
		return nil
	}
	for _, d := range p.demands {
		carries := false
		for _, v := range stored(doc.Get("_source"), d.written) {
			for _, item := range listed(v) {
				s, plain := text(item)
				carries = carries || plain && slices.Contains(d.values, s)
			}
		}
		if !carries || !ok {
			return &access.Refusal{
				Code: access.CodeObligation, Rule: d.rule,
				Message: fmt.Sprintf("rule %s lets you reach only the points of %s whose %s is yours, and a document that the request names is not one of them", d.rule, p.at.resource, d.written),
			}
		}
	}
	return nil
}

// mute says whether the engine's own messages could tell of what is not the subject's to know.
func mute(o *access.Obligations) bool { return !o.Protection.Empty() || len(o.Filters) > 0 }
