package chroma

import (
	"slices"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/hidden"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// view is an answer that holds records: the columns of get, and the same once more for every query of a search.
type view struct {
	at      access.Resource
	include []string
	where   *conditions
	search  bool
	named   bool // by its ids
}

// oblige withholds vectors by not asking for them, and plans the mask of the answer, which hides them all the same.
func (v *view) oblige(o *access.Obligations, body jsonstream.Value) (*httpwire.Obliged, error) {
	p := o.Protection
	if err := v.where.oblige(p, v.at); err != nil {
		return nil, err
	}
	if t := p.Field(v.at, fieldID, false); v.named && t.Mask != access.MaskNone && t.Predicates != "allow" && t.Predicates != "equality" {
		return nil, &access.Refusal{
			Code: access.CodeObligation, Rule: t.Rule, Message: "the ids of " + v.at.String() + " are hidden, so no records may be asked for by them",
			Hint: "say which records in where",
		}
	}
	on, err := filters(o, v.at)
	if err != nil {
		return nil, err
	}
	vectors := p.Field(v.at, fieldEmbedding, true)
	withheld := vectors.Mask != access.MaskNone
	if v.search && withheld && (vectors.Predicates == "deny" || vectors.Predicates == "equality") {
		return nil, &access.Refusal{
			Code: access.CodeObligation, Rule: vectors.Rule, Message: "the vectors of " + v.at.String() + " are hidden, so they may not be searched",
		}
	}
	include := v.include
	if withheld {
		include = slices.DeleteFunc(slices.Clone(include), func(s string) bool {
			return s == "embeddings" || s == "distances" && vectors.Distance == "deny"
		})
	}
	list := make([]jsonstream.Value, len(include))
	for i, name := range include {
		list[i] = jsonstream.String(name)
	}
	return &httpwire.Obliged{
		Body: narrowed(body, on).With("include", jsonstream.List(list...)), Filtered: true,
		Mask: v.mask(p, vectors), Rows: o.Rows, Mute: mute(o, on),
	}, nil
}

// mostKeys is how many keys of metadata are kept in mind: every record may have others.
const mostKeys = 1000

// mute says whether the engine's messages are withheld: they may quote records that may not be seen, or values.
func mute(o *access.Obligations, on []access.FilterRule) bool {
	return !o.Protection.Empty() || len(on) > 0
}

// mask says what happens to every part of the answer.
func (v *view) mask(p *access.Protection, vectors access.Treatment) *jsonstream.Node {
	fields := hidden.Of(p, nil, v.at)
	value := func(field string) *jsonstream.Node {
		if fields == nil {
			return &jsonstream.Node{}
		}
		return fields.Node(field)
	}
	id := value(fieldID)
	if m := id.Treatment.Mask; m == access.MaskNull || m == access.MaskDrop {
		id.Treatment.Mask = access.MaskRedact // clients cannot do without an id
	}
	id.Count = true
	document, uri := value(fieldDocument), value(fieldURI)
	for _, n := range []*jsonstream.Node{document, uri} {
		if n.Treatment.Mask == access.MaskDrop {
			n.Treatment.Mask = access.MaskNull
		}
	}
	keys := map[string]*jsonstream.Node{}
	metadata := &jsonstream.Node{Field: func(key string) *jsonstream.Node {
		n, ok := keys[key]
		if !ok {
			if len(keys) >= mostKeys {
				clear(keys)
			}
			n = value(key)
			n.Objects = vectors // a sparse vector
			keys[key] = n
		}
		return n
	}}
	columns := map[string]*jsonstream.Node{
		"ids": {Items: id}, "documents": {Items: document}, "uris": {Items: uri}, "metadatas": {Items: metadata},
		"embeddings": {Treatment: vectors}, "distances": {Items: &jsonstream.Node{Treatment: distances(vectors)}},
	}
	if v.search {
		for name, column := range columns {
			if column.Treatment.Mask == access.MaskNone {
				columns[name] = &jsonstream.Node{Items: column}
			}
		}
	}
	return &jsonstream.Node{Fields: columns}
}

// distances is what happens to the distance from a vector.
func distances(vectors access.Treatment) access.Treatment {
	switch {
	case vectors.Mask == access.MaskNone || vectors.Distance == "allow":
		return access.Treatment{}
	case vectors.Distance == "deny":
		return access.Treatment{Mask: access.MaskNull, Rule: vectors.Rule}
	}
	return access.Treatment{Mask: access.MaskRound, Rule: vectors.Rule}
}
