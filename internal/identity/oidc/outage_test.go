package oidc

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/vecgate/vecgate/internal/access"
)

func (f *forge) pass(d time.Duration) { f.set(func() { f.now = f.now.Add(d) }) }

func (f *forge) fetches() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

func TestKeysOutliveAnOutageForADay(t *testing.T) {
	f := newForge(t)
	p := f.provider(nil)
	accepted(t, p, f.good(nil))
	f.set(func() { f.down = true })
	for range 23 {
		f.pass(time.Hour)
		accepted(t, p, f.good(nil))
		// An outage does not widen what is accepted.
		refused(t, p, sign(t, jose.ES256, other, map[string]any{"kid": "ec"}, f.claims(nil)), access.CodeIdentity, "its signature is wrong")
		refused(t, p, sign(t, jose.ES256, other, map[string]any{"kid": "new"}, f.claims(nil)), access.CodeIdentity, "signing key is not among")
	}
	f.pass(time.Hour)
	refused(t, p, f.good(nil), access.CodeIdentity, "the provider's keys cannot be fetched")
	f.set(func() { f.down = false })
	f.pass(retryEvery)
	accepted(t, p, f.good(nil))
}

func TestProviderThatWasNeverReachedLetsNobodyIn(t *testing.T) {
	f := newForge(t)
	f.down = true
	p := f.provider(nil)
	refused(t, p, f.good(nil), access.CodeIdentity, "the provider's keys cannot be fetched")
	f.set(func() { f.down = false })
	refused(t, p, f.good(nil), access.CodeIdentity, "the provider's keys cannot be fetched") // too soon to ask again
	f.pass(retryEvery)
	accepted(t, p, f.good(nil))
}

func TestNewKeyIsFetchedAtOnceAndUnknownKeysRarely(t *testing.T) {
	f := newForge(t)
	p := f.provider(nil)
	accepted(t, p, f.good(nil))
	rotated := func() string { return sign(t, jose.ES256, other, map[string]any{"kid": "new"}, f.claims(nil)) }
	f.set(func() { f.keys = append(f.keys, jose.JSONWebKey{Key: other.Public(), KeyID: "new"}) })
	accepted(t, p, rotated())
	before := f.fetches()
	for range 50 {
		refused(t, p, sign(t, jose.ES256, other, map[string]any{"kid": "made-up"}, f.claims(nil)), access.CodeIdentity, "signing key is not among")
		f.pass(time.Second)
	}
	if n := f.fetches() - before; n != 0 {
		t.Errorf("made-up key ids made us ask %d more times within 5 minutes", n)
	}
	f.pass(unknownEvery)
	refused(t, p, sign(t, jose.ES256, other, map[string]any{"kid": "made-up"}, f.claims(nil)), access.CodeIdentity, "signing key is not among")
	if n := f.fetches() - before; n != 1 {
		t.Errorf("after 5 minutes we asked %d times, want once", n)
	}
}

func TestWithdrawnKeyIsForgottenWithinTheHour(t *testing.T) {
	f := newForge(t)
	p := f.provider(nil)
	accepted(t, p, f.good(nil))
	f.set(func() { f.keys = f.keys[1:] })
	f.pass(keysFresh)
	refused(t, p, f.good(nil), access.CodeIdentity, "signing key is not among")
}

func TestBadAnswersAreNoKeys(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		t.Error("a redirect off the host was followed")
	}))
	defer elsewhere.Close()
	for name, change := range map[string]func(*forge){
		"redirect off the host": func(f *forge) {
			f.jwks = func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, elsewhere.URL+"/keys", http.StatusFound)
			}
		},
		"endless redirect": func(f *forge) {
			f.jwks = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/keys", http.StatusFound) }
		},
		"huge": func(f *forge) {
			f.jwks = func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte(`{"keys":[],"pad":"` + strings.Repeat("x", maxDocument) + `"}`))
			}
		},
		"not JSON": func(f *forge) {
			f.jwks = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }
		},
		"empty":            func(f *forge) { f.keys = nil },
		"symmetric":        func(f *forge) { f.keys = []jose.JSONWebKey{{Key: []byte("secret"), KeyID: "ec"}} },
		"private":          func(f *forge) { f.keys = []jose.JSONWebKey{{Key: ec256, KeyID: "ec"}} },
		"plain http":       func(f *forge) { f.metadata["jwks_uri"] = "http://keys.example.com/keys" },
		"file":             func(f *forge) { f.metadata["jwks_uri"] = "file:///etc/passwd" },
		"no jwks_uri":      func(f *forge) { delete(f.metadata, "jwks_uri") },
		"too many to hold": func(f *forge) { f.keys = make([]jose.JSONWebKey, 0); fill(f) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newForge(t)
			change(f)
			refused(t, f.provider(nil), f.good(nil), access.CodeIdentity, "the provider's keys cannot be fetched")
		})
	}
}

func fill(f *forge) {
	for range maxKeys + 1 {
		f.keys = append(f.keys, jose.JSONWebKey{Key: ec256.Public(), KeyID: "ec"})
	}
}

func TestOneFetchServesEverybodyWhoWaits(t *testing.T) {
	f := newForge(t)
	p := f.provider(nil)
	token := f.good(nil)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := p.Verify(context.Background(), token, Expect{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := f.fetches(); n != 1 {
		t.Errorf("20 sign-ins at once fetched keys %d times", n)
	}
}

func TestHangingUpDoesNotSpoilTheFetch(t *testing.T) {
	f := newForge(t)
	p := f.provider(nil)
	ctx, cancel := context.WithCancel(context.Background())
	f.set(func() {
		keys := f.keys
		f.jwks = func(w http.ResponseWriter, r *http.Request) {
			cancel()
			f.jwks = nil
			f.keys = keys
			http.Redirect(w, r, "/keys", http.StatusFound)
		}
	})
	if _, err := p.Verify(ctx, f.good(nil), Expect{}); err != nil {
		t.Errorf("the fetch ended with the client that began it: %v", err)
	}
	accepted(t, p, f.good(nil))
}
