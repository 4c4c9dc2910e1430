package httpwire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/vault"
)

func TestABodyIsLentUntilTheTransportIsDoneWithIt(t *testing.T) {
	ours, theirs := net.Pipe() // which holds nothing: what is written waits for who reads
	target := &target{Target: Target{Address: "127.0.0.1:1"}, now: time.Now}
	target.client = transport(target.Target)
	target.client.DialContext = func(context.Context, string, string) (net.Conn, error) { return ours, nil }
	answered := make(chan error, 1)
	go func() {
		// It answers when it has read the head and, in a buffer's length, a little of the body.
		_, err := http.ReadRequest(bufio.NewReader(theirs))
		if err == nil {
			_, err = io.WriteString(theirs, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
		}
		answered <- err
	}()
	var x exchange
	r, err := target.request(t.Context(), "POST", "/", "", make([]byte, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	x.lend(r)
	resp, err := target.send(r, vault.Credential{})
	if err != nil {
		t.Fatal(err)
	}
	if n := x.lent.Load(); n != 1 {
		t.Errorf("the request has been answered and is still being sent, and %d bodies are lent", n)
	}
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
	_ = theirs.Close()
	_ = resp.Body.Close()
	for deadline := time.Now().Add(30 * time.Second); x.lent.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing is being sent any more, and after 30 s the body is still lent")
		}
	}
}

func TestABodyThatWasClosedIsNotReadAnyMore(t *testing.T) {
	var x exchange
	target := &target{Target: Target{Address: "127.0.0.1:1"}}
	r, err := target.request(t.Context(), "POST", "/", "", []byte("one two three"))
	if err != nil {
		t.Fatal(err)
	}
	x.lend(r)
	p := make([]byte, 4)
	if n, err := r.Body.Read(p); n != 4 || err != nil || x.lent.Load() != 1 {
		t.Errorf("read %d bytes, %v; %d are lent", n, err, x.lent.Load())
	}
	for range 2 {
		if err := r.Body.Close(); err != nil || x.lent.Load() != 0 {
			t.Errorf("closed: %v; %d are lent", err, x.lent.Load())
		}
	}
	if n, err := r.Body.Read(p); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("%d bytes are read after it was closed: %v", n, err)
	}
	if n, ok, _ := r.Body.(*lent).writeTo(io.Discard, 100); n != 0 || ok {
		t.Errorf("%d bytes are written after it was closed", n)
	}
}

func TestABodyArrivesWholeHoweverItIsSent(t *testing.T) {
	got := make(chan string, 1)
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		got <- fmt.Sprintf("%s %v", body, err)
	})}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(ln) }() // ends with Close
	defer server.Close()
	target := &target{Target: Target{Address: ln.Addr().String()}}
	target.client = transport(target.Target)
	defer target.client.CloseIdleConnections()
	for _, size := range []int{1, 100, piece - 1, piece, piece + 1, 5 * piece, 3 << 20} {
		text := strings.Repeat("0123456789", size/10+1)[:size]
		r, err := target.request(t.Context(), "POST", "/", "", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := target.send(r, vault.Credential{})
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if answer := <-got; answer != text+" <nil>" {
			t.Errorf("%d bytes arrive as %d: %.60q", size, len(answer), answer)
		}
	}
}
