package postgres

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/vecgate/vecgate/internal/access"
)

// shown returns what approvers read of what is held, which is then denied.
func shown(t *testing.T, w *world, do func() error) access.Request {
	t.Helper()
	filed := len(w.asks.open)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = do() // it is denied
	}()
	r := w.asks.await(t, filed+1)
	w.asks.set(r.ID, access.StateDenied)
	<-done
	return r
}

func TestApproversReadTheTrueParametersFirst(t *testing.T) {
	w := newWorld(t)
	conn := w.connect()
	for _, text := range []string{
		"-- $1 = \"harmless\"\nselect $1::text -- held",
		"select $1::text -- held\n-- $1 = \"harmless\"" + strings.Repeat("\n--", 40<<10),
	} {
		r := shown(t, w, func() error {
			_, err := conn.Exec(context.Background(), text, pgx.QueryExecModeExec, "true")
			return err
		})
		if !strings.HasPrefix(r.Text, "-- $1 = \"true\"\n-- the statement:\n") {
			t.Errorf("approvers see %.200q", r.Text)
		}
	}
	r := shown(t, w, func() error {
		_, err := conn.Exec(context.Background(), "-- $1 = \"harmless\"\nselect 1 -- held")
		return err
	})
	if !strings.HasPrefix(r.Text, "-- the statement:\n") {
		t.Errorf("a text speaks as the gateway: %q", r.Text)
	}
}

func TestApproversAreToldOfEveryStatement(t *testing.T) {
	w := newWorld(t)
	conn := w.connect()
	r := shown(t, w, func() error {
		var batch pgx.Batch
		batch.Queue("select 1 -- held" + strings.Repeat(" ", 64<<10-16))
		for range 20 {
			batch.Queue("select $1::text -- "+strings.Repeat("x", 5000), "secret deed")
		}
		results := conn.SendBatch(context.Background(), &batch)
		return results.Close()
	})
	if !strings.HasPrefix(r.Text, "-- 21 statements:\n") || !strings.Contains(r.Text, "secret deed") || !strings.Contains(r.Text, "more bytes\n") ||
		!strings.Contains(r.Text, " more statements that are not shown") || len(r.Text) >= 64<<10 {
		t.Errorf("%d bytes: %.100q … %.200q", len(r.Text), r.Text, r.Text[max(0, len(r.Text)-200):])
	}
}

func TestApprovalIsBoundToTheSettings(t *testing.T) {
	w := newWorld(t)
	conn := w.connect()
	held := func() access.Request {
		return shown(t, w, func() error { _, err := conn.Exec(context.Background(), "select 1 -- held"); return err })
	}
	usual := held()
	if usual.Text != "select 1 -- held" {
		t.Errorf("approvers see %q", usual.Text)
	}
	if _, err := conn.Exec(t.Context(), "set datestyle = 'ISO, DMY'"); err != nil {
		t.Fatal(err)
	}
	other := held()
	if other.Digest == usual.Digest || !strings.HasPrefix(other.Text, "-- with DateStyle = \"ISO, DMY\"\n-- the statement:\n") {
		t.Errorf("approvers see %q", other.Text)
	}
	// What was prepared under one setting means that under another too.
	if _, err := conn.Prepare(t.Context(), "p", "select 2 -- held"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "set datestyle = 'ISO, MDY'"); err != nil {
		t.Fatal(err)
	}
	r := shown(t, w, func() error { _, err := conn.Exec(context.Background(), "p"); return err })
	if !strings.Contains(r.Text, "-- prepared with DateStyle = \"ISO, DMY\"\n") {
		t.Errorf("approvers see %q", r.Text)
	}
	if again := held(); again.Digest != usual.Digest {
		t.Error("the same request under the same settings has another digest")
	}
}

func TestListenersShareWhatIsKnownOfATarget(t *testing.T) {
	w := newWorld(t)
	c := w.server.config
	c.Shared = &Shared{}
	var of [2]*target
	for i := range of {
		s, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range s.targets {
			of[i] = one
		}
	}
	if of[0] == nil || of[0] != of[1] {
		t.Error("two listeners read the catalog of one target twice")
	}
}
