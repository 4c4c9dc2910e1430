package store

import (
	"database/sql"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAStoreThatCannotBeWrittenIsNotReady(t *testing.T) {
	at := now
	path := filepath.Join(t.TempDir(), "state.db")
	db, err := Open(t.Context(), Options{Path: path, Gateway: "gw", Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	fits := func(when string, want ...string) {
		t.Helper()
		err := db.Ready(t.Context())
		if len(want) == 0 && err != nil {
			t.Errorf("%s: %v", when, err)
		}
		for _, words := range want {
			if err == nil || !strings.Contains(err.Error(), words) {
				t.Errorf("%s: %v, want %q", when, err, words)
			}
		}
	}
	tried := func() (n int64) {
		t.Helper()
		if err := db.read.QueryRowContext(t.Context(), `SELECT tried FROM readiness`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	fits("at first")
	first := tried()
	if first != micros(at) {
		t.Fatalf("nothing was written: %d", first)
	}

	// What a file system that became read-only does to SQLite. It still answers a ping.
	set := func(db *sql.DB, pragma string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), pragma); err != nil {
			t.Fatal(err)
		}
	}
	set(db.write, `PRAGMA query_only = 1`)
	if err := db.write.PingContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	at = at.Add(tryEvery - time.Millisecond)
	fits("before it is due again")
	at = at.Add(time.Millisecond)
	fits("read-only", "readonly", path)
	set(db.write, `PRAGMA query_only = 0`)
	fits("writable again, before it is due", "readonly")
	at = at.Add(tryEvery)
	fits("writable again")
	if tried() == first {
		t.Error("it was not tried again")
	}

	// The clock is set back an hour: it is due, and nothing stands for an hour.
	set(db.write, `PRAGMA query_only = 1`)
	at = at.Add(-time.Hour)
	fits("after the clock was set back", "readonly")
	set(db.write, `PRAGMA query_only = 0`)

	at = at.Add(tryEvery)
	db.ready.free = func(dir string) (uint64, bool, error) { return leastFree - 1, dir == filepath.Dir(path), nil }
	fits("on a full disk", "is full", filepath.Dir(path))
	db.ready.free = func(string) (uint64, bool, error) { return 0, false, nil }
	at = at.Add(tryEvery)
	fits("where it is not known how full the disk is")
}

func TestHowFullADiskIsIsKnown(t *testing.T) {
	bytes, known, err := free(t.TempDir())
	if err != nil || known && bytes == 0 {
		t.Errorf("%d, %v, %v", bytes, known, err)
	}
	if _, _, err := free(filepath.Join(t.TempDir(), "nothing")); known && err == nil {
		t.Error("a directory that is not there has room")
	}
}
