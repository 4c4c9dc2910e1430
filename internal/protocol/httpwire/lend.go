package httpwire

import (
	"context"
	"io"
	"math/bits"
	"net"
	"sync"
	"sync/atomic"
)

// A request's body stands in memory that was another's before, and will be again. What may outlive the request is what its
// dialect keeps of it, unless Call.Forgets, and what the transport, which may go on reading after it has answered, has not
// closed yet: then the memory is left alone.

// Bodies from the smallest to the largest whose memory is used again, each class twice as large as the one before.
const (
	smallestBody = 12 // a power of two
	bodySizes    = 11
)

var bodies [bodySizes]sync.Pool

// borrowed is memory for a body.
type borrowed struct {
	text []byte
	size int // class; bodySizes when it is too large to be kept
}

func borrow(n int) borrowed {
	size := max(bits.Len(uint(n-1))-smallestBody, 0)
	if size >= bodySizes {
		return borrowed{make([]byte, n), bodySizes}
	}
	if p, ok := bodies[size].Get().(*[]byte); ok {
		return borrowed{(*p)[:n], size}
	}
	return borrowed{make([]byte, 1<<(size+smallestBody))[:n], size}
}

func (b *borrowed) giveBack() {
	if b.size < bodySizes {
		bodies[b.size].Put(&b.text)
	}
}

// lent is a body that a transport reads until it closes it: not when RoundTrip returns (net/http, RoundTripper).
type lent struct {
	mu     sync.Mutex // held while rest is read: what has been closed is not
	rest   []byte
	closed bool
	out    *atomic.Int32 // counts what is lent; may be nil
}

// Read implements io.Reader.
func (l *lent) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0, net.ErrClosed
	}
	if len(l.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// Close implements io.Closer.
func (l *lent) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed && l.out != nil {
		l.out.Add(-1)
	}
	l.closed, l.rest = true, nil
	return nil
}

// writeTo writes all that is left at once, when that is no more than most.
func (l *lent) writeTo(w io.Writer, most int64) (n int, ok bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || int64(len(l.rest)) > most {
		return 0, false, nil
	}
	n, err = w.Write(l.rest)
	l.rest = l.rest[n:]
	return n, true, err
}

// direct is a connection to a target, to which the transport copies a body in pieces that it copies once more before.
type direct struct{ *net.TCPConn }

// ReadFrom implements io.ReaderFrom.
func (d direct) ReadFrom(r io.Reader) (int64, error) {
	if limited, ok := r.(*io.LimitedReader); ok {
		if body, ok := limited.R.(*lent); ok {
			if n, ok, err := body.writeTo(d.TCPConn, limited.N); ok {
				limited.N -= int64(n)
				return int64(n), err
			}
		}
	}
	return d.TCPConn.ReadFrom(r)
}

// dial connects to a target.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: dialing}).DialContext(ctx, network, address)
	if tcp, ok := conn.(*net.TCPConn); ok {
		return direct{tcp}, err
	}
	return conn, err
}
