// Package login is the client's side of signing in: a browser with PKCE, the device flow, what a gateway tells about
// itself, the exchange of a provider's token for one of the gateway, and the file where a sign-in is kept.
//
// It refuses to judge tokens; the gateway does. Start at Client.Browser and Gateway.Exchange.
package login

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/vecgate/vecgate/internal/identity/jwt"
	"github.com/vecgate/vecgate/internal/identity/oidc"
)

// maxAnswer is the longest answer that is read.
const maxAnswer = 1 << 20

// Client signs a person in at one provider.
type Client struct {
	Issuer   string
	ClientID string
	Secret   string // of a confidential client, such as a console; empty for a program on somebody's machine
	Scope    string
	HTTP     *http.Client
	Now      func() time.Time
}

// Tokens is what a provider gave.
type Tokens struct {
	ID      string
	Access  string
	Expires time.Time // of the ID token
}

// Started is a sign-in that waits for the provider's answer.
type Started struct {
	URL      string // where the person goes
	State    string
	Nonce    string
	verifier string
	redirect string
	metadata *oidc.Metadata
}

// Verifier is the PKCE verifier, for a caller that keeps a Started in a cookie.
func (s *Started) Verifier() string { return s.verifier }

// Resume makes a Started from what a caller kept.
func (c *Client) Resume(ctx context.Context, state, nonce, verifier, redirect string) (*Started, error) {
	m, err := oidc.Discover(ctx, c.HTTP, c.Issuer)
	if err != nil {
		return nil, err
	}
	return &Started{State: state, Nonce: nonce, verifier: verifier, redirect: redirect, metadata: m}, nil
}

// Begin prepares a sign-in by authorization code with PKCE (RFC 7636), state and nonce.
func (c *Client) Begin(ctx context.Context, redirect string) (*Started, error) {
	m, err := oidc.Discover(ctx, c.HTTP, c.Issuer)
	if err != nil {
		return nil, err
	}
	if m.Authorization == "" || m.Token == "" {
		return nil, fmt.Errorf("%s has no authorization endpoint", c.Issuer)
	}
	s := &Started{State: secret(), Nonce: secret(), verifier: secret(), redirect: redirect, metadata: m}
	challenge := sha256.Sum256([]byte(s.verifier))
	u, err := url.Parse(m.Authorization)
	if err != nil {
		return nil, fmt.Errorf("authorization endpoint of %s: %w", c.Issuer, err)
	}
	q := u.Query()
	for name, v := range map[string]string{
		"response_type": "code", "client_id": c.ClientID, "redirect_uri": redirect, "scope": c.Scope, "state": s.State, "nonce": s.Nonce,
		"code_challenge": base64.RawURLEncoding.EncodeToString(challenge[:]), "code_challenge_method": "S256",
	} {
		q.Set(name, v)
	}
	u.RawQuery = q.Encode()
	s.URL = u.String()
	return s, nil
}

// Finish takes the provider's answer, as it came in the query of the redirect.
func (c *Client) Finish(ctx context.Context, s *Started, answer url.Values) (*Tokens, error) {
	if answer.Get("state") != s.State {
		return nil, errors.New("the answer belongs to another sign-in (state)")
	}
	if iss := answer.Get("iss"); iss != "" && iss != c.Issuer {
		return nil, fmt.Errorf("the answer comes from %q, not from %s", short(iss), c.Issuer)
	}
	if e := answer.Get("error"); e != "" {
		return nil, fmt.Errorf("%s answered: %s", c.Issuer, describe(e, answer.Get("error_description")))
	}
	if answer.Get("code") == "" {
		return nil, fmt.Errorf("%s answered without a code", c.Issuer)
	}
	t, _, err := c.redeem(ctx, s.metadata.Token, url.Values{
		"grant_type": {"authorization_code"}, "code": {answer.Get("code")}, "redirect_uri": {s.redirect}, "code_verifier": {s.verifier},
	})
	if err != nil {
		return nil, err
	}
	return c.check(t, s.Nonce)
}

// answer of a token endpoint.
type answer struct {
	ID          string `json:"id_token"`
	Access      string `json:"access_token"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// redeem posts to a token endpoint. The second result is the OAuth error code, when that is what came.
func (c *Client) redeem(ctx context.Context, endpoint string, form url.Values) (*answer, string, error) {
	form.Set("client_id", c.ClientID)
	if c.Secret != "" {
		form.Set("client_secret", c.Secret)
	}
	var a answer
	status, err := post(ctx, c.HTTP, endpoint, form, &a)
	if err != nil {
		return nil, "", err
	}
	if status != http.StatusOK || a.Error != "" {
		return nil, a.Error, fmt.Errorf("%s answered: %s", c.Issuer, describe(a.Error, a.Description))
	}
	return &a, "", nil
}

// check looks whether an ID token answers this sign-in. It came straight from the token endpoint (OpenID Connect Core
// section 3.1.3.7), so the signature is left to the gateway.
func (c *Client) check(a *answer, nonce string) (*Tokens, error) {
	if a.ID == "" {
		return nil, fmt.Errorf("%s gave no ID token; is the scope openid asked for?", c.Issuer)
	}
	t, err := jwt.Parse(a.ID)
	if err != nil {
		return nil, fmt.Errorf("ID token of %s: %w", c.Issuer, err)
	}
	audience, err := t.Claims.Audience()
	if err != nil || !slices.Contains(audience, c.ClientID) || t.Claims.Text("iss") != c.Issuer {
		return nil, fmt.Errorf("ID token of %s was made for somebody else", c.Issuer)
	}
	if nonce != "" && t.Claims.Text("nonce") != nonce {
		return nil, fmt.Errorf("ID token of %s answers another sign-in (nonce)", c.Issuer)
	}
	expires, err := t.Claims.Time("exp")
	if err != nil || expires.IsZero() {
		return nil, fmt.Errorf("ID token of %s does not say when it expires", c.Issuer)
	}
	return &Tokens{ID: a.ID, Access: a.Access, Expires: expires}, nil
}

// post sends a form and reads a JSON answer, whatever its status. It follows no redirect: the form holds credentials.
func post(ctx context.Context, base *http.Client, endpoint string, form url.Values, into any) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, fmt.Errorf("post to %s: %w", endpoint, err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return do(base, request, into)
}

func do(base *http.Client, request *http.Request, into any) (int, error) {
	c := &http.Client{Timeout: 30 * time.Second}
	if base != nil {
		*c = *base
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	request.Header.Set("Accept", "application/json")
	response, err := c.Do(request)
	if err != nil {
		// The URL of the error holds no credential: forms travel in the body, tokens in a header.
		return 0, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return 0, fmt.Errorf("read answer of %s: %w", request.URL.Host, err)
	}
	if len(body) > maxAnswer {
		return 0, fmt.Errorf("answer of %s is longer than %d bytes", request.URL.Host, maxAnswer)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return 0, fmt.Errorf("%s answered with status %d and no JSON", request.URL.Redacted(), response.StatusCode)
	}
	return response.StatusCode, nil
}

func describe(code, description string) string {
	switch {
	case code == "":
		return "no"
	case description == "":
		return short(code)
	}
	return short(description) + " (" + short(code) + ")"
}

// secret returns 256 random bits as text.
func secret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return base64.RawURLEncoding.EncodeToString(b)
}

// short makes a stranger's words fit for a terminal.
func short(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
	if len(s) > 500 {
		return s[:500] + "…"
	}
	return s
}
