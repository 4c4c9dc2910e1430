// Package certificate turns a verified client certificate into a subject: by its SPIFFE ID (a URI name) or by a DNS
// name. The common name is never looked at.
//
// It refuses to verify chains; the TLS listener has done that when it is called. Start at Authority.Subject.
package certificate

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// Config says which names of certificates are subjects.
type Config struct {
	// Name begins the ID of every subject: mesh:spiffe-domain/path, or mesh:dns/name.
	Name string
	// TrustDomains are the SPIFFE trust domains to accept.
	TrustDomains []string
	// DNS are the DNS names to accept: exact, or "*.example.com" for one more label.
	DNS    []string
	Groups []string // given to every subject of this authority
	// MaxLifetime is the longest that a certificate may live; zero means 24 hours.
	MaxLifetime time.Duration
}

// Authority is a Config that was found sound.
type Authority struct {
	Config
	now func() time.Time
}

var (
	nameShape   = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,39}$`)
	domainShape = regexp.MustCompile(`^[a-z0-9._-]{1,255}$`)
	dnsShape    = regexp.MustCompile(`^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$`)
	pathShape   = regexp.MustCompile(`^(/[A-Za-z0-9._-]+)+$`)
)

// New checks a configuration; all faults are reported at once.
func New(c Config, now func() time.Time) (*Authority, error) {
	var faults []error
	if !nameShape.MatchString(c.Name) {
		faults = append(faults, fmt.Errorf("name: %q is not a name: lower-case letters, digits, - and _, at most 40", c.Name))
	}
	if len(c.TrustDomains)+len(c.DNS) == 0 {
		faults = append(faults, errors.New("trust_domains: at least one trust domain or DNS name is needed"))
	}
	for _, d := range c.TrustDomains {
		// "dns" is what the IDs of DNS names begin with.
		if !domainShape.MatchString(d) || d == "dns" {
			faults = append(faults, fmt.Errorf("trust_domains: %q is not a SPIFFE trust domain", d))
		}
	}
	for _, d := range c.DNS {
		if !dnsShape.MatchString(d) {
			faults = append(faults, fmt.Errorf("dns: %q is not a DNS name", d))
		}
	}
	if c.MaxLifetime == 0 {
		c.MaxLifetime = 24 * time.Hour
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return &Authority{c, now}, nil
}

// Subject says who a certificate is. The chain was verified by TLS; chain[0] is the client's own.
func (a *Authority) Subject(chain []*x509.Certificate) (*access.Subject, error) {
	if len(chain) == 0 {
		return nil, a.refuse("none was shown")
	}
	leaf := chain[0]
	now := a.now()
	switch life := leaf.NotAfter.Sub(leaf.NotBefore); {
	case now.Before(leaf.NotBefore):
		return nil, a.refuse("it is not valid before %s", leaf.NotBefore.UTC().Format(time.RFC3339))
	case !now.Before(leaf.NotAfter):
		r := a.refuse("it expired at %s", leaf.NotAfter.UTC().Format(time.RFC3339))
		r.Code, r.Hint = access.CodeExpired, "renew the certificate"
		return nil, r
	case life > a.MaxLifetime:
		return nil, a.refuse("it lives %s, and the longest allowed is %s", life.Round(time.Second), a.MaxLifetime)
	case leaf.IsCA:
		return nil, a.refuse("it is the certificate of an authority")
	}
	id, err := a.name(leaf)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(leaf.Raw)
	return &access.Subject{
		ID: a.Name + ":" + id, Name: id, Kind: access.Workload, Provider: a.Name, Groups: a.Groups, Method: "certificate",
		Instance: leaf.SerialNumber.Text(16), Credential: "x509:" + hex.EncodeToString(digest[:16]), Expires: leaf.NotAfter,
	}, nil
}

// name returns the SPIFFE ID without its scheme, or dns/<name>.
func (a *Authority) name(leaf *x509.Certificate) (string, error) {
	// SPIFFE: exactly one URI name (X509-SVID section 2).
	if len(leaf.URIs) > 1 {
		return "", a.refuse("it has %d URI names, and a SPIFFE certificate has one", len(leaf.URIs))
	}
	if len(leaf.URIs) == 1 {
		u := leaf.URIs[0]
		if err := checkSPIFFE(u); err != nil {
			return "", a.refuse("%v", err)
		}
		for _, d := range a.TrustDomains {
			if u.Host == d {
				return d + u.Path, nil
			}
		}
		return "", a.refuse("its trust domain %q is not one of %q", cut(u.Host), a.TrustDomains)
	}
	var found []string
	for _, name := range leaf.DNSNames {
		name = strings.ToLower(name)
		for _, pattern := range a.DNS {
			// A certificate for a wildcard names no one workload.
			if fits(pattern, name) && !strings.Contains(name, "*") {
				found = append(found, name)
				break
			}
		}
	}
	switch len(found) {
	case 0:
		return "", a.refuse("none of its DNS names is accepted: %q", a.DNS)
	case 1:
		return "dns/" + found[0], nil
	}
	return "", a.refuse("%d of its DNS names are accepted, and a subject has one", len(found))
}

// checkSPIFFE is SPIFFE-ID section 2: scheme, trust domain and a path of plain segments, nothing else.
func checkSPIFFE(u *url.URL) error {
	plain := u.Scheme == "spiffe" && u.User == nil && u.RawQuery == "" && !u.ForceQuery && u.Fragment == "" && u.Opaque == "" &&
		domainShape.MatchString(u.Host) && u.RawPath == "" && pathShape.MatchString(u.Path) && len(u.String()) <= 2048
	if !plain {
		return fmt.Errorf("its URI name %q is not a SPIFFE ID of a workload", cut(u.Redacted()))
	}
	for _, segment := range strings.Split(u.Path[1:], "/") {
		if segment == "." || segment == ".." {
			return fmt.Errorf("its URI name %q is not a SPIFFE ID of a workload", cut(u.Redacted()))
		}
	}
	return nil
}

func fits(pattern, name string) bool {
	rest, wild := strings.CutPrefix(pattern, "*.")
	if !wild {
		return pattern == name
	}
	label, tail, ok := strings.Cut(name, ".")
	return ok && label != "" && tail == rest
}

func (a *Authority) refuse(format string, args ...any) *access.Refusal {
	return &access.Refusal{Code: access.CodeIdentity, Message: "client certificate not accepted: " + fmt.Sprintf(format, args...)}
}

func cut(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}
