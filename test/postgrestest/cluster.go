package postgrestest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vecgate/vecgate/test/data"
	"github.com/vecgate/vecgate/test/get/fetch"
)

const (
	superuser = "postgres"

	// Empty is a database with pgvector and nothing else.
	Empty = "empty"

	// Products is a database with the data of test/data.
	Products = "products"
)

// cluster.go's own text is part of the cache key: whoever changes how a cluster is
// made gets a new one.
//
//go:embed cluster.go
var recipe string

// A cluster is a data directory that was initialized once and is copied for every
// server: roles, the database Empty and the database Products are in it.
type cluster struct {
	Superuser, App string // passwords
	data           string
}

// preparedCluster answers the cached cluster, made when missing.
func preparedCluster(ctx context.Context, f *fetch.Fetcher, bin string, who account) (*cluster, error) {
	key := sha256.New()
	fmt.Fprintln(key, bin, recipe, who.credential != nil)
	if err := data.WriteSQL(key); err != nil {
		return nil, err
	}
	name := "cluster-" + hex.EncodeToString(key.Sum(nil))[:16]
	dir, err := f.Once(name, func(dir string) error { return buildCluster(ctx, bin, dir, who) })
	if err != nil {
		return nil, err
	}
	return readCluster(dir)
}

func readCluster(dir string) (*cluster, error) {
	secrets, err := os.ReadFile(filepath.Join(dir, "passwords.json"))
	if err != nil {
		return nil, err
	}
	c := &cluster{data: filepath.Join(dir, "data")}
	if err := json.Unmarshal(secrets, c); err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Join(dir, "passwords.json"), err)
	}
	return c, nil
}

func buildCluster(ctx context.Context, bin, dir string, who account) error {
	c := &cluster{Superuser: rand.Text(), App: rand.Text(), data: filepath.Join(dir, "data")}
	secrets, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "passwords.json"), secrets, 0o600); err != nil {
		return err
	}
	if err := initialize(ctx, bin, dir, c.Superuser, who); err != nil {
		return err
	}
	// Passwords are not asked on the way that the cluster is filled: a socket in a
	// directory that only the account may enter.
	if err := os.WriteFile(filepath.Join(c.data, "pg_hba.conf"), []byte("local all all trust\n"), 0o600); err != nil {
		return err
	}
	sockets, err := os.MkdirTemp("", "vecgate-socket-") // the path of a socket must be short
	if err != nil {
		return err
	}
	defer os.RemoveAll(sockets)
	for _, owned := range []string{sockets, dir} {
		if err := who.own(owned); err != nil {
			return err
		}
	}
	main, err := startPostmaster(bin, dir, who, []string{
		"listen_addresses=", "unix_socket_directories=" + sockets, "fsync=off", "min_wal_size=2MB", "max_wal_size=8MB", "max_parallel_maintenance_workers=0", "maintenance_work_mem=256MB",
	})
	if err != nil {
		return err
	}
	err = fill(ctx, main, sockets, c)
	err = errors.Join(err, main.stop())
	if err != nil {
		return fmt.Errorf("%w; the server's log ends:\n%s", err, lastWords(dir))
	}
	return os.Remove(logFile(dir))
}

func initialize(ctx context.Context, bin, dir, password string, who account) error {
	passwordFile := filepath.Join(dir, "initial-password")
	if err := os.WriteFile(passwordFile, []byte(password+"\n"), 0o600); err != nil {
		return err
	}
	defer os.Remove(passwordFile)
	if err := who.own(dir); err != nil {
		return err
	}
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "--pgdata="+filepath.Join(dir, "data"), "--username="+superuser,
		"--pwfile="+passwordFile, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions", "--wal-segsize=1")
	initdb.Dir, initdb.Env = dir, environment()
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: who.credential, Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // Pdeathsig belongs to the thread
	defer runtime.UnlockOSThread()
	if said, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, said)
	}
	return nil
}

// fill makes the roles and databases of a new cluster.
func fill(ctx context.Context, main *postmaster, sockets string, c *cluster) error {
	conn, err := connectSocket(ctx, main, sockets, "postgres")
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "CREATE ROLE "+AppRole+" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD '"+c.App+"'")
	if err != nil {
		return fmt.Errorf("create role %s: %w", AppRole, err)
	}
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+Empty); err != nil {
		return err
	}
	empty, err := connectSocket(ctx, main, sockets, Empty)
	if err != nil {
		return err
	}
	defer empty.Close(ctx)
	for _, statement := range []string{
		"CREATE EXTENSION vector",
		"GRANT CREATE ON SCHEMA public TO " + AppRole,
	} {
		if _, err := empty.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+Products); err != nil {
		return err
	}
	products, err := connectSocket(ctx, main, sockets, Products)
	if err != nil {
		return err
	}
	defer products.Close(ctx)
	return data.Load(ctx, products)
}

func connectSocket(ctx context.Context, main *postmaster, sockets, database string) (*pgx.Conn, error) {
	dsn := strings.Join([]string{"host=" + quote(sockets), "user=" + superuser, "dbname=" + database}, " ")
	for {
		conn, err := pgx.Connect(ctx, dsn)
		if err == nil {
			return conn, nil
		}
		select {
		case <-main.exited:
			return nil, fmt.Errorf("the server exited: %w", main.err)
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
