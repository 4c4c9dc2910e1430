package analysis

import (
	"sync/atomic"

	"github.com/vecgate/vecgate/internal/access"
)

// Plan is what one text means over one catalog. It is immutable and shared: nobody may change it or what it points to.
type Plan struct {
	Text       string
	Statements []*Statement // in order; none for an empty text
	Refused    *Fault       // the text cannot be parsed, or is too large or too deep to be; Statements is nil then
	Epoch      uint64       // of the catalog
}

// Fault is why a text was not parsed, in the shape of a PostgreSQL error.
type Fault struct {
	SQLSTATE string // 42601, 54001, 54000, 22021
	Message  string
	Position int // in characters from 1, 0 when unknown
	Hint     string
}

// Statement is one statement of a text.
type Statement struct {
	Kind Kind
	Text string // this statement's part of the text

	// Accesses are its effects, most consequential first; none when it touches no data (BEGIN, SELECT 1).
	Accesses []access.Access
	// Unclear says why part of it could not be read. Such a statement must be refused.
	Unclear string
	// Missing is the SQLSTATE with which the server would answer when Unclear is only that something named does not exist
	// (42P01 relation, 42703 column, 42883 function); empty otherwise. A fresh catalog may know it.
	Missing string
	// Opaque says why the values that come back cannot be traced (a call of a user's function): refused by Oblige where
	// anything is protected.
	Opaque string

	// Outputs are what each result column is made of; nil when no rows come back.
	Outputs []Output
	// Shaping are the columns in positions that decide which rows come back, how many and in which order.
	Shaping []Use
	// Sinks are the columns that flow into tables, new relations or out of the session.
	Sinks []Flow
	// Touches are the relations read or written, also when no column of them is named (SELECT count(*)).
	Touches []*Relation

	// RowCap is the constant LIMIT of the outermost query, or access.Unbounded.
	RowCap int64
	// LimitParam is the number of the parameter that is the LIMIT of the outermost query (LIMIT $3), or 0.
	LimitParam int
	// BoundParam is the number of the parameter that bounds what the accesses may return, or 0: LimitParam, or that of a
	// query inside. Until its value is known their Rows are Unbounded; Limited gives them with it.
	BoundParam int

	Prepares string     // PREPARE name, DECLARE name
	Body     *Statement // the statement of PREPARE name AS, DECLARE name CURSOR FOR, EXPLAIN
	Executes string     // EXECUTE name, FETCH or MOVE cursor, CLOSE cursor, DEALLOCATE name; "" with All is every one
	All      bool       // CLOSE ALL, DEALLOCATE ALL, DISCARD ALL

	// Definitions are the views, functions and triggers that say what the statement does besides its text, each with a
	// digest; "" for none.
	Definitions string

	ReturnsRows     bool
	ChangesCatalog  bool
	ChangesSettings []Setting

	distances map[*Column]int       // how often one of a vector column is computed
	named     map[*Column]bool      // the columns that its text names, not the views that it reads
	hooked    bool                  // event triggers run with it
	behind    map[*Column][]*Column // of the views it reads: what their columns are made of
	bound     []int                 // by access: how often the parameter BoundParam bounds its rows
	treated   atomic.Pointer[[]treated]
}

// Output is one column of the answer.
type Output struct {
	Name string
	// Copy is set when the output is a plain copy of exactly this column.
	Copy *Column
	// Sources are all columns whose values can flow into the output. Of a plain copy they are the names under which the
	// same value is known: the table's column, its view's, its partitions'.
	Sources []*Column
	// Distance is set when the output is a distance of a constant to this vector column.
	Distance *Column
	TypeOID  uint32 // 0 when unknown
}

// Column is a column of a relation of the catalog. Columns are interned per catalog: the same column is the same pointer.
type Column struct {
	Relation uint32 // OID of the relation, of the ancestor table for partitions and children
	Attnum   int16
	Resource access.Resource
	Name     string
	Vector   bool // vector, halfvec, sparsevec, or an array of one of them
	TypeOID  uint32
}

// ColumnKey names a column as RowDescription does.
type ColumnKey struct {
	Relation uint32
	Attnum   int16
}

// How a column is used in a row-shaping position.
type How string

// The uses.
const (
	UseEquality How = "equality" // column = constant, or column IN (constants), as a top-level conjunct of WHERE
	UseKNN      How = "knn"      // ORDER BY distance of a vector column to a constant, with LIMIT
	UseOther    How = "other"
)

// Use is a column in a row-shaping position.
type Use struct {
	Column *Column
	How    How
	Where  string // the clause, for people: "WHERE", "ORDER BY", "a JOIN condition"
}

// Flow is columns flowing somewhere.
type Flow struct {
	Sources []*Column
	Target  *Column // nil when they flow into something that is no column of the catalog
	Copy    bool    // they flow as they are: one column's value, with which nothing is computed
	Into    string  // for people: "public.copies.note", "COPY TO STDOUT"
}

// Setting is a run-time parameter that a statement changes.
type Setting struct {
	Name  string // lower case; "all" for RESET ALL
	Value string // what SET says, elements joined with ", "
	Local bool
	Reset bool // RESET, or SET … TO DEFAULT
}

// Treatment is what has to be done with the answer of a statement under a protection.
type Treatment struct {
	// Columns is what happens to each output by ordinal; nil when nothing is masked. A distance that must be rounded has
	// the mask access.MaskRound, a derived value that must be hidden access.MaskNull.
	Columns []access.Treatment
	// Inside are the columns that outputs whose mask is access.MaskInside are copies of, by ordinal.
	Inside map[int][]*Column
	// Redact says that errors and notices may carry protected values.
	Redact bool
	// Forbidden are the columns that must not appear in a RowDescription at an ordinal that Columns does not mask.
	Forbidden map[ColumnKey]access.Treatment
	// Types are the type OIDs of the outputs, 0 where unknown; nil when no rows come back.
	Types []uint32
}

type treated struct {
	protection *access.Protection
	treatment  *Treatment
	refusal    *access.Refusal
}
