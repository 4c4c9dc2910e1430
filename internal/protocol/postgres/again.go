package postgres

import (
	"bytes"
	"context"
	"reflect"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// again plans a run once more that people have released: names may stand for other things than when they were asked, and
// than in the catalog as it was last read. When it would do anything else than what was released, it is refused.
func (x *exchange) again() error {
	changed := &access.Refusal{
		Code: access.CodeNotReleased, Message: "the tables that the request names changed since it was asked for, so it would do something else than what was approved",
		Hint: "send the request again to ask anew",
	}
	s := x.s
	if s.inside != nil { // nobody can approve what only this transaction sees
		return changed
	}
	if _, err := s.target.refresh(context.Background(), time.Now()); err != nil { // it has a limit of its own
		return err
	}
	was := x.op
	was.Canonical = bytes.Clone(was.Canonical)
	clear(x.runs)
	clear(x.view.effects)
	x.runs, x.view.effects = x.runs[:0], x.view.effects[:0]
	for i := range x.steps {
		st := &x.steps[i]
		*st = step{kind: st.kind, off: st.off, len: st.len, body: st.body}
	}
	x.copyIn, x.work, x.shown, x.op.Text = false, false, nil, ""
	x.plan()
	if x.fault != nil || was.Unclear != x.op.Unclear || !bytes.Equal(was.Canonical, x.op.Canonical) || !reflect.DeepEqual(was.Accesses, x.op.Accesses) {
		x.fault = nil // the client hears of the change and not of what it led to
		return changed
	}
	return nil
}
