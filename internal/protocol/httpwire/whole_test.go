package httpwire

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/vault"
)

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
