// Package recording puts together again what was said in a session: who asked what, what was decided, and what the client
// got, exchange by exchange, from the audit log.
//
// It refuses to know how the log is kept and sealed, which a Source does, and what the recorded bytes mean, which the
// front end that spoke them does. Start at Play.
package recording

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// Source is where recordings are read; *audit.Reader is one.
type Source interface {
	// Conversation calls record for every record of a session between two sequence numbers (0 means to the end), with the
	// envelope, and body for every piece of what was said, in order. The envelope is valid during the call; unseal may be
	// called later.
	Conversation(ctx context.Context, session string, from, to uint64,
		record func(seq uint64, envelope []byte) error,
		body func(seq uint64, request string, asked bool, unseal func() ([]byte, error)) error) error
	// Watch returns a channel that is closed when there is more to read than at the time of the call, or nil.
	Watch() <-chan struct{}
}

// Kind of an event.
type Kind string

// The kinds.
const (
	Opened    Kind = "opened"
	Exchanged Kind = "exchange"
	Noted     Kind = "note" // something that was done about the session, such as an earlier replay
	Closed    Kind = "closed"
)

// Event is one step of a session.
type Event struct {
	Kind   Kind   `json:"kind"`
	Seq    uint64 `json:"seq"`              // of the record that it begins with
	Ended  uint64 `json:"ended,omitempty"`  // of the record that it ends with, when that is another one
	Detail string `json:"detail,omitempty"` // the client's program, what an operator did

	Began   time.Time `json:"began"`
	Until   time.Time `json:"until,omitzero"`
	Request string    `json:"request,omitempty"`
	Subject string    `json:"subject,omitempty"`
	Name    string    `json:"name,omitempty"`
	Client  string    `json:"client,omitempty"`
	Target  string    `json:"target,omitempty"`

	Accesses []access.Access `json:"accesses,omitempty"`
	Unclear  string          `json:"unclear,omitempty"`
	Effect   access.Effect   `json:"effect,omitempty"`
	Rule     string          `json:"rule,omitempty"`
	Code     access.Code     `json:"code,omitempty"`
	Grant    string          `json:"grant,omitempty"`
	Ticket   string          `json:"ticket,omitempty"`
	Rows     int64           `json:"rows,omitempty"`
	Bytes    int64           `json:"bytes,omitempty"`
	Micros   int64           `json:"micros,omitempty"`
	Error    string          `json:"error,omitempty"` // the engine's own code

	// Refused says that the gateway did not pass the exchange on; Detail may say in which words, also when it broke an
	// answer off (Effect is deny then).
	Refused bool `json:"refused,omitempty"`
	// Done says that how it ended is on record; the outcome of an exchange that is not done is unknown.
	Done bool `json:"done"`
	// Asked and Answered are the bytes, as the client sent and got them.
	Asked    []byte `json:"-"`
	Answered []byte `json:"-"`
	// AskedLost and AnsweredLost say why bytes are missing: sealed to others, destroyed, or beyond the limit.
	AskedLost    error `json:"-"`
	AnsweredLost error `json:"-"`

	pieces int // taken since the last record
}

// ErrGone says that something was said, and is kept no longer.
var ErrGone = errors.New("destroyed at the end of its retention")

// ErrTooLong says that an exchange is longer than the limit; its beginning is there.
var ErrTooLong = errors.New("longer than can be shown")

// Options bound what is read.
type Options struct {
	// From and To are the first and last record of the session, when they are known: reading starts and stops there.
	From, To uint64
	// Limit bounds the bytes kept of each side of an exchange; 0 means 16 MiB.
	Limit int
}

// envelope is what is read of a record.
type envelope struct {
	Time     time.Time       `json:"time"`
	Type     string          `json:"type"`
	Request  string          `json:"request"`
	Subject  string          `json:"subject"`
	Name     string          `json:"name"`
	Client   string          `json:"client"`
	Target   string          `json:"target"`
	Accesses []access.Access `json:"accesses"`
	Unclear  string          `json:"unclear"`
	Effect   access.Effect   `json:"effect"`
	Rule     string          `json:"rule"`
	Code     access.Code     `json:"code"`
	Grant    string          `json:"grant"`
	Ticket   string          `json:"ticket"`
	Rows     int64           `json:"rows"`
	Bytes    int64           `json:"bytes"`
	Micros   int64           `json:"micros"`
	Error    string          `json:"error"`
	Detail   string          `json:"detail"`
	Sealed   int64           `json:"sealed"` // how much was said since the record before, sealed
}

// Play calls emit for every event of a session, in order: an exchange when it has ended, or at the end of what is
// recorded when it has not. Events are not reused.
func Play(ctx context.Context, source Source, session string, opts Options, emit func(*Event) error) error {
	p := newPlayer(session, opts, emit)
	if _, err := p.read(ctx, source, opts.From, true); err != nil {
		return err
	}
	return p.rest()
}

// Follow is Play for a session that goes on: it waits for more, until the session is closed, emit returns an error, or
// ctx ends.
func Follow(ctx context.Context, source Source, session string, opts Options, emit func(*Event) error) error {
	p := newPlayer(session, opts, emit)
	from := opts.From
	for {
		more := source.Watch()
		next, err := p.read(ctx, source, from, more == nil)
		if err != nil {
			return err
		}
		if p.closed || more == nil {
			return p.rest()
		}
		from = next
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// player puts one session together.
type player struct {
	session string
	opts    Options
	emit    func(*Event) error
	open    map[string]*Event // exchanges that have not ended
	order   []string
	seen    uint64 // the first record that was not taken yet
	closed  bool
}

func newPlayer(session string, opts Options, emit func(*Event) error) *player {
	if opts.Limit <= 0 {
		opts.Limit = 16 << 20
	}
	return &player{session: session, opts: opts, emit: emit, open: make(map[string]*Event), seen: opts.From}
}

// read takes what is there from a record on, and returns where the next reading has to begin. What was said after the
// last record is taken when this is the final reading; otherwise it is left for the next one.
func (p *player) read(ctx context.Context, source Source, from uint64, final bool) (uint64, error) {
	next := p.seen
	var waiting []func()
	settle := func() {
		for _, take := range waiting {
			take()
		}
		waiting = waiting[:0]
	}
	err := source.Conversation(ctx, p.session, from, p.opts.To,
		func(seq uint64, raw []byte) error {
			if seq < p.seen {
				return nil
			}
			var e envelope
			if err := json.Unmarshal(raw, &e); err != nil {
				return fmt.Errorf("record %d: %w", seq, err)
			}
			next = seq + 1
			settle()
			return p.record(seq, &e)
		},
		func(seq uint64, request string, asked bool, unseal func() ([]byte, error)) error {
			if seq >= p.seen {
				waiting = append(waiting, func() { p.take(p.exchange(request), asked, unseal) })
			}
			return nil
		})
	if err != nil {
		return from, fmt.Errorf("session %s: %w", p.session, err)
	}
	if final {
		settle()
	}
	p.seen = next
	return next, nil
}

// take adds a piece to one side of an exchange.
func (p *player) take(e *Event, asked bool, unseal func() ([]byte, error)) {
	e.pieces++
	side, lost := &e.Answered, &e.AnsweredLost
	if asked {
		side, lost = &e.Asked, &e.AskedLost
	}
	if *lost != nil {
		return
	}
	b, err := unseal()
	switch {
	case err != nil:
		*lost = err
	case len(*side)+len(b) > p.opts.Limit:
		*side, *lost = append(*side, b[:p.opts.Limit-len(*side)]...), ErrTooLong
	default:
		*side = append(*side, b...)
	}
}

func (p *player) exchange(request string) *Event {
	e := p.open[request]
	if e == nil {
		e = &Event{Kind: Exchanged, Request: request}
		p.open[request] = e
		p.order = append(p.order, request)
	}
	return e
}

func (p *player) record(seq uint64, e *envelope) error {
	switch e.Type {
	case "intent":
		x := p.exchange(e.Request)
		x.begin(seq, e)
		x.account(e, &x.AskedLost)
		return nil
	case "outcome", "refusal":
		x := p.exchange(e.Request)
		if x.Began.IsZero() || e.Type == "refusal" {
			x.begin(seq, e)
		}
		if e.Type == "refusal" {
			x.account(e, &x.AskedLost)
		} else {
			x.account(e, &x.AnsweredLost)
		}
		if seq != x.Seq {
			x.Ended = seq
		}
		x.Until, x.Done, x.Refused = e.Time, true, e.Type == "refusal"
		x.Effect, x.Rows, x.Bytes, x.Micros, x.Error = e.Effect, e.Rows, e.Bytes, e.Micros, e.Error
		if e.Detail != "" {
			x.Detail = e.Detail
		}
		if e.Code != "" {
			x.Code = e.Code
		}
		if e.Rule != "" {
			x.Rule = e.Rule
		}
		return p.end(x)
	}
	event := &Event{Kind: Noted, Done: true}
	switch e.Type {
	case "session.open":
		event.Kind = Opened
	case "session.close":
		event.Kind = Closed
		if err := p.rest(); err != nil {
			return err
		}
		p.closed = true
	}
	event.begin(seq, e)
	event.Rows, event.Bytes = e.Rows, e.Bytes
	return p.emit(event)
}

func (x *Event) begin(seq uint64, e *envelope) {
	x.Seq, x.Began, x.Detail, x.Request, x.Subject, x.Name = seq, e.Time, e.Detail, e.Request, e.Subject, e.Name
	x.Client, x.Target, x.Accesses, x.Unclear, x.Effect = e.Client, e.Target, e.Accesses, e.Unclear, e.Effect
	x.Rule, x.Code, x.Grant, x.Ticket = e.Rule, e.Code, e.Grant, e.Ticket
}

// account notices that what a record says was said is not there.
func (x *Event) account(e *envelope, lost *error) {
	if e.Sealed > 0 && x.pieces == 0 && *lost == nil {
		*lost = ErrGone
	}
	x.pieces = 0
}

func (p *player) end(x *Event) error {
	delete(p.open, x.Request)
	for i, r := range p.order {
		if r == x.Request {
			p.order = append(p.order[:i], p.order[i+1:]...)
			break
		}
	}
	return p.emit(x)
}

// rest emits the exchanges whose end is not on record.
func (p *player) rest() error {
	for len(p.order) > 0 {
		if err := p.end(p.open[p.order[0]]); err != nil {
			return err
		}
	}
	return nil
}
