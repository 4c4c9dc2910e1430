package postgres

import (
	"slices"

	"github.com/vecgate/vecgate/internal/protocol/postgres/analysis"
	"github.com/vecgate/vecgate/internal/protocol/postgres/wire"
)

// The target says which columns an answer has before it sends rows, and that is compared with what was analysed
// (described). In the extended protocol it says so only when it is asked, and clients that know an answer do not ask
// again; so the gateway asks itself before each Execute of which anything is hidden, and keeps what it is told to itself.

// guarded reports whether the columns of an answer must be what was analysed: it has hidden ones, or its tables do.
func guarded(t *analysis.Treatment) bool {
	return t != nil && (t.Columns != nil || len(t.Forbidden) > 0)
}

// guards reports whether the rows of an execution must be described by the target before they come.
func (e *execution) guards() bool {
	return guarded(e.treatment) && (e.statement.ReturnsRows || e.of.statement().ReturnsRows)
}

// describing returns what is sent to the target for the run: the run itself, with a Describe before each Execute of a
// guarded portal that no Describe precedes. What the target has said of a portal holds as long as the portal.
func (x *exchange) describing() []byte {
	if !slices.ContainsFunc(x.runs, func(e execution) bool { return e.guards() }) {
		return x.raw
	}
	var data []byte
	var steps []step
	var asked []*portal // that are described in this run
	from, first := 0, 0
	for i := range x.steps {
		st := &x.steps[i]
		switch {
		case st.kind == wire.Describe && st.portal != nil:
			if st.run = x.runOf(st.portal); st.run != nil {
				asked = append(asked, st.portal)
			}
			continue
		case st.kind != wire.Execute || st.portal == nil:
			continue
		}
		e := &x.runs[st.first]
		if !e.guards() || st.portal.checked == e.treatment || slices.Contains(asked, st.portal) {
			continue
		}
		asked = append(asked, st.portal)
		name, _, _ := wire.ReadExecute(st.body) // it has been read before
		at := 0
		before := st.off - wire.Header
		data, at = wire.Begin(append(data, x.raw[from:before]...), wire.Describe)
		data = wire.End(wire.Text(append(data, 'P'), string(name)), at)
		steps = append(append(steps, x.steps[first:i]...), step{kind: wire.Describe, what: 'P', effect: -1, portal: st.portal, run: e, own: true})
		from, first = before, i
	}
	if steps == nil {
		return x.raw
	}
	x.steps = append(steps, x.steps[first:]...)
	return append(data, x.raw[from:]...)
}

// runOf is the execution in this run of what a portal stands for; nil when it is not executed.
func (x *exchange) runOf(p *portal) *execution {
	for i := range x.steps {
		if st := &x.steps[i]; st.kind == wire.Execute && st.portal == p {
			return &x.runs[st.first]
		}
	}
	return nil
}

// vouched reports whether the target has said of the portal whose rows come now what was analysed. (In the simple protocol
// the description stands right before the rows, which are ready to be passed on then.)
func (x *exchange) vouched(e *execution) bool {
	st := &x.steps[x.at]
	return st.kind == wire.Execute && st.portal.checked == e.treatment
}

// ruleOf is a rule that hides something of what a treatment is about.
func ruleOf(t *analysis.Treatment) string {
	rule := ""
	if t == nil {
		return rule
	}
	for _, c := range t.Columns {
		if c.Rule != "" {
			return c.Rule
		}
	}
	for _, c := range t.Forbidden { // in no order
		if rule == "" || c.Rule != "" && c.Rule < rule {
			rule = c.Rule
		}
	}
	return rule
}
