package postgres

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
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

// maxShown is how much of one parameter people are shown; the approval binds all of it.
const maxShown = 1024

// text fills in what is shown to people and what an approval is bound to.
func (x *exchange) text() {
	op := &x.op
	if len(x.steps) == 1 && x.steps[0].kind == wire.Query {
		if op.Text == "" && len(x.runs) > 0 {
			op.Text = x.queryText()
		}
		named := false
		for i := range x.runs {
			named = named || x.runs[i].statement != nil && x.runs[i].of.statement() != x.runs[i].statement
		}
		if !named {
			return // the text says it all
		}
	}
	c := append(x.canonical[:0], "postgres 1"...)
	b := x.shown[:0]
	single := ""
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
		single = text
		if e.portal == nil {
			c = lengthPrefixed(c, "")
		} else {
			c = lengthPrefixed(c, string(e.portal.values))
		}
		if len(x.runs) == 1 && (e.portal == nil || e.portal.params == 0) {
			break
		}
		if len(b) < 64<<10 {
			if len(b) > 0 {
				b = append(b, '\n')
			}
			b = append(b, text...)
			if e.portal != nil {
				b = showValues(b, e.portal.values)
			}
		}
	}
	if x.shown = b; len(b) > 0 {
		single = string(b)
	}
	for i := range x.steps {
		st := &x.steps[i]
		if st.kind != wire.Parse || st.about == nil || x.executes(st.about) {
			continue
		}
		c = lengthPrefixed(append(c, "prepares"...), st.about.text)
		if single == "" {
			single = st.about.text
		} else if len(single) < 64<<10 {
			single += "\n-- prepares: " + st.about.text
		}
	}
	if op.Text == "" {
		op.Text = single
	}
	x.canonical = c
	op.Canonical = c
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

// showValues appends the parameters as people read them.
func showValues(b []byte, values []byte) []byte {
	wire.EachValue(values, func(i int, format int16, value []byte) {
		b = append(b, "\n-- $"...)
		b = append(strconv.AppendInt(b, int64(i+1), 10), " = "...)
		cut := value
		switch {
		case value == nil:
			b = append(b, "NULL"...)
			return
		case format == 0 && utf8.Valid(value):
			if len(cut) > maxShown {
				for cut = cut[:maxShown]; len(cut) > 0 && !utf8.Valid(cut); {
					cut = cut[:len(cut)-1]
				}
			}
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
	})
	return b
}
