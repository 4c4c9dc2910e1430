package devidp

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// code is an authorization code that waits to be redeemed, once.
type code struct {
	client    string
	redirect  string
	challenge string
	nonce     string
	scope     string
	audience  string
	user      *User
	expires   time.Time
}

// asked is a checked authorization request.
type asked struct {
	client   *Client
	redirect *url.URL
	query    url.Values
}

// checkAuthorize checks a request. Until client and redirect are known to belong together, faults are shown to the
// person and sent nowhere (RFC 6749 section 4.1.2.1).
func (i *issuer) checkAuthorize(q url.Values) (a asked, shown, code, description string) {
	a.query = q
	c, ok := i.client(q.Get("client_id"))
	if !ok {
		return a, "No client is called " + q.Get("client_id") + ".", "", ""
	}
	a.client = c
	u, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || !permitted(c.Redirects, u) {
		return a, "The client " + c.ID + " may not send people to " + q.Get("redirect_uri") + ". Its redirects are: " + strings.Join(c.Redirects, ", "), "", ""
	}
	a.redirect = u
	switch {
	case q.Get("response_type") != "code":
		return a, "", "unsupported_response_type", "response_type must be code"
	case q.Get("response_mode") != "" && q.Get("response_mode") != "query":
		return a, "", "invalid_request", "response_mode must be query"
	case c.Secret == "" && q.Get("code_challenge") == "":
		return a, "", "invalid_request", "a client without a secret must use PKCE (code_challenge)"
	case q.Get("code_challenge") != "" && (q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43):
		return a, "", "invalid_request", "code_challenge_method must be S256"
	case len(q.Get("nonce")) > 256 || len(q.Get("scope")) > 1024:
		return a, "", "invalid_request", "nonce or scope is too long"
	case q.Get("prompt") == "none":
		return a, "", "login_required", "nobody is ever signed in here beforehand"
	}
	return a, "", "", ""
}

// permitted compares exactly, except for the port of a loopback address (RFC 8252 section 7.3).
func permitted(redirects []string, u *url.URL) bool {
	if u.Host == "" || u.Fragment != "" || u.User != nil {
		return false
	}
	for _, r := range redirects {
		if r == u.String() {
			return true
		}
		want, err := url.Parse(r)
		if err == nil && loopback(want.Hostname()) && want.Scheme == u.Scheme && want.Hostname() == u.Hostname() && want.Path == u.Path && want.RawQuery == u.RawQuery {
			return true
		}
	}
	return false
}

func (i *issuer) authorizePage(w http.ResponseWriter, r *http.Request) {
	a, shown, fault, description := i.checkAuthorize(r.URL.Query())
	if shown != "" {
		i.show(w, http.StatusBadRequest, "fault", page{Title: "This sign-in cannot go on", Message: shown})
		return
	}
	if fault != "" {
		i.sendBack(w, r, a, url.Values{"error": {fault}, "error_description": {description}})
		return
	}
	w.Header().Set("Content-Security-Policy", policy(a.redirect.Scheme+"://"+a.redirect.Host))
	i.show(w, http.StatusOK, "choose", page{Title: "Sign in", Client: a.client.ID, Users: i.Users, Query: a.query, Action: "authorize"})
}

func (i *issuer) authorize(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		i.show(w, http.StatusBadRequest, "fault", page{Title: "This sign-in cannot go on", Message: "The form cannot be read."})
		return
	}
	a, shown, fault, description := i.checkAuthorize(r.PostForm)
	if shown != "" {
		i.show(w, http.StatusBadRequest, "fault", page{Title: "This sign-in cannot go on", Message: shown})
		return
	}
	if fault != "" {
		i.sendBack(w, r, a, url.Values{"error": {fault}, "error_description": {description}})
		return
	}
	u, ok := i.user(r.PostForm.Get("user"))
	if !ok {
		i.sendBack(w, r, a, url.Values{"error": {"access_denied"}, "error_description": {"nobody was chosen"}})
		return
	}
	id := rand.Text()
	i.mu.Lock()
	i.forget()
	full := len(i.codes) >= maxPending
	if !full {
		i.codes[id] = &code{
			client: a.client.ID, redirect: a.query.Get("redirect_uri"), challenge: a.query.Get("code_challenge"), nonce: a.query.Get("nonce"),
			scope: a.query.Get("scope"), audience: first(a.query.Get("resource"), a.query.Get("audience")), user: u, expires: i.now().Add(codeLife),
		}
	}
	i.mu.Unlock()
	if full {
		i.sendBack(w, r, a, url.Values{"error": {"temporarily_unavailable"}, "error_description": {"too many sign-ins are open"}})
		return
	}
	i.sendBack(w, r, a, url.Values{"code": {id}})
}

// sendBack redirects to the client with an answer, its state, and who answers (RFC 9207).
func (i *issuer) sendBack(w http.ResponseWriter, r *http.Request, a asked, answer url.Values) {
	u := *a.redirect
	q := u.Query()
	for name, v := range answer {
		q[name] = v
	}
	if state := a.query.Get("state"); state != "" {
		q.Set("state", state)
	}
	q.Set("iss", i.url)
	u.RawQuery = q.Encode()
	http.Redirect(w, r, u.String(), http.StatusSeeOther)
}

// forget drops what has waited too long. The caller holds the lock.
func (i *issuer) forget() {
	now := i.now()
	for id, c := range i.codes {
		if now.After(c.expires) {
			delete(i.codes, id)
		}
	}
	for id, d := range i.devices {
		if now.After(d.expires.Add(deviceLife)) {
			delete(i.devices, id)
		}
	}
}

func first(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}
