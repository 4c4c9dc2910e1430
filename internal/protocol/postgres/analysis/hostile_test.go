package analysis

import (
	"fmt"
	"strings"
	"testing"
)

// TestWorkIsBounded: texts of half a megabyte that look the same name up through a million others, again and again.
func TestWorkIsBounded(t *testing.T) {
	cat := smallCatalog()
	a := New(Options{Target: "products"})
	list := func(n int, of func(int) string, between string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = of(i)
		}
		return strings.Join(parts, between)
	}
	wide := "(SELECT " + list(1600, func(i int) string { return fmt.Sprintf("id AS c%d", i) }, ",") + " FROM customers)"
	tables := list(30000, func(i int) string { return fmt.Sprintf("customers a%d", i) }, ",")
	for name, text := range map[string]string{
		"a column among tables":  "SELECT 1 FROM (SELECT 1 AS u) s, " + tables + " WHERE 1 IN (" + strings.Repeat("u,", 50000) + "u)",
		"a table among tables":   "SELECT 1 FROM (SELECT 1 AS u) s, " + tables + " WHERE 1 IN (" + strings.Repeat("s.u,", 25000) + "s.u)",
		"a column among columns": "SELECT 1 FROM " + wide + " a GROUP BY " + strings.Repeat("c1599,", 60000) + "c1",
		"an output":              "SELECT a.* FROM " + wide + " a ORDER BY " + strings.Repeat("c1599,", 60000) + "c1",
		"rows":                   "SELECT 1 FROM " + wide + " a WHERE ROW(" + strings.Repeat("a,", 60000) + "1) IS NULL",
		"columns of two tables":  "SELECT 1 FROM " + wide + " a" + strings.Repeat(" NATURAL JOIN "+wide+" b", 20),
		"WITH queries":           "WITH " + list(20000, func(i int) string { return fmt.Sprintf("c%d AS (SELECT 1)", i) }, ",") + " SELECT 1",
		"conditions between tables": "SELECT 1 WHERE 1 IN (" + list(9000, func(int) string {
			return "(SELECT 1 FROM plain a, plain b WHERE a.a = b.b)"
		}, ",") + ")",
	} {
		plan := a.Analyze(text, cat)
		if plan.Refused != nil || len(plan.Statements) != 1 || !strings.Contains(plan.Statements[0].Unclear, "too much work") {
			t.Errorf("%s: %+v %v", name, plan.Refused, plan.Statements)
		}
	}
}

// TestHostileTextsEnd analyses texts that are small and mean to grow: stars over stars, WITH queries that each use the one
// before twice, wide recursions. Each must end, understood or refused; one that does not ends the test.
func TestHostileTextsEnd(t *testing.T) {
	cat := smallCatalog()
	a := New(Options{Target: "products"})
	many := strings.Repeat
	texts := map[string]string{
		"stars": "SELECT * FROM " + many("(SELECT a.*, a.* FROM ", 60) + "customers a" + many(") a", 60),
		"ctes": func() string {
			var b strings.Builder
			b.WriteString("WITH c0 AS (SELECT * FROM customers)")
			for i := 1; i < 80; i++ {
				fmt.Fprintf(&b, ", c%d AS (SELECT a.* FROM c%d a, c%d b)", i, i-1, i-1)
			}
			return b.String() + " SELECT * FROM c79"
		}(),
		"wholerows": "SELECT " + strings.TrimSuffix(many("row(c.*, c.*, c.*),", 800), ",") + " FROM customers c",
		"sublinks":  "SELECT " + many("(SELECT (", 90) + "1" + many(") FROM customers WHERE email = 'x')", 90),
		"eqsub":     "SELECT 1 FROM customers WHERE " + many("email = (SELECT email FROM customers WHERE ", 90) + "true" + many(")", 90),
		"recursive": "WITH RECURSIVE r(" + strings.TrimSuffix(func() string {
			s := ""
			for i := range 200 {
				s += fmt.Sprintf("c%d,", i)
			}
			return s
		}(), ",") + ") AS (SELECT " + strings.TrimSuffix(many("1,", 199), ",") + ", email FROM customers UNION ALL SELECT " + func() string {
			s := ""
			for i := 1; i < 200; i++ {
				s += fmt.Sprintf("c%d,", i)
			}
			return s
		}() + "c0 FROM r) SELECT * FROM r",
		"joins": "SELECT * FROM customers a0" + func() string {
			s := ""
			for i := 1; i < 200; i++ {
				s += fmt.Sprintf(" JOIN customers a%d ON a%d.id = a%d.id", i, i-1, i)
			}
			return s
		}(),
		"chain":      "SELECT 1" + many("+email", 1900) + " FROM customers",
		"orchain":    "SELECT 1 FROM customers WHERE false" + many(" OR email='x'", 900),
		"andchain":   "SELECT 1 FROM customers WHERE true" + many(" AND email='x'", 900),
		"case":       "SELECT " + many("CASE WHEN email='x' THEN ", 300) + "1" + many(" END", 300) + " FROM customers",
		"ins":        "INSERT INTO plain (id, a) VALUES (1,'x')" + many(",(1,'x')", 15000),
		"statements": many("SELECT * FROM customers a, customers b, customers c;", 99),
		"figure":     "SELECT " + many("(SELECT ", 300) + "1" + many(")", 300),
		"using": "SELECT * FROM customers a0" + func() string {
			s := ""
			for i := 1; i < 150; i++ {
				s += fmt.Sprintf(" JOIN customers a%d USING (id, email, name)", i)
			}
			return s
		}(),
		"natural": "SELECT * FROM customers a0" + func() string {
			s := ""
			for i := 1; i < 150; i++ {
				s += fmt.Sprintf(" NATURAL JOIN customers a%d", i)
			}
			return s
		}(),
	}
	for name, text := range texts {
		plan := a.Analyze(text, cat)
		if plan.Refused != nil {
			t.Errorf("%s: refused: %s; it should reach the analysis", name, plan.Refused.Message)
			continue
		}
		for _, st := range plan.Statements {
			if st.Unclear == "" && len(st.Touches) == 0 && name != "figure" {
				t.Errorf("%s: understood, and reads nothing", name)
			}
			st.Oblige(protection())
		}
	}
}
