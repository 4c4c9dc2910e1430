package generic

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// place is where something stands in a request. The zero place is nowhere.
type place struct {
	kind   string   // path, query, body, fixed
	name   string   // of a parameter; the text of fixed
	path   []string // in the document; none means all of it
	absent string   // counts when there is nothing
	or     bool     // absent is given
}

// parsePlace reads path:NAME, query:NAME, body:a.b or fixed:TEXT, with |TEXT at the end or not.
func parsePlace(text string) (place, error) {
	if text == "" {
		return place{}, nil
	}
	kind, rest, ok := strings.Cut(text, ":")
	p := place{kind: kind}
	p.name, p.absent, p.or = strings.Cut(rest, "|")
	switch {
	case !ok || p.or && p.absent == "":
	case kind == "body" && p.name == "":
		return p, nil
	case kind == "body":
		p.path = strings.Split(p.name, ".")
		for _, member := range p.path {
			if member == "" {
				return place{}, fmt.Errorf("%q has an empty member", text)
			}
		}
		return p, nil
	case kind == "fixed" && !p.or && p.name != "", kind == "path" && p.name != "", kind == "query" && p.name != "":
		return p, nil
	}
	return place{}, fmt.Errorf("%q is not path:NAME, query:NAME, body:MEMBER or fixed:TEXT", text)
}

func (p place) is() bool { return p.kind != "" }

// in is the value at the place; the zero Value when there is none, and no default.
func (p place) in(r *httpwire.Request) jsonstream.Value {
	var v jsonstream.Value
	switch p.kind {
	case "path":
		v = jsonstream.String(r.Params[p.name])
	case "query":
		if text, ok := r.Query[p.name]; ok {
			v = jsonstream.String(text)
		}
	case "body":
		v = at(r.Body, p.path)
	case "fixed":
		v = jsonstream.String(p.name)
	}
	if p.or && !present(v) {
		v = jsonstream.String(p.absent)
	}
	return v
}

// given says whether the request itself has something at the place.
func (p place) given(r *httpwire.Request) bool {
	p.or = false
	return present(p.in(r))
}

// number is a whole number at the place, and absent when there is nothing.
func (p place) number(r *httpwire.Request, absent int64) (int64, error) {
	v := p.in(r)
	if !p.is() || !present(v) {
		return absent, nil
	}
	n, ok := v.Int()
	if text, isText := v.Text(); isText && (p.kind != "body" || p.or && !p.given(r)) {
		var err error
		n, err = strconv.ParseInt(text, 10, 64)
		ok = err == nil && strconv.FormatInt(n, 10) == text
	}
	if !ok || n < 0 || n > 1<<32 {
		return 0, unclear("what stands at " + p.String() + " is not a number")
	}
	return n, nil
}

// flag is true or false at the place; ok is false when there is nothing.
func (p place) flag(r *httpwire.Request) (is, ok bool, err error) {
	v := p.in(r)
	if !p.is() || !present(v) {
		return false, false, nil
	}
	if text, isText := v.Text(); isText && (p.kind != "body" || p.or && !p.given(r)) && (text == "true" || text == "false") {
		return text == "true", true, nil
	}
	if is, ok = v.Bool(); !ok {
		return false, false, unclear("what stands at " + p.String() + " is neither true nor false")
	}
	return is, true, nil
}

// String is the place as it was written, without its default.
func (p place) String() string { return p.kind + ":" + p.name }

// at is what stands at a path of a document.
func at(v jsonstream.Value, path []string) jsonstream.Value {
	for _, member := range path {
		v = v.Get(member)
	}
	return v
}

// put is the document with a value at a path.
func put(v jsonstream.Value, path []string, member jsonstream.Value) jsonstream.Value {
	if len(path) == 0 {
		return member
	}
	return v.With(path[0], put(v.Get(path[0]), path[1:], member))
}

func present(v jsonstream.Value) bool {
	return v.Kind() != jsonstream.None && v.Kind() != jsonstream.Null
}

// tree is what a document may have: a nil tree is anything, and an empty one an object without members.
type tree map[string]tree

// allow lets a path be there, with anything below it.
func (t tree) allow(path []string) {
	if len(path) == 0 {
		return
	}
	next, known := t[path[0]]
	switch {
	case len(path) == 1:
		t[path[0]] = nil
	case known && next == nil: // anything already
	default:
		if next == nil {
			next = tree{}
			t[path[0]] = next
		}
		next.allow(path[1:])
	}
}

// closed refuses members that are not described: a server that reads them reads another request than we do.
func (t tree) closed(v jsonstream.Value) error {
	if v.Kind() != jsonstream.Object {
		return unclear("its document, or a part of it, is not an object")
	}
	for name, member := range v.Members() {
		inner, known := t[name]
		if !known {
			return unclear("its document has a member that is not described")
		}
		if inner != nil && member.Kind() != jsonstream.Null {
			if err := inner.closed(member); err != nil {
				return err
			}
		}
	}
	return nil
}
