package standin

import (
	"cmp"
	"encoding/base64"
	"math"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	pb "github.com/vecgate/vecgate/internal/protocol/pinecone/pineconepb"
)

// Index holds records by namespace. Its methods may be called from many goroutines.
type Index struct {
	Name      string
	Dimension int
	Metric    string

	mu         sync.Mutex
	namespaces map[string]map[string]*pb.Vector
	asked      int
}

// NewIndex is empty.
func NewIndex(name string, dimension int, metric string) *Index {
	return &Index{Name: name, Dimension: dimension, Metric: metric, namespaces: map[string]map[string]*pb.Vector{}}
}

// defaultName is the name of the namespace that has none.
const defaultName = "__default__"

func (x *Index) space(name string) map[string]*pb.Vector {
	return x.namespaces[cmp.Or(name, defaultName)]
}

// make is space, made when it is not there.
func (x *Index) make(name string) map[string]*pb.Vector {
	name = cmp.Or(name, defaultName)
	if x.namespaces[name] == nil {
		x.namespaces[name] = map[string]*pb.Vector{}
	}
	return x.namespaces[name]
}

// Asked is how many requests there were.
func (x *Index) Asked() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.asked
}

// Records are copies of what a namespace holds.
func (x *Index) Records(namespace string) map[string]*pb.Vector {
	x.mu.Lock()
	defer x.mu.Unlock()
	all := map[string]*pb.Vector{}
	for id, v := range x.space(namespace) {
		all[id] = proto.CloneOf(v)
	}
	return all
}

// Put writes records straight.
func (x *Index) Put(namespace string, all ...*pb.Vector) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, v := range all {
		x.make(namespace)[v.GetId()] = proto.CloneOf(v)
	}
}

// Do answers a request of the data plane.
func (x *Index) Do(request proto.Message) (proto.Message, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.asked++
	switch r := request.(type) {
	case *pb.UpsertRequest:
		return x.upsert(r)
	case *pb.QueryRequest:
		return x.query(r)
	case *pb.FetchRequest:
		out := &pb.FetchResponse{Namespace: r.GetNamespace(), Vectors: map[string]*pb.Vector{}, Usage: units()}
		for _, id := range r.GetIds() {
			if v := x.space(r.GetNamespace())[id]; v != nil {
				out.Vectors[id] = proto.CloneOf(v)
			}
		}
		return out, nil
	case *pb.FetchByMetadataRequest:
		return x.fetchByMetadata(r)
	case *pb.ListRequest:
		return x.list(r)
	case *pb.UpdateRequest:
		return x.update(r)
	case *pb.DeleteRequest:
		return x.delete(r)
	case *pb.DescribeIndexStatsRequest:
		return x.stats(r)
	case *pb.ListNamespacesRequest:
		out := &pb.ListNamespacesResponse{}
		for _, name := range sorted(x.namespaces) {
			if strings.HasPrefix(name, r.GetPrefix()) {
				out.Namespaces = append(out.Namespaces, x.described(name))
			}
		}
		out.TotalCount = int32(len(out.Namespaces))
		return out, nil
	case *pb.DescribeNamespaceRequest:
		if x.space(r.GetNamespace()) == nil {
			return nil, status.Error(codes.NotFound, "Namespace not found")
		}
		return x.described(cmp.Or(r.GetNamespace(), defaultName)), nil
	case *pb.CreateNamespaceRequest:
		if x.space(r.GetName()) != nil {
			return nil, status.Error(codes.AlreadyExists, "Namespace already exists")
		}
		x.make(r.GetName())
		return x.described(r.GetName()), nil
	case *pb.DeleteNamespaceRequest:
		if x.space(r.GetNamespace()) == nil {
			return nil, status.Error(codes.NotFound, "Namespace not found")
		}
		delete(x.namespaces, cmp.Or(r.GetNamespace(), defaultName))
		return &pb.DeleteResponse{}, nil
	}
	return nil, status.Error(codes.Unimplemented, "unknown method")
}

func sorted[V any](m map[string]V) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func units() *pb.Usage { return &pb.Usage{ReadUnits: proto.Uint32(1)} }

func (x *Index) described(name string) *pb.NamespaceDescription {
	return &pb.NamespaceDescription{Name: name, RecordCount: uint64(len(x.namespaces[name]))}
}

func (x *Index) fits(values []float32, sparse *pb.SparseValues) error {
	if len(values) == 0 && sparse != nil || len(values) == x.Dimension {
		return nil
	}
	return status.Errorf(codes.InvalidArgument, "Vector dimension %d does not match the dimension of the index %d", len(values), x.Dimension)
}

func (x *Index) upsert(r *pb.UpsertRequest) (proto.Message, error) {
	for _, v := range r.GetVectors() {
		if err := x.fits(v.GetValues(), v.GetSparseValues()); err != nil {
			return nil, err
		}
	}
	for _, v := range r.GetVectors() {
		x.make(r.GetNamespace())[v.GetId()] = proto.CloneOf(v)
	}
	return &pb.UpsertResponse{UpsertedCount: uint32(len(r.GetVectors()))}, nil
}

func (x *Index) query(r *pb.QueryRequest) (proto.Message, error) {
	out := &pb.QueryResponse{Namespace: r.GetNamespace(), Usage: units()}
	one := func(namespace string, values []float32, sparse *pb.SparseValues, k uint32, filter *structpb.Struct) ([]*pb.ScoredVector, error) {
		if err := x.fits(values, sparse); err != nil {
			return nil, err
		}
		var all []*pb.ScoredVector
		for _, id := range sorted(x.space(namespace)) {
			v := x.space(namespace)[id]
			if !Matches(filter, v.GetMetadata()) {
				continue
			}
			s := &pb.ScoredVector{Id: id, Score: x.score(values, v.GetValues()) + dot(sparse, v.GetSparseValues())}
			if r.GetIncludeValues() {
				s.Values, s.SparseValues = v.GetValues(), v.GetSparseValues()
			}
			if r.GetIncludeMetadata() {
				s.Metadata = v.GetMetadata()
			}
			all = append(all, s)
		}
		slices.SortStableFunc(all, func(a, b *pb.ScoredVector) int {
			if x.Metric == "euclidean" {
				a, b = b, a
			}
			return cmp.Compare(b.GetScore(), a.GetScore())
		})
		return all[:min(len(all), int(k))], nil
	}
	for _, q := range r.GetQueries() {
		matches, err := one(cmp.Or(q.GetNamespace(), r.GetNamespace()), q.GetValues(), q.GetSparseValues(), cmp.Or(q.GetTopK(), r.GetTopK()), or(q.GetFilter(), r.GetFilter()))
		if err != nil {
			return nil, err
		}
		out.Results = append(out.Results, &pb.SingleQueryResults{Matches: matches, Namespace: q.GetNamespace()})
	}
	if len(r.GetQueries()) > 0 {
		return proto.CloneOf(out), nil
	}
	values, sparse := r.GetVector(), r.GetSparseVector()
	if r.GetId() != "" {
		v := x.space(r.GetNamespace())[r.GetId()]
		if v == nil {
			return out, nil
		}
		values, sparse = v.GetValues(), v.GetSparseValues()
	}
	var err error
	out.Matches, err = one(r.GetNamespace(), values, sparse, r.GetTopK(), r.GetFilter())
	return proto.CloneOf(out), err
}

func or(a, b *structpb.Struct) *structpb.Struct {
	if a != nil {
		return a
	}
	return b
}

func (x *Index) score(a, b []float32) float32 {
	if len(a) != len(b) {
		return 0
	}
	var product, aa, bb, apart float64
	for i := range a {
		product += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
		apart += float64(a[i]-b[i]) * float64(a[i]-b[i])
	}
	switch {
	case x.Metric == "dotproduct":
		return float32(product)
	case x.Metric == "euclidean":
		return float32(apart)
	case aa == 0 || bb == 0:
		return 0
	}
	return float32(product / math.Sqrt(aa*bb))
}

func dot(a, b *pb.SparseValues) float32 {
	var sum float32
	for i, n := range a.GetIndices() {
		for j, m := range b.GetIndices() {
			if n == m {
				sum += a.GetValues()[i] * b.GetValues()[j]
			}
		}
	}
	return sum
}

// after is where a page begins, and next what its token is.
func after(token string) string {
	id, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return ""
	}
	return string(id)
}

func next(id string) *pb.Pagination {
	return &pb.Pagination{Next: base64.RawURLEncoding.EncodeToString([]byte(id))}
}

func (x *Index) fetchByMetadata(r *pb.FetchByMetadataRequest) (proto.Message, error) {
	out := &pb.FetchByMetadataResponse{Namespace: r.GetNamespace(), Vectors: map[string]*pb.Vector{}, Usage: units()}
	limit, from, last := 100, after(r.GetPaginationToken()), ""
	if r.Limit != nil {
		limit = int(r.GetLimit())
	}
	for _, id := range sorted(x.space(r.GetNamespace())) {
		v := x.space(r.GetNamespace())[id]
		if id <= from || !Matches(r.GetFilter(), v.GetMetadata()) {
			continue
		}
		if len(out.GetVectors()) == limit {
			out.Pagination = next(last)
			break
		}
		out.Vectors[id], last = proto.CloneOf(v), id
	}
	return out, nil
}

func (x *Index) list(r *pb.ListRequest) (proto.Message, error) {
	out := &pb.ListResponse{Namespace: r.GetNamespace(), Usage: units()}
	limit, from, last := 100, after(r.GetPaginationToken()), ""
	if r.Limit != nil {
		limit = int(r.GetLimit())
	}
	for _, id := range sorted(x.space(r.GetNamespace())) {
		if id <= from || !strings.HasPrefix(id, r.GetPrefix()) {
			continue
		}
		if len(out.GetVectors()) == limit {
			out.Pagination = next(last)
			break
		}
		out.Vectors, last = append(out.Vectors, &pb.ListItem{Id: id}), id
	}
	return out, nil
}

func (x *Index) update(r *pb.UpdateRequest) (proto.Message, error) {
	var found []*pb.Vector
	switch v := x.space(r.GetNamespace())[r.GetId()]; {
	case v != nil:
		found = append(found, v)
	case r.GetId() == "":
		for _, v := range x.space(r.GetNamespace()) {
			if Matches(r.GetFilter(), v.GetMetadata()) {
				found = append(found, v)
			}
		}
	}
	for _, v := range found {
		if r.GetDryRun() {
			continue
		}
		if len(r.GetValues()) > 0 {
			v.Values = r.GetValues()
		}
		if r.GetSparseValues() != nil {
			v.SparseValues = r.GetSparseValues()
		}
		for name, value := range r.GetSetMetadata().GetFields() {
			if v.GetMetadata() == nil {
				v.Metadata = &structpb.Struct{}
			}
			if v.Metadata.Fields == nil {
				v.Metadata.Fields = map[string]*structpb.Value{}
			}
			v.Metadata.Fields[name] = value
		}
	}
	out := &pb.UpdateResponse{}
	if r.GetId() == "" {
		out.MatchedRecords = proto.Int32(int32(len(found)))
	}
	return out, nil
}

func (x *Index) delete(r *pb.DeleteRequest) (proto.Message, error) {
	space := x.space(r.GetNamespace())
	switch {
	case r.GetDeleteAll():
		if space == nil {
			return nil, status.Error(codes.NotFound, "Namespace not found")
		}
		clear(space)
	case len(r.GetIds()) > 0:
		for _, id := range r.GetIds() {
			delete(space, id)
		}
	case r.GetFilter() != nil:
		for id, v := range space {
			if Matches(r.GetFilter(), v.GetMetadata()) {
				delete(space, id)
			}
		}
	default:
		return nil, status.Error(codes.InvalidArgument, "Invalid request.")
	}
	return &pb.DeleteResponse{}, nil
}

func (x *Index) stats(r *pb.DescribeIndexStatsRequest) (proto.Message, error) {
	out := &pb.DescribeIndexStatsResponse{
		Namespaces: map[string]*pb.NamespaceSummary{}, Dimension: proto.Uint32(uint32(x.Dimension)), Metric: proto.String(x.Metric), VectorType: proto.String("dense"),
	}
	for name, space := range x.namespaces {
		n := uint32(0)
		for _, v := range space {
			if Matches(r.GetFilter(), v.GetMetadata()) {
				n++
			}
		}
		out.Namespaces[name] = &pb.NamespaceSummary{VectorCount: n}
		out.TotalVectorCount += n
	}
	return out, nil
}
