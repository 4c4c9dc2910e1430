package pinecone

import (
	"maps"
	"strconv"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

func readFetch(c *call) error {
	ids := c.Lists["ids"]
	if len(ids) == 0 {
		return unclear("it names no ids")
	}
	namespace, at, err := c.namespace(asText(c.Query, "namespace"))
	if err != nil {
		return err
	}
	s := &selection{at: at, namespace: namespace, ids: ids}
	attributes := s.fetches()
	c.does(access.Fetch, at, attributes)
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		if err := unnamed(o.Protection, at); err != nil {
			return nil, err
		}
		if o.Rows > 0 && attributes.Rows > o.Rows {
			return nil, tooMany(o.Rows, attributes.Rows, "name fewer ids")
		}
		out := &httpwire.Obliged{Filtered: true, Mask: fetched(o.Protection, at), Rows: o.Rows, Mute: mute(o, at)}
		if rules := o.FiltersOn(at); len(rules) > 0 {
			out.Rewrite = func(v jsonstream.Value) (jsonstream.Value, error) { return ownOnly(v, rules), nil }
		}
		return out, nil
	}
	return nil
}

// ownOnly is an answer with records by their ids with the caller's own records.
func ownOnly(v jsonstream.Value, rules []access.FilterRule) jsonstream.Value {
	own := empty
	for id, vector := range v.Get("vectors").Members() {
		if may(recordOf(vector.Get("metadata")), rules) {
			own = own.With(id, vector)
		}
	}
	return v.With("vectors", own)
}

// asText is a parameter of the query as a value.
func asText(query map[string]string, name string) jsonstream.Value {
	if v, ok := query[name]; ok {
		return jsonstream.String(v)
	}
	return jsonstream.Value{}
}

func readScroll(c *call) error {
	s, err := c.selection(nil)
	if err != nil {
		return err
	}
	p := page{}
	if p.limit, err = number(c.Body.Get("limit"), "limit", access.Unbounded); err != nil {
		return err
	}
	after, err := text(c.Body.Get(token), token)
	if err != nil {
		return err
	}
	p.cursor = after != ""
	c.doesAll(p.scrolls(s.at, s.filter))
	body := c.Body
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		if err := s.filter.oblige(o.Protection, s.at); err != nil {
			return nil, err
		}
		if err := noKeys(o.Protection, s.at); err != nil {
			return nil, err
		}
		limit, err := p.oblige(o)
		if err != nil {
			return nil, err
		}
		b := body
		if limit != access.Unbounded {
			b = b.With("limit", jsonstream.Int(limit))
		}
		rules := o.FiltersOn(s.at)
		out := &httpwire.Obliged{Body: filtered(b, s.filter.narrowed(rules)), Filtered: true, Mask: fetched(o.Protection, s.at), Rows: o.Rows, Mute: mute(o, s.at)}
		if len(rules) > 0 { // what a page goes on with, which may be somebody else's, is the engine's secret
			out.Rewrite = func(v jsonstream.Value) (jsonstream.Value, error) { return ownOnly(v, rules), nil }
		}
		return out, nil
	}
	return nil
}

// unnamed refuses to say whether there is a record under an id that is hidden.
func unnamed(p *access.Protection, at access.Resource) error {
	if t := p.Field(at, fieldID, false); t.Mask != access.MaskNone && t.Predicates != "allow" && t.Predicates != "equality" {
		return &access.Refusal{
			Code: access.CodeObligation, Rule: t.Rule, Message: "the ids of " + at.String() + " are hidden, so no records may be asked for by them", Hint: "search, or use a filter",
		}
	}
	return nil
}

// noKeys refuses an answer in which ids that are hidden stand as the names of members.
func noKeys(p *access.Protection, at access.Resource) error {
	if t := p.Field(at, fieldID, false); t.Mask != access.MaskNone {
		return &access.Refusal{Code: access.CodeObligation, Rule: t.Rule, Message: "the ids of " + at.String() + " are hidden, so its records may not be listed"}
	}
	return nil
}

func readList(c *call) error {
	_, at, err := c.namespace(asText(c.Query, "namespace"))
	if err != nil {
		return err
	}
	p, err := c.page()
	if err != nil {
		return err
	}
	c.doesAll(p.lists(at, c.Query["prefix"]))
	query := c.Query
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		if err := noKeys(o.Protection, at); err != nil {
			return nil, err
		}
		limit, err := p.oblige(o)
		if err != nil {
			return nil, err
		}
		out := &httpwire.Obliged{Mask: listed(), Rows: o.Rows, Mute: mute(o, at)}
		if limit != p.limit {
			out.Query = maps.Clone(query)
			if out.Query == nil {
				out.Query = map[string]string{}
			}
			out.Query["limit"] = strconv.FormatInt(limit, 10)
		}
		return out, nil
	}
	return nil
}

func readStats(c *call) error {
	w, err := readFilter(c.Body.Get("filter"))
	if err != nil {
		return err
	}
	attributes := access.Attributes{Rows: 1}
	w.describe(&attributes)
	at := c.whole()
	c.does(access.Count, at, attributes)
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		return &httpwire.Obliged{Mute: mute(o, at)}, uncounted(w, o, at)
	}
	return nil
}

// uncounted refuses to count all of an index by a condition when anything in it is hidden: its namespaces may hide
// different fields.
func uncounted(w *conditions, o *access.Obligations, at access.Resource) error {
	if w == nil || len(w.all) == 0 || o.Protection == nil || len(o.Protection.Fields) == 0 {
		return nil
	}
	return &access.Refusal{
		Code: access.CodeObligation, Rule: o.Protection.Fields[0].Treatment.Rule, Message: "fields of " + at.String() + " are hidden, so it may not be counted by a filter",
		Hint: "ask without a filter",
	}
}
