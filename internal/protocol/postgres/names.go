package postgres

import (
	"unicode/utf8"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/postgres/analysis"
	"github.com/vecgate/vecgate/internal/protocol/postgres/value"
)

// prepared is a prepared statement: what its name stands for at the target.
type prepared struct {
	text string // of the Parse, or of the whole PREPARE or DECLARE
	body bool   // the statement is the Body of what text is
	plan *analysis.Plan
	// types are the OIDs that the client gave for the parameters, four bytes each.
	types []byte
	// under are the settings when it was parsed, which its literals mean something by.
	under string

	// What was made last to rewrite its rows, and for what.
	rewriter  *value.Rewriter
	treatment *analysis.Treatment
	formats   []byte
	seen      []uint32 // type OIDs of its RowDescription, when one went by
}

// statement is what runs; nil for an empty text.
func (p *prepared) statement() *analysis.Statement {
	if p.plan == nil || len(p.plan.Statements) == 0 {
		return nil
	}
	if p.body {
		return p.plan.Statements[0].Body
	}
	return p.plan.Statements[0]
}

// portal is a bound statement, or a cursor: the two share their names.
type portal struct {
	of      *prepared
	values  []byte // of the parameters, as Bind has them
	formats []byte // of the results
	cursor  bool   // made by DECLARE: it may outlive its transaction
	rows    int64  // delivered so far
	params  int
	under   string // the settings when its parameters were read

	checked *analysis.Treatment // what the target's description of its rows was compared with
}

// names are the prepared statements and portals of a session, as far as the target has confirmed them.
type names struct {
	limit      int
	held       int // bytes that they keep
	statements map[string]*prepared
	portals    map[string]*portal
}

// maxName is how many bytes of a name PostgreSQL looks at: names that differ only behind them are one name.
const maxName = 63

// key is what of a name of the protocol counts.
func key(name []byte) string { return string(name[:min(len(name), maxName)]) }

// plainName reports whether the target's scanner takes the name of a statement in SQL as it is. It cuts a longer one in
// its own way.
func plainName(name string) bool { return len(name) <= maxName && utf8.ValidString(name) }

// maxHeld is how many bytes of texts and parameters the names of a session keep, before it may not make more of them.
const maxHeld = 64 << 20

// weight is about how many bytes a prepared statement keeps, its plan among them.
func (p *prepared) weight() int { return 2<<10 + 3*len(p.text) + len(p.types) }

// weight is how many bytes a portal keeps besides its statement.
func (p *portal) weight() int { return 256 + len(p.values) + len(p.formats) }

func (n *names) prepare(name string, p *prepared) bool {
	if n.statements == nil {
		n.statements = map[string]*prepared{}
	}
	old, ok := n.statements[name]
	if !ok && len(n.statements) >= n.limit {
		return false
	}
	if ok {
		n.held -= old.weight()
	}
	n.statements[name] = p
	n.held += p.weight()
	return true
}

func (n *names) bind(name string, p *portal) bool {
	if n.portals == nil {
		n.portals = map[string]*portal{}
	}
	old, ok := n.portals[name]
	if !ok && len(n.portals) >= n.limit {
		return false
	}
	if ok {
		n.held -= old.weight()
	}
	n.portals[name] = p
	n.held += p.weight()
	return true
}

func (n *names) deallocate(name string) {
	if p := n.statements[name]; p != nil {
		n.held -= p.weight()
		delete(n.statements, name)
	}
}

func (n *names) close(name string) {
	if p := n.portals[name]; p != nil {
		n.held -= p.weight()
		delete(n.portals, name)
	}
}

func (n *names) deallocateAll() {
	for name := range n.statements {
		n.deallocate(name)
	}
}

func (n *names) closeAll() {
	for name := range n.portals {
		n.close(name)
	}
}

// transactionEnded forgets the portals that ended with it.
func (n *names) transactionEnded() {
	for name, p := range n.portals {
		if !p.cursor {
			n.close(name)
		}
	}
}

// full reports whether either table is full, or what they keep is too much.
func (n *names) full() bool {
	return len(n.statements) >= n.limit || len(n.portals) >= n.limit || n.held >= maxHeld
}

// effect is a change of names that takes place once the target confirms what makes it.
type effect struct {
	kind     analysis.Kind // Prepare, Declare, Deallocate, Close, Discard, Commit; Execute for a Bind, Select for a Parse
	name     string
	all      bool
	prepared *prepared
	portal   *portal
}

// apply carries an effect out.
func (n *names) apply(e *effect) {
	switch e.kind {
	case analysis.Prepare:
		n.prepare(e.name, e.prepared)
	case analysis.Declare:
		n.bind(e.name, e.portal)
	case analysis.Deallocate:
		if e.all {
			n.deallocateAll()
		} else {
			n.deallocate(e.name)
		}
	case analysis.Close:
		if e.all {
			n.closeAll()
		} else {
			n.close(e.name)
		}
	case analysis.Discard:
		if e.all {
			n.deallocateAll()
			n.closeAll()
		}
	}
}

// view is the names as they will be when everything before has succeeded.
type view struct {
	names   *names
	effects []effect
}

func (v *view) statement(name []byte) *prepared {
	name = name[:min(len(name), maxName)]
	for i := len(v.effects) - 1; i >= 0; i-- {
		e := &v.effects[i]
		switch e.kind {
		case analysis.Prepare:
			if e.name == string(name) {
				return e.prepared
			}
		case analysis.Deallocate, analysis.Discard:
			if e.all || e.kind == analysis.Deallocate && e.name == string(name) {
				return nil
			}
		}
	}
	return v.names.statements[string(name)]
}

func (v *view) portal(name []byte) *portal {
	name = name[:min(len(name), maxName)]
	for i := len(v.effects) - 1; i >= 0; i-- {
		e := &v.effects[i]
		switch e.kind {
		case analysis.Declare:
			if e.name == string(name) {
				return e.portal
			}
		case analysis.Close, analysis.Discard:
			if e.all || e.kind == analysis.Close && e.name == string(name) {
				return nil
			}
		case analysis.Commit: // of any kind: what is no cursor is gone
			if p := v.names.portals[string(name)]; p != nil && p.cursor {
				return p
			}
			return nil
		}
	}
	return v.names.portals[string(name)]
}

// promised is how many rows the statement says it returns at most.
func promised(st *analysis.Statement) int64 {
	if st == nil || !st.ReturnsRows {
		return access.Unbounded
	}
	return st.RowCap
}
