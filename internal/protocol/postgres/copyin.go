package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/vecgate/vecgate/internal/protocol/postgres/wire"
)

// takeCopy carries the data of a COPY FROM STDIN to the target, until the client ends it or the target will have no more.
// It returns to the relay, which passes on how it ended.
func (x *exchange) takeCopy(ctx context.Context, st *step) error {
	s := x.s
	s.patience.Stop()
	s.stopGuard()
	if x.held > 0 {
		x.writing.Wait()
		s.drop(x)
	}
	if st.kind == wire.Execute {
		// The target takes Sync and Flush that were sent along as part of the data, and passes over them: what ends
		// this COPY is followed by a Sync of its own.
		x.steps = x.steps[:x.at+1]
	}
	s.arm(0)
	armed := true
	defer func() {
		if armed {
			s.disarm()
		}
	}()
	// rearm looks whether the target has said something, and listens again if it has not.
	heard := func() (bool, error) {
		armed = false
		if err := s.disarm(); err != nil {
			return true, err
		}
		if s.up.in.Len() > 0 {
			return true, nil
		}
		armed = true
		s.arm(0)
		return false, nil
	}
	for {
		if s.idle.spoke.Load() {
			if done, err := heard(); done || err != nil {
				return x.interrupted(ctx, err)
			}
		}
		if s.in.Len() < wire.Header {
			if err := s.more(true); err != nil {
				if !errors.Is(err, errUpstream) {
					return err
				}
				continue
			}
			continue
		}
		kind, n, err := s.in.Head(0)
		if err != nil {
			return &violation{err.Error()}
		}
		if n > s.server.limits.Message {
			return &violation{fmt.Sprintf("a message of %d bytes is larger than the gateway takes (%d)", n, s.server.limits.Message)}
		}
		for s.in.Len() < wire.Header+n {
			if err := s.more(false); err != nil {
				return err
			}
		}
		message := s.in.Bytes()[:wire.Header+n]
		switch kind {
		case wire.CopyData:
			// As many as have come go on in one piece.
			whole := wire.Header + n
			for s.in.Len()-whole >= wire.Header && whole < 64<<10 {
				next, m, err := s.in.Head(whole)
				if err != nil || next != wire.CopyData || s.in.Len()-whole < wire.Header+m {
					break
				}
				whole += wire.Header + m
			}
			if err := x.pour(s.in.Bytes()[:whole]); err != nil {
				return err
			}
			s.in.Discard(whole)
		case wire.CopyDone, wire.CopyFail:
			if kind == wire.CopyDone {
				// Nothing of it takes effect before all of it is on record.
				if err := x.tape.Asked(message); err != nil {
					return notTaken(err)
				}
				if err := x.tape.Sync(ctx); err != nil {
					return notTaken(err)
				}
			} else if err := x.tape.Asked(message); err != nil {
				return notTaken(err)
			}
			armed = false
			gone := s.disarm()
			if gone != nil && s.up.in.Len() == 0 {
				return gone
			}
			end := append(make([]byte, 0, len(message)+wire.Header), message...)
			if st.kind == wire.Execute {
				end = wire.Empty(end, wire.Flush) // the target would keep its answer until the client's Sync
			}
			if _, err := s.up.conn.Write(end); err != nil {
				return fmt.Errorf("send to target: %w", err)
			}
			s.in.Discard(len(message))
			return nil
		case wire.Flush, wire.Sync:
			s.in.Discard(len(message))
		case wire.Terminate:
			return errClientGone
		default:
			return &violation{fmt.Sprintf("unexpected message type %q during COPY from stdin", kind)}
		}
	}
}

// pour sends COPY data to the target, after it has been taken down.
func (x *exchange) pour(data []byte) error {
	if err := x.tape.Asked(data); err != nil {
		return notTaken(err)
	}
	if _, err := x.s.up.conn.Write(data); err != nil {
		return fmt.Errorf("send to target: %w", err)
	}
	return nil
}

// interrupted handles what the target says while data still comes: a notice goes on, an error ends the COPY, and the
// relay passes it on.
func (x *exchange) interrupted(ctx context.Context, gone error) error {
	if gone != nil && x.s.up.in.Len() == 0 {
		return gone
	}
	return x.unaskedInCopy(ctx)
}
