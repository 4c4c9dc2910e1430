package jsonstream

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
	"strconv"
)

// Value is a JSON value that was read strictly: its one canonical text, without white space, with every member named
// once, and numbers as they were written. Its zero value is no value.
type Value struct{ raw []byte }

// Kind is what a value is.
type Kind byte

// The kinds of value.
const (
	None   Kind = 0
	Object Kind = '{'
	Array  Kind = '['
	Text   Kind = '"'
	Number Kind = '0'
	Bool   Kind = 't'
	Null   Kind = 'n'
)

// Read takes a document apart. A member that an object names twice, bytes after the document, and whatever else two
// readers could read differently are faults.
func Read(document []byte) (Value, error) {
	r := reader{in: document, out: make([]byte, 0, len(document))}
	return r.document()
}

// ReadInPlace is Read of a document that nobody uses any more: the value is made of its bytes, from the first one on, unless
// that would be longer than the document.
func ReadInPlace(document []byte) (Value, error) {
	r := reader{in: document, out: document[:0], inPlace: true}
	return r.document()
}

func (r *reader) document() (Value, error) {
	r.space()
	if err := r.value(0); err != nil {
		return Value{}, err
	}
	if r.space(); r.at < len(r.in) {
		return Value{}, r.fault("something follows the document")
	}
	return Value{r.out[:len(r.out):len(r.out)]}, nil
}

// ReadLines takes lines apart that hold a document each (NDJSON), most lines at most. A line feed may end the last line; an
// empty line, and a document that goes on in the next line, are faults.
func ReadLines(text []byte, most int) ([]Value, error) {
	r := reader{in: text, out: make([]byte, 0, len(text))}
	var ends []int
	for r.at < len(text) {
		if len(ends) >= most {
			return nil, r.fault("more than %d lines", most)
		}
		line := text
		if n := bytes.IndexByte(text[r.at:], '\n'); n >= 0 {
			line = text[:r.at+n]
		}
		r.in = line
		r.space()
		if err := r.value(0); err != nil {
			return nil, err
		}
		if r.space(); r.at < len(line) {
			return nil, r.fault("something follows the document of a line")
		}
		ends = append(ends, len(r.out))
		r.at++ // over the line feed
	}
	if len(ends) == 0 {
		return nil, r.fault("there are no lines")
	}
	lines, from := make([]Value, len(ends)), 0
	for i, to := range ends {
		lines[i], from = Value{r.out[from:to:to]}, to
	}
	return lines, nil
}

type reader struct {
	in   []byte
	at   int
	out  []byte
	keys []span // in out, the members' names of the objects that are open
	// inPlace says that out is the beginning of in: it must never be longer than what has been taken of in.
	inPlace bool
}

type span struct{ from, to int }

// few is up to how many members an object's names are compared one by one.
const few = 16

func (r *reader) fault(format string, args ...any) error {
	return &Fault{Offset: int64(r.at), What: fmt.Sprintf(format, args...)}
}

// copy appends what has been taken of in since from.
func (r *reader) copy(from int) {
	if r.inPlace && len(r.out) == from {
		r.out = r.in[:r.at] // it stands there already
		return
	}
	r.out = append(r.out, r.in[from:r.at]...)
}

// part leaves the place of in when n more bytes of out would reach into what has not been taken.
func (r *reader) part(n int) {
	if r.inPlace && len(r.out)+n > r.at {
		r.out, r.inPlace = append(make([]byte, 0, len(r.in)+n), r.out...), false
	}
}

func (r *reader) space() {
	for r.at < len(r.in) && space(r.in[r.at]) {
		r.at++
	}
}

func (r *reader) take(c byte) bool {
	r.space()
	if r.at < len(r.in) && r.in[r.at] == c {
		r.at++
		return true
	}
	return false
}

func (r *reader) value(depth int) error {
	if r.at >= len(r.in) {
		return r.fault("the document ends early")
	}
	switch c := r.in[r.at]; {
	case c == '{' || c == '[':
		if depth >= MaxDepth {
			return r.fault("nested deeper than %d", MaxDepth)
		}
		r.at++
		r.out = append(r.out, c)
		if c == '{' {
			return r.object(depth)
		}
		return r.array(depth)
	case c == '"':
		from := r.at
		if _, err := r.text(); err != nil {
			return err
		}
		r.copy(from)
		return nil
	case inLiteral(c):
		from := r.at
		for r.at < len(r.in) && inLiteral(r.in[r.at]) {
			r.at++
		}
		if word := r.in[from:r.at]; len(word) > maxLiteral || !literal(word) {
			r.at = from
			return r.fault("neither a number nor true, false or null")
		}
		r.copy(from)
		return nil
	}
	return r.fault("a value was expected")
}

// text reads a string token and returns its inside.
func (r *reader) text() ([]byte, error) {
	r.at++
	from := r.at
	var t text
	for ; r.at < len(r.in); r.at++ {
		if t.plain() {
			if r.at = ordinary(r.in, r.at); r.at == len(r.in) {
				break
			}
		}
		done, what := t.step(r.in[r.at])
		if what != "" {
			return nil, r.fault("%s", what)
		}
		if done {
			r.at++
			return r.in[from : r.at-1], nil
		}
	}
	return nil, r.fault("the document ends early")
}

func (r *reader) array(depth int) error {
	if r.take(']') {
		r.out = append(r.out, ']')
		return nil
	}
	for {
		r.space()
		from, whole := r.at, false
		r.at, whole = numbers(r.in, r.at)
		r.copy(from)
		if !whole {
			r.space() // after a comma of the run
			if err := r.value(depth + 1); err != nil {
				return err
			}
		}
		if r.take(']') {
			r.out = append(r.out, ']')
			return nil
		}
		if !r.take(',') {
			return r.fault("a comma or ] was expected")
		}
		r.out = append(r.out, ',')
	}
}

func (r *reader) object(depth int) error {
	if r.take('}') {
		r.out = append(r.out, '}')
		return nil
	}
	open := len(r.keys)
	defer func() { r.keys = r.keys[:open] }()
	var seen map[string]struct{} // of an object with more than a few members
	for {
		r.space()
		if r.at >= len(r.in) || r.in[r.at] != '"' {
			return r.fault("a member's name was expected")
		}
		start := r.at
		inside, err := r.text()
		if err != nil {
			return err
		}
		if len(inside) > maxKey {
			return r.fault("a member's name of more than %d bytes", maxKey)
		}
		from := len(r.out)
		if bytes.IndexByte(inside, '\\') < 0 {
			r.copy(start)
		} else {
			name := AppendString(nil, string(unquote(nil, inside)))
			r.part(len(name))
			r.out = append(r.out, name...)
		}
		if seen = r.name(seen, open, span{from, len(r.out)}); seen == nil {
			return r.fault("an object names a member twice")
		}
		if !r.take(':') {
			return r.fault("a colon was expected")
		}
		r.out = append(r.out, ':') // not before it was taken: out may be the beginning of in
		r.space()
		if err := r.value(depth + 1); err != nil {
			return err
		}
		if r.take('}') {
			r.out = append(r.out, '}')
			return nil
		}
		if !r.take(',') {
			return r.fault("a comma or } was expected")
		}
		r.out = append(r.out, ',')
	}
}

// noNames stands for the names of an object with a few members, which keys holds.
var noNames = map[string]struct{}{}

// name takes down a member's name of the object whose names begin at open; it returns nil when the object has it already.
func (r *reader) name(seen map[string]struct{}, open int, name span) map[string]struct{} {
	text := r.out[name.from:name.to] // canonical: equal names have equal texts
	if len(seen) > 0 {
		n := len(seen)
		if seen[string(text)] = struct{}{}; len(seen) == n {
			return nil
		}
		return seen
	}
	for _, k := range r.keys[open:] {
		if bytes.Equal(r.out[k.from:k.to], text) {
			return nil
		}
	}
	r.keys = append(r.keys, name)
	if len(r.keys)-open < few {
		return noNames
	}
	seen = make(map[string]struct{}, 4*few)
	for _, k := range r.keys[open:] {
		seen[string(r.out[k.from:k.to])] = struct{}{}
	}
	return seen
}

// Raw is the canonical text. It must not be changed.
func (v Value) Raw() []byte { return v.raw }

// Kind says what the value is.
func (v Value) Kind() Kind {
	if len(v.raw) == 0 {
		return None
	}
	return kindOf(v.raw[0])
}

// kindOf is the kind of a value that begins with c.
func kindOf(c byte) Kind {
	switch c {
	case '{', '[', '"', 'n':
		return Kind(c)
	case 't', 'f':
		return Bool
	}
	return Number
}

// Text is the decoded text of a Text.
func (v Value) Text() (string, bool) {
	if v.Kind() != Text {
		return "", false
	}
	return string(unquote(nil, v.raw[1:len(v.raw)-1])), true
}

// Int is the value of a Number that is written as a whole one and fits.
func (v Value) Int() (int64, bool) {
	if v.Kind() != Number {
		return 0, false
	}
	n, err := strconv.ParseInt(string(v.raw), 10, 64)
	return n, err == nil
}

// Bool is the value of a Bool.
func (v Value) Bool() (is, ok bool) { return string(v.raw) == "true", v.Kind() == Bool }

// skip returns where the value that begins at i ends in canonical text.
func skip(raw []byte, i int) int {
	depth := 0
	for i < len(raw) {
		switch raw[i] {
		case '{', '[':
			if to := i; raw[i] == '[' {
				if to = flat(raw, i); to > 0 {
					i = to
					break
				}
			}
			depth++
			i++
		case '}', ']':
			depth--
			i++
		case '"':
			for i++; raw[i] != '"'; i++ {
				if raw[i] == '\\' {
					i++
				} else if n := ordinary(raw, i); n > i {
					i = n - 1
				}
			}
			i++
		case ',', ':':
			i++
			continue
		default:
			for i < len(raw) && inLiteral(raw[i]) {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
	return i
}

// Members are the members of an Object, in their order; of another value there are none.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if v.Kind() != Object {
			return
		}
		for i := 1; i < len(v.raw) && v.raw[i] != '}'; {
			key := skip(v.raw, i)
			name := string(unquote(nil, v.raw[i+1:key-1]))
			to := skip(v.raw, key+1)
			if !yield(name, Value{v.raw[key+1 : to : to]}) {
				return
			}
			if i = to; v.raw[i] == ',' {
				i++
			}
		}
	}
}

// Items are the elements of an Array; of another value there are none.
func (v Value) Items() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.Kind() != Array {
			return
		}
		for i := 1; i < len(v.raw) && v.raw[i] != ']'; {
			to := skip(v.raw, i)
			if !yield(Value{v.raw[i:to:to]}) {
				return
			}
			if i = to; v.raw[i] == ',' {
				i++
			}
		}
	}
}

// Len is how many members or elements there are.
func (v Value) Len() int {
	if len(v.raw) > 2 && v.raw[0] == '[' && flat(v.raw, 0) == len(v.raw) {
		return bytes.Count(v.raw, []byte{','}) + 1
	}
	n := 0
	for range v.Items() {
		n++
	}
	for range v.Members() {
		n++
	}
	return n
}

// Get is a member of an Object, or the zero Value.
func (v Value) Get(name string) Value {
	if v.Kind() != Object {
		return Value{}
	}
	want := AppendString(make([]byte, 0, 64), name)
	for i := 1; i < len(v.raw) && v.raw[i] != '}'; {
		key := skip(v.raw, i)
		to := skip(v.raw, key+1)
		if bytes.Equal(v.raw[i:key], want) {
			return Value{v.raw[key+1 : to : to]}
		}
		if i = to; v.raw[i] == ',' {
			i++
		}
	}
	return Value{}
}

// With is the Object with a member of that name and value, in the place of the one that it had.
func (v Value) With(name string, member Value) Value {
	if bytes.Equal(v.Get(name).raw, member.raw) && len(member.raw) > 0 {
		return v
	}
	out, put := append(make([]byte, 0, len(v.raw)+len(name)+len(member.raw)+8), '{'), false
	for k, m := range v.Members() {
		if k == name {
			m, put = member, true
		}
		out = append(append(append(AppendString(out, k), ':'), m.raw...), ',')
	}
	if !put {
		out = append(append(append(AppendString(out, name), ':'), member.raw...), ',')
	}
	out[len(out)-1] = '}'
	return Value{out}
}

// List is an Array of values.
func List(items ...Value) Value {
	raw := make([][]byte, len(items))
	for i, item := range items {
		raw[i] = item.raw
	}
	return Value{slices.Concat([]byte{'['}, bytes.Join(raw, []byte{','}), []byte{']'})}
}

// String is a Text.
func String(s string) Value { return Value{AppendString(nil, s)} }

// Flag is a Bool.
func Flag(b bool) Value { return Value{strconv.AppendBool(nil, b)} }

// Int is a Number.
func Int(n int64) Value { return Value{strconv.AppendInt(nil, n, 10)} }
