package http1

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// server answers every request on a connection with what say returns, and closes the connection after "".
type server struct {
	*Client
	connections atomic.Int64
	requests    atomic.Int64
}

func serve(t *testing.T, say func(n int64, r *http.Request, body []byte) string) *server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Client: &Client{Address: ln.Addr().String(), Dialing: 10 * time.Second, Answering: time.Minute, Idle: time.Minute, MaxIdle: 4}}
	t.Cleanup(func() { ln.Close(); s.CloseIdleConnections() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s.connections.Add(1)
			go func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					body, err := io.ReadAll(r.Body)
					if err != nil {
						return
					}
					answer := say(s.requests.Add(1), r, body)
					if answer == "" {
						return
					}
					if _, err := io.WriteString(c, strings.TrimSuffix(answer, "CLOSE")); err != nil || strings.HasSuffix(answer, "CLOSE") {
						return
					}
				}
			}()
		}
	}()
	return s
}

func ask(ctx context.Context, method, path, body string) *http.Request {
	r := &http.Request{Method: method, URL: &url.URL{Path: path}, Host: "db:1", Header: http.Header{"Accept": {"application/json"}}}
	if body != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
	return r.WithContext(ctx)
}

func (s *server) get(t *testing.T, body string) (string, error) {
	method := http.MethodPost
	if body == "" {
		method = http.MethodGet
	}
	resp, err := s.RoundTrip(ask(t.Context(), method, "/a", body))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

func TestOneConnectionCarriesRequestsOfAnyLength(t *testing.T) {
	s := serve(t, func(n int64, r *http.Request, body []byte) string {
		if r.Host != "db:1" || r.Header.Get("Accept") != "application/json" || len(r.Header) > 2 {
			return "HTTP/1.1 500 wrong\r\nContent-Length: 0\r\n\r\n"
		}
		head := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
		if n%2 == 0 {
			return head + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + string(body)
		}
		half := len(body) / 2
		return head + "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x", half) + "\r\n" + string(body[:half]) + "\r\n" +
			fmt.Sprintf("%x", len(body)-half) + "\r\n" + string(body[half:]) + "\r\n0\r\n\r\n"
	})
	for _, n := range []int{2, 100, together - 1, together, together + 1, 5 << 20, 3} {
		want := strings.Repeat("x", n)
		for range 2 {
			if got, err := s.get(t, want); err != nil || got != want {
				t.Fatalf("%d bytes: %v, %d bytes came back", n, err, len(got))
			}
		}
	}
	if n := s.connections.Load(); n != 1 {
		t.Errorf("%d connections were made", n)
	}
}

const fine = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

func TestAnAnswerThatTwoCouldReadDifferentlyIsRefused(t *testing.T) {
	for _, answer := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;\n{}\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nCLOSE",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}CLOSE",
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}CLOSE",
		"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\n Content-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nA: b\rContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nA: b\x00\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
		"HTTP/1.1 200 OK\r\n: a\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
		"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 2x0 OK\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 600 OK\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
		"ICY 200 OK\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-LengthCLOSE",
		"HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", maxFields+1) + "\r\n",
		"HTTP/1.1 200 OK\r\n" + strings.Repeat("A: "+strings.Repeat("b", 1000)+"\r\n", 70) + "\r\n",
		"HTTP/1.1 200 OK\r\nA: " + strings.Repeat("b", 2*buffer) + "\r\n\r\n",
		strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", maxInterim) + fine,
		"\r\n" + fine,
	} {
		s := serve(t, func(int64, *http.Request, []byte) string { return answer })
		if got, err := s.get(t, "{}"); err == nil {
			t.Errorf("%.100q was taken as %q", answer, got)
		}
		if n := len(s.idle); n != 0 {
			t.Errorf("after %.100q the connection was kept", answer)
		}
	}
}

func TestAConnectionIsKeptOnlyWhenNothingElseStandsOnIt(t *testing.T) {
	for answer, want := range map[string]int64{
		fine: 1,
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + fine:   1,
		fine + "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged":                         2,
		"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\n{}":               2,
		"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}":                                    2,
		"HTTP/1.1 200 OK\r\n\r\n{}CLOSE":                                                    2,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nA: b\r\n\r\n": 2,
	} {
		s := serve(t, func(int64, *http.Request, []byte) string { return answer })
		for range 2 {
			if got, err := s.get(t, "{}"); err != nil || got != "{}" {
				t.Errorf("%q: %v, %q", answer, err, got)
			}
		}
		if n := s.connections.Load(); n != want {
			t.Errorf("%q: %d connections, want %d", answer, n, want)
		}
	}
}

func TestWhatComesUnaskedIsNotTheNextAnswer(t *testing.T) {
	more := make(chan net.Conn, 1)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			if _, err = http.ReadRequest(bufio.NewReader(c)); err == nil {
				_, _ = io.WriteString(c, fine)
				more <- c
			}
		}
	}()
	s := &server{Client: &Client{Address: ln.Addr().String(), Answering: time.Minute, Idle: time.Minute, MaxIdle: 4}}
	if _, err := s.get(t, ""); err != nil {
		t.Fatal(err)
	}
	first := <-more
	_, _ = io.WriteString(first, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
	wait(t, func() bool { b, err := s.idle[0].net.(*net.TCPConn).SyscallConn(); return err == nil && pending(b) })
	if got, err := s.get(t, ""); err != nil || got != "{}" {
		t.Errorf("%v, %q", err, got)
	}
	(<-more).Close()
	first.Close()
}

func TestAWriteIsNotSentTwice(t *testing.T) {
	closes := func(n int64, _ *http.Request, _ []byte) string {
		if n == 1 {
			return fine
		}
		return "" // it was read, and perhaps carried out
	}
	s := serve(t, closes)
	for range 2 {
		_, err := s.get(t, "{}")
		if n := s.requests.Load(); n == 2 && err == nil {
			t.Error("a request without an answer was a success")
		}
	}
	if n := s.requests.Load(); n != 2 {
		t.Errorf("the server got %d requests", n)
	}

	s = serve(t, func(n int64, r *http.Request, b []byte) string {
		if n == 3 {
			return fine
		}
		return closes(n, r, b)
	})
	for range 2 {
		if got, err := s.get(t, ""); err != nil || got != "{}" {
			t.Errorf("a GET on a connection that was closed: %v, %q", err, got)
		}
	}
}

func TestARequestEndsWithItsContext(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(n int64, _ *http.Request, _ []byte) string {
		if n == 1 {
			<-release
			return fine
		}
		if n == 2 {
			return "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n{}"
		}
		return fine
	})
	why := errors.New("the client went away")
	ctx, cancel := context.WithCancelCause(t.Context())
	failed := make(chan error)
	go func() {
		_, err := s.RoundTrip(ask(ctx, "POST", "/a", "{}"))
		failed <- err
	}()
	wait(t, func() bool { return s.requests.Load() == 1 })
	cancel(why)
	if err := <-failed; !errors.Is(err, why) {
		t.Errorf("before the answer: %v", err)
	}
	close(release)

	ctx, cancel = context.WithCancelCause(t.Context())
	resp, err := s.RoundTrip(ask(ctx, "POST", "/a", "{}"))
	if err != nil {
		t.Fatal(err)
	}
	cancel(why)
	if text, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("in the midst of an answer: %q is all", text)
	}
	resp.Body.Close()
	if len(s.idle) != 0 {
		t.Error("a connection with a part of an answer on it is kept")
	}
	if got, err := s.get(t, "{}"); err != nil || got != "{}" {
		t.Errorf("afterwards: %v, %q", err, got)
	}
}

func TestAServerMayAnswerBeforeItHasReadAll(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}")
			}
			defer c.Close() // when the test ends: it reads no more
		}
	}()
	s := &server{Client: &Client{Address: ln.Addr().String(), Answering: time.Minute, Idle: time.Minute, MaxIdle: 4}}
	resp, err := s.RoundTrip(ask(t.Context(), "POST", "/a", strings.Repeat("x", 64<<20)))
	if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Fatal(resp, err)
	}
	if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "{}" {
		t.Errorf("%v, %q", err, text)
	}
	resp.Body.Close()
	if len(s.idle) != 0 {
		t.Error("a connection on which a request is still being written is kept")
	}
}

func TestNothingOfARequestEndsItsLine(t *testing.T) {
	s := serve(t, func(int64, *http.Request, []byte) string { return fine })
	for what, change := range map[string]func(*http.Request){
		"method":         func(r *http.Request) { r.Method = "GET / HTTP/1.1\r\nA:" },
		"path":           func(r *http.Request) { r.URL.Opaque = "/a HTTP/1.1\r\nA:b" },
		"query":          func(r *http.Request) { r.URL.RawQuery = "a=b\r\nA:b" },
		"host":           func(r *http.Request) { r.Host = "db\r\nA:b" },
		"header's name":  func(r *http.Request) { r.Header["A\r\nB"] = []string{"c"} },
		"header's value": func(r *http.Request) { r.Header["A"] = []string{"b\r\nC: d"} },
		"length":         func(r *http.Request) { r.Header["Content-Length"] = []string{"1"} },
		"coding":         func(r *http.Request) { r.Header["Transfer-Encoding"] = []string{"chunked"} },
		"no length":      func(r *http.Request) { r.ContentLength = -1 },
		"short body":     func(r *http.Request) { r.ContentLength = 3 },
		"short and long": func(r *http.Request) { r.ContentLength = together + 1 },
	} {
		r := ask(t.Context(), "POST", "/a", "{}")
		change(r)
		if resp, err := s.RoundTrip(r); err == nil {
			t.Errorf("%s: %d", what, resp.StatusCode)
		}
	}
	if n := s.requests.Load(); n != 0 {
		t.Errorf("%d requests arrived", n)
	}
}

// FuzzAnswer wants no answer to be read in another way than net/http reads it, if it is taken at all.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(fine))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"))
	f.Add([]byte("HTTP/1.0 404 Not Found\r\nA: b\r\n\r\n{}"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		r := ask(t.Context(), "POST", "/a", "{}")
		c := &conn{client: &Client{}, net: nowhere{}, in: bufio.NewReaderSize(bytes.NewReader(answer), buffer), stop: func() bool { return true }}
		got, err := c.head(r)
		if err != nil {
			return
		}
		text, err := io.ReadAll(got.Body)
		got.Body.Close()
		if err != nil {
			return
		}
		in := bufio.NewReader(bytes.NewReader(answer))
		for {
			want, err := http.ReadResponse(in, r)
			if err != nil {
				t.Fatalf("%q is taken, and net/http says %v", answer, err)
			}
			wanted, err := io.ReadAll(want.Body)
			if want.StatusCode < 200 && err == nil {
				continue
			}
			// What follows the last chunk is not read here: nobody looks at trailers, and the connection ends with them.
			if want.StatusCode != got.StatusCode || !bytes.Equal(wanted, text) {
				t.Fatalf("%q: %d %q, and net/http says %d %q %v", answer, got.StatusCode, text, want.StatusCode, wanted, err)
			}
			return
		}
	})
}

type nowhere struct{ net.Conn }

func (nowhere) Close() error { return nil }

// wait returns when something is so.
func wait(t *testing.T, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not come to be")
		}
	}
}
