package oidc

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/vecgate/vecgate/internal/access"
)

func TestEveryAllowedAlgorithmIsAccepted(t *testing.T) {
	f := newForge(t)
	p := f.provider(nil)
	for alg, key := range map[jose.SignatureAlgorithm]any{jose.ES256: ec256, jose.ES384: ec384, jose.RS256: rsa2048, jose.PS256: rsa2048, jose.EdDSA: ed} {
		kid := map[jose.SignatureAlgorithm]string{jose.ES256: "ec", jose.ES384: "ec384", jose.RS256: "rsa", jose.PS256: "rsa", jose.EdDSA: "ed"}[alg]
		if s := accepted(t, p, sign(t, alg, key, map[string]any{"kid": kid, "typ": "at+jwt"}, f.claims(nil))); s.ID != "corp:alice" {
			t.Errorf("%s: subject %q", alg, s.ID)
		}
	}
}

func TestUnsignedTokenIsRefused(t *testing.T) {
	f := newForge(t)
	p := f.provider(nil)
	claims := string(must(json.Marshal(f.claims(nil))))
	for _, alg := range []string{"none", "None", "NONE", "nOnE", ""} {
		header := fmt.Sprintf(`{"alg":%q,"kid":"ec"}`, alg)
		refused(t, p, raw(header, claims, "x"), access.CodeIdentity, "its algorithm is not an asymmetric signature")
		refused(t, p, raw(header, claims, ""), access.CodeIdentity, "not three parts")
	}
	refused(t, p, raw(`{"kid":"ec"}`, claims, "x"), access.CodeIdentity, "its header")
}

func TestTokenKeyedWithThePublicKeyIsRefused(t *testing.T) {
	f := newForge(t)
	p := f.provider(nil)
	der := must(x509.MarshalPKIXPublicKey(rsa2048.Public()))
	for name, secret := range map[string][]byte{
		"DER": der, "PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "JWK": must(json.Marshal(jose.JSONWebKey{Key: rsa2048.Public()})),
	} {
		header := `{"alg":"HS256","kid":"rsa"}`
		signing := strings.TrimSuffix(raw(header, string(must(json.Marshal(f.claims(nil)))), "x"), "."+base64.RawURLEncoding.EncodeToString([]byte("x")))
		m := hmac.New(sha256.New, secret)
		m.Write([]byte(signing))
		t.Run(name, func(t *testing.T) {
			refused(t, p, signing+"."+base64.RawURLEncoding.EncodeToString(m.Sum(nil)), access.CodeIdentity, "its algorithm is not an asymmetric signature")
		})
	}
}

func TestAlgorithmOutsideTheProvidersListIsRefused(t *testing.T) {
	f := newForge(t)
	p := f.provider(func(c *Config) { c.Algorithms = []string{"ES256"} })
	accepted(t, p, f.good(nil))
	refused(t, p, sign(t, jose.RS256, rsa2048, map[string]any{"kid": "rsa"}, f.claims(nil)), access.CodeIdentity, "it is signed with RS256")
}

func TestKeyOfAnotherKindIsNotTried(t *testing.T) {
	f := newForge(t)
	p := f.provider(nil)
	// The kid of the RSA key with a token signed by an EC key, and an algorithm that the key is not published for.
	refused(t, p, sign(t, jose.ES256, ec256, map[string]any{"kid": "rsa"}, f.claims(nil)), access.CodeIdentity, "signing key is not among")
	f.set(func() {
		f.keys = append(f.keys, jose.JSONWebKey{Key: rsa2048.Public(), KeyID: "ps", Algorithm: "PS256"}, jose.JSONWebKey{Key: other.Public(), KeyID: "enc", Use: "enc"})
	})
	p = f.provider(nil)
	refused(t, p, sign(t, jose.RS256, rsa2048, map[string]any{"kid": "ps"}, f.claims(nil)), access.CodeIdentity, "signing key is not among")
	accepted(t, p, sign(t, jose.PS256, rsa2048, map[string]any{"kid": "ps"}, f.claims(nil)))
	refused(t, f.provider(nil), sign(t, jose.ES256, other, map[string]any{"kid": "enc"}, f.claims(nil)), access.CodeIdentity, "signing key is not among")
}

func TestShortRSAKeyIsNotBelieved(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	f := newForge(t)
	f.keys = []jose.JSONWebKey{{Key: weak.Public(), KeyID: "weak"}, {Key: ec256.Public(), KeyID: "ec"}}
	refused(t, f.provider(nil), sign(t, jose.RS256, weak, map[string]any{"kid": "weak"}, f.claims(nil)), access.CodeIdentity, "signing key is not among")
}

func TestKeysInTheTokenAreIgnored(t *testing.T) {
	f := newForge(t)
	p := f.provider(nil)
	planted := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		t.Error("somebody followed an address in the token")
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: other.Public(), KeyID: "ec"}}})
	}))
	defer planted.Close()
	for name, header := range map[string]map[string]any{
		"jku": {"jku": planted.URL, "kid": "ec"},
		"x5u": {"x5u": planted.URL, "kid": "ec"},
		"jwk": {"jwk": jose.JSONWebKey{Key: other.Public(), KeyID: "ec"}, "kid": "ec"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, p, sign(t, jose.ES256, other, header, f.claims(nil)), access.CodeIdentity, "its signature is wrong")
		})
	}
}

func TestCriticalExtensionsAreRefused(t *testing.T) {
	f := newForge(t)
	p := f.provider(nil)
	claims := string(must(json.Marshal(f.claims(nil))))
	for _, header := range []string{`{"alg":"ES256","kid":"ec","crit":["exp"]}`, `{"alg":"ES256","kid":"ec","crit":[]}`, `{"alg":"ES256","kid":"ec","b64":false}`} {
		refused(t, p, raw(header, claims, "x"), access.CodeIdentity, "critical header extensions")
	}
}

func TestKeyIDGamesAreRefused(t *testing.T) {
	f := newForge(t)
	p := f.provider(nil)
	for _, kid := range []string{"../../dev/null", "ec\x00", "' OR 1=1 --", strings.Repeat("k", 9000), "EC"} {
		refused(t, p, sign(t, jose.ES256, ec256, map[string]any{"kid": kid}, f.claims(nil)), access.CodeIdentity, "signing key is not among")
	}
	claims := string(must(json.Marshal(f.claims(nil))))
	for _, header := range []string{`{"alg":"ES256","kid":7}`, `{"alg":"ES256","kid":""}`, `{"alg":"ES256","kid":"ec","kid":"rsa"}`, `{"alg":"ES256","alg":"none","kid":"ec"}`, `[]`, `{"alg":"ES256"} {}`} {
		refused(t, p, raw(header, claims, "x"), access.CodeIdentity, "its header")
	}
	if f.asked > 2 {
		t.Errorf("key ids that nobody knows made us ask %d times", f.asked)
	}
}

func TestTokenWithoutKeyIDNeedsOneFittingKey(t *testing.T) {
	f := newForge(t)
	token := sign(t, jose.ES256, ec256, nil, f.claims(nil))
	accepted(t, f.provider(nil), token)
	f.set(func() { f.keys = append(f.keys, jose.JSONWebKey{Key: other.Public(), KeyID: "ec-2"}) })
	refused(t, f.provider(nil), token, access.CodeIdentity, "signing key is not among")
}

func TestAudienceMustBeOursAlone(t *testing.T) {
	f := newForge(t)
	p := f.provider(func(c *Config) { c.ClientID, c.Audiences = "vecgate-cli", []string{"vecgate", "https://gw"} })
	for _, fine := range []any{"vecgate", "vecgate-cli", []string{"https://gw"}, []string{"vecgate", "https://gw"}} {
		accepted(t, p, f.good(map[string]any{"aud": fine}))
	}
	for name, c := range map[string]struct {
		aud  any
		want string
	}{
		"somebody else's":     {"other-app", `its audience is "other-app" and must be one of ["vecgate" "https://gw" "vecgate-cli"]`},
		"absent":              {nil, "its audience is"},
		"empty":               {[]string{}, "its audience is"},
		"also somebody's":     {[]string{"vecgate", "other-app"}, `names "other-app" besides this gateway`},
		"prefix":              {"vecgate/", "its audience is"},
		"other case":          {"VECGATE", "its audience is"},
		"a number":            {7, "aud is neither"},
		"a list with numbers": {[]any{"vecgate", 7}, "aud holds something other"},
		"an object":           {map[string]any{"vecgate": true}, "aud is neither"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, p, f.good(map[string]any{"aud": c.aud}), access.CodeIdentity, c.want) })
	}
}

func TestIssuerIsComparedByteForByte(t *testing.T) {
	f := newForge(t)
	p := f.provider(nil)
	for _, iss := range []any{f.server.URL + "/", strings.ToUpper(f.server.URL), "https://evil.example.com", nil, 7, []string{f.server.URL}} {
		refused(t, p, f.good(map[string]any{"iss": iss}), access.CodeIdentity, "issuer ")
	}
}

func TestDiscoveryMustNameTheSameIssuer(t *testing.T) {
	f := newForge(t)
	f.metadata["issuer"] = f.server.URL + "/"
	refused(t, f.provider(nil), f.good(nil), access.CodeIdentity, "the provider's keys cannot be fetched")
}

func TestTimesAreChecked(t *testing.T) {
	f := newForge(t)
	now := f.now.Unix()
	p := f.provider(func(c *Config) { c.MaxLifetime = 2 * time.Hour })
	for name, c := range map[string]map[string]any{
		"expired within skew":  {"exp": now - 59, "iat": now - 600},
		"issued within skew":   {"iat": now + 59, "exp": now + 600},
		"valid soon":           {"nbf": now + 59},
		"fractions of seconds": {"iat": float64(now) + 0.25, "exp": float64(now) + 60.75},
	} {
		t.Run(name, func(t *testing.T) { accepted(t, p, f.good(c)) })
	}
	for name, c := range map[string]struct {
		claims map[string]any
		code   access.Code
		want   string
	}{
		"expired":           {map[string]any{"exp": now - 60, "iat": now - 600}, access.CodeExpired, "it expired at 2026-09-21T"},
		"never expires":     {map[string]any{"exp": nil}, access.CodeIdentity, "it has no expiry"},
		"issued when?":      {map[string]any{"iat": nil}, access.CodeIdentity, "it does not say when it was issued"},
		"from the future":   {map[string]any{"iat": now + 61}, access.CodeIdentity, "it was issued in the future"},
		"not yet":           {map[string]any{"nbf": now + 61}, access.CodeIdentity, "it is not valid before"},
		"lives too long":    {map[string]any{"exp": now + 7201}, access.CodeIdentity, "it lives 2h0m1s, and the longest allowed is 2h0m0s"},
		"ends before start": {map[string]any{"iat": now + 30, "exp": now + 10}, access.CodeIdentity, "it expires before it was issued"},
		"exp is a string":   {map[string]any{"exp": fmt.Sprint(now + 600)}, access.CodeIdentity, "exp is not a number"},
		"exp is absurd":     {map[string]any{"exp": 1e300}, access.CodeIdentity, "exp is not a date"},
		"exp is negative":   {map[string]any{"exp": -1}, access.CodeIdentity, "exp is not a date"},
		"nbf is a list":     {map[string]any{"nbf": []int{1}}, access.CodeIdentity, "nbf is not a number"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, p, f.good(c.claims), c.code, c.want) })
	}
}

func TestTypeMustBeIDTokenOrAccessToken(t *testing.T) {
	f := newForge(t)
	p := f.provider(nil)
	for _, typ := range []string{"JWT", "jwt", "at+jwt", "application/at+jwt", "AT+JWT"} {
		accepted(t, p, sign(t, jose.ES256, ec256, map[string]any{"kid": "ec", "typ": typ}, f.claims(nil)))
	}
	for _, typ := range []string{"logout+jwt", "secevent+jwt", "dpop+jwt", "token-introspection+jwt", ""} {
		if typ != "" {
			refused(t, p, sign(t, jose.ES256, ec256, map[string]any{"kid": "ec", "typ": typ}, f.claims(nil)), access.CodeIdentity, "its type ")
		}
	}
}

func TestShapesThatAreNoTokenAreRefused(t *testing.T) {
	f := newForge(t)
	p := f.provider(nil)
	good := f.good(nil)
	parts := strings.Split(good, ".")
	for name, c := range map[string]struct{ token, want string }{
		"empty":              {"", "not three parts"},
		"a password":         {"hunter2", "not three parts"},
		"many dots":          {strings.Repeat(".", 16000), "not three parts"},
		"huge":               {strings.Repeat("a", 1<<24), "longer than 16384 bytes"},
		"huge and dotted":    {good + strings.Repeat(".", 1<<20), "longer than 16384 bytes"},
		"four parts":         {good + ".x", "not three parts"},
		"five parts (JWE)":   {"a.b.c.d.e", "not three parts"},
		"padding":            {good + "=", "not three parts"},
		"line break":         {good + "\n", "not three parts"},
		"space before":       {" " + good, "not three parts"},
		"standard base64":    {parts[0] + "." + parts[1] + ".+/+/", "not three parts"},
		"detached":           {parts[0] + ".." + parts[2], "not three parts"},
		"JSON serialization": {`{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, "not three parts"},
		"duplicate claim":    {raw(`{"alg":"ES256","kid":"ec"}`, `{"sub":"alice","sub":"root"}`, "x"), "its payload"},
		"nested duplicate":   {raw(`{"alg":"ES256","kid":"ec"}`, `{"a":{"b":1,"b":2}}`, "x"), "its payload"},
		"deep":               {raw(`{"alg":"ES256","kid":"ec"}`, `{"a":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)+`}`, "x"), "its payload"},
		"payload not JSON":   {raw(`{"alg":"ES256","kid":"ec"}`, `hello`, "x"), "its payload"},
		"payload no object":  {raw(`{"alg":"ES256","kid":"ec"}`, `["iss"]`, "x"), "its payload"},
		"not UTF-8":          {raw(`{"alg":"ES256","kid":"ec"}`, "{\"sub\":\"\xff\"}", "x"), "its payload"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, p, c.token, access.CodeIdentity, c.want) })
	}
}

func TestChangedByteBreaksTheSignature(t *testing.T) {
	f := newForge(t)
	p := f.provider(nil)
	good := f.good(nil)
	parts := strings.Split(good, ".")
	payload := must(base64.RawURLEncoding.DecodeString(parts[1]))
	changed := strings.Replace(string(payload), `"alice"`, `"admin"`, 1)
	refused(t, p, parts[0]+"."+base64.RawURLEncoding.EncodeToString([]byte(changed))+"."+parts[2], access.CodeIdentity, "its signature is wrong")
	refused(t, p, sign(t, jose.ES256, other, map[string]any{"kid": "ec"}, f.claims(nil)), access.CodeIdentity, "its signature is wrong")
}

func TestNonceAndAudienceOfASignInAreChecked(t *testing.T) {
	f := newForge(t)
	p := f.provider(nil)
	token := f.good(map[string]any{"nonce": "n-1", "aud": "console"})
	if _, err := p.Verify(context.Background(), token, Expect{Nonce: "n-1", Audience: "console"}); err != nil {
		t.Error(err)
	}
	for _, e := range []Expect{{Nonce: "n-2", Audience: "console"}, {Nonce: "n-1", Audience: "vecgate"}, {Nonce: "n-1"}} {
		if _, err := p.Verify(context.Background(), token, e); err == nil {
			t.Errorf("accepted although %+v was expected", e)
		}
	}
	if _, err := p.Verify(context.Background(), f.good(nil), Expect{Nonce: "n-1"}); err == nil {
		t.Error("a token without a nonce answered a sign-in")
	}
}

func TestRequiredClaims(t *testing.T) {
	f := newForge(t)
	p := f.provider(func(c *Config) {
		c.Require = map[string][]string{"event": {"push", "schedule"}, "verified": {"true"}, "realm.level": {"2"}}
	})
	fine := map[string]any{"event": "push", "verified": true, "realm": map[string]any{"level": 2}}
	accepted(t, p, f.good(fine))
	for name, change := range map[string]map[string]any{
		"another value": {"event": "pull_request"}, "absent": {"event": nil}, "false": {"verified": false}, "list": {"event": []string{"push"}},
		"planted beside": {"realm.level": 2}, "null": {"realm": map[string]any{"level": nil}},
	} {
		claims := map[string]any{"event": "push", "verified": true, "realm": map[string]any{"level": 2}}
		for k, v := range change {
			claims[k] = v
		}
		t.Run(name, func(t *testing.T) { refused(t, p, f.good(claims), access.CodeIdentity, "claim ") })
	}
}

func TestMissingClaimLeavesNobody(t *testing.T) {
	f := newForge(t)
	p := f.provider(func(c *Config) { c.ID, c.Instance, c.Owner = "{org}/{repo}", "{run}", "corp:{owner}" })
	fine := func() map[string]any { return map[string]any{"org": "1", "repo": 2, "run": "7", "owner": "alice"} }
	if s := accepted(t, p, f.good(fine())); s.ID != "corp:1/2" || s.Instance != "7" || s.Owner != "corp:alice" {
		t.Errorf("subject %+v", s)
	}
	for _, name := range []string{"org", "repo", "run", "owner"} {
		for _, v := range []any{nil, "", true, 1.5, []string{"x"}, map[string]any{}, strings.Repeat("x", 513), "a\u200bb"} {
			claims := fine()
			claims[name] = v
			refused(t, p, f.good(claims), access.CodeIdentity, "claim "+name)
		}
	}
}

func TestGroupsOfOddShapeAreRefused(t *testing.T) {
	f := newForge(t)
	p := f.provider(nil)
	many := make([]string, 1001)
	for i := range many {
		many[i] = fmt.Sprint("g", i)
	}
	for name, groups := range map[string]any{
		"number": 7, "object": map[string]any{"a": 1}, "list with numbers": []any{"a", 7}, "empty name": []string{""}, "control": []string{"a\nb"},
		"too many": many, "too long": []string{strings.Repeat("g", 257)}, "hidden": []string{"Vector\u200b-Read"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, p, f.good(map[string]any{"groups": groups}), access.CodeIdentity, "claim groups")
		})
	}
	// A provider that leaves the list out because it is long (distributed claims) would let rules that deny by group pass.
	refused(t, p, f.good(map[string]any{"groups": nil, "_claim_names": map[string]any{"groups": "src1"}}), access.CodeIdentity, "left claim groups out")
	if s := accepted(t, p, f.good(map[string]any{"groups": nil})); s.Groups != nil {
		t.Errorf("groups %v from nowhere", s.Groups)
	}
	if s := accepted(t, p, f.good(map[string]any{"groups": "Vector-Read Vector-Write"})); len(s.Groups) != 2 {
		t.Errorf("groups %v of a string between spaces", s.Groups)
	}
}

// A provider that somebody else runs says who its people are, and not that they approve.
func TestAProviderGivesNoGroupsButItsOwn(t *testing.T) {
	f := newForge(t)
	p := f.provider(func(c *Config) { c.OnlyGroups = []string{"Partners", "Vector-Read"} })
	s := accepted(t, p, f.good(map[string]any{"groups": []string{"Vector-Approve", "Vector-Read", "vector-read", "Partners ", "Operators"}}))
	if want := []string{"Vector-Read"}; !slices.Equal(s.Groups, want) {
		t.Errorf("groups %q, want %q", s.Groups, want)
	}
	if s := accepted(t, p, f.good(map[string]any{"groups": "Vector-Approve Partners"})); !slices.Equal(s.Groups, []string{"Partners"}) {
		t.Errorf("groups %q of a string", s.Groups)
	}
}

func TestCredentialNamesTheTokenAndNeverTellsIt(t *testing.T) {
	f := newForge(t)
	p := f.provider(nil)
	if s := accepted(t, p, f.good(nil)); s.Credential != "jti:id-1" {
		t.Errorf("credential %q", s.Credential)
	}
	for _, jti := range []any{nil, "", 7, "a b", "a\nb", strings.Repeat("x", 101)} {
		token := f.good(map[string]any{"jti": jti})
		s := accepted(t, p, token)
		if !strings.HasPrefix(s.Credential, "sha256:") || strings.Contains(token, s.Credential) {
			t.Errorf("credential %q for jti %v", s.Credential, jti)
		}
	}
}

func TestConfigurationFaultsAreReportedAtOnce(t *testing.T) {
	_, err := New(Config{
		Name: "Corp:1", Issuer: "http://idp.example.com", Algorithms: []string{"HS256", "none"}, Kind: "robot", ID: "fixed",
		Instance: "{a}{b}", Owner: "{", Display: "{}", Require: map[string][]string{"x": nil}, MaxLifetime: 1000 * time.Hour,
	}, time.Now)
	if err == nil {
		t.Fatal("a configuration full of faults was accepted")
	}
	for _, want := range []string{
		`name: "Corp:1"`, "issuer: ", "audiences: at least one", `algorithms: "HS256"`, `algorithms: "none"`, `kind: "robot"`,
		`id: "fixed" uses no claim`, "instance: ", "owner: ", "display: ", "require: x lists no value", "max_lifetime: ",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("faults do not mention %q:\n%v", want, err)
		}
	}
}
