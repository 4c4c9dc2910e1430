package opensearch

import (
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// fields are what an index's mapping says of its fields, by their full names.
type fields map[string]*field

type field struct {
	kind       string   // "object" when the mapping has none
	alias      string   // the field that this one is another name of
	from       []string // fields that are copied into this one
	computed   bool     // by a script, from whatever it reads
	normalized bool     // values are not kept as they were written
}

// vectorKinds are the types that hold embeddings.
var vectorKinds = map[string]bool{"knn_vector": true, "dense_vector": true, "sparse_vector": true, "rank_features": true, "rank_vectors": true}

// containers are types below which there are further names.
var containers = map[string]bool{"object": true, "nested": true, "flattened": true, "flat_object": true, "passthrough": true, "semantic_text": true}

// read takes a mapping in.
func (f fields) read(mapping jsonstream.Value) {
	f.properties("", mapping.Get("properties"), 0)
	for _, name := range []string{"runtime", "derived"} {
		for n := range mapping.Get(name).Members() {
			f[n] = &field{kind: "runtime", computed: true}
		}
	}
}

func (f fields) properties(prefix string, properties jsonstream.Value, depth int) {
	if depth > jsonstream.MaxDepth {
		return
	}
	for name, v := range properties.Members() {
		path := prefix + name
		d := f.at(path)
		if d.kind, _ = v.Get("type").Text(); d.kind == "" {
			d.kind = "object"
		}
		if d.kind == "alias" {
			d.alias, _ = v.Get("path").Text()
		}
		d.normalized = d.normalized || present(v.Get("normalizer"))
		into, _ := texts(v.Get("copy_to"), "")
		for _, to := range into {
			t := f.at(to)
			t.from = append(t.from, path)
		}
		f.properties(path+".", v.Get("properties"), depth+1)
		f.properties(path+".", v.Get("fields"), depth+1)
	}
}

func (f fields) at(path string) *field {
	d := f[path]
	if d == nil {
		d = &field{kind: "object"}
		f[path] = d
	}
	return d
}

// join adds what another index behind the same name has.
func (f fields) join(other fields) {
	for path, d := range other {
		have := f[path]
		if have == nil {
			f[path] = d
			continue
		}
		merged := *have
		if d.kind != have.kind {
			merged.normalized = true // nothing is known of it
			if vectorKinds[d.kind] || containers[d.kind] && !vectorKinds[have.kind] {
				merged.kind = d.kind
			}
		}
		merged.computed, merged.normalized = merged.computed || d.computed, merged.normalized || d.normalized
		merged.from = append(append([]string{}, have.from...), d.from...)
		if merged.alias == "" {
			merged.alias = d.alias
		} else if d.alias != "" && d.alias != merged.alias {
			merged.from = append(merged.from, d.alias)
		}
		f[path] = &merged
	}
}

func (p *place) vector(path string) bool {
	d := p.fields[path]
	if d == nil {
		if i := strings.LastIndex(path, ".inference"); i > 0 {
			parent := p.fields[path[:i]]
			return parent != nil && parent.kind == "semantic_text" // its embeddings stand there
		}
		return false
	}
	return vectorKinds[d.kind]
}

// treat is what happens to the values of a field: its own treatment, that of an object it is in or a field it is part of,
// of the field whose other name it is, or of a field that is copied into it.
func (p *place) treat(protection *access.Protection, path string) access.Treatment {
	return p.treatment(protection, path, 0)
}

func (p *place) treatment(protection *access.Protection, path string, depth int) access.Treatment {
	if t := protection.Field(p.resource, path, p.vector(path)); t.Mask != access.MaskNone {
		return t
	}
	for i := range len(path) {
		if path[i] == '.' && p.vector(path[:i]) {
			if t := protection.Field(p.resource, path[:i], true); t.Mask != access.MaskNone {
				return t
			}
		}
	}
	for i := len(path); i > 0; i = strings.LastIndexByte(path[:i], '.') {
		d := p.fields[path[:i]]
		if d == nil {
			continue
		}
		if d.computed || depth > 8 {
			if t, ok := p.any(protection); ok {
				return t
			}
			continue
		}
		from := d.from
		if d.alias != "" {
			from = append([]string{d.alias}, from...)
		}
		for _, other := range from {
			if t := p.treatment(protection, other+path[i:], depth+1); t.Mask != access.MaskNone {
				return t
			}
		}
	}
	return access.Treatment{}
}

// any is a treatment that could concern a value which comes from fields that nobody knows.
func (p *place) any(protection *access.Protection) (access.Treatment, bool) {
	if protection.Empty() {
		return access.Treatment{}, false
	}
	if len(protection.Fields) > 0 {
		t := protection.Fields[0].Treatment
		return access.Treatment{Mask: access.MaskNull, Rule: t.Rule}, true
	}
	return access.Treatment{Mask: access.MaskNull, Rule: protection.Vectors[0].Treatment.Rule}, true
}

// touched is treat for a use of the field that could tell of what is below it too: of an object's members, of a field that
// stands for others, of every field that a pattern matches.
func (p *place) touched(protection *access.Protection, path string) access.Treatment {
	if protection.Empty() {
		return access.Treatment{}
	}
	if strings.Contains(path, "*") {
		for name := range p.fields {
			if access.Glob(path, name) {
				if t := p.touched(protection, name); t.Mask != access.MaskNone {
					return t
				}
			}
		}
		return p.below(protection, strings.TrimRight(path[:strings.IndexByte(path, '*')], "."))
	}
	if t := p.treat(protection, path); t.Mask != access.MaskNone {
		return t
	}
	if d := p.fields[path]; d != nil && !containers[d.kind] {
		return access.Treatment{}
	}
	for name := range p.fields {
		if strings.HasPrefix(name, path+".") {
			if t := p.treat(protection, name); t.Mask != access.MaskNone {
				return t
			}
		}
	}
	return p.below(protection, path)
}

// below is the treatment of a rule for a field that could stand below path, although the mapping does not name it.
func (p *place) below(protection *access.Protection, path string) access.Treatment {
	if path == "" && len(p.fields) == 0 {
		return protection.Inside(p.resource, "")
	}
	for name, d := range p.fields {
		if (path == "" || name == path) && (d.kind == "flattened" || d.kind == "flat_object") {
			if t := protection.Inside(p.resource, name); t.Mask != access.MaskNone {
				return t // a query of the field looks at every value in it
			}
		}
	}
	if path == "" || p.fields[path] != nil {
		return access.Treatment{} // what can be asked about is in the mapping
	}
	return protection.Named(p.resource, path)
}
