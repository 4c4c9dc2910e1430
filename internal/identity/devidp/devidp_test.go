package devidp_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/vecgate/vecgate/internal/identity/devidp"
)

const users = `
audience: vecgate
users:
  - {sub: alice, name: Alice Ang, email: alice@example.com, groups: [Vector-Read, Vector-Write]}
  - {sub: mallory, name: "<script>alert(1)</script>", groups: ["<b>x</b>"]}
clients:
  - {id: cli, redirects: ["http://127.0.0.1/callback"]}
  - {id: web, secret: "s 3:c", redirects: ["https://app.example.com/in?x=1"]}
  - {id: job, secret: s1, sub: svc, claims: {run: "${counter}", id: 7}}
`

func start(t *testing.T, o devidp.Options, body string) *devidp.Server {
	t.Helper()
	c, err := devidp.Parse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	s, err := devidp.Start(c, "127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// noRedirect is a client that shows redirects instead of following them.
var noRedirect = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// choose does what a person does on the sign-in page, and returns the query that the client gets.
func choose(t *testing.T, address, user string) url.Values {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	form := u.Query()
	form.Set("user", user)
	u.RawQuery = ""
	r, err := noRedirect.PostForm(u.String(), form)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	to, err := r.Location()
	if err != nil {
		body, _ := io.ReadAll(r.Body)
		t.Fatalf("status %d, no redirect: %s", r.StatusCode, body)
	}
	return to.Query()
}

func TestStandardClientSignsInWithPKCE(t *testing.T) {
	for _, algorithm := range []string{"ES256", "RS256"} {
		t.Run(algorithm, func(t *testing.T) {
			ctx := context.Background()
			s := start(t, devidp.Options{}, users+"\nalgorithm: "+algorithm)
			provider, err := oidc.NewProvider(ctx, s.Issuer(""))
			if err != nil {
				t.Fatal(err)
			}
			c := oauth2.Config{ClientID: "cli", Endpoint: provider.Endpoint(), RedirectURL: "http://127.0.0.1:39999/callback", Scopes: []string{"openid", "groups"}}
			verifier := oauth2.GenerateVerifier()
			answer := choose(t, c.AuthCodeURL("st", oidc.Nonce("no"), oauth2.S256ChallengeOption(verifier)), "alice")
			if answer.Get("state") != "st" || answer.Get("iss") != s.Issuer("") {
				t.Errorf("answer %v", answer)
			}
			token, err := c.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(verifier))
			if err != nil {
				t.Fatal(err)
			}
			id, err := provider.Verifier(&oidc.Config{ClientID: "cli"}).Verify(ctx, token.Extra("id_token").(string))
			if err != nil {
				t.Fatal(err)
			}
			var claims struct {
				Groups []string `json:"groups"`
				Email  string   `json:"email"`
			}
			if err := id.Claims(&claims); err != nil || id.Nonce != "no" || id.Subject != "alice" || len(claims.Groups) != 2 || claims.Email != "alice@example.com" {
				t.Errorf("ID token %+v, claims %+v, %v", id, claims, err)
			}
			info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
			if err != nil || info.Subject != "alice" {
				t.Errorf("userinfo %+v, %v", info, err)
			}
			if _, err := c.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(verifier)); err == nil {
				t.Error("a code was good twice")
			}
		})
	}
}

func TestCodeIsBoundToItsSignIn(t *testing.T) {
	ctx := context.Background()
	now := time.Now()
	s := start(t, devidp.Options{Now: func() time.Time { return now }}, users)
	endpoint := oauth2.Endpoint{AuthURL: s.Issuer("") + "/authorize", TokenURL: s.Issuer("") + "/token", AuthStyle: oauth2.AuthStyleInParams}
	c := oauth2.Config{ClientID: "cli", Endpoint: endpoint, RedirectURL: "http://127.0.0.1:39999/callback", Scopes: []string{"openid"}}
	verifier := oauth2.GenerateVerifier()
	fresh := func() string {
		return choose(t, c.AuthCodeURL("st", oauth2.S256ChallengeOption(verifier)), "alice").Get("code")
	}
	if _, err := c.Exchange(ctx, fresh(), oauth2.VerifierOption(oauth2.GenerateVerifier())); err == nil {
		t.Error("another verifier was accepted")
	}
	if _, err := c.Exchange(ctx, fresh()); err == nil {
		t.Error("no verifier was accepted")
	}
	moved := c
	moved.RedirectURL = "http://127.0.0.1:40000/callback"
	if _, err := moved.Exchange(ctx, fresh(), oauth2.VerifierOption(verifier)); err == nil {
		t.Error("another redirect was accepted")
	}
	web := c
	web.ClientID, web.ClientSecret = "web", "s 3:c"
	if _, err := web.Exchange(ctx, fresh(), oauth2.VerifierOption(verifier)); err == nil {
		t.Error("another client redeemed the code")
	}
	late := fresh()
	now = now.Add(2 * time.Minute)
	if _, err := c.Exchange(ctx, late, oauth2.VerifierOption(verifier)); err == nil {
		t.Error("a code was good for two minutes")
	}
}

func TestCodesAreSentNowhereElse(t *testing.T) {
	s := start(t, devidp.Options{}, users)
	for name, q := range map[string]url.Values{
		"unknown client":   {"client_id": {"x"}, "redirect_uri": {"http://127.0.0.1/callback"}},
		"other host":       {"client_id": {"cli"}, "redirect_uri": {"http://evil.example.com/callback"}},
		"other path":       {"client_id": {"cli"}, "redirect_uri": {"http://127.0.0.1:1/other"}},
		"user in the host": {"client_id": {"cli"}, "redirect_uri": {"http://127.0.0.1:1@evil.example.com/callback"}},
		"fragment":         {"client_id": {"cli"}, "redirect_uri": {"http://127.0.0.1/callback#x"}},
		"extra query":      {"client_id": {"cli"}, "redirect_uri": {"http://127.0.0.1/callback?next=//evil"}},
		"https for http":   {"client_id": {"cli"}, "redirect_uri": {"https://127.0.0.1/callback"}},
		"port of a site":   {"client_id": {"web"}, "redirect_uri": {"https://app.example.com:444/in?x=1"}},
		"none":             {"client_id": {"cli"}},
	} {
		r, err := noRedirect.Get(s.Issuer("") + "/authorize?" + q.Encode())
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusBadRequest || r.Header.Get("Location") != "" {
			t.Errorf("%s: status %d, location %q", name, r.StatusCode, r.Header.Get("Location"))
		}
	}
	for name, q := range map[string]url.Values{
		"no PKCE":    {"response_type": {"code"}},
		"plain PKCE": {"response_type": {"code"}, "code_challenge": {strings.Repeat("x", 43)}, "code_challenge_method": {"plain"}},
		"implicit":   {"response_type": {"token"}, "code_challenge": {strings.Repeat("x", 43)}, "code_challenge_method": {"S256"}},
	} {
		q.Set("client_id", "cli")
		q.Set("redirect_uri", "http://127.0.0.1:5/callback")
		if answer := choose(t, s.Issuer("")+"/authorize?"+q.Encode(), "alice"); answer.Get("error") == "" || answer.Get("code") != "" {
			t.Errorf("%s: answered %v", name, answer)
		}
	}
}

func post(t *testing.T, address string, form url.Values, basic ...string) (int, map[string]any) {
	t.Helper()
	q, err := http.NewRequest("POST", address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if len(basic) == 2 {
		q.SetBasicAuth(basic[0], basic[1])
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(r.Body).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, out
}

func TestDeviceFlowTellsEachStep(t *testing.T) {
	now := time.Now()
	s := start(t, devidp.Options{Now: func() time.Time { return now }}, users)
	begin := func() (string, string) {
		status, d := post(t, s.Issuer("")+"/device_authorization", url.Values{"client_id": {"cli"}, "scope": {"openid"}})
		if status != http.StatusOK || d["verification_uri"] != s.Issuer("")+"/device" {
			t.Fatalf("device authorization answered %d %v", status, d)
		}
		return d["device_code"].(string), d["user_code"].(string)
	}
	poll := func(device string) string {
		now = now.Add(time.Second)
		_, out := post(t, s.Issuer("")+"/token", url.Values{"client_id": {"cli"}, "grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {device}})
		if out["id_token"] != nil {
			return "token"
		}
		return out["error"].(string)
	}
	answer := func(code, user string) {
		r, err := http.PostForm(s.Issuer("")+"/device", url.Values{"user_code": {code}, "user": {user}})
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
	}
	check := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("poll answered %s, want %s", got, want)
		}
	}
	device, code := begin()
	check(poll(device), "authorization_pending")
	now = now.Add(-time.Second)
	check(poll(device), "slow_down")
	answer(strings.ToLower(strings.ReplaceAll(code, "-", " ")), "alice")
	check(poll(device), "token")
	check(poll(device), "invalid_grant")

	device, code = begin()
	answer(code, "")
	check(poll(device), "access_denied")

	device, code = begin()
	now = now.Add(11 * time.Minute)
	answer(code, "alice")
	check(poll(device), "expired_token")
}

func TestWorkloadsNeedTheirSecret(t *testing.T) {
	s := start(t, devidp.Options{}, users)
	grant := url.Values{"grant_type": {"client_credentials"}}
	with := func(more ...string) url.Values {
		f := url.Values{"grant_type": {"client_credentials"}}
		for i := 0; i < len(more); i += 2 {
			f.Set(more[i], more[i+1])
		}
		return f
	}
	for name, c := range map[string]struct {
		form  url.Values
		basic []string
		want  int
	}{
		"basic":            {grant, []string{"job", "s1"}, 200},
		"escaped basic":    {grant, []string{"web", "s+3%3Ac"}, 200},
		"form":             {with("client_id", "job", "client_secret", "s1"), nil, 200},
		"wrong secret":     {grant, []string{"job", "s2"}, 401},
		"empty secret":     {with("client_id", "job"), nil, 401},
		"public client":    {with("client_id", "cli"), nil, 400},
		"two names":        {with("client_id", "web"), []string{"job", "s1"}, 401},
		"nobody":           {grant, nil, 401},
		"secret of public": {with("client_id", "cli", "client_secret", "x"), nil, 401},
	} {
		if status, out := post(t, s.Issuer("")+"/token", c.form, c.basic...); status != c.want {
			t.Errorf("%s: answered %d %v, want %d", name, status, out, c.want)
		}
	}
}

func TestServerKeepsOtherSitesAway(t *testing.T) {
	s := start(t, devidp.Options{}, users)
	form := url.Values{"user": {"alice"}, "client_id": {"cli"}}
	for name, change := range map[string]func(*http.Request){
		"rebound name":    func(q *http.Request) { q.Host = "evil.example.com" },
		"another site":    func(q *http.Request) { q.Header.Set("Sec-Fetch-Site", "cross-site") },
		"another origin":  func(q *http.Request) { q.Header.Set("Origin", "https://evil.example.com") },
		"an endless body": func(q *http.Request) { q.Body = io.NopCloser(io.LimitReader(zeros{}, 1<<20)); q.ContentLength = -1 },
		"nobody of the list": func(q *http.Request) {
			q.Body = io.NopCloser(strings.NewReader("user=root&client_id=cli"))
			q.ContentLength = -1
		},
	} {
		q, err := http.NewRequest("POST", s.Issuer("")+"/dev/token", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		change(q)
		r, err := http.DefaultClient.Do(q)
		if err != nil {
			continue // cut off while sending
		}
		body, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if r.StatusCode == http.StatusOK || strings.Contains(string(body), "id_token") {
			t.Errorf("%s: status %d", name, r.StatusCode)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

func TestServerListensOnLoopbackOnly(t *testing.T) {
	c, err := devidp.Parse([]byte(users))
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.com:0"} {
		if s, err := devidp.Start(c, address, devidp.Options{}); err == nil {
			s.Close()
			t.Errorf("listens on %s", address)
		}
	}
}

func TestExampleInTheReferenceIsGood(t *testing.T) {
	body, err := os.ReadFile("../../../docs/reference/identity.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(body), "```yaml\n")
	example, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("no example")
	}
	c, err := devidp.Parse([]byte(example))
	if err != nil || len(c.Issuers["corp"].Users) != 2 || len(c.Issuers["ci"].Clients) != 2 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestUsersFileIsReadStrictly(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":          ``,
		"unknown key":      "users: [{sub: a, grups: [x]}]",
		"sub twice":        "users: [{sub: a}, {sub: a}]",
		"no sub":           "users: [{name: a}]",
		"client twice":     "clients: [{id: a}, {id: a}]",
		"odd algorithm":    "algorithm: HS256\nusers: [{sub: a}]",
		"odd redirect":     "clients: [{id: a, redirects: [\"javascript:alert(1)\"]}]",
		"two root issuers": "users: [{sub: a}]\nissuers: {\"\": {users: [{sub: b}]}}",
		"odd issuer name":  "issuers: {\"a/b\": {users: [{sub: b}]}}",
		"odd lifetime":     "lifetime: soon\nusers: [{sub: a}]",
	} {
		if _, err := devidp.Parse([]byte(body)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
