package bypass

import (
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

// long is as much of a name as PostgreSQL keeps: what follows is cut off without a word in the protocol.
var long = strings.Repeat("n", 63)

// confusions try to make a gateway apply the masks of one statement to the rows of another: they let it believe that a
// name stands for something that the server knows it does not.
var confusions = []Case{
	{Class: 5, Name: "names alike but for their end", Steps: []Step{
		parse(long+"A", "SELECT name FROM customers ORDER BY id"),
		send("close by another end", 1, &pgproto3.Close{ObjectType: 'S', Name: long + "B"}, &pgproto3.Sync{}),
		parse(long+"C", "SELECT email FROM customers ORDER BY id"),
		execute(long+"A", 0),
	}, Through: Harmless},
	{Class: 5, Name: "long name in SQL and in the protocol", Steps: []Step{
		simple("PREPARE " + long + "A AS SELECT name FROM customers"), simple("DEALLOCATE " + long + "B"),
		parse(long+"C", "SELECT email FROM customers"), simple("EXECUTE " + long + "A"), execute(long+"A", 1),
	}, Through: Harmless},
	{Class: 5, Name: "second statement under a cut name", Steps: []Step{
		parse(long+"A", "SELECT email FROM customers"), parse(long+"B", "SELECT name FROM customers"), execute(long+"B", 0), execute(long, 0),
	}, Through: Harmless},
	{Class: 6, Name: "portals alike but for their end", Steps: []Step{send("portals alike but for their end", 1,
		&pgproto3.Parse{Name: "e", Query: "SELECT email FROM customers"}, &pgproto3.Parse{Name: "n", Query: "SELECT name FROM customers"},
		bind(long+"A", "n", 0, nil), &pgproto3.Close{ObjectType: 'P', Name: long + "B"}, bind(long+"C", "e", 0, nil),
		&pgproto3.Execute{Portal: long + "A"}, &pgproto3.Sync{})}, Through: Harmless},
	{Class: 6, Name: "cursor and portal alike but for their end", Steps: rolledBack(
		simple("DECLARE "+long+"A CURSOR FOR SELECT name FROM customers"),
		send("close by another end, bind, fetch", 1, &pgproto3.Close{ObjectType: 'P', Name: long + "B"}, &pgproto3.Parse{Query: "SELECT email FROM customers"}, bind(long+"C", "", 0, nil), &pgproto3.Sync{}),
		simple("FETCH ALL FROM "+long+"A")), Through: Harmless},
	{Class: 5, Name: "case of names", Steps: []Step{
		parse("S", "SELECT email FROM customers"), simple("PREPARE S AS SELECT name FROM customers"), simple(`EXECUTE "S"`), execute("S", 0), simple("EXECUTE s"),
	}, Through: Harmless},
	{Class: 6, Name: "case of cursors", Steps: rolledBack(
		simple(`DECLARE "C" CURSOR FOR SELECT email FROM customers`), simple("DECLARE C CURSOR FOR SELECT name FROM customers"), simple(`FETCH ALL FROM "C"`), simple("FETCH ALL FROM c")), Through: Masked},
	{Class: 5, Name: "redefinition in a failed transaction", Steps: []Step{
		parse("s", "SELECT email FROM customers"), simple("BEGIN"), simple("SELECT 1/0"), simple("DEALLOCATE s"), parse("s", "SELECT name FROM customers"),
		simple("PREPARE s AS SELECT name FROM customers"), simple("ROLLBACK"), execute("s", 0), simple("EXECUTE s"),
	}, Through: Harmless},
	{Class: 5, Name: "redefinition after an error in one text", Steps: []Step{
		parse("s", "SELECT email FROM customers"), simple("SELECT 1/0; DEALLOCATE s; PREPARE s AS SELECT name FROM customers"), execute("s", 0), simple("EXECUTE s"),
	}, Through: Harmless},
	{Class: 5, Name: "redefinition skipped in a pipeline", Steps: []Step{
		parse("s", "SELECT email FROM customers"),
		send("error, deallocate, prepare", 1, &pgproto3.Parse{Query: "SELECT 1/0"}, bind("", "", 0, nil), &pgproto3.Execute{},
			&pgproto3.Parse{Query: "DEALLOCATE s"}, bind("", "", 0, nil), &pgproto3.Execute{},
			&pgproto3.Parse{Query: "PREPARE s AS SELECT name FROM customers"}, bind("", "", 0, nil), &pgproto3.Execute{}, &pgproto3.Sync{}),
		execute("s", 0), simple("EXECUTE s"),
	}, Through: Harmless},
	{Class: 5, Name: "everything deallocated", Steps: []Step{
		parse("s", "SELECT name FROM customers"), simple("DEALLOCATE ALL"), simple("PREPARE s AS SELECT email FROM customers"), execute("s", 0), simple("DISCARD ALL"), parse("s", "SELECT phone FROM customers"), execute("s", 0),
	}, Through: Harmless},
	{Class: 5, Name: "portal outlives its statement", Steps: []Step{send("portal outlives its statement", 1,
		&pgproto3.Parse{Query: "SELECT email FROM customers"}, bind("p", "", 0, nil), &pgproto3.Parse{Query: "SELECT name FROM customers"}, bind("", "", 0, nil),
		&pgproto3.Execute{}, &pgproto3.Execute{Portal: "p"}, &pgproto3.Sync{})}, Through: Masked},
	{Class: 5, Name: "unnamed portal replaced", Steps: []Step{send("unnamed portal replaced", 1,
		&pgproto3.Parse{Name: "n", Query: "SELECT name FROM customers"}, &pgproto3.Parse{Name: "e", Query: "SELECT email FROM customers"},
		bind("", "n", 0, nil), &pgproto3.Describe{ObjectType: 'P'}, bind("", "e", 1, nil), &pgproto3.Execute{MaxRows: 2}, bind("", "n", 0, nil), &pgproto3.Execute{}, bind("", "e", 0, nil), &pgproto3.Execute{MaxRows: 1}, &pgproto3.Execute{}, &pgproto3.Sync{})}, Through: Masked},
	{Class: 5, Name: "simple query amid extended ones", Steps: []Step{send("Parse, Query, Bind", 3,
		&pgproto3.Parse{Query: "SELECT email FROM customers"}, bind("", "", 0, nil), &pgproto3.Query{String: "SELECT name FROM customers"},
		bind("", "", 0, nil), &pgproto3.Execute{}, &pgproto3.Sync{},
		&pgproto3.Parse{Query: "SELECT phone FROM customers"}, bind("", "", 0, nil), &pgproto3.Execute{}, &pgproto3.Sync{})}, Through: Harmless},
	{Class: 5, Name: "flushed after every message", Steps: []Step{send("flushed after every message", 1,
		&pgproto3.Parse{Query: "SELECT id, email FROM customers"}, &pgproto3.Flush{}, &pgproto3.Describe{ObjectType: 'S'}, &pgproto3.Flush{},
		bind("", "", 1, nil), &pgproto3.Flush{}, &pgproto3.Execute{MaxRows: 1}, &pgproto3.Flush{}, &pgproto3.Execute{}, &pgproto3.Flush{}, &pgproto3.Sync{})}, Through: Masked},
	{Class: 5, Name: "pipeline over several syncs", Steps: []Step{send("three syncs at once", 3,
		&pgproto3.Parse{Name: "a", Query: "SELECT name FROM customers"}, bind("", "a", 0, nil), &pgproto3.Execute{}, &pgproto3.Sync{},
		&pgproto3.Close{ObjectType: 'S', Name: "a"}, &pgproto3.Parse{Name: "a", Query: "SELECT email FROM customers"}, bind("", "a", 0, nil), &pgproto3.Execute{}, &pgproto3.Sync{},
		bind("", "a", 1, nil), &pgproto3.Execute{}, &pgproto3.Sync{})}, Through: Masked},
	{Class: 5, Name: "refused in the middle of a pipeline", Steps: []Step{send("open, derived, masked; masked", 2,
		&pgproto3.Parse{Query: "SELECT name FROM customers"}, bind("", "", 0, nil), &pgproto3.Execute{},
		&pgproto3.Parse{Query: "SELECT upper(email) FROM customers"}, bind("", "", 0, nil), &pgproto3.Execute{},
		&pgproto3.Parse{Query: "SELECT email FROM customers"}, bind("", "", 0, nil), &pgproto3.Execute{}, &pgproto3.Sync{},
		&pgproto3.Parse{Query: "SELECT email FROM customers"}, bind("", "", 0, nil), &pgproto3.Execute{}, &pgproto3.Sync{})}},
	{Class: 5, Name: "formats mixed", Steps: []Step{send("formats of each column", 1,
		&pgproto3.Parse{Query: "SELECT id, email, embedding, phone FROM customers"},
		&pgproto3.Bind{ResultFormatCodes: []int16{0, 1, 1, 0}}, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}, &pgproto3.Sync{})}, Through: Masked},
	{Class: 5, Name: "more formats than columns", Steps: []Step{send("more formats than columns", 1,
		&pgproto3.Parse{Query: "SELECT email FROM customers"},
		&pgproto3.Bind{ResultFormatCodes: []int16{0, 1, 1, 0}}, &pgproto3.Execute{}, &pgproto3.Sync{})}, Proof: Nothing, Why: "PostgreSQL refuses it too"},

	{Class: 17, Name: "CTE named as a table, too late", SQL: "WITH a AS (SELECT upper(email) AS v FROM customers), customers AS (SELECT 'x'::text AS email) SELECT v FROM a"},
	{Class: 17, Name: "CTE shadows within", SQL: "WITH customers AS (SELECT id, email AS name FROM public.customers) SELECT name || '' FROM customers"},
	{Class: 17, Name: "CTE shadows in a sub-select only", SQL: "SELECT (WITH customers AS (SELECT 'x'::text AS email) SELECT email FROM customers), upper(c.email) FROM customers c"},
	{Class: 17, Name: "right join merges a column", SQL: "SELECT x FROM (SELECT 'q'::text AS x) a RIGHT JOIN (SELECT email AS x FROM customers) b USING (x)"},
	{Class: 17, Name: "full join merges a column", SQL: "SELECT x FROM (SELECT 'q'::text AS x) a FULL JOIN (SELECT email AS x FROM customers) b USING (x)"},
	{Class: 19, Name: "default of lag", SQL: "SELECT lag(name, 100, email) OVER (ORDER BY id) FROM customers"},
	{Class: 19, Name: "nth value", SQL: "SELECT nth_value(email, 2) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM customers"},
	{Class: 16, Name: "default of an XML column", SQL: "SELECT x.v FROM customers c, xmltable('/e' PASSING ('<e/>'::xml) COLUMNS v text PATH 'f' DEFAULT c.email) x"},
	{Class: 16, Name: "JSON passing", SQL: "SELECT json_query('1'::jsonb, '$x' PASSING email AS x) FROM customers"},
	{Class: 23, Name: "description of an error as a value", SQL: "SELECT (pg_input_error_info(email, 'int')).message FROM customers"},
	{Class: 8, Name: "insert returning a sub-select", Steps: rolledBack(simple("INSERT INTO logbook VALUES (99, 'x') RETURNING (SELECT upper(email) FROM customers ORDER BY id LIMIT 1)"))},
	{Class: 8, Name: "delete using returning", Steps: rolledBack(simple("DELETE FROM logbook USING customers c WHERE logbook.id = c.id RETURNING c.email || ''"))},
	{Class: 8, Name: "delete using returning plainly", Steps: rolledBack(simple("DELETE FROM logbook USING customers c WHERE logbook.id = c.id RETURNING logbook.id, c.email")), Through: Masked},

	{Class: 10, Name: "type changed using another column", Steps: rolledBack(simple("ALTER TABLE customers ALTER COLUMN city TYPE text USING email"), simple("SELECT city FROM customers"))},
	{Class: 10, Name: "generated column added", Steps: rolledBack(simple("ALTER TABLE customers ADD COLUMN leak text GENERATED ALWAYS AS (email || '') STORED"), simple("SELECT leak FROM customers"))},
	{Class: 10, Name: "generated column redefined", Steps: rolledBack(simple("ALTER TABLE contacts ADD COLUMN w text GENERATED ALWAYS AS (region) VIRTUAL"), simple("ALTER TABLE contacts ALTER COLUMN w SET EXPRESSION AS (email || '')"), simple("SELECT w FROM contacts"))},
	{Class: 10, Name: "column added and filled", Steps: rolledBack(simple("ALTER TABLE customers ADD COLUMN leak text"), simple("UPDATE customers SET leak = email"), simple("SELECT leak FROM customers"))},
	{Class: 10, Name: "default that calls a function", Steps: rolledBack(simple("ALTER TABLE logbook ALTER COLUMN note SET DEFAULT first_email()"), simple("INSERT INTO logbook (id) VALUES (1) RETURNING note"))},
	{Class: 10, Name: "column added with a default that calls a function", Steps: rolledBack(simple("ALTER TABLE logbook ADD COLUMN v text DEFAULT first_email()"), simple("SELECT v FROM logbook"))},
	{Class: 10, Name: "check that calls a function", Steps: rolledBack(simple("ALTER TABLE logbook ADD CHECK (fail(email_of(1)) = 1)"))},
	{Class: 10, Name: "type changed by a function", Steps: rolledBack(simple("ALTER TABLE logbook ALTER COLUMN note TYPE text USING email_of(id)"), simple("SELECT note FROM logbook"))},
	{Class: 10, Name: "operator made of a function", Steps: rolledBack(simple("CREATE OPERATOR public.!!! (RIGHTARG = bigint, FUNCTION = email_of)"), simple("SELECT OPERATOR(public.!!!) 1::bigint"))},
	{Class: 10, Name: "domain made of a function", Steps: rolledBack(simple("CREATE DOMAIN d AS text CHECK (valid(VALUE))"), simple("SELECT 'x'::d"))},
	{Class: 10, Name: "view redefined in one transaction", Steps: rolledBack(simple("CREATE OR REPLACE VIEW editable AS SELECT id, notes FROM customers"), simple("CREATE OR REPLACE VIEW editable AS SELECT id, email AS notes FROM customers"), simple("SELECT upper(notes) FROM editable"))},
	{Class: 10, Name: "table of the same name in its place", Steps: rolledBack(simple("ALTER TABLE logbook RENAME TO old_logbook"), simple("ALTER TABLE customers_archive NO INHERIT customers"), simple("ALTER TABLE customers_archive RENAME TO logbook"), simple("ALTER TABLE logbook RENAME COLUMN email TO note"), simple("SELECT note FROM logbook"))},
	{Class: 10, Name: "names of two columns exchanged", Steps: rolledBack(simple("ALTER TABLE contacts RENAME COLUMN region TO was_region"), simple("ALTER TABLE contacts RENAME COLUMN email TO region"), simple("SELECT region FROM contacts"))},
	{Class: 47, Name: "prepared before a renaming", Steps: rolledBack(parse("s", "SELECT region FROM contacts"), simple("ALTER TABLE contacts RENAME COLUMN region TO was_region"), simple("ALTER TABLE contacts RENAME COLUMN email TO region"), execute("s", 0))},
}
