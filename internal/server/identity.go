package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/config"
	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/identity"
	"github.com/vecgate/vecgate/internal/identity/certificate"
	"github.com/vecgate/vecgate/internal/identity/oidc"
	"github.com/vecgate/vecgate/internal/protocol/postgres"
)

// carriers are the clients that reach identity providers with authorities of their own, by the text of these. A provider
// keeps its keys over a change of the configuration as long as it is reached in the same way: nobody could sign in after
// a change that is made while it is down, otherwise.
type carriers struct {
	mu sync.Mutex
	of map[string]*http.Client
}

// trusting returns the client that trusts some authorities and nobody else.
func (c *carriers) trusting(p config.PEM) (*http.Client, error) {
	text, err := p.Read()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if client, ok := c.of[text.Reveal()]; ok {
		return client, nil
	}
	pool, err := authorities(p)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	if c.of == nil {
		c.of = map[string]*http.Client{}
	}
	c.of[text.Reveal()] = client
	return client, nil
}

// sources are what the configuration says about who is believed.
func sources(c *config.Config, carry *carriers) (identity.Sources, error) {
	var s identity.Sources
	var faults []error
	for _, p := range c.Identity.Providers {
		o := oidc.Config{
			Name: p.Name, Issuer: p.Issuer, Audiences: p.Audiences, ClientID: p.ClientID, Algorithms: p.Algorithms, Kind: p.Kind,
			ID: p.ID, Instance: p.Instance, Display: p.Display, Owner: p.Owner, Groups: p.Groups, Require: p.Require,
			MaxLifetime: p.MaxLifetime, OnlyGroups: p.OnlyGroups, ExchangeOnly: p.ExchangeOnly,
		}
		if !p.CA.IsZero() {
			client, err := carry.trusting(p.CA)
			if err != nil {
				faults = append(faults, fmt.Errorf("identity.providers[%s].ca: %w", p.Name, err))
				continue
			}
			o.HTTP = client
		}
		s.Providers = append(s.Providers, o)
	}
	for _, c := range c.Identity.Certificates {
		s.Certificates = append(s.Certificates, certificate.Config{
			Name: c.Name, TrustDomains: c.TrustDomains, DNS: c.DNS, Groups: c.Groups, MaxLifetime: c.MaxLifetime,
		})
	}
	for _, p := range c.Identity.Persons {
		s.Persons = append(s.Persons, identity.Person{Name: p.Person, Accounts: p.Accounts, Owns: p.Owns})
	}
	return s, errors.Join(faults...)
}

// door is the registry as the PostgreSQL front end sees it.
type door struct {
	registry *identity.Registry
}

// Token implements postgres.Identity.
func (d door) Token(ctx context.Context, token string, in gate.SignIn) (*access.Subject, error) {
	s, err := d.registry.Token(ctx, token)
	if err != nil {
		return nil, err
	}
	s.Method = in.Method
	return s, nil
}

// Secret implements postgres.Identity.
func (d door) Secret(ctx context.Context, name string) (postgres.Verifier, error) {
	v, err := d.registry.Secret(ctx, name)
	return postgres.Verifier{Salt: v.Salt, Iterations: v.Iterations, StoredKey: v.StoredKey, ServerKey: v.ServerKey}, err
}

// SecretSubject implements postgres.Identity.
func (d door) SecretSubject(ctx context.Context, name string) (*access.Subject, error) {
	return d.registry.SecretSubject(ctx, name)
}

// Certificate implements postgres.Identity.
func (d door) Certificate(ctx context.Context, chain []*x509.Certificate) (*access.Subject, error) {
	return d.registry.Certificate(ctx, chain)
}

// Discovery implements postgres.Identity.
func (d door) Discovery() (string, string) { return d.registry.Discovery() }
