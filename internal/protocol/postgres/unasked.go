package postgres

import (
	"context"

	"github.com/vecgate/vecgate/internal/protocol/postgres/wire"
)

// unasked serves what the target says by itself while the client is idle: it is an exchange in which nothing is asked.
func (s *session) unasked(ctx context.Context) error {
	x := &s.x
	x.reset(s)
	x.unasked = true
	return s.serve(ctx, x)
}

// unaskedInCopy passes on what the target says while it is being sent data. An error ends the COPY.
func (x *exchange) unaskedInCopy(ctx context.Context) error {
	s := x.s
	for s.up.in.Len() > 0 {
		if err := x.listenFor(wire.Header); err != nil {
			return err
		}
		kind, n, err := s.up.in.Head(0)
		if err != nil {
			return err
		}
		if kind != wire.NoticeResponse && kind != wire.ParameterStatus && kind != wire.NotificationResponse {
			return nil // for the relay: the COPY is over
		}
		if n > maxControl {
			return x.unexpected(kind)
		}
		if err := x.listenFor(wire.Header + n); err != nil {
			return err
		}
		if err := x.message(ctx, kind, s.up.in.Bytes()[wire.Header:wire.Header+n], wire.Header+n); err != nil {
			return err
		}
		if err := x.flush(); err != nil {
			return err
		}
	}
	return x.takeCopy(ctx, &x.steps[x.at])
}
