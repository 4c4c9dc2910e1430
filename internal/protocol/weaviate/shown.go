package weaviate

import (
	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/hidden"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// objects is what happens to objects of some collections in a JSON answer. Where several collections answer in one list, a
// field is hidden that is hidden in one of them.
type objects struct {
	p   *access.Protection
	all []stored
}

// stored is a place where objects are.
type stored struct {
	at    access.Resource
	class *class
}

// strictest asks every collection.
func (o *objects) strictest(of func(stored) access.Treatment) access.Treatment {
	for _, s := range o.all {
		if t := of(s); t.Mask != access.MaskNone {
			return t
		}
	}
	return access.Treatment{}
}

// property is what happens to a property and what is inside of it.
func (o *objects) property(path string) *jsonstream.Node {
	n := &jsonstream.Node{Treatment: o.strictest(func(s stored) access.Treatment { return treatment(o.p, s.at, path) })}
	n.Document = o.fields().Document(path)
	n.Field = func(name string) *jsonstream.Node { return o.property(path + "." + name) }
	n.Items = &jsonstream.Node{Field: n.Field, Document: n.Document}
	return n
}

// fields are what is hidden in texts that are documents of their own.
func (o *objects) fields() *hidden.Fields {
	places := make([]access.Resource, len(o.all))
	for i, s := range o.all {
		places[i] = s.at
	}
	return hidden.Of(o.p, nil, places...)
}

// copied is what happens to values of a property that is not hidden where they stand elsewhere in an answer.
func copied(p *access.Protection, at access.Resource, path string) *jsonstream.Node {
	document := hidden.Of(p, nil, at).Document(path)
	if document == nil {
		return plain
	}
	n := &jsonstream.Node{Document: document}
	n.Items, n.Field = n, func(string) *jsonstream.Node { return n }
	return n
}

func (o *objects) vector(name string) *jsonstream.Node {
	return &jsonstream.Node{Treatment: o.strictest(func(s stored) access.Treatment {
		if name == "" {
			return vectorsOf(o.p, s.at, s.class) // a server may show the only named vector as the one without a name
		}
		return vectorTreatment(o.p, s.at, name)
	})}
}

// id is what happens to an id, which clients cannot do without.
func (o *objects) id() *jsonstream.Node {
	n := &jsonstream.Node{Treatment: o.strictest(func(s stored) access.Treatment { return o.p.Field(s.at, fieldID, false) })}
	if m := n.Treatment.Mask; m == access.MaskNull || m == access.MaskDrop {
		n.Treatment.Mask = access.MaskRedact
	}
	return n
}

// plain lets a value pass.
var plain = &jsonstream.Node{}

// nothing hides what the gateway does not know.
var nothing = &jsonstream.Node{Treatment: access.Treatment{Mask: access.MaskNull}}

// none is the Field of a Node whose members are all known.
func none(string) *jsonstream.Node { return nothing }

// object is an object as REST shows it.
func (o *objects) object() *jsonstream.Node {
	field := func(name string) *jsonstream.Node {
		return &jsonstream.Node{Treatment: o.strictest(func(s stored) access.Treatment { return o.p.Field(s.at, name, false) })}
	}
	return &jsonstream.Node{Field: none, Fields: map[string]*jsonstream.Node{
		"class": plain, "id": o.id(), "tenant": plain, "properties": {Field: o.property},
		"vector": o.vector(""), "vectors": {Field: o.vector}, "vectorWeights": plain,
		fieldCreated: field(fieldCreated), fieldUpdated: field(fieldUpdated), "deprecations": plain, "result": o.result(),
		"additional": nothing,
	}}
}

// result is how a write of a batch ended; its errors may quote what is stored.
func (o *objects) result() *jsonstream.Node {
	return &jsonstream.Node{Field: none, Fields: map[string]*jsonstream.Node{"status": plain, "errors": complaints("error", o.p)}}
}

// complaints are the messages of a server in a list, which may quote what is stored.
func complaints(list string, p *access.Protection) *jsonstream.Node {
	message := &jsonstream.Node{}
	if !p.Empty() {
		message.Treatment.Mask = access.MaskRedact
	}
	each := &jsonstream.Node{Items: &jsonstream.Node{Field: none, Fields: map[string]*jsonstream.Node{"message": message, "path": plain, "locations": plain}}}
	if list == "" {
		return each
	}
	return &jsonstream.Node{Field: none, Fields: map[string]*jsonstream.Node{list: each}}
}
