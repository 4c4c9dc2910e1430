package postgres

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"time"

	"github.com/vecgate/vecgate/internal/protocol/postgres/wire"
)

// watcher watches a client whose request is held: when it goes, or says that it goes, the request is taken back.
type watcher struct {
	stop atomic.Bool
	done chan struct{}
}

// maxAhead is how much a waiting client may send ahead; more is left in its socket.
const maxAhead = 64 << 10

// startWatching begins to watch the client, unless that has begun.
func (x *exchange) startWatching() {
	if x.watch != nil {
		return
	}
	s := x.s
	w := &watcher{done: make(chan struct{})}
	x.watch = w
	s.flight.Lock()
	s.held = x.cancel
	s.flight.Unlock()
	go w.watch(s, x.held, func() { x.cancel(errClientGone) })
}

// watch reads ahead, behind the first held bytes, until it is stopped or the client goes.
func (w *watcher) watch(s *session, held int, gone func()) {
	defer close(w.done)
	for !w.stop.Load() && s.in.Len()-held < maxAhead {
		if leaves(s.in.Bytes()[held:]) {
			gone()
			return
		}
		err := s.in.More()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if w.stop.Load() {
				return
			}
			_ = s.client.SetReadDeadline(time.Time{})
			continue
		}
		if err != nil {
			gone()
			return
		}
	}
}

// end stops the watch and gives the client's bytes back to the session.
func (w *watcher) end(s *session) {
	w.stop.Store(true)
	_ = s.client.SetReadDeadline(past)
	<-w.done
	_ = s.client.SetReadDeadline(time.Time{})
	if s.ending.Load() != nil || s.draining.Load() {
		_ = s.client.SetReadDeadline(past)
	}
}

// watchClientAfter is how long a statement runs before its client is watched, so that nothing runs on for nobody.
const watchClientAfter = time.Second

// watchBusy watches the client of a statement that takes long. It runs in the timer's own goroutine.
func (s *session) watchBusy() {
	s.flight.Lock()
	if !s.running || s.guard != nil {
		s.flight.Unlock()
		return
	}
	w := &watcher{done: make(chan struct{})}
	s.guard = w
	held := s.x.held
	s.flight.Unlock()
	w.watch(s, held, func() { s.cancelUpstream(context.Background()) })
}

// stopGuard ends the watch of a client whose statement took long.
func (s *session) stopGuard() {
	s.flight.Lock()
	w := s.guard
	s.guard = nil
	s.flight.Unlock()
	if w != nil {
		w.end(s)
	}
}

// stopWatching ends the watch; afterwards the client's bytes belong to the session again.
func (x *exchange) stopWatching() {
	w := x.watch
	if w == nil {
		return
	}
	x.watch = nil
	s := x.s
	s.flight.Lock()
	s.held = nil
	s.flight.Unlock()
	w.end(s)
}

// leaves reports whether a Terminate is among the messages.
func leaves(messages []byte) bool {
	for len(messages) >= wire.Header {
		n := 1 + int64(messages[1])<<24 + int64(messages[2])<<16 + int64(messages[3])<<8 + int64(messages[4])
		if messages[0] == wire.Terminate {
			return true
		}
		if n < wire.Header || n > int64(len(messages)) {
			return false
		}
		messages = messages[n:]
	}
	return false
}
