package live

import (
	"bufio"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/test/world"
)

// replayed is what the tests read of an exchange.
type replayed struct {
	Number int
	Effect string
	Lines  []access.Line
}

func TestReplayTellsWhatWasPreparedEarlier(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	conn := connect(t, g, "sam", token(t, g, "sam"), nil)
	const text = "SELECT id, name FROM items WHERE id = $1"
	if _, err := conn.Prepare(t.Context(), "one item", text); err != nil {
		t.Fatal(err)
	}
	names := make([]string, 11)
	for id := 1; id <= 10; id++ {
		if err := conn.QueryRow(t.Context(), "one item", id).Scan(nil, &names[id]); err != nil {
			t.Fatal(err)
		}
	}
	const forbidden = "CREATE TABLE mine (id int)"
	_, denied := conn.Exec(t.Context(), forbidden)
	if code(denied) != "42501" {
		t.Fatalf("%s: %v", forbidden, denied)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	session := ""
	for _, r := range records(t, g) {
		if r.Type == "refusal" {
			session = r.Session
		}
	}

	for name, replay := range map[string]func(args ...string) (string, error){
		"online": func(args ...string) (string, error) {
			return as(t, g, "aud", append([]string{"sessions", "replay", session}, args...)...)
		},
		"offline": func(args ...string) (string, error) {
			return g.Vecgate(t.Context(), nil, append([]string{"sessions", "replay", session, "--dir", g.AuditDir}, args...)...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := replay("--json")
			all := exchanges(t, must(t, out, err))
			last := 0
			for id := 1; id <= 10; id++ {
				at := slices.IndexFunc(all, func(x replayed) bool { return says(x, "parameters", fmt.Sprint(id)) })
				if at < 0 {
					t.Fatalf("nothing was asked with %d:\n%s", id, out)
				}
				x := all[at]
				if last = x.Number; !says(x, "statement", text) || !says(x, "columns", "id | name") {
					t.Errorf("exchange %d does not say what was asked: %s", x.Number, lines(x))
				}
				if !says(x, "row", fmt.Sprintf("%d | %s", id, names[id])) {
					t.Errorf("exchange %d does not show item %d (%s): %s", x.Number, id, names[id], lines(x))
				}
			}
			refusal := all[len(all)-1]
			if refusal.Effect != "deny" || !says(refusal, "statement", forbidden) || !strings.Contains(lines(refusal), "error not allowed: ") {
				t.Errorf("the refusal does not say why: %s %s", refusal.Effect, lines(refusal))
			}

			// From later on, the statement is still known.
			out, err = replay("--json", "--from", fmt.Sprint(last))
			if tail := exchanges(t, must(t, out, err)); tail[0].Number != last || lines(tail[0]) != lines(all[last-1]) {
				t.Errorf("from %d on:\n%s", last, out)
			}

			out, err = replay()
			out = must(t, out, err)
			if n := strings.Count(out, text); n != 11 {
				t.Errorf("%d times the text, want 11:\n%s", n, out)
			}
			for id := 1; id <= 10; id++ {
				if !strings.Contains(out, fmt.Sprintf("    with %d\n", id)) || !strings.Contains(out, fmt.Sprintf("    %d | %s\n", id, names[id])) {
					t.Errorf("item %d is not shown:\n%s", id, out)
				}
			}
			if !strings.Contains(out, "    not allowed: ") {
				t.Errorf("the refusal does not say why:\n%s", out)
			}
		})
	}
}

func TestReplayTellsThatARequestWaitedForAPerson(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	const text = "UPDATE items SET summary = $1 WHERE id = $2"
	id, done := held(t, g, "sam", text, "approved text", 42)
	out, err := as(t, g, "arno", "requests", "approve", id, "--reason", "fine")
	must(t, out, err)
	if err := wait(t, done); err != nil {
		t.Fatal(err)
	}
	session := ""
	for _, r := range records(t, g) {
		if r.Type == "request" {
			session = r.Session
		}
	}
	out, err = as(t, g, "aud", "sessions", "replay", session, "--json")
	all := exchanges(t, must(t, out, err))
	at := slices.IndexFunc(all, func(x replayed) bool {
		return strings.Contains(lines(x), "\nnotice ") && strings.Contains(lines(x), "held for approval as request "+id)
	})
	if at < 0 {
		t.Fatalf("the notice about %s is not told:\n%s", id, out)
	}
	x := all[at]
	said, ran := strings.Index(lines(x), "\nnotice "), strings.Index(lines(x), "\ndone UPDATE 1")
	if asked := strings.Count(lines(x), text); ran < said || asked != 1 {
		t.Errorf("asked %d times; the order is wrong: %s", asked, lines(x))
	}
}

func exchanges(t *testing.T, out string) []replayed {
	t.Helper()
	var all []replayed
	for s := bufio.NewScanner(strings.NewReader(out)); s.Scan(); {
		var x replayed
		if err := json.Unmarshal(s.Bytes(), &x); err != nil {
			t.Fatalf("%v: %s", err, s.Text())
		}
		all = append(all, x)
	}
	return all
}

func says(x replayed, kind, text string) bool {
	return strings.Contains(lines(x)+"\n", "\n"+strings.TrimSpace(kind+" "+text)+"\n")
}

// lines are those of an exchange, each after a line break.
func lines(x replayed) string {
	var b strings.Builder
	for _, l := range x.Lines {
		cells := make([]string, len(l.Cells))
		for i, c := range l.Cells {
			cells[i] = "null"
			if c != nil {
				cells[i] = *c
			}
		}
		b.WriteString("\n" + l.Kind + " " + l.Text + strings.Join(cells, " | "))
	}
	return b.String()
}
