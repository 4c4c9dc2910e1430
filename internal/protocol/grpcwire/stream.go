package grpcwire

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/vault"
)

// stream carries the messages of a client's stream to the target. Each walks the road by itself before it is sent on; the
// first that is refused ends the stream.
type stream struct {
	x    *exchange
	read func(ctx context.Context) (q *request, release func(), err error) // the client's next message; io.EOF at the end
	rc   *http.ResponseController

	pipe  *io.PipeWriter
	ended chan struct{} // closed when the pump has ended; nil when it was never begun

	mu    sync.Mutex
	cover *cover               // of the opening message, and of further ones under other protections
	seen  []*access.Protection // under which the masks were made
	fault *access.Refusal
}

// maxCovers is under how many protections the messages of one stream may be: each answer passes through all their masks.
const maxCovers = 16

// begin starts to carry. What it returns is the body of the call upstream.
func (s *stream) begin(ctx context.Context, x *exchange, first []byte) io.Reader {
	from, to := io.Pipe()
	s.pipe, s.ended = to, make(chan struct{})
	s.cover = newCover(&x.request)
	if len(s.cover.masks) > 0 {
		s.seen = append(s.seen, x.under)
	}
	// A body that is read does not see that its request was canceled.
	stop := context.AfterFunc(ctx, func() { _ = to.CloseWithError(context.Cause(ctx)) })
	go func() {
		defer close(s.ended)
		defer stop()
		_, err := to.Write(first)
		for err == nil {
			err = s.carry(ctx)
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
		_ = to.CloseWithError(err) // nil ends the body properly
	}()
	return from
}

// carry takes one message to the target.
func (s *stream) carry(ctx context.Context) error {
	q, release, err := s.read(ctx)
	if err != nil {
		return err
	}
	defer release()
	// The client's own wish to stop is seen to by ctx; a person cannot be waited for while the target holds the stream open.
	q.op.NoHold = "a message in the middle of a stream cannot wait"
	l := &later{request: *q, stream: s}
	if err := s.x.session.Serve(ctx, l); err != nil {
		s.fail(&access.Refusal{Code: access.CodeUnavailable, Message: "the stream was ended", Err: err})
		return err
	}
	if refusal := s.refused(); refusal != nil {
		return refusal
	}
	return nil
}

// fail ends the stream with a refusal, the first one.
func (s *stream) fail(refusal *access.Refusal) {
	s.mu.Lock()
	if s.fault == nil {
		s.fault = refusal
	}
	s.mu.Unlock()
	_ = s.pipe.CloseWithError(refusal) // the target sees that the client gave up
}

func (s *stream) refused() *access.Refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault
}

func (s *stream) covering() *cover {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cover
}

// take puts a further message's obligations upon all answers from now on.
func (s *stream) take(q *request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	more := newCover(q)
	c := &cover{masks: s.cover.masks, rows: s.cover.rows, mute: s.cover.mute || more.mute}
	if more.rows > 0 && (c.rows == 0 || more.rows < c.rows) {
		c.rows = more.rows
	}
	if len(more.masks) > 0 && !slices.Contains(s.seen, q.under) {
		if len(c.masks) == maxCovers {
			return &access.Refusal{Code: access.CodeObligation, Message: "the policy changed too often while the stream was open", Hint: "open it again"}
		}
		c.masks = append(c.masks[:len(c.masks):len(c.masks)], more.masks...)
		s.seen = append(s.seen, q.under)
	}
	s.cover = c
	return nil
}

// finish waits until nothing of the stream is left.
func (s *stream) finish() {
	if s.ended == nil {
		return
	}
	_ = s.pipe.CloseWithError(context.Canceled)
	_ = s.rc.SetReadDeadline(time.Unix(1, 0)) // ends a read that waits for the client
	<-s.ended
}

// later is a message in a client's stream that is not the first. It implements gate.Exchange; the stream's own exchange
// answers for it.
type later struct {
	request
	stream *stream
}

// Oblige implements gate.Exchange.
func (l *later) Oblige(o *access.Obligations) error {
	if err := l.request.Oblige(o); err != nil {
		return err
	}
	return l.stream.take(&l.request)
}

// Forward implements gate.Exchange.
func (l *later) Forward(ctx context.Context, _ vault.Credential, _ gate.Tape) error {
	message, err := l.outgoing(ctx)
	if err != nil {
		return err
	}
	if _, err := l.stream.pipe.Write(message); err != nil {
		return &access.Refusal{Code: access.CodeUnavailable, Message: "the stream has ended", Err: err}
	}
	return nil
}

// Reply implements gate.Exchange.
func (l *later) Reply(context.Context, gate.Tape) (access.Outcome, error) {
	if l.call.Done != nil {
		l.call.Done()
	}
	return access.Outcome{}, nil
}

// Refuse implements gate.Exchange.
func (l *later) Refuse(refusal *access.Refusal) error {
	l.stream.fail(refusal)
	return nil
}
