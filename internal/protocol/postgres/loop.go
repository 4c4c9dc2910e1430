package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/netloop"
)

// A session may run on a loop, together with many others, while nothing that it does takes long: it waits for its client and
// its target, judges what it has judged before, and passes answers on. Before anything else it leaves the loop and is a
// goroutine like any other; it goes back when it waits for its client the next time.

// longText is the length from which a statement may take long to understand.
const longText = 4 << 10

// attached reports whether the session runs on a loop.
func (s *session) attached() bool { return s.task != nil && s.task.Attached() }

// quick puts the session on its loop.
func (s *session) quick() {
	if s.task != nil && s.front != nil && s.up.raw != nil {
		s.task.Attach()
	}
}

// slow takes the session from its loop.
func (s *session) slow() {
	if s.task != nil {
		s.task.Detach()
	}
}

// durable is how a session waits for its records when it may be on a loop; nil where there are none.
func durable(task *netloop.Task) func(context.Context, gate.Commit) error {
	if task == nil {
		return nil
	}
	return func(ctx context.Context, c gate.Commit) error {
		if !task.Attached() {
			return c.Wait(ctx)
		}
		if c.Then(task.Waker()) {
			for {
				task.Park()
				if err, known := c.Result(); known {
					return err
				}
			}
		}
		err, _ := c.Result()
		return err
	}
}

// armOnLoop is arm for a session on a loop, which wakes it when the target speaks.
func (s *session) armOnLoop() {
	s.onLoop = true
	s.front.Also(s.up.raw)
	d := s.server.limits.Idle
	if d <= 0 {
		return
	}
	i := &s.idle
	i.mu.Lock()
	defer i.mu.Unlock()
	i.quiet, i.since = true, time.Now()
	if i.counts {
		return
	}
	i.counts = true
	if i.limit == nil {
		i.limit = time.AfterFunc(d, s.idleOnLoop)
	} else {
		i.limit.Reset(d)
	}
}

// disarmOnLoop ends armOnLoop.
func (s *session) disarmOnLoop() error {
	s.onLoop = false
	s.front.Also(nil)
	i := &s.idle
	if s.server.limits.Idle > 0 {
		i.mu.Lock()
		i.quiet = false
		i.mu.Unlock()
	}
	i.spoke.Store(false)
	err := i.err
	i.err = nil
	return err
}

// idleOnLoop ends the session when it has been idle for too long. It runs in the timer's own goroutine.
func (s *session) idleOnLoop() {
	i := &s.idle
	i.mu.Lock()
	if !i.quiet {
		i.counts = false
		i.mu.Unlock()
		return
	}
	rest := s.server.limits.Idle - time.Since(i.since)
	if rest > 0 {
		i.limit.Reset(rest)
		i.mu.Unlock()
		return
	}
	i.mu.Unlock()
	s.end(s.idleLimit(), 0)
}

// heard reports whether the target has really spoken to a session that is idle on its loop, or has gone.
func (s *session) heard() bool {
	if !s.up.raw.Able() {
		return false
	}
	s.up.raw.Instant(true)
	err := s.up.in.More()
	s.up.raw.Instant(false)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	if err != nil {
		s.idle.err = fmt.Errorf("target: %w", err)
	}
	s.idle.spoke.Store(true)
	return true
}
