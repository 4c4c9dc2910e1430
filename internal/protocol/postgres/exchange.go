package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
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

	op        access.Operation
	canonical []byte
	shown     []byte // where the text for people is put together
	fault     *fault // why the target would refuse it, in its own words
	view      view
	runs      []execution
	copyIn    bool
	work      bool // it does what a held request would block on
	ticket    string
	redact    bool

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

// fault is an error that the target would raise, or that the text has before it gets there.
type fault struct {
	sqlstate, message, detail, hint string
	position                        int
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
	*x = exchange{
		s: s, steps: x.steps[:0], runs: x.runs[:0], canonical: x.canonical[:0], shown: x.shown[:0],
		view:  view{names: &s.names, effects: x.view.effects[:0]},
		relay: relay{columns: x.relay.columns[:0]},
	}
}

// plan finds out what the run would do.
func (x *exchange) plan() {
	for i := range x.steps {
		st := &x.steps[i]
		st.effect = -1
		if err := x.planStep(st); err != nil && x.fault == nil {
			x.fault = err
		}
	}
	if x.copyIn && (x.stray || !x.copyEnds()) && x.fault == nil {
		x.fault = &fault{sqlstate: "0A000", message: "COPY FROM STDIN inside a pipeline is not carried by the gateway",
			hint: "send Sync after it, and its data once the server asks for them"}
	}
	x.operation()
}

// copyEnds reports whether nothing but Sync and Flush follows the step that copies in.
func (x *exchange) copyEnds() bool {
	n := len(x.steps)
	for n > 0 && (x.steps[n-1].kind == wire.Sync || x.steps[n-1].kind == wire.Flush) {
		n--
	}
	if n == 0 || x.steps[n-1].kind == wire.Execute {
		// Earlier steps of the run must not copy in either.
		for _, e := range x.runs[:max(0, len(x.runs)-1)] {
			if e.is(analysis.CopyIn) {
				return false
			}
		}
		return true
	}
	return x.steps[n-1].kind == wire.Query && n == 1
}

func malformed(err error) *fault { return &fault{sqlstate: "08P01", message: err.Error()} }

func (x *exchange) planStep(st *step) *fault {
	switch st.kind {
	case wire.Query:
		text, err := wire.ReadQuery(st.body)
		if err != nil {
			return textFault(err)
		}
		return x.planQuery(st, string(text))
	case wire.Parse:
		return x.planParse(st)
	case wire.Bind:
		return x.planBind(st)
	case wire.Describe, wire.Close:
		what, name, err := wire.ReadNamed(st.body)
		if err != nil {
			return malformed(err)
		}
		st.what = what
		if st.kind == wire.Close {
			e := effect{kind: analysis.Close, name: key(name)}
			if what == 'S' {
				e.kind = analysis.Deallocate
			}
			x.add(st, e)
			return nil
		}
		if what == 'S' {
			if st.about = x.view.statement(name); st.about == nil {
				return noStatement(name)
			}
			x.fresh(st.about)
			return nil
		}
		if st.portal = x.view.portal(name); st.portal == nil {
			return noPortal(name)
		}
		st.about = st.portal.of
		return nil
	case wire.Execute:
		return x.planExecute(st)
	case wire.FunctionCall:
		return &fault{sqlstate: "0A000", message: "function calls by number are not carried by the gateway",
			hint: "call the function in a SELECT; the large object interface of some drivers works like this and cannot be used"}
	}
	return nil
}

func textFault(err error) *fault {
	if err == wire.ErrEncoding { //nolint:errorlint // it is never wrapped
		return &fault{sqlstate: "22021", message: err.Error()}
	}
	return malformed(err)
}

func noStatement(name []byte) *fault {
	if len(name) == 0 {
		return &fault{sqlstate: "26000", message: "unnamed prepared statement does not exist"}
	}
	return &fault{sqlstate: "26000", message: fmt.Sprintf("prepared statement %q does not exist", name)}
}

func noPortal(name []byte) *fault {
	return &fault{sqlstate: "34000", message: fmt.Sprintf("portal %q does not exist", name)}
}

func planFault(f *analysis.Fault) *fault {
	return &fault{sqlstate: f.SQLSTATE, message: f.Message, hint: f.Hint, position: f.Position}
}

func (x *exchange) add(st *step, e effect) {
	st.effect = len(x.view.effects)
	x.view.effects = append(x.view.effects, e)
}

// analyze says what a text means over the newest catalog. When the text names what the catalog does not know, the
// catalog is read again first, once in a while.
func (x *exchange) analyze(text string) *analysis.Plan {
	t := x.s.target
	plan := t.analyzer.Analyze(text, x.s.snapshot().catalog)
	if x.s.inside != nil {
		return plan
	}
	for _, st := range plan.Statements {
		if st.Missing == "" {
			continue
		}
		x.s.reread()
		if now := t.current().catalog; now.Epoch != plan.Epoch { // by us or by somebody else
			return t.analyzer.Analyze(text, now)
		}
		break
	}
	return plan
}

// fresh makes sure that what a name stands for was analysed over the newest catalog.
func (x *exchange) fresh(p *prepared) {
	if p.plan.Epoch != x.s.snapshot().catalog.Epoch {
		p.plan = x.analyze(p.text)
		p.rewriter, p.treatment = nil, nil
	}
}

func (x *exchange) planParse(st *step) *fault {
	m, err := wire.ReadParse(st.body)
	if err != nil {
		return textFault(err)
	}
	plan := x.analyze(string(m.Text))
	if plan.Refused != nil {
		return planFault(plan.Refused)
	}
	if len(plan.Statements) > 1 {
		return &fault{sqlstate: "42601", message: "cannot insert multiple commands into a prepared statement"}
	}
	if len(m.Name) > 0 && x.s.names.full() {
		return &fault{sqlstate: "54000", message: fmt.Sprintf("a session may have %d prepared statements here", x.s.names.limit), hint: "close those that are not needed"}
	}
	p := &prepared{text: plan.Text, plan: plan}
	if len(m.Types) > 0 {
		p.types = append([]byte(nil), m.Types...)
	}
	if f := x.declared(p); f != nil {
		return f
	}
	st.about = p
	x.add(st, effect{kind: analysis.Prepare, name: key(m.Name), prepared: p})
	return nil
}

// declared looks at the types that the client gave its parameters: values of some types run code when they are bound,
// whatever the text says.
func (x *exchange) declared(p *prepared) *fault {
	for i := 0; i+4 <= len(p.types); i += 4 {
		if oid := binary.BigEndian.Uint32(p.types[i:]); oid != 0 && x.s.snapshot().catalog.RunsCode(oid) {
			return &fault{sqlstate: "42501", message: fmt.Sprintf("parameter $%d is of a type (%d) whose values run code that the gateway does not know", i/4+1, oid),
				hint: "give it the type that it is made of, such as text"}
		}
	}
	return nil
}

func (x *exchange) planBind(st *step) *fault {
	m, err := wire.ReadBind(st.body)
	if err != nil {
		return textFault(err)
	}
	of := x.view.statement(m.Statement)
	if of == nil {
		return noStatement(m.Statement)
	}
	if len(m.Portal) > 0 && x.s.names.full() {
		return &fault{sqlstate: "54000", message: fmt.Sprintf("a session may have %d portals here", x.s.names.limit), hint: "close those that are not needed"}
	}
	x.fresh(of)
	if f := x.declared(of); f != nil {
		return f
	}
	p := &portal{of: of, params: m.Count}
	buf := make([]byte, 0, len(m.Values)+len(m.Results))
	buf = append(append(buf, m.Values...), m.Results...)
	p.values, p.formats = buf[:len(m.Values):len(m.Values)], buf[len(m.Values):]
	st.portal = p
	x.add(st, effect{kind: analysis.Declare, name: key(m.Portal), portal: p})
	return nil
}

func (x *exchange) planExecute(st *step) *fault {
	name, _, err := wire.ReadExecute(st.body)
	if err != nil {
		return malformed(err)
	}
	p := x.view.portal(name)
	if p == nil {
		return noPortal(name)
	}
	st.portal, st.about = p, p.of
	x.fresh(p.of)
	if p.of.plan.Refused != nil {
		return planFault(p.of.plan.Refused)
	}
	st.first = len(x.runs)
	st.count = 1
	return x.execute(p.of.statement(), p.of, p)
}

func (x *exchange) planQuery(st *step, text string) *fault {
	plan := x.analyze(text)
	if plan.Refused != nil {
		x.op.Text = text
		return planFault(plan.Refused)
	}
	x.effect(effect{kind: analysis.Deallocate, name: ""}) // a Query drops the unnamed statement
	st.first = len(x.runs)
	st.count = len(plan.Statements)
	of := &prepared{text: plan.Text, plan: plan}
	for i, statement := range plan.Statements {
		one := of
		if len(plan.Statements) > 1 {
			one = &prepared{text: statement.Text, plan: &analysis.Plan{Text: statement.Text, Statements: plan.Statements[i : i+1], Epoch: plan.Epoch}}
		}
		if f := x.execute(statement, one, nil); f != nil {
			return f
		}
	}
	if len(plan.Statements) == 0 {
		x.runs = append(x.runs, execution{of: of, effect: -1, cap: access.Unbounded})
		st.count = 1
	}
	return nil
}

func (x *exchange) effect(e effect) int {
	x.view.effects = append(x.view.effects, e)
	return len(x.view.effects) - 1
}

// execute plans one statement that runs: of is where it comes from, p the portal it runs in, if any.
func (x *exchange) execute(statement *analysis.Statement, of *prepared, p *portal) *fault {
	e := execution{statement: statement, of: of, portal: p, effect: -1, cap: access.Unbounded}
	if p != nil {
		e.formats = p.formats
	}
	if statement == nil {
		x.runs = append(x.runs, e)
		return nil
	}
	e.accesses = statement.Accesses
	if !plainName(statement.Prepares) || !plainName(statement.Executes) {
		return &fault{sqlstate: "42622", message: "the name of a prepared statement or cursor is longer than 63 bytes"}
	}
	inner := func() *prepared {
		return &prepared{text: statement.Text, body: true, plan: one(statement, of.plan.Epoch)}
	}
	switch statement.Kind {
	case analysis.CopyIn:
		x.copyIn = true
	case analysis.Begin, analysis.Savepoint, analysis.Set, analysis.Show, analysis.RollbackTo:
	case analysis.Commit, analysis.Rollback, analysis.TwoPhase:
		e.effect = x.effect(effect{kind: analysis.Commit})
	case analysis.Prepare:
		if x.s.names.full() {
			return &fault{sqlstate: "54000", message: "too many prepared statements in this session"}
		}
		e.effect = x.effect(effect{kind: analysis.Prepare, name: statement.Prepares, prepared: inner()})
	case analysis.Declare:
		if x.s.names.full() {
			return &fault{sqlstate: "54000", message: "too many cursors in this session"}
		}
		e.effect = x.effect(effect{kind: analysis.Declare, name: statement.Prepares, portal: &portal{of: inner(), cursor: true}})
	case analysis.Deallocate, analysis.Close, analysis.Discard:
		e.effect = x.effect(effect{kind: statement.Kind, name: statement.Executes, all: statement.All})
	case analysis.Execute:
		named := x.view.statement([]byte(statement.Executes))
		if named == nil {
			return noStatement([]byte(statement.Executes))
		}
		x.fresh(named)
		e.of = named
		body := named.statement()
		if named.plan.Refused != nil || body == nil {
			return noStatement([]byte(statement.Executes))
		}
		e.accesses = body.Accesses
		x.copyIn = x.copyIn || body.Kind == analysis.CopyIn
	case analysis.Fetch:
		named := x.view.portal([]byte(statement.Executes))
		if named == nil {
			return &fault{sqlstate: "34000", message: fmt.Sprintf("cursor %q does not exist", statement.Executes)}
		}
		x.fresh(named.of)
		e.of, e.portal = named.of, named
		body := named.of.statement()
		if named.of.plan.Refused != nil || body == nil {
			return &fault{sqlstate: "34000", message: fmt.Sprintf("cursor %q does not exist", statement.Executes)}
		}
		e.accesses = body.Accesses
	}
	if limited := x.limited(&e); limited != nil {
		e.accesses = limited
	}
	if x.ticket == "" {
		x.ticket = ticketIn(e.of.text)
	}
	for _, set := range statement.ChangesSettings {
		if set.Name == "vecgate.ticket" && !set.Reset {
			x.ticket = set.Value
		}
	}
	x.runs = append(x.runs, e)
	return nil
}

// one is a plan of a single statement, out of a text that may have several.
func one(statement *analysis.Statement, epoch uint64) *analysis.Plan {
	return &analysis.Plan{Text: statement.Text, Statements: []*analysis.Statement{statement}, Epoch: epoch}
}

// limited returns the accesses of a statement whose LIMIT is a parameter, with its value; nil when it is none.
func (x *exchange) limited(e *execution) []access.Access {
	st := e.of.statement()
	if st == nil || st != e.statement || st.BoundParam == 0 || e.portal == nil {
		return nil // the parameters of an EXECUTE are not those of what it runs
	}
	limit := int64(-1)
	wire.EachValue(e.portal.values, func(i int, format int16, value []byte) {
		if i != st.BoundParam-1 || value == nil {
			return
		}
		switch {
		case format == 0:
			if n, err := strconv.ParseInt(string(value), 10, 64); err == nil {
				limit = n
			}
		case len(value) == 8:
			limit = int64(binary.BigEndian.Uint64(value))
		case len(value) == 4:
			limit = int64(int32(binary.BigEndian.Uint32(value)))
		case len(value) == 2:
			limit = int64(int16(binary.BigEndian.Uint16(value)))
		}
	})
	if limit < 0 {
		return nil
	}
	if st.LimitParam == st.BoundParam {
		e.cap, e.promised = limit, true
	}
	return st.Limited(limit)
}

const ticketMark = "vecgate.ticket="

// ticketIn returns the ticket in a comment of the form /* vecgate.ticket=CHG-7 */.
func ticketIn(text string) string {
	at := strings.Index(text, ticketMark)
	if at < 0 || !strings.HasSuffix(strings.TrimRight(text[:at], " "), "/*") {
		return ""
	}
	value, _, ok := strings.Cut(text[at+len(ticketMark):], "*/")
	value = strings.TrimSpace(value)
	if !ok || len(value) > 64 || strings.ContainsAny(value, " \t\n'\"") {
		return ""
	}
	return value
}

// Wire implements gate.Exchange.
func (x *exchange) Wire() []byte { return x.raw }

// Operation implements gate.Exchange.
func (x *exchange) Operation() *access.Operation { return &x.op }

// Waiting implements gate.Exchange.
func (x *exchange) Waiting(n access.Notice) error {
	message := fmt.Sprintf("held for approval as request %s: %s", n.Request, n.Message)
	hint := n.Hint
	if hint == "" {
		hint = "the request goes on once it is approved at " + n.URL + "; cancel it to take it back"
	}
	report := wire.Report{Severity: "NOTICE", SQLSTATE: "00000", Message: message, Hint: hint}
	if err := x.s.write(report.Append(nil)); err != nil {
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
	data := x.raw
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
