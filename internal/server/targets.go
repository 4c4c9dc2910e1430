package server

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/vecgate/vecgate/internal/config"
	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/postgres"
	"github.com/vecgate/vecgate/internal/protocol/postgres/value"
)

// frontEnd serves the clients of one listener.
type frontEnd interface {
	Serve(context.Context, net.Listener) error
	// Ready says why its targets, or the one with that name, take no sessions; a target that it does not reach is no fault.
	Ready(context.Context) error
	ReadyFor(ctx context.Context, target string) error
}

// protocols are the front ends, by the protocol of a listener.
var protocols = map[string]func(*Server, *config.Listener) (frontEnd, error){
	config.ProtocolPostgres: (*Server).postgres,
	config.ProtocolHTTP:     (*Server).http,
	config.ProtocolGRPC:     (*Server).grpc,
}

func (s *Server) hider() (*mask.Hider, error) {
	key, err := maskKey(string(s.config.Gateway.Data))
	if err != nil {
		return nil, err
	}
	return mask.New(key)
}

// postgres makes the front end of one listener.
func (s *Server) postgres(l *config.Listener) (frontEnd, error) {
	tlsConfig, err := s.tls(l.Name, l.TLS)
	if err != nil {
		return nil, err
	}
	hider, err := s.hider()
	if err != nil {
		return nil, err
	}
	c := postgres.Config{
		TLS: tlsConfig, Targets: map[string]postgres.Target{}, Gate: s.gate, Identity: door{s.registry},
		Masker: &value.Masker{Hider: hider}, Shared: &s.targets, Log: s.log, Now: s.options.Now,
		Astray: s.notHTTP(l.Name), Guests: newVisitors(roomForVisitors),
		Limits: postgres.Limits{
			SignIn: s.config.Limits.SignIn, SignInsPerClient: s.config.Limits.SignInsPerAddress, Message: int(s.config.Limits.Message),
			Statement: int(s.config.Limits.Statement), Idle: s.config.Limits.Idle, Session: s.config.Limits.Session,
		},
	}
	for _, method := range l.Auth {
		c.Auth = append(c.Auth, postgres.Method(method))
	}
	for i := range s.config.Targets {
		t := &s.config.Targets[i]
		if !l.Reaches(t) {
			continue
		}
		if c.Targets[t.Name], err = s.target(t); err != nil {
			return nil, fmt.Errorf("target %s: %w", t.Name, err)
		}
	}
	return postgres.New(c)
}

// gateTarget is what the gate needs to know of a target.
func (s *Server) gateTarget(t *config.Target) gate.Target {
	reads := t.Reads
	if reads == "" {
		reads = s.config.Audit.Reads
	}
	return gate.Target{Name: t.Name, Reads: gate.Reads(reads), Record: t.Record, Hold: t.Hold}
}

func (s *Server) target(t *config.Target) (postgres.Target, error) {
	upstream, err := clientTLS(t)
	if err != nil {
		return postgres.Target{}, err
	}
	return postgres.Target{
		Gate:    s.gateTarget(t),
		Address: t.Address, Database: t.Database, TLS: upstream,
		SearchPath: strings.Join(quoted(t.SearchPath), ", ") + ", pg_temp",
		WeakAuth:   t.AllowWeakAuth, Privileged: t.AllowPrivileged, StatementTimeout: t.StatementTimeout,
	}, nil
}

func quoted(path []string) []string {
	out := make([]string, len(path))
	for i, schema := range path {
		out[i] = `"` + strings.ReplaceAll(schema, `"`, `""`) + `"`
	}
	return out
}

// maskKey is the key of keyed digests; it is made once and kept, so that equal values stay equal over restarts.
func maskKey(dir string) ([]byte, error) {
	file := filepath.Join(dir, "mask.key")
	if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others (mode %04o), who could guess what mask: hash hides: chmod 600 it", file, info.Mode().Perm())
	}
	key, err := os.ReadFile(file)
	if err == nil && len(key) == 32 {
		return key, nil
	}
	if err == nil {
		return nil, fmt.Errorf("%s holds %d bytes, not 32: remove it to make a new key", file, len(key))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	key = make([]byte, 32)
	_, _ = rand.Read(key) // never fails, see crypto/rand
	return key, replaceFile(file, key)
}

func clientTLS(t *config.Target) (*tls.Config, error) {
	host, _, err := t.HostPort()
	if err != nil {
		return nil, err
	}
	return clientTLSTo(t, host)
}

// clientTLSTo is the TLS of the hop to a host of the target.
func clientTLSTo(t *config.Target, host string) (c *tls.Config, err error) {
	if t.TLS.Mode == config.TLSOff {
		return nil, nil
	}
	c = &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if t.TLS.ServerName != "" {
		c.ServerName = t.TLS.ServerName
	}
	if !t.TLS.CA.IsZero() {
		if c.RootCAs, err = authorities(t.TLS.CA); err != nil {
			return nil, fmt.Errorf("tls.ca: %w", err)
		}
	}
	if !t.TLS.Cert.IsZero() {
		cert, err := t.TLS.Cert.Read()
		if err != nil {
			return nil, fmt.Errorf("tls.cert: %w", err)
		}
		key, err := t.TLS.Key.Read()
		if err != nil {
			return nil, fmt.Errorf("tls.key: %w", err)
		}
		pair, err := tls.X509KeyPair([]byte(cert.Reveal()), []byte(key.Reveal()))
		if err != nil {
			return nil, fmt.Errorf("tls.cert and tls.key: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if t.TLS.Mode == config.TLSVerifyCA {
		verifyChainOnly(c)
	}
	return c, nil
}

// verifyChainOnly makes a configuration check the chain and not the name (sslmode=verify-ca).
func verifyChainOnly(c *tls.Config) {
	roots := c.RootCAs
	c.InsecureSkipVerify = true // the name only: VerifyConnection checks the chain
	c.VerifyConnection = func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return errors.New("the database showed no certificate")
		}
		intermediates := x509.NewCertPool()
		for _, cert := range state.PeerCertificates[1:] {
			intermediates.AddCert(cert)
		}
		_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates})
		return err
	}
}

func authorities(p config.PEM) (*x509.CertPool, error) {
	text, err := p.Read()
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(text.Reveal())) {
		return nil, errors.New("no certificate in it")
	}
	return pool, nil
}
