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
	var from gathered[*Column]
	var reads gathered[*read]
	for i := range vs {
		from.add(vs[i].from)
		reads.add(vs[i].reads)
		out.variable = out.variable || vs[i].variable
	}
	out.from, out.reads = from.list, reads.list
	return out
}

// gathered keeps each element once. It never changes what it is given.
type gathered[T comparable] struct {
	list []T
	own  bool           // the list is its own
	seen map[T]struct{} // what is in the list, once that is long
}

func (g *gathered[T]) add(more []T) {
	switch {
	case len(more) == 0, len(g.list) == len(more) && &g.list[0] == &more[0]:
		return
	case len(g.list) == 0:
		g.list = more
		return
	case g.seen == nil && len(g.list)+len(more) > 32:
		g.seen = make(map[T]struct{}, len(g.list)+len(more))
		for _, x := range g.list {
			g.seen[x] = struct{}{}
		}
	}
	for _, x := range more {
		if g.seen != nil {
			if _, ok := g.seen[x]; ok {
				continue
			}
			g.seen[x] = struct{}{}
		} else if slices.Contains(g.list, x) {
			continue
		}
		if !g.own {
			g.list, g.own = slices.Clone(g.list), true
		}
		g.list = append(g.list, x)
	}
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
	g := gathered[T]{list: a}
	g.add(b)
	return g.list
}
