// Package console is the web console: sign in, decide on access requests, look at sessions and replay them, read the log.
//
// It is made of pages from html/template, Server-Sent Events and a few small scripts of our own; every page works without
// scripts, except that lists do not move by themselves. It can do nothing that package admin does not let its caller do,
// and it holds no rule about who may do what. New is the only way to serve a page: headers, cookies and error pages are
// decided there, in one place. Start at New.
package console

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/admin"
)

// Config is what the console needs.
type Config struct {
	Service *admin.Service
	SignIn  SignIn
	// URL is where people reach the console; other host names are sent there.
	URL string
	// Session is how long a sign-in lasts; 0 means eight hours.
	Session time.Duration
	// Admit says whether a subject that signed in earlier is still welcome: an *access.Refusal when it was cut off. It is
	// asked for every page.
	Admit func(context.Context, *access.Subject) error
	// SignedIn and Refused write down how sign-ins end; what SignedIn returns as an error refuses the sign-in.
	SignedIn func(ctx context.Context, who *access.Subject, client string) error
	Refused  func(ctx context.Context, refusal *access.Refusal, client string)
	Log      *slog.Logger
	Now      func() time.Time
}

// Console serves the pages.
type Console struct {
	Config
	base     *url.URL
	secure   bool // reached over TLS
	handler  http.Handler
	pages    map[string]*template.Template
	assets   *assets
	sessions sessions
	seal     sealer
}

// contentPolicy is the same for every page: nothing inline, nothing from elsewhere, no string that becomes script.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// maxForm bounds what a browser sends.
const maxForm = 64 << 10

// New checks the configuration and makes the console.
func New(c Config) (*Console, error) {
	base, err := url.Parse(c.URL)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" || base.Path != "" && base.Path != "/" {
		return nil, fmt.Errorf("console address %q: want http(s)://host[:port] without a path", c.URL)
	}
	if c.Service == nil || c.Admit == nil || c.SignedIn == nil || c.SignIn.Verify == nil || c.SignIn.Endpoints == nil {
		return nil, errors.New("console: a service, a sign-in, and who admits and writes down sign-ins are needed")
	}
	if c.Session <= 0 {
		c.Session = 8 * time.Hour
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Console{Config: c, base: base, secure: base.Scheme == "https", sessions: newSessions(c.Now), seal: newSealer()}
	if s.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if s.pages, err = loadPages(s.assets); err != nil {
		return nil, err
	}
	s.handler = s.routes()
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

func (s *Console) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range map[string]handler{
		"GET /{$}":                   s.overview,
		"GET /requests":              s.requests,
		"GET /requests/events":       s.requestEvents,
		"GET /requests/{id}":         s.request,
		"POST /requests/{id}":        s.decide,
		"GET /sessions":              s.sessionList,
		"GET /sessions/{id}":         s.session,
		"POST /sessions/{id}/kill":   s.kill,
		"GET /sessions/{id}/replay":  s.replay,
		"GET /log":                   s.log,
		"GET /log/checkpoint":        s.checkpoint,
		"GET /log/{seq}":             s.record,
		"GET /log/{seq}/proof":       s.proof,
		"GET /identities":            s.identities,
		"POST /identities/suspend":   s.suspend,
		"POST /identities/reinstate": s.reinstate,
		"GET /policy":                s.policy,
		"GET /targets":               s.targets,
	} {
		mux.Handle(pattern, s.signedIn(h))
	}
	mux.HandleFunc("GET /signin", s.signInPage)
	mux.HandleFunc("GET /signin/start", s.signInStart)
	mux.HandleFunc("GET /signin/callback", s.signInCallback)
	mux.HandleFunc("POST /signout", s.signOut)
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, s.assets.path("mark.svg"), http.StatusSeeOther)
	})
	mux.Handle("GET /static/", s.assets)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.fault(w, r, s.caller(r), admin.ErrNotFound)
	})

	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fault(w, r, admin.Caller{}, &access.Refusal{
			Code: access.CodeDenied, Message: "another site sent this form, so nothing was done", Hint: "open the console itself and try again there",
		})
	}))
	protected := guard.Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.harden(w.Header())
		if !strings.EqualFold(r.Host, s.base.Host) {
			s.elsewhere(w, r)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		protected.ServeHTTP(w, r)
	})
}

func (s *Console) harden(h http.Header) {
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()")
	h.Set("Cache-Control", "no-store")
	if s.secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// elsewhere answers under a name that is not the console's: a page under a foreign name must not act for anybody
// (DNS rebinding), so that people are only told where the console is.
func (s *Console) elsewhere(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "this console is at "+s.base.String(), http.StatusMisdirectedRequest)
		return
	}
	to := *s.base
	to.Path, to.RawQuery = r.URL.Path, r.URL.RawQuery
	http.Redirect(w, r, to.String(), http.StatusTemporaryRedirect)
}

// handler answers for somebody who is signed in. An error that it returns becomes an error page.
type handler func(w http.ResponseWriter, r *http.Request, c admin.Caller) error

func (s *Console) signedIn(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := s.caller(r)
		if c.Subject == nil {
			if r.Method == http.MethodGet && r.Header.Get("Accept") != "text/event-stream" {
				http.Redirect(w, r, "/signin?to="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
				return
			}
			s.fault(w, r, c, &access.Refusal{Code: access.CodeIdentity, Message: "nobody is signed in any more", Hint: "sign in again; what you sent was not done"})
			return
		}
		if err := s.Admit(r.Context(), c.Subject); err != nil {
			s.sessions.end(tokenOf(r))
			s.dropCookie(w, sessionCookie)
			s.fault(w, r, admin.Caller{}, err)
			return
		}
		if err := h(w, r, c); err != nil {
			s.fault(w, r, c, err)
		}
	})
}

// caller says who a request is from; its subject is nil when nobody is signed in.
func (s *Console) caller(r *http.Request) admin.Caller {
	return admin.Caller{Subject: s.sessions.subject(tokenOf(r)), Client: admin.ClientOf(r)}
}

// back sends the browser on after a form was done, with a word about it.
func back(w http.ResponseWriter, r *http.Request, to, done string) {
	if done != "" {
		sep := "?"
		if strings.Contains(to, "?") {
			sep = "&"
		}
		to += sep + "done=" + url.QueryEscape(done)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}
