package grpcwire_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

// rest is a REST dialect of one route.
type rest struct{}

func (rest) Routes() []httpwire.Route {
	return []httpwire.Route{{Name: "rooms", Method: "GET", Path: "/rooms", Actions: []access.Action{access.SchemaList}}}
}

func (rest) Read(_ context.Context, r *httpwire.Request) (*httpwire.Call, error) {
	return &httpwire.Call{Method: "GET", Path: "/rooms", Accesses: []access.Access{{Action: access.SchemaList, Resource: access.Resource{Target: r.Target}}}}, nil
}

func (rest) Error(r *access.Refusal) (int, []byte) { return httpwire.Status(r.Code), []byte(`{}`) }

func (rest) Health() string { return "/" }

// share stands an HTTP listener before the world whose gRPC calls the world answers, and returns its address.
func share(t *testing.T, w *protocoltest.GRPCWorld, more func(*httpwire.Config)) string {
	t.Helper()
	engine := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(rw, `["history"]`)
	}))
	t.Cleanup(engine.Close)
	c := httpwire.Config{
		Targets: map[string]httpwire.Target{protocoltest.Target: {Gate: gate.Target{Name: protocoltest.Target}, Dialect: rest{}, Address: engine.Listener.Addr().String()}},
		Gate:    w.Gate, Identity: w, Log: w.Gate.Log, Now: time.Now, GRPC: w.Server,
	}
	more(&c)
	server, err := httpwire.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, ln) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}

func get(t *testing.T, c *http.Client, url string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/rooms", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+protocoltest.Token)
	r.Header.Set("User-Agent", "books/1")
	resp, err := c.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Proto + " " + string(body)
}

func TestOnePortCarriesRESTAndGRPC(t *testing.T) {
	certified := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	defer certified.Close()
	roots := x509.NewCertPool()
	roots.AddCert(certified.Certificate())
	for _, overTLS := range []bool{true, false} {
		w := protocoltest.StartGRPC(t, suite())
		w.Address = share(t, w, func(c *httpwire.Config) {
			c.H2C = !overTLS
			if overTLS {
				c.TLS = &tls.Config{Certificates: certified.TLS.Certificates, MinVersion: tls.VersionTLS12}
			}
		})
		trust := &tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS12}
		url, creds := "https://"+w.Address, trust
		if !overTLS {
			url, creds = "http://"+w.Address, nil
		}
		call := w.DoBy(t.Context(), w.Dial(creds), suite().Read)
		if call.Status.Code() != codes.OK || len(w.Received(suite().Read.Method)) != 1 {
			t.Errorf("TLS %v, a call: %v", overTLS, call)
		}
		tr := &http.Transport{TLSClientConfig: trust}
		if status, body := get(t, &http.Client{Transport: tr}, url); status != http.StatusOK || !strings.HasSuffix(body, `["history"]`) {
			t.Errorf("TLS %v, HTTP/1: %d %s", overTLS, status, body)
		}
		tr.CloseIdleConnections()
		tr = &http.Transport{TLSClientConfig: trust, Protocols: new(http.Protocols)}
		tr.Protocols.SetHTTP2(true)
		tr.Protocols.SetUnencryptedHTTP2(!overTLS)
		if status, body := get(t, &http.Client{Transport: tr}, url); status != http.StatusOK || body != `HTTP/2.0 ["history"]` {
			t.Errorf("TLS %v, HTTP/2: %d %s", overTLS, status, body)
		}
		tr.CloseIdleConnections()
		if n := len(w.Records(audit.TypeSessionOpen)); n != 2 {
			t.Errorf("%d sessions were opened: REST and gRPC are one each", n)
		}
	}
}

func TestAPortTakesHTTP2InClearOnlyWhereItSaysSo(t *testing.T) {
	w := protocoltest.StartGRPC(t, suite())
	w.Address = share(t, w, func(*httpwire.Config) {})
	if call := w.DoBy(t.Context(), w.Dial(nil), suite().Read); call.Status.Code() == codes.OK || len(w.All()) > 0 {
		t.Errorf("%v", call)
	}
}
