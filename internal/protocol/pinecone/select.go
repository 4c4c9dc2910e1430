package pinecone

import (
	"context"
	"fmt"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// selection is what a request names that reads, changes or deletes records it does not bring along, whichever door it came by.
type selection struct {
	at        access.Resource
	namespace string // as it was named
	ids       []string
	filter    *conditions
	all       bool // everything, by its own word
}

// mostIDs is how many ids the record of a request names.
const mostIDs = 256

func (s *selection) attributes() access.Attributes {
	at := access.Attributes{IDs: s.ids[:min(len(s.ids), mostIDs)], Points: access.Unbounded}
	s.filter.describe(&at)
	if len(s.ids) > 0 {
		at.Points = int64(len(s.ids))
		if at.Filter == access.FilterNone {
			at.Filter = access.FilterKey
		}
	}
	return at
}

// deletes says what a deletion deletes. What names no records and no condition that something must be so is judged as one of
// everything: that is what it may be.
func (s *selection) deletes() access.Access {
	action := access.DeleteAll
	switch {
	case s.all:
	case len(s.ids) > 0 && s.filter == nil:
		action = access.Delete
	case s.filter != nil && s.filter.positive:
		action = access.DeleteByFilter
	}
	return access.Access{Action: action, Resource: s.at, Attributes: s.attributes()}
}

// reaches narrows a selection to the caller's own records.
func (s *selection) reaches(o *access.Obligations, find lookup) (*allowed, error) {
	if err := s.filter.oblige(o.Protection, s.at); err != nil {
		return nil, err
	}
	rules := o.FiltersOn(s.at)
	if len(rules) == 0 {
		return &allowed{}, nil
	}
	if s.all || s.filter == nil && len(s.ids) == 0 {
		return nil, &access.Refusal{
			Code: access.CodeObligation, Rule: rules[0].Rule,
			Message: "rule " + rules[0].Rule + " lets you reach only the records of " + s.at.String() + " whose " + rules[0].Field + " is yours, and this would reach all",
			Hint:    "name the records, or use a filter",
		}
	}
	out := &allowed{filters: []jsonstream.Value{{}}}
	if s.filter != nil {
		out.filters[0] = s.filter.narrowed(rules)
	}
	check, err := owned(find, s.at, s.namespace, s.ids, rules, false)
	out.check = check
	return out, err
}

// writing is what a request writes whole.
type writing struct {
	at        access.Resource
	namespace string // as it was named
	ids       []string
	records   []record
	vectors   bool
}

func (w *writing) access() access.Access {
	return access.Access{Action: access.Upsert, Resource: w.at, Attributes: access.Attributes{
		Points: int64(len(w.ids)), IDs: w.ids[:min(len(w.ids), mostIDs)], Filter: access.FilterKey, Vectors: w.vectors,
	}}
}

// oblige lets nobody write records that are not their own, nor over those of others.
func (w *writing) oblige(o *access.Obligations, find lookup) (func(context.Context) error, error) {
	rules := o.FiltersOn(w.at)
	if len(rules) == 0 {
		return nil, nil
	}
	for _, rec := range w.records {
		if err := carries(rec, rules, w.at); err != nil {
			return nil, err
		}
	}
	return owned(find, w.at, w.namespace, w.ids, rules, true)
}

// page is how much of a listing a request asks for.
type page struct {
	limit  int64 // access.Unbounded when the request does not say
	cursor bool
}

// usualPage is Pinecone's own page when a request has no limit.
const usualPage = 100

// fetches says what a fetch of named records shows.
func (s *selection) fetches() access.Attributes {
	at := s.attributes()
	at.Points, at.Rows, at.Vectors, at.Fields = 0, int64(len(s.ids)), true, everything
	return at
}

// everything is what is shown of a record that is asked for as a whole.
var everything = []string{fieldID, fieldValues, fieldSparse, "*"}

// scrolls says what a page of records that pass a filter shows.
func (p page) scrolls(at access.Resource, filter *conditions) access.Access {
	a := access.Access{Action: access.Scroll, Resource: at, Attributes: p.attributes()}
	filter.describe(&a.Attributes)
	a.Attributes.Vectors, a.Attributes.Fields = true, everything
	return a
}

// lists says what a page of ids shows.
func (p page) lists(at access.Resource, prefix string) access.Access {
	a := access.Access{Action: access.ListIDs, Resource: at, Attributes: p.attributes()}
	if prefix != "" {
		a.Attributes.Filter, a.Attributes.FilterFields = access.FilterOther, []string{fieldID}
	}
	a.Attributes.Fields = []string{fieldID}
	return a
}

// attributes of a page.
func (p page) attributes() access.Attributes {
	at := access.Attributes{Limit: p.limit, Rows: p.limit, Cursor: p.cursor}
	if p.limit == access.Unbounded {
		at.Rows = usualPage
	}
	return at
}

// oblige bounds a page: one without a limit becomes as small as it must, because its end says that there is more.
func (p page) oblige(o *access.Obligations) (limit int64, err error) {
	switch {
	case o.Rows <= 0:
		return p.limit, nil
	case p.limit > o.Rows:
		return 0, tooMany(o.Rows, p.limit, fmt.Sprintf("ask for a limit of %d or less", o.Rows))
	case p.limit == access.Unbounded:
		return min(o.Rows, usualPage), nil
	}
	return p.limit, nil
}
