package postgres

import (
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/protocol/postgres/analysis"
)

// TestNamesKeepSoMuchAndNoMore: ten thousand statements of sixteen megabytes each would be all of a machine's memory.
func TestNamesKeepSoMuchAndNoMore(t *testing.T) {
	n := &names{limit: 100}
	long := strings.Repeat("x", maxHeld/6+1)
	n.prepare("a", &prepared{text: long})
	n.prepare("a", &prepared{text: long}) // in the place of the other
	if n.full() {
		t.Fatal("half of it is all of it")
	}
	n.prepare("b", &prepared{text: long})
	if !n.full() {
		t.Fatalf("%d bytes are kept", n.held)
	}
	for _, e := range []effect{{kind: analysis.Deallocate, name: "b"}, {kind: analysis.Deallocate, name: "b"}, {kind: analysis.Deallocate, name: "never"}} {
		n.apply(&e)
	}
	if n.full() {
		t.Fatalf("%d bytes are kept of one statement", n.held)
	}
	values := make([]byte, maxHeld)
	n.bind("p", &portal{values: values})
	n.bind("p", &portal{values: values})
	if !n.full() {
		t.Fatalf("%d bytes are kept of a portal", n.held)
	}
	n.transactionEnded()
	n.bind("c", &portal{values: values, cursor: true})
	n.transactionEnded()
	if !n.full() {
		t.Fatal("a cursor outlives its transaction")
	}
	n.apply(&effect{kind: analysis.Discard, all: true})
	if n.held != 0 || n.full() {
		t.Errorf("%d bytes are kept of nothing", n.held)
	}
	n.bind("p", &portal{values: values})
	n.apply(&effect{kind: analysis.Close, all: true})
	if n.held != 0 {
		t.Errorf("%d bytes are kept of nothing", n.held)
	}
}
