// Package grpcwire carries the gRPC dialects of vector databases: it listens, finds out who speaks, reads every message
// strictly once, hands it to the gate, sends on what was read (never what was received), and hides in the answer what must
// be hidden.
//
// It speaks gRPC over the HTTP/2 of the standard library: one handler serves a port of its own and a port that REST
// clients share, and it sees a message's length before it takes memory for it.
//
// It refuses to know what a call means: that is its Dialect's business. Start at Server.ServeHTTP, then Dialect.
package grpcwire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/conversation"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
	"github.com/vecgate/vecgate/internal/vault"
)

// Target is a registered database as its clients reach it here.
type Target struct {
	Gate    gate.Target
	Dialect Dialect
	Address string      // host:port
	TLS     *tls.Config // nil means HTTP/2 without TLS
	Shows   Scheme      // Bearer when empty
	// Narrow, if not nil, makes of the credential what is shown for one request; a stream goes on under what its first
	// message was shown with.
	Narrow vault.Narrow
	// Look, if not nil, asks the target's HTTP interface with GET, for an engine whose gRPC interface does not tell it all.
	Look func(ctx context.Context, c vault.Credential, path string) (status int, answer jsonstream.Value, err error)
}

// Limits bound what clients can make the gateway hold. Zero values take the defaults.
type Limits struct {
	Message          int64         // largest message of a client, as sent and inflated; 64 MiB
	Messages         int64         // all messages of clients held at once; four times Message
	Answer           int64         // largest message of a target that is masked; 256 MiB
	Answers          int64         // all messages of targets held at once; twice Answer
	Streams          int           // calls under way on one connection; 256
	SignIn           time.Duration // to begin a connection; 10s
	Idle             time.Duration // a session that is silent for so long ends; 5m
	Session          time.Duration // a session ends after so long; 24h
	SignInsPerClient int           // sign-ins of one address at once; 50
}

// Config is all that a Server needs.
type Config struct {
	TLS      *tls.Config // nil means HTTP/2 without TLS, for loopback
	Targets  map[string]Target
	Gate     *gate.Gate
	Identity conversation.Identity
	Hider    *mask.Hider
	Limits   Limits
	// Connections, if not nil, hears of every connection, as http.Server.ConnState does.
	Connections func(net.Conn, http.ConnState)
	Log         *slog.Logger
	Now         func() time.Time
}

// Server is the front end of one listener, or the gRPC side of one. With one target it answers for that; with several,
// a call names its target in the metadata x-vecgate-target, or as the first label of the host that it was sent to.
type Server struct {
	config   Config
	log      *slog.Logger
	targets  map[string]*target
	only     *target // the one target, when there is no other
	door     *conversation.Door
	requests *conversation.Budget
	answers  *conversation.Budget
}

// target is a Target with what is made of it once.
type target struct {
	Target
	methods  map[string]*Method
	metadata []string
	client   *http.Transport
}

// New checks the configuration. It connects to nothing.
func New(c Config) (*Server, error) {
	if len(c.Targets) == 0 {
		return nil, errors.New("no target can be reached here")
	}
	l := &c.Limits
	for _, d := range []struct {
		limit *int64
		least int64
	}{{&l.Message, 64 << 20}, {&l.Messages, 4 * l.Message}, {&l.Answer, 256 << 20}, {&l.Answers, 2 * l.Answer}} {
		if *d.limit <= 0 {
			*d.limit = d.least
		}
	}
	l.Messages, l.Answers = max(l.Messages, 4*l.Message), max(l.Answers, 2*l.Answer)
	if l.Streams <= 0 {
		l.Streams = 256
	}
	for _, d := range []struct {
		limit *time.Duration
		usual time.Duration
	}{{&l.SignIn, 10 * time.Second}, {&l.Idle, 5 * time.Minute}, {&l.Session, 24 * time.Hour}} {
		if *d.limit <= 0 {
			*d.limit = d.usual
		}
	}
	if l.SignInsPerClient <= 0 {
		l.SignInsPerClient = 50
	}
	s := &Server{
		config: c, log: c.Log, targets: map[string]*target{},
		requests: conversation.NewBudget(l.Messages), answers: conversation.NewBudget(l.Answers),
		door: &conversation.Door{
			Gate: c.Gate, Identity: c.Identity, Channel: "grpc", Idle: l.Idle, Session: l.Session, SignIns: l.SignInsPerClient, Now: c.Now,
		},
	}
	for name, t := range c.Targets {
		compiled := &target{Target: t, methods: map[string]*Method{}, metadata: t.Dialect.Metadata(), client: transport(t)}
		methods := t.Dialect.Methods()
		for i := range methods {
			m := &methods[i]
			if compiled.methods[m.Name] != nil {
				return nil, fmt.Errorf("target %s: method %s stands in the table twice", name, m.Name)
			}
			if m.Request == nil || m.Response == nil {
				return nil, fmt.Errorf("target %s: method %s has no types", name, m.Name)
			}
			compiled.methods[m.Name] = m
		}
		s.targets[name] = compiled
		s.only = compiled
	}
	if len(s.targets) > 1 {
		s.only = nil
	}
	return s, nil
}
