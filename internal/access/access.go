// Package access is the vocabulary of vecgate: who asks (Subject), what one client request would do (Operation, a list
// of Access), what is decided about it (Decision, Obligations, Hold), what people release (Request, Grant), and how a
// no is said (Refusal).
//
// It refuses to know any protocol, store, rule language or log; it imports the standard library only, and every other
// package may import it. Start at Operation.
package access

import (
	"strings"
	"time"
)

// Resource is a place in a target: target / namespace / collection. For PostgreSQL the namespace is the schema and the
// collection is the table. An empty collection means the namespace as a whole, an empty namespace the target as a whole.
type Resource struct {
	Target     string `json:"target"`
	Namespace  string `json:"namespace,omitempty"`
	Collection string `json:"collection,omitempty"`
}

// String returns the resource as policies write it: products/public/items.
func (r Resource) String() string {
	switch {
	case r.Collection != "":
		return r.Target + "/" + r.Namespace + "/" + r.Collection
	case r.Namespace != "":
		return r.Target + "/" + r.Namespace
	}
	return r.Target
}

// Access is one effect of an operation: an action on a resource, with what policy may ask about it.
type Access struct {
	Action     Action     `json:"action"`
	Resource   Resource   `json:"resource"`
	Attributes Attributes `json:"attributes,omitzero"`
}

// Unbounded is the Rows of an access that says nothing of how much it would read.
const Unbounded = -1

// Attributes are the facts about an access that conditions and limits look at. Engine defaults are made explicit by
// the front end: an absent limit is Unbounded, never zero.
type Attributes struct {
	// Limit and Offset as the client wrote them; Limit is Unbounded when absent or not a constant.
	Limit  int64 `json:"limit,omitempty"`
	Offset int64 `json:"offset,omitempty"`
	// Rows is the most that the access can return: queries x limit x groups, or Unbounded.
	Rows int64 `json:"rows,omitempty"`
	// Vectors says that raw embeddings are asked for in the answer.
	Vectors bool `json:"vectors,omitempty"`
	// Fields that the answer or the conditions touch; nil when the access has none or all ("*" then).
	Fields []string `json:"fields,omitempty"`
	// FilterFields are the fields used in conditions; Filter says whether a filter is present and narrows anything.
	FilterFields []string `json:"filter_fields,omitempty"`
	Filter       Filter   `json:"filter,omitempty"`
	// IDs are the keys named literally by the request, at most a few hundred.
	IDs []string `json:"ids,omitempty"`
	// Points is how many points or rows a write carries; Unbounded when that is not known beforehand.
	Points int64 `json:"points,omitempty"`
	// OrderBy are the fields that order the answer.
	OrderBy []string `json:"order_by,omitempty"`
	// Cursor says that the answer is read through a cursor or a scroll handle.
	Cursor bool `json:"cursor,omitempty"`
	// Role of a secondary collection: "", "lookup", "join", "source", "destination".
	Role string `json:"role,omitempty"`
	// Alias is the name under which the client addressed the collection, when it was an alias or a view.
	Alias string `json:"alias,omitempty"`
	// Egress says that the server itself would fetch from or send to somewhere else.
	Egress bool `json:"egress,omitempty"`
	// Lock says that rows are locked (SELECT ... FOR UPDATE) although nothing is written.
	Lock bool `json:"lock,omitempty"`
	// Batch is the position in a batch, from 0.
	Batch int `json:"batch,omitempty"`
}

// Filter says how much a request's condition narrows what it touches.
type Filter string

// The kinds of filter.
const (
	FilterNone    Filter = ""        // no condition at all
	FilterTrivial Filter = "trivial" // a condition that is always true
	FilterKey     Filter = "key"     // equality with keys: named points
	FilterOther   Filter = "other"   // any other condition
)

// Operation is everything that one client request would do.
type Operation struct {
	// Accesses are all its effects, most consequential first.
	Accesses []Access
	// Text is the request verbatim (for SQL) or in canonical form, for the record and for the person who decides on it.
	Text string
	// Tell, if not nil, makes Text once somebody wants to read it, for requests that take longer to tell than to carry out.
	Tell func() string
	// Canonical is what an approval is bound to: everything that makes this request this one and no other, such as text,
	// parameters and their types. It is hashed, not stored. Nil means that Text says it all.
	Canonical []byte
	// Unclear says why part of it could not be read; such an operation is treated as able to do anything.
	Unclear string
	// NoHold says that this operation cannot wait for a person (for example inside a transaction that holds locks); the
	// sentence is shown to the client, who is told to send it in a form that can be held.
	NoHold string
	// Wait is the longest that the client of this very request can be kept waiting, when it said so; 0 bounds nothing.
	Wait time.Duration
	// Prepared says that nothing runs yet (a Parse without its Execute): what policy denies is refused at once, what it
	// holds passes, to be held when it runs.
	Prepared bool
	// Ticket is the change ticket that came with this very request, if any; it goes before one of the session.
	Ticket string
	// Free says that the operation touches no data (BEGIN, a bare Sync): it is recorded like any other and needs no rule.
	Free bool
}

// First returns the most consequential access, or the zero Access of an operation that has none.
func (o *Operation) First() Access {
	if len(o.Accesses) == 0 {
		return Access{}
	}
	return o.Accesses[0]
}

// Summary is one line for people: "upsert on products/public/items and 2 more".
func (o *Operation) Summary() string {
	if o.Unclear != "" {
		return "unclear: " + o.Unclear
	}
	if len(o.Accesses) == 0 {
		return "nothing"
	}
	var b strings.Builder
	first := o.Accesses[0]
	b.WriteString(string(first.Action))
	b.WriteString(" on ")
	b.WriteString(first.Resource.String())
	if n := len(o.Accesses) - 1; n > 0 {
		b.WriteString(" and ")
		b.WriteString(itoa(n))
		b.WriteString(" more")
	}
	return b.String()
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

// Outcome is how a forwarded request ended, as its front end saw it.
type Outcome struct {
	Rows   int64  // rows or hits delivered to the client
	Points int64  // distinct points seen, when the front end knows it
	Bytes  int64  // bytes of answer delivered to the client
	Code   string // the engine's own error code ("" = success): SQLSTATE, gRPC code, HTTP status
}
