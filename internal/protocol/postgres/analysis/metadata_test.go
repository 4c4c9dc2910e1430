package analysis

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/test/postgrestest"
)

// TestWhatPsqlAndPgDumpAskIsUnderstood runs the real programs against the real server and reads in its log what they asked.
func TestWhatPsqlAndPgDumpAskIsUnderstood(t *testing.T) {
	cat, db := catalogOf(t)
	server := postgrestest.Start(t)
	a := New(Options{Target: "products"})

	for _, command := range []string{
		`\d`, `\d+ customers`, `\d+ contact`, `\d items`, `\d events`, `\dt+`, `\di+`, `\dv+`, `\dm+`, `\ds`, `\df`, `\df lower`, `\dn+`,
		`\l`, `\dx`, `\dx+ vector`, `\dT+`, `\do`, `\dC`, `\dp`, `\ddp`, `\dD`, `\dF`, `\dy`, `\dRp`, `\dA+`, `\db`, `\dO`, `\dL`, `\dc`, `\dP`, `\dX`, `\dconfig`, `\sv contact`,
		`\dS pg_class`, `\det`, `\des`, `\dew`,
	} {
		before := logged(t, server, db)
		run(t, server, "psql", "-X", "-q", "-c", command, db.App.String())
		asked := logged(t, server, db)[len(before):]
		if len(asked) == 0 {
			t.Fatalf("%s asks nothing", command)
		}
		for _, text := range asked {
			understood(t, a, cat, command, text, access.SchemaRead, access.SchemaList, access.IAMRead)
		}
	}

	before := logged(t, server, db)
	run(t, server, "pg_dump", "-f", filepath.Join(t.TempDir(), "dump.sql"), db.Admin.String())
	exports := 0
	for _, text := range logged(t, server, db)[len(before):] {
		exports += understood(t, a, cat, "pg_dump", text, access.SchemaRead, access.SchemaList, access.IAMRead, access.RawRead, access.SessionSet, access.Export, access.Fetch)
	}
	if exports == 0 {
		t.Error("pg_dump exports nothing")
	}
}

// understood checks a text, and returns how many exports are in it.
func understood(t *testing.T, a *Analyzer, cat *Catalog, who, text string, actions ...access.Action) (exports int) {
	t.Helper()
	plan := a.Analyze(text, cat)
	if plan.Refused != nil {
		t.Errorf("%s: %s\n\t%s", who, text, plan.Refused.Message)
	}
	for _, s := range plan.Statements {
		if s.Unclear != "" {
			t.Errorf("%s: %s\n\tis unclear: %s", who, text, s.Unclear)
		}
		for _, acc := range s.Accesses {
			if !slices.Contains(actions, acc.Action) {
				t.Errorf("%s: %s\n\tasks for %s on %s", who, text, acc.Action, acc.Resource)
			}
			if acc.Action == access.Export {
				exports++
			}
		}
	}
	return exports
}

func run(t *testing.T, server *postgrestest.Server, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), filepath.Join(server.Bin, program), args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", program, args, err, out)
	}
}

var statementLine = regexp.MustCompile(`(?s)@(\S+) LOG:  (?:statement|execute [^:]*): (.*?)\n(?:\d{4}-\d\d-\d\d |$)`)

// logged are the statements that a database was sent so far.
func logged(t *testing.T, server *postgrestest.Server, db postgrestest.Database) []string {
	t.Helper()
	log, err := os.ReadFile(server.Log)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, entry := range regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\d `).Split(string(log), -1) {
		m := statementLine.FindStringSubmatch(strings.TrimRight(entry, "\n") + "\n")
		if m != nil && m[1] == db.App.Database {
			out = append(out, strings.ReplaceAll(m[2], "\n\t", "\n"))
		}
	}
	return out
}

// TestWhatDriversAskIsUnderstood lists what drivers and mappers ask when they connect or reflect a table.
func TestWhatDriversAskIsUnderstood(t *testing.T) {
	cat, _ := catalogOf(t)
	a := New(Options{Target: "products"})
	for _, text := range driverQueries {
		understood(t, a, cat, "a driver", text, access.SchemaRead, access.SchemaList, access.IAMRead, access.SessionSet)
	}
}
