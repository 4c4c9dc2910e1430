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
	t.columns = t.columns[:0]
	var names []*string
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
		t.columns = append(t.columns, column{name, oid, format})
		names = append(names, &name)
	}
	t.say(access.Line{Kind: "columns", Cells: names})
}

func (t *teller) row(c *cursor) {
	n := c.count()
	described := n == len(t.columns)
	formats, bound := t.formats()
	cells := make([]*string, 0, n)
	for i := range n {
		value, ok := c.value()
		if !ok {
			break
		}
		var oid uint32
		var format int16
		if described {
			oid, format = t.columns[i].oid, t.columns[i].format
		}
		if bound {
			format = formatOf(formats, i)
		}
		cells = append(cells, cell(oid, format, value))
	}
	t.say(access.Line{Kind: "row", Cells: cells})
}

// formats are those that the Bind of the portal being executed asked for, when it is in the recording: a description of
// a statement does not know them.
func (t *teller) formats() ([]int16, bool) {
	if t.current.kind != 'E' {
		return nil, false
	}
	c := cursor{rest: t.current.body}
	b, ok := t.portals[c.text()]
	return b.formats, ok
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
