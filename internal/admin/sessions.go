package admin

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/gate"
)

// Sessions are those that are open now, and those that were.
type Sessions interface {
	// Live returns the open sessions.
	Live(context.Context) ([]gate.SessionInfo, error)
	// Past returns sessions, newest first, whether they have ended or not.
	Past(context.Context, SessionFilter) ([]gate.SessionInfo, error)
	// Get returns one session, or ErrNotFound.
	Get(ctx context.Context, id string) (gate.SessionInfo, error)
	// Kill ends an open session at once, or returns ErrNotFound.
	Kill(ctx context.Context, id string, cause error) error
}

// SessionFilter chooses sessions.
type SessionFilter struct {
	Subject string
	Person  string
	Target  string
	Before  time.Time // opened before; for the next page
	Limit   int
}

// Session is a session as the API shows it.
type Session struct {
	ID       string         `json:"id"`
	Subject  access.Subject `json:"subject"`
	Target   string         `json:"target"`
	Client   string         `json:"client,omitempty"`
	Channel  string         `json:"channel,omitempty"`
	Program  string         `json:"program,omitempty"`
	Opened   time.Time      `json:"opened"`
	Closed   *time.Time     `json:"closed,omitempty"` // nil while it is open
	FirstSeq uint64         `json:"first_seq"`
	LastSeq  uint64         `json:"last_seq,omitempty"`
	Requests uint64         `json:"requests"`
	Rows     int64          `json:"rows"`
	Bytes    int64          `json:"bytes"`
	Cause    string         `json:"cause,omitempty"` // why it ended, when it was not the client's wish
}

// Live reports whether the session is open.
func (s Session) Live() bool { return s.Closed == nil }

func sessionOf(i gate.SessionInfo) Session {
	s := Session{
		ID: i.ID, Target: i.Target, Client: i.Client, Channel: i.Channel, Program: i.Program, Opened: i.Opened, FirstSeq: i.FirstSeq,
		LastSeq: i.LastSeq, Requests: i.Requests, Rows: i.Rows, Bytes: i.Bytes, Cause: i.Cause,
	}
	if i.Subject != nil {
		s.Subject = *i.Subject
	}
	if !i.Closed.IsZero() {
		closed := i.Closed
		s.Closed = &closed
	}
	return s
}

// seesSession says whether a caller may know of a session: their own, or all of them for auditors and operators.
func (s *Service) seesSession(c Caller, i gate.SessionInfo) bool {
	return same(c.Subject, i.Subject) || s.Auditor(c) || s.Operator(c)
}

// LiveSessions returns the open sessions that the caller may see, newest first.
func (s *Service) LiveSessions(ctx context.Context, c Caller) ([]Session, error) {
	if r := s.signedIn(c); r != nil {
		return nil, r
	}
	live, err := s.Sessions.Live(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Session, 0, len(live))
	for _, i := range live {
		if s.seesSession(c, i) {
			list = append(list, sessionOf(i))
		}
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].Opened.After(list[j].Opened) })
	return list, nil
}

// PastSessions returns sessions that have ended, newest first; more says that there are older ones.
func (s *Service) PastSessions(ctx context.Context, c Caller, f SessionFilter) (list []Session, more bool, err error) {
	if r := s.signedIn(c); r != nil {
		return nil, false, r
	}
	limit := page(f.Limit)
	if !s.Auditor(c) && !s.Operator(c) {
		if c.Subject.Person != "" {
			f.Person = c.Subject.Person
		} else {
			f.Subject = c.Subject.ID
		}
	}
	f.Limit = pageMax
	for scanned := 0; scanned < maxScan; {
		batch, err := s.Sessions.Past(ctx, f)
		if err != nil {
			return nil, false, err
		}
		full := len(batch) == f.Limit
		if full {
			var again int
			f.Before, again = following(batch, func(i gate.SessionInfo) time.Time { return i.Opened })
			batch = batch[:len(batch)-again]
		}
		for _, i := range batch {
			if i.Closed.IsZero() || !s.seesSession(c, i) {
				continue
			}
			if n := len(list); n > 0 && whole(n, limit, list[n-1].Opened, i.Opened) {
				return list, true, nil
			}
			list = append(list, sessionOf(i))
		}
		if !full {
			return list, false, nil
		}
		scanned += len(batch)
	}
	return list, true, nil
}

// Session returns one session.
func (s *Service) Session(ctx context.Context, c Caller, id string) (Session, error) {
	if r := s.signedIn(c); r != nil {
		return Session{}, r
	}
	i, err := s.Sessions.Get(ctx, id)
	if err != nil {
		return Session{}, err
	}
	if !s.seesSession(c, i) {
		return Session{}, ErrNotFound
	}
	return sessionOf(i), nil
}

// KillSession ends a session at once.
func (s *Service) KillSession(ctx context.Context, c Caller, id, reason string) error {
	if err := s.operator(c, "end sessions"); err != nil {
		return err
	}
	reason, err := words(reason)
	if err != nil {
		return err
	}
	if err := s.Journal.Did(ctx, c.Subject, c.Client, because("ended the session", reason), id); err != nil {
		return notRecorded(err)
	}
	err = s.Sessions.Kill(ctx, id, fmt.Errorf("ended by %s%s", c.Subject.Display(), because("", reason)))
	if errors.Is(err, ErrNotFound) {
		return &access.Refusal{Code: access.CodeNoRule, Ref: id, Message: "session " + id + " is not open", Hint: "it may have ended by itself", Err: ErrNotFound}
	}
	return err
}

func because(what, reason string) string {
	if reason == "" {
		return what
	}
	return what + ": " + reason
}

func notRecorded(err error) error {
	return &access.Refusal{
		Code: access.CodeNotRecorded, Err: err, Message: "this could not be written to the audit log, so it was not done",
		Hint: "the operator's log has the details",
	}
}
