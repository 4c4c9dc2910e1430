package milvus

import (
	"slices"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
	"github.com/vecgate/vecgate/internal/protocol/milvus/expr"
)

const (
	restSearchMembers = "collectionName data annsField partitionNames filter groupByField groupSize strictGroupSize limit offset outputFields searchParams consistencyLevel exprParams"
	restHybridMembers = "collectionName partitionNames search rerank limit offset outputFields consistencyLevel groupByField groupSize strictGroupSize"
	restSubMembers    = "data annsField filter metricType limit offset ignoreGrowing searchParams params exprParams"
	restSettings      = "metricType metric_type params ignore_growing ignoreGrowing round_decimal hints analyzer_name radius range_filter"
)

// restOne reads one search of a document, which may have the members.
func restOne(v jsonstream.Value, members string, of *schema) (*search, jsonstream.Value, error) {
	s := &search{groups: 1}
	if v.Kind() != jsonstream.Object {
		return nil, v, unclear("one of its searches is not an object")
	}
	for name := range v.Members() {
		if strings.Contains(name, " ") || !strings.Contains(" dbName "+members+" ", " "+name+" ") {
			return nil, v, unclear("a search has a member that is not known: " + shown(name))
		}
	}
	var err error
	if s.where, _, err = filter(v.Get("filter"), v.Get("exprParams")); err != nil {
		return nil, v, err
	}
	if s.limit, err = number(v.Get("limit"), "limit", usualLimit); err != nil {
		return nil, v, err
	}
	if s.limit == 0 {
		s.limit = usualLimit
	}
	if s.offset, err = number(v.Get("offset"), "offset", 0); err != nil {
		return nil, v, err
	}
	if err := s.grouped(v); err != nil {
		return nil, v, err
	}
	if data := v.Get("data"); strings.Contains(members, "data") {
		if data.Kind() != jsonstream.Array || data.Len() == 0 {
			return nil, v, unclear("its data are not a list of vectors")
		}
		s.queries = int64(data.Len())
		for item := range data.Items() {
			s.text = s.text || item.Kind() == jsonstream.Text
		}
	}
	if s.vectors = of.vectors(); present(v.Get("annsField")) {
		name, ok := v.Get("annsField").Text()
		if !ok {
			return nil, v, unclear("its annsField is not a text")
		}
		path, err := onePathOrStruct(name)
		if err != nil {
			return nil, v, err
		}
		s.vectors = []string{path}
	}
	if err := s.tuned(v.Get("searchParams"), restSettings); err != nil {
		return nil, v, err
	}
	if err := s.tuned(v.Get("params"), ""); err != nil {
		return nil, v, err
	}
	v = v.With("limit", jsonstream.Int(s.limit))
	if !s.where.Empty() || present(v.Get("filter")) {
		v = v.With("filter", jsonstream.String(s.where.String()))
	}
	return s, v, nil
}

// grouped reads by which field the answer is grouped.
func (s *search) grouped(v jsonstream.Value) error {
	var err error
	if s.groups, err = number(v.Get("groupSize"), "groupSize", 1); err != nil {
		return err
	}
	s.groups = max(s.groups, 1)
	if !present(v.Get("groupByField")) {
		return nil
	}
	name, ok := v.Get("groupByField").Text()
	if !ok {
		return unclear("its groupByField is not a text")
	}
	path, err := onePath(name, "group")
	s.shapes = append(s.shapes, shape{path, "group"})
	return err
}

// tuned reads the settings of a search: those outside must be known, and none inside may be one of those outside.
func (s *search) tuned(v jsonstream.Value, known string) error {
	if !present(v) {
		return nil
	}
	if v.Kind() != jsonstream.Object {
		return unclear("its settings are not an object")
	}
	for name, value := range v.Members() {
		switch {
		case name == "radius" || name == "range_filter":
			s.bounded = true
		case known != "" && !slices.Contains(strings.Split(known, " "), name):
			return unclear("it has a setting that is not known: " + shown(name))
		case known == "" && name != "hints" && name != "page_retain_order" && strings.Contains(" "+searchKeys+" ", " "+name+" "):
			return unclear("its params have a setting that belongs outside of them: " + shown(name))
		}
		if known != "" && name == "params" {
			if err := s.tuned(value, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

func restSearch(c *restCall) error {
	at, schema, err := c.resolve()
	if err != nil {
		return err
	}
	s, body, err := restOne(c.out.Body, restSearchMembers, schema)
	if err != nil {
		return err
	}
	c.out.Body = body
	return c.searched(at, schema, s, nil)
}

// searched reads what the whole of a search asks for; parts are the searches that it joins, if it does.
func (c *restCall) searched(at access.Resource, of *schema, s *search, parts []*search) error {
	body := c.out.Body
	list, err := textsOf(body.Get("outputFields"), "outputFields")
	if err != nil {
		return err
	}
	if s.output, err = readOutput(list); err != nil {
		return err
	}
	if s.output.count || s.output.aggregate {
		return unclear("a search cannot count")
	}
	all := append([]*search{s}, parts...)
	attributes := access.Attributes{
		Limit: s.limit, Offset: s.offset, Rows: s.rows(), Fields: s.output.fields(), Vectors: s.output.vectors(of), OrderBy: ordering(s.shapes),
	}
	deepest := s.limit
	for _, one := range all {
		describe(&attributes, one.where, of.key, false)
		attributes.Egress = attributes.Egress || one.egress(of)
		deepest = max(deepest, one.limit)
	}
	if slices.ContainsFunc(parts, func(s *search) bool { return s.where.Empty() }) {
		attributes.Filter = access.FilterNone
	}
	c.does(access.Search, at, attributes)
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		v := &view{at, of, o.Protection}
		filters := o.FiltersOn(at)
		if err := v.searching(all, &score{}, o, deepest, s.rows(), false, len(filters) > 0); err != nil {
			return nil, err
		}
		sent := body
		if names := v.visible(s.output); len(names) > 0 {
			sent = sent.With("outputFields", textList(names))
		}
		if len(filters) == 0 {
			return v.rows(sent, o, all), nil
		}
		if parts == nil {
			narrowed, err := v.narrowed(s.where, filters)
			if err != nil {
				return nil, err
			}
			return v.rows(sent.With("filter", jsonstream.String(narrowed)), o, all), nil
		}
		var items []jsonstream.Value
		for item := range sent.Get("search").Items() {
			narrowed, err := v.narrowed(parts[len(items)].where, filters)
			if err != nil {
				return nil, err
			}
			items = append(items, item.With("filter", jsonstream.String(narrowed)))
		}
		return v.rows(sent.With("search", jsonstream.List(items...)), o, all), nil
	}
	return nil
}

func restHybrid(c *restCall) error {
	at, schema, err := c.resolve()
	if err != nil {
		return err
	}
	list := c.Body.Get("search")
	if list.Kind() != jsonstream.Array || list.Len() == 0 || list.Len() > 1024 {
		return unclear("it joins no searches, or too many")
	}
	var parts []*search
	var items []jsonstream.Value
	vectors, queries := []string{}, int64(0)
	for item := range list.Items() {
		s, read, err := restOne(item, restSubMembers, schema)
		if err != nil {
			return err
		}
		parts, items = append(parts, s), append(items, read)
		vectors, queries = append(vectors, s.vectors...), max(queries, s.queries)
	}
	s := &search{groups: 1, where: &expr.Expr{}, queries: queries, vectors: vectors}
	if s.limit, err = number(c.Body.Get("limit"), "limit", usualLimit); err != nil {
		return err
	}
	if s.limit == 0 {
		s.limit = usualLimit
	}
	if s.offset, err = number(c.Body.Get("offset"), "offset", 0); err != nil {
		return err
	}
	if err := s.grouped(c.Body); err != nil {
		return err
	}
	if rank := c.Body.Get("rerank"); present(rank) {
		strategy, _ := rank.Get("strategy").Text()
		for name := range rank.Members() {
			if name != "strategy" && name != "params" {
				return unclear("its rerank has a member that is not known: " + shown(name))
			}
		}
		if strategy != "rrf" && strategy != "weighted" && strategy != "ws" {
			return unclear("its ranking has a ranker that is not known: " + shown(strategy))
		}
	}
	c.out.Body = c.out.Body.With("search", jsonstream.List(items...)).With("limit", jsonstream.Int(s.limit))
	return c.searched(at, schema, s, parts)
}
