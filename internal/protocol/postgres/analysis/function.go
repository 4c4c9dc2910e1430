package analysis

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/vecgate/vecgate/internal/access"
)

var (
	pure = set(pureNames)
	meta = set(metaNames)

	// trustedExtensions hold functions that only compute, but for the names in untrustedNames.
	trustedExtensions = map[string]bool{
		"vector": true, "pg_trgm": true, "citext": true, "unaccent": true, "fuzzystrmatch": true,
		"uuid-ossp": true, "hstore": true, "ltree": true, "intarray": true, "cube": true, "btree_gin": true, "btree_gist": true,
	}
	untrustedNames = set("set_limit")

	// reducing are the aggregates that make one value of many; any other may keep every one of them.
	reducing = set(`any_value avg bit_and bit_or bit_xor bool_and bool_or corr count covar_pop covar_samp cume_dist dense_rank every max min
		mode percent_rank percentile_cont percentile_disc rank regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy
		regr_syy stddev stddev_pop stddev_samp sum var_pop var_samp variance`)
	keeping = set(`array_agg json_agg json_agg_strict json_object_agg json_object_agg_strict json_object_agg_unique json_object_agg_unique_strict
		jsonb_agg jsonb_agg_strict jsonb_object_agg jsonb_object_agg_strict jsonb_object_agg_unique jsonb_object_agg_unique_strict range_agg
		range_intersect_agg string_agg xmlagg`)

	// rawFunctions change nothing, but show what may hold values out of tables: code, statistics, other people's queries.
	rawFunctions = set(`pg_get_functiondef pg_get_function_sqlbody pg_cursor pg_prepared_statement pg_lock_status pg_blocking_pids
		pg_stat_get_activity pg_stat_get_backend_activity pg_config pg_hba_file_rules pg_ident_file_mappings pg_show_all_file_settings`)

	// unlocks give back what the session itself took, and need no right.
	unlocks = set("pg_advisory_unlock pg_advisory_unlock_shared pg_advisory_unlock_all")
	locks   = set(`pg_advisory_lock pg_advisory_lock_shared pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_try_advisory_lock
		pg_try_advisory_lock_shared pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared`)
)

func set(names string) map[string]bool {
	out := map[string]bool{}
	for _, n := range strings.Fields(names) {
		out[n] = true
	}
	return out
}

// call is a function call in an expression.
func (a *analysis) call(f *pg.FuncCall, sc *scope) value {
	names := a.names(f.Funcname)
	schema := ""
	if len(names) > 1 {
		schema = names[len(names)-2]
	}
	if len(names) == 3 && names[0] != a.cat.database {
		a.missing("0A000", "cross-database references are not implemented")
	}
	fn := names[len(names)-1]
	var vs []value
	for _, arg := range f.Args {
		vs = append(vs, a.expr(arg, sc))
	}
	if f.AggFilter != nil {
		v := a.expr(f.AggFilter, sc)
		a.shape(v, "FILTER")
		vs = append(vs, v)
	}
	for _, node := range f.AggOrder {
		v := a.sortKey(node, sc)
		a.shape(v, "ORDER BY")
		vs = append(vs, v)
	}
	if f.AggDistinct {
		a.shape(derived(vs...), "DISTINCT")
	}
	if f.Over != nil {
		vs = append(vs, a.windowDef(f.Over, sc))
	} else if a.isAggregate(schema, fn, f, sc) {
		counts := fn == "count" && len(f.Args) <= 1
		a.aggregate(sc, a.keepsAll(fn, f), counts)
		if sc.query != nil && !counts && chooses(f, vs[:len(f.Args)]) {
			sc.query.chosen++
		}
	}
	// email(p) is p.email when there is no such function.
	if len(vs) == 1 && len(names) == 1 && vs[0].fields != nil && !a.callable(fn, sc) {
		for _, fld := range vs[0].fields {
			if fld.name == fn {
				return derived(vs[0])
			}
		}
	}
	if v, ok := a.special(schema, fn, f, vs, sc); ok {
		return v
	}
	v := a.apply(schema, fn, vs, sc)
	if fn == "count" && f.AggStar {
		v.variable = true
	}
	return v
}

func (a *analysis) isAggregate(schema, fn string, f *pg.FuncCall, sc *scope) bool {
	if f.AggStar || f.AggWithinGroup || len(f.AggOrder) > 0 || f.AggDistinct || f.AggFilter != nil {
		return true
	}
	if (schema == "" || schema == "pg_catalog") && (reducing[fn] || keeping[fn]) {
		return true
	}
	for _, o := range a.cat.functions[fn] {
		if o.aggregate && (schema == o.schema || schema == "" && contains(sc.path, o.schema)) {
			return true
		}
	}
	return false
}

// keepsAll reports whether an aggregate may return every value that it is given.
func (a *analysis) keepsAll(fn string, f *pg.FuncCall) bool {
	if !reducing[fn] {
		return true
	}
	// percentile_disc(array) returns as many values as the array has.
	return f.AggWithinGroup && len(f.Args) > 0 && f.Args[0].GetAConst() == nil
}

// chooses reports whether an aggregate may itself choose the rows that its value comes from: by a FILTER, a fraction, or
// what it computes of them (max(CASE WHEN id = 5 THEN name END)). Of a plain column there are a few values only.
func chooses(f *pg.FuncCall, args []value) bool {
	if f.AggFilter != nil || f.AggWithinGroup {
		return true
	}
	return slices.ContainsFunc(args, func(v value) bool { return v.copy == nil && v.variable })
}

// aggregate notes an aggregate in the query of the scope.
func (a *analysis) aggregate(sc *scope, keeps, counts bool) {
	q := sc.query
	if q == nil {
		return
	}
	if !q.aggregated {
		q.counting = counts
	}
	q.aggregated = true
	q.collecting = q.collecting || keeps
	q.counting = q.counting && counts
}

// callable reports whether any function of the name could be called here.
func (a *analysis) callable(fn string, sc *scope) bool {
	if contains(sc.path, "pg_catalog") && (pure[fn] || meta[fn]) {
		return true
	}
	for _, o := range a.cat.functions[fn] {
		if contains(sc.path, o.schema) {
			return true
		}
	}
	return false
}

// apply is the value of a function of the arguments. All overloads that the name can mean must only compute; otherwise the
// call is code that could do anything.
func (a *analysis) apply(schema, fn string, vs []value, sc *scope) value {
	out := derived(vs...)
	known := false
	if schema == "" && contains(sc.path, "pg_catalog") || schema == "pg_catalog" {
		switch {
		case pure[fn]:
			known = true
			if volatileNames[fn] {
				out.variable = true
			}
		case meta[fn]:
			known = true
			out.variable = true
			a.add(access.Access{Action: access.SchemaRead, Resource: access.Resource{Target: a.cat.Target}})
		case rawFunctions[fn]:
			known = true
			out.variable = true
			a.add(access.Access{Action: access.RawRead, Resource: access.Resource{Target: a.cat.Target, Namespace: "pg_catalog", Collection: fn}})
		}
	}
	isDistance := false
	for _, o := range a.cat.functions[fn] {
		if schema != "" && o.schema != schema || schema == "" && !contains(sc.path, o.schema) {
			continue
		}
		// What returns many rows is no constant, whatever it is given.
		out.variable = out.variable || o.set
		if o.schema == "pg_catalog" {
			if known {
				continue
			}
			a.code(o.schema, fn)
			known = true
			continue
		}
		if o.schema == "information_schema" || trustedExtensions[o.extension] && !untrustedNames[fn] {
			known = true
			isDistance = isDistance || o.extension == "vector" && distanceFunctions[fn]
			continue
		}
		a.code(o.schema, fn)
		known = true
	}
	if !known {
		n := fn
		if schema != "" {
			n = schema + "." + fn
		}
		a.missing("42883", "function %s does not exist", n)
	}
	if isDistance && len(vs) == 2 {
		if v, ok := a.apart(vs[0], vs[1]); ok {
			return v
		}
	}
	return out
}

// volatileNames are the pure functions whose value changes without an argument that does.
var volatileNames = set("random random_normal gen_random_uuid uuidv4 uuidv7 clock_timestamp timeofday array_sample array_shuffle generate_series unnest")

// code notes a call of a function, or a use of a type, that could do anything. It asks for a right of its own, so that
// there is a decision about it also where nothing else is touched.
func (a *analysis) code(schema, fn string) {
	a.add(access.Access{Action: access.CodeExec, Resource: access.Resource{Target: a.cat.Target, Namespace: schema, Collection: fn}})
	a.restsOn(schema+"."+fn, a.cat.bodies[name{schema, fn}])
	a.opaque("it calls %s.%s, and what that does and returns is not known", schema, fn)
}

// special are functions of pg_catalog whose arguments say what they do.
func (a *analysis) special(schema, fn string, f *pg.FuncCall, vs []value, sc *scope) (value, bool) {
	if schema != "" && schema != "pg_catalog" {
		return value{}, false
	}
	v := derived(vs...)
	v.variable = true
	switch {
	case unlocks[fn]:
		a.shape(v, "an advisory lock")
	case locks[fn]:
		a.shape(v, "an advisory lock")
		a.add(access.Access{Action: access.SessionSet, Resource: access.Resource{Target: a.cat.Target}, Attributes: access.Attributes{Lock: true, Fields: []string{"advisory lock"}}})
	case fn == "current_setting":
		if len(vs) > 0 {
			a.shape(vs[0], "current_setting")
		}
		if n := literalText(f.Args, 0); n == "" || !settable(n) {
			a.add(access.Access{Action: access.SchemaList, Resource: access.Resource{Target: a.cat.Target}})
		}
	case fn == "set_config":
		n, val := literalText(f.Args, 0), ""
		if n == "" && len(vs) > 0 && vs[0].copy != nil && vs[0].copy.Resource.Collection == "pg_settings" && vs[0].copy.Name == "name" && len(sc.items) == 1 {
			n = a.settings[sc]
		}
		if n == "" {
			a.unclear("set_config changes a setting whose name is not a constant")
		}
		if len(f.Args) > 1 {
			if !vs[1].variable && literals(f.Args[1]) != nil {
				val = literals(f.Args[1])[0]
			} else {
				a.flow(vs[1], nil, "the setting "+n)
				val = "?"
			}
		}
		a.setting(Setting{Name: strings.ToLower(n), Value: val, Local: len(f.Args) > 2 && truth(f.Args[2])})
	case fn == "nextval" || fn == "currval" || fn == "lastval" || fn == "setval":
		a.flow(v, nil, "a sequence")
		if fn == "currval" || fn == "lastval" {
			return v, true
		}
		r := access.Resource{Target: a.cat.Target}
		if seq := a.sequence(f.Args, sc); seq != nil {
			r = seq.Resource
		}
		act := access.Insert
		if fn == "setval" {
			act = access.SchemaAlter
		}
		a.add(access.Access{Action: act, Resource: r, Attributes: access.Attributes{Points: 1}})
	default:
		return value{}, false
	}
	return v, true
}

// sequence is the relation that the first argument names, when it is a constant.
func (a *analysis) sequence(args []*pg.Node, sc *scope) *Relation {
	text := literalText(args, 0)
	if text == "" {
		return nil
	}
	schema, n := "", text
	if i := strings.IndexByte(text, '.'); i >= 0 {
		schema, n = text[:i], text[i+1:]
	}
	return a.cat.relation(strings.Trim(schema, `"`), strings.Trim(n, `"`), sc.path)
}

func literalText(args []*pg.Node, i int) string {
	if i >= len(args) {
		return ""
	}
	node := args[i]
	for node.GetTypeCast() != nil {
		node = node.GetTypeCast().Arg
	}
	return node.GetAConst().GetSval().GetSval()
}

func truth(node *pg.Node) bool {
	for node.GetTypeCast() != nil {
		node = node.GetTypeCast().Arg
	}
	return node.GetAConst().GetBoolval().GetBoolval() || strings.HasPrefix(strings.ToLower(node.GetAConst().GetSval().GetSval()), "t")
}

// rangeFunction is one or more functions in FROM.
func (a *analysis) rangeFunction(f *pg.RangeFunction, sc *scope) *item {
	it := &item{visible: true, named: true}
	for i, node := range f.Functions {
		items := node.GetList().GetItems()
		if len(items) == 0 {
			a.unclear("FROM holds %s", kindOf(node))
		}
		v := a.expr(items[0], sc)
		v = derived(v)
		v.variable = true
		a.shape(v, "a function in FROM")
		n := a.figureName(items[0], sc)
		if i == 0 {
			it.name = n
		}
		var list []*pg.Node
		if len(items) > 1 {
			list = items[1].GetList().GetItems()
		}
		if len(f.Coldeflist) > 0 {
			list = f.Coldeflist
		}
		if len(list) > 0 {
			for _, def := range list {
				c := def.GetColumnDef()
				if c == nil {
					a.unclear("FROM holds %s", kindOf(def))
				}
				a.typeName(c.TypeName, sc.path)
				it.columns = append(it.columns, field{name: c.Colname, v: v})
			}
			continue
		}
		columns, sure := a.resultColumns(items[0], n, len(f.Functions), f.Alias, sc)
		if !sure {
			it.unsure, it.all = true, derived(it.all, v)
		}
		for _, c := range columns {
			it.columns = append(it.columns, field{name: c, v: v})
		}
	}
	if f.Ordinality {
		it.columns = append(it.columns, field{name: "ordinality", v: value{variable: true}})
	}
	if it.unsure {
		it.columns = nil
	}
	it.scalar = len(it.columns) == 1 && len(f.Functions) == 1 && !f.Ordinality && len(f.Coldeflist) == 0
	if len(f.Functions) > 1 {
		it.name = "" // ROWS FROM without alias has no name that can be used
		it.named = f.Alias != nil
	}
	return a.alias(it, f.Alias)
}

// resultColumns are the names of the columns that a function in FROM has, and whether they are sure.
func (a *analysis) resultColumns(node *pg.Node, figured string, functions int, alias *pg.Alias, sc *scope) ([]string, bool) {
	scalar := figured
	if alias != nil && alias.Aliasname != "" && functions == 1 {
		scalar = alias.Aliasname
	}
	f := node.GetFuncCall()
	if f == nil {
		// CURRENT_DATE and the like.
		return []string{scalar}, true
	}
	names := a.names(f.Funcname)
	fn, schema := names[len(names)-1], ""
	if len(names) > 1 {
		schema = names[len(names)-2]
	}
	if fn == "unnest" && len(f.Args) > 1 {
		out := make([]string, len(f.Args))
		for i := range out {
			out[i] = "unnest"
		}
		return out, true
	}
	if fn == "unnest" && len(f.Args) == 1 && mayBeRows(f.Args[0]) {
		return nil, false
	}
	var found []string
	first := true
	for _, o := range a.cat.functions[fn] {
		if schema != "" && o.schema != schema || schema == "" && !contains(sc.path, o.schema) {
			continue
		}
		columns := o.columns
		if len(columns) == 0 {
			if o.composite {
				return nil, false // a record whose columns are not told
			}
			columns = []string{scalar}
		}
		if contains(columns, "") {
			return nil, false
		}
		if !first && strings.Join(columns, "\x00") != strings.Join(found, "\x00") {
			return nil, false
		}
		found, first = columns, false
	}
	if first {
		return nil, false
	}
	// A value of composite type handed through (unnest, jsonb_populate_record) has the columns of its type.
	if polymorphic[fn] {
		return nil, false
	}
	return found, true
}

// mayBeRows reports whether an array may hold rows, whose columns unnest would spread.
func mayBeRows(node *pg.Node) bool {
	switch n := node.GetNode().(type) {
	case *pg.Node_AConst, *pg.Node_ParamRef, *pg.Node_TypeCast, *pg.Node_ColumnRef:
		return false
	case *pg.Node_AArrayExpr:
		for _, el := range n.AArrayExpr.Elements {
			if mayBeRows(el) || el.GetColumnRef() != nil {
				return true
			}
		}
		return false
	case *pg.Node_FuncCall:
		last := n.FuncCall.Funcname[len(n.FuncCall.Funcname)-1].GetString_().GetSval()
		return last == "array_agg" || !pure[last]
	}
	return true
}

// polymorphic functions return what they are given, which may be a row.
var polymorphic = set("json_populate_record json_populate_recordset jsonb_populate_record jsonb_populate_recordset")
