package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/protocol/postgres/analysis"
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
		} else if guarded(e.treatment) && !x.vouched(e) {
			return false, leak(e.treatment, "rows came without a description")
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
			return fmt.Errorf("take down the answer: %w", &access.Refusal{
				Code: access.CodeNotRecorded, Err: err,
				Message: "the answer could not be recorded, so the rest of it is withheld", Hint: "tell the operator of the gateway; its log has the details",
			})
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
