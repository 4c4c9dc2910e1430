package analysis

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/vecgate/vecgate/internal/access"
)

// alterTable analyses ALTER TABLE. An expression in it is a way for a column's values to flow into another.
func (a *analysis) alterTable(s *pg.AlterTableStmt) {
	if s.Objtype == pg.ObjectType_OBJECT_INDEX {
		a.index(s.Relation.GetSchemaname(), s.Relation.GetRelname(), access.IndexRebuild)
		return
	}
	if s.Objtype == pg.ObjectType_OBJECT_TYPE {
		a.on(access.SchemaAlter, a.creationSchema(s.Relation), s.Relation.GetRelname())
		return
	}
	rel := a.move(s.Relation, access.SchemaAlter, s.MissingOk)
	if rel == nil {
		return
	}
	for _, node := range s.Cmds {
		c := node.GetAlterTableCmd()
		if c == nil {
			a.unclear("ALTER TABLE holds %s", kindOf(node))
		}
		a.alterCommand(rel, c)
	}
}

func (a *analysis) alterCommand(rel *Relation, c *pg.AlterTableCmd) {
	switch c.Subtype {
	case pg.AlterTableType_AT_DropColumn:
		a.write(rel, access.SchemaDrop, access.Attributes{Fields: []string{c.Name}})
	case pg.AlterTableType_AT_AttachPartition, pg.AlterTableType_AT_DetachPartition:
		// The rows change the table under whose rules they are read.
		part := a.named(c.Def.GetPartitionCmd().GetName(), access.SchemaAlter)
		a.everything(part, "another table")
		return
	case pg.AlterTableType_AT_AddInherit, pg.AlterTableType_AT_DropInherit:
		a.named(c.Def.GetRangeVar(), access.SchemaAlter)
		a.everything(rel, "another table")
		return
	case pg.AlterTableType_AT_ClusterOn:
		a.everything(rel, "the order of the table")
	case pg.AlterTableType_AT_ChangeOwner, pg.AlterTableType_AT_EnableRowSecurity, pg.AlterTableType_AT_DisableRowSecurity,
		pg.AlterTableType_AT_ForceRowSecurity, pg.AlterTableType_AT_NoForceRowSecurity:
		a.on(access.IAMWrite, "", "")
	case pg.AlterTableType_AT_EnableTrig, pg.AlterTableType_AT_EnableAlwaysTrig, pg.AlterTableType_AT_EnableReplicaTrig,
		pg.AlterTableType_AT_DisableTrig, pg.AlterTableType_AT_EnableTrigAll, pg.AlterTableType_AT_DisableTrigAll,
		pg.AlterTableType_AT_EnableTrigUser, pg.AlterTableType_AT_DisableTrigUser, pg.AlterTableType_AT_EnableRule,
		pg.AlterTableType_AT_EnableAlwaysRule, pg.AlterTableType_AT_EnableReplicaRule, pg.AlterTableType_AT_DisableRule:
		a.program()
	case pg.AlterTableType_AT_AlterColumnType:
		if def := c.Def.GetColumnDef(); def != nil {
			// Every value is converted, and whether all of them can be says something of each.
			a.shape(value{from: rel.sources(a.targetColumn(rel, c.Name))}, "a change of its type")
			a.typeName(def.TypeName, a.cat.path)
		}
	}
	sc := a.relationScope(rel)
	switch def := c.Def.GetNode().(type) {
	case nil:
	case *pg.Node_ColumnDef:
		a.columnDef(def.ColumnDef, sc)
	case *pg.Node_Constraint:
		a.constraint(def.Constraint, sc)
	case *pg.Node_RangeVar, *pg.Node_RoleSpec, *pg.Node_String_, *pg.Node_Integer, *pg.Node_List, *pg.Node_ReplicaIdentityStmt,
		*pg.Node_TypeName, *pg.Node_DefElem, *pg.Node_IndexStmt, *pg.Node_PartitionCmd:
	default:
		// SET DEFAULT, SET EXPRESSION
		a.flow(a.expr(c.Def, sc), nil, "a definition on "+rel.schema+"."+rel.name)
	}
	a.settle(sc.query, demand{limit: access.Unbounded})
}

func (a *analysis) relationScope(rel *Relation) *scope {
	r := &read{rel: rel}
	it := &item{name: rel.name, relation: rel, read: r, columns: a.baseColumns(rel, r), named: true, visible: true}
	return &scope{path: a.cat.path, items: []*item{it}, query: &query{limit: access.Unbounded}}
}

// index notes an access to the table of an index.
func (a *analysis) index(schema, index string, act access.Action) {
	for _, s := range a.cat.path {
		if schema != "" {
			s = schema
		}
		if rel := a.cat.indexes[name{s, index}]; rel != nil {
			a.touch(rel)
			a.write(rel, act, access.Attributes{Alias: index})
			return
		}
	}
	a.missing("42704", "index %q does not exist", index)
}

// drop analyses DROP. What goes with it by CASCADE is not known beforehand, so that needs the right on the whole target.
func (a *analysis) drop(s *pg.DropStmt) {
	for _, node := range s.Objects {
		names := node.GetList().GetItems()
		if names == nil && node.GetTypeName() != nil {
			names = node.GetTypeName().Names
		}
		schema := ""
		if len(names) > 1 {
			schema = names[len(names)-2].GetString_().GetSval()
		}
		switch s.RemoveType {
		case pg.ObjectType_OBJECT_TABLE, pg.ObjectType_OBJECT_VIEW, pg.ObjectType_OBJECT_MATVIEW, pg.ObjectType_OBJECT_FOREIGN_TABLE,
			pg.ObjectType_OBJECT_SEQUENCE:
			v := &pg.RangeVar{Schemaname: schema, Relname: last(names)}
			if a.maybe(v) == nil && s.MissingOk {
				a.on(access.SchemaDrop, a.schemaOf(names), last(names))
				continue
			}
			a.named(v, access.SchemaDrop)
		case pg.ObjectType_OBJECT_INDEX:
			if s.MissingOk && a.cat.indexes[name{a.schemaOf(names), last(names)}] == nil {
				a.on(access.IndexDrop, a.schemaOf(names), last(names))
				continue
			}
			a.index(schema, last(names), access.IndexDrop)
		case pg.ObjectType_OBJECT_SCHEMA:
			a.on(access.SchemaDrop, node.GetString_().GetSval(), "")
		case pg.ObjectType_OBJECT_POLICY:
			a.on(access.IAMWrite, "", "")
		case pg.ObjectType_OBJECT_EXTENSION, pg.ObjectType_OBJECT_FDW, pg.ObjectType_OBJECT_FOREIGN_SERVER, pg.ObjectType_OBJECT_PUBLICATION,
			pg.ObjectType_OBJECT_ACCESS_METHOD, pg.ObjectType_OBJECT_LANGUAGE, pg.ObjectType_OBJECT_EVENT_TRIGGER:
			a.on(access.ClusterAdmin, "", "")
		case pg.ObjectType_OBJECT_TRIGGER, pg.ObjectType_OBJECT_RULE:
			a.program()
		default:
			a.on(access.SchemaDrop, "", "")
		}
	}
	if s.Behavior == pg.DropBehavior_DROP_CASCADE {
		a.on(access.SchemaDrop, "", "")
	}
}
