package generic

import (
	"errors"
	"fmt"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// oblige takes on obligations: refuses what would tell something that is hidden, asks for less, and masks the answer.
func (r *request) oblige(o *access.Obligations) (*httpwire.Obliged, error) {
	p, on := o.Protection, o.FiltersOn(r.at)
	vectors := r.vectors(p)
	for _, check := range []func() error{
		func() error { return r.reveals(p) },
		func() error { return r.searches(vectors) },
		func() error { return r.bounds(o) },
		func() error { return r.answer.possible(p, r.at) },
	} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	query, body := r.out.Query, r.out.Body
	if vectors.Mask != access.MaskNone && r.withVectors.is() {
		query, body = with(r.withVectors, jsonstream.Flag(false), query, body)
	}
	obliged := &httpwire.Obliged{Mute: !p.Empty() || len(on) > 0, Rows: o.Rows}
	if !r.action.ReachesPoints() {
		obliged.Mute = false
	}
	if len(on) > 0 {
		var err error
		if body, obliged.Filtered, err = r.filtered(body, on); err != nil {
			return nil, err
		}
	}
	obliged.Query, obliged.Body = query, body
	if r.action.ReachesPoints() {
		obliged.Mask = r.answer.mask(p, r.at)
	}
	if r.Answer.Collections != "" {
		obliged.Rewrite = r.visible
	}
	return obliged, nil
}

// vectors is the treatment of the strictest of the answer's vectors; of "vector" when it has none.
func (r *request) vectors(p *access.Protection) access.Treatment {
	names := r.Answer.Vectors
	if len(names) == 0 {
		names = []string{"vector"}
	}
	var all access.Treatment
	for _, name := range names {
		all = strictest(all, p.Field(r.at, name, true))
	}
	return all
}

// reveals refuses conditions and orders on what is hidden: which points come back, or in which order, would tell the value.
func (r *request) reveals(p *access.Protection) error {
	if t := r.answer.id(p, r.at); r.action == access.Fetch && t.Mask != access.MaskNone && t.Predicates != "allow" && t.Predicates != "equality" {
		return &access.Refusal{
			Code: access.CodeObligation, Rule: t.Rule, Message: "the ids of " + r.at.String() + " are hidden, so no points may be asked for by them", Hint: "search, or use a filter",
		}
	}
	if r.Form == Opaque && r.filter.given(r.Request) && p.Inside(r.at, "").Mask != access.MaskNone {
		return &access.Refusal{
			Code: access.CodeObligation, Rule: p.Inside(r.at, "").Rule,
			Message: "fields are hidden, and the filters of this interface are not understood, so none may be used", Hint: "leave the filter out",
		}
	}
	fields := r.where
	order, err := r.texts(r.orderBy)
	if err != nil {
		return err
	}
	for _, name := range order {
		fields = append(fields[:len(fields):len(fields)], condition{field: strings.TrimLeft(name, "+-")})
	}
	for _, c := range fields {
		t := p.Field(r.at, c.field, false)
		if t.Mask == access.MaskNone || t.Predicates == "allow" || t.Predicates == "equality" && c.equality {
			continue
		}
		return &access.Refusal{
			Code: access.CodeObligation, Rule: t.Rule, Message: "field " + c.field + " of " + r.at.String() + " is hidden, so no condition or order may be put on it",
			Hint: "leave it out",
		}
	}
	return nil
}

func (r *request) searches(vectors access.Treatment) error {
	if r.action == access.Search && vectors.Mask != access.MaskNone && (vectors.Predicates == "deny" || vectors.Predicates == "equality") {
		return &access.Refusal{
			Code: access.CodeObligation, Rule: vectors.Rule, Message: "the vectors of " + r.at.String() + " are hidden, so they may not be searched",
		}
	}
	return nil
}

// bounds refuses what asks for more than policy lets one request have.
func (r *request) bounds(o *access.Obligations) error {
	asks := r.out.Accesses[0].Attributes.Rows
	switch {
	case r.action == access.Search && o.TopK > 0 && (r.limit == access.Unbounded || r.limit > o.TopK):
		return &access.Refusal{
			Code: access.CodeLimit, Message: fmt.Sprintf("a search of %s may ask for the %d nearest at most", r.at, o.TopK), Hint: fmt.Sprintf("ask for %d or less", o.TopK),
		}
	case shows(r.action) && o.Rows > 0 && asks > o.Rows:
		return &access.Refusal{
			Code: access.CodeLimit, Message: fmt.Sprintf("a request may return %d points at most here, and this one asks for %d", o.Rows, asks), Hint: fmt.Sprintf("ask for %d or less", o.Rows),
		}
	}
	return nil
}

// filtered narrows the request, if it can be narrowed. A write passes only when it can replace nothing that is there.
func (r *request) filtered(body jsonstream.Value, on []access.FilterRule) (jsonstream.Value, bool, error) {
	for _, f := range on {
		if strings.Contains(f.Field, ".") {
			return body, false, nil
		}
	}
	switch r.action {
	case access.Insert:
		if !r.records.is() {
			return body, false, nil
		}
		return body, true, r.carried(on)
	case access.Search, access.Fetch, access.Scroll, access.ListIDs, access.Export, access.Count, access.Delete, access.DeleteByFilter:
		if !r.filter.is() || r.Form == Opaque {
			return body, false, nil
		}
		filter, err := narrowed(r.Form, r.filter.in(r.Request), on)
		return put(body, r.filter.path, filter), true, err
	}
	return body, false, nil
}

// visible leaves out of a list of collections those that policy would not let the subject describe.
func (r *request) visible(v jsonstream.Value) (jsonstream.Value, error) {
	path := strings.Split(strings.TrimSuffix(r.Answer.Collections, "[]"), ".")
	if path[0] == "" {
		path = nil
	}
	list := at(v, path)
	if list.Kind() != jsonstream.Array {
		return v, errors.New("there is no list of collections where it was described")
	}
	var shown []jsonstream.Value
	for item := range list.Items() {
		name := item
		if r.Answer.Name != "." {
			name = at(item, strings.Split(r.Answer.Name, "."))
		}
		text, ok := name.Text()
		at := access.Resource{Target: r.at.Target, Namespace: r.at.Namespace, Collection: text}
		if ok && nameForm.MatchString(text) && (r.May(access.Access{Action: access.SchemaRead, Resource: at}) || r.May(access.Access{Action: access.SchemaList, Resource: at})) {
			shown = append(shown, item)
		}
	}
	return put(v, path, jsonstream.List(shown...)), nil
}
