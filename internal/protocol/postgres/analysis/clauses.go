package analysis

import (
	"strconv"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/vecgate/vecgate/internal/access"
)

// sorted returns the value of an ORDER BY, DISTINCT ON or GROUP BY item: a bare name may be an output's, an integer is an
// output's position, anything else is an expression over FROM.
func (a *analysis) sorted(node *pg.Node, q *query, sc *scope, outputsFirst bool) value {
	if ref := node.GetColumnRef(); ref != nil && len(ref.Fields) == 1 && ref.Fields[0].GetString_() != nil {
		bare := ref.Fields[0].GetString_().Sval
		if !outputsFirst {
			for _, it := range sc.items {
				if !it.visible {
					continue
				}
				if _, ok := a.columnOf(it, bare); ok {
					return a.expr(node, sc)
				}
			}
		}
		var found []value
		a.look(len(q.columns))
		for _, c := range q.columns {
			if c.name == bare {
				found = append(found, c.v)
			}
		}
		if len(found) == 1 {
			return found[0]
		}
		if len(found) > 1 {
			v := derived(found...)
			v.variable = true
			return v
		}
	}
	if c := node.GetAConst(); c != nil && !c.Isnull {
		if n, ok := c.Val.(*pg.A_Const_Ival); ok {
			// The zero value of Ival is left out of the tree: ORDER BY 0 is an error of the server's.
			i := int(n.Ival.GetIval())
			if i < 1 || i > len(q.columns) {
				a.missing("42P10", "position %d is not in select list", i)
			}
			return q.columns[i-1].v
		}
	}
	return a.expr(node, sc)
}

func (a *analysis) orderByClause(list []*pg.Node, q *query, sc *scope) {
	for i, node := range list {
		by := node.GetSortBy()
		if by == nil {
			a.unclear("ORDER BY holds %s", kindOf(node))
		}
		a.operatorNamed(by.UseOp, sc)
		v := a.sorted(by.Node, q, sc, true)
		for _, c := range v.from {
			q.orderBy = appendName(q.orderBy, c.Name)
		}
		if v.distance != nil && i == 0 && (q.limit != access.Unbounded || q.limitParam > 0) && len(by.UseOp) == 0 {
			a.use(Use{Column: v.distance, How: UseKNN, Where: "ORDER BY"})
			if r := v.distanceOrigin; r != nil && (!r.knn || r.knnLimit < q.limit) {
				r.knn, r.knnLimit, r.knnParam = true, q.limit, q.limitParam
			}
			continue
		}
		a.shape(v, "ORDER BY")
	}
}

func (a *analysis) distinct(list []*pg.Node, q *query, sc *scope) {
	for _, node := range list {
		if node == nil || node.Node == nil {
			// Plain DISTINCT is a list of one empty node: every column decides.
			for _, c := range q.columns {
				a.shape(c.v, "DISTINCT")
			}
			continue
		}
		a.shape(a.sorted(node, q, sc, true), "DISTINCT ON")
	}
}

func (a *analysis) groupBy(s *pg.SelectStmt, q *query, sc *scope) {
	if len(s.GroupClause) == 0 {
		return
	}
	q.aggregated, q.grouped = true, true
	var keys []value
	var add func(node *pg.Node)
	add = func(node *pg.Node) {
		if set := node.GetGroupingSet(); set != nil {
			for _, inner := range set.Content {
				add(inner)
			}
			return
		}
		if row := node.GetRowExpr(); row != nil && row.RowFormat == pg.CoercionForm_COERCE_IMPLICIT_CAST {
			for _, inner := range row.Args {
				add(inner)
			}
			return
		}
		v := a.sorted(node, q, sc, false)
		a.shape(v, "GROUP BY")
		keys = append(keys, v)
	}
	for _, node := range s.GroupClause {
		add(node)
	}
	all := derived(keys...)
	in := map[*Column]bool{}
	for _, c := range all.from {
		in[c] = true
		if c.Vector {
			q.keyGroups = true
		}
	}
	for _, v := range keys {
		if len(v.from) == 0 && v.variable {
			q.keyGroups = true // ctid, or something that cannot be counted on to be coarser than rows
		}
	}
	for _, r := range all.reads {
		if len(r.rel.keys) == 0 || r.rel.unique(func(c *Column) bool { return in[c] }) {
			q.keyGroups = true
		}
	}
}

// limits reads LIMIT and OFFSET. Only a constant counts as a bound; the number of a parameter is kept.
func (a *analysis) limits(s *pg.SelectStmt, q *query, sc *scope) {
	if s.LimitCount != nil {
		q.limit, q.limitParam = a.bound(s.LimitCount, sc)
		if s.LimitOption == pg.LimitOption_LIMIT_OPTION_WITH_TIES {
			q.limit, q.limitParam = access.Unbounded, 0
		}
	}
	if s.LimitOffset != nil {
		if n, _ := a.bound(s.LimitOffset, sc); n > 0 {
			q.offset = n
		}
	}
}

// bound reads a row count: a constant, or a parameter, each perhaps with a cast.
func (a *analysis) bound(node *pg.Node, sc *scope) (int64, int) {
	inner := node
	for inner.GetTypeCast() != nil {
		inner = inner.GetTypeCast().Arg
	}
	if p := inner.GetParamRef(); p != nil {
		a.expr(node, sc)
		return access.Unbounded, int(p.Number)
	}
	if c := inner.GetAConst(); c != nil {
		if c.Isnull {
			return access.Unbounded, 0
		}
		text := ""
		switch v := c.Val.(type) {
		case *pg.A_Const_Ival:
			return int64(v.Ival.GetIval()), 0
		case *pg.A_Const_Fval:
			text = v.Fval.GetFval()
		case *pg.A_Const_Sval:
			text = v.Sval.GetSval()
		}
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
			return n, 0
		}
		return access.Unbounded, 0
	}
	a.shape(a.expr(node, sc), "LIMIT")
	return access.Unbounded, 0
}

func (a *analysis) window(list []*pg.Node, sc *scope) {
	for _, node := range list {
		a.windowDef(node.GetWindowDef(), sc)
	}
}

// windowDef analyses a window; its columns decide which rows a function sees, so they shape the answer.
func (a *analysis) windowDef(w *pg.WindowDef, sc *scope) value {
	if w == nil {
		return value{}
	}
	var vs []value
	for _, node := range w.PartitionClause {
		vs = append(vs, a.sortKey(node, sc))
	}
	for _, node := range w.OrderClause {
		vs = append(vs, a.sortKey(node, sc))
	}
	for _, node := range []*pg.Node{w.StartOffset, w.EndOffset} {
		if node != nil {
			vs = append(vs, a.expr(node, sc))
		}
	}
	v := derived(vs...)
	a.shape(v, "a window")
	return v
}

// sortKey is an expression that may stand in a SortBy, and is never a name of an output.
func (a *analysis) sortKey(node *pg.Node, sc *scope) value {
	if by := node.GetSortBy(); by != nil {
		a.operatorNamed(by.UseOp, sc)
		node = by.Node
	}
	return a.expr(node, sc)
}

func appendName(names []string, n string) []string {
	for _, have := range names {
		if have == n {
			return names
		}
	}
	return append(names, n)
}
