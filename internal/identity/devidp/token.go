package devidp

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/vecgate/vecgate/internal/identity/jwt"
)

func (i *issuer) token(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request", "the form cannot be read")
		return
	}
	c, ok := i.authenticate(r)
	if !ok {
		refuse(w, http.StatusUnauthorized, "invalid_client", "no such client, or its secret is wrong")
		return
	}
	switch r.PostForm.Get("grant_type") {
	case "authorization_code":
		i.redeemCode(w, r, c)
	case "urn:ietf:params:oauth:grant-type:device_code":
		i.redeemDevice(w, r, c)
	case "client_credentials":
		i.clientCredentials(w, r, c)
	default:
		refuse(w, http.StatusBadRequest, "unsupported_grant_type", "use authorization_code, device_code or client_credentials")
	}
}

func (i *issuer) redeemCode(w http.ResponseWriter, r *http.Request, c *Client) {
	i.mu.Lock()
	waiting, ok := i.codes[r.PostForm.Get("code")]
	delete(i.codes, r.PostForm.Get("code")) // once, whatever comes of it
	i.mu.Unlock()
	if !ok || i.now().After(waiting.expires) || waiting.client != c.ID || waiting.redirect != r.PostForm.Get("redirect_uri") {
		refuse(w, http.StatusBadRequest, "invalid_grant", "the code is unknown, spent, expired or another client's")
		return
	}
	verifier := r.PostForm.Get("code_verifier")
	if waiting.challenge != "" {
		digest := sha256.Sum256([]byte(verifier))
		got := base64.RawURLEncoding.EncodeToString(digest[:])
		if len(verifier) < 43 || len(verifier) > 128 || subtle.ConstantTimeCompare([]byte(got), []byte(waiting.challenge)) != 1 {
			refuse(w, http.StatusBadRequest, "invalid_grant", "code_verifier does not fit code_challenge")
			return
		}
	} else if verifier != "" {
		refuse(w, http.StatusBadRequest, "invalid_grant", "code_verifier without code_challenge")
		return
	}
	i.answer(w, waiting.user, c, waiting.scope, waiting.nonce, waiting.audience)
}

// clientCredentials answers a workload: a token of its own, with the claims configured for it.
func (i *issuer) clientCredentials(w http.ResponseWriter, r *http.Request, c *Client) {
	if c.Secret == "" {
		refuse(w, http.StatusBadRequest, "unauthorized_client", "a client without a secret has no tokens of its own")
		return
	}
	now := i.now()
	claims := i.fill(c.Claims)
	claims["iss"], claims["sub"], claims["client_id"] = i.url, first(c.Sub, c.ID), c.ID
	claims["aud"] = first(r.PostForm.Get("resource"), r.PostForm.Get("audience"), i.Audience)
	claims["iat"], claims["exp"], claims["jti"] = now.Unix(), now.Add(time.Duration(i.Lifetime)).Unix(), rand.Text()
	raw, err := i.keys.sign("at+jwt", claims)
	if err != nil {
		i.fail(w, err)
		return
	}
	i.log.Info("issued", "issuer", i.url, "client", c.ID)
	reply(w, http.StatusOK, map[string]any{"access_token": raw, "token_type": "Bearer", "expires_in": int(time.Duration(i.Lifetime).Seconds())})
}

// fill copies configured claims, with ${uuid} and ${counter} new each time, like the numbers of a run.
func (i *issuer) fill(claims map[string]any) map[string]any {
	out := make(map[string]any, len(claims)+8)
	for name, v := range claims {
		if s, ok := v.(string); ok && strings.Contains(s, "${") {
			s = strings.ReplaceAll(s, "${uuid}", rand.Text())
			v = strings.ReplaceAll(s, "${counter}", strconv.FormatInt(i.counter.Add(1), 10))
		}
		out[name] = v
	}
	return out
}

// devToken gives a script the tokens of a person without any page: development only, like the rest of this package.
func (i *issuer) devToken(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request", "the form cannot be read")
		return
	}
	u, ok := i.user(r.PostForm.Get("user"))
	if !ok {
		refuse(w, http.StatusBadRequest, "invalid_grant", "no such user")
		return
	}
	c, ok := i.client(r.PostForm.Get("client_id"))
	if !ok {
		refuse(w, http.StatusBadRequest, "invalid_client", "no such client")
		return
	}
	i.answer(w, u, c, "openid profile email groups", r.PostForm.Get("nonce"), r.PostForm.Get("audience"))
}

func (i *issuer) userinfo(w http.ResponseWriter, r *http.Request) {
	scheme, raw, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	t, err := jwt.Parse(raw)
	valid := err == nil && strings.EqualFold(scheme, "Bearer") && t.Type == "at+jwt" && t.Claims.Text("iss") == i.url
	if valid {
		valid = false
		for _, k := range i.keys.public().Keys {
			valid = valid || k.KeyID == t.KeyID && t.Verify(&k) == nil
		}
	}
	if valid {
		exp, err := t.Claims.Time("exp")
		valid = err == nil && i.now().Before(exp)
	}
	if !valid {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		reply(w, http.StatusUnauthorized, map[string]string{"error": "invalid_token"})
		return
	}
	out := map[string]any{}
	for _, name := range []string{"sub", "name", "email", "email_verified", "preferred_username", "groups"} {
		if v, ok := t.Claims[name]; ok {
			out[name] = v
		}
	}
	reply(w, http.StatusOK, out)
}
