package opensearch

import (
	"slices"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/hidden"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// fieldID is the id of a document, as policy names it.
const fieldID = "_id"

// view is an answer that holds documents of some indices.
type view struct {
	at         places
	protection *access.Protection
	inner      map[string]string // inner hits by name: what their _source is relative to
	score      access.Treatment
	texts      *hidden.Fields
	looked     bool // texts is known
}

// treat is the strictest of what the indices ask for.
func (v *view) treat(path string) access.Treatment {
	for _, p := range v.at {
		if t := p.treat(v.protection, path); t.Mask != access.MaskNone {
			return t
		}
	}
	return access.Treatment{}
}

// values is what happens to a document, or to values by the names of their fields; prefix is what stands before the names.
func (v *view) values(prefix string) *jsonstream.Node {
	if v.protection.Empty() {
		return nil
	}
	return v.node(prefix)
}

// fields are what is hidden in texts that are documents of their own.
func (v *view) fields() *hidden.Fields {
	if !v.looked {
		places := make([]access.Resource, len(v.at))
		for i, p := range v.at {
			places[i] = p.resource
		}
		v.texts, v.looked = hidden.Of(v.protection, nil, places...), true
	}
	return v.texts
}

func (v *view) node(prefix string) *jsonstream.Node {
	n := &jsonstream.Node{Document: v.fields().Document(strings.TrimSuffix(prefix, "."))}
	n.Items = n
	seen := map[string]*jsonstream.Node{}
	n.Field = func(name string) *jsonstream.Node {
		child, ok := seen[name]
		if !ok {
			path := prefix + name
			if t := v.treat(path); t.Mask != access.MaskNone {
				child = &jsonstream.Node{Treatment: t}
			} else {
				child = v.node(path + ".")
			}
			if len(seen) < mostSeen {
				seen[name] = child
			}
		}
		return child
	}
	return n
}

// mostSeen is of how many names of one object it is remembered what happens to them.
const mostSeen = 4096

// marked are highlights: parts of values with marks in them, of which no mask shows a part.
func (v *view) marked() *jsonstream.Node {
	return &jsonstream.Node{Field: func(name string) *jsonstream.Node {
		if t := v.treat(name); t.Mask != access.MaskNone {
			t.Mask = access.MaskNull
			return &jsonstream.Node{Treatment: t}
		}
		return &jsonstream.Node{Items: &jsonstream.Node{Document: v.fields().Document(name)}}
	}}
}

// hide makes a value null that nobody has thought of.
func (v *view) hide() *jsonstream.Node {
	if v.protection.Empty() {
		return nil
	}
	return &jsonstream.Node{Treatment: access.Treatment{Mask: access.MaskNull, Rule: "nothing unknown"}}
}

// only lets some members of an object pass, besides those that have nodes.
func (v *view) only(pass string, nodes map[string]*jsonstream.Node) *jsonstream.Node {
	return &jsonstream.Node{Fields: nodes, Field: func(name string) *jsonstream.Node {
		if named(pass, name) {
			return nil
		}
		return v.hide()
	}}
}

func (v *view) id() *jsonstream.Node {
	t := v.treat(fieldID)
	if t.Mask == access.MaskNull || t.Mask == access.MaskDrop {
		t.Mask = access.MaskRedact // clients cannot do without an id
	}
	return &jsonstream.Node{Treatment: t}
}

// document is what get returns.
func (v *view) document() *jsonstream.Node {
	return v.only("_index _type _version _seq_no _primary_term _routing _ignored found _shards result forced_refresh", map[string]*jsonstream.Node{
		"_id": v.id(), "_source": v.values(""), "fields": v.values(""), "error": v.complaint(), "get": {Fields: map[string]*jsonstream.Node{"_source": v.values(""), "fields": v.values("")}},
	})
}

// complaint is an error inside an answer, which could quote what is hidden.
func (v *view) complaint() *jsonstream.Node {
	if v.protection.Empty() {
		return nil
	}
	n := v.only("type index index_uuid status shard", map[string]*jsonstream.Node{
		"reason": {Treatment: access.Treatment{Mask: access.MaskRedact, Rule: "messages of the database could quote protected values"}},
	})
	return n
}

// shards is how the parts of an index did.
func (v *view) shards() *jsonstream.Node {
	return v.only("total successful skipped failed", nil)
}

// hits are the documents that a search found; prefix is what their _source is relative to.
func (v *view) hits(prefix string) *jsonstream.Node {
	score := &jsonstream.Node{Treatment: v.score}
	sorted := &jsonstream.Node{Items: &jsonstream.Node{Document: v.fields().Document("")}}
	if v.score.Mask != access.MaskNone {
		sorted = &jsonstream.Node{Items: &jsonstream.Node{Treatment: v.score}}
	}
	hit := v.only("_index _type _nested _version _seq_no _primary_term _routing matched_queries _ignored _shard _node _rank", map[string]*jsonstream.Node{
		"_id": v.id(), "_score": score, "sort": sorted, "_source": v.values(prefix), "fields": v.values(""), "highlight": v.marked(), "ignored_field_values": v.values(""),
		"inner_hits": {Field: func(name string) *jsonstream.Node {
			path, ok := v.inner[name]
			if !ok {
				return v.hide()
			}
			if path != "" {
				path += "."
			}
			return v.only("", map[string]*jsonstream.Node{"hits": v.hits(path)})
		}},
	})
	if v.score.Mask != access.MaskNone {
		hit.Fields["matched_queries"] = v.hide() // may come with scores
	}
	hit.Count = true
	return v.only("total", map[string]*jsonstream.Node{"max_score": score, "hits": {Items: hit}})
}

// computed are aggregations. None of them is over a hidden field; documents stand below a member of one name.
func (v *view) computed() *jsonstream.Node {
	n := &jsonstream.Node{Document: v.fields().Document("")}
	n.Items = n
	n.Field = func(name string) *jsonstream.Node {
		if name == "hits" {
			return v.hits("")
		}
		return n
	}
	return n
}

// found is the answer of a search.
func (v *view) found() *jsonstream.Node {
	return v.only("took timed_out num_reduce_phases terminated_early status _clusters phase_took pit_id", map[string]*jsonstream.Node{
		"hits": v.hits(""), "_shards": v.shards(), "aggregations": v.computed(), "error": v.complaint(), "_scroll_id": {},
	})
}

// vectors are the paths of vectors that may not be seen: they are not asked for.
func (v *view) vectors() []string {
	var paths []string
	for _, p := range v.at {
		for path := range p.fields {
			if p.vector(path) && p.treat(v.protection, path).Mask != access.MaskNone && !slices.Contains(paths, path) {
				paths = append(paths, path)
			}
		}
	}
	slices.Sort(paths)
	return paths
}
