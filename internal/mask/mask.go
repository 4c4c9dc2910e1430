// Package mask says what hiding a value means: redact, null, drop, hash, partial, and the rounding of distances.
//
// It knows values (text, bytes, number, bool, null) and no protocol, type system, field name or rule language: which
// value is hidden, and how, has been decided when it is called, and writing the result in a format that a client can
// read is the caller's. Start at Hider.Append.
package mask

import "github.com/vecgate/vecgate/internal/access"

// Kind is what a value is.
type Kind uint8

// The kinds of value.
const (
	Null Kind = iota
	Text
	Bytes
	Number
	Bool
)

// Redacted is what a redacted text becomes.
const Redacted = "[redacted]"

// stars stand for what a partial mask hides; their number says nothing of the length of what they hide.
const stars = "****"

// Append appends what value becomes under the treatment to dst, and says what kind of value that is: Null when nothing
// of it is left, whatever was appended then. It never looks at value's meaning beyond its kind, so equal input
// gives equal output. A mask that it does not know hides everything.
func (h *Hider) Append(dst []byte, t access.Treatment, kind Kind, value []byte) ([]byte, Kind) {
	switch t.Mask {
	case access.MaskNone:
		return append(dst, value...), kind
	case access.MaskRedact:
		if kind == Text {
			return append(dst, Redacted...), Text
		}
	case access.MaskHash:
		switch kind {
		case Text:
			return h.Hex(dst, t.Rule, value), Text
		case Bytes:
			return h.Digest(dst, t.Rule, value), Bytes
		}
	case access.MaskRound:
		if kind == Number {
			return roundText(dst, value)
		}
	case access.MaskPartial:
		if kind == Text {
			return partial(dst, value), Text
		}
	}
	return dst, Null
}
