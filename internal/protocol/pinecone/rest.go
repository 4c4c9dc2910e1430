package pinecone

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"strconv"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// namespace reads the namespace of a document.
func (c *call) namespace(v jsonstream.Value) (string, access.Resource, error) {
	name := ""
	if present(v) {
		text, ok := v.Text()
		if !ok {
			return "", access.Resource{}, unclear("its namespace is not a text")
		}
		name = text
	}
	at, err := c.in(name)
	return name, at, err
}

// texts reads a list of texts.
func texts(v jsonstream.Value, what string) ([]string, error) {
	if !present(v) {
		return nil, nil
	}
	if v.Kind() != jsonstream.Array {
		return nil, unclear("its " + what + " are not a list")
	}
	var all []string
	for item := range v.Items() {
		text, ok := item.Text()
		if !ok {
			return nil, unclear("one of its " + what + " is not a text")
		}
		all = append(all, text)
	}
	return all, nil
}

// text reads a text that may be absent.
func text(v jsonstream.Value, what string) (string, error) {
	if !present(v) {
		return "", nil
	}
	s, ok := v.Text()
	if !ok {
		return "", unclear("its " + what + " is not a text")
	}
	return s, nil
}

// number reads a whole number; absent says what it is when it is not there.
func number(v jsonstream.Value, what string, absent int64) (int64, error) {
	if !present(v) {
		return absent, nil
	}
	n, ok := v.Int()
	if !ok || n < 0 || n > 1<<31 {
		return 0, unclear("its " + what + " is not a number")
	}
	return n, nil
}

// truth reads true or false; absent is false.
func truth(v jsonstream.Value, what string) (bool, error) {
	if !present(v) {
		return false, nil
	}
	is, ok := v.Bool()
	if !ok {
		return false, unclear("its " + what + " is neither true nor false")
	}
	return is, nil
}

// find looks records up by their ids.
func (c *call) find(ctx context.Context, namespace string, ids []string) (map[string]record, error) {
	q := url.Values{"ids": ids}
	if namespace != "" {
		q.Set("namespace", namespace)
	}
	status, v, err := c.Ask(ctx, "/vectors/fetch?"+q.Encode())
	if err != nil {
		return nil, err
	}
	vectors := v.Get("vectors")
	if status >= 300 || vectors.Kind() != jsonstream.Object {
		return nil, fmt.Errorf("look records up: status %d", status)
	}
	found := map[string]record{}
	for id, vector := range vectors.Members() {
		found[id] = recordOf(vector.Get("metadata"))
	}
	return found, nil
}

// recordOf is metadata as filters see it.
func recordOf(metadata jsonstream.Value) record {
	return func(field string) (all []string, one bool) {
		v := metadata.Get(field)
		if s, ok := v.Text(); ok {
			return []string{s}, true
		}
		for item := range v.Items() {
			if s, ok := item.Text(); ok {
				all = append(all, s)
			}
		}
		return all, false
	}
}

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

var no, yes = must("false"), must("true")

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

func readUpsert(c *call) error {
	namespace, at, err := c.namespace(c.Body.Get("namespace"))
	if err != nil {
		return err
	}
	vectors := c.Body.Get("vectors")
	if vectors.Kind() != jsonstream.Array {
		return unclear("its vectors are not a list")
	}
	w := &writing{at: at, namespace: namespace, vectors: true}
	for v := range vectors.Items() {
		if err := closed(v, "id values sparseValues metadata", "one of its vectors"); err != nil {
			return err
		}
		id, ok := v.Get("id").Text()
		if !ok || id == "" {
			return unclear("one of its vectors has no id")
		}
		if m := v.Get("metadata"); present(m) && m.Kind() != jsonstream.Object {
			return unclear("the metadata of one of its vectors are not an object")
		}
		w.ids, w.records = append(w.ids, id), append(w.records, recordOf(v.Get("metadata")))
	}
	c.writes(w)
	return nil
}

func (c *call) writes(w *writing) {
	c.doesAll(w.access())
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		check, err := w.oblige(o, c.find)
		if err != nil {
			return nil, err
		}
		return &httpwire.Obliged{Filtered: true, Check: check, Mute: mute(o, w.at)}, nil
	}
}

// mute says that the engine's own messages could quote what is hidden.
func mute(o *access.Obligations, at access.Resource) bool {
	return !o.Protection.Empty() || len(o.FiltersOn(at)) > 0
}

// selection reads what a document names.
func (c *call) selection(ids []string) (*selection, error) {
	namespace, at, err := c.namespace(c.Body.Get("namespace"))
	if err != nil {
		return nil, err
	}
	s := &selection{at: at, namespace: namespace, ids: ids}
	s.filter, err = readFilter(c.Body.Get("filter"))
	return s, err
}

func readUpdate(c *call) error {
	id, err := text(c.Body.Get("id"), "id")
	if err != nil {
		return err
	}
	var ids []string
	if id != "" {
		ids = []string{id}
	}
	s, err := c.selection(ids)
	if err != nil {
		return err
	}
	dry, err := truth(c.Body.Get("dryRun"), "dryRun")
	if err != nil {
		return err
	}
	set := c.Body.Get("setMetadata")
	if present(set) && set.Kind() != jsonstream.Object {
		return unclear("its setMetadata is not an object")
	}
	if (id == "") == (s.filter == nil) {
		return unclear("it names neither a record nor a filter, or both")
	}
	s.all = s.filter != nil && len(s.filter.all) == 0
	vectors := present(c.Body.Get("values")) || present(c.Body.Get("sparseValues"))
	c.doesAll(s.updates(vectors, dry)...)
	body := c.Body
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		ok, err := s.reaches(o, c.find)
		if err != nil {
			return nil, err
		}
		if err := keeps(recordOf(set), func(field string) bool { return set.Get(field).Kind() != jsonstream.None }, o.FiltersOn(s.at), s.at); err != nil {
			return nil, err
		}
		return &httpwire.Obliged{Body: filtered(body, first(ok.filters)), Filtered: true, Check: ok.check, Mute: mute(o, s.at)}, nil
	}
	return nil
}

func first(filters []jsonstream.Value) jsonstream.Value {
	if len(filters) == 0 {
		return jsonstream.Value{}
	}
	return filters[0]
}

// updates says what an update changes.
func (s *selection) updates(vectors, dry bool) []access.Access {
	at := s.attributes()
	if dry {
		at.Points, at.Rows = 0, 1
		return []access.Access{{Action: access.Count, Resource: s.at, Attributes: at}}
	}
	at.Vectors = vectors
	all := []access.Access{{Action: access.Update, Resource: s.at, Attributes: at}}
	if vectors {
		all = append(all, access.Access{Action: access.UpdateVectors, Resource: s.at, Attributes: at})
	}
	return all
}

func readDelete(c *call) error {
	ids, err := texts(c.Body.Get("ids"), "ids")
	if err != nil {
		return err
	}
	s, err := c.selection(ids)
	if err != nil {
		return err
	}
	if s.all, err = truth(c.Body.Get("deleteAll"), "deleteAll"); err != nil {
		return err
	}
	if len(ids) > 0 && (s.all || s.filter != nil) || s.all && s.filter != nil {
		return unclear("it names records in more than one way")
	}
	c.doesAll(s.deletes())
	body := c.Body
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		ok, err := s.reaches(o, c.find)
		if err != nil {
			return nil, err
		}
		return &httpwire.Obliged{Body: filtered(body, first(ok.filters)), Filtered: true, Check: ok.check, Mute: mute(o, s.at)}, nil
	}
	return nil
}

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

// ownOnly is an answer of fetch with the caller's own records.
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
		return &httpwire.Obliged{
			Body: filtered(b, s.filter.narrowed(o.FiltersOn(s.at))), Filtered: true, Mask: fetched(o.Protection, s.at), Rows: o.Rows, Mute: mute(o, s.at),
		}, nil
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

// readWhole reads what concerns the index as such.
func readWhole(c *call) error {
	c.does(c.action(), c.whole(), access.Attributes{})
	return c.paging()
}

func readImport(c *call) error {
	c.does(access.Import, c.whole(), access.Attributes{Egress: true, Points: access.Unbounded, Vectors: true})
	return nil
}

func readNamespaces(c *call) error {
	c.does(access.TenantRead, c.whole(), access.Attributes{})
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		return &httpwire.Obliged{
			Mask: &jsonstream.Node{Fields: map[string]*jsonstream.Node{"namespaces": {Items: described(o, c.whole())}}},
			Rewrite: func(v jsonstream.Value) (jsonstream.Value, error) {
				shown := readable(v, "namespaces", func(name string) bool { return readsIn(c.May, c.place, name) })
				if shown.Get("total_count").Kind() != jsonstream.None {
					shown = shown.With("total_count", jsonstream.Int(int64(shown.Get("namespaces").Len())))
				}
				return shown, nil
			},
		}, nil
	}
	return c.paging()
}

// readsIn says whether a namespace is shown to who asks which there are.
func readsIn(may func(access.Access) bool, p place, name string) bool {
	at, err := p.in(name)
	if err != nil {
		return false
	}
	for _, a := range []access.Action{access.TenantRead, access.Search, access.Fetch, access.Upsert} {
		if may(access.Access{Action: a, Resource: at, Attributes: access.Attributes{Rows: 1, Limit: 1}}) {
			return true
		}
	}
	return false
}

// described is what is told of a namespace: not how many records it has, to who reaches some of them only.
func described(o *access.Obligations, at access.Resource) *jsonstream.Node {
	if len(o.FiltersOn(at)) == 0 {
		return nil
	}
	drop := &jsonstream.Node{Treatment: access.Treatment{Mask: access.MaskDrop}}
	return &jsonstream.Node{Fields: map[string]*jsonstream.Node{"record_count": drop, "recordCount": drop}}
}

func readCreateNamespace(c *call) error {
	name, err := c.name("name")
	if err != nil {
		return err
	}
	at, err := c.in(name)
	if err != nil {
		return err
	}
	c.does(access.TenantCreate, at, access.Attributes{})
	return nil
}

func readDescribeNamespace(c *call) error {
	at, err := c.in(c.Params["namespace"])
	if err != nil {
		return err
	}
	c.does(access.TenantRead, at, access.Attributes{})
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		return &httpwire.Obliged{Mask: described(o, at)}, nil
	}
	return nil
}

func readDeleteNamespace(c *call) error {
	at, err := c.in(c.Params["namespace"])
	if err != nil {
		return err
	}
	c.doesAll(dropped(at)...)
	return nil
}

// dropped is what the deletion of a namespace does.
func dropped(at access.Resource) []access.Access {
	return []access.Access{
		{Action: access.TenantDrop, Resource: at},
		{Action: access.DeleteAll, Resource: at, Attributes: access.Attributes{Points: access.Unbounded}},
	}
}
