package analysis

import (
	pg "github.com/pganalyze/pg_query_go/v6"
)

// fromList analyses a FROM list: every item sees those to its left where the server lets it (LATERAL, functions).
func (a *analysis) fromList(list []*pg.Node, sc *scope) {
	for _, node := range list {
		sc.items = append(sc.items, a.fromItem(node, sc)...)
	}
	seen := map[string]bool{}
	for _, it := range sc.items {
		if it.named && it.name != "" && (it.relation == nil || it.aliased) {
			if seen[it.name] {
				a.missing("42712", "table name %q specified more than once", it.name)
			}
			seen[it.name] = true
		}
	}
}

// fromItem analyses one FROM item and returns what it adds to the scope. While it runs, sc.items are the items to its left.
func (a *analysis) fromItem(node *pg.Node, sc *scope) []*item {
	a.work(1)
	switch n := node.GetNode().(type) {
	case *pg.Node_RangeVar:
		return []*item{a.rangeVar(n.RangeVar, sc)}
	case *pg.Node_RangeSubselect:
		return []*item{a.rangeSubselect(n.RangeSubselect, sc)}
	case *pg.Node_RangeFunction:
		return []*item{a.rangeFunction(n.RangeFunction, sc)}
	case *pg.Node_RangeTableSample:
		s := n.RangeTableSample
		items := a.fromItem(s.Relation, sc)
		method := a.names(s.Method)
		if m := method[len(method)-1]; m != "bernoulli" && m != "system" {
			a.code(a.schemaOf(s.Method), m)
		}
		for _, arg := range append(s.Args, s.Repeatable) {
			if arg != nil {
				a.shape(a.expr(arg, sc), "TABLESAMPLE")
			}
		}
		return items
	case *pg.Node_RangeTableFunc:
		return []*item{a.xmlTable(n.RangeTableFunc, sc)}
	case *pg.Node_JsonTable:
		return []*item{a.jsonTable(n.JsonTable, sc)}
	case *pg.Node_JoinExpr:
		return a.join(n.JoinExpr, sc)
	}
	a.unclear("FROM holds %s", kindOf(node))
	return nil
}

func (a *analysis) rangeVar(v *pg.RangeVar, sc *scope) *item {
	it := &item{name: v.Relname, named: true, visible: true}
	if v.Schemaname == "" {
		for level := sc; level != nil; level = level.parent {
			a.look(len(level.ctes))
		}
		if c := sc.findCTE(v.Relname); c != nil {
			q, columns := a.cteQuery(c)
			if q != nil {
				sc.query.from = append(sc.query.from, q)
			}
			it.columns = columns
			return a.alias(it, v.Alias)
		}
	}
	rel := a.relation(v, sc.path)
	it.relation = rel
	if rel.system {
		a.system(rel)
		it.columns = a.baseColumns(rel, nil)
		return a.alias(it, v.Alias)
	}
	it.read = &read{rel: rel}
	a.touch(rel)
	if rel.isView() {
		q := a.view(rel)
		sc.query.from = append(sc.query.from, q)
		for i, c := range rel.Columns {
			out := derived(q.columns[i].v)
			out.copy, out.origin, out.typ = q.columns[i].v.copy, q.columns[i].v.origin, c.TypeOID
			out.distance, out.distanceOrigin, out.moved = q.columns[i].v.distance, q.columns[i].v.distanceOrigin, q.columns[i].v.moved
			if out.copy == nil && len(out.from) == 0 && !out.variable {
				out.variable = true
			}
			// The view's own column is one more name of the value, and the only one that tells views of views apart.
			out.from = union(out.from, []*Column{c})
			if a.st.behind == nil {
				a.st.behind = map[*Column][]*Column{}
			}
			a.st.behind[c] = out.from
			it.columns = append(it.columns, field{name: c.Name, v: out})
		}
		it.read = nil
		return a.alias(it, v.Alias)
	}
	sc.query.reads = append(sc.query.reads, it.read)
	it.columns = a.baseColumns(rel, it.read)
	return a.alias(it, v.Alias)
}

// baseColumns are the columns of a relation as values.
func (a *analysis) baseColumns(rel *Relation, r *read) []field {
	out := make([]field, len(rel.Columns))
	a.work(len(out))
	for i, c := range rel.Columns {
		from := rel.sources(c)
		canonical := c
		if len(rel.roots) > 0 && rel.roots[0] != rel {
			if up := rel.roots[0].column(c.Name); up != nil {
				canonical = up
			}
		}
		v := value{copy: canonical, origin: r, from: from, variable: true, typ: c.TypeOID}
		if r != nil {
			v.reads = []*read{r}
		}
		out[i] = field{name: c.Name, v: v}
	}
	// A generated column is computed from others, and hides what they hide.
	for i, c := range rel.Columns {
		if node := rel.generated[c]; node != nil {
			sc := &scope{path: viewPath, items: []*item{{name: rel.name, relation: rel, read: r, columns: out, named: true, visible: true}}}
			more := a.expr(node, sc)
			out[i].v.from = union(out[i].v.from, more.from)
			if len(more.from) > 0 {
				out[i].v.copy = nil
			}
		}
	}
	return out
}

func (a *analysis) relation(v *pg.RangeVar, path []string) *Relation {
	if v.Catalogname != "" && v.Catalogname != a.cat.database {
		a.missing("0A000", "cross-database references are not implemented: %q", v.Catalogname+"."+v.Schemaname+"."+v.Relname)
	}
	rel := a.cat.relation(v.Schemaname, v.Relname, path)
	if rel == nil {
		n := v.Relname
		if v.Schemaname != "" {
			n = v.Schemaname + "." + n
		}
		a.missing("42P01", "relation %q does not exist", n)
	}
	if rel.opaque != "" {
		a.opaque("%s: %s", rel.Resource, rel.opaque)
	}
	return rel
}

// view analyses the definition of a view afresh for every occurrence, so that each has its own reads.
func (a *analysis) view(rel *Relation) *query {
	if rel.view == nil {
		a.unclear("what the view %s returns is not known", rel.Resource)
	}
	if a.viewDepth > 32 {
		a.unclear("views over views are too deep at %s", rel.Resource)
	}
	alias, target := a.viewAlias, a.inTarget
	a.viewDepth++
	a.inTarget = 0
	if alias == "" {
		a.viewAlias = rel.name
	}
	a.restsOn(rel.schema+"."+rel.name, rel.defined)
	q := a.selectStmt(rel.view, nil, viewPath)
	a.viewDepth--
	a.inTarget = target
	a.viewAlias = alias
	if len(q.columns) != len(rel.Columns) {
		a.unclear("the view %s does not have the columns of its definition", rel.Resource)
	}
	return q
}

func (a *analysis) alias(it *item, alias *pg.Alias) *item {
	if it.read != nil {
		it.read.alias = a.viewAlias
	}
	if alias == nil {
		return it
	}
	if alias.Aliasname != "" {
		it.name, it.aliased = alias.Aliasname, true
	}
	if it.unsure {
		// The first columns have these names, whatever they were called; there may be more.
		it.columns = nil
		for _, n := range a.names(alias.Colnames) {
			v := it.all
			v.variable = true
			it.columns = append(it.columns, field{name: n, v: derived(v)})
		}
		return it
	}
	if len(alias.Colnames) > len(it.columns) {
		a.missing("42P10", "table %q has %d columns available but %d columns specified", it.name, len(it.columns), len(alias.Colnames))
	}
	it.columns = rename(it.columns, alias.Colnames)
	return it
}

func (a *analysis) rangeSubselect(s *pg.RangeSubselect, sc *scope) *item {
	parent := sc.parent
	if s.Lateral {
		parent = sc
	} else if len(sc.ctes) > 0 {
		// WITH queries of this level can be named, its FROM items cannot.
		parent = &scope{parent: sc.parent, ctes: sc.ctes, path: sc.path, query: sc.query}
	}
	sel := s.Subquery.GetSelectStmt()
	if sel == nil {
		a.unclear("FROM holds %s", kindOf(s.Subquery))
	}
	q := a.selectStmt(sel, parent, sc.path)
	sc.query.from = append(sc.query.from, q)
	if !s.Lateral && q.correlated {
		sc.query.correlated = true // what it uses is outside of the query that it stands in
	}
	it := &item{named: s.Alias != nil, visible: true, columns: q.columns}
	return a.alias(it, s.Alias)
}

// join analyses a join. Inside, its sides keep their names; outside, their columns are seen through the join.
func (a *analysis) join(j *pg.JoinExpr, sc *scope) []*item {
	left := a.fromItem(j.Larg, sc)
	inner := &scope{parent: sc.parent, query: sc.query, ctes: sc.ctes, path: sc.path, items: append(sc.items[:len(sc.items):len(sc.items)], left...)}
	right := a.fromItem(j.Rarg, inner)
	both := append(append([]*item(nil), left...), right...)

	lcols, rcols := visibleColumns(left), visibleColumns(right)
	lunsure, runsure := unsureOf(left), unsureOf(right)
	using := a.names(j.UsingClause)
	if j.IsNatural {
		if lunsure != nil || runsure != nil {
			a.unclear("the columns of a NATURAL JOIN are not known")
		}
		for _, l := range lcols {
			a.look(len(rcols))
			if hasField(rcols, l.name) {
				using = append(using, l.name)
			}
		}
	}
	on := &scope{parent: sc.parent, query: sc.query, ctes: sc.ctes, path: sc.path, items: both}
	if j.Quals != nil {
		a.where(j.Quals, on, "a JOIN condition", joinNarrows(j.Jointype, left, right))
	}
	var merged []field
	for _, n := range using {
		a.look(len(lcols) + len(rcols))
		l, r := fieldNamed(lcols, n), fieldNamed(rcols, n)
		if l == nil || r == nil {
			if lunsure != nil || runsure != nil {
				a.unclear("the columns of a JOIN USING are not known")
			}
			a.missing("42703", "column %q specified in USING clause does not exist", n)
		}
		a.shape(l.v, "a JOIN condition")
		a.shape(r.v, "a JOIN condition")
		joinPair(l.v, r.v)
		v := l.v
		switch j.Jointype {
		case pg.JoinType_JOIN_RIGHT:
			v = r.v
		case pg.JoinType_JOIN_FULL:
			v = derived(l.v, r.v)
		}
		if l.v.typ != r.v.typ || l.v.typ == 0 {
			v = derived(l.v, r.v) // brought to a common type
		}
		v.from = union(v.from, either(l.v, r.v).from)
		merged = append(merged, field{name: n, v: v})
	}
	columns := append([]field(nil), merged...)
	for _, side := range [][]field{lcols, rcols} {
		for _, c := range side {
			a.look(len(merged))
			if fieldNamed(merged, c.name) == nil {
				columns = append(columns, c)
			}
		}
	}
	a.work(len(columns))
	it := &item{visible: true, columns: columns}
	for _, u := range []*item{lunsure, runsure} {
		if u != nil {
			it.unsure, it.all = true, derived(it.all, u.all)
		}
	}
	for i, side := range both {
		hidden := *side
		hidden.visible = false
		both[i] = &hidden
	}
	out := append(both, it)
	if j.JoinUsingAlias != nil {
		out = append(out, &item{name: j.JoinUsingAlias.Aliasname, named: true, columns: merged})
	}
	if j.Alias != nil {
		it.named = true
		a.alias(it, j.Alias)
		return []*item{it}
	}
	return out
}

// joinNarrows says for which side's occurrences an ON condition leaves rows out: of an outer join only for the side that
// may be missing.
func joinNarrows(kind pg.JoinType, left, right []*item) func(*read) bool {
	of := func(items []*item) func(*read) bool {
		all := map[*read]bool{}
		for _, it := range items {
			for _, c := range it.columns {
				for _, r := range c.v.reads {
					all[r] = true
				}
			}
		}
		return func(r *read) bool { return all[r] }
	}
	switch kind {
	case pg.JoinType_JOIN_INNER:
		return nil
	case pg.JoinType_JOIN_LEFT:
		return of(right)
	case pg.JoinType_JOIN_RIGHT:
		return of(left)
	}
	return func(*read) bool { return false }
}

// joinPair notes that two columns are compared with each other.
func joinPair(l, r value) {
	for _, side := range []value{l, r} {
		if side.copy != nil && side.origin != nil {
			if side.origin.joined == nil {
				side.origin.joined = map[*Column]bool{}
			}
			side.origin.joined[own(side)] = true
		}
	}
}

// own is the column of the occurrence itself that a copy comes from: of a partition, not of its ancestor.
func own(v value) *Column {
	if v.origin != nil && v.copy != nil {
		if c := v.origin.rel.column(v.copy.Name); c != nil {
			return c
		}
	}
	return v.copy
}

func visibleColumns(items []*item) []field {
	var out []field
	for _, it := range items {
		if it.visible {
			out = append(out, it.columns...)
		}
	}
	return out
}

func unsureOf(items []*item) *item {
	var all *item
	for _, it := range items {
		if it.visible && it.unsure {
			if all == nil {
				all = &item{unsure: true}
			}
			all.all = derived(all.all, it.all)
		}
	}
	return all
}

func hasField(fields []field, n string) bool { return fieldNamed(fields, n) != nil }

func fieldNamed(fields []field, n string) *field {
	for i := range fields {
		if fields[i].name == n {
			return &fields[i]
		}
	}
	return nil
}
