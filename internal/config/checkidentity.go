package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// maxTokenLifetime is the longest that the gateway's own tokens may live.
const maxTokenLifetime = 24 * time.Hour

func checkIdentity(c *Config, r *report) {
	id := &c.Identity
	if len(id.Providers) == 0 && len(id.Certificates) == 0 {
		r.at("identity", "nobody could sign in: name a provider under identity.providers")
	}
	sources := names(id.Providers, func(p Provider) string { return p.Name })
	for i := range id.Providers {
		p, path := &id.Providers[i], fmt.Sprintf("identity.providers[%d]", i)
		checkName(r, path+".name", p.Name)
		if p.Issuer != "" {
			checkURL(r, path+".issuer", p.Issuer, true)
		}
		checkTemplate(r, path+".id", p.ID, true)
		checkTemplate(r, path+".display", p.Display, false)
		checkTemplate(r, path+".instance", p.Instance, false)
		checkTemplate(r, path+".owner", p.Owner, false)
		if p.Owner != "" && p.Kind == access.Person {
			r.at(path+".owner", "a person has no owner; this is for kind: workload")
		}
		if p.MaxLifetime == 0 {
			r.at(path+".max_lifetime", "must not be 0: a token that never ends cannot be taken back")
		}
	}
	unique(r, "identity.providers", "name", id.Providers, func(p Provider) string { return p.Name })
	unique(r, "identity.providers", "issuer", id.Providers, func(p Provider) string { return p.Issuer })
	for i := range id.Certificates {
		rule, path := &id.Certificates[i], fmt.Sprintf("identity.certificates[%d]", i)
		checkName(r, path+".name", rule.Name)
		if slices.Contains(sources, rule.Name) {
			r.at(path+".name", "%s is already the name of a provider", r.shown(path+".name", rule.Name))
		}
		if len(rule.TrustDomains) == 0 && len(rule.DNS) == 0 {
			r.at(path, "accepts no certificate: list trust_domains or dns")
		}
	}
	unique(r, "identity.certificates", "name", id.Certificates, func(c Certificate) string { return c.Name })
	sources = append(sources, names(id.Certificates, func(c Certificate) string { return c.Name })...)
	checkPersons(id.Persons, sources, r)
	if id.Tokens.MaxLifetime > maxTokenLifetime {
		r.at("identity.tokens.max_lifetime", "%s is longer than a day; a token that lives longer is no better than the key that it replaces",
			r.shown("identity.tokens.max_lifetime", id.Tokens.MaxLifetime.String()))
	}
	if id.Tokens.Lifetime > id.Tokens.MaxLifetime {
		r.at("identity.tokens.lifetime", "%s is longer than identity.tokens.max_lifetime", r.shown("identity.tokens.lifetime", id.Tokens.Lifetime.String()))
	}
}

// checkPersons wants every account to belong to one person and to a known provider: an account that is not matched
// because of a slip would count as somebody else.
func checkPersons(persons []Person, sources []string, r *report) {
	unique(r, "identity.persons", "person", persons, func(p Person) string { return p.Person })
	whose := map[string]string{}
	account := func(path, id string) {
		provider, rest, ok := strings.Cut(id, ":")
		switch {
		case !ok || rest == "":
			r.at(path, "%s is not a subject ID; they look like %s:…", r.shown(path, id), example(sources))
		case !slices.Contains(sources, provider):
			r.at(path, "%s begins with no provider: %s", r.shown(path, id), oneOf(fmt.Sprintf("%q", provider), provider, sources))
		}
	}
	for i, p := range persons {
		for j, id := range p.Accounts {
			path := fmt.Sprintf("identity.persons[%d].accounts[%d]", i, j)
			account(path, id)
			if strings.Contains(id, "*") {
				r.at(path, "%s: an account is named in full; \"*\" is for owns only", r.shown(path, id))
			}
			if other, ok := whose[id]; ok {
				r.at(path, "%s already belongs to %s", r.shown(path, id), other)
			}
			whose[id] = p.Person
		}
		for j, id := range p.Owns {
			account(fmt.Sprintf("identity.persons[%d].owns[%d]", i, j), id)
		}
	}
}

func example(sources []string) string {
	if len(sources) > 0 {
		return sources[0]
	}
	return "provider"
}

// checkTemplate wants claims between braces; needed says that the text must depend on at least one.
func checkTemplate(r *report, path, text string, needed bool) {
	if text == "" {
		return
	}
	rest, claims := text, 0
	for rest != "" {
		i := strings.IndexAny(rest, "{}")
		if i < 0 {
			break
		}
		end := strings.IndexAny(rest[i+1:], "{}")
		if rest[i] == '}' || end < 1 || rest[i+1+end] != '}' {
			r.at(path, "%s: a claim is written {claim}", r.shown(path, text))
			return
		}
		claims++
		rest = rest[i+1+end+1:]
	}
	if needed && claims == 0 {
		r.at(path, "%s names no {claim}: every subject would be the same one", r.shown(path, text))
	}
}
