package qdrant

import (
	"fmt"
	"strconv"

	pb "github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/hidden"
)

func stringValue(s string) protoreflect.Value { return protoreflect.ValueOfString(s) }

// concealer hides values of one answer, as view.go does for the other door.
type concealer struct {
	parts      []*part
	protection *access.Protection
	hider      *mask.Hider
	rows       int64
	hidden     map[access.Resource]*hidden.Fields
}

// mask hides what must be hidden and counts points. An answer of a kind that it does not know is withheld.
func (c *concealer) mask(h *mask.Hider, m proto.Message) (int64, error) {
	v := *c
	v.hider = h
	switch m := m.(type) {
	case *pb.GetResponse:
		v.retrieved(m.GetResult())
	case *pb.ScrollResponse:
		v.retrieved(m.GetResult())
	case *pb.SearchResponse:
		v.scored(m.GetResult())
	case *pb.QueryResponse:
		v.scored(m.GetResult())
	case *pb.RecommendResponse:
		v.scored(m.GetResult())
	case *pb.DiscoverResponse:
		v.scored(m.GetResult())
	case *pb.SearchBatchResponse:
		v.batches(m.GetResult())
	case *pb.QueryBatchResponse:
		v.batches(m.GetResult())
	case *pb.RecommendBatchResponse:
		v.batches(m.GetResult())
	case *pb.DiscoverBatchResponse:
		v.batches(m.GetResult())
	case *pb.SearchGroupsResponse:
		v.groups(m.GetResult())
	case *pb.QueryGroupsResponse:
		v.groups(m.GetResult())
	case *pb.RecommendGroupsResponse:
		v.groups(m.GetResult())
	case *pb.FacetResponse:
		for _, hit := range m.GetHits() {
			v.rows++
			hit.Value = v.facet(hit.GetValue())
		}
	case *pb.SearchMatrixPairsResponse:
		for _, pair := range m.GetResult().GetPairs() {
			v.rows++
			pair.Score = v.score(pair.GetScore())
		}
	case *pb.SearchMatrixOffsetsResponse:
		for i, score := range m.GetResult().GetScores() {
			v.rows++
			m.Result.Scores[i] = v.score(score)
		}
	case *pb.CountResponse, *pb.PointsOperationResponse, *pb.UpdateBatchResponse:
	default:
		return 0, fmt.Errorf("an answer of type %s is not known", m.ProtoReflect().Descriptor().FullName())
	}
	return v.rows, nil
}

func (c *concealer) retrieved(list []*pb.RetrievedPoint) {
	for _, p := range list {
		c.rows++
		c.payload(c.parts[0].at, p.GetPayload())
		p.Vectors = c.vectors(c.parts[0].at, p.GetVectors())
		p.OrderValue = c.order(p.GetOrderValue())
	}
}

func (c *concealer) scored(list []*pb.ScoredPoint) {
	for _, p := range list {
		c.rows++
		c.payload(c.parts[0].at, p.GetPayload())
		p.Vectors = c.vectors(c.parts[0].at, p.GetVectors())
		p.OrderValue = c.order(p.GetOrderValue())
		p.Score = c.score(p.GetScore())
	}
}

func (c *concealer) batches(list []*pb.BatchResult) {
	for _, b := range list {
		c.scored(b.GetResult())
	}
}

func (c *concealer) groups(r *pb.GroupsResult) {
	for _, g := range r.GetGroups() {
		c.scored(g.GetHits())
		g.Id = c.group(g.GetId())
		for _, l := range c.parts[0].lookups {
			if found := g.GetLookup(); l.show != nil && found != nil {
				c.payload(l.at, found.GetPayload())
				found.Vectors = c.vectors(l.at, found.GetVectors())
				found.OrderValue = nil // it was looked up by its id
			}
		}
	}
}

// use is what happens to a value that a field's use puts into the answer: the strictest of all parts.
func (c *concealer) use(how as) access.Treatment {
	for _, p := range c.parts {
		if t := p.used(c.protection, how); t.Mask != access.MaskNone {
			return t
		}
	}
	return access.Treatment{}
}

func (c *concealer) score(s float32) float32 {
	for _, p := range c.parts {
		if p.scores(c.protection).Mask != access.MaskNone {
			return float32(mask.Round(float64(s)))
		}
	}
	return s
}

func (c *concealer) order(v *pb.OrderValue) *pb.OrderValue {
	if c.use(asOrder).Mask != access.MaskNone {
		return nil
	}
	return v
}

func (c *concealer) group(id *pb.GroupId) *pb.GroupId {
	t := c.use(asGroup)
	if t.Mask == access.MaskNone {
		if s, ok := id.GetKind().(*pb.GroupId_StringValue); ok {
			s.StringValue = c.text(asGroup, s.StringValue)
		}
		return id
	}
	if s, ok := id.GetKind().(*pb.GroupId_StringValue); ok {
		if shown, kind := c.hider.Append(nil, t, mask.Text, []byte(s.StringValue)); kind == mask.Text {
			return &pb.GroupId{Kind: &pb.GroupId_StringValue{StringValue: string(shown)}}
		}
	}
	return nil
}

func (c *concealer) facet(v *pb.FacetValue) *pb.FacetValue {
	t := c.use(asFacet)
	if t.Mask == access.MaskNone {
		if s, ok := v.GetVariant().(*pb.FacetValue_StringValue); ok {
			s.StringValue = c.text(asFacet, s.StringValue)
		}
		return v
	}
	if s, ok := v.GetVariant().(*pb.FacetValue_StringValue); ok {
		if shown, kind := c.hider.Append(nil, t, mask.Text, []byte(s.StringValue)); kind == mask.Text {
			return &pb.FacetValue{Variant: &pb.FacetValue_StringValue{StringValue: string(shown)}}
		}
	}
	return nil
}

func (c *concealer) vectors(at access.Resource, v *pb.VectorsOutput) *pb.VectorsOutput {
	if v == nil {
		return nil
	}
	if treatVector(c.protection, at, "").Mask != access.MaskNone {
		return nil
	}
	for name := range v.GetVectors().GetVectors() {
		if c.protection.Field(at, name, true).Mask != access.MaskNone {
			delete(v.GetVectors().GetVectors(), name)
		}
	}
	return v
}

// payload hides in a payload as payloadNode does.
func (c *concealer) payload(at access.Resource, fields map[string]*pb.Value) {
	if f := c.fields(at); f != nil {
		c.object(f, fields, "")
	}
}

// fields are what is hidden in the payloads of a collection.
func (c *concealer) fields(at access.Resource) *hidden.Fields {
	f, ok := c.hidden[at]
	if !ok {
		f = hidden.Of(c.protection, nil, at)
		if c.hidden == nil {
			c.hidden = map[access.Resource]*hidden.Fields{}
		}
		c.hidden[at] = f
	}
	return f
}

func (c *concealer) object(f *hidden.Fields, fields map[string]*pb.Value, path string) {
	for name, v := range fields {
		below := name
		if path != "" {
			below = path + "." + name
		}
		t := f.Treat(below)
		switch {
		case t.Mask == access.MaskDrop:
			delete(fields, name)
		case t.Mask != access.MaskNone:
			fields[name] = c.value(t, v)
		default:
			c.inside(f, v, below)
		}
	}
}

// inside looks into objects, into those in lists, and into texts.
func (c *concealer) inside(f *hidden.Fields, v *pb.Value, path string) {
	switch k := v.GetKind().(type) {
	case *pb.Value_StructValue:
		c.object(f, k.StructValue.GetFields(), path)
	case *pb.Value_ListValue:
		for _, item := range k.ListValue.GetValues() {
			c.inside(f, item, path)
		}
	case *pb.Value_StringValue:
		k.StringValue = f.Text(c.hider, path, k.StringValue)
	}
}

// text hides in a text of a field that stands elsewhere in an answer.
func (c *concealer) text(how as, text string) string {
	for _, p := range c.parts {
		for _, u := range p.uses {
			if u.as == how {
				text = c.fields(p.at).Text(c.hider, u.field, text)
			}
		}
	}
	return text
}

func (c *concealer) value(t access.Treatment, v *pb.Value) *pb.Value {
	var of []byte
	kind := mask.Null
	switch k := v.GetKind().(type) {
	case *pb.Value_StringValue:
		kind, of = mask.Text, []byte(k.StringValue)
	case *pb.Value_IntegerValue:
		kind, of = mask.Number, strconv.AppendInt(nil, k.IntegerValue, 10)
	case *pb.Value_DoubleValue:
		kind, of = mask.Number, strconv.AppendFloat(nil, k.DoubleValue, 'g', -1, 64)
	case *pb.Value_BoolValue:
		kind, of = mask.Bool, strconv.AppendBool(nil, k.BoolValue)
	}
	if shown, kind := c.hider.Append(nil, t, kind, of); kind == mask.Text {
		return &pb.Value{Kind: &pb.Value_StringValue{StringValue: string(shown)}}
	} else if kind == mask.Number {
		if n, err := strconv.ParseFloat(string(shown), 64); err == nil {
			return &pb.Value{Kind: &pb.Value_DoubleValue{DoubleValue: n}}
		}
	}
	return &pb.Value{Kind: &pb.Value_NullValue{}}
}
