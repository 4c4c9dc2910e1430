package identity_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/identity"
	"github.com/vecgate/vecgate/internal/identity/devidp"
	"github.com/vecgate/vecgate/internal/identity/identitytest"
	"github.com/vecgate/vecgate/internal/identity/oidc"
)

// world is a gateway's registry with two providers: people, and two CI jobs that share one service account.
type world struct {
	t     *testing.T
	idp   *devidp.Server
	reg   *identity.Registry
	store *identitytest.Memory
	now   time.Time
	opts  identity.Options
}

const users = `
issuers:
  corp:
    users:
      - {sub: alice, name: Alice Ang, email: alice@example.com, groups: [Vector-Read]}
      - {sub: bob, name: Bob Bo, email: bob@example.com, groups: [Vector-Approve]}
    clients:
      - {id: vecgate-cli, redirects: ["http://127.0.0.1/callback"]}
      - {id: other-app, redirects: ["http://127.0.0.1/callback"]}
  ci:
    clients:
      - {id: train, secret: s1, sub: svc-recommender, claims: {owner_id: 4711, repo_id: 12, job: train, event: push, run: "${counter}"}}
      - {id: nightly, secret: s2, sub: svc-recommender, claims: {owner_id: 4711, repo_id: 12, job: nightly, event: schedule, run: "${counter}"}}
      - {id: fork, secret: s3, sub: svc-recommender, claims: {owner_id: 4711, repo_id: 12, job: train, event: pull_request, run: "${counter}"}}
`

func newWorld(t *testing.T) *world {
	t.Helper()
	config, err := devidp.Parse([]byte(users))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: identitytest.NewMemory(), now: time.Now().Truncate(time.Second)}
	if w.idp, err = devidp.Start(config, "127.0.0.1:0", devidp.Options{Now: w.clock}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.idp.Close() })
	w.opts = identity.Options{
		URL: "http://127.0.0.1:8443", Dir: t.TempDir(), Store: w.store, Log: slog.New(slog.DiscardHandler), Now: w.clock,
		Sources: identity.Sources{
			Providers: []oidc.Config{
				{Name: "corp", Issuer: w.idp.Issuer("corp"), Audiences: []string{"vecgate"}, ClientID: "vecgate-cli", Groups: "groups"},
				{
					Name: "ci", Issuer: w.idp.Issuer("ci"), Audiences: []string{"vecgate"}, Kind: access.Workload,
					ID: "{owner_id}/{repo_id}:{job}", Instance: "{run}", Require: map[string][]string{"event": {"push", "schedule"}},
				},
			},
			Persons: []identity.Person{{Name: "alice", Accounts: []string{"corp:alice"}, Owns: []string{"ci:4711/12:*"}}},
		},
	}
	if w.reg, err = identity.New(w.opts); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) clock() time.Time { return w.now }

// ask posts a form to the provider and returns one field of the answer.
func (w *world) ask(issuer, path, field string, form url.Values) string {
	w.t.Helper()
	r, err := http.PostForm(w.idp.Issuer(issuer)+path, form)
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil {
		w.t.Fatal(err)
	}
	v, _ := answer[field].(string)
	if v == "" {
		w.t.Fatalf("%s%s answered %v", issuer, path, answer)
	}
	return v
}

func (w *world) person(sub string) string {
	w.t.Helper()
	return w.ask("corp", "/dev/token", "id_token", url.Values{"user": {sub}, "client_id": {"vecgate-cli"}})
}

func (w *world) job(client, secret string) string {
	w.t.Helper()
	return w.ask("ci", "/token", "access_token", url.Values{"grant_type": {"client_credentials"}, "client_id": {client}, "client_secret": {secret}})
}

func (w *world) subject(raw string) *access.Subject {
	w.t.Helper()
	s, err := w.reg.Token(context.Background(), raw)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// refused checks that a token is refused with a code, in words, without the token in them.
func (w *world) refused(raw string, code access.Code, words string) {
	w.t.Helper()
	s, err := w.reg.Token(context.Background(), raw)
	checkRefusal(w.t, s, err, raw, code, words)
}

func checkRefusal(t *testing.T, s *access.Subject, err error, raw string, code access.Code, words string) {
	t.Helper()
	if s != nil {
		t.Errorf("accepted as %s, want a refusal with %q", s.ID, words)
		return
	}
	var r *access.Refusal
	if !errors.As(err, &r) {
		t.Errorf("error %v is not a refusal", err)
		return
	}
	if r.Code != code || !strings.Contains(r.Message, words) {
		t.Errorf("refused with %s %q, want %s %q", r.Code, r.Message, code, words)
	}
	told := r.Message + r.Hint
	if r.Err != nil {
		told += r.Err.Error()
	}
	if len(raw) > 20 && strings.Contains(told, raw[len(raw)-20:]) {
		t.Errorf("the refusal holds the token: %s", told)
	}
}

func TestPersonIsNamedByImmutableClaimWithGroups(t *testing.T) {
	w := newWorld(t)
	got := w.subject(w.person("alice"))
	want := &access.Subject{
		ID: "corp:alice", Name: "Alice Ang", Kind: access.Person, Provider: "corp", Groups: []string{"Vector-Read"}, Person: "alice",
		Method: "token", Expires: w.now.Add(time.Hour),
	}
	got.Credential, got.Claims = "", nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("subject (-want +got):\n%s", diff)
	}
	if bob := w.subject(w.person("bob")); bob.Person != "corp:bob" {
		t.Errorf("a person that is not listed counts as %q, want their own account", bob.Person)
	}
}

func TestTwoJobsOfOneServiceAccountAreTwoSubjectsOfOnePerson(t *testing.T) {
	w := newWorld(t)
	train, nightly, again := w.subject(w.job("train", "s1")), w.subject(w.job("nightly", "s2")), w.subject(w.job("train", "s1"))
	if train.ID != "ci:4711/12:train" || nightly.ID != "ci:4711/12:nightly" {
		t.Errorf("subjects are %s and %s", train.ID, nightly.ID)
	}
	if train.ID != again.ID || train.Instance == again.Instance {
		t.Errorf("two runs are %s (%s) and %s (%s), want one subject with two instances", train.ID, train.Instance, again.ID, again.Instance)
	}
	for _, s := range []*access.Subject{train, nightly} {
		if s.Person != "alice" || s.Owner != "alice" || s.Kind != access.Workload {
			t.Errorf("%s is a %s of person %q, owner %q; want a workload of alice", s.ID, s.Kind, s.Person, s.Owner)
		}
	}
	w.refused(w.job("fork", "s3"), access.CodeIdentity, `claim event is "pull_request" and must be one of ["push" "schedule"]`)
}
