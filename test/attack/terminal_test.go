package attack

import (
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/vecgate/vecgate/internal/identity/login"
	"github.com/vecgate/vecgate/test/world"
)

// harmful is what must not reach a terminal: it moves the cursor, rewrites lines, or turns the order of letters around.
const harmful = "\x1b[2J\x1b]0;owned\a\r\b\u202eevil\u2066\u009b31m\u200f"

func check(t *testing.T, what, out string) {
	t.Helper()
	for i, r := range out {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == '\u200f' {
			t.Errorf("%s prints %U: …%.80q", what, r, out[max(0, i-40):])
			return
		}
	}
}

func TestNothingThatStrangersChooseReachesATerminalRaw(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	sam := token(t, g, "sam", login.Ask{})
	said := strings.NewReplacer("\x1b", "", "\a", "", "\r", "", "\b", "").Replace(harmful) // PostgreSQL takes no control characters at the start
	knock(t, g, [][2]string{{"user", "eve" + harmful}, {"database", "db" + harmful}, {"application_name", said}}, "x"+harmful)
	knock(t, g, [][2]string{{"user", "eve" + harmful + "\nlevel=INFO msg=forged"}, {"database", "products"}}, "x")
	conn, err := dial(t, g, "sam"+said, sam, func(c *pgx.ConnConfig) {
		c.RuntimeParams["application_name"] = "app" + said
		c.RuntimeParams["vecgate.ticket"] = "CHG" + said
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		"SELECT '" + harmful + "' AS \"" + harmful + "\"", "SELECT 1 /* " + harmful + " */", "SELECT * FROM \"no" + harmful + "\"",
		"SET vecgate.ticket = 'CHG-" + harmful + "'", "SELECT 1 /* vecgate.ticket=CHG" + "\x1b[2J" + " */", "SELECT \"" + harmful + "\" FROM items",
		"SELECT name FROM items WHERE id = 1", "DROP TABLE \"" + harmful + "\"",
	} {
		_, _ = conn.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol) // many are refused
	}
	id, _ := held(t, g, "sam", sam, "UPDATE items SET summary = $1 WHERE id = 1 /* "+harmful+" */", "value"+harmful)
	status, body := call(t, g, token(t, g, "arno", login.Ask{}), http.MethodPost, "/api/v1/requests/"+id+"/votes", map[string]any{"approve": false, "reason": "no" + harmful})
	if status != http.StatusOK {
		t.Errorf("vote: %d %s", status, body)
	}
	ops := token(t, g, "ops", login.Ask{})
	call(t, g, ops, http.MethodPost, "/api/v1/sessions/"+escape("x"+harmful)+"/kill", map[string]string{"reason": "r" + harmful})
	call(t, g, ops, http.MethodPost, "/api/v1/identities/suspend", map[string]string{"who": "corp:x" + harmful, "reason": "r" + harmful})
	call(t, g, ops, http.MethodPost, "/api/v1/identities/reinstate", map[string]string{"who": "corp:x" + harmful})

	show := func(who string, args ...string) string {
		t.Helper()
		out, err := as(t, g, who, args...)
		if err != nil && !strings.Contains(strings.Join(args, " "), "replay") {
			t.Errorf("%v: %v", args, err)
		}
		check(t, "vecgate "+strings.Join(args, " "), out)
		return out
	}
	show("aud", "audit", "show", "--dir", g.AuditDir)
	show("aud", "audit", "show", "--dir", g.AuditDir, "--json")
	show("aud", "audit", "verify", "--dir", g.AuditDir)
	show("arno", "requests", "ls", "--all")
	show("arno", "requests", "ls", "--all", "--json")
	show("arno", "requests", "show", id)
	show("arno", "requests", "show", id, "--json")
	show("ops", "sessions", "ls")
	show("ops", "sessions", "ls", "--json")
	_ = conn.Close(t.Context())
	waitFor(t, "the session has ended", func() bool {
		out, err := as(t, g, "aud", "sessions", "ls", "--past")
		return err == nil && strings.Contains(out, "ended")
	})
	past := show("aud", "sessions", "ls", "--past")
	replayed := 0
	for _, line := range strings.Split(past, "\n") {
		session, _, _ := strings.Cut(line, " ")
		if len(session) < 16 {
			continue
		}
		show("aud", "sessions", "show", session)
		out := show("aud", "sessions", "replay", session)
		show("aud", "sessions", "replay", session, "--json")
		show("aud", "sessions", "replay", session, "--dir", g.AuditDir)
		if strings.Contains(out, "SELECT") {
			replayed++
		}
	}
	if replayed == 0 {
		t.Error("nothing was replayed")
	}
	check(t, "the gateway's log", g.Output())
	if strings.Contains(g.Output(), "\nlevel=INFO msg=forged") {
		t.Error("a stranger wrote a line of the log")
	}
}
