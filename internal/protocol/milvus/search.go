//lint:file-ignore SA1019 some fields are deprecated: clients still can send them.

package milvus

import (
	"fmt"
	"slices"
	"strings"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"google.golang.org/protobuf/proto"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
	"github.com/vecgate/vecgate/internal/protocol/milvus/expr"
)

// search is one search of a request: by itself, or one of those that a hybrid search joins.
type search struct {
	where   *expr.Expr
	output  *output
	limit   int64 // of nearest points for each query
	offset  int64
	queries int64
	groups  int64    // points for each group, 1 without groups
	cursor  bool     // it goes on where another one ended
	bounded bool     // it says how near points must be
	stored  bool     // its queries are the vectors of stored points
	text    bool     // its queries are texts, of which the server makes vectors
	shapes  []shape  // fields that group or order the answer
	vectors []string // the columns that may be searched
}

// shape is a field's part in which points come back, and in which order.
type shape struct {
	path string
	what string
}

func (s *search) rows() int64 { return s.queries * s.limit * s.groups }

// egress says whether the server would ask a model elsewhere.
func (s *search) egress(of *schema) bool {
	return s.text && slices.ContainsFunc(s.vectors, func(name string) bool {
		col := of.columns[name]
		return col == nil || col.remote
	})
}

func readSearch(c *call) error {
	m, ok := c.Message.(*milvuspb.SearchRequest)
	if !ok {
		return unclear("it is no search")
	}
	at, schema, err := c.resolve()
	if err != nil {
		return err
	}
	s, err := readOne(m, schema)
	if err != nil {
		return err
	}
	score, err := readScore(m.GetFunctionScore())
	if err != nil {
		return err
	}
	s.shapes = append(s.shapes, score.shapes...)
	attributes := access.Attributes{
		Limit: s.limit, Offset: s.offset, Rows: s.rows(), Fields: s.output.fields(), Vectors: s.output.vectors(schema), Cursor: s.cursor,
		Egress: s.egress(schema) || score.egress, OrderBy: ordering(s.shapes),
	}
	if m.GetIds() != nil {
		attributes.IDs, _ = idTexts(m.GetIds())
	}
	describe(&attributes, s.where, schema.key, false)
	c.does(access.Search, at, attributes)
	marked := m.GetHighlighter() != nil
	c.out.Oblige = func(o *access.Obligations) (*grpcwire.Obliged, error) {
		v := &view{at, schema, o.Protection}
		filters := o.FiltersOn(at)
		if err := v.searching([]*search{s}, score, o, s.limit, s.rows(), marked, len(filters) > 0); err != nil {
			return nil, err
		}
		sent := shallow(m)
		if sent.Dsl, err = v.narrowed(s.where, filters); err != nil {
			return nil, err
		}
		sent.DslType = commonpb.DslType_BoolExprV1
		sent.OutputFields = v.visible(s.output)
		return v.searched(sent, []*search{s}, o), nil
	}
	return nil
}

// readOne reads a search, and what it has to say of itself.
func readOne(m *milvuspb.SearchRequest, of *schema) (*search, error) {
	s := &search{groups: 1}
	var err error
	switch {
	case m.GetDslType() != commonpb.DslType_BoolExprV1 && m.GetDsl() != "":
		return nil, unclear("its filter is in the language of Milvus 1")
	case len(m.GetSubReqs()) > 0 || m.GetSearchByPrimaryKeys():
		return nil, unclear("it is of a form that only Milvus' own servers use")
	case m.GetTravelTimestamp() != 0:
		return nil, unclear("it asks for the past")
	}
	if s.where, err = where(m.GetDsl()); err != nil {
		return nil, err
	}
	m.Dsl = s.where.String()
	if s.output, err = readOutput(m.GetOutputFields()); err != nil {
		return nil, err
	}
	if s.output.count || s.output.aggregate {
		return nil, unclear("a search cannot count")
	}
	p, err := readParams(m.GetSearchParams(), searchKeys)
	if err != nil {
		return nil, err
	}
	if err := s.settings(p, of); err != nil {
		return nil, err
	}
	m.SearchParams = p.pairs(m.GetSearchParams())
	return s, s.input(m)
}

// settings reads how many points are asked for, of which vectors, and what shapes the answer.
func (s *search) settings(p params, of *schema) error {
	_, topk := p["topk"]
	_, limit := p["limit"]
	if topk && limit {
		return unclear("it has both a topk and a limit")
	}
	k, err := p.number("topk", access.Unbounded)
	if err == nil && limit {
		k, err = p.number("limit", access.Unbounded)
	}
	if err != nil {
		return err
	}
	if k == access.Unbounded {
		return unclear("it does not say how many nearest points it asks for")
	}
	batch, err := p.number("search_iter_batch_size", 0)
	if err != nil {
		return err
	}
	s.limit = max(k, batch)
	if s.offset, err = p.number("offset", 0); err != nil {
		return err
	}
	if s.groups, err = p.number("group_size", 1); err != nil {
		return err
	}
	s.groups = max(s.groups, 1)
	if id, err := p.number("collection_id", 0); err != nil || id != 0 && id != of.id {
		return unclear("its collection is named by a number that is not that of the name")
	}
	inner, err := p.inner()
	if err != nil {
		return err
	}
	for _, name := range []string{"radius", "range_filter", "search_iter_last_bound"} {
		_, outside := p[name]
		s.bounded = s.bounded || outside || inner.Get(name).Kind() != jsonstream.None
	}
	s.cursor = p["search_iter_v2"] != "" || p["iterator"] != ""
	if err := s.shaped(p); err != nil {
		return err
	}
	name, err := p.name("anns_field")
	if err != nil {
		return err
	}
	if s.vectors = of.vectors(); name != "" {
		path, err := onePathOrStruct(name)
		if err != nil {
			return err
		}
		s.vectors = []string{path}
	}
	return nil
}

func onePathOrStruct(name string) (string, error) {
	if m := structForm.FindStringSubmatch(name); m != nil {
		return m[1] + "." + m[2], nil
	}
	return onePath(name, "searched field")
}

// shaped reads by which fields the answer is grouped and ordered.
func (s *search) shaped(p params) error {
	group, err := p.name("group_by_field")
	if err != nil {
		return err
	}
	if group != "" {
		path, err := onePath(group, "group")
		if err != nil {
			return err
		}
		if pointer := strings.Trim(p["json_path"], `"/`); pointer != "" {
			path = columnOf(path) // what a pointer means depends on the server: all of the column
		}
		s.shapes = append(s.shapes, shape{path, "group"})
	} else if p["json_path"] != "" {
		return unclear("it has a json_path without a group")
	}
	order, err := p.name("order_by_fields")
	if err != nil {
		return err
	}
	shapes, err := ordered(order)
	s.shapes = append(s.shapes, shapes...)
	return err
}

// ordered reads a list of fields by which an answer is ordered.
func ordered(list string) ([]shape, error) {
	var all []shape
	if list == "" {
		return nil, nil
	}
	for _, item := range strings.Split(list, ",") {
		name, direction, _ := strings.Cut(strings.TrimSpace(item), ":")
		switch direction {
		case "", "asc", "desc":
		default:
			return nil, unclear("the order of its answer could not be read")
		}
		path, err := onePath(name, "order")
		if err != nil {
			return nil, err
		}
		all = append(all, shape{path, "order"})
	}
	return all, nil
}

func ordering(shapes []shape) []string {
	var all []string
	for _, s := range shapes {
		all = append(all, s.path)
	}
	return all
}

// input reads what is searched for: vectors, texts, or the vectors of stored points.
func (s *search) input(m *milvuspb.SearchRequest) error {
	if ids := m.GetIds(); ids != nil {
		texts, n := idTexts(ids)
		s.stored, s.queries = true, max(n, int64(len(texts)), m.GetNq())
		return nil
	}
	group := &commonpb.PlaceholderGroup{}
	if err := strict(m.GetPlaceholderGroup(), group, "searched vectors"); err != nil {
		return err
	}
	if len(group.GetPlaceholders()) != 1 {
		return unclear("it does not have one list of searched vectors")
	}
	list := group.GetPlaceholders()[0]
	s.queries = max(int64(len(list.GetValues())), m.GetNq())
	switch list.GetType() {
	case commonpb.PlaceholderType_VarChar:
		s.text = true
	case commonpb.PlaceholderType_None, commonpb.PlaceholderType_Int64:
		return unclear("what it searches for is not known")
	}
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(group)
	if err != nil {
		return unclear("its searched vectors could not be written")
	}
	m.SearchInput = &milvuspb.SearchRequest_PlaceholderGroup{PlaceholderGroup: text}
	return nil
}

// idTexts are some of the ids, and how many there are.
func idTexts(ids *schemapb.IDs) (some []string, n int64) {
	if list := ids.GetStrId(); list != nil {
		return list.GetData()[:min(len(list.GetData()), mostIDs)], int64(len(list.GetData()))
	}
	for _, id := range ids.GetIntId().GetData() {
		if n++; n <= mostIDs {
			some = append(some, fmt.Sprint(id))
		}
	}
	return some, n
}

// score is how an answer is ranked anew.
type score struct {
	shapes     []shape
	conditions []*expr.Expr
	egress     bool
}

// readScore reads functions that rank an answer anew. What they look at shapes the answer.
func readScore(m *schemapb.FunctionScore) (*score, error) {
	s := &score{}
	for _, f := range m.GetFunctions() {
		if f.GetType() != schemapb.FunctionType_Rerank {
			return nil, unclear("its ranking has a function that is not known")
		}
		for _, name := range f.GetInputFieldNames() {
			path, err := onePath(name, "ranking")
			if err != nil {
				return nil, err
			}
			s.shapes = append(s.shapes, shape{path, "ranking"})
		}
		ranker := ""
		for _, pair := range f.GetParams() {
			switch pair.GetKey() {
			case "reranker", "strategy":
				if ranker != "" {
					return nil, unclear("its ranking names two rankers")
				}
				ranker = pair.GetValue()
			case "filter":
				e, err := where(pair.GetValue())
				if err != nil {
					return nil, err
				}
				pair.Value = e.String()
				s.conditions = append(s.conditions, e)
			}
		}
		switch ranker {
		case "rrf", "weighted", "decay", "boost":
		case "model":
			s.egress = true
		default:
			return nil, unclear("its ranking has a ranker that is not known: " + shown(ranker))
		}
	}
	return s, nil
}

// searching refuses a search that cannot be obliged. marked says that the answer is to show where words were found.
func (v *view) searching(all []*search, sc *score, o *access.Obligations, k, rows int64, marked, filtered bool) error {
	for _, s := range all {
		if err := v.conditions(s.where); err != nil {
			return err
		}
		for _, shape := range s.shapes {
			if err := v.shaping(shape.path, shape.what, false); err != nil {
				return err
			}
		}
		if filtered && s.stored {
			return &access.Refusal{
				Code: access.CodeObligation, Rule: o.FiltersOn(v.at)[0].Rule, Message: "a search of " + v.at.String() + " may not take the vectors of stored points for its own, because they need not be yours",
				Hint: "search for the vectors themselves",
			}
		}
		for _, name := range s.vectors {
			if col := v.schema.columns[name]; col != nil {
				for _, text := range col.words {
					if err := v.shaping(text, "search for words", false); err != nil {
						return err
					}
				}
			}
			t := v.vector(name)
			switch {
			case t.Mask == access.MaskNone:
			case t.Predicates == "deny" || t.Predicates == "equality":
				return &access.Refusal{Code: access.CodeObligation, Rule: t.Rule, Message: "the vectors of " + v.at.String() + " are hidden, so they may not be searched"}
			case s.bounded && t.Distance != "allow":
				return &access.Refusal{
					Code: access.CodeObligation, Rule: t.Rule, Message: "the distances of the vectors of " + v.at.String() + " are hidden, so a search may not be bounded by them",
					Hint: "leave radius, range_filter and iterators out; page with limit and offset",
				}
			}
		}
	}
	for _, shape := range sc.shapes {
		if err := v.shaping(shape.path, shape.what, false); err != nil {
			return err
		}
	}
	for _, e := range sc.conditions {
		if err := v.conditions(e); err != nil {
			return err
		}
	}
	switch {
	case marked && v.any():
		return &access.Refusal{
			Code: access.CodeObligation, Message: "fields of " + v.at.String() + " are hidden, so no passages of texts may be shown", Hint: "leave the highlighter out",
		}
	case o.TopK > 0 && k > o.TopK:
		return &access.Refusal{
			Code: access.CodeLimit, Message: fmt.Sprintf("a search of %s may ask for the %d nearest at most", v.at, o.TopK), Hint: fmt.Sprintf("ask for a limit of %d or less", o.TopK),
		}
	case o.Rows > 0 && rows > o.Rows:
		return tooMany(o.Rows, rows, "ask for a smaller limit, or search for fewer vectors at once")
	}
	return nil
}

// vector is what happens to a vector column, also when the schema is not known to have it.
func (v *view) vector(name string) access.Treatment {
	if t := v.field(name); t.Mask != access.MaskNone {
		return t
	}
	return v.p.Field(v.at, name, true)
}

func tooMany(may, asks int64, hint string) *access.Refusal {
	return &access.Refusal{
		Code: access.CodeLimit, Message: fmt.Sprintf("a request may return %d points at most here, and this one asks for %d", may, asks), Hint: hint,
	}
}

// searched is how a search is sent and answered.
func (v *view) searched(sent proto.Message, all []*search, o *access.Obligations) *grpcwire.Obliged {
	groups := []string{}
	for _, s := range all {
		for _, shape := range s.shapes {
			if shape.what == "group" {
				groups = append(groups, shape.path)
			}
		}
	}
	distance := v.distances(all)
	return &grpcwire.Obliged{
		Message: sent, Filtered: true, Rows: o.Rows, Mute: v.any(),
		Mask: func(h *mask.Hider, m proto.Message) (int64, error) {
			answer, ok := m.(*milvuspb.SearchResults)
			if !ok {
				return 0, fmt.Errorf("milvus: the answer of a search is a %T", m)
			}
			return (&masker{view: v, hider: h}).searched(answer, groups, distance)
		},
	}
}

// distances is what happens to the distances of an answer: the strictest of what its vectors ask for.
func (v *view) distances(all []*search) access.Treatment {
	var worst access.Treatment
	for _, s := range all {
		for _, name := range s.vectors {
			t := v.vector(name)
			switch {
			case t.Mask == access.MaskNone || t.Distance == "allow":
			case t.Distance == "deny":
				worst = access.Treatment{Mask: access.MaskNull, Rule: t.Rule}
			case worst.Mask == access.MaskNone:
				worst = access.Treatment{Mask: access.MaskRound, Rule: t.Rule}
			}
		}
		if len(s.vectors) == 0 {
			if t := v.p.Field(v.at, "", true); t.Mask != access.MaskNone && t.Distance != "allow" {
				worst = access.Treatment{Mask: access.MaskNull, Rule: t.Rule} // which vectors were searched is not known
			}
		}
	}
	return worst
}

func readHybrid(c *call) error {
	m, ok := c.Message.(*milvuspb.HybridSearchRequest)
	if !ok {
		return unclear("it is no search")
	}
	at, schema, err := c.resolve()
	if err != nil {
		return err
	}
	if m.GetTravelTimestamp() != 0 {
		return unclear("it asks for the past")
	}
	whole := &search{groups: 1, where: &expr.Expr{}}
	if whole.output, err = readOutput(m.GetOutputFields()); err != nil {
		return err
	}
	if whole.output.count || whole.output.aggregate {
		return unclear("a search cannot count")
	}
	if len(m.GetRequests()) == 0 || len(m.GetRequests()) > 1024 {
		return unclear("it joins no searches, or too many")
	}
	all := []*search{}
	attributes := access.Attributes{}
	deepest := int64(0)
	for _, r := range m.GetRequests() {
		if r == nil {
			return unclear("one of its searches is none")
		}
		if name := r.GetCollectionName(); name != "" && name != schema.name {
			if other, err := c.describe(name); err != nil || other.name != schema.name {
				return unclear("one of its searches is of another collection")
			}
		}
		if r.GetDbName() != "" && r.GetDbName() != c.db {
			return unclear("one of its searches is of another database")
		}
		if r.GetHighlighter() != nil || r.GetFunctionScore() != nil {
			return unclear("one of its searches ranks or marks by itself")
		}
		r.Base, r.DbName, r.CollectionName = nil, c.db, schema.name
		s, err := readOne(r, schema)
		if err != nil {
			return err
		}
		describe(&attributes, s.where, schema.key, false)
		attributes.Egress = attributes.Egress || s.egress(schema)
		deepest = max(deepest, s.limit)
		whole.queries = max(whole.queries, s.queries)
		all = append(all, s)
	}
	if slices.ContainsFunc(all, func(s *search) bool { return s.where.Empty() }) {
		attributes.Filter = access.FilterNone
	}
	p, err := readParams(m.GetRankParams(), rankKeys)
	if err != nil {
		return err
	}
	if _, err := p.inner(); err != nil {
		return err
	}
	if whole.limit, err = p.number("limit", deepest); err != nil {
		return err
	}
	if whole.offset, err = p.number("offset", 0); err != nil {
		return err
	}
	if whole.groups, err = p.number("group_size", 1); err != nil {
		return err
	}
	whole.groups = max(whole.groups, 1)
	if err := whole.shaped(p); err != nil {
		return err
	}
	if strategy, err := p.name("strategy"); err != nil || strategy != "" && strategy != "rrf" && strategy != "weighted" {
		return unclear("its ranking has a ranker that is not known: " + shown(strategy))
	}
	m.RankParams = p.pairs(m.GetRankParams())
	score, err := readScore(m.GetFunctionScore())
	if err != nil {
		return err
	}
	whole.vectors = []string{}
	for _, s := range all {
		whole.vectors = append(whole.vectors, s.vectors...)
	}
	attributes.Limit, attributes.Offset, attributes.Rows = whole.limit, whole.offset, whole.rows()
	attributes.Fields, attributes.Vectors, attributes.OrderBy = whole.output.fields(), whole.output.vectors(schema), ordering(append(slices.Clone(whole.shapes), score.shapes...))
	attributes.Egress = attributes.Egress || score.egress
	c.does(access.Search, at, attributes)
	c.out.Oblige = func(o *access.Obligations) (*grpcwire.Obliged, error) {
		v := &view{at, schema, o.Protection}
		filters := o.FiltersOn(at)
		if err := v.searching(append([]*search{whole}, all...), score, o, max(whole.limit, deepest), whole.rows(), false, len(filters) > 0); err != nil {
			return nil, err
		}
		sent := shallow(m)
		sent.OutputFields = v.visible(whole.output)
		sent.Requests = make([]*milvuspb.SearchRequest, len(all))
		for i, s := range all {
			one := shallow(m.GetRequests()[i])
			if one.Dsl, err = v.narrowed(s.where, filters); err != nil {
				return nil, err
			}
			one.DslType = commonpb.DslType_BoolExprV1
			one.OutputFields = v.visible(s.output)
			sent.Requests[i] = one
		}
		return v.searched(sent, append([]*search{whole}, all...), o), nil
	}
	return nil
}

// readDistance reads a computation of distances, some of them from stored vectors.
func readDistance(c *call) error {
	m, ok := c.Message.(*milvuspb.CalcDistanceRequest)
	if !ok {
		return unclear("it is no computation of distances")
	}
	var named []*schema
	for _, side := range []*milvuspb.VectorsArray{m.GetOpLeft(), m.GetOpRight()} {
		ids := side.GetIdArray()
		if ids == nil {
			continue
		}
		s, err := c.describe(ids.GetCollectionName())
		if err != nil {
			return err
		}
		ids.CollectionName = s.name
		some, n := idTexts(ids.GetIdArray())
		c.does(access.Search, c.collection(s.name), access.Attributes{IDs: some, Limit: access.Unbounded, Rows: n, Fields: []string{ids.GetFieldName()}})
		named = append(named, s)
	}
	if len(named) == 0 {
		c.out.Free = true
		return nil
	}
	c.out.Oblige = func(o *access.Obligations) (*grpcwire.Obliged, error) {
		for _, s := range named {
			v := &view{c.collection(s.name), s, o.Protection}
			if v.any() || len(o.FiltersOn(v.at)) > 0 {
				return nil, &access.Refusal{
					Code: access.CodeObligation, Message: "distances from stored vectors of " + v.at.String() + " may not be computed by who may not see all of it", Hint: "search instead",
				}
			}
		}
		return &grpcwire.Obliged{Filtered: true}, nil
	}
	return nil
}
