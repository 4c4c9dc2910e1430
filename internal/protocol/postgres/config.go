package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/protocol/astray"
	"github.com/vecgate/vecgate/internal/protocol/postgres/analysis"
	"github.com/vecgate/vecgate/internal/protocol/postgres/scram"
	"github.com/vecgate/vecgate/internal/protocol/postgres/value"
)

// Method is a way to sign in.
type Method string

// The methods.
const (
	Token       Method = "token"       // a token as the password
	OAuthBearer Method = "oauthbearer" // a token by SASL OAUTHBEARER (PostgreSQL 18)
	Scram       Method = "scram"       // a secret minted by the gateway, by SCRAM-SHA-256
	Certificate Method = "certificate" // a TLS client certificate
)

// Verifier is what is kept of a minted secret.
type Verifier = scram.Verifier

// SecretPrefix begins the name of every minted secret. A client whose user name begins so signs in by SCRAM.
const SecretPrefix = "vg_"

// Identity finds out who a credential speaks for. What it refuses, it refuses with an *access.Refusal.
type Identity interface {
	// Token verifies a token.
	Token(ctx context.Context, token string, in gate.SignIn) (*access.Subject, error)
	// Secret returns the verifier of a minted secret; for an unknown name one that is always the same and fits nothing.
	Secret(ctx context.Context, name string) (Verifier, error)
	// SecretSubject returns who a minted secret speaks for, once it has been proved.
	SecretSubject(ctx context.Context, name string) (*access.Subject, error)
	// Certificate maps a chain that TLS has verified, the leaf first.
	Certificate(ctx context.Context, chain []*x509.Certificate) (*access.Subject, error)
	// Discovery is what a client without a token is told: where to get one.
	Discovery() (openidConfigurationURL, scope string)
}

// Analyzer says what a text means over a catalog. *analysis.Analyzer is the one that is used.
type Analyzer interface {
	Analyze(text string, cat *analysis.Catalog) *analysis.Plan
}

// Config is what a Server is made of.
type Config struct {
	// Auth are the methods that the listener takes, the first being what a client gets that does not choose.
	Auth []Method
	// TLS is for clients. Without it only loopback connections are taken, in the clear.
	TLS     *tls.Config
	Targets map[string]Target // by name, which is the client's dbname

	Gate     *gate.Gate
	Identity Identity
	Masker   *value.Masker
	Limits   Limits
	Log      *slog.Logger
	Now      func() time.Time

	// Astray is what a client of HTTP is told that comes to this port; a plain sentence when empty.
	Astray astray.Words
	// Guests, if not nil, hears of every connection until its client has signed in, and may close it to make room for others.
	Guests Guests

	// Shared lets several listeners of one gateway share what is known of the targets that they all reach, which must be
	// configured alike; nil means that nothing is shared.
	Shared *Shared

	// NewAnalyzer makes the analyzer of a target; nil means analysis.New.
	NewAnalyzer func(target string) Analyzer
}

// Guests are the connections that have not signed in. Its methods are called from many goroutines.
type Guests interface {
	Came(net.Conn)
	Went(net.Conn) // it has signed in, or it is closed
}

// Target is a PostgreSQL database behind the gateway.
type Target struct {
	Gate     gate.Target
	Address  string // host:port, or the directory of a Unix socket
	Database string
	TLS      *tls.Config // nil: in the clear
	// SearchPath is fixed for every session; empty means "public, pg_temp".
	SearchPath string
	// WeakAuth allows the target to ask for an MD5 or cleartext password.
	WeakAuth bool
	// Privileged allows a credential that could step around what the gateway enforces: superuser and the like.
	Privileged bool
	// Settings are further run-time parameters of every session; they replace what the client asks for.
	Settings map[string]string
	// StatementTimeout and LockTimeout bound what a client may ask for, and are what it gets when it does not ask.
	StatementTimeout, LockTimeout time.Duration
	// Refresh is how often the catalog is read again; 0 means 30 seconds.
	Refresh time.Duration
}

// Limits bound what clients can make the gateway hold. Zero values mean the defaults.
type Limits struct {
	SignIn           time.Duration // until signed in: 10 s
	SignInsPerClient int           // connections of one address that have not signed in: 50
	Message          int           // bytes of one message: 64 MiB
	Statement        int           // bytes of one text: 16 MiB
	Names            int           // prepared statements and cursors of a session, each: 10,000
	Idle             time.Duration // between requests; 0 is no limit
	Session          time.Duration // of a whole session; 0 is no limit
	Grace            time.Duration // between an expired credential and a cut connection: 5 s
	Connect          time.Duration // to the target: 10 s
}

func (l Limits) withDefaults() Limits {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	defInt := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	def(&l.SignIn, 10*time.Second)
	def(&l.Grace, 5*time.Second)
	def(&l.Connect, 10*time.Second)
	defInt(&l.SignInsPerClient, 50)
	defInt(&l.Message, 64<<20)
	defInt(&l.Statement, 16<<20)
	defInt(&l.Names, 10_000)
	return l
}

func (c *Config) check() error {
	var faults []error
	if len(c.Auth) == 0 {
		faults = append(faults, errors.New("no method to sign in"))
	}
	for _, m := range c.Auth {
		switch m {
		case Token, OAuthBearer, Scram, Certificate:
		default:
			faults = append(faults, fmt.Errorf("auth %q is not one of token, oauthbearer, scram, certificate", m))
		}
	}
	for name, t := range c.Targets {
		if t.Address == "" {
			faults = append(faults, fmt.Errorf("target %s has no address", name))
		}
	}
	if c.Gate == nil || c.Identity == nil {
		faults = append(faults, errors.New("gate and identity are required"))
	}
	return errors.Join(faults...)
}

// loopback reports whether both ends of a connection are on this machine.
func loopback(addr net.Addr) bool {
	switch a := addr.(type) {
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	return false
}
