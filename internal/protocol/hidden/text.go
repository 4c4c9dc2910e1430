package hidden

import (
	"bytes"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// Bounds of texts that are looked into.
const (
	// Most is how long a text may be. One that begins like a document and is longer is withheld.
	Most = 1 << 20
	// deepest is how many documents may be in each other as texts. What looks like one below that is withheld.
	deepest = 3
)

// document makes another text of one that may be a JSON document.
type document = func(h *mask.Hider, text string) string

// Document hides inside of a text that stands in the field, for jsonstream.Node.
func (f *Fields) Document(field string) document {
	if f == nil {
		return nil
	}
	return func(h *mask.Hider, text string) string { return f.inside(h, f.within+field, "", text, 1) }
}

// Written is Node for a field whose value is a document that the engine writes as a text: what stands in it has the paths that it
// has in the field. A document that cannot be read is withheld.
func (f *Fields) Written(path string) *jsonstream.Node {
	n := f.Node(path)
	if n == nil {
		return nil
	}
	inside := *n
	n.Document = func(h *mask.Hider, text string) string {
		var out bytes.Buffer
		m := jsonstream.NewMasker(&out, &inside, h)
		if _, err := m.Write([]byte(text)); err != nil || m.Close() != nil {
			return mask.Redacted
		}
		return out.String()
	}
	return n
}

// Text is Document for front ends whose answers are not JSON. What begins like no document is let pass at once.
func (f *Fields) Text(h *mask.Hider, field, text string) string {
	if f == nil || !begins(text, `{["`) {
		return text
	}
	return f.inside(h, field, "", text, 1)
}

// begins reports whether a text begins, after spaces, with one of the characters.
func begins(text, with string) bool {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return strings.IndexByte(with, c) >= 0
		}
	}
	return false
}

// inside hides in the document that a text is, which stands in the field at a path of the document that the field is. What
// looks like a document, is none that everybody reads alike, and has a hidden name in it, is withheld. A document that stays as
// it is keeps its very text.
func (f *Fields) inside(h *mask.Hider, field, path, text string, depth int) string {
	quoted := begins(text, `"`)
	if !quoted && !begins(text, `{[`) || !f.mentions(text) {
		return text
	}
	if len(text) > Most || depth > deepest && (!quoted || begins(strings.TrimLeft(text, " \t\r\n")[1:], `{["\`)) {
		return mask.Redacted
	}
	if quoted {
		return f.quoted(h, field, path, text, depth)
	}
	w := &f.works[min(depth, deepest)]
	w.out.Reset()
	w.masker.Reset(&w.out, f.copy(field, path, depth), h)
	if _, err := w.masker.Write([]byte(text)); err != nil || w.masker.Close() != nil {
		return mask.Redacted
	}
	return w.out.String()
}

// work is what one document takes that is masked: one at each depth.
type work struct {
	masker jsonstream.Masker
	out    bytes.Buffer
}

// quoted hides in a text that is a JSON text, in which there may be a document. Any other text in quotation marks is one that
// people wrote.
func (f *Fields) quoted(h *mask.Hider, field, path, text string, depth int) string {
	v, err := jsonstream.Read([]byte(text))
	inner, ok := v.Text()
	if err != nil || !ok {
		if begins(strings.TrimLeft(text, " \t\r\n")[1:], `{[\`) {
			return mask.Redacted
		}
		return text
	}
	shown := f.inside(h, field, path, inner, depth+1)
	if shown == inner {
		return text
	}
	return string(jsonstream.AppendString(nil, shown))
}

// copy says what happens to a document that is kept as text in a field.
func (f *Fields) copy(field, path string, depth int) *jsonstream.Node {
	key := strings.Repeat("\x00", depth) + field + "\x00" + path
	if n := f.texts[key]; n != nil {
		return n
	}
	n := f.copied(field, path, depth)
	if len(f.texts) >= mostNames {
		clear(f.texts)
	}
	f.texts[key] = n
	return n
}

// copied is a place of such a document. Texts in it may be documents once more.
func (f *Fields) copied(field, path string, depth int) *jsonstream.Node {
	n := &jsonstream.Node{Document: func(h *mask.Hider, text string) string { return f.inside(h, field, path, text, depth+1) }}
	if path != "" {
		n.Treatment = f.strictest(func(r access.Resource) access.Treatment { return f.p.Copy(r, field, path) })
	}
	known := map[string]*jsonstream.Node{}
	n.Field = func(name string) *jsonstream.Node {
		child, ok := known[name]
		if !ok {
			if len(known) >= mostNames {
				clear(known)
			}
			child = f.copied(field, join(path, name), depth)
			known[name] = child
		}
		return child
	}
	n.Items = &jsonstream.Node{Field: n.Field, Document: n.Document}
	n.Items.Items = n.Items
	return n
}

// mentions reports whether a hidden name could stand in a text. One that is spelled with an escape could be any.
func (f *Fields) mentions(text string) bool {
	if f.words == nil || strings.Contains(text, `\u`) {
		return true
	}
	for _, w := range f.words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}

// names are the words of which one is part of every name that a rule is about, nil when a rule is about any.
func (f *Fields) names() []string {
	var words []string
	for i := range f.p.Fields {
		pattern := f.p.Fields[i].Pattern
		concerned := false
		for _, r := range f.at {
			concerned = concerned || pattern.Below(r, "")
		}
		if !concerned {
			continue
		}
		path := string(pattern)
		for strings.HasSuffix(path, ".**") {
			path = strings.TrimSuffix(path, ".**")
		}
		dot := strings.LastIndexByte(path, '.')
		if dot < strings.LastIndexByte(path, '/') {
			return nil // all there is
		}
		name, longest := path[dot+1:], ""
		for _, literal := range strings.Split(name, "*") {
			if len(literal) > len(longest) {
				longest = literal
			}
		}
		if longest == "" || strings.ContainsAny(longest, "\"\\/\b\f\n\r\t") {
			return nil
		}
		words = append(words, longest)
	}
	return words
}
