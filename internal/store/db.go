// Package store keeps the gateway's state in a database: access requests, revocations and suspensions, minted secrets,
// sessions, identities seen. It implements the Store interfaces that those concepts declare.
//
// It refuses to know what the rows mean: no rule, no quorum, no expiry is decided here. What it returned nil for is
// durable. Start at Open.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations/*.sql
var migrations embed.FS

// DB is the state database.
type DB struct {
	read  *sql.DB
	write *sql.DB // one connection: SQLite has one writer, and queueing here beats waiting for its lock
	log   *slog.Logger
	now   func() time.Time
	roll  *Roll
	ready readiness
}

// Options of Open.
type Options struct {
	Path    string // of the SQLite file; created with its directory when absent
	Gateway string // whose sessions these are
	Log     *slog.Logger
	Now     func() time.Time
}

// Open opens the embedded store and brings its tables up to date. Sessions that this gateway left open when it last
// ended are closed.
func Open(ctx context.Context, o Options) (*DB, error) {
	if err := prepareFile(o.Path); err != nil {
		return nil, fmt.Errorf("open store %s: %w", o.Path, err)
	}
	db := &DB{log: o.Log, now: o.Now, ready: readiness{path: o.Path, free: free}}
	var err error
	if db.write, err = open(o.Path, "rwc", "&_txlock=immediate"); err != nil {
		return nil, fmt.Errorf("open store %s: %w", o.Path, err)
	}
	db.write.SetMaxOpenConns(1)
	if err := migrate(ctx, db.write); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", o.Path, err), db.write.Close())
	}
	if db.read, err = open(o.Path, "rw", "&_pragma=query_only(1)"); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", o.Path, err), db.write.Close())
	}
	db.read.SetMaxOpenConns(4)
	if db.roll, err = openRoll(ctx, db, o.Gateway); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", o.Path, err), db.read.Close(), db.write.Close())
	}
	return db, nil
}

// Close writes what is still queued and closes the store.
func (db *DB) Close() error {
	db.roll.close()
	return errors.Join(db.read.Close(), db.write.Close())
}

// prepareFile creates the file so that nobody but its owner ever has access, and refuses one that others can open: it
// holds who may do what, and SCRAM verifiers. SQLite gives its journal files the same mode.
func prepareFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("others than its owner have access to it (mode %04o); do: chmod 600 %s", mode, path)
	}
	return nil
}

func open(path, mode, more string) (*sql.DB, error) {
	dsn := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}).String() + "?mode=" + mode +
		"&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_pragma=trusted_schema(0)" + more
	return sql.Open("sqlite", dsn)
}

func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	has, want, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read version of tables: %w", err)
	}
	if has > want {
		return fmt.Errorf("its tables are of version %d and this program knows %d only; use the newer program", has, want)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bring tables up to date: %w", err)
	}
	return nil
}

// within runs f in a write transaction.
func (db *DB) within(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // does nothing after Commit
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// taken reports whether err says that a unique key exists already.
func taken(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}

// micros is how a time is stored; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// Prune removes what is of no more use: tokens and secrets that ended by themselves, and, older than keep, closed
// sessions and access requests that are over.
func (db *DB) Prune(ctx context.Context, keep time.Duration) error {
	now := db.now()
	old := micros(now.Add(-keep))
	return db.within(ctx, func(tx *sql.Tx) error {
		for _, q := range []struct {
			sql string
			arg int64
		}{
			{`DELETE FROM revoked_tokens WHERE valid_until < ?`, micros(now.Add(-time.Hour))},
			{`DELETE FROM secrets WHERE expires < ?`, micros(now.Add(-time.Hour))},
			{`DELETE FROM sessions WHERE closed <> 0 AND closed < ?`, old},
			{`DELETE FROM requests WHERE state NOT IN ('open', 'approved') AND expires < ?`, old},
		} {
			if _, err := tx.ExecContext(ctx, q.sql, q.arg); err != nil {
				return fmt.Errorf("prune store: %w", err)
			}
		}
		return nil
	})
}
