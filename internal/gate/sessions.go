package gate

import (
	"context"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// sessions are the live sessions of a gate.
type sessions struct {
	mu      sync.Mutex
	live    map[*Session]struct{}
	of      map[string]int // live sessions of a subject, by its ID
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

// add takes a session in, or says why not.
func (l *sessions) add(s *Session) *access.Refusal {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing {
		return &access.Refusal{Code: access.CodeShuttingDown, Message: "the gateway is shutting down", Hint: "connect again in a moment"}
	}
	g := s.gate
	if g.MaxSessions > 0 && len(l.live) >= g.MaxSessions {
		return &access.Refusal{Code: access.CodeLimit, Message: fmt.Sprintf("the gateway serves %d sessions already (limits.sessions)", g.MaxSessions)}
	}
	if n := l.of[s.subject.ID]; g.MaxPerSubject > 0 && n >= g.MaxPerSubject {
		return &access.Refusal{
			Code: access.CodeLimit, Message: fmt.Sprintf("%s has %d sessions open already (limits.sessions_per_subject)", s.subject.Display(), n),
			Hint: "close some of them",
		}
	}
	if l.live == nil {
		l.live, l.of = make(map[*Session]struct{}), make(map[string]int)
	}
	l.live[s] = struct{}{}
	l.of[s.subject.ID]++
	return nil
}

func (l *sessions) remove(s *Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.live[s]; !ok {
		return
	}
	delete(l.live, s)
	if l.of[s.subject.ID]--; l.of[s.subject.ID] == 0 {
		delete(l.of, s.subject.ID)
	}
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

// CutOff ends every live session whose subject matches, at once, and says how many there were.
func (g *Gate) CutOff(match func(*access.Subject) bool, cause error) int {
	n := 0
	for _, s := range g.sessions.all() {
		if match(s.subject) {
			s.Kill(cause)
			n++
		}
	}
	return n
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

// Draining is closed once the gate stops taking sessions, for front ends whose sessions outlive their requests.
func (g *Gate) Draining() <-chan struct{} { return g.sessions.draining() }
