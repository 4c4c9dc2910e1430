package analysis

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/internal/access"
)

// TestPlainCopiesAreMaskedByOrdinal lists statements that pass, with the mask of each output ("-" none).
func TestPlainCopiesAreMaskedByOrdinal(t *testing.T) {
	cat, _ := catalogOf(t)
	a := New(Options{Target: "products"})
	p := protection()
	for _, c := range []struct{ text, masks string }{
		{"SELECT id, name FROM customers", "- -"},
		{"SELECT id, email FROM customers", "- redact"},
		{"SELECT email AS x FROM customers", "redact"},
		{"SELECT (email) FROM customers", "redact"},
		{"SELECT email::text FROM customers", "redact"},
		{"SELECT * FROM customers", "- - redact partial hash - - null"},
		{`SELECT "id", * FROM customers`, "- - - redact partial hash - - null"},
		{"SELECT customers.*, id FROM customers", "- - redact partial hash - - null -"},
		{"TABLE people", "- redact -"},
		{"SELECT c.* FROM (SELECT id, email FROM customers) c", "- redact"},
		{"SELECT * FROM people AS a (email, id)", "- redact -"},
		{"SELECT email, id FROM people AS a (email, id)", "- redact"},
		{"WITH w AS (SELECT email, id FROM customers) SELECT id, email FROM w", "- redact"},
		{"WITH w (a, b) AS MATERIALIZED (SELECT email, id FROM customers) SELECT * FROM w", "redact -"},
		{"SELECT mail, city FROM contact", "redact -"},
		{"SELECT * FROM contact2", "redact - -"},
		{"SELECT m2 AS name FROM contact2 WHERE id = 3", "redact"},
		{"SELECT * FROM events_2026", "- - redact"},
		{"SELECT * FROM staff", "- redact - -"},
		{"SELECT (p).email FROM people p", "redact"},
		{"SELECT (s.p).email, (s.p).id FROM (SELECT p FROM people p) s", "redact -"},
		{"SELECT (p).* FROM people p", "- redact -"},
		{"SELECT c.email, o.id FROM customers c LEFT JOIN orders o ON o.customer_id = c.id", "redact -"},
		{"SELECT * FROM customers c JOIN orders o USING (id)", "- - redact partial hash - - null - - - - -"},
		{"SELECT e.email FROM people p, LATERAL (SELECT p.email) e", "redact"},
		{"SELECT (SELECT email FROM people WHERE id = 1)", "redact"},
		{"SELECT email FROM people UNION ALL SELECT email FROM people", "redact"},
		{"SELECT upper(phone), id FROM customers", "null -"},
		{"SELECT name || phone FROM customers", "null"},
		{"SELECT id FROM customers WHERE ssn = '123'", "-"},
		{"SELECT id, ssn FROM customers WHERE ssn IN ('1', '2') AND city = 'x'", "- hash"},
		{"SELECT id FROM customers WHERE ssn = $1", "-"},
		{"SELECT id, embedding <=> $1 FROM customers ORDER BY embedding <=> $1 LIMIT 5", "- round"},
		{"SELECT id FROM items ORDER BY embedding <=> '[1]' LIMIT $1", "-"},
		{"SELECT id, 1 - (embedding <=> '[1]') AS similarity FROM items LIMIT 3", "- round"},
		{"SELECT (embedding <#> '[1]') * -1 FROM items LIMIT 3", "round"},
		{"SELECT -(embedding <#> '[1]'), (embedding <=> '[1]')::float8 FROM items LIMIT 3", "round round"},
		{"SELECT 0.005 + (embedding <=> '[1]') FROM items LIMIT 3", "ERR"}, // together such sums would give the digits away
		{"SELECT $1 + (embedding <=> '[1]') FROM items LIMIT 3", "ERR"},
		{"SELECT (embedding <#> '[1]') - 51234 FROM items LIMIT 3", "ERR"}, // three digits are shown of a large one
		{"SELECT ((embedding <#> '[1]') - 2) - 2 FROM items LIMIT 3", "ERR"},
		{"SELECT 1 - -(1 - (embedding <#> '[1]')) FROM items LIMIT 3", "ERR"},
		{"SELECT d - 2 FROM (SELECT (embedding <#> '[1]') - 2 AS d FROM items) s LIMIT 3", "ERR"},
		{"WITH s AS (SELECT (embedding <#> '[1]') - 2 AS d FROM items) SELECT d - 1 FROM s LIMIT 3", "ERR"},
		{"WITH s AS (SELECT (embedding <#> '[1]') - 2 AS d FROM items) SELECT d FROM s LIMIT 3", "round"},
		{"WITH RECURSIVE s(d) AS (SELECT embedding <#> '[1]' FROM items UNION ALL SELECT d - 2 FROM s) SELECT d FROM s LIMIT 3", "ERR"},
		{"SELECT x FROM (SELECT (embedding <#> '[1]') - 2 AS x FROM items UNION ALL SELECT embedding <#> '[1]' FROM items) s LIMIT 3", "round"},
		{"SELECT x - 2 FROM (SELECT embedding <#> '[1]' AS x FROM items UNION ALL SELECT (embedding <#> '[1]') - 2 FROM items) s LIMIT 3", "ERR"},
		{"SELECT 1000 * (embedding <=> '[1]') FROM items LIMIT 3", "ERR"},
		{"SELECT round((embedding <=> '[1]')::numeric, 9) FROM items LIMIT 3", "ERR"},
		{"SELECT cosine_distance(embedding, '[1]') FROM items LIMIT 3", "round"},
		{"SELECT d FROM (SELECT embedding <-> '[1]' AS d FROM items) s ORDER BY d LIMIT 3", "round"},
		{"SELECT " + strings.TrimSuffix(strings.Repeat("embedding <#> '[1]',", 16), ",") + " FROM items LIMIT 3", strings.TrimSpace(strings.Repeat("round ", 16))},
		{"SELECT " + strings.TrimSuffix(strings.Repeat("embedding <#> '[1]',", 17), ",") + " FROM items LIMIT 3", "ERR"},
		{"SELECT inner_product(embedding, '[1]') FROM items" + strings.Repeat(" UNION ALL SELECT inner_product(embedding, '[1]') FROM items", 16), "ERR"},
		{"PREPARE p AS SELECT " + strings.TrimSuffix(strings.Repeat("embedding <#> '[1]',", 17), ",") + " FROM items LIMIT 3", "ERR"},
		{"EXPLAIN SELECT id FROM (SELECT id, email FROM customers ORDER BY id OFFSET 0) s", "ERR"},
		{"EXPLAIN ANALYZE SELECT s.id FROM (SELECT id, c AS whole FROM customers c OFFSET 0) s", "ERR"},
		{"EXPLAIN SELECT id, city FROM contact", "-"},
		{"SELECT id, b, many FROM boxes", "- null null"},
		{"SELECT (b).n FROM boxes", "ERR"},
		{"SELECT (b).e FROM boxes", "ERR"},
		{"SELECT count(*) FROM customers", "-"},
		{"SELECT city, count(*) FROM customers GROUP BY city", "- -"},
		{"SELECT city, n FROM cities", "- -"},
		{"INSERT INTO people VALUES (1, 'a@b.c', 'x') RETURNING *", "- redact -"},
		{"UPDATE people SET email = lower(email)", "ERR"},
		{"UPDATE people SET email = 'x', nickname = 'y' WHERE id = 1 RETURNING email", "redact"},
		{"UPDATE people SET email = trim(email) WHERE id = 1", "ERR"},
		{"UPDATE people SET email = p.email FROM people p WHERE p.id = people.id + 1", ""},
		{"INSERT INTO people SELECT id + 100, email, nickname FROM people", ""},
		{"INSERT INTO people SELECT id + 100, coalesce(email, 'x'), nickname FROM people", "ERR"},
		{"INSERT INTO people SELECT * FROM people ON CONFLICT (id) DO UPDATE SET email = excluded.email", ""},
		{"INSERT INTO people SELECT * FROM people ON CONFLICT (id) DO UPDATE SET email = left(excluded.email, 3)", "ERR"},
		{"WITH RECURSIVE r(x, y) AS (SELECT p, p.nickname FROM people p UNION ALL SELECT row((x).id, (x).email, (x).email)::people, (x).nickname FROM r) SELECT y FROM r", "ERR"},
		{"WITH RECURSIVE r(x, y) AS (SELECT p, p.nickname FROM people p UNION ALL SELECT x, y FROM r) SELECT y FROM r", "-"},
		{"WITH RECURSIVE r(n, y, z) AS (SELECT 1, '', '' UNION ALL SELECT n + 1, (SELECT email FROM people LIMIT 1), o::text FROM r) SEARCH DEPTH FIRST BY y SET o SELECT z FROM r", "ERR"},
		{"DELETE FROM people WHERE id = 1 RETURNING email, id", "redact -"},
		{"MERGE INTO people p USING plain s ON p.id = s.id WHEN MATCHED THEN UPDATE SET nickname = s.a RETURNING p.email, s.a", "redact -"},
		{"MERGE INTO plain s USING people p ON p.id = s.id WHEN MATCHED THEN UPDATE SET a = 'x' RETURNING *", "- redact - - - - null -"},
		{"MERGE INTO people p USING plain s ON p.id = s.id WHEN MATCHED THEN UPDATE SET nickname = s.a RETURNING *, p.email", "- - - null - - redact - redact"},
		{"MERGE INTO people p USING (SELECT 1 AS id) s ON p.id = s.id WHEN MATCHED THEN DELETE RETURNING p.*, s.*", "- redact - -"},
		{"UPDATE plain s SET a = 'x' FROM people p WHERE p.id = s.id RETURNING *", "- - - null - - redact -"},
		{"DELETE FROM plain s USING people p WHERE p.id = s.id RETURNING *", "- - - null - - redact -"},
		{"SELECT t.oid, typname FROM pg_type t", "- -"},
		{"SELECT 1, now(), $1::text", "- - -"},
		{"VALUES (1, 'x')", "- -"},
		{"SELECT * FROM generate_series(1, 3) g", "-"},
		{"SELECT g.n, p.email FROM people p, generate_series(1, 2) AS g(n)", "- redact"},
		{"SELECT email FROM people ORDER BY id LIMIT 3 OFFSET 2", "redact"},
		{"SELECT email FROM people FOR UPDATE", "redact"},
	} {
		plan := a.Analyze(c.text, cat)
		if plan.Refused != nil || len(plan.Statements) != 1 {
			t.Errorf("%s: not read: %+v", c.text, plan.Refused)
			continue
		}
		s := plan.Statements[0]
		tr, refusal := s.Oblige(p)
		if refusal != nil {
			if c.masks != "ERR" {
				t.Errorf("%s: refused: %s", c.text, refusal.Message)
			}
			continue
		}
		var got []string
		for i := range s.Outputs {
			m := "-"
			if tr.Columns != nil && tr.Columns[i].Mask != access.MaskNone {
				m = string(tr.Columns[i].Mask)
			}
			got = append(got, m)
		}
		if g := strings.Join(got, " "); g != c.masks {
			t.Errorf("%s: masks %q, want %q", c.text, g, c.masks)
		}
	}
}

// TestNoProtectionAsksNothing: without a rule everything that can be read passes as it is.
func TestNoProtectionAsksNothing(t *testing.T) {
	cat, _ := catalogOf(t)
	a := New(Options{Target: "products"})
	for _, text := range []string{"SELECT upper(email), leak(1) FROM customers WHERE email LIKE 'a%'", "COPY people TO STDOUT"} {
		tr, refusal := a.Analyze(text, cat).Statements[0].Oblige(nil)
		if refusal != nil || tr.Columns != nil || tr.Redact || tr.Forbidden != nil {
			t.Errorf("%s: %+v, %v", text, tr, refusal)
		}
	}
	if _, refusal := a.Analyze("SELECT * FROM nosuch", cat).Statements[0].Oblige(nil); refusal == nil || refusal.Code != access.CodeUnclear {
		t.Errorf("an unclear statement passes without a protection: %v", refusal)
	}
}

func TestTripwiresCoverViewsPartitionsAndChildren(t *testing.T) {
	cat, _ := catalogOf(t)
	a := New(Options{Target: "products"})
	for _, c := range []struct{ text, relation, column string }{
		{"SELECT id FROM customers", "customers", "email"},
		{"SELECT city FROM contact2", "contact2", "m2"},
		{"SELECT city FROM contact2", "contact", "mail"},
		{"SELECT city FROM contact2", "customers", "email"},
		{"SELECT day FROM events_2026", "events_2026", "email"},
		{"SELECT id FROM people", "people", "email"},
		{"UPDATE people SET id = 3", "people", "email"},
	} {
		tr, refusal := a.Analyze(c.text, cat).Statements[0].Oblige(protection())
		if refusal != nil {
			t.Errorf("%s: %v", c.text, refusal)
			continue
		}
		rel := cat.relation("public", c.relation, cat.path)
		col := rel.column(c.column)
		if tr.Forbidden[ColumnKey{rel.OID, col.Attnum}].Mask == access.MaskNone {
			t.Errorf("%s: %s.%s may come back unnoticed", c.text, c.relation, c.column)
		}
		if !tr.Redact {
			t.Errorf("%s: its errors are not redacted", c.text)
		}
	}
}

func TestTypesOfPlainCopiesAreKnown(t *testing.T) {
	cat, _ := catalogOf(t)
	tr, refusal := New(Options{Target: "products"}).Analyze("SELECT id, name, upper(name), 1::int8 FROM items", cat).Statements[0].Oblige(nil)
	if refusal != nil {
		t.Fatal(refusal)
	}
	if diff := cmp.Diff([]uint32{20, 25, 0, 20}, tr.Types); diff != "" {
		t.Error(diff)
	}
}

func TestRefusalNamesColumnRuleAndWayOut(t *testing.T) {
	cat, _ := catalogOf(t)
	_, refusal := New(Options{Target: "products"}).Analyze("SELECT id FROM customers WHERE email LIKE 'a%'", cat).Statements[0].Oblige(protection())
	if refusal == nil {
		t.Fatal("not refused")
	}
	for _, want := range []string{`"email"`, "products/public/customers", "personal-data", "WHERE"} {
		if !strings.Contains(refusal.Message, want) {
			t.Errorf("%q does not say %s", refusal.Message, want)
		}
	}
	if refusal.Hint == "" || refusal.Rule != "personal-data" || refusal.Code != access.CodeObligation {
		t.Errorf("%+v", refusal)
	}
}

func TestDistancesFollowTheTreatment(t *testing.T) {
	cat, _ := catalogOf(t)
	a := New(Options{Target: "products"})
	for _, c := range []struct {
		distance string
		want     access.Mask
		refused  bool
	}{{"", access.MaskRound, false}, {"round", access.MaskRound, false}, {"allow", access.MaskNone, false}, {"deny", "", true}} {
		p := &access.Protection{Vectors: []access.VectorRule{{Pattern: "**", Treatment: access.Treatment{Mask: access.MaskNull, Rule: "v", Distance: c.distance}}}}
		tr, refusal := a.Analyze("SELECT embedding <=> $1 FROM items ORDER BY 1 LIMIT 3", cat).Statements[0].Oblige(p)
		if (refusal != nil) != c.refused {
			t.Errorf("distance %q: refusal %v", c.distance, refusal)
			continue
		}
		if refusal == nil && c.want != access.MaskNone && (tr.Columns == nil || tr.Columns[0].Mask != c.want) {
			t.Errorf("distance %q: %+v, want %s", c.distance, tr.Columns, c.want)
		}
		if refusal == nil && c.want == access.MaskNone && tr.Columns != nil {
			t.Errorf("distance %q: %+v, want nothing", c.distance, tr.Columns)
		}
	}
}
