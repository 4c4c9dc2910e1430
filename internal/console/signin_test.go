package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/console/consoletest"
)

// provider is as much of an identity provider as the console sees.
type provider struct {
	*httptest.Server
	who     access.Subject
	form    url.Values // of the last exchange of a code
	basic   string
	answer  func(w http.ResponseWriter)
	nonce   string // that the next token answers; empty means the one asked for
	expects string
}

func signInStage(t *testing.T) (*Console, *provider, *[]string) {
	t.Helper()
	p := &provider{who: consoletest.Ben}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		p.form = r.PostForm
		user, pass, _ := r.BasicAuth()
		p.basic = user + "|" + pass
		if p.answer != nil {
			p.answer(w)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"id_token": "the-token"})
	}))
	t.Cleanup(p.Close)
	var told []string
	w := consoletest.New(func() time.Time { return noon })
	c, err := New(Config{
		Service: w.Service(), URL: home, Now: w.Now, Admit: w.Admit, Session: time.Hour,
		SignedIn: func(_ context.Context, who *access.Subject, _ string) error {
			told = append(told, "in "+who.ID)
			return nil
		},
		Refused: func(_ context.Context, r *access.Refusal, _ string) { told = append(told, "no "+r.Message) },
		SignIn: SignIn{
			Provider: "corp", Issuer: "https://idp.example.com", ClientID: "vecgate console", ClientSecret: func() (string, error) { return "s 3:c", nil },
			Endpoints: func(context.Context) (string, string, error) {
				return "https://idp.example.com/authorize?tenant=7", p.URL, nil
			},
			Verify: func(_ context.Context, raw, nonce string) (*access.Subject, error) {
				if raw != "the-token" || p.nonce != "" && nonce != p.nonce {
					return nil, &access.Refusal{Code: access.CodeIdentity, Message: "token not accepted: it answers another sign-in"}
				}
				p.expects = nonce
				who := p.who
				return &who, nil
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, p, &told
}

// begin starts a sign-in and returns what the provider is asked, and the cookie.
func begin(t *testing.T, c *Console, to string) (url.Values, *http.Cookie) {
	t.Helper()
	got := get(c, nil, "/signin/start?to="+url.QueryEscape(to))
	u, err := url.Parse(got.Header().Get("Location"))
	if err != nil || got.Code != 303 || !strings.HasPrefix(u.String(), "https://idp.example.com/authorize?") {
		t.Fatalf("start: %d to %q", got.Code, got.Header().Get("Location"))
	}
	return u.Query(), find(t, got, signInCookie)
}

func find(t *testing.T, got *httptest.ResponseRecorder, name string) *http.Cookie {
	t.Helper()
	i := slices.IndexFunc(got.Result().Cookies(), func(c *http.Cookie) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("no cookie %s", name)
	}
	return got.Result().Cookies()[i]
}

func TestASignInAsksForAllThatProtectsIt(t *testing.T) {
	c, p, told := signInStage(t)
	asked, cookie := begin(t, c, "/requests/7F3K-92QX")
	for name, want := range map[string]string{
		"response_type": "code", "client_id": "vecgate console", "redirect_uri": home + "/signin/callback", "code_challenge_method": "S256", "tenant": "7",
	} {
		if asked.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, asked.Get(name), want)
		}
	}
	if len(asked.Get("state")) < 20 || len(asked.Get("nonce")) < 20 || len(asked.Get("code_challenge")) != 43 || asked.Get("state") == asked.Get("nonce") {
		t.Errorf("weak: %v", asked)
	}
	if strings.Contains(cookie.Value, asked.Get("state")) || strings.Contains(cookie.Value, asked.Get("nonce")) {
		t.Error("the cookie tells the state")
	}
	got := get(c, cookie, "/signin/callback?code=abc&iss=https%3A%2F%2Fidp.example.com&state="+asked.Get("state"))
	if got.Code != 303 || got.Header().Get("Location") != "/requests/7F3K-92QX" {
		t.Fatalf("callback: %d to %q\n%s", got.Code, got.Header().Get("Location"), got.Body)
	}
	session := find(t, got, sessionCookie)
	if !session.HttpOnly || !session.Secure || session.SameSite != http.SameSiteLaxMode || session.Path != "/" || session.Domain != "" || session.MaxAge != 3600 || !strings.HasPrefix(session.Name, "__Host-") {
		t.Errorf("session cookie: %+v", session)
	}
	if p.form.Get("code") != "abc" || len(p.form.Get("code_verifier")) < 43 || p.basic != "vecgate+console|s+3%3Ac" || p.expects != asked.Get("nonce") {
		t.Errorf("the exchange of the code: %v as %s, nonce %q", p.form, p.basic, p.expects)
	}
	if find(t, got, signInCookie).MaxAge >= 0 {
		t.Error("the state of the sign-in stays in the browser")
	}
	if get(c, session, "/requests").Code != 200 || !slices.Equal(*told, []string{"in corp:ben"}) {
		t.Errorf("signed in: %v", *told)
	}
}

func TestSignInsThatWereTamperedWithAreRefusedAndWrittenDown(t *testing.T) {
	for name, attack := range map[string]func(c *Console, p *provider, asked url.Values, cookie *http.Cookie) (*http.Cookie, url.Values){
		"no cookie": func(_ *Console, _ *provider, asked url.Values, _ *http.Cookie) (*http.Cookie, url.Values) {
			return nil, url.Values{"code": {"abc"}, "state": {asked.Get("state")}}
		},
		"another's state": func(c *Console, _ *provider, _ url.Values, cookie *http.Cookie) (*http.Cookie, url.Values) {
			other := get(c, nil, "/signin/start")
			u, _ := url.Parse(other.Header().Get("Location"))
			return cookie, url.Values{"code": {"abc"}, "state": {u.Query().Get("state")}}
		},
		"no state": func(_ *Console, _ *provider, _ url.Values, cookie *http.Cookie) (*http.Cookie, url.Values) {
			return cookie, url.Values{"code": {"abc"}}
		},
		"cookie made up": func(_ *Console, _ *provider, asked url.Values, cookie *http.Cookie) (*http.Cookie, url.Values) {
			other := "A"
			if strings.HasPrefix(cookie.Value, other) {
				other = "B"
			}
			cookie.Value = other + cookie.Value[1:]
			return cookie, url.Values{"code": {"abc"}, "state": {asked.Get("state")}}
		},
		"another provider": func(_ *Console, _ *provider, asked url.Values, cookie *http.Cookie) (*http.Cookie, url.Values) {
			return cookie, url.Values{"code": {"abc"}, "state": {asked.Get("state")}, "iss": {"https://evil.example.com"}}
		},
		"another nonce": func(_ *Console, p *provider, asked url.Values, cookie *http.Cookie) (*http.Cookie, url.Values) {
			p.nonce = "of another sign-in"
			return cookie, url.Values{"code": {"abc"}, "state": {asked.Get("state")}}
		},
		"too late": func(c *Console, _ *provider, asked url.Values, cookie *http.Cookie) (*http.Cookie, url.Values) {
			c.Now = func() time.Time { return noon.Add(signInLife) }
			return cookie, url.Values{"code": {"abc"}, "state": {asked.Get("state")}}
		},
		"provider says no": func(_ *Console, _ *provider, asked url.Values, cookie *http.Cookie) (*http.Cookie, url.Values) {
			return cookie, url.Values{"error": {"access_denied"}, "error_description": {"<script>attacked()</script>"}, "state": {asked.Get("state")}}
		},
		"workload": func(_ *Console, p *provider, asked url.Values, cookie *http.Cookie) (*http.Cookie, url.Values) {
			p.who = consoletest.Train
			return cookie, url.Values{"code": {"abc"}, "state": {asked.Get("state")}}
		},
		"token endpoint fails": func(_ *Console, p *provider, asked url.Values, cookie *http.Cookie) (*http.Cookie, url.Values) {
			p.answer = func(w http.ResponseWriter) { http.Error(w, "the-secret-cause", 500) }
			return cookie, url.Values{"code": {"abc"}, "state": {asked.Get("state")}}
		},
		"token endpoint sends elsewhere": func(_ *Console, p *provider, asked url.Values, cookie *http.Cookie) (*http.Cookie, url.Values) {
			p.answer = func(w http.ResponseWriter) { w.Header().Set("Location", "http://127.0.0.1:1/"); w.WriteHeader(307) }
			return cookie, url.Values{"code": {"abc"}, "state": {asked.Get("state")}}
		},
		"endless answer": func(_ *Console, p *provider, asked url.Values, cookie *http.Cookie) (*http.Cookie, url.Values) {
			p.answer = func(w http.ResponseWriter) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(`{"id_token":"` + strings.Repeat("x", 1<<20)))
			}
			return cookie, url.Values{"code": {"abc"}, "state": {asked.Get("state")}}
		},
	} {
		c, p, told := signInStage(t)
		asked, cookie := begin(t, c, "/")
		cookie, answer := attack(c, p, asked, cookie)
		got := get(c, cookie, "/signin/callback?"+answer.Encode())
		for _, set := range got.Result().Cookies() {
			if set.Name == sessionCookie && set.MaxAge >= 0 && set.Value != "" {
				t.Errorf("%s: signed in", name)
			}
		}
		body := got.Body.String()
		if got.Code != 401 || strings.Contains(body, "<script>attacked") || strings.Contains(body, "the-secret-cause") {
			t.Errorf("%s: status %d\n%s", name, got.Code, body)
		}
		if len(*told) != 1 || !strings.HasPrefix((*told)[0], "no ") {
			t.Errorf("%s: on record: %q", name, *told)
		}
	}
}

func TestASignInThatCannotBeWrittenDownDoesNotHappen(t *testing.T) {
	c, _, _ := signInStage(t)
	c.SignedIn = func(context.Context, *access.Subject, string) error { return errors.New("disk full") }
	asked, cookie := begin(t, c, "/")
	got := get(c, cookie, "/signin/callback?code=abc&state="+asked.Get("state"))
	if got.Code != 503 || len(c.sessions.live) != 0 {
		t.Errorf("status %d, %d sessions", got.Code, len(c.sessions.live))
	}
}

func TestASignInIsGoodOnce(t *testing.T) {
	c, p, _ := signInStage(t)
	asked, cookie := begin(t, c, "/")
	path := "/signin/callback?code=abc&state=" + asked.Get("state")
	if got := get(c, cookie, path); got.Code != 303 {
		t.Fatalf("first: %d", got.Code)
	}
	// Whoever replays the answer needs the cookie, which is gone, and a code, which the provider redeems once.
	if got := get(c, nil, path); got.Code != 401 {
		t.Errorf("replayed without the cookie: %d", got.Code)
	}
	p.answer = func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(400)
		_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
	}
	if got := get(c, cookie, path); got.Code != 401 {
		t.Errorf("replayed with a code that was used: %d", got.Code)
	}
}

func FuzzTheSealedStateIsNeverMadeUp(f *testing.F) {
	s := newSealer()
	good, err := s.close(pending{State: "x"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		var p pending
		if err := s.open(text, &p); err == nil && text != good && p.State != "x" {
			t.Errorf("%q was opened: %+v", text, p)
		}
	})
}
