package value

import (
	"encoding/binary"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
)

// textArray writes an array of one element, whatever the number of elements it hides: the word for a redacted text, or
// the digest of all elements. Both formats give the same digest because it is taken over elements, not over bytes as
// they travelled. Nothing of an array is shown in part.
func (m *Masker) textArray(dst []byte, t access.Treatment, typ Type, format int16, field []byte) ([]byte, bool) {
	if t.Mask != access.MaskRedact && t.Mask != access.MaskHash {
		return dst, true
	}
	if format == TextFormat {
		at := len(dst)
		if t.Mask == access.MaskHash {
			var ok bool
			if dst, ok = readTextArray(dst, field); !ok {
				return dst, true
			}
		}
		var sum [mask.HexSize]byte
		word := m.word(sum[:0], t, dst[at:])
		clear(dst[at:])
		dst = append(dst[:at], '{')
		dst = append(dst, word...)
		return append(dst, '}'), false
	}
	elem, ok := elementOID(field)
	if !ok {
		return dst, true
	}
	at := len(dst)
	if t.Mask == access.MaskHash {
		if dst, ok = readBinaryTextArray(dst, field); !ok {
			return dst, true
		}
	}
	var sum [mask.HexSize]byte
	word := m.word(sum[:0], t, dst[at:])
	clear(dst[at:])
	dst = dst[:at]
	for _, n := range [...]uint32{1 /* dimension */, 0 /* no NULLs */, elem, 1 /* element */, 1 /* lower bound */, uint32(len(word))} {
		dst = binary.BigEndian.AppendUint32(dst, n)
	}
	return append(dst, word...), false
}

func (m *Masker) word(dst []byte, t access.Treatment, elements []byte) []byte {
	if t.Mask == access.MaskHash {
		return m.Hider.Hex(dst, t.Rule, elements)
	}
	return append(dst, mask.Redacted...)
}

func elementOID(field []byte) (uint32, bool) {
	if len(field) < 12 {
		return 0, false
	}
	return binary.BigEndian.Uint32(field[8:]), true
}

// readBinaryTextArray appends every element as its length and bytes; NULL as a length of -1.
func readBinaryTextArray(dst, field []byte) ([]byte, bool) {
	dims := binary.BigEndian.Uint32(field)
	if dims > 6 || uint64(len(field)) < 12+8*uint64(dims) {
		return dst, false
	}
	count := uint64(1)
	if dims == 0 {
		count = 0
	}
	for i := range dims {
		count *= uint64(binary.BigEndian.Uint32(field[12+8*i:]))
		if count > uint64(len(field)) {
			return dst, false
		}
	}
	rest := field[12+8*dims:]
	for range count {
		if len(rest) < 4 {
			return dst, false
		}
		n := int32(binary.BigEndian.Uint32(rest))
		if n < -1 || int64(n) > int64(len(rest)-4) {
			return dst, false
		}
		end := 4 + max(int(n), 0)
		dst = append(dst, rest[:end]...)
		rest = rest[end:]
	}
	return dst, len(rest) == 0
}

// readTextArray appends the elements of an array in text format as readBinaryTextArray does.
func readTextArray(dst, field []byte) ([]byte, bool) {
	// [2:3]={a,b}: bounds that are not the usual ones come first.
	if len(field) > 0 && field[0] == '[' {
		for len(field) > 0 && field[0] != '=' {
			field = field[1:]
		}
		if len(field) > 0 {
			field = field[1:]
		}
	}
	depth, at, closed := 0, 0, false
	for at < len(field) {
		c := field[at]
		switch {
		case closed:
			return dst, false
		case c == '{':
			depth++
			at++
		case c == '}':
			depth--
			at++
			if depth < 0 {
				return dst, false
			}
			closed = depth == 0
		case depth == 0:
			return dst, false
		case c == ',':
			at++
		default:
			length := len(dst)
			dst = append(dst, 0, 0, 0, 0)
			quoted := c == '"'
			if quoted {
				at++
			}
			for ended := false; !ended; {
				if at >= len(field) {
					return dst, false
				}
				c = field[at]
				switch {
				case c == '\\':
					if at+1 >= len(field) {
						return dst, false
					}
					dst = append(dst, field[at+1])
					at += 2
				case quoted && c == '"':
					at++
					ended = true
				case !quoted && (c == ',' || c == '}'):
					ended = true
				case !quoted && (c == '"' || c == '{'):
					return dst, false
				default:
					dst = append(dst, c)
					at++
				}
			}
			n := len(dst) - length - 4
			if !quoted && isNull(dst[length+4:]) {
				dst, n = dst[:length+4], -1
			}
			binary.BigEndian.PutUint32(dst[length:], uint32(int32(n)))
		}
	}
	return dst, closed
}

func isNull(word []byte) bool { return string(word) == "NULL" }
