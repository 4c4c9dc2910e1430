package expr

import "strings"

// Path is a field: its column, then the keys inside of a JSON column. A dynamic field may be named by itself or inside of
// Meta; its path is its own name either way.
type Path []string

// String is the field as policy names it: a key inside of a column follows a dot.
func (p Path) String() string { return strings.Join(p, ".") }

// Value is a constant: Text for a string, Number for a number as it is written, Variable for the name of a template's value.
type Value struct {
	Text     string
	Number   string
	Variable string
}

// Condition is one comparison, or one call of a function.
type Condition struct {
	// Fields are all that it names.
	Fields []Path
	// Equal are the constants that its one field must equal, one of them; Equality says that it is of that form.
	Equal    []Value
	Equality bool
	// Sure says that nothing but this condition's being true makes the whole true: it is joined by and alone.
	Sure bool
	// positive says that it is true for points whose field has a certain value, unlike x != 1, x is not null and 1 == 1.
	positive bool
}

// Expr is a condition that was read. Its zero value is no condition at all.
type Expr struct {
	written string
	root    node
	all     []*Condition
}

type junction uint8

const (
	leaf junction = iota
	and
	or
	negation
)

type node struct {
	junction junction
	parts    []node
	leaf     *Condition
}

// String is the condition written anew, "" when there is none.
func (e *Expr) String() string { return e.written }

// Empty reports whether there is no condition.
func (e *Expr) Empty() bool { return e.written == "" }

// Conditions are all comparisons and calls, in their order.
func (e *Expr) Conditions() []*Condition { return e.all }

// Keys returns the constants of a condition that every point which is meant must fulfil, and that names points by the key
// field; ok says that there is one. The one with the fewest constants is chosen.
func (e *Expr) Keys(key string) (values []Value, ok bool) {
	for _, c := range e.all {
		if c.Sure && c.Equality && len(c.Fields) == 1 && c.Fields[0].String() == key && (!ok || len(c.Equal) < len(values)) {
			values, ok = c.Equal, true
		}
	}
	return values, ok
}

// Narrows reports whether the condition can be expected to leave points out: it asks for certain values of some field. A
// range of the key does not, nor does anything that is only ruled out.
func (e *Expr) Narrows(key string) bool { return !e.Empty() && e.root.narrows(key) }

func (n *node) narrows(key string) bool {
	switch n.junction {
	case and:
		for i := range n.parts {
			if n.parts[i].narrows(key) {
				return true
			}
		}
		return false
	case or:
		for i := range n.parts {
			if !n.parts[i].narrows(key) {
				return false
			}
		}
		return true
	case negation:
		return false
	}
	c := n.leaf
	return c.positive && len(c.Fields) == 1 && (c.Equality || c.Fields[0].String() != key)
}

// sure marks the conditions that are joined by and alone.
func (n *node) sure() {
	switch n.junction {
	case and:
		for i := range n.parts {
			n.parts[i].sure()
		}
	case leaf:
		n.leaf.Sure = true
	}
}
