package login_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/identity"
	"github.com/vecgate/vecgate/internal/identity/devidp"
	"github.com/vecgate/vecgate/internal/identity/identitytest"
	"github.com/vecgate/vecgate/internal/identity/login"
	"github.com/vecgate/vecgate/internal/identity/oidc"
)

const users = `
users:
  - {sub: alice, name: Alice Ang, email: alice@example.com, groups: [Vector-Read]}
  - {sub: bob, name: Bob Bo, email: bob@example.com, groups: [Vector-Approve]}
clients:
  - {id: vecgate-cli, redirects: ["http://127.0.0.1/callback"]}
`

// world is a gateway's identity endpoints and a provider.
func world(t *testing.T) (*login.Gateway, *login.Client) {
	t.Helper()
	config, err := devidp.Parse([]byte(users))
	if err != nil {
		t.Fatal(err)
	}
	idp, err := devidp.Start(config, "127.0.0.1:0", devidp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { idp.Close() })
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	reg, err := identity.New(identity.Options{
		URL: server.URL, Dir: t.TempDir(), Store: identitytest.NewMemory(), Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Sources: identity.Sources{Providers: []oidc.Config{{Name: "corp", Issuer: idp.Issuer(""), ClientID: "vecgate-cli", Groups: "groups"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	handler = reg.Handler()
	g, err := login.NewGateway(server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	card, err := g.Card(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	p := card.Providers[0]
	return g, &login.Client{Issuer: p.Issuer, ClientID: p.ClientID, Scope: p.Scope, Now: time.Now}
}

// pick does what a person does in a browser: choose a user, and follow where that leads.
func pick(address, user string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	form := u.Query()
	form.Set("user", user)
	u.RawQuery = ""
	r, err := http.PostForm(u.String(), form)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return string(body), err
}

func TestBrowserSignInIsGoodForTheGateway(t *testing.T) {
	g, c := world(t)
	ctx := context.Background()
	page := make(chan string, 1)
	tokens, err := c.Browser(ctx, func(address string) {
		go func() {
			body, err := pick(address, "alice")
			if err != nil {
				body = err.Error()
			}
			page <- body
		}()
	})
	if err != nil {
		t.Fatal(err)
	}
	if body := <-page; !strings.Contains(body, "<h1>Signed in</h1>") {
		t.Errorf("the browser shows %q", body)
	}
	who, err := g.Whoami(ctx, tokens.ID)
	if err != nil || who.ID != "corp:alice" || who.Display != "Alice Ang" {
		t.Errorf("whoami: %+v, %v", who, err)
	}
	minted, err := g.Exchange(ctx, tokens.ID, login.Ask{Ticket: "CHG-7", Scopes: []string{"read"}, Targets: []string{"products"}, Lifetime: 2 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if who, err = g.Whoami(ctx, minted.Token); err != nil || who.Ticket != "CHG-7" || who.Targets[0] != "products" || who.Scopes[0] != "read" {
		t.Errorf("whoami of the minted token: %+v, %v", who, err)
	}
	if err := g.Revoke(ctx, *minted); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Whoami(ctx, minted.Token); err == nil || !strings.Contains(err.Error(), "it was revoked") {
		t.Errorf("whoami of a revoked token: %v", err)
	}
}

func TestPersonWhoRefusesIsNotSignedIn(t *testing.T) {
	_, c := world(t)
	_, err := c.Browser(context.Background(), func(address string) { go pick(address, "") })
	if err == nil || !strings.Contains(err.Error(), "nobody was chosen (access_denied)") {
		t.Errorf("sign-in ended with %v", err)
	}
}

// TestPlantedAnswersChangeNothing: other pages and programs on this machine can reach the loopback port.
func TestPlantedAnswersChangeNothing(t *testing.T) {
	_, c := world(t)
	tokens, err := c.Browser(context.Background(), func(address string) {
		u, _ := url.Parse(address)
		callback := u.Query().Get("redirect_uri")
		go func() {
			for _, planted := range []string{"?code=stolen&state=guess", "?code=stolen", "?error=access_denied&state=", ""} {
				r, err := http.Get(callback + planted)
				if err != nil {
					t.Error(err)
					return
				}
				r.Body.Close()
				if r.StatusCode != http.StatusBadRequest {
					t.Errorf("planted %q answered %d", planted, r.StatusCode)
				}
			}
			q, _ := http.NewRequest("GET", callback+"?code=x&state="+u.Query().Get("state"), nil)
			q.Host = "evil.example.com"
			if r, err := http.DefaultClient.Do(q); err != nil || r.StatusCode != http.StatusBadRequest {
				t.Errorf("a rebound name answered %v, %v", r, err)
			}
			if _, err := pick(address, "alice"); err != nil {
				t.Error(err)
			}
		}()
	})
	if err != nil || tokens.ID == "" {
		t.Errorf("the real sign-in ended with %v", err)
	}
}

func TestAnswersOfAnotherSignInAreRefused(t *testing.T) {
	_, c := world(t)
	ctx := context.Background()
	s, err := c.Begin(ctx, "http://127.0.0.1:1/callback")
	if err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string]url.Values{
		"state":   {"code": {"x"}, "state": {"other"}},
		"issuer":  {"code": {"x"}, "state": {s.State}, "iss": {"https://evil.example.com"}},
		"no code": {"state": {s.State}},
		"bad":     {"code": {"x"}, "state": {s.State}},
	} {
		if _, err := c.Finish(ctx, s, answer); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	// A code of another sign-in of the same client (code injection): its verifier and nonce are not ours.
	other, err := c.Begin(ctx, "http://127.0.0.1:1/callback")
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	u, _ := url.Parse(other.URL)
	form := u.Query()
	form.Set("user", "bob")
	u.RawQuery = ""
	r, err := client.PostForm(u.String(), form)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	to, err := r.Location()
	if err != nil {
		t.Fatal(err)
	}
	if tokens, err := c.Finish(ctx, s, url.Values{"code": {to.Query().Get("code")}, "state": {s.State}}); err == nil {
		t.Errorf("an injected code was redeemed: %v", tokens.Expires)
	}
}

func TestDeviceSignIn(t *testing.T) {
	g, c := world(t)
	ctx := context.Background()
	tokens, err := c.Device(ctx, func(p login.Prompt) {
		r, err := http.PostForm(p.URL, url.Values{"user_code": {p.Code}, "user": {"bob"}})
		if err != nil {
			t.Error(err)
			return
		}
		r.Body.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	if who, err := g.Whoami(ctx, tokens.ID); err != nil || who.ID != "corp:bob" {
		t.Errorf("whoami: %+v, %v", who, err)
	}
}

func TestSignInEndsWhenNobodyAnswers(t *testing.T) {
	_, c := world(t)
	ctx, cancel := context.WithCancelCause(context.Background())
	_, err := c.Browser(ctx, func(string) { cancel(errors.New("gave up")) })
	if err == nil || !strings.Contains(err.Error(), "gave up") {
		t.Errorf("sign-in ended with %v", err)
	}
}

func TestTokensAreSentOverTLSOnly(t *testing.T) {
	for address, want := range map[string]bool{
		"https://gw.example.com": true, "http://127.0.0.1:8443": true, "http://localhost:1": true, "http://[::1]:1/": true,
		"http://gw.example.com": false, "http://127.0.0.1.evil.org": false, "ftp://127.0.0.1": false, "gw.example.com": false,
		"https://user:pw@gw.example.com": false, "": false,
	} {
		if _, err := login.NewGateway(address, nil); (err == nil) != want {
			t.Errorf("NewGateway(%q): %v, want allowed %v", address, err, want)
		}
	}
}

func TestTokenIsNotSentWhereARedirectLeads(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("a request came with %v", r.Header) }))
	defer elsewhere.Close()
	gateway := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer gateway.Close()
	g, err := login.NewGateway(gateway.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Whoami(context.Background(), "secret-token"); err == nil || strings.Contains(err.Error(), "secret-token") {
		t.Errorf("whoami: %v", err)
	}
	if _, err := g.Exchange(context.Background(), "secret-token", login.Ask{}); err == nil || strings.Contains(err.Error(), "secret-token") {
		t.Errorf("exchange: %v", err)
	}
}

func TestSignInIsKeptForItsOwnerAlone(t *testing.T) {
	c := login.Cache{Dir: filepath.Join(t.TempDir(), "vecgate")}
	if _, err := c.Load("https://a"); !errors.Is(err, login.ErrNone) {
		t.Errorf("Load before Save: %v", err)
	}
	for _, gateway := range []string{"https://a", "https://b"} {
		if err := c.Save(&login.Kept{Gateway: gateway, Token: "t-" + gateway, Expires: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(c.Dir, "*"))
	if err != nil || len(files) != 3 {
		t.Fatalf("files %v, %v", files, err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", f, info.Mode().Perm(), err)
		}
	}
	if k, err := c.Load("https://a"); err != nil || k.Token != "t-https://a" || c.Current() != "https://b" {
		t.Errorf("Load: %+v, %v; current %s", k, err, c.Current())
	}
	if err := c.Delete("https://a"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Load("https://a"); !errors.Is(err, login.ErrNone) {
		t.Errorf("Load after Delete: %v", err)
	}
	for _, f := range files {
		_ = os.Chmod(f, 0o644)
	}
	if k, err := c.Load("https://b"); err == nil {
		t.Errorf("a sign-in that others can read was used: %+v", k.Expires)
	}
}
