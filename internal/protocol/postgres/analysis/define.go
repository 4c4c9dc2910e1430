package analysis

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/vecgate/vecgate/internal/access"
)

// define analyses the statements that change what is defined, who may do what, or how the server runs.
func (a *analysis) define(node *pg.Node) {
	st := a.st
	st.Kind, st.ChangesCatalog = DDL, true
	st.hooked = a.cat.hooked
	switch n := node.GetNode().(type) {
	case *pg.Node_CreateStmt:
		a.createTable(n.CreateStmt)
	case *pg.Node_CreateTableAsStmt:
		what := "TABLE"
		if n.CreateTableAsStmt.Objtype == pg.ObjectType_OBJECT_MATVIEW {
			what = "MATERIALIZED VIEW"
		}
		a.createAs(n.CreateTableAsStmt.Query, n.CreateTableAsStmt.Into, what)
	case *pg.Node_ViewStmt:
		a.createView(n.ViewStmt)
	case *pg.Node_AlterTableStmt:
		a.alterTable(n.AlterTableStmt)
	case *pg.Node_IndexStmt:
		a.createIndex(n.IndexStmt)
	case *pg.Node_CreateStatsStmt:
		for _, rv := range n.CreateStatsStmt.Relations {
			rel := a.named(rv.GetRangeVar(), access.IndexCreate)
			for _, el := range n.CreateStatsStmt.Exprs {
				s := el.GetStatsElem()
				if s.GetName() != "" {
					a.targetColumn(rel, s.Name)
					continue
				}
				a.definition(rel, s.GetExpr())
			}
		}
	case *pg.Node_AlterStatsStmt:
		a.on(access.IndexRebuild, a.schemaOf(n.AlterStatsStmt.Defnames), "")
	case *pg.Node_CreateSchemaStmt:
		schema := n.CreateSchemaStmt.Schemaname
		if schema == "" {
			schema = n.CreateSchemaStmt.GetAuthrole().GetRolename()
		}
		a.on(access.SchemaCreate, schema, "")
		for _, el := range n.CreateSchemaStmt.SchemaElts {
			_ = el
			a.unclear("CREATE SCHEMA with statements in it is not supported; send them one by one")
		}
	case *pg.Node_CreateSeqStmt:
		a.on(access.SchemaCreate, a.creationSchema(n.CreateSeqStmt.Sequence), n.CreateSeqStmt.Sequence.GetRelname())
	case *pg.Node_AlterSeqStmt:
		if rel := a.maybe(n.AlterSeqStmt.Sequence); rel != nil {
			a.on(access.SchemaAlter, rel.schema, rel.name)
		} else {
			a.on(access.SchemaAlter, a.creationSchema(n.AlterSeqStmt.Sequence), n.AlterSeqStmt.Sequence.GetRelname())
		}
	case *pg.Node_CompositeTypeStmt:
		a.on(access.SchemaCreate, a.creationSchema(n.CompositeTypeStmt.Typevar), n.CompositeTypeStmt.Typevar.GetRelname())
	case *pg.Node_CreateEnumStmt:
		a.on(access.SchemaCreate, a.schemaOf(n.CreateEnumStmt.TypeName), last(n.CreateEnumStmt.TypeName))
	case *pg.Node_AlterEnumStmt:
		a.on(access.SchemaAlter, a.schemaOf(n.AlterEnumStmt.TypeName), last(n.AlterEnumStmt.TypeName))
	case *pg.Node_DropStmt:
		a.drop(n.DropStmt)
	case *pg.Node_TruncateStmt:
		for _, rv := range n.TruncateStmt.Relations {
			a.named(rv.GetRangeVar(), access.SchemaTruncate)
		}
		if n.TruncateStmt.Behavior == pg.DropBehavior_DROP_CASCADE {
			a.on(access.SchemaTruncate, "", "")
		}
	case *pg.Node_CommentStmt:
		a.comment(n.CommentStmt)
	case *pg.Node_RenameStmt:
		a.rename(n.RenameStmt)
	case *pg.Node_AlterObjectSchemaStmt:
		s := n.AlterObjectSchemaStmt
		if s.Relation != nil {
			if rel := a.move(s.Relation, access.SchemaRename, s.MissingOk); rel != nil {
				a.everything(rel, "the schema "+s.Newschema)
			}
		} else {
			a.on(access.SchemaRename, "", "")
		}
		a.on(access.SchemaCreate, s.Newschema, "")
	case *pg.Node_AlterOwnerStmt:
		a.on(access.IAMWrite, "", "")
	case *pg.Node_AlterObjectDependsStmt:
		a.on(access.SchemaAlter, "", "")
	case *pg.Node_AlterTypeStmt, *pg.Node_AlterCollationStmt, *pg.Node_AlterTsconfigurationStmt, *pg.Node_AlterTsdictionaryStmt:
		a.on(access.SchemaAlter, "", "")
	case *pg.Node_SecLabelStmt:
		a.on(access.IAMWrite, "", "")
	case *pg.Node_CreatePolicyStmt:
		a.on(access.IAMWrite, "", "")
		a.rowPolicy(n.CreatePolicyStmt.Table, n.CreatePolicyStmt.Qual, n.CreatePolicyStmt.WithCheck)
	case *pg.Node_AlterPolicyStmt:
		a.on(access.IAMWrite, "", "")
		a.rowPolicy(n.AlterPolicyStmt.Table, n.AlterPolicyStmt.Qual, n.AlterPolicyStmt.WithCheck)
	case *pg.Node_GrantStmt, *pg.Node_GrantRoleStmt, *pg.Node_AlterDefaultPrivilegesStmt, *pg.Node_CreateRoleStmt, *pg.Node_AlterRoleStmt,
		*pg.Node_AlterRoleSetStmt, *pg.Node_DropRoleStmt, *pg.Node_ReassignOwnedStmt, *pg.Node_CreateUserMappingStmt,
		*pg.Node_AlterUserMappingStmt, *pg.Node_DropUserMappingStmt:
		st.Kind = Rights
		a.on(access.IAMWrite, "", "")
	case *pg.Node_DropOwnedStmt:
		st.Kind = Rights
		a.on(access.IAMWrite, "", "")
		a.on(access.SchemaDrop, "", "")
	case *pg.Node_CreateExtensionStmt:
		if n.CreateExtensionStmt.IfNotExists && a.cat.extensions[n.CreateExtensionStmt.Extname] {
			st.ChangesCatalog = false // there already: nothing happens
			return
		}
		a.on(access.ClusterAdmin, "", "")
	case *pg.Node_CreatedbStmt, *pg.Node_AlterDatabaseStmt, *pg.Node_AlterDatabaseRefreshCollStmt, *pg.Node_AlterDatabaseSetStmt,
		*pg.Node_AlterSystemStmt, *pg.Node_CheckPointStmt, *pg.Node_CreateTableSpaceStmt, *pg.Node_DropTableSpaceStmt,
		*pg.Node_AlterTableSpaceOptionsStmt, *pg.Node_AlterTableMoveAllStmt, *pg.Node_AlterExtensionStmt, *pg.Node_AlterExtensionContentsStmt,
		*pg.Node_CreatePublicationStmt, *pg.Node_AlterPublicationStmt:
		a.on(access.ClusterAdmin, "", "")
	case *pg.Node_DropdbStmt:
		a.on(access.ClusterAdmin, "", "")
		a.on(access.SchemaDrop, "", "")
	case *pg.Node_CreateFdwStmt, *pg.Node_AlterFdwStmt, *pg.Node_CreateForeignServerStmt, *pg.Node_AlterForeignServerStmt,
		*pg.Node_CreateForeignTableStmt, *pg.Node_ImportForeignSchemaStmt, *pg.Node_CreateSubscriptionStmt, *pg.Node_AlterSubscriptionStmt,
		*pg.Node_DropSubscriptionStmt:
		// The server would read from or send to somewhere else.
		a.add(access.Access{Action: access.ClusterAdmin, Resource: access.Resource{Target: a.cat.Target}, Attributes: access.Attributes{Egress: true}})
	case *pg.Node_DoStmt, *pg.Node_LoadStmt:
		st.Kind = Code
		a.program()
	case *pg.Node_CallStmt:
		st.Kind = Code
		fn := n.CallStmt.Funccall
		q := &query{limit: access.Unbounded}
		for _, arg := range fn.GetArgs() {
			a.flow(a.expr(arg, &scope{path: a.cat.path, query: q}), nil, "the arguments of a procedure")
		}
		a.settle(q, demand{limit: access.Unbounded})
		schema, procedure := a.schemaOf(fn.GetFuncname()), last(fn.GetFuncname())
		a.on(access.CodeExec, schema, procedure)
		for of, body := range a.cat.bodies {
			// Without its schema it may be of any in the path.
			if of.name == procedure && (len(fn.GetFuncname()) < 2 || of.schema == schema) {
				a.restsOn(of.schema+"."+procedure, body)
			}
		}
		a.opaque("it calls the procedure %s, and what that does is not known", last(fn.GetFuncname()))
	case *pg.Node_CreateFunctionStmt, *pg.Node_AlterFunctionStmt, *pg.Node_CreateTrigStmt, *pg.Node_CreateEventTrigStmt, *pg.Node_AlterEventTrigStmt,
		*pg.Node_RuleStmt, *pg.Node_CreatePlangStmt, *pg.Node_DefineStmt, *pg.Node_CreateDomainStmt, *pg.Node_AlterDomainStmt,
		*pg.Node_CreateRangeStmt, *pg.Node_CreateOpClassStmt, *pg.Node_CreateOpFamilyStmt, *pg.Node_AlterOpFamilyStmt, *pg.Node_AlterOperatorStmt,
		*pg.Node_CreateConversionStmt, *pg.Node_CreateCastStmt, *pg.Node_CreateTransformStmt, *pg.Node_CreateAmStmt:
		// Whoever defines what later runs by itself runs it.
		a.program()
	case *pg.Node_VacuumStmt:
		st.Kind, st.ChangesCatalog = Maintain, false
		for _, v := range n.VacuumStmt.Rels {
			a.named(v.GetVacuumRelation().GetRelation(), access.IndexRebuild)
		}
		if len(n.VacuumStmt.Rels) == 0 {
			a.on(access.IndexRebuild, "", "")
		}
	case *pg.Node_ClusterStmt:
		st.Kind, st.ChangesCatalog = Maintain, false
		if n.ClusterStmt.Relation == nil {
			a.on(access.IndexRebuild, "", "")
			for _, rel := range a.cat.byOID {
				if !rel.system && (rel.kind == 'r' || rel.kind == 'p' || rel.kind == 'm') {
					a.everything(rel, "the order of all tables")
				}
			}
			return
		}
		// The order in which rows are stored, and come back, is then that of the index.
		rel := a.named(n.ClusterStmt.Relation, access.IndexRebuild)
		a.everything(rel, "the order of the table")
	case *pg.Node_ReindexStmt:
		st.Kind, st.ChangesCatalog = Maintain, false
		switch n.ReindexStmt.Kind {
		case pg.ReindexObjectType_REINDEX_OBJECT_TABLE:
			a.named(n.ReindexStmt.Relation, access.IndexRebuild)
		case pg.ReindexObjectType_REINDEX_OBJECT_INDEX:
			a.index(n.ReindexStmt.Relation.GetSchemaname(), n.ReindexStmt.Relation.GetRelname(), access.IndexRebuild)
		case pg.ReindexObjectType_REINDEX_OBJECT_SCHEMA:
			a.on(access.IndexRebuild, n.ReindexStmt.Name, "")
		default:
			a.on(access.IndexRebuild, "", "")
		}
	case *pg.Node_RefreshMatViewStmt:
		st.Kind, st.ChangesCatalog = Maintain, false
		rel := a.relation(n.RefreshMatViewStmt.Relation, a.cat.path)
		a.touch(rel)
		if rel.isView() {
			a.view(rel) // what it computes with is named in its errors
		}
		a.add(access.Access{Action: access.Update, Resource: rel.Resource, Attributes: access.Attributes{Points: access.Unbounded}})
	default:
		st.Kind, st.ChangesCatalog = Unknown, false
		a.unclear("a statement of the kind %s", strings.TrimSuffix(kindOf(node), "Stmt"))
	}
}

// program notes code that could do anything.
func (a *analysis) program() {
	a.on(access.CodeExec, "", "")
	a.opaque("it is or defines code, and what that does is not known")
}

// on notes an access to a collection, a namespace ("" collection) or the target (both "").
func (a *analysis) on(act access.Action, schema, collection string) {
	if act == access.SchemaCreate && temporary(schema) {
		// Only its own session sees it, the catalog does not; and where pg_temp is searched first it stands in front of a
		// table of the same name, under whose rules it would be read.
		a.unclear("temporary tables, views, sequences and types are not supported; what is in them could not be followed")
	}
	a.add(access.Access{Action: act, Resource: access.Resource{Target: a.cat.Target, Namespace: schema, Collection: collection}})
}

// temporary reports whether a schema is the session's own, by its alias or by its number.
func temporary(schema string) bool { return strings.HasPrefix(schema, "pg_temp") }

// schemaOf is the schema of a qualified name, or the one in which an unqualified one would be made.
func (a *analysis) schemaOf(names []*pg.Node) string {
	if len(names) > 1 {
		return names[len(names)-2].GetString_().GetSval()
	}
	return a.cat.creation()
}

func last(names []*pg.Node) string {
	if len(names) == 0 {
		return ""
	}
	return names[len(names)-1].GetString_().GetSval()
}

func (a *analysis) creationSchema(v *pg.RangeVar) string {
	switch {
	case v.GetSchemaname() != "":
		return v.Schemaname
	case v.GetRelpersistence() == "t":
		return "pg_temp"
	}
	return a.cat.creation()
}

// named finds the relation of a statement and notes the access on it.
func (a *analysis) named(v *pg.RangeVar, act access.Action) *Relation {
	rel := a.relation(v, a.cat.path)
	a.touch(rel)
	a.write(rel, act, access.Attributes{})
	return rel
}

// maybe finds a relation that need not exist.
func (a *analysis) maybe(v *pg.RangeVar) *Relation {
	return a.cat.relation(v.GetSchemaname(), v.GetRelname(), a.cat.path)
}

// move is named, but for IF EXISTS.
func (a *analysis) move(v *pg.RangeVar, act access.Action, missingOK bool) *Relation {
	if a.maybe(v) == nil {
		if r := a.cat.indexes[name{a.creationSchema(v), v.GetRelname()}]; r != nil {
			a.write(r, act, access.Attributes{})
			return nil
		}
		if missingOK {
			a.on(act, a.creationSchema(v), v.GetRelname()) // it may be there by then
			return nil
		}
	}
	return a.named(v, act)
}

// everything notes that all columns of a relation will be known by another name, under which no rule protects them.
func (a *analysis) everything(rel *Relation, what string) {
	for _, f := range a.baseColumns(rel, nil) {
		a.flow(f.v, nil, what)
	}
}

// definition analyses an expression over a relation's columns that becomes part of a definition.
func (a *analysis) definition(rel *Relation, node *pg.Node) {
	if node == nil || node.Node == nil {
		return
	}
	r := &read{rel: rel}
	it := &item{name: rel.name, relation: rel, read: r, columns: a.baseColumns(rel, r), named: true, visible: true}
	q := &query{limit: access.Unbounded}
	v := a.expr(node, &scope{path: a.cat.path, items: []*item{it}, query: q})
	a.settle(q, demand{limit: access.Unbounded})
	a.flow(v, nil, "a definition on "+rel.schema+"."+rel.name)
}

func (a *analysis) createTable(s *pg.CreateStmt) {
	schema := a.creationSchema(s.Relation)
	if s.IfNotExists && a.cat.relation(schema, s.Relation.GetRelname(), nil) != nil {
		a.st.ChangesCatalog = false // there already: nothing happens
		return
	}
	a.on(access.SchemaCreate, schema, s.Relation.GetRelname())
	for _, parent := range s.InhRelations {
		a.named(parent.GetRangeVar(), access.SchemaAlter)
	}
	// Expressions of a table in the making name its own columns, which hold nothing yet.
	q := &query{limit: access.Unbounded}
	own := &scope{path: a.cat.path, query: q, items: []*item{{name: s.Relation.GetRelname(), named: true, visible: true, unsure: true}}}
	for _, el := range s.TableElts {
		switch e := el.GetNode().(type) {
		case *pg.Node_ColumnDef:
			a.columnDef(e.ColumnDef, own)
		case *pg.Node_Constraint:
			a.constraint(e.Constraint, own)
		case *pg.Node_TableLikeClause:
			a.relation(e.TableLikeClause.Relation, a.cat.path)
		default:
			a.unclear("CREATE TABLE holds %s", kindOf(el))
		}
	}
	for _, c := range s.Constraints {
		a.constraint(c.GetConstraint(), own)
	}
	for _, p := range s.GetPartspec().GetPartParams() {
		if e := p.GetPartitionElem().GetExpr(); e != nil {
			a.expr(e, own)
		}
	}
	a.settle(q, demand{limit: access.Unbounded})
}

func (a *analysis) columnDef(c *pg.ColumnDef, sc *scope) {
	if c.TypeName != nil && !serial(c.TypeName) {
		a.typeName(c.TypeName, a.cat.path)
	}
	for _, node := range c.Constraints {
		a.constraint(node.GetConstraint(), sc)
	}
	if c.RawDefault != nil {
		a.flow(a.expr(c.RawDefault, sc), nil, "a default")
	}
}

func serial(t *pg.TypeName) bool {
	switch last(t.Names) {
	case "serial", "serial2", "serial4", "serial8", "bigserial", "smallserial":
		return len(t.Names) == 1
	}
	return false
}

func (a *analysis) constraint(c *pg.Constraint, sc *scope) {
	if c == nil {
		a.unclear("a definition holds an unknown constraint")
	}
	for _, node := range []*pg.Node{c.RawExpr, c.WhereClause} {
		if node != nil && node.Node != nil {
			a.flow(a.expr(node, sc), nil, "a constraint")
		}
	}
	for _, ex := range c.Exclusions {
		for _, part := range ex.GetList().GetItems() {
			if el := part.GetIndexElem(); el != nil && el.Expr != nil {
				a.flow(a.expr(el.Expr, sc), nil, "a constraint")
			}
		}
	}
	a.constrained(c, sc)
	if c.Pktable != nil {
		a.references(c)
	}
}

// constrained notes the columns of a table with rows that a key, an exclusion or a foreign key is put on: whether it can be
// says which of their values are the same, or are found elsewhere. One in the making has no rows.
func (a *analysis) constrained(c *pg.Constraint, sc *scope) {
	if len(sc.items) != 1 || sc.items[0].relation == nil {
		return
	}
	rel := sc.items[0].relation
	names := a.names(append(c.Keys[:len(c.Keys):len(c.Keys)], c.FkAttrs...))
	for _, ex := range c.Exclusions {
		for _, part := range ex.GetList().GetItems() {
			if n := part.GetIndexElem().GetName(); n != "" {
				names = append(names, n)
			}
		}
	}
	for _, n := range names {
		if col := rel.column(n); col != nil { // it may be added by the same statement
			a.shape(value{from: rel.sources(col)}, "a constraint")
		}
	}
}

// references notes that a foreign key asks, for every row written, whether the other table has such a value.
func (a *analysis) references(c *pg.Constraint) {
	rel := a.maybe(c.Pktable)
	if rel == nil {
		return
	}
	a.touch(rel)
	columns := rel.primary
	if len(c.PkAttrs) > 0 {
		columns = nil
		for _, n := range a.names(c.PkAttrs) {
			columns = append(columns, a.targetColumn(rel, n))
		}
	}
	for _, col := range columns {
		for _, s := range rel.sources(col) {
			a.use(Use{Column: s, How: UseEquality, Where: "a foreign key"})
		}
	}
}

// createAs analyses CREATE TABLE AS, CREATE MATERIALIZED VIEW and SELECT INTO.
func (a *analysis) createAs(source *pg.Node, to *pg.IntoClause, what string) {
	a.st.Kind, a.st.ChangesCatalog = DDL, true
	a.into = true
	a.on(access.SchemaCreate, a.creationSchema(to.GetRel()), to.GetRel().GetRelname())
	root := &scope{path: a.cat.path}
	sel := source.GetSelectStmt()
	if sel == nil {
		a.unclear("CREATE %s AS holds %s", what, kindOf(source))
	}
	q := a.selectStmt(sel, root, a.cat.path)
	for _, c := range q.columns {
		a.flow(c.v, nil, a.creationSchema(to.GetRel())+"."+to.GetRel().GetRelname()+"."+c.name)
	}
	a.settle(q, demand{limit: access.Unbounded, role: "source"})
	a.systemBodies()
}

func (a *analysis) createView(s *pg.ViewStmt) {
	schema := a.creationSchema(s.View)
	a.on(access.SchemaCreate, schema, s.View.GetRelname())
	if s.Replace {
		if rel := a.maybe(s.View); rel != nil {
			a.named(s.View, access.SchemaAlter)
		}
	}
	sel := s.Query.GetSelectStmt()
	if sel == nil {
		a.unclear("CREATE VIEW holds %s", kindOf(s.Query))
	}
	q := a.selectStmt(sel, &scope{path: a.cat.path}, a.cat.path)
	for _, c := range q.columns {
		a.flow(c.v, nil, schema+"."+s.View.GetRelname()+"."+c.name)
	}
	a.settle(q, demand{limit: access.Unbounded, role: "source"})
	a.systemBodies()
}

func (a *analysis) createIndex(s *pg.IndexStmt) {
	rel := a.named(s.Relation, access.IndexCreate)
	for n, list := range [][]*pg.Node{s.IndexParams, s.IndexIncludingParams} {
		for _, node := range list {
			el := node.GetIndexElem()
			if el.GetName() != "" {
				c := a.targetColumn(rel, el.Name)
				if n == 0 && !c.Vector {
					// A query that the index answers alone gets its rows in the order of the index. One on vectors has none.
					a.shape(value{from: rel.sources(c)}, "an index")
				}
				if s.Unique {
					a.flow(value{from: rel.sources(c)}, nil, "a unique index on "+rel.name)
				}
				continue
			}
			a.definition(rel, el.GetExpr())
		}
	}
	a.definition(rel, s.WhereClause)
}

func (a *analysis) rowPolicy(v *pg.RangeVar, exprs ...*pg.Node) {
	rel := a.relation(v, a.cat.path)
	a.touch(rel)
	for _, e := range exprs {
		a.definition(rel, e)
	}
}

func (a *analysis) comment(s *pg.CommentStmt) {
	names := s.Object.GetList().GetItems()
	switch s.Objtype {
	case pg.ObjectType_OBJECT_TABLE, pg.ObjectType_OBJECT_VIEW, pg.ObjectType_OBJECT_MATVIEW:
		a.on(access.SchemaAlter, a.schemaOf(names), last(names))
	case pg.ObjectType_OBJECT_COLUMN:
		if len(names) > 1 {
			names = names[:len(names)-1]
		}
		a.on(access.SchemaAlter, a.schemaOf(names), last(names))
	default:
		a.on(access.SchemaAlter, "", "")
	}
}

func (a *analysis) rename(s *pg.RenameStmt) {
	switch {
	case s.RenameType == pg.ObjectType_OBJECT_SCHEMA:
		a.on(access.SchemaRename, s.Subname, "")
		for _, rel := range a.cat.byOID {
			if rel.schema == s.Subname {
				a.everything(rel, "the schema "+s.Newname)
			}
		}
	case s.RenameType == pg.ObjectType_OBJECT_ROLE, s.RenameType == pg.ObjectType_OBJECT_DATABASE, s.RenameType == pg.ObjectType_OBJECT_TABLESPACE:
		a.on(access.ClusterAdmin, "", "")
	case s.Relation != nil:
		rel := a.move(s.Relation, access.SchemaRename, s.MissingOk)
		if rel == nil {
			return
		}
		switch s.RenameType {
		case pg.ObjectType_OBJECT_COLUMN, pg.ObjectType_OBJECT_ATTRIBUTE:
			c := a.targetColumn(rel, s.Subname)
			a.flow(value{from: rel.sources(c)}, nil, rel.schema+"."+rel.name+"."+s.Newname)
		case pg.ObjectType_OBJECT_TABLE, pg.ObjectType_OBJECT_VIEW, pg.ObjectType_OBJECT_MATVIEW, pg.ObjectType_OBJECT_FOREIGN_TABLE:
			a.everything(rel, rel.schema+"."+s.Newname)
		}
	default:
		a.on(access.SchemaRename, "", "")
	}
}
