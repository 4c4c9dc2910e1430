package qdrant

import (
	"slices"

	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// tree is a JSON document that can be changed in places. A part that nobody looks into keeps its text. All methods work
// on a nil tree, which is a member that is not there; a null is taken for none, as Qdrant does.
type tree struct {
	value jsonstream.Value // of what is neither an opened object nor an opened list
	open  bool
	names []string // of an object's members, in their order
	parts []*tree  // its members, or a list's elements
	room  *int     // how many more may be opened in the whole document
}

// mostOpened is how many members and elements of one document are looked into, which are not those of vectors and
// payloads. It bounds what a document of many small parts takes in memory.
const mostOpened = 200_000

func grow(v jsonstream.Value) *tree {
	if k := v.Kind(); k == jsonstream.None || k == jsonstream.Null {
		return nil
	}
	room := mostOpened
	return &tree{value: v, room: &room}
}

// full says that not all of the document could be looked into.
func (t *tree) full() bool { return t != nil && *t.room < 0 }

func (t *tree) kind() jsonstream.Kind {
	if t == nil {
		return jsonstream.None
	}
	return t.value.Kind()
}

// look opens an object or a list.
func (t *tree) look() *tree {
	if t == nil || t.open {
		return t
	}
	t.open = true
	for name, member := range t.value.Members() {
		if *t.room--; *t.room < 0 {
			return t
		}
		t.names, t.parts = append(t.names, name), append(t.parts, &tree{value: member, room: t.room})
	}
	for item := range t.value.Items() {
		if *t.room--; *t.room < 0 {
			return t
		}
		t.parts = append(t.parts, &tree{value: item, room: t.room})
	}
	return t
}

// get is a member of an object, nil when it is null.
func (t *tree) get(name string) *tree {
	if t.kind() != jsonstream.Object {
		return nil
	}
	if i := slices.Index(t.look().names, name); i >= 0 && t.parts[i].kind() != jsonstream.Null {
		return t.parts[i]
	}
	return nil
}

// items are the elements of a list.
func (t *tree) items() []*tree {
	if t.kind() != jsonstream.Array {
		return nil
	}
	return t.look().parts
}

// set puts a member into an object, in the place of the one of that name.
func (t *tree) set(name string, v jsonstream.Value) {
	if i := slices.Index(t.look().names, name); i >= 0 {
		t.parts[i] = &tree{value: v, room: t.room}
		return
	}
	t.names, t.parts = append(t.names, name), append(t.parts, &tree{value: v, room: t.room})
}

// remove takes a member out of an object.
func (t *tree) remove(name string) {
	if i := slices.Index(t.look().names, name); i >= 0 {
		t.names, t.parts = slices.Delete(t.names, i, i+1), slices.Delete(t.parts, i, i+1)
	}
}

// rename gives a member the one name under which it is sent on. It says no when both names are there.
func (t *tree) rename(from, to string) bool {
	i := slices.Index(t.look().names, from)
	if i < 0 {
		return true
	}
	if slices.Contains(t.names, to) {
		return false
	}
	t.names[i] = to
	return true
}

// only says whether an object has no members but these.
func (t *tree) only(names ...string) bool {
	if t.kind() != jsonstream.Object {
		return false
	}
	for _, name := range t.look().names {
		if !slices.Contains(names, name) {
			return false
		}
	}
	return true
}

// render is the document as it stands now.
func (t *tree) render() jsonstream.Value {
	if !t.open || t.kind() != jsonstream.Object && t.kind() != jsonstream.Array {
		return t.value
	}
	values := make([]jsonstream.Value, len(t.parts))
	for i, part := range t.parts {
		values[i] = part.render()
	}
	if t.kind() == jsonstream.Array {
		return jsonstream.List(values...)
	}
	return object(t.names, values)
}

// object is an object of members.
func object(names []string, values []jsonstream.Value) jsonstream.Value {
	if len(names) == 0 {
		return empty
	}
	out := jsonstream.Value{}
	for i, name := range names {
		out = out.With(name, values[i])
	}
	return out
}

// literal reads a text that is known to be JSON.
func literal(text string) jsonstream.Value {
	v, err := jsonstream.Read([]byte(text))
	if err != nil {
		panic(err) // the text stands in this package
	}
	return v
}

var (
	empty = literal("{}")
	no    = literal("false")
	yes   = literal("true")
)
