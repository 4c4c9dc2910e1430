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
	for _, engine := range slices.Sorted(maps.Keys(dialects)) {
		fmt.Fprintf(&b, "\n## %s\n\n| operation | request | action | |\n|---|---|---|---|\n", strings.ToUpper(engine[:1])+engine[1:])
		for _, r := range dialects[engine](time.Now).Routes() {
			actions := make([]string, len(r.Actions))
			for i, a := range r.Actions {
				actions[i] = "`" + string(a) + "`"
			}
			fmt.Fprintf(&b, "| %s | `%s %s` | %s | %s |\n", r.Name, r.Method, r.Path, strings.Join(actions, ", "), r.About)
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
