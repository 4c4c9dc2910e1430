package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
)

func TestNotificationsReachAnIdleClient(t *testing.T) {
	w := newWorld(t)
	conn := w.connect()
	if _, err := conn.Exec(t.Context(), "listen ch"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * watchAfter)
	for i := range 3 {
		other := w.db.App.Connect(t)
		if _, err := other.Exec(t.Context(), "select pg_notify('ch', $1)", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		n, err := conn.WaitForNotification(ctx)
		cancel()
		if err != nil || n.Payload != fmt.Sprint(i) {
			t.Fatalf("%+v, %v", n, err)
		}
	}
	if err := conn.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if !strings.Contains(string(w.journal.answers), "ch\x002\x00") {
		t.Error("a notification is not on the tape")
	}
}

func TestATargetThatEndsTheConnectionEndsTheSession(t *testing.T) {
	w := newWorld(t)
	r := dialRaw(t, w.dsn())
	r.send(query("select pg_backend_pid()"))
	var pid string
	for _, m := range bytes.Split(r.until('Z', 1), []byte("D")) {
		if len(m) > 10 {
			pid = string(bytes.TrimRight(m[10:], "\x00"))
			pid, _, _ = strings.Cut(pid, "C\x00")
		}
	}
	time.Sleep(3 * watchAfter)
	admin := w.db.Admin.Connect(t)
	if _, err := admin.Exec(t.Context(), "select pg_terminate_backend(pid) from pg_stat_activity where usename = $1 and datname = current_database() and application_name = 'vecgate'", w.db.App.User); err != nil {
		t.Fatal(pid, err)
	}
	answer := r.until('E', 1)
	if !bytes.Contains(answer, []byte("C57P01\x00")) || !bytes.Contains(answer, []byte("VFATAL")) {
		t.Errorf("%s", show(answer))
	}
	if end := r.until('E', 1); string(end) != "EOF" {
		t.Errorf("%s", show(end))
	}
	w.journal.wait(t, audit.TypeSessionClose, 1)
}

func TestSettingsThatTheAnalysisReliesOnEndTheSession(t *testing.T) {
	for _, text := range []string{
		"set client_encoding = 'LATIN1'", "set standard_conforming_strings = off", "set search_path = pg_catalog",
		"select set_config('search_path', 'elsewhere', false)", "do $$begin perform set_config('standard_conforming_strings', 'off', false); end$$",
	} {
		w := newWorld(t)
		conn := w.connect()
		_, err := conn.Exec(t.Context(), text, pgx.QueryExecModeSimpleProtocol)
		if err == nil {
			_, err = conn.Exec(t.Context(), "select 1", pgx.QueryExecModeSimpleProtocol)
		}
		if err == nil || !conn.IsClosed() {
			t.Errorf("%s: the session goes on: %v", text, err)
		}
	}
}

func TestWhatIsNoProtocolEndsTheSession(t *testing.T) {
	for name, bytes := range map[string]string{
		"unknown type":        "y\x00\x00\x00\x04",
		"length below four":   "Q\x00\x00\x00\x03",
		"negative length":     "Q\xff\xff\xff\xff",
		"huge length":         "Q\x7f\xff\xff\xff",
		"huge small message":  "S\x00\x00\xff\xff",
		"password after auth": msg('p', z("right")),
	} {
		w := newWorld(t)
		r := dialRaw(t, w.dsn())
		r.send(bytes)
		answer := r.until('E', 1)
		if !strings.Contains(string(answer), "VFATAL") {
			t.Errorf("%s: %s", name, show(answer))
		}
		if end := r.until('E', 1); string(end) != "EOF" {
			t.Errorf("%s: the session goes on: %s", name, show(end))
		}
	}
}

func TestMalformedMessagesAreRefusedInPlace(t *testing.T) {
	w := newWorld(t)
	r := dialRaw(t, w.dsn())
	for name, message := range map[string]string{
		"trailing bytes in Query":   msg('Q', z("select 1"), "x"),
		"Query without terminator":  msg('Q', "select 1"),
		"NUL in Query":              msg('Q', "select 1\x00; drop table t\x00"),
		"not UTF-8":                 msg('Q', z("select '\xff'")),
		"Parse, trailing":           msg('P', z(""), z("select 1"), i16(0), "x") + syncing(),
		"Parse, types missing":      msg('P', z(""), z("select 1"), i16(9)) + syncing(),
		"Bind, negative length":     msg('B', z(""), z(""), i16(0), i16(1), "\xff\xff\xff\xfe", i16(0)) + syncing(),
		"Bind, length beyond":       msg('B', z(""), z(""), i16(0), i16(1), i32(100), "x", i16(0)) + syncing(),
		"Bind, format":              msg('B', z(""), z(""), i16(1), i16(7), i16(0), i16(0)) + syncing(),
		"Execute, trailing":         msg('E', z(""), i32(0), "x") + syncing(),
		"Describe, unknown kind":    msg('D', "X", z("")) + syncing(),
		"function call":             msg('F', i32(1234), i16(0), i16(0), i16(0)),
		"unknown statement":         bind("", "nobody", false) + execute("", 0) + syncing(),
		"unknown portal":            execute("nobody", 0) + syncing(),
		"two commands in a Parse":   parse("", "select 1; select 2") + syncing(),
		"no SQL":                    query("not sql"),
		"no SQL, extended":          parse("", "not sql") + describe("S", "") + syncing(),
		"the reserved name":         bind("", reserved, false) + execute("", 0) + syncing(),
		"denied":                    query("select 'denied'"),
		"denied, pipelined":         parse("", "select 1") + bind("", "", false) + execute("", 0) + parse("", "select 'denied'") + bind("", "", false) + execute("", 0) + syncing(),
		"denied, then void":         parse("", "select 'denied'") + flushing() + bind("", "", false) + execute("", 0) + query("select 'void'") + syncing(),
		"denied, query after parse": parse("", "select 'denied'") + query("select 'void'") + syncing(),
		"denied COPY":               query("copy denied from stdin"),
		"COPY inside a pipeline":    parse("", "copy x from stdin") + bind("", "", false) + execute("", 0) + parse("", "select 1") + bind("", "", false) + execute("", 0) + syncing(),
		"COPY data sent ahead":      parse("", "copy x from stdin") + bind("", "", false) + execute("", 0) + msg('d', "1\n") + msg('c') + syncing(),
	} {
		r.send(message)
		answer := r.until('Z', 1)
		if answer[0] != 'E' || !strings.HasSuffix(string(answer), "Z\x00\x00\x00\x05I") || strings.Contains(string(answer), "VFATAL") || strings.Contains(string(answer), "VECGATE") {
			t.Errorf("%s: %s", name, show(answer))
		}
		r.send(query("select 'fine'"))
		if after := r.until('Z', 1); !strings.Contains(string(after), "fine") {
			t.Fatalf("after %s: %s", name, show(after))
		}
	}
	states := map[string]string{"not sql": "42601", "'denied'": "42501", "copy denied": "42501"}
	for text, want := range states {
		r.send(query(text))
		if answer := string(r.until('Z', 1)); !strings.Contains(answer, "C"+want+"\x00") {
			t.Errorf("%s: %q, want %s", text, answer, want)
		}
	}
}

func TestPipelinesGoOnAfterARefusal(t *testing.T) {
	w := newWorld(t)
	r := dialRaw(t, w.dsn())
	unit := func(text string) string { return parse("", text) + bind("", "", false) + execute("", 0) + syncing() }
	r.send(unit("select 'one'") + unit("select 'denied'") + unit("select 'three'") + query("select 'four'") + query("select 'denied'") + query("select 'six'"))
	answer := string(r.until('Z', 6))
	for _, want := range []string{"one", "three", "four", "six"} {
		if !strings.Contains(answer, want) {
			t.Errorf("%s is missing: %s", want, show([]byte(answer)))
		}
	}
	if strings.Count(answer, "C42501\x00") != 2 {
		t.Errorf("%s", show([]byte(answer)))
	}
	// In a transaction the rest fails as after any other error.
	r.send(query("begin") + unit("select 'denied'") + unit("select 1") + query("rollback"))
	answer = string(r.until('Z', 4))
	if strings.Count(answer, "C42501\x00") != 1 || strings.Count(answer, "C25P02\x00") != 1 || !strings.HasSuffix(answer, "Z\x00\x00\x00\x05I") {
		t.Errorf("%s", show([]byte(answer)))
	}
}

func TestARefusedNameDoesNotChangeWhatTheNameMeans(t *testing.T) {
	w := newWorld(t)
	r := dialRaw(t, w.dsn())
	r.send(parse("a", "select 'first'") + syncing())
	r.until('Z', 1)
	// The target refuses the second Parse, for the name is taken: a still is what is executed, and judged.
	r.send(parse("a", "select 'denied'") + syncing())
	r.until('Z', 1)
	r.send(parse("a", "select 'other'") + syncing())
	r.until('Z', 1)
	r.send(bind("", "a", false) + execute("", 0) + syncing())
	if answer := string(r.until('Z', 1)); !strings.Contains(answer, "first") {
		t.Errorf("%s", show([]byte(answer)))
	}
	w.rule(func(_ *access.Subject, op *access.Operation, c access.Context) access.Decision {
		if strings.Contains(op.Text, "first") {
			return access.Decision{Effect: access.Deny, Reason: access.Reason{Code: access.CodeDenied, Sentence: "no longer"}}
		}
		return usual(op, c)
	})
	r.send(bind("", "a", false) + execute("", 0) + syncing())
	if answer := string(r.until('Z', 1)); !strings.Contains(answer, "no longer") {
		t.Errorf("a prepared statement outlives the policy: %s", show([]byte(answer)))
	}
}

func TestWhatCannotBeWrittenDownDoesNotHappen(t *testing.T) {
	w := newWorld(t)
	conn := w.connect()
	if _, err := conn.Exec(t.Context(), "create table j (a int)"); err != nil {
		t.Fatal(err)
	}
	w.journal.mu.Lock()
	w.journal.fail = errors.New("disk full")
	w.journal.mu.Unlock()
	if _, err := conn.Exec(t.Context(), "insert into j values (1)"); state(err) != "58030" {
		t.Errorf("%v, want 58030", err)
	}
	w.journal.mu.Lock()
	w.journal.fail = nil
	w.journal.mu.Unlock()
	var n int
	if err := conn.QueryRow(t.Context(), "select count(*) from j").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows, %v", n, err)
	}
	// COPY: the data that cannot be recorded is not taken.
	w.journal.mu.Lock()
	w.journal.asked = nil
	w.journal.mu.Unlock()
	read, write := io.Pipe()
	go func() {
		_, _ = io.WriteString(write, "1\n2\n")
		w.journal.wait(t, audit.TypeIntent, 3)
		for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
			w.journal.mu.Lock()
			seen := bytes.Contains(w.journal.asked, []byte("1\n2\n"))
			w.journal.mu.Unlock()
			if seen {
				break
			}
		}
		w.journal.mu.Lock()
		w.journal.fail = errors.New("disk full")
		w.journal.mu.Unlock()
		_ = write.Close()
	}()
	if _, err := conn.PgConn().CopyFrom(t.Context(), read, "copy j from stdin"); err == nil {
		t.Error("COPY was taken though it could not be recorded")
	}
	direct := w.db.App.Connect(t)
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if err := direct.QueryRow(t.Context(), "select count(*) from j").Scan(&n); err != nil || n != 0 {
			t.Fatalf("%d rows, %v", n, err)
		}
	}
}

func TestAnIdleSessionEndsWhenTheGatewayDrains(t *testing.T) {
	w := newWorld(t)
	idle, open := w.connect(), w.connect()
	tx, err := open.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.server.drain()
	r := idle.PgConn()
	for end := time.Now().Add(30 * time.Second); len(w.gate.Sessions()) > 1; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("an idle session stays")
		}
	}
	if _, err := r.Exec(t.Context(), "select 1").ReadAll(); state(err) != "57P01" && err == nil {
		t.Errorf("%v", err)
	}
	if _, err := tx.Exec(t.Context(), "select 1"); err != nil {
		t.Errorf("an open transaction was cut: %v", err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Errorf("an open transaction was cut: %v", err)
	}
	for end := time.Now().Add(30 * time.Second); len(w.gate.Sessions()) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a session stays after its transaction")
		}
	}
}

func TestAnIdleSessionEndsAfterAWhile(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *Target) { c.Limits.Idle = 100 * time.Millisecond })
	r := dialRaw(t, w.dsn())
	if answer := r.until('E', 1); !strings.Contains(string(answer), "idle") {
		t.Errorf("%s", show(answer))
	}
}

func TestTicketsTravelWithTheSessionTheSettingAndTheComment(t *testing.T) {
	w := newWorld(t)
	seen := make(chan string, 100)
	w.rule(func(_ *access.Subject, op *access.Operation, c access.Context) access.Decision {
		if strings.HasPrefix(op.Text, "select 'ticket'") {
			seen <- c.Ticket
		}
		return access.Decision{Effect: access.Allow}
	})
	conn := w.connect("options='-c vecgate.ticket=CHG-1'")
	do := func(text string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), text, pgx.QueryExecModeExec); err != nil {
			t.Fatal(err)
		}
	}
	want := func(ticket string) {
		t.Helper()
		if got := <-seen; got != ticket {
			t.Errorf("ticket %q, want %q", got, ticket)
		}
	}
	do("select 'ticket'")
	want("CHG-1")
	do("set vecgate.ticket = 'CHG-2'")
	do("select 'ticket'")
	want("CHG-2")
	do("select 'ticket' /* vecgate.ticket=CHG-3 */")
	want("CHG-3")
	do("select 'ticket'")
	want("CHG-2")
}

func TestACancelRequestNeedsTheKey(t *testing.T) {
	w := newWorld(t)
	conn := w.connect()
	done := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.Background(), "select pg_sleep(1.5)")
		done <- err
	}()
	time.Sleep(100 * time.Millisecond)
	for range wrongKeys + 5 {
		c := w.tcp()
		pid := conn.PgConn().PID()
		_, _ = c.Write(append([]byte{0, 0, 0, 16, 4, 210, 22, 46, byte(pid >> 24), byte(pid >> 16), byte(pid >> 8), byte(pid)}, 1, 2, 3, 4))
		if answer, _ := io.ReadAll(c); len(answer) != 0 {
			t.Errorf("a cancel request was answered: %q", answer)
		}
	}
	if err := <-done; err != nil {
		t.Errorf("canceled with a wrong key: %v", err)
	}
	if turnedAway := w.journal.wait(t, audit.TypeSignIn, 1); turnedAway[0].Method != "cancel" || turnedAway[0].Effect != access.Deny {
		t.Errorf("%+v", turnedAway[0])
	}
}

func TestACancelRequestIsOnRecord(t *testing.T) {
	w := newWorld(t)
	conn := w.connect()
	if err := conn.PgConn().CancelRequest(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := w.journal.wait(t, audit.TypeSignIn, 1)[0]; r.Method != "cancel" || r.Effect != access.Allow || r.Session == "" || r.Client == "" {
		t.Errorf("%+v", r)
	}
}

func TestAProtocolViolationIsOnRecord(t *testing.T) {
	w := newWorld(t)
	r := dialRaw(t, w.dsn())
	r.send("\x01\x00\x00\x00\x04")
	refused := w.journal.wait(t, audit.TypeRefusal, 1)[0]
	if !strings.HasPrefix(refused.Detail, "protocol violation: ") || refused.Effect != access.Deny || refused.Request == "" || refused.Client == "" {
		t.Errorf("%+v", refused)
	}
	w.journal.wait(t, audit.TypeSessionClose, 1)
}

func TestNamesThatDifferBehind63BytesAreOneName(t *testing.T) {
	w := newWorld(t)
	r := dialRaw(t, w.dsn())
	long := strings.Repeat("n", maxName)
	r.send(parse(long+"a", "select 'first'") + syncing())
	r.until('Z', 1)
	r.send(closing("S", long+"b") + parse(long+"c", "select 'second'") + syncing())
	r.until('Z', 1)
	w.rule(func(_ *access.Subject, op *access.Operation, c access.Context) access.Decision {
		if strings.Contains(op.Text, "second") {
			return access.Decision{Effect: access.Deny, Reason: access.Reason{Code: access.CodeDenied, Sentence: "not this one"}}
		}
		return usual(op, c)
	})
	r.send(bind("", long+"a", false) + execute("", 0) + syncing())
	if answer := string(r.until('Z', 1)); strings.Contains(answer, "second") || !strings.Contains(answer, "not this one") {
		t.Errorf("%s", show([]byte(answer)))
	}
}

func TestThePositionOfAMissingNameIsSaidWhenItIsCertain(t *testing.T) {
	for _, c := range []struct {
		text, message string
		want          int
	}{
		{"select nonsense from t", `column "nonsense" does not exist`, 8},
		{"select 'ä', NonSense from t", `column "nonsense" does not exist`, 13},
		{`select "nonsense" from t`, `column "nonsense" does not exist`, 8},
		{"select nonsense, nonsense from t", `column "nonsense" does not exist`, 0},
		{"select t.nonsense from t", `column "nonsense" does not exist`, 0},
		{"select nonsensey from t", `column "nonsense" does not exist`, 0},
		{"select 1", "no name", 0},
	} {
		if got := whereNamed(c.text, c.message); got != c.want {
			t.Errorf("%s: %d, want %d", c.text, got, c.want)
		}
	}
}
