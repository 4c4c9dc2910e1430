package postgrestest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/vecgate/vecgate/test/postgrestest"
)

func TestServerIsRecentSpeaksTLSAndHasPgvector(t *testing.T) {
	db := postgrestest.Start(t).NewDatabase(t)
	var version int
	var tls bool
	var protocol, extension, encrypted string
	err := db.Admin.Connect(t).QueryRow(t.Context(), `
		SELECT current_setting('server_version_num')::int, ssl, version,
		       (SELECT extversion FROM pg_extension WHERE extname = 'vector'), current_setting('password_encryption')
		FROM pg_stat_ssl WHERE pid = pg_backend_pid()`).Scan(&version, &tls, &protocol, &extension, &encrypted)
	if err != nil {
		t.Fatal(err)
	}
	if version < 160000 || !tls || protocol != "TLSv1.3" || extension == "" || encrypted != "scram-sha-256" {
		t.Errorf("server %d, TLS %v %s, pgvector %q, passwords %s", version, tls, protocol, extension, encrypted)
	}
	var nearest string
	err = db.App.Connect(t).QueryRow(t.Context(), `SELECT v::text FROM (VALUES ('[1,0]'::vector), ('[0,1]')) AS x(v) ORDER BY v <=> '[0.1,0.9]' LIMIT 1`).Scan(&nearest)
	if err != nil || nearest != "[0,1]" {
		t.Errorf("nearest = %q, %v; want [0,1]", nearest, err)
	}
}

func TestConnectionWithoutTLSIsRefused(t *testing.T) {
	dsn := postgrestest.Start(t).Database(postgrestest.Empty)
	dsn.CAFile = ""
	_, err := pgx.Connect(t.Context(), dsn.String())
	if refused, ok := errors.AsType[*pgconn.PgError](err); !ok || refused.Code != "28000" {
		t.Errorf("connect without TLS: %v, want SQLSTATE 28000", err)
	}
}

func TestWrongPasswordIsRefused(t *testing.T) {
	server := postgrestest.Start(t)
	_, err := pgx.Connect(t.Context(), server.Database(postgrestest.Empty).As(server.User, "wrong").String())
	if refused, ok := errors.AsType[*pgconn.PgError](err); !ok || refused.Code != "28P01" {
		t.Errorf("connect with a wrong password: %v, want SQLSTATE 28P01", err)
	}
}

func TestApplicationRoleHasNoPrivilegesOfTheServer(t *testing.T) {
	db := postgrestest.Start(t).NewDatabase(t)
	type rights struct {
		Super, CreateRole, CreateDB, Replication, BypassRLS, Inherits bool
	}
	var got rights
	err := db.App.Connect(t).QueryRow(t.Context(), `
		SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls,
		       EXISTS (SELECT FROM pg_auth_members WHERE member = r.oid OR roleid = r.oid)
		FROM pg_roles r WHERE rolname = current_user`).Scan(&got.Super, &got.CreateRole, &got.CreateDB, &got.Replication, &got.BypassRLS, &got.Inherits)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rights{}, got); diff != "" {
		t.Errorf("rights of %s (-want +got):\n%s", postgrestest.AppRole, diff)
	}
}

func TestEveryTestHasItsOwnDatabaseAndItIsDropped(t *testing.T) {
	server := postgrestest.Start(t)
	var name string
	t.Run("with a table", func(t *testing.T) {
		one, two := server.NewDatabase(t), server.NewDatabase(t)
		name = one.Admin.Database
		if _, err := one.App.Connect(t).Exec(t.Context(), "CREATE TABLE mine (id int)"); err != nil {
			t.Fatal(err)
		}
		var visible bool
		if err := two.App.Connect(t).QueryRow(t.Context(), "SELECT to_regclass('mine') IS NOT NULL").Scan(&visible); err != nil || visible {
			t.Errorf("the table is visible in the other database: %v, %v", visible, err)
		}
	})
	var left int
	err := server.Database("postgres").Connect(t).QueryRow(t.Context(), "SELECT count(*) FROM pg_database WHERE datname = $1", name).Scan(&left)
	if err != nil || left != 0 {
		t.Errorf("%d databases %s are left, %v", left, name, err)
	}
}

func TestStatementsAreInTheLog(t *testing.T) {
	server := postgrestest.Start(t)
	db := server.NewDatabase(t)
	if _, err := db.App.Connect(t).Exec(t.Context(), "SELECT 'canary-7F3K'"); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(server.Log)
	if err != nil || !strings.Contains(string(log), "canary-7F3K") {
		t.Errorf("the statement is not in %s: %v", server.Log, err)
	}
}

func TestPsqlAndPgDumpConnectOverTLS(t *testing.T) {
	server := postgrestest.Start(t)
	db := server.NewDatabase(t)
	psql := exec.CommandContext(t.Context(), filepath.Join(server.Bin, "psql"), "--no-psqlrc", "--tuples-only", "--no-align", "--command=SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", db.App.String())
	psql.Env = append(os.Environ(), "PGSSLNEGOTIATION=direct")
	if out, err := psql.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "t" {
		t.Errorf("psql: %s, %v", out, err)
	}
	if out, err := exec.CommandContext(t.Context(), filepath.Join(server.Bin, "pg_dump"), db.Admin.URL()).CombinedOutput(); err != nil || !strings.Contains(string(out), "CREATE EXTENSION IF NOT EXISTS vector") {
		t.Errorf("pg_dump: %s, %v", out, err)
	}
}

func TestStopEndsTheServerAndRemovesItsDirectory(t *testing.T) {
	server, err := postgrestest.Run(t.Context(), "", postgrestest.Options{Plain: true, Settings: map[string]string{"work_mem": "7MB"}})
	if err != nil {
		t.Fatal(err)
	}
	plain := server.Database(postgrestest.Empty)
	plain.CAFile = ""
	var setting string
	if err := plain.Connect(t).QueryRow(t.Context(), "SHOW work_mem").Scan(&setting); err != nil || setting != "7MB" {
		t.Errorf("work_mem = %q, %v; want 7MB", setting, err)
	}
	if err := server.Stop(); err != nil {
		t.Error(err)
	}
	select {
	case <-server.Exited():
	default:
		t.Error("the server runs on after Stop")
	}
	if _, err := os.Stat(filepath.Dir(server.CAFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the server's directory after Stop: %v, want it gone", err)
	}
}

func TestServerEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server, err := postgrestest.Run(ctx, filepath.Join(os.TempDir(), fmt.Sprintf("vecgate-postgres-named-%d", os.Getpid())), postgrestest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	<-server.Exited()
	if err := server.Stop(); err != nil { // waits for what the context began
		t.Error(err)
	}
}

// TestServerDiesWithAKilledTest runs this test again in a process of its own, which
// starts a server and is then killed as no process can prevent.
func TestServerDiesWithAKilledTest(t *testing.T) {
	const role = "VECGATE_TEST_TO_BE_KILLED"
	if os.Getenv(role) != "" {
		server := postgrestest.Start(t)
		fmt.Printf("server %d %s\n", server.PID(), filepath.Dir(server.CAFile))
		select {} // until killed
	}
	postgrestest.Start(t) // what must be downloaded is there now
	test, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	victim := exec.Command(test, "-test.run=^TestServerDiesWithAKilledTest$", "-test.v")
	victim.Env = append(os.Environ(), role+"=1")
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	var dir string
	lines := bufio.NewScanner(out)
	for dir == "" && lines.Scan() {
		_, _ = fmt.Sscanf(lines.Text(), "server %d %s", &pid, &dir)
	}
	if dir == "" {
		t.Fatalf("the other process started no server: %v", errors.Join(lines.Err(), victim.Wait()))
	}
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait() // it was killed: that is the error
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		gone := errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
		_, err := os.Stat(dir)
		if gone && errors.Is(err, os.ErrNotExist) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("30 seconds after its test was killed: server %d gone is %v, directory %s: %v", pid, gone, dir, err)
		}
	}
}

func TestDSNQuotesWhatItsUsersChoose(t *testing.T) {
	dsn := postgrestest.DSN{Host: "127.0.0.1", Port: 5432, Database: "a b", User: `o'neil`, Password: `p\ '@/?`}
	for _, form := range []string{dsn.String(), dsn.URL()} {
		parsed, err := pgx.ParseConfig(form)
		if err != nil {
			t.Errorf("%s: %v", form, err)
			continue
		}
		got := postgrestest.DSN{Host: parsed.Host, Port: int(parsed.Port), Database: parsed.Database, User: parsed.User, Password: parsed.Password}
		if diff := cmp.Diff(dsn, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", strconv.Quote(form), diff)
		}
	}
}
