package identity

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/identity/certificate"
	"github.com/vecgate/vecgate/internal/identity/jwt"
	"github.com/vecgate/vecgate/internal/identity/oidc"
	"github.com/vecgate/vecgate/internal/identity/secret"
	"github.com/vecgate/vecgate/internal/identity/token"
)

// Sources is who vouches for subjects, and which subjects are the same person: what a reload replaces as a whole.
type Sources struct {
	Providers    []oidc.Config
	Certificates []certificate.Config
	Persons      []Person
}

// Options of a Registry.
type Options struct {
	Sources
	URL           string        // where people reach the gateway; the issuer of its tokens
	Dir           string        // keeps the signing keys of its tokens
	TokenLifetime time.Duration // zero means 15 minutes
	TokenMax      time.Duration // zero means an hour
	// SecretsPerSubject is how many living secrets may stand for one subject; zero means secret.DefaultPerSubject.
	SecretsPerSubject int
	Store             Store
	HTTP              *http.Client // carries requests to providers; nil means a plain one with a timeout
	Log               *slog.Logger
	Now               func() time.Time
}

// Registry knows everybody who may show a credential. It is safe for concurrent use.
type Registry struct {
	// CutOff is told of every suspension, to end what is live. It may be nil.
	CutOff func(Suspension)
	// Ended is told of every credential that was revoked, as Subject.Credential names it, to end what is live. It may be
	// nil.
	Ended func(credential string)
	// Revoked is told of every credential that its holder ended, to write it down. It may be nil.
	Revoked func(ctx context.Context, credential, client string)
	// SignedIn and Refused are told how every exchange of a token ended, to write it down; what SignedIn returns as an
	// error refuses the exchange. Either may be nil.
	SignedIn func(ctx context.Context, s *access.Subject, client string) error
	Refused  func(ctx context.Context, refusal *access.Refusal, client string)

	url     string
	tokens  *token.Minter
	secrets *secret.Secrets
	store   Store
	http    *http.Client
	log     *slog.Logger
	now     func() time.Time
	live    atomic.Pointer[sources]
}

// sources is Sources, compiled. It never changes.
type sources struct {
	providers    []*oidc.Provider
	certificates []*certificate.Authority
	persons      *Persons
}

// New checks everything and reads or makes the signing keys. It connects to nothing.
func New(o Options) (*Registry, error) {
	r := &Registry{url: strings.TrimSuffix(o.URL, "/"), store: o.Store, http: o.HTTP, log: o.Log, now: o.Now}
	s, err := r.compile(o.Sources)
	if err != nil {
		return nil, err
	}
	r.live.Store(s)
	r.tokens, err = token.Open(token.Options{
		Issuer: r.url, Dir: o.Dir, Lifetime: o.TokenLifetime, MaxLifetime: o.TokenMax, Revocations: o.Store, Now: o.Now,
	})
	if err != nil {
		return nil, err
	}
	r.secrets = secret.New(o.Store, r.tokens.DecoyKey(), o.Now)
	r.secrets.PerSubject = o.SecretsPerSubject
	return r, nil
}

// Check reports every fault of a configuration without using it.
func Check(s Sources) error {
	_, err := (&Registry{now: time.Now}).compile(s)
	return err
}

// Reload replaces the sources, as a whole or not at all. Providers that did not change keep their keys.
func (r *Registry) Reload(s Sources) error {
	next, err := r.compile(s)
	if err != nil {
		return err
	}
	r.live.Store(next)
	return nil
}

func (r *Registry) compile(in Sources) (*sources, error) {
	var faults []error
	out := &sources{}
	names := make(map[string]bool)
	named := func(at, name string) {
		if names[name] {
			faults = append(faults, fmt.Errorf("%s.name: %q is listed twice", at, name))
		}
		names[name] = true
	}
	for i, c := range in.Providers {
		at := fmt.Sprintf("providers[%d]", i)
		named(at, c.Name)
		if c.HTTP == nil {
			c.HTTP = r.http
		}
		p, err := oidc.New(c, r.now)
		if err != nil {
			faults = append(faults, prefixed(at, err)...)
			continue
		}
		if before := r.live.Load(); before != nil {
			for _, old := range before.providers {
				p.Inherit(old)
			}
		}
		out.providers = append(out.providers, p)
	}
	for i, c := range in.Certificates {
		at := fmt.Sprintf("certificates[%d]", i)
		named(at, c.Name)
		a, err := certificate.New(c, r.now)
		if err != nil {
			faults = append(faults, prefixed(at, err)...)
			continue
		}
		out.certificates = append(out.certificates, a)
	}
	var err error
	if out.persons, err = NewPersons(in.Persons); err != nil {
		faults = append(faults, err)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return out, nil
}

// prefixed puts the place before each of several joined faults.
func prefixed(at string, err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{fmt.Errorf("%s.%w", at, err)}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, fmt.Errorf("%s.%w", at, e))
	}
	return all
}

// Token says who shows a token, at the door of a target or of the gateway itself. It takes the gateway's own tokens and
// those of the configured providers. Errors for the client are *access.Refusal and never hold the token. The subject is
// the caller's alone, so that it can set Method before anybody else sees it.
func (r *Registry) Token(ctx context.Context, raw string) (*access.Subject, error) {
	return r.token(ctx, raw, true)
}

func (r *Registry) token(ctx context.Context, raw string, direct bool) (*access.Subject, error) {
	t, err := jwt.Parse(raw)
	if err != nil {
		return nil, oidc.Malformed(err)
	}
	// Who claims to have issued it only chooses who checks it.
	issuer := t.Claims.Text("iss")
	if issuer == r.url {
		s, err := r.tokens.Verify(ctx, raw)
		if err != nil {
			return nil, err
		}
		return r.again(ctx, s)
	}
	s, err := r.provider(ctx, raw, issuer, direct)
	if err != nil {
		return nil, err
	}
	return r.admit(ctx, s)
}

// provider asks the providers of an issuer. Several may share one (people and workloads of one realm): exactly one must
// accept the token, or it would depend on their order who the subject is.
func (r *Registry) provider(ctx context.Context, raw, issuer string, direct bool) (*access.Subject, error) {
	live := r.live.Load()
	var found *access.Subject
	var refusal error
	known := false
	for _, p := range live.providers {
		if p.Issuer != issuer {
			continue
		}
		known = true
		s, err := p.Verify(ctx, raw, oidc.Expect{})
		if err != nil {
			if refusal == nil {
				refusal = err
			}
			continue
		}
		if found != nil {
			return nil, &access.Refusal{
				Code: access.CodeIdentity, Message: fmt.Sprintf("token not accepted: it fits both provider %s and provider %s of this gateway", found.Provider, s.Provider),
				Hint: "the operator must make the two tell tokens apart, by audiences or by require",
			}
		}
		if direct && p.ExchangeOnly {
			refusal = &access.Refusal{
				Code: access.CodeIdentity, Message: fmt.Sprintf("tokens of %s are not accepted here", p.Name),
				Hint: "exchange it for a token of the gateway: vecgate token --id-token FILE",
			}
			continue
		}
		found = s
	}
	switch {
	case !known:
		return nil, &access.Refusal{
			Code: access.CodeIdentity, Message: fmt.Sprintf("token not accepted: this gateway does not know the issuer %q", short(issuer)),
			Hint: "issuers that it knows: " + strings.Join(live.issuers(), ", "),
		}
	case found == nil:
		return nil, refusal
	}
	if err := live.persons.resolve(found); err != nil {
		return nil, &access.Refusal{Code: access.CodeIdentity, Message: "token not accepted: its owner is not clear", Hint: "the operator's log has the details", Err: err}
	}
	return found, nil
}

func (s *sources) issuers() []string {
	var all []string
	for _, p := range s.providers {
		if !slices.Contains(all, p.Issuer) {
			all = append(all, p.Issuer)
		}
	}
	return all
}

// Certificate says who shows a client certificate, whose chain the TLS listener has verified.
func (r *Registry) Certificate(ctx context.Context, chain []*x509.Certificate) (*access.Subject, error) {
	live := r.live.Load()
	var refusal error = &access.Refusal{Code: access.CodeIdentity, Message: "client certificates are not accepted by this gateway"}
	var found *access.Subject
	for i, a := range live.certificates {
		s, err := a.Subject(chain)
		if err != nil {
			if i == 0 {
				refusal = err
			}
			continue
		}
		if found != nil {
			return nil, &access.Refusal{Code: access.CodeIdentity, Message: fmt.Sprintf("client certificate not accepted: it fits both %s and %s", found.Provider, s.Provider)}
		}
		found = s
	}
	if found == nil {
		return nil, refusal
	}
	if err := live.persons.resolve(found); err != nil {
		return nil, &access.Refusal{Code: access.CodeIdentity, Message: "client certificate not accepted: its owner is not clear", Err: err}
	}
	return r.admit(ctx, found)
}

// Secret returns the SCRAM verifier of a gateway-minted secret; unknown names get one that no password fits.
func (r *Registry) Secret(ctx context.Context, name string) (secret.Verifier, error) {
	return r.secrets.Verifier(ctx, name)
}

// SecretSubject returns who a secret stands for, once the exchange has proved that the client knows it.
func (r *Registry) SecretSubject(ctx context.Context, name string) (*access.Subject, error) {
	s, err := r.secrets.Subject(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := r.tokens.Standing(ctx, s); err != nil {
		return nil, err
	}
	return r.again(ctx, s)
}

// again admits a subject that was verified when its credential was minted: whoever vouched for it must still be
// believed, and who counts as which person is as the configuration says now.
func (r *Registry) again(ctx context.Context, s *access.Subject) (*access.Subject, error) {
	live := r.live.Load()
	for one := s; one != nil; one = one.Actor {
		if !live.knows(one.Provider) {
			return nil, &access.Refusal{
				Code: access.CodeExpired, Message: fmt.Sprintf("the credential of %s was made on the word of %s, which this gateway no longer takes", one.Display(), one.Provider),
				Hint: "sign in again: vecgate login",
			}
		}
		owner := one.Owner
		if err := live.persons.resolve(one); err != nil {
			return nil, &access.Refusal{Code: access.CodeIdentity, Message: "credential not accepted: its owner is not clear", Hint: "the operator's log has the details", Err: err}
		}
		// Who counts as nobody is not held back from approving what it started.
		if owner != "" && one.Owner == "" {
			return nil, &access.Refusal{
				Code: access.CodeExpired, Message: fmt.Sprintf("%s belonged to %s when its credential was made, and belongs to nobody now", one.Display(), owner),
				Hint: "make a new one: vecgate token",
			}
		}
	}
	return r.admit(ctx, s)
}

// Standing refuses somebody who was admitted earlier and would not be admitted now, or would count as another person:
// suspended, revoked, vouched for by a provider that is no longer believed. Any other error says nothing about them.
func (r *Registry) Standing(ctx context.Context, s *access.Subject) error {
	now := *s
	if err := r.tokens.Standing(ctx, s); err != nil {
		return err
	}
	if secret.Named(s.Credential) {
		if err := r.secrets.Living(ctx, s.Credential); err != nil {
			return err
		}
	}
	if s.Actor != nil {
		actor := *s.Actor
		now.Actor = &actor
	}
	if _, err := r.again(ctx, &now); err != nil {
		return err
	}
	for was, is := s, &now; was != nil && is != nil; was, is = was.Actor, is.Actor {
		if was.Person != is.Person || was.Owner != is.Owner {
			return &access.Refusal{
				Code: access.CodeExpired, Message: fmt.Sprintf("it was changed which person %s is", s.Display()), Hint: "sign in again: vecgate login",
			}
		}
	}
	return nil
}

func (s *sources) knows(provider string) bool {
	return slices.ContainsFunc(s.providers, func(p *oidc.Provider) bool { return p.Name == provider }) ||
		slices.ContainsFunc(s.certificates, func(a *certificate.Authority) bool { return a.Name == provider })
}

// Console verifies an ID token that the gateway's own console obtained: of that provider, for that client, answering
// that sign-in.
func (r *Registry) Console(ctx context.Context, provider, raw, audience, nonce string) (*access.Subject, error) {
	p, ok := r.Provider(provider)
	if !ok {
		return nil, fmt.Errorf("no provider %q", provider)
	}
	if audience == "" || nonce == "" {
		return nil, errors.New("an audience and a nonce are needed to verify a sign-in")
	}
	s, err := p.Verify(ctx, raw, oidc.Expect{Audience: audience, Nonce: nonce})
	if err != nil {
		return nil, err
	}
	if err := r.live.Load().persons.resolve(s); err != nil {
		return nil, &access.Refusal{Code: access.CodeIdentity, Message: "token not accepted: its owner is not clear", Err: err}
	}
	s.Method = "console"
	return r.admit(ctx, s)
}

// Provider returns a configured provider.
func (r *Registry) Provider(name string) (*oidc.Provider, bool) {
	for _, p := range r.live.Load().providers {
		if p.Name == name {
			return p, true
		}
	}
	return nil, false
}

// Persons tells which accounts are the same person.
func (r *Registry) Persons() *Persons { return r.live.Load().persons }

// Discovery is what OAUTHBEARER tells a client that has no token yet: where people sign in, and what to ask for.
func (r *Registry) Discovery() (openidConfigurationURL, scope string) {
	for _, p := range r.live.Load().providers {
		if p.Kind == access.Person {
			return oidc.WellKnown(p.Issuer), Scopes
		}
	}
	return "", ""
}

// SignIn is Discovery with the client ID that is known to the provider there; empty when it has none for the gateway's
// clients.
func (r *Registry) SignIn() (openidConfigurationURL, clientID, scope string) {
	for _, p := range r.live.Load().providers {
		if p.Kind == access.Person {
			return oidc.WellKnown(p.Issuer), p.ClientID, Scopes
		}
	}
	return "", "", ""
}

// Scopes are what is asked of a provider when a person signs in.
const Scopes = "openid profile email groups"

// admit refuses whoever is suspended. It is the last step of every way in.
func (r *Registry) admit(ctx context.Context, s *access.Subject) (*access.Subject, error) {
	all, err := r.store.Suspensions(ctx)
	if err != nil {
		return nil, fmt.Errorf("look up suspensions: %w", err)
	}
	for _, suspension := range all {
		if suspension.Covers(s) {
			return nil, Refusal(s, suspension)
		}
	}
	return s, nil
}

// Refusal is what a suspended subject is told, at the door and in the middle of a session.
func Refusal(s *access.Subject, by Suspension) *access.Refusal {
	return &access.Refusal{
		Code: access.CodeExpired, Message: fmt.Sprintf("%s was suspended at %s", s.Display(), by.At.UTC().Format(time.RFC3339)),
		Hint: "ask an operator of the gateway", Err: fmt.Errorf("%s suspended by %s: %s", by.Who, by.By, by.Reason),
	}
}

// Suspend cuts somebody off: no credential of theirs opens anything from now on, and what is live ends.
func (r *Registry) Suspend(ctx context.Context, s Suspension) error {
	if s.Who == "" {
		return errors.New("suspend: nobody is named")
	}
	if s.At.IsZero() {
		s.At = r.now()
	}
	if err := r.store.Suspend(ctx, s); err != nil {
		return fmt.Errorf("suspend %s: %w", s.Who, err)
	}
	if r.CutOff != nil {
		r.CutOff(s)
	}
	return nil
}

// ErrNoCredential is what End returns for a name that is none of the gateway's own credentials.
var ErrNoCredential = errors.New("no such credential")

// End ends one credential of the gateway by its name, as Subject.Credential and the log have it, together with what was
// made of it and with what is live: for an operator who knows that it leaked, and does not have it.
func (r *Registry) End(ctx context.Context, credential string) error {
	err := r.end(ctx, credential)
	if err == nil && r.Ended != nil {
		r.Ended(credential)
	}
	return err
}

func (r *Registry) end(ctx context.Context, credential string) error {
	if secret.Named(credential) {
		err := r.secrets.Revoke(ctx, credential)
		if errors.Is(err, secret.ErrUnknown) {
			return ErrNoCredential
		}
		return err
	}
	ok, err := r.tokens.End(ctx, credential)
	if err == nil && !ok {
		return ErrNoCredential
	}
	return err
}

// Reinstate lifts a suspension.
func (r *Registry) Reinstate(ctx context.Context, who string) error {
	if err := r.store.Reinstate(ctx, who); err != nil {
		return fmt.Errorf("reinstate %s: %w", who, err)
	}
	return nil
}

// Suspensions are those in force.
func (r *Registry) Suspensions(ctx context.Context) ([]Suspension, error) {
	return r.store.Suspensions(ctx)
}

func short(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}
