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

func rule(t *testing.T, c Config) *Rule {
	t.Helper()
	c.Name = "mesh"
	r, err := New(c, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	return r
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

const spiffe = "spiffe://prod.example.com/ns/*/sa/*"

func TestCertificateNamesItsSubject(t *testing.T) {
	for _, c := range []struct {
		rule Config
		cert *x509.Certificate
		want string
	}{
		{Config{Match: spiffe}, leaf([]string{"spiffe://prod.example.com/ns/etl/sa/train"}), "mesh:spiffe://prod.example.com/ns/etl/sa/train"},
		{Config{Match: spiffe, ID: "{1}/{2}"}, leaf([]string{"spiffe://prod.example.com/ns/etl/sa/train"}, "x.example.com"), "mesh:etl/train"},
		{Config{Match: spiffe, ID: "{1}-{2}"}, leaf([]string{"spiffe://prod.example.com/ns/a-b/sa/c"}), "mesh:a%2Db-c"},
		{Config{Match: spiffe, ID: "{1}-{2}"}, leaf([]string{"spiffe://prod.example.com/ns/a/sa/b-c"}), "mesh:a-b%2Dc"},
		{Config{Match: "batch.example.com", From: FromDNS}, leaf(nil, "other.example.com", "BATCH.example.com"), "mesh:batch.example.com"},
		{Config{Match: "job-*.jobs.example.com", From: FromDNS, ID: "{1}"}, leaf(nil, "job-a.jobs.example.com"), "mesh:a"},
	} {
		s, ok, err := rule(t, c.rule).Subject([]*x509.Certificate{c.cert})
		if err != nil || !ok || s.ID != c.want || s.Kind != access.Workload || s.Method != "certificate" || s.Instance != "ff" || !s.Expires.Equal(c.cert.NotAfter) {
			t.Errorf("%+v: got %+v, %v, %v, want %s", c.rule, s, ok, err, c.want)
		}
	}
	s, _, err := rule(t, Config{Match: spiffe, Owner: "corp:{1}", Groups: []string{"services"}}).Subject([]*x509.Certificate{leaf([]string{"spiffe://prod.example.com/ns/etl/sa/train"})})
	if err != nil || s.Owner != "corp:etl" || len(s.Groups) != 1 {
		t.Errorf("got %+v, %v", s, err)
	}
}

func TestCertificatesOfOthersAreNotMatched(t *testing.T) {
	uri, dns := rule(t, Config{Match: "spiffe://prod.example.com/*"}), rule(t, Config{Match: "*.jobs.example.com", From: FromDNS})
	for name, cert := range map[string]*x509.Certificate{
		"common name only":       leaf(nil),
		"another trust domain":   leaf([]string{"spiffe://dev.example.com/train"}),
		"trust domain as prefix": leaf([]string{"spiffe://prod.example.com.evil.org/train"}),
		"no path":                leaf([]string{"spiffe://prod.example.com"}),
		"empty name":             leaf([]string{"spiffe://prod.example.com/"}),
		"deeper":                 leaf([]string{"spiffe://prod.example.com/a/b"}),
		"dots":                   leaf([]string{"spiffe://prod.example.com/.."}),
		"escaped slash":          leaf([]string{"spiffe://prod.example.com/a%2Fb"}),
		"escaped letter":         leaf([]string{"spiffe://prod.example.com/%61"}),
		"port":                   leaf([]string{"spiffe://prod.example.com:1/a"}),
		"user":                   leaf([]string{"spiffe://u@prod.example.com/a"}),
		"query":                  leaf([]string{"spiffe://prod.example.com/a?b"}),
		"fragment":               leaf([]string{"spiffe://prod.example.com/a#b"}),
		"another scheme":         leaf([]string{"https://prod.example.com/a"}),
		"wildcard":               leaf(nil, "*.jobs.example.com"),
		"deeper than wildcard":   leaf(nil, "a.b.jobs.example.com"),
		"the domain itself":      leaf(nil, "jobs.example.com"),
		"line break":             leaf(nil, "a\n.jobs.example.com"),
	} {
		for _, r := range []*Rule{uri, dns} {
			if s, ok, err := r.Subject([]*x509.Certificate{cert}); ok || err != nil {
				t.Errorf("%s by %s: got %+v, %v, %v", name, r.Match, s, ok, err)
			}
		}
	}
	if _, ok, _ := uri.Subject(nil); ok {
		t.Error("an empty chain was matched")
	}
}

func TestCertificatesNotToBelieveAreRefused(t *testing.T) {
	uri := rule(t, Config{Match: "spiffe://prod.example.com/*", MaxLifetime: 24 * time.Hour})
	dns := rule(t, Config{Match: "*.jobs.example.com", From: FromDNS})
	changed := func(change func(*x509.Certificate)) *x509.Certificate {
		c := leaf([]string{"spiffe://prod.example.com/train"})
		change(c)
		return c
	}
	for name, c := range map[string]struct {
		rule *Rule
		cert *x509.Certificate
		want string
	}{
		"two URIs":       {uri, leaf([]string{"spiffe://prod.example.com/a", "spiffe://other.example.com/b"}), "2 URI names"},
		"two names":      {dns, leaf(nil, "a.jobs.example.com", "b.jobs.example.com"), "two of its names"},
		"an authority":   {uri, changed(func(c *x509.Certificate) { c.IsCA = true }), "of an authority"},
		"lives too long": {uri, changed(func(c *x509.Certificate) { c.NotAfter = now.Add(48 * time.Hour) }), "the longest allowed is 24h"},
		"not yet":        {uri, changed(func(c *x509.Certificate) { c.NotBefore = now.Add(time.Minute) }), "it is not valid before"},
		"expired":        {uri, changed(func(c *x509.Certificate) { c.NotAfter = now }), "it expired at"},
	} {
		s, _, err := c.rule.Subject([]*x509.Certificate{c.cert})
		r, ok := errors.AsType[*access.Refusal](err)
		if !ok || !strings.Contains(r.Message, c.want) {
			t.Errorf("%s: got %v, %v, want a refusal with %q", name, s, err, c.want)
		}
	}
}

func TestConfigurationFaults(t *testing.T) {
	for want, c := range map[string]Config{
		`name: "A"`:               {Name: "A", Match: "spiffe://a/b"},
		"match: \"\"":             {Name: "a"},
		"with * in its path only": {Name: "a", Match: "spiffe://*/b"},
		"more than one *":         {Name: "a", Match: "spiffe://a/*-*"},
		"is not a DNS name":       {Name: "a", From: FromDNS, Match: "spiffe://a/b"},
		"from: ":                  {Name: "a", From: "cn", Match: "x"},
		"kind: ":                  {Name: "a", Kind: "robot", Match: "spiffe://a/b"},
		"{2} is not {name}":       {Name: "a", Match: "spiffe://a/*", ID: "{2}"},
		"{sub} is not {name}":     {Name: "a", Match: "spiffe://a/*", Owner: "{sub}"},
		"would make one subject":  {Name: "a", Match: "spiffe://a/*", ID: "all"},
		"need text between them":  {Name: "a", Match: "spiffe://a/*/*", ID: "{1}{2}"},
	} {
		if _, err := New(c, time.Now); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
}
