// Package stage puts the console on a stage: the real console and API over the world of consoletest, with the
// development identity provider to sign in at, on loopback ports of this process.
//
// It knows nothing of PostgreSQL and the gate; the tests of the whole gateway use test/world. Start at Start.
package stage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/admin"
	"github.com/vecgate/vecgate/internal/console"
	"github.com/vecgate/vecgate/internal/console/consoletest"
	"github.com/vecgate/vecgate/internal/identity/devidp"
	"github.com/vecgate/vecgate/internal/identity/oidc"
)

// Stage is a running console.
type Stage struct {
	URL    string
	Issuer string
	World  *consoletest.World

	idp    *devidp.Server
	server *http.Server
	done   sync.WaitGroup

	mu     sync.Mutex
	tokens map[string]*access.Subject
}

const clientID = "vecgate-console"

// Start listens on address, such as 127.0.0.1:0.
func Start(address string, log *slog.Logger) (*Stage, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	s := &Stage{URL: "http://" + l.Addr().String(), World: consoletest.New(time.Now), tokens: map[string]*access.Subject{}}
	config := &devidp.Config{Issuers: map[string]devidp.Issuer{"": {
		Clients: []devidp.Client{{ID: clientID, Redirects: []string{s.URL + "/signin/callback"}}},
	}}}
	people := config.Issuers[""]
	for _, p := range []access.Subject{consoletest.Ana, consoletest.Ben, consoletest.Cho, consoletest.Dov} {
		people.Users = append(people.Users, devidp.User{Sub: p.Person, Name: p.Name, Email: p.Person + "@example.com", Groups: p.Groups})
	}
	config.Issuers[""] = people
	if s.idp, err = devidp.Start(config, "127.0.0.1:0", devidp.Options{Log: log}); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s.Issuer = s.idp.Issuer("")
	provider, err := oidc.New(oidc.Config{
		Name: "corp", Issuer: s.Issuer, Audiences: []string{clientID}, Kind: access.Person, Groups: "groups", Display: "{name}", MaxLifetime: 12 * time.Hour,
	}, time.Now)
	if err != nil {
		return nil, errors.Join(err, l.Close(), s.idp.Close())
	}
	service := s.World.Service()
	pages, err := console.New(console.Config{
		Service: service, URL: s.URL, Admit: s.World.Admit, Log: log,
		SignedIn: func(ctx context.Context, who *access.Subject, client string) error {
			return s.World.Did(ctx, who, client, "signed in", "")
		},
		SignIn: console.SignIn{
			Provider: "corp", Issuer: s.Issuer, ClientID: clientID,
			Endpoints: func(ctx context.Context) (string, string, error) {
				about, err := provider.Metadata(ctx)
				if err != nil {
					return "", "", err
				}
				return about.Authorization, about.Token, nil
			},
			Verify: func(ctx context.Context, raw, nonce string) (*access.Subject, error) {
				who, err := provider.Verify(ctx, raw, oidc.Expect{Nonce: nonce, Audience: clientID})
				if err == nil {
					who.Person = person(who.ID)
				}
				return who, err
			},
		},
	})
	if err != nil {
		return nil, errors.Join(err, l.Close(), s.idp.Close())
	}
	api := &admin.API{Service: service, Authenticate: s.authenticate, Log: log}
	mux := http.NewServeMux()
	mux.Handle(admin.Prefix+"/", api.Handler())
	mux.Handle("/", pages)
	s.server = admin.HTTPServer(mux, log)
	s.done.Go(func() { _ = s.server.Serve(l) }) // ends with Close
	return s, nil
}

func person(id string) string {
	if len(id) > len("corp:") {
		return id[len("corp:"):]
	}
	return id
}

// Token makes up a token for the API that stands for somebody.
func (s *Stage) Token(who access.Subject) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	token := fmt.Sprintf("stage-%d", len(s.tokens))
	s.tokens[token] = &who
	return token
}

func (s *Stage) authenticate(_ context.Context, token string) (*access.Subject, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if who, ok := s.tokens[token]; ok {
		return who, nil
	}
	return nil, &access.Refusal{Code: access.CodeIdentity, Message: "token not accepted", Hint: "vecgate login"}
}

// Close ends everything.
func (s *Stage) Close() {
	_ = s.server.Close() // closing a listener twice is no harm
	_ = s.idp.Close()
	s.done.Wait()
}
