package qdrant

import (
	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/hidden"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// payloadNode says what happens to a payload.
func payloadNode(p *access.Protection, at access.Resource) *jsonstream.Node {
	return hidden.Of(p, nil, at).Node("")
}

// vectorNode says what happens to vectors: one without a name, or several by their names.
func vectorNode(p *access.Protection, at access.Resource) *jsonstream.Node {
	return &jsonstream.Node{
		Treatment: treatVector(p, at, ""),
		Field:     func(name string) *jsonstream.Node { return &jsonstream.Node{Treatment: p.Field(at, name, true)} },
	}
}

// pointNode says what happens to a point of an answer to any of the parts.
func pointNode(parts []*part, p *access.Protection) *jsonstream.Node {
	at := parts[0].at
	fields := map[string]*jsonstream.Node{"payload": payloadNode(p, at), "vector": vectorNode(p, at), "vectors": vectorNode(p, at)}
	for _, part := range parts {
		if t := part.scores(p); t.Mask != access.MaskNone {
			fields["score"] = &jsonstream.Node{Treatment: t}
		}
		if t := part.used(p, asOrder); t.Mask != access.MaskNone {
			fields["order_value"] = &jsonstream.Node{Treatment: t}
		}
	}
	return &jsonstream.Node{Fields: fields, Count: true}
}

// used is what happens to the values of a field that is used in a certain way.
func (p *part) used(pr *access.Protection, how as) access.Treatment {
	for _, u := range p.uses {
		if t := treat(pr, p.at, u.field); u.as == how && t.Mask != access.MaskNone {
			return t
		}
	}
	return access.Treatment{}
}

// copied is what happens to values of such a field that stand elsewhere in an answer.
func (p *part) copied(pr *access.Protection, how as) *jsonstream.Node {
	n := &jsonstream.Node{Treatment: p.used(pr, how)}
	for _, u := range p.uses {
		if u.as == how {
			n.Document = hidden.Of(pr, nil, p.at).Document(u.field)
		}
	}
	return n
}

func under(name string, n *jsonstream.Node) *jsonstream.Node {
	return &jsonstream.Node{Fields: map[string]*jsonstream.Node{name: n}}
}

func result(n *jsonstream.Node) *jsonstream.Node { return under("result", n) }

func items(n *jsonstream.Node) *jsonstream.Node { return &jsonstream.Node{Items: n} }

// The shapes of answers.

func single(parts []*part, p *access.Protection) *jsonstream.Node { return result(pointNode(parts, p)) }

func listed(parts []*part, p *access.Protection) *jsonstream.Node {
	return result(items(pointNode(parts, p)))
}

func paged(parts []*part, p *access.Protection) *jsonstream.Node {
	return result(under("points", items(pointNode(parts, p))))
}

func lists(parts []*part, p *access.Protection) *jsonstream.Node {
	if len(parts) == 0 {
		return &jsonstream.Node{}
	}
	return result(items(items(pointNode(parts, p))))
}

func pages(parts []*part, p *access.Protection) *jsonstream.Node {
	if len(parts) == 0 {
		return &jsonstream.Node{}
	}
	return result(items(under("points", items(pointNode(parts, p)))))
}

func groups(parts []*part, p *access.Protection) *jsonstream.Node {
	fields := map[string]*jsonstream.Node{"hits": items(pointNode(parts, p)), "id": parts[0].copied(p, asGroup)}
	for _, l := range parts[0].lookups {
		if l.show != nil {
			fields["lookup"] = &jsonstream.Node{Fields: map[string]*jsonstream.Node{"payload": payloadNode(p, l.at), "vector": vectorNode(p, l.at), "order_value": {Treatment: access.Treatment{Mask: access.MaskNull}}}}
		}
	}
	return result(under("groups", items(&jsonstream.Node{Fields: fields})))
}

func facets(parts []*part, p *access.Protection) *jsonstream.Node {
	return result(under("hits", items(&jsonstream.Node{Count: true, Fields: map[string]*jsonstream.Node{"value": parts[0].copied(p, asFacet)}})))
}

func pairsOf(parts []*part, p *access.Protection) *jsonstream.Node {
	return result(under("pairs", items(&jsonstream.Node{Count: true, Fields: map[string]*jsonstream.Node{"score": {Treatment: parts[0].scores(p)}}})))
}

func offsets(parts []*part, p *access.Protection) *jsonstream.Node {
	return result(under("scores", items(&jsonstream.Node{Count: true, Treatment: parts[0].scores(p)})))
}
