package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/admin"
	"github.com/vecgate/vecgate/internal/config"
	"github.com/vecgate/vecgate/internal/console"
	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/identity"
)

// web is the console, the API and the token endpoint on one address.
func (s *Server) web() (http.Handler, error) {
	c := s.config.Console
	roll := s.store.Roll()
	book := sessionBook{s.gate, roll}
	s.evidence = &evidence{
		copied: s.archiveState,
		log:    s.journal, dir: string(s.config.Audit.Dir), self: s.config.Audit.Self,
		places: func(ctx context.Context, session string) (first, last uint64) {
			info, err := book.Get(ctx, session)
			if err != nil {
				return 0, 0
			}
			return info.FirstSeq, info.LastSeq
		},
	}
	now := s.options.Now()
	s.policySince.Store(&now)
	service := &admin.Service{
		Gateway: s.config.Gateway.Name, Version: s.options.Version,
		Requests: requests{s.desk}, Sessions: book, Recordings: s.evidence, Records: s.evidence,
		Identities: people{roll, s.registry}, Policy: rules{s.policy, &s.policySince, s.options.Now},
		Targets: register{s.config, s.targetReady, s.options.Now}, Journal: s.records,
		Roles: admin.Roles{Auditors: c.Auditors.Groups, Operators: c.Operators.Groups},
		Log:   s.log, Now: s.options.Now, TicketLink: s.tickets.Link,
	}
	refused := func(method string) func(context.Context, *access.Refusal, string) {
		return func(ctx context.Context, refusal *access.Refusal, client string) {
			s.gate.RefuseSignIn(ctx, gate.SignIn{Client: client, Method: method}, refusal)
		}
	}
	api := &admin.API{
		Service: service, Log: s.log, Refused: refused("api"),
		Authenticate: func(ctx context.Context, token string) (*access.Subject, error) {
			who, err := s.registry.Token(ctx, token)
			if err == nil {
				who.Method = "api"
			}
			return who, err
		},
	}
	signIn, err := s.signIn(c)
	if err != nil {
		return nil, err
	}
	pages, err := console.New(console.Config{
		Service: service, SignIn: signIn, URL: s.config.Gateway.URL, Session: c.Session, Admit: s.admit,
		SignedIn: s.records.SignedIn, Refused: refused("console"), Log: s.log, Now: s.options.Now,
	})
	if err != nil {
		return nil, err
	}
	s.registry.Revoked = func(ctx context.Context, credential, client string) {
		if err := s.records.Revoked(context.WithoutCancel(ctx), credential, client); err != nil {
			s.log.Error("revocation not recorded", "credential", credential, "error", err)
		}
	}

	mux := http.NewServeMux()
	for _, path := range identity.Paths {
		mux.Handle(path, s.registry.Handler())
	}
	mux.Handle(admin.Prefix+"/", api.Handler())
	mux.Handle("/", pages)
	return mux, nil
}

// signIn is how people sign in at the console.
func (s *Server) signIn(c *config.Console) (console.SignIn, error) {
	name := c.SignIn
	if name == "" {
		for _, p := range s.config.Identity.Providers {
			if p.Kind == access.Person {
				name = p.Name
				break
			}
		}
	}
	provider, ok := s.registry.Provider(name)
	if !ok {
		return console.SignIn{}, fmt.Errorf("console.sign_in: there is no identity provider %q for persons", name)
	}
	in := console.SignIn{
		Provider: name, Issuer: provider.Issuer, ClientID: c.ClientID, Scopes: identity.Scopes, HTTP: provider.HTTP,
		Endpoints: func(ctx context.Context) (authorization, token string, err error) {
			now, ok := s.registry.Provider(name) // as the configuration has it by now
			if !ok {
				return "", "", fmt.Errorf("there is no identity provider %q any more", name)
			}
			about, err := now.Metadata(ctx)
			if err != nil {
				return "", "", err
			}
			return about.Authorization, about.Token, nil
		},
		Verify: func(ctx context.Context, raw, nonce string) (*access.Subject, error) {
			who, err := s.registry.Console(ctx, name, raw, c.ClientID, nonce)
			if err == nil {
				who.Method = "console"
			}
			return who, err
		},
	}
	if !c.ClientSecret.IsZero() {
		in.ClientSecret = func() (string, error) {
			secret, err := c.ClientSecret.Read()
			return secret.Reveal(), err
		}
	}
	return in, nil
}

// admit says whether somebody who signed in at the console earlier is still welcome.
func (s *Server) admit(ctx context.Context, who *access.Subject) error {
	return s.registry.Standing(ctx, who)
}

// standing says whether a subject may still do anything.
func (s *Server) standing(ctx context.Context, who *access.Subject) *access.Refusal {
	err := s.registry.Standing(ctx, who)
	if err == nil {
		return nil
	}
	if refusal, ok := errors.AsType[*access.Refusal](err); ok {
		return refusal
	}
	return &access.Refusal{Code: access.CodeInternal, Message: "internal error", Err: err}
}

// verifyLog checks the log on disk now and then, for the console and the metrics.
func (s *Server) verifyLog(ctx context.Context) error {
	if s.evidence == nil {
		return nil
	}
	for {
		began := time.Now()
		s.evidence.check(ctx, s.options.Now())
		// The check reads the whole log: it takes at most a hundredth of the machine.
		select {
		case <-time.After(max(time.Minute, 100*time.Since(began))):
		case <-ctx.Done():
			return nil
		}
	}
}

// targetReady says why a target takes no sessions, or nil.
func (s *Server) targetReady(ctx context.Context, target string) error {
	for _, f := range s.fronts {
		if f.readyFor == nil {
			continue
		}
		if err := f.readyFor(ctx, target); err != nil {
			return err
		}
	}
	return nil
}
