package cli

import (
	"strings"
	"testing"
)

// An approver who looks at the last screen of a request must see what runs before it.
func TestNothingIsPushedOutOfSightInATerminal(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"lines":               {"DELETE FROM items;" + strings.Repeat("\n", 500) + "SELECT 1", "DELETE FROM items;\n[499 blank lines]\nSELECT 1"},
		"lines of spaces":     {"a" + strings.Repeat("\n  \t ", 20) + "\nb", "a\n[20 blank lines]\nb"},
		"at the end":          {"a" + strings.Repeat("\n", 100), "a\n[100 blank lines]"},
		"spaces":              {"SELECT 1;" + strings.Repeat(" ", 500) + "DELETE FROM items", "SELECT 1;[500 spaces]DELETE FROM items"},
		"spaces of all kinds": {"a" + strings.Repeat(" \u00a0\u3000", 100) + "b", "a[300 spaces]b"},
		"letters of nothing":  {"a" + strings.Repeat("\u3164", 2) + "\u2800b", `a\u3164\u3164\u2800b`},
		"as people write":     {"SELECT a,\n\n\n\tb\n  FROM items", "SELECT a,\n\n\n    b\n  FROM items"},
	} {
		if got := visibleLines(c.text); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
