package protocoltest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
)

// unannounced sends bodies in chunks, as clients do that have not made them yet: they are read, judged and sent on like any
// other, with their length, and no chunk more is taken than a body may have.
func unannounced(t *testing.T, s *Suite) {
	w := Start(t, s)
	whole := w.Do(t.Context(), s.Read)
	want := w.Received(s.Read)
	if whole.Status != http.StatusOK || len(want) != 1 {
		t.Fatalf("with its length: %v; sent on %d times", whole, len(want))
	}
	a := w.chunked(t, s.Read, "", pieces(s.Read.Body, 7)...)
	got := w.Received(s.Read)
	if a.Status != whole.Status || a.Body != whole.Body || len(got) != 2 {
		t.Fatalf("in chunks: %v; sent on %d times", a, len(got))
	}
	if got[1].URI != want[0].URI || got[1].Body != want[0].Body || got[1].Header.Get("Content-Length") != want[0].Header.Get("Content-Length") {
		t.Errorf("sent on: %v, want %v", got[1], want[0])
	}

	w = Start(t, s)
	half := s.Read.Body[:len(s.Read.Body)/2]
	refused(t, w, w.chunked(t, s.Read, "Trailer: X-Evil\r\n", s.Read.Body), s.Read, access.CodeUnclear)
	refused(t, w, w.chunked(t, s.Read, "", half), s.Read, access.CodeUnclear)
	nothing := s.Read
	nothing.Body = ""
	if with, without := w.Do(t.Context(), nothing), w.chunked(t, nothing, ""); with.Status != without.Status || with.Header.Get("X-Vecgate-Code") != without.Header.Get("X-Vecgate-Code") {
		t.Errorf("no body at all: %v, and in no chunk: %v", with, without)
	}

	w = Start(t, s, func(c *httpwire.Config, _ *httpwire.Target) { c.Limits.Body, c.Limits.Bodies = 64<<10, 256<<10 })
	spaces := strings.Repeat(" ", 16<<10)
	for range 8 { // what was held for one is there for the next
		refused(t, w, w.chunked(t, s.Read, "", s.Read.Body, spaces, spaces, spaces, spaces), s.Read, access.CodeUnclear)
	}
	if a := w.chunked(t, s.Read, "", s.Read.Body, spaces, spaces, spaces); a.Status != http.StatusOK {
		t.Errorf("within the limit: %v", a)
	}
	w = Start(t, s, func(c *httpwire.Config, _ *httpwire.Target) { c.Limits.Body, c.Limits.Bodies = 64<<10, 64<<10 })
	// While it grows, what it had and what it gets are held at once.
	refused(t, w, w.chunked(t, s.Read, "", s.Read.Body, spaces, spaces, spaces), s.Read, access.CodeUnclear)
	if a := w.chunked(t, s.Read, "", s.Read.Body); a.Status != http.StatusOK {
		t.Errorf("afterwards: %v", a)
	}
}

// brokenOff ends a body in the middle of a chunk.
func brokenOff(t *testing.T, s *Suite) {
	w := Start(t, s)
	conn := w.dial(t)
	defer conn.Close()
	fmt.Fprintf(conn, "%s%x\r\n%s", w.head(s.Read, ""), len(s.Read.Body)+9, s.Read.Body)
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	refused(t, w, answerOf(t, conn, s.Read), s.Read, access.CodeUnclear)
}

func pieces(s string, n int) (all []string) {
	for ; len(s) > n; s = s[n:] {
		all = append(all, s[:n])
	}
	return append(all, s)
}

func (w *World) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", w.address)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// head is the head of a request whose body comes in chunks.
func (w *World) head(r Request, more string) string {
	return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n%s\r\n", r.Method, r.Path, w.address, Token, more)
}

// chunked sends a request whose body are the chunks.
func (w *World) chunked(t *testing.T, r Request, more string, chunks ...string) Answer {
	t.Helper()
	conn := w.dial(t)
	defer conn.Close()
	var b strings.Builder
	b.WriteString(w.head(r, more))
	for _, c := range chunks {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(c), c)
	}
	b.WriteString("0\r\n\r\n")
	if _, err := io.WriteString(conn, b.String()); err != nil {
		t.Fatal(err)
	}
	return answerOf(t, conn, r)
}

func answerOf(t *testing.T, conn net.Conn, r Request) Answer {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: r.Method})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return Answer{resp.StatusCode, resp.Header, string(text), err, resp.Proto}
}
