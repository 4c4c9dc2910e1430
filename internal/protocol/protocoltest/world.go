// Package protocoltest is what every HTTP dialect passes: unknown operations, documents that two readers read differently,
// obligations that cannot be fulfilled, holds, credentials that must be seen nowhere, answers that must not leak.
//
// It knows a dialect by what a Suite tells of it, and stands a gate with a policy of its own between a client and a
// stand-in for the engine. Start at Run.
package protocoltest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/vault"
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
	t        testing.TB
	Server   *httpwire.Server
	Gate     *gate.Gate
	Limits   httpwire.Limits
	address  string
	scheme   string
	roots    *x509.CertPool
	Unclear  bool // what is unclear is left to Rule
	upstream *httptest.Server

	mu      sync.Mutex
	decide  func(*access.Operation, access.Context) access.Decision
	serve   http.Handler
	got     []*Received
	records []audit.Record
	bodies  strings.Builder
	lost    error // what the journal answers
	request access.Request
	changed chan struct{}
}

// Received is what reached the upstream, look-ups of the gateway included.
type Received struct {
	Method, URI, Body string
	Header            http.Header
}

type option func(*httpwire.Config, *httpwire.Target)

// Start stands everything up. Everything is allowed until Rule says otherwise.
func Start(t testing.TB, s *Suite, options ...option) *World {
	w := &World{t: t, serve: s.Upstream, changed: make(chan struct{})}
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
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	w.Gate = &gate.Gate{Policy: w, Journal: w, Approvals: w, Credentials: w, Log: log, Now: time.Now}
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
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Server.Serve(ctx, ln) }()
	t.Cleanup(func() {
		drain, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		w.Gate.Drain(drain, 5*time.Second)
		if n := len(w.Gate.Sessions()); n > 0 {
			t.Errorf("%d sessions are left after the gate drained", n)
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return w
}

// Rule makes the policy.
func (w *World) Rule(f func(*access.Operation, access.Context) access.Decision) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.decide = f
}

// Oblige allows everything under obligations.
func (w *World) Oblige(o access.Obligations) {
	w.Rule(func(*access.Operation, access.Context) access.Decision {
		return access.Decision{Effect: access.Allow, Obligations: o}
	})
}

// Upstream replaces what the stand-in answers.
func (w *World) Upstream(h http.Handler) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.serve = h
}

// Decide implements gate.Decider. What is unclear is denied, as any policy does.
func (w *World) Decide(_ *access.Subject, op *access.Operation, c access.Context) access.Decision {
	w.mu.Lock()
	decide := w.decide
	w.mu.Unlock()
	switch {
	case op.First().Action == access.Connect:
	case op.Unclear != "" && !w.Unclear:
		return access.Decision{Effect: access.Deny, Reason: access.Reason{Code: access.CodeUnclear, Sentence: op.Unclear}}
	case decide != nil && !op.Free:
		return decide(op, c)
	}
	return access.Decision{Effect: access.Allow}
}

// Token implements httpwire.Identity.
func (w *World) Token(_ context.Context, token string, _ gate.SignIn) (*access.Subject, error) {
	if token != Token {
		return nil, &access.Refusal{Code: access.CodeIdentity, Message: "the token is not known"}
	}
	return &access.Subject{ID: "corp:alice", Kind: access.Person, Person: "alice"}, nil
}

// Lease implements gate.Credentials.
func (w *World) Lease(context.Context, string) (vault.Credential, error) {
	return vault.Credential{Name: "docs@1", User: "app", Secret: vault.NewSecret(Secret)}, nil
}

// Append implements gate.Journal.
func (w *World) Append(r *audit.Record) audit.Commit {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records = append(w.records, *r)
	return audit.Resolved(uint64(len(w.records)), w.lost)
}

// Body implements gate.Journal.
func (w *World) Body(_ string, _ audit.Direction, p []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bodies.Write(p)
	return nil
}

// Sync implements gate.Journal.
func (w *World) Sync(context.Context) error { return nil }

// Lose makes the journal fail from now on.
func (w *World) Lose() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost = errors.New("disk full")
}

// Ask implements gate.Approvals: there is one request at a time.
func (w *World) Ask(_ context.Context, a access.Ask) (access.Request, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.request; r.Digest == a.Digest && (r.State == access.StateOpen || r.State == access.StateApproved) {
		return r, nil
	}
	w.request = access.Request{ID: "7F3K-92QX", Digest: a.Digest, State: access.StateOpen, Text: a.Operation.Text}
	return w.request, nil
}

// Await implements gate.Approvals.
func (w *World) Await(ctx context.Context, _ string) (access.Request, error) {
	for {
		w.mu.Lock()
		r, changed := w.request, w.changed
		w.mu.Unlock()
		if r.State != access.StateOpen {
			return r, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return r, ctx.Err()
		}
	}
}

// Use implements gate.Approvals.
func (w *World) Use(_ context.Context, id, digest string) (access.Grant, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.request.State != access.StateApproved || w.request.Digest != digest {
		return access.Grant{}, errors.New("used already")
	}
	w.request.State = access.StateUsed
	return access.Grant{Request: id, Digest: digest}, nil
}

// Abandon implements gate.Approvals.
func (w *World) Abandon(context.Context, string) error {
	w.Release(access.StateAbandoned)
	return nil
}

// URL implements gate.Approvals.
func (w *World) URL(id string) string { return "https://gateway.example.com/requests/" + id }

// Release says what became of the access request.
func (w *World) Release(s access.State) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.request.State = s
	close(w.changed)
	w.changed = make(chan struct{})
}

// Request is the access request as it stands.
func (w *World) Request() access.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.request
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
		if r.Method == match.Method && (match.Method != http.MethodGet || r.URI == match.Path) {
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

// Records are those of a type.
func (w *World) Records(types ...audit.Type) []audit.Record {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []audit.Record
	for _, r := range w.records {
		for _, t := range types {
			if r.Type == t {
				found = append(found, r)
			}
		}
	}
	return found
}

// Written is everything that was written down.
func (w *World) Written() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b strings.Builder
	for i := range w.records {
		text, err := json.Marshal(w.records[i])
		if err != nil {
			w.t.Fatal(err)
		}
		b.Write(text)
	}
	return b.String() + w.bodies.String()
}

// Eventually waits for something that happens beside the test.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

func held(_ *access.Operation, c access.Context) access.Decision {
	if c.Grant != nil {
		return access.Decision{Effect: access.Allow}
	}
	return access.Decision{
		Effect: access.Hold, Reason: access.Reason{Code: access.CodeHeld, Rule: "writes-are-held", Sentence: "a person must release it"},
		Hold: &access.HoldTerms{Rule: "writes-are-held", Persons: 1, Within: time.Hour},
	}
}

// String tells an answer in a test's message.
func (a Answer) String() string {
	if a.Err != nil && a.Status == 0 {
		return a.Err.Error()
	}
	return fmt.Sprintf("%d %.300s", a.Status, a.Body)
}
