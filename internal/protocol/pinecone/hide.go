package pinecone

import (
	"errors"
	"strconv"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/hidden"
	pb "github.com/vecgate/vecgate/internal/protocol/pinecone/pineconepb"
)

// errAnswer withholds an answer that is not of the type that belongs to its request.
var errAnswer = errors.New("the answer is not of the type that was expected")

// cover hides in records over gRPC what shown hides over REST.
type cover struct {
	p             *access.Protection
	at            []access.Resource
	fields        *hidden.Fields
	id            access.Treatment
	metadata      access.Treatment
	dense, sparse access.Treatment
	score         access.Treatment
}

func covering(p *access.Protection, at []access.Resource) *cover {
	c := &cover{p: p, at: at, fields: hidden.Of(p, nil, at...), id: hiddenID(field(p, at, fieldID, false)), metadata: field(p, at, "metadata", false)}
	c.dense, c.sparse = vectors(p, at)
	c.score = distances(strictest(c.dense, c.sparse))
	return c
}

func (c *cover) scored(h *mask.Hider, v *pb.ScoredVector) {
	v.Id = c.named(h, v.GetId())
	v.Metadata = c.hidden(h, v.GetMetadata())
	if c.dense.Mask != access.MaskNone {
		v.Values = nil
	}
	if c.sparse.Mask != access.MaskNone {
		v.SparseValues = nil
	}
	if c.score.Mask != access.MaskNone {
		v.Score = float32(number64(h, c.score, float64(v.GetScore())))
	}
}

func (c *cover) vectors(h *mask.Hider, all map[string]*pb.Vector) int64 {
	for _, v := range all {
		v.Id = c.named(h, v.GetId())
		v.Metadata = c.hidden(h, v.GetMetadata())
		if c.dense.Mask != access.MaskNone && len(v.GetValues()) > 0 {
			v.Values = []float32{0} // the clients take no record without any
		}
		if c.sparse.Mask != access.MaskNone && v.GetSparseValues() != nil {
			v.SparseValues = &pb.SparseValues{Indices: []uint32{0}, Values: []float32{0}}
		}
	}
	return int64(len(all))
}

func (c *cover) named(h *mask.Hider, id string) string {
	if c.id.Mask == access.MaskNone {
		return id
	}
	shown, kind := h.Append(nil, c.id, mask.Text, []byte(id))
	if kind != mask.Text {
		return ""
	}
	return string(shown)
}

// number64 is what a number becomes; what nothing is left of is 0, because the message has no place for nothing.
func number64(h *mask.Hider, t access.Treatment, n float64) float64 {
	shown, kind := h.Append(nil, t, mask.Number, strconv.AppendFloat(nil, n, 'g', -1, 64))
	if kind != mask.Number {
		return 0
	}
	out, err := strconv.ParseFloat(string(shown), 64)
	if err != nil {
		return 0
	}
	return out
}

func (c *cover) hidden(h *mask.Hider, metadata *structpb.Struct) *structpb.Struct {
	if c.metadata.Mask != access.MaskNone {
		return nil
	}
	if c.fields == nil {
		return metadata
	}
	for name, v := range metadata.GetFields() {
		t := c.fields.Treat(name)
		switch {
		case t.Mask == access.MaskNone:
			c.inside(h, v, name)
		case t.Mask == access.MaskDrop:
			delete(metadata.Fields, name)
		default:
			metadata.Fields[name] = hide(h, t, v)
		}
	}
	return metadata
}

// inside hides in a value that is not hidden as a whole, in lists and in texts that are documents of their own. Metadata is
// flat; an object in it is one of a form that is not known yet.
func (c *cover) inside(h *mask.Hider, v *structpb.Value, path string) {
	switch k := v.GetKind().(type) {
	case *structpb.Value_StringValue:
		k.StringValue = c.fields.Text(h, path, k.StringValue)
	case *structpb.Value_ListValue:
		for _, item := range k.ListValue.GetValues() {
			c.inside(h, item, path)
		}
	case *structpb.Value_StructValue:
		for name, inner := range k.StructValue.GetFields() {
			if t := c.fields.Treat(path + "." + name); t.Mask != access.MaskNone {
				k.StructValue.Fields[name] = hide(h, t, inner)
			} else {
				c.inside(h, inner, path+"."+name)
			}
		}
	}
}

// hide is what a value of metadata becomes; a list becomes null.
func hide(h *mask.Hider, t access.Treatment, v *structpb.Value) *structpb.Value {
	var shown []byte
	var kind mask.Kind
	switch v := v.GetKind().(type) {
	case *structpb.Value_StringValue:
		shown, kind = h.Append(nil, t, mask.Text, []byte(v.StringValue))
	case *structpb.Value_NumberValue:
		shown, kind = h.Append(nil, t, mask.Number, strconv.AppendFloat(nil, v.NumberValue, 'g', -1, 64))
	case *structpb.Value_BoolValue:
		shown, kind = h.Append(nil, t, mask.Bool, strconv.AppendBool(nil, v.BoolValue))
	}
	switch kind {
	case mask.Text:
		return structpb.NewStringValue(string(shown))
	case mask.Number:
		if n, err := strconv.ParseFloat(string(shown), 64); err == nil {
			return structpb.NewNumberValue(n)
		}
	case mask.Bool:
		return structpb.NewBoolValue(string(shown) == "true")
	}
	return structpb.NewNullValue()
}
