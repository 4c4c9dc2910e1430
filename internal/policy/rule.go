package policy

import (
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// statementKind is one of the four kinds of statement.
type statementKind string

const (
	kindAllow    statementKind = "allow"
	kindDeny     statementKind = "deny"
	kindProtect  statementKind = "protect"
	kindSeparate statementKind = "separate"
)

// rule is an allow, deny or protect statement. It is immutable.
type rule struct {
	kind     statementKind
	index    int // among the statements of its kind
	name     string
	position string // policy.yaml:14
	line     int
	who      *who
	except   *who // of deny and protect
	can      actionSet
	on       []access.Pattern
	when     *condition
	because  string
	after    *after      // of allow; nil asks nothing
	protect  *protection // of protect
}

// actionSet is a set of actions.
type actionSet map[access.Action]bool

func (s actionSet) meets(o actionSet) bool {
	for a := range s {
		if o[a] {
			return true
		}
	}
	return false
}

func (s actionSet) covers(o actionSet) bool {
	for a := range o {
		if !s[a] {
			return false
		}
	}
	return true
}

// after is what must have happened before an allow stands.
type after struct {
	ticket   bool
	approval *approval
}

// approval says who must release a request.
type approval struct {
	groups  []string
	exclude []string
	persons int
	within  time.Duration
	grant   time.Duration
}

// asks orders allows by how much they ask: nothing, a ticket, an approval, both.
func (r *rule) asks() int {
	n := 0
	if r.after != nil && r.after.ticket {
		n++
	}
	if r.needsPersons() {
		n += 2
	}
	return n
}

func (r *rule) needsPersons() bool { return r.after != nil && r.after.approval != nil }

// asksLess reports whether r asks less than o: the one that is used when both match.
func (r *rule) asksLess(o *rule) bool {
	if r.asks() != o.asks() {
		return r.asks() < o.asks()
	}
	if r.needsPersons() && r.after.approval.persons != o.after.approval.persons {
		return r.after.approval.persons < o.after.approval.persons
	}
	return r.index < o.index
}

// protection is what a protect statement asks for.
type protection struct {
	fields  []access.FieldPattern
	mask    access.Mask
	vectors string // "", withhold, allow
	treat   access.Treatment
	rows    int64
	topK    int64
	record  access.Level
	filter  *filter
}

// gives reports whether the statement hands something out rather than hiding it.
func (p *protection) gives() bool { return p.vectors == "allow" }

// separation is a separate statement.
type separation struct {
	name     string
	index    int
	position string
	line     int
	because  string
	duties   []duty
	approve  bool // approve is among the duties
	on       []access.Pattern
}

// duty is a named set of actions of a separation.
type duty struct {
	name    string
	actions actionSet
}
