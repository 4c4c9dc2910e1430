// Package expr reads the filter language of Milvus: which fields a condition names, whether it names points by their key,
// and whether it narrows anything.
//
// It knows the part of the language that it can read with certainty (https://milvus.io/docs/boolean.md); everything else is
// a fault, so that nothing is sent on that the server could read otherwise. It knows no schema, policy or message. What
// was read is written anew by String: one spelling for strings, operators and white space. Start at Parse.
package expr

import "fmt"

// Fault says why a text could not be read. Offset counts bytes from the start.
type Fault struct {
	Offset int
	What   string
}

// Error implements error. It never quotes the text.
func (f *Fault) Error() string { return fmt.Sprintf("at byte %d of its filter: %s", f.Offset, f.What) }

// MaxDepth is how deep parentheses, lists and operators may be nested.
const MaxDepth = 64

// Meta is the column that holds all dynamic fields of a point.
const Meta = "$meta"
