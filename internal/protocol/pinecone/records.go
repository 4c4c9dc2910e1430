package pinecone

import (
	"fmt"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// readRecords reads records as lines; the engine makes their vectors.
func readRecords(c *call) error {
	at, err := c.in(c.Params["namespace"])
	if err != nil {
		return err
	}
	w := &writing{at: at, namespace: c.Params["namespace"], vectors: true}
	for _, line := range c.Lines {
		if line.Kind() != jsonstream.Object {
			return unclear("one of its records is not an object")
		}
		id, ok := line.Get("_id").Text()
		if other := line.Get("id"); !ok {
			id, ok = other.Text()
		} else if other.Kind() != jsonstream.None {
			return unclear("one of its records has two ids")
		}
		if !ok || id == "" {
			return unclear("one of its records has no id")
		}
		w.ids, w.records = append(w.ids, id), append(w.records, recordOf(line))
	}
	c.writes(w)
	return nil
}

func readSearchRecords(c *call) error {
	at, err := c.in(c.Params["namespace"])
	if err != nil {
		return err
	}
	asked := c.Body.Get("query")
	if err := closed(asked, "inputs vector id top_k filter match_terms", "its query"); err != nil {
		return err
	}
	q := query{at: at, namespace: c.Params["namespace"]}
	if q.k, err = number(asked.Get("top_k"), "top_k", 0); err != nil {
		return err
	}
	if q.k < 1 || q.k > maxTopK {
		return unclear(fmt.Sprintf("its top_k is not between 1 and %d", maxTopK))
	}
	if q.filter, err = readFilter(asked.Get("filter")); err != nil {
		return err
	}
	if q.id, err = text(asked.Get("id"), "id"); err != nil {
		return err
	}
	s := &search{queries: []query{q}, metadata: true, terms: present(asked.Get("match_terms"))}
	if s.fields, err = texts(c.Body.Get("fields"), "fields"); err != nil {
		return err
	}
	if r := c.Body.Get("rerank"); present(r) {
		if err := closed(r, "model rank_fields top_n parameters query", "its rerank"); err != nil {
			return err
		}
		if s.ranked, err = texts(r.Get("rank_fields"), "rank_fields"); err != nil {
			return err
		}
		if len(s.ranked) == 0 {
			return unclear("its rerank has no rank_fields")
		}
	}
	c.doesAll(s.accesses()...)
	body := c.Body
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		ok, err := s.oblige(o, c.find)
		if err != nil {
			return nil, err
		}
		return &httpwire.Obliged{
			Body: body.With("query", filtered(asked, ok.filters[0])), Filtered: true, Check: ok.check, Mask: hits(o.Protection, at), Rows: o.Rows, Mute: mute(o, at),
		}, nil
	}
	return nil
}
