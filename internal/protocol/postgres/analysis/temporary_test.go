package analysis

import "testing"

// TestNothingTemporaryIsMade: a temporary relation is in no catalog, and where pg_temp is searched first, which is
// everywhere but behind a search_path that says otherwise, it stands in front of the table whose name it has.
func TestNothingTemporaryIsMade(t *testing.T) {
	cat, _ := catalogOf(t)
	a := New(Options{Target: "products"})
	for _, text := range []string{
		"CREATE TEMP TABLE customers (id int)", "CREATE TABLE pg_temp.customers (id int)", "CREATE TABLE pg_temp_7.customers (id int)",
		"CREATE LOCAL TEMPORARY TABLE IF NOT EXISTS customers (id int)", "CREATE TEMP TABLE t AS SELECT 1", "SELECT 1 AS a INTO TEMP t",
		"SELECT 1 AS a INTO pg_temp.t", "CREATE TEMP VIEW v AS SELECT 1", "CREATE VIEW pg_temp.v AS SELECT 1", "CREATE TEMP SEQUENCE s",
		"CREATE TYPE pg_temp.t AS (a int)", "CREATE TYPE pg_temp.t AS ENUM ('a')", "CREATE TEMP RECURSIVE VIEW v (n) AS SELECT 1",
		"EXPLAIN ANALYZE CREATE TEMP TABLE t AS SELECT 1",
	} {
		if s := a.Analyze(text, cat).Statements[0]; s.Unclear == "" || s.Missing != "" {
			t.Errorf("%s: %q (%s)", text, s.Unclear, s.Missing)
		}
	}
	for _, text := range []string{"CREATE TABLE t (id int)", "CREATE TABLE public.pg_temp (id int)", "DISCARD TEMP"} {
		if s := a.Analyze(text, cat).Statements[0]; s.Unclear != "" {
			t.Errorf("%s: %q", text, s.Unclear)
		}
	}
}
