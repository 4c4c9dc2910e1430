package certificate

import (
	"crypto/x509"
	"errors"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

var now = time.Unix(1_790_000_000, 0)

func authority(t *testing.T) *Authority {
	t.Helper()
	a, err := New(Config{Name: "mesh", TrustDomains: []string{"prod.example.com"}, DNS: []string{"batch.example.com", "*.jobs.example.com"}, Groups: []string{"services"}}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func leaf(uris []string, dns ...string) *x509.Certificate {
	c := &x509.Certificate{Raw: []byte("raw"), SerialNumber: big.NewInt(255), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), DNSNames: dns}
	for _, raw := range uris {
		u, err := url.Parse(raw)
		if err != nil {
			panic(err)
		}
		c.URIs = append(c.URIs, u)
	}
	c.Subject.CommonName = "batch.example.com" // never looked at
	return c
}

func TestCertificateNamesItsWorkload(t *testing.T) {
	a := authority(t)
	for _, c := range []struct {
		cert *x509.Certificate
		want string
	}{
		{leaf([]string{"spiffe://prod.example.com/ns/etl/sa/train"}), "mesh:prod.example.com/ns/etl/sa/train"},
		{leaf([]string{"spiffe://prod.example.com/train"}, "batch.example.com"), "mesh:prod.example.com/train"},
		{leaf(nil, "batch.example.com"), "mesh:dns/batch.example.com"},
		{leaf(nil, "other.example.com", "A.jobs.example.com"), "mesh:dns/a.jobs.example.com"},
	} {
		s, err := a.Subject([]*x509.Certificate{c.cert})
		if err != nil || s.ID != c.want || s.Kind != access.Workload || s.Method != "certificate" || s.Instance != "ff" || !s.Expires.Equal(c.cert.NotAfter) {
			t.Errorf("got %+v, %v, want %s", s, err, c.want)
		}
	}
}

func TestCertificatesThatNameNobodyAreRefused(t *testing.T) {
	a := authority(t)
	changed := func(change func(*x509.Certificate)) *x509.Certificate {
		c := leaf([]string{"spiffe://prod.example.com/train"})
		change(c)
		return c
	}
	for name, c := range map[string]struct {
		cert *x509.Certificate
		want string
	}{
		"common name only":       {leaf(nil), "none of its DNS names"},
		"another trust domain":   {leaf([]string{"spiffe://dev.example.com/train"}), "its trust domain"},
		"trust domain as prefix": {leaf([]string{"spiffe://prod.example.com.evil.org/train"}), "its trust domain"},
		"two URIs":               {leaf([]string{"spiffe://prod.example.com/a", "spiffe://prod.example.com/b"}), "2 URI names"},
		"no path":                {leaf([]string{"spiffe://prod.example.com"}), "is not a SPIFFE ID"},
		"dots":                   {leaf([]string{"spiffe://prod.example.com/a/../b"}), "is not a SPIFFE ID"},
		"empty segment":          {leaf([]string{"spiffe://prod.example.com/a//b"}), "is not a SPIFFE ID"},
		"escaped slash":          {leaf([]string{"spiffe://prod.example.com/a%2Fb"}), "is not a SPIFFE ID"},
		"port":                   {leaf([]string{"spiffe://prod.example.com:1/a"}), "is not a SPIFFE ID"},
		"user":                   {leaf([]string{"spiffe://u@prod.example.com/a"}), "is not a SPIFFE ID"},
		"query":                  {leaf([]string{"spiffe://prod.example.com/a?b"}), "is not a SPIFFE ID"},
		"https":                  {leaf([]string{"https://prod.example.com/a"}, "batch.example.com"), "is not a SPIFFE ID"},
		"wildcard":               {leaf(nil, "*.jobs.example.com"), "none of its DNS names"},
		"deeper than wildcard":   {leaf(nil, "a.b.jobs.example.com"), "none of its DNS names"},
		"two accepted names":     {leaf(nil, "a.jobs.example.com", "b.jobs.example.com"), "2 of its DNS names"},
		"an authority":           {changed(func(c *x509.Certificate) { c.IsCA = true }), "of an authority"},
		"lives too long":         {changed(func(c *x509.Certificate) { c.NotAfter = now.Add(48 * time.Hour) }), "the longest allowed is 24h"},
		"not yet":                {changed(func(c *x509.Certificate) { c.NotBefore = now.Add(time.Minute) }), "it is not valid before"},
		"expired":                {changed(func(c *x509.Certificate) { c.NotAfter = now }), "it expired at"},
	} {
		s, err := a.Subject([]*x509.Certificate{c.cert})
		r, ok := errors.AsType[*access.Refusal](err)
		if !ok || !strings.Contains(r.Message, c.want) {
			t.Errorf("%s: got %v, %v, want a refusal with %q", name, s, err, c.want)
		}
	}
	if _, err := a.Subject(nil); err == nil {
		t.Error("an empty chain was accepted")
	}
}

func TestConfigurationFaults(t *testing.T) {
	_, err := New(Config{Name: "A", TrustDomains: []string{"dns", "Prod"}, DNS: []string{"*", "a.*.com"}}, time.Now)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{`name: "A"`, `"dns"`, `"Prod"`, `"*"`, `"a.*.com"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("faults do not mention %s: %v", want, err)
		}
	}
	if _, err := New(Config{Name: "a"}, time.Now); err == nil {
		t.Error("an authority that accepts nobody was accepted")
	}
}

// FuzzNames: no name panics, and two certificates whose names differ are never one subject.
func FuzzNames(f *testing.F) {
	f.Add("spiffe://prod.example.com/a", "spiffe://prod.example.com/a/")
	f.Add("spiffe://prod.example.com/a%2Fb", "spiffe://prod.example.com/a/b")
	f.Add("spiffe://prod.example.com/dns/x", "a.jobs.example.com")
	f.Add("SPIFFE://prod.example.com/a", "spiffe://prod.example.com/a")
	a, err := New(Config{Name: "mesh", TrustDomains: []string{"prod.example.com"}, DNS: []string{"*.jobs.example.com"}}, func() time.Time { return now })
	if err != nil {
		f.Fatal(err)
	}
	named := func(name string) string {
		c := leaf(nil)
		if u, err := url.Parse(name); err == nil && u.Scheme != "" {
			c.URIs = []*url.URL{u}
		} else {
			c.DNSNames = []string{name}
		}
		s, err := a.Subject([]*x509.Certificate{c})
		if err != nil {
			return ""
		}
		return s.ID
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		a, b := named(one), named(two)
		// Schemes and DNS names know no case.
		if a != "" && a == b && !strings.EqualFold(one, two) {
			t.Errorf("%q and %q are both %s", one, two, a)
		}
		if strings.ContainsFunc(a, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '%' }) {
			t.Errorf("%q is %q", one, a)
		}
	})
}
