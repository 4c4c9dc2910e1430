package oidc

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Metadata is what discovery says about a provider, as far as it is used.
type Metadata struct {
	Issuer              string   `json:"issuer"`
	Authorization       string   `json:"authorization_endpoint"`
	Token               string   `json:"token_endpoint"`
	DeviceAuthorization string   `json:"device_authorization_endpoint"`
	EndSession          string   `json:"end_session_endpoint"`
	JWKS                string   `json:"jwks_uri"`
	PKCE                []string `json:"code_challenge_methods_supported"`
}

// WellKnown is where an issuer publishes its metadata.
func WellKnown(issuer string) string {
	return strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
}

// Discover reads the metadata of an issuer. What it says its issuer is must be the issuer that was asked for, byte for
// byte, and an issuer on the network cannot send anybody to an address without TLS.
func Discover(ctx context.Context, base *http.Client, issuer string) (*Metadata, error) {
	if err := checkIssuer(issuer); err != nil {
		return nil, err
	}
	return discover(ctx, client(base), issuer)
}

func discover(ctx context.Context, c *http.Client, issuer string) (*Metadata, error) {
	var m Metadata
	if err := fetch(ctx, c, WellKnown(issuer), &m); err != nil {
		return nil, err
	}
	if m.Issuer != issuer {
		return nil, fmt.Errorf("discovery of %s: it calls itself %q", issuer, cut(m.Issuer))
	}
	secure := strings.HasPrefix(issuer, "https://")
	for name, address := range map[string]string{
		"authorization_endpoint": m.Authorization, "token_endpoint": m.Token, "device_authorization_endpoint": m.DeviceAuthorization,
		"end_session_endpoint": m.EndSession, "jwks_uri": m.JWKS,
	} {
		if address == "" {
			continue
		}
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || checkTransport(u) != nil || secure && u.Scheme != "https" {
			return nil, fmt.Errorf("discovery of %s: %s is %q", issuer, name, cut(address))
		}
	}
	if m.JWKS == "" {
		return nil, fmt.Errorf("discovery of %s: no jwks_uri", issuer)
	}
	return &m, nil
}

// cut makes a stranger's words fit for a message.
func cut(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}
