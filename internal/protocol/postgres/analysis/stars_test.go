package analysis

import (
	"slices"
	"testing"
)

// TestStarsComeInTheServersOrder compares, for every way to write a star, the outputs of the analysis with what the server
// itself says of its columns: a mask goes by position, and a client need not ask for a description in which a mistake
// would be noticed.
func TestStarsComeInTheServersOrder(t *testing.T) {
	cat, db := catalogOf(t)
	conn := db.App.Connect(t)
	a := New(Options{Target: "products"})
	for _, text := range []string{
		"SELECT * FROM people, plain", "SELECT plain.*, people.* FROM people, plain", "SELECT *, * FROM people",
		"SELECT * FROM people JOIN plain USING (id)", "SELECT * FROM people RIGHT JOIN plain USING (id)", "SELECT * FROM people FULL JOIN plain USING (id)",
		"SELECT * FROM people NATURAL JOIN plain", "SELECT * FROM plain p JOIN (SELECT a, id, email FROM people, (SELECT 'x' AS a) x) s USING (a, id)",
		"SELECT * FROM people a JOIN people b USING (email, id)", "SELECT a.*, b.*, u.* FROM people a JOIN people b USING (email) AS u",
		"SELECT * FROM people a JOIN (plain b JOIN secrets c USING (id)) USING (id)", "SELECT * FROM (people a JOIN plain b USING (id)) AS j",
		"SELECT * FROM (people a JOIN plain b USING (id)) AS j (one, two)", "SELECT j.* FROM (people a CROSS JOIN plain b) AS j (one, two, three, four)",
		"SELECT * FROM people a CROSS JOIN plain b LEFT JOIN secrets c ON c.id = a.id", "SELECT * FROM plain, people JOIN secrets USING (id)",
		"SELECT * FROM people p, LATERAL (SELECT p.email AS x, * FROM plain) s", "SELECT * FROM people p JOIN LATERAL (SELECT p.*, 1 AS n) s ON true",
		"SELECT * FROM people AS a (b)", "SELECT * FROM staff", "SELECT * FROM ONLY people", "TABLE events", "SELECT * FROM contact2, contact",
		"WITH w (x) AS (SELECT * FROM people) SELECT * FROM plain, w", "WITH w AS (SELECT * FROM people JOIN plain USING (id)) SELECT w.*, 1 FROM w",
		"WITH RECURSIVE r (i, e) AS (SELECT id, email FROM people UNION ALL SELECT i + 1, e FROM r WHERE i < 3) SEARCH DEPTH FIRST BY i SET o CYCLE i SET c USING p SELECT * FROM r",
		"WITH RECURSIVE r (i, e) AS (SELECT id, email FROM people UNION ALL SELECT i + 1, e FROM r WHERE i < 3) CYCLE i SET c USING p SELECT *, e FROM r",
		"SELECT * FROM people UNION ALL SELECT * FROM people", "(SELECT * FROM people LIMIT 1) UNION ALL (SELECT id, nickname, email FROM people)",
		"SELECT * FROM (VALUES (1, 'a'), (2, 'b')) v", "SELECT * FROM (VALUES (1, 'a')) v (x)", "SELECT * FROM generate_series(1, 2) WITH ORDINALITY, people",
		"SELECT * FROM ROWS FROM (generate_series(1, 2), generate_series(3, 4)) WITH ORDINALITY AS f (a, b), people",
		"SELECT * FROM people, jsonb_to_record('{}') AS r (x int, y text)",
		"SELECT * FROM people p, xmltable('/a' PASSING (xmlparse(document '<a/>')) COLUMNS n FOR ORDINALITY, x text PATH 'x') t",
		"SELECT (p).* FROM people p", "SELECT id, (p).*, p.* FROM people p", "SELECT (s.p).* FROM (SELECT p, 1 AS n FROM people p) s",
		"SELECT DISTINCT ON (id) * FROM people ORDER BY id", "SELECT * FROM people TABLESAMPLE system (10) JOIN plain USING (id)",
		"INSERT INTO people SELECT * FROM people RETURNING *, id", "INSERT INTO people AS p VALUES (1) ON CONFLICT (id) DO UPDATE SET nickname = 'x' RETURNING p.*",
		"UPDATE people p SET nickname = 'x' FROM plain s, secrets c WHERE s.id = p.id RETURNING *", "UPDATE people p SET nickname = 'x' FROM plain s JOIN secrets c USING (id) WHERE s.id = p.id RETURNING *",
		"DELETE FROM people p USING plain s, secrets c WHERE s.id = p.id RETURNING *", "DELETE FROM plain p USING people s RETURNING s.*, *",
		"MERGE INTO plain p USING people s ON s.id = p.id WHEN MATCHED THEN DELETE RETURNING *",
		"MERGE INTO plain p USING people s ON s.id = p.id WHEN MATCHED THEN DELETE RETURNING p.*, merge_action(), *",
		"MERGE INTO plain p USING (people s JOIN secrets c USING (id)) ON s.id = p.id WHEN MATCHED THEN DELETE RETURNING *",
		"WITH m AS (MERGE INTO plain p USING people s ON s.id = p.id WHEN MATCHED THEN DELETE RETURNING s.*, p.a) SELECT * FROM m",
		"WITH d (x) AS (DELETE FROM plain p USING people s RETURNING p.a, s.*) SELECT * FROM d",
	} {
		plan := a.Analyze(text, cat)
		if plan.Refused != nil {
			t.Errorf("%s: %s", text, plan.Refused.Message)
			continue
		}
		s := plan.Statements[0]
		if s.Unclear != "" {
			t.Errorf("%s: %s", text, s.Unclear)
			continue
		}
		d, err := conn.Prepare(t.Context(), "", text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if len(d.Fields) != len(s.Outputs) {
			t.Errorf("%s: %d columns, the server has %d", text, len(s.Outputs), len(d.Fields))
			continue
		}
		for i, f := range d.Fields {
			out := s.Outputs[i]
			named := slices.ContainsFunc(out.Sources, func(c *Column) bool { return c.Relation == f.TableOID && c.Attnum == int16(f.TableAttributeNumber) })
			if f.Name != out.Name || f.TableOID != 0 && !named {
				t.Errorf("%s: column %d is %s of %v; the server's is %s (%d.%d)", text, i+1, out.Name, out.Sources, f.Name, f.TableOID, f.TableAttributeNumber)
			}
		}
	}
}
