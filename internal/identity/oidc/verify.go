package oidc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/identity/claim"
	"github.com/vecgate/vecgate/internal/identity/jwt"
)

// Skew is how far clocks may differ.
const Skew = time.Minute

// Expect is what a caller knows about the one token it asked for itself.
type Expect struct {
	Nonce    string // of the sign-in that the token must answer
	Audience string // the one audience to accept, instead of the configured ones
}

// Verify checks a token of this provider and says who shows it. Errors are *access.Refusal and never hold the token.
// Person and Owner are not resolved here, except that Owner carries what the owner template says.
func (p *Provider) Verify(ctx context.Context, raw string, expect Expect) (*access.Subject, error) {
	t, err := jwt.Parse(raw)
	if err != nil {
		return nil, Malformed(err)
	}
	// 1. Whose token, and of which kind.
	if t.Claims.Text("iss") != p.Issuer {
		return nil, p.refuse("issuer %q is not %q", cut(t.Claims.Text("iss")), p.Issuer)
	}
	if !slices.Contains(p.algorithms, jose.SignatureAlgorithm(t.Algorithm)) {
		return nil, p.refuse("it is signed with %s, and this provider may use %v only", t.Algorithm, p.algorithms)
	}
	if t.Type != "" && t.Type != "jwt" && t.Type != "at+jwt" {
		return nil, p.refuse("its type %q is neither an ID token nor an access token", cut(t.Type))
	}
	// 2. The signature. Nothing above is believed until this has passed; nothing below is said before it.
	if err := p.checkSignature(ctx, t); err != nil {
		return nil, err
	}
	// 3. For whom, and when.
	if err := p.checkAudience(t, expect); err != nil {
		return nil, err
	}
	expires, err := p.checkTimes(t)
	if err != nil {
		return nil, err
	}
	if expect.Nonce != "" && t.Claims.Text("nonce") != expect.Nonce {
		return nil, p.refuse("it answers another sign-in (nonce)")
	}
	if err := p.checkRequired(t); err != nil {
		return nil, err
	}
	// 4. Who.
	return p.subject(raw, t, expires)
}

// Metadata returns what discovery says about the provider.
func (p *Provider) Metadata(ctx context.Context) (*Metadata, error) { return p.keys.about(ctx) }

func (p *Provider) checkSignature(ctx context.Context, t *jwt.Token) error {
	found, err := p.keys.find(ctx, t.KeyID, t.Algorithm)
	if err != nil {
		r := p.refuse("its signing key is not among those that the provider publishes")
		if errors.Is(err, errUnreachable) {
			r = p.refuse("the provider's keys cannot be fetched")
			r.Hint = "try again in a moment; the operator's log has the details"
		}
		r.Err = fmt.Errorf("keys of %s: %w", p.Name, err)
		return r
	}
	for i := range found {
		if t.Verify(&found[i]) == nil {
			return nil
		}
	}
	return p.refuse("its signature is wrong")
}

func (p *Provider) checkAudience(t *jwt.Token, expect Expect) error {
	audience, err := t.Claims.Audience()
	if err != nil {
		return p.refuse("%v", err)
	}
	accepted := p.Audiences
	if p.ClientID != "" {
		accepted = append(slices.Clone(p.Audiences), p.ClientID)
	}
	if expect.Audience != "" {
		accepted = []string{expect.Audience}
	}
	foreign := slices.DeleteFunc(slices.Clone(audience), func(a string) bool { return slices.Contains(accepted, a) })
	if len(audience) > 0 && len(foreign) == 0 {
		return nil
	}
	// A token that is also meant for somebody else may have been passed on by somebody else.
	r := p.refuse("its audience is %q and must be one of %q", cut(strings.Join(audience, " ")), accepted)
	if len(foreign) < len(audience) {
		r = p.refuse("its audience names %q besides this gateway", cut(strings.Join(foreign, " ")))
	}
	r.Hint = fmt.Sprintf("ask the provider for a token with the audience %q", accepted[0])
	return r
}

func (p *Provider) checkTimes(t *jwt.Token) (time.Time, error) {
	var at [3]time.Time
	for i, name := range []string{"exp", "iat", "nbf"} {
		var err error
		if at[i], err = t.Claims.Time(name); err != nil {
			return time.Time{}, p.refuse("%v", err)
		}
	}
	now, exp, iat, nbf := p.now(), at[0], at[1], at[2]
	stamp := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	switch {
	case exp.IsZero():
		return exp, p.refuse("it has no expiry (exp)")
	case iat.IsZero():
		return exp, p.refuse("it does not say when it was issued (iat)")
	case !now.Before(exp.Add(Skew)):
		r := p.refuse("it expired at %s", stamp(exp))
		r.Code, r.Hint = access.CodeExpired, "sign in again: vecgate login"
		if p.Kind == access.Workload {
			r.Hint = "ask the provider for a new token"
		}
		return exp, r
	case iat.After(now.Add(Skew)):
		return exp, p.refuse("it was issued in the future, at %s", stamp(iat))
	case nbf.After(now.Add(Skew)):
		return exp, p.refuse("it is not valid before %s", stamp(nbf))
	case !exp.After(iat):
		return exp, p.refuse("it expires before it was issued")
	case exp.Sub(iat) > p.MaxLifetime:
		r := p.refuse("it lives %s, and the longest allowed is %s", exp.Sub(iat), p.MaxLifetime)
		r.Hint = "ask the provider for a token that expires sooner"
		return exp, r
	}
	return exp, nil
}

func (p *Provider) checkRequired(t *jwt.Token) error {
	for _, path := range slices.Sorted(maps.Keys(p.Require)) {
		v, err := claim.Lookup(t.Claims, path)
		if err != nil {
			return p.refuse("%v, and must be one of %q", err, p.Require[path])
		}
		word, ok := claim.Word(v)
		if !ok || !slices.Contains(p.Require[path], word) {
			return p.refuse("claim %s is %q and must be one of %q", path, cut(word), p.Require[path])
		}
	}
	return nil
}

func (p *Provider) subject(raw string, t *jwt.Token, expires time.Time) (*access.Subject, error) {
	id, err := p.id.Expand(t.Claims)
	if err != nil {
		return nil, p.refuse("%v, and the subject is named by %s", err, p.id)
	}
	s := &access.Subject{
		ID: p.Name + ":" + id, Kind: p.Kind, Provider: p.Name, Claims: t.Claims, Expires: expires, Credential: Credential(raw, t.Claims),
		Method: "token",
	}
	if p.instance != nil {
		if s.Instance, err = p.instance.Expand(t.Claims); err != nil {
			return nil, p.refuse("%v, and the run is named by %s", err, p.instance)
		}
	}
	if p.owner != nil {
		if s.Owner, err = p.owner.Expand(t.Claims); err != nil {
			return nil, p.refuse("%v, and the owner is named by %s", err, p.owner)
		}
	}
	if p.display != nil {
		s.Name = p.display.Plain(t.Claims)
	}
	if p.Groups != "" {
		if s.Groups, err = claim.Groups(t.Claims, p.Groups); err != nil {
			return nil, p.refuse("%v", err)
		}
		if len(p.OnlyGroups) > 0 {
			s.Groups = slices.DeleteFunc(s.Groups, func(g string) bool { return !slices.Contains(p.OnlyGroups, g) })
		}
	}
	return s, nil
}

func (p *Provider) refuse(format string, args ...any) *access.Refusal {
	return &access.Refusal{Code: access.CodeIdentity, Message: fmt.Sprintf("token of "+p.Name+" not accepted: "+format, args...)}
}

// Malformed is the refusal of something that is no token.
func Malformed(err error) *access.Refusal {
	return &access.Refusal{
		Code: access.CodeIdentity, Message: "what was shown is not a token that this gateway reads: " + err.Error(),
		Hint: "vecgate token prints one; it stands where the client puts its password or its API key", Err: err,
	}
}

// Credential names a token without telling it: its jti when that is fit to print, a digest otherwise.
func Credential(raw string, claims jwt.Claims) string {
	jti := claims.Text("jti")
	fit := jti != "" && len(jti) <= 100 && !strings.ContainsFunc(jti, func(r rune) bool { return r <= ' ' || r > '~' })
	if fit {
		return "jti:" + jti
	}
	sum := sha256.Sum256([]byte(raw))
	return "sha256:" + hex.EncodeToString(sum[:16])
}

// Inherit takes over the keys of the same issuer as an older configuration knew it, if it is the same.
func (p *Provider) Inherit(old *Provider) {
	if old.Issuer == p.Issuer && old.HTTP == p.HTTP {
		p.keys = old.keys
	}
}
