package attack

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/vecgate/vecgate/internal/identity/login"
	"github.com/vecgate/vecgate/test/world"
)

const everythingHeld = `
allow:
  - {name: look, who: {groups: [Vector-Read]}, can: [fetch, scroll, export, search, count, aggregate, schema.list, schema.read, session.set], on: ["**"], after: {approval: {by: {groups: [Vector-Approve]}, persons: 1, within: 15m}}}
protect:
  - {name: personal-data, fields: ["**.email"], mask: redact}
`

// TestCatalogThatChangesWhileARequestIsHeldUnmasksNothing: what was analysed when it was asked for is not what runs once
// it is approved, when the name means something else by then.
func TestCatalogThatChangesWhileARequestIsHeldUnmasksNothing(t *testing.T) {
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec} {
		t.Run(mode.String(), func(t *testing.T) {
			g := start(t, world.GatewayOptions{Policy: everythingHeld})
			admin := g.Postgres.Database(databaseOf(t, g)).Connect(t)
			do := func(sql string) {
				t.Helper()
				if _, err := admin.Exec(t.Context(), sql); err != nil {
					t.Fatal(err)
				}
			}
			do("CREATE TABLE scratch (id bigint, note text); INSERT INTO scratch VALUES (1, 'harmless'); GRANT SELECT ON scratch TO PUBLIC")
			notices := make(chan string, 16)
			conn, err := dial(t, g, "sam", token(t, g, "sam", login.Ask{}), func(c *pgx.ConnConfig) {
				c.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { notices <- n.Message }
			})
			if err != nil {
				t.Fatal(err)
			}
			type answer struct {
				notes []string
				err   error
			}
			done := make(chan answer, 1)
			go func() {
				rows, err := conn.Query(context.Background(), "SELECT id, note FROM scratch LIMIT 5", mode)
				if err != nil {
					done <- answer{nil, err}
					return
				}
				var a answer
				for rows.Next() {
					var id int64
					var note *string
					if a.err = rows.Scan(&id, &note); a.err == nil && note != nil {
						a.notes = append(a.notes, *note)
					}
				}
				a.err = errors.Join(a.err, rows.Err())
				done <- a
			}()
			var id string
			select {
			case m := <-notices:
				_, rest, _ := strings.Cut(m, "request ")
				id = strings.TrimRight(strings.Fields(rest)[0], ":")
			case a := <-done:
				t.Fatalf("not held: %v", a)
			case <-time.After(20 * time.Second):
				t.Fatal("no notice")
			}
			do("DROP TABLE scratch; CREATE VIEW scratch AS SELECT id::bigint, email AS note FROM customers; GRANT SELECT ON scratch TO PUBLIC")
			if out, err := as(t, g, "arno", "requests", "approve", id); err != nil {
				t.Fatal(err, out)
			}
			a := <-done
			t.Logf("%q %v", a.notes, a.err)
			for _, note := range a.notes {
				if strings.Contains(note, "@") {
					t.Errorf("an address that is to be masked reached the client: %q", note)
				}
			}
		})
	}
}

// TestAnApprovalIsOfWhatTheNamesLedToThen: the client did not wait, and sends its request again once it is approved. By
// then the name belongs to something else, of which the gateway has not heard yet.
func TestAnApprovalIsOfWhatTheNamesLedToThen(t *testing.T) {
	g := start(t, world.GatewayOptions{Policy: everythingHeld, Hold: time.Second})
	admin := g.Postgres.Database(databaseOf(t, g)).Connect(t)
	do := func(sql string) {
		t.Helper()
		if _, err := admin.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	do("CREATE VIEW shown AS SELECT id, name FROM items; GRANT SELECT ON shown TO PUBLIC")
	conn := connect(t, g, "sam", token(t, g, "sam", login.Ask{}))
	ask := func() *pgconn.PgError {
		t.Helper()
		_, err := conn.Exec(t.Context(), "SELECT name FROM shown LIMIT 5")
		refused, ok := errors.AsType[*pgconn.PgError](err)
		if !ok {
			t.Fatalf("what was approved for one column reads another: %v", err)
		}
		return refused
	}
	first := ask()
	_, rest, _ := strings.Cut(first.Message, "request ")
	id := strings.TrimRight(strings.Fields(rest + " ?")[0], ":")
	if out, err := as(t, g, "arno", "requests", "approve", id); err != nil {
		t.Fatal(err, out, first.Message)
	}
	do("CREATE OR REPLACE VIEW shown AS SELECT id, summary AS name FROM items")
	if again := ask(); !strings.Contains(again.Message, "do something else") {
		t.Errorf("sent again: %v", again)
	}
	if anew := ask(); !strings.Contains(anew.Message, "is still open") || strings.Contains(anew.Message, id) {
		t.Errorf("sent a third time: %v", anew)
	}
}

const everyDeedHeld = `
allow:
  - {name: do, who: {groups: [Vector-Read]}, can: [fetch, scroll, export, aggregate, insert, delete_by_filter, code.exec], on: ["**"], after: {approval: {by: {groups: [Vector-Approve]}, persons: 1, within: 15m}}}
protect:
  - {name: nothing, vectors: allow}
`

// TestAnApprovalIsOfTheDefinitionsToo: what was approved says the same and reaches the same as before, but the view that it
// goes by, or the function that it calls, or the trigger on what it writes, does something else now.
func TestAnApprovalIsOfTheDefinitionsToo(t *testing.T) {
	g := start(t, world.GatewayOptions{Policy: everyDeedHeld, Hold: 200 * time.Millisecond})
	admin := g.Postgres.Database(databaseOf(t, g)).Connect(t)
	do := func(sql string) {
		t.Helper()
		if _, err := admin.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	do(`CREATE VIEW doomed AS SELECT id FROM items WHERE id < 0; GRANT SELECT ON doomed TO PUBLIC;
		CREATE FUNCTION deed() RETURNS int LANGUAGE sql AS 'SELECT 1';
		CREATE PROCEDURE work() LANGUAGE sql AS 'SELECT 1';
		CREATE TABLE ledger (id bigint); GRANT ALL ON ledger TO PUBLIC;
		CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
		CREATE TRIGGER noted BEFORE INSERT ON ledger FOR EACH ROW EXECUTE FUNCTION note()`)
	conn := connect(t, g, "sam", token(t, g, "sam", login.Ask{}))
	for _, c := range []struct{ held, change string }{
		{"DELETE FROM items WHERE id IN (SELECT id FROM doomed)", "CREATE OR REPLACE VIEW doomed AS SELECT id FROM items WHERE id < 9"},
		{"SELECT deed()", "CREATE OR REPLACE FUNCTION deed() RETURNS int LANGUAGE sql AS 'SELECT 2'"},
		{"CALL work()", "CREATE OR REPLACE PROCEDURE work() LANGUAGE sql AS 'SELECT 2'"},
		{"INSERT INTO ledger VALUES (1)", "CREATE OR REPLACE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"},
		{"INSERT INTO ledger VALUES (2)", "ALTER TABLE ledger DISABLE TRIGGER noted"},
	} {
		ask := func() string {
			_, err := conn.Exec(t.Context(), c.held)
			refused, ok := errors.AsType[*pgconn.PgError](err)
			if !ok {
				t.Fatalf("%s: runs after %q: %v", c.held, c.change, err)
			}
			return refused.Message
		}
		first := ask()
		_, rest, _ := strings.Cut(first, "request ")
		id := strings.TrimRight(strings.Fields(rest + " ?")[0], ":")
		if out, err := as(t, g, "arno", "requests", "approve", id); err != nil {
			t.Fatal(err, out, first)
		}
		do(c.change)
		// The gateway may have read the catalog by itself just now; then it asks anew at once.
		if again := ask(); !strings.Contains(again, "do something else") && (!strings.Contains(again, "is still open") || strings.Contains(again, id)) {
			t.Errorf("%s, sent again: %v", c.held, again)
		}
	}
}
