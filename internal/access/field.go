package access

import "strings"

// FieldPattern is a Pattern followed by a dot and the path of a field below the collection: "products/public/customers.email",
// "docs/default/posts.meta.email", "**.phone". In the path "*" stands for any run of characters of one name, and "**" for
// any names, none included. A Pattern that ends in "**" stands for whatever follows down to the field: "**.phone" is about
// every phone of every collection, at any depth. Lists count for nothing in a path.
type FieldPattern string

// Match reports whether the field of the resource matches, or is inside of one that does: who hides the whole hides its
// parts. Names of collections and of fields can both have dots, so any dot after the last slash may be the one between them:
// "docs/x/y.meta.email" is the field meta.email of y, and the field email of y.meta. Reading it both ways hides too much
// rather than too little.
func (p FieldPattern) Match(r Resource, path string) bool {
	for dot := p.next(-1); dot > 0; dot = p.next(dot) {
		if matchPath(string(p[dot+1:]), path, p.deep(dot)) && Pattern(p[:dot]).Match(r) {
			return true
		}
	}
	return false
}

// Below reports whether the pattern could match something inside of the field; the empty path is the collection.
func (p FieldPattern) Below(r Resource, path string) bool {
	for dot := p.next(-1); dot > 0; dot = p.next(dot) {
		if (p.deep(dot) || reachesBelow(string(p[dot+1:]), path)) && Pattern(p[:dot]).Match(r) {
			return true
		}
	}
	return false
}

// Names reports whether the pattern is about something inside of the field and says so by the field's own name: a pattern
// that matches at any depth does not.
func (p FieldPattern) Names(r Resource, path string) bool {
	for dot := p.next(-1); dot > 0; dot = p.next(dot) {
		name := string(p[dot+1:])
		if i := strings.Index(name+".", "**."); i >= 0 {
			name = name[:i] + "*" // up to where anything may come
			if i == 0 || strings.Count(name, ".") <= strings.Count(path, ".") {
				continue
			}
		}
		if !p.deep(dot) && reachesBelow(name, path) && Pattern(p[:dot]).Match(r) {
			return true
		}
	}
	return false
}

// MatchCopy reports whether the pattern matches a value at a path inside of a document that is kept as text in the field. Such
// a text is a copy of what stands in fields, under names that whoever wrote the rule does not know, so that a pattern
// matches there at any depth.
func (p FieldPattern) MatchCopy(r Resource, field, path string) bool {
	for dot := p.next(-1); dot > 0; dot = p.next(dot) {
		name := string(p[dot+1:])
		if (matchPath(name, path, true) || matchPath(name, field+"."+path, p.deep(dot))) && Pattern(p[:dot]).Match(r) {
			return true
		}
	}
	return false
}

// next is the next dot that can stand between collection and field, negative when there is none.
func (p FieldPattern) next(dot int) int {
	from := dot + 1
	if dot < 0 {
		from = strings.LastIndexByte(string(p), '/') + 1
	}
	if i := strings.IndexByte(string(p[from:]), '.'); i >= 0 {
		return from + i
	}
	return -1
}

// deep reports whether the field may be at any depth when the dot is the one before it.
func (p FieldPattern) deep(dot int) bool {
	return strings.HasSuffix(string(p[:dot]), "**") && (dot == 2 || p[dot-3] == '/')
}

// matchPath reports whether a path, or what it is inside of, matches. With deep, any names may come before.
func matchPath(pattern, path string, deep bool) bool {
	// As glob, over names: after a "**", what follows is tried at the next name, and then at the one after it.
	again, at := "", ""
	if deep {
		again, at = pattern, path
	}
	for p, s := pattern, path; ; {
		head, prest, pmore := strings.Cut(p, ".")
		if head == "**" {
			if !pmore {
				return true
			}
			again, at, deep = prest, s, true
			p = prest
			continue
		}
		name, srest, smore := strings.Cut(s, ".")
		if glob(head, name) {
			if !pmore {
				return true
			}
			if smore {
				p, s = prest, srest
				continue
			}
			return strings.ReplaceAll(prest+".", "**.", "") == ""
		}
		if !deep {
			return false
		}
		var more bool
		if _, at, more = strings.Cut(at, "."); !more {
			return false
		}
		p, s = again, at
	}
}

// reachesBelow reports whether a pattern could match something inside of a path.
func reachesBelow(pattern, path string) bool {
	for p, s, more := pattern, path, path != ""; ; {
		head, prest, pmore := strings.Cut(p, ".")
		if !more || head == "**" {
			return true
		}
		var name string
		name, s, more = strings.Cut(s, ".")
		if !pmore || !glob(head, name) {
			return false
		}
		p = prest
	}
}

// Field is what happens to a field of a resource, by its path. Of the rules that match, the first says how it is hidden, and
// of the rest each part is as strict as any of them asks. vector says that it holds an embedding.
func (p *Protection) Field(r Resource, path string, vector bool) Treatment {
	if p == nil {
		return Treatment{}
	}
	if t, ok := p.fields(func(f FieldPattern) bool { return f.Match(r, path) }); ok {
		return t
	}
	if vector {
		for i := range p.Vectors {
			if p.Vectors[i].Pattern.Match(r) {
				return p.Vectors[i].Treatment
			}
		}
	}
	return Treatment{}
}

// Copy is what happens to the value at a path of a document that is kept as text in a field.
func (p *Protection) Copy(r Resource, field, path string) Treatment {
	if p == nil {
		return Treatment{}
	}
	t, _ := p.fields(func(f FieldPattern) bool { return f.MatchCopy(r, field, path) })
	return t
}

// Named is what happens to something inside of a field of which a rule speaks by the field's own name.
func (p *Protection) Named(r Resource, path string) Treatment {
	if p == nil {
		return Treatment{}
	}
	for i := range p.Fields {
		if f := &p.Fields[i]; f.Treatment.Mask != MaskNone && f.Pattern.Names(r, path) {
			return f.Treatment
		}
	}
	return Treatment{}
}

// Inside is what could happen to something inside of a field: what the first rule asks that could match there.
func (p *Protection) Inside(r Resource, path string) Treatment {
	if p == nil {
		return Treatment{}
	}
	for i := range p.Fields {
		if f := &p.Fields[i]; f.Treatment.Mask != MaskNone && f.Pattern.Below(r, path) {
			return f.Treatment
		}
	}
	return Treatment{}
}

func (p *Protection) fields(match func(FieldPattern) bool) (t Treatment, ok bool) {
	for i := range p.Fields {
		f := &p.Fields[i]
		if !match(f.Pattern) {
			continue
		}
		if !ok {
			t, ok = f.Treatment, true
			continue
		}
		t = t.Tighten(f.Treatment)
	}
	return t, ok
}

var (
	predicateRank = map[string]int{"deny": 0, "": 1, "equality": 2, "knn": 3, "allow": 4}
	derivedRank   = map[string]int{"deny": 0, "": 1, "null": 2}
	distanceRank  = map[string]int{"deny": 0, "": 1, "round": 2, "allow": 3}
)

// Tighten keeps the mask and the rule, and takes over what another treatment asks more strictly.
func (t Treatment) Tighten(o Treatment) Treatment {
	if predicateRank[o.Predicates] < predicateRank[t.Predicates] {
		t.Predicates = o.Predicates
	}
	if derivedRank[o.Derived] < derivedRank[t.Derived] {
		t.Derived = o.Derived
	}
	if distanceRank[o.Distance] < distanceRank[t.Distance] {
		t.Distance = o.Distance
	}
	return t
}
