package http1

import (
	"errors"
	"io"
	"net/http"
)

// body is the body of an answer.
type body struct {
	conn       *conn
	keep       bool // the connection may be used again
	left       int64
	chunks     io.Reader // instead of left
	untilClose bool      // instead of both
	over       bool      // it was read to its end
	closed     bool
	fault      error
}

// Read implements io.Reader. A body that ends before its end is io.ErrUnexpectedEOF.
func (b *body) Read(p []byte) (int, error) {
	switch {
	case b.closed:
		return 0, http.ErrBodyReadAfterClose
	case b.fault != nil:
		return 0, b.fault
	case b.over:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	}
	n, err := b.read(p)
	switch {
	case b.over && err == nil && n == 0:
		err = io.EOF
	case err != nil && !b.over:
		b.fault = err
	}
	return n, err
}

func (b *body) read(p []byte) (int, error) {
	c := b.conn
	switch {
	case b.chunks != nil:
		n, err := b.chunks.Read(p)
		if errors.Is(err, io.EOF) {
			return n, b.last()
		}
		return n, err
	case b.untilClose:
		n, err := c.in.Read(p)
		b.over = errors.Is(err, io.EOF)
		return n, err
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := c.in.Read(p)
	b.left -= int64(n)
	if b.over = b.left == 0; b.over {
		return n, nil
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// last takes what follows the last chunk: an empty line. Trailers are left where they are, and the connection with them.
func (b *body) last() error {
	end, err := b.conn.in.Peek(2)
	if err != nil {
		return io.ErrUnexpectedEOF
	}
	b.over = true
	if string(end) != "\r\n" {
		b.keep = false
		return io.EOF
	}
	_, _ = b.conn.in.Discard(2)
	return io.EOF
}

// Close implements io.Closer.
func (b *body) Close() error {
	if !b.closed {
		b.closed = true
		b.conn.done(b.over && b.keep)
	}
	return nil
}
