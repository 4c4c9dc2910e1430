package login

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// Gateway is a gateway as its clients see it.
type Gateway struct {
	URL  string
	HTTP *http.Client
}

// NewGateway checks the address: tokens go there, so it is https, or http on this machine.
func NewGateway(address string, c *http.Client) (*Gateway, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		if strings.Contains(address, "@") {
			return nil, errors.New("the URL of a gateway names no user and holds no password; vecgate login signs you in")
		}
		return nil, fmt.Errorf("%q is not the URL of a gateway; write it like https://vecgate.example.com, or http://127.0.0.1:8443 on this machine", address)
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Scheme != "https" && !(u.Scheme == "http" && local) {
		return nil, fmt.Errorf("%q: a token is not sent without TLS; use https (http is for this machine only)", address)
	}
	return &Gateway{URL: strings.TrimSuffix(u.String(), "/"), HTTP: c}, nil
}

// Card is what a gateway tells about how to sign in.
type Card struct {
	Gateway   string     `json:"gateway"`
	Providers []Provider `json:"providers"`
}

// Provider is one way to sign in.
type Provider struct {
	Name     string      `json:"name"`
	Issuer   string      `json:"issuer"`
	ClientID string      `json:"client_id"`
	Kind     access.Kind `json:"kind"`
	Scope    string      `json:"scope"`
}

// Card asks how to sign in.
func (g *Gateway) Card(ctx context.Context) (*Card, error) {
	var c Card
	if err := g.get(ctx, "/.well-known/vecgate", "", &c); err != nil {
		return nil, err
	}
	return &c, nil
}

// Who is the subject of a token, as the gateway sees it.
type Who struct {
	access.Subject
	Display string `json:"display"`
}

// Whoami asks who a token is.
func (g *Gateway) Whoami(ctx context.Context, token string) (*Who, error) {
	var w Who
	if err := g.get(ctx, "/whoami", token, &w); err != nil {
		return nil, err
	}
	return &w, nil
}

// Ask is what a token of the gateway should be good for; the zero value asks for all and the default time.
type Ask struct {
	Scopes   []string
	Targets  []string
	Ticket   string
	Lifetime time.Duration
	Secret   bool   // a name and password for SCRAM instead of a token
	Actor    string // token of who acts on the subject's behalf
}

// Minted is a token of the gateway, or a secret.
type Minted struct {
	Token    string // the token, or the password
	Username string // of a secret
	Lifetime time.Duration
}

// Exchange shows the gateway a provider's token and gets one of the gateway (RFC 8693).
func (g *Gateway) Exchange(ctx context.Context, token string, ask Ask) (*Minted, error) {
	form := url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {token},
		"subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"},
	}
	if ask.Actor != "" {
		form.Set("actor_token", ask.Actor)
		form.Set("actor_token_type", "urn:ietf:params:oauth:token-type:jwt")
	}
	if len(ask.Scopes) > 0 {
		form.Set("scope", strings.Join(ask.Scopes, " "))
	}
	if len(ask.Targets) > 0 {
		form["audience"] = ask.Targets
	}
	if ask.Ticket != "" {
		form.Set("ticket", ask.Ticket)
	}
	if ask.Lifetime != 0 {
		form.Set("lifetime", strconv.Itoa(int(ask.Lifetime/time.Second)))
	}
	if ask.Secret {
		form.Set("requested_token_type", "urn:vecgate:token-type:secret")
	}
	var out struct {
		Token       string `json:"access_token"`
		Username    string `json:"username"`
		Expires     int64  `json:"expires_in"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	status, err := post(ctx, g.HTTP, g.URL+"/token", form, &out)
	if err != nil {
		return nil, fmt.Errorf("gateway %s: %w", g.URL, err)
	}
	if status != http.StatusOK || out.Token == "" {
		return nil, &Answer{Gateway: g.URL, Status: status, Message: firstOf(short(out.Description), short(out.Error), "no")}
	}
	return &Minted{Token: out.Token, Username: out.Username, Lifetime: time.Duration(out.Expires) * time.Second}, nil
}

// Revoke ends a token of the gateway, or the secret with that username and password.
func (g *Gateway) Revoke(ctx context.Context, m Minted) error {
	form := url.Values{"token": {m.Token}}
	if m.Username != "" {
		form.Set("username", m.Username)
	}
	var out struct{}
	status, err := post(ctx, g.HTTP, g.URL+"/revoke", form, &out)
	if err == nil && status != http.StatusOK {
		err = errors.New("status " + strconv.Itoa(status))
	}
	if err != nil {
		return fmt.Errorf("gateway %s: %w", g.URL, err)
	}
	return nil
}

// Answer is a gateway's no.
type Answer struct {
	Gateway string
	Status  int
	Message string
}

// Error implements error.
func (a *Answer) Error() string { return a.Message }

func (g *Gateway) get(ctx context.Context, path, token string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, g.URL+path, nil)
	if err != nil {
		return fmt.Errorf("gateway %s: %w", g.URL, err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	var out rawAnswer
	status, err := do(g.HTTP, request, &out)
	if err != nil {
		return fmt.Errorf("gateway %s: %w", g.URL, err)
	}
	if status != http.StatusOK {
		return &Answer{Gateway: g.URL, Status: status, Message: out.message()}
	}
	return out.into(into)
}

func firstOf(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}
