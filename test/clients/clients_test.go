// Package clients drives stock clients through the gateway, as their users would, and compares with what they see without it.
package clients

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/internal/identity/login"
	"github.com/vecgate/vecgate/test/get/fetch"
	"github.com/vecgate/vecgate/test/postgrestest"
	"github.com/vecgate/vecgate/test/world"
)

// policyText lets Tess do everything, so that her clients must see no difference; for Sam personal data and vectors are hidden.
const policyText = `
allow:
  - {name: everything, who: {groups: [Everything]}, can: ["*"], on: ["**"]}
  - {name: reading, who: {groups: [Vector-Read]}, can: [search, fetch, scroll, count, aggregate, schema.list, schema.read, iam.read, session.set], on: ["**"]}
protect:
  - name: personal-data
    fields: ["**.email", "**.phone", "**.ssn"]
    mask: redact
    except: {groups: [Everything]}
  - name: embeddings-stay-inside
    vectors: withhold
    except: {groups: [Everything]}
`

// day is one driver's working day; see scripts.
type day struct {
	name   string
	argv   func(k *kit, mode string) []string
	masked bool // it has a masked half
}

// kit is what the drivers need to run.
type kit struct {
	python, nodePath, jdbc, classes, scripts string
}

func newKit(t *testing.T) *kit {
	t.Helper()
	f, err := fetch.New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	k := &kit{scripts: filepath.Join(world.Root(), "test/clients/scripts"), classes: t.TempDir()}
	if k.python, err = f.Python(t.Context()); err != nil {
		t.Fatal(err)
	}
	if k.nodePath, err = f.Node(t.Context()); err != nil {
		t.Fatal(err)
	}
	if k.jdbc, err = f.JDBC(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("javac", "-d", k.classes, filepath.Join(k.scripts, "Day.java")).CombinedOutput(); err != nil {
		t.Fatalf("javac: %v\n%s", err, out)
	}
	return k
}

func python(driver string) func(*kit, string) []string {
	return func(k *kit, mode string) []string {
		return []string{k.python, filepath.Join(k.scripts, "day.py"), driver, mode}
	}
}

var days = []day{
	{"psycopg3", python("psycopg3"), true},
	{"psycopg2", python("psycopg2"), true},
	{"asyncpg", python("asyncpg"), true},
	{"sqlalchemy", python("sqlalchemy"), true},
	{"langchain", python("langchain"), false},
	{"node-postgres", func(k *kit, mode string) []string { return []string{"node", filepath.Join(k.scripts, "day.js"), mode} }, true},
	{"jdbc", func(k *kit, mode string) []string {
		return []string{"java", "-XX:TieredStopAtLevel=1", "-cp", k.classes + ":" + k.jdbc, "Day", mode}
	}, true},
}

// place is a server to talk to and who talks.
type place struct {
	port                     int
	user, password, database string
	sslmode                  string
}

func (p place) environ() []string {
	return []string{
		"PGHOST=127.0.0.1", "PGPORT=" + strconv.Itoa(p.port), "PGUSER=" + p.user, "PGPASSWORD=" + p.password,
		"PGDATABASE=" + p.database, "PGSSLMODE=" + p.sslmode, "PGGSSENCMODE=disable",
	}
}

func tell(t *testing.T, k *kit, d day, mode string, p place) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	argv := d.argv(k, mode)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(append(os.Environ(), p.environ()...), "NODE_PATH="+k.nodePath, "NODE_NO_WARNINGS=1")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s\n%s", d.name, mode, err, stdout.String(), stderr.String())
	}
	return stdout.String()
}

func stand(t *testing.T) (*world.Gateway, postgrestest.Database) {
	t.Helper()
	server := postgrestest.Start(t)
	db := server.NewProducts(t)
	return world.Test(t, world.GatewayOptions{Postgres: server, Database: db.App.Database, Policy: policyText}), db
}

func token(t *testing.T, g *world.Gateway, who string) string {
	t.Helper()
	return g.TestToken(t, who, login.Ask{})
}

func TestStockClientsSeeNoDifferenceWherePolicyMakesNone(t *testing.T) {
	k := newKit(t)
	g, db := stand(t)
	direct := place{db.App.Port, db.App.User, db.App.Password, db.App.Database, "require"}
	tess := token(t, g, "tess")
	for _, d := range days {
		t.Run(d.name, func(t *testing.T) {
			want := tell(t, k, d, "normal", direct)
			if strings.Count(want, "\n") < 4 {
				t.Fatalf("the day is hardly a day:\n%s", want)
			}
			for _, through := range []place{
				{g.TLSPort, "tess", tess, "products", "require"},
				{g.PlainPort, "tess", tess, "products", "disable"},
			} {
				got := tell(t, k, d, "normal", through)
				if diff := gocmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
					t.Errorf("sslmode %s (-direct +gateway):\n%s", through.sslmode, diff)
				}
			}
		})
	}
}

func TestStockClientsSeeMaskedValuesAndUsableRefusals(t *testing.T) {
	k := newKit(t)
	g, db := stand(t)
	var email, phone string
	admin := db.Admin.Connect(t)
	if err := admin.QueryRow(t.Context(), "SELECT email, phone FROM customers WHERE id = 7").Scan(&email, &phone); err != nil {
		t.Fatal(err)
	}
	sam := token(t, g, "sam")
	for _, d := range days {
		if !d.masked {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			got := tell(t, k, d, "masked", place{g.TLSPort, "sam", sam, "products", "require"})
			if strings.Contains(got, email) || strings.Contains(got, phone) {
				t.Errorf("a masked value came through:\n%s", got)
			}
			for _, want := range []string{"[redacted]", "42501", `"after"`} {
				if !strings.Contains(got, want) {
					t.Errorf("no %s in:\n%s", want, got)
				}
			}
		})
	}
}

func TestPsqlShowsTheHoldAndTheWayOut(t *testing.T) {
	g, _ := stand(t)
	sam := token(t, g, "sam")
	psql := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(g.Postgres.Bin, "psql"), append([]string{"-X", g.DSN("sam", sam)}, args...)...)
		cmd.Env = append(os.Environ(), "PGGSSENCMODE=disable")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := psql("-c", "DELETE FROM items", "-c", "SELECT 1 AS one")
	if !strings.Contains(out, "not allowed") || !strings.Contains(out, "delete_all") || !strings.Contains(out, "products/public/items") {
		t.Errorf("psql: %v\n%s", err, out)
	}
	if !strings.Contains(out, "(1 row)") {
		t.Errorf("the connection was not usable after the refusal:\n%s", out)
	}
	for _, meta := range []string{`\d`, `\dt`, `\d items`, `\di+`, `\dv`, `\df vector*`, `\dn`, `\l`, `\du`, `\dx`, `\conninfo`, `\dT vector`} {
		if out, err := psql("-v", "ON_ERROR_STOP=1", "-c", meta); err != nil {
			t.Errorf("psql %s: %v\n%s", meta, err, out)
		}
	}
}

func TestPgDumpIsRefusedAsExportToWhoMayNot(t *testing.T) {
	g, _ := stand(t)
	dump := func(who string) (string, error) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(g.Postgres.Bin, "pg_dump"), "-d", g.DSN(who, token(t, g, who)), "-t", "public.orders")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := dump("sam"); err == nil || strings.Contains(out, "COPY public.orders") {
		t.Errorf("pg_dump by a reader: %v\n%.2000s", err, out)
	}
	if out, err := dump("tess"); err != nil || !strings.Contains(out, "COPY public.orders") {
		t.Errorf("pg_dump by somebody who may export: %v\n%.2000s", err, out)
	}
}

func TestPgbenchRunsInEveryProtocol(t *testing.T) {
	g, _ := stand(t)
	script := filepath.Join(t.TempDir(), "select.sql")
	if err := os.WriteFile(script, []byte("\\set id random(1, 2000)\nSELECT name FROM items WHERE id = :id;\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	sam := token(t, g, "sam")
	for _, protocol := range []string{"simple", "extended", "prepared"} {
		cmd := exec.CommandContext(t.Context(), filepath.Join(g.Postgres.Bin, "pgbench"), "-n", "-f", script, "-M", protocol, "-c", "4", "-j", "2", "-t", "50", "products")
		cmd.Env = append(os.Environ(), place{g.TLSPort, "sam", sam, "products", "require"}.environ()...)
		out, err := cmd.CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("processed: 200/200")) {
			t.Errorf("%s: %v\n%s", protocol, err, out)
		}
	}
}

func TestLargeResultsOverTLSDoNotHang(t *testing.T) {
	g, _ := stand(t)
	script := filepath.Join(t.TempDir(), "bulk.sql")
	if err := os.WriteFile(script, []byte("SELECT repeat('x', 6000) FROM generate_series(1, 100);\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tess := token(t, g, "tess")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(g.Postgres.Bin, "pgbench"), "-n", "-f", script, "-c", "2", "-j", "2", "-t", "100", "products")
	cmd.Env = append(os.Environ(), place{g.TLSPort, "tess", tess, "products", "require"}.environ()...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
