package transcript

import (
	"encoding/binary"
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
		t.statement(c.text())
	case 'P':
		name, text := c.text(), c.text()
		var types []uint32
		for range c.count() {
			types = append(types, c.uint32())
		}
		if len(t.statements) < 1000 {
			t.statements[name] = types
		}
		t.statement(text)
	case 'B':
		t.bind(&c)
	case 'E':
		portal, most := c.text(), c.uint32()
		if _, here := t.portals[portal]; !here {
			t.note("execute portal %q, bound earlier", portal)
		}
		if most != 0 {
			t.note("at most %d rows", most)
		}
	case 'C':
		what := "portal"
		if c.byte() == 'S' {
			what = "statement"
		}
		t.note("close %s %q", what, c.text())
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

// bind tells the parameters of a Bind, and remembers how the answer will be formatted.
func (t *teller) bind(c *cursor) {
	portal, name := c.text(), c.text()
	types, here := t.statements[name]
	if !here {
		t.note("statement %q, prepared earlier", name)
	}
	formats := c.formats()
	var cells []*string
	for i := range c.count() {
		value, ok := c.value()
		if !ok {
			break
		}
		var oid uint32
		if i < len(types) {
			oid = types[i]
		}
		cells = append(cells, cell(oid, formatOf(formats, i), value))
	}
	if len(cells) > 0 {
		t.say(access.Line{Kind: "parameters", Cells: cells})
	}
	if len(t.portals) < 1000 {
		t.portals[portal] = binding{c.formats()}
	}
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
