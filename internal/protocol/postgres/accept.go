package postgres

import (
	"context"
	"crypto"
	_ "crypto/sha256" // hashes of channel bindings
	_ "crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/protocol/astray"
	"github.com/vecgate/vecgate/internal/protocol/postgres/startup"
	"github.com/vecgate/vecgate/internal/protocol/postgres/wire"
)

func isResource(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}

// guest is a connection that has not signed in yet.
type guest struct {
	server  *Server
	raw     net.Conn
	conn    net.Conn // raw, or TLS over it
	in      *wire.Reader
	address string // without port
	secure  *tls.ConnectionState
	leaf    *x509.Certificate // the certificate that we showed
	start   *startup.Session
}

// handle serves one connection to its end.
func (s *Server) handle(ctx context.Context, raw net.Conn) {
	defer raw.Close()
	defer func() {
		// A fault in one session must not end the others.
		if fault := recover(); fault != nil {
			s.log.ErrorContext(ctx, "panic in a session", "client", raw.RemoteAddr().String(), "panic", fmt.Sprint(fault), "stack", string(debug.Stack()))
		}
	}()
	address := raw.RemoteAddr().String()
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	from := gate.Network(address)
	if !s.doors.enter(from, s.limits.SignInsPerClient) {
		return
	}
	if s.config.Guests != nil {
		s.config.Guests.Came(raw)
	}
	inside := false
	leave := func() {
		s.doors.leave(from)
		if s.config.Guests != nil {
			s.config.Guests.Went(raw)
		}
	}
	defer func() {
		if !inside {
			leave()
		}
	}()
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetNoDelay(true)
		_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: 15 * time.Second, Count: 4})
	}
	_ = raw.SetDeadline(time.Now().Add(s.limits.SignIn)) // of the connection, which knows real time only
	g := &guest{server: s, raw: raw, conn: raw, address: address, in: wire.NewReader(raw)}
	entering, cancel := context.WithTimeout(ctx, s.limits.SignIn)
	defer cancel()
	more, err := g.greet(ctx)
	if err != nil {
		g.sayFatal(err)
		s.log.DebugContext(ctx, "connection refused", "client", address, "error", err)
		return
	}
	if !more {
		return
	}
	subject, err := g.signIn(entering)
	if err != nil {
		g.sayFatal(err)
		return
	}
	leave()
	inside = true
	_ = raw.SetDeadline(time.Time{})
	g.open(ctx, subject)
}

// greet reads first packets until the client has said what it wants; more is false when there is nothing left to do.
func (g *guest) greet(ctx context.Context) (more bool, err error) {
	if err := g.in.Fill(1); err != nil {
		return false, nil // nobody spoke
	}
	switch first := g.in.Bytes()[0]; {
	case first == 0x16: // a TLS handshake, without being asked
		if g.server.tls == nil {
			return false, nil // whatever we wrote would not be understood
		}
		if err := g.encrypt(ctx, true); err != nil {
			return false, nil
		}
	case first >= 'A' && first <= 'Z' && g.lost():
		return false, nil
	}
	asked := map[startup.Kind]bool{}
	for {
		p, err := g.packet()
		if err != nil {
			return false, err
		}
		switch p.Kind {
		case startup.Cancel:
			g.server.keys.cancel(ctx, g.server, p, g.address)
			return false, nil
		case startup.GSS, startup.SSL:
			if asked[p.Kind] {
				return false, &startup.Fault{SQLSTATE: "08P01", Message: "encryption was asked for twice"}
			}
			asked[p.Kind] = true
			if p.Kind == startup.GSS || g.secure != nil || g.server.tls == nil {
				if _, err := g.conn.Write([]byte{'N'}); err != nil {
					return false, nil
				}
				continue
			}
			// Whatever came in the clear before the handshake must not be taken for what comes after it.
			if g.in.Len() > 0 {
				return false, &startup.Fault{
					SQLSTATE: "08P01", Message: "received unencrypted data after SSL request",
					Hint: "This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.",
				}
			}
			if _, err := g.conn.Write([]byte{'S'}); err != nil {
				return false, nil
			}
			if err := g.encrypt(ctx, false); err != nil {
				return false, nil
			}
		case startup.Start:
			return true, g.begin(p)
		}
	}
}

// lost answers a client of HTTP, and reports whether it was one.
func (g *guest) lost() bool {
	if g.in.Fill(4) != nil || !astray.HTTP(g.in.Bytes()[:4]) {
		return false
	}
	words := g.server.config.Astray
	if words.Message == "" {
		words.Message = "this port speaks PostgreSQL, not HTTP"
	}
	astray.Answer(g.conn, words)
	return true
}

// packet reads one first packet.
func (g *guest) packet() (startup.Packet, error) {
	if err := g.in.Fill(4); err != nil {
		return startup.Packet{}, errGone
	}
	n, err := startup.Length(g.in.Bytes())
	if err != nil {
		return startup.Packet{}, &startup.Fault{SQLSTATE: "08P01", Message: err.Error()}
	}
	if err := g.in.Fill(4 + n); err != nil {
		return startup.Packet{}, errGone
	}
	p, err := startup.Parse(g.in.Bytes()[4 : 4+n])
	g.in.Discard(4 + n)
	if errors.Is(err, startup.ErrVersion) {
		return p, &startup.Fault{SQLSTATE: "0A000", Message: err.Error()}
	}
	if err != nil {
		return p, &startup.Fault{SQLSTATE: "08P01", Message: err.Error()}
	}
	return p, nil
}

var errGone = errors.New("the client has gone")

// begin decides on the startup packet.
func (g *guest) begin(p startup.Packet) error {
	s := g.server
	if g.secure == nil && (s.tls != nil || !loopback(g.raw.RemoteAddr()) || !loopback(g.raw.LocalAddr())) {
		return &startup.Fault{SQLSTATE: "28000", Message: "this gateway takes connections over TLS only", Hint: "connect with sslmode=require or better"}
	}
	// The rules of a target hold before it is known who asks; a database that is none has nothing to bound.
	start, err := startup.Read(p, func(database string) (rules startup.Rules) {
		if t := s.targets[database]; t != nil {
			rules.StatementTimeout, rules.LockTimeout = t.StatementTimeout.Milliseconds(), t.LockTimeout.Milliseconds()
		}
		return rules
	})
	if err != nil {
		return err
	}
	g.start = start
	if !start.Negotiate {
		return nil
	}
	out, at := wire.Begin(nil, wire.NegotiateVersion)
	out = append(out, byte(start.Version>>24), byte(start.Version>>16), byte(start.Version>>8), byte(start.Version))
	n := len(start.Unknown)
	out = append(out, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	for _, name := range start.Unknown {
		out = wire.Text(out, name)
	}
	if _, err := g.conn.Write(wire.End(out, at)); err != nil {
		return errGone
	}
	return nil
}

// encrypt does the TLS handshake. Direct is TLS that the client began without asking, which needs ALPN.
func (g *guest) encrypt(ctx context.Context, direct bool) error {
	from := g.raw
	if direct {
		from = &replay{Conn: g.raw, first: append([]byte(nil), g.in.Bytes()...)}
		g.in.Discard(g.in.Len())
	}
	config := g.server.tls.Clone()
	base := g.server.tls
	config.Certificates = nil
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		c, err := choose(base, hello)
		if err == nil {
			g.leaf = c.Leaf
			if g.leaf == nil {
				g.leaf, err = x509.ParseCertificate(c.Certificate[0])
			}
		}
		return c, err
	}
	conn := tls.Server(from, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		g.server.log.DebugContext(ctx, "TLS handshake", "client", g.address, "error", err)
		return err
	}
	state := conn.ConnectionState()
	if direct && state.NegotiatedProtocol != alpn {
		conn.Close()
		return errors.New("direct TLS without ALPN")
	}
	g.conn, g.secure = conn, &state
	g.in.Reset(conn)
	return nil
}

// choose picks the certificate as crypto/tls does.
func choose(base *tls.Config, hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if base.GetCertificate != nil {
		if c, err := base.GetCertificate(hello); c != nil || err != nil {
			return c, err
		}
	}
	for i := range base.Certificates {
		if hello.SupportsCertificate(&base.Certificates[i]) == nil {
			return &base.Certificates[i], nil
		}
	}
	if len(base.Certificates) > 0 {
		return &base.Certificates[0], nil
	}
	return nil, errors.New("no certificate")
}

// replay gives bytes that were read already before the rest of a connection.
type replay struct {
	net.Conn
	first []byte
}

func (r *replay) Read(p []byte) (int, error) {
	if len(r.first) == 0 {
		return r.Conn.Read(p)
	}
	n := copy(p, r.first)
	if r.first = r.first[n:]; len(r.first) == 0 {
		r.first = nil
	}
	return n, nil
}

// endPoint is the tls-server-end-point channel binding (RFC 5929) of a certificate; nil when it has none.
func endPoint(leaf *x509.Certificate) []byte {
	if leaf == nil {
		return nil
	}
	var h crypto.Hash
	switch leaf.SignatureAlgorithm {
	case x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.SHA256WithRSA, x509.SHA256WithRSAPSS, x509.ECDSAWithSHA256:
		h = crypto.SHA256
	case x509.SHA384WithRSA, x509.SHA384WithRSAPSS, x509.ECDSAWithSHA384:
		h = crypto.SHA384
	case x509.SHA512WithRSA, x509.SHA512WithRSAPSS, x509.ECDSAWithSHA512:
		h = crypto.SHA512
	default:
		return nil
	}
	sum := h.New()
	sum.Write(leaf.Raw)
	return sum.Sum(nil)
}

// sayFatal tells a client that has not signed in why it is not let in.
func (g *guest) sayFatal(err error) {
	if errors.Is(err, errGone) || errors.Is(err, io.EOF) {
		return
	}
	report := wire.Report{Severity: "FATAL", SQLSTATE: "08P01", Message: "malformed message"}
	if fault, ok := errors.AsType[*startup.Fault](err); ok {
		report.SQLSTATE, report.Message, report.Hint = fault.SQLSTATE, fault.Message, fault.Hint
	} else if refusal, ok := errors.AsType[*access.Refusal](err); ok {
		report = refusalReport(refusal)
		report.Severity = "FATAL"
		if refusal.Code == access.CodeIdentity || refusal.Code == access.CodeExpired {
			report.SQLSTATE = "28000"
		}
	}
	_ = g.conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = g.conn.Write(report.Append(nil)) // it is leaving in any case
}
