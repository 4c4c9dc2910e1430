// Package hidden says what a policy hides in the fields of points, in the one way that holds for every engine: a rule is
// about a path below the collection, lists count for nothing, what is hidden hides all that is inside, and a text that is a
// JSON document is a copy of fields, in which a rule matches at any depth.
//
// It refuses to know requests, engines and rules. Start at Of.
package hidden

import (
	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// Fields are what is hidden in the points of some collections that an answer may be about. A nil Fields hides nothing. They
// are for one answer at a time.
type Fields struct {
	p      *access.Protection
	at     []access.Resource
	treat  func(path string) access.Treatment
	words  []string // one of them stands in a text wherever a hidden name does; nil when nothing can be said
	texts  map[string]*jsonstream.Node
	works  [deepest + 1]work
	within string // what stands before the paths of fields
}

// Of are the fields of collections. treat, when not nil, is asked about a path instead of the protection, by an engine whose
// fields have other names too. It is nil, and nothing has to be done with any value, when no rule is about a field of them.
func Of(p *access.Protection, treat func(path string) access.Treatment, at ...access.Resource) *Fields {
	f := &Fields{p: p, at: at, treat: treat, texts: map[string]*jsonstream.Node{}}
	if !f.any() {
		return nil
	}
	if treat == nil {
		f.treat = func(path string) access.Treatment {
			return f.strictest(func(r access.Resource) access.Treatment { return p.Field(r, path, false) })
		}
	}
	f.words = f.names()
	return f
}

func (f *Fields) any() bool {
	for _, r := range f.at {
		if f.p.Inside(r, "").Mask != access.MaskNone {
			return true
		}
	}
	return false
}

// strictest is what the first of the collections asks that asks anything.
func (f *Fields) strictest(of func(access.Resource) access.Treatment) access.Treatment {
	for _, r := range f.at {
		if t := of(r); t.Mask != access.MaskNone {
			return t
		}
	}
	return access.Treatment{}
}

// Treat is what happens to the field at a path.
func (f *Fields) Treat(path string) access.Treatment {
	if f == nil {
		return access.Treatment{}
	}
	return f.treat(path)
}

// mostNames is how many names of one object are kept in mind: every point may have others.
const mostNames = 1000

// Node says what happens to the value at a path, and to all that is inside of it; the empty path is the point itself.
func (f *Fields) Node(path string) *jsonstream.Node {
	if f == nil {
		return nil
	}
	return f.node(path, f.treat, f.Document(path))
}

// Inside says what happens to a document that is the value of a field by itself. The paths that are asked about are below it.
func (f *Fields) Inside(field string) *jsonstream.Node {
	if f == nil {
		return nil
	}
	f.within = field + "."
	return f.Node("")
}

// node is a place of a tree of which treat speaks. What it says of a list holds for everything in it.
func (f *Fields) node(path string, treat func(string) access.Treatment, document document) *jsonstream.Node {
	n := &jsonstream.Node{Document: document}
	if path != "" {
		n.Treatment = treat(path)
	}
	known := map[string]*jsonstream.Node{}
	n.Field = func(name string) *jsonstream.Node {
		child, ok := known[name]
		if !ok {
			if len(known) >= mostNames {
				clear(known)
			}
			below := join(path, name)
			inside := document
			if inside != nil {
				inside = f.Document(below)
			}
			child = f.node(below, treat, inside)
			known[name] = child
		}
		return child
	}
	n.Items = &jsonstream.Node{Field: n.Field, Document: document}
	n.Items.Items = n.Items
	return n
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
