package jwt

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func encode(header, payload, signature string) string {
	b := base64.RawURLEncoding.EncodeToString
	return b([]byte(header)) + "." + b([]byte(payload)) + "." + b([]byte(signature))
}

// FuzzParse: no input panics; what is parsed has an allowed algorithm and one spelling; and nothing verifies with a key
// that did not sign it.
func FuzzParse(f *testing.F) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	key := &jose.JSONWebKey{Key: private.Public()}
	f.Add("")
	f.Add("..")
	f.Add("a.b.c")
	f.Add(strings.Repeat(".", 20000))
	f.Add(encode(`{"alg":"ES256","kid":"k"}`, `{"iss":"x","exp":1.5,"aud":["a"]}`, strings.Repeat("s", 64)))
	f.Add(encode(`{"alg":"none"}`, `{}`, "x"))
	f.Add(encode(`{"alg":"RS256","crit":["x"]}`, `{"a":[[[]]]}`, "x"))
	f.Add(encode(`{"alg":"EdDSA","typ":"at+jwt"}`, `{"exp":1e999}`, "x"))
	f.Fuzz(func(t *testing.T, raw string) {
		token, err := Parse(raw)
		if err != nil {
			return
		}
		if len(raw) > MaxSize || strings.Count(raw, ".") != 2 || strings.ContainsAny(raw, "\r\n= ") {
			t.Errorf("accepted %q", raw)
		}
		if token.Algorithm == "none" || strings.HasPrefix(token.Algorithm, "HS") {
			t.Errorf("algorithm %s", token.Algorithm)
		}
		for _, name := range []string{"exp", "iat", "nbf"} {
			_, _ = token.Claims.Time(name)
		}
		_, _ = token.Claims.Audience()
		if token.Verify(key) == nil {
			t.Errorf("verified with a key that did not sign it: %q", raw)
		}
	})
}

func TestNumbersKeepTheirKind(t *testing.T) {
	got, err := ReadObject([]byte(`{"a":4711,"b":1.5,"c":9007199254740993,"d":1e3,"e":-1}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{"a": int64(4711), "b": 1.5, "c": int64(9007199254740993), "d": 1000.0, "e": int64(-1)} {
		if got[name] != want {
			t.Errorf("%s = %v (%T), want %v (%T)", name, got[name], got[name], want, want)
		}
	}
}
