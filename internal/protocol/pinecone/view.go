package pinecone

import (
	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/hidden"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// matches is what happens to the answer of a query. The results of the deprecated batch come in the order of its queries;
// every one of them is treated as strictly as the strictest asks.
func matches(p *access.Protection, s *search) *jsonstream.Node {
	at := make([]access.Resource, len(s.queries))
	for i := range s.queries {
		at[i] = s.queries[i].at
	}
	list := &jsonstream.Node{Items: shown(p, at, false)}
	return &jsonstream.Node{Fields: map[string]*jsonstream.Node{
		"matches": list,
		"results": {Items: &jsonstream.Node{Fields: map[string]*jsonstream.Node{"matches": list}}},
	}}
}

// fetched is what happens to records by their ids.
func fetched(p *access.Protection, at access.Resource) *jsonstream.Node {
	rec := shown(p, []access.Resource{at}, true)
	return &jsonstream.Node{Fields: map[string]*jsonstream.Node{
		"vectors": {Field: func(string) *jsonstream.Node { return rec }},
	}}
}

// listed counts ids.
func listed() *jsonstream.Node {
	return &jsonstream.Node{Fields: map[string]*jsonstream.Node{"vectors": {Items: &jsonstream.Node{Count: true}}}}
}

// hits is what happens to the answer of a search of records.
func hits(p *access.Protection, at access.Resource) *jsonstream.Node {
	return &jsonstream.Node{Fields: map[string]*jsonstream.Node{
		"result": {Fields: map[string]*jsonstream.Node{"hits": {Items: shown(p, []access.Resource{at}, false)}}},
	}}
}

// What stands for values that are withheld from a record that was fetched: the clients take no record without any.
var noDense, noSparse = must(`[0]`), must(`{"indices":[0],"values":[0]}`)

// shown is what happens to a record, wherever it stands in an answer. What a record has that is not known here is treated
// as metadata of that name. Filled says that something must stand for values that are withheld.
func shown(p *access.Protection, at []access.Resource, filled bool) *jsonstream.Node {
	id := &jsonstream.Node{Treatment: hiddenID(field(p, at, fieldID, false))}
	dense, sparse := vectors(p, at)
	values, sparseValues := &jsonstream.Node{Treatment: dense}, &jsonstream.Node{Treatment: sparse}
	if filled {
		for n, instead := range map[*jsonstream.Node]jsonstream.Value{values: noDense, sparseValues: noSparse} {
			if n.Treatment.Mask != access.MaskNone {
				n.Treatment.Mask, n.Instead = access.MaskNull, instead
			}
		}
	}
	score := &jsonstream.Node{Treatment: distances(strictest(dense, sparse))}
	fields := hidden.Of(p, nil, at...)
	keys := map[string]*jsonstream.Node{}
	key := func(name string) *jsonstream.Node {
		n, ok := keys[name]
		if !ok {
			if len(keys) >= mostKeys {
				clear(keys)
			}
			if n = fields.Node(name); n == nil {
				n = &jsonstream.Node{}
			}
			keys[name] = n
		}
		return n
	}
	metadata := &jsonstream.Node{Field: key}
	metadata.Treatment = field(p, at, "metadata", false)
	return &jsonstream.Node{Count: true, Field: key, Fields: map[string]*jsonstream.Node{
		"id": id, "_id": id, "score": score, "_score": score,
		"values": values, "sparseValues": sparseValues, "sparse_values": sparseValues,
		"metadata": metadata, "fields": metadata,
	}}
}

// mostKeys is how many keys of metadata are kept in mind: every record may have others.
const mostKeys = 1000

// field is how a field is treated where a record may be of any of several namespaces.
func field(p *access.Protection, at []access.Resource, name string, vector bool) access.Treatment {
	for _, r := range at {
		if t := p.Field(r, name, vector); t.Mask != access.MaskNone {
			return t
		}
	}
	return access.Treatment{}
}

// vectors is how the two kinds of values are treated: left out where that can be, because clients want a list or nothing.
func vectors(p *access.Protection, at []access.Resource) (dense, sparse access.Treatment) {
	dense, sparse = field(p, at, fieldValues, true), field(p, at, fieldSparse, true)
	for _, t := range []*access.Treatment{&dense, &sparse} {
		if t.Mask != access.MaskNone {
			t.Mask = access.MaskDrop
		}
	}
	return dense, sparse
}

// hiddenID keeps an id that is hidden a text, which clients cannot do without.
func hiddenID(t access.Treatment) access.Treatment {
	if t.Mask == access.MaskNull || t.Mask == access.MaskDrop {
		t.Mask = access.MaskRedact
	}
	return t
}

func strictest(a, b access.Treatment) access.Treatment {
	order := map[string]int{"allow": 0, "": 1, "round": 1, "deny": 2}
	if a.Mask == access.MaskNone || b.Mask != access.MaskNone && order[b.Distance] > order[a.Distance] {
		return b
	}
	return a
}

// distances is what happens to the distance from a vector.
func distances(vectors access.Treatment) access.Treatment {
	switch {
	case vectors.Mask == access.MaskNone || vectors.Distance == "allow":
		return access.Treatment{}
	case vectors.Distance == "deny":
		return access.Treatment{Mask: access.MaskDrop, Rule: vectors.Rule}
	}
	return access.Treatment{Mask: access.MaskRound, Rule: vectors.Rule}
}
