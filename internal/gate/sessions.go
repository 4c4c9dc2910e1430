package gate

import (
	"context"
	"sort"
	"sync"
	"time"
)

// sessions are the live sessions of a gate.
type sessions struct {
	mu      sync.Mutex
	live    map[*Session]struct{}
	closing bool
	drain   chan struct{} // closed when closing becomes true
}

// draining is closed once the gate stops taking sessions.
func (l *sessions) draining() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.drain == nil {
		l.drain = make(chan struct{})
	}
	return l.drain
}

func (l *sessions) close() {
	l.draining() // makes the channel
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closing {
		l.closing = true
		close(l.drain)
	}
}

func (l *sessions) add(s *Session) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing {
		return false
	}
	if l.live == nil {
		l.live = make(map[*Session]struct{})
	}
	l.live[s] = struct{}{}
	return true
}

func (l *sessions) remove(s *Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.live, s)
}

func (l *sessions) all() []*Session {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]*Session, 0, len(l.live))
	for s := range l.live {
		all = append(all, s)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].id < all[j].id })
	return all
}

// Sessions are the live sessions, oldest first.
func (g *Gate) Sessions() []*Session { return g.sessions.all() }

// Session returns a live session.
func (g *Gate) Session(id string) (*Session, bool) {
	for _, s := range g.sessions.all() {
		if s.id == id {
			return s, true
		}
	}
	return nil, false
}

// Drain stops new sessions, waits until the live ones have ended or ctx ends, then cuts the rest off. Clients whose
// requests are held are told at once that their requests stay open. It returns when no session is left, or after grace.
func (g *Gate) Drain(ctx context.Context, grace time.Duration) {
	g.sessions.close()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil && len(g.sessions.all()) > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	for _, s := range g.sessions.all() {
		s.cancel(ErrShuttingDown)
	}
	for end := time.Now().Add(grace); len(g.sessions.all()) > 0 && time.Now().Before(end); {
		<-tick.C
	}
}
