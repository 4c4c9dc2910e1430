package http1

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// errGone says that the server closed the connection instead of answering.
var errGone = errors.New("the server closed the connection")

// conn is one connection; it is used by one request at a time.
type conn struct {
	client *Client
	net    net.Conn
	in     *bufio.Reader
	out    []byte // what is written at once
	used   time.Time

	mu       sync.Mutex
	canceled bool // the deadline stays where it is

	stop  func() bool   // unties the connection from the request's context
	sent  chan struct{} // closed when a long body is written; nil for a short one
	fault error         // of writing it; read when sent is closed
}

const buffer = 32 << 10

func newConn(c *Client, tcp net.Conn) *conn {
	return &conn{client: c, net: tcp, in: bufio.NewReaderSize(tcp, buffer)}
}

// together is how long a body may be that is written with the head, before the answer is awaited.
const together = 64 << 10

// ask writes a request and reads the head of its answer.
func (c *conn) ask(r *http.Request, head []byte) (*http.Response, error) {
	c.canceled, c.sent, c.fault = false, nil, nil
	c.until(time.Now().Add(c.client.Answering))
	c.stop = context.AfterFunc(r.Context(), c.cancel)
	if err := c.write(r, head); err != nil {
		return nil, err
	}
	resp, err := c.head(r)
	if err != nil {
		return nil, err
	}
	c.until(time.Time{}) // the rest may take its time
	return resp, nil
}

// write sends the head and the body. A long body is sent meanwhile: a server may answer before it has read all.
func (c *conn) write(r *http.Request, head []byte) error {
	c.out = append(c.out[:0], head...)
	if r.Body != nil && r.ContentLength <= together {
		from := len(c.out)
		c.out = append(c.out, make([]byte, r.ContentLength)...)
		_, err := io.ReadFull(r.Body, c.out[from:])
		_ = r.Body.Close()
		if err != nil {
			return fmt.Errorf("read the request's body: %w", err)
		}
	}
	_, err := c.net.Write(c.out)
	if cap(c.out) > buffer {
		c.out = nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	if r.Body == nil || r.ContentLength <= together {
		return nil
	}
	sent := make(chan struct{})
	c.sent = sent
	go func() {
		defer close(sent)
		defer r.Body.Close()
		var n int64
		n, c.fault = io.Copy(c.net, io.LimitReader(r.Body, r.ContentLength))
		if c.fault == nil && n < r.ContentLength {
			c.fault = io.ErrUnexpectedEOF
			c.cancel() // the server would wait for the rest
		}
	}()
	return nil
}

// until sets the deadline, unless the request was canceled.
func (c *conn) until(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.canceled {
		_ = c.net.SetDeadline(t)
	}
}

// cancel ends what is under way.
func (c *conn) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.canceled = true
	_ = c.net.SetDeadline(time.Unix(1, 0))
}

// end closes the connection, and returns when nothing is being written any more.
func (c *conn) end() {
	c.stop()
	_ = c.net.Close()
	if c.sent != nil {
		<-c.sent
	}
}

// done ends an exchange; clean says that the answer was read to its end, and that the server keeps the connection.
func (c *conn) done(clean bool) {
	if clean && c.sent != nil {
		select {
		case <-c.sent:
			clean = c.fault == nil
		default:
			clean = false // it answered without having read all
		}
	}
	if !clean || c.in.Buffered() > 0 || !c.stop() {
		c.end()
		return
	}
	c.client.give(c)
}
