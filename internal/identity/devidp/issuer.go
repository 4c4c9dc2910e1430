package devidp

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// How long things wait for somebody.
const (
	codeLife   = time.Minute
	deviceLife = 10 * time.Minute
	maxPending = 10000
)

// issuer is one provider.
type issuer struct {
	Issuer
	url     string
	keys    *ring
	log     *slog.Logger
	now     func() time.Time
	counter atomic.Int64

	mu      sync.Mutex
	codes   map[string]*code
	devices map[string]*device
}

func newIssuer(url string, c Issuer, o Options) (*issuer, error) {
	if c.Audience == "" {
		c.Audience = "vecgate"
	}
	if c.Lifetime == 0 {
		c.Lifetime = Duration(time.Hour)
	}
	keys, err := newRing(c.Algorithm)
	if err != nil {
		return nil, err
	}
	return &issuer{Issuer: c, url: url, keys: keys, log: o.Log, now: o.Now, codes: map[string]*code{}, devices: map[string]*device{}}, nil
}

func (i *issuer) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.discovery)
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, i.keys.public()) })
	mux.HandleFunc("GET /authorize", i.authorizePage)
	mux.HandleFunc("POST /authorize", i.authorize)
	mux.HandleFunc("POST /token", i.token)
	mux.HandleFunc("POST /device_authorization", i.deviceAuthorization)
	mux.HandleFunc("GET /device", i.devicePage)
	mux.HandleFunc("POST /device", i.deviceChoose)
	mux.HandleFunc("GET /userinfo", i.userinfo)
	mux.HandleFunc("POST /userinfo", i.userinfo)
	mux.HandleFunc("POST /dev/token", i.devToken)
	mux.HandleFunc("GET /style.css", asset("style.css", "text/css; charset=utf-8"))
	mux.HandleFunc("GET /icon.svg", asset("icon.svg", "image/svg+xml"))
	mux.HandleFunc("GET /{$}", i.home)
	return mux
}

func (i *issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]any{
		"issuer":                                         i.url,
		"authorization_endpoint":                         i.url + "/authorize",
		"token_endpoint":                                 i.url + "/token",
		"device_authorization_endpoint":                  i.url + "/device_authorization",
		"userinfo_endpoint":                              i.url + "/userinfo",
		"jwks_uri":                                       i.url + "/keys",
		"response_types_supported":                       []string{"code"},
		"response_modes_supported":                       []string{"query"},
		"grant_types_supported":                          []string{"authorization_code", "urn:ietf:params:oauth:grant-type:device_code", "client_credentials"},
		"subject_types_supported":                        []string{"public"},
		"id_token_signing_alg_values_supported":          []string{string(i.keys.algorithm)},
		"scopes_supported":                               []string{"openid", "profile", "email", "groups"},
		"token_endpoint_auth_methods_supported":          []string{"none", "client_secret_basic", "client_secret_post"},
		"code_challenge_methods_supported":               []string{"S256"},
		"claims_supported":                               []string{"sub", "name", "email", "email_verified", "preferred_username", "groups"},
		"authorization_response_iss_parameter_supported": true,
	})
}

func (i *issuer) user(sub string) (*User, bool) {
	n := slices.IndexFunc(i.Users, func(u User) bool { return u.Sub == sub })
	if n < 0 {
		return nil, false
	}
	return &i.Users[n], true
}

func (i *issuer) client(id string) (*Client, bool) {
	n := slices.IndexFunc(i.Clients, func(c Client) bool { return c.ID == id })
	if n < 0 {
		return nil, false
	}
	return &i.Clients[n], true
}

// authenticate returns the client that sent a form: by HTTP Basic (RFC 6749 section 2.3.1), by fields, or by name alone
// when it has no secret.
func (i *issuer) authenticate(r *http.Request) (*Client, bool) {
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if user, password, basic := r.BasicAuth(); basic {
		u, err1 := url.QueryUnescape(user)
		p, err2 := url.QueryUnescape(password)
		if err1 != nil || err2 != nil || id != "" && id != u {
			return nil, false
		}
		id, secret = u, p
	}
	c, ok := i.client(id)
	if !ok || subtle.ConstantTimeCompare([]byte(c.Secret), []byte(secret)) != 1 {
		return nil, false
	}
	return c, true
}

// claims of a person's tokens.
func (i *issuer) claims(u *User, audience any) map[string]any {
	now := i.now()
	claims := map[string]any{}
	for name, v := range u.Claims {
		claims[name] = v
	}
	claims["iss"], claims["sub"], claims["aud"] = i.url, u.Sub, audience
	claims["iat"], claims["exp"], claims["jti"] = now.Unix(), now.Add(time.Duration(i.Lifetime)).Unix(), rand.Text()
	if u.Name != "" {
		claims["name"] = u.Name
	}
	if u.Email != "" {
		claims["email"], claims["email_verified"] = u.Email, true
	}
	claims["preferred_username"] = u.Sub
	if u.Groups != nil {
		claims["groups"] = u.Groups
	}
	return claims
}

// answer writes the tokens of a person for a client.
func (i *issuer) answer(w http.ResponseWriter, u *User, c *Client, scope, nonce, audience string) {
	if audience == "" {
		audience = i.Audience
	}
	access := i.claims(u, audience)
	access["client_id"], access["scope"] = c.ID, scope
	id := i.claims(u, c.ID)
	id["auth_time"] = i.now().Unix()
	if nonce != "" {
		id["nonce"] = nonce
	}
	accessToken, err := i.keys.sign("at+jwt", access)
	if err != nil {
		i.fail(w, err)
		return
	}
	idToken, err := i.keys.sign("JWT", id)
	if err != nil {
		i.fail(w, err)
		return
	}
	i.log.Info("signed in", "issuer", i.url, "sub", u.Sub, "client", c.ID)
	reply(w, http.StatusOK, map[string]any{
		"access_token": accessToken, "token_type": "Bearer", "expires_in": int(time.Duration(i.Lifetime).Seconds()), "id_token": idToken, "scope": scope,
	})
}

func (i *issuer) fail(w http.ResponseWriter, err error) {
	i.log.Error("answer", "error", err)
	refuse(w, http.StatusInternalServerError, "server_error", "see the log")
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may have gone
}

// refuse answers as RFC 6749 section 5.2 says.
func refuse(w http.ResponseWriter, status int, code, description string) {
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="vecgate dev idp"`)
	}
	reply(w, status, map[string]string{"error": code, "error_description": description})
}
