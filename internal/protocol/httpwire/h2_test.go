package httpwire_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

// h2frame is a frame of HTTP/2 (RFC 9113), written by hand: no client would send what the test does.
func h2frame(kind, flags byte, stream uint32, payload string) string {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	return string(binary.BigEndian.AppendUint32(append(b, flags), stream)) + payload
}

// h2header is a header as HPACK has it without its tables; name and value are shorter than 127 bytes.
func h2header(name, value string) string {
	return "\x00" + string(rune(len(name))) + name + string(rune(len(value))) + value
}

// HTTP/2 carries any bytes in its headers. What becomes a line of HTTP/1.1 to the target must not become two.
func TestHeadersOfHTTP2BringNoLinesToATargetOfHTTP1(t *testing.T) {
	const more = "\r\nX-Smuggled: 1"
	for name, change := range map[string]func(path *string) (headers string){
		"nothing": func(*string) string { return "" },
		"a value": func(*string) string { return h2header("accept", "*/*"+more) },
		"a value that ends the request": func(*string) string {
			return h2header("user-agent", "a\r\n\r\nPOST /search HTTP/1.1\r\nHost: a"+more)
		},
		"a name":                 func(*string) string { return h2header("accept"+more, "1") },
		"a name with a colon":    func(*string) string { return h2header("x-smuggled: 1\r\naccept", "1") },
		"a line feed":            func(*string) string { return h2header("accept", "a\nx-smuggled: 1") },
		"the path":               func(path *string) string { *path = "/search HTTP/1.1" + more; return "" },
		"the host":               func(*string) string { return h2header("host", "docs"+more) },
		"another transfer":       func(*string) string { return h2header("transfer-encoding", "chunked") },
		"a length that is wrong": func(*string) string { return h2header("content-length", "3") },
		"a connection":           func(*string) string { return h2header("connection", "x-smuggled") },
	} {
		w := protocoltest.Start(t, &protocoltest.Suite{
			New:      func() httpwire.Dialect { return dialect{} },
			Upstream: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{}`) }),
		}, func(c *httpwire.Config, _ *httpwire.Target) { c.H2C = true })
		path := "/search"
		headers := change(&path)
		block := h2header(":method", "POST") + h2header(":scheme", "http") + h2header(":authority", "docs") + h2header(":path", path) +
			h2header("content-type", "application/json") + h2header("authorization", "Bearer "+protocoltest.Token) + headers
		conn, err := net.DialTimeout("tcp", w.Address(), 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		text := "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + h2frame(4, 0, 0, "") + h2frame(1, 4, 1, block) + h2frame(0, 1, 1, `{"k":1}`)
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		if err := h2ended(conn); err != nil {
			t.Errorf("%s: the stream did not end: %v", name, err)
		}
		got := w.All()
		if name == "nothing" && len(got) != 1 {
			t.Fatalf("a request that is in order: %d reached the target", len(got))
		}
		if len(got) > 1 {
			t.Errorf("%s: %d requests reached the target", name, len(got))
		}
		for _, r := range got {
			_, smuggled := r.Header["X-Smuggled"]
			if smuggled || r.Body != `{"k":1}` || r.URI != "/search" || strings.Contains(fmt.Sprint(r.Header), "muggled") {
				t.Errorf("%s: the target got %s %q %v", name, r.URI, r.Body, r.Header)
			}
		}
		t.Logf("%s: %d sent on", name, len(got))
	}
}

// h2ended reads until the first stream, or the connection, has ended.
func h2ended(conn net.Conn) error {
	head := make([]byte, 9)
	for {
		if _, err := io.ReadFull(conn, head); err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				return err
			}
			return nil
		}
		n := int64(head[0])<<16 | int64(head[1])<<8 | int64(head[2])
		if _, err := io.CopyN(io.Discard, conn, n); err != nil {
			return err
		}
		kind, flags, stream := head[3], head[4], binary.BigEndian.Uint32(head[5:])
		if kind == 7 || stream == 1 && (kind == 3 || kind <= 1 && flags&1 != 0) {
			return nil
		}
	}
}
