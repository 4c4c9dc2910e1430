package analysis

import (
	"maps"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/vecgate/vecgate/internal/access"
)

// utility analyses a statement of any kind. Each has its case; any other is unclear.
func (a *analysis) utility(node *pg.Node) {
	st := a.st
	root := &scope{path: a.cat.path}
	switch n := node.GetNode().(type) {
	case *pg.Node_SelectStmt:
		a.topSelect(n.SelectStmt, root)
	case *pg.Node_InsertStmt:
		st.Kind = Insert
		a.topModifying(node, root)
	case *pg.Node_UpdateStmt:
		st.Kind = Update
		a.topModifying(node, root)
	case *pg.Node_DeleteStmt:
		st.Kind = Delete
		a.topModifying(node, root)
	case *pg.Node_MergeStmt:
		st.Kind = Merge
		a.topModifying(node, root)
	case *pg.Node_TransactionStmt:
		a.transaction(n.TransactionStmt)
	case *pg.Node_VariableSetStmt:
		st.Kind = Set
		a.variableSet(n.VariableSetStmt)
	case *pg.Node_ConstraintsSetStmt:
		st.Kind = Set
	case *pg.Node_VariableShowStmt:
		st.Kind, st.ReturnsRows = Show, true
		st.Outputs = []Output{{Name: n.VariableShowStmt.Name}}
		if !settable(n.VariableShowStmt.Name) {
			if n.VariableShowStmt.Name == "all" {
				st.Outputs = []Output{{Name: "name"}, {Name: "setting"}, {Name: "description"}}
			}
			a.add(access.Access{Action: access.SchemaList, Resource: access.Resource{Target: a.cat.Target}})
		}
	case *pg.Node_PrepareStmt:
		st.Kind, st.Prepares = Prepare, n.PrepareStmt.Name
		for _, t := range n.PrepareStmt.Argtypes {
			a.typeName(t.GetTypeName(), a.cat.path)
		}
		a.body(n.PrepareStmt.Query, nil)
	case *pg.Node_ExecuteStmt:
		st.Kind, st.Executes, st.ReturnsRows = Execute, n.ExecuteStmt.Name, true
		sc := &scope{path: a.cat.path, query: &query{limit: access.Unbounded}}
		for _, p := range n.ExecuteStmt.Params {
			a.shape(a.expr(p, sc), "a parameter")
		}
		a.settle(sc.query, demand{limit: access.Unbounded})
	case *pg.Node_DeallocateStmt:
		st.Kind, st.Executes, st.All = Deallocate, n.DeallocateStmt.Name, n.DeallocateStmt.Isall || n.DeallocateStmt.Name == ""
	case *pg.Node_DeclareCursorStmt:
		st.Kind, st.Prepares = Declare, n.DeclareCursorStmt.Portalname
		a.body(n.DeclareCursorStmt.Query, func(inner *analysis) { inner.cursor = true })
	case *pg.Node_FetchStmt:
		st.Kind, st.Executes, st.ReturnsRows = Fetch, n.FetchStmt.Portalname, !n.FetchStmt.Ismove
	case *pg.Node_ClosePortalStmt:
		st.Kind, st.Executes, st.All = Close, n.ClosePortalStmt.Portalname, n.ClosePortalStmt.Portalname == ""
	case *pg.Node_ExplainStmt:
		a.explain(n.ExplainStmt)
	case *pg.Node_CopyStmt:
		a.copy(n.CopyStmt, root)
	case *pg.Node_ListenStmt:
		st.Kind = Listen
		a.add(access.Access{Action: access.CodeExec, Resource: access.Resource{Target: a.cat.Target, Namespace: "pg_catalog", Collection: "listen"}})
	case *pg.Node_UnlistenStmt:
		st.Kind = Listen
	case *pg.Node_NotifyStmt:
		st.Kind = Notify
		a.add(access.Access{Action: access.CodeExec, Resource: access.Resource{Target: a.cat.Target, Namespace: "pg_catalog", Collection: "pg_notify"}})
	case *pg.Node_LockStmt:
		a.lock(n.LockStmt)
	case *pg.Node_DiscardStmt:
		st.Kind, st.All = Discard, n.DiscardStmt.Target == pg.DiscardMode_DISCARD_ALL
		if st.All {
			a.setting(Setting{Name: "all", Reset: true})
		}
	default:
		a.define(node)
	}
}

// topSelect analyses a SELECT that is a statement of its own.
func (a *analysis) topSelect(s *pg.SelectStmt, root *scope) {
	a.st.Kind = Select
	if to := intoOf(s); to != nil {
		a.createAs(&pg.Node{Node: &pg.Node_SelectStmt{SelectStmt: s}}, to, "TABLE")
		return
	}
	q := a.selectStmt(s, root, a.cat.path)
	a.finish(q)
	a.st.RowCap, a.st.LimitParam = q.limit, q.limitParam
	a.settle(q, demand{limit: access.Unbounded, cursor: a.cursor})
	a.systemBodies()
}

// intoOf finds SELECT INTO, which stands in the leftmost arm.
func intoOf(s *pg.SelectStmt) *pg.IntoClause {
	for s != nil {
		if s.IntoClause != nil {
			return s.IntoClause
		}
		s = s.Larg
	}
	return nil
}

// finish makes the outputs of a statement from the columns of its query.
func (a *analysis) finish(q *query) {
	a.st.ReturnsRows = len(q.columns) > 0 || a.st.Kind == Select
	if !a.st.ReturnsRows {
		return
	}
	a.st.Outputs = make([]Output, len(q.columns))
	for i, c := range q.columns {
		a.st.Outputs[i] = Output{Name: c.name, Copy: c.v.copy, Sources: c.v.from, Distance: c.v.distance, TypeOID: a.cat.sent(c.v.typ)}
	}
}

func (a *analysis) topModifying(node *pg.Node, root *scope) {
	q := a.modifying(node, root)
	a.finish(q)
	a.systemBodies()
}

func (a *analysis) transaction(t *pg.TransactionStmt) {
	switch t.Kind {
	case pg.TransactionStmtKind_TRANS_STMT_BEGIN, pg.TransactionStmtKind_TRANS_STMT_START:
		a.st.Kind = Begin
	case pg.TransactionStmtKind_TRANS_STMT_COMMIT:
		a.st.Kind = Commit
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK:
		a.st.Kind = Rollback
	case pg.TransactionStmtKind_TRANS_STMT_SAVEPOINT, pg.TransactionStmtKind_TRANS_STMT_RELEASE:
		a.st.Kind = Savepoint
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK_TO:
		a.st.Kind = RollbackTo
	default:
		// A prepared transaction outlives the session that was allowed to make it.
		a.st.Kind = TwoPhase
		a.add(access.Access{Action: access.ClusterAdmin, Resource: access.Resource{Target: a.cat.Target}})
	}
}

// body analyses the statement inside PREPARE, DECLARE or EXPLAIN as a statement of its own, and takes on its effects.
func (a *analysis) body(node *pg.Node, with func(*analysis)) {
	st := &Statement{Text: a.st.Text, RowCap: access.Unbounded}
	inner := newAnalysis(a.cat, st)
	if with != nil {
		with(inner)
	}
	inner.run(node)
	inner.tidy()
	a.st.Body = st
	a.accesses = append(a.accesses, inner.noted()...)
	a.st.Touches = st.Touches
	a.st.Opaque = st.Opaque
	a.st.ChangesSettings = st.ChangesSettings
	maps.Copy(a.rests, inner.rests)
	if st.Unclear != "" {
		panic(stop{why: st.Unclear, sqlstate: st.Missing})
	}
}

// noted are the tidied accesses with the parameters that bound them.
func (a *analysis) noted() []noted {
	out := make([]noted, len(a.st.Accesses))
	for i, acc := range a.st.Accesses {
		out[i].Access = acc
		if a.st.bound[i] > 0 {
			out[i].param = a.st.BoundParam
		}
	}
	return out
}

// explain analyses EXPLAIN: what it explains may run (ANALYZE), and its plan shows estimates and constants.
func (a *analysis) explain(s *pg.ExplainStmt) {
	a.st.Kind, a.st.ReturnsRows = Explain, true
	if s.Query.GetExecuteStmt() != nil || s.Query.GetCreateTableAsStmt().GetQuery().GetExecuteStmt() != nil {
		a.unclear("EXPLAIN EXECUTE is not supported; explain the statement itself")
	}
	a.body(s.Query, nil)
	a.st.ChangesCatalog = a.st.Body.ChangesCatalog
	out := Output{Name: "QUERY PLAN"}
	for _, o := range a.st.Body.Outputs {
		out.Sources = union(out.Sources, o.Sources)
	}
	for _, u := range a.st.Body.Shaping {
		out.Sources = union(out.Sources, []*Column{u.Column})
	}
	// How wide rows are that are sorted or joined, and how much memory that takes, is said of all that is carried along.
	for c := range a.st.Body.named {
		out.Sources = union(out.Sources, []*Column{c})
	}
	a.st.Body.named = nil
	a.st.Outputs = []Output{out}
}

func (a *analysis) copy(s *pg.CopyStmt, root *scope) {
	st := a.st
	st.Kind = CopyOut
	if s.IsFrom {
		st.Kind = CopyIn
	}
	if s.IsProgram || s.Filename != "" {
		a.add(access.Access{
			Action: access.CodeExec, Resource: access.Resource{Target: a.cat.Target, Namespace: "pg_catalog", Collection: "copy"},
			Attributes: access.Attributes{Egress: true},
		})
		a.opaque("COPY reads or writes on the server itself")
	}
	if s.Query != nil {
		var q *query
		if sel := s.Query.GetSelectStmt(); sel != nil {
			q = a.selectStmt(sel, root, a.cat.path)
			a.settle(q, demand{limit: access.Unbounded, export: true})
		} else {
			q = a.modifying(s.Query, root)
		}
		a.copyOut(q.columns)
		a.systemBodies()
		return
	}
	rel := a.relation(s.Relation, a.cat.path)
	a.touch(rel)
	if rel.system {
		a.add(access.Access{Action: access.RawRead, Resource: rel.Resource})
	}
	columns := rel.Columns
	if len(s.Attlist) > 0 {
		columns = nil
		for _, n := range a.names(s.Attlist) {
			columns = append(columns, a.targetColumn(rel, n))
		}
	}
	if s.IsFrom {
		if rel.isView() {
			a.unclear("writing through the view %s is not supported; write to its table", rel.Resource)
		}
		a.write(rel, access.Import, access.Attributes{Points: access.Unbounded})
		it := &item{name: rel.name, relation: rel, read: &read{rel: rel}, named: true, visible: true}
		it.columns = a.baseColumns(rel, it.read)
		a.where(s.WhereClause, &scope{path: a.cat.path, items: []*item{it}, query: &query{}}, "WHERE", nil)
		return
	}
	r := &read{rel: rel}
	if !rel.system {
		a.settle(&query{limit: access.Unbounded, reads: []*read{r}}, demand{limit: access.Unbounded, export: true})
	}
	var out []field
	for i, f := range a.baseColumns(rel, r) {
		for _, c := range columns {
			if rel.Columns[i] == c {
				out = append(out, f)
				a.touchField(f.v)
			}
		}
	}
	a.copyOut(out)
}

// copyOut notes what leaves in COPY's own format, which is not masked cell by cell.
func (a *analysis) copyOut(columns []field) {
	for _, c := range columns {
		a.flow(c.v, nil, "COPY TO")
		a.st.Outputs = append(a.st.Outputs, Output{Name: c.name, Copy: c.v.copy, Sources: c.v.from, Distance: c.v.distance, TypeOID: c.v.typ})
	}
}

func (a *analysis) lock(s *pg.LockStmt) {
	a.st.Kind = Lock
	for _, node := range s.Relations {
		rel := a.relation(node.GetRangeVar(), a.cat.path)
		a.touch(rel)
		act := access.Update
		if s.Mode <= 2 { // ACCESS SHARE, ROW SHARE: what reading takes too
			act = access.Fetch
		}
		a.write(rel, act, access.Attributes{Lock: true, Points: access.Unbounded, Rows: 0})
	}
}
