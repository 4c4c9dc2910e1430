package bypass

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/vecgate/vecgate/test/postgrestest"
)

// Worlds makes the two databases, which are alike but for the secrets in them. A gateway under test must mask
// **.email (redact), **.phone (partial), **.ssn (null) and withhold vectors, with the defaults for all the rest, and may
// otherwise let its client read and write everything.
func Worlds(t *testing.T, server *postgrestest.Server) [2]postgrestest.Database {
	t.Helper()
	first := server.NewProducts(t)
	run(t, first.Admin, setup...)
	run(t, first.App, setupAsApp...)
	name := first.Admin.Database + "_other"
	run(t, first.Admin.On("postgres"), fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", name, first.Admin.Database))
	t.Cleanup(func() { run(t, first.Admin.On("postgres"), fmt.Sprintf("DROP DATABASE %s WITH (FORCE)", name)) })
	worlds := [2]postgrestest.Database{first, {Admin: first.Admin.On(name), App: first.App.On(name)}}
	for i, w := range worlds {
		var statements []string
		for id, s := range secretsOf(i) {
			statements = append(statements, s.statements(id+1)...)
		}
		run(t, w.Admin, append(statements, "CLUSTER customers USING customers_pkey", "CLUSTER customers_archive USING archived", // rows in the same order in both
			"REFRESH MATERIALIZED VIEW contact_list", "VACUUM ANALYZE", "CHECKPOINT")...)
	}
	return worlds
}

func run(t *testing.T, dsn postgrestest.DSN, statements ...string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, dsn.String())
	if err != nil {
		t.Fatalf("connect to %s as %s: %v", dsn.Database, dsn.User, err)
	}
	defer conn.Close(ctx)
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// setup is what an administrator left in the database: everything that could carry a secret past a mask.
var setup = []string{
	fmt.Sprintf("DELETE FROM customers WHERE id > %d", Customers),
	"UPDATE customers SET notes = 'nothing to note', name = 'Customer ' || id",
	"CREATE TABLE customers_archive () INHERITS (customers)",
	fmt.Sprintf("WITH old AS (DELETE FROM ONLY customers WHERE id > %d RETURNING *) INSERT INTO customers_archive SELECT * FROM old", Customers-inherited),
	"DELETE FROM orders",
	"INSERT INTO orders SELECT i, i % 9 + 1, i, 1, 9.5, '2026-01-01' FROM generate_series(1, 30) i",
	"CREATE SCHEMA attic AUTHORIZATION " + postgrestest.AppRole,
	"CREATE INDEX archived ON customers_archive (id)",

	"CREATE TABLE contacts (id bigint, region text, email text, shout text GENERATED ALWAYS AS (upper(email)) STORED, whisper text GENERATED ALWAYS AS (lower(email)) VIRTUAL) PARTITION BY LIST (region)",
	"CREATE TABLE contacts_eu PARTITION OF contacts FOR VALUES IN ('eu')",
	"CREATE TABLE contacts_us PARTITION OF contacts FOR VALUES IN ('us')",
	"INSERT INTO contacts SELECT id, CASE WHEN id % 2 = 0 THEN 'eu' ELSE 'us' END, email FROM customers",
	"CREATE VIEW address_book AS SELECT id, name, email AS contact, phone AS line FROM customers",
	"CREATE VIEW shouted AS SELECT id, upper(contact) AS contact FROM address_book",
	"CREATE MATERIALIZED VIEW contact_list AS SELECT id, email AS contact FROM customers",
	"CREATE VIEW editable AS SELECT id, notes FROM customers",
	"CREATE TABLE logbook (id bigint, note text)",
	"INSERT INTO logbook SELECT i, 'entry ' || i FROM generate_series(1, 5) i",
	"CREATE TABLE doomed (id bigint)",
	"CREATE TABLE guesses (guess text)",
	// What is done to a branch reaches its members, and what is done to a member those whom it recommends.
	"CREATE TABLE branches (id bigint PRIMARY KEY, name text)",
	"INSERT INTO branches SELECT i, 'Branch ' || i FROM generate_series(1, 4) i",
	"CREATE TABLE members (id bigint PRIMARY KEY, branch bigint NOT NULL REFERENCES branches ON DELETE SET NULL ON UPDATE CASCADE, email text NOT NULL UNIQUE, CHECK (branch <> 99))",
	"CREATE TABLE clerks (id bigint PRIMARY KEY, branch bigint REFERENCES branches ON DELETE CASCADE, email text NOT NULL UNIQUE)",
	fmt.Sprintf("INSERT INTO members SELECT i, i %% 2 + 1, i FROM generate_series(1, %d) i", Customers),
	fmt.Sprintf("INSERT INTO clerks SELECT i, i %% 2 + 3, i FROM generate_series(1, %d) i", Customers),
	"CREATE TABLE vouchers (clerk text REFERENCES clerks (email) ON UPDATE CASCADE DEFERRABLE)",
	"INSERT INTO vouchers SELECT email FROM clerks",
	"INSERT INTO guesses SELECT chr(i) FROM generate_series(97, 122) i",

	`CREATE FUNCTION first_email() RETURNS text LANGUAGE sql STABLE AS 'SELECT email FROM public.customers ORDER BY id LIMIT 1'`,
	`CREATE FUNCTION all_emails() RETURNS SETOF text LANGUAGE sql STABLE AS 'SELECT email FROM public.customers ORDER BY id'`,
	`CREATE FUNCTION email_of(n bigint) RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT email FROM public.customers WHERE id = n); END $$`,
	`CREATE FUNCTION definer_email() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT email FROM public.customers ORDER BY id LIMIT 1'`,
	`CREATE FUNCTION tell() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', (SELECT email FROM public.customers ORDER BY id LIMIT 1); RETURN 1; END $$`,
	`CREATE FUNCTION fail(t text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'failed' USING DETAIL = t, HINT = t, COLUMN = t, TABLE = t, CONSTRAINT = t; END $$`,
	`CREATE FUNCTION open_cursor() RETURNS refcursor LANGUAGE plpgsql AS $$ DECLARE c refcursor := 'opened'; BEGIN OPEN c FOR SELECT email FROM public.customers; RETURN c; END $$`,
	`CREATE PROCEDURE tell_all() LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', (SELECT string_agg(email, ' ') FROM public.customers); END $$`,
	`CREATE FUNCTION same(a text, b text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT a || b'`,
	`CREATE OPERATOR public.||| (LEFTARG = text, RIGHTARG = text, FUNCTION = same)`,
	`CREATE OPERATOR public.=== (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = pg_catalog.int8eq)`,
	`CREATE FUNCTION look_up(n bigint) RETURNS text LANGUAGE sql STABLE AS 'SELECT phone FROM public.customers WHERE id = n'`,
	`CREATE OPERATOR public.@@@ (RIGHTARG = bigint, FUNCTION = look_up)`,
	`CREATE AGGREGATE gather (text) (SFUNC = textcat, STYPE = text, INITCOND = '')`,
	`CREATE FUNCTION valid(t text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', (SELECT email FROM public.customers ORDER BY id LIMIT 1); RETURN true; END $$`,
	`CREATE DOMAIN talkative AS text CHECK (valid(VALUE))`,
	`CREATE FUNCTION on_write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note := (SELECT email FROM public.customers ORDER BY id LIMIT 1); RETURN NEW; END $$`,
	`CREATE TABLE triggered (id bigint, note text)`,
	`INSERT INTO triggered VALUES (1, 'x')`,
	// What an administrator's trigger writes into an open column is open; what it says aside is not.
	`CREATE FUNCTION tell_on_write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM tell(); IF TG_OP = 'UPDATE' THEN RAISE EXCEPTION '%', email_of(1); END IF; RETURN NEW; END $$`,
	`CREATE TRIGGER talk BEFORE INSERT OR UPDATE ON triggered FOR EACH ROW EXECUTE FUNCTION tell_on_write()`,
	`CREATE TABLE ruled (id bigint, note text)`,
	`CREATE RULE talk AS ON INSERT TO ruled DO ALSO SELECT email FROM public.customers`,
	`CREATE SCHEMA evil`,
	`CREATE VIEW evil.logbook AS SELECT id, email AS note FROM public.customers`,
	`CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE sql STABLE AS 'SELECT email FROM public.customers ORDER BY id LIMIT 1'`,

	"CREATE EXTENSION dblink", "CREATE EXTENSION tablefunc", "CREATE EXTENSION pageinspect", "CREATE EXTENSION pgstattuple", "CREATE EXTENSION citext", "CREATE EXTENSION hstore", "CREATE EXTENSION pgcrypto", "CREATE EXTENSION fuzzystrmatch", "CREATE EXTENSION pg_trgm", "CREATE EXTENSION xml2",

	"GRANT USAGE ON SCHEMA evil TO " + postgrestest.AppRole,
	"GRANT SELECT ON ALL TABLES IN SCHEMA evil TO " + postgrestest.AppRole,
	`DO $$ DECLARE r record; BEGIN
	   FOR r IN SELECT relname, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') AND relowner <> '` + postgrestest.AppRole + `'::regrole
	              AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = pg_class.oid AND deptype = 'e') LOOP
	     EXECUTE format('ALTER %s public.%I OWNER TO ` + postgrestest.AppRole + `', CASE r.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END, r.relname);
	   END LOOP; END $$`,
}

// setupAsApp is done by the role that a gateway logs in with.
var setupAsApp = []string{
	"ALTER TABLE customers ALTER COLUMN email SET STATISTICS 100",
}
