package postgres

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/postgres/analysis"
	"github.com/vecgate/vecgate/internal/protocol/postgres/wire"
)

// operation puts together what the gate is told of the run.
func (x *exchange) operation() {
	op := &x.op
	*op = access.Operation{Text: op.Text}
	parsed := x.planned()
	for i := range x.runs {
		e := &x.runs[i]
		if e.statement == nil {
			continue
		}
		if why := unclear(e.statement); why != "" && op.Unclear == "" {
			op.Unclear = why
		}
		if body := e.of.statement(); body != nil && body != e.statement {
			if why := unclear(body); why != "" && op.Unclear == "" {
				op.Unclear = why
			}
		}
		switch e.statement.Kind {
		case analysis.Begin, analysis.Commit, analysis.Rollback, analysis.RollbackTo, analysis.Savepoint, analysis.Set, analysis.Show, analysis.Discard, analysis.Deallocate:
		default:
			x.work = true
		}
	}
	if x.fault != nil && op.Unclear == "" {
		op.Unclear = x.fault.message
	}
	op.Accesses = x.accesses(parsed)
	op.Prepared = len(x.runs) == 0 && parsed > 0 || x.onlyPrepares()
	op.Free = len(op.Accesses) == 0 && op.Unclear == ""
	switch {
	case x.s.status == 'E':
		op.NoHold = "the transaction has failed and must be rolled back first"
	case x.s.worked:
		op.NoHold = "it cannot wait inside a transaction that has already done something"
	}
	x.text()
}

func unclear(st *analysis.Statement) string {
	if st.Unclear != "" {
		return st.Unclear
	}
	return ""
}

// planned is how many statements are prepared without being run in this exchange.
func (x *exchange) planned() int {
	n := 0
	for i := range x.steps {
		if k := x.steps[i].kind; k == wire.Parse || k == wire.Describe && x.steps[i].about != nil {
			n++
		}
	}
	return n
}

// onlyPrepares reports whether everything that runs is PREPARE.
func (x *exchange) onlyPrepares() bool {
	for i := range x.runs {
		if st := x.runs[i].statement; st == nil || st.Kind != analysis.Prepare {
			return false
		}
	}
	return len(x.runs) > 0
}

// accesses are the effects of all statements, gravest first. The common run, of one statement, shares those of its plan.
func (x *exchange) accesses(parsed int) []access.Access {
	if len(x.runs) == 1 {
		alone := true
		for i := range x.steps {
			if about := x.steps[i].about; about != nil && about != x.runs[0].of {
				alone = false
			}
		}
		if alone {
			return x.runs[0].accesses
		}
	}
	var all []access.Access
	type group struct {
		first int // in all
		of    *analysis.Statement
		times int64
	}
	var groups []group
	add := func(st *analysis.Statement, accesses []access.Access) {
		if st == nil || len(accesses) == 0 {
			return
		}
		for i := range groups {
			g := &groups[i]
			if g.of != st || len(accesses) != len(st.Accesses) {
				continue
			}
			g.times++
			for j := range accesses {
				a := &all[g.first+j].Attributes
				a.Rows = sum(a.Rows, accesses[j].Attributes.Rows)
				a.Points = sum(a.Points, accesses[j].Attributes.Points)
			}
			return
		}
		groups = append(groups, group{len(all), st, 1})
		all = append(all, accesses...)
	}
	for i := range x.runs {
		add(x.runs[i].of.statement(), x.runs[i].accesses)
		if st := x.runs[i].statement; st != nil && st != x.runs[i].of.statement() {
			add(st, st.Accesses)
		}
	}
	if parsed > 0 {
		for i := range x.steps {
			about := x.steps[i].about
			if about == nil || about.statement() == nil {
				continue
			}
			runs := false
			for j := range x.runs {
				runs = runs || x.runs[j].of == about || x.runs[j].statement == about.statement()
			}
			if !runs {
				add(about.statement(), about.statement().Accesses)
				if why := about.statement().Unclear; why != "" && x.op.Unclear == "" {
					x.op.Unclear = why
				}
			}
		}
	}
	// Gravest first, by insertion: there are few.
	for i := 1; i < len(all); i++ {
		for j := i; j > 0 && all[j].Action.Weight() > all[j-1].Action.Weight(); j-- {
			all[j], all[j-1] = all[j-1], all[j]
		}
	}
	return all
}

func sum(a, b int64) int64 {
	if a == access.Unbounded || b == access.Unbounded {
		return access.Unbounded
	}
	return a + b
}

// Of what people are shown; the approval binds all of it.
const (
	maxShown      = 1024     // bytes of one parameter
	maxParameters = 16 << 10 // of the parameters of one statement
	maxListed     = 32 << 10 // of several statements, besides the last
	maxOne        = 8 << 10  // of one text among several
)

// text fills in what is shown to people and what an approval is bound to.
//
// What the gateway says stands before what the client wrote, so that no text can push it out of sight or say it first.
func (x *exchange) text() {
	op := &x.op
	bound := x.s.settings.bound
	c := lengthPrefixed(append(x.canonical[:0], "postgres 2"...), bound)
	b := showSettings(x.shown[:0], "with", bound)
	for i := range x.runs {
		if st := x.runs[i].of.statement(); st != nil && st.Definitions != "" {
			c = lengthPrefixed(append(c, "defined"...), st.Definitions)
		}
	}
	defer func() { x.canonical, x.shown, op.Canonical = c, b, c }()
	if len(x.steps) == 1 && x.steps[0].kind == wire.Query {
		if op.Text == "" && len(x.runs) > 0 {
			op.Text = x.queryText()
		}
		named := false
		for i := range x.runs {
			named = named || x.runs[i].statement != nil && x.runs[i].of.statement() != x.runs[i].statement
		}
		if !named {
			c = lengthPrefixed(c, op.Text)
			op.Text, b = headed(b, op.Text)
			return // the text says it all
		}
	}
	total := len(x.runs)
	for i := range x.steps {
		if x.onlyPrepared(&x.steps[i]) {
			total++
		}
	}
	if total > 1 {
		b = append(strconv.AppendInt(append(b, "-- "...), int64(total), 10), " statements:\n"...)
	}
	listed := 0
	list := func(e *execution, text string) {
		if total == 1 {
			b = showParameters(b, e, bound)
			op.Text, b = headed(b, text)
			listed++
			return
		}
		if len(b) >= maxListed {
			return
		}
		listed++
		b = showParameters(b, e, bound)
		b = strconv.AppendInt(append(b, "-- statement "...), int64(listed), 10)
		b = append(b, ":\n"...)
		if cut := cutAt(text, maxOne); len(cut) < len(text) {
			b = strconv.AppendInt(append(append(b, cut...), "\n-- cut here: "...), int64(len(text)-len(cut)), 10)
			text = " more bytes"
		}
		b = append(append(b, text...), '\n')
	}
	for i := range x.runs {
		e := &x.runs[i]
		text := e.of.text
		if e.statement != nil && e.statement != e.of.statement() {
			c = lengthPrefixed(c, e.statement.Text)
			if e.statement.Text != text {
				text = e.statement.Text + "\n-- runs: " + text
			}
		}
		c = lengthPrefixed(c, e.of.text)
		c = lengthPrefixed(c, string(e.of.types))
		if e.portal == nil {
			c = lengthPrefixed(c, "")
		} else {
			c = lengthPrefixed(c, string(e.portal.values))
			if e.portal.under != bound {
				c = lengthPrefixed(append(c, "bound"...), e.portal.under)
			}
		}
		if e.of.under != bound {
			c = lengthPrefixed(append(c, "parsed"...), e.of.under)
		}
		list(e, text)
	}
	for i := range x.steps {
		if st := &x.steps[i]; x.onlyPrepared(st) {
			c = lengthPrefixed(append(c, "prepares"...), st.about.text)
			if total == 1 {
				list(&execution{of: st.about}, st.about.text)
			} else {
				list(&execution{of: st.about}, "-- only prepared\n"+st.about.text)
			}
		}
	}
	if total > 1 {
		if more := total - listed; more > 0 {
			b = append(strconv.AppendInt(append(b, "-- and "...), int64(more), 10), " more statements that are not shown\n"...)
		}
		op.Text = string(b)
	}
}

// onlyPrepared reports whether a step prepares what does not run in this exchange.
func (x *exchange) onlyPrepared(st *step) bool {
	return st.kind == wire.Parse && st.about != nil && !x.executes(st.about)
}

// headed puts what the gateway says before a text. A text that begins as if the gateway spoke gets a heading too.
func headed(b []byte, text string) (string, []byte) {
	if len(b) == 0 && !strings.HasPrefix(strings.TrimSpace(text), "--") {
		return text, b
	}
	b = append(append(b, "-- the statement:\n"...), text...)
	return string(b), b
}

// showParameters appends the parameters of a statement, and under which settings it was read when they are others now.
func showParameters(b []byte, e *execution, bound string) []byte {
	if e.of.under != bound {
		b = showSettings(b, "prepared with", e.of.under)
	}
	if e.portal == nil {
		return b
	}
	if e.portal.under != bound && e.portal.under != e.of.under {
		b = showSettings(b, "parameters given with", e.portal.under)
	}
	return showValues(b, e.portal.values)
}

// is reports whether what runs is of that kind.
func (e *execution) is(kind analysis.Kind) bool {
	st := e.of.statement()
	return st != nil && st.Kind == kind
}

// executes reports whether what is prepared is also run in this exchange.
func (x *exchange) executes(p *prepared) bool {
	for i := range x.runs {
		if x.runs[i].of == p {
			return true
		}
	}
	return false
}

func (x *exchange) queryText() string {
	text, err := wire.ReadQuery(x.steps[0].body)
	if err != nil {
		return ""
	}
	if len(x.runs) == 1 && x.runs[0].portal == nil && x.runs[0].of.text == string(text) {
		return x.runs[0].of.text
	}
	return string(text)
}

func lengthPrefixed(dst []byte, s string) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(len(s)))
	return append(dst, s...)
}

// cutAt is the beginning of a text, not longer than n bytes.
func cutAt(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// showValues appends the parameters as people read them, a line each.
func showValues(b []byte, values []byte) []byte {
	end, more := len(b)+maxParameters, 0
	wire.EachValue(values, func(i int, format int16, value []byte) {
		if len(b) > end {
			more++
			return
		}
		b = append(b, "-- $"...)
		b = append(strconv.AppendInt(b, int64(i+1), 10), " = "...)
		cut := value
		switch {
		case value == nil:
			b = append(b, "NULL"...)
		case format == 0 && utf8.Valid(value):
			cut = value[:len(cutAt(string(value[:min(len(value), maxShown+1)]), maxShown))]
			b = strconv.AppendQuote(b, string(cut))
		default:
			cut = cut[:min(len(cut), maxShown/4)]
			b = append(b, `\x`...)
			b = hex.AppendEncode(b, cut)
		}
		if len(cut) < len(value) {
			b = append(b, " … ("...)
			b = append(strconv.AppendInt(b, int64(len(value)), 10), " bytes)"...)
		}
		b = append(b, '\n')
	})
	if more > 0 {
		b = append(strconv.AppendInt(append(b, "-- and "...), int64(more), 10), " more parameters that are not shown\n"...)
	}
	return b
}
