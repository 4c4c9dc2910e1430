package analysis

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// generator writes random SELECTs over the tables of the oracle test. Its texts are valid more often than not; those that
// the server refuses are skipped.
type generator struct {
	r     *rand.Rand
	alias int
	ctes  []source
}

// source is a FROM item as the generator knows it: its name and its columns.
type source struct {
	name    string
	columns []string
}

var tables = []source{
	{"people", []string{"id", "email", "nickname"}},
	{"plain", []string{"id", "a", "b", "wide"}},
	{"secrets", []string{"id", "email", "half", "note", "label"}},
	{"contacts", []string{"id", "mail", "shout"}},
	{"staff", []string{"id", "email", "nickname", "badge"}},
	{"events", []string{"id", "day", "email"}},
}

func (g *generator) pick(list ...string) string { return list[g.r.IntN(len(list))] }

func (g *generator) chance(percent int) bool { return g.r.IntN(100) < percent }

func (g *generator) name(prefix string) string {
	g.alias++
	return fmt.Sprintf("%s%d", prefix, g.alias)
}

// query writes a SELECT of n columns (any number when n is 0), seeing the columns of outer.
func (g *generator) query(depth, n int, outer []source) string {
	var b strings.Builder
	kept := g.ctes
	if depth > 0 && g.chance(15) {
		name := g.name("w")
		columns := []string{"p", "q"}
		if g.chance(30) {
			fmt.Fprintf(&b, "WITH RECURSIVE %s (p, q) AS (%s UNION SELECT q, p || 'r' FROM %s WHERE length(p) < 6) ", name, g.query(depth-1, 2, outer), name)
		} else {
			fmt.Fprintf(&b, "WITH %s (p, q) AS %s(%s) ", name, g.pick("", "MATERIALIZED "), g.query(depth-1, 2, outer))
		}
		g.ctes = append(g.ctes[:len(g.ctes):len(g.ctes)], source{name, columns})
	}
	defer func() { g.ctes = kept }()
	if depth > 0 && g.chance(12) {
		if n == 0 {
			n = 1 + g.r.IntN(3)
		}
		fmt.Fprintf(&b, "(%s) %s (%s)", g.query(depth-1, n, outer), g.pick("UNION", "UNION ALL", "INTERSECT", "EXCEPT"), g.query(depth-1, n, outer))
		return b.String()
	}
	var from []string
	var scope []source
	for range 1 + g.r.IntN(2) {
		text, s := g.from(depth, append(scope[:len(scope):len(scope)], outer...))
		from = append(from, text)
		scope = append(scope, s...)
	}
	visible := append(scope[:len(scope):len(scope)], outer...)
	grouped := g.chance(15)
	var targets, keys []string
	count := n
	if count == 0 {
		count = 1 + g.r.IntN(4)
	}
	for i := range count {
		var e string
		switch {
		case grouped && i == 0:
			e = g.column(scope)
			keys = append(keys, e)
		case grouped:
			e = g.aggregate(depth, visible)
		case n == 0 && g.chance(8):
			e = g.pick("*", scope[0].name+".*", "("+scope[0].name+").*")
			targets = append(targets, e)
			continue
		default:
			e = g.expr(depth, visible)
		}
		if n > 0 {
			e = "(" + e + ")::text"
		}
		if g.chance(30) {
			e += " AS " + g.pick("id", "email", "x", `"Y"`, "nickname")
		}
		targets = append(targets, e)
	}
	distinct := ""
	if g.chance(8) {
		distinct = "DISTINCT "
	}
	fmt.Fprintf(&b, "SELECT %s%s FROM %s", distinct, strings.Join(targets, ", "), strings.Join(from, ", "))
	if g.chance(35) {
		fmt.Fprintf(&b, " WHERE %s", g.condition(depth, visible))
	}
	if grouped {
		fmt.Fprintf(&b, " GROUP BY %s", g.pick(strings.Join(keys, ", "), "1", "GROUPING SETS (("+keys[0]+"), ())", "ROLLUP ("+keys[0]+")"))
		if g.chance(20) {
			fmt.Fprintf(&b, " HAVING %s IS NOT NULL", g.aggregate(depth, visible))
		}
	}
	if g.chance(20) && n == 0 {
		fmt.Fprintf(&b, " ORDER BY %s", g.pick("1", g.column(scope), g.expr(0, scope)))
	}
	if g.chance(15) && n == 0 {
		fmt.Fprintf(&b, " LIMIT %d", 1+g.r.IntN(4))
	}
	return b.String()
}

// from writes one FROM item and returns what it adds to the scope.
func (g *generator) from(depth int, left []source) (string, []source) {
	kind := g.r.IntN(12)
	if depth <= 0 && kind > 5 {
		kind = 0
	}
	switch {
	case kind <= 4:
		t := tables[g.r.IntN(len(tables))]
		if len(g.ctes) > 0 && g.chance(40) {
			t = g.ctes[len(g.ctes)-1]
		}
		a := g.name("t")
		if g.chance(15) {
			columns := make([]string, len(t.columns))
			copy(columns, t.columns)
			columns[0], columns[1] = "email", "id"
			return fmt.Sprintf("%s AS %s (email, id)", t.name, a), []source{{a, columns}}
		}
		return t.name + " " + a, []source{{a, t.columns}}
	case kind == 5:
		a := g.name("v")
		return fmt.Sprintf("(VALUES (1, 'x'), (2, 'y')) AS %s (id, nickname)", a), []source{{a, []string{"id", "nickname"}}}
	case kind <= 7:
		a := g.name("s")
		return fmt.Sprintf("(%s) AS %s (c1, c2)", g.query(depth-1, 2, nil), a), []source{{a, []string{"c1", "c2"}}}
	case kind == 8:
		a := g.name("l")
		return fmt.Sprintf("LATERAL (%s) AS %s (c1, c2)", g.query(depth-1, 2, left), a), []source{{a, []string{"c1", "c2"}}}
	case kind == 9 && len(left) > 0:
		a := g.name("f")
		return fmt.Sprintf("jsonb_each_text(to_jsonb(%s)) AS %s", left[0].name, a), []source{{a, []string{"key", "value"}}}
	}
	lt, ls := g.from(depth-1, left)
	rt, rs := g.from(depth-1, append(ls[:len(ls):len(ls)], left...))
	both := append(ls[:len(ls):len(ls)], rs...)
	switch g.r.IntN(6) {
	case 4:
		a := g.name("j")
		return fmt.Sprintf("%s JOIN %s USING (id) AS %s", lt, rt, a), append(both, source{a, []string{"id"}})
	case 5:
		a := g.name("a")
		var columns []string
		for _, s := range both {
			columns = append(columns, s.columns...)
		}
		return fmt.Sprintf("(%s CROSS JOIN %s) AS %s", lt, rt, a), []source{{a, columns}}
	case 0:
		return fmt.Sprintf("%s NATURAL %s JOIN %s", lt, g.pick("", "LEFT", "FULL"), rt), both
	case 1:
		return fmt.Sprintf("%s %s JOIN %s USING (id)", lt, g.pick("", "LEFT", "RIGHT", "FULL"), rt), both
	case 2:
		return fmt.Sprintf("%s LEFT JOIN %s ON %s", lt, rt, g.condition(0, both)), both
	}
	return fmt.Sprintf("%s CROSS JOIN %s", lt, rt), both
}

func (g *generator) column(scope []source) string {
	s := scope[g.r.IntN(len(scope))]
	c := s.columns[g.r.IntN(len(s.columns))]
	if g.chance(75) {
		return s.name + "." + c
	}
	return c
}

func (g *generator) expr(depth int, scope []source) string {
	if depth <= 0 || g.chance(45) {
		if g.chance(12) {
			return g.pick("1", "'x'", "NULL", "current_date")
		}
		return g.column(scope)
	}
	e := func() string { return g.expr(depth-1, scope) }
	s := scope[g.r.IntN(len(scope))]
	switch g.r.IntN(30) {
	case 17:
		return fmt.Sprintf("(%s)::text COLLATE \"C\"", e())
	case 18:
		return fmt.Sprintf("jsonb_build_object('k', %s)->>'k'", e())
	case 19:
		return fmt.Sprintf("(ROW(1, (%s)::text)).f2", e())
	case 20:
		return fmt.Sprintf("unnest(ARRAY[(%s)::text, 'z'])", e())
	case 21:
		return fmt.Sprintf("num_nulls(%s, %s)", e(), e())
	case 22:
		return fmt.Sprintf("((%s) IS DISTINCT FROM (%s))::text", e(), e())
	case 23:
		return fmt.Sprintf("nullif((%s)::text, (%s)::text)", e(), e())
	case 24:
		return fmt.Sprintf("format('%%s-%%s', %s, %s)", e(), e())
	case 25:
		return fmt.Sprintf("array_agg((%s)::text) OVER (ORDER BY 1 ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)", e())
	case 26:
		return fmt.Sprintf("first_value(%s) OVER (ORDER BY %s)", e(), e())
	case 27:
		return fmt.Sprintf("(SELECT x.%s FROM (SELECT %s.*) AS x)", s.columns[g.r.IntN(len(s.columns))], s.name)
	case 28:
		return fmt.Sprintf("(SELECT %s)", e())
	case 29:
		return fmt.Sprintf("string_to_array((%s)::text, 'a')", e())
	case 0:
		return fmt.Sprintf("upper((%s)::text)", e())
	case 1:
		return fmt.Sprintf("(%s)::text || (%s)::text", e(), e())
	case 2:
		return fmt.Sprintf("CASE WHEN %s THEN (%s)::text ELSE (%s)::text END", g.condition(depth-1, scope), e(), e())
	case 3:
		return fmt.Sprintf("coalesce((%s)::text, (%s)::text)", e(), e())
	case 4:
		return fmt.Sprintf("(SELECT (%s)::text FROM people AS z WHERE z.id = 1)", g.expr(depth-1, append([]source{{"z", tables[0].columns}}, scope...)))
	case 5:
		return fmt.Sprintf("EXISTS (%s)", g.query(depth-1, 1, scope))
	case 6:
		return fmt.Sprintf("ARRAY(%s)", g.query(depth-1, 1, nil))
	case 7:
		return s.name
	case 8:
		return fmt.Sprintf("(%s).%s", s.name, s.columns[g.r.IntN(len(s.columns))])
	case 9:
		return fmt.Sprintf("to_jsonb(%s)", s.name)
	case 10:
		return fmt.Sprintf("ROW(%s, %s)", e(), e())
	case 11:
		return fmt.Sprintf("count(*) OVER (PARTITION BY %s)", e())
	case 12:
		return fmt.Sprintf("%s(%s)", s.columns[g.r.IntN(len(s.columns))], s.name)
	case 13:
		return fmt.Sprintf("(ARRAY[(%s)::text, 'k'])[1]", e())
	case 14:
		return fmt.Sprintf("(%s)::text IN (%s)", e(), g.query(depth-1, 1, nil))
	case 15:
		return fmt.Sprintf("greatest((%s)::text, 'm')", e())
	}
	return fmt.Sprintf("(%s) IS NULL", e())
}

func (g *generator) aggregate(depth int, scope []source) string {
	e := g.expr(depth-1, scope)
	return fmt.Sprintf(g.pick("max((%s)::text)", "string_agg((%s)::text, ',' ORDER BY 1)", "count(%s)", "count(*) FILTER (WHERE (%s) IS NOT NULL)",
		"mode() WITHIN GROUP (ORDER BY (%s)::text)", "min((%s)::text)"), e)
}

func (g *generator) condition(depth int, scope []source) string {
	e := g.expr(depth-1, scope)
	switch g.r.IntN(7) {
	case 5:
		return fmt.Sprintf("(%s) IN (%s)", "('x', ("+e+")::text)", g.query(depth-1, 2, nil))
	case 6:
		return fmt.Sprintf("(('x')::text, (%s)::text) = (SELECT 'x'::text, min((%s)::text) FROM people AS z)", e, g.expr(depth-2, append([]source{{"z", tables[0].columns}}, scope...)))
	case 0:
		return fmt.Sprintf("(%s)::text < 'm'", e)
	case 1:
		return fmt.Sprintf("(%s) IS NOT NULL", e)
	case 2:
		return fmt.Sprintf("(%s)::text = (%s)::text", e, g.expr(depth-1, scope))
	case 3:
		return fmt.Sprintf("NOT (%s) AND (%s)::text LIKE '%%a%%'", "1 = 2", e)
	}
	s := scope[g.r.IntN(len(scope))]
	return fmt.Sprintf("%s.%s::text IN ('1', '2')", s.name, s.columns[g.r.IntN(len(s.columns))])
}
