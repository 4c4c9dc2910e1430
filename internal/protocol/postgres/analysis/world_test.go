package analysis

import (
	"context"
	"testing"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/test/postgrestest"
)

// schema is what the tests read and attack, beside the demonstration data: views, partitions, children, generated columns,
// functions and operators of a user.
const schema = `
CREATE DOMAIN tag AS text CHECK (length(VALUE) < 100);
CREATE VIEW contact AS SELECT id, email AS mail, upper(name) AS shout, city FROM customers;
CREATE VIEW contact2 AS SELECT mail AS m2, id, city FROM contact;
CREATE MATERIALIZED VIEW cities AS SELECT city, count(*) AS n, max(email) AS top FROM customers GROUP BY city;
CREATE TABLE secrets (id int PRIMARY KEY, email text, half text GENERATED ALWAYS AS (left(email, 3)) STORED, note text, label tag);
CREATE TABLE events (id int, day date, email text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE people (id int PRIMARY KEY, email text, nickname text);
CREATE TABLE staff (badge text) INHERITS (people);
CREATE TABLE ruled (id int, email text);
CREATE RULE copy_out AS ON INSERT TO ruled DO ALSO INSERT INTO people VALUES (new.id, new.email);
CREATE TABLE plain (id int PRIMARY KEY, a text, b text, v vector(3), wide bigint, UNIQUE (a, b));
CREATE FUNCTION leak(int) RETURNS text LANGUAGE sql AS 'SELECT email FROM customers LIMIT 1';
CREATE FUNCTION evil_eq(text, int) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR === (leftarg = text, rightarg = int, function = evil_eq);
CREATE FUNCTION lower(int) RETURNS text LANGUAGE sql AS 'SELECT email FROM customers LIMIT 1';
CREATE FUNCTION look_up(n bigint) RETURNS text LANGUAGE sql STABLE AS 'SELECT phone FROM public.customers WHERE id = n';
CREATE OPERATOR public.@@@ (RIGHTARG = bigint, FUNCTION = look_up);
CREATE FUNCTION valid(t text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE DOMAIN talkative AS text CHECK (valid(VALUE));
CREATE TYPE pair AS (a int, b talkative);
CREATE TYPE boxed AS (n int, e vector(3));
CREATE DOMAIN boxes_of AS boxed[];
CREATE TABLE boxes (id int, b boxed, many boxes_of);
CREATE SEQUENCE counter;
CREATE INDEX plain_v ON plain USING hnsw (v vector_l2_ops);
CREATE SCHEMA other;
CREATE TABLE other.thing (id int PRIMARY KEY, email text);
`

func postgrestestDatabase(t testing.TB) postgrestest.Database {
	t.Helper()
	return postgrestest.Start(t).NewProducts(t)
}

// catalogOf makes a database with the schema above, and loads its catalog.
func catalogOf(t testing.TB) (*Catalog, postgrestest.Database) {
	t.Helper()
	db := postgrestest.Start(t).NewProducts(t)
	conn := db.App.Connect(t)
	ctx := context.Background()
	if _, err := db.Admin.Connect(t).Exec(ctx, schema); err != nil {
		t.Fatal(err)
	}
	cat, err := LoadCatalog(ctx, conn, "products")
	if err != nil {
		t.Fatal(err)
	}
	return cat, db
}

// protection masks e-mail addresses and what else is personal, and withholds vectors.
func protection() *access.Protection {
	return &access.Protection{
		ID: 1,
		Fields: []access.FieldRule{
			{Pattern: "**.email", Treatment: access.Treatment{Mask: access.MaskRedact, Rule: "personal-data"}},
			{Pattern: "**.phone", Treatment: access.Treatment{Mask: access.MaskPartial, Rule: "personal-data", Derived: "null"}},
			{Pattern: "**.ssn", Treatment: access.Treatment{Mask: access.MaskHash, Rule: "personal-data", Predicates: "equality"}},
		},
		Vectors: []access.VectorRule{{Pattern: "**", Treatment: access.Treatment{Mask: access.MaskNull, Rule: "embeddings"}}},
	}
}

// smallCatalog is made by hand, for tests without a server.
func smallCatalog() *Catalog {
	cat := &Catalog{
		Target: "products", Epoch: 7, database: "products", path: []string{"pg_catalog", "public"}, vectors: "public", relations: map[name]*Relation{}, byOID: map[uint32]*Relation{},
		indexes: map[name]*Relation{}, functions: map[string][]function{}, operators: map[string][]operator{}, types: map[name]*dataType{},
		typeOID: map[uint32]*dataType{}, schemas: map[string]bool{"public": true}, extensions: map[string]bool{},
	}
	for i, n := range []string{"text", "int4", "int8", "bool", "date", "regclass", "float8", "numeric", "jsonb"} {
		t := &dataType{oid: uint32(20 + i), name: name{"pg_catalog", n}, kind: 'b'}
		cat.types[t.name], cat.typeOID[t.oid] = t, t
	}
	vector := &dataType{oid: 900, name: name{"public", "vector"}, kind: 'b', vector: true}
	cat.types[vector.name], cat.typeOID[900] = vector, vector
	for i, s := range []source{
		{"people", []string{"id", "email", "nickname"}},
		{"customers", []string{"id", "name", "email", "embedding"}},
		{"items", []string{"id", "name", "embedding"}},
		{"plain", []string{"id", "a", "b", "v"}},
	} {
		r := &Relation{OID: uint32(1000 + i), Resource: access.Resource{Target: "products", Namespace: "public", Collection: s.name}, kind: 'r', schema: "public", name: s.name}
		for j, c := range s.columns {
			col := &Column{Relation: r.OID, Attnum: int16(j + 1), Resource: r.Resource, Name: c, TypeOID: 20}
			if c == "embedding" || c == "v" {
				col.Vector, col.TypeOID = true, 900
			}
			r.Columns = append(r.Columns, col)
		}
		r.keys, r.roots = [][]*Column{{r.Columns[0]}}, []*Relation{r}
		cat.relations[name{"public", s.name}], cat.byOID[r.OID] = r, r
	}
	return cat
}
