package analysis

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/access"
)

// times is a part of a text again and again, with the number in it that it is.
func times(n int, part, between string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf(part, i)
	}
	return strings.Join(parts, between)
}

// TestStatementsAreClassified is the mapping of docs/reference/postgres.md: what each statement asks for, gravest first, as
// action resource[rows][!filter][+attributes].
func TestStatementsAreClassified(t *testing.T) {
	cat, _ := catalogOf(t)
	a := New(Options{Target: "products"})
	for _, c := range []struct{ text, want string }{
		{"SELECT 1", ""},
		{"SELECT now(), version(), pg_backend_pid(), current_database()", ""},
		{"SELECT $1::int + 2", ""},
		{"", ""},

		// Reading
		{"SELECT id, name FROM items ORDER BY embedding <=> $1 LIMIT 10", "search public/items 10"},
		{"SELECT id, name FROM items ORDER BY embedding <=> '[1,2]' LIMIT $1", "search public/items -1"},
		{"SELECT id, embedding <=> $1 AS d FROM items WHERE section = 'net' ORDER BY d LIMIT 5", "search public/items 5 !other"},
		{"SELECT id, embedding FROM items ORDER BY embedding <-> $1 LIMIT 5", "search public/items 5 +vectors"},
		{"SELECT * FROM (SELECT id, embedding <=> $1 AS d FROM items) s ORDER BY d LIMIT 5", "search public/items 5"},
		{
			"WITH near AS MATERIALIZED (SELECT id FROM items ORDER BY embedding <=> $1 LIMIT 7) SELECT i.name FROM near JOIN items i USING (id)",
			"search public/items 7; fetch public/items -1 +join",
		},
		{
			"SELECT i.id, c.name FROM items i JOIN orders o ON o.item_id = i.id JOIN customers c ON c.id = o.customer_id ORDER BY i.embedding <=> $1 LIMIT 5",
			"search public/items 5; fetch public/orders 5 +join; fetch public/customers 5 +join",
		},
		{"SELECT id FROM items ORDER BY embedding <=> $1", "export public/items -1"},
		{"SELECT id FROM items ORDER BY embedding <=> $1 FETCH FIRST 5 ROWS WITH TIES", "export public/items -1"},
		{"SELECT * FROM items WHERE id = 5", "fetch public/items 1 !key +vectors"},
		{"SELECT name FROM items WHERE id IN (1, 2, 3)", "fetch public/items 3 !key"},
		{"SELECT name FROM items WHERE id = ANY ($1)", "fetch public/items -1 !key"},
		{"SELECT name FROM items WHERE name = 'apt'", "fetch public/items 1 !key"},
		{"SELECT id FROM plain WHERE a = 'x' AND b = 'y'", "fetch public/plain 1 !key"},
		{"SELECT i.name FROM items i JOIN (VALUES (1), (2)) v (id) ON i.id = v.id", "scroll public/items -1 !other"},
		{"SELECT i.name FROM items i JOIN (SELECT jsonb_array_elements_text('[1,2]')::int AS id) v ON i.id = v.id", "scroll public/items -1 !other"},
		{"SELECT i.name FROM items i, generate_series(1, 9) g WHERE i.id = g", "scroll public/items -1 !other"},
		{"SELECT id FROM plain WHERE a = 'x'", "scroll public/plain -1 !other"},
		{"SELECT id FROM items WHERE id = 1 OR id = 2", "scroll public/items -1 !other"},
		{"SELECT id FROM items WHERE id > 5 LIMIT 20", "scroll public/items 20 !other"},
		{"SELECT id FROM items LIMIT 20", "scroll public/items 20"},
		{"SELECT l.name FROM generate_series(0, 999) g, LATERAL (SELECT name FROM items ORDER BY id OFFSET g LIMIT 1) l", "export public/items -1"},
		{"SELECT (SELECT name FROM items ORDER BY id OFFSET g LIMIT 1) FROM generate_series(0, 999) g", "export public/items -1"},
		{"SELECT (SELECT name FROM items WHERE id > g ORDER BY id LIMIT 1) FROM generate_series(0, 999) g", "scroll public/items -1 !other"},
		{"SELECT l.name FROM generate_series(0, 999) g, LATERAL (SELECT name FROM items ORDER BY embedding <=> $1 LIMIT 1 OFFSET g) l", "search public/items -1"},
		{"SELECT (SELECT s.name FROM (SELECT name FROM items ORDER BY id OFFSET g LIMIT 1) s LIMIT 1) FROM generate_series(0, 999) g", "export public/items -1"},
		{"SELECT (SELECT name FROM items ORDER BY id OFFSET g LIMIT 1) FROM generate_series(0, 999) g LIMIT 3", "scroll public/items 3"},
		{"SELECT id FROM items LIMIT ALL", "export public/items -1"},
		{"SELECT id FROM items LIMIT (SELECT 5)", "export public/items -1"},
		{"SELECT id FROM items", "export public/items -1"},
		{"SELECT id FROM items WHERE true", "export public/items -1 !trivial"},
		{"SELECT id FROM items WHERE 1 = 1", "export public/items -1 !trivial"},
		{"SELECT id FROM items WHERE id = id", "export public/items -1 !trivial"},
		{"SELECT id FROM items WHERE id = 5 OR true", "export public/items -1 !trivial"},
		{"SELECT a.id FROM items a, items b WHERE a.id = 5", "export public/items -1; fetch public/items 1 !key"},
		{"SELECT * FROM items i LEFT JOIN orders o ON i.id = 5", "export public/items -1 +vectors; export public/orders -1"},
		{"TABLE items", "export public/items -1 +vectors"},
		{"SELECT mail FROM contact", "export public/customers -1 +alias=contact"},
		{"SELECT mail FROM contact WHERE id = 3", "fetch public/customers 1 !key +alias=contact"},
		{"SELECT id FROM events_2026", "export public/events -1 +alias=events_2026"},
		{"SELECT count(*) FROM items", "count public/items 1"},
		{"SELECT count(*) FROM items WHERE section = 'net'", "count public/items 1 !other"},
		{"SELECT count(*) FROM (SELECT 1 FROM items) s", "count public/items 1"},
		{"SELECT max(installed_kib), avg(installed_kib) FROM items", "aggregate public/items 1"},
		{"SELECT section, count(*) FROM items GROUP BY section", "aggregate public/items -1"},
		{"SELECT id, max(name) FROM items GROUP BY id", "export public/items -1"},
		{"SELECT ctid, max(name) FROM items GROUP BY ctid", "export public/items -1"},
		{"SELECT max(embedding) FROM items GROUP BY embedding", "export public/items -1 +vectors"},
		// Aggregates that choose their rows read values one by one: many of them are no aggregate.
		{"SELECT max(name) FILTER (WHERE id = 5), avg(id) FROM items", "aggregate public/items 1"},
		{"SELECT " + times(16, "sum(installed_kib) FILTER (WHERE section = 's%d')", ", ") + ", max(id), count(*) FROM items", "aggregate public/items 1"},
		{"SELECT " + times(17, "max(name) FILTER (WHERE id = %d)", ", ") + " FROM items", "scroll public/items 17"},
		{"SELECT " + times(1000, "max(CASE WHEN id = %d THEN name END)", ", ") + " FROM items", "scroll public/items 1000"},
		{"SELECT " + times(90, "max(x%d)", ", ") + " FROM (SELECT " + times(90, "CASE WHEN id = %[1]d THEN name END x%[1]d", ", ") + " FROM items) s", "scroll public/items 90"},
		{"SELECT " + times(100, "percentile_disc(0.%03d) WITHIN GROUP (ORDER BY name)", ", ") + " FROM items WHERE section = 'net'", "scroll public/items 100 !other"},
		{"SELECT " + times(40, "max(name) FILTER (WHERE id = %d)", ", ") + " FROM items GROUP BY section LIMIT 5", "export public/items -1"},
		{times(30, "SELECT max(name) FROM items WHERE id = %d", " UNION ALL "), "scroll public/items 30 !key"},
		{"SELECT " + times(30, "(SELECT max(name) FROM items WHERE id = %d)", ", "), "scroll public/items 30 !key"},
		{"SELECT " + times(30, "(SELECT count(*) FROM items WHERE id > %d)", ", "), "count public/items 30 !other"},
		{"SELECT " + times(30, "count(*) FILTER (WHERE id > %d)", ", ") + " FROM items", "count public/items 1"},
		{"SELECT min(id), max(id), avg(id), stddev(id), min(name), max(name), min(section), max(section), sum(installed_kib), min(installed_kib), max(installed_kib), " + strings.Repeat("sum(id), max(name), ", 9) + "count(*) FROM items", "aggregate public/items 1"},
		{"SELECT array_agg(name) FROM items", "export public/items -1"},
		{"SELECT json_agg(i) FROM items i LIMIT 1", "export public/items -1 +vectors"},
		{"SELECT (SELECT max(name) FROM items i WHERE i.id = g) FROM generate_series(1, 9) g", "scroll public/items -1 !other"},
		{
			"SELECT c.name, (SELECT count(*) FROM orders o WHERE o.customer_id = c.id) FROM customers c WHERE c.id = 5",
			"fetch public/customers 1 !key; count public/orders 1 !other",
		},
		{"SELECT id FROM orders WHERE EXISTS (SELECT 1 FROM items WHERE id = item_id)", "scroll public/orders -1 !other; aggregate public/items 0 !other +lookup"},
		{"SELECT id FROM orders WHERE item_id IN (SELECT id FROM items WHERE name LIKE 'a%')", "scroll public/orders -1 !other; aggregate public/items 0 !other +lookup"},
		{"SELECT id FROM items UNION ALL SELECT id FROM orders LIMIT 3", "scroll public/items 3; scroll public/orders 3"},
		{"SELECT id FROM items WHERE id = 1 FOR UPDATE", "fetch public/items 1 !key +lock"},
		{"DECLARE c CURSOR FOR SELECT id FROM items ORDER BY embedding <=> '[1]' LIMIT 10", "scroll public/items 10 +cursor"},
		{"DECLARE c CURSOR FOR SELECT id FROM items", "export public/items -1 +cursor"},
		{"COPY items TO STDOUT", "export public/items -1 +vectors"},
		{"COPY (SELECT id FROM items WHERE id = 1) TO STDOUT", "export public/items 1 !key"},

		// Writing
		{"INSERT INTO plain (id) VALUES (1), (2)", "insert public/plain p2"},
		{"INSERT INTO plain DEFAULT VALUES RETURNING id", "insert public/plain p1"},
		{"INSERT INTO plain (id) SELECT id FROM items", "insert public/plain p-1; export public/items -1 +source"},
		{"INSERT INTO plain (id) VALUES (1) ON CONFLICT DO NOTHING", "insert public/plain p1"},
		{"INSERT INTO plain (id, a) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET a = excluded.a", "upsert public/plain p1"},
		{"UPDATE plain SET a = 'x' WHERE id = 1", "update public/plain p1 !key"},
		{"UPDATE plain SET v = $1 WHERE id = 1", "update_vectors public/plain p1 !key"},
		{"UPDATE plain SET v = $1, a = 'x' WHERE b = 'y'", "update_vectors public/plain p-1 !other; update public/plain p-1 !other"},
		{"UPDATE plain SET a = 'x'", "update public/plain p-1"},
		{"DELETE FROM plain WHERE id IN (1, 2)", "delete public/plain p2 !key"},
		{"DELETE FROM plain WHERE a = 'x'", "delete_by_filter public/plain p-1 !other"},
		{"DELETE FROM plain USING items i WHERE i.id = plain.id", "delete_by_filter public/plain p-1 !other; export public/items -1 +source"},
		{"DELETE FROM plain", "delete_all public/plain p-1"},
		{"DELETE FROM plain WHERE true", "delete_all public/plain p-1 !trivial"},
		{"DELETE FROM plain WHERE 2 > 1", "delete_all public/plain p-1 !trivial"},
		{"WITH d AS (DELETE FROM plain RETURNING id) SELECT count(*) FROM d", "delete_all public/plain p-1; scroll public/plain -1"},
		{
			"MERGE INTO plain USING items i ON plain.id = i.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (id) VALUES (i.id)",
			"delete_by_filter public/plain p-1 !other; insert public/plain p-1; export public/items -1 +source",
		},
		{"COPY plain FROM STDIN", "import public/plain p-1"},
		{"TRUNCATE plain, items", "schema.truncate public/plain; schema.truncate public/items"},
		{"SELECT nextval('counter')", "insert public/counter p1"},

		// Definitions
		{"CREATE TABLE n (id int PRIMARY KEY, v vector(3))", "schema.create public/n"},
		{"CREATE TABLE IF NOT EXISTS items (id int)", ""},
		{"CREATE EXTENSION IF NOT EXISTS vector", ""},
		{"CREATE EXTENSION dblink", "cluster.admin "},
		{"CREATE TABLE n AS SELECT id FROM items", "schema.create public/n; export public/items -1 +source"},
		{"DROP TABLE items", "schema.drop public/items"},
		{"DROP TABLE items CASCADE", "schema.drop public/items; schema.drop "},
		{"DROP INDEX items_embedding", "index.drop public/items +alias=items_embedding"},
		{"DROP SCHEMA other", "schema.drop other"},
		{"ALTER TABLE items ADD COLUMN x int", "schema.alter public/items"},
		{"ALTER TABLE items DROP COLUMN name", "schema.drop public/items; schema.alter public/items"},
		{"ALTER TABLE items RENAME TO things", "schema.rename public/items"},
		{"CREATE INDEX ON items USING hnsw (embedding vector_cosine_ops)", "index.create public/items"},
		{"REINDEX INDEX items_embedding", "index.rebuild public/items +alias=items_embedding"},
		{"VACUUM ANALYZE items", "index.rebuild public/items"},
		{"REFRESH MATERIALIZED VIEW cities", "update public/cities p-1"},
		{"GRANT SELECT ON items TO public", "iam.write "},
		{"CREATE ROLE x", "iam.write "},
		{"CREATE DATABASE x", "cluster.admin "},

		// Sessions
		{"BEGIN ISOLATION LEVEL SERIALIZABLE", ""},
		{"COMMIT", ""},
		{"ROLLBACK", ""},
		{"SAVEPOINT a", ""},
		{"RELEASE a", ""},
		{"ROLLBACK TO a", ""},
		{"SET application_name = 'x'", ""},
		{"SET hnsw.ef_search = 100", "session.set "},
		{"SET LOCAL statement_timeout = '5s'", "session.set "},
		{"SET search_path = public", ""},
		{"SET client_encoding TO 'UTF8'", ""},
		{"SET TIME ZONE 'UTC'", ""},
		{"SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", ""},
		{"SHOW server_version", ""},
		{"SHOW ALL", "schema.list "},
		{"SHOW TRANSACTION ISOLATION LEVEL", ""},
		{"RESET ALL", ""},
		{"DISCARD ALL", ""},
		{"DEALLOCATE ALL", ""},
		{"CLOSE c", ""},
		{"FETCH 10 FROM c", ""},
		{"EXECUTE p (1)", ""},
		{"PREPARE p (int) AS SELECT name FROM items WHERE id = $1", "fetch public/items 1 !key"},
		{"EXPLAIN SELECT name FROM items WHERE id = 1", "fetch public/items 1 !key"},
		{"EXPLAIN ANALYZE DELETE FROM items", "delete_all public/items p-1"},
		{"LOCK TABLE items IN ACCESS SHARE MODE", "fetch public/items 0 p-1 +lock"},
		{"LOCK TABLE items", "update public/items p-1 +lock"},
		{"SELECT relname FROM pg_class", "schema.read "},
		{"SELECT typname FROM pg_type", "schema.list "},
		{"SELECT rolname FROM pg_roles", "iam.read "},
		{"SELECT column_name FROM information_schema.columns", "schema.read "},
		{"SELECT * FROM pg_stats", "raw_read pg_catalog/pg_stats"},
		{"DO $$BEGIN END$$", "code.exec "},
		{"SELECT leak(id) FROM items WHERE id = 1", "code.exec public/leak; fetch public/items 1 !key"},
	} {
		var got []string
		plan := a.Analyze(c.text, cat)
		for _, s := range plan.Statements {
			if s.Unclear != "" {
				got = append(got, "unclear: "+s.Unclear)
			}
			for _, acc := range s.Accesses {
				got = append(got, inShort(acc))
			}
		}
		if plan.Refused != nil {
			got = append(got, plan.Refused.Message)
		}
		if g := strings.Join(got, "; "); g != c.want {
			t.Errorf("%s\n\tis  %s\n\twant %s", c.text, g, c.want)
		}
	}
}

func inShort(acc access.Access) string {
	at := acc.Attributes
	s := string(acc.Action) + " " + strings.TrimPrefix(strings.TrimPrefix(acc.Resource.String(), "products"), "/")
	switch acc.Action {
	case access.Search, access.Fetch, access.Scroll, access.Export, access.Aggregate, access.Count:
		s += fmt.Sprintf(" %d", at.Rows)
	}
	if at.Points != 0 {
		s += fmt.Sprintf(" p%d", at.Points)
	}
	if at.Filter != "" {
		s += " !" + string(at.Filter)
	}
	for _, f := range []struct {
		on   bool
		name string
	}{{at.Role != "", at.Role}, {at.Vectors, "vectors"}, {at.Alias != "", "alias=" + at.Alias}, {at.Cursor, "cursor"}, {at.Lock, "lock"}} {
		if f.on {
			s += " +" + f.name
		}
	}
	return s
}

func TestLimitOfAParameterBoundsTheAccesses(t *testing.T) {
	cat, _ := catalogOf(t)
	a := New(Options{Target: "products"})
	s := a.Analyze("SELECT id FROM items ORDER BY embedding <=> $1 LIMIT $2", cat).Statements[0]
	if s.LimitParam != 2 || s.BoundParam != 2 {
		t.Fatalf("limit parameter %d, bound parameter %d, want 2", s.LimitParam, s.BoundParam)
	}
	if got := s.Limited(25)[0].Attributes; got.Rows != 25 || got.Limit != 25 {
		t.Errorf("with 25: %+v", got)
	}
	if got := s.Accesses[0].Attributes.Rows; got != access.Unbounded {
		t.Errorf("the statement itself has %d rows", got)
	}
	if got := s.Limited(-1)[0].Attributes.Rows; got != access.Unbounded {
		t.Errorf("with NULL: %d rows", got)
	}
	inner := a.Analyze("WITH n AS (SELECT id FROM items ORDER BY embedding <=> $1 LIMIT $2) SELECT count(*) OVER () FROM n", cat).Statements[0]
	if inner.LimitParam != 0 || inner.BoundParam != 2 {
		t.Errorf("inside: limit parameter %d, bound parameter %d, want 0 and 2", inner.LimitParam, inner.BoundParam)
	}
}
