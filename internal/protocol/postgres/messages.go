package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/vecgate/vecgate/internal/protocol/postgres/analysis"
	"github.com/vecgate/vecgate/internal/protocol/postgres/redact"
	"github.com/vecgate/vecgate/internal/protocol/postgres/wire"
)

// unexpected ends the session: the target said something that has no place here.
func (x *exchange) unexpected(kind byte) error {
	return fmt.Errorf("target: unexpected message type %q", kind)
}

// message handles one whole message of the target.
func (x *exchange) message(ctx context.Context, kind byte, body []byte, total int) error {
	switch kind {
	case wire.NoticeResponse:
		return x.report(body, total, kind)
	case wire.NotificationResponse:
		x.send(total, false)
		return nil
	case wire.ParameterStatus:
		name, val, err := wire.ReadParameter(body)
		if err != nil {
			return fmt.Errorf("target: %w", err)
		}
		if err := x.s.critical(string(name), string(val), false); err != nil {
			return err
		}
		x.s.settings.report(string(name), string(val))
		x.send(total, false)
		return nil
	case wire.ErrorResponse:
		return x.failure(body, total)
	}
	if x.at >= len(x.steps) {
		return x.unexpected(kind)
	}
	st := &x.steps[x.at]
	switch kind {
	case wire.ParseComplete, wire.BindComplete, wire.CloseComplete:
		want := map[byte]byte{wire.ParseComplete: wire.Parse, wire.BindComplete: wire.Bind, wire.CloseComplete: wire.Close}[kind]
		if st.kind != want {
			return x.unexpected(kind)
		}
		x.confirm(st.effect)
		x.send(total, x.muted)
		x.advance()
	case wire.ParameterDescription:
		if st.kind != wire.Describe || st.what != 'S' {
			return x.unexpected(kind)
		}
		x.send(total, x.muted)
	case wire.NoData:
		if st.kind != wire.Describe {
			return x.unexpected(kind)
		}
		x.send(total, x.muted || st.own)
		x.advance()
	case wire.RowDescription:
		return x.rowDescription(st, body, total)
	case wire.DataRow: // one that must be rewritten
		x.spill()
		var err error
		x.s.out, err = x.ready.Row(x.s.out, body)
		if err != nil {
			return leak(x.current().treatment, "%w", err)
		}
		x.s.up.in.Discard(total)
		if len(x.s.out) >= 64<<10 {
			return x.flush()
		}
	case wire.CommandComplete, wire.EmptyQueryResponse, wire.PortalSuspended:
		return x.complete(st, kind, total)
	case wire.ReadyForQuery:
		return x.readyForQuery(ctx, st, body, total)
	case wire.CopyOutResponse:
		if e := x.current(); e == nil || !e.is(analysis.CopyOut) {
			return x.unexpected(kind)
		}
		x.send(total, x.muted)
	case wire.CopyDone:
		x.send(total, x.muted)
	case wire.CopyInResponse:
		if e := x.current(); e == nil || x.muted || !e.is(analysis.CopyIn) {
			return x.unexpected(kind)
		}
		x.send(total, false)
		if err := x.flush(); err != nil {
			return err
		}
		return x.takeCopy(ctx, st)
	default: // also CopyBoth, which begins replication
		return x.unexpected(kind)
	}
	return nil
}

func (x *exchange) rowDescription(st *step, body []byte, total int) error {
	columns, err := wire.ReadRowDescription(x.columns[:0], body)
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	x.columns = columns
	switch st.kind {
	case wire.Describe:
		if st.run != nil {
			if err := described(st.run.treatment, columns); err != nil {
				return err
			}
			st.run.of.saw(columns)
			st.portal.checked = st.run.treatment
		} else if st.about != nil {
			if err := described(x.treatmentOf(st.about), columns); err != nil {
				return err
			}
			st.about.saw(columns)
		}
		x.send(total, x.muted || st.own)
		x.advance()
		return nil
	case wire.Query:
		e := x.current()
		if e == nil {
			return x.unexpected(wire.RowDescription)
		}
		if !x.muted {
			if err := described(e.treatment, columns); err != nil {
				return err
			}
			if x.ready, err = x.rewriterOf(e, columns); err != nil {
				return err
			}
			x.plain = x.ready == nil
		}
		x.send(total, x.muted)
		return nil
	}
	return x.unexpected(wire.RowDescription)
}

// treatmentOf is the treatment that some execution of the run has for what is described; without one there is nothing
// to compare with.
func (x *exchange) treatmentOf(p *prepared) *analysis.Treatment {
	for i := range x.runs {
		if x.runs[i].of == p {
			return x.runs[i].treatment
		}
	}
	return nil
}

// saw keeps the types of a RowDescription for rows that come without one.
func (p *prepared) saw(columns []wire.ResultColumn) {
	if len(p.seen) == len(columns) {
		same := true
		for i := range columns {
			same = same && p.seen[i] == columns[i].Type
		}
		if same {
			return
		}
	}
	p.seen = make([]uint32, len(columns))
	for i := range columns {
		p.seen[i] = columns[i].Type
	}
	p.rewriter = nil
}

// complete handles the end of one statement's answer.
func (x *exchange) complete(st *step, kind byte, total int) error {
	e := x.current()
	if e == nil || kind == wire.PortalSuspended && st.kind != wire.Execute {
		return x.unexpected(kind)
	}
	x.send(total, x.muted)
	if kind != wire.PortalSuspended {
		x.happened(e)
	}
	if st.kind == wire.Execute {
		x.advance()
		return nil
	}
	x.sub++
	x.rows, x.plain, x.ready = 0, false, nil
	return nil
}

// happened takes note of a statement that the target has carried out.
func (x *exchange) happened(e *execution) {
	s := x.s
	x.confirm(e.effect)
	st := e.statement
	if st == nil {
		return
	}
	for _, set := range st.ChangesSettings {
		s.settings.change(set, x.stays(e, set))
	}
	s.worked = s.worked || x.work
	if st.ChangesCatalog || e.of.statement() != nil && e.of.statement().ChangesCatalog || st.Kind == analysis.RollbackTo && s.altered {
		s.altered, s.stale = true, true
	}
	if e.treatment != nil && e.treatment.Redact {
		s.redacted = true
	}
	for _, set := range st.ChangesSettings {
		switch {
		case set.Name == "all" && set.Reset:
			s.ticket = ""
		case set.Name != "vecgate.ticket":
			continue
		case set.Local && s.undo == nil:
			before := s.ticket
			s.undo = &before
			s.ticket = set.Value
		case set.Reset:
			s.ticket = ""
		default:
			s.ticket = set.Value
		}
		s.gate.SetTicket(s.ticket)
	}
}

func (x *exchange) confirm(i int) {
	if i >= 0 && i < len(x.view.effects) {
		x.s.names.apply(&x.view.effects[i])
	}
}

func (x *exchange) readyForQuery(ctx context.Context, st *step, body []byte, total int) error {
	if len(body) != 1 || st.kind != wire.Sync && st.kind != wire.Query && st.kind != wire.FunctionCall {
		return x.unexpected(wire.ReadyForQuery)
	}
	if x.sub != st.count && st.kind == wire.Query {
		return leak(nil, "%d statements were answered, of %d", x.sub, st.count)
	}
	s := x.s
	s.status, s.skipping = body[0], false
	x.finished = true
	x.confirm(st.effect)
	if s.status == 'I' {
		s.names.transactionEnded()
		s.worked, s.redacted, s.stale, s.inside = false, false, false, nil
		if s.undo != nil {
			s.ticket, s.undo = *s.undo, nil
			s.gate.SetTicket(s.ticket)
		}
		if s.altered {
			// Whoever is told that the change is done must see it in what follows.
			s.altered = false
			if _, err := s.target.refresh(ctx, time.Now()); err != nil {
				return fmt.Errorf("read the changed catalog: %w", err)
			}
		}
	}
	x.send(total, x.muted)
	x.advance()
	return nil
}

// reread reads the catalog again because a text names what it does not know; at most once in a while, since anybody can
// name what does not exist.
func (s *session) reread() {
	t := s.target
	now := time.Now()
	last := t.reread.Load()
	if now.UnixNano()-last < int64(rereadAfter) || !t.reread.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	if _, err := t.refresh(context.Background(), now); err != nil {
		s.log.Error("read catalog", "target", t.name, "error", err)
	}
}

const rereadAfter = 250 * time.Millisecond

// report passes on an error or a notice, without the data in it where that must be.
func (x *exchange) report(body []byte, total int, kind byte) error {
	if x.muted && kind == wire.NoticeResponse {
		x.send(total, true)
		return nil
	}
	if !x.redact && !x.s.redacted {
		x.send(total, false)
		return nil
	}
	x.spill()
	out, at := wire.Begin(x.s.out, kind)
	out, err := redact.Body(out, body)
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	x.s.out = wire.End(out, at)
	x.s.up.in.Discard(total)
	return nil
}

// failure handles an ErrorResponse: the rest of the run is void.
func (x *exchange) failure(body []byte, total int) error {
	s := x.s
	if wire.Fatal(body) {
		x.outcome.Code = string(wire.ErrorField(body, 'C'))
		s.told = true
		x.at = len(x.steps)
		x.unasked = false
		return x.report(body, total, wire.ErrorResponse)
	}
	if x.at >= len(x.steps) {
		return x.unexpected(wire.ErrorResponse)
	}
	x.errored = true
	if x.cut == nil {
		x.outcome.Code = string(wire.ErrorField(body, 'C'))
	}
	switch {
	case x.instead != nil:
		x.spill()
		s.up.in.Discard(total)
		s.out = x.instead.Append(s.out)
		x.instead = nil
	case x.muted:
		x.send(total, true)
	default:
		if err := x.report(body, total, wire.ErrorResponse); err != nil {
			return err
		}
	}
	st := &x.steps[x.at]
	if st.kind == wire.Query || st.kind == wire.FunctionCall || st.kind == wire.Sync {
		x.sub = st.count // only ReadyForQuery comes now
		return nil
	}
	// Everything up to the next Sync is void; a run has it last, if at all.
	if last := len(x.steps) - 1; x.steps[last].kind == wire.Sync {
		x.at = last
		x.settle()
		return nil
	}
	s.skipping = true
	x.at = len(x.steps)
	return nil
}
