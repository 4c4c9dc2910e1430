package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/vecgate/vecgate/internal/access"
)

// forge is a provider whose every answer a test controls.
type forge struct {
	t        *testing.T
	server   *httptest.Server
	mu       sync.Mutex
	now      time.Time
	down     bool
	keys     []jose.JSONWebKey
	metadata map[string]any
	jwks     http.HandlerFunc // instead of keys
	asked    int              // how often keys were fetched
}

var (
	ec256   = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	ec384   = must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	other   = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	rsa2048 = must(rsa.GenerateKey(rand.Reader, 2048))
	_, ed   = func() (ed25519.PublicKey, ed25519.PrivateKey) {
		p, k, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			panic(err)
		}
		return p, k
	}()
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newForge(t *testing.T) *forge {
	f := &forge{t: t, now: time.Unix(1_790_000_000, 0)}
	f.server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.server.Close)
	f.keys = []jose.JSONWebKey{
		{Key: ec256.Public(), KeyID: "ec", Use: "sig", Algorithm: "ES256"},
		{Key: rsa2048.Public(), KeyID: "rsa"},
		{Key: ec384.Public(), KeyID: "ec384"},
		{Key: ed.Public(), KeyID: "ed"},
	}
	f.metadata = map[string]any{"issuer": f.server.URL, "jwks_uri": f.server.URL + "/keys"}
	return f
}

func (f *forge) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		_ = json.NewEncoder(w).Encode(f.metadata)
	case "/keys":
		f.asked++
		if f.jwks != nil {
			f.jwks(w, r)
			return
		}
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: f.keys})
	default:
		http.NotFound(w, r)
	}
}

// set changes the forge while nobody asks it.
func (f *forge) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *forge) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *forge) provider(change func(*Config)) *Provider {
	f.t.Helper()
	c := Config{Name: "corp", Issuer: f.server.URL, Audiences: []string{"vecgate"}, Groups: "groups"}
	if change != nil {
		change(&c)
	}
	p, err := New(c, f.clock)
	if err != nil {
		f.t.Fatal(err)
	}
	return p
}

// claims of a token that is fine, with changes; a nil value takes a claim away.
func (f *forge) claims(changes map[string]any) map[string]any {
	now := f.clock().Unix()
	c := map[string]any{"iss": f.server.URL, "aud": "vecgate", "sub": "alice", "iat": now, "exp": now + 3600, "jti": "id-1", "groups": []string{"a", "b"}}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// sign makes a token with go-jose.
func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, header map[string]any, claims map[string]any) string {
	t.Helper()
	o := &jose.SignerOptions{}
	for name, v := range header {
		o = o.WithHeader(jose.HeaderKey(name), v)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign(must(json.Marshal(claims)))
	if err != nil {
		t.Fatal(err)
	}
	return must(signed.CompactSerialize())
}

// good is a token signed as it should be, with changed claims.
func (f *forge) good(changes map[string]any) string {
	return sign(f.t, jose.ES256, ec256, map[string]any{"kid": "ec"}, f.claims(changes))
}

// raw joins a header and claims without any signing library.
func raw(header, claims, signature string) string {
	b := base64.RawURLEncoding.EncodeToString
	return b([]byte(header)) + "." + b([]byte(claims)) + "." + b([]byte(signature))
}

func accepted(t *testing.T, p *Provider, token string) *access.Subject {
	t.Helper()
	s, err := p.Verify(context.Background(), token, Expect{})
	if err != nil {
		t.Errorf("not accepted: %v", err)
		return &access.Subject{}
	}
	return s
}

func refused(t *testing.T, p *Provider, token string, code access.Code, words string) {
	t.Helper()
	s, err := p.Verify(context.Background(), token, Expect{})
	if err == nil {
		t.Errorf("accepted as %s, want a refusal with %q", s.ID, words)
		return
	}
	r, ok := errors.AsType[*access.Refusal](err)
	if !ok || r.Code != code || !strings.Contains(r.Message, words) {
		t.Errorf("got %v, want %s with %q", err, code, words)
		return
	}
	if n := len(token); n > 40 && (strings.Contains(r.Message+r.Hint, token[n-30:]) || r.Err != nil && strings.Contains(r.Err.Error(), token[n-30:])) {
		t.Errorf("the refusal holds the token: %v", r)
	}
}
