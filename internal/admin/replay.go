package admin

import (
	"context"
	"errors"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// Recordings tell what was said in sessions.
type Recordings interface {
	// Replay calls emit for the exchanges of a session in order, from the number given on (the first is 1), until emit
	// returns an error, which it returns. It returns ErrNotFound for a session that nothing is on record of.
	Replay(ctx context.Context, session string, from int, emit func(Exchange) error) error
}

// Exchange is one request of a session and its answer, as the client sent it and got it: what was masked is masked.
type Exchange struct {
	Number   int             `json:"number"` // in its session, from 1
	Request  string          `json:"request"`
	Seq      uint64          `json:"seq"` // of the record of its decision
	Time     time.Time       `json:"time"`
	Accesses []access.Access `json:"accesses,omitempty"`
	Unclear  string          `json:"unclear,omitempty"`
	Effect   access.Effect   `json:"effect"` // allow, deny; hold when it waited for a person: see Verdict
	Rule     string          `json:"rule,omitempty"`
	Code     access.Code     `json:"code,omitempty"`
	Grant    string          `json:"grant,omitempty"` // the access request that it waited for
	Ticket   string          `json:"ticket,omitempty"`
	// TicketLink is where the change ticket can be looked at.
	TicketLink string `json:"ticket_link,omitempty"`

	Lines []access.Line `json:"lines,omitempty"`
	// Sealed says why the words cannot be shown: sealed to others, or destroyed at the end of their retention.
	Sealed string `json:"sealed,omitempty"`

	Ended  bool   `json:"ended"` // false: how it ended is not known
	Rows   int64  `json:"rows,omitempty"`
	Bytes  int64  `json:"bytes,omitempty"`
	Micros int64  `json:"micros,omitempty"`
	Error  string `json:"error,omitempty"` // the engine's code
}

// Verdict is how it went, in a word: allow, released (a person released it), not released (it was held, and was not), deny.
func (e Exchange) Verdict() string {
	passed := e.Code == "" || e.Code == access.CodeAllowed
	switch {
	case e.Effect == access.Deny:
		return "deny"
	case e.Effect == access.Hold && !passed:
		return "not released"
	case e.Grant != "":
		return "released"
	}
	return string(e.Effect)
}

// errEnough ends a replay that has shown what was asked for.
var errEnough = errors.New("enough")

// Replay tells what was said in a session, from one exchange on and at most limit exchanges (0 means all). That somebody
// looked is on record before anything is told. more says that the session goes on.
func (s *Service) Replay(ctx context.Context, c Caller, session string, from, limit int, emit func(Exchange) error) (more bool, err error) {
	if err := s.auditor(c, "replay sessions"); err != nil {
		return false, err
	}
	if _, err := s.Session(ctx, c, session); err != nil {
		return false, err
	}
	if err := s.Journal.Did(ctx, c.Subject, c.Client, "replayed the session", session); err != nil {
		return false, notRecorded(err)
	}
	n := 0
	err = s.Recordings.Replay(ctx, session, max(from, 1), func(e Exchange) error {
		if limit > 0 && n == limit {
			return errEnough
		}
		n++
		e.TicketLink = s.LinkTo(e.Ticket)
		return emit(e)
	})
	if errors.Is(err, errEnough) {
		return true, nil
	}
	return false, err
}
