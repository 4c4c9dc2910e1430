package bypass

import "github.com/jackc/pgx/v5/pgproto3"

// shadowed are the columns of a temporary table that stands where a masked one is meant: the same types in the same order,
// with the names of a hidden and an open column exchanged.
const shadowed = " (id bigint, name text, notes text, phone text, ssn text, city text, email text, embedding public.vector(384))"

// roundabout are attacks by way of something that is not read at all: what stands in front of a table, what a change
// reaches, what is said of a value when it is changed, what a recursion hands on.
var roundabout = []Case{
	{Class: 26, Name: "temporary table before the table", Steps: []Step{
		simple("SET search_path = ''"), simple("CREATE TEMP TABLE customers" + shadowed), simple("INSERT INTO customers SELECT * FROM public.customers"), simple("SELECT notes FROM customers"),
	}},
	{Class: 26, Name: "temporary table by its schema", Steps: []Step{
		simple("SELECT set_config('search_path', '', false)"), simple("CREATE TABLE pg_temp.customers" + shadowed), simple("INSERT INTO customers TABLE public.customers"), simple("SELECT notes FROM customers"),
	}},
	{Class: 26, Name: "temporary table made of a query", Steps: []Step{
		simple("SELECT id, name, notes, city AS phone, city AS ssn, city, notes AS email, NULL::vector(384) AS embedding INTO TEMP customers FROM customers LIMIT 0"),
		simple("SET search_path = ''"), simple("INSERT INTO customers SELECT * FROM public.customers"), simple("SELECT notes FROM customers"),
	}},

	{Class: 11, Name: "another part of a partly masked value", Steps: rolledBack(simple("UPDATE customers SET phone = left(phone, 5)"), simple("SELECT id, phone FROM customers ORDER BY id"))},
	{Class: 11, Name: "another part of it returned", Steps: rolledBack(simple("UPDATE customers SET phone = reverse(phone) RETURNING phone"))},
	{Class: 11, Name: "another part of it in a new row", Steps: rolledBack(simple("INSERT INTO customers SELECT id + 1000, name, email || 'x', left(phone, 4), ssn, city, notes, embedding FROM customers RETURNING phone"))},
	{Class: 11, Name: "another part of it by merge", Steps: rolledBack(simple("MERGE INTO customers c USING orders o ON o.id = c.id WHEN MATCHED THEN UPDATE SET phone = left(c.phone, 4) RETURNING c.phone"))},
	{Class: 11, Name: "another part of it by upsert", Steps: rolledBack(simple("INSERT INTO customers SELECT * FROM ONLY customers ON CONFLICT (id) DO UPDATE SET phone = left(excluded.phone, 4) RETURNING phone"))},
	{Class: 11, Name: "a value changed by itself, or an error", Steps: rolledBack(simple("UPDATE customers SET email = email || (1 / (ascii(email) - 103))::text WHERE id = 1"))},
	{Class: 11, Name: "a value left out by what it is", Steps: rolledBack(simple("UPDATE customers SET email = CASE WHEN email < 'm' THEN email END WHERE id = 1"))},
	{Class: 22, Name: "vector multiplied for its distance", Steps: rolledBack(simple("UPDATE customers SET embedding = embedding * array_fill(1000, array[384])::vector"), simple("SELECT embedding <#> ('[1' || repeat(',0', 383) || ']')::vector FROM customers WHERE id = 1"))},

	{Class: 16, Name: "rows handed on by a recursion", SQL: "WITH RECURSIVE r (x, y) AS (SELECT c, c.name FROM ONLY customers c UNION ALL SELECT row((r.x).id, (r.x).email, (r.x).email, (r.x).phone, (r.x).ssn, (r.x).city, (r.x).notes, (r.x).embedding)::customers, (r.x).name FROM r) SELECT y FROM (SELECT y FROM r LIMIT 40) s"},
	{Class: 16, Name: "order of a recursion handed on", SQL: "WITH RECURSIVE r (n, y, z) AS (SELECT 1, 'a'::text, ''::text UNION ALL SELECT r.n + 1, (SELECT email FROM customers WHERE id = r.n), r.o::text FROM r WHERE n < 6) SEARCH DEPTH FIRST BY y SET o SELECT z FROM r"},

	{Class: 45, Name: "merge returning everything", Steps: rolledBack(
		send("without a description", 1, &pgproto3.Parse{Query: "MERGE INTO logbook l USING customers c ON l.id = c.id WHEN MATCHED THEN UPDATE SET note = 'x' RETURNING *"}, bind("", "", 0, nil), &pgproto3.Execute{}, &pgproto3.Sync{}),
	), Through: Masked},
	{Class: 45, Name: "merge returning everything, into rows", Steps: rolledBack(simple("WITH m (a, b, c, d, e, f, g, h, i, j) AS (MERGE INTO logbook l USING customers c ON l.id = c.id WHEN MATCHED THEN UPDATE SET note = 'x' RETURNING *) SELECT c || '' FROM m"))},

	{Class: 23, Name: "row that a deletion elsewhere reaches", Steps: rolledBack(simple("DELETE FROM branches WHERE id = 1"))},
	{Class: 23, Name: "row that a change elsewhere reaches", Steps: rolledBack(simple("UPDATE branches SET id = 99 WHERE id = 1"))},
	{Class: 23, Name: "key that a deletion elsewhere reaches", Steps: rolledBack(simple("DELETE FROM branches WHERE id = 3"))},
	{Class: 23, Name: "key that is asked for at the end", Steps: rolledBack(simple("SET CONSTRAINTS ALL DEFERRED"), simple("DELETE FROM branches WHERE id = 3"), simple("SET CONSTRAINTS ALL IMMEDIATE"))},
	{Class: 23, Name: "key that is asked for at the commit", Steps: []Step{simple("BEGIN"), simple("SET CONSTRAINTS ALL DEFERRED"), simple("DELETE FROM branches WHERE id = 3"), simple("COMMIT")}},

	{Class: 20, Name: "foreign key to a secret", Steps: rolledBack(simple("CREATE TABLE g (v text REFERENCES customers (email))"), simple("INSERT INTO g VALUES ('"+secretsOf(0)[0].Email+"')"))},
	{Class: 20, Name: "foreign key to a secret, added later", Steps: rolledBack(simple("INSERT INTO guesses VALUES ('"+secretsOf(0)[0].Email+"')"), simple("DELETE FROM guesses WHERE length(guess) = 1"), simple("ALTER TABLE guesses ADD FOREIGN KEY (guess) REFERENCES customers (email)"))},
	{Class: 20, Name: "foreign key of a secret", Steps: rolledBack(simple("CREATE TABLE g (v text UNIQUE)"), simple("INSERT INTO g SELECT 'x'"), simple("DELETE FROM members WHERE id > 1"), simple("INSERT INTO g VALUES ('"+secretsOf(0)[0].Email+"')"), simple("ALTER TABLE members ADD FOREIGN KEY (email) REFERENCES g (v)"))},
	{Class: 21, Name: "order of an index", Steps: rolledBack(simple("CREATE INDEX ON customers (email, id)"), simple("SET LOCAL enable_seqscan = off"), simple("SET LOCAL enable_bitmapscan = off"), simple("SELECT id FROM ONLY customers"))},
	{Class: 21, Name: "order of all tables", Steps: []Step{simple("ALTER TABLE members CLUSTER ON members_email_key"), simple("CLUSTER"), simple("SELECT id FROM members")}},
	{Class: 20, Name: "length of a type", Steps: rolledBack(simple("ALTER TABLE members ALTER COLUMN email TYPE varchar(26)"))},
	{Class: 20, Name: "unique constraint", Steps: rolledBack(simple("DELETE FROM customers WHERE id > 4"), simple("ALTER TABLE customers ADD UNIQUE (phone)"))},
	{Class: 20, Name: "exclusion constraint", Steps: rolledBack(simple("DELETE FROM customers WHERE id > 4"), simple("ALTER TABLE customers ADD EXCLUDE USING btree (phone WITH =)"))},
}
