// Package protocoltest is what every dialect passes, of HTTP and of gRPC: unknown operations, documents that two readers
// read differently, obligations that cannot be fulfilled, holds, credentials that must be seen nowhere, answers that must
// not leak.
//
// It knows a dialect by what a Suite or a GRPCSuite tells of it, and stands a gate with a policy of its own between a
// client and a stand-in for the engine. Start at Run and RunGRPC.
package protocoltest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
)

// What must be seen nowhere, and what must not reach who may not see it.
const (
	Token  = "caller-token-5f2c"     // the caller's; never upstream, never in a record
	Secret = "database-secret-91ab"  // the database's; never at the client, never in a record
	Canary = "CANARY-protected-77d0" // a stored value that the protection hides
	Target = "docs"
)

// Request is what a client sends.
type Request struct {
	Method, Path, Body string
	Header             http.Header
}

// Answer is what it gets.
type Answer struct {
	Status int
	Header http.Header
	Body   string
	Err    error  // the connection ended early
	Proto  string // HTTP/1.1, HTTP/2.0
}

// World is a gate between a client and an upstream.
type World struct {
	Stage
	Server   *httpwire.Server
	Limits   httpwire.Limits
	address  string
	scheme   string
	roots    *x509.CertPool
	upstream *httptest.Server

	serve   http.Handler
	lookUps []string // see Suite.LookUps
	got     []*Received
}

// Received is what reached the upstream, look-ups of the gateway included.
type Received struct {
	Method, URI, Body string
	Header            http.Header
}

type option func(*httpwire.Config, *httpwire.Target)

// Start stands everything up. Everything is allowed until Rule says otherwise.
func Start(t testing.TB, s *Suite, options ...option) *World {
	w := &World{serve: s.Upstream, lookUps: s.LookUps}
	log := w.set(t)
	w.upstream = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.mu.Lock()
		w.got = append(w.got, &Received{r.Method, r.RequestURI, string(body), r.Header.Clone()})
		serve := w.serve
		w.mu.Unlock()
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		serve.ServeHTTP(rw, r)
	}))
	t.Cleanup(w.upstream.Close)
	hider, err := mask.New(make([]byte, mask.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	target := httpwire.Target{Gate: gate.Target{Name: Target}, Dialect: s.New(), Address: w.upstream.Listener.Addr().String()}
	c := httpwire.Config{Targets: map[string]httpwire.Target{}, Gate: w.Gate, Identity: w, Hider: hider, Log: log, Now: time.Now}
	for _, o := range options {
		o(&c, &target)
	}
	c.Targets[Target] = target
	if w.Server, err = httpwire.New(c); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.address, w.scheme = ln.Addr().String(), "http"
	if c.TLS != nil {
		w.scheme = "https"
	}
	w.run(func(ctx context.Context) error { return w.Server.Serve(ctx, ln) })
	return w
}

// Address is where the gateway listens.
func (w *World) Address() string { return w.address }

// Upstream replaces what the stand-in answers.
func (w *World) Upstream(h http.Handler) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.serve = h
}

// Do sends a request with the caller's token, unless it has a header of its own.
func (w *World) Do(ctx context.Context, r Request) Answer {
	w.t.Helper()
	var body io.Reader
	if r.Body != "" {
		body = strings.NewReader(r.Body)
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, w.scheme+"://"+w.address, body)
	if err != nil {
		w.t.Fatal(err)
	}
	req.URL.Opaque = r.Path // as it stands, whatever it is
	req.Header = r.Header.Clone()
	if req.Header == nil {
		req.Header = http.Header{"Authorization": {"Bearer " + Token}}
	}
	if body != nil && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	tr := &http.Transport{DisableCompression: true, ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: w.roots, MinVersion: tls.VersionTLS12}}
	defer tr.CloseIdleConnections()
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return Answer{Err: err}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return Answer{resp.StatusCode, resp.Header, string(text), err, resp.Proto}
}

// Received is what has reached the upstream with a body or a method other than GET: what clients sent, without look-ups.
func (w *World) Received(match Request) []*Received {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []*Received
	for _, r := range w.got {
		if r.Method == match.Method && !slices.Contains(w.lookUps, r.URI) && (match.Method != http.MethodGet || r.URI == match.Path) {
			found = append(found, r)
		}
	}
	return found
}

// All is everything that has reached the upstream.
func (w *World) All() []*Received {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]*Received(nil), w.got...)
}

// String tells an answer in a test's message.
func (a Answer) String() string {
	if a.Err != nil && a.Status == 0 {
		return a.Err.Error()
	}
	return fmt.Sprintf("%d %.300s", a.Status, a.Body)
}
