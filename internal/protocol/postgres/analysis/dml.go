package analysis

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/vecgate/vecgate/internal/access"
)

// modifying analyses INSERT, UPDATE, DELETE and MERGE; the query's columns are those of RETURNING.
func (a *analysis) modifying(node *pg.Node, parent *scope) *query {
	target := a.inTarget
	a.inTarget = 0
	defer func() { a.inTarget = target }()
	q := &query{limit: access.Unbounded}
	sc := &scope{parent: parent, query: q, path: parent.path}
	switch n := node.GetNode().(type) {
	case *pg.Node_InsertStmt:
		a.with(n.InsertStmt.WithClause, sc)
		a.insert(n.InsertStmt, q, sc)
	case *pg.Node_UpdateStmt:
		a.with(n.UpdateStmt.WithClause, sc)
		a.update(n.UpdateStmt, q, sc)
	case *pg.Node_DeleteStmt:
		a.with(n.DeleteStmt.WithClause, sc)
		a.delete(n.DeleteStmt, q, sc)
	case *pg.Node_MergeStmt:
		a.with(n.MergeStmt.WithClause, sc)
		a.merge(n.MergeStmt, q, sc)
	default:
		a.unclear("a statement holds %s", kindOf(node))
	}
	// What else is read only decides what is written; what is written from it is found in the sinks.
	d := demand{limit: access.Unbounded, role: "source"}
	a.settle(q, d)
	return q
}

// written is the relation that a statement writes, as an item of its scope.
func (a *analysis) written(v *pg.RangeVar, sc *scope) *item {
	if v.Schemaname == "" && sc.findCTE(v.Relname) != nil {
		a.missing("42P01", "relation %q cannot be the target of a modifying statement", v.Relname)
	}
	rel := a.relation(v, sc.path)
	switch {
	case rel.system:
		a.add(access.Access{Action: access.ClusterAdmin, Resource: rel.Resource})
	case rel.isView():
		a.unclear("writing through the view %s is not supported; write to its table", rel.Resource)
	case rel.kind == 'S':
		a.missing("42809", "cannot change sequence %q", rel.name)
	}
	a.touch(rel)
	it := &item{name: v.Relname, relation: rel, read: &read{rel: rel}, named: true, visible: true}
	it.columns = a.baseColumns(rel, it.read)
	return a.alias(it, v.Alias)
}

// write notes the access of a write, on every topmost ancestor.
func (a *analysis) write(rel *Relation, act access.Action, at access.Attributes) {
	a.eachRoot(rel, func(res access.Resource, alias string) {
		acc := access.Access{Action: act, Resource: res, Attributes: at}
		if alias != "" {
			acc.Attributes.Alias = alias
		}
		a.add(acc)
	})
}

func (a *analysis) insert(s *pg.InsertStmt, q *query, sc *scope) {
	it := a.written(s.Relation, sc)
	rel := it.relation
	columns := a.targetColumns(rel, s.Cols, sc)
	points := int64(1)
	given := map[*Column]value{}
	if sel := s.SelectStmt.GetSelectStmt(); sel != nil {
		points = access.Unbounded
		if len(sel.ValuesLists) > 0 {
			points = int64(len(sel.ValuesLists))
		}
		src := a.selectStmt(sel, &scope{parent: sc.parent, ctes: sc.ctes, path: sc.path, query: q}, sc.path)
		if src.limit != access.Unbounded && points == access.Unbounded {
			points = src.limit
		}
		q.from = append(q.from, src)
		if len(src.columns) > len(columns) {
			a.missing("42601", "INSERT has more expressions than target columns")
		}
		for i, c := range src.columns {
			a.flow(c.v, columns[i], into(rel, columns[i]))
			given[columns[i]] = c.v
		}
	} else if s.SelectStmt != nil {
		a.unclear("INSERT holds %s", kindOf(s.SelectStmt))
	}
	act := access.Insert
	if oc := s.OnConflictClause; oc != nil {
		act = a.onConflict(oc, it, given, sc)
	}
	a.write(rel, act, access.Attributes{Points: points})
	known := int64(0)
	if act == access.Upsert {
		known = points
	}
	a.returning(s.ReturningList, it, q, sc, act == access.Upsert, known)
}

func into(rel *Relation, c *Column) string { return rel.schema + "." + rel.name + "." + c.Name }

// targetColumns are the columns that INSERT fills, in the order of its source.
func (a *analysis) targetColumns(rel *Relation, cols []*pg.Node, sc *scope) []*Column {
	if len(cols) == 0 {
		return rel.Columns
	}
	out := make([]*Column, 0, len(cols))
	for _, node := range cols {
		t := node.GetResTarget()
		for _, ind := range t.GetIndirection() {
			if i := ind.GetAIndices(); i != nil {
				a.shape(derived(a.optional(i.Lidx, sc), a.optional(i.Uidx, sc)), "a subscript")
			}
		}
		out = append(out, a.targetColumn(rel, t.GetName()))
	}
	return out
}

func (a *analysis) targetColumn(rel *Relation, n string) *Column {
	c := rel.column(n)
	if c == nil {
		a.missing("42703", "column %q of relation %q does not exist", n, rel.name)
	}
	a.used[c] = true
	return c
}

// onConflict analyses ON CONFLICT and returns what the statement is with it.
func (a *analysis) onConflict(oc *pg.OnConflictClause, it *item, given map[*Column]value, sc *scope) access.Action {
	inner := &scope{parent: sc.parent, query: sc.query, ctes: sc.ctes, path: sc.path, items: []*item{it}}
	if inf := oc.Infer; inf != nil {
		for _, node := range inf.IndexElems {
			el := node.GetIndexElem()
			if el.GetName() == "" {
				a.shape(a.expr(el.GetExpr(), inner), "ON CONFLICT")
				continue
			}
			c := a.targetColumn(it.relation, el.Name)
			how := UseEquality
			if v := given[c]; v.variable || len(v.from) > 0 {
				how = UseOther
			}
			for _, s := range it.relation.sources(c) {
				a.use(Use{Column: s, How: how, Where: "ON CONFLICT"})
			}
		}
		a.where(inf.WhereClause, inner, "ON CONFLICT", nil)
		if inf.Conname != "" {
			for _, key := range it.relation.keys {
				for _, c := range key {
					for _, s := range it.relation.sources(c) {
						a.use(Use{Column: s, How: UseOther, Where: "ON CONFLICT"})
					}
				}
			}
		}
	}
	if oc.Action != pg.OnConflictAction_ONCONFLICT_UPDATE {
		return access.Insert
	}
	excluded := &item{name: "excluded", named: true, visible: true, relation: it.relation, aliased: true}
	for _, c := range it.relation.Columns {
		v := given[c]
		v.origin = nil
		v.variable = true
		excluded.columns = append(excluded.columns, field{name: c.Name, v: v})
	}
	inner.items = append(inner.items, excluded)
	a.assign(oc.TargetList, it, inner)
	a.where(oc.WhereClause, inner, "WHERE", nil)
	return access.Upsert
}

// assign analyses SET and returns the columns that it changes.
func (a *analysis) assign(list []*pg.Node, it *item, sc *scope) []*Column {
	var out []*Column
	var multi value
	for _, node := range list {
		t := node.GetResTarget()
		if t == nil {
			a.unclear("SET holds %s", kindOf(node))
		}
		c := a.targetColumn(it.relation, t.Name)
		for _, ind := range t.Indirection {
			if i := ind.GetAIndices(); i != nil {
				a.flow(derived(a.optional(i.Lidx, sc), a.optional(i.Uidx, sc)), c, into(it.relation, c))
			}
		}
		var v value
		if m := t.Val.GetMultiAssignRef(); m != nil {
			// Every part of (a, b) = source carries the source; it is analysed once.
			if m.Colno == 1 {
				multi = a.expr(m.Source, sc)
			}
			v = multi
		} else {
			v = a.expr(t.Val, sc)
		}
		if len(t.Indirection) > 0 {
			v = derived(v) // a part of it becomes something else
		}
		a.flow(v, c, into(it.relation, c))
		out = append(out, c)
	}
	return out
}

func (a *analysis) update(s *pg.UpdateStmt, q *query, sc *scope) {
	it := a.written(s.Relation, sc)
	sc.items = []*item{it}
	a.fromList(s.FromClause, sc)
	a.where(s.WhereClause, sc, "WHERE", nil)
	columns := a.assign(s.TargetList, it, sc)
	at := a.reach(it.read)
	vectors, others := false, false
	for _, c := range columns {
		vectors = vectors || c.Vector
		others = others || !c.Vector
	}
	if vectors {
		a.write(it.relation, access.UpdateVectors, at)
	}
	if others {
		a.write(it.relation, access.Update, at)
	}
	a.returning(s.ReturningList, it, q, sc, true, 0)
}

func (a *analysis) delete(s *pg.DeleteStmt, q *query, sc *scope) {
	it := a.written(s.Relation, sc)
	sc.items = []*item{it}
	a.fromList(s.UsingClause, sc)
	a.where(s.WhereClause, sc, "WHERE", nil)
	at := a.reach(it.read)
	act := access.DeleteByFilter
	switch at.Filter {
	case access.FilterKey:
		act = access.Delete
	case access.FilterNone, access.FilterTrivial:
		act = access.DeleteAll
	}
	a.write(it.relation, act, at)
	a.returning(s.ReturningList, it, q, sc, true, 0)
}

// reach are the attributes of a write that a condition narrows.
func (a *analysis) reach(r *read) access.Attributes {
	spread(a.joins)
	at := access.Attributes{Points: access.Unbounded, Filter: r.filter(), FilterFields: r.filters, IDs: r.keys()}
	for _, group := range a.joins {
		if at.Filter != access.FilterKey && slices.Contains(group, r) {
			at.Filter = access.FilterOther
		}
	}
	if n, ok := r.keyed(); ok {
		at.Points = n
	}
	return at
}

func (a *analysis) merge(s *pg.MergeStmt, q *query, sc *scope) {
	it := a.written(s.Relation, sc)
	sc.items = []*item{it}
	sc.items = append(sc.items, a.fromItem(s.SourceRelation, sc)...)
	a.where(s.JoinCondition, sc, "a JOIN condition", nil)
	at := access.Attributes{Points: access.Unbounded, Filter: access.FilterOther}
	for _, node := range s.MergeWhenClauses {
		w := node.GetMergeWhenClause()
		if w == nil {
			a.unclear("MERGE holds %s", kindOf(node))
		}
		if w.Condition != nil {
			a.shape(a.expr(w.Condition, sc), "WHEN")
		}
		switch w.CommandType {
		case pg.CmdType_CMD_UPDATE:
			act := access.Update
			for _, c := range a.assign(w.TargetList, it, sc) {
				if c.Vector {
					act = access.UpdateVectors
				}
			}
			a.write(it.relation, act, at)
		case pg.CmdType_CMD_DELETE:
			a.write(it.relation, access.DeleteByFilter, at)
		case pg.CmdType_CMD_INSERT:
			columns := a.targetColumns(it.relation, w.TargetList, sc)
			if len(w.Values) > len(columns) {
				a.missing("42601", "INSERT has more expressions than target columns")
			}
			for i, val := range w.Values {
				a.flow(a.expr(val, sc), columns[i], into(it.relation, columns[i]))
			}
			a.write(it.relation, access.Insert, access.Attributes{Points: access.Unbounded})
		case pg.CmdType_CMD_NOTHING:
		default:
			a.unclear("MERGE holds an unknown action")
		}
	}
	// RETURNING * is, other than that of UPDATE, the source's columns and then the target's.
	sc.items = append(sc.items[1:len(sc.items):len(sc.items)], it)
	a.returning(s.ReturningList, it, q, sc, true, 0)
}

// returning analyses RETURNING. Where the rows were there before, what comes back of them is read; points says how many
// there can be, when that is known otherwise than by a key.
func (a *analysis) returning(list []*pg.Node, it *item, q *query, sc *scope, reads bool, points int64) {
	if len(list) == 0 {
		return
	}
	if len(sc.items) == 0 {
		sc.items = []*item{it}
	}
	a.inTarget++
	q.columns = a.targets(list, sc)
	a.inTarget--
	if !reads || len(derivedFields(q.columns).from) == 0 {
		return
	}
	act := access.Scroll
	at := access.Attributes{Rows: access.Unbounded, Limit: access.Unbounded, Filter: it.read.filter(), FilterFields: it.read.filters, IDs: it.read.keys()}
	if n, ok := it.read.keyed(); ok {
		act, at.Rows = access.Fetch, n
	} else if points > 0 {
		act, at.Rows = access.Fetch, points
	}
	a.eachRoot(it.relation, func(res access.Resource, _ string) {
		a.add(access.Access{Action: act, Resource: res, Attributes: at})
	})
}
