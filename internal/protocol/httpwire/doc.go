// Package httpwire carries the HTTP dialects of vector databases: it listens, finds out who speaks, reads every request
// strictly once, hands it to the gate, sends on what was read (never what was received), and streams the answer back
// through the mask.
//
// It refuses to know what a request means: that is its Dialect's business. Start at Server.Serve, then Dialect.
package httpwire

import (
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
	"github.com/vecgate/vecgate/internal/vault"
)

// Identity says who shows a token.
type Identity = conversation.Identity

// Scheme is how the gateway shows its credential to a target.
type Scheme string

// The schemes. Nothing is shown when the credential has no secret.
const (
	Bearer      Scheme = "bearer" // Authorization: Bearer SECRET
	Basic       Scheme = "basic"  // Authorization: Basic USER:SECRET
	APIKey      Scheme = "api-key"
	Milvus      Scheme = "milvus" // Authorization: Bearer USER:SECRET, or the secret alone
	ChromaToken Scheme = "x-chroma-token"
	SigV4       Scheme = "sigv4"           // signed with an access key, for Amazon's services
	ElasticKey  Scheme = "elastic-api-key" // Authorization: ApiKey SECRET
)

// Target is a registered database as its clients reach it here.
type Target struct {
	Gate    gate.Target
	Dialect Dialect
	Address string      // host:port
	TLS     *tls.Config // nil means plain HTTP
	Shows   Scheme      // Bearer when empty
	Signing Signing     // of SigV4
	// Narrow, if not nil, makes of the credential what is shown for one request.
	Narrow vault.Narrow
}

// Limits bound what clients can make the gateway hold. Zero values take the defaults.
type Limits struct {
	Body             int64         // largest request body; 64 MiB
	Bodies           int64         // all bodies held at once; four times Body
	SignIn           time.Duration // to read a request's head; 10s
	Idle             time.Duration // a session that is silent for so long ends; 5m
	Session          time.Duration // a session ends after so long; 24h
	SignInsPerClient int           // sign-ins of one address at once; 50
}

// Config is all that a Server needs.
type Config struct {
	TLS  *tls.Config  // nil means plain HTTP, for loopback
	H2C  bool         // takes HTTP/2 without TLS too
	GRPC http.Handler // if not nil, answers the gRPC calls that come over HTTP/2
	// Connections, if not nil, hears of every connection, as http.Server.ConnState does.
	Connections func(net.Conn, http.ConnState)
	Targets     map[string]Target
	Gate        *gate.Gate
	Identity    Identity
	// Discovery, if not nil, tells clients that have no credential yet where people sign in.
	Discovery func() Discovery
	Hider     *mask.Hider
	Limits    Limits
	Log       *slog.Logger
	Now       func() time.Time
}

// Server is the front end of one listener. With one target it answers at the root; with several, the first segment of
// the path names the target.
type Server struct {
	config  Config
	log     *slog.Logger
	targets map[string]*target
	only    *target // the one target, when there is no other
	door    *conversation.Door
	bodies  *conversation.Budget
}

// target is a Target with what is made of it once.
type target struct {
	Target
	routes  *routes
	accents Accents
	now     func() time.Time
	client  *http.Transport
}

// New checks the configuration. It connects to nothing.
func New(c Config) (*Server, error) {
	if len(c.Targets) == 0 {
		return nil, errors.New("no target can be reached here")
	}
	l := &c.Limits
	if l.Body <= 0 {
		l.Body = 64 << 20
	}
	if l.Bodies < l.Body {
		l.Bodies = 4 * l.Body
	}
	if l.SignIn <= 0 {
		l.SignIn = 10 * time.Second
	}
	if l.Idle <= 0 {
		l.Idle = 5 * time.Minute
	}
	if l.Session <= 0 {
		l.Session = 24 * time.Hour
	}
	if l.SignInsPerClient <= 0 {
		l.SignInsPerClient = 50
	}
	s := &Server{config: c, log: c.Log, targets: map[string]*target{}, bodies: conversation.NewBudget(l.Bodies)}
	s.door = &conversation.Door{
		Gate: c.Gate, Identity: c.Identity, Channel: "rest", Idle: l.Idle, Session: l.Session, SignIns: l.SignInsPerClient, Now: c.Now,
	}
	for name, t := range c.Targets {
		table, err := compile(t.Dialect.Routes())
		if err != nil {
			return nil, fmt.Errorf("target %s: %w", name, err)
		}
		known := &target{Target: t, routes: table, client: transport(t), now: c.Now}
		if accented, ok := t.Dialect.(Accented); ok {
			known.accents = accented.Accents()
		}
		s.targets[name] = known
		s.only = s.targets[name]
	}
	if len(s.targets) > 1 {
		s.only = nil
	}
	return s, nil
}
