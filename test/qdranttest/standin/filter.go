package standin

import (
	"slices"
	"strings"

	pb "github.com/qdrant/go-client/qdrant"
)

// matches says whether a point passes a filter.
func matches(p *pb.PointStruct, f *pb.Filter) bool { return clauses(p, p.Payload, f) }

func clauses(p *pb.PointStruct, fields map[string]*pb.Value, f *pb.Filter) bool {
	holds := func(c *pb.Condition) bool { return condition(p, fields, c) }
	for _, c := range f.GetMust() {
		if !holds(c) {
			return false
		}
	}
	if len(f.GetShould()) > 0 && !slices.ContainsFunc(f.GetShould(), holds) {
		return false
	}
	if slices.ContainsFunc(f.GetMustNot(), holds) {
		return false
	}
	if m := f.GetMinShould(); m != nil {
		n := uint64(0)
		for _, c := range m.GetConditions() {
			if holds(c) {
				n++
			}
		}
		return n >= m.GetMinCount()
	}
	return true
}

func condition(p *pb.PointStruct, fields map[string]*pb.Value, m *pb.Condition) bool {
	switch c := m.GetConditionOneOf().(type) {
	case *pb.Condition_Filter:
		return clauses(p, fields, c.Filter)
	case *pb.Condition_HasId:
		return slices.ContainsFunc(c.HasId.GetHasId(), func(id *pb.PointId) bool { return idText(id) == idText(p.Id) })
	case *pb.Condition_IsEmpty:
		return len(at(fields, c.IsEmpty.GetKey())) == 0
	case *pb.Condition_IsNull:
		return slices.ContainsFunc(at(fields, c.IsNull.GetKey()), isNull)
	case *pb.Condition_HasVector:
		_, ok := dense(p.GetVectors())[c.HasVector.GetHasVector()]
		return ok
	case *pb.Condition_Nested:
		return slices.ContainsFunc(at(fields, c.Nested.GetKey()), func(v *pb.Value) bool {
			return v.GetStructValue() != nil && clauses(p, v.GetStructValue().GetFields(), c.Nested.GetFilter())
		})
	case *pb.Condition_Field:
		return slices.ContainsFunc(at(fields, c.Field.GetKey()), func(v *pb.Value) bool { return field(v, c.Field) })
	}
	return false
}

func isNull(v *pb.Value) bool {
	_, ok := v.GetKind().(*pb.Value_NullValue)
	return ok
}

func field(v *pb.Value, c *pb.FieldCondition) bool {
	_, isText := v.GetKind().(*pb.Value_StringValue)
	_, isInt := v.GetKind().(*pb.Value_IntegerValue)
	_, isBool := v.GetKind().(*pb.Value_BoolValue)
	text := v.GetStringValue()
	if r := c.GetRange(); r != nil {
		n := number(v)
		return !isText && (r.Lt == nil || n < *r.Lt) && (r.Lte == nil || n <= *r.Lte) && (r.Gt == nil || n > *r.Gt) && (r.Gte == nil || n >= *r.Gte)
	}
	switch m := c.GetMatch().GetMatchValue().(type) {
	case *pb.Match_Keyword:
		return isText && text == m.Keyword
	case *pb.Match_Integer:
		return isInt && v.GetIntegerValue() == m.Integer
	case *pb.Match_Boolean:
		return isBool && v.GetBoolValue() == m.Boolean
	case *pb.Match_Keywords:
		return isText && slices.Contains(m.Keywords.GetStrings(), text)
	case *pb.Match_Integers:
		return isInt && slices.Contains(m.Integers.GetIntegers(), v.GetIntegerValue())
	case *pb.Match_ExceptKeywords:
		return !isText || !slices.Contains(m.ExceptKeywords.GetStrings(), text)
	case *pb.Match_ExceptIntegers:
		return !isInt || !slices.Contains(m.ExceptIntegers.GetIntegers(), v.GetIntegerValue())
	case *pb.Match_Text:
		return isText && strings.Contains(text, m.Text)
	}
	return false
}
