// Package oidc turns a token of an OpenID provider into a subject: ID tokens and RFC 9068 access tokens, of people and
// of workloads, from several providers at once.
//
// It refuses to know sessions, persons and policy, and it trusts nothing in a token before its signature was checked
// with a key that the provider itself published under its configured issuer. Start at Provider.Verify.
package oidc

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/identity/claim"
	"github.com/vecgate/vecgate/internal/identity/jwt"
)

// Lifetimes of tokens when the configuration says nothing.
const (
	DefaultPersonLifetime   = 12 * time.Hour
	DefaultWorkloadLifetime = time.Hour
)

// Config describes one provider, as an operator writes it.
type Config struct {
	// Name begins the ID of every subject of this provider.
	Name string
	// Issuer is compared byte for byte with the iss claim and with what discovery says.
	Issuer string
	// Audiences are the names under which tokens may be meant for this gateway; ClientID is one of them when it is set.
	Audiences []string
	ClientID  string
	// Algorithms that the provider signs with; empty means every asymmetric one.
	Algorithms []string
	Kind       access.Kind // empty means person
	// ID, Instance, Display and Owner are templates over claims. ID must be built from claims that never change and are
	// never given to somebody else. Empty: ID "{sub}", Display "{name}" and the rest nothing.
	ID       string
	Instance string
	Display  string
	Owner    string
	// Groups is the path of the claim that lists groups; empty means that tokens of this provider bring none.
	Groups string
	// OnlyGroups are the groups that the provider may give; nil means any. Others are passed over.
	OnlyGroups []string
	// Require lists claims that must have one of the given values.
	Require map[string][]string
	// MaxLifetime is the longest that a token may live from iat to exp.
	MaxLifetime time.Duration
	// ExchangeOnly refuses these tokens at the databases; they can only be exchanged for a token of the gateway.
	ExchangeOnly bool
	// HTTP carries requests to the provider; nil means a client with a timeout that follows no redirect off the host.
	HTTP *http.Client
}

// Provider is a Config that was found sound, with the provider's keys.
type Provider struct {
	Config
	algorithms []jose.SignatureAlgorithm
	id         *claim.Template
	instance   *claim.Template
	display    *claim.Template
	owner      *claim.Template
	keys       *keys
	now        func() time.Time
}

var nameShape = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,39}$`)

// New checks a configuration and compiles it. It connects to nothing; all faults are reported at once, each beginning
// with the field it is about.
func New(c Config, now func() time.Time) (*Provider, error) {
	var faults []error
	fault := func(field, format string, args ...any) {
		faults = append(faults, fmt.Errorf(field+": "+format, args...))
	}
	p := &Provider{now: now}
	if !nameShape.MatchString(c.Name) {
		fault("name", "%q is not a name: lower-case letters, digits, - and _, at most 40", c.Name)
	}
	if err := checkIssuer(c.Issuer); err != nil {
		fault("issuer", "%w", err)
	}
	if c.Kind == "" {
		c.Kind = access.Person
	}
	if c.Kind != access.Person && c.Kind != access.Workload {
		fault("kind", "%q is not one of person, workload", c.Kind)
	}
	if len(c.Audiences) == 0 && c.ClientID == "" {
		fault("audiences", "at least one is needed: without it a token made for somebody else would open this gateway")
	}
	if slices.Contains(c.Audiences, "") {
		fault("audiences", "an audience is empty")
	}
	if len(c.Algorithms) == 0 {
		p.algorithms = jwt.Algorithms
	}
	for _, a := range c.Algorithms {
		if !slices.Contains(jwt.Algorithms, jose.SignatureAlgorithm(a)) {
			fault("algorithms", "%q is not one of %v", a, jwt.Algorithms)
			continue
		}
		p.algorithms = append(p.algorithms, jose.SignatureAlgorithm(a))
	}
	if c.ID == "" {
		c.ID = "{sub}"
	}
	if c.Display == "" && c.Kind == access.Person {
		c.Display = "{name}"
	}
	compile := func(field, source string) *claim.Template {
		if source == "" {
			return nil
		}
		t, err := claim.ParseTemplate(source)
		if err != nil {
			fault(field, "%w", err)
			return nil
		}
		return t
	}
	p.id, p.instance, p.owner = compile("id", c.ID), compile("instance", c.Instance), compile("owner", c.Owner)
	if c.Display != "" {
		var err error
		if p.display, err = claim.ParseText(c.Display); err != nil {
			fault("display", "%w", err)
		}
	}
	if p.id != nil && p.id.Fixed() {
		fault("id", "%q uses no claim, so that everybody would be the same subject", c.ID)
	}
	if slices.Contains(c.OnlyGroups, "") {
		fault("only_groups", "a group is empty")
	}
	if len(c.OnlyGroups) > 0 && c.Groups == "" {
		fault("only_groups", "tokens of this provider bring no groups: set groups, or leave only_groups out")
	}
	for name, values := range c.Require {
		if len(values) == 0 {
			fault("require", "%s lists no value, so that no token could ever pass", name)
		}
	}
	if c.MaxLifetime == 0 {
		c.MaxLifetime = DefaultPersonLifetime
		if c.Kind == access.Workload {
			c.MaxLifetime = DefaultWorkloadLifetime
		}
	}
	if c.MaxLifetime < time.Minute || c.MaxLifetime > 24*time.Hour {
		fault("max_lifetime", "%s is not between 1m and 24h", c.MaxLifetime)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	p.Config = c
	p.keys = newKeys(c.Issuer, client(c.HTTP), now)
	return p, nil
}

// checkIssuer accepts https, and http on loopback for development.
func checkIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("%q is not a URL of an issuer", issuer)
	}
	return checkTransport(u)
}

// checkTransport lets nothing but TLS carry what trust is built on, except inside this machine.
func checkTransport(u *url.URL) error {
	switch {
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%q must begin with https:// (http:// is for loopback addresses only)", u.Redacted())
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
