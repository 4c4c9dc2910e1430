package qdrant

import (
	"slices"
	"strings"

	pb "github.com/qdrant/go-client/qdrant"

	"github.com/vecgate/vecgate/internal/access"
)

// What the messages of single operations mean. Every function reads one part.

func (p *part) rpcSearch(m *pb.SearchPoints) (err error) {
	p.searched = []string{m.GetVectorName()}
	return p.rpcFound(found4{&m.Filter, m.GetWithPayload(), &m.WithVectors, m.ScoreThreshold}, m.GetLimit(), m.GetOffset())
}

// found4 is what all forms of search have.
type found4 struct {
	filter    **pb.Filter
	payload   *pb.WithPayloadSelector
	vectors   **pb.WithVectorsSelector
	threshold *float32
}

func (p *part) rpcFound(f found4, limit, offset uint64) (err error) {
	if p.limit, err = wholeNumber(limit); err != nil {
		return err
	}
	if p.offset, err = wholeNumber(offset); err != nil {
		return err
	}
	if err := p.rpcShows(f.payload, f.vectors, false); err != nil {
		return err
	}
	p.rpcThreshold(f.threshold)
	return p.rpcFilters(f.filter)
}

func (p *part) rpcSearchGroups(m *pb.SearchPointGroups) error {
	p.searched = []string{m.GetVectorName()}
	p.group = int64(m.GetGroupSize())
	if err := p.rpcFound(found4{&m.Filter, m.GetWithPayload(), &m.WithVectors, m.ScoreThreshold}, uint64(m.GetLimit()), 0); err != nil {
		return err
	}
	return p.rpcGroups(m.GetGroupBy(), m.GetWithLookup())
}

func (p *part) rpcRecommend(m *pb.RecommendPoints) error {
	if err := p.rpcExamples(m.GetUsing(), m.GetLookupFrom(), slices.Concat(m.GetPositive(), m.GetNegative()), slices.Concat(m.GetPositiveVectors(), m.GetNegativeVectors())); err != nil {
		return err
	}
	return p.rpcFound(found4{&m.Filter, m.GetWithPayload(), &m.WithVectors, m.ScoreThreshold}, m.GetLimit(), m.GetOffset())
}

func (p *part) rpcRecommendGroups(m *pb.RecommendPointGroups) error {
	if err := p.rpcExamples(m.GetUsing(), m.GetLookupFrom(), slices.Concat(m.GetPositive(), m.GetNegative()), slices.Concat(m.GetPositiveVectors(), m.GetNegativeVectors())); err != nil {
		return err
	}
	p.group = int64(m.GetGroupSize())
	if err := p.rpcFound(found4{&m.Filter, m.GetWithPayload(), &m.WithVectors, m.ScoreThreshold}, uint64(m.GetLimit()), 0); err != nil {
		return err
	}
	return p.rpcGroups(m.GetGroupBy(), m.GetWithLookup())
}

func (p *part) rpcExamples(using string, at *pb.LookupLocation, ids []*pb.PointId, vectors []*pb.Vector) error {
	p.searched = []string{using}
	from, err := p.rpcFrom(at)
	if err != nil {
		return err
	}
	for _, m := range ids {
		id, err := rpcID(m)
		if err != nil {
			return err
		}
		p.probe(id, from)
	}
	for _, v := range vectors {
		p.rpcVector(v)
	}
	return nil
}

// rpcVector looks whether a vector is made by the server of something else.
func (p *part) rpcVector(v *pb.Vector) {
	if v.GetDocument() != nil || v.GetImage() != nil || v.GetObject() != nil {
		p.egress = true
	}
}

func (p *part) rpcDiscover(m *pb.DiscoverPoints) error {
	p.searched = []string{m.GetUsing()}
	from, err := p.rpcFrom(m.GetLookupFrom())
	if err != nil {
		return err
	}
	examples := []*pb.VectorExample{}
	if m.GetTarget() != nil {
		examples = append(examples, m.GetTarget().GetSingle())
	}
	for _, pair := range m.GetContext() {
		examples = append(examples, pair.GetPositive(), pair.GetNegative())
	}
	for _, e := range examples {
		switch x := e.GetExample().(type) {
		case *pb.VectorExample_Id:
			id, err := rpcID(x.Id)
			if err != nil {
				return err
			}
			p.probe(id, from)
		case *pb.VectorExample_Vector:
			p.rpcVector(x.Vector)
		default:
			return unclear("an example is neither a vector nor a point's id")
		}
	}
	return p.rpcFound(found4{&m.Filter, m.GetWithPayload(), &m.WithVectors, nil}, m.GetLimit(), m.GetOffset())
}

func (p *part) rpcQueryPoints(m *pb.QueryPoints) error {
	if _, err := rpcLimit(&m.Limit, usualLimit); err != nil {
		return err
	}
	if err := p.rpcFound(found4{&m.Filter, m.GetWithPayload(), &m.WithVectors, nil}, m.GetLimit(), m.GetOffset()); err != nil {
		return err
	}
	return p.rpcQuery(m.GetQuery(), m.GetUsing(), m.GetLookupFrom(), m.ScoreThreshold, m.GetPrefetch(), true)
}

func (p *part) rpcQueryGroups(m *pb.QueryPointGroups) (err error) {
	if p.group, err = rpcLimit(&m.GroupSize, usualGroup); err != nil {
		return err
	}
	if _, err := rpcLimit(&m.Limit, usualLimit); err != nil {
		return err
	}
	if err := p.rpcFound(found4{&m.Filter, m.GetWithPayload(), &m.WithVectors, nil}, m.GetLimit(), 0); err != nil {
		return err
	}
	if err := p.rpcQuery(m.GetQuery(), m.GetUsing(), m.GetLookupFrom(), m.ScoreThreshold, m.GetPrefetch(), true); err != nil {
		return err
	}
	return p.rpcGroups(m.GetGroupBy(), m.GetWithLookup())
}

func (p *part) rpcScroll(m *pb.ScrollPoints) (err error) {
	if p.limit, err = rpcLimit(&m.Limit, usualLimit); err != nil {
		return err
	}
	if m.GetOffset() != nil {
		if _, err := rpcID(m.GetOffset()); err != nil {
			return err
		}
		p.cursor = true
	}
	if err := p.rpcShows(m.GetWithPayload(), &m.WithVectors, true); err != nil {
		return err
	}
	if m.GetOrderBy() != nil {
		if err := p.rpcOrders(m.GetOrderBy()); err != nil {
			return err
		}
	}
	return p.rpcFilters(&m.Filter)
}

func (p *part) rpcGet(m *pb.GetPoints) (err error) {
	if p.ids, p.named, err = rpcIDs(m.GetIds()); err != nil {
		return err
	}
	p.limit = p.named
	p.every = make([]string, 0, len(m.GetIds()))
	for _, id := range m.GetIds() {
		text, _ := rpcID(id)
		p.every = append(p.every, text)
	}
	p.edit.keep = func(passes map[string]bool) error {
		m.Ids = slices.DeleteFunc(m.Ids, func(id *pb.PointId) bool {
			text, _ := rpcID(id)
			return !passes[text]
		})
		return nil
	}
	return p.rpcShows(m.GetWithPayload(), &m.WithVectors, true)
}

func (p *part) rpcCount(m *pb.CountPoints) error {
	p.limit = 1
	p.edit.exactly = func() { m.Exact = pb.PtrOf(true) }
	return p.rpcFilters(&m.Filter)
}

func (p *part) rpcFacet(m *pb.FacetCounts) (err error) {
	key, err := rpcKey(m.GetKey(), "")
	if err != nil {
		return err
	}
	p.uses = append(p.uses, use{key, asFacet})
	p.edit.exactly = func() { m.Exact = pb.PtrOf(true) }
	if p.limit, err = rpcLimit(&m.Limit, usualLimit); err != nil {
		return err
	}
	return p.rpcFilters(&m.Filter)
}

func (p *part) rpcMatrix(m *pb.SearchMatrixPoints) (err error) {
	p.searched = []string{m.GetUsing()}
	if p.group, err = rpcLimit(&m.Sample, usualSample); err != nil {
		return err
	}
	if p.limit, err = rpcLimit(&m.Limit, usualNeighbors); err != nil {
		return err
	}
	return p.rpcFilters(&m.Filter)
}

// rpcSelects reads which points a write is about.
func (p *part) rpcSelects(at **pb.PointsSelector) (err error) {
	p.points = access.Unbounded
	switch s := (*at).GetPointsSelectorOneOf().(type) {
	case *pb.PointsSelector_Points:
		if p.ids, p.named, err = rpcIDs(s.Points.GetIds()); err != nil {
			return err
		}
		p.points = p.named
	case *pb.PointsSelector_Filter:
		if p.filter, err = readRPCFilter(s.Filter); err != nil {
			return err
		}
	default:
		return unclear("it has neither points nor a filter")
	}
	p.edit.narrow = append(p.edit.narrow, narrowSelector(at))
	return nil
}

func (p *part) rpcUpdates(at **pb.Filter) error {
	f, err := readRPCFilter(*at)
	p.join(f)
	p.edit.narrow = append(p.edit.narrow, narrowFilter(at))
	return err
}

func (p *part) rpcUpsert(points []*pb.PointStruct, only **pb.Filter) error {
	for _, m := range points {
		id, err := rpcID(m.GetId())
		if err != nil {
			return err
		}
		p.wrote(id)
		p.rpcVectorsIn(m.GetVectors())
	}
	p.edit.written = func(field string, check func(string, bool) error) error {
		for _, m := range points {
			if err := check(rpcTextAt(m.GetPayload(), field)); err != nil {
				return err
			}
		}
		return nil
	}
	return p.rpcUpdates(only)
}

func (p *part) rpcVectorsIn(m *pb.Vectors) {
	p.rpcVector(m.GetVector())
	for _, v := range m.GetVectors().GetVectors() {
		p.rpcVector(v)
	}
}

func (p *part) rpcUpdateVectors(points []*pb.PointVectors, only **pb.Filter) error {
	for _, m := range points {
		id, err := rpcID(m.GetId())
		if err != nil {
			return err
		}
		p.wrote(id)
		p.rpcVectorsIn(m.GetVectors())
	}
	return p.rpcUpdates(only)
}

func (p *part) rpcSetPayload(payload map[string]*pb.Value, key *string, at **pb.PointsSelector, overwrite bool) error {
	inside := ""
	if key != nil {
		var err error
		if inside, err = rpcKey(*key, ""); err != nil {
			return err
		}
	}
	p.edit.written = func(field string, check func(string, bool) error) error {
		return settled(field, inside, overwrite, check, func(path string) (string, bool) { return rpcTextAt(payload, path) }, func(name string) bool { return payload[name] != nil })
	}
	return p.rpcSelects(at)
}

func (p *part) rpcDeletePayload(keys []string, at **pb.PointsSelector) error {
	var gone []string
	for _, key := range keys {
		f, err := rpcKey(key, "")
		if err != nil {
			return err
		}
		gone = append(gone, f)
	}
	p.edit.written = func(field string, check func(string, bool) error) error { return lost(field, gone, check) }
	return p.rpcSelects(at)
}

func (p *part) rpcClearPayload(at **pb.PointsSelector) error {
	p.edit.written = cleared
	return p.rpcSelects(at)
}

func (p *part) rpcDelete(at **pb.PointsSelector) error {
	if err := p.rpcSelects(at); err != nil {
		return err
	}
	p.action = deletes(p.named, p.filter)
	return nil
}

// rpcOperation reads an element of a batch of writes, in its present form or in the one that it had once.
func (p *part) rpcOperation(m *pb.PointsUpdateOperation) error {
	switch o := m.GetOperation().(type) {
	case *pb.PointsUpdateOperation_Upsert:
		p.action = access.Upsert
		return p.rpcUpsert(o.Upsert.GetPoints(), &o.Upsert.UpdateFilter)
	case *pb.PointsUpdateOperation_DeletePoints_:
		return p.rpcDelete(&o.DeletePoints.Points)
	case *pb.PointsUpdateOperation_DeleteDeprecated:
		//lint:ignore SA1019 a client may still say it in the old way
		return p.rpcDelete(&o.DeleteDeprecated)
	case *pb.PointsUpdateOperation_SetPayload_:
		p.action = access.Update
		return p.rpcSetPayload(o.SetPayload.GetPayload(), o.SetPayload.Key, &o.SetPayload.PointsSelector, false)
	case *pb.PointsUpdateOperation_OverwritePayload_:
		p.action = access.Update
		return p.rpcSetPayload(o.OverwritePayload.GetPayload(), o.OverwritePayload.Key, &o.OverwritePayload.PointsSelector, true)
	case *pb.PointsUpdateOperation_DeletePayload_:
		p.action = access.Update
		return p.rpcDeletePayload(o.DeletePayload.GetKeys(), &o.DeletePayload.PointsSelector)
	case *pb.PointsUpdateOperation_ClearPayload_:
		p.action = access.Update
		return p.rpcClearPayload(&o.ClearPayload.Points)
	case *pb.PointsUpdateOperation_ClearPayloadDeprecated:
		p.action = access.Update
		//lint:ignore SA1019 a client may still say it in the old way
		return p.rpcClearPayload(&o.ClearPayloadDeprecated)
	case *pb.PointsUpdateOperation_UpdateVectors_:
		p.action = access.UpdateVectors
		return p.rpcUpdateVectors(o.UpdateVectors.GetPoints(), &o.UpdateVectors.UpdateFilter)
	case *pb.PointsUpdateOperation_DeleteVectors_:
		p.action = access.UpdateVectors
		return p.rpcSelects(&o.DeleteVectors.PointsSelector)
	}
	return unclear("an operation is not known")
}

// rpcTextAt is the text in a field of a payload.
func rpcTextAt(payload map[string]*pb.Value, field string) (string, bool) {
	for {
		name, rest, more := strings.Cut(field, ".")
		v, ok := payload[name]
		if !more {
			s, isText := v.GetKind().(*pb.Value_StringValue)
			return v.GetStringValue(), ok && isText && s != nil
		}
		payload, field = v.GetStructValue().GetFields(), rest
	}
}
