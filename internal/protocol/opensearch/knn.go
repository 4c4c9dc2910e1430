package opensearch

import (
	"slices"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

func (r *reading) near(field string, s scope) {
	r.wide = r.wide || s.nested || s.apart
	r.nearest = append(r.nearest, field)
	r.some, r.idsOnly = true, false
}

// knn reads OpenSearch's {FIELD: {"vector": …}} and Elasticsearch's {"field": FIELD, "query_vector": …}.
func knn(r *reading, v jsonstream.Value, s scope) (jsonstream.Value, error) {
	if _, ok := v.Get("field").Text(); ok {
		return r.knnOfElastic(v, s)
	}
	field, m, ok := one(v)
	if !ok {
		return v, unclear("a knn query is not about exactly one field")
	}
	if err := r.options(m, "vector filter method_parameters rescore", "k min_score max_distance expand_nested_docs"); err != nil {
		return v, err
	}
	if m.Get("vector").Kind() != jsonstream.Array {
		return v, unclear("a knn query has no vector")
	}
	k, err := whole(m.Get("k"), "the k of a knn query", 0)
	if err != nil {
		return v, err
	}
	r.k = max(r.k, k)
	r.threshold = r.threshold || present(m.Get("min_score")) || present(m.Get("max_distance"))
	r.near(field, s)
	m, err = r.narrowed(m, s)
	return object(field, m), err
}

// knnOfElastic is also the form that stands beside a query.
func (r *reading) knnOfElastic(v jsonstream.Value, s scope) (jsonstream.Value, error) {
	if err := r.options(v, "query_vector filter inner_hits rescore_vector", "field k num_candidates similarity visit_percentage"); err != nil {
		return v, err
	}
	field, ok := v.Get("field").Text()
	if kind := v.Get("query_vector").Kind(); !ok || kind != jsonstream.Array && kind != jsonstream.Text {
		return v, unclear("a knn search has no field, or no query_vector (having a model make one is not taken)")
	}
	k, err := whole(v.Get("k"), "the k of a knn search", 0)
	if err != nil {
		return v, err
	}
	r.k = max(r.k, k)
	r.threshold = r.threshold || present(v.Get("similarity"))
	r.near(field, s)
	if inner := v.Get("inner_hits"); present(inner) {
		path := ""
		for i := range field {
			if field[i] == '.' {
				path = field[:i]
			}
		}
		if err := r.innerHits(inner, path, path); err != nil {
			return v, err
		}
	}
	return r.narrowed(v, s)
}

// narrowed reads the filter of a search among vectors, and puts the obliged one into it: what a query beside it demands does
// not hold for its neighbours.
func (r *reading) narrowed(v jsonstream.Value, s scope) (jsonstream.Value, error) {
	var own []jsonstream.Value
	if f := v.Get("filter"); present(f) {
		made, err := r.queries(f, scope{nested: s.nested, apart: s.apart})
		if err != nil {
			return v, err
		}
		own = listed(made)
	}
	if len(r.filter) == 0 || s.nested || s.apart {
		return v, nil
	}
	all := jsonstream.List(slices.Concat(r.filter, own)...)
	return v.With("filter", object("bool", object("filter", all))), nil
}

// beside reads Elasticsearch's knn beside a query: one, or a list.
func (r *reading) beside(v jsonstream.Value) (jsonstream.Value, error) {
	var made []jsonstream.Value
	for _, item := range listed(v) {
		m, err := r.knnOfElastic(item, scope{})
		if err != nil {
			return v, err
		}
		made = append(made, m)
	}
	if v.Kind() == jsonstream.Array {
		return jsonstream.List(made...), nil
	}
	return made[0], nil
}

// retriever reads Elasticsearch's trees of searches.
func (r *reading) retriever(v jsonstream.Value) (jsonstream.Value, error) {
	name, m, ok := one(v)
	if !ok {
		return v, unclear("a retriever is not an object with one member")
	}
	var err error
	switch name {
	case "standard":
		err = r.options(m, "query filter sort collapse search_after", "min_score terminate_after")
	case "knn":
		err = r.options(m, "filter query_vector rescore_vector", "field k num_candidates similarity visit_percentage min_score")
	case "rrf", "linear":
		err = r.options(m, "retrievers filter", "rank_constant rank_window_size normalizer min_score")
	default:
		err = unclear("the retriever " + short(name) + " is not one that this gateway understands")
	}
	if err != nil {
		return v, err
	}
	r.threshold = r.threshold || present(m.Get("min_score"))
	switch name {
	case "standard":
		if present(m.Get("collapse")) || present(m.Get("search_after")) {
			return v, unclear("a retriever that collapses or pages is not taken")
		}
		if err := r.sort(m.Get("sort")); err != nil {
			return v, err
		}
		if q := m.Get("query"); present(q) {
			if q, err = r.query(q, scope{}); err != nil {
				return v, err
			}
			m = m.With("query", q)
		}
		m, err = r.narrowed(m, scope{})
	case "knn":
		filtered := m
		if min := m.Get("min_score"); present(min) {
			r.threshold = true
		}
		if filtered, err = r.knnOfElastic(without(m, "min_score"), scope{}); err == nil && present(filtered.Get("filter")) {
			m = m.With("filter", filtered.Get("filter"))
		}
	default:
		r.amplified = r.amplified || name == "linear"
		if m.Get("retrievers").Len() == 0 || m.Get("retrievers").Kind() != jsonstream.Array {
			return v, unclear("a retriever has no list of retrievers")
		}
		if f := m.Get("filter"); present(f) {
			if _, err := r.queries(f, scope{apart: true}); err != nil {
				return v, err
			}
		}
		var made []jsonstream.Value
		for item := range m.Get("retrievers").Items() {
			inner := item
			if weighed := item.Get("retriever"); present(weighed) {
				if err := r.options(item, "retriever", "weight normalizer"); err != nil {
					return v, err
				}
				inner = weighed
			}
			got, err := r.retriever(inner)
			if err != nil {
				return v, err
			}
			if present(item.Get("retriever")) {
				got = item.With("retriever", got)
			}
			made = append(made, got)
		}
		m = m.With("retrievers", jsonstream.List(made...))
	}
	return object(name, m), err
}

// without is an object without a member.
func without(v jsonstream.Value, name string) jsonstream.Value {
	made := jsonstream.Value{}
	for n, m := range v.Members() {
		if n != name {
			made = made.With(n, m)
		}
	}
	return made
}

// oblige refuses conditions on what is hidden: which documents come back, in which order, would tell the value.
func (r *reading) oblige(p *access.Protection, at places) error {
	if p.Empty() {
		return nil
	}
	for _, place := range at {
		if r.script {
			t, _ := place.any(p)
			return &access.Refusal{Code: access.CodeObligation, Rule: t.Rule, Message: "a script could read what is hidden of " + place.resource.String()}
		}
		for _, c := range r.all {
			t := place.touched(p, c.field)
			if t.Mask == access.MaskNone || t.Predicates == "allow" && !c.derived || t.Predicates == "equality" && c.equality {
				continue
			}
			if c.field == fieldID && c.equality {
				continue // the client knows the ids
			}
			what := "no condition may be put on it"
			if c.derived {
				what = "nothing may be computed from it"
			}
			return &access.Refusal{
				Code: access.CodeObligation, Rule: t.Rule, Message: "field " + c.field + " of " + place.resource.String() + " is hidden, so " + what,
				Hint: "leave it out of the query, the order and the aggregations",
			}
		}
		for _, field := range r.nearest {
			t := place.treat(p, field)
			switch {
			case t.Mask == access.MaskNone:
			case t.Predicates == "deny" || t.Predicates == "equality":
				return &access.Refusal{Code: access.CodeObligation, Rule: t.Rule, Message: "the vectors of " + place.resource.String() + " are hidden, so they may not be searched"}
			case r.threshold && t.Distance != "allow":
				return &access.Refusal{
					Code: access.CodeObligation, Rule: t.Rule, Message: "the vectors of " + place.resource.String() + " are hidden, so no distance from them may decide what is found",
					Hint: "leave out min_score, max_distance and similarity",
				}
			}
		}
	}
	return nil
}

// scores is what happens to the scores of a search.
func (r *reading) scores(p *access.Protection, at places) access.Treatment {
	made := access.Treatment{}
	for _, place := range at {
		for _, field := range r.nearest {
			t := place.treat(p, field)
			switch {
			case t.Mask == access.MaskNone || t.Distance == "allow":
			case t.Distance == "deny" || r.amplified:
				return access.Treatment{Mask: access.MaskNull, Rule: t.Rule}
			default:
				made = access.Treatment{Mask: access.MaskRound, Rule: t.Rule}
			}
		}
	}
	return made
}
