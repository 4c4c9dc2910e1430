// Package certificate turns a verified client certificate into a subject: by a URI name such as a SPIFFE ID, or by a
// DNS name. The common name is never looked at.
//
// It refuses to verify chains; the TLS listener has done that when it is called. Start at Rule.Subject.
package certificate

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/identity/claim"
)

// The kinds of name that a rule can look at.
const (
	FromURI = "uri"
	FromDNS = "dns"
)

// Config says which certificates are which subjects.
type Config struct {
	// Name begins the ID of every subject of this rule.
	Name string
	// From is the kind of name that is looked at; empty means FromURI.
	From string
	// Match is what the name must look like: "spiffe://prod.example.com/ns/*/sa/*", "*.jobs.example.com". A "*" stands for
	// at least one character of one segment: it crosses no slash and, in a DNS name, no dot.
	Match string
	Kind  access.Kind // empty means workload
	// ID makes the subject's name: {name} is the whole name, {1} what the first "*" stood for. Empty means {name}.
	ID     string
	Groups []string
	Owner  string // template of the ID of the person answerable, as ID
	// MaxLifetime is the longest that a certificate may be valid in all; zero sets no limit.
	MaxLifetime time.Duration
}

// Rule is a Config that was found sound.
type Rule struct {
	Config
	id    *claim.Template
	owner *claim.Template
	now   func() time.Time
}

var (
	nameShape   = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,39}$`)
	uriShape    = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://[a-z0-9._-]{1,255}(/[A-Za-z0-9._-]+)+$`)
	uriPattern  = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://[a-z0-9._-]{1,255}(/[A-Za-z0-9._*-]+)+$`)
	dnsShape    = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$`)
	dnsPattern  = regexp.MustCompile(`^([a-z0-9*-]{1,63}\.)+[a-z0-9-]{2,63}$`)
	placeholder = regexp.MustCompile(`^(name|[1-9][0-9]?)$`)
)

// New checks a configuration; all faults are reported at once, each beginning with the field it is about.
func New(c Config, now func() time.Time) (*Rule, error) {
	var faults []error
	fault := func(field, format string, args ...any) {
		faults = append(faults, fmt.Errorf(field+": "+format, args...))
	}
	if c.From == "" {
		c.From = FromURI
	}
	if c.Kind == "" {
		c.Kind = access.Workload
	}
	if c.ID == "" {
		c.ID = "{name}"
	}
	if !nameShape.MatchString(c.Name) {
		fault("name", "%q is not a name: lower-case letters, digits, - and _, at most 40", c.Name)
	}
	switch c.From {
	case FromURI:
		if !uriPattern.MatchString(c.Match) {
			fault("match", "%q is not a URI name such as spiffe://example.com/ns/*/sa/*, with * in its path only", c.Match)
		}
	case FromDNS:
		if !dnsPattern.MatchString(c.Match) {
			fault("match", "%q is not a DNS name such as *.jobs.example.com", c.Match)
		}
	default:
		fault("from", "%q is not one of uri, dns", c.From)
	}
	for _, segment := range split(c.From, c.Match) {
		if strings.Count(segment, "*") > 1 {
			fault("match", "%q: %q has more than one *, so that it could be read in several ways", c.Match, segment)
		}
	}
	if c.Kind != access.Person && c.Kind != access.Workload {
		fault("kind", "%q is not one of person, workload", c.Kind)
	}
	stars := strings.Count(c.Match, "*")
	compile := func(field, source string) *claim.Template {
		t, err := claim.ParseTemplate(source)
		if err != nil {
			fault(field, "%w", err)
			return nil
		}
		for _, p := range t.Paths() {
			n, _ := strconv.Atoi(p) // 0 for {name}
			if !placeholder.MatchString(p) || n > stars {
				fault(field, "{%s} is not {name}, or {1} to {n} for the %d * of match", p, stars)
			}
		}
		return t
	}
	r := &Rule{now: now, id: compile("id", c.ID)}
	if r.id != nil && r.id.Fixed() && stars > 0 {
		fault("id", "%q would make one subject of all that match", c.ID)
	}
	if c.Owner != "" {
		r.owner = compile("owner", c.Owner)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	r.Config = c
	return r, nil
}

// Subject says who a certificate is; false when the rule is not about it. The chain was verified by TLS; chain[0] is the
// client's own.
func (r *Rule) Subject(chain []*x509.Certificate) (*access.Subject, bool, error) {
	if len(chain) == 0 {
		return nil, false, nil
	}
	leaf := chain[0]
	// 1. Is it about this certificate?
	name, stood, err := r.find(leaf)
	if err != nil || name == "" {
		return nil, false, err
	}
	// 2. Is the certificate one to believe?
	now := r.now()
	switch life := leaf.NotAfter.Sub(leaf.NotBefore); {
	case now.Before(leaf.NotBefore):
		return nil, true, refuse("it is not valid before %s", leaf.NotBefore.UTC().Format(time.RFC3339))
	case !now.Before(leaf.NotAfter):
		refusal := refuse("it expired at %s", leaf.NotAfter.UTC().Format(time.RFC3339))
		refusal.Code, refusal.Hint = access.CodeExpired, "renew the certificate"
		return nil, true, refusal
	case r.MaxLifetime > 0 && life > r.MaxLifetime:
		return nil, true, refuse("it lives %s, and the longest allowed is %s", life.Round(time.Second), r.MaxLifetime)
	case leaf.IsCA:
		return nil, true, refuse("it is the certificate of an authority")
	}
	// 3. Who?
	digest := sha256.Sum256(leaf.Raw)
	s := &access.Subject{
		Name: name, Kind: r.Kind, Provider: r.Name, Groups: r.Groups, Method: "certificate", Instance: leaf.SerialNumber.Text(16),
		Credential: "x509:" + hex.EncodeToString(digest[:16]), Expires: leaf.NotAfter,
	}
	id := name // names have a narrow alphabet, so the whole name alone needs no escaping
	if r.ID != "{name}" {
		if id, err = r.id.Expand(stood); err != nil {
			return nil, true, refuse("%v", err)
		}
	}
	s.ID = r.Name + ":" + id
	if r.owner != nil {
		if s.Owner, err = r.owner.Expand(stood); err != nil {
			return nil, true, refuse("%v", err)
		}
	}
	return s, true, nil
}

// find returns the one name of the certificate that matches, and what its stars stood for.
func (r *Rule) find(leaf *x509.Certificate) (string, map[string]any, error) {
	var names []string
	if r.From == FromURI {
		// X509-SVID section 2: a certificate with several URI names is nobody's.
		if len(leaf.URIs) > 1 {
			return "", nil, refuse("it has %d URI names, and a subject has one", len(leaf.URIs))
		}
		for _, u := range leaf.URIs {
			if plain(u) {
				names = append(names, u.String())
			}
		}
	} else {
		for _, name := range leaf.DNSNames {
			// A certificate for a wildcard names no one workload; dnsShape knows no star.
			if name = strings.ToLower(name); dnsShape.MatchString(name) {
				names = append(names, name)
			}
		}
	}
	var found string
	var stood map[string]any
	for _, name := range names {
		s, ok := r.match(name)
		if !ok {
			continue
		}
		if found != "" {
			return "", nil, refuse("two of its names match %s, and a subject has one", r.Match)
		}
		found, stood = name, s
	}
	return found, stood, nil
}

// plain reports whether a URI is written in the one way that cannot be misread: no user, port, query, fragment or
// escapes, and no dot segments (SPIFFE-ID section 2).
func plain(u *url.URL) bool {
	s := u.String()
	if len(s) > 2048 || !uriShape.MatchString(s) {
		return false
	}
	for _, segment := range strings.Split(u.Path, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

func split(from, name string) []string {
	if from == FromDNS {
		return strings.Split(name, ".")
	}
	return strings.Split(name, "/")
}

// match compares segment by segment; a segment of the pattern has at most one star.
func (r *Rule) match(name string) (map[string]any, bool) {
	want, have := split(r.From, r.Match), split(r.From, name)
	if len(want) != len(have) {
		return nil, false
	}
	stood := map[string]any{"name": name}
	for i, w := range want {
		before, after, star := strings.Cut(w, "*")
		if !star {
			if w != have[i] {
				return nil, false
			}
			continue
		}
		middle, ok := strings.CutPrefix(have[i], before)
		if ok {
			middle, ok = strings.CutSuffix(middle, after)
		}
		if !ok || middle == "" {
			return nil, false
		}
		stood[strconv.Itoa(len(stood))] = middle
	}
	return stood, true
}

func refuse(format string, args ...any) *access.Refusal {
	return &access.Refusal{Code: access.CodeIdentity, Message: "client certificate not accepted: " + fmt.Sprintf(format, args...)}
}
