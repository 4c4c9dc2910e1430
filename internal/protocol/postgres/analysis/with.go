package analysis

import (
	pg "github.com/pganalyze/pg_query_go/v6"
)

// with puts the queries of a WITH clause into the scope and analyses all of them, also those that nothing uses: one that
// writes runs all the same.
func (a *analysis) with(w *pg.WithClause, sc *scope) {
	if w == nil {
		return
	}
	var all []*cte
	for _, node := range w.Ctes {
		all = append(all, &cte{name: node.GetCommonTableExpr().Ctename, node: node.GetCommonTableExpr(), self: w.Recursive})
	}
	for i, c := range all {
		a.look(i)
		for _, other := range all[:i] {
			if other.name == c.name {
				a.missing("42712", "WITH query name %q specified more than once", c.name)
			}
		}
		visible := all[:i]
		if w.Recursive {
			visible = all
		}
		c.scope = &scope{parent: sc.parent, ctes: visible, path: sc.path}
	}
	sc.ctes = all
	sc.query.ctes = append(sc.query.ctes, all...)
	target := a.inTarget
	a.inTarget = 0
	for _, c := range all {
		a.analyseCTE(c)
		sc.query.correlated = sc.query.correlated || c.query.correlated // with what is outside of both
	}
	a.inTarget = target
}

// cteQuery returns the query and the columns of a WITH query for one reference. The query is nil when the reference is the
// query's own recursion.
func (a *analysis) cteQuery(c *cte) (*query, []field) {
	c.refs++
	if c.state == 1 {
		if c.columns == nil {
			a.unclear("the WITH query %q refers to itself before its first part", c.name)
		}
		c.refs--
		return nil, c.columns
	}
	a.analyseCTE(c)
	return c.query, c.columns
}

func (a *analysis) analyseCTE(c *cte) {
	if c.state != 0 {
		return
	}
	c.state = 1
	if sel := c.node.Ctequery.GetSelectStmt(); sel != nil {
		if c.self && sel.Op != pg.SetOperation_SETOP_NONE {
			a.recursive(c, sel)
		} else {
			c.query = a.selectStmt(sel, c.scope, c.scope.path)
			c.columns = rename(c.query.columns, c.node.Aliascolnames)
		}
	} else {
		c.query = a.modifying(c.node.Ctequery, c.scope)
		c.columns = rename(c.query.columns, c.node.Aliascolnames)
	}
	if len(c.node.Aliascolnames) > len(c.query.columns) {
		a.missing("42P10", "WITH query %q has %d columns available but %d columns specified", c.name, len(c.query.columns), len(c.node.Aliascolnames))
	}
	c.searchAndCycle()
	c.state = 2
}

// recursive analyses first part UNION [ALL] recursive part until the columns hold no more than they did: what flows round
// the recursion ends up in every column that it can reach.
func (a *analysis) recursive(c *cte, sel *pg.SelectStmt) {
	q := &query{limit: -1}
	sc := &scope{parent: c.scope, query: q, path: c.scope.path}
	a.with(sel.WithClause, sc)
	first := a.selectStmt(sel.Larg, sc, sc.path)
	c.columns = rename(first.columns, c.node.Aliascolnames)
	c.searchAndCycle()
	mark := a.mark()
	for round := 0; ; round++ {
		a.reset(mark)
		for i := range c.columns {
			// The next row is not made as the first was: of a row nothing is known but what is in it somewhere.
			c.columns[i].v.fields = nil
		}
		c.searchAndCycle() // they grow with the others
		second := a.selectStmt(sel.Rarg, sc, sc.path)
		if len(second.columns) != len(first.columns) {
			a.missing("42601", "each query of a set operation must have the same number of columns")
		}
		grown := false
		for i := range first.columns {
			v := either(c.columns[i].v, second.columns[i].v)
			v.variable = true
			if len(v.from) != len(c.columns[i].v.from) || v.copy != c.columns[i].v.copy || v.origin != c.columns[i].v.origin || v.distance != c.columns[i].v.distance || v.moved != c.columns[i].v.moved {
				grown = true
			}
			c.columns[i].v = v
		}
		if !grown {
			q.from = []*query{first, second}
			break
		}
		if round > 200 {
			a.unclear("the recursion of %q does not settle", c.name)
		}
	}
	for i := range first.columns {
		q.columns = append(q.columns, field{name: c.columns[i].name, v: c.columns[i].v})
		if sel.Op != pg.SetOperation_SETOP_UNION || !sel.All {
			a.shape(c.columns[i].v, "a recursion")
		}
	}
	// LIMIT and ORDER BY of the whole.
	c.query = q
	a.limits(sel, q, sc)
	a.orderByClause(sel.SortClause, q, sc)
	if len(sel.LockingClause) > 0 {
		q.locks = true
	}
}

// searchAndCycle adds the columns of SEARCH and CYCLE, which are made of the columns that they name; to be safe, of all.
func (c *cte) searchAndCycle() {
	var extra []string
	if s := c.node.SearchClause; s != nil {
		extra = append(extra, s.SearchSeqColumn)
	}
	if cy := c.node.CycleClause; cy != nil {
		extra = append(extra, cy.CycleMarkColumn, cy.CyclePathColumn)
	}
	if len(extra) == 0 {
		return
	}
	base := c.columns
	for i, f := range base {
		if f.name == extra[0] {
			base = base[:i]
			break
		}
	}
	vs := make([]value, len(base))
	for i := range base {
		vs[i] = base[i].v
	}
	v := derived(vs...)
	v.variable = true
	c.columns = base[:len(base):len(base)]
	for _, n := range extra {
		c.columns = append(c.columns, field{name: n, v: v})
	}
}

// mark and reset bound what one round of a recursion adds, so that a second round does not add it twice.
type mark struct{ joins, accesses int }

func (a *analysis) mark() mark { return mark{len(a.joins), len(a.accesses)} }

func (a *analysis) reset(m mark) {
	a.joins, a.accesses = a.joins[:m.joins], a.accesses[:m.accesses]
}
