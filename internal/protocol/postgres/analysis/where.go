package analysis

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// maxIDs is how many keys of a request are kept for the record.
const maxIDs = 200

// use notes a use of a column once.
func (a *analysis) use(u Use) {
	if a.viewDepth > 0 || a.uses[u] {
		// What decides which rows a view has is its owner's choice, not the caller's.
		return
	}
	a.uses[u] = true
	a.st.Shaping = append(a.st.Shaping, u)
}

// shape notes that a value decides which rows come back.
func (a *analysis) shape(v value, where string) {
	for _, c := range v.from {
		a.use(Use{Column: c, How: UseOther, Where: where})
	}
	a.work(len(v.from))
}

// where analyses a condition conjunct by conjunct. narrows says for which occurrences the condition leaves rows out; nil is
// for all.
func (a *analysis) where(node *pg.Node, sc *scope, clause string, narrows func(*read) bool) {
	if node == nil {
		return
	}
	if b := node.GetBoolExpr(); b != nil && b.Boolop == pg.BoolExprType_AND_EXPR {
		for _, arg := range b.Args {
			a.where(arg, sc, clause, narrows)
		}
		return
	}
	if a.equality(node, sc, clause, narrows) {
		return
	}
	v := a.expr(node, sc)
	a.shape(v, clause)
	constant := !v.variable || alwaysTrue(node)
	for _, r := range v.reads {
		for _, c := range v.from {
			r.filters = appendName(r.filters, c.Name)
		}
		if narrows != nil && !narrows(r) {
			continue
		}
		switch {
		case constant:
			r.trivial = true
		case len(v.reads) > 1 && !hasSublink(node):
			a.joins = append(a.joins, v.reads)
		default:
			r.narrowed = true
		}
	}
	if len(v.reads) == 0 && narrows == nil {
		// A condition without columns leaves out all rows or none.
		for _, it := range sc.items {
			if it.read != nil {
				it.read.trivial = true
			}
		}
	}
}

// equality takes column = constant, column IN (constants) and column = ANY (array), and column = column.
func (a *analysis) equality(node *pg.Node, sc *scope, clause string, narrows func(*read) bool) bool {
	e := node.GetAExpr()
	if e == nil || len(e.Name) != 1 || e.Name[0].GetString_().GetSval() != "=" || e.Lexpr == nil || e.Rexpr == nil {
		return false
	}
	if !simple(e.Lexpr) || !simple(e.Rexpr) || !a.builtinOperator("=", sc.path) {
		return false
	}
	left, right := e.Lexpr, e.Rexpr
	switch e.Kind {
	case pg.A_Expr_Kind_AEXPR_OP:
		l, r := a.expr(left, sc), a.expr(right, sc)
		if l.copy == nil || l.origin == nil {
			l, r, left, right = r, l, right, left
			if l.copy == nil {
				l, r, left, right = r, l, right, left
			}
		}
		if l.copy == nil || l.origin == nil {
			a.settingNamed(l, right, sc, clause)
			return false
		}
		if !r.variable && len(r.from) == 0 {
			a.equals(l, 1, literals(right), clause, narrows)
			return true
		}
		if r.copy != nil && r.origin != nil && r.origin != l.origin {
			a.shape(l, clause)
			a.shape(r, clause)
			a.joins = append(a.joins, []*read{l.origin, r.origin})
			for _, pair := range [][2]value{{l, r}, {r, l}} {
				if narrows == nil || narrows(pair[0].origin) {
					joinPair(pair[0], value{})
				}
			}
			return true
		}
		return false
	case pg.A_Expr_Kind_AEXPR_IN:
		l := a.expr(left, sc)
		list := right.GetList().GetItems()
		var all []value
		var ids []string
		for _, n := range list {
			all = append(all, a.expr(n, sc))
			ids = append(ids, literals(n)...)
		}
		if r := derived(all...); l.copy != nil && l.origin != nil && !r.variable && len(r.from) == 0 {
			a.equals(l, len(list), ids, clause, narrows)
			return true
		}
	case pg.A_Expr_Kind_AEXPR_OP_ANY:
		l, r := a.expr(left, sc), a.expr(right, sc)
		if l.copy != nil && l.origin != nil && !r.variable && len(r.from) == 0 {
			n := 0
			ids := literals(right)
			if array := right.GetAArrayExpr(); array != nil {
				n = len(array.Elements)
				for _, el := range array.Elements {
					ids = append(ids, literals(el)...)
				}
			}
			a.equals(l, n, ids, clause, narrows)
			return true
		}
	}
	return false
}

// settingNamed notes FROM pg_settings WHERE name = 'x', with which pg_dump names a setting that a server may not have.
func (a *analysis) settingNamed(v value, constant *pg.Node, sc *scope, clause string) {
	if v.copy == nil || v.copy.Name != "name" || v.copy.Resource.Namespace != "pg_catalog" || v.copy.Resource.Collection != "pg_settings" {
		return
	}
	if ids := literals(constant); clause == "WHERE" && len(sc.items) == 1 && len(ids) == 1 {
		if a.settings == nil {
			a.settings = map[*scope]string{}
		}
		a.settings[sc] = ids[0]
	}
}

// simple reports whether an expression is made of columns, constants, parameters and calls only, so that looking at it
// twice costs little.
func simple(node *pg.Node) bool {
	var inner []*pg.Node
	switch n := node.GetNode().(type) {
	case *pg.Node_ColumnRef, *pg.Node_AConst, *pg.Node_ParamRef:
		return true
	case *pg.Node_TypeCast:
		return simple(n.TypeCast.Arg)
	case *pg.Node_FuncCall:
		if n.FuncCall.AggFilter != nil || n.FuncCall.Over != nil || len(n.FuncCall.AggOrder) > 0 {
			return false
		}
		inner = n.FuncCall.Args
	case *pg.Node_AArrayExpr:
		inner = n.AArrayExpr.Elements
	case *pg.Node_List:
		inner = n.List.Items
	default:
		return false
	}
	for _, arg := range inner {
		switch arg.GetNode().(type) {
		case *pg.Node_ColumnRef, *pg.Node_AConst, *pg.Node_ParamRef:
		case *pg.Node_TypeCast:
			if !simple(arg) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// equals notes column = one of n constants. Only WHERE at the top counts as equality for the column's protection.
func (a *analysis) equals(l value, n int, ids []string, clause string, narrows func(*read) bool) {
	for _, c := range l.from {
		how := UseOther
		if clause == "WHERE" {
			how = UseEquality
		}
		a.use(Use{Column: c, How: how, Where: clause})
	}
	r := l.origin
	r.filters = appendName(r.filters, l.copy.Name)
	if narrows != nil && !narrows(r) {
		return
	}
	r.narrowed = true
	if r.equal == nil {
		r.equal = map[*Column]int{}
	}
	if have, ok := r.equal[own(l)]; !ok || n > 0 && (have == 0 || n < have) {
		r.equal[own(l)] = n
	}
	for _, id := range ids {
		if len(r.ids) < maxIDs {
			r.ids = append(r.ids, id)
		}
	}
}

// literals are the constants of an expression as text.
func literals(node *pg.Node) []string {
	for node.GetTypeCast() != nil {
		node = node.GetTypeCast().Arg
	}
	switch c := node.GetAConst(); v := c.GetVal().(type) {
	case *pg.A_Const_Ival:
		return []string{itoa64(int64(v.Ival.GetIval()))}
	case *pg.A_Const_Fval:
		return []string{v.Fval.GetFval()}
	case *pg.A_Const_Sval:
		return []string{v.Sval.GetSval()}
	}
	return nil
}

// alwaysTrue recognizes the usual ways to write a condition that leaves nothing out.
func alwaysTrue(node *pg.Node) bool {
	switch n := node.GetNode().(type) {
	case *pg.Node_BoolExpr:
		if n.BoolExpr.Boolop == pg.BoolExprType_OR_EXPR {
			for _, arg := range n.BoolExpr.Args {
				if isConstant(arg) || alwaysTrue(arg) {
					return true
				}
			}
		}
	case *pg.Node_AExpr:
		l, r := n.AExpr.Lexpr.GetColumnRef(), n.AExpr.Rexpr.GetColumnRef()
		return l != nil && r != nil && slices.EqualFunc(l.Fields, r.Fields, func(x, y *pg.Node) bool {
			return x.GetString_() != nil && x.GetString_().GetSval() == y.GetString_().GetSval()
		})
	}
	return false
}

func isConstant(node *pg.Node) bool {
	switch n := node.GetNode().(type) {
	case *pg.Node_AConst:
		return true
	case *pg.Node_TypeCast:
		return isConstant(n.TypeCast.Arg)
	case *pg.Node_AExpr:
		return isConstant(n.AExpr.Lexpr) && isConstant(n.AExpr.Rexpr)
	case *pg.Node_BoolExpr:
		for _, arg := range n.BoolExpr.Args {
			if !isConstant(arg) {
				return false
			}
		}
		return true
	}
	return false
}

func hasSublink(node *pg.Node) bool {
	switch n := node.GetNode().(type) {
	case *pg.Node_SubLink:
		return true
	case *pg.Node_BoolExpr:
		for _, arg := range n.BoolExpr.Args {
			if hasSublink(arg) {
				return true
			}
		}
	case *pg.Node_AExpr:
		return n.AExpr.Lexpr != nil && hasSublink(n.AExpr.Lexpr) || n.AExpr.Rexpr != nil && hasSublink(n.AExpr.Rexpr)
	}
	return false
}
