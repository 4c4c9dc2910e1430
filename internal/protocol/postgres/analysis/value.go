package analysis

import "slices"

// value says what an expression's value is made of.
type value struct {
	copy   *Column // it is a plain copy of this column
	origin *read   // of the occurrence that the copy comes from
	from   []*Column
	reads  []*read // every occurrence whose columns are in it

	distance       *Column // it is a distance of a constant to this vector column
	distanceOrigin *read
	moved          bool // a whole number has been added to that distance

	fields []field // of a row value whose fields are known

	variable bool // it is made of more than constants and parameters: a column, a sub-select, chance, the clock
	typ      uint32
}

// field is a named part of a row.
type field struct {
	name string
	v    value
}

// derived is what a computation over the values yields.
func derived(vs ...value) value {
	var out value
	for i := range vs {
		out.from = union(out.from, vs[i].from)
		out.reads = union(out.reads, vs[i].reads)
		out.variable = out.variable || vs[i].variable
	}
	return out
}

// either is a value that is one of two: the arms of a set operation, the sides of a full join.
func either(a, b value) value {
	out := derived(a, b)
	if a.copy != nil && a.copy == b.copy {
		out.copy, out.typ = a.copy, a.typ
		if a.origin == b.origin {
			out.origin = a.origin
		}
	}
	if a.distance != nil && a.distance == b.distance {
		out.distance, out.moved = a.distance, a.moved || b.moved
		if a.distanceOrigin == b.distanceOrigin {
			out.distanceOrigin = a.distanceOrigin
		}
	}
	return out
}

// union keeps each element once. It never changes its arguments.
func union[T comparable](a, b []T) []T {
	if len(a) == 0 {
		return b
	}
	out := a[:len(a):len(a)]
	if len(a)+len(b) <= 32 {
		for _, x := range b {
			if !slices.Contains(out, x) {
				out = append(out, x)
			}
		}
		return out
	}
	seen := make(map[T]struct{}, len(a)+len(b))
	for _, x := range a {
		seen[x] = struct{}{}
	}
	for _, x := range b {
		if _, ok := seen[x]; !ok {
			seen[x] = struct{}{}
			out = append(out, x)
		}
	}
	return out
}
