package postgres

import (
	"context"
	"fmt"
	"sync"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/protocol/postgres/analysis"
	"github.com/vecgate/vecgate/internal/protocol/postgres/wire"
	"github.com/vecgate/vecgate/internal/vault"
)

// exchange is one run of messages and its answer. There is one for each session, used again and again.
type exchange struct {
	s        *session
	raw      []byte // the run as the client sent it
	held     int    // how many bytes of it are still kept in the reader
	steps    []step
	ownFlush bool // the run was cut, with a Flush of our own
	stray    bool // COPY data stands between its messages

	op         access.Operation
	canonical  []byte
	shown      []byte // where the text for people is put together
	fault      *fault // why the target would refuse it, in its own words
	view       view
	runs       []execution
	copyIn     bool
	work       bool // it does what a held request would block on
	ticket     string
	under      string // the settings as they will be where planning has come to
	redact     bool
	protection *access.Protection // that was taken on
	obliged    bool               // once at least; the second time people have released what the plan said

	cancel    context.CancelCauseFunc
	watch     *watcher
	forwarded bool
	writing   sync.WaitGroup
	writeErr  error // read after writing

	relay
}

// step is one message of a run.
type step struct {
	kind byte
	what byte // of Describe and Close
	off  int
	len  int
	body []byte

	about  *prepared // of Parse, Describe
	first  int       // of Query and Execute: where its executions begin in exchange.runs
	count  int       // and how many they are
	effect int       // index of its effect in view.effects, -1 for none
	portal *portal
	run    *execution // of Describe: whose rows it is about, in the same run
	own    bool       // the gateway asks it, and the client does not hear of it
}

// execution is one statement that runs.
type execution struct {
	statement *analysis.Statement // as it stands in the text; nil for an empty one
	of        *prepared           // what its rows come from: of EXECUTE and FETCH what the name stands for
	portal    *portal             // of Execute and FETCH: what counts the rows
	formats   []byte              // of the results, as the Bind has them
	effect    int                 // index in view.effects, -1 for none
	accesses  []access.Access
	treatment *analysis.Treatment
	cap       int64 // rows that may be delivered, access.Unbounded for any number
	promised  bool  // the cap is what the statement itself says
}

// reset makes the exchange ready for the next run, and lets go of what the last one held, so that an idle session holds
// little.
func (x *exchange) reset(s *session) {
	if cap(x.steps) > 64 || cap(x.runs) > 64 || cap(x.view.effects) > 64 || cap(x.canonical)+cap(x.shown) > 8<<10 {
		x.steps, x.runs, x.view.effects, x.canonical, x.shown = nil, nil, nil, nil, nil
	}
	clear(x.steps)
	clear(x.runs)
	clear(x.view.effects)
	clear(x.columns) // their names are where the target's answer was read
	*x = exchange{
		s: s, steps: x.steps[:0], runs: x.runs[:0], canonical: x.canonical[:0], shown: x.shown[:0],
		view:  view{names: &s.names, effects: x.view.effects[:0]},
		relay: relay{columns: x.relay.columns[:0]},
	}
}

// Wire implements gate.Exchange.
func (x *exchange) Wire() []byte { return x.raw }

// Operation implements gate.Exchange.
func (x *exchange) Operation() *access.Operation { return &x.op }

// Waiting implements gate.Exchange.
func (x *exchange) Waiting(n access.Notice, tape gate.Tape) error {
	message := fmt.Sprintf("held for approval as request %s: %s", n.Request, n.Message)
	hint := n.Hint
	if hint == "" {
		hint = "the request goes on once it is approved at " + n.URL + "; cancel it to take it back"
	}
	report := wire.Report{Severity: "NOTICE", SQLSTATE: "00000", Message: message, Hint: hint}
	told := report.Append(nil)
	if err := tape.Answered(told); err != nil {
		return err
	}
	if err := x.s.write(told); err != nil {
		return err
	}
	x.startWatching()
	return nil
}

// Forward implements gate.Exchange.
func (x *exchange) Forward(ctx context.Context, _ vault.Credential, _ gate.Tape) error {
	x.stopWatching()
	s := x.s
	s.setRunning(true)
	x.forwarded = true
	data := x.describing()
	if x.ownFlush {
		data = wire.Empty(append(make([]byte, 0, len(data)+wire.Header), data...), wire.Flush)
	}
	// A target that answers while it is still being asked stops reading when its answers are not read: long runs with
	// several answers are written beside the relay.
	if len(data) > 32<<10 && len(x.steps) > 4 {
		x.writing.Go(func() {
			if _, err := s.up.conn.Write(data); err != nil {
				x.writeErr = err
				s.up.conn.Close()
			}
		})
		s.patience.Reset(watchClientAfter)
		return nil
	}
	if _, err := s.up.conn.Write(data); err != nil {
		return fmt.Errorf("send to target: %w", err)
	}
	s.drop(x)
	s.patience.Reset(watchClientAfter)
	return nil
}

// setRunning says whether the target works for us.
func (s *session) setRunning(running bool) {
	if !running {
		s.patience.Stop()
	}
	s.flight.Lock()
	s.running = running
	s.flight.Unlock()
	if !running {
		s.stopGuard()
	}
}
