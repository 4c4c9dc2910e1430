package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/postgres/wire"
)

// A run that goes on without Sync or Flush is ended by a Flush of our own when it gets this long.
const (
	maxRun      = 1 << 20
	maxMessages = 1000
)

// next reads one run and serves it.
func (s *session) next(ctx context.Context) error {
	if s.in.Len() == 0 {
		if s.draining.Load() && s.quiet() {
			return &access.Refusal{Code: access.CodeShuttingDown, Message: "the gateway is shutting down", Hint: "connect again in a moment"}
		}
		s.in.Release()
		s.up.in.Release()
		s.arm(watchAfter)
		s.resting = true
		err := s.more(true)
		s.resting = false
		gone := s.disarm()
		if errors.Is(err, errUpstream) || gone != nil && err == nil || s.up.in.Len() > 0 && err == nil {
			if s.up.in.Len() > 0 {
				return s.unasked(ctx)
			}
			return gone
		}
		if err != nil {
			return err
		}
	}
	if refusal := s.ending.Load(); refusal != nil {
		return refusal
	}
	x := &s.x
	x.reset(s)
	if err := s.collect(x); err != nil {
		return err
	}
	if len(x.steps) == 0 {
		return nil // all of it was void
	}
	return s.serve(ctx, x)
}

// serve walks an exchange down the gate's road.
func (s *session) serve(ctx context.Context, x *exchange) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	x.cancel = cancel
	if err := s.lookInside(ctx); err != nil {
		return err
	}
	x.plan()
	if x.ticket != "" && x.ticket != s.ticket {
		s.gate.SetTicket(x.ticket)
		defer func() { s.gate.SetTicket(s.ticket) }()
	}
	err := s.gate.Serve(ctx, x)
	x.stopWatching()
	if x.held > 0 { // never forwarded: it was refused in a way that ends the session
		s.drop(x)
	}
	if err == nil && s.told {
		return io.EOF
	}
	x.reset(s)
	return err
}

// drop removes the run from what was read.
func (s *session) drop(x *exchange) {
	s.in.Unpin()
	s.in.Discard(x.held)
	x.held = 0
}

// collect reads a run: messages up to one that the target answers at once.
func (s *session) collect(x *exchange) error {
	off := 0
	for {
		for s.in.Len() < off+wire.Header {
			if err := s.more(false); err != nil {
				return err
			}
		}
		kind, n, err := s.in.Head(off)
		if err != nil {
			return &violation{err.Error()}
		}
		if !wire.Frontend(kind) {
			return &violation{fmt.Sprintf("invalid frontend message type %d", kind)}
		}
		limit := s.server.limits.Message
		if wire.Small(kind) {
			limit = wire.SmallMessage
		}
		if n > limit {
			return fmt.Errorf("message of type %q: %w", kind, &access.Refusal{
				Code: access.CodeLimit, Message: fmt.Sprintf("a message of %d bytes is larger than the gateway takes (%d)", n, limit), Hint: "send it in smaller pieces",
			})
		}
		void := s.skipping && kind != wire.Sync && kind != wire.Terminate
		for s.in.Len() < off+wire.Header+n {
			if err := s.more(false); err != nil {
				return err
			}
		}
		switch {
		case kind == wire.Terminate:
			return errClientGone
		case void || kind == wire.CopyData || kind == wire.CopyDone || kind == wire.CopyFail:
			// The target would pass over it: after an error up to the next Sync, or the rest of a COPY that ended.
			if off == 0 {
				s.in.Discard(wire.Header + n)
			} else {
				off += wire.Header + n
				x.stray = true
			}
			continue
		}
		x.steps = append(x.steps, step{kind: kind, off: off + wire.Header, len: n})
		off += wire.Header + n
		switch kind {
		case wire.Sync, wire.Flush, wire.Query, wire.FunctionCall:
			return s.keep(x, off)
		}
		if off >= maxRun || len(x.steps) >= maxMessages {
			x.ownFlush = true
			return s.keep(x, off)
		}
	}
}

// keep holds on to the run's bytes until it is forwarded or refused.
func (s *session) keep(x *exchange, n int) error {
	s.in.Pin()
	x.held = n
	x.raw = s.in.Bytes()[:n]
	for i := range x.steps {
		st := &x.steps[i]
		st.body = x.raw[st.off : st.off+st.len : st.off+st.len]
	}
	return nil
}
