package wire

import (
	"bytes"
	"encoding/binary"
)

// ReadParameter reads the body of a ParameterStatus.
func ReadParameter(body []byte) (name, value []byte, err error) {
	c := cursor{rest: body}
	name, value = c.text(), c.text()
	return name, value, c.done("ParameterStatus")
}

// ResultColumn is what a RowDescription says of one column.
type ResultColumn struct {
	Name     []byte
	Relation uint32
	Attnum   int16
	Type     uint32
	Format   int16
}

// ReadRowDescription reads the body of a RowDescription, appending its columns to dst.
func ReadRowDescription(dst []ResultColumn, body []byte) ([]ResultColumn, error) {
	c := cursor{rest: body}
	n := c.int16()
	for i := 0; i < n && !c.bad; i++ {
		col := ResultColumn{Name: c.text(), Relation: uint32(c.int32()), Attnum: int16(c.int16()), Type: uint32(c.int32())}
		c.int16() // size
		c.int32() // modifier
		col.Format = int16(c.int16())
		dst = append(dst, col)
	}
	return dst, c.done("RowDescription")
}

// ErrorField returns a field of the body of an ErrorResponse or NoticeResponse; nil when it has none.
func ErrorField(body []byte, field byte) []byte {
	for len(body) > 1 && body[0] != 0 {
		end := bytes.IndexByte(body[1:], 0)
		if end < 0 {
			return nil
		}
		if body[0] == field {
			return body[1 : 1+end]
		}
		body = body[end+2:]
	}
	return nil
}

// Fatal reports whether the body of an ErrorResponse says that the connection is at its end.
func Fatal(body []byte) bool {
	severity := ErrorField(body, 'V')
	if severity == nil {
		severity = ErrorField(body, 'S')
	}
	return string(severity) == "FATAL" || string(severity) == "PANIC"
}

// Begin appends the header of a message whose length End fills in.
func Begin(dst []byte, kind byte) ([]byte, int) {
	return append(dst, kind, 0, 0, 0, 0), len(dst)
}

// End fills in the length of the message that began at start.
func End(dst []byte, start int) []byte {
	binary.BigEndian.PutUint32(dst[start+1:], uint32(len(dst)-start-1))
	return dst
}

// Empty appends a message without a body.
func Empty(dst []byte, kind byte) []byte { return append(dst, kind, 0, 0, 0, 4) }

// Text appends a string and its terminator. A string with a NUL is cut there: it would forge what follows it.
func Text(dst []byte, s string) []byte {
	if i := bytes.IndexByte([]byte(s), 0); i >= 0 {
		s = s[:i]
	}
	return append(append(dst, s...), 0)
}

// Ready appends a ReadyForQuery.
func Ready(dst []byte, status byte) []byte { return append(dst, ReadyForQuery, 0, 0, 0, 5, status) }

// Parameter appends a ParameterStatus.
func Parameter(dst []byte, name, value string) []byte {
	dst, at := Begin(dst, ParameterStatus)
	return End(Text(Text(dst, name), value), at)
}

// Report is an error or a notice that the gateway says itself.
type Report struct {
	Severity string // ERROR, FATAL, NOTICE
	SQLSTATE string
	Message  string
	Detail   string
	Hint     string
	Position string
}

// Append appends the report as ErrorResponse, or as NoticeResponse when it is a notice.
func (r *Report) Append(dst []byte) []byte {
	kind := byte(ErrorResponse)
	if r.Severity == "NOTICE" || r.Severity == "WARNING" {
		kind = NoticeResponse
	}
	dst, at := Begin(dst, kind)
	for _, f := range [...]struct {
		code byte
		text string
	}{{'S', r.Severity}, {'V', r.Severity}, {'C', r.SQLSTATE}, {'M', r.Message}, {'D', r.Detail}, {'H', r.Hint}, {'P', r.Position}} {
		if f.text != "" {
			dst = Text(append(dst, f.code), f.text)
		}
	}
	return End(append(dst, 0), at)
}
