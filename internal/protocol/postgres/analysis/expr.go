package analysis

import (
	"strconv"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// expr returns what an expression is made of. Every kind of node that can stand in an expression has its case; any other is
// unclear.
func (a *analysis) expr(node *pg.Node, sc *scope) value {
	a.work(1)
	switch n := node.GetNode().(type) {
	case *pg.Node_AConst, *pg.Node_ParamRef:
		return value{}
	case *pg.Node_Integer, *pg.Node_Float, *pg.Node_Boolean, *pg.Node_String_, *pg.Node_BitString:
		return value{}
	case *pg.Node_SetToDefault:
		return value{}
	case *pg.Node_SqlvalueFunction:
		return value{variable: true}
	case *pg.Node_ColumnRef:
		if endsInStar(n.ColumnRef.Fields) {
			vs := a.star(n.ColumnRef, sc)
			return derivedFields(vs)
		}
		v := a.columnRef(a.names(n.ColumnRef.Fields), sc)
		a.touchField(v)
		return v
	case *pg.Node_List:
		return a.all(n.List.Items, sc)
	case *pg.Node_AExpr:
		return a.operator(n.AExpr, sc)
	case *pg.Node_BoolExpr:
		return a.all(n.BoolExpr.Args, sc)
	case *pg.Node_NullTest:
		return derived(a.expr(n.NullTest.Arg, sc))
	case *pg.Node_BooleanTest:
		return derived(a.expr(n.BooleanTest.Arg, sc))
	case *pg.Node_TypeCast:
		return a.cast(a.expr(n.TypeCast.Arg, sc), n.TypeCast.TypeName, sc)
	case *pg.Node_CollateClause:
		// The value stays what it is; only how it is compared changes.
		return a.expr(n.CollateClause.Arg, sc)
	case *pg.Node_FuncCall:
		return a.call(n.FuncCall, sc)
	case *pg.Node_NamedArgExpr:
		return a.expr(n.NamedArgExpr.Arg, sc)
	case *pg.Node_SubLink:
		return a.sublink(n.SubLink, sc)
	case *pg.Node_CaseExpr:
		vs := []value{a.optional(n.CaseExpr.Arg, sc), a.optional(n.CaseExpr.Defresult, sc)}
		for _, when := range n.CaseExpr.Args {
			w := when.GetCaseWhen()
			vs = append(vs, a.expr(w.GetExpr(), sc), a.expr(w.GetResult(), sc))
		}
		return derived(vs...)
	case *pg.Node_CoalesceExpr:
		return a.all(n.CoalesceExpr.Args, sc)
	case *pg.Node_MinMaxExpr:
		return a.all(n.MinMaxExpr.Args, sc)
	case *pg.Node_RowExpr:
		v := a.all(n.RowExpr.Args, sc)
		return v
	case *pg.Node_AArrayExpr:
		return a.all(n.AArrayExpr.Elements, sc)
	case *pg.Node_AIndirection:
		return a.indirection(n.AIndirection.Arg, n.AIndirection.Indirection, sc)
	case *pg.Node_GroupingFunc:
		v := a.all(n.GroupingFunc.Args, sc)
		return v
	case *pg.Node_MergeSupportFunc:
		return value{variable: true}
	case *pg.Node_CurrentOfExpr:
		a.unclear("WHERE CURRENT OF is not supported")
	case *pg.Node_MultiAssignRef:
		return a.expr(n.MultiAssignRef.Source, sc)
	case *pg.Node_XmlExpr:
		return derived(a.all(n.XmlExpr.NamedArgs, sc), a.all(n.XmlExpr.Args, sc))
	case *pg.Node_XmlSerialize:
		return derived(a.expr(n.XmlSerialize.Expr, sc))
	case *pg.Node_ResTarget:
		// In XMLELEMENT and XMLFOREST arguments are named this way.
		return a.expr(n.ResTarget.Val, sc)
	}
	if v, ok := a.jsonExpr(node, sc); ok {
		return v
	}
	a.unclear("an expression holds %s", kindOf(node))
	return value{}
}

func (a *analysis) all(nodes []*pg.Node, sc *scope) value {
	vs := make([]value, 0, len(nodes))
	for _, n := range nodes {
		if n != nil && n.Node != nil {
			vs = append(vs, a.expr(n, sc))
		}
	}
	return derived(vs...)
}

func (a *analysis) optional(node *pg.Node, sc *scope) value {
	if node == nil || node.Node == nil {
		return value{}
	}
	return a.expr(node, sc)
}

func derivedFields(fields []field) value {
	vs := make([]value, len(fields))
	for i := range fields {
		vs[i] = fields[i].v
	}
	v := derived(vs...)
	v.variable = true
	return v
}

// names returns the strings of a list of names.
func (a *analysis) names(nodes []*pg.Node) []string {
	out := make([]string, 0, len(nodes))
	for _, n := range nodes {
		s := n.GetString_()
		if s == nil {
			a.unclear("a name holds %s", kindOf(n))
		}
		out = append(out, s.Sval)
	}
	return out
}

// itemNamed finds the FROM item of t, s.t or db.s.t.
func (a *analysis) itemNamed(names []string, sc *scope) *item {
	switch len(names) {
	case 1:
		return a.findItem(sc, "", names[0])
	case 2:
		return a.findItem(sc, names[0], names[1])
	case 3:
		if names[0] == a.cat.database {
			return a.findItem(sc, names[1], names[2])
		}
	}
	return nil
}

// columnRef resolves a name as the server does: a column; else, bare, a whole row; qualified, a column of an item, or a
// function of its whole row.
func (a *analysis) columnRef(names []string, sc *scope) value {
	if len(names) == 1 {
		if v, ok := a.find(sc, names[0]); ok {
			return v
		}
		if it := a.findItem(sc, "", names[0]); it != nil {
			if it.scalar && len(it.columns) == 1 {
				// A function that returns a scalar: its row is its value.
				v := it.columns[0].v
				v.variable = true
				return v
			}
			a.work(len(it.columns))
			return it.whole()
		}
		a.missing("42703", "column %q does not exist", names[0])
	}
	it := a.itemNamed(names[:len(names)-1], sc)
	last := names[len(names)-1]
	if it == nil {
		a.missing("42P01", "missing FROM-clause entry for table %q", names[len(names)-2])
	}
	if v, ok := a.columnOf(it, last); ok {
		return v
	}
	a.work(len(it.columns))
	return a.attribute(it.whole(), last, sc)
}

// attribute is value.name where the value has no such field: the server takes it for a call of the function of that name.
func (a *analysis) attribute(v value, n string, sc *scope) value {
	for _, f := range v.fields {
		if f.name == n {
			return f.v
		}
	}
	if !a.callable(n, sc) {
		a.missing("42703", "column %q does not exist", n)
	}
	return a.apply("", n, []value{v}, sc)
}

// indirection is arg[i], arg[i:j], (arg).field.
func (a *analysis) indirection(arg *pg.Node, steps []*pg.Node, sc *scope) value {
	v := a.expr(arg, sc)
	for _, step := range steps {
		switch s := step.GetNode().(type) {
		case *pg.Node_AIndices:
			v = derived(v, a.optional(s.AIndices.Lidx, sc), a.optional(s.AIndices.Uidx, sc))
		case *pg.Node_String_:
			if v.fields != nil {
				v = a.attribute(v, s.String_.Sval, sc)
				continue
			}
			// A field of a composite value whose fields we do not follow, or a function of it.
			if fns := a.cat.functions[s.String_.Sval]; len(fns) > 0 && !pure[s.String_.Sval] {
				v = a.apply("", s.String_.Sval, []value{v}, sc)
			}
			v = derived(v)
		case *pg.Node_AStar:
			if v.fields == nil {
				a.unclear("the columns of (…).* are not known")
			}
			v = derivedFields(v.fields)
		default:
			a.unclear("an expression holds %s", kindOf(step))
		}
	}
	return v
}

// cast is a value in another type; to its own type it stays what it is.
func (a *analysis) cast(v value, t *pg.TypeName, sc *scope) value {
	dt, array := a.typeName(t, sc.path)
	if dt != nil && !array && v.copy != nil && v.copy.TypeOID == dt.oid && len(t.Typmods) == 0 {
		return v
	}
	out := derived(v)
	if dt != nil && !array {
		out.typ = dt.oid
		switch dt.name.name {
		case "float8", "float4", "numeric":
			if dt.name.schema == "pg_catalog" && len(t.Typmods) == 0 {
				out.distance, out.distanceOrigin, out.moved = v.distance, v.distanceOrigin, v.moved
			}
		}
	}
	return out
}

func (a *analysis) typeName(t *pg.TypeName, path []string) (*dataType, bool) {
	if t == nil || t.PctType {
		a.unclear("the type of a cast is not known")
	}
	names := a.names(t.Names)
	schema := ""
	if len(names) > 1 {
		schema = names[len(names)-2]
	}
	n := names[len(names)-1]
	dt := a.cat.typeNamed(schema, n, path)
	if dt == nil {
		a.missing("42704", "type %q does not exist", strings.Join(names, "."))
	}
	if dt.code {
		a.code(dt.name.schema, dt.name.name)
	}
	for _, mod := range t.Typmods {
		if mod.GetAConst() == nil {
			a.expr(mod, &scope{path: path, query: &query{}})
		}
	}
	return dt, len(t.ArrayBounds) > 0 || t.Setof
}

// distances are the operators and functions of pgvector that say how far two vectors are apart.
var distanceOperators = map[string]bool{"<->": true, "<#>": true, "<=>": true, "<+>": true, "<~>": true, "<%>": true}

var distanceFunctions = map[string]bool{
	"l2_distance": true, "cosine_distance": true, "inner_product": true, "l1_distance": true, "hamming_distance": true, "jaccard_distance": true,
	"vector_l2_squared_distance": true, "vector_negative_inner_product": true, "vector_spherical_distance": true,
	"halfvec_l2_squared_distance": true, "halfvec_negative_inner_product": true, "halfvec_spherical_distance": true,
	"sparsevec_l2_squared_distance": true, "sparsevec_negative_inner_product": true,
}

// apart is the distance between two values when one is a vector column and the other a constant.
func (a *analysis) apart(l, r value) (value, bool) {
	if l.copy == nil || !l.copy.Vector {
		l, r = r, l
	}
	if l.copy == nil || !l.copy.Vector || r.variable || len(r.from) > 0 {
		return value{}, false
	}
	v := derived(l, r)
	v.distance, v.distanceOrigin = l.copy, l.origin
	if a.st.distances == nil {
		a.st.distances = map[*Column]int{}
	}
	a.st.distances[l.copy]++
	return v, true
}

func (a *analysis) operator(e *pg.A_Expr, sc *scope) value {
	switch e.Kind {
	case pg.A_Expr_Kind_AEXPR_OP, pg.A_Expr_Kind_AEXPR_OP_ANY, pg.A_Expr_Kind_AEXPR_OP_ALL, pg.A_Expr_Kind_AEXPR_DISTINCT,
		pg.A_Expr_Kind_AEXPR_NOT_DISTINCT, pg.A_Expr_Kind_AEXPR_NULLIF, pg.A_Expr_Kind_AEXPR_IN, pg.A_Expr_Kind_AEXPR_LIKE,
		pg.A_Expr_Kind_AEXPR_ILIKE, pg.A_Expr_Kind_AEXPR_SIMILAR, pg.A_Expr_Kind_AEXPR_BETWEEN, pg.A_Expr_Kind_AEXPR_NOT_BETWEEN,
		pg.A_Expr_Kind_AEXPR_BETWEEN_SYM, pg.A_Expr_Kind_AEXPR_NOT_BETWEEN_SYM:
	default:
		a.unclear("an operator of an unknown kind")
	}
	l, r := a.optional(e.Lexpr, sc), a.optional(e.Rexpr, sc)
	op := e.Name
	switch e.Kind {
	case pg.A_Expr_Kind_AEXPR_BETWEEN, pg.A_Expr_Kind_AEXPR_NOT_BETWEEN, pg.A_Expr_Kind_AEXPR_BETWEEN_SYM, pg.A_Expr_Kind_AEXPR_NOT_BETWEEN_SYM:
		a.operatorCalled("", "<=", sc)
		a.operatorCalled("", ">=", sc)
		return derived(l, r)
	}
	a.operatorNamed(op, sc)
	names := a.names(op)
	if e.Kind == pg.A_Expr_Kind_AEXPR_OP && e.Lexpr != nil && e.Rexpr != nil && distanceOperators[names[len(names)-1]] {
		if v, ok := a.apart(l, r); ok {
			return v
		}
	}
	out := derived(l, r)
	if e.Kind == pg.A_Expr_Kind_AEXPR_OP && len(names) == 1 {
		if d := l; shifted(names[0], e.Lexpr, e.Rexpr, &d, r) {
			out.distance, out.distanceOrigin, out.moved = d.distance, d.distanceOrigin, d.moved
		}
	}
	return out
}

// mostMoved is the largest number that may be added to a distance, once: 1 - d is how a similarity is written. With a larger
// one, the distance of a long vector, of which three digits are shown, could be brought near to zero, where it shows others.
const mostMoved = 2

// shifted reports whether an operator leaves a distance a distance that rounds as before: its sum or difference with a small
// whole number, and its product with -1. Any other number would, asked again and again, give the digits away that rounding hides.
func shifted(op string, left, right *pg.Node, l *value, r value) bool {
	if l.distance == nil {
		*l, r, left, right = r, *l, right, left
	}
	if l.distance == nil || r.variable || len(r.from) > 0 {
		return false
	}
	if right == nil || right.Node == nil {
		return op == "-"
	}
	n, ok := right.GetAConst().GetVal().(*pg.A_Const_Ival)
	if !ok {
		return false
	}
	if op == "*" {
		return n.Ival.GetIval() == -1
	}
	was := l.moved
	l.moved = true
	return (op == "+" || op == "-") && !was && n.Ival.GetIval() <= mostMoved && n.Ival.GetIval() >= -mostMoved
}

// operatorNamed checks that an operator, perhaps qualified, can only be one that computes.
func (a *analysis) operatorNamed(op []*pg.Node, sc *scope) {
	if len(op) == 0 {
		return
	}
	names := a.names(op)
	schema := ""
	if len(names) > 1 {
		schema = names[len(names)-2]
	}
	a.operatorCalled(schema, names[len(names)-1], sc)
}

func (a *analysis) operatorCalled(schema, op string, sc *scope) {
	for _, o := range a.cat.operators[op] {
		if o.trusted || schema != "" && schema != o.schema || schema == "" && !contains(sc.path, o.schema) {
			continue
		}
		a.code(o.function.schema, o.function.name)
	}
}

func (a *analysis) builtinOperator(op string, path []string) bool {
	for _, o := range a.cat.operators[op] {
		if !o.trusted && contains(path, o.schema) {
			return false
		}
	}
	return true
}

// sublink is a sub-select in an expression.
func (a *analysis) sublink(s *pg.SubLink, sc *scope) value {
	sel := s.Subselect.GetSelectStmt()
	if sel == nil {
		a.unclear("a sub-select holds %s", kindOf(s.Subselect))
	}
	returns := a.inTarget > 0 && s.SubLinkType != pg.SubLinkType_EXISTS_SUBLINK
	q := a.selectStmt(sel, sc, sc.path)
	if sc.query != nil {
		sc.query.subs = append(sc.query.subs, sub{q: q, returns: returns, scalar: s.SubLinkType == pg.SubLinkType_EXPR_SUBLINK})
	}
	test := a.optional(s.Testexpr, sc)
	var reads []*read
	if q.correlated && sc.query != nil {
		reads = sc.query.reads
	}
	a.operatorNamed(s.OperName, sc)
	switch s.SubLinkType {
	case pg.SubLinkType_EXISTS_SUBLINK:
		return value{variable: true, reads: reads}
	case pg.SubLinkType_EXPR_SUBLINK:
		if len(q.columns) != 1 {
			// A row: (a, b) = (SELECT x, y), SET (a, b) = (SELECT x, y).
			v := derivedFields(q.columns)
			v.reads = reads
			return v
		}
		v := q.columns[0].v
		v.variable, v.origin, v.distanceOrigin = true, nil, nil
		v.reads = reads
		return v
	case pg.SubLinkType_ANY_SUBLINK, pg.SubLinkType_ALL_SUBLINK, pg.SubLinkType_ROWCOMPARE_SUBLINK, pg.SubLinkType_ARRAY_SUBLINK,
		pg.SubLinkType_MULTIEXPR_SUBLINK:
		v := derivedFields(q.columns)
		v.reads = reads
		v = derived(v, test)
		if s.SubLinkType == pg.SubLinkType_ANY_SUBLINK || s.SubLinkType == pg.SubLinkType_ALL_SUBLINK {
			a.shape(v, "IN (SELECT …)")
		}
		return v
	}
	a.unclear("a sub-select of an unknown kind")
	return value{}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func itoa64(n int64) string { return strconv.FormatInt(n, 10) }
