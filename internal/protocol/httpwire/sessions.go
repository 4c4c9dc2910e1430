package httpwire

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/gate"
)

// conversation is what makes requests parts of one session: the credential, the target, and where it is shown from.
type conversation struct {
	token   [sha256.Size]byte
	target  string
	client  string
	program string
}

// visit is a session with those of its requests that are under way.
type visit struct {
	ready   chan struct{} // closed once session or refusal is set
	session *gate.Session
	refusal *access.Refusal
	ctx     context.Context // ends with the session
	opened  time.Time

	// Owned by the lock of sessions.
	busy int
	used time.Time
	over bool // no further request is taken; the last one that leaves closes the session
}

type sessions struct {
	mu   sync.Mutex
	live map[conversation]*visit
}

// enter joins the session of a conversation, or opens it. leave must be called for a visit without a refusal.
func (s *Server) enter(ctx context.Context, key conversation, open func() (*gate.Session, *access.Refusal)) (*visit, *access.Refusal) {
	l := &s.sessions
	l.mu.Lock()
	if l.live == nil {
		l.live = map[conversation]*visit{}
	}
	v, ok := l.live[key]
	if ok {
		v.busy++
		l.mu.Unlock()
		select {
		case <-v.ready:
		case <-ctx.Done():
			s.leave(key, v)
			return nil, &access.Refusal{Code: access.CodeCanceled, Message: "the client went away"}
		}
		if v.refusal != nil {
			refusal := *v.refusal
			return nil, &refusal
		}
		return v, nil
	}
	v = &visit{ready: make(chan struct{}), busy: 1, used: s.config.Now(), opened: s.config.Now()}
	l.live[key] = v
	l.mu.Unlock()

	defer close(v.ready)
	if v.session, v.refusal = open(); v.refusal != nil {
		l.mu.Lock()
		delete(l.live, key)
		l.mu.Unlock()
		refusal := *v.refusal
		return nil, &refusal
	}
	var end context.CancelCauseFunc
	v.ctx, end = context.WithCancelCause(context.Background())
	go func() {
		// Ends when somebody cuts the session off, or when it is closed.
		<-v.session.Done()
		end(v.session.Cause())
		s.retire(key, v, nil)
	}()
	return v, nil
}

// leave ends a request's part in its session.
func (s *Server) leave(key conversation, v *visit) {
	l := &s.sessions
	l.mu.Lock()
	v.busy--
	v.used = s.config.Now()
	last := v.over && v.busy == 0
	l.mu.Unlock()
	if last {
		v.session.Close(nil)
	}
}

// retire takes a session out, so that the next request opens another. It is closed when its last request ends.
func (s *Server) retire(key conversation, v *visit, cause error) {
	l := &s.sessions
	l.mu.Lock()
	if l.live[key] == v {
		delete(l.live, key)
	}
	idle := !v.over && v.busy == 0
	v.over = true
	l.mu.Unlock()
	if idle {
		v.session.Close(cause)
	}
}

// sweep retires what is idle, old or expired; everything when all is true.
func (s *Server) sweep(all bool) {
	now := s.config.Now()
	gone := map[conversation]*visit{}
	l := &s.sessions
	l.mu.Lock()
	for key, v := range l.live {
		select {
		case <-v.ready:
		default:
			continue // being opened
		}
		if v.session == nil {
			continue
		}
		idle := v.busy == 0 && now.Sub(v.used) >= s.config.Limits.Idle
		old := now.Sub(v.opened) >= s.config.Limits.Session
		expires := v.session.Subject().Expires
		if all || idle || old || !expires.IsZero() && !now.Before(expires) {
			gone[key] = v
		}
	}
	l.mu.Unlock()
	for key, v := range gone {
		if e := v.session.Subject().Expires; !e.IsZero() && !now.Before(e) {
			v.session.Kill(errors.New("the credential expired")) // its requests end too
		}
		s.retire(key, v, nil)
	}
}

// tend sweeps until ctx ends; when the gate drains, sessions end as soon as their requests have.
func (s *Server) tend(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	draining := false
	for {
		select {
		case <-tick.C:
		case <-s.config.Gate.Draining():
			draining = true
			s.sweep(true)
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
			}
		case <-ctx.Done():
			s.sweep(true)
			return
		}
		s.sweep(draining)
	}
}
