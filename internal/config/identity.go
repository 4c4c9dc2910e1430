package config

import (
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// Identity says whose word is taken for who somebody is.
type Identity struct {
	// Providers are the OpenID Connect issuers that are believed.
	Providers []Provider `yaml:"providers"`
	// Certificates say which client certificates are which subjects.
	Certificates []Certificate `yaml:"certificates"`
	// Persons join accounts: all accounts of one person count as one, and so does what the person owns.
	Persons []Person `yaml:"persons"`
	// Tokens are those that the gateway itself mints in exchange for a provider's.
	Tokens Tokens `yaml:"tokens" restart:"true"`
}

// Provider is an OpenID Connect issuer.
type Provider struct {
	// Name of the provider; subject IDs begin with it.
	Name string `yaml:"name" required:"true"`
	// Issuer exactly as its tokens carry it. http is accepted for loopback addresses only.
	Issuer string `yaml:"issuer" required:"true"`
	// Audiences of which a token must carry one, and no other.
	Audiences []string `yaml:"audiences" required:"true"`
	// Algorithms that its tokens may be signed with.
	Algorithms []string `yaml:"algorithms" default:"ES256,RS256" enum:"ES256|ES384|ES512|RS256|RS384|RS512|PS256|PS384|PS512|EdDSA"`
	// Kind of subject that it speaks for.
	Kind access.Kind `yaml:"kind" default:"person" enum:"person|workload"`
	// ID makes the subject's stable name from claims that never change.
	ID string `yaml:"id" default:"{sub}"`
	// Display makes the name shown to people.
	Display string `yaml:"display"`
	// Groups is the claim that holds the groups; dots lead into nested claims.
	Groups string `yaml:"groups" default:"groups"`
	// OnlyGroups are the groups that its word is taken for, all when left out; others that its tokens name are passed over. Groups have one name
	// whoever gives them: list here what a provider that others run may give, and what rules deny.
	OnlyGroups []string `yaml:"only_groups"`
	// Instance tells runs of one workload apart.
	Instance string `yaml:"instance"`
	// Owner makes the ID of the person answerable for a workload.
	Owner string `yaml:"owner"`
	// Require lists, by claim, the values of which a token must have one.
	Require map[string][]string `yaml:"require"`
	// MaxLifetime is the longest that a token may be valid in all.
	MaxLifetime time.Duration `yaml:"max_lifetime" default:"12h"`
	// ExchangeOnly is for tokens that are to open no database: they can only be exchanged for one of the gateway, which is written down.
	ExchangeOnly bool `yaml:"exchange_only"`
	// ClientID with which the command line signs people in.
	ClientID string `yaml:"client_id"`
	// CA are the authorities to trust for this issuer, in PEM; the system's own when left out.
	CA PEM `yaml:"ca"`
}

// Certificate says which client certificates are which subjects: workloads, by their SPIFFE ID or DNS name.
type Certificate struct {
	// Name of this authority; subject IDs begin with it: mesh:spiffe-domain/path, mesh:dns/name.
	Name string `yaml:"name" required:"true"`
	// TrustDomains are the SPIFFE trust domains that are accepted.
	TrustDomains []string `yaml:"trust_domains"`
	// DNS are the DNS names that are accepted: exact, or "*.example.com" for one more label.
	DNS []string `yaml:"dns"`
	// Groups of these subjects.
	Groups []string `yaml:"groups"`
	// MaxLifetime is the longest that a certificate may live.
	MaxLifetime time.Duration `yaml:"max_lifetime" default:"24h" min:"1m"`
}

// Person joins accounts.
type Person struct {
	// Person is the name under which all of it is counted.
	Person string `yaml:"person" required:"true"`
	// Accounts are subject IDs of this person.
	Accounts []string `yaml:"accounts" required:"true"`
	// Owns are subject IDs of workloads this person answers for; "*" stands for anything.
	Owns []string `yaml:"owns"`
}

// Tokens are those that the gateway mints.
type Tokens struct {
	// Lifetime of a token when none is asked for.
	Lifetime time.Duration `yaml:"lifetime" default:"15m" min:"1m"`
	// MaxLifetime is the longest that can be asked for.
	MaxLifetime time.Duration `yaml:"max_lifetime" default:"1h" min:"1m"`
}
