package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/postgres/analysis"
	"github.com/vecgate/vecgate/internal/protocol/postgres/value"
	"github.com/vecgate/vecgate/internal/vault"
	"github.com/vecgate/vecgate/test/postgrestest"
)

// simple is an analyzer for tests that must not depend on how SQL is understood: it knows a statement by its first word,
// and what is held or denied by words in its text.
type simple struct{ target string }

func (s simple) Analyze(text string, cat *analysis.Catalog) *analysis.Plan {
	plan := &analysis.Plan{Text: text, Epoch: cat.Epoch}
	if strings.Contains(text, "not sql") {
		plan.Refused = &analysis.Fault{SQLSTATE: "42601", Message: `syntax error at or near "not"`, Position: 1 + strings.Index(text, "not sql")}
		return plan
	}
	for _, part := range splitSQL(text) {
		if st := s.statement(part); st != nil {
			plan.Statements = append(plan.Statements, st)
		}
	}
	return plan
}

func splitSQL(text string) []string {
	if strings.Contains(text, "$$") || strings.Contains(text, "';'") {
		return []string{text}
	}
	return strings.Split(text, ";")
}

func (s simple) statement(text string) *analysis.Statement {
	words := strings.Fields(strings.ToLower(text))
	if len(words) == 0 {
		return nil
	}
	st := &analysis.Statement{Text: text, RowCap: access.Unbounded}
	kinds := map[string]analysis.Kind{
		"select": analysis.Select, "values": analysis.Select, "insert": analysis.Insert, "update": analysis.Update, "delete": analysis.Delete,
		"begin": analysis.Begin, "commit": analysis.Commit, "rollback": analysis.Rollback, "savepoint": analysis.Savepoint, "set": analysis.Set,
		"show": analysis.Show, "prepare": analysis.Prepare, "execute": analysis.Execute, "deallocate": analysis.Deallocate,
		"declare": analysis.Declare, "fetch": analysis.Fetch, "close": analysis.Close, "copy": analysis.CopyOut, "create": analysis.DDL,
		"drop": analysis.DDL, "listen": analysis.Listen, "notify": analysis.Notify, "do": analysis.Code, "discard": analysis.Discard,
		"end": analysis.Commit, "vacuum": analysis.Maintain, "alter": analysis.DDL, "truncate": analysis.DDL, "unlisten": analysis.Listen,
	}
	st.Kind = kinds[words[0]]
	on := access.Resource{Target: s.target, Namespace: "public", Collection: "t"}
	act := func(a access.Action) {
		st.Accesses = []access.Access{{Action: a, Resource: on, Attributes: access.Attributes{Rows: access.Unbounded, Limit: access.Unbounded}}}
	}
	switch st.Kind {
	case analysis.Select:
		st.ReturnsRows = true
		act(access.Fetch)
	case analysis.Insert:
		act(access.Insert)
		st.ReturnsRows = strings.Contains(text, "returning")
	case analysis.Update:
		act(access.Update)
	case analysis.Delete:
		act(access.Delete)
	case analysis.DDL:
		act(access.SchemaCreate)
		st.ChangesCatalog = true
	case analysis.CopyOut:
		act(access.Export)
		if strings.Contains(strings.ToLower(text), "from stdin") {
			st.Kind = analysis.CopyIn
			act(access.Import)
		}
	case analysis.Prepare:
		st.Prepares = words[1]
		_, body, _ := strings.Cut(text, " as ")
		st.Body = s.statement(body)
	case analysis.Declare:
		st.Prepares = words[1]
		_, body, _ := strings.Cut(text, " for ")
		st.Body = s.statement(body)
		st.Accesses = st.Body.Accesses
	case analysis.Execute:
		st.Executes, _, _ = strings.Cut(words[1], "(")
		st.ReturnsRows = true
	case analysis.Fetch, analysis.Close, analysis.Deallocate:
		st.Executes = words[len(words)-1]
		st.All = st.Executes == "all"
		st.ReturnsRows = st.Kind == analysis.Fetch
	case analysis.Discard:
		st.All = true
	case analysis.Set:
		if name, v, ok := strings.Cut(strings.TrimPrefix(text, "set "), "="); ok {
			st.ChangesSettings = []analysis.Setting{{Name: strings.TrimSpace(name), Value: strings.Trim(strings.TrimSpace(v), "'")}}
		}
	case analysis.Show:
		st.ReturnsRows = true
	}
	return st
}

// world is a gateway over a real server, with a policy and a journal that the test sees into.
type world struct {
	t       testing.TB
	db      postgrestest.Database
	gate    *gate.Gate
	server  *Server
	address string
	pool    *x509.CertPool
	journal *journal
	asks    *approvals

	mu      sync.Mutex
	decide  func(*access.Subject, *access.Operation, access.Context) access.Decision
	expires time.Time
}

type option func(*Config, *Target)

func newWorld(t testing.TB, options ...option) *world {
	pg := postgrestest.Start(t)
	w := &world{t: t, db: pg.NewDatabase(t), journal: &journal{}, asks: &approvals{changed: make(chan struct{})}}
	var log *slog.Logger
	if os.Getenv("VECGATE_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	} else {
		log = slog.New(slog.DiscardHandler)
	}
	w.gate = &gate.Gate{Policy: w, Journal: w.journal, Approvals: w.asks, Credentials: w, Log: log, Now: time.Now}
	pem, err := os.ReadFile(pg.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	upstream := x509.NewCertPool()
	upstream.AppendCertsFromPEM(pem)
	certificate, pool := selfSigned(t)
	w.pool = pool
	target := Target{
		Gate: gate.Target{Name: "products"}, Address: fmt.Sprintf("%s:%d", pg.Host, pg.Port), Database: w.db.App.Database, TLS: &tls.Config{RootCAs: upstream},
	}
	config := Config{
		Auth: []Method{Token, Scram, OAuthBearer}, TLS: &tls.Config{Certificates: []tls.Certificate{certificate}}, Gate: w.gate, Identity: &identity{w: w},
		Masker: &value.Masker{Hider: &mask.Hider{}}, Log: log, NewAnalyzer: func(target string) Analyzer { return simple{target} },
	}
	for _, o := range options {
		o(&config, &target)
	}
	config.Targets = map[string]Target{"products": target}
	if w.server, err = New(config); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.address = l.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.server.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		gone, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer cancel()
		w.gate.Drain(gone, 5*time.Second)
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(30 * time.Second):
			t.Error("Serve did not end")
		}
	})
	return w
}

// dsn is how clients reach the gateway.
func (w *world) dsn(extra ...string) string {
	_, port, _ := net.SplitHostPort(w.address)
	return "host=127.0.0.1 port=" + port + " dbname=products user=alice password=right sslmode=require " + strings.Join(extra, " ")
}

func (w *world) rule(f func(*access.Subject, *access.Operation, access.Context) access.Decision) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.decide = f
}

// Decide implements gate.Decider: unless a test says otherwise, what has the word denied in it is denied, what has the
// word held in it is held until there is a grant, and the rest is allowed.
func (w *world) Decide(s *access.Subject, op *access.Operation, c access.Context) access.Decision {
	w.mu.Lock()
	decide := w.decide
	w.mu.Unlock()
	if decide != nil {
		return decide(s, op, c)
	}
	return usual(op, c)
}

func usual(op *access.Operation, c access.Context) access.Decision {
	switch {
	case op.Unclear != "":
		return access.Decision{Effect: access.Deny, Reason: access.Reason{Code: access.CodeUnclear, Sentence: op.Unclear}}
	case strings.Contains(op.Text, "denied"):
		return access.Decision{Effect: access.Deny, Reason: access.Reason{Code: access.CodeDenied, Rule: "no-denied", Sentence: "alice may not", Hint: "ask nicely"}}
	case strings.Contains(op.Text, "held") && c.Grant == nil:
		return access.Decision{
			Effect: access.Hold, Policy: "p1", Reason: access.Reason{Code: access.CodeHeld, Rule: "hold-held", Sentence: "a person must release it"},
			Hold: &access.HoldTerms{Rule: "hold-held", Persons: 1},
		}
	}
	return access.Decision{Effect: access.Allow, Policy: "p1"}
}

// Lease implements gate.Credentials.
func (w *world) Lease(context.Context, string) (vault.Credential, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return vault.Credential{Name: "products@1", User: w.db.App.User, Secret: vault.NewSecret(w.db.App.Password), Version: 1}, nil
}

type identity struct{ w *world }

func (i *identity) subject(method string) *access.Subject {
	i.w.mu.Lock()
	defer i.w.mu.Unlock()
	return &access.Subject{ID: "corp:alice", Name: "alice@example.com", Kind: access.Person, Person: "alice", Method: method, Expires: i.w.expires}
}

func (i *identity) Token(_ context.Context, token string, _ gate.SignIn) (*access.Subject, error) {
	if token != "right" {
		return nil, &access.Refusal{Code: access.CodeIdentity, Message: "the token is not valid", Hint: "vecgate login"}
	}
	return i.subject("token"), nil
}

func (i *identity) Secret(context.Context, string) (Verifier, error) { return testVerifier(), nil }

func (i *identity) SecretSubject(context.Context, string) (*access.Subject, error) {
	return i.subject("scram"), nil
}

func (i *identity) Certificate(_ context.Context, chain []*x509.Certificate) (*access.Subject, error) {
	return &access.Subject{ID: "cert:" + chain[0].URIs[0].String(), Kind: access.Workload, Method: "certificate"}, nil
}

func (i *identity) Discovery() (string, string) {
	return "https://idp.example.com/.well-known/openid-configuration", "openid"
}

// journal keeps what it is told.
type journal struct {
	mu      sync.Mutex
	records []audit.Record
	asked   []byte
	answers []byte
	fail    error
	bodyErr error
}

func (j *journal) Append(r *audit.Record) audit.Commit {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.records = append(j.records, *r)
	return audit.Resolved(uint64(len(j.records)), j.fail)
}

func (j *journal) Body(_ string, d audit.Direction, p []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.bodyErr != nil {
		return j.bodyErr
	}
	if d == audit.Asked {
		j.asked = append(j.asked, p...)
	} else {
		j.answers = append(j.answers, p...)
	}
	return nil
}

func (j *journal) Sync(context.Context) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.fail
}

func (j *journal) of(types ...audit.Type) []audit.Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	var found []audit.Record
	for _, r := range j.records {
		for _, t := range types {
			if r.Type == t {
				found = append(found, r)
			}
		}
	}
	return found
}

func (j *journal) wait(t testing.TB, typ audit.Type, n int) []audit.Record {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if found := j.of(typ); len(found) >= n {
			return found
		}
	}
	t.Fatalf("no %d records of type %s", n, typ)
	return nil
}

// approvals are requests that a test decides on.
type approvals struct {
	mu      sync.Mutex
	asked   []access.Ask
	open    []access.Request
	changed chan struct{}
}

func (a *approvals) Ask(_ context.Context, ask access.Ask) (access.Request, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.open {
		if r.Digest == ask.Digest && (r.State == access.StateOpen || r.State == access.StateApproved) {
			return r, nil
		}
	}
	a.asked = append(a.asked, ask)
	r := access.Request{ID: fmt.Sprintf("REQ-%d", len(a.open)+1), Digest: ask.Digest, Text: ask.Operation.Text, State: access.StateOpen}
	a.open = append(a.open, r)
	return r, nil
}

func (a *approvals) Await(ctx context.Context, id string) (access.Request, error) {
	for {
		a.mu.Lock()
		changed := a.changed
		for _, r := range a.open {
			if r.ID == id && r.State != access.StateOpen {
				a.mu.Unlock()
				return r, nil
			}
		}
		a.mu.Unlock()
		select {
		case <-ctx.Done():
			return access.Request{}, ctx.Err()
		case <-changed:
		}
	}
}

func (a *approvals) Use(_ context.Context, id, digest string) (access.Grant, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.open {
		if r := &a.open[i]; r.ID == id && r.State == access.StateApproved && r.Digest == digest {
			r.State = access.StateUsed
			return access.Grant{Request: id, Digest: digest}, nil
		}
	}
	return access.Grant{}, errors.New("not approved")
}

func (a *approvals) Abandon(_ context.Context, id string) error {
	a.set(id, access.StateAbandoned)
	return nil
}

func (a *approvals) URL(id string) string { return "https://gate.example.com/r/" + id }

func (a *approvals) set(id string, state access.State) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.open {
		if a.open[i].ID == id {
			a.open[i].State = state
		}
	}
	close(a.changed)
	a.changed = make(chan struct{})
}

// await returns the n-th request, once it is there.
func (a *approvals) await(t testing.TB, n int) access.Request {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		a.mu.Lock()
		if len(a.open) >= n {
			r := a.open[n-1]
			a.mu.Unlock()
			return r
		}
		a.mu.Unlock()
	}
	t.Fatalf("no request %d was filed", n)
	return access.Request{}
}

func (a *approvals) state(id string) access.State {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.open {
		if r.ID == id {
			return r.State
		}
	}
	return ""
}
