package postgres

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
)

func (w *world) connect(extra ...string) *pgx.Conn {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, w.dsn(extra...))
	if err != nil {
		w.t.Fatalf("connect through the gateway: %v", err)
	}
	w.t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func state(err error) string {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pgErr.Code
	}
	return ""
}

func TestAQueryGoesThroughAndIsWrittenDown(t *testing.T) {
	w := newWorld(t)
	conn := w.connect("application_name=walk")
	var n int
	if err := conn.QueryRow(t.Context(), "select $1::int + 1", 41).Scan(&n); err != nil || n != 42 {
		t.Fatalf("got %d, %v", n, err)
	}
	var s string
	if err := conn.QueryRow(t.Context(), "select 'simple'", pgx.QueryExecModeSimpleProtocol).Scan(&s); err != nil || s != "simple" {
		t.Fatalf("got %q, %v", s, err)
	}
	if _, err := conn.Exec(t.Context(), "create table t (id int primary key, v text)"); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if _, err := conn.Exec(t.Context(), "insert into t values ($1, $2)", i, strings.Repeat("x", 10000*i)); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := conn.Query(t.Context(), "select * from t order by id")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for rows.Next() {
		seen++
	}
	if rows.Err() != nil || seen != 3 {
		t.Fatalf("%d rows, %v", seen, rows.Err())
	}
	conn.Close(t.Context())
	w.journal.wait(t, audit.TypeSessionClose, 1)
	intents, outcomes := w.journal.of(audit.TypeIntent), w.journal.of(audit.TypeOutcome)
	if len(intents) == 0 || len(intents) != len(outcomes) {
		t.Errorf("%d intents and %d outcomes", len(intents), len(outcomes))
	}
	if !strings.Contains(string(w.journal.asked), "select $1::int + 1") || !strings.Contains(string(w.journal.answers), "simple") {
		t.Error("what was said is not on the tape")
	}
	if open := w.journal.of(audit.TypeSessionOpen); len(open) != 1 || open[0].Subject != "corp:alice" || open[0].Detail != "walk" {
		t.Errorf("session opened: %+v", open)
	}
}

func TestAWrongTokenIsRefusedAndWrittenDown(t *testing.T) {
	w := newWorld(t)
	_, err := pgx.Connect(t.Context(), strings.Replace(w.dsn(), "right", "wrong", 1))
	if state(err) != "28000" {
		t.Errorf("%v, want 28000", err)
	}
	if r := w.journal.wait(t, audit.TypeSignIn, 1); r[0].Code != access.CodeIdentity {
		t.Errorf("%+v", r[0])
	}
	if _, err := pgx.Connect(t.Context(), strings.Replace(w.dsn(), "products", "elsewhere", 1)); state(err) != "3D000" {
		t.Errorf("unknown target: %v, want 3D000", err)
	}
}

func TestARefusedStatementLeavesTheSessionAndItsTransactionRight(t *testing.T) {
	w := newWorld(t)
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeCacheStatement} {
		t.Run(mode.String(), func(t *testing.T) {
			conn := w.connect()
			_, err := conn.Exec(t.Context(), "delete from t -- denied", mode)
			pgErr, ok := errors.AsType[*pgconn.PgError](err)
			if !ok || pgErr.Code != "42501" || !strings.Contains(pgErr.Message, "alice may not") || !strings.Contains(pgErr.Detail, `"no-denied"`) || pgErr.Hint != "ask nicely" {
				t.Fatalf("%#v", err)
			}
			if conn.PgConn().TxStatus() != 'I' {
				t.Errorf("status %c, want I", conn.PgConn().TxStatus())
			}
			var one int
			if err := conn.QueryRow(t.Context(), "select 1", mode).Scan(&one); err != nil {
				t.Fatalf("after the refusal: %v", err)
			}
			tx, err := conn.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(t.Context(), "delete from t -- denied", mode); state(err) != "42501" {
				t.Fatalf("in a transaction: %v", err)
			}
			if conn.PgConn().TxStatus() != 'E' {
				t.Errorf("status %c, want E", conn.PgConn().TxStatus())
			}
			if _, err := tx.Exec(t.Context(), "select 1", mode); state(err) != "25P02" {
				t.Errorf("in a failed transaction: %v, want 25P02", err)
			}
			if _, err := tx.Exec(t.Context(), "select 1 -- denied", mode); state(err) != "42501" {
				t.Errorf("denied in a failed transaction: %v, want 42501", err)
			}
			if err := tx.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Exec(t.Context(), "select 1; select 2 -- denied", pgx.QueryExecModeSimpleProtocol); state(err) != "42501" {
				t.Errorf("several statements: %v", err)
			}
			if err := conn.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
	if intents := w.journal.of(audit.TypeIntent); len(intents) == 0 {
		t.Error("nothing was written down")
	}
	for _, r := range w.journal.of(audit.TypeRefusal) {
		if r.Effect != access.Deny || r.Rule != "no-denied" && r.Code != access.CodeUnclear {
			t.Errorf("refusal: %+v", r)
		}
	}
}
