package httpwire

import (
	"context"
	"io"
	"net"
)

// whole is a body that stands in memory.
type whole struct{ rest []byte }

// Read implements io.Reader.
func (b *whole) Read(p []byte) (int, error) {
	if len(b.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// Close implements io.Closer.
func (b *whole) Close() error { return nil }

// direct is a connection to a target that is written a whole body at once: the transport would copy it in pieces, each of
// them twice.
type direct struct{ *net.TCPConn }

// ReadFrom implements io.ReaderFrom, which the transport calls with the body and how much of it there is.
func (d direct) ReadFrom(r io.Reader) (int64, error) {
	if limited, ok := r.(*io.LimitedReader); ok {
		if body, ok := limited.R.(*whole); ok && int64(len(body.rest)) <= limited.N {
			n, err := d.Write(body.rest)
			body.rest = body.rest[n:]
			limited.N -= int64(n)
			return int64(n), err
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
