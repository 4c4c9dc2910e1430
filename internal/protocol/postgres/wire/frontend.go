package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"
)

// ErrShape says that a message does not have the shape of its type.
var ErrShape = errors.New("malformed message")

// ErrEncoding says that a text is not UTF-8.
var ErrEncoding = errors.New("invalid byte sequence for encoding \"UTF8\"")

func shape(kind string) error { return fmt.Errorf("%w: %s", ErrShape, kind) }

// cursor reads a body from front to back.
type cursor struct {
	rest []byte
	bad  bool
}

func (c *cursor) text() []byte {
	i := bytes.IndexByte(c.rest, 0)
	if i < 0 {
		c.bad = true
		return nil
	}
	t := c.rest[:i:i]
	c.rest = c.rest[i+1:]
	return t
}

func (c *cursor) int16() int {
	if len(c.rest) < 2 {
		c.bad = true
		return 0
	}
	n := int(binary.BigEndian.Uint16(c.rest))
	c.rest = c.rest[2:]
	return n
}

func (c *cursor) int32() int32 {
	if len(c.rest) < 4 {
		c.bad = true
		return 0
	}
	n := int32(binary.BigEndian.Uint32(c.rest))
	c.rest = c.rest[4:]
	return n
}

func (c *cursor) bytes(n int) []byte {
	if n < 0 || n > len(c.rest) {
		c.bad = true
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cursor) done(kind string) error {
	if c.bad || len(c.rest) != 0 {
		return shape(kind)
	}
	return nil
}

// ReadQuery reads the body of a Query: its text.
func ReadQuery(body []byte) (text []byte, err error) {
	c := cursor{rest: body}
	text = c.text()
	if err := c.done("Query"); err != nil {
		return nil, err
	}
	if !utf8.Valid(text) {
		return nil, ErrEncoding
	}
	return text, nil
}

// ParseBody is the body of a Parse.
type ParseBody struct {
	Name  []byte
	Text  []byte
	Types []byte // OIDs of the parameters, four bytes each
}

// ReadParse reads the body of a Parse.
func ReadParse(body []byte) (m ParseBody, err error) {
	c := cursor{rest: body}
	m.Name, m.Text = c.text(), c.text()
	m.Types = c.bytes(4 * c.int16())
	if err := c.done("Parse"); err != nil {
		return m, err
	}
	if !utf8.Valid(m.Text) || !utf8.Valid(m.Name) {
		return m, ErrEncoding
	}
	return m, nil
}

// BindBody is the body of a Bind.
type BindBody struct {
	Portal    []byte
	Statement []byte
	Values    []byte // formats, count and values of the parameters, as they stand
	Count     int    // of the values
	Results   []byte // format codes of the results, two bytes each
}

// ReadBind reads the body of a Bind.
func ReadBind(body []byte) (m BindBody, err error) {
	c := cursor{rest: body}
	m.Portal, m.Statement = c.text(), c.text()
	from := c.rest
	formats := c.int16()
	for range formats {
		if f := c.int16(); f > 1 {
			c.bad = true
		}
	}
	m.Count = c.int16()
	for i := 0; i < m.Count && !c.bad; i++ {
		if n := c.int32(); n != -1 {
			c.bytes(int(n))
		}
	}
	if c.bad || formats > 1 && formats != m.Count {
		return m, shape("Bind")
	}
	m.Values = from[: len(from)-len(c.rest) : len(from)-len(c.rest)]
	m.Results = c.bytes(2 * c.int16())
	for i := 0; i < len(m.Results); i += 2 {
		if m.Results[i] != 0 || m.Results[i+1] > 1 {
			c.bad = true
		}
	}
	if err := c.done("Bind"); err != nil {
		return m, err
	}
	if !utf8.Valid(m.Portal) || !utf8.Valid(m.Statement) {
		return m, ErrEncoding
	}
	return m, nil
}

// EachValue calls f with the format and the bytes of every parameter in BindBody.Values; nil bytes are NULL.
func EachValue(values []byte, f func(i int, format int16, value []byte)) {
	c := cursor{rest: values}
	formats := c.bytes(2 * c.int16())
	n := c.int16()
	for i := range n {
		var format int16
		switch {
		case len(formats) == 2:
			format = int16(formats[1])
		case len(formats) > 2*i+1:
			format = int16(formats[2*i+1])
		}
		var value []byte
		if size := c.int32(); size != -1 {
			value = c.bytes(int(size))
			if value == nil {
				value = []byte{}
			}
		}
		if c.bad {
			return
		}
		f(i, format, value)
	}
}

// ReadNamed reads the body of a Describe or Close: 'S' or 'P', and a name.
func ReadNamed(body []byte) (what byte, name []byte, err error) {
	if len(body) < 2 || body[0] != 'S' && body[0] != 'P' {
		return 0, nil, shape("Describe or Close")
	}
	c := cursor{rest: body[1:]}
	name = c.text()
	return body[0], name, c.done("Describe or Close")
}

// ReadExecute reads the body of an Execute.
func ReadExecute(body []byte) (portal []byte, rows int32, err error) {
	c := cursor{rest: body}
	portal = c.text()
	rows = c.int32()
	return portal, rows, c.done("Execute")
}

// ReadText reads a body that is one string, such as CopyFail's or Password's.
func ReadText(body []byte) (text []byte, err error) {
	c := cursor{rest: body}
	text = c.text()
	return text, c.done("text")
}
