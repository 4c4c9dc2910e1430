package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/protocol/postgres/analysis"
	"github.com/vecgate/vecgate/internal/protocol/postgres/redact"
	"github.com/vecgate/vecgate/internal/protocol/postgres/value"
	"github.com/vecgate/vecgate/internal/protocol/postgres/wire"
)

// relay is the state of an answer that is being passed on.
type relay struct {
	tape gate.Tape // nil while a refusal is rendered

	at     int // the step whose answer comes next
	sub    int // and its execution
	passed int // bytes at the front of what was read from the target that go to the client as they are
	rest   int // bytes of the current message that have not come yet, and go the same way as those that have
	gone   bool

	rows    int64 // of the current execution
	outcome access.Outcome
	columns []wire.ResultColumn
	plain   bool            // rows pass as they are
	ready   *value.Rewriter // of the current result set

	unasked   bool            // the target spoke by itself
	muted     bool            // nothing but parameters goes to the client
	instead   *wire.Report    // what the client gets for the next error
	cut       *access.Refusal // why the answer ends early
	errored   bool            // the target reported an error
	finished  bool            // ReadyForQuery has come
	canceling sync.WaitGroup  // the cancel request that a cut sends
	failed    *access.Refusal // what the exchange was refused with after it had been forwarded
}

// maxControl is the longest message of the target that is held whole and is no row.
const maxControl = 16 << 20

// Reply implements gate.Exchange.
func (x *exchange) Reply(ctx context.Context, tape gate.Tape) (access.Outcome, error) {
	x.tape = tape
	err := x.answer(ctx)
	if x.forwarded {
		x.writing.Wait()
		x.s.setRunning(false)
		if x.held > 0 {
			x.s.drop(x)
		}
	}
	x.canceling.Wait()
	if err == nil && x.writeErr != nil {
		err = fmt.Errorf("send to target: %w", x.writeErr)
	}
	if err == nil && x.cut != nil {
		return x.outcome, x.cut
	}
	if err != nil && x.cut != nil {
		err = fmt.Errorf("%w: %w", err, x.cut)
	}
	return x.outcome, err
}

// answer passes on what the target says until every step has its answer.
func (x *exchange) answer(ctx context.Context) error {
	s := x.s
	s.up.in.Borrow()
	x.settle()
	for x.at < len(x.steps) || x.unasked && s.up.in.Len() > x.passed || x.rest > 0 {
		have := s.up.in.Len() - x.passed
		if x.rest > 0 {
			if have == 0 {
				if err := x.listen(); err != nil {
					return err
				}
				continue
			}
			n := min(x.rest, have)
			x.rest -= n
			x.send(n, x.gone)
			continue
		}
		if have < wire.Header {
			if err := x.listen(); err != nil {
				return err
			}
			continue
		}
		head := s.up.in.Bytes()[x.passed:]
		kind := head[0]
		size := int64(int32(binary.BigEndian.Uint32(head[1:]))) - 4
		if size < 0 {
			return fmt.Errorf("target: %w: %d of type %q", wire.ErrLength, size+4, kind)
		}
		total := wire.Header + int(size)
		if kind == wire.DataRow || kind == wire.CopyData {
			whole, err := x.row(kind)
			if err != nil {
				return err
			}
			if !whole {
				n := min(total, have)
				x.rest, x.gone = total-n, x.muted
				x.send(n, x.gone)
				continue
			}
			if int(size) > value.MaxRow {
				x.cutOff(&access.Refusal{Code: access.CodeLimit, Message: fmt.Sprintf("a row of %d bytes is too large to be masked", size), Hint: "select fewer or shorter columns"})
				continue
			}
		} else if size > maxControl {
			return fmt.Errorf("target: %w: %d of type %q", wire.ErrTooBig, size, kind)
		}
		if have < total {
			if err := x.flush(); err != nil {
				return err
			}
			if err := x.listenFor(total); err != nil {
				return err
			}
			head = s.up.in.Bytes()
		}
		if err := x.message(ctx, kind, head[wire.Header:total], total); err != nil {
			if ferr := x.flush(); ferr != nil {
				return errors.Join(err, ferr)
			}
			return err
		}
	}
	return x.flush()
}

// settle steps over messages that have no answer of their own.
func (x *exchange) settle() {
	for x.at < len(x.steps) && x.steps[x.at].kind == wire.Flush {
		x.at++
	}
	x.sub, x.rows, x.plain, x.ready = 0, 0, false, nil
}

func (x *exchange) advance() {
	x.at++
	x.settle()
}

// current is the execution whose answer comes next; nil when the step has none.
func (x *exchange) current() *execution {
	if x.at >= len(x.steps) {
		return nil
	}
	st := &x.steps[x.at]
	if x.sub >= st.count {
		return nil
	}
	return &x.runs[st.first+x.sub]
}

// row accounts for a row that is about to come; whole says that it must be held whole to be rewritten.
func (x *exchange) row(kind byte) (whole bool, err error) {
	if x.muted {
		return false, nil
	}
	e := x.current()
	if e == nil {
		return false, fmt.Errorf("target: unexpected message type %q", kind)
	}
	if !x.plain && x.ready == nil {
		if kind == wire.CopyData {
			if x.plain = e.is(analysis.CopyOut); !x.plain {
				return false, x.unexpected(kind)
			}
		} else if x.ready, err = x.rewriterOf(e, nil); err != nil {
			return false, err
		}
		x.plain = x.ready == nil
	}
	count := &x.rows
	if e.portal != nil {
		count = &e.portal.rows
	}
	if e.cap != access.Unbounded && (*count >= e.cap && e.portal == nil || e.portal != nil && *count >= e.cap) {
		x.cutOff(&access.Refusal{
			Code: access.CodeLimit, Message: fmt.Sprintf("the answer has more than the %d rows that it may have here, and ends after them", e.cap),
			Hint: "ask for less: a narrower condition, or a LIMIT",
		})
		return false, nil
	}
	*count++
	x.outcome.Rows++
	return !x.plain, nil
}

// cutOff ends an answer early: what still comes is dropped, and the target is told to stop.
func (x *exchange) cutOff(refusal *access.Refusal) {
	x.cut, x.muted = refusal, true
	x.canceling.Go(func() { x.s.cancelUpstream(context.Background()) })
}

// send lets the next n bytes go to the client as they are, or drops them.
func (x *exchange) send(n int, drop bool) {
	s := x.s
	if drop {
		x.spill()
		s.up.in.Discard(n)
		return
	}
	if len(s.out) == 0 {
		x.passed += n
		return
	}
	s.out = append(s.out, s.up.in.Bytes()[:n]...)
	s.up.in.Discard(n)
}

// spill moves what passes as it is into the buffer of what was written here, to keep the order.
func (x *exchange) spill() {
	s := x.s
	if x.passed > 0 {
		s.out = append(s.out, s.up.in.Bytes()[:x.passed]...)
		s.up.in.Discard(x.passed)
		x.passed = 0
	}
}

// flush gives the client what there is, after it has been taken down.
func (x *exchange) flush() error {
	s := x.s
	p := s.out
	if len(p) == 0 {
		p = s.up.in.Bytes()[:x.passed]
	}
	if len(p) == 0 {
		return nil
	}
	if x.tape != nil {
		if err := x.tape.Answered(p); err != nil {
			return fmt.Errorf("take down the answer: %w", &access.Refusal{Code: access.CodeNotRecorded, Err: err,
				Message: "the answer could not be recorded, so the rest of it is withheld", Hint: "tell the operator of the gateway; its log has the details"})
		}
	}
	if err := s.write(p); err != nil {
		return err
	}
	x.outcome.Bytes += int64(len(p))
	if len(s.out) == 0 {
		s.up.in.Discard(x.passed)
		x.passed = 0
		return nil
	}
	s.out = s.out[:0]
	if cap(s.out) > 256<<10 {
		s.out = nil
	}
	return nil
}

// listen reads more from the target, after the client has got what there is.
func (x *exchange) listen() error {
	if err := x.flush(); err != nil {
		return err
	}
	return x.listenFor(x.s.up.in.Len() + 1)
}

func (x *exchange) listenFor(n int) error {
	s := x.s
	for s.up.in.Len() < n {
		if err := s.up.in.More(); err != nil {
			if refusal := s.ending.Load(); refusal != nil {
				return fmt.Errorf("cut off: %w", refusal)
			}
			return fmt.Errorf("target: %w", err)
		}
	}
	return nil
}

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
		x.send(total, x.muted)
		x.advance()
	case wire.RowDescription:
		return x.rowDescription(st, body, total)
	case wire.DataRow: // one that must be rewritten
		x.spill()
		var err error
		x.s.out, err = x.ready.Row(x.s.out, body)
		if err != nil {
			return leak("%w", err)
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
		if st.about != nil {
			if t := x.treatmentOf(st.about); t != nil {
				if err := described(t, columns); err != nil {
					return err
				}
			}
			st.about.saw(columns)
		}
		x.send(total, x.muted)
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
		return leak("%d statements were answered, of %d", x.sub, st.count)
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
