package standin

import (
	"context"
	"maps"
	"slices"

	pb "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// service is the gRPC interface. REST calls its methods too.
type service struct {
	pb.UnimplementedPointsServer
	*store
}

// Of the other services.
type collections struct {
	pb.UnimplementedCollectionsServer
	*store
}

type health struct{ pb.UnimplementedQdrantServer }

// Version is what it says it is.
const Version = "1.17.1"

func (health) HealthCheck(context.Context, *pb.HealthCheckRequest) (*pb.HealthCheckReply, error) {
	return &pb.HealthCheckReply{Title: "stand-in for qdrant", Version: Version}, nil
}

// with finds a collection under the lock.
func with[R any](s *store, name string, do func(*collection) (R, error)) (R, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.find(name)
	if err != nil {
		var none R
		return none, err
	}
	return do(c)
}

func (s collections) Create(_ context.Context, m *pb.CreateCollection) (*pb.CollectionOperationResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.known[m.GetCollectionName()]; ok {
		return nil, status.Errorf(codes.AlreadyExists, "Wrong input: Collection `%s` already exists!", m.GetCollectionName())
	}
	s.known[m.GetCollectionName()] = &collection{config: proto.CloneOf(m), points: map[string]*pb.PointStruct{}, index: map[string]pb.FieldType{}}
	return &pb.CollectionOperationResponse{Result: true}, nil
}

func (s collections) Update(_ context.Context, m *pb.UpdateCollection) (*pb.CollectionOperationResponse, error) {
	return with(s.store, m.GetCollectionName(), func(*collection) (*pb.CollectionOperationResponse, error) {
		return &pb.CollectionOperationResponse{Result: true}, nil
	})
}

func (s collections) Delete(_ context.Context, m *pb.DeleteCollection) (*pb.CollectionOperationResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.known[m.GetCollectionName()]
	delete(s.known, m.GetCollectionName())
	maps.DeleteFunc(s.aliases, func(_, to string) bool { return to == m.GetCollectionName() })
	return &pb.CollectionOperationResponse{Result: ok}, nil
}

func (s collections) List(ctx context.Context, _ *pb.ListCollectionsRequest) (*pb.ListCollectionsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &pb.ListCollectionsResponse{}
	for _, name := range slices.Sorted(maps.Keys(s.known)) {
		if lists(ctx, name) {
			r.Collections = append(r.Collections, &pb.CollectionDescription{Name: name})
		}
	}
	return r, nil
}

func (s collections) CollectionExists(_ context.Context, m *pb.CollectionExistsRequest) (*pb.CollectionExistsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.find(m.GetCollectionName())
	return &pb.CollectionExistsResponse{Result: &pb.CollectionExists{Exists: err == nil}}, nil
}

func (s collections) Get(_ context.Context, m *pb.GetCollectionInfoRequest) (*pb.GetCollectionInfoResponse, error) {
	return with(s.store, m.GetCollectionName(), func(c *collection) (*pb.GetCollectionInfoResponse, error) {
		n := uint64(len(c.points))
		info := &pb.CollectionInfo{
			Status: pb.CollectionStatus_Green, OptimizerStatus: &pb.OptimizerStatus{Ok: true}, SegmentsCount: 1, PointsCount: &n, IndexedVectorsCount: new(uint64),
			Config: &pb.CollectionConfig{
				Params:     &pb.CollectionParams{ShardNumber: 1, VectorsConfig: c.config.GetVectorsConfig(), OnDiskPayload: true},
				HnswConfig: &pb.HnswConfigDiff{M: pb.PtrOf(uint64(16)), EfConstruct: pb.PtrOf(uint64(100)), FullScanThreshold: pb.PtrOf(uint64(10000)), MaxIndexingThreads: pb.PtrOf(uint64(0))},
				OptimizerConfig: &pb.OptimizersConfigDiff{
					DeletedThreshold: pb.PtrOf(0.2), VacuumMinVectorNumber: pb.PtrOf(uint64(1000)), DefaultSegmentNumber: pb.PtrOf(uint64(0)), FlushIntervalSec: pb.PtrOf(uint64(5)),
				},
				WalConfig: &pb.WalConfigDiff{WalCapacityMb: pb.PtrOf(uint64(32)), WalSegmentsAhead: pb.PtrOf(uint64(0))},
			},
			PayloadSchema: map[string]*pb.PayloadSchemaInfo{},
		}
		for key, kind := range c.index {
			with := uint64(0)
			for _, p := range c.points {
				if len(at(p.Payload, key)) > 0 {
					with++
				}
			}
			schema := pb.PayloadSchemaType_Keyword
			if kind == pb.FieldType_FieldTypeInteger {
				schema = pb.PayloadSchemaType_Integer
			}
			info.PayloadSchema[key] = &pb.PayloadSchemaInfo{DataType: schema, Points: &with}
		}
		return &pb.GetCollectionInfoResponse{Result: info}, nil
	})
}

func (s collections) UpdateAliases(_ context.Context, m *pb.ChangeAliases) (*pb.CollectionOperationResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range m.GetActions() {
		switch a := a.GetAction().(type) {
		case *pb.AliasOperations_CreateAlias:
			if _, ok := s.known[a.CreateAlias.GetCollectionName()]; !ok {
				return nil, missing(a.CreateAlias.GetCollectionName())
			}
			s.aliases[a.CreateAlias.GetAliasName()] = a.CreateAlias.GetCollectionName()
		case *pb.AliasOperations_DeleteAlias:
			delete(s.aliases, a.DeleteAlias.GetAliasName())
		case *pb.AliasOperations_RenameAlias:
			s.aliases[a.RenameAlias.GetNewAliasName()] = s.aliases[a.RenameAlias.GetOldAliasName()]
			delete(s.aliases, a.RenameAlias.GetOldAliasName())
		}
	}
	return &pb.CollectionOperationResponse{Result: true}, nil
}

func (s collections) ListAliases(ctx context.Context, _ *pb.ListAliasesRequest) (*pb.ListAliasesResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &pb.ListAliasesResponse{}
	for _, name := range slices.Sorted(maps.Keys(s.aliases)) {
		if lists(ctx, s.aliases[name]) {
			r.Aliases = append(r.Aliases, &pb.AliasDescription{AliasName: name, CollectionName: s.aliases[name]})
		}
	}
	return r, nil
}

func (s collections) ListCollectionAliases(ctx context.Context, m *pb.ListCollectionAliasesRequest) (*pb.ListAliasesResponse, error) {
	r, err := s.ListAliases(ctx, nil)
	if err == nil {
		r.Aliases = slices.DeleteFunc(r.Aliases, func(a *pb.AliasDescription) bool { return a.CollectionName != m.GetCollectionName() })
	}
	return r, err
}

// done carries out operations, all in order.
func (s service) done(name string, ops ...*pb.PointsUpdateOperation) (*pb.UpdateBatchResponse, error) {
	return with(s.store, name, func(c *collection) (*pb.UpdateBatchResponse, error) {
		r := &pb.UpdateBatchResponse{}
		for _, op := range ops {
			if err := c.update(op); err != nil {
				return nil, err
			}
			n := c.seq
			c.seq++
			r.Result = append(r.Result, &pb.UpdateResult{OperationId: &n, Status: pb.UpdateStatus_Completed})
		}
		return r, nil
	})
}

func (s service) one(name string, op *pb.PointsUpdateOperation) (*pb.PointsOperationResponse, error) {
	r, err := s.done(name, op)
	if err != nil {
		return nil, err
	}
	return &pb.PointsOperationResponse{Result: r.Result[0]}, nil
}

func (s service) UpdateBatch(_ context.Context, m *pb.UpdateBatchPoints) (*pb.UpdateBatchResponse, error) {
	return s.done(m.GetCollectionName(), m.GetOperations()...)
}

func (s service) Upsert(_ context.Context, m *pb.UpsertPoints) (*pb.PointsOperationResponse, error) {
	return s.one(m.GetCollectionName(), &pb.PointsUpdateOperation{Operation: &pb.PointsUpdateOperation_Upsert{Upsert: &pb.PointsUpdateOperation_PointStructList{Points: m.GetPoints(), UpdateFilter: m.GetUpdateFilter()}}})
}

func (s service) Delete(_ context.Context, m *pb.DeletePoints) (*pb.PointsOperationResponse, error) {
	return s.one(m.GetCollectionName(), pb.NewPointsUpdateDeletePoints(&pb.PointsUpdateOperation_DeletePoints{Points: m.GetPoints()}))
}

func (s service) SetPayload(_ context.Context, m *pb.SetPayloadPoints) (*pb.PointsOperationResponse, error) {
	return s.one(m.GetCollectionName(), pb.NewPointsUpdateSetPayload(&pb.PointsUpdateOperation_SetPayload{Payload: m.GetPayload(), PointsSelector: m.GetPointsSelector(), Key: m.Key}))
}

func (s service) OverwritePayload(_ context.Context, m *pb.SetPayloadPoints) (*pb.PointsOperationResponse, error) {
	return s.one(m.GetCollectionName(), pb.NewPointsUpdateOverwritePayload(&pb.PointsUpdateOperation_OverwritePayload{Payload: m.GetPayload(), PointsSelector: m.GetPointsSelector()}))
}

func (s service) DeletePayload(_ context.Context, m *pb.DeletePayloadPoints) (*pb.PointsOperationResponse, error) {
	return s.one(m.GetCollectionName(), pb.NewPointsUpdateDeletePayload(&pb.PointsUpdateOperation_DeletePayload{Keys: m.GetKeys(), PointsSelector: m.GetPointsSelector()}))
}

func (s service) ClearPayload(_ context.Context, m *pb.ClearPayloadPoints) (*pb.PointsOperationResponse, error) {
	return s.one(m.GetCollectionName(), pb.NewPointsUpdateClearPayload(&pb.PointsUpdateOperation_ClearPayload{Points: m.GetPoints()}))
}

func (s service) UpdateVectors(_ context.Context, m *pb.UpdatePointVectors) (*pb.PointsOperationResponse, error) {
	return s.one(m.GetCollectionName(), pb.NewPointsUpdateUpdateVectors(&pb.PointsUpdateOperation_UpdateVectors{Points: m.GetPoints(), UpdateFilter: m.GetUpdateFilter()}))
}

func (s service) DeleteVectors(_ context.Context, m *pb.DeletePointVectors) (*pb.PointsOperationResponse, error) {
	return s.one(m.GetCollectionName(), pb.NewPointsUpdateDeleteVectors(&pb.PointsUpdateOperation_DeleteVectors{PointsSelector: m.GetPointsSelector(), Vectors: m.GetVectors()}))
}

func (s service) CreateFieldIndex(_ context.Context, m *pb.CreateFieldIndexCollection) (*pb.PointsOperationResponse, error) {
	return with(s.store, m.GetCollectionName(), func(c *collection) (*pb.PointsOperationResponse, error) {
		c.index[m.GetFieldName()] = m.GetFieldType()
		return &pb.PointsOperationResponse{Result: &pb.UpdateResult{OperationId: new(uint64), Status: pb.UpdateStatus_Completed}}, nil
	})
}

func (s service) DeleteFieldIndex(_ context.Context, m *pb.DeleteFieldIndexCollection) (*pb.PointsOperationResponse, error) {
	return with(s.store, m.GetCollectionName(), func(c *collection) (*pb.PointsOperationResponse, error) {
		delete(c.index, m.GetFieldName())
		return &pb.PointsOperationResponse{Result: &pb.UpdateResult{OperationId: new(uint64), Status: pb.UpdateStatus_Completed}}, nil
	})
}

func (s service) Get(_ context.Context, m *pb.GetPoints) (*pb.GetResponse, error) {
	return with(s.store, m.GetCollectionName(), func(c *collection) (*pb.GetResponse, error) {
		r := &pb.GetResponse{}
		for _, id := range m.GetIds() {
			if p, ok := c.points[idText(id)]; ok {
				r.Result = append(r.Result, retrieved(p, m.GetWithPayload(), m.GetWithVectors()))
			}
		}
		return proto.CloneOf(r), nil
	})
}

func (s service) Scroll(_ context.Context, m *pb.ScrollPoints) (*pb.ScrollResponse, error) {
	return with(s.store, m.GetCollectionName(), func(c *collection) (*pb.ScrollResponse, error) {
		r, err := c.scroll(m)
		if err != nil {
			return nil, err
		}
		return proto.CloneOf(r), nil
	})
}

func (s service) Count(_ context.Context, m *pb.CountPoints) (*pb.CountResponse, error) {
	return with(s.store, m.GetCollectionName(), func(c *collection) (*pb.CountResponse, error) {
		return &pb.CountResponse{Result: &pb.CountResult{Count: uint64(len(c.sorted(m.GetFilter())))}}, nil
	})
}

func (s service) Query(_ context.Context, m *pb.QueryPoints) (*pb.QueryResponse, error) {
	return with(s.store, m.GetCollectionName(), func(c *collection) (*pb.QueryResponse, error) {
		list, except, err := c.query(m.GetQuery(), m.GetUsing(), m.GetFilter(), m.ScoreThreshold, m.GetPrefetch())
		limit := uint64(10)
		if m.Limit != nil {
			limit = m.GetLimit()
		}
		return proto.CloneOf(&pb.QueryResponse{Result: page(list, except, limit, m.GetOffset(), m.GetWithPayload(), m.GetWithVectors())}), err
	})
}

func (s service) QueryBatch(ctx context.Context, m *pb.QueryBatchPoints) (*pb.QueryBatchResponse, error) {
	r := &pb.QueryBatchResponse{}
	for _, q := range m.GetQueryPoints() {
		q.CollectionName = m.GetCollectionName()
		found, err := s.Query(ctx, q)
		if err != nil {
			return nil, err
		}
		r.Result = append(r.Result, &pb.BatchResult{Result: found.GetResult()})
	}
	return r, nil
}

func (s service) QueryGroups(_ context.Context, m *pb.QueryPointGroups) (*pb.QueryGroupsResponse, error) {
	return with(s.store, m.GetCollectionName(), func(c *collection) (*pb.QueryGroupsResponse, error) {
		list, _, err := c.query(m.GetQuery(), m.GetUsing(), m.GetFilter(), m.ScoreThreshold, m.GetPrefetch())
		limit, size := uint64(10), uint64(3)
		if m.Limit != nil {
			limit = m.GetLimit()
		}
		if m.GroupSize != nil {
			size = m.GetGroupSize()
		}
		return proto.CloneOf(&pb.QueryGroupsResponse{Result: grouped(list, m.GetGroupBy(), limit, size, m.GetWithPayload(), m.GetWithVectors())}), err
	})
}

func (s service) Search(_ context.Context, m *pb.SearchPoints) (*pb.SearchResponse, error) {
	return with(s.store, m.GetCollectionName(), func(c *collection) (*pb.SearchResponse, error) {
		list := c.nearest(m.GetVector(), m.GetVectorName(), m.GetFilter(), m.ScoreThreshold)
		return proto.CloneOf(&pb.SearchResponse{Result: page(list, nil, m.GetLimit(), m.GetOffset(), m.GetWithPayload(), m.GetWithVectors())}), nil
	})
}

func (s service) Facet(_ context.Context, m *pb.FacetCounts) (*pb.FacetResponse, error) {
	return with(s.store, m.GetCollectionName(), func(c *collection) (*pb.FacetResponse, error) {
		limit := uint64(10)
		if m.Limit != nil {
			limit = m.GetLimit()
		}
		hits, err := c.facet(m.GetKey(), m.GetFilter(), limit)
		return &pb.FacetResponse{Hits: hits}, err
	})
}
