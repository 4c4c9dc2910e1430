package qdrant

import (
	"strconv"

	pb "github.com/qdrant/go-client/qdrant"

	"github.com/vecgate/vecgate/internal/access"
)

// readRPCFilter is readFilter for the other door.
func readRPCFilter(m *pb.Filter) (*filter, error) {
	if m == nil {
		return nil, nil
	}
	f := &filter{}
	narrows, err := f.rpcClauses(m, "", true)
	if f.narrows = narrows; err == nil {
		f.ids, f.named = rpcNamedBy(m)
	}
	return f, err
}

// rpcNamedBy is namedBy for the other door.
func rpcNamedBy(m *pb.Filter) (some []string, n int64) {
	for _, c := range m.GetMust() {
		if some, n = rpcNamedByCondition(c); n > 0 {
			return some, n
		}
	}
	for _, c := range m.GetShould() {
		more, k := rpcNamedByCondition(c)
		if k == 0 {
			return nil, 0
		}
		some, n = append(some, more...), n+k
	}
	return some[:min(len(some), mostIDs)], n
}

func rpcNamedByCondition(m *pb.Condition) (some []string, n int64) {
	if ids := m.GetHasId(); ids != nil {
		some, n, _ = rpcIDs(ids.GetHasId()) // read before
		return some, n
	}
	return rpcNamedBy(m.GetFilter())
}

func (f *filter) rpcClauses(m *pb.Filter, inside string, certain bool) (narrows bool, err error) {
	for _, c := range m.GetMust() {
		n, err := f.rpcCondition(c, inside, certain)
		if err != nil {
			return false, err
		}
		narrows = narrows || n
	}
	every := len(m.GetShould()) > 0
	for _, c := range m.GetShould() {
		n, err := f.rpcCondition(c, inside, false)
		if err != nil {
			return false, err
		}
		every = every && n
	}
	for _, list := range [][]*pb.Condition{m.GetMustNot(), m.GetMinShould().GetConditions()} {
		for _, c := range list {
			if _, err := f.rpcCondition(c, inside, false); err != nil {
				return false, err
			}
		}
	}
	return narrows || every, nil
}

func (f *filter) rpcCondition(m *pb.Condition, inside string, certain bool) (narrows bool, err error) {
	switch c := m.GetConditionOneOf().(type) {
	case *pb.Condition_Field:
		return f.rpcField(c.Field, inside, certain)
	case *pb.Condition_Nested:
		key, err := rpcKey(c.Nested.GetKey(), inside)
		if err != nil || c.Nested.GetFilter() == nil {
			return false, unclear("a nested condition of its filter is not of the known form")
		}
		f.uses = append(f.uses, condition{field: key})
		return f.rpcClauses(c.Nested.GetFilter(), key, false)
	case *pb.Condition_IsEmpty:
		return false, f.rpcUse(c.IsEmpty.GetKey(), inside)
	case *pb.Condition_IsNull:
		return false, f.rpcUse(c.IsNull.GetKey(), inside)
	case *pb.Condition_HasId:
		_, n, err := rpcIDs(c.HasId.GetHasId())
		return n > 0, err
	case *pb.Condition_HasVector:
		return false, nil
	case *pb.Condition_Filter:
		return f.rpcClauses(c.Filter, inside, certain)
	}
	return false, unclear("a condition of its filter is not of a known form")
}

func (f *filter) rpcUse(key, inside string) error {
	name, err := rpcKey(key, inside)
	f.uses = append(f.uses, condition{field: name})
	return err
}

func rpcKey(key, inside string) (string, error) {
	name, ok := fieldOf(key)
	if !ok {
		return "", unclear("a key is not a path in Qdrant's grammar")
	}
	if inside != "" {
		name = inside + "." + name
	}
	return name, nil
}

func (f *filter) rpcField(m *pb.FieldCondition, inside string, certain bool) (narrows bool, err error) {
	key, err := rpcKey(m.GetKey(), inside)
	if err != nil {
		return false, err
	}
	equality := false
	if m.GetMatch() != nil {
		switch m.GetMatch().GetMatchValue().(type) {
		case *pb.Match_Keyword, *pb.Match_Integer, *pb.Match_Boolean:
			equality, narrows = true, true
		case *pb.Match_Keywords, *pb.Match_Integers, *pb.Match_Text, *pb.Match_Phrase, *pb.Match_TextAny:
			narrows = true
		case *pb.Match_ExceptIntegers, *pb.Match_ExceptKeywords:
		default:
			return false, unclear("a match of its filter is not of a known form")
		}
	}
	f.uses = append(f.uses, condition{key, equality && certain})
	r, d := m.GetRange(), m.GetDatetimeRange()
	narrows = narrows || m.GetGeoBoundingBox() != nil || m.GetGeoRadius() != nil || m.GetGeoPolygon() != nil ||
		r != nil && (r.Lt != nil || r.Lte != nil || r.Gt != nil || r.Gte != nil) || d != nil && (d.Lt != nil || d.Lte != nil || d.Gt != nil || d.Gte != nil)
	return narrows, nil
}

func rpcID(m *pb.PointId) (string, error) {
	switch id := m.GetPointIdOptions().(type) {
	case *pb.PointId_Num:
		return strconv.FormatUint(id.Num, 10), nil
	case *pb.PointId_Uuid:
		if s, ok := canonicalUUID(id.Uuid); ok {
			return s, nil
		}
	}
	return "", unclear("an id is neither a number nor a UUID")
}

func rpcIDs(list []*pb.PointId) (some []string, n int64, err error) {
	for _, m := range list {
		id, err := rpcID(m)
		if err != nil {
			return nil, 0, err
		}
		if n++; n <= mostIDs {
			some = append(some, id)
		}
	}
	return some, n, nil
}

// narrowed is a filter with the conditions that others ask for before it.
func narrowed(m *pb.Filter, rules []access.FilterRule) *pb.Filter {
	out := &pb.Filter{}
	for _, r := range rules {
		out.Must = append(out.Must, pb.NewMatchKeywords(keyOf(r.Field), r.Values...))
	}
	if m != nil && (len(m.GetMust()) > 0 || len(m.GetShould()) > 0 || len(m.GetMustNot()) > 0 || m.GetMinShould() != nil) {
		out.Must = append(out.Must, &pb.Condition{ConditionOneOf: &pb.Condition_Filter{Filter: m}})
	}
	return out
}

func narrowFilter(at **pb.Filter) func([]access.FilterRule) {
	return func(rules []access.FilterRule) { *at = narrowed(*at, rules) }
}

// narrowSelector turns named points into a condition, and puts the others before it.
func narrowSelector(at **pb.PointsSelector) func([]access.FilterRule) {
	return func(rules []access.FilterRule) {
		f := (*at).GetFilter()
		if ids := (*at).GetPoints(); ids != nil {
			f = &pb.Filter{Must: []*pb.Condition{pb.NewHasID(ids.GetIds()...)}}
		}
		*at = &pb.PointsSelector{PointsSelectorOneOf: &pb.PointsSelector_Filter{Filter: narrowed(f, rules)}}
	}
}
