package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/protocol/postgres/startup"
	"github.com/vecgate/vecgate/internal/protocol/postgres/wire"
)

// session is one client that has signed in, and its connection to the target. Fields without a word are owned by the
// goroutine that serves it.
type session struct {
	server  *Server
	target  *target
	log     *slog.Logger
	gate    *gate.Session
	version uint32
	pid     uint32
	key     []byte

	wrongKeys int // guarded by keys.mu

	client net.Conn
	secure bool
	in     *wire.Reader
	up     *upstream

	status   byte // of the last ReadyForQuery
	skipping bool // an error made everything up to the next Sync void
	worked   bool // the transaction has done something that approval cannot wait for
	redacted bool // the transaction may still raise errors with protected values (deferred constraints)
	altered  bool // the transaction changed the catalog
	stale    bool // and it has not been looked at since
	inside   *snapshot
	ticket   string
	undo     *string // the ticket before SET LOCAL
	names    names
	settings settings
	x        exchange
	out      []byte
	told     bool // the client knows why the session ends
	resting  bool // between two runs

	idle idle

	ending   atomic.Pointer[access.Refusal] // why the session must end now
	draining atomic.Bool                    // it must end when it is idle
	stopping atomic.Bool                    // a cancel request is on its way to the target
	closed   chan struct{}

	flight  sync.Mutex
	running bool                    // guarded by flight: the target works for us
	held    context.CancelCauseFunc // guarded by flight: takes a held request back
	guard   *watcher                // guarded by flight: watches the client of a long statement

	patience *time.Timer // how long a statement runs before its client is watched
}

var (
	errTakenBack  = errors.New("the client canceled the request")
	errClientGone = errors.New("the client has gone")
	errUpstream   = errors.New("the target has spoken") // unasked, while we wait for the client
)

// open begins the session of a guest who has signed in, and serves it to its end.
func (g *guest) open(ctx context.Context, subject *access.Subject) {
	s := g.server
	t := s.targets[g.start.Database]
	if t == nil {
		refusal := &access.Refusal{
			Code: access.CodeNoRule, Message: fmt.Sprintf("there is no target %q for %s", g.start.Database, subject.Display()),
			Hint: "the database name is the name of a target of the gateway",
		}
		s.config.Gate.RefuseSignIn(ctx, gate.SignIn{Target: g.start.Database, Client: g.address, Method: subject.Method, Claimed: subject.ID}, refusal)
		g.sayFatal(&startup.Fault{SQLSTATE: "3D000", Message: refusal.Message, Hint: refusal.Hint})
		return
	}
	gs, refusal := s.config.Gate.Open(ctx, subject, t.Target.Gate, gate.OpenOptions{
		Client: g.address, Channel: "sql", Program: g.start.Program, Ticket: g.start.Ticket,
		Settings: map[string]string{"user": g.start.User, "application_name": g.start.Program},
	})
	if refusal != nil {
		g.sayFatal(refusal)
		return
	}
	ss := &session{
		server: s, target: t, log: s.log, gate: gs, version: g.start.Version, client: g.conn, secure: g.secure != nil, in: g.in,
		status: 'I', ticket: g.start.Ticket, closed: make(chan struct{}),
	}
	err := error(&access.Refusal{Code: access.CodeInternal, Message: "internal error", Hint: "the operator's log has the details"})
	defer func() { ss.finish(err) }() // with that error when it panics
	err = ss.serveAll(ctx, g.start)
}

func (s *session) serveAll(ctx context.Context, asked *startup.Session) error {
	if err := s.start(ctx, asked); err != nil {
		return err
	}
	return s.run(ctx)
}

// start connects to the target and tells the client that it may begin.
func (s *session) start(ctx context.Context, asked *startup.Session) error {
	credential, err := s.gate.Lease(ctx)
	if err != nil {
		return s.target.unreachable(err)
	}
	if s.target.current() == nil {
		if _, err := s.target.refresh(ctx, time.Time{}); err != nil {
			return s.target.unreachable(err)
		}
	}
	if s.up, err = s.target.dial(ctx, credential, asked.Settings); err != nil {
		return err
	}
	for _, p := range s.up.settings {
		if err := s.critical(p.name, p.value, true); err != nil {
			return err
		}
	}
	s.settings.begin(s.target.current().styles, asked.Settings, s.up.settings)
	s.names.limit = s.server.limits.Names
	s.server.keys.add(s)
	s.idle.timer = time.AfterFunc(time.Hour, s.tick)
	s.idle.timer.Stop()
	s.patience = time.AfterFunc(time.Hour, s.watchBusy)
	s.patience.Stop()
	go s.watchEnd()

	out, at := wire.Begin(nil, wire.Authentication)
	out = wire.End(append(out, 0, 0, 0, 0), at)
	for _, p := range s.up.settings {
		out = wire.Parameter(out, p.name, p.value)
	}
	out, at = wire.Begin(out, wire.BackendKeyData)
	out = append(out, byte(s.pid>>24), byte(s.pid>>16), byte(s.pid>>8), byte(s.pid))
	out = wire.End(append(out, s.key...), at)
	return s.write(wire.Ready(out, 'I'))
}

// run serves requests until the client goes or may not go on.
func (s *session) run(ctx context.Context) error {
	for {
		err := s.next(ctx)
		if err == nil && s.told {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// finish ends both connections, in words when there is something to say.
func (s *session) finish(err error) {
	if s.idle.timer != nil {
		s.disarm()
		s.idle.timer.Stop()
		s.patience.Stop()
	}
	close(s.closed)
	cause := err
	switch {
	case err == nil || errors.Is(err, io.EOF) || errors.Is(err, errClientGone):
		cause = nil
	case !s.told:
		s.sayGoodbye(err)
	}
	if cause != nil {
		level, told := slog.LevelInfo, []any{"session", s.gate.ID(), "error", cause}
		refusal, ok := errors.AsType[*access.Refusal](cause)
		switch {
		case !ok:
			level = slog.LevelWarn
		case refusal.Err != nil: // the client was not told; the operator is
			level, told = slog.LevelWarn, append(told, "cause", refusal.Err)
		}
		s.log.Log(context.Background(), level, "session ended", told...)
	}
	if s.key != nil {
		s.server.keys.remove(s)
	}
	if s.up != nil {
		_ = s.up.conn.SetDeadline(time.Now().Add(time.Second))
		_, _ = s.up.conn.Write(wire.Empty(nil, wire.Terminate)) // it is closed in any case
		s.up.conn.Close()
	}
	s.client.Close()
	if fault, ok := errors.AsType[*violation](cause); ok {
		s.gate.NoteViolation(fault.what)
	}
	s.gate.Close(cause)
}

// sayGoodbye tells the client why the session ends.
func (s *session) sayGoodbye(err error) {
	report := wire.Report{Severity: "FATAL", SQLSTATE: "08006", Message: "the connection between the gateway and the target was lost"}
	if refusal, ok := errors.AsType[*access.Refusal](err); ok {
		report = refusalReport(refusal)
		report.Severity = "FATAL"
	} else if fault, ok := errors.AsType[*violation](err); ok {
		report.SQLSTATE, report.Message = "08P01", fault.what
	}
	_ = s.client.SetWriteDeadline(time.Now().Add(time.Second))
	_ = s.write(report.Append(nil))
}

// violation is what a client may not do in the protocol; its session ends.
type violation struct{ what string }

func (v *violation) Error() string { return "protocol violation: " + v.what }

// tlsPiece is the most plaintext that goes to a client in one TLS record. Clients that wait for their socket and not for
// their TLS library stall when a record is longer than what PostgreSQL itself sends.
const tlsPiece = 8192

// write sends bytes to the client.
func (s *session) write(p []byte) error {
	for s.secure && len(p) > tlsPiece {
		if _, err := s.client.Write(p[:tlsPiece]); err != nil {
			return fmt.Errorf("%w: %w", errClientGone, err)
		}
		p = p[tlsPiece:]
	}
	if _, err := s.client.Write(p); err != nil {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	return nil
}

// past is a deadline that makes a blocked read return.
var past = time.Unix(1, 0)

// more reads what the client has sent, and waits for it if it has not. It returns early when the session must end, and,
// if the client alone is not to be waited for, with errUpstream.
func (s *session) more(unasked bool) error {
	for {
		err := s.in.More()
		if err == nil {
			return nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			if errors.Is(err, net.ErrClosed) {
				if refusal := s.ending.Load(); refusal != nil {
					return refusal
				}
			}
			return fmt.Errorf("%w: %w", errClientGone, err)
		}
		_ = s.client.SetReadDeadline(time.Time{})
		if refusal := s.ending.Load(); refusal != nil {
			return refusal
		}
		if unasked && s.idle.spoke.Load() {
			return errUpstream
		}
		if s.resting && s.quiet() && s.draining.Load() {
			return &access.Refusal{Code: access.CodeShuttingDown, Message: "the gateway is shutting down", Hint: "connect again in a moment"}
		}
	}
}

// quiet reports whether nothing is open between the client and the target.
func (s *session) quiet() bool { return s.status == 'I' && s.in.Len() == 0 && !s.worked && !s.skipping }

// watchEnd ends the session when the gate cuts it off, its credential expires, or it has lasted as long as it may.
func (s *session) watchEnd() {
	var expiry, limit <-chan time.Time
	if e := s.gate.Subject().Expires; !e.IsZero() {
		timer := time.NewTimer(e.Sub(s.server.now()))
		defer timer.Stop()
		expiry = timer.C
	}
	if d := s.server.limits.Session; d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		limit = timer.C
	}
	grace := s.server.limits.Grace
	var refusal *access.Refusal
	select {
	case <-s.closed:
		return
	case <-s.gate.Done():
		grace = 0
		refusal = &access.Refusal{Code: access.CodeExpired, Message: "the session was ended by an operator of the gateway", Err: s.gate.Cause()}
		if errors.Is(s.gate.Cause(), gate.ErrShuttingDown) {
			refusal = &access.Refusal{Code: access.CodeShuttingDown, Message: "the gateway is shutting down", Hint: "connect again in a moment"}
		}
	case <-expiry:
		refusal = &access.Refusal{
			Code: access.CodeExpired, Hint: "sign in again: vecgate login",
			Message: fmt.Sprintf("the credential of %s expired at %s", s.gate.Subject().Display(), s.gate.Subject().Expires.UTC().Format(time.RFC3339)),
		}
	case <-limit:
		refusal = &access.Refusal{Code: access.CodeLimit, Message: fmt.Sprintf("a session may last %s here", s.server.limits.Session), Hint: "connect again"}
	}
	s.end(refusal, grace)
}

// end makes the session end: at once when it waits for the client, otherwise after the grace, in the middle of whatever
// it does.
func (s *session) end(refusal *access.Refusal, grace time.Duration) {
	if !s.ending.CompareAndSwap(nil, refusal) {
		return
	}
	_ = s.client.SetReadDeadline(past)
	wait := func(d time.Duration) bool {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-s.closed:
			return true
		case <-timer.C:
			return false
		}
	}
	if grace > 0 && wait(grace) {
		return
	}
	s.flight.Lock()
	running := s.running
	s.flight.Unlock()
	if running {
		s.cancelUpstream(context.Background())
	}
	_ = s.client.SetReadDeadline(past)
	if wait(time.Second) {
		return
	}
	// It neither reads nor ends by itself.
	s.up.conn.Close()
	_ = s.client.SetDeadline(time.Now().Add(time.Second))
	if !wait(time.Second) {
		s.client.Close()
	}
}

// drain makes every session end as soon as it is idle.
func (s *Server) drain() {
	for _, ss := range s.keys.all() {
		ss.draining.Store(true)
		_ = ss.client.SetReadDeadline(past)
	}
}

// critical returns why a parameter that the target reports ends the session: what was analysed would no longer be what
// the target understands.
func (s *session) critical(name, value string, first bool) error {
	bad := false
	switch name {
	case "client_encoding":
		bad = value != "UTF8"
	case "standard_conforming_strings":
		bad = value != "on"
	case "server_encoding":
		bad = value != "UTF8" && value != "SQL_ASCII"
	case "is_superuser", "session_authorization", "search_path":
		if first {
			return nil
		}
		for _, p := range s.up.settings {
			if p.name == name {
				bad = p.value != value
			}
		}
		// With an empty path a plain name means something in pg_catalog, or nothing: less than what was analysed. pg_dump
		// works like this.
		if name == "search_path" && (value == "" || value == `""`) {
			bad = false
		}
	}
	if !bad {
		return nil
	}
	return fmt.Errorf("target reported %s: %w", name, &access.Refusal{
		Code: access.CodeObligation, Message: fmt.Sprintf("%s changed to %q, which the gateway does not follow", name, value),
	})
}
