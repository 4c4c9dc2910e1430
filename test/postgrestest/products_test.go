package postgrestest_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/test/data"
	"github.com/vecgate/vecgate/test/postgrestest"
)

func TestProductsHasEveryRowAndTheApplicationOwnsTheTables(t *testing.T) {
	conn := postgrestest.Start(t).NewProducts(t).App.Connect(t)
	for table, want := range map[string]int{"items": len(data.Items()), "customers": len(data.Customers()), "orders": len(data.Orders()), "customer_emails": len(data.Customers())} {
		var rows int
		if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&rows); err != nil || rows != want {
			t.Errorf("%s has %d rows, %v; want %d", table, rows, err, want)
		}
	}
	var foreign []string
	err := conn.QueryRow(t.Context(), `SELECT coalesce(array_agg(relname::text), '{}') FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v') AND pg_get_userbyid(relowner) <> $1`, postgrestest.AppRole).Scan(&foreign)
	if err != nil || len(foreign) != 0 {
		t.Errorf("not owned by %s: %v, %v", postgrestest.AppRole, foreign, err)
	}
}

func TestRowsAreTheSameInDatabaseAndPackage(t *testing.T) {
	conn := postgrestest.Start(t).NewProducts(t).App.Connect(t)
	for _, want := range []data.Item{data.Items()[0], data.Items()[999], data.Items()[1999]} {
		var got data.Item
		var embedding string
		err := conn.QueryRow(t.Context(), "SELECT id, name, section, summary, description, version, homepage, installed_kib, embedding::text FROM items WHERE id = $1", want.ID).
			Scan(&got.ID, &got.Name, &got.Section, &got.Summary, &got.Description, &got.Version, &got.Homepage, &got.InstalledKiB, &embedding)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscanf(strings.NewReplacer("[", "", ",", " ", "]", "").Replace(embedding), strings.Repeat("%g ", data.Dimensions), pointers(&got.Embedding)...); err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("item %d (-package +database):\n%s", want.ID, diff)
		}
	}
}

func pointers(v *data.Vector) []any {
	all := make([]any, len(v))
	for i := range v {
		all[i] = &v[i]
	}
	return all
}

func TestNearestItemsAgreeWithExactSearch(t *testing.T) {
	db := postgrestest.Start(t).NewProducts(t)
	conn := db.App.Connect(t)
	if _, err := conn.Exec(t.Context(), "SET enable_indexscan = off"); err != nil {
		t.Fatal(err)
	}
	items := data.Items()
	for _, query := range data.Queries() {
		slices.SortFunc(items, func(a, b data.Item) int {
			return cmp.Compare(query.Embedding.CosineDistance(&a.Embedding), query.Embedding.CosineDistance(&b.Embedding))
		})
		rows, err := conn.Query(t.Context(), "SELECT id FROM items ORDER BY embedding <=> $1::text::vector LIMIT 10", query.Embedding.String())
		if err != nil {
			t.Fatal(err)
		}
		var got, want []int64
		for rows.Next() {
			var id int64
			if err := rows.Scan(&id); err != nil {
				t.Fatal(err)
			}
			got = append(got, id)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		for _, item := range items[:10] {
			want = append(want, item.ID)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-exact +database):\n%s", query.Text, diff)
		}
	}
}

func TestNearestItemsCanComeFromTheIndex(t *testing.T) {
	conn := postgrestest.Start(t).NewProducts(t).App.Connect(t)
	rows, err := conn.Query(t.Context(), "EXPLAIN SELECT id FROM items ORDER BY embedding <=> (SELECT embedding FROM items WHERE id = 1) LIMIT 10")
	if err != nil {
		t.Fatal(err)
	}
	var plan strings.Builder
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&plan, line)
	}
	if !strings.Contains(plan.String(), "items_embedding") {
		t.Errorf("the plan does not use the index items_embedding:\n%s", plan.String())
	}
}

func TestScriptForPsqlMakesTheSameDatabase(t *testing.T) {
	server := postgrestest.Start(t)
	loaded, scripted := server.NewProducts(t), server.NewDatabase(t)
	var script bytes.Buffer
	if err := data.WriteSQL(&script); err != nil {
		t.Fatal(err)
	}
	psql := exec.CommandContext(t.Context(), filepath.Join(server.Bin, "psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", scripted.Admin.String())
	psql.Stdin = &script
	if out, err := psql.CombinedOutput(); err != nil {
		t.Fatalf("psql: %v\n%s", err, out)
	}
	if diff := gocmp.Diff(fingerprint(t, loaded), fingerprint(t, scripted)); diff != "" {
		t.Errorf("tables differ (-Load +WriteSQL):\n%s", diff)
	}
}

func fingerprint(t *testing.T, db postgrestest.Database) map[string]string {
	t.Helper()
	conn := db.Admin.Connect(t)
	prints := map[string]string{}
	for _, table := range []string{"items", "customers", "orders", "customer_emails"} {
		var print string
		err := conn.QueryRow(context.Background(), "SELECT md5(string_agg(x::text, E'\\n' ORDER BY id)) FROM "+table+" x").Scan(&print)
		if err != nil {
			t.Fatal(err)
		}
		prints[table] = print
	}
	return prints
}
