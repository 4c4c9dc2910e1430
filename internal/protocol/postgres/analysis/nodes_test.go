package analysis

import (
	"reflect"
	"strings"
	"testing"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// nodeKinds says what every kind of node that the parser knows is for us.
//
// A statement has its case in utility or define, an expression in expr or jsonExpr, a FROM item in fromItem. A part is only
// looked at by the case of what it is part of. The planner's kinds never stand in a tree that comes from a text.
var nodeKinds = func() map[string]string {
	out := map[string]string{}
	for kind, names := range map[string]string{
		"statement": `SelectStmt InsertStmt UpdateStmt DeleteStmt MergeStmt TransactionStmt VariableSetStmt ConstraintsSetStmt VariableShowStmt
			PrepareStmt ExecuteStmt DeallocateStmt DeclareCursorStmt FetchStmt ClosePortalStmt ExplainStmt CopyStmt ListenStmt UnlistenStmt
			NotifyStmt LockStmt DiscardStmt CreateStmt CreateTableAsStmt ViewStmt AlterTableStmt IndexStmt CreateStatsStmt AlterStatsStmt
			CreateSchemaStmt CreateSeqStmt AlterSeqStmt CompositeTypeStmt CreateEnumStmt AlterEnumStmt DropStmt TruncateStmt CommentStmt RenameStmt
			AlterObjectSchemaStmt AlterOwnerStmt AlterObjectDependsStmt AlterTypeStmt AlterCollationStmt AlterTsconfigurationStmt
			AlterTsdictionaryStmt SecLabelStmt CreatePolicyStmt AlterPolicyStmt GrantStmt GrantRoleStmt AlterDefaultPrivilegesStmt CreateRoleStmt
			AlterRoleStmt AlterRoleSetStmt DropRoleStmt ReassignOwnedStmt CreateUserMappingStmt AlterUserMappingStmt DropUserMappingStmt
			DropOwnedStmt CreateExtensionStmt CreatedbStmt AlterDatabaseStmt AlterDatabaseRefreshCollStmt AlterDatabaseSetStmt AlterSystemStmt
			CheckPointStmt CreateTableSpaceStmt DropTableSpaceStmt AlterTableSpaceOptionsStmt AlterTableMoveAllStmt AlterExtensionStmt
			AlterExtensionContentsStmt CreatePublicationStmt AlterPublicationStmt DropdbStmt CreateFdwStmt AlterFdwStmt CreateForeignServerStmt
			AlterForeignServerStmt CreateForeignTableStmt ImportForeignSchemaStmt CreateSubscriptionStmt AlterSubscriptionStmt DropSubscriptionStmt
			DoStmt LoadStmt CallStmt CreateFunctionStmt AlterFunctionStmt CreateTrigStmt CreateEventTrigStmt AlterEventTrigStmt RuleStmt
			CreatePlangStmt DefineStmt CreateDomainStmt AlterDomainStmt CreateRangeStmt CreateOpClassStmt CreateOpFamilyStmt AlterOpFamilyStmt
			AlterOperatorStmt CreateConversionStmt CreateCastStmt CreateTransformStmt CreateAmStmt VacuumStmt ClusterStmt ReindexStmt
			RefreshMatViewStmt`,
		"expression": `AConst ParamRef Integer Float Boolean String BitString SetToDefault SqlvalueFunction ColumnRef List AExpr BoolExpr NullTest
			BooleanTest TypeCast CollateClause FuncCall NamedArgExpr SubLink CaseExpr CoalesceExpr MinMaxExpr RowExpr AArrayExpr AIndirection
			GroupingFunc MergeSupportFunc CurrentOfExpr MultiAssignRef XmlExpr XmlSerialize ResTarget JsonValueExpr JsonIsPredicate JsonParseExpr
			JsonScalarExpr JsonSerializeExpr JsonObjectConstructor JsonArrayConstructor JsonKeyValue JsonArrayQueryConstructor JsonObjectAgg
			JsonArrayAgg JsonFuncExpr JsonArgument`,
		"from": "RangeVar RangeSubselect RangeFunction RangeTableSample RangeTableFunc JsonTable JoinExpr",
		"part": `Alias IntoClause CaseWhen AStar AIndices SortBy WindowDef RangeTableFuncCol ColumnDef TableLikeClause IndexElem DefElem LockingClause
			PartitionElem PartitionSpec PartitionBoundSpec PartitionRangeDatum SinglePartitionSpec PartitionCmd GroupingSet WithClause InferClause
			OnConflictClause CtesearchClause CtecycleClause CommonTableExpr MergeWhenClause TriggerTransition JsonOutput JsonTablePathSpec
			JsonTableColumn JsonAggConstructor JsonFormat JsonReturning JsonBehavior RawStmt ReplicaIdentityStmt AlterTableCmd ObjectWithArgs
			AccessPriv Constraint CreateOpClassItem StatsElem FunctionParameter VacuumRelation PublicationTable PublicationObjSpec RoleSpec TypeName
			ReturnStmt PlassignStmt`,
		"planner": `TableFunc Var Param Aggref WindowFunc WindowFuncRunCondition SubscriptingRef FuncExpr OpExpr DistinctExpr NullIfExpr
			ScalarArrayOpExpr SubPlan AlternativeSubPlan FieldSelect FieldStore RelabelType CoerceViaIo ArrayCoerceExpr ConvertRowtypeExpr
			CaseTestExpr CollateExpr ArrayExpr RowCompareExpr JsonConstructorExpr JsonExpr JsonTablePath JsonTablePathScan JsonTableSiblingJoin MergeAction
			CoerceToDomain CoerceToDomainValue NextValueExpr InferenceElem TargetEntry RangeTblRef FromExpr OnConflictExpr Query RangeTblEntry
			RtepermissionInfo RangeTblFunction TableSampleClause WithCheckOption SortGroupClause WindowClause RowMarkClause SetOperationStmt
			InlineCodeBlock CallContext IntList OidList`,
	} {
		for _, n := range strings.Fields(names) {
			out[n] = kind
		}
	}
	return out
}()

// wrappers are the types of the parser's Node oneof, by name.
func wrappers(t *testing.T) map[string]func() *pg.Node {
	out := map[string]func() *pg.Node{}
	fields := (&pg.Node{}).ProtoReflect().Descriptor().Oneofs().ByName("node").Fields()
	if fields.Len() < 200 {
		t.Fatalf("the parser knows %d kinds of node", fields.Len())
	}
	for i := range fields.Len() {
		field := fields.Get(i)
		make := func() *pg.Node {
			n := &pg.Node{}
			n.ProtoReflect().Set(field, n.ProtoReflect().NewField(field))
			return n
		}
		name := strings.TrimSuffix(strings.TrimPrefix(reflect.TypeOf(make().Node).Elem().Name(), "Node_"), "_")
		out[name] = make
	}
	return out
}

func TestEveryKindOfNodeIsMapped(t *testing.T) {
	known := wrappers(t)
	for name := range known {
		if nodeKinds[name] == "" {
			t.Errorf("the parser knows %s and we do not", name)
		}
	}
	for name := range nodeKinds {
		if known[name] == nil {
			t.Errorf("we map %s, which the parser does not know", name)
		}
	}
}

// TestEveryKindOfNodeHasItsCase gives an empty node of every kind to the switches: the kinds mapped to a switch must not
// fall to its default, all others must.
func TestEveryKindOfNodeHasItsCase(t *testing.T) {
	cat := &Catalog{Target: "products"}
	why := func(do func(a *analysis)) (out string) {
		defer func() {
			switch r := recover().(type) {
			case stop:
				out = r.why
			case nil:
			default:
				out = "fault"
			}
		}()
		do(newAnalysis(cat, &Statement{}))
		return ""
	}
	for name, make := range wrappers(t) {
		node := make()
		for kind, got := range map[string]string{
			"statement":  why(func(a *analysis) { a.utility(node) }),
			"expression": why(func(a *analysis) { a.expr(node, &scope{query: &query{}}) }),
			"from":       why(func(a *analysis) { a.fromItem(node, &scope{query: &query{}}) }),
		} {
			unknown := strings.HasPrefix(got, "a statement of the kind "+strings.TrimSuffix(kindOf(node), "Stmt")) ||
				got == "an expression holds "+kindOf(node) || got == "FROM holds "+kindOf(node)
			if want := nodeKinds[name] != kind; want != unknown {
				t.Errorf("%s as %s: %q", name, kind, got)
			}
		}
	}
}
