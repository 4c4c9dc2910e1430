package weaviate

import (
	"strconv"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/hidden"
	pb "github.com/vecgate/vecgate/internal/protocol/weaviate/weaviatepb"
)

// reply hides in answers of gRPC.
type reply struct {
	p *access.Protection
	q *query
	h *mask.Hider
	// hidden are what is hidden in the texts of collections, of one answer.
	hidden map[access.Resource]*hidden.Fields
}

func (r reply) with(h *mask.Hider) *reply {
	r.h, r.hidden = h, map[access.Resource]*hidden.Fields{}
	return &r
}

// search hides in the answer of Search, and counts its objects.
func (r *reply) search(a *pb.SearchReply, s *shownObject) int64 {
	n := int64(len(a.GetResults()))
	for _, result := range a.GetResults() {
		r.result(result, s)
	}
	protected := protects(r.p, s.at, s.class)
	for _, g := range a.GetGroupByResults() {
		n += int64(len(g.GetObjects()))
		for _, result := range g.GetObjects() {
			r.result(result, s)
		}
		for _, by := range r.q.groups {
			if t := treatment(r.p, by.at, by.field); t.Mask != access.MaskNone {
				g.Name = r.text(t, g.GetName())
			} else {
				g.Name = r.document(by.at, by.field, g.GetName())
			}
		}
		if r.q.near {
			t := distances(vectorsOf(r.p, s.at, s.class))
			low, _ := r.number(t, float64(g.GetMinDistance()))
			high, _ := r.number(t, float64(g.GetMaxDistance()))
			g.MinDistance, g.MaxDistance = float32(low), float32(high)
		}
		if protected {
			g.Generative, g.GenerativeResult = nil, nil
		}
	}
	if protected {
		a.GenerativeGroupedResult, a.GenerativeGroupedResults, a.QueryProfile = nil, nil, nil
	}
	return n
}

func (r *reply) result(result *pb.SearchResult, s *shownObject) {
	r.properties(result.GetProperties(), s)
	r.metadata(result.GetMetadata(), s.stored)
	if protects(r.p, s.at, s.class) {
		result.Generative = nil
	}
}

// properties hides in an object's properties, and in those of the objects that it refers to.
func (r *reply) properties(p *pb.PropertiesResult, s *shownObject) {
	if p == nil {
		return
	}
	r.metadata(p.GetMetadata(), s.stored)
	r.fields(p.GetNonRefProps(), s.stored, "")
	var kept []*pb.RefPropertiesResult
	for _, ref := range p.GetRefProps() {
		asked := s.references[lower(ref.GetPropName())]
		if treatment(r.p, s.at, ref.GetPropName()).Mask != access.MaskNone {
			ref.Properties = nil
		}
		var known []*pb.PropertiesResult
		for _, object := range ref.GetProperties() {
			to := asked[object.GetTargetCollection()]
			for _, only := range asked {
				if to == nil && len(asked) == 1 && object.GetTargetCollection() == "" {
					to = only
				}
			}
			if to == nil {
				continue // nobody asked for it, and nothing says where it is from
			}
			r.properties(object, to)
			known = append(known, object)
		}
		ref.Properties = known
		kept = append(kept, ref)
	}
	p.RefProps = kept
}

// fields hides in properties, below the path.
func (r *reply) fields(p *pb.Properties, s stored, path string) {
	for name, v := range p.GetFields() {
		t := treatment(r.p, s.at, path+name)
		switch {
		case t.Mask == access.MaskDrop:
			delete(p.Fields, name)
		case t.Mask != access.MaskNone:
			p.Fields[name] = r.hide(t, v)
		default:
			r.inside(v, s, path+name)
		}
	}
}

// inside hides in a value that is not hidden as a whole.
func (r *reply) inside(v *pb.Value, s stored, path string) {
	hides := func(names ...string) bool {
		for _, name := range names {
			if treatment(r.p, s.at, path+"."+name).Mask != access.MaskNone {
				return true
			}
		}
		return false
	}
	switch kind := v.GetKind().(type) {
	case *pb.Value_TextValue:
		kind.TextValue = r.document(s.at, path, kind.TextValue)
	case *pb.Value_ObjectValue:
		r.fields(kind.ObjectValue, s, path+".")
	case *pb.Value_ListValue:
		texts := kind.ListValue.GetTextValues().GetValues()
		for i, text := range texts {
			texts[i] = r.document(s.at, path, text)
		}
		for _, object := range kind.ListValue.GetObjectValues().GetValues() {
			r.fields(object, s, path+".")
		}
	case *pb.Value_GeoValue:
		if hides("latitude", "longitude") {
			v.Kind = null
		}
	case *pb.Value_PhoneValue:
		if hides("input", "internationalFormatted", "nationalFormatted", "national", "valid", "countryCode", "defaultCountry") {
			v.Kind = null
		}
	}
}

// document hides in a text that is a document of its own.
func (r *reply) document(at access.Resource, path, text string) string {
	f, ok := r.hidden[at]
	if !ok {
		f = hidden.Of(r.p, nil, at)
		r.hidden[at] = f
	}
	return f.Text(r.h, path, text)
}

var null = &pb.Value_NullValue{NullValue: structpb.NullValue_NULL_VALUE}

// hide is what a value becomes. Of anything but a text nothing is left.
func (r *reply) hide(t access.Treatment, v *pb.Value) *pb.Value {
	if text, ok := v.GetKind().(*pb.Value_TextValue); ok {
		if shown, kind := r.h.Append(nil, t, mask.Text, []byte(text.TextValue)); kind == mask.Text {
			return &pb.Value{Kind: &pb.Value_TextValue{TextValue: string(shown)}}
		}
	}
	return &pb.Value{Kind: null}
}

// text is what a text becomes where there can be no null.
func (r *reply) text(t access.Treatment, s string) string {
	shown, kind := r.h.Append(nil, t, mask.Text, []byte(s))
	if kind != mask.Text {
		return ""
	}
	return string(shown)
}

// number is what a number becomes; ok says that something is left of it.
func (r *reply) number(t access.Treatment, f float64) (_ float64, ok bool) {
	if t.Mask == access.MaskNone {
		return f, true
	}
	shown, kind := r.h.Append(nil, t, mask.Number, strconv.AppendFloat(nil, f, 'f', -1, 64))
	if kind != mask.Number {
		return 0, false
	}
	rounded, err := strconv.ParseFloat(string(shown), 64)
	return rounded, err == nil
}

// metadata hides in what is told of an object besides its properties.
func (r *reply) metadata(m *pb.MetadataResult, s stored) {
	if m == nil {
		return
	}
	if t := r.p.Field(s.at, fieldID, false); t.Mask != access.MaskNone {
		r.id(t, m)
	}
	if r.p.Field(s.at, fieldCreated, false).Mask != access.MaskNone {
		m.CreationTimeUnix, m.CreationTimeUnixPresent = 0, false
	}
	if r.p.Field(s.at, fieldUpdated, false).Mask != access.MaskNone {
		m.LastUpdateTimeUnix, m.LastUpdateTimeUnixPresent = 0, false
	}
	vectors := vectorsOf(r.p, s.at, s.class)
	if vectors.Mask != access.MaskNone {
		m.Vector, m.VectorBytes = nil, nil
	}
	var seen []*pb.Vectors
	for _, v := range m.GetVectors() {
		if vectorTreatment(r.p, s.at, v.GetName()).Mask == access.MaskNone {
			seen = append(seen, v)
		}
	}
	m.Vectors = seen
	if r.q.near {
		t := distances(vectors)
		for _, n := range []struct {
			value   *float32
			present *bool
		}{{&m.Distance, &m.DistancePresent}, {&m.Certainty, &m.CertaintyPresent}, {&m.Score, &m.ScorePresent}} {
			shown, ok := r.number(t, float64(*n.value))
			*n.value, *n.present = float32(shown), *n.present && ok
		}
	}
	if protects(r.p, s.at, s.class) {
		m.ExplainScore, m.ExplainScorePresent, m.Generative, m.GenerativePresent = "", false, "", false
	}
}

// id puts another UUID in the place of an object's: a digest of it, or the one that is all zeros.
func (r *reply) id(t access.Treatment, m *pb.MetadataResult) {
	shown := make([]byte, 16)
	if t.Mask == access.MaskHash {
		shown = r.h.Digest(nil, t.Rule, []byte(m.GetId()))[:16]
	}
	if m.GetId() != "" {
		m.Id = spelled(shown)
	}
	if len(m.GetIdAsBytes()) > 0 {
		m.IdAsBytes = shown
	}
}

// spelled is a UUID of 16 bytes.
func spelled(b []byte) string {
	const digits = "0123456789abcdef"
	out := make([]byte, 0, 36)
	for i, c := range b {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			out = append(out, '-')
		}
		out = append(out, digits[c>>4], digits[c&15])
	}
	return string(out)
}
