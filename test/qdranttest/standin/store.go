// Package standin is a stand-in for a Qdrant server, whose own can not be had as a package: REST and gRPC, as published,
// over one store in memory, with real distances and real filters.
//
// It has what the clients' normal day needs, and nothing of clusters, snapshots or models. Its one language inside is that of
// the published messages; rest.go says them in JSON. Start at Start.
package standin

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	pb "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// store is all collections. Methods that begin in lower case want the lock.
type store struct {
	mu      sync.Mutex
	known   map[string]*collection
	aliases map[string]string
}

type collection struct {
	config *pb.CreateCollection
	points map[string]*pb.PointStruct
	index  map[string]pb.FieldType
	seq    uint64
}

func missing(name string) error {
	return status.Errorf(codes.NotFound, "Not found: Collection `%s` doesn't exist!", name)
}

func invalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, format, args...)
}

func (s *store) find(name string) (*collection, error) {
	if to, ok := s.aliases[name]; ok {
		name = to
	}
	c, ok := s.known[name]
	if !ok {
		return nil, missing(name)
	}
	return c, nil
}

func idText(id *pb.PointId) string {
	if u := id.GetUuid(); u != "" {
		return u
	}
	return strconv.FormatUint(id.GetNum(), 10)
}

// sorted are the points in the order of their ids: numbers first.
func (c *collection) sorted(f *pb.Filter) []*pb.PointStruct {
	var list []*pb.PointStruct
	for _, p := range c.points {
		if matches(p, f) {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b *pb.PointStruct) int {
		return cmp.Or(cmp.Compare(a.Id.GetUuid(), b.Id.GetUuid()), cmp.Compare(a.Id.GetNum(), b.Id.GetNum()))
	})
	return list
}

// selected are the points that a write is about.
func (c *collection) selected(s *pb.PointsSelector) ([]*pb.PointStruct, error) {
	switch o := s.GetPointsSelectorOneOf().(type) {
	case *pb.PointsSelector_Filter:
		return c.sorted(o.Filter), nil
	case *pb.PointsSelector_Points:
		var list []*pb.PointStruct
		for _, id := range o.Points.GetIds() {
			if p, ok := c.points[idText(id)]; ok {
				list = append(list, p)
			}
		}
		return list, nil
	}
	return nil, invalid("points or filter is required")
}

func (c *collection) upsert(points []*pb.PointStruct, only *pb.Filter) error {
	for _, p := range points {
		for _, v := range dense(p.GetVectors()) {
			if size := c.size(); size > 0 && len(v) != size && len(dense(p.GetVectors())) == 1 {
				return invalid("Wrong input: Vector dimension error: expected dim: %d, got %d", size, len(v))
			}
		}
	}
	for _, p := range points {
		if old, ok := c.points[idText(p.GetId())]; ok && only != nil && !matches(old, only) {
			continue
		}
		p := proto.CloneOf(p)
		if p.Payload == nil {
			p.Payload = map[string]*pb.Value{}
		}
		c.points[idText(p.GetId())] = p
	}
	return nil
}

func (c *collection) size() int {
	return int(c.config.GetVectorsConfig().GetParams().GetSize())
}

// dense are the vectors of a point by name.
func dense(v *pb.Vectors) map[string][]float32 {
	all := map[string][]float32{}
	one := func(name string, v *pb.Vector) {
		switch {
		case v.GetDense() != nil:
			all[name] = v.GetDense().GetData()
		//lint:ignore SA1019 older clients say it so
		case len(v.GetData()) > 0:
			//lint:ignore SA1019 older clients say it so
			all[name] = v.GetData()
		}
	}
	if v.GetVector() != nil {
		one("", v.GetVector())
	}
	for name, v := range v.GetVectors().GetVectors() {
		one(name, v)
	}
	return all
}

// update carries out one operation of a batch.
func (c *collection) update(m *pb.PointsUpdateOperation) error {
	each := func(s *pb.PointsSelector, do func(p *pb.PointStruct)) error {
		list, err := c.selected(s)
		for _, p := range list {
			do(p)
		}
		return err
	}
	switch o := m.GetOperation().(type) {
	case *pb.PointsUpdateOperation_Upsert:
		return c.upsert(o.Upsert.GetPoints(), o.Upsert.GetUpdateFilter())
	case *pb.PointsUpdateOperation_DeletePoints_:
		return each(o.DeletePoints.GetPoints(), func(p *pb.PointStruct) { delete(c.points, idText(p.Id)) })
	case *pb.PointsUpdateOperation_SetPayload_:
		return each(o.SetPayload.GetPointsSelector(), func(p *pb.PointStruct) {
			to := p.Payload
			if key := o.SetPayload.GetKey(); key != "" {
				if p.Payload[key].GetStructValue() == nil {
					p.Payload[key] = &pb.Value{Kind: &pb.Value_StructValue{StructValue: &pb.Struct{Fields: map[string]*pb.Value{}}}}
				}
				to = p.Payload[key].GetStructValue().Fields
			}
			maps.Copy(to, o.SetPayload.GetPayload())
		})
	case *pb.PointsUpdateOperation_OverwritePayload_:
		return each(o.OverwritePayload.GetPointsSelector(), func(p *pb.PointStruct) {
			p.Payload = maps.Clone(o.OverwritePayload.GetPayload())
		})
	case *pb.PointsUpdateOperation_DeletePayload_:
		return each(o.DeletePayload.GetPointsSelector(), func(p *pb.PointStruct) {
			for _, key := range o.DeletePayload.GetKeys() {
				delete(p.Payload, key)
			}
		})
	case *pb.PointsUpdateOperation_ClearPayload_:
		return each(o.ClearPayload.GetPoints(), func(p *pb.PointStruct) { p.Payload = map[string]*pb.Value{} })
	case *pb.PointsUpdateOperation_UpdateVectors_:
		for _, v := range o.UpdateVectors.GetPoints() {
			if p, ok := c.points[idText(v.GetId())]; ok && (o.UpdateVectors.GetUpdateFilter() == nil || matches(p, o.UpdateVectors.GetUpdateFilter())) {
				p.Vectors = v.GetVectors()
			}
		}
		return nil
	case *pb.PointsUpdateOperation_DeleteVectors_:
		return each(o.DeleteVectors.GetPointsSelector(), func(p *pb.PointStruct) {
			for _, name := range o.DeleteVectors.GetVectors().GetNames() {
				delete(p.GetVectors().GetVectors().GetVectors(), name)
			}
		})
	}
	return invalid("operation is not supported")
}

// shown is a point's payload as it was asked for.
func payload(p *pb.PointStruct, w *pb.WithPayloadSelector, usual bool) map[string]*pb.Value {
	out := map[string]*pb.Value{}
	switch o := w.GetSelectorOptions().(type) {
	case nil:
		if usual {
			return p.Payload
		}
	case *pb.WithPayloadSelector_Enable:
		if o.Enable {
			return p.Payload
		}
	case *pb.WithPayloadSelector_Include:
		for _, key := range o.Include.GetFields() {
			if v, ok := p.Payload[key]; ok {
				out[key] = v
			}
		}
	case *pb.WithPayloadSelector_Exclude:
		out = maps.Clone(p.Payload)
		for _, key := range o.Exclude.GetFields() {
			delete(out, key)
		}
	}
	return out
}

func vectors(p *pb.PointStruct, w *pb.WithVectorsSelector) *pb.VectorsOutput {
	names := w.GetInclude().GetNames()
	if !w.GetEnable() && names == nil {
		return nil
	}
	output := func(v []float32) *pb.VectorOutput {
		//lint:ignore SA1019 older clients say it so
		return &pb.VectorOutput{Vector: &pb.VectorOutput_Dense{Dense: &pb.DenseVector{Data: v}}, Data: v}
	}
	all := dense(p.GetVectors())
	if v, ok := all[""]; ok {
		return &pb.VectorsOutput{VectorsOptions: &pb.VectorsOutput_Vector{Vector: output(v)}}
	}
	named := map[string]*pb.VectorOutput{}
	for name, v := range all {
		if names == nil || slices.Contains(names, name) {
			named[name] = output(v)
		}
	}
	return &pb.VectorsOutput{VectorsOptions: &pb.VectorsOutput_Vectors{Vectors: &pb.NamedVectorsOutput{Vectors: named}}}
}

func retrieved(p *pb.PointStruct, w *pb.WithPayloadSelector, v *pb.WithVectorsSelector) *pb.RetrievedPoint {
	return &pb.RetrievedPoint{Id: p.Id, Payload: payload(p, w, true), Vectors: vectors(p, v)}
}

// scroll is a page, and where the next one begins.
func (c *collection) scroll(m *pb.ScrollPoints) (*pb.ScrollResponse, error) {
	list := c.sorted(m.GetFilter())
	order := m.GetOrderBy()
	if order != nil {
		if _, ok := c.index[order.GetKey()]; !ok {
			return nil, invalid("Bad request: No range index for `order_by` key: `%s`. Please create one to use `order_by`.", order.GetKey())
		}
		list = slices.DeleteFunc(list, func(p *pb.PointStruct) bool { return len(at(p.Payload, order.GetKey())) == 0 })
		slices.SortStableFunc(list, func(a, b *pb.PointStruct) int {
			n := cmp.Compare(number(at(a.Payload, order.GetKey())[0]), number(at(b.Payload, order.GetKey())[0]))
			if order.GetDirection() == pb.Direction_Desc {
				return -n
			}
			return n
		})
	} else if from := m.GetOffset(); from != nil {
		i := slices.IndexFunc(list, func(p *pb.PointStruct) bool { return idText(p.Id) == idText(from) })
		list = list[max(0, i):]
	}
	n := 10
	if m.Limit != nil {
		n = int(m.GetLimit())
	}
	r := &pb.ScrollResponse{}
	for i, p := range list {
		if i == n {
			if order == nil {
				r.NextPageOffset = p.Id
			}
			break
		}
		out := retrieved(p, m.GetWithPayload(), m.GetWithVectors())
		if order != nil {
			out.OrderValue = &pb.OrderValue{Variant: &pb.OrderValue_Float{Float: number(at(p.Payload, order.GetKey())[0])}}
		}
		r.Result = append(r.Result, out)
	}
	return r, nil
}

func number(v *pb.Value) float64 {
	if _, ok := v.GetKind().(*pb.Value_IntegerValue); ok {
		return float64(v.GetIntegerValue())
	}
	return v.GetDoubleValue()
}

func cosine(a, b []float32) float32 {
	var ab, aa, bb float64
	for i := range min(len(a), len(b)) {
		ab += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return float32(ab / math.Sqrt(aa*bb))
}

type scored struct {
	*pb.PointStruct
	score float32
}

// nearest are all points by their distance from a vector.
func (c *collection) nearest(to []float32, using string, f *pb.Filter, threshold *float32) []scored {
	var list []scored
	for _, p := range c.sorted(f) {
		v, ok := dense(p.GetVectors())[using]
		if !ok {
			continue
		}
		if s := cosine(to, v); threshold == nil || s >= *threshold {
			list = append(list, scored{p, s})
		}
	}
	slices.SortStableFunc(list, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	return list
}

// query carries out a query of the published forms that the clients' day has.
func (c *collection) query(q *pb.Query, using string, f *pb.Filter, threshold *float32, prefetch []*pb.PrefetchQuery) (list []scored, except []string, err error) {
	switch v := q.GetVariant().(type) {
	case nil:
		for _, p := range c.sorted(f) {
			list = append(list, scored{PointStruct: p})
		}
		return list, nil, nil
	case *pb.Query_Nearest:
		to, id, err := c.input(v.Nearest, using)
		return c.nearest(to, using, f, threshold), id, err
	case *pb.Query_NearestWithMmr: // with no diversity at all
		to, id, err := c.input(v.NearestWithMmr.GetNearest(), using)
		return c.nearest(to, using, f, threshold), id, err
	case *pb.Query_Recommend:
		sum := []float32{}
		for i, input := range slices.Concat(v.Recommend.GetPositive(), v.Recommend.GetNegative()) {
			to, id, err := c.input(input, using)
			if err != nil {
				return nil, nil, err
			}
			except = append(except, id...)
			for j, x := range to {
				if len(sum) <= j {
					sum = append(sum, 0)
				}
				if i < len(v.Recommend.GetPositive()) {
					sum[j] += x
				} else {
					sum[j] -= x
				}
			}
		}
		return c.nearest(sum, using, f, threshold), except, nil
	case *pb.Query_OrderBy:
		list := c.sorted(f)
		slices.SortStableFunc(list, func(a, b *pb.PointStruct) int {
			return cmp.Compare(firstNumber(a, v.OrderBy.GetKey()), firstNumber(b, v.OrderBy.GetKey()))
		})
		var out []scored
		for _, p := range list {
			out = append(out, scored{PointStruct: p})
		}
		return out, nil, nil
	case *pb.Query_Fusion:
		ranks := map[string]float32{}
		for _, sub := range prefetch {
			found, _, err := c.query(sub.GetQuery(), sub.GetUsing(), sub.GetFilter(), sub.ScoreThreshold, sub.GetPrefetch())
			if err != nil {
				return nil, nil, err
			}
			for i, p := range found[:min(len(found), int(sub.GetLimit()))] {
				ranks[idText(p.Id)] += 1 / float32(i+2)
			}
		}
		for _, p := range c.sorted(f) {
			if s, ok := ranks[idText(p.Id)]; ok {
				list = append(list, scored{p, s})
			}
		}
		slices.SortStableFunc(list, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
		return list, nil, nil
	}
	return nil, nil, invalid("the stand-in does not know this query")
}

func firstNumber(p *pb.PointStruct, key string) float64 {
	for _, v := range at(p.Payload, key) {
		return number(v)
	}
	return math.Inf(1)
}

func (c *collection) input(m *pb.VectorInput, using string) ([]float32, []string, error) {
	switch v := m.GetVariant().(type) {
	case *pb.VectorInput_Dense:
		return v.Dense.GetData(), nil, nil
	case *pb.VectorInput_Id:
		p, ok := c.points[idText(v.Id)]
		if !ok {
			return nil, nil, status.Errorf(codes.NotFound, "Not found: No point with id %s found", idText(v.Id))
		}
		return dense(p.GetVectors())[using], []string{idText(v.Id)}, nil
	}
	return nil, nil, invalid("the stand-in does not know this vector")
}

// page cuts what was found, and shows it as it was asked for.
func page(list []scored, except []string, limit, offset uint64, w *pb.WithPayloadSelector, v *pb.WithVectorsSelector) []*pb.ScoredPoint {
	out := []*pb.ScoredPoint{}
	for _, p := range list {
		if slices.Contains(except, idText(p.Id)) {
			continue
		}
		if offset > 0 {
			offset--
			continue
		}
		if uint64(len(out)) == limit {
			break
		}
		out = append(out, &pb.ScoredPoint{Id: p.Id, Score: p.score, Payload: payload(p.PointStruct, w, false), Vectors: vectors(p.PointStruct, v)})
	}
	return out
}

// grouped puts what was found into groups.
func grouped(list []scored, by string, limit, size uint64, w *pb.WithPayloadSelector, v *pb.WithVectorsSelector) *pb.GroupsResult {
	r := &pb.GroupsResult{}
	for _, p := range list {
		for _, value := range at(p.Payload, by) {
			id := &pb.GroupId{Kind: &pb.GroupId_StringValue{StringValue: value.GetStringValue()}}
			if _, ok := value.GetKind().(*pb.Value_IntegerValue); ok {
				id.Kind = &pb.GroupId_IntegerValue{IntegerValue: value.GetIntegerValue()}
			}
			i := slices.IndexFunc(r.Groups, func(g *pb.PointGroup) bool { return proto.Equal(g.Id, id) })
			if i < 0 {
				if uint64(len(r.Groups)) == limit {
					continue
				}
				i = len(r.Groups)
				r.Groups = append(r.Groups, &pb.PointGroup{Id: id})
			}
			if g := r.Groups[i]; uint64(len(g.Hits)) < size {
				g.Hits = append(g.Hits, page([]scored{p}, nil, 1, 0, w, v)...)
			}
		}
	}
	return r
}

func (c *collection) facet(key string, f *pb.Filter, limit uint64) ([]*pb.FacetHit, error) {
	if _, ok := c.index[key]; !ok {
		return nil, invalid("Bad request: Index required but not found for \"%s\" of one of the following types: [keyword, integer, uuid, bool].", key)
	}
	counts := map[string]uint64{}
	for _, p := range c.sorted(f) {
		for _, v := range at(p.Payload, key) {
			counts[v.GetStringValue()]++
		}
	}
	hits := []*pb.FacetHit{}
	for _, value := range slices.Sorted(maps.Keys(counts)) {
		hits = append(hits, &pb.FacetHit{Value: &pb.FacetValue{Variant: &pb.FacetValue_StringValue{StringValue: value}}, Count: counts[value]})
	}
	slices.SortStableFunc(hits, func(a, b *pb.FacetHit) int { return cmp.Compare(b.Count, a.Count) })
	return hits[:min(len(hits), int(limit))], nil
}

// at are the values of a payload at a key; of a list, its elements.
func at(fields map[string]*pb.Value, key string) []*pb.Value {
	name, rest, deeper := strings.Cut(strings.ReplaceAll(strings.ReplaceAll(key, "[]", ""), `"`, ""), ".")
	v, ok := fields[name]
	if !ok {
		return nil
	}
	list := []*pb.Value{v}
	if l := v.GetListValue(); l != nil {
		list = l.GetValues()
	}
	if !deeper {
		return list
	}
	var out []*pb.Value
	for _, v := range list {
		out = append(out, at(v.GetStructValue().GetFields(), rest)...)
	}
	return out
}
