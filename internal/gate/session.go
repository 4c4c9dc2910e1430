package gate

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/vault"
)

// Session is one authenticated conversation of one subject with one target. Its methods may be called from several
// goroutines.
type Session struct {
	gate    *Gate
	id      string
	subject *access.Subject
	target  Target
	opts    OpenOptions
	opened  time.Time

	ticket atomic.Pointer[string] // set by the client in the course of the session

	requests, first atomic.Uint64
	rows, bytes     atomic.Int64

	ctx    context.Context // ends when the session is cut off
	cancel context.CancelCauseFunc
	closed sync.Once
}

// OpenOptions describe the conversation.
type OpenOptions struct {
	Client   string            // remote address
	Channel  string            // sql, rest, grpc
	Program  string            // what the client calls itself
	Ticket   string            // change ticket that came with the connection
	Settings map[string]string // further facts for conditions
}

// SessionInfo is what others may know of a session.
type SessionInfo struct {
	ID       string
	Subject  *access.Subject
	Target   string
	Client   string
	Channel  string
	Program  string
	Opened   time.Time
	Closed   time.Time // zero while it is open
	FirstSeq uint64    // of its session.open record
	LastSeq  uint64    // of its session.close record
	Requests uint64
	Rows     int64
	Bytes    int64
	Cause    string // why it ended, when it was not the client's wish
}

// Reasons for cutting a session off.
var (
	ErrShuttingDown = errors.New("the gateway is shutting down")
	errCutOff       = errors.New("cut off")
)

// Open begins a session: the policy must let the subject connect, and the opening must be on record. A refusal is
// returned, recorded, for the front end to render.
func (g *Gate) Open(ctx context.Context, subject *access.Subject, target Target, opts OpenOptions) (*Session, *access.Refusal) {
	s := &Session{gate: g, id: newID(g.Now()), subject: subject, target: target, opts: opts, opened: g.Now()}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())

	op := &access.Operation{Accesses: []access.Access{{Action: access.Connect, Resource: access.Resource{Target: target.Name}}}}
	decision := g.Policy.Decide(subject, op, s.context(s.opened))
	refusal := s.cutOff(s.opened)
	if refusal == nil && !subject.MayReach(target.Name) {
		refusal = &access.Refusal{
			Code: access.CodeScope, Message: fmt.Sprintf("the credential of %s is not good for target %s", subject.Display(), target.Name),
			Hint: "ask for a token without --target, or for this target",
		}
	}
	if refusal == nil && decision.Effect != access.Allow {
		refusal = refusalOf(decision)
	}
	opening := &walk{Session: s, op: op}
	r := opening.record(audit.TypeSessionOpen, decision)
	r.Detail = opts.Program
	if refusal != nil {
		r.Effect, r.Code = access.Deny, refusal.Code
	}
	commit := g.Journal.Append(r)
	if err := commit.Wait(ctx); err != nil {
		return nil, notRecorded(err)
	}
	if refusal != nil {
		refusal.Ref = s.id
		s.meter(access.Deny, refusal.Code, 0)
		return nil, refusal
	}
	s.first.Store(commit.Seq)
	refusal = g.sessions.add(s)
	if refusal == nil && g.Admit != nil {
		refusal = g.Admit(ctx, subject)
	}
	if refusal != nil {
		refusal.Ref = s.id
		s.meter(access.Deny, refusal.Code, 0)
		s.close(refusal)
		return nil, refusal
	}
	if g.Roll != nil {
		g.Roll.SessionOpened(s.Info())
	}
	return s, nil
}

// ID names the session.
func (s *Session) ID() string { return s.id }

// Subject is who speaks.
func (s *Session) Subject() *access.Subject { return s.subject }

// Target is with whom.
func (s *Session) Target() Target { return s.target }

// Done is closed when the session has been cut off; Cause says why.
func (s *Session) Done() <-chan struct{} { return s.ctx.Done() }

// Cause is why the session was cut off.
func (s *Session) Cause() error { return context.Cause(s.ctx) }

// Kill cuts the session off at once. Its front end sees Done and closes both connections.
func (s *Session) Kill(cause error) { s.cancel(fmt.Errorf("%w: %w", errCutOff, cause)) }

// Close ends the session; it is safe to call more than once.
func (s *Session) Close(cause error) {
	s.closed.Do(func() { s.close(cause) })
}

func (s *Session) close(cause error) {
	r := s.envelope(audit.TypeSessionClose, "")
	r.Rows, r.Bytes = s.rows.Load(), s.bytes.Load()
	if cause == nil {
		cause = s.Cause()
	}
	if cause != nil {
		if refusal := findRefusal(cause); refusal != nil {
			r.Code = refusal.Code
		}
	}
	commit := s.gate.Journal.Append(r)
	last := commit.Seq
	s.cancel(nil)
	s.gate.sessions.remove(s)
	if s.gate.Roll != nil {
		info := s.Info()
		info.Closed, info.LastSeq = s.gate.Now(), last
		if cause != nil {
			info.Cause = string(r.Code)
			if info.Cause == "" {
				info.Cause = "connection lost"
			}
		}
		s.gate.Roll.SessionClosed(info)
	}
}

// Lease returns the target's credential, for front ends that connect when the session opens.
func (s *Session) Lease(ctx context.Context) (vault.Credential, error) { return s.lease(ctx) }

func (s *Session) lease(ctx context.Context) (vault.Credential, error) {
	c, err := s.gate.Credentials.Lease(ctx, s.target.Name)
	if err != nil {
		return c, fmt.Errorf("credential for %s: %w", s.target.Name, err)
	}
	return c, nil
}

// NoteCancel writes down that somebody at client asked, outside of the session but with its key, to cancel what it does.
// It does not wait: to stop is always allowed.
func (s *Session) NoteCancel(client string) {
	r := s.envelope(audit.TypeSignIn, "")
	r.Client, r.Method, r.Effect, r.Detail = client, "cancel", access.Allow, "asked to cancel what the session does"
	s.gate.Journal.Append(r)
}

// NoteViolation writes down that the client broke its protocol, which ends the session. What it did is said without its data.
func (s *Session) NoteViolation(what string) {
	r := s.envelope(audit.TypeRefusal, s.id+"."+strconv.FormatUint(s.requests.Add(1), 10))
	r.Client, r.Method, r.Effect, r.Code, r.Detail = s.opts.Client, s.subject.Method, access.Deny, access.CodeUnclear, "protocol violation: "+what
	s.gate.Journal.Append(r)
	s.meter(access.Deny, access.CodeUnclear, 0)
}

// SetTicket attaches a change ticket to what follows; the empty string detaches it.
func (s *Session) SetTicket(ticket string) { s.ticket.Store(&ticket) }

// cutOff says whether the subject may no longer speak.
func (s *Session) cutOff(now time.Time) *access.Refusal {
	if s.ctx.Err() != nil {
		if errors.Is(s.Cause(), ErrShuttingDown) {
			return &access.Refusal{Code: access.CodeShuttingDown, Message: "the gateway is shutting down", Hint: "connect again in a moment"}
		}
		return &access.Refusal{Code: access.CodeExpired, Message: "the session was ended by an operator of the gateway", Err: s.Cause()}
	}
	if e := s.subject.Expires; !e.IsZero() && !now.Before(e) {
		return &access.Refusal{
			Code: access.CodeExpired, Message: fmt.Sprintf("the credential of %s expired at %s", s.subject.Display(), e.UTC().Format(time.RFC3339)),
			Hint: "sign in again: vecgate login",
		}
	}
	return nil
}

// alive derives a context for a long wait: it also ends when the session is cut off, its credential expires or the gate
// drains, with the cause.
func (s *Session) alive(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.ctx, func() { cancel(s.Cause()) })
	drain := s.gate.sessions.draining()
	go func() {
		select {
		case <-drain:
			cancel(ErrShuttingDown)
		case <-ctx.Done():
		}
	}()
	end := func() { stop(); cancel(nil) }
	if e := s.subject.Expires; !e.IsZero() {
		timed, done := context.WithDeadlineCause(ctx, e, errCutOff)
		return timed, func() { done(); end() }
	}
	return ctx, end
}

// context is what decisions look at besides the subject and the operation. The ticket is the one that came last: with the
// request, set in the session, with the connection, in the credential.
func (s *Session) context(now time.Time) access.Context {
	ticket := s.opts.Ticket
	if set := s.ticket.Load(); set != nil {
		ticket = *set
	}
	if ticket == "" {
		ticket = s.subject.Ticket
	}
	return access.Context{
		Now: now, Client: s.opts.Client, Session: s.id, Ticket: ticket, Channel: s.opts.Channel, Settings: s.opts.Settings,
	}
}

func (w *walk) about() access.Context {
	c := w.context(w.began)
	if w.op.Ticket != "" {
		c.Ticket = w.op.Ticket
	}
	return c
}

// May says whether policy would let the subject do something by itself, if need be once a person released it. Nothing is
// recorded: it is for leaving things out of answers, never for letting a request pass.
func (s *Session) May(a access.Access) bool {
	op := &access.Operation{Accesses: []access.Access{a}}
	return s.gate.Policy.Decide(s.subject, op, s.context(s.gate.Now())).Effect != access.Deny
}

func (s *Session) level(asked access.Level) access.Level {
	if asked != access.LevelDefault {
		return asked
	}
	if s.target.Record != access.LevelDefault {
		return s.target.Record
	}
	return access.LevelFull
}

// envelope is the part of a record that is the same throughout a session.
func (s *Session) envelope(t audit.Type, request string) *audit.Record {
	r := &audit.Record{}
	s.fill(r, t, request)
	return r
}

func (s *Session) fill(r *audit.Record, t audit.Type, request string) {
	*r = audit.Record{Type: t, Session: s.id, Request: request, Subject: s.subject.ID, Target: s.target.Name}
}

// record is the envelope with who asked what, and what was decided.
func (w *walk) record(t audit.Type, d access.Decision) *audit.Record {
	s, op := w.Session, w.op
	r := w.envelope(t, w.request)
	r.Name, r.Kind, r.Person, r.Instance = s.subject.Name, s.subject.Kind, s.subject.Person, s.subject.Instance
	r.Credential, r.Method, r.Client = s.subject.Credential, s.subject.Method, s.opts.Client
	if s.subject.Actor != nil {
		r.Actor = s.subject.Actor.ID
	}
	r.Accesses, r.Unclear = op.Accesses, op.Unclear
	r.Effect, r.Rule, r.Code, r.Policy = d.Effect, d.Reason.Rule, d.Reason.Code, d.Policy
	r.Ticket, r.Grant = w.about().Ticket, w.grant
	if w.change != nil {
		r.TicketHash = w.change.Digest()
	}
	return r
}

func (s *Session) meter(e access.Effect, c access.Code, took time.Duration) {
	if m := s.gate.Meter; m != nil {
		m.Served(s.target.Name, e, c, took)
	}
}

// Info describes the session as it stands.
func (s *Session) Info() SessionInfo {
	return SessionInfo{
		ID: s.id, Subject: s.subject, Target: s.target.Name, Client: s.opts.Client, Channel: s.opts.Channel, Program: s.opts.Program,
		Opened: s.opened, FirstSeq: s.first.Load(), Requests: s.requests.Load(), Rows: s.rows.Load(), Bytes: s.bytes.Load(),
	}
}

var idAlphabet = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// newID is sortable by time (milliseconds) and carries 40 random bits.
func newID(now time.Time) string {
	var b [11]byte
	binary.BigEndian.PutUint64(b[:8], uint64(now.UnixMilli())<<16)
	_, _ = rand.Read(b[6:]) // never fails, see crypto/rand
	return strings.ToLower(idAlphabet.EncodeToString(b[:]))
}
