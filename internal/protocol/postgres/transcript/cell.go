package transcript

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/vecgate/vecgate/internal/protocol/postgres/value"
)

// guesses are the families of types whose OIDs differ from database to database and that can be told by their form.
var guesses = []value.Family{value.Vector, value.HalfVec, value.SparseVec}

// firstUnfixed is the first type OID that is not the same in every database.
const firstUnfixed = 16384

// cell is a value as a person reads it; nil is NULL. A type OID of 0 is unknown.
func cell(oid uint32, format int16, field []byte) *string {
	if field == nil {
		return nil
	}
	text, ok := readable(oid, format, field)
	if !ok {
		shown := field[:min(len(field), MaxCell/2)]
		text = `\x` + hex.EncodeToString(shown)
		if len(shown) < len(field) {
			text += fmt.Sprintf(" … %d bytes", len(field))
		}
		return &text
	}
	text = cut(shorten(text), MaxCell)
	return &text
}

func readable(oid uint32, format int16, field []byte) (string, bool) {
	var types *value.Types // those of every database
	typ := types.Lookup(oid)
	if text, ok := value.AppendText(nil, typ, format, field); ok {
		return string(text), true
	}
	if format != value.BinaryFormat || typ.Family != value.Other || oid != 0 && oid < firstUnfixed {
		return "", false
	}
	for _, family := range guesses {
		if len(field) < 6 {
			break
		}
		if text, ok := value.AppendText(nil, value.Type{Family: family}, format, field); ok {
			return string(text), true
		}
	}
	printable := utf8.Valid(field) && bytes.IndexFunc(field, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' && r != '\r' }) < 0
	return string(field), printable
}

// shorten leaves the first numbers of a vector and says how many there are.
func shorten(text string) string {
	const shown = 4
	if len(text) < 2 || text[0] != '[' || text[len(text)-1] != ']' || strings.Trim(text[1:len(text)-1], "0123456789.,eE+-") != "" {
		return text
	}
	dims := strings.Count(text, ",") + 1
	if dims <= 2*shown {
		return text
	}
	end := 0
	for range shown {
		end += strings.IndexByte(text[end:], ',') + 1
	}
	return fmt.Sprintf("%s … %d dims]", text[:end], dims)
}

// cut leaves at most so many bytes of a text, whole characters, and says how many there were.
func cut(text string, most int) string {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	if len(text) <= most {
		return text
	}
	end := most
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return fmt.Sprintf("%s … %d bytes", text[:end], len(text))
}
