package token

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/identity/jwt"
)

type revoked map[string]bool

func (r revoked) RevokeToken(_ context.Context, jti string, _ time.Time) error {
	r[jti] = true
	return nil
}
func (r revoked) TokenRevoked(_ context.Context, jti string) (bool, error) { return r[jti], nil }

type clock struct{ now time.Time }

func (c *clock) time() time.Time { return c.now }

func open(t *testing.T, dir string, c *clock) *Minter {
	t.Helper()
	m, err := Open(Options{Issuer: "https://gw.example.com", Dir: dir, Revocations: revoked{}, Now: c.time})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var alice = &access.Subject{ID: "corp:alice", Kind: access.Person, Person: "alice", Provider: "corp"}

func mint(t *testing.T, m *Minter) string {
	t.Helper()
	raw, _, err := m.Mint(alice, Ask{})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestKeysAreReadableByTheGatewayAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "identity")
	c := &clock{time.Now()}
	open(t, dir, c)
	path := filepath.Join(dir, "token-keys.json")
	for p, want := range map[string]os.FileMode{dir: 0o700, path: 0o600} {
		info, err := os.Stat(p)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v, want %v", p, info.Mode().Perm(), err, want)
		}
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir, Now: c.time}); err == nil || !strings.Contains(err.Error(), "can be read by others") {
		t.Errorf("keys that others can read: %v", err)
	}
}

func TestDamagedKeyFileIsAnErrorAndNoNewKeys(t *testing.T) {
	dir := t.TempDir()
	c := &clock{time.Now()}
	open(t, dir, c)
	path := filepath.Join(dir, "token-keys.json")
	for _, body := range []string{"", "{", "{}", `{"decoy":"","keys":[]}`, `{"decoy":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","keys":[{"id":"x","pkcs8":"AAAA"}]}`} {
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Options{Dir: dir, Now: c.time}); err == nil {
			t.Errorf("opened %q", body)
		}
		if got, _ := os.ReadFile(path); string(got) != body {
			t.Errorf("%q was overwritten", body)
		}
	}
}

func TestOldKeysVerifyUntilTheirTokensHaveExpired(t *testing.T) {
	dir := t.TempDir()
	c := &clock{time.Now().Truncate(time.Second)}
	m := open(t, dir, c)
	c.now = c.now.Add(rotateEvery - time.Second)
	before := mint(t, m)
	c.now = c.now.Add(2 * time.Second)
	after := mint(t, m)
	for _, minter := range []*Minter{m, open(t, dir, c)} {
		for name, raw := range map[string]string{"old": before, "new": after} {
			if _, err := minter.Verify(context.Background(), raw); err != nil {
				t.Errorf("token by the %s key: %v", name, err)
			}
		}
		if n := len(minter.JWKS().Keys); n != 2 {
			t.Errorf("%d keys are published, want 2", n)
		}
	}
	c.now = c.now.Add(2 * time.Hour)
	if n := len(m.JWKS().Keys); n != 1 {
		t.Errorf("%d keys are published after the old one's tokens expired, want 1", n)
	}
	if n := len(open(t, dir, c).JWKS().Keys); n != 1 {
		t.Errorf("%d keys are published after a restart, want 1", n)
	}
}

func TestPublishedKeysHoldNothingPrivate(t *testing.T) {
	m := open(t, t.TempDir(), &clock{time.Now()})
	body, err := json.Marshal(m.JWKS())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(body), `"d"`) || !strings.Contains(string(body), `"kid"`) {
		t.Errorf("published: %s", body)
	}
}

// forged signs claims with the gateway's own key, as if it had been tricked into that.
func forged(t *testing.T, m *Minter, typ string, change func(map[string]any)) string {
	t.Helper()
	claims := map[string]any{
		"iss": m.Issuer, "aud": m.Issuer, "sub": "corp:alice", "iat": m.Now().Unix(), "exp": m.Now().Add(time.Minute).Unix(), "jti": "j", "kind": "person",
	}
	change(claims)
	key, err := m.keys.signing()
	if err != nil {
		t.Fatal(err)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key.private, KeyID: key.id}}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestOwnSignatureIsNotEnough(t *testing.T) {
	m := open(t, t.TempDir(), &clock{time.Now().Truncate(time.Second)})
	if _, err := m.Verify(context.Background(), forged(t, m, "at+jwt", func(map[string]any) {})); err != nil {
		t.Fatalf("the unchanged token: %v", err)
	}
	for name, raw := range map[string]string{
		"type":     forged(t, m, "JWT", func(map[string]any) {}),
		"issuer":   forged(t, m, "at+jwt", func(c map[string]any) { c["iss"] = "https://other" }),
		"audience": forged(t, m, "at+jwt", func(c map[string]any) { c["aud"] = "https://other" }),
		"subject":  forged(t, m, "at+jwt", func(c map[string]any) { delete(c, "sub") }),
		"id":       forged(t, m, "at+jwt", func(c map[string]any) { delete(c, "jti") }),
		"expiry":   forged(t, m, "at+jwt", func(c map[string]any) { delete(c, "exp") }),
		"future":   forged(t, m, "at+jwt", func(c map[string]any) { c["iat"] = m.Now().Add(time.Hour).Unix() }),
		"groups":   forged(t, m, "at+jwt", func(c map[string]any) { c["groups"] = "root" }),
	} {
		s, err := m.Verify(context.Background(), raw)
		if _, ok := errors.AsType[*access.Refusal](err); !ok {
			t.Errorf("%s: got %v, %v, want a refusal", name, s, err)
		}
	}
}

func TestTokenThatWouldBeTooLongIsNotMade(t *testing.T) {
	m := open(t, t.TempDir(), &clock{time.Now()})
	s := *alice
	s.Claims = map[string]any{"big": strings.Repeat("x", jwt.MaxSize)}
	if _, _, err := m.Mint(&s, Ask{}); err == nil || !strings.Contains(err.Error(), "would be longer than") {
		t.Errorf("Mint: %v", err)
	}
}
