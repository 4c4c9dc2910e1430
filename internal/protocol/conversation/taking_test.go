package conversation

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/gate"
)

// most is how long a test waits for what must happen.
const most = 30 * time.Second

// served is a door behind which a handler answers, for both versions of HTTP, with little patience.
func served(t *testing.T, h http.HandlerFunc) (address string, states <-chan http.ConnState) {
	t.Helper()
	return logged(t, slog.New(slog.DiscardHandler), h)
}

func logged(t *testing.T, log *slog.Logger, h http.HandlerFunc) (address string, states <-chan http.ConnState) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan http.ConnState, 64)
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: h, Protocols: protocols, ConnState: func(_ net.Conn, s http.ConnState) { seen <- s }}
	d := &Door{Gate: &gate.Gate{Log: log}, Now: time.Now, Taking: 50 * time.Millisecond}
	ended := make(chan error, 1)
	go func() { ended <- d.Serve(t.Context(), server, ln) }()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String(), seen
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(most)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func await(t *testing.T, states <-chan http.ConnState, want http.ConnState) {
	t.Helper()
	for late := time.After(most); ; {
		select {
		case s := <-states:
			if s == want {
				return
			}
		case <-late:
			t.Fatalf("the connection is not %v after %s", want, most)
		}
	}
}

func TestAClientThatTakesNoAnswersLosesItsConnection(t *testing.T) {
	page := strings.Repeat("x", 64<<10)
	address, states := served(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page) })
	conn := dial(t, address)
	// More than the buffers between the two can hold, of a client that says nothing wrong.
	if _, err := io.WriteString(conn, strings.Repeat("GET / HTTP/1.1\r\nHost: h\r\n\r\n", 2000)); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	await(t, states, http.StateClosed)
}

// Who is refused before the document was read is not waited for: net/http reads what is left of it before it answers.
func TestAClientThatDoesNotSendWhatItAnnouncedLosesItsConnection(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"refused at once":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		"a flushed answer": func(w http.ResponseWriter, _ *http.Request) { _ = http.NewResponseController(w).Flush() },
		"a long answer":    func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 64<<10)) },
		"after a part": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadFull(r.Body, make([]byte, 2))
			w.WriteHeader(http.StatusUnauthorized)
		},
	} {
		t.Run(name, func(t *testing.T) {
			address, states := served(t, h)
			conn := dial(t, address)
			if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n123"); err != nil {
				t.Fatal(err)
			}
			await(t, states, http.StateClosed)
		})
	}
}

// lines are log lines, as they come.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// net/http tells of panics in a log where every stranger writes, which nobody reads therefore.
func TestAPanicInARequestIsSaidAndBreaksOffItsAnswer(t *testing.T) {
	said := make(lines, 10)
	address, _ := logged(t, slog.New(slog.NewTextHandler(said, nil)), func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "the first ha")
		_ = http.NewResponseController(w).Flush()
		if r.URL.Path == "/meant" {
			panic(http.ErrAbortHandler)
		}
		panic("a fault of ours")
	})
	for _, path := range []string{"/meant", "/fault"} {
		conn := dial(t, address)
		if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(conn); err != nil || !bytes.Contains(b, []byte("the first ha")) || bytes.HasSuffix(b, []byte("0\r\n\r\n")) {
			t.Errorf("%s: %q, %v", path, b, err)
		}
	}
	select {
	case line := <-said:
		if !strings.Contains(line, "level=ERROR") || !strings.Contains(line, `"a fault of ours"`) || !strings.Contains(line, "taking_test.go") {
			t.Errorf("%s", line)
		}
	case <-time.After(most):
		t.Error("nothing was said")
	}
	if len(said) > 0 {
		t.Errorf("%s", <-said)
	}
}

// frame is one of HTTP/2.
func frame(kind, flags byte, stream uint32, payload ...byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	b = binary.BigEndian.AppendUint32(append(b, flags), stream)
	return append(b, payload...)
}

// opened is a connection with HTTP/2 whose client has asked for /, and lets the server send nothing of the answer.
func opened(t *testing.T, address string) net.Conn {
	t.Helper()
	conn := dial(t, address)
	var b bytes.Buffer
	b.WriteString("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	b.Write(frame(4, 0, 0, 0, 4, 0, 0, 0, 0))               // SETTINGS_INITIAL_WINDOW_SIZE
	b.Write(frame(1, 5, 1, 0x82, 0x86, 0x84, 0x41, 1, 'h')) // GET http / h
	if _, err := conn.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	return conn
}

// next returns the kind of the next frame of the stream.
func next(t *testing.T, conn net.Conn) (kind byte) {
	t.Helper()
	for {
		var head [9]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			t.Fatal(err)
		}
		payload := make([]byte, binary.BigEndian.Uint32(head[:])>>8)
		if _, err := io.ReadFull(conn, payload); err != nil {
			t.Fatal(err)
		}
		if binary.BigEndian.Uint32(head[5:]) == 1 {
			return head[3]
		}
	}
}

// In HTTP/2 a client says how much it takes. One that takes nothing keeps no stream, and with it no connection, busy.
func TestAStreamThatMayNotBeSentOnIsEnded(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"while it is written": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 64<<10)) },
		"at its end":          func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") },
		"when it is flushed": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "x")
			_ = http.NewResponseController(w).Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			address, states := served(t, h)
			conn := opened(t, address)
			await(t, states, http.StateActive)
			for {
				if next(t, conn) == 3 { // RST_STREAM
					return
				}
			}
		})
	}
}

// deadlines is a client that takes what it is sent, and what its connection was told.
type deadlines struct {
	http.ResponseWriter
	told    []time.Time
	writing func()
}

func (d *deadlines) SetWriteDeadline(at time.Time) error {
	d.told = append(d.told, at)
	return nil
}

func (d *deadlines) Write(p []byte) (int, error) {
	d.writing()
	return len(p), nil
}

// The bound is of pieces that wait for the client, not of what happens between them: a deadline of HTTP/2 ends its stream
// even while nothing is written.
func TestNothingIsBoundBetweenThePiecesOfAStream(t *testing.T) {
	d := &deadlines{}
	w := &taker{ResponseWriter: d, control: http.NewResponseController(d), longest: time.Hour, streams: true}
	d.writing = func() {
		if len(d.told) > 0 {
			t.Errorf("told %v before anything was late", d.told)
		}
	}
	_, _ = w.Write([]byte("piece"))
	w.giveUp() // that came while the piece was taken after all
	if len(d.told) > 0 {
		t.Errorf("told %v after the piece was taken", d.told)
	}
	d.writing = w.giveUp
	_, _ = w.Write([]byte("piece"))
	if len(d.told) != 1 || d.told[0].After(time.Now()) {
		t.Errorf("told %v while a piece is late", d.told)
	}
}

func TestEveryPieceOfAnAnswerHasItsOwnTime(t *testing.T) {
	d := &deadlines{}
	w := &taker{ResponseWriter: d, control: http.NewResponseController(d), longest: time.Hour}
	for n := 1; n <= 3; n++ {
		d.writing = func() {
			if len(d.told) != n || d.told[n-1].Before(time.Now()) {
				t.Errorf("piece %d: told %v", n, d.told)
			}
		}
		_, _ = w.Write([]byte("piece"))
	}
	// A long one, such as a message of gRPC, takes a client longer whose line is slow.
	d.writing = func() {
		if got := d.told[3].Sub(d.told[2]); got < 15*time.Minute {
			t.Errorf("a piece of 64 MiB has %s more than others", got)
		}
	}
	_, _ = w.Write(make([]byte, 64<<20))
}
