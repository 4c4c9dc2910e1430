// Package devidp is an identity provider for development: it speaks real OpenID Connect (discovery, keys, authorization
// code with PKCE, device flow, client credentials, signed tokens with groups) and asks nobody for a password.
//
// It refuses to listen anywhere but on loopback, and it keeps everything in memory. Start at Start.
package devidp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"regexp"
	"time"

	"github.com/goccy/go-yaml"
)

// Config says who there is. One server can be several issuers, each under a path of its own; the issuer named "" is the
// server itself.
type Config struct {
	Issuers map[string]Issuer `yaml:"issuers"`
}

// Issuer is one provider with its users and clients.
type Issuer struct {
	Users   []User   `yaml:"users"`
	Clients []Client `yaml:"clients"`
	// Audience of access tokens for which the client named none; empty means "vecgate".
	Audience string `yaml:"audience"`
	// Lifetime of tokens; zero means an hour.
	Lifetime Duration `yaml:"lifetime"`
	// Algorithm is ES256 (the default) or RS256.
	Algorithm string `yaml:"algorithm"`
}

// User is a person who can sign in by saying so.
type User struct {
	Sub    string         `yaml:"sub"`
	Name   string         `yaml:"name"`
	Email  string         `yaml:"email"`
	Groups []string       `yaml:"groups"`
	Claims map[string]any `yaml:"claims"` // added to every token
}

// Client is a program: one that signs people in (no secret, or one), or a workload with a secret and claims of its own.
type Client struct {
	ID     string `yaml:"id"`
	Secret string `yaml:"secret"`
	// Redirects are where codes may be sent. One on a loopback address is good for every port, as RFC 8252 asks.
	Redirects []string `yaml:"redirects"`
	// Sub is the subject of the client's own tokens; empty means its ID. Two clients may share one, like two jobs of one
	// service account.
	Sub    string         `yaml:"sub"`
	Claims map[string]any `yaml:"claims"` // of the client's own tokens; strings may hold ${uuid} and ${counter}
}

// Duration is a time.Duration that YAML writes as 15m.
type Duration time.Duration

// UnmarshalYAML implements yaml.BytesUnmarshaler.
func (d *Duration) UnmarshalYAML(b []byte) error {
	v, err := time.ParseDuration(string(bytes.Trim(bytes.TrimSpace(b), `"'`)))
	*d = Duration(v)
	return err
}

// Load reads a file; a file that lists users or clients directly is the one issuer named "".
func Load(path string) (*Config, error) {
	body, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read users: %w", err)
	}
	return Parse(body)
}

// Parse is Load for the content of a file.
func Parse(body []byte) (*Config, error) {
	var file struct {
		Config `yaml:",inline"`
		Issuer `yaml:",inline"`
	}
	if err := yaml.NewDecoder(bytes.NewReader(body), yaml.DisallowUnknownField()).Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read users: %w", err)
	}
	c := file.Config
	if len(file.Users)+len(file.Clients) > 0 {
		if c.Issuers == nil {
			c.Issuers = make(map[string]Issuer)
		}
		if _, twice := c.Issuers[""]; twice {
			return nil, errors.New(`read users: both the file itself and issuers[""] describe the issuer at the root`)
		}
		c.Issuers[""] = file.Issuer
	}
	return &c, c.check()
}

var issuerShape = regexp.MustCompile(`^([a-z][a-z0-9-]{0,30})?$`)

func (c *Config) check() error {
	var faults []error
	if len(c.Issuers) == 0 {
		faults = append(faults, errors.New("users: nobody is listed"))
	}
	for name, issuer := range c.Issuers {
		if !issuerShape.MatchString(name) {
			faults = append(faults, fmt.Errorf("issuers.%s: not a name: lower-case letters, digits and -", name))
		}
		if issuer.Algorithm != "" && issuer.Algorithm != "ES256" && issuer.Algorithm != "RS256" {
			faults = append(faults, fmt.Errorf("issuers.%s.algorithm: %q is not one of ES256, RS256", name, issuer.Algorithm))
		}
		seen := make(map[string]bool)
		for i, u := range issuer.Users {
			if u.Sub == "" || seen[u.Sub] {
				faults = append(faults, fmt.Errorf("issuers.%s.users[%d].sub: %q is empty or listed twice", name, i, u.Sub))
			}
			seen[u.Sub] = true
		}
		clients := make(map[string]bool)
		for i, client := range issuer.Clients {
			if client.ID == "" || clients[client.ID] {
				faults = append(faults, fmt.Errorf("issuers.%s.clients[%d].id: %q is empty or listed twice", name, i, client.ID))
			}
			clients[client.ID] = true
			for j, redirect := range client.Redirects {
				if u, err := url.Parse(redirect); err != nil || u.Host == "" || u.Fragment != "" || u.Scheme != "http" && u.Scheme != "https" {
					faults = append(faults, fmt.Errorf("issuers.%s.clients[%d].redirects[%d]: %q is not an http or https URL", name, i, j, redirect))
				}
			}
		}
	}
	return errors.Join(faults...)
}
