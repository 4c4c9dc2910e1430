package analysis

import (
	"context"
	"testing"
)

func TestNamesAreFoundAlongTheSearchPathOfTheTarget(t *testing.T) {
	ctx := context.Background()
	db := postgrestestDatabase(t)
	admin := db.Admin.Connect(t)
	if _, err := admin.Exec(ctx, "CREATE SCHEMA app; CREATE TABLE app.items (id int, secret text); SET search_path = app, public, pg_temp"); err != nil {
		t.Fatal(err)
	}
	cat, err := LoadCatalog(ctx, admin, "products")
	if err != nil {
		t.Fatal(err)
	}
	a := New(Options{Target: "products"})
	for text, want := range map[string]string{
		"SELECT secret FROM items":         "products/app/items",
		"SELECT name FROM public.items":    "products/public/items",
		"SELECT id FROM orders":            "products/public/orders",
		"CREATE TABLE made (id int)":       "products/app/made",
		"DROP TABLE items":                 "products/app/items",
		"CREATE TABLE other.made (id int)": "products/other/made",

		// There is one further along the path, before which this one would stand.
		"CREATE TABLE IF NOT EXISTS orders (id int)":   "products/app/orders",
		"ALTER TABLE IF EXISTS later ADD COLUMN n int": "products/app/later",
		"ALTER TABLE items ADD COLUMN n int":           "products/app/items",
	} {
		s := a.Analyze(text, cat).Statements[0]
		if s.Unclear != "" || len(s.Accesses) != 1 || s.Accesses[0].Resource.String() != want {
			t.Errorf("%s: %v %s, want %s", text, s.Accesses, s.Unclear, want)
		}
	}
	for text, passes := range map[string]bool{
		"SET search_path = app, public, pg_temp": true, "SET search_path = app, public": true, "SET search_path = ''": true,
		`SET search_path = "app, public"`: false, `SET search_path = 'app, public'`: false, `SELECT set_config('search_path', '"app, public"', false)`: false,
		`SET search_path = "app", public`: true, `SELECT set_config('search_path', '"app", public', false)`: true,
		"SET search_path = app, public, pg_catalog": false, "SET search_path = pg_catalog, app, public": true,
		"SET search_path = public": false, "SET search_path = public, app": false, "SET search_path = app, later, public": false, // may be made later
		"SELECT set_config('search_path', 'public', false)": false, "SELECT set_config('search_path', '', false)": true,
	} {
		if s := a.Analyze(text, cat).Statements[0]; (s.Unclear == "") != passes {
			t.Errorf("%s: %q", text, s.Unclear)
		}
	}
	var still string
	if err := admin.QueryRow(ctx, "SHOW search_path").Scan(&still); err != nil || still != "app, public, pg_temp" {
		t.Errorf("the connection's search_path is %q afterwards (%v)", still, err)
	}
}
