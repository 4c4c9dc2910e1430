package identity

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/identity/secret"
	"github.com/vecgate/vecgate/internal/identity/token"
)

// Card is what a gateway tells anybody about how to sign in: the answer of GET /.well-known/vecgate.
type Card struct {
	Gateway   string         `json:"gateway"`
	Token     string         `json:"token_endpoint"`
	Whoami    string         `json:"whoami_endpoint"`
	Revoke    string         `json:"revocation_endpoint"`
	Providers []CardProvider `json:"providers"`
}

// CardProvider is one way to sign in.
type CardProvider struct {
	Name     string      `json:"name"`
	Issuer   string      `json:"issuer"`
	ClientID string      `json:"client_id,omitempty"`
	Kind     access.Kind `json:"kind"`
	Scope    string      `json:"scope,omitempty"`
	Audience string      `json:"audience,omitempty"`
}

// Who is the answer of GET /whoami.
type Who struct {
	access.Subject
	Display string `json:"display"`
}

// Paths that Handler answers.
var Paths = []string{"/token", "/revoke", "/whoami", "/.well-known/vecgate", "/.well-known/openid-configuration", "/.well-known/jwks.json"}

// Handler answers Paths, at the root of the gateway's URL. It asks for no cookie, so that no web page can use somebody
// else's.
func (r *Registry) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", r.exchange)
	mux.HandleFunc("POST /revoke", r.revoke)
	mux.HandleFunc("GET /whoami", r.whoami)
	mux.HandleFunc("GET /.well-known/vecgate", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, r.card()) })
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]any{
			"issuer": r.url, "token_endpoint": r.url + "/token", "revocation_endpoint": r.url + "/revoke", "jwks_uri": r.url + "/.well-known/jwks.json",
			"grant_types_supported": []string{GrantExchange}, "response_types_supported": []string{}, "subject_types_supported": []string{"public"},
			"id_token_signing_alg_values_supported": []string{"ES256"}, "token_endpoint_auth_methods_supported": []string{"none"},
		})
	})
	mux.HandleFunc("GET /.well-known/jwks.json", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, r.tokens.JWKS()) })
	return mux
}

func (r *Registry) card() Card {
	c := Card{Gateway: r.url, Token: r.url + "/token", Whoami: r.url + "/whoami", Revoke: r.url + "/revoke", Providers: []CardProvider{}}
	for _, p := range r.live.Load().providers {
		one := CardProvider{Name: p.Name, Issuer: p.Issuer, ClientID: p.ClientID, Kind: p.Kind}
		if p.Kind == access.Person {
			one.Scope = Scopes
		}
		if len(p.Audiences) > 0 {
			one.Audience = p.Audiences[0]
		}
		c.Providers = append(c.Providers, one)
	}
	return c
}

func (r *Registry) whoami(w http.ResponseWriter, q *http.Request) {
	raw, ok := Bearer(q)
	if !ok {
		w.Header().Set("WWW-Authenticate", `Bearer realm="vecgate"`)
		oauthError(w, http.StatusUnauthorized, "invalid_token", "show a token: Authorization: Bearer ...")
		return
	}
	s, err := r.token(q.Context(), raw, false)
	if err != nil {
		refusal := r.told(q, err)
		if refusal.Code == access.CodeInternal {
			r.refuse(w, refusal)
			return
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="vecgate", error="invalid_token"`)
		oauthError(w, http.StatusUnauthorized, "invalid_token", strings.TrimSuffix(refusal.Message+"; "+refusal.Hint, "; "))
		return
	}
	reply(w, http.StatusOK, Who{*s, s.Display()})
}

// revoke is RFC 7009 for the gateway's own tokens, and for its secrets when the form has a username too: whoever holds one
// may end it. What opens nothing anyway is answered alike.
func (r *Registry) revoke(w http.ResponseWriter, q *http.Request) {
	q.Body = http.MaxBytesReader(w, q.Body, 64<<10)
	if err := q.ParseForm(); err != nil || q.PostForm.Get("token") == "" {
		oauthError(w, http.StatusBadRequest, "invalid_request", "field token is missing")
		return
	}
	raw, credential := q.PostForm.Get("token"), q.PostForm.Get("username")
	var err error
	if credential != "" {
		if err = r.secrets.GiveUp(q.Context(), credential, raw); errors.Is(err, secret.ErrUnknown) {
			credential, err = "", nil
		}
	} else {
		credential, err = r.tokens.Revoke(q.Context(), raw)
	}
	if err != nil {
		r.refuse(w, r.told(q, err))
		return
	}
	if credential != "" && r.Ended != nil {
		r.Ended(credential)
	}
	if credential != "" && r.Revoked != nil {
		r.Revoked(q.Context(), credential, clientAddress(q))
	}
	reply(w, http.StatusOK, struct{}{})
}

// Bearer returns the token of an Authorization header, when there is exactly one.
func Bearer(q *http.Request) (string, bool) {
	all := q.Header.Values("Authorization")
	if len(all) != 1 {
		return "", false
	}
	scheme, raw, ok := strings.Cut(all[0], " ")
	raw = strings.TrimSpace(raw)
	return raw, ok && raw != "" && strings.EqualFold(scheme, "Bearer")
}

func reply(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may have gone
}

// Mint makes a token of the gateway for a subject that was verified just now: for the server's own use, such as a
// console that calls the API on a person's behalf.
func (r *Registry) Mint(s *access.Subject, lifetime time.Duration) (string, error) {
	raw, _, err := r.tokens.Mint(s, token.Ask{Lifetime: lifetime})
	return raw, err
}
