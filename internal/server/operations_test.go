package server

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/opensearch"
)

var update = flag.Bool("update", false, "write what is generated anew")

const operationsFile = "../../docs/reference/operations.md"

// TestTheOperationsPageIsMadeFromTheTables keeps docs/reference/operations.md current; run it with -update after a change.
func TestTheOperationsPageIsMadeFromTheTables(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Operations

What every operation of every engine is to a policy. This page is made from the tables that the gateway itself goes by
(` + "`go test ./internal/server -run Operations -update`" + `). What is not in a table is refused: it is judged as the action
` + "`unknown`" + `, written down, and never sent on.

PostgreSQL has statements instead of operations: [postgres.md](postgres.md).
`)
	engines := map[string]bool{}
	for engine := range dialects {
		engines[engine] = true
	}
	for engine := range grpcDialects {
		engines[engine] = true
	}
	for _, engine := range slices.Sorted(maps.Keys(engines)) {
		fmt.Fprintf(&b, "\n## %s\n", strings.ReplaceAll(strings.ToUpper(engine[:1])+engine[1:], "Opensearch", "OpenSearch"))
		if dialect := dialects[engine]; dialect != nil {
			b.WriteString("\n| operation | request | action | |\n|---|---|---|---|\n")
			for _, r := range dialect(time.Now).Routes() {
				fmt.Fprintf(&b, "| %s | `%s %s` | %s | %s |\n", r.Name, r.Method, r.Path, listed(r.Actions), r.About)
			}
		}
		if engine == "opensearch" || engine == "elasticsearch" {
			b.WriteString("\nWhat else the clients publish is refused, with all that is below it:\n\n| | |\n|---|---|\n")
			for _, f := range opensearch.Families() {
				fmt.Fprintf(&b, "| %s | `%s` |\n", f.About, strings.Join(f.Paths, "` `"))
			}
		}
		if dialect := grpcDialects[engine]; dialect != nil {
			b.WriteString("\n| gRPC method | action | |\n|---|---|---|\n")
			for _, m := range dialect(time.Now).Methods() {
				fmt.Fprintf(&b, "| `%s` | %s | %s |\n", m.Name, listed(m.Actions), m.About)
			}
		}
	}
	if *update {
		if err := os.WriteFile(operationsFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(operationsFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != b.String() {
		t.Error("docs/reference/operations.md is out of date: go test ./internal/server -run Operations -update")
	}
}

func listed(actions []access.Action) string {
	names := make([]string, len(actions))
	for i, a := range actions {
		names[i] = "`" + string(a) + "`"
	}
	return strings.Join(names, ", ")
}
