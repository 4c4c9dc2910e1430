package transcript

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
)

// ask tells a message of the client.
func (t *teller) ask(m message) {
	c := cursor{rest: m.body}
	switch m.kind {
	case 0:
		t.note("%s", m.gap)
	case 'Q':
		t.last, t.columns = nil, nil
		if !t.failed {
			t.forget("") // a Query drops the statement and the portal without a name
			delete(t.portals, "")
		}
		t.statement(c.text())
	case 'P':
		t.parse(&c)
	case 'B':
		t.bind(&c)
	case 'E':
		t.execute(&c)
	case 'C':
		what := "portal"
		if c.byte() == 'S' {
			what = "statement"
		}
		t.note("close %s", called(what, c.text()))
	case 'F':
		t.note("call of function %d", c.uint32())
	case 'd':
		t.copied(m.body)
	case 'f':
		t.note("COPY given up by the client: %s", cut(c.text(), MaxCell))
	case 'X':
		t.note("the client says goodbye")
	}
	if c.short {
		t.note("a message of the client is shorter than it should be")
	}
}

func (t *teller) statement(text string) {
	t.say(access.Line{Kind: "statement", Text: cut(text, MaxStatement)})
}

func (t *teller) parse(c *cursor) {
	s := &statement{name: key(c.text())}
	text := c.text()
	s.text, s.known = cut(text, MaxStatement), !c.short
	for range c.count() {
		s.types = append(s.types, c.uint32())
	}
	if !t.failed {
		if !t.refused && s.name == "" {
			t.forget("") // also when the new one fails
		}
		if len(t.parsing) < maxNames {
			t.parsing[s.name] = s
		}
	}
	t.last, t.texts[s] = s, true
	t.statement(text)
}

// bind tells the statement that a Bind is for and its parameters, and remembers how the answer will be formatted.
func (t *teller) bind(c *cursor) {
	name, of := key(c.text()), c.text()
	s := t.named(of)
	t.refer(s, called("statement", of), "prepared")
	formats := c.formats()
	var cells []*string
	for i := range c.count() {
		value, ok := c.value()
		if !ok {
			break
		}
		var oid uint32
		if s != nil && i < len(s.types) {
			oid = s.types[i]
		}
		cells = append(cells, cell(oid, formatOf(formats, i), value))
	}
	if len(cells) > 0 {
		t.say(access.Line{Kind: "parameters", Cells: cells})
	}
	if len(t.binding) < maxNames && !t.failed {
		p := &portal{of: s, formats: c.formats()}
		t.binding[name], t.bound[p], t.latest = p, true, p
	}
}

// execute tells what is executed if that is not what was told last.
func (t *teller) execute(c *cursor) {
	name, most := c.text(), c.uint32()
	p := t.portal(name)
	switch {
	case p == nil:
		t.note("execute %s, bound earlier; what it is, is not in what was read", called("portal", name))
	case t.bound[p] && p == t.latest:
	case t.bound[p]:
		t.note("execute %s", called("portal", name))
	default:
		t.refer(p.of, "execute "+called("portal", name), "bound")
	}
	if most != 0 {
		t.note("at most %d rows", most)
	}
}

// refer tells a statement that what is told next is about, unless it was told just before.
func (t *teller) refer(s *statement, what, since string) {
	switch {
	case s != nil && s == t.last:
		return
	case s == nil || !s.known:
		t.note("%s, %s earlier; its text is not in what was read", what, since)
	case t.texts[s]:
		t.note("%s, as above", what)
	default:
		t.note("%s, %s earlier:", what, since)
		t.texts[s] = true
		t.statement(s.text)
	}
	t.last = s
}

func called(what, name string) string {
	if name == "" {
		return "the " + what + " without a name"
	}
	return fmt.Sprintf("%s %q", what, cut(name, MaxCell))
}

func (t *teller) copied(data []byte) {
	t.say(access.Line{Kind: "copy", Text: strings.TrimSuffix(*cell(25, 0, data), "\n")})
}

// formatOf applies the rule of Bind: none is text, one is for all.
func formatOf(formats []int16, i int) int16 {
	switch {
	case len(formats) == 0:
		return 0
	case len(formats) == 1:
		return formats[0]
	case i < len(formats):
		return formats[i]
	}
	return 0
}

// cursor reads the fields of a message; what is not there reads as zero, and short says so.
type cursor struct {
	rest  []byte
	short bool
}

func (c *cursor) take(n int) []byte {
	if n > len(c.rest) {
		c.short = true
		c.rest = nil
		return nil
	}
	p := c.rest[:n:n]
	c.rest = c.rest[n:]
	return p
}

func (c *cursor) byte() byte {
	if p := c.take(1); p != nil {
		return p[0]
	}
	return 0
}

func (c *cursor) uint16() uint16 {
	if p := c.take(2); p != nil {
		return binary.BigEndian.Uint16(p)
	}
	return 0
}

func (c *cursor) uint32() uint32 {
	if p := c.take(4); p != nil {
		return binary.BigEndian.Uint32(p)
	}
	return 0
}

// count reads how many things follow, of which each takes two bytes or more.
func (c *cursor) count() int {
	n := int(c.uint16())
	if n > len(c.rest)/2 {
		c.short = true
		return len(c.rest) / 2
	}
	return n
}

func (c *cursor) formats() []int16 {
	formats := make([]int16, c.count())
	for i := range formats {
		formats[i] = int16(c.uint16())
	}
	return formats
}

// text reads up to the next zero.
func (c *cursor) text() string {
	for i, b := range c.rest {
		if b == 0 {
			p := c.take(i + 1)
			return string(p[:i])
		}
	}
	c.short = true
	p := c.rest
	c.rest = nil
	return string(p)
}

// value reads a length and as many bytes; nil is NULL.
func (c *cursor) value() ([]byte, bool) {
	if len(c.rest) < 4 {
		c.short = true
		return nil, false
	}
	n := int32(c.uint32())
	if n == -1 {
		return nil, true
	}
	if n < 0 || int64(n) > int64(len(c.rest)) {
		c.short = true
		return nil, false
	}
	return c.take(int(n)), true
}
