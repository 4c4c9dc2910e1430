package devidp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Server is a running provider.
type Server struct {
	base    string
	issuers map[string]*issuer
	http    *http.Server
	done    chan error
}

// Options of a server; the zero value is fine.
type Options struct {
	Log *slog.Logger
	Now func() time.Time
}

// Start listens on a loopback address and serves until Close.
func Start(c *Config, address string, o Options) (*Server, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", address, err)
	}
	if !loopback(host) {
		return nil, fmt.Errorf("address %q: a provider that asks nobody for a password listens on loopback only, such as 127.0.0.1:5556", address)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	s := &Server{base: "http://" + net.JoinHostPort(host, port), issuers: make(map[string]*issuer), done: make(chan error, 1)}
	mux := http.NewServeMux()
	for name, config := range c.Issuers {
		prefix := ""
		if name != "" {
			prefix = "/" + name
		}
		i, err := newIssuer(s.base+prefix, config, o)
		if err != nil {
			l.Close()
			return nil, err
		}
		s.issuers[name] = i
		mux.Handle(prefix+"/", http.StripPrefix(prefix, i.handler()))
	}
	s.http = &http.Server{
		Handler: guard(mux), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
	}
	go func() { s.done <- s.http.Serve(l) }()
	return s, nil
}

// Issuer is the URL of an issuer.
func (s *Server) Issuer(name string) string {
	if i, ok := s.issuers[name]; ok {
		return i.url
	}
	return ""
}

// Rotate makes an issuer sign with a new key; the old one stays published.
func (s *Server) Rotate(name string) error {
	return s.issuers[name].keys.rotate()
}

// Wait returns when the server has ended.
func (s *Server) Wait(ctx context.Context) error {
	select {
	case err := <-s.done:
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return err
	case <-ctx.Done():
		return s.Close()
	}
}

// Close ends the server at once.
func (s *Server) Close() error { return s.http.Close() }

// guard keeps web pages of other sites away, also those whose name was made to point here (DNS rebinding).
func guard(next http.Handler) http.Handler {
	protected := http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if !loopback(host) {
			http.Error(w, "this provider answers under loopback names only", http.StatusMisdirectedRequest)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", policy(""))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		protected.ServeHTTP(w, r)
	})
}

// policy is the Content-Security-Policy of a page. A form may lead to one more origin: browsers apply form-action to the
// redirect that follows it, and that one carries the code to the client.
func policy(formTo string) string {
	to := "'self'"
	if formTo != "" {
		to += " " + formTo
	}
	return "default-src 'none'; style-src 'self'; img-src 'self'; form-action " + to + "; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
