package store

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"time"
)

// readiness is what was found when the store was last tried.
type readiness struct {
	mu   sync.Mutex
	at   time.Time
	err  error
	path string
	free func(dir string) (bytes uint64, known bool, err error)
}

const (
	// tryEvery is how often a probe makes the store write: who watches may ask as often as they like.
	tryEvery = 3 * time.Second
	// tryFor is how long a try waits for other writers.
	tryFor = 4 * time.Second
	// leastFree is what SQLite may need at once: its write-ahead log grows to some 4 MB before it begins anew. What is
	// written in the log's place of earlier writes would tell nothing of a full disk.
	leastFree = 8 << 20
)

// Ready reports whether the store can be written: a disk that is full, or that became read-only, still answers reads. The
// store is tried every few seconds; in between the last result stands.
func (db *DB) Ready(ctx context.Context) error {
	r := &db.ready
	r.mu.Lock()
	defer r.mu.Unlock()
	now := db.now()
	if age := now.Sub(r.at); !r.at.IsZero() && age >= 0 && age < tryEvery { // a clock that was set back makes it due
		return r.err
	}
	// Who asked may go away; what was found is for everybody.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tryFor)
	defer cancel()
	r.at, r.err = now, db.tryWrite(ctx)
	return r.err
}

func (db *DB) tryWrite(ctx context.Context) error {
	err := db.within(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE readiness SET tried = ?`, micros(db.now()))
		return err
	})
	if err != nil {
		return fmt.Errorf("write to %s: %w", db.ready.path, err)
	}
	dir := filepath.Dir(db.ready.path)
	free, known, err := db.ready.free(dir)
	if err != nil {
		return fmt.Errorf("look how full the disk of %s is: %w", dir, err)
	}
	if known && free < leastFree {
		return fmt.Errorf("the disk of %s is full: %d bytes are free, and %d must be", dir, free, leastFree)
	}
	return nil
}
