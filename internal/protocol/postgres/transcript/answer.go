package transcript

import (
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/postgres/redact"
)

// render tells a message of the server. Keys and sign-in never are in a recording; they are not told if they are.
func (t *teller) render(m message) {
	c := cursor{rest: m.body}
	switch m.kind {
	case 0:
		t.note("%s", m.gap)
	case 'T':
		t.describe(&c)
	case 'n':
		t.described([]column{})
	case 't':
		t.parameters(&c)
	case 'D':
		t.row(&c)
	case 'C':
		t.say(access.Line{Kind: "done", Text: cut(c.text(), MaxCell)})
	case 'I':
		t.say(access.Line{Kind: "done", Text: "nothing to run"})
	case 's':
		t.say(access.Line{Kind: "done", Text: "suspended: there may be more rows"})
	case 'E':
		t.say(access.Line{Kind: "error", Text: complaint(m.body)})
	case 'N':
		t.say(access.Line{Kind: "notice", Text: complaint(m.body)})
	case 'G':
		t.note("COPY from the client begins")
	case 'H':
		t.note("COPY to the client begins")
	case 'W':
		t.note("replication begins")
	case 'd':
		t.copied(m.body)
	case 'S':
		name := c.text()
		t.note("setting %s is %s", cut(name, MaxCell), cut(c.text(), MaxCell))
	case 'A':
		c.uint32()
		channel := c.text()
		t.note("notification on %s: %s", cut(channel, MaxCell), cut(c.text(), MaxCell))
	case 'V':
		value, _ := c.value()
		t.say(access.Line{Kind: "row", Cells: []*string{cell(0, 1, value)}})
	}
	if c.short {
		t.note("a message of the server is shorter than it should be")
	}
}

func (t *teller) describe(c *cursor) {
	columns := []column{}
	for range c.count() {
		name := cut(c.text(), MaxCell)
		c.uint32() // table
		c.uint16() // attribute
		oid := c.uint32()
		c.uint16() // size
		c.uint32() // modifier
		format := int16(c.uint16())
		if c.short {
			break
		}
		columns = append(columns, column{name, oid, format})
	}
	t.head(columns)
	t.described(columns)
}

// head tells the names of columns.
func (t *teller) head(columns []column) {
	names := make([]*string, len(columns))
	for i := range columns {
		names[i] = &columns[i].name
	}
	t.say(access.Line{Kind: "columns", Cells: names})
}

// described remembers the columns of what the current step asks for.
func (t *teller) described(columns []column) {
	t.columns = columns
	if t.current.kind != 'D' {
		return
	}
	c := cursor{rest: t.current.body}
	what, name := c.byte(), key(c.text())
	var s *statement
	switch {
	case c.short:
		return
	case what == 'S':
		if s = t.named(name); s == nil {
			s = &statement{name: name}
			t.prepare(s)
		}
	default:
		p := t.portal(name)
		if p == nil {
			p = &portal{}
			t.Conversation.bind(name, p)
		}
		p.columns = columns
		s = p.of
	}
	if s != nil {
		t.heads[s] = true
		t.learn(s, func() { s.columns, s.described = columns, true })
	}
}

// parameters remembers the types of the parameters of the statement that the current step describes.
func (t *teller) parameters(c *cursor) {
	var types []uint32
	for range c.count() {
		types = append(types, c.uint32())
	}
	d := cursor{rest: t.current.body}
	if t.current.kind != 'D' || d.byte() != 'S' || c.short {
		return
	}
	name := key(d.text())
	s := t.named(name)
	if s == nil {
		s = &statement{name: name}
		t.prepare(s)
	}
	t.learn(s, func() { s.types = types })
}

func (t *teller) row(c *cursor) {
	n := c.count()
	columns := t.shape()
	if len(columns) != n {
		columns = nil
	}
	cells := make([]*string, 0, n)
	for i := range n {
		value, ok := c.value()
		if !ok {
			break
		}
		var is column
		if columns != nil {
			is = columns[i]
		} else {
			is.format = formatOf(t.formats, i)
		}
		cells = append(cells, cell(is.oid, is.format, value))
	}
	t.say(access.Line{Kind: "row", Cells: cells})
}

// shape is what the rows are made of that the server sends now. Where that was described in an earlier exchange, it tells
// the names of the columns.
func (t *teller) shape() []column {
	if t.current.kind != 'E' || t.shaped {
		return t.columns
	}
	t.shaped = true
	c := cursor{rest: t.current.body}
	p := t.portal(c.text())
	if p == nil {
		return t.columns
	}
	t.columns, t.formats = p.columns, p.formats
	if p.columns == nil && p.of != nil && p.of.described {
		// A description of a statement does not know the formats that a Bind asks for.
		t.columns = make([]column, len(p.of.columns))
		for i, is := range p.of.columns {
			is.format = formatOf(p.formats, i)
			t.columns[i] = is
		}
	}
	if s := p.of; s != nil && !t.heads[s] && len(t.columns) > 0 {
		t.heads[s] = true
		t.head(t.columns)
	}
	return t.columns
}

// complaint writes an error or notice as psql does.
func complaint(body []byte) string {
	fields, err := redact.Parse(body)
	if err != nil {
		return "(a message that cannot be read)"
	}
	get := func(code byte) string {
		for _, f := range fields {
			if f.Code == code {
				return cut(f.Value, MaxCell)
			}
		}
		return ""
	}
	var b strings.Builder
	b.WriteString(get('S') + " " + get('C') + ": " + get('M'))
	for _, extra := range []struct {
		code  byte
		label string
	}{{'D', "DETAIL"}, {'H', "HINT"}, {'W', "CONTEXT"}, {'q', "QUERY"}} {
		if text := get(extra.code); text != "" {
			b.WriteString("\n" + extra.label + ": " + text)
		}
	}
	return b.String()
}
