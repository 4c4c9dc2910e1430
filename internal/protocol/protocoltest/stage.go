package protocoltest

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/vault"
)

// Stage is a gate with all that stands around it: policy, log, approvals, credentials. Both worlds stand on it.
type Stage struct {
	t       testing.TB
	Gate    *gate.Gate
	Unclear bool // what is unclear is left to Rule
	// Expires is when the caller's token does; never when it is zero. It is set before the first call.
	Expires time.Time

	mu      sync.Mutex
	decide  func(*access.Operation, access.Context) access.Decision
	records []audit.Record
	bodies  strings.Builder
	lost    error // what the journal answers
	request access.Request
	changed chan struct{}
}

// set makes the gate.
func (w *Stage) set(t testing.TB) *slog.Logger {
	w.t, w.changed = t, make(chan struct{})
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	w.Gate = &gate.Gate{Policy: w, Journal: w, Approvals: w, Credentials: w, Log: log, Now: time.Now}
	return log
}

// serve runs a front end until the test ends: every session must have ended then.
func (w *Stage) run(serve func(context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx) }()
	w.t.Cleanup(func() {
		drain, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		w.Gate.Drain(drain, 5*time.Second)
		if n := len(w.Gate.Sessions()); n > 0 {
			w.t.Errorf("%d sessions are left after the gate drained", n)
		}
		stop()
		if err := <-ended; err != nil {
			w.t.Errorf("Serve: %v", err)
		}
	})
}

// Rule makes the policy.
func (w *Stage) Rule(f func(*access.Operation, access.Context) access.Decision) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.decide = f
}

// Oblige allows everything under obligations.
func (w *Stage) Oblige(o access.Obligations) {
	w.Rule(func(*access.Operation, access.Context) access.Decision {
		return access.Decision{Effect: access.Allow, Obligations: o}
	})
}

// Decide implements gate.Decider. What is unclear is denied, as any policy does.
func (w *Stage) Decide(_ *access.Subject, op *access.Operation, c access.Context) access.Decision {
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
func (w *Stage) Token(_ context.Context, token string, _ gate.SignIn) (*access.Subject, error) {
	if token != Token {
		return nil, &access.Refusal{Code: access.CodeIdentity, Message: "the token is not known"}
	}
	return &access.Subject{ID: "corp:alice", Kind: access.Person, Person: "alice", Expires: w.Expires}, nil
}

// Lease implements gate.Credentials.
func (w *Stage) Lease(context.Context, string) (vault.Credential, error) {
	return vault.Credential{Name: "docs@1", User: "app", Secret: vault.NewSecret(Secret)}, nil
}

// Append implements gate.Journal.
func (w *Stage) Append(r *audit.Record) audit.Commit {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records = append(w.records, *r)
	return audit.Resolved(uint64(len(w.records)), w.lost)
}

// Body implements gate.Journal.
func (w *Stage) Body(_ string, _ audit.Direction, p []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bodies.Write(p)
	return nil
}

// Sync implements gate.Journal.
func (w *Stage) Sync(context.Context) error { return nil }

// Lose makes the journal fail from now on.
func (w *Stage) Lose() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost = errors.New("disk full")
}

// Ask implements gate.Approvals: there is one request at a time.
func (w *Stage) Ask(_ context.Context, a access.Ask) (access.Request, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.request; r.Digest == a.Digest && (r.State == access.StateOpen || r.State == access.StateApproved) {
		return r, nil
	}
	w.request = access.Request{ID: "7F3K-92QX", Digest: a.Digest, State: access.StateOpen, Text: a.Operation.Text}
	return w.request, nil
}

// Await implements gate.Approvals.
func (w *Stage) Await(ctx context.Context, _ string) (access.Request, error) {
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
func (w *Stage) Use(_ context.Context, id, digest string) (access.Grant, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.request.State != access.StateApproved || w.request.Digest != digest {
		return access.Grant{}, errors.New("used already")
	}
	w.request.State = access.StateUsed
	return access.Grant{Request: id, Digest: digest}, nil
}

// Abandon implements gate.Approvals.
func (w *Stage) Abandon(context.Context, string) error {
	w.Release(access.StateAbandoned)
	return nil
}

// URL implements gate.Approvals.
func (w *Stage) URL(id string) string { return "https://gateway.example.com/requests/" + id }

// Release says what became of the access request.
func (w *Stage) Release(s access.State) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.request.State = s
	close(w.changed)
	w.changed = make(chan struct{})
}

// Request is the access request as it stands.
func (w *Stage) Request() access.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.request
}

// Records are those of a type.
func (w *Stage) Records(types ...audit.Type) []audit.Record {
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
func (w *Stage) Written() string {
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

// Bodies is what was said, as it was taken down.
func (w *Stage) Bodies() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bodies.String()
}
