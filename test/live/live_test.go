// Package live tests what happens to a running gateway and its live sessions: kill -9, restarts, reloads, expiry, off-boarding,
// a full disk. Every test ends with the verification of the whole audit log.
package live

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/vecgate/vecgate/internal/identity/login"
	"github.com/vecgate/vecgate/test/postgrestest"
	"github.com/vecgate/vecgate/test/world"
)

func start(t *testing.T, o world.GatewayOptions) *world.Gateway {
	t.Helper()
	server := postgrestest.Start(t)
	o.Postgres, o.Database = server, server.NewProducts(t).App.Database
	return world.Test(t, o)
}

func token(t *testing.T, g *world.Gateway, who string) string {
	t.Helper()
	return g.TestToken(t, who, login.Ask{})
}

// connect opens a session; onNotice may be nil.
func connect(t *testing.T, g *world.Gateway, who, token string, onNotice func(string)) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(g.DSN(who, token))
	if err != nil {
		t.Fatal(err)
	}
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		if onNotice != nil {
			onNotice(n.Message)
		}
	}
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// as runs vecgate as somebody.
func as(t *testing.T, g *world.Gateway, who string, args ...string) (string, error) {
	t.Helper()
	id, err := world.SignIn(t.Context(), g.Issuer(who), who)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	return g.Vecgate(ctx, []string{"VECGATE_ID_TOKEN=" + id}, args...)
}

func must(t *testing.T, out string, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// held runs a statement that is expected to wait, and returns the request it waits for and how it ends.
func held(t *testing.T, g *world.Gateway, who, sql string, args ...any) (id string, done <-chan error) {
	t.Helper()
	notices := make(chan string, 16)
	conn := connect(t, g, who, token(t, g, who), func(m string) { notices <- m })
	ended := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.Background(), sql, args...)
		ended <- err
	}()
	select {
	case m := <-notices:
		_, rest, ok := strings.Cut(m, "request ")
		if !ok {
			t.Fatalf("the notice names no request: %s", m)
		}
		return strings.TrimRight(strings.Fields(rest)[0], ":"), ended
	case err := <-ended:
		t.Fatalf("%s was not held: %v", sql, err)
	case <-time.After(20 * time.Second):
		t.Fatalf("no notice for %s", sql)
	}
	return "", nil
}

func wait(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("the statement did not end")
		return nil
	}
}

func code(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

type record struct {
	Seq     uint64
	Type    string
	Session string
	Request string
	Subject string
	Effect  string
	Code    string
	Grant   string
	State   string
	Rule    string
}

func records(t *testing.T, g *world.Gateway) []record {
	t.Helper()
	out, err := g.Vecgate(context.Background(), nil, "audit", "show", "--dir", g.AuditDir, "--json", "--limit", "1000000")
	if err != nil {
		t.Fatal(err)
	}
	var all []record
	for dec := json.NewDecoder(strings.NewReader(out)); dec.More(); {
		var r record
		if err := dec.Decode(&r); err != nil {
			t.Fatalf("audit show --json: %v\n%.500s", err, out)
		}
		all = append(all, r)
	}
	return all
}

func TestKillUnderLoadLosesNoRecordOfAnAnswer(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	sam := token(t, g, "sam")
	answered := make([]atomic.Int64, 8)
	var clients sync.WaitGroup
	for i := range answered {
		conn := connect(t, g, "sam", sam, nil)
		clients.Go(func() {
			for {
				var name string
				if err := conn.QueryRow(context.Background(), "SELECT name FROM items WHERE id = $1", 1+answered[i].Load()%2000).Scan(&name); err != nil {
					return
				}
				answered[i].Add(1)
			}
		})
	}
	time.Sleep(2 * time.Second)
	g.Kill()
	clients.Wait()
	var total int64
	for i := range answered {
		total += answered[i].Load()
	}
	if total < 100 {
		t.Fatalf("only %d answers before the kill: no load", total)
	}
	if err := g.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var intents int64
	for _, r := range records(t, g) {
		if r.Type == "intent" {
			intents++
		}
	}
	if intents < total {
		t.Errorf("%d answers, %d intents on record", total, intents)
	}
	t.Logf("%d answers, %d intents", total, intents)
	// The gateway works on, and the log goes on.
	var one int
	if err := connect(t, g, "sam", sam, nil).QueryRow(t.Context(), "SELECT 1").Scan(&one); err != nil {
		t.Error(err)
	}
}

func TestLogThatWasPutBackIsRefusedAtStart(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	conn := connect(t, g, "sam", token(t, g, "sam"), nil)
	query := func() {
		if _, err := conn.Exec(t.Context(), "SELECT 1"); err != nil {
			t.Fatal(err)
		}
	}
	query()
	g.Terminate()
	old := filepath.Join(t.TempDir(), "old")
	if out, err := exec.Command("cp", "-a", g.AuditDir, old).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v\n%s", err, out)
	}
	if err := g.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	conn = connect(t, g, "sam", token(t, g, "sam"), nil)
	query()
	g.Terminate()
	kept := g.AuditDir + ".kept"
	if err := os.Rename(g.AuditDir, kept); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(old, g.AuditDir); err != nil {
		t.Fatal(err)
	}
	if err := g.Start(t.Context()); err == nil || !strings.Contains(g.Output(), "rollback") {
		t.Errorf("a gateway started on a log that was put back: %v\n%s", err, g.Output())
	}
	if err := errors.Join(os.Rename(g.AuditDir, old), os.Rename(kept, g.AuditDir)); err != nil {
		t.Fatal(err)
	}
}

func TestHeldRequestRunsExactlyOnceAndOnlyAsApproved(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	id, done := held(t, g, "sam", "UPDATE items SET summary = $1 WHERE id = $2", "approved text", 42)
	if out, err := as(t, g, "sam", "requests", "approve", id); err == nil {
		t.Errorf("sam approved his own request:\n%s", out)
	}
	if out, err := as(t, g, "olga", "requests", "approve", id); err == nil {
		t.Errorf("olga, who is no approver, approved:\n%s", out)
	}
	show, err := as(t, g, "arno", "requests", "show", id)
	if must(t, show, err); !strings.Contains(show, "approved text") {
		t.Errorf("the approver does not see what would run:\n%s", show)
	}
	out, err := as(t, g, "arno", "requests", "approve", id, "--reason", "fine")
	must(t, out, err)
	if err := wait(t, done); err != nil {
		t.Fatal(err)
	}
	var summary string
	admin := g.Postgres.Database(databaseOf(t, g)).Connect(t)
	if err := admin.QueryRow(t.Context(), "SELECT summary FROM items WHERE id = 42").Scan(&summary); err != nil || summary != "approved text" {
		t.Errorf("summary = %q, %v", summary, err)
	}
	// Again: the approval is used up; a different parameter is a different request.
	second, done := held(t, g, "sam", "UPDATE items SET summary = $1 WHERE id = $2", "approved text", 42)
	if second == id {
		t.Error("the same approval serves twice")
	}
	out, err = as(t, g, "arno", "requests", "deny", second, "--reason", "once is enough")
	must(t, out, err)
	if err := wait(t, done); code(err) != "42501" || !strings.Contains(err.Error(), "once is enough") {
		t.Errorf("denied: %v", err)
	}
	var votes, used int
	for _, r := range records(t, g) {
		if r.Type == "vote" {
			votes++
		}
		if r.Type == "intent" && r.Grant == id {
			used++
		}
	}
	if votes != 2 || used != 1 {
		t.Errorf("%d votes and %d uses on record, want 2 and 1", votes, used)
	}
}

func TestOwnBotCannotBeApproved(t *testing.T) {
	policy, err := os.ReadFile(filepath.Join(world.Root(), "examples/policy/quickstart.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	// Sam is made an approver: he owns the pipelines, and must still not release their writes.
	g := start(t, world.GatewayOptions{Policy: strings.ReplaceAll(string(policy), "Vector-Approve", "Vector-Read")})
	id, done := held(t, g, "retrain", "UPDATE items SET summary = 'bot' WHERE id = 1")
	if out, err := as(t, g, "sam", "requests", "approve", id); err == nil {
		t.Errorf("sam released the write of a workload that he owns:\n%s", out)
	}
	out, err := as(t, g, "ray", "requests", "approve", id)
	if err == nil {
		if err := wait(t, done); err != nil {
			t.Errorf("released by ray: %v", err)
		}
		return
	}
	// The quick start separates writers from approvers; being refused for that is as good.
	if !strings.Contains(out, "separ") && !strings.Contains(out, "writer-is-not-approver") {
		t.Errorf("ray could not release it: %v\n%s", err, out)
	}
}

func TestCancelTakesAHeldRequestBack(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	cmd := exec.Command(filepath.Join(g.Postgres.Bin, "psql"), "-X", g.DSN("sam", token(t, g, "sam")), "-c", "DELETE FROM orders WHERE id = 1")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	waitFor(t, func() bool { return strings.Contains(list(t, g, "open"), "orders") })
	_ = cmd.Process.Signal(syscall.SIGINT)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-ended:
	case <-time.After(15 * time.Second):
		t.Fatal("psql still waits after Ctrl-C")
	}
	if !strings.Contains(out.String(), "ERROR") {
		t.Errorf("psql said:\n%s", out.String())
	}
	waitFor(t, func() bool { return !strings.Contains(list(t, g, "open"), "orders") })
}

// list returns the access requests in a state as JSON.
func list(t *testing.T, g *world.Gateway, state string) string {
	t.Helper()
	out, err := as(t, g, "arno", "requests", "ls", "--state", state, "--json")
	return must(t, out, err)
}

func waitFor(t *testing.T, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !cond(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
	}
}

func TestRequestSurvivesARestartAndIsUsedOnceByWhoResendsIt(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	const sql = "UPDATE items SET summary = 'after restart' WHERE id = 7"
	id, done := held(t, g, "sam", sql)
	g.Terminate()
	err := wait(t, done)
	if err == nil || !strings.Contains(err.Error(), id) {
		t.Errorf("the client was told %v, want the reference %s and to resend", err, id)
	}
	if err := g.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	out, err := as(t, g, "arno", "requests", "approve", id)
	must(t, out, err)
	conn := connect(t, g, "sam", token(t, g, "sam"), nil)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatalf("resent: %v", err)
	}
	again, _ := held(t, g, "sam", sql)
	if again == id {
		t.Error("one approval ran twice")
	}
}

func TestPolicyReloadActsOnLiveSessions(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	conn := connect(t, g, "sam", token(t, g, "sam"), nil)
	read := func() error {
		_, err := conn.Exec(t.Context(), "SELECT name FROM items WHERE id = 1")
		return err
	}
	if err := read(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(g.Dir, "policy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	write := func(s string) {
		if err := os.WriteFile(filepath.Join(g.Dir, "policy.yaml"), []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(string(text) + "\nnonsense: true\n")
	time.Sleep(600 * time.Millisecond)
	if err := read(); err != nil {
		t.Errorf("a policy with a fault was taken over: %v", err)
	}
	write(strings.Replace(string(text), "deny:\n", "deny:\n  - {name: closed, who: {groups: [Vector-Read]}, can: [fetch], on: [products/public/items], because: closed for the night}\n", 1))
	waitFor(t, func() bool { return read() != nil })
	if err := read(); code(err) != "42501" || !strings.Contains(err.Error(), "closed for the night") {
		t.Errorf("after the reload: %v", err)
	}
	write(string(text))
	waitFor(t, func() bool { return read() == nil })
}

func TestExpiredTokenEndsALiveSession(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	short, err := g.TokenFor(t.Context(), "sam", login.Ask{Lifetime: 4 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	conn := connect(t, g, "sam", short, nil)
	if _, err := conn.Exec(t.Context(), "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool {
		_, err := conn.Exec(t.Context(), "SELECT 1")
		return err != nil
	})
}

func TestSuspensionCutsALiveSessionInTheMiddleOfAQuery(t *testing.T) {
	policy := "allow:\n  - {name: all, who: {groups: [Everything]}, can: [\"*\", unknown], on: [\"**\"]}\n"
	g := start(t, world.GatewayOptions{Policy: policy})
	conn := connect(t, g, "tess", token(t, g, "tess"), nil)
	done := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.Background(), "SELECT count(*) FROM generate_series(1, 100000000000)")
		done <- err
	}()
	time.Sleep(500 * time.Millisecond)
	var session string
	out, err := as(t, g, "ops", "sessions", "ls", "--json")
	must(t, out, err)
	var listed struct {
		Sessions []struct{ ID string } `json:"sessions"`
	}
	if err := json.Unmarshal([]byte(out), &listed); err != nil || len(listed.Sessions) != 1 {
		t.Fatalf("sessions ls: %v\n%s", err, out)
	}
	session = listed.Sessions[0].ID
	select {
	case err := <-done:
		t.Fatalf("the query ended before it was cut off: %v", err)
	default:
	}
	if out, err := as(t, g, "tess", "sessions", "kill", session, "--reason", "x"); err == nil && !strings.Contains(out, session) {
		t.Errorf("kill by a non-operator: %s", out)
	}
	out, err = as(t, g, "ops", "sessions", "kill", session, "--reason", "off-boarded")
	if err != nil && !strings.Contains(out, "no") {
		t.Fatal(err)
	}
	began := time.Now()
	if err := wait(t, done); err == nil {
		t.Error("the query was answered")
	}
	t.Logf("cut off after %s", time.Since(began).Round(time.Millisecond))
	// And the database works for nobody any more.
	admin := g.Postgres.Database("postgres").Connect(t)
	waitFor(t, func() bool {
		var n int
		err := admin.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%100000000000%' AND pid <> pg_backend_pid()").Scan(&n)
		return err == nil && n == 0
	})
}

func TestAnOffBoardedPersonIsCutOffWithTheirPipelines(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	sam, retrain := token(t, g, "sam"), token(t, g, "retrain")
	conns := []*pgx.Conn{connect(t, g, "sam", sam, nil), connect(t, g, "retrain", retrain, nil)}
	if out, err := as(t, g, "sam", "identities", "suspend", "arno"); err == nil {
		t.Errorf("sam, who is no operator, cut somebody off:\n%s", out)
	}
	out, err := as(t, g, "ops", "identities", "suspend", "sam", "--reason", "left the company")
	must(t, out, err)
	for i, conn := range conns {
		waitFor(t, func() bool {
			_, err := conn.Exec(t.Context(), "SELECT 1")
			return err != nil
		})
		if _, err := pgx.Connect(t.Context(), g.DSN("x", []string{sam, retrain}[i])); err == nil {
			t.Errorf("connection %d: an old token still opens a session", i)
		}
	}
	out, err = as(t, g, "ops", "identities", "ls")
	if must(t, out, err); !strings.Contains(out, "left the company") || !strings.Contains(out, "cut off") {
		t.Errorf("identities ls:\n%s", out)
	}
	out, err = as(t, g, "ops", "identities", "reinstate", "sam")
	must(t, out, err)
	if _, err := pgx.Connect(t.Context(), g.DSN("sam", token(t, g, "sam"))); err != nil {
		t.Errorf("after being let in again: %v", err)
	}
}

func TestFullDiskFailsClosedAndRecovers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount a small file system; internal/audit tests a full disk without")
	}
	dir := t.TempDir()
	small := filepath.Join(dir, "audit")
	if err := os.Mkdir(small, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=8m"); err != nil {
		t.Skip("cannot mount here (" + err.Error() + "); internal/audit tests a full disk without")
	}
	t.Cleanup(func() { _ = syscall.Unmount(small, syscall.MNT_DETACH) })
	g := start(t, world.GatewayOptions{Dir: dir, Audit: "segment: 1MiB"})
	conn := connect(t, g, "sam", token(t, g, "sam"), nil)
	read := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err := conn.Exec(ctx, "SELECT description FROM items WHERE id = 1")
		return err
	}
	if err := read(); err != nil {
		t.Fatal(err)
	}
	hog := filepath.Join(small, "hog")
	fill(t, hog)
	var refused error
	for range 40_000 {
		if refused = read(); refused != nil {
			break
		}
	}
	if refused == nil || !strings.Contains(refused.Error(), "audit log") {
		t.Fatalf("with a full disk: %v", refused)
	}
	if resp, err := exec.Command("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", g.Ops+"/readyz").Output(); err == nil && string(resp) == "200" {
		t.Error("ready with a full disk")
	}
	if err := os.Remove(hog); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool {
		if conn.IsClosed() {
			conn = connect(t, g, "sam", token(t, g, "sam"), nil)
		}
		return read() == nil
	})
	var gap bool
	for _, r := range records(t, g) {
		gap = gap || r.Type == "gap"
	}
	if !gap {
		t.Error("no gap record says that the log could not be written")
	}
}

// fill takes all the room that is left.
func fill(t *testing.T, file string) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for chunk := make([]byte, 4096); ; {
		if _, err := f.Write(chunk); err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
			return
		}
	}
}

func databaseOf(t *testing.T, g *world.Gateway) string {
	t.Helper()
	text, err := os.ReadFile(g.Config)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "database: ")
	name, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(name)
}
