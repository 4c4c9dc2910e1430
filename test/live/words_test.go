package live

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/vecgate/vecgate/test/world"
)

// TestASlipIsAnsweredInWordsThatHelp makes the mistakes that people make every day.
func TestASlipIsAnsweredInWordsThatHelp(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	conn := connect(t, g, "sam", token(t, g, "sam"), nil)
	for _, c := range []struct{ sql, code, message, hint string }{
		{"SELECT * FROM itmes", "42P01", `relation "itmes" does not exist`, ""},
		{"SELECT nmae FROM items WHERE id = 1", "42703", `column "nmae" does not exist`, ""},
		{"SELECT name FROM items ORDER BY embedding <=> '[1, 2]' LIMIT 2", "22000", "different vector dimensions (details withheld)", "withheld"},
		{"SET ROLE postgres", "42501", "the setting role may not be changed through the gateway", "leave it out"},
		{"CREATE EXTENSION hstore", "42501", "may not administer products (cluster.admin)", "ask an administrator"},
	} {
		_, err := conn.Exec(t.Context(), c.sql)
		said, ok := errors.AsType[*pgconn.PgError](err)
		if !ok {
			t.Errorf("%s: %v", c.sql, err)
			continue
		}
		if said.Code != c.code || !strings.Contains(said.Message, c.message) {
			t.Errorf("%s: %s %q", c.sql, said.Code, said.Message)
		}
		if (c.hint == "") != (said.Hint == "") || !strings.Contains(said.Hint, c.hint) {
			t.Errorf("%s: the hint is %q, want %q", c.sql, said.Hint, c.hint)
		}
	}
}
