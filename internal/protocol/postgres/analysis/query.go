package analysis

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/vecgate/vecgate/internal/access"
)

// query is one query level, after its analysis.
type query struct {
	columns []field
	reads   []*read  // its FROM items that are relations
	from    []*query // its FROM items that are queries, also views; of a set operation its arms
	subs    []sub    // sub-selects in expressions
	ctes    []*cte

	limit      int64 // constant LIMIT, or access.Unbounded
	limitParam int
	offset     int64

	aggregated bool // an aggregate or GROUP BY stands in it
	grouped    bool
	counting   bool // all its aggregates are count
	collecting bool // an aggregate keeps every value: array_agg, string_agg …
	chosen     int  // its aggregates, besides count, that may choose their rows themselves
	keyGroups  bool // the groups are as fine as the rows
	correlated bool // it uses columns of a query around it
	locks      bool
	orderBy    []string
	oneRow     bool // it has no FROM
	shared     bool // a WITH query that is used more or less than once
	settled    bool
	driven     int // see driven: 1 yes, -1 no, 0 not looked yet
}

// sub is a sub-select in an expression.
type sub struct {
	q *query
	// returns says that its value may come back: it stands in the target list, not in a condition.
	returns bool
	scalar  bool
}

// read is one occurrence of a relation in a FROM list.
type read struct {
	rel   *Relation
	alias string // the view's or the partition's name under which it was addressed

	equal    map[*Column]int // columns that must equal one of so many constants; 0 is an unknown number
	ids      []string
	joined   map[*Column]bool // columns that must equal something of another item
	narrowed bool
	trivial  bool
	knn      bool
	knnLimit int64
	knnParam int
	filters  []string
}

func (r *read) keyed() (int64, bool) {
	if len(r.equal) == 0 || !r.rel.unique(func(c *Column) bool { _, ok := r.equal[c]; return ok }) {
		return 0, false
	}
	rows := int64(1)
	for _, n := range r.equal {
		if n == 0 {
			return access.Unbounded, true
		}
		if rows < 1<<20 {
			rows *= int64(n)
		}
	}
	return rows, true
}

// keys are the keys that a request names literally, when it names rows by key.
func (r *read) keys() []string {
	if _, ok := r.keyed(); ok {
		return r.ids
	}
	return nil
}

func (r *read) joinKeyed() bool {
	return r.rel.unique(func(c *Column) bool { _, ok := r.equal[c]; return ok || r.joined[c] })
}

// maxColumns is the server's own limit on a target list; it also keeps stars over stars from growing without end.
const maxColumns = 1664

// selectStmt analyses a SELECT, VALUES, TABLE or set operation standing inside parent.
func (a *analysis) selectStmt(s *pg.SelectStmt, parent *scope, path []string) *query {
	a.work(1)
	q := &query{limit: access.Unbounded}
	sc := &scope{parent: parent, query: q, path: path}
	target := a.inTarget
	a.inTarget = 0
	defer func() { a.inTarget = target }()
	a.with(s.WithClause, sc)
	if s.IntoClause != nil && !a.into {
		a.unclear("SELECT INTO stands where it cannot")
	}
	switch {
	case s.Op != pg.SetOperation_SETOP_NONE:
		a.setOperation(s, q, sc)
	case len(s.ValuesLists) > 0:
		a.values(s, q, sc)
	default:
		a.plainSelect(s, q, sc)
	}
	for _, lock := range s.LockingClause {
		_ = lock.GetLockingClause()
		q.locks = true
	}
	if len(q.columns) > maxColumns {
		a.missing("54011", "target lists can have at most %d entries", maxColumns)
	}
	return q
}

func (a *analysis) plainSelect(s *pg.SelectStmt, q *query, sc *scope) {
	a.fromList(s.FromClause, sc)
	q.oneRow = len(sc.items) == 0
	a.where(s.WhereClause, sc, "WHERE", nil)
	a.window(s.WindowClause, sc)
	a.inTarget++
	q.columns = a.targets(s.TargetList, sc)
	a.inTarget--
	a.groupBy(s, q, sc)
	if s.HavingClause != nil {
		q.aggregated = true
		a.shape(a.expr(s.HavingClause, sc), "HAVING")
	}
	a.distinct(s.DistinctClause, q, sc)
	a.limits(s, q, sc)
	a.orderByClause(s.SortClause, q, sc)
}

func (a *analysis) values(s *pg.SelectStmt, q *query, sc *scope) {
	for n, list := range s.ValuesLists {
		for i, node := range list.GetList().GetItems() {
			v := value{}
			if node.GetSetToDefault() == nil {
				a.inTarget++
				v = a.expr(node, sc)
				a.inTarget--
			}
			switch {
			case n == 0:
				q.columns = append(q.columns, field{name: "column" + itoa(i+1), v: v})
			case i < len(q.columns):
				// Of several rows not even constants are one constant.
				q.columns[i].v = either(q.columns[i].v, v)
				q.columns[i].v.variable = true
			}
		}
	}
	a.limits(s, q, sc)
	a.orderByClause(s.SortClause, q, sc)
}

func (a *analysis) setOperation(s *pg.SelectStmt, q *query, sc *scope) {
	left := a.selectStmt(s.Larg, sc, sc.path)
	right := a.selectStmt(s.Rarg, sc, sc.path)
	q.from = append(q.from, left, right)
	if len(left.columns) != len(right.columns) {
		a.missing("42601", "each query of a set operation must have the same number of columns")
	}
	for i := range left.columns {
		l, r := left.columns[i].v, right.columns[i].v
		v := either(l, r)
		v.variable = true
		q.columns = append(q.columns, field{name: left.columns[i].name, v: v})
		if s.Op != pg.SetOperation_SETOP_UNION || !s.All {
			// Rows are compared as a whole, so every column decides which come back.
			a.shape(v, "a set operation")
		}
	}
	a.limits(s, q, sc)
	a.orderByClause(s.SortClause, q, sc)
}

// targets analyses a target list; stars are expanded by position.
func (a *analysis) targets(list []*pg.Node, sc *scope) []field {
	var out []field
	for _, node := range list {
		t := node.GetResTarget()
		if t == nil {
			a.unclear("a target list holds %s", kindOf(node))
		}
		out = append(out, a.target(t, sc)...)
		a.work(len(out))
		if len(out) > maxColumns {
			a.missing("54011", "target lists can have at most %d entries", maxColumns)
		}
	}
	return out
}

func (a *analysis) target(t *pg.ResTarget, sc *scope) []field {
	if ref := t.Val.GetColumnRef(); ref != nil && endsInStar(ref.Fields) {
		return a.star(ref, sc)
	}
	if ind := t.Val.GetAIndirection(); ind != nil && endsInStar(ind.Indirection) {
		v := a.indirection(ind.Arg, ind.Indirection[:len(ind.Indirection)-1], sc)
		if v.fields == nil {
			a.unclear("the columns of (…).* are not known")
		}
		return v.fields
	}
	v := a.expr(t.Val, sc)
	n := t.Name
	if n == "" {
		n = a.figureName(t.Val, sc)
	}
	return []field{{name: n, v: v}}
}

func endsInStar(fields []*pg.Node) bool {
	return len(fields) > 0 && fields[len(fields)-1].GetAStar() != nil
}

// star expands *, t.* and s.t.*.
func (a *analysis) star(ref *pg.ColumnRef, sc *scope) []field {
	names := a.names(ref.Fields[:len(ref.Fields)-1])
	if len(names) == 0 {
		var out []field
		for _, it := range sc.items {
			if it.visible {
				out = append(out, a.starOf(it)...)
			}
		}
		if len(sc.items) == 0 {
			a.missing("42601", "SELECT * with no tables specified is not valid")
		}
		return out
	}
	it := a.itemNamed(names, sc)
	if it == nil {
		// a.* may also be the expansion of a column of composite type.
		v := a.columnRef(names, sc)
		if v.fields == nil {
			a.unclear("the columns of %s.* are not known", names[len(names)-1])
		}
		return v.fields
	}
	return a.starOf(it)
}

func (a *analysis) starOf(it *item) []field {
	if it.unsure {
		a.unclear("the columns of %q are not known", it.name)
	}
	for _, c := range it.columns {
		a.touchField(c.v)
	}
	return it.columns
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}
