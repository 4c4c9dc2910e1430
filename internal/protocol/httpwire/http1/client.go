// Package http1 asks one server over plain TCP, in HTTP/1.1: a request is written in one piece, and its answer is read by
// the goroutine that asked, without any other in between.
//
// It is stricter than net/http's Transport, because two who read one connection differently can be made to mix up answers:
// a head that is not written as RFC 9112 has it, two lengths, a length and chunks, or bytes after an answer end the
// connection. A request that was sent is not sent again, unless it is a GET without a body on a connection that was closed
// meanwhile. It refuses to know redirects, proxies, compression and upgrades. Start at Client.RoundTrip.
package http1

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Client keeps the connections to one server. Its exported fields are set once.
type Client struct {
	Address   string        // host:port
	Dialing   time.Duration // how long it may take to connect
	Answering time.Duration // and the server, until the head of its answer
	Idle      time.Duration // how long a connection is kept that nobody uses
	MaxIdle   int           // how many of those

	mu   sync.Mutex
	idle []*conn // the one that was used last stands last
}

// RoundTrip implements http.RoundTripper. The body of the answer must be closed; r.URL's scheme and host are not looked at.
func (c *Client) RoundTrip(r *http.Request) (*http.Response, error) {
	head, err := appendHead(make([]byte, 0, 512), r)
	if err != nil {
		return nil, err
	}
	for {
		conn, reused, err := c.take(r.Context())
		if err != nil {
			return nil, err
		}
		resp, err := conn.ask(r, head)
		if err == nil {
			return resp, nil
		}
		conn.end()
		if cause := context.Cause(r.Context()); cause != nil {
			return nil, fmt.Errorf("ask %s: %w", c.Address, cause)
		}
		if errors.Is(err, errGone) && reused && r.Method == http.MethodGet && r.Body == nil {
			continue // there are only so many that are kept
		}
		return nil, fmt.Errorf("ask %s: %w", c.Address, err)
	}
}

// CloseIdleConnections closes the connections that nobody uses now.
func (c *Client) CloseIdleConnections() {
	c.mu.Lock()
	gone := c.idle
	c.idle = nil
	c.mu.Unlock()
	for _, conn := range gone {
		_ = conn.net.Close()
	}
}

// take returns a connection on which nothing is under way.
func (c *Client) take(ctx context.Context) (_ *conn, reused bool, err error) {
	for {
		c.mu.Lock()
		n := len(c.idle)
		if n == 0 {
			c.mu.Unlock()
			break
		}
		conn := c.idle[n-1]
		c.idle[n-1] = nil
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		if time.Since(conn.used) < c.Idle && quiet(conn.net) {
			return conn, true, nil
		}
		_ = conn.net.Close()
	}
	dialer := net.Dialer{Timeout: c.Dialing}
	tcp, err := dialer.DialContext(ctx, "tcp", c.Address)
	if err != nil {
		return nil, false, err
	}
	return newConn(c, tcp), false, nil
}

// give keeps a connection for others, and closes those that have been kept too long.
func (c *Client) give(one *conn) {
	one.used = time.Now()
	var gone []*conn
	c.mu.Lock()
	if len(c.idle) < c.MaxIdle {
		c.idle = append(c.idle, one)
	} else {
		gone = append(gone, one)
	}
	for len(c.idle) > 0 && one.used.Sub(c.idle[0].used) >= c.Idle {
		gone = append(gone, c.idle[0])
		c.idle = append(c.idle[:0], c.idle[1:]...)
	}
	c.mu.Unlock()
	for _, conn := range gone {
		_ = conn.net.Close()
	}
}
