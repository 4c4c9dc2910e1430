package generic

import (
	"errors"
	"fmt"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/hidden"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// answer is a described answer.
type answer struct {
	*Answer
	rows []step // nil when there are none
}

// step goes one level down to the rows.
type step struct {
	member string // "" for the elements of an array, "*" for every member of an object
}

func compileAnswer(a *Answer) (*answer, error) {
	out := &answer{Answer: a}
	if a.Rows == "" {
		if a.ID != "" || a.Fields != "" || len(a.Vectors)+len(a.Scores)+len(a.RowPlain) > 0 {
			return nil, errors.New("the answer has parts of rows and no rows")
		}
		return out, nil
	}
	if a.Rows == "." {
		out.rows = []step{}
		return out, nil
	}
	for _, segment := range strings.Split(a.Rows, ".") {
		name := strings.TrimRight(segment, "[]")
		for brackets := segment[len(name):]; ; brackets = brackets[2:] {
			if name != "" && brackets == segment[len(name):] {
				out.rows = append(out.rows, step{name})
			}
			if brackets == "" {
				break
			}
			if !strings.HasPrefix(brackets, "[]") {
				return nil, fmt.Errorf("rows: %q is not a path such as hits[] or vectors.*", a.Rows)
			}
			out.rows = append(out.rows, step{""})
		}
		if segment == "" {
			return nil, fmt.Errorf("rows: %q has an empty member", a.Rows)
		}
	}
	if last := out.rows[len(out.rows)-1].member; last != "" && last != "*" {
		return nil, fmt.Errorf("rows: %q ends neither in [] nor in *", a.Rows)
	}
	return out, nil
}

// possible refuses what no mask can do.
func (a *answer) possible(p *access.Protection, at access.Resource) error {
	if t := a.id(p, at); t.Mask != access.MaskNone && len(a.rows) > 0 && a.rows[len(a.rows)-1].member == "*" {
		return &access.Refusal{
			Code: access.CodeObligation, Rule: t.Rule, Message: "the ids of " + at.String() + " are hidden, and in this answer they are the names of members, which cannot be",
		}
	}
	return nil
}

// id is what happens to ids, which policies call id, or by their place.
func (a *answer) id(p *access.Protection, at access.Resource) access.Treatment {
	t := p.Field(at, "id", false)
	if t.Mask == access.MaskNone && a.ID != "" && a.ID != "." {
		t = p.Field(at, a.ID, false)
	}
	if t.Mask == access.MaskNull || t.Mask == access.MaskDrop {
		t.Mask = access.MaskRedact // clients cannot do without an id
	}
	return t
}

// gone hides what was not described.
func gone(p *access.Protection) *jsonstream.Node {
	if p.Empty() {
		return nil
	}
	return &jsonstream.Node{Treatment: access.Treatment{Mask: access.MaskNull}}
}

// mask says what happens to every part of the answer. A document that does not have the form that was described is not
// let pass.
func (a *answer) mask(p *access.Protection, at access.Resource) *jsonstream.Node {
	root := &jsonstream.Node{Only: jsonstream.Object, Fields: map[string]*jsonstream.Node{}, Field: func(string) *jsonstream.Node { return gone(p) }}
	for _, path := range a.Plain {
		plain(root, strings.Split(path, "."), p)
	}
	if a.Rows == "." {
		return a.row(p, at)
	}
	node := root
	for i, s := range a.rows {
		var next *jsonstream.Node
		if i == len(a.rows)-1 {
			next = a.row(p, at)
		} else {
			next = &jsonstream.Node{}
		}
		switch s.member {
		case "":
			if i == 0 {
				root = &jsonstream.Node{}
				node = root
			}
			node.Only, node.Items, node.Fields, node.Field = jsonstream.Array, next, nil, nil
		case "*":
			node.Only = jsonstream.Object
			node.Fields, node.Field = nil, func(string) *jsonstream.Node { return next }
		default:
			if known := node.Fields[s.member]; known != nil && i < len(a.rows)-1 {
				next = known // plain members beside the rows
			}
			node.Only = jsonstream.Object
			if node.Fields == nil {
				node.Fields = map[string]*jsonstream.Node{}
			}
			node.Fields[s.member] = next
			if node.Field == nil {
				node.Field = func(string) *jsonstream.Node { return gone(p) }
			}
		}
		node = next
	}
	return root
}

// plain lets a path of the document pass.
func plain(n *jsonstream.Node, path []string, p *access.Protection) {
	if len(path) == 1 {
		n.Fields[path[0]] = &jsonstream.Node{}
		return
	}
	inner := n.Fields[path[0]]
	if inner == nil {
		inner = &jsonstream.Node{Only: jsonstream.Object, Fields: map[string]*jsonstream.Node{}, Field: func(string) *jsonstream.Node { return gone(p) }}
		n.Fields[path[0]] = inner
	}
	if inner.Fields != nil {
		plain(inner, path[1:], p)
	}
}

// row says what happens to the parts of a row.
func (a *answer) row(p *access.Protection, at access.Resource) *jsonstream.Node {
	if a.ID == "." {
		return &jsonstream.Node{Treatment: a.id(p, at), Objects: access.Treatment{Mask: access.MaskNull}, Count: true}
	}
	row := &jsonstream.Node{Only: jsonstream.Object, Count: true, Fields: map[string]*jsonstream.Node{}}
	row.Field = func(string) *jsonstream.Node { return gone(p) }
	if a.Fields == "." {
		row.Field = fields(p, at).Field
	} else if a.Fields != "" {
		inside(row, a.Fields, fields(p, at), p)
	}
	for _, path := range a.RowPlain {
		inside(row, path, &jsonstream.Node{}, p)
	}
	var withheld access.Treatment
	for _, path := range a.Vectors {
		t := p.Field(at, path, true)
		withheld = strictest(withheld, t)
		inside(row, path, &jsonstream.Node{Treatment: t}, p)
	}
	if len(a.Vectors) == 0 {
		withheld = p.Field(at, "vector", true)
	}
	for _, path := range a.Scores {
		inside(row, path, &jsonstream.Node{Treatment: scores(withheld)}, p)
	}
	if a.ID != "" {
		inside(row, a.ID, &jsonstream.Node{Treatment: a.id(p, at)}, p)
	}
	return row
}

// inside puts a node at a path of a row. What stands beside it on the way is hidden, or a field where fields are.
func inside(n *jsonstream.Node, path string, leaf *jsonstream.Node, p *access.Protection) {
	head, rest, nested := strings.Cut(path, ".")
	if n.Fields == nil {
		n.Fields = map[string]*jsonstream.Node{}
	}
	if !nested {
		n.Fields[head] = leaf
		return
	}
	inner := n.Fields[head]
	if inner == nil {
		if n.Field != nil {
			inner = n.Field(head)
		}
		if inner == nil || inner.Field == nil {
			inner = &jsonstream.Node{Field: func(string) *jsonstream.Node { return gone(p) }}
		}
		inner.Only = jsonstream.Object
		n.Fields[head] = inner
	}
	inside(inner, rest, leaf, p)
}

// fields are the members of an object that policy calls fields.
func fields(p *access.Protection, at access.Resource) *jsonstream.Node {
	n := hidden.Of(p, nil, at).Node("")
	if n == nil {
		n = &jsonstream.Node{Field: func(string) *jsonstream.Node { return &jsonstream.Node{} }}
	}
	n.Only, n.Items = jsonstream.Object, nil
	return n
}

// strictest is what two vectors ask for, when either may be the one that is searched.
func strictest(a, b access.Treatment) access.Treatment {
	if a.Mask == access.MaskNone || b.Mask == access.MaskNone {
		if a.Mask == access.MaskNone {
			a = b
		}
		return a
	}
	order := map[string]int{"allow": 0, "round": 1, "knn": 1, "": 1, "equality": 2, "deny": 3}
	if order[b.Distance] > order[a.Distance] {
		a.Distance = b.Distance
	}
	if order[b.Predicates] > order[a.Predicates] {
		a.Predicates = b.Predicates
	}
	return a
}

// scores is what happens to the distance from a vector.
func scores(vectors access.Treatment) access.Treatment {
	switch {
	case vectors.Mask == access.MaskNone || vectors.Distance == "allow":
		return access.Treatment{}
	case vectors.Distance == "deny":
		return access.Treatment{Mask: access.MaskNull, Rule: vectors.Rule}
	}
	return access.Treatment{Mask: access.MaskRound, Rule: vectors.Rule}
}
