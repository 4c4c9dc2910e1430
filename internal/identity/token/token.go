// Package token makes and reads the gateway's own tokens: short-lived ES256 JWTs (RFC 9068) that say who a subject was
// when it was verified, and that may narrow what the subject can do with them: scopes, targets, a ticket.
//
// It refuses to know providers, persons and HTTP. Start at Minter.Mint and Minter.Verify.
package token

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/identity/jwt"
)

// Lifetimes when the configuration says nothing.
const (
	DefaultLifetime    = 15 * time.Minute
	DefaultMaxLifetime = time.Hour
)

// Revocations says which tokens were ended before their time.
type Revocations interface {
	RevokeToken(ctx context.Context, jti string, until time.Time) error
	TokenRevoked(ctx context.Context, jti string) (bool, error)
}

// Options of a Minter.
type Options struct {
	Issuer      string // the gateway's URL; also the audience of its tokens
	Dir         string // where the signing keys are kept
	Lifetime    time.Duration
	MaxLifetime time.Duration
	Revocations Revocations
	Now         func() time.Time
}

// Minter makes and reads tokens of one gateway.
type Minter struct {
	Options
	keys *keyring
}

// Open reads the signing keys, or makes the first.
func Open(o Options) (*Minter, error) {
	if o.MaxLifetime == 0 {
		o.MaxLifetime = DefaultMaxLifetime
	}
	if o.Lifetime == 0 {
		o.Lifetime = min(DefaultLifetime, o.MaxLifetime)
	}
	if o.Lifetime < 0 || o.Lifetime > o.MaxLifetime || o.MaxLifetime > maxLifetime {
		return nil, fmt.Errorf("tokens: lifetime %s must not exceed max_lifetime %s, which must not exceed 24h", o.Lifetime, o.MaxLifetime)
	}
	keys, err := openKeyring(o.Dir, o.MaxLifetime+2*skew, o.Now)
	if err != nil {
		return nil, err
	}
	return &Minter{Options: o, keys: keys}, nil
}

const (
	skew        = time.Minute
	maxLifetime = 24 * time.Hour // whatever the configuration says
	idSize      = 16
)

// Ask is what a token should be good for. The zero value asks for everything that the subject may, for the default time.
type Ask struct {
	Lifetime time.Duration
	Scopes   []string
	Targets  []string
	Ticket   string
	Actor    *access.Subject // who asks on the subject's behalf
}

// Limits of an Ask.
const (
	maxListed  = 20
	maxParents = 8
)

var (
	scopeShape  = regexp.MustCompile(`^[a-z][a-z0-9_.-]{0,63}$`)
	targetShape = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)
	ticketShape = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:/#-]{0,127}$`)
)

// Narrow returns the subject as a token for ask would present it. It can only lose by that: scopes and targets that the
// subject's own credential does not have are refused, and so is living longer than a credential of this gateway.
func (m *Minter) Narrow(s *access.Subject, ask Ask) (*access.Subject, error) {
	now := m.Now()
	out := *s
	for _, scope := range ask.Scopes {
		if !scopeShape.MatchString(scope) {
			return nil, decline("scope %q is not a word", cut(scope))
		}
		if len(s.Scopes) > 0 && !slices.Contains(s.Scopes, scope) {
			return nil, decline("scope %q is not among the scopes of the credential: %s", scope, strings.Join(s.Scopes, " "))
		}
	}
	for _, target := range ask.Targets {
		if !targetShape.MatchString(target) {
			return nil, decline("target %q is not a name", cut(target))
		}
		if !s.MayReach(target) {
			return nil, decline("target %q is not among the targets of the credential: %s", target, strings.Join(s.Targets, " "))
		}
	}
	if len(ask.Scopes) > maxListed || len(ask.Targets) > maxListed {
		return nil, decline("more than %d scopes or targets", maxListed)
	}
	if ask.Ticket != "" && !ticketShape.MatchString(ask.Ticket) {
		return nil, decline("ticket %q is not the name of a change ticket", cut(ask.Ticket))
	}
	if len(ask.Scopes) > 0 {
		out.Scopes = ask.Scopes
	}
	if len(ask.Targets) > 0 {
		out.Targets = ask.Targets
	}
	if ask.Ticket != "" {
		out.Ticket = ask.Ticket
	}
	lifetime := ask.Lifetime
	if lifetime == 0 {
		lifetime = m.Lifetime
	}
	if lifetime < time.Second || lifetime > m.MaxLifetime {
		return nil, decline("a lifetime of %s is not between 1s and %s", lifetime, m.MaxLifetime)
	}
	out.Expires = now.Add(lifetime).Truncate(time.Second)
	// A token of the gateway cannot renew itself: whoever found one would have it for ever.
	if Own(s) && out.Expires.After(s.Expires) {
		out.Expires = s.Expires
	}
	// And it does not outlive the revocation of what it was made of.
	out.Parents = slices.Clip(s.Parents)
	for _, from := range []*access.Subject{s, ask.Actor} {
		if from == nil || !Own(from) {
			continue
		}
		if from != s {
			out.Parents = append(out.Parents, from.Parents...)
		}
		out.Parents = append(out.Parents, from.Credential)
	}
	if len(out.Parents) > maxParents {
		return nil, decline("it would be made of more than %d others: sign in again", maxParents)
	}
	if ask.Actor != nil {
		if s.Actor != nil {
			return nil, decline("the credential already has somebody acting on its behalf")
		}
		out.Actor = ask.Actor
		if out.Expires.After(ask.Actor.Expires) && !ask.Actor.Expires.IsZero() && Own(ask.Actor) {
			out.Expires = ask.Actor.Expires
		}
	}
	return &out, nil
}

// Own reports whether a subject was verified by a credential of the gateway.
func Own(s *access.Subject) bool {
	return strings.HasPrefix(s.Credential, ownPrefix) || strings.HasPrefix(s.Credential, "vg_")
}

const ownPrefix = "vg:"

// body is what a token says.
type body struct {
	Issuer   string          `json:"iss"`
	Audience string          `json:"aud"`
	Subject  string          `json:"sub"`
	Issued   int64           `json:"iat"`
	Expires  int64           `json:"exp"`
	ID       string          `json:"jti"`
	Client   string          `json:"client_id"` // required by RFC 9068; the provider that vouched for the subject
	Kind     access.Kind     `json:"kind"`
	Name     string          `json:"name,omitempty"`
	Groups   []string        `json:"groups,omitempty"`
	Person   string          `json:"person,omitempty"`
	Owner    string          `json:"owner,omitempty"`
	Account  string          `json:"owner_account,omitempty"`
	Instance string          `json:"instance,omitempty"`
	Scope    string          `json:"scope,omitempty"`
	Targets  []string        `json:"targets,omitempty"`
	Ticket   string          `json:"ticket,omitempty"`
	Actor    *actor          `json:"act,omitempty"`
	Source   string          `json:"source,omitempty"` // the credential that was exchanged for this one
	Parents  []string        `json:"parents,omitempty"`
	Claims   json.RawMessage `json:"claims,omitempty"`
}

// actor is RFC 8693 section 4.1, with what is needed to count persons.
type actor struct {
	Subject  string      `json:"sub"`
	Kind     access.Kind `json:"kind"`
	Provider string      `json:"provider"`
	Name     string      `json:"name,omitempty"`
	Person   string      `json:"person,omitempty"`
	Owner    string      `json:"owner,omitempty"`
	Account  string      `json:"owner_account,omitempty"`
	Instance string      `json:"instance,omitempty"`
}

// spent are claims of the exchanged token that say nothing about the subject.
var spent = []string{"iss", "aud", "exp", "iat", "nbf", "jti", "nonce", "at_hash", "c_hash", "s_hash", "azp", "sid"}

// Mint makes a token for a subject that was verified just now.
func (m *Minter) Mint(s *access.Subject, ask Ask) (raw string, as *access.Subject, err error) {
	if as, err = m.Narrow(s, ask); err != nil {
		return "", nil, err
	}
	key, err := m.keys.signing()
	if err != nil {
		return "", nil, err
	}
	id := make([]byte, idSize)
	_, _ = rand.Read(id) // never fails, see crypto/rand
	b := body{
		Issuer: m.Issuer, Audience: m.Issuer, Subject: as.ID, Issued: m.Now().Unix(), Expires: as.Expires.Unix(),
		ID: hex.EncodeToString(id), Client: as.Provider, Kind: as.Kind, Name: as.Name, Groups: as.Groups, Person: as.Person,
		Owner: as.Owner, Account: as.OwnerAccount, Instance: as.Instance, Scope: strings.Join(as.Scopes, " "), Targets: as.Targets, Ticket: as.Ticket,
		Source: s.Credential, Parents: as.Parents,
	}
	if a := as.Actor; a != nil {
		b.Actor = &actor{a.ID, a.Kind, a.Provider, a.Name, a.Person, a.Owner, a.OwnerAccount, a.Instance}
	}
	kept := make(map[string]any, len(as.Claims))
	for name, v := range as.Claims {
		if !slices.Contains(spent, name) {
			kept[name] = v
		}
	}
	if len(kept) > 0 {
		if b.Claims, err = json.Marshal(kept); err != nil {
			return "", nil, fmt.Errorf("encode claims of %s: %w", as.ID, err)
		}
	}
	payload, err := json.Marshal(b)
	if err != nil {
		return "", nil, fmt.Errorf("encode token for %s: %w", as.ID, err)
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key.private, KeyID: key.id}},
		(&jose.SignerOptions{}).WithType("at+jwt"))
	if err != nil {
		return "", nil, fmt.Errorf("sign token for %s: %w", as.ID, err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", nil, fmt.Errorf("sign token for %s: %w", as.ID, err)
	}
	if raw, err = signed.CompactSerialize(); err != nil {
		return "", nil, fmt.Errorf("sign token for %s: %w", as.ID, err)
	}
	if len(raw) > jwt.MaxSize {
		return "", nil, decline("the token would be longer than %d bytes: the provider sends too many claims or groups", jwt.MaxSize)
	}
	as.Credential = ownPrefix + b.ID
	return raw, as, nil
}

// Verify reads a token of this gateway. Errors for the client are *access.Refusal.
func (m *Minter) Verify(ctx context.Context, raw string) (*access.Subject, error) {
	t, err := jwt.Parse(raw)
	if err != nil {
		return nil, refuse("it cannot be read: %v", err)
	}
	key, known := m.keys.verifying(t.KeyID)
	if !known || t.Algorithm != string(jose.ES256) || t.Verify(key) != nil {
		return nil, refuse("its signature is not by a key of this gateway")
	}
	payload, err := json.Marshal(t.Claims)
	if err != nil {
		return nil, fmt.Errorf("read token: %w", err)
	}
	var b body
	if err := json.Unmarshal(payload, &b); err != nil || b.Issuer != m.Issuer || b.Audience != m.Issuer || t.Type != "at+jwt" || b.ID == "" || b.Subject == "" {
		return nil, refuse("it was made for something else")
	}
	now, expires := m.Now(), time.Unix(b.Expires, 0)
	if !now.Before(expires) {
		r := refuse("it expired at %s", expires.UTC().Format(time.RFC3339))
		r.Code, r.Hint = access.CodeExpired, "make a new one: vecgate token"
		return nil, r
	}
	if time.Unix(b.Issued, 0).After(now.Add(skew)) {
		return nil, refuse("it was issued in the future")
	}
	if err := m.standing(ctx, append([]string{ownPrefix + b.ID}, b.Parents...)); err != nil {
		return nil, err
	}
	s := &access.Subject{
		ID: b.Subject, Name: b.Name, Kind: b.Kind, Provider: b.Client, Groups: b.Groups, Person: b.Person, Owner: b.Owner, OwnerAccount: b.Account,
		Instance: b.Instance, Credential: ownPrefix + b.ID, Method: "token", Scopes: strings.Fields(b.Scope), Targets: b.Targets,
		Ticket: b.Ticket, Expires: expires, Parents: b.Parents,
	}
	if len(s.Scopes) == 0 {
		s.Scopes = nil
	}
	if a := b.Actor; a != nil {
		s.Actor = &access.Subject{ID: a.Subject, Kind: a.Kind, Provider: a.Provider, Name: a.Name, Person: a.Person, Owner: a.Owner, OwnerAccount: a.Account, Instance: a.Instance}
	}
	if claims, ok := t.Claims["claims"].(map[string]any); ok {
		s.Claims = claims
	}
	return s, nil
}

// Standing refuses a subject whose credential, or what it was made of, has been revoked since.
func (m *Minter) Standing(ctx context.Context, s *access.Subject) error {
	if err := m.standing(ctx, s.Parents); err != nil || !strings.HasPrefix(s.Credential, ownPrefix) {
		return err
	}
	return m.standing(ctx, []string{s.Credential})
}

func (m *Minter) standing(ctx context.Context, credentials []string) error {
	for _, c := range credentials {
		revoked, err := m.Revocations.TokenRevoked(ctx, strings.TrimPrefix(c, ownPrefix))
		if err != nil {
			return fmt.Errorf("look up revoked tokens: %w", err)
		}
		if revoked {
			r := refuse("it was revoked, or what it was made of")
			r.Code, r.Hint = access.CodeExpired, "sign in again: vecgate login"
			return r
		}
	}
	return nil
}

// Revoke ends a token of this gateway before its time, and says which credential that was: none for what opened nothing
// anyway (RFC 7009 section 2.2). Whoever holds a token may end it.
func (m *Minter) Revoke(ctx context.Context, raw string) (credential string, err error) {
	s, err := m.Verify(ctx, raw)
	if err != nil {
		if _, no := errors.AsType[*access.Refusal](err); no {
			return "", nil
		}
		return "", err
	}
	return s.Credential, m.Revocations.RevokeToken(ctx, strings.TrimPrefix(s.Credential, ownPrefix), s.Expires.Add(skew))
}

// End ends a token by the name of its credential, on an operator's word; ok is false for what is no name of one. Which
// tokens were made is not kept, so that one that never was can be ended too.
func (m *Minter) End(ctx context.Context, credential string) (ok bool, err error) {
	jti, own := strings.CutPrefix(credential, ownPrefix)
	if b, err := hex.DecodeString(jti); !own || err != nil || len(b) != idSize || jti != strings.ToLower(jti) {
		return false, nil
	}
	// The configuration may have allowed longer lives when it was made.
	return true, m.Revocations.RevokeToken(ctx, jti, m.Now().Add(maxLifetime+skew))
}

// JWKS is the public keys, for whoever wants to check a token of the gateway.
func (m *Minter) JWKS() jose.JSONWebKeySet { return m.keys.public() }

// DecoyKey is a secret that outlives the process, for what must look the same after a restart.
func (m *Minter) DecoyKey() []byte { return m.keys.decoy }

func refuse(format string, args ...any) *access.Refusal {
	return &access.Refusal{Code: access.CodeIdentity, Message: "token of this gateway not accepted: " + fmt.Sprintf(format, args...)}
}

func decline(format string, args ...any) *access.Refusal {
	return &access.Refusal{Code: access.CodeIdentity, Message: "no token was made: " + fmt.Sprintf(format, args...)}
}

func cut(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
