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

	mu    sync.Mutex
	state int           // guarded by mu
	done  chan struct{} // guarded by mu: closed when the watch has ended
	err   error         // of the watch; read after done
}

const (
	busy = iota
	waiting
	watching
)

// watchAfter is how long a session is idle before its target is watched.
const watchAfter = 5 * time.Millisecond

// arm begins an idle time. Between arm and disarm nobody else reads from the target.
func (s *session) arm(after time.Duration) {
	s.idle.mu.Lock()
	s.idle.state = waiting
	s.idle.mu.Unlock()
	s.idle.timer.Reset(after)
}

// disarm ends an idle time and returns the error that the target's connection ended with, if it did.
func (s *session) disarm() error {
	s.idle.timer.Stop()
	s.idle.mu.Lock()
	was, done := s.idle.state, s.idle.done
	s.idle.state = busy
	s.idle.mu.Unlock()
	if was != watching {
		return nil
	}
	_ = s.up.conn.SetReadDeadline(past)
	<-done
	_ = s.up.conn.SetReadDeadline(time.Time{})
	s.idle.spoke.Store(false)
	return s.idle.err
}

// watchIdle waits for the target to speak. It runs in the timer's own goroutine.
func (s *session) watchIdle() {
	s.idle.mu.Lock()
	if s.idle.state != waiting {
		s.idle.mu.Unlock()
		return
	}
	s.idle.state = watching
	done := make(chan struct{})
	s.idle.done, s.idle.err = done, nil
	s.idle.mu.Unlock()
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
