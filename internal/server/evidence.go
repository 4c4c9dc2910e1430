package server

import (
	"context"
	"encoding/json"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/admin"
	"github.com/vecgate/vecgate/internal/audit"
	grpctranscript "github.com/vecgate/vecgate/internal/protocol/grpcwire/transcript"
	httptranscript "github.com/vecgate/vecgate/internal/protocol/httpwire/transcript"
	"github.com/vecgate/vecgate/internal/protocol/postgres/transcript"
	"github.com/vecgate/vecgate/internal/recording"
)

// evidence is the audit log as admin asks for it: records, proofs, recordings. It implements admin.Records and
// admin.Recordings.
type evidence struct {
	log    *audit.Log
	dir    string
	self   bool // the gateway holds a key to what it recorded
	places func(ctx context.Context, session string) (first, last uint64)
	copied func() *admin.Archived

	mu       sync.Mutex
	verified uint64
	checked  time.Time
	fault    string
}

// check verifies the log on disk, from time to time and when somebody looks.
func (e *evidence) check(ctx context.Context, now time.Time) {
	report, err := audit.Verify(ctx, e.dir, audit.VerifyOptions{Live: true})
	e.mu.Lock()
	defer e.mu.Unlock()
	e.checked = now
	switch {
	case err != nil:
		e.fault = err.Error()
	case !report.OK():
		p := report.Problems[0]
		e.fault = "record " + strconv.FormatUint(p.Seq, 10) + ": " + p.What
	default:
		e.verified, e.fault = report.Records, ""
	}
}

// State implements admin.Records.
func (e *evidence) State(context.Context) (admin.LogState, error) {
	s := e.log.State()
	state := admin.LogState{Origin: s.Origin, Size: s.Records, Writable: s.Failed == nil, Replayable: e.self, Key: s.Key, Archived: e.copied()}
	if len(s.Note) > 0 {
		state.Checkpoint = &admin.Checkpoint{Size: s.Signed, Time: s.SignedAt, Note: string(s.Note)}
		if lines := strings.SplitN(string(s.Note), "\n", 4); len(lines) > 2 {
			state.Checkpoint.Root = lines[2]
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	state.Verified, state.Fault = e.verified, e.fault
	if !e.checked.IsZero() {
		at := e.checked
		state.Checked = &at
	}
	return state, nil
}

// List implements admin.Records.
func (e *evidence) List(ctx context.Context, f admin.RecordFilter) ([]json.RawMessage, error) {
	filter := audit.Filter{Subject: f.Subject, Target: f.Target, Session: f.Session, Request: f.Request, Since: f.Since, Until: f.Until}
	for _, t := range f.Types {
		filter.Types = append(filter.Types, audit.Type(t))
	}
	reader := e.log.Reader()
	var out []json.RawMessage
	before, limit := f.Before, f.Limit
	for len(out) < limit {
		records, err := reader.Before(ctx, before, limit, filter)
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			before = r.Seq
			if f.Effect != "" && r.Effect != f.Effect {
				continue
			}
			if out = append(out, r.Envelope()); len(out) == limit {
				break
			}
		}
		if len(records) < limit || before == 0 {
			break
		}
	}
	return out, nil
}

// Get implements admin.Records.
func (e *evidence) Get(ctx context.Context, seq uint64) (json.RawMessage, error) {
	if seq >= e.log.State().Records {
		return nil, admin.ErrNotFound
	}
	_, envelope, err := e.log.Reader().Record(ctx, seq)
	return envelope, notFound(err, fs.ErrNotExist)
}

// Proof implements admin.Records.
func (e *evidence) Proof(ctx context.Context, seq uint64) ([]byte, error) {
	if seq >= e.log.State().Records {
		return nil, admin.ErrNotFound
	}
	return e.log.Reader().Prove(ctx, seq)
}

// Replay implements admin.Recordings.
func (e *evidence) Replay(ctx context.Context, session string, from int, emit func(admin.Exchange) error) error {
	first, last := e.places(ctx, session)
	return Replay(ctx, e.log.Reader(), session, recording.Options{From: first, To: last}, from, emit)
}

// Replay calls emit for the exchanges of a session, from one on, in the words of admin. Those before are read too, because
// later ones refer to them. It returns admin.ErrNotFound for a session that nothing is on record of.
func Replay(ctx context.Context, source recording.Source, session string, opts recording.Options, from int, emit func(admin.Exchange) error) error {
	number, found := 0, false
	types := messages(time.Now)
	var said transcript.Conversation
	err := recording.Play(ctx, source, session, opts, func(ev *recording.Event) error {
		found = true
		if ev.Kind != recording.Exchanged {
			return nil
		}
		overHTTP, overGRPC := httptranscript.Speaks(ev.Asked), grpctranscript.Speaks(ev.Asked)
		if number++; number < from {
			if !overHTTP && !overGRPC {
				said.Skip(words(ev))
			}
			return nil
		}
		x := exchange(number, ev)
		line := func(l access.Line) error {
			x.Lines = append(x.Lines, l)
			return nil
		}
		switch {
		case overHTTP:
			_ = httptranscript.Lines(ev.Asked, ev.Answered, line) // returns line's errors only
		case overGRPC:
			_ = grpctranscript.Lines(types, ev.Asked, ev.Answered, line) // as above
		default:
			_ = said.Tell(words(ev), line) // as above
		}
		if brokenOff := !ev.Refused && ev.Effect == access.Deny; ev.Detail != "" && (brokenOff || (overHTTP || overGRPC) && ev.Refused) {
			_ = line(access.Line{Kind: "error", Text: ev.Detail})
		}
		return emit(x)
	})
	if err == nil && !found {
		return admin.ErrNotFound
	}
	return err
}

// words is what of an event a transcript is made of.
func words(ev *recording.Event) transcript.Exchange {
	x := transcript.Exchange{
		Asked: ev.Asked, Answered: ev.Answered, Cut: ev.AskedLost != nil, Refused: ev.Refused,
		Succeeded: ev.Done && !ev.Refused && ev.Effect == access.Allow && ev.Error == "",
	}
	if ev.Refused {
		x.Refusal = ev.Detail
	}
	return x
}

// exchange tells an event in the words of admin, but for its lines.
func exchange(number int, ev *recording.Event) admin.Exchange {
	x := admin.Exchange{
		Number: number, Request: ev.Request, Seq: ev.Seq, Time: ev.Began, Accesses: ev.Accesses, Unclear: ev.Unclear,
		Effect: ev.Effect, Rule: ev.Rule, Code: ev.Code, Grant: ev.Grant, Ticket: ev.Ticket,
		Ended: ev.Done, Rows: ev.Rows, Bytes: ev.Bytes, Micros: ev.Micros, Error: ev.Error,
	}
	if ev.Grant != "" && ev.Effect == access.Allow {
		x.Effect = access.Hold
	}
	switch {
	case ev.AskedLost != nil:
		x.Sealed = ev.AskedLost.Error()
	case ev.AnsweredLost != nil:
		x.Sealed = "the answer: " + ev.AnsweredLost.Error()
	}
	return x
}
