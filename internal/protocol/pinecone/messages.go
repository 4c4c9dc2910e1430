package pinecone

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	pb "github.com/vecgate/vecgate/internal/protocol/pinecone/pineconepb"
)

func (c *rpc) query(m *pb.QueryRequest) error {
	at, err := c.in(m.GetNamespace())
	if err != nil {
		return err
	}
	s := &search{values: m.GetIncludeValues(), metadata: m.GetIncludeMetadata()}
	usual := query{at: at, namespace: m.GetNamespace(), k: int64(m.GetTopK()), id: m.GetId()}
	if usual.filter, err = filterOf(m.GetFilter()); err != nil {
		return err
	}
	batch := m.GetQueries()
	if len(batch) > 0 {
		if len(batch) > 100 || len(m.GetVector()) > 0 || m.GetSparseVector() != nil || usual.id != "" {
			return unclear("it has more than 100 queries, or both queries and a query of its own")
		}
		explicit := proto.CloneOf(m)
		for i, v := range batch {
			q, err := c.one(usual, v)
			if err != nil {
				return err
			}
			s.queries = append(s.queries, q)
			e := explicit.GetQueries()[i]
			e.TopK, e.Namespace = uint32(q.k), q.namespace
			if e.Filter == nil {
				e.Filter = m.GetFilter()
			}
		}
		m, c.out.Message = explicit, explicit
	} else {
		s.queries = []query{usual}
	}
	for i := range s.queries {
		if k := s.queries[i].k; k < 1 || k > maxTopK {
			return unclear(fmt.Sprintf("its top_k is not between 1 and %d", maxTopK))
		}
	}
	c.does(s.accesses()...)
	c.out.Oblige = func(o *access.Obligations) (*grpcwire.Obliged, error) {
		ok, err := s.oblige(o, c.find)
		if err != nil {
			return nil, err
		}
		sent := proto.CloneOf(m)
		sent.IncludeValues = m.GetIncludeValues() && !ok.withhold
		if len(batch) == 0 {
			if sent.Filter, err = structOf(ok.filters[0]); err != nil {
				return nil, err
			}
		}
		for i, q := range sent.GetQueries() {
			if q.Filter, err = structOf(ok.filters[i]); err != nil {
				return nil, err
			}
		}
		resources := make([]access.Resource, len(s.queries))
		for i := range s.queries {
			resources[i] = s.queries[i].at
		}
		cover := covering(o.Protection, resources)
		return &grpcwire.Obliged{Message: sent, Filtered: true, Check: ok.check, Rows: o.Rows, Mute: mute(o, at), Mask: func(h *mask.Hider, m proto.Message) (int64, error) {
			answer, ok := m.(*pb.QueryResponse)
			if !ok {
				return 0, errAnswer
			}
			rows := int64(0)
			for _, list := range append(answer.GetResults(), &pb.SingleQueryResults{Matches: answer.GetMatches()}) {
				for _, match := range list.GetMatches() {
					cover.scored(h, match)
					rows++
				}
			}
			return rows, nil
		}}, nil
	}
	return nil
}

// one reads a query of the deprecated batch: what it does not say, it takes from the request.
func (c *rpc) one(q query, v *pb.QueryVector) (query, error) {
	var err error
	if v.GetTopK() > 0 {
		q.k = int64(v.GetTopK())
	}
	if v.GetNamespace() != "" {
		q.namespace = v.GetNamespace()
		if q.at, err = c.in(q.namespace); err != nil {
			return q, err
		}
	}
	if v.GetFilter() != nil {
		q.filter, err = filterOf(v.GetFilter())
	}
	return q, err
}

func (c *rpc) upsert(m *pb.UpsertRequest) error {
	at, err := c.in(m.GetNamespace())
	if err != nil {
		return err
	}
	w := &writing{at: at, namespace: m.GetNamespace(), vectors: true}
	for _, v := range m.GetVectors() {
		if v.GetId() == "" {
			return unclear("one of its vectors has no id")
		}
		w.ids, w.records = append(w.ids, v.GetId()), append(w.records, recordIn(v.GetMetadata()))
	}
	c.does(w.access())
	c.out.Oblige = func(o *access.Obligations) (*grpcwire.Obliged, error) {
		check, err := w.oblige(o, c.find)
		if err != nil {
			return nil, err
		}
		return &grpcwire.Obliged{Filtered: true, Check: check, Mute: mute(o, at)}, nil
	}
	return nil
}

func (c *rpc) update(m *pb.UpdateRequest) error {
	at, err := c.in(m.GetNamespace())
	if err != nil {
		return err
	}
	s := &selection{at: at, namespace: m.GetNamespace()}
	if m.GetId() != "" {
		s.ids = []string{m.GetId()}
	}
	if s.filter, err = filterOf(m.GetFilter()); err != nil {
		return err
	}
	if (m.GetId() == "") == (s.filter == nil) || m.GetDryRun() && s.filter == nil {
		return unclear("it names neither a record nor a filter, or both, or tries out a change of a record that is named")
	}
	s.all = s.filter != nil && len(s.filter.all) == 0
	c.does(s.updates(len(m.GetValues()) > 0 || m.GetSparseValues() != nil, m.GetDryRun())...)
	c.out.Oblige = func(o *access.Obligations) (*grpcwire.Obliged, error) {
		ok, err := s.reaches(o, c.find)
		if err != nil {
			return nil, err
		}
		set := m.GetSetMetadata()
		if err := keeps(recordIn(set), func(field string) bool { return set.GetFields()[field] != nil }, o.FiltersOn(at), at); err != nil {
			return nil, err
		}
		sent := proto.CloneOf(m)
		if filter, err := structOf(first(ok.filters)); err != nil {
			return nil, err
		} else if filter != nil {
			sent.Filter = filter
		}
		return &grpcwire.Obliged{Message: sent, Filtered: true, Check: ok.check, Mute: mute(o, at)}, nil
	}
	return nil
}

func (c *rpc) delete(m *pb.DeleteRequest) error {
	at, err := c.in(m.GetNamespace())
	if err != nil {
		return err
	}
	s := &selection{at: at, namespace: m.GetNamespace(), ids: m.GetIds(), all: m.GetDeleteAll()}
	if s.filter, err = filterOf(m.GetFilter()); err != nil {
		return err
	}
	if len(s.ids) > 0 && (s.all || s.filter != nil) || s.all && s.filter != nil {
		return unclear("it names records in more than one way")
	}
	c.does(s.deletes())
	c.out.Oblige = func(o *access.Obligations) (*grpcwire.Obliged, error) {
		ok, err := s.reaches(o, c.find)
		if err != nil {
			return nil, err
		}
		sent := proto.CloneOf(m)
		if filter, err := structOf(first(ok.filters)); err != nil {
			return nil, err
		} else if filter != nil {
			sent.Filter = filter
		}
		return &grpcwire.Obliged{Message: sent, Filtered: true, Check: ok.check, Mute: mute(o, at)}, nil
	}
	return nil
}

func (c *rpc) fetch(m *pb.FetchRequest) error {
	at, err := c.in(m.GetNamespace())
	if err != nil {
		return err
	}
	if len(m.GetIds()) == 0 {
		return unclear("it names no ids")
	}
	s := &selection{at: at, namespace: m.GetNamespace(), ids: m.GetIds()}
	attributes := s.fetches()
	c.does(access.Access{Action: access.Fetch, Resource: at, Attributes: attributes})
	c.out.Oblige = func(o *access.Obligations) (*grpcwire.Obliged, error) {
		if err := unnamed(o.Protection, at); err != nil {
			return nil, err
		}
		if o.Rows > 0 && attributes.Rows > o.Rows {
			return nil, tooMany(o.Rows, attributes.Rows, "name fewer ids")
		}
		cover, rules := covering(o.Protection, []access.Resource{at}), o.FiltersOn(at)
		return &grpcwire.Obliged{Filtered: true, Rows: o.Rows, Mute: mute(o, at), Mask: func(h *mask.Hider, m proto.Message) (int64, error) {
			answer, ok := m.(*pb.FetchResponse)
			if !ok {
				return 0, errAnswer
			}
			ownVectors(answer.GetVectors(), rules)
			return cover.vectors(h, answer.GetVectors()), nil
		}}, nil
	}
	return nil
}

// ownVectors leaves out of an answer what is not the caller's own.
func ownVectors(all map[string]*pb.Vector, rules []access.FilterRule) {
	for id, v := range all {
		if !may(recordIn(v.GetMetadata()), rules) {
			delete(all, id)
		}
	}
}

func (c *rpc) scroll(m *pb.FetchByMetadataRequest) error {
	at, err := c.in(m.GetNamespace())
	if err != nil {
		return err
	}
	filter, err := filterOf(m.GetFilter())
	if err != nil {
		return err
	}
	p := page{limit: access.Unbounded, cursor: m.GetPaginationToken() != ""}
	if m.Limit != nil {
		p.limit = int64(m.GetLimit())
	}
	c.does(p.scrolls(at, filter))
	c.out.Oblige = func(o *access.Obligations) (*grpcwire.Obliged, error) {
		if err := filter.oblige(o.Protection, at); err != nil {
			return nil, err
		}
		if err := noKeys(o.Protection, at); err != nil {
			return nil, err
		}
		limit, err := p.oblige(o)
		if err != nil {
			return nil, err
		}
		sent := proto.CloneOf(m)
		if limit != p.limit {
			sent.Limit = new(uint32(limit))
		}
		rules := o.FiltersOn(at)
		if sent.Filter, err = structOf(filter.narrowed(rules)); err != nil {
			return nil, err
		}
		cover := covering(o.Protection, []access.Resource{at})
		return &grpcwire.Obliged{Message: sent, Filtered: true, Rows: o.Rows, Mute: mute(o, at), Mask: func(h *mask.Hider, m proto.Message) (int64, error) {
			answer, ok := m.(*pb.FetchByMetadataResponse)
			if !ok {
				return 0, errAnswer
			}
			ownVectors(answer.GetVectors(), rules)
			return cover.vectors(h, answer.GetVectors()), nil
		}}, nil
	}
	return nil
}

func (c *rpc) list(m *pb.ListRequest) error {
	at, err := c.in(m.GetNamespace())
	if err != nil {
		return err
	}
	p := page{limit: access.Unbounded, cursor: m.GetPaginationToken() != ""}
	if m.Limit != nil {
		p.limit = int64(m.GetLimit())
	}
	c.does(p.lists(at, m.GetPrefix()))
	c.out.Oblige = func(o *access.Obligations) (*grpcwire.Obliged, error) {
		if err := noKeys(o.Protection, at); err != nil {
			return nil, err
		}
		limit, err := p.oblige(o)
		if err != nil {
			return nil, err
		}
		sent := proto.CloneOf(m)
		if limit != p.limit {
			sent.Limit = new(uint32(limit))
		}
		return &grpcwire.Obliged{Message: sent, Rows: o.Rows, Mute: mute(o, at), Mask: func(_ *mask.Hider, m proto.Message) (int64, error) {
			answer, ok := m.(*pb.ListResponse)
			if !ok {
				return 0, errAnswer
			}
			return int64(len(answer.GetVectors())), nil
		}}, nil
	}
	return nil
}

func (c *rpc) stats(m *pb.DescribeIndexStatsRequest) error {
	w, err := filterOf(m.GetFilter())
	if err != nil {
		return err
	}
	attributes := access.Attributes{Rows: 1}
	w.describe(&attributes)
	at := c.whole()
	c.does(access.Access{Action: access.Count, Resource: at, Attributes: attributes})
	c.out.Oblige = func(o *access.Obligations) (*grpcwire.Obliged, error) {
		return &grpcwire.Obliged{Mute: mute(o, at)}, uncounted(w, o, at)
	}
	return nil
}

func (c *rpc) namespaces() error {
	at := c.whole()
	c.does(access.Access{Action: access.TenantRead, Resource: at})
	c.out.Oblige = func(o *access.Obligations) (*grpcwire.Obliged, error) {
		uncounted := len(o.FiltersOn(at)) > 0
		return &grpcwire.Obliged{Mask: func(_ *mask.Hider, m proto.Message) (int64, error) {
			answer, ok := m.(*pb.ListNamespacesResponse)
			if !ok {
				return 0, errAnswer
			}
			var kept []*pb.NamespaceDescription
			for _, n := range answer.GetNamespaces() {
				if readsIn(c.May, c.place, n.GetName()) {
					if uncounted {
						n.RecordCount = 0
					}
					kept = append(kept, n)
				}
			}
			answer.Namespaces = kept
			answer.TotalCount = min(answer.GetTotalCount(), int32(len(kept)))
			return int64(len(kept)), nil
		}}, nil
	}
	return nil
}

func (c *rpc) describe(m *pb.DescribeNamespaceRequest) error {
	at, err := c.in(m.GetNamespace())
	if err != nil {
		return err
	}
	c.does(access.Access{Action: access.TenantRead, Resource: at})
	c.out.Oblige = func(o *access.Obligations) (*grpcwire.Obliged, error) {
		uncounted := len(o.FiltersOn(at)) > 0
		return &grpcwire.Obliged{Mask: func(_ *mask.Hider, m proto.Message) (int64, error) {
			answer, ok := m.(*pb.NamespaceDescription)
			if !ok {
				return 0, errAnswer
			}
			if uncounted {
				answer.RecordCount = 0
			}
			return 0, nil
		}}, nil
	}
	return nil
}

func (c *rpc) create(m *pb.CreateNamespaceRequest) error {
	if m.GetName() == "" {
		return unclear("its name is not a name")
	}
	at, err := c.in(m.GetName())
	if err != nil {
		return err
	}
	c.does(access.Access{Action: access.TenantCreate, Resource: at})
	return nil
}

func (c *rpc) drop(m *pb.DeleteNamespaceRequest) error {
	at, err := c.in(m.GetNamespace())
	if err != nil {
		return err
	}
	c.does(dropped(at)...)
	return nil
}
