package analysis

import (
	"maps"
	"slices"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
)

// tidy merges accesses that say the same, fills in what is known of the whole statement only, and puts the gravest first.
func (a *analysis) tidy() {
	a.describe()
	a.st.Definitions = strings.Join(slices.Sorted(maps.Keys(a.rests)), "\n")
	var out []noted
	for _, acc := range a.accesses {
		i := slices.IndexFunc(out, func(have noted) bool { return same(have.Access, acc.Access) })
		if i < 0 {
			if acc.param > 0 {
				if a.st.BoundParam == 0 {
					a.st.BoundParam = acc.param
				}
				// Only one parameter can be filled in later; what another one bounds stays unbounded.
				if acc.param != a.st.BoundParam {
					acc.param = 0
				} else {
					acc.param = 1
				}
			}
			out = append(out, acc)
			continue
		}
		out[i].merge(acc, a.st.BoundParam)
	}
	for i := range out {
		if n := &out[i]; n.values > maxChosen {
			n.Action = access.Scroll
			if n.Attributes.Rows != access.Unbounded {
				n.Attributes.Rows = max(n.Attributes.Rows, int64(n.values))
			}
		}
	}
	slices.SortStableFunc(out, func(x, y noted) int { return y.Action.Weight() - x.Action.Weight() })
	for _, n := range out {
		a.st.Accesses = append(a.st.Accesses, n.Access)
		a.st.bound = append(a.st.bound, n.param)
	}
}

func same(x, y access.Access) bool {
	return x.Action == y.Action && x.Resource == y.Resource && x.Attributes.Role == y.Attributes.Role &&
		x.Attributes.Filter == y.Attributes.Filter && x.Attributes.Alias == y.Attributes.Alias && x.Attributes.Egress == y.Attributes.Egress
}

// merge adds another access of the same kind. From here on param counts how often the parameter bounds the rows.
func (n *noted) merge(other noted, param int) {
	n.values += other.values
	have, at := &n.Attributes, &other.Attributes
	if n.param > 0 && other.param == param {
		n.param++
	} else {
		n.param = 0
	}
	have.Rows, have.Limit, have.Points = sum(have.Rows, at.Rows), sum(have.Limit, at.Limit), sum(have.Points, at.Points)
	have.Vectors, have.Lock, have.Cursor = have.Vectors || at.Vectors, have.Lock || at.Lock, have.Cursor || at.Cursor
	have.FilterFields = slices.Clone(have.FilterFields)
	for _, f := range at.FilterFields {
		have.FilterFields = appendName(have.FilterFields, f)
	}
	have.OrderBy = slices.Clone(have.OrderBy)
	for _, f := range at.OrderBy {
		have.OrderBy = appendName(have.OrderBy, f)
	}
	if len(have.IDs)+len(at.IDs) <= maxIDs {
		have.IDs = append(slices.Clone(have.IDs), at.IDs...)
	}
}

// describe fills in the fields that reads touch, and whether raw vectors come back.
func (a *analysis) describe() {
	vectors, fields := map[access.Resource]bool{}, map[access.Resource][]string{}
	for _, out := range a.st.Outputs {
		for _, c := range out.Sources {
			if c.Vector && out.Distance == nil {
				vectors[c.Resource] = true
			}
		}
	}
	for c := range a.used {
		fields[c.Resource] = append(fields[c.Resource], c.Name)
	}
	for r, names := range fields {
		slices.Sort(names)
		fields[r] = slices.Compact(names)
		if len(fields[r]) > 64 {
			fields[r] = []string{"*"}
		}
	}
	for i := range a.accesses {
		at := &a.accesses[i].Attributes
		switch a.accesses[i].Action {
		case access.Search, access.Fetch, access.Scroll, access.Export, access.Aggregate:
			at.Vectors = at.Vectors || vectors[a.accesses[i].Resource]
			if at.Fields == nil {
				at.Fields = fields[a.accesses[i].Resource]
			}
		}
	}
}

func sum(x, y int64) int64 {
	if x == access.Unbounded || y == access.Unbounded {
		return access.Unbounded
	}
	return x + y
}

// Limited returns the accesses with the value of the parameter BoundParam as their limit. A negative value is no limit.
func (s *Statement) Limited(limit int64) []access.Access {
	if limit < 0 {
		return s.Accesses
	}
	out := slices.Clone(s.Accesses)
	for i, n := range s.bound {
		if n > 0 {
			out[i].Attributes.Rows, out[i].Attributes.Limit = limit*int64(n), limit
		}
	}
	return out
}
