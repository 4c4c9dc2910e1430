package pinecone

import (
	"context"
	"fmt"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// The fields of a record that are not its metadata, as policy names them.
const (
	fieldID     = "id"
	fieldValues = "values"
	fieldSparse = "sparse_values"
)

// query is one search.
type query struct {
	at        access.Resource
	namespace string // as it was named
	k         int64
	filter    *conditions
	id        string // of the record whose vector is searched for
}

// search is what a request asks that searches, whichever door it came by.
type search struct {
	queries          []query
	values, metadata bool
	fields           []string // asked for by name; nil when metadata says it all
	ranked           []string // fields by whose content a model orders the answer
	terms            bool     // words must occur in the indexed text
}

// maxTopK is the most that Pinecone itself allows.
const maxTopK = 10_000

func (s *search) accesses() []access.Access {
	var all []access.Access
	for i, q := range s.queries {
		at := access.Attributes{Limit: q.k, Rows: q.k, Vectors: s.values, Fields: s.shown(), OrderBy: s.ranked, Batch: i}
		q.filter.describe(&at)
		all = append(all, access.Access{Action: access.Search, Resource: q.at, Attributes: at})
		if q.id != "" {
			all = append(all, access.Access{Action: access.Fetch, Resource: q.at, Attributes: access.Attributes{
				IDs: []string{q.id}, Filter: access.FilterKey, Role: "lookup", Batch: i,
			}})
		}
	}
	if len(s.ranked) > 0 {
		all = append(all, access.Access{Action: access.CodeExec, Resource: s.queries[0].at, Attributes: access.Attributes{Fields: s.ranked}})
	}
	return all
}

// shown are the fields that the answer shows.
func (s *search) shown() []string {
	list := []string{fieldID}
	if s.values {
		list = append(list, fieldValues, fieldSparse)
	}
	if s.metadata && s.fields == nil {
		list = append(list, "*")
	}
	return append(list, s.fields...)
}

// allowed is how a request is sent under obligations, whichever door it goes by.
type allowed struct {
	filters  []jsonstream.Value // by query; the zero Value where there is none
	withhold bool               // vectors are not asked for
	check    func(context.Context) error
}

func (s *search) oblige(o *access.Obligations, find lookup) (*allowed, error) {
	p, out := o.Protection, &allowed{}
	rows := int64(0)
	for i := range s.queries {
		q := &s.queries[i]
		rows += q.k
		if o.TopK > 0 && q.k > o.TopK {
			return nil, &access.Refusal{
				Code: access.CodeLimit, Message: fmt.Sprintf("a search of %s may ask for the %d nearest at most", q.at, o.TopK),
				Hint: fmt.Sprintf("ask for a top_k of %d or less", o.TopK),
			}
		}
		if err := q.filter.oblige(p, q.at); err != nil {
			return nil, err
		}
		for _, vector := range []string{fieldValues, fieldSparse} {
			t := p.Field(q.at, vector, true)
			if t.Mask == access.MaskNone {
				continue
			}
			out.withhold = true
			if t.Predicates == "deny" || t.Predicates == "equality" {
				return nil, &access.Refusal{
					Code: access.CodeObligation, Rule: t.Rule, Message: "the vectors of " + q.at.String() + " are hidden, so they may not be searched",
				}
			}
		}
		if err := s.oblivious(p, q.at); err != nil {
			return nil, err
		}
		if q.id != "" {
			if err := unnamed(p, q.at); err != nil {
				return nil, err
			}
		}
		rules := o.FiltersOn(q.at)
		out.filters = append(out.filters, q.filter.narrowed(rules))
		if q.id != "" {
			check, err := owned(find, q.at, q.namespace, []string{q.id}, rules, false)
			if err != nil {
				return nil, err
			}
			out.check = checks(out.check, check)
		}
	}
	if o.Rows > 0 && rows > o.Rows {
		return nil, tooMany(o.Rows, rows, "ask for a smaller top_k, or search for fewer vectors at once")
	}
	return out, nil
}

// oblivious refuses what would let the content of a hidden field decide which records come back, and in which order.
func (s *search) oblivious(p *access.Protection, at access.Resource) error {
	for _, f := range s.ranked {
		if t := shape(p, at, f); t.Mask != access.MaskNone && t.Predicates != "allow" {
			return &access.Refusal{
				Code: access.CodeObligation, Rule: t.Rule, Message: "field " + f + " of " + at.String() + " is hidden, so nothing may be ordered by it",
				Hint: "leave it out of rank_fields",
			}
		}
	}
	if s.terms && p != nil && len(p.Fields) > 0 {
		return &access.Refusal{
			Code: access.CodeObligation, Rule: p.Fields[0].Treatment.Rule, Message: "fields of " + at.String() + " are hidden, and match_terms does not say which one it looks into",
			Hint: "search without match_terms",
		}
	}
	return nil
}

func tooMany(may, asks int64, hint string) *access.Refusal {
	return &access.Refusal{
		Code: access.CodeLimit, Message: fmt.Sprintf("a request may return %d records at most here, and this one asks for %d", may, asks), Hint: hint,
	}
}
