package opensearch

import (
	"slices"
	"strconv"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// search is the document of a search, taken apart.
type search struct {
	*reading
	body    jsonstream.Value
	size    int64
	from    int64
	pages   bool // it goes on where another one ended
	pit     string
	source  sourceFilter
	fields  []string // asked for besides _source
	aggs    bool
	topHits bool // an aggregation returns documents
	explain bool
	groups  bool      // hits are collapsed
	parts   []*search // parts of it that return documents of their own
}

// usualSize is how many hits there are when a search does not say.
const usualSize = 10

const searchMembers = "query knn retriever rank from size sort _source fields docvalue_fields stored_fields script_fields aggs aggregations highlight collapse post_filter rescore " +
	"search_after pit slice min_score track_total_hits track_scores timeout terminate_after explain profile version seq_no_primary_term indices_boost stats"

func (s *search) closed(v jsonstream.Value, members string) error {
	return (&call{}).closed(v, members, "a part of its search")
}

// readSearch takes a search apart; params are the parameters of its address that say the same as members of a document.
func (d *Dialect) readSearch(body jsonstream.Value, params map[string]string, filter []jsonstream.Value) (*search, error) {
	s := &search{reading: &reading{clauses: d.clauses, filter: filter}, body: body}
	if err := s.closed(body, searchMembers); err != nil {
		return nil, err
	}
	shown := func() error { return firstOf(s.shown(body), s.addressed(params)) }
	for _, read := range []func() error{s.queried, func() error { return s.paging(params) }, shown, s.more} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *search) put(name string, v jsonstream.Value) { s.body = s.body.With(name, v) }

// queried reads what decides which documents are found.
func (s *search) queried() error {
	top := scope{top: !present(s.body.Get("knn")) && !present(s.body.Get("retriever"))}
	if v := s.body.Get("knn"); present(v) {
		if len(listed(v)) == 0 {
			return unclear("its knn is empty")
		}
		made, err := s.beside(v)
		if err != nil {
			return err
		}
		s.put("knn", made)
	}
	if v := s.body.Get("retriever"); present(v) {
		made, err := s.retriever(v)
		if err != nil {
			return err
		}
		s.put("retriever", made)
	}
	query := s.body.Get("query")
	if present(query) {
		made, err := s.query(query, top)
		if err != nil {
			return err
		}
		query = made
		s.put("query", made)
	}
	if v := s.body.Get("post_filter"); present(v) {
		made, err := s.query(v, scope{top: top.top})
		if err != nil {
			return err
		}
		s.put("post_filter", made)
	}
	if v := s.body.Get("rank"); present(v) {
		if name, m, ok := one(v); !ok || name != "rrf" || s.closed(m, "rank_constant rank_window_size window_size") != nil {
			return unclear("its rank is not one that this gateway understands")
		}
	}
	for _, v := range listed(s.body.Get("rescore")) {
		if err := s.closed(v, "window_size query"); err != nil {
			return err
		}
		q := v.Get("query")
		if err := s.options(q, "rescore_query", "query_weight rescore_query_weight score_mode"); err != nil {
			return err
		}
		if _, err := s.query(q.Get("rescore_query"), scope{apart: true}); err != nil {
			return err
		}
		s.amplified = true
	}
	s.narrow(query)
	return nil
}

// narrow puts the obliged filter around the query. Searches among vectors have it already.
func (s *search) narrow(query jsonstream.Value) {
	if len(s.filter) == 0 {
		return
	}
	around := func(q jsonstream.Value) jsonstream.Value {
		return object("bool", object("must", q).With("filter", jsonstream.List(s.filter...)))
	}
	name, hybrid, _ := one(query)
	switch {
	case name == "hybrid" && hybrid.Get("queries").Len() > 0: // stands at the top or nowhere
		var parts []jsonstream.Value
		for _, q := range listed(hybrid.Get("queries")) {
			parts = append(parts, around(q))
		}
		s.put("query", object(name, hybrid.With("queries", jsonstream.List(parts...))))
	case present(query):
		s.put("query", around(query))
	case !present(s.body.Get("knn")) && !present(s.body.Get("retriever")):
		s.put("query", around(object("match_all", nothing)))
	}
}

// paging reads how much comes back, and where it begins.
func (s *search) paging(params map[string]string) error {
	for _, name := range []string{"size", "from"} {
		text, asked := params[name]
		v := s.body.Get(name)
		if asked && present(v) {
			return unclear("its " + name + " stands both in the document and in the address")
		}
		usual := int64(0)
		if name == "size" {
			usual = usualSize
		}
		n, err := whole(v, "its "+name, usual)
		if err != nil {
			return err
		}
		if asked {
			if n, err = strconv.ParseInt(text, 10, 32); err != nil || n < 0 {
				return unclear("its " + name + " is not a whole number")
			}
		}
		if name == "size" {
			s.size = n
		} else {
			s.from = n
		}
	}
	_, scrolls := params["scroll"]
	s.pages = scrolls || present(s.body.Get("search_after")) || present(s.body.Get("slice"))
	if v := s.body.Get("slice"); present(v) {
		if err := s.closed(v, "id max field"); err != nil {
			return err
		}
		if field, ok := v.Get("field").Text(); ok {
			s.all = append(s.all, condition{field: field})
		}
	}
	if v := s.body.Get("pit"); present(v) {
		if err := s.closed(v, "id keep_alive"); err != nil {
			return err
		}
		id, ok := v.Get("id").Text()
		if !ok || id == "" {
			return unclear("its pit has no id")
		}
		s.pit, s.pages = id, true
	}
	if text, ok := params["sort"]; ok {
		for item := range strings.SplitSeq(text, ",") {
			field, _, _ := strings.Cut(item, ":")
			s.order(field)
		}
	}
	return s.sort(s.body.Get("sort"))
}

// order takes a field in by which hits are ordered.
func (s *reading) order(field string) {
	switch field {
	case "_score", "_doc", "_shard_doc":
		return
	}
	s.all = append(s.all, condition{field: field})
}

func (s *reading) sort(v jsonstream.Value) error {
	for _, item := range listed(v) {
		if field, ok := item.Text(); ok {
			s.order(field)
			continue
		}
		field, how, ok := one(item)
		switch {
		case !ok:
			return unclear("an order is not by exactly one field")
		case field == "_script":
			s.script = true
		case field == "_geo_distance":
			for name, m := range how.Members() {
				if named("order unit mode distance_type ignore_unmapped validation_method", name) {
					continue
				}
				if name == "nested" {
					return unclear("an order by distance within nested documents is not taken")
				}
				_ = m
				s.order(name)
			}
		default:
			s.order(field)
			if how.Kind() != jsonstream.Object {
				break
			}
			if err := s.options(how, "nested missing", "order mode unmapped_type format numeric_type"); err != nil {
				return err
			}
			for n := how.Get("nested"); present(n); n = n.Get("nested") {
				if err := s.options(n, "filter nested", "path max_children"); err != nil {
					return err
				}
				if f := n.Get("filter"); present(f) {
					if _, err := s.query(f, scope{nested: true, apart: true}); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// shown reads what of a document is returned; v is the search, or a part of it that has hits of its own.
func (s *search) shown(v jsonstream.Value) error {
	var err error
	if s.source, err = readSource(v.Get("_source")); err != nil {
		return err
	}
	if f := v.Get("script_fields"); present(f) && f.Len() > 0 {
		s.script = true
	}
	for _, member := range []string{"fields", "docvalue_fields", "stored_fields"} {
		for _, item := range listed(v.Get(member)) {
			name, ok := item.Text()
			if !ok {
				if err := s.options(item, "", "field format include_unmapped"); err != nil {
					return err
				}
				if name, ok = item.Get("field").Text(); !ok {
					return unclear("one of its " + member + " has no name")
				}
			}
			s.fields = append(s.fields, name)
		}
	}
	if err := s.sort(v.Get("sort")); err != nil {
		return err
	}
	return s.highlight(v.Get("highlight"))
}

// addressed reads what of a document is returned as the address says it.
func (s *search) addressed(params map[string]string) error {
	for _, name := range []string{"stored_fields", "docvalue_fields"} {
		if list := params[name]; list != "" {
			s.fields = append(s.fields, strings.Split(list, ",")...)
		}
	}
	f, ok := sourceOf(params)
	if !ok {
		return nil
	}
	if v := s.body.Get("_source"); present(v) && string(v.Raw()) != "true" { // true says nothing that narrows; the client of Elasticsearch sends it along
		return unclear("its _source stands both in the document and in the address")
	}
	s.source = f
	return nil
}

// sourceOf is what the parameters of an address say of the source, when they say anything.
func sourceOf(params map[string]string) (f sourceFilter, ok bool) {
	if v, has := params["_source"]; has {
		ok, f.none = true, v == "false"
		if v != "" && v != "true" && v != "false" {
			f.includes = strings.Split(v, ",")
		}
	}
	for name, to := range map[string]*[]string{"_source_includes": &f.includes, "_source_excludes": &f.excludes} {
		if v := params[name]; v != "" {
			ok, *to = true, strings.Split(v, ",")
		}
	}
	return f, ok
}

const highlightOptions = "fields type pre_tags post_tags fragment_size number_of_fragments fragment_offset order require_field_match boundary_scanner boundary_chars boundary_max_scan " +
	"boundary_scanner_locale encoder fragmenter no_match_size matched_fields phrase_limit tags_schema highlight_query max_fragment_length force_source max_analyzed_offset max_analyzer_offset"

func (s *search) highlight(v jsonstream.Value) error {
	if !present(v) {
		return nil
	}
	if err := s.closed(v, highlightOptions); err != nil {
		return err
	}
	parts := []jsonstream.Value{v}
	for _, list := range listed(v.Get("fields")) {
		for _, options := range list.Members() {
			if err := s.closed(options, highlightOptions); err != nil {
				return err
			}
			parts = append(parts, options)
		}
	}
	for _, part := range parts {
		if kind, ok := part.Get("type").Text(); ok && !named("unified plain fvh", kind) {
			return unclear("its highlights are of a type that is not known")
		}
		if q := part.Get("highlight_query"); present(q) {
			if _, err := s.query(q, scope{apart: true}); err != nil {
				return err
			}
		}
		matched, err := texts(part.Get("matched_fields"), "its matched_fields")
		if err != nil {
			return err
		}
		for _, field := range matched {
			s.all = append(s.all, condition{field: field})
		}
	}
	return nil
}

// more reads the rest.
func (s *search) more() error {
	if v := s.body.Get("collapse"); present(v) {
		if err := s.collapse(v, 0); err != nil {
			return err
		}
	}
	for _, name := range []string{"aggs", "aggregations"} {
		v := s.body.Get(name)
		if !present(v) {
			continue
		}
		if s.aggs {
			return unclear("its aggregations stand there twice")
		}
		s.aggs = true
		made, err := s.aggregations(v, 0)
		if err != nil {
			return err
		}
		s.put(name, made)
	}
	for _, name := range []string{"explain", "profile"} {
		v := s.body.Get(name)
		if on, ok := v.Bool(); present(v) && !ok {
			return unclear("its " + name + " is neither true nor false")
		} else if on {
			s.explain = true
		}
	}
	s.threshold = s.threshold || bounds(s.body.Get("min_score"))
	s.amplified = s.amplified || present(s.body.Get("indices_boost"))
	return nil
}

// bounds says that a min_score leaves something out: no score is below zero, which is what LangChain's store sends when
// nobody asked for a bound.
func bounds(v jsonstream.Value) bool {
	n, whole := v.Int()
	return present(v) && !(whole && n == 0 || string(v.Raw()) == "0.0")
}

func (s *search) collapse(v jsonstream.Value, depth int) error {
	if depth > 2 {
		return unclear("its collapse is nested too deep")
	}
	if err := s.options(v, "inner_hits", "field max_concurrent_group_searches"); err != nil {
		return err
	}
	field, ok := v.Get("field").Text()
	if !ok {
		return unclear("its collapse names no field")
	}
	s.groups = true
	s.all = append(s.all, condition{field: field})
	for _, inner := range listed(v.Get("inner_hits")) {
		s.expanded = true
		if deeper := inner.Get("collapse"); present(deeper) {
			if err := s.collapse(deeper, depth+1); err != nil {
				return err
			}
		}
		if err := s.innerHits(without(inner, "collapse"), "", ""); err != nil {
			return err
		}
	}
	return nil
}

// sourceFilter says which parts of documents are returned.
type sourceFilter struct {
	none               bool
	includes, excludes []string
}

func readSource(v jsonstream.Value) (sourceFilter, error) {
	f := sourceFilter{}
	var err error
	switch v.Kind() {
	case jsonstream.None, jsonstream.Null:
	case jsonstream.Bool:
		on, _ := v.Bool()
		f.none = !on
	case jsonstream.Text, jsonstream.Array:
		f.includes, err = texts(v, "its _source")
	case jsonstream.Object:
		if err = (&search{}).closed(v, "includes include excludes exclude exclude_vectors"); err != nil {
			return f, err
		}
		for _, name := range []string{"includes", "include"} {
			list, e := texts(v.Get(name), "its _source")
			f.includes, err = append(f.includes, list...), firstOf(err, e)
		}
		for _, name := range []string{"excludes", "exclude"} {
			list, e := texts(v.Get(name), "its _source")
			f.excludes, err = append(f.excludes, list...), firstOf(err, e)
		}
	default:
		err = unclear("its _source is neither a list nor an object")
	}
	return f, err
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// shows says whether a field comes back.
func (f *sourceFilter) shows(path string) bool {
	if f.none {
		return false
	}
	match := func(pattern string) bool {
		return access.Glob(pattern, path) || strings.HasPrefix(path, pattern+".") || access.Glob(pattern+".*", path)
	}
	below := func(pattern string) bool { return strings.HasPrefix(pattern, path+".") }
	return (len(f.includes) == 0 || slices.ContainsFunc(f.includes, match) || slices.ContainsFunc(f.includes, below)) && !slices.ContainsFunc(f.excludes, match)
}

// without is the filter as it is sent on, with more paths left out.
func (f *sourceFilter) without(paths []string) jsonstream.Value {
	list := func(names []string) jsonstream.Value {
		values := make([]jsonstream.Value, len(names))
		for i, n := range names {
			values[i] = jsonstream.String(n)
		}
		return jsonstream.List(values...)
	}
	made := object("excludes", list(slices.Concat(f.excludes, paths)))
	if len(f.includes) > 0 {
		made = made.With("includes", list(f.includes))
	}
	return made
}

// attributes describe the search for policy.
func (s *search) attributes(at places) access.Attributes {
	a := access.Attributes{Limit: s.size, Offset: s.from, Rows: s.size * (1 + s.innerRows), IDs: s.ids[:min(len(s.ids), mostIDs)], Cursor: s.pages}
	if s.topHits {
		a.Rows = access.Unbounded
	}
	for _, c := range s.all {
		a.FilterFields = append(a.FilterFields, c.field)
	}
	switch {
	case s.idsOnly:
		a.Filter = access.FilterKey
	case s.some:
		a.Filter = access.FilterOther
	case present(s.body.Get("query")):
		a.Filter = access.FilterTrivial
	}
	if s.size > 0 {
		s.describe(&a, at)
	}
	for _, part := range slices.Concat(s.parts, s.insides) {
		part.describe(&a, at)
	}
	return a
}

// describe adds what of documents is returned.
func (s *search) describe(a *access.Attributes, at places) {
	a.Fields = append(a.Fields, s.fields...)
	a.Fields = append(a.Fields, s.source.asked()...)
	for _, p := range at {
		for path := range p.fields {
			asked := func(pattern string) bool { return access.Glob(pattern, path) }
			if p.vector(path) && (s.source.shows(path) || slices.ContainsFunc(s.fields, asked)) {
				a.Vectors = true
			}
		}
	}
}

// asked are the fields of documents that are returned; "*" stands for all.
func (f *sourceFilter) asked() []string {
	switch {
	case f.none:
		return nil
	case len(f.includes) == 0:
		return []string{"*"}
	}
	return f.includes
}

// action is what the hits of the search are.
func (s *search) action() access.Action {
	switch {
	case s.pages:
		return access.Scroll
	case s.size == 0 && s.aggs:
		return access.Aggregate
	case s.size == 0:
		return access.Count
	case s.idsOnly:
		return access.Fetch
	case !s.some:
		return access.Scroll // nothing is looked for: it lists
	}
	return access.Search
}
