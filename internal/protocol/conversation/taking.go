package conversation

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"
)

// Taking is how long a client may leave off taking what it is sent, or sending what nobody reads any more. Without a bound,
// who asks, and never reads the answer, keeps a connection that counts as one at work for ever; nobody needs a credential
// for that.
const Taking = 2 * time.Minute

// slowest is how many bytes of a long piece a client must take in a second besides.
const slowest = 64 << 10

// patient ends the answers that nobody takes. What waits before it is sent, such as a request that is held, has all the time
// it wants.
type patient struct {
	next    http.Handler
	longest time.Duration
	log     *slog.Logger
}

// ServeHTTP implements http.Handler.
func (p *patient) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t := &taker{ResponseWriter: w, control: http.NewResponseController(w), longest: p.longest, streams: r.ProtoMajor > 1}
	if !t.streams {
		// That of the request before is over, and net/http itself says 100 Continue.
		_ = t.control.SetWriteDeadline(time.Time{}) // every connection of net/http can
		if r.Body != http.NoBody {
			t.unread = &unread{ReadCloser: r.Body}
			r.Body = t.unread
		}
	}
	defer t.end()
	defer p.survive(r)
	p.next.ServeHTTP(t, r)
}

// survive says what net/http would say to nobody: that a request met a fault of ours. Its connection breaks off, others go on.
func (p *patient) survive(r *http.Request) {
	fault := recover()
	if fault == nil {
		return
	}
	if fault != http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
		p.log.ErrorContext(r.Context(), "panic in a request", "client", r.RemoteAddr, "panic", fmt.Sprint(fault), "stack", string(debug.Stack()))
	}
	panic(http.ErrAbortHandler)
}

// taker bounds each piece that is written by itself: a long answer may take long, if somebody takes it.
type taker struct {
	http.ResponseWriter
	control *http.ResponseController
	longest time.Duration
	streams bool    // HTTP/2, where a deadline ends its stream also while nothing is written
	unread  *unread // the body, unless there is none

	mu      sync.Mutex
	timer   *time.Timer
	writing bool
}

// Unwrap is for http.ResponseController.
func (t *taker) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// Write implements http.ResponseWriter.
func (t *taker) Write(p []byte) (int, error) {
	defer t.bound(len(p))()
	return t.ResponseWriter.Write(p)
}

// FlushError is for http.ResponseController.
func (t *taker) FlushError() error {
	defer t.bound(0)()
	return t.control.Flush()
}

// bound begins a piece; what it returns ends it.
func (t *taker) bound(length int) (end func()) {
	longest := t.longest + time.Duration(length/slowest)*time.Second
	if !t.streams {
		t.rest(longest)
		return func() {}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.writing = true
	if t.timer == nil {
		t.timer = time.AfterFunc(longest, t.giveUp)
	} else {
		t.timer.Reset(longest)
	}
	return t.written
}

func (t *taker) written() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.writing = false
	t.timer.Stop()
}

// giveUp ends the stream whose piece nobody takes.
func (t *taker) giveUp() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.writing {
		_ = t.control.SetWriteDeadline(time.Unix(1, 0))
	}
}

// end bounds what net/http does once the handler is done.
func (t *taker) end() {
	if !t.streams {
		t.rest(t.longest)
		return
	}
	_ = t.control.SetWriteDeadline(time.Now().Add(t.longest))
}

// rest bounds what is sent over HTTP/1, and what net/http reads before: what is left of the body.
func (t *taker) rest(longest time.Duration) {
	late := time.Now().Add(longest)
	_ = t.control.SetWriteDeadline(late)
	if t.unread != nil && !t.unread.over {
		_ = t.control.SetReadDeadline(late)
	}
}

// unread is a body that knows whether it was read to its end: from then on net/http listens whether the client is still there,
// which a deadline would end.
type unread struct {
	io.ReadCloser
	over bool
}

// Read implements io.Reader.
func (u *unread) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	u.over = u.over || err != nil
	return n, err
}
