package identity_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/identity"
	"github.com/vecgate/vecgate/internal/identity/oidc"
	"github.com/vecgate/vecgate/internal/identity/secret"
)

// exchange posts an exchange of raw with more fields, and returns the status and the answer.
func (w *world) exchange(raw string, fields ...string) (int, map[string]any) {
	w.t.Helper()
	form := url.Values{"grant_type": {identity.GrantExchange}, "subject_token": {raw}, "subject_token_type": {identity.TypeJWT}}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return w.post("/token", form)
}

func (w *world) post(path string, form url.Values) (int, map[string]any) {
	w.t.Helper()
	q := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a := httptest.NewRecorder()
	w.reg.Handler().ServeHTTP(a, q)
	var out map[string]any
	if err := json.Unmarshal(a.Body.Bytes(), &out); err != nil {
		w.t.Fatalf("%s answered %d %q", path, a.Code, a.Body)
	}
	return a.Code, out
}

func (w *world) minted(raw string, fields ...string) string {
	w.t.Helper()
	status, out := w.exchange(raw, fields...)
	if status != http.StatusOK {
		w.t.Fatalf("exchange answered %d %v", status, out)
	}
	return out["access_token"].(string)
}

func TestExchangedTokenIsTheSameSubjectForAShortTime(t *testing.T) {
	w := newWorld(t)
	raw := w.job("train", "s1")
	direct, own := w.subject(raw), w.subject(w.minted(raw, "ticket", "CHG-7", "scope", "read search", "audience", "products", "lifetime", "60"))
	if !strings.HasPrefix(own.Credential, "vg:") || own.Credential == direct.Credential {
		t.Errorf("credential of the minted token is %q", own.Credential)
	}
	want := *direct
	want.Ticket, want.Scopes, want.Targets, want.Expires = "CHG-7", []string{"read", "search"}, []string{"products"}, w.now.Add(time.Minute)
	want.Credential, own.Credential = "", ""
	for _, name := range []string{"iss", "aud", "exp", "iat", "jti"} {
		delete(want.Claims, name)
	}
	if diff := cmp.Diff(&want, own); diff != "" {
		t.Errorf("subject after the exchange (-want +got):\n%s", diff)
	}
	if own.MayReach("customers") || !own.MayReach("products") {
		t.Errorf("a token for products may reach customers: %v, products: %v", own.MayReach("customers"), own.MayReach("products"))
	}
}

func TestOwnTokenExpiresToTheSecond(t *testing.T) {
	w := newWorld(t)
	own := w.minted(w.person("alice"))
	w.now = w.now.Add(15*time.Minute - time.Second)
	w.subject(own)
	w.now = w.now.Add(time.Second)
	w.refused(own, access.CodeExpired, "it expired at ")
}

func TestATokenOfAClockThatIsSetBackIsRefused(t *testing.T) {
	w := newWorld(t)
	raw := w.minted(w.person("alice"))
	w.now = w.now.Add(-time.Hour)
	w.refused(raw, access.CodeIdentity, "issued in the future")
}

func TestOwnTokenCannotRenewOrWidenItself(t *testing.T) {
	w := newWorld(t)
	own := w.minted(w.person("alice"), "lifetime", "60", "scope", "read", "audience", "products")
	w.now = w.now.Add(30 * time.Second)
	again := w.subject(w.minted(own, "lifetime", "3600"))
	if want := w.now.Add(30 * time.Second); !again.Expires.Equal(want) {
		t.Errorf("a token made from a token expires at %s, want no later than its source at %s", again.Expires, want)
	}
	if !slices.Equal(again.Scopes, []string{"read"}) || !slices.Equal(again.Targets, []string{"products"}) {
		t.Errorf("scopes %v, targets %v were not inherited", again.Scopes, again.Targets)
	}
	for _, wider := range [][]string{{"scope", "write"}, {"scope", "read write"}, {"audience", "customers"}, {"resource", "customers"}} {
		if status, out := w.exchange(own, wider...); status != http.StatusBadRequest || !strings.Contains(out["error_description"].(string), "is not among the") {
			t.Errorf("exchange with %v answered %d %v, want a refusal", wider, status, out)
		}
	}
}

func TestExchangeRefusesWhatItDoesNotUnderstand(t *testing.T) {
	w := newWorld(t)
	raw := w.person("alice")
	for name, c := range map[string]struct {
		fields []string
		want   string
	}{
		"too long a life":      {[]string{"lifetime", "7200"}, "is not between 1s and 1h0m0s"},
		"negative life":        {[]string{"lifetime", "-1"}, "is not a number of seconds"},
		"huge life":            {[]string{"lifetime", "99999999999999999999"}, "is not a number of seconds"},
		"misspelt narrowing":   {[]string{"scopes", "read"}, `unknown field "scopes"`},
		"scope given twice":    {[]string{"scope", "read", "scope", "write"}, "field scope is given twice"},
		"scope of odd shape":   {[]string{"scope", "Read!"}, `scope "Read!" is not a word`},
		"ticket with a break":  {[]string{"ticket", "CHG-7\nx"}, "is not the name of a change ticket"},
		"unknown kind":         {[]string{"requested_token_type", "urn:ietf:params:oauth:token-type:saml2"}, "requested_token_type must be"},
		"actor without a type": {[]string{"actor_token", raw}, "the token type must be"},
		"many scopes":          {[]string{"scope", strings.Repeat("read ", 21)}, "more than 20 scopes"},
	} {
		status, out := w.exchange(raw, c.fields...)
		if description, _ := out["error_description"].(string); status != http.StatusBadRequest || !strings.Contains(description, c.want) {
			t.Errorf("%s: answered %d %v, want %q", name, status, out, c.want)
		}
	}
	status, out := w.post("/token", url.Values{"grant_type": {"password"}, "subject_token": {raw}})
	if status != http.StatusBadRequest {
		t.Errorf("another grant answered %d %v", status, out)
	}
}

func TestExchangeIsToldBeforeItIsAnswered(t *testing.T) {
	w := newWorld(t)
	var in, out []string
	w.reg.SignedIn = func(_ context.Context, s *access.Subject, client string) error {
		in = append(in, s.ID+" "+client)
		return nil
	}
	w.reg.Refused = func(_ context.Context, r *access.Refusal, _ string) { out = append(out, string(r.Code)) }
	w.minted(w.person("alice"))
	w.exchange("rubbish")
	if diff := cmp.Diff([][]string{{"corp:alice 192.0.2.1"}, {"not-authenticated"}}, [][]string{in, out}); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	w.reg.SignedIn = func(context.Context, *access.Subject, string) error { return errors.New("disk full at /secret/path") }
	status, answer := w.exchange(w.person("alice"))
	if status != http.StatusInternalServerError || answer["access_token"] != nil || strings.Contains(answer["error_description"].(string), "secret") {
		t.Errorf("an exchange that could not be written down answered %d %v", status, answer)
	}
}

func TestSomebodyActsOnBehalf(t *testing.T) {
	w := newWorld(t)
	person, agent := w.person("bob"), w.job("train", "s1")
	raw := w.minted(person, "actor_token", agent, "actor_token_type", identity.TypeAccessToken)
	s := w.subject(raw)
	if s.ID != "corp:bob" || s.Person != "corp:bob" || s.Actor == nil || s.Actor.ID != "ci:4711/12:train" || s.Actor.Person != "alice" {
		t.Errorf("subject %s of %s, actor %+v; want bob with alice's job acting", s.ID, s.Person, s.Actor)
	}
	if status, out := w.exchange(raw, "actor_token", agent, "actor_token_type", identity.TypeAccessToken); status != http.StatusBadRequest {
		t.Errorf("a second actor answered %d %v, want a refusal", status, out)
	}
	// Cutting off the actor's owner cuts off what the actor does for others.
	if err := w.reg.Suspend(context.Background(), identity.Suspension{Who: "alice", By: "root"}); err != nil {
		t.Fatal(err)
	}
	w.refused(raw, access.CodeExpired, "was suspended")
}

func TestSuspendedPersonIsCutOffWithEveryWorkload(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	credentials := []string{w.person("alice"), w.job("train", "s1"), w.minted(w.person("alice")), w.minted(w.job("nightly", "s2"))}
	status, out := w.exchange(w.job("train", "s1"), "requested_token_type", identity.TypeSecret)
	if status != http.StatusOK {
		t.Fatalf("secret: %d %v", status, out)
	}
	for _, raw := range credentials {
		w.subject(raw)
	}
	var told []string
	w.reg.CutOff = func(s identity.Suspension) { told = append(told, s.Who) }
	if err := w.reg.Suspend(ctx, identity.Suspension{Who: "alice", Reason: "left the company", By: "root"}); err != nil {
		t.Fatal(err)
	}
	for _, raw := range credentials {
		w.refused(raw, access.CodeExpired, "was suspended at ")
	}
	if s, err := w.reg.SecretSubject(ctx, out["username"].(string)); err == nil {
		t.Errorf("the secret of a suspended owner's job still signs in as %s", s.ID)
	}
	if status, out := w.exchange(credentials[0]); status == http.StatusOK {
		t.Errorf("a suspended person got a token: %v", out)
	}
	w.subject(w.person("bob"))
	if !slices.Equal(told, []string{"alice"}) {
		t.Errorf("live sessions were told of %v", told)
	}
	if err := w.reg.Reinstate(ctx, "alice"); err != nil {
		t.Fatal(err)
	}
	w.subject(credentials[0])
}

func TestStoreThatFailsLetsNobodyIn(t *testing.T) {
	w := newWorld(t)
	person, own := w.person("alice"), w.minted(w.person("alice"))
	w.store.Err = errors.New("disk on fire")
	for _, raw := range []string{person, own} {
		if s, err := w.reg.Token(context.Background(), raw); err == nil {
			t.Errorf("%s got in although suspensions cannot be read", s.ID)
		}
	}
}

func TestRevokedTokenOpensNothing(t *testing.T) {
	w := newWorld(t)
	one, other := w.minted(w.person("alice")), w.minted(w.person("alice"))
	var ended []string
	w.reg.Ended = func(credential string) { ended = append(ended, credential) }
	credential := w.subject(one).Credential
	if status, out := w.post("/revoke", url.Values{"token": {one}}); status != http.StatusOK {
		t.Fatalf("revoke answered %d %v", status, out)
	}
	w.refused(one, access.CodeExpired, "it was revoked")
	w.subject(other)
	// RFC 7009 section 2.2: what opens nothing anyway is revoked as well as it can be.
	if status, _ := w.post("/revoke", url.Values{"token": {"rubbish"}}); status != http.StatusOK {
		t.Errorf("revoking rubbish answered %d", status)
	}
	if !slices.Equal(ended, []string{credential}) {
		t.Errorf("live sessions were told of %v, want %s", ended, credential)
	}
}

func TestSecretIsGivenUpByWhoeverKnowsIt(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	var ended []string
	w.reg.Ended = func(credential string) { ended = append(ended, credential) }
	mint := func() (name, password string) {
		status, out := w.exchange(w.person("alice"), "requested_token_type", identity.TypeSecret)
		if status != http.StatusOK {
			t.Fatalf("secret: %d %v", status, out)
		}
		return out["username"].(string), out["access_token"].(string)
	}
	name, password := mint()
	other, _ := mint()
	live, err := w.reg.SecretSubject(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	// What does not fit ends nothing, and is answered as if it did.
	for _, form := range []url.Values{
		{"username": {name}, "token": {"guess"}},
		{"username": {other}, "token": {password}},
		{"username": {"vg_nobody"}, "token": {password}},
		{"token": {password}},
		{"username": {name}, "token": {strings.Repeat("x", 4096)}},
		{"username": {strings.Repeat("vg_", 999)}, "token": {password}},
	} {
		if status, _ := w.post("/revoke", form); status != http.StatusOK {
			t.Errorf("revoking %.80v answered %d", form, status)
		}
	}
	if _, err := w.reg.SecretSubject(ctx, name); err != nil || len(ended) > 0 {
		t.Fatalf("ended without its password: %v, told %v", err, ended)
	}
	if status, out := w.post("/revoke", url.Values{"username": {name}, "token": {password}}); status != http.StatusOK {
		t.Fatalf("revoke answered %d %v", status, out)
	}
	late, err := w.reg.SecretSubject(ctx, name)
	checkRefusal(t, late, err, "", access.CodeIdentity, "was revoked")
	// Somebody who was signing in meanwhile is asked again.
	checkRefusal(t, nil, w.reg.Standing(ctx, live), "", access.CodeIdentity, "was revoked")
	if _, err := w.reg.SecretSubject(ctx, other); err != nil {
		t.Errorf("another secret of the same person ended too: %v", err)
	}
	if !slices.Equal(ended, []string{name}) {
		t.Errorf("live sessions were told of %v, want %s", ended, name)
	}
}

func TestOperatorEndsACredentialByItsName(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	var ended []string
	w.reg.Ended = func(credential string) { ended = append(ended, credential) }
	one, other := w.minted(w.person("alice")), w.minted(w.person("alice"))
	made := w.minted(one)
	_, out := w.exchange(w.person("alice"), "requested_token_type", identity.TypeSecret)
	name := out["username"].(string)
	credential := w.subject(one).Credential
	for _, c := range []string{credential, name} {
		if err := w.reg.End(ctx, c); err != nil {
			t.Fatalf("End(%s): %v", c, err)
		}
	}
	w.refused(one, access.CodeExpired, "it was revoked")
	w.refused(made, access.CodeExpired, "it was revoked")
	w.subject(other)
	late, err := w.reg.SecretSubject(ctx, name)
	checkRefusal(t, late, err, "", access.CodeIdentity, "was revoked")
	for _, c := range []string{"", name, "vg_", "vg:", "vg:zz", strings.ToUpper(credential), "jti:abc", "corp:alice"} {
		if err := w.reg.End(ctx, c); !errors.Is(err, identity.ErrNoCredential) {
			t.Errorf("End(%q) = %v, want ErrNoCredential", c, err)
		}
	}
	if !slices.Equal(ended, []string{credential, name}) {
		t.Errorf("live sessions were told of %v", ended)
	}
}

func TestTokensOutliveARestartAndNotAnotherGateway(t *testing.T) {
	w := newWorld(t)
	own := w.minted(w.person("alice"))
	again, err := identity.New(w.opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Token(context.Background(), own); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	// Another gateway, even with the same name, does not have the keys.
	o := w.opts
	o.Dir = t.TempDir()
	other, err := identity.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s, err := other.Token(context.Background(), own)
	checkRefusal(t, s, err, own, access.CodeIdentity, "signature is not by a key of this gateway")
	// The same keys under another name are another gateway.
	o = w.opts
	o.URL = "https://elsewhere.example.com"
	if other, err = identity.New(o); err != nil {
		t.Fatal(err)
	}
	s, err = other.Token(context.Background(), own)
	checkRefusal(t, s, err, own, access.CodeIdentity, "does not know the issuer")
}

func TestExchangeOnlyProviderOpensNoTarget(t *testing.T) {
	w := newWorld(t)
	sources := w.opts.Sources
	sources.Providers = slices.Clone(sources.Providers)
	sources.Providers[1].ExchangeOnly = true
	if err := w.reg.Reload(sources); err != nil {
		t.Fatal(err)
	}
	raw := w.job("train", "s1")
	w.refused(raw, access.CodeIdentity, "tokens of ci are not accepted here")
	w.subject(w.minted(raw))
}

func TestProvidersOfOneIssuerMustNotOverlap(t *testing.T) {
	w := newWorld(t)
	ci := w.opts.Providers[1]
	schedule := ci
	schedule.Name, schedule.Require = "cron", map[string][]string{"event": {"schedule"}}
	if err := w.reg.Reload(identity.Sources{Providers: []oidc.Config{ci, schedule}}); err != nil {
		t.Fatal(err)
	}
	w.refused(w.job("nightly", "s2"), access.CodeIdentity, "it fits both provider ci and provider cron")
	if got := w.subject(w.job("train", "s1")).Provider; got != "ci" {
		t.Errorf("provider is %s, want ci", got)
	}
	ci.Require = map[string][]string{"event": {"push"}}
	if err := w.reg.Reload(identity.Sources{Providers: []oidc.Config{ci, schedule}}); err != nil {
		t.Fatal(err)
	}
	if got := w.subject(w.job("nightly", "s2")).ID; got != "cron:4711/12:nightly" {
		t.Errorf("subject is %s", got)
	}
}

func TestASubjectHasSoManySecretsAndNoMore(t *testing.T) {
	w := newWorld(t)
	first := ""
	for i := range secret.DefaultPerSubject {
		status, out := w.exchange(w.person("alice"), "requested_token_type", identity.TypeSecret, "lifetime", "60")
		if status != http.StatusOK {
			t.Fatalf("secret %d: %d %v", i, status, out)
		}
		if first == "" {
			first = out["username"].(string)
		}
	}
	// However it is asked for: a token of the gateway stands for the same subject.
	own := w.minted(w.person("alice"))
	for _, raw := range []string{w.person("alice"), own} {
		status, out := w.exchange(raw, "requested_token_type", identity.TypeSecret)
		said, _ := out["error_description"].(string)
		if status != http.StatusBadRequest || !strings.Contains(said, "(limits.secrets_per_subject)") || !strings.Contains(said, "vecgate token revoke") {
			t.Errorf("one too many: %d %v", status, out)
		}
	}
	if status, out := w.exchange(w.job("train", "s1"), "requested_token_type", identity.TypeSecret); status != http.StatusOK {
		t.Errorf("somebody else's: %d %v", status, out)
	}
	if status, _ := w.exchange(w.person("alice")); status != http.StatusOK {
		t.Errorf("a token, which is kept nowhere: %d", status)
	}
	// The way out that the message names, and the other.
	if err := w.reg.End(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if status, out := w.exchange(w.person("alice"), "requested_token_type", identity.TypeSecret, "lifetime", "60"); status != http.StatusOK {
		t.Errorf("after one was ended: %d %v", status, out)
	}
	w.now = w.now.Add(time.Minute)
	if status, out := w.exchange(w.person("alice"), "requested_token_type", identity.TypeSecret); status != http.StatusOK {
		t.Errorf("after they expired: %d %v", status, out)
	}
}

func TestSecretStandsForItsSubjectUntilItExpires(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	status, out := w.exchange(w.job("train", "s1"), "requested_token_type", identity.TypeSecret, "lifetime", "60", "scope", "read")
	if status != http.StatusOK {
		t.Fatalf("secret: %d %v", status, out)
	}
	name := out["username"].(string)
	s, err := w.reg.SecretSubject(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	if s.ID != "ci:4711/12:train" || s.Person != "alice" || s.Method != "scram" || s.Credential != name || !slices.Equal(s.Scopes, []string{"read"}) || s.Claims["job"] != "train" || s.Claims["owner_id"] != int64(4711) {
		t.Errorf("subject of the secret is %+v", s)
	}
	v, err := w.reg.Secret(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Minute)
	late, err := w.reg.SecretSubject(ctx, name)
	checkRefusal(t, late, err, "", access.CodeIdentity, "the secret has expired or was revoked")
	decoy, err := w.reg.Secret(ctx, name)
	if err != nil || cmp.Equal(decoy, v) {
		t.Errorf("an expired secret still has its verifier (%v)", err)
	}
}

func TestUnknownSecretLooksLikeOneAfterARestartToo(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	again, err := identity.New(w.opts)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, name := range []string{"vg_nobody", "postgres", "", strings.Repeat("x", 5000)} {
		a, err1 := w.reg.Secret(ctx, name)
		b, err2 := again.Secret(ctx, name)
		if err1 != nil || err2 != nil || !cmp.Equal(a, b) {
			t.Errorf("two looks at %.20q differ (%v, %v)", name, err1, err2)
		}
		if len(a.Salt) != 16 || a.Iterations != secret.Iterations || len(a.StoredKey) != 32 || len(a.ServerKey) != 32 || seen[string(a.Salt)] {
			t.Errorf("the decoy of %.20q can be told from a real verifier: %+v", name, a)
		}
		seen[string(a.Salt)] = true
	}
}

func TestWhoamiShowsTheSubject(t *testing.T) {
	w := newWorld(t)
	ask := func(headers ...string) (int, map[string]any) {
		q := httptest.NewRequest("GET", "/whoami", nil)
		for _, h := range headers {
			q.Header.Add("Authorization", h)
		}
		a := httptest.NewRecorder()
		w.reg.Handler().ServeHTTP(a, q)
		var out map[string]any
		_ = json.Unmarshal(a.Body.Bytes(), &out)
		return a.Code, out
	}
	raw := w.person("alice")
	if status, out := ask("Bearer " + raw); status != http.StatusOK || out["id"] != "corp:alice" || out["display"] != "Alice Ang" {
		t.Errorf("whoami answered %d %v", status, out)
	}
	for _, headers := range [][]string{nil, {"Basic eDp5"}, {"Bearer "}, {"Bearer " + raw, "Bearer " + raw}, {"Bearer x.y.z"}} {
		if status, _ := ask(headers...); status != http.StatusUnauthorized {
			t.Errorf("whoami with %d headers answered %d, want 401", len(headers), status)
		}
	}
}

func TestMintedCredentialsFollowTheConfiguration(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	raw := w.minted(w.job("train", "s1"))
	_, out := w.exchange(w.job("train", "s1"), "requested_token_type", identity.TypeSecret)
	name := out["username"].(string)
	sources := w.opts.Sources
	sources.Persons = []identity.Person{{Name: "bob", Owns: []string{"ci:*"}}}
	if err := w.reg.Reload(sources); err != nil {
		t.Fatal(err)
	}
	if s := w.subject(raw); s.Person != "bob" || s.Owner != "bob" {
		t.Errorf("a job that bob owns now counts as %q", s.Person)
	}
	if s, err := w.reg.SecretSubject(ctx, name); err != nil || s.Person != "bob" {
		t.Errorf("secret of a job that bob owns now: %+v, %v", s, err)
	}
	sources.Providers = sources.Providers[:1]
	if err := w.reg.Reload(sources); err != nil {
		t.Fatal(err)
	}
	w.refused(raw, access.CodeExpired, "on the word of ci, which this gateway no longer takes")
	s, err := w.reg.SecretSubject(ctx, name)
	checkRefusal(t, s, err, "", access.CodeExpired, "no longer takes")
}

// The template of a provider names an account; a token used to keep the person that it was when the token was made.
func TestMintedCredentialsFollowThePersonOfTheirOwner(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	sources := w.opts.Sources
	sources.Providers = slices.Clone(sources.Providers)
	sources.Providers[1].Owner = "corp:{job}"
	call := func(person string) {
		t.Helper()
		sources.Persons = []identity.Person{{Name: person, Accounts: []string{"corp:train"}}}
		if err := w.reg.Reload(sources); err != nil {
			t.Fatal(err)
		}
	}
	call("alice")
	raw := w.minted(w.job("train", "s1"))
	narrower := w.minted(raw)
	acted := w.minted(w.person("bob"), "actor_token", raw, "actor_token_type", identity.TypeJWT)
	_, out := w.exchange(w.job("train", "s1"), "requested_token_type", identity.TypeSecret)
	name := out["username"].(string)
	session := w.subject(raw)
	if session.Person != "alice" || session.OwnerAccount != "corp:train" {
		t.Fatalf("%+v", session)
	}

	call("alice.ang")
	for _, raw := range []string{raw, narrower, w.job("train", "s1")} {
		if s := w.subject(raw); s.Person != "alice.ang" || s.Owner != "alice.ang" {
			t.Errorf("a job of alice.ang counts as %q, owner %q", s.Person, s.Owner)
		}
	}
	if s := w.subject(acted); s.Actor.Person != "alice.ang" {
		t.Errorf("who acts for somebody counts as %q", s.Actor.Person)
	}
	if s, err := w.reg.SecretSubject(ctx, name); err != nil || s.Person != "alice.ang" {
		t.Errorf("secret of a job of alice.ang: %+v, %v", s, err)
	}
	err := w.reg.Standing(ctx, session)
	checkRefusal(t, nil, err, "", access.CodeExpired, "it was changed which person")

	// The account is nobody's but its own: it still counts as somebody.
	sources.Persons = nil
	if err := w.reg.Reload(sources); err != nil {
		t.Fatal(err)
	}
	if s := w.subject(raw); s.Person != "corp:train" {
		t.Errorf("counts as %q", s.Person)
	}
}

// Who counts as nobody could approve what it asked for.
func TestMintedCredentialsEndWhenNobodyOwnsTheirWorkloadAnyMore(t *testing.T) {
	w := newWorld(t)
	raw := w.minted(w.job("train", "s1"))
	_, out := w.exchange(w.job("train", "s1"), "requested_token_type", identity.TypeSecret)
	session := w.subject(raw)
	sources := w.opts.Sources
	sources.Persons = nil
	if err := w.reg.Reload(sources); err != nil {
		t.Fatal(err)
	}
	w.refused(raw, access.CodeExpired, "belongs to nobody now")
	s, err := w.reg.SecretSubject(t.Context(), out["username"].(string))
	checkRefusal(t, s, err, "", access.CodeExpired, "belongs to nobody now")
	checkRefusal(t, nil, w.reg.Standing(t.Context(), session), "", access.CodeExpired, "belongs to nobody now")
}

func TestReloadIsAllOrNothing(t *testing.T) {
	w := newWorld(t)
	raw := w.person("alice")
	bad := identity.Sources{
		Providers: []oidc.Config{{Name: "corp", Issuer: "http://example.com"}, {Name: "corp", Issuer: "https://example.com", Audiences: []string{"x"}}},
		Persons:   []identity.Person{{Name: "a:b"}},
	}
	err := w.reg.Reload(bad)
	for _, want := range []string{"providers[0].issuer: ", "providers[0].audiences: ", `providers[1].name: "corp" is listed twice`, "persons[0].person: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Reload: %v, want %q", err, want)
		}
	}
	w.subject(raw)
	if err := identity.Check(bad); err == nil {
		t.Error("Check found nothing")
	}
	// Keys survive a reload, also while the provider is down.
	if err := w.idp.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.reg.Reload(w.opts.Sources); err != nil {
		t.Fatal(err)
	}
	w.subject(raw)
}

func TestDiscoveryNamesTheProviderOfPeople(t *testing.T) {
	w := newWorld(t)
	address, scope := w.reg.Discovery()
	if address != w.idp.Issuer("corp")+"/.well-known/openid-configuration" || !strings.Contains(scope, "openid") {
		t.Errorf("Discovery = %q, %q", address, scope)
	}
	if url, client, asked := w.reg.SignIn(); url != address || client != "vecgate-cli" || asked != scope {
		t.Errorf("SignIn = %q, %q, %q", url, client, asked)
	}
}

func TestConsoleTakesOnlyTheAnswerToItsOwnSignIn(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	raw := w.ask("corp", "/dev/token", "id_token", url.Values{"user": {"alice"}, "client_id": {"other-app"}, "nonce": {"n-1"}})
	s, err := w.reg.Console(ctx, "corp", raw, "other-app", "n-1")
	if err != nil || s.Person != "alice" || s.Method != "console" {
		t.Errorf("Console: %+v, %v", s, err)
	}
	for name, c := range map[string][3]string{
		"another nonce": {"corp", "other-app", "n-2"}, "another client": {"corp", "vecgate-cli", "n-1"}, "no nonce": {"corp", "other-app", ""},
		"no audience": {"corp", "", "n-1"}, "another provider": {"ci", "other-app", "n-1"}, "no provider": {"x", "other-app", "n-1"},
	} {
		if s, err := w.reg.Console(ctx, c[0], raw, c[1], c[2]); err == nil {
			t.Errorf("%s: accepted as %s", name, s.ID)
		}
	}
	if err := w.reg.Suspend(ctx, identity.Suspension{Who: "corp:alice"}); err != nil {
		t.Fatal(err)
	}
	s, err = w.reg.Console(ctx, "corp", raw, "other-app", "n-1")
	checkRefusal(t, s, err, raw, access.CodeExpired, "was suspended")
}
