package analysis

import (
	"fmt"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/vecgate/vecgate/internal/access"
)

// analysis is the state of the analysis of one statement.
type analysis struct {
	cat *Catalog
	st  *Statement

	accesses []noted
	touched  map[*Relation]bool
	used     map[*Column]bool
	uses     map[Use]bool
	rests    map[string]bool // digests of the definitions that it rests on
	joins    [][]*read       // groups of occurrences that a condition compares with each other
	left     int             // work that may still be done

	inTarget  int    // depth of target lists around: values here may come back
	viewDepth int    // depth of view definitions around
	viewAlias string // the view under which the client addressed what is read
	into      bool   // SELECT INTO may stand here
	cursor    bool   // the query is read through a cursor

	settings map[*scope]string // of a level that reads pg_settings alone, the one name that its WHERE leaves
}

// stop ends an analysis: the statement is unclear.
type stop struct{ why, sqlstate string }

// budget is how much work one statement may cause: names looked at, columns expanded. A hundred thousand times what an
// ordinary statement needs.
const budget = 2 << 20

func (a *analysis) work(n int) {
	a.left -= n
	if a.left < 0 {
		a.unclear("the statement takes too much work to understand")
	}
}

// look counts a look through so many names: many of them are one piece of work, and none is for nothing.
func (a *analysis) look(through int) { a.work(1 + through/8) }

// unclear ends the analysis.
func (a *analysis) unclear(format string, args ...any) {
	panic(stop{why: fmt.Sprintf(format, args...)})
}

// missing ends the analysis where the server would say the same with this SQLSTATE.
func (a *analysis) missing(sqlstate, format string, args ...any) {
	panic(stop{why: fmt.Sprintf(format, args...), sqlstate: sqlstate})
}

// opaque notes that what comes back cannot be traced.
func (a *analysis) opaque(format string, args ...any) {
	if a.st.Opaque == "" {
		a.st.Opaque = fmt.Sprintf(format, args...)
	}
}

// add notes an access.
func (a *analysis) add(acc access.Access) { a.accesses = append(a.accesses, noted{Access: acc}) }

// touch notes that a relation is read or written.
func (a *analysis) touch(rel *Relation) {
	if !a.touched[rel] {
		a.touched[rel] = true
		a.st.Touches = append(a.st.Touches, rel)
		for _, r := range append([]*Relation{rel}, rel.family...) {
			a.restsOn("triggers on "+r.schema+"."+r.name, r.triggers)
		}
	}
}

// restsOn notes that what the statement does is said by a definition, which may be another one the next time.
func (a *analysis) restsOn(what, digest string) {
	if digest != "" {
		a.rests[what+" "+digest] = true
	}
}

// touchField notes that columns are named.
func (a *analysis) touchField(v value) {
	a.look(len(v.from))
	for _, c := range v.from {
		a.used[c] = true
		if a.viewDepth == 0 {
			a.st.named[c] = true
		}
	}
}

// flow notes that a value goes somewhere.
func (a *analysis) flow(v value, target *Column, into string) {
	if len(v.from) > 0 {
		a.st.Sinks = append(a.st.Sinks, Flow{Sources: v.from, Target: target, Copy: v.copy != nil, Into: into})
	}
}

// analyse says what one statement of a text means.
func analyse(node *pg.Node, text string, cat *Catalog) *Statement {
	st := &Statement{Text: text, RowCap: access.Unbounded}
	an := newAnalysis(cat, st)
	an.run(node)
	an.tidy()
	st.named = nil // it was of use to the analysis only
	return st
}

func newAnalysis(cat *Catalog, st *Statement) *analysis {
	st.named = map[*Column]bool{}
	return &analysis{cat: cat, st: st, touched: map[*Relation]bool{}, used: map[*Column]bool{}, uses: map[Use]bool{}, rests: map[string]bool{}, left: budget}
}

// run analyses the statement; a stop, and any fault of our own, leaves it unclear.
func (a *analysis) run(node *pg.Node) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case stop:
			a.st.Unclear, a.st.Missing = r.why, r.sqlstate
		default:
			a.st.Unclear = fmt.Sprintf("the gateway could not analyse it (%v)", r)
		}
	}()
	a.utility(node)
}
