package postgres

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vecgate/vecgate/internal/protocol/postgres/analysis"
	"github.com/vecgate/vecgate/internal/protocol/postgres/value"
)

// target is a Target at work.
type target struct {
	Target
	name     string
	server   *Server
	analyzer Analyzer
	probed   sync.Map // credentials that were found to be plain

	snapshot atomic.Pointer[snapshot]
	reread   atomic.Int64 // when a client last made us read it, in Unix nanoseconds

	mu   sync.Mutex // of loading
	conn *pgx.Conn  // guarded by mu
}

// Shared are targets that several servers reach: each has one catalog and one analyzer for all of them. The zero value is
// ready.
type Shared struct {
	mu      sync.Mutex
	targets map[string]*target // guarded by mu
}

// target returns the target of that name, which the first server makes.
func (s *Shared) target(name string, fresh func() *target) *target {
	if s == nil {
		return fresh()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.targets[name]
	if t == nil {
		t = fresh()
		if s.targets == nil {
			s.targets = map[string]*target{}
		}
		s.targets[name] = t
	}
	return t
}

// snapshot is what is known of a target's catalog.
type snapshot struct {
	catalog *analysis.Catalog
	types   *value.Types
	loaded  time.Time           // when reading it began
	styles  [len(styles)]string // of a session that asked for nothing; not set inside a transaction
}

// current is the newest snapshot; nil before the first.
func (t *target) current() *snapshot { return t.snapshot.Load() }

// keepFresh reads the catalog again and again until ctx ends, so that changes made elsewhere are seen.
func (t *target) keepFresh(ctx context.Context) {
	for {
		// Another listener that shares the target may just have read it.
		if _, err := t.refresh(ctx, time.Now().Add(-t.Refresh/2)); err != nil && ctx.Err() == nil {
			t.server.log.ErrorContext(ctx, "read catalog", "target", t.name, "error", err)
		}
		select {
		case <-ctx.Done():
			t.mu.Lock()
			defer t.mu.Unlock()
			t.drop()
			return
		case <-time.After(t.Refresh):
		}
	}
}

// refresh returns a snapshot that was begun after since; it reads one only when there is none.
func (t *target) refresh(ctx context.Context, since time.Time) (*snapshot, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := t.current(); now != nil && !now.loaded.Before(since) {
		return now, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	next, err := t.load(ctx)
	if err != nil && t.conn == nil { // the connection had died: once more with a new one
		next, err = t.load(ctx)
	}
	if err != nil {
		t.drop()
		return nil, err
	}
	if now := t.current(); now != nil && now.catalog.Epoch == next.catalog.Epoch {
		// Nothing changed. Keeping the old one keeps what hangs on its identity.
		next.catalog, next.types = now.catalog, now.types
	}
	t.snapshot.Store(next)
	return next, nil
}

func (t *target) drop() {
	if t.conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = t.conn.Close(ctx)
		t.conn = nil
	}
}

func (t *target) load(ctx context.Context) (*snapshot, error) {
	fresh := t.conn == nil
	if fresh {
		conn, err := t.own(ctx)
		if err != nil {
			return nil, err
		}
		t.conn = conn
	}
	began := time.Now()
	catalog, err := analysis.LoadCatalog(ctx, t.conn, t.name)
	if err == nil {
		var types *value.Types
		if types, err = value.Load(ctx, t.conn); err == nil {
			next := &snapshot{catalog: catalog, types: types, loaded: began}
			for i, name := range styles {
				next.styles[i] = t.conn.PgConn().ParameterStatus(name)
			}
			return next, nil
		}
	}
	if !fresh {
		t.drop()
	}
	return nil, fmt.Errorf("read catalog of %s: %w", t.name, err)
}
