package analysis

import (
	pg "github.com/pganalyze/pg_query_go/v6"
)

// jsonExpr analyses SQL/JSON; every one of its results is made of all that it is given.
func (a *analysis) jsonExpr(node *pg.Node, sc *scope) (value, bool) {
	switch n := node.GetNode().(type) {
	case *pg.Node_JsonValueExpr:
		return a.jsonValue(n.JsonValueExpr, sc), true
	case *pg.Node_JsonIsPredicate:
		return derived(a.expr(n.JsonIsPredicate.Expr, sc)), true
	case *pg.Node_JsonParseExpr:
		return a.jsonOutput(n.JsonParseExpr.Output, a.jsonValue(n.JsonParseExpr.Expr, sc), sc), true
	case *pg.Node_JsonScalarExpr:
		return a.jsonOutput(n.JsonScalarExpr.Output, a.expr(n.JsonScalarExpr.Expr, sc), sc), true
	case *pg.Node_JsonSerializeExpr:
		return a.jsonOutput(n.JsonSerializeExpr.Output, a.jsonValue(n.JsonSerializeExpr.Expr, sc), sc), true
	case *pg.Node_JsonObjectConstructor:
		return a.jsonOutput(n.JsonObjectConstructor.Output, a.all(n.JsonObjectConstructor.Exprs, sc), sc), true
	case *pg.Node_JsonArrayConstructor:
		return a.jsonOutput(n.JsonArrayConstructor.Output, a.all(n.JsonArrayConstructor.Exprs, sc), sc), true
	case *pg.Node_JsonKeyValue:
		return derived(a.expr(n.JsonKeyValue.Key, sc), a.jsonValue(n.JsonKeyValue.Value, sc)), true
	case *pg.Node_JsonArrayQueryConstructor:
		c := n.JsonArrayQueryConstructor
		link := &pg.SubLink{SubLinkType: pg.SubLinkType_ARRAY_SUBLINK, Subselect: c.Query}
		return a.jsonOutput(c.Output, a.sublink(link, sc), sc), true
	case *pg.Node_JsonObjectAgg:
		o := n.JsonObjectAgg
		v := derived(a.optional(o.Arg.GetKey(), sc), a.jsonValue(o.Arg.GetValue(), sc))
		return a.jsonAggregate(o.Constructor, v, sc), true
	case *pg.Node_JsonArrayAgg:
		return a.jsonAggregate(n.JsonArrayAgg.Constructor, a.jsonValue(n.JsonArrayAgg.Arg, sc), sc), true
	case *pg.Node_JsonFuncExpr:
		f := n.JsonFuncExpr
		vs := []value{a.jsonValue(f.ContextItem, sc), a.optional(f.Pathspec, sc)}
		vs = append(vs, a.jsonPassing(f.Passing, sc), a.jsonBehavior(f.OnEmpty, sc), a.jsonBehavior(f.OnError, sc))
		return a.jsonOutput(f.Output, derived(vs...), sc), true
	case *pg.Node_JsonArgument:
		return a.jsonValue(n.JsonArgument.Val, sc), true
	}
	return value{}, false
}

func (a *analysis) jsonValue(v *pg.JsonValueExpr, sc *scope) value {
	if v == nil {
		return value{}
	}
	return derived(a.optional(v.RawExpr, sc), a.optional(v.FormattedExpr, sc))
}

func (a *analysis) jsonPassing(list []*pg.Node, sc *scope) value {
	vs := make([]value, 0, len(list))
	for _, node := range list {
		vs = append(vs, a.jsonValue(node.GetJsonArgument().GetVal(), sc))
	}
	return derived(vs...)
}

func (a *analysis) jsonBehavior(b *pg.JsonBehavior, sc *scope) value {
	if b == nil {
		return value{}
	}
	return a.optional(b.Expr, sc)
}

func (a *analysis) jsonOutput(out *pg.JsonOutput, v value, sc *scope) value {
	if out != nil && out.TypeName != nil {
		return derived(a.cast(v, out.TypeName, sc))
	}
	return derived(v)
}

func (a *analysis) jsonAggregate(c *pg.JsonAggConstructor, v value, sc *scope) value {
	vs := []value{v, a.optional(c.GetAggFilter(), sc)}
	for _, node := range c.GetAggOrder() {
		k := a.sortKey(node, sc)
		a.shape(k, "ORDER BY")
		vs = append(vs, k)
	}
	if c.GetOver() != nil {
		vs = append(vs, a.windowDef(c.Over, sc))
	} else {
		a.aggregate(sc, true, false)
	}
	return a.jsonOutput(c.GetOutput(), derived(vs...), sc)
}

// jsonTable is JSON_TABLE in FROM: each column may hold any part of what it is given.
func (a *analysis) jsonTable(t *pg.JsonTable, sc *scope) *item {
	vs := []value{a.jsonValue(t.ContextItem, sc), a.jsonPassing(t.Passing, sc), a.jsonBehavior(t.OnError, sc)}
	var names []string
	var add func(list []*pg.Node)
	add = func(list []*pg.Node) {
		for _, node := range list {
			c := node.GetJsonTableColumn()
			if c == nil {
				a.unclear("JSON_TABLE holds %s", kindOf(node))
			}
			vs = append(vs, a.jsonBehavior(c.OnEmpty, sc), a.jsonBehavior(c.OnError, sc))
			if c.TypeName != nil {
				a.cast(value{}, c.TypeName, sc)
			}
			if c.Coltype == pg.JsonTableColumnType_JTC_NESTED {
				add(c.Columns)
				continue
			}
			names = append(names, c.Name)
		}
	}
	add(t.Columns)
	v := derived(vs...)
	v.variable = true
	it := &item{name: "json_table", named: t.Alias != nil, visible: true}
	for _, n := range names {
		it.columns = append(it.columns, field{name: n, v: v})
	}
	a.shape(v, "JSON_TABLE")
	return a.alias(it, t.Alias)
}

// xmlTable is XMLTABLE in FROM.
func (a *analysis) xmlTable(t *pg.RangeTableFunc, sc *scope) *item {
	vs := []value{a.optional(t.Docexpr, sc), a.optional(t.Rowexpr, sc)}
	for _, ns := range t.Namespaces {
		vs = append(vs, a.expr(ns, sc))
	}
	var names []string
	for _, node := range t.Columns {
		c := node.GetRangeTableFuncCol()
		if c == nil {
			a.unclear("XMLTABLE holds %s", kindOf(node))
		}
		vs = append(vs, a.optional(c.Colexpr, sc), a.optional(c.Coldefexpr, sc))
		if c.TypeName != nil {
			a.cast(value{}, c.TypeName, sc)
		}
		names = append(names, c.Colname)
	}
	v := derived(vs...)
	v.variable = true
	it := &item{name: "xmltable", named: t.Alias != nil, visible: true}
	for _, n := range names {
		it.columns = append(it.columns, field{name: n, v: v})
	}
	a.shape(v, "XMLTABLE")
	return a.alias(it, t.Alias)
}
