package pinecone

import (
	"fmt"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

func readQuery(c *call) error {
	namespace, at, err := c.namespace(c.Body.Get("namespace"))
	if err != nil {
		return err
	}
	s := &search{}
	if s.values, err = truth(c.Body.Get("includeValues"), "includeValues"); err != nil {
		return err
	}
	if s.metadata, err = truth(c.Body.Get("includeMetadata"), "includeMetadata"); err != nil {
		return err
	}
	q := query{at: at, namespace: namespace}
	if q.k, err = number(c.Body.Get("topK"), "topK", 0); err != nil {
		return err
	}
	if q.filter, err = readFilter(c.Body.Get("filter")); err != nil {
		return err
	}
	if q.id, err = text(c.Body.Get("id"), "id"); err != nil {
		return err
	}
	batch := c.Body.Get("queries")
	if present(batch) && batch.Kind() != jsonstream.Array {
		return unclear("its queries are not a list")
	}
	if err := c.queries(s, q, batch); err != nil {
		return err
	}
	for i := range s.queries {
		if k := s.queries[i].k; k < 1 || k > maxTopK {
			return unclear(fmt.Sprintf("its topK is not between 1 and %d", maxTopK))
		}
	}
	c.doesAll(s.accesses()...)
	body := c.Body
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		ok, err := s.oblige(o, c.find)
		if err != nil {
			return nil, err
		}
		b := body
		if ok.withhold {
			b = b.With("includeValues", no)
		}
		if batch.Len() == 0 {
			b = filtered(b, ok.filters[0])
		} else {
			items, i := []jsonstream.Value{}, 0
			for item := range batch.Items() {
				items, i = append(items, filtered(item, ok.filters[i])), i+1
			}
			b = b.With("queries", jsonstream.List(items...))
		}
		return &httpwire.Obliged{
			Body: b, Filtered: true, Check: ok.check, Mask: matches(o.Protection, s), Rows: o.Rows, Mute: mute(o, at),
		}, nil
	}
	return nil
}

var no = must("false")

// filtered is a document with a filter, when there is one.
func filtered(v, filter jsonstream.Value) jsonstream.Value {
	if filter.Kind() == jsonstream.None {
		return v
	}
	return v.With("filter", filter)
}

// queries reads the deprecated batch. What one of its members does not say, it takes from the request; so that nobody can
// read that differently, it is written out.
func (c *call) queries(s *search, usual query, batch jsonstream.Value) error {
	if batch.Len() == 0 {
		s.queries = []query{usual}
		return nil
	}
	if batch.Len() > 100 {
		return unclear("it has more than 100 queries")
	}
	if present(c.Body.Get("vector")) || present(c.Body.Get("sparseVector")) || usual.id != "" {
		return unclear("it has both queries and a query of its own")
	}
	var items []jsonstream.Value
	for item := range batch.Items() {
		if err := closed(item, "values sparseValues topK namespace filter", "one of its queries"); err != nil {
			return err
		}
		q := usual
		k, err := number(item.Get("topK"), "topK", 0)
		if err != nil {
			return err
		}
		if k > 0 {
			q.k = k
		}
		if name, err := text(item.Get("namespace"), "namespace"); err != nil {
			return err
		} else if name != "" {
			if q.namespace, q.at, err = c.namespace(item.Get("namespace")); err != nil {
				return err
			}
		}
		if present(item.Get("filter")) {
			if q.filter, err = readFilter(item.Get("filter")); err != nil {
				return err
			}
		}
		item = item.With("topK", jsonstream.Int(q.k)).With("namespace", jsonstream.String(q.namespace))
		if q.filter != nil {
			item = item.With("filter", q.filter.text)
		}
		items, s.queries = append(items, item), append(s.queries, q)
	}
	c.out.Body = c.Body.With("queries", jsonstream.List(items...))
	c.Body = c.out.Body
	return nil
}
