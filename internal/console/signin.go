package console

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// SignIn is the provider with which people sign in: OpenID Connect, authorization code with PKCE.
type SignIn struct {
	Provider string // its name, shown on the button
	Issuer   string
	ClientID string
	// ClientSecret returns the console's secret at the provider; nil or "" for a public client.
	ClientSecret func() (string, error)
	// Endpoints returns what discovery says.
	Endpoints func(context.Context) (authorization, token string, err error)
	// Verify checks an ID token that answers a sign-in, and says who it is.
	Verify func(ctx context.Context, idToken, nonce string) (*access.Subject, error)
	Scopes string // empty means "openid profile email groups"
	HTTP   *http.Client
}

// signInLife is how long a person may take at the provider.
const signInLife = 10 * time.Minute

// pending is an unfinished sign-in, sealed into a cookie.
type pending struct {
	State    string
	Nonce    string
	Verifier string
	To       string
	Until    time.Time
}

type signInData struct {
	frame
	Provider string
	Start    string
	Out      bool
}

func (s *Console) signInPage(w http.ResponseWriter, r *http.Request) {
	to := local(r.URL.Query().Get("to"))
	if s.caller(r).Subject != nil {
		http.Redirect(w, r, to, http.StatusSeeOther)
		return
	}
	f := s.frame(r, s.caller(r), "Sign in", "")
	s.render(w, r, http.StatusOK, "signin", signInData{
		frame: f, Provider: s.SignIn.Provider, Start: "/signin/start?to=" + url.QueryEscape(to), Out: r.URL.Query().Get("out") != "",
	})
}

// local keeps a way back inside the console.
func local(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") ||
		strings.ContainsAny(to, "\\\r\n\t") || len(to) > 1024 || strings.HasPrefix(to, "/signin") {
		return "/"
	}
	return to
}

func (s *Console) redirectURI() string {
	return s.base.Scheme + "://" + s.base.Host + "/signin/callback"
}

func (s *Console) signInStart(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 15*time.Second)
	defer cancel()
	authorization, _, err := s.SignIn.Endpoints(ctx)
	if err != nil {
		s.fault(w, r, s.caller(r), &access.Refusal{
			Code: access.CodeUnavailable, Err: err, Message: "the identity provider " + s.SignIn.Provider + " cannot be reached", Hint: "try again in a moment",
		})
		return
	}
	p := pending{State: rand.Text(), Nonce: rand.Text(), Verifier: rand.Text() + rand.Text(), To: local(r.URL.Query().Get("to")), Until: s.Now().Add(signInLife)}
	sealed, err := s.seal.close(p)
	if err != nil {
		s.fault(w, r, s.caller(r), fmt.Errorf("seal sign-in: %w", err))
		return
	}
	u, err := url.Parse(authorization)
	if err != nil {
		s.fault(w, r, s.caller(r), fmt.Errorf("authorization endpoint: %w", err))
		return
	}
	challenge := sha256.Sum256([]byte(p.Verifier))
	scopes := s.SignIn.Scopes
	if scopes == "" {
		scopes = "openid profile email groups"
	}
	q := u.Query()
	for name, v := range map[string]string{
		"response_type": "code", "client_id": s.SignIn.ClientID, "redirect_uri": s.redirectURI(), "scope": scopes,
		"state": p.State, "nonce": p.Nonce, "code_challenge": base64.RawURLEncoding.EncodeToString(challenge[:]), "code_challenge_method": "S256",
	} {
		q.Set(name, v)
	}
	u.RawQuery = q.Encode()
	s.setCookie(w, signInCookie, sealed, signInLife)
	http.Redirect(w, r, u.String(), http.StatusSeeOther)
}

func (s *Console) signInCallback(w http.ResponseWriter, r *http.Request) {
	to, err := s.finish(w, r)
	if err != nil {
		refusal, ok := errors.AsType[*access.Refusal](err)
		if !ok {
			refusal = &access.Refusal{Code: access.CodeIdentity, Err: err, Message: "the sign-in did not work", Hint: "sign in again; the operator's log has the details"}
		}
		if s.Refused != nil {
			s.Refused(r.Context(), refusal, s.caller(r).Client)
		}
		s.fault(w, r, s.caller(r), refusal)
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// finish turns the provider's answer into a session. It answers only the browser that began the sign-in.
func (s *Console) finish(w http.ResponseWriter, r *http.Request) (to string, err error) {
	refuse := func(message string) error {
		return &access.Refusal{Code: access.CodeIdentity, Message: message, Hint: "begin the sign-in again"}
	}
	var p pending
	cookie, err := r.Cookie(signInCookie)
	if err != nil || s.seal.open(cookie.Value, &p) != nil {
		return "", refuse("this browser has not begun a sign-in, or it took too long")
	}
	s.dropCookie(w, signInCookie)
	q := r.URL.Query()
	if subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(p.State)) != 1 {
		return "", refuse("the provider's answer belongs to another sign-in")
	}
	if !s.Now().Before(p.Until) {
		return "", refuse("the sign-in took too long")
	}
	if iss := q.Get("iss"); iss != "" && iss != s.SignIn.Issuer {
		return "", refuse("the answer comes from another provider") // mix-up, RFC 9207
	}
	if fault := q.Get("error"); fault != "" {
		return "", refuse("the provider " + s.SignIn.Provider + " says no: " + words(fault+" "+q.Get("error_description")))
	}
	code := q.Get("code")
	if code == "" || len(code) > 4096 {
		return "", refuse("the provider's answer has no code")
	}
	ctx, cancel := context.WithTimeout(r.Context(), 20*time.Second)
	defer cancel()
	raw, err := s.redeem(ctx, code, p.Verifier)
	if err != nil {
		return "", fmt.Errorf("redeem code: %w", err)
	}
	verified, err := s.SignIn.Verify(ctx, raw, p.Nonce)
	if err != nil {
		return "", err
	}
	who := *verified
	if who.Kind != access.Person {
		return "", &access.Refusal{Code: access.CodeIdentity, Message: who.Display() + " is a workload; the console is for persons", Hint: "use the API with a token"}
	}
	who.Method, who.Expires = "console", s.Now().Add(s.Session)
	if err := s.Admit(ctx, &who); err != nil {
		return "", err
	}
	client := s.caller(r).Client
	if err := s.SignedIn(ctx, &who, client); err != nil {
		return "", &access.Refusal{Code: access.CodeNotRecorded, Err: err, Message: "the sign-in could not be written to the audit log", Hint: "try again in a moment"}
	}
	s.sessions.end(tokenOf(r)) // never go on in a session that somebody else may have planted
	s.setCookie(w, sessionCookie, s.sessions.begin(&who), s.Session)
	return p.To, nil
}

// redeem exchanges the code for an ID token.
func (s *Console) redeem(ctx context.Context, code, verifier string) (string, error) {
	_, endpoint, err := s.SignIn.Endpoints(ctx)
	if err != nil {
		return "", err
	}
	secret := ""
	if s.SignIn.ClientSecret != nil {
		if secret, err = s.SignIn.ClientSecret(); err != nil {
			return "", fmt.Errorf("read client secret: %w", err)
		}
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {s.redirectURI()}, "code_verifier": {verifier}}
	if secret == "" {
		form.Set("client_id", s.SignIn.ClientID)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if secret != "" {
		req.SetBasicAuth(url.QueryEscape(s.SignIn.ClientID), url.QueryEscape(secret)) // RFC 6749 section 2.3.1
	}
	client := s.SignIn.HTTP
	if client == nil {
		client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 256<<10))
	if err != nil {
		return "", fmt.Errorf("read answer of %s: %w", req.URL.Host, err)
	}
	if t, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); t != "application/json" {
		return "", fmt.Errorf("%s answered %s with %q instead of JSON", req.URL.Host, res.Status, t)
	}
	var answer struct {
		IDToken     string `json:"id_token"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return "", fmt.Errorf("%s answered %s, which cannot be read", req.URL.Host, res.Status)
	}
	if res.StatusCode != http.StatusOK || answer.IDToken == "" {
		return "", fmt.Errorf("%s answered %s: %s %s", req.URL.Host, res.Status, words(answer.Error), words(answer.Description))
	}
	return answer.IDToken, nil
}

func (s *Console) signOut(w http.ResponseWriter, r *http.Request) {
	s.sessions.end(tokenOf(r))
	s.dropCookie(w, sessionCookie)
	http.Redirect(w, r, "/signin?out=1", http.StatusSeeOther)
}

// words bounds a sentence of somebody else and makes it harmless; templates escape it besides.
func words(s string) string {
	if len(s) > 300 {
		s = s[:300]
	}
	return strings.TrimSpace(strings.ToValidUTF8(visible(s), "�"))
}
