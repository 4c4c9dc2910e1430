package bypass

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// patience is how long one step may take: a server that is alive answers in milliseconds.
const patience = 20 * time.Second

// A session is a client's connection after sign-in, of which every received byte is kept.
type session struct {
	conn net.Conn
	in   *reader
}

// A Step is bytes to send, and for how many ReadyForQuery to wait then.
type Step struct {
	Send  []byte
	Ready int
	Label string // for people
	// Next makes what to send of the values in the answer to the step before.
	Next func(values string) []byte
}

// A reply is what came back for a step.
type reply struct {
	raw      []byte // every byte
	messages []frame
	closed   bool // the connection ended
}

type frame struct {
	kind byte
	body []byte
}

type reader struct {
	conn net.Conn
	raw  []byte
}

// open takes over a connection that was signed in by pgconn.
func open(conn *pgconn.PgConn) (*session, error) {
	hijacked, err := conn.Hijack()
	if err != nil {
		return nil, err
	}
	return &session{conn: hijacked.Conn, in: &reader{conn: hijacked.Conn}}, nil
}

func (s *session) close() {
	_ = s.conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = s.conn.Write([]byte{'X', 0, 0, 0, 4})
	_ = s.conn.Close()
}

// do sends a step and reads until its answer is complete or the connection ends.
func (s *session) do(ctx context.Context, step Step) (reply, error) {
	deadline := time.Now().Add(patience)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if err := s.conn.SetDeadline(deadline); err != nil {
		return reply{}, err
	}
	s.in.raw = nil
	var r reply
	sent := make(chan error, 1)
	go func() {
		_, err := s.conn.Write(step.Send)
		sent <- err
	}()
	for ready := 0; ready < step.Ready; {
		m, err := s.in.next()
		if err != nil {
			r.raw = s.in.raw
			if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
				return r, fmt.Errorf("no complete answer to %s: %w", step.Label, err)
			}
			r.closed = true
			_ = s.conn.Close()
			break
		}
		r.messages = append(r.messages, m)
		if m.kind == 'Z' {
			ready++
		}
	}
	r.raw = s.in.raw
	if err := <-sent; err != nil && !r.closed {
		return r, fmt.Errorf("send %s: %w", step.Label, err)
	}
	return r, nil
}

func (r *reader) next() (frame, error) {
	header, err := r.take(5)
	if err != nil {
		return frame{}, err
	}
	n := binary.BigEndian.Uint32(header[1:])
	if n < 4 || n > 1<<30 {
		return frame{}, fmt.Errorf("message %q of %d bytes", header[0], n)
	}
	kind := header[0]
	body, err := r.take(int(n) - 4)
	return frame{kind, body}, err
}

func (r *reader) take(n int) ([]byte, error) {
	at := len(r.raw)
	r.raw = append(r.raw, make([]byte, n)...)
	got, err := io.ReadFull(r.conn, r.raw[at:])
	r.raw = r.raw[:at+got]
	return r.raw[at:], err
}

// cells are the values of the rows, in order, and by column.
func (r *reply) cells() (all []byte, columns [][]byte) {
	for _, m := range r.messages {
		if m.kind == 'd' {
			all = append(all, m.body...)
		}
		if m.kind != 'D' || len(m.body) < 2 {
			continue
		}
		rest := m.body[2:]
		for i := 0; len(rest) >= 4; i++ {
			n := int32(binary.BigEndian.Uint32(rest))
			rest = rest[4:]
			if n < 0 {
				continue
			}
			if int64(n) > int64(len(rest)) {
				break
			}
			if i == len(columns) {
				columns = append(columns, nil)
			}
			if i < len(columns) {
				columns[i] = append(columns[i], rest[:n]...)
			}
			all = append(all, rest[:n]...)
			rest = rest[n:]
		}
	}
	return all, columns
}

// essence is what the answer says without what differs between any two runs: of errors and notices only the code.
func (r *reply) essence() string {
	var b strings.Builder
	for _, m := range r.messages {
		switch m.kind {
		case 'E', 'N':
			fmt.Fprintf(&b, "%c %s\n", m.kind, code(m.body))
		case 'A':
			if len(m.body) > 4 {
				fmt.Fprintf(&b, "A %q\n", m.body[4:])
			}
		default:
			fmt.Fprintf(&b, "%c %q\n", m.kind, m.body)
		}
	}
	if r.closed {
		b.WriteString("closed\n")
	}
	return b.String()
}

// errors are the codes of the ErrorResponses.
func (r *reply) errors() []string {
	var codes []string
	for _, m := range r.messages {
		if m.kind == 'E' {
			codes = append(codes, code(m.body))
		}
	}
	return codes
}

func (r *reply) rows() int {
	n := 0
	for _, m := range r.messages {
		if m.kind == 'D' {
			n++
		}
	}
	return n
}

func code(body []byte) string {
	var e pgproto3.ErrorResponse
	if err := e.Decode(body); err != nil {
		return "malformed"
	}
	return e.Code
}
