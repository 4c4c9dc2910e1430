package postgres

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// idle watches the target while the session waits for its client. A target may speak unasked: notifications, changed
// parameters, the news that it shuts down. The watch begins only after the session has been idle for some time, so that a
// busy session pays nothing for it but a timer.
type idle struct {
	timer *time.Timer
	spoke atomic.Bool // bytes of the target, or its end, are there

	mu      sync.Mutex
	state   int           // guarded by mu
	turn    uint64        // guarded by mu: counts the idle times
	seen    uint64        // guarded by mu: the turn at the last tick
	ticking bool          // guarded by mu: the timer runs
	urgent  bool          // guarded by mu: the watch must begin at the next tick
	done    chan struct{} // guarded by mu: closed when the watch has ended
	err     error         // of the watch; read after done
}

const (
	busy = iota
	waiting
	watching
)

// watchAfter is how long a session is idle, at least, before its target is watched.
const watchAfter = 5 * time.Millisecond

// arm begins an idle time. Between arm and disarm nobody else reads from the target. In a busy session this must cost
// nothing: the timer is not set anew for every idle time but ticks until one of them has lasted from tick to tick.
func (s *session) arm(after time.Duration) {
	i := &s.idle
	i.mu.Lock()
	defer i.mu.Unlock()
	i.state = waiting
	i.turn++
	i.urgent = after == 0
	if !i.ticking || i.urgent {
		i.ticking = true
		i.timer.Reset(after)
	}
}

// disarm ends an idle time and returns the error that the target's connection ended with, if it did.
func (s *session) disarm() error {
	i := &s.idle
	i.mu.Lock()
	was, done := i.state, i.done
	i.state = busy
	i.mu.Unlock()
	if was != watching {
		return nil
	}
	_ = s.up.conn.SetReadDeadline(past)
	<-done
	_ = s.up.conn.SetReadDeadline(time.Time{})
	i.spoke.Store(false)
	return i.err
}

// tick runs in the timer's own goroutine: it waits for the target to speak once the session has been idle for a while.
func (s *session) tick() {
	i := &s.idle
	i.mu.Lock()
	switch {
	case i.state == busy:
		i.ticking = false
		i.mu.Unlock()
		return
	case i.state != waiting:
		i.mu.Unlock()
		return
	case i.turn != i.seen && !i.urgent:
		i.seen = i.turn
		i.timer.Reset(watchAfter)
		i.mu.Unlock()
		return
	}
	i.state, i.ticking = watching, false
	done := make(chan struct{})
	i.done, i.err = done, nil
	i.mu.Unlock()
	defer close(done)

	if d := s.server.limits.Idle; d > 0 {
		limit := time.AfterFunc(d, func() { s.end(s.idleLimit(), 0) })
		defer limit.Stop()
	}
	err := s.up.in.More()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return // disarmed
	}
	if err != nil {
		s.idle.err = fmt.Errorf("target: %w", err)
	}
	s.idle.spoke.Store(true)
	_ = s.client.SetReadDeadline(past)
}

// idleLimit ends a session whose client has been idle for too long.
func (s *session) idleLimit() *access.Refusal {
	return &access.Refusal{Code: access.CodeLimit, Message: fmt.Sprintf("the session was idle for more than %s", s.server.limits.Idle), Hint: "connect again"}
}
