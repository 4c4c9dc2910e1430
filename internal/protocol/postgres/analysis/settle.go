package analysis

import (
	"github.com/vecgate/vecgate/internal/access"
)

// demand is what a query's surroundings make of its rows.
type demand struct {
	limit  int64 // at most so many of its rows come back
	param  int   // the same, as a parameter
	lookup bool  // its rows only decide something
	role   string
	reduce access.Action // its rows are reduced to one value or a few: count or aggregate
	chosen int           // of how many aggregates that choose their rows themselves
	driven bool          // something beside it names the few rows that it is joined to
	locks  bool
	cursor bool
	export bool // COPY TO
}

// maxChosen is how many values of single items a statement may get out of a table by aggregates that choose their rows. Each
// value may be read like this; as many as are wanted in one statement are no aggregate.
const maxChosen = 16

// noted is an access, and how often the parameter bounds its rows.
type noted struct {
	access.Access
	param int
	// values is how many values of single items the aggregates over it may be, of each of its columns.
	values int
}

// settle says for every occurrence in a query, and in the queries inside it, what kind of reading it is.
func (a *analysis) settle(q *query, d demand) {
	if q.settled {
		return
	}
	q.settled = true
	for _, c := range q.ctes {
		c.query.shared = c.refs != 1
	}
	for _, c := range q.ctes {
		if c.query.shared {
			a.settle(c.query, demand{limit: access.Unbounded, role: d.role, cursor: d.cursor, export: d.export})
		}
	}
	in := d
	switch {
	case q.correlated && !d.lookup:
		// It runs once for every row around it, each time from another place if it likes: its LIMIT bounds one of them.
	case q.limit != access.Unbounded && (d.limit == access.Unbounded || q.limit < d.limit):
		in.limit, in.param = q.limit, 0
	case q.limitParam > 0 && in.limit == access.Unbounded:
		in.param = q.limitParam
	}
	in.locks = d.locks || q.locks
	rows := in // of sub-selects in its target list
	switch {
	case q.aggregated && !q.grouped:
		rows.limit, rows.param = 1, 0
		in.limit, in.param = access.Unbounded, 0
		if q.collecting {
			in.reduce = ""
			break
		}
		if q.correlated && !d.lookup && !q.counting {
			// It runs once for every row around it, so together it may read every value out.
			in.reduce, in.limit, in.param = "", d.limit, d.param
			break
		}
		in.reduce, in.chosen = access.Aggregate, max(in.chosen, q.chosen)
		if q.counting {
			in.reduce = access.Count
		}
	case q.grouped:
		if q.keyGroups || q.collecting || q.chosen > maxChosen {
			in.reduce = ""
			if q.collecting || q.chosen > maxChosen {
				in.limit, in.param = access.Unbounded, 0
			}
			break
		}
		in.reduce, in.chosen = access.Aggregate, max(in.chosen, q.chosen)
	}
	if q.oneRow {
		rows.limit, rows.param = 1, 0
	}
	a.look(len(a.joins))
	spread(a.joins)
	in.driven = d.driven || driven(q)
	for _, r := range q.reads {
		a.emit(r, q, in)
	}
	for _, inner := range q.from {
		if !inner.shared {
			a.settle(inner, in)
		}
	}
	for _, s := range q.subs {
		switch {
		case !s.returns:
			a.settle(s.q, demand{limit: access.Unbounded, lookup: true, role: "lookup"})
		case s.scalar:
			a.settle(s.q, demand{limit: rows.limit, param: rows.param, role: d.role, cursor: d.cursor, export: d.export, driven: rows.driven})
		default:
			a.settle(s.q, demand{limit: access.Unbounded, role: d.role, cursor: d.cursor, export: d.export})
		}
	}
	for _, c := range q.ctes {
		a.settle(c.query, demand{limit: access.Unbounded, role: d.role, cursor: d.cursor, export: d.export})
	}
}

// spread carries narrowing over join conditions: what is joined to a filtered table is filtered.
func spread(joins [][]*read) {
	for again := true; again; {
		again = false
		for _, group := range joins {
			any := false
			for _, r := range group {
				any = any || r.narrowed
			}
			for _, r := range group {
				if any && !r.narrowed {
					r.narrowed, again = true, true
				}
			}
		}
	}
}

// driven reports whether some occurrence in the query's FROM names few rows: by key, or as nearest neighbours.
func driven(q *query) bool {
	if q.driven != 0 {
		return q.driven > 0 // a WITH query may be reached over many ways: each is looked at once
	}
	q.driven = -1
	for _, r := range q.reads {
		if _, ok := r.keyed(); ok || r.knn {
			q.driven = 1
		}
	}
	for _, inner := range q.from {
		if driven(inner) {
			q.driven = 1
		}
	}
	return q.driven > 0
}

// emit notes the access of one occurrence. docs/reference/postgres.md has the table.
func (a *analysis) emit(r *read, q *query, d demand) {
	at := access.Attributes{
		Limit: d.limit, Offset: q.offset, Rows: d.limit, Filter: r.filter(), FilterFields: r.filters, IDs: r.keys(),
		OrderBy: q.orderBy, Cursor: d.cursor, Lock: d.locks, Role: d.role, Alias: r.alias,
	}
	param := d.param
	n, keyed := r.keyed()
	var act access.Action
	values := 0
	switch {
	case d.lookup:
		act, at.Rows, at.Limit = access.Aggregate, 0, 0
	case d.reduce != "":
		act = d.reduce
		if act == access.Aggregate {
			values = max(d.chosen, 1)
		}
		if !q.grouped {
			at.Rows, at.Limit, param = 1, access.Unbounded, 0
		}
	case keyed:
		act = access.Fetch
		if at.Rows == access.Unbounded || n != access.Unbounded && n < at.Rows {
			at.Rows = n
		}
		if at.Rows != access.Unbounded {
			param = 0
		}
	case r.knn:
		act = access.Search
		at.Limit = r.knnLimit
		switch {
		case q.correlated: // so many for every row around it
		case at.Rows == access.Unbounded && r.knnParam > 0:
			param = r.knnParam
		case at.Rows == access.Unbounded || r.knnLimit != access.Unbounded && r.knnLimit < at.Rows:
			at.Rows = r.knnLimit
		}
	case d.driven && (r.joinKeyed() || len(r.joined) > 0 && (at.Rows != access.Unbounded || param > 0)):
		act, at.Role = access.Fetch, join(d.role)
	case d.driven && len(r.joined) > 0:
		act, at.Role = access.Scroll, join(d.role)
	case at.Rows != access.Unbounded || param > 0 || r.narrowed:
		act = access.Scroll
	default:
		act = access.Export
	}
	if d.cursor && act == access.Search {
		act = access.Scroll
	}
	if d.export && act != access.Count && act != access.Aggregate {
		act = access.Export
	}
	if at.Rows != access.Unbounded {
		param = 0
	}
	a.eachRoot(r.rel, func(res access.Resource, alias string) {
		acc := access.Access{Action: act, Resource: res, Attributes: at}
		if alias != "" {
			acc.Attributes.Alias = alias
		}
		a.accesses = append(a.accesses, noted{acc, param, values})
	})
}

func join(role string) string {
	if role == "" {
		return "join"
	}
	return role
}

// eachRoot calls do with the resource of every topmost ancestor of a relation.
func (a *analysis) eachRoot(rel *Relation, do func(access.Resource, string)) {
	for _, root := range rel.roots {
		alias := ""
		if root != rel {
			alias = rel.name
		}
		do(root.Resource, alias)
	}
	if len(rel.roots) == 0 {
		do(rel.Resource, "")
	}
}

// filter says how much the conditions on an occurrence narrow it.
func (r *read) filter() access.Filter {
	if _, ok := r.keyed(); ok {
		return access.FilterKey
	}
	switch {
	case r.narrowed:
		return access.FilterOther
	case r.trivial:
		return access.FilterTrivial
	}
	return access.FilterNone
}
