// Package astray answers clients that came to the port of another protocol, in their own: psql at a port for HTTP would
// wait until it gives up, and curl at the port for PostgreSQL would get bytes that it cannot show.
//
// It refuses to know who speaks, and lets nobody in. Start at Listener, where PostgreSQL clients come to a port for HTTP,
// and Answer, where HTTP clients come to the port for PostgreSQL.
package astray

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/vecgate/vecgate/internal/protocol/postgres/startup"
	"github.com/vecgate/vecgate/internal/protocol/postgres/wire"
)

// patience is how long a client that went astray may take.
const patience = 5 * time.Second

// Words are what a client is told that came to the wrong port: where it is, and where it should go.
type Words struct{ Message, Hint string }

// Listener is a listener for clients of HTTP, in clear or over TLS: what it accepts is read by others as if it were not
// there, but for clients of PostgreSQL, which are told w. t is what this port speaks, nil for HTTP in clear: those that
// insist on encryption can then be told as well.
func Listener(ln net.Listener, t *tls.Config, w Words) net.Listener {
	if t != nil {
		t = t.Clone()
		t.NextProtos = []string{"postgresql"} // which PostgreSQL's clients insist on since version 17
	}
	return &listener{ln, t, w}
}

type listener struct {
	net.Listener
	tls   *tls.Config
	words Words
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &visitor{Conn: c, listener: l}, nil
}

// visitor is a connection whose first byte says what its client speaks: a request of HTTP begins with a letter, TLS with
// 0x16, and the first packet of PostgreSQL with a length whose first byte is zero.
type visitor struct {
	net.Conn
	listener *listener
	known    bool
}

// Read implements io.Reader. One goroutine reads at a time, as of every connection of net/http and crypto/tls.
func (v *visitor) Read(p []byte) (int, error) {
	n, err := v.Conn.Read(p)
	if v.known || n == 0 {
		return n, err
	}
	v.known = true
	if p[0] != 0 {
		return n, err
	}
	v.listener.tell(v.Conn, bytes.Clone(p[:n]))
	return 0, io.EOF
}

// CloseWrite is what net/http ends an answer with that its client shall still read.
func (v *visitor) CloseWrite() error {
	if c, ok := v.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// tell speaks PostgreSQL until the client listens: it does not while it asks for encryption. read is what came already.
func (l *listener) tell(raw net.Conn, read []byte) {
	_ = raw.SetDeadline(time.Now().Add(patience))
	conn := io.ReadWriter(begun{io.MultiReader(bytes.NewReader(read), raw), raw})
	for range 3 { // GSS and TLS are asked for once each
		p, err := packet(conn)
		switch {
		case err != nil || p.Kind == startup.Cancel:
			return
		case p.Kind == startup.Start:
			report := wire.Report{Severity: "FATAL", SQLSTATE: "0A000", Message: l.words.Message, Hint: l.words.Hint}
			_, _ = conn.Write(report.Append(nil)) // it is leaving in any case
			return
		case p.Kind == startup.SSL && l.tls != nil:
			if _, err := conn.Write([]byte{'S'}); err != nil {
				return
			}
			secure := tls.Server(raw, l.tls)
			if secure.Handshake() != nil {
				return
			}
			conn = secure
		default:
			if _, err := conn.Write([]byte{'N'}); err != nil {
				return
			}
		}
	}
}

// packet reads one first packet.
func packet(from io.Reader) (startup.Packet, error) {
	var head [4]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return startup.Packet{}, err
	}
	n, err := startup.Length(head[:])
	if err != nil {
		return startup.Packet{}, err
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(from, body); err != nil {
		return startup.Packet{}, err
	}
	return startup.Parse(body)
}

// begun is a connection of which something was read already.
type begun struct {
	io.Reader
	io.Writer
}

// HTTP says whether the first four bytes of a client are those of a request of HTTP, in any version. No first packet of
// PostgreSQL and no handshake of TLS begins with a letter.
func HTTP(first []byte) bool {
	switch string(first) {
	case "GET ", "HEAD", "POST", "PUT ", "PATC", "DELE", "OPTI", "CONN", "TRAC", "PRI ":
		return true
	}
	return false
}

// Answer tells a client of HTTP at another protocol's port, and waits until it has read that. It is the same for everybody,
// so that nothing can be had from it.
func Answer(conn net.Conn, w Words) {
	_ = conn.SetDeadline(time.Now().Add(patience))
	text := w.Message + "\n"
	if w.Hint != "" {
		text += w.Hint + "\n"
	}
	var b strings.Builder
	b.WriteString("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nConnection: close\r\n")
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(text), text)
	if _, err := io.WriteString(conn, b.String()); err != nil {
		return
	}
	if c, ok := conn.(interface{ CloseWrite() error }); !ok || c.CloseWrite() != nil {
		return
	}
	// To close with something unread would throw away what the client has not read.
	_, _ = io.CopyN(io.Discard, conn, 64<<10)
}
