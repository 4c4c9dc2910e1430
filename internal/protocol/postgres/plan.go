package postgres

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/postgres/analysis"
	"github.com/vecgate/vecgate/internal/protocol/postgres/wire"
)

// plan finds out what the run would do.
func (x *exchange) plan() {
	x.under = x.s.settings.bound
	for i := range x.steps {
		st := &x.steps[i]
		st.effect = -1
		if err := x.planStep(st); err != nil && x.fault == nil {
			x.fault = err
		}
	}
	if x.copyIn && (x.stray || !x.copyEnds()) && x.fault == nil {
		x.fault = &fault{
			sqlstate: "0A000", message: "COPY FROM STDIN inside a pipeline is not carried by the gateway",
			hint: "send Sync after it, and its data once the server asks for them",
		}
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
		return &fault{
			sqlstate: "0A000", message: "function calls by number are not carried by the gateway",
			hint: "call the function in a SELECT; the large object interface of some drivers works like this and cannot be used",
		}
	}
	return nil
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
		return &fault{sqlstate: "54000", message: fmt.Sprintf("a session may have %d prepared statements here, of %d MiB together", x.s.names.limit, maxHeld>>20), hint: "close those that are not needed"}
	}
	p := &prepared{text: plan.Text, plan: plan, under: x.under}
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
		oid := binary.BigEndian.Uint32(p.types[i:])
		runs := x.s.snapshot().catalog.RunsCode(oid)
		if runs && x.s.inside == nil { // it may just not be known yet
			x.s.reread()
			runs = x.s.snapshot().catalog.RunsCode(oid)
		}
		if runs {
			return &fault{
				sqlstate: "42501", message: fmt.Sprintf("parameter $%d is of a type (%d) whose values run code that the gateway does not know", i/4+1, oid),
				hint: "give it the type that it is made of, such as text",
			}
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
		return &fault{sqlstate: "54000", message: fmt.Sprintf("a session may have %d portals here, of %d MiB together", x.s.names.limit, maxHeld>>20), hint: "close those that are not needed"}
	}
	x.fresh(of)
	if f := x.declared(of); f != nil {
		return f
	}
	p := &portal{of: of, params: m.Count, under: x.under}
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
	of := &prepared{text: plan.Text, plan: plan, under: x.under}
	for i, statement := range plan.Statements {
		one := of
		if len(plan.Statements) > 1 {
			one = &prepared{text: statement.Text, plan: &analysis.Plan{Text: statement.Text, Statements: plan.Statements[i : i+1], Epoch: plan.Epoch}, under: x.under}
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
		return &prepared{text: statement.Text, body: true, plan: one(statement, of.plan.Epoch), under: x.under}
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
		e.effect = x.effect(effect{kind: analysis.Declare, name: statement.Prepares, portal: &portal{of: inner(), cursor: true, under: x.under}})
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
		if !strings.HasPrefix(set.Name, "vecgate.") {
			x.under = after(x.under, statement.Text)
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
