package postgres

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/gate"
)

// listening connects and collects the notices.
func (w *world) listening(notices chan<- *pgconn.Notice) *pgx.Conn {
	w.t.Helper()
	config, err := pgx.ParseConfig(w.dsn())
	if err != nil {
		w.t.Fatal(err)
	}
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { notices <- n }
	conn, err := pgx.ConnectConfig(context.Background(), config)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func TestAHeldRequestWaitsAndRunsOnceReleased(t *testing.T) {
	w := newWorld(t)
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec, pgx.QueryExecModeDescribeExec} {
		notices := make(chan *pgconn.Notice, 10)
		conn := w.listening(notices)
		filed := len(w.asks.open)
		done := make(chan error, 1)
		go func() {
			var n int
			err := conn.QueryRow(context.Background(), "select $1::int -- held", mode, 7).Scan(&n)
			if err == nil && n != 7 {
				err = errors.New("wrong answer")
			}
			done <- err
		}()
		r := w.asks.await(t, filed+1)
		n := <-notices
		if !strings.Contains(n.Message, r.ID) || !strings.Contains(n.Hint, "/r/"+r.ID) {
			t.Errorf("notice %q, hint %q", n.Message, n.Hint)
		}
		select {
		case err := <-done:
			t.Fatalf("%v: ran before it was released: %v", mode, err)
		case <-time.After(50 * time.Millisecond):
		}
		w.asks.set(r.ID, access.StateApproved)
		if err := <-done; err != nil {
			t.Errorf("%v: %v", mode, err)
		}
		if !strings.Contains(r.Text, "held") || mode != pgx.QueryExecModeSimpleProtocol && !strings.Contains(r.Text, "$1 = ") {
			t.Errorf("%v: approvers see %q", mode, r.Text)
		}
	}
}

func TestADeniedHoldIsRefusedAndTheSessionGoesOn(t *testing.T) {
	w := newWorld(t)
	conn := w.connect()
	done := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.Background(), "select 1 -- held")
		done <- err
	}()
	w.asks.set(w.asks.await(t, 1).ID, access.StateDenied)
	if err := <-done; state(err) != "42501" || !strings.Contains(err.Error(), "REQ-1") {
		t.Errorf("%v", err)
	}
	if err := conn.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAnApprovalIsBoundToTheParameters(t *testing.T) {
	w := newWorld(t)
	conn := w.connect()
	for i, v := range []int{1, 2} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = conn.Exec(context.Background(), "select $1::int -- held", pgx.QueryExecModeExec, v) // it is denied
		}()
		w.asks.set(w.asks.await(t, i+1).ID, access.StateDenied)
		<-done
	}
	if w.asks.open[0].Digest == w.asks.open[1].Digest {
		t.Error("two values have one digest")
	}
}

func TestAHoldEndsWhenTheClientGoesOrCancels(t *testing.T) {
	w := newWorld(t)
	conn := w.connect()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		_, err := conn.Exec(ctx, "select 1 -- held")
		done <- err
	}()
	one := w.asks.await(t, 1)
	time.Sleep(20 * time.Millisecond)
	cancel() // pgx closes the connection
	<-done
	for end := time.Now().Add(30 * time.Second); w.asks.state(one.ID) != access.StateAbandoned; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("request is %s after the client went", w.asks.state(one.ID))
		}
	}

	conn = w.connect()
	go func() {
		_, err := conn.Exec(context.Background(), "select 1 -- held")
		done <- err
	}()
	two := w.asks.await(t, 2)
	time.Sleep(20 * time.Millisecond)
	if err := conn.PgConn().CancelRequest(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; state(err) != "57014" {
		t.Errorf("canceled: %v, want 57014", err)
	}
	if s := w.asks.state(two.ID); s != access.StateAbandoned {
		t.Errorf("request is %s after it was canceled", s)
	}
	if err := conn.Ping(t.Context()); err != nil {
		t.Errorf("after the cancel: %v", err)
	}
}

func TestARunningStatementCanBeCanceledAndOnlyWithItsKey(t *testing.T) {
	w := newWorld(t)
	conn := w.connect()
	done := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.Background(), "select pg_sleep(30)")
		done <- err
	}()
	w.journal.wait(t, audit.TypeIntent, 1)
	time.Sleep(100 * time.Millisecond)
	other := w.connect()
	if other.PgConn().PID() == conn.PgConn().PID() {
		t.Fatal("two sessions have one process number")
	}
	if err := conn.PgConn().CancelRequest(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if state(err) != "57014" {
			t.Errorf("%v, want 57014", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the cancel request did nothing")
	}
	if err := conn.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNothingIsHeldInsideATransactionThatHasWorked(t *testing.T) {
	w := newWorld(t)
	conn := w.connect()
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "select 1"); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "select 2 -- held", pgx.QueryExecModeExec); state(err) != "42501" || !strings.Contains(err.Error(), "transaction") {
		t.Errorf("%v", err)
	}
	_ = tx.Rollback(t.Context())
	tx, err = conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := tx.Exec(context.Background(), "select 3 -- held", pgx.QueryExecModeExec)
		done <- err
	}()
	r := w.asks.await(t, 2)
	w.asks.set(r.ID, access.StateApproved)
	if err := <-done; err != nil {
		t.Errorf("after BEGIN alone: %v", err)
	}
}

func TestAKilledSessionEndsInTheMiddleOfAQuery(t *testing.T) {
	w := newWorld(t)
	for _, busy := range []bool{true, false} {
		conn := w.connect()
		done := make(chan error, 1)
		before := len(w.journal.of(audit.TypeIntent))
		if busy {
			go func() {
				_, err := conn.Exec(context.Background(), "select pg_sleep(30)")
				done <- err
			}()
			w.journal.wait(t, audit.TypeIntent, before+1)
			time.Sleep(50 * time.Millisecond)
		}
		for _, s := range w.gate.Sessions() {
			s.Kill(errors.New("off-boarded"))
		}
		if !busy {
			time.Sleep(50 * time.Millisecond)
			_, err := conn.Exec(t.Context(), "select 1")
			done <- err
		}
		select {
		case err := <-done:
			if err == nil {
				t.Error("a killed session went on")
			}
			if s := state(err); s != "57P01" && s != "57014" && s != "" {
				t.Errorf("busy %v: %v", busy, err)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("a killed session went on")
		}
		for end := time.Now().Add(30 * time.Second); len(w.gate.Sessions()) > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("a killed session is still there")
			}
		}
	}
}

func TestACredentialThatExpiresEndsTheSession(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *Target) { c.Limits.Grace = 100 * time.Millisecond })
	w.mu.Lock()
	w.expires = time.Now().Add(4 * time.Second)
	w.mu.Unlock()
	conn := w.connect()
	if err := conn.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, err := conn.Exec(t.Context(), "select pg_sleep(30)")
	if err == nil || time.Since(began) > 25*time.Second {
		t.Errorf("the session outlived its credential: %v", err)
	}
}

func TestAStatementDoesNotRunOnForNobody(t *testing.T) {
	w := newWorld(t)
	r := dialRaw(t, w.dsn())
	r.send(query("select pg_sleep(60)"))
	w.journal.wait(t, audit.TypeIntent, 1)
	time.Sleep(watchClientAfter + 200*time.Millisecond)
	r.conn.Close()
	w.journal.wait(t, audit.TypeSessionClose, 1)
}

func TestAClientMaySendAheadWhileAStatementRuns(t *testing.T) {
	w := newWorld(t)
	r := dialRaw(t, w.dsn())
	r.send(query("select pg_sleep(1.6)"))
	time.Sleep(watchClientAfter + 200*time.Millisecond)
	r.send(query("select 'second'") + query("select 'third'"))
	answer := string(r.until('Z', 3))
	if !strings.Contains(answer, "second") || !strings.Contains(answer, "third") {
		t.Errorf("%s", show([]byte(answer)))
	}
}

func TestAHeldRequestIsToldWhenItsSessionEnds(t *testing.T) {
	for name, end := range map[string]func(*world){
		"killed": func(w *world) { w.gate.Sessions()[0].Kill(errors.New("off-boarded")) },
		"drained": func(w *world) {
			gone, cancel := context.WithCancel(context.Background())
			cancel()
			w.gate.Drain(gone, 0)
		},
	} {
		w := newWorld(t)
		r := dialRaw(t, w.dsn())
		r.send(query("select 1 -- held"))
		r.until('N', 1)
		r2 := w.asks.await(t, 1)
		end(w)
		answer := string(r.until('E', 1))
		if !strings.Contains(answer, "VFATAL") || !strings.Contains(answer, "C57P01") {
			t.Errorf("%s: %s", name, show([]byte(answer)))
		}
		if name == "drained" && (!strings.Contains(answer, "send exactly the same request again") || w.asks.state(r2.ID) != access.StateOpen) {
			t.Errorf("%s: %s, the request is %s", name, show([]byte(answer)), w.asks.state(r2.ID))
		}
	}
}

// slow is a journal whose intents become durable when the test says so.
type slow struct {
	*journal
	release chan struct{}
}

func (j slow) Append(r *audit.Record) audit.Commit {
	c := j.journal.Append(r)
	if r.Type != audit.TypeIntent {
		return c
	}
	g := audit.NewGroup()
	go func() { <-j.release; g.Resolve(nil) }()
	return g.Commit(c.Seq)
}

func TestNoByteOfAnAnswerLeavesBeforeItsRecordIsDurable(t *testing.T) {
	for _, reads := range []gate.Reads{gate.BeforeForward, gate.BeforeRelease} {
		w := newWorld(t, func(_ *Config, target *Target) { target.Gate.Reads = reads })
		j := slow{w.journal, make(chan struct{})}
		w.gate.Journal = j
		r := dialRaw(t, w.dsn())
		r.send(query("select 'answer'"))
		_ = r.conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		if n, err := r.conn.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %d bytes, %v", reads, n, err)
		}
		close(j.release)
		if answer := string(r.until('Z', 1)); !strings.Contains(answer, "answer") {
			t.Errorf("%s: %s", reads, show([]byte(answer)))
		}
	}
}
