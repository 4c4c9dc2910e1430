package admin_test

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/admin"
)

// Nobody needs a credential to ask and never read the answer, or to announce a form and never send it.
func TestSlowVisitorsOfTheConsoleLoseTheirConnections(t *testing.T) {
	for name, sent := range map[string]string{
		"who takes no answers":          strings.Repeat("GET / HTTP/1.1\r\nHost: h\r\n\r\n", 2000),
		"who does not send their forms": "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n123",
	} {
		t.Run(name, func(t *testing.T) {
			server := admin.HTTPServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, strings.Repeat("x", 64<<10))
			}), slog.New(slog.DiscardHandler))
			if server.WriteTimeout <= 0 || server.WriteTimeout > time.Minute || server.ReadTimeout <= 0 || server.ReadTimeout > time.Minute {
				t.Fatalf("reading is bounded by %s, writing by %s", server.ReadTimeout, server.WriteTimeout)
			}
			server.WriteTimeout, server.ReadTimeout = 50*time.Millisecond, 50*time.Millisecond
			closed := make(chan bool, 1)
			server.ConnState = func(_ net.Conn, s http.ConnState) {
				if s == http.StateClosed {
					closed <- true
				}
			}
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- server.Serve(ln) }()
			defer func() {
				server.Close()
				<-ended
			}()
			conn, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
			_, _ = io.WriteString(conn, sent) // the server may not take all of it
			select {
			case <-closed:
			case <-time.After(30 * time.Second):
				t.Error("the connection is still open after 30 s")
			}
		})
	}
}

func TestAPanicInARequestIsSaid(t *testing.T) {
	said := make(chan string, 10)
	server := httptest.NewUnstartedServer(nil)
	server.Config = admin.HTTPServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a fault of ours") }), slog.New(slog.NewTextHandler(lines(said), nil)))
	server.Start()
	defer server.Close()
	if res, err := http.Get(server.URL); err == nil {
		res.Body.Close()
		t.Errorf("answered %s", res.Status)
	}
	select {
	case line := <-said:
		if !strings.Contains(line, "level=ERROR") || !strings.Contains(line, `"a fault of ours"`) {
			t.Error(line)
		}
	case <-time.After(30 * time.Second):
		t.Error("nothing was said")
	}
}

type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}
