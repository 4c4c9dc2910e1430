package analysis

import (
	"fmt"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// kindOf names a kind of node, for people.
func kindOf(node *pg.Node) string {
	if node.GetNode() == nil {
		return "nothing"
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", node.Node), "*pg_query.Node_")
}

// figureName is the name that the server gives to an output without one (FigureColname of parse_target.c). It must agree:
// a query around this one finds the column by it.
func (a *analysis) figureName(node *pg.Node, sc *scope) string {
	if n, strength := a.figure(node, sc); strength > 0 {
		return n
	}
	return "?column?"
}

// figure returns the name and how good it is: 0 none, 1 weak (of a type or CASE), 2 good.
func (a *analysis) figure(node *pg.Node, sc *scope) (string, int) {
	switch n := node.GetNode().(type) {
	case *pg.Node_ColumnRef:
		for i := len(n.ColumnRef.Fields) - 1; i >= 0; i-- {
			if s := n.ColumnRef.Fields[i].GetString_(); s != nil {
				return s.Sval, 2
			}
		}
	case *pg.Node_AIndirection:
		for i := len(n.AIndirection.Indirection) - 1; i >= 0; i-- {
			if s := n.AIndirection.Indirection[i].GetString_(); s != nil {
				return s.Sval, 2
			}
		}
		return a.figure(n.AIndirection.Arg, sc)
	case *pg.Node_FuncCall:
		names := n.FuncCall.Funcname
		return names[len(names)-1].GetString_().GetSval(), 2
	case *pg.Node_AExpr:
		if n.AExpr.Kind == pg.A_Expr_Kind_AEXPR_NULLIF {
			return "nullif", 2
		}
	case *pg.Node_TypeCast:
		name, strength := a.figure(n.TypeCast.Arg, sc)
		if strength <= 1 && n.TypeCast.TypeName != nil {
			names := n.TypeCast.TypeName.Names
			return names[len(names)-1].GetString_().GetSval(), 1
		}
		return name, strength
	case *pg.Node_CollateClause:
		return a.figure(n.CollateClause.Arg, sc)
	case *pg.Node_GroupingFunc:
		return "grouping", 2
	case *pg.Node_MergeSupportFunc:
		return "merge_action", 2
	case *pg.Node_SubLink:
		switch n.SubLink.SubLinkType {
		case pg.SubLinkType_EXISTS_SUBLINK:
			return "exists", 2
		case pg.SubLinkType_ARRAY_SUBLINK:
			return "array", 2
		case pg.SubLinkType_EXPR_SUBLINK:
			return a.firstName(n.SubLink.Subselect.GetSelectStmt(), sc), 2
		}
	case *pg.Node_CaseExpr:
		name, strength := "", 0
		if n.CaseExpr.Defresult != nil {
			name, strength = a.figure(n.CaseExpr.Defresult, sc)
		}
		if strength <= 1 {
			return "case", 1
		}
		return name, strength
	case *pg.Node_AArrayExpr:
		return "array", 2
	case *pg.Node_RowExpr:
		return "row", 2
	case *pg.Node_CoalesceExpr:
		return "coalesce", 2
	case *pg.Node_MinMaxExpr:
		if n.MinMaxExpr.Op == pg.MinMaxOp_IS_LEAST {
			return "least", 2
		}
		return "greatest", 2
	case *pg.Node_SqlvalueFunction:
		return sqlValueNames[n.SqlvalueFunction.Op], 2
	case *pg.Node_XmlExpr:
		if name := xmlNames[n.XmlExpr.Op]; name != "" {
			return name, 2
		}
	case *pg.Node_XmlSerialize:
		return "xmlserialize", 2
	case *pg.Node_JsonParseExpr:
		return "json", 2
	case *pg.Node_JsonScalarExpr:
		return "json_scalar", 2
	case *pg.Node_JsonSerializeExpr:
		return "json_serialize", 2
	case *pg.Node_JsonObjectConstructor:
		return "json_object", 2
	case *pg.Node_JsonArrayConstructor, *pg.Node_JsonArrayQueryConstructor:
		return "json_array", 2
	case *pg.Node_JsonObjectAgg:
		return "json_objectagg", 2
	case *pg.Node_JsonArrayAgg:
		return "json_arrayagg", 2
	case *pg.Node_JsonFuncExpr:
		switch n.JsonFuncExpr.Op {
		case pg.JsonExprOp_JSON_EXISTS_OP:
			return "json_exists", 2
		case pg.JsonExprOp_JSON_QUERY_OP:
			return "json_query", 2
		case pg.JsonExprOp_JSON_VALUE_OP:
			return "json_value", 2
		}
	}
	return "", 0
}

// firstName is the name of the first column of a sub-select, without analysing it again.
func (a *analysis) firstName(s *pg.SelectStmt, sc *scope) string {
	for s.GetLarg() != nil {
		s = s.Larg
	}
	if len(s.GetValuesLists()) > 0 {
		return "column1"
	}
	if len(s.GetTargetList()) == 0 {
		return "?column?"
	}
	t := s.TargetList[0].GetResTarget()
	if t.GetName() != "" {
		return t.Name
	}
	if ref := t.GetVal().GetColumnRef(); ref != nil && endsInStar(ref.Fields) {
		a.unclear("the name of a sub-select with * is not known")
	}
	return a.figureName(t.GetVal(), sc)
}

var sqlValueNames = map[pg.SQLValueFunctionOp]string{
	pg.SQLValueFunctionOp_SVFOP_CURRENT_DATE: "current_date", pg.SQLValueFunctionOp_SVFOP_CURRENT_TIME: "current_time",
	pg.SQLValueFunctionOp_SVFOP_CURRENT_TIME_N: "current_time", pg.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP: "current_timestamp",
	pg.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP_N: "current_timestamp", pg.SQLValueFunctionOp_SVFOP_LOCALTIME: "localtime",
	pg.SQLValueFunctionOp_SVFOP_LOCALTIME_N: "localtime", pg.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP: "localtimestamp",
	pg.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP_N: "localtimestamp", pg.SQLValueFunctionOp_SVFOP_CURRENT_ROLE: "current_role",
	pg.SQLValueFunctionOp_SVFOP_CURRENT_USER: "current_user", pg.SQLValueFunctionOp_SVFOP_USER: "user",
	pg.SQLValueFunctionOp_SVFOP_SESSION_USER: "session_user", pg.SQLValueFunctionOp_SVFOP_CURRENT_CATALOG: "current_catalog",
	pg.SQLValueFunctionOp_SVFOP_CURRENT_SCHEMA: "current_schema",
}

var xmlNames = map[pg.XmlExprOp]string{
	pg.XmlExprOp_IS_XMLCONCAT: "xmlconcat", pg.XmlExprOp_IS_XMLELEMENT: "xmlelement", pg.XmlExprOp_IS_XMLFOREST: "xmlforest",
	pg.XmlExprOp_IS_XMLPARSE: "xmlparse", pg.XmlExprOp_IS_XMLPI: "xmlpi", pg.XmlExprOp_IS_XMLROOT: "xmlroot",
	pg.XmlExprOp_IS_XMLSERIALIZE: "xmlserialize",
}
