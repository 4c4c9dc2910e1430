// Package redact takes the data out of PostgreSQL's errors and notices: their text is a way for values to leave
// ("invalid input syntax for type integer: "alice@example.com"").
//
// It keeps what clients act on (severity, SQLSTATE, names, the position in the client's own text) and replaces or
// drops everything else, known or not. It knows no statement and does not decide when to redact. Start at Body.
package redact

import (
	"bytes"
	"errors"
)

// ErrMalformed says that a message is not a list of fields; nothing of it must reach the client.
var ErrMalformed = errors.New("malformed error or notice")

// Field is one field of an ErrorResponse or NoticeResponse.
type Field struct {
	Code  byte
	Value string
}

// hint is the way out, in place of the server's own hint, which can quote data.
const hint = "Details are withheld because the statement reads protected columns."

// maxName is the longest identifier PostgreSQL has; a longer "name" is something else that a RAISE put there.
const maxName = 63

// Body appends the body of an ErrorResponse or NoticeResponse, redacted, to dst; on an error dst comes back as it was.
func Body(dst, body []byte) ([]byte, error) {
	var state, message []byte
	err := each(body, func(code byte, value []byte) {
		switch code {
		case 'C':
			state = value
		case 'M':
			message = value
		}
	})
	if err != nil {
		return dst, err
	}
	if !wellFormed(state) {
		state = []byte("XX000")
	}
	_ = each(body, func(code byte, value []byte) { // it was well-formed a moment ago
		switch code {
		case 'S', 'V':
			if len(value) > maxName {
				return
			}
		case 's', 't', 'c', 'n', 'd':
			if len(value) > maxName {
				return
			}
		case 'P':
			if !number(value) {
				return
			}
		default:
			return
		}
		dst = append(append(append(dst, code), value...), 0)
	})
	dst = append(append(append(dst, 'C'), state...), 0)
	text := Message(string(state))
	if aboutDimensions(state, message) {
		text = dimensions
	}
	dst = append(append(append(dst, 'M'), text...), 0)
	dst = append(append(append(dst, 'H'), hint...), 0)
	return append(dst, 0), nil
}

// Fields is Body for fields that have been read already.
func Fields(fields []Field) []Field {
	out, err := Body(nil, Append(nil, fields))
	if err != nil {
		return []Field{{'S', "ERROR"}, {'V', "ERROR"}, {'C', "XX000"}, {'M', Message("XX000")}}
	}
	read, _ := Parse(out) // Body writes what Parse reads
	return read
}

// Parse reads the body of an ErrorResponse or NoticeResponse strictly.
func Parse(body []byte) ([]Field, error) {
	var fields []Field
	err := each(body, func(code byte, value []byte) {
		fields = append(fields, Field{code, string(value)})
	})
	return fields, err
}

// Append appends the body of a message that has these fields.
func Append(dst []byte, fields []Field) []byte {
	for _, f := range fields {
		dst = append(append(append(dst, f.Code), f.Value...), 0)
	}
	return append(dst, 0)
}

// each calls f for every field of body, which must be fields that each end with a zero, a zero, and nothing more.
func each(body []byte, f func(code byte, value []byte)) error {
	for {
		if len(body) == 0 {
			return ErrMalformed
		}
		code := body[0]
		body = body[1:]
		if code == 0 {
			if len(body) != 0 {
				return ErrMalformed
			}
			return nil
		}
		end := bytes.IndexByte(body, 0)
		if end < 0 {
			return ErrMalformed
		}
		f(code, body[:end])
		body = body[end+1:]
	}
}

func wellFormed(state []byte) bool {
	for _, c := range state {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return len(state) == 5
}

func number(value []byte) bool {
	for _, c := range value {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(value) > 0 && len(value) <= 10
}
