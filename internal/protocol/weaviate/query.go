package weaviate

import (
	"fmt"
	"slices"

	"github.com/vecgate/vecgate/internal/access"
)

// query is a search, a listing or an aggregation of one collection, however it was written.
type query struct {
	class      *class
	at         access.Resource
	tenant     string
	where      *conditions
	limit      int64 // Unbounded when all that is near enough is meant
	rows       int64 // the most that it can return
	k          int64 // how many nearest are asked for; 0 when it is no search
	orders     []place
	groups     []place
	keyword    bool     // words are looked for
	words      []string // in these properties; nil means in all
	near       bool     // vectors are compared
	nearObject bool     // with that of an object
	bounded    bool     // it says how near they must be
	computed   []string // properties that a service elsewhere ranks again
	aggregated []string // properties of which something is computed
	generates  bool     // a language model is told of what is found
}

// oblige refuses what cannot be done without telling what is hidden, or is more than may be asked for.
func (q *query) oblige(o *access.Obligations) error {
	p := o.Protection
	if err := q.where.oblige(p); err != nil {
		return err
	}
	for _, list := range [][]place{q.orders, q.groups} {
		for _, place := range list {
			if t := treatment(p, place.at, place.field); t.Mask != access.MaskNone && t.Predicates != "allow" {
				return hiddenField(t, place.at, place.field, "nothing may be ordered or grouped by it")
			}
		}
	}
	for _, field := range q.computed {
		if t := treatment(p, q.at, field); t.Mask != access.MaskNone {
			return hiddenField(t, q.at, field, "nothing may be computed of it")
		}
	}
	for _, field := range q.aggregated {
		if t := treatment(p, q.at, field); t.Mask != access.MaskNone && t.Derived != "null" {
			return hiddenField(t, q.at, field, "nothing may be computed of it")
		}
	}
	if err := q.obligeWords(p); err != nil {
		return err
	}
	vectors := vectorsOf(p, q.at, q.class)
	if q.near && vectors.Mask != access.MaskNone && (vectors.Predicates == "deny" || vectors.Predicates == "equality") {
		return &access.Refusal{
			Code: access.CodeObligation, Rule: vectors.Rule, Message: "the vectors of " + q.at.String() + " are hidden, so they may not be searched",
		}
	}
	if q.bounded && vectors.Mask != access.MaskNone && vectors.Distance != "allow" {
		return &access.Refusal{
			Code: access.CodeObligation, Rule: vectors.Rule,
			Message: "the distances of the vectors of " + q.at.String() + " are hidden, so none may decide what is found",
			Hint:    "leave out distance and certainty; give a limit",
		}
	}
	if q.generates && protects(p, q.at, q.class) {
		return &access.Refusal{
			Code: access.CodeObligation, Message: "a part of " + q.at.String() + " is hidden, so no language model may be told of it",
		}
	}
	if on := o.FiltersOn(q.at); q.nearObject && len(on) > 0 {
		return &access.Refusal{
			Code: access.CodeObligation, Rule: on[0].Rule,
			Message: "of " + q.at.String() + " only a part may be reached, and the object to be compared with could be of another",
		}
	}
	switch {
	case o.TopK > 0 && q.k > o.TopK:
		return &access.Refusal{
			Code: access.CodeLimit, Message: fmt.Sprintf("a search of %s may ask for the %d nearest at most", q.at, o.TopK),
			Hint: fmt.Sprintf("ask for a limit of %d or less", o.TopK),
		}
	case o.TopK > 0 && q.k == access.Unbounded:
		return &access.Refusal{
			Code: access.CodeLimit, Message: fmt.Sprintf("a search of %s may ask for the %d nearest at most, and this one has no limit", q.at, o.TopK),
			Hint: "give it a limit",
		}
	case o.Rows > 0 && q.rows > o.Rows:
		return tooMany(o.Rows, q.rows)
	}
	return nil
}

// obligeWords refuses a search for words in a hidden property: what is found would tell them. One that names no properties
// goes on in those that seen says.
func (q *query) obligeWords(p *access.Protection) error {
	if !q.keyword {
		return nil
	}
	seen, refusal := q.mayBeSearched(p)
	if refusal == nil || q.words == nil && len(seen) > 0 {
		return nil
	}
	return refusal
}

// seen are the properties to search for words, when the request names none and not all of them may be searched.
func (q *query) seen(p *access.Protection) []string {
	if !q.keyword || q.words != nil {
		return nil
	}
	seen, refusal := q.mayBeSearched(p)
	if refusal == nil {
		return nil
	}
	return seen
}

// mayBeSearched are those of the properties in which words are looked for that are not hidden, and why not the others.
func (q *query) mayBeSearched(p *access.Protection) (seen []string, refusal *access.Refusal) {
	words := q.words
	if words == nil {
		for name, property := range q.class.properties {
			if property.searchable {
				words = append(words, name)
			}
		}
		slices.Sort(words)
	}
	for _, field := range words {
		t := treatment(p, q.at, field)
		if t.Mask == access.MaskNone || t.Predicates == "allow" {
			seen = append(seen, field)
		} else if refusal == nil {
			refusal = hiddenField(t, q.at, field, "no words may be looked for in it")
		}
	}
	return seen, refusal
}

func hiddenField(t access.Treatment, at access.Resource, field, so string) *access.Refusal {
	return &access.Refusal{Code: access.CodeObligation, Rule: t.Rule, Message: "field " + field + " of " + at.String() + " is hidden, so " + so}
}

// list describes a query that returns objects.
func (q *query) list(at access.Attributes) (access.Action, access.Attributes) {
	at.Limit, at.Rows, at.Alias = q.limit, q.rows, q.class.alias()
	q.where.describe(&at)
	for _, place := range slices.Concat(q.orders, q.groups) {
		at.OrderBy = append(at.OrderBy, place.field)
	}
	switch {
	case q.near || q.keyword:
		return access.Search, at
	case len(q.where.ids) > 0:
		if n := int64(len(q.where.ids)); at.Rows == access.Unbounded || n < at.Rows {
			at.Rows = n
		}
		return access.Fetch, at
	}
	return access.Scroll, at
}
