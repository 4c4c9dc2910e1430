package value

import (
	"bytes"
	"encoding/hex"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
)

// bytea writes the digest of hashed bytes; every other mask of bytes is NULL.
func (m *Masker) bytea(dst []byte, t access.Treatment, format int16, field []byte) ([]byte, bool) {
	if t.Mask != access.MaskHash {
		return dst, true
	}
	if format == BinaryFormat {
		return m.Hider.Digest(dst, t.Rule, field), false
	}
	// The value is written over after dst and replaced by its digest, so that both formats digest the same bytes.
	at := len(dst)
	raw, ok := readBytea(dst, field)
	if !ok {
		return dst, true
	}
	var sum [mask.DigestSize]byte
	m.Hider.Digest(sum[:0], t.Rule, raw[at:])
	clear(raw[at:])
	return hex.AppendEncode(append(raw[:at], `\x`...), sum[:]), false
}

// readBytea appends the bytes that a bytea in text format stands for: \x hex, or the escape format of old.
func readBytea(dst, field []byte) ([]byte, bool) {
	if digits, ok := bytes.CutPrefix(field, []byte(`\x`)); ok {
		out, err := hex.AppendDecode(dst, digits)
		return out, err == nil
	}
	for i := 0; i < len(field); i++ {
		c := field[i]
		if c != '\\' {
			dst = append(dst, c)
			continue
		}
		if i+1 < len(field) && field[i+1] == '\\' {
			dst = append(dst, '\\')
			i++
			continue
		}
		if i+3 >= len(field) || field[i+1] > '3' || !octal(field[i+1]) || !octal(field[i+2]) || !octal(field[i+3]) {
			return dst, false
		}
		dst = append(dst, (field[i+1]-'0')<<6|(field[i+2]-'0')<<3|(field[i+3]-'0'))
		i += 3
	}
	return dst, true
}

func octal(c byte) bool { return c >= '0' && c <= '7' }

// uuid writes an RFC 9562 version 8 UUID made of the digest.
func (m *Masker) uuid(dst []byte, t access.Treatment, format int16, field []byte) ([]byte, bool) {
	if t.Mask != access.MaskHash {
		return dst, true
	}
	// The value is written after dst for a moment, where the digest can read it without an allocation.
	at := len(dst)
	var ok bool
	if dst, ok = readUUID(dst, format, field); !ok {
		return dst, true
	}
	var sum [mask.DigestSize]byte
	m.Hider.Digest(sum[:0], t.Rule, dst[at:])
	clear(dst[at:])
	sum[6] = sum[6]&0x0f | 0x80
	sum[8] = sum[8]&0x3f | 0x80
	if format == BinaryFormat {
		return append(dst[:at], sum[:]...), false
	}
	return appendUUID(dst[:at], sum[:]), false
}

func appendUUID(dst, raw []byte) []byte {
	for i, b := range raw {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, []byte{b})
	}
	return dst
}

// readUUID appends the 16 bytes of a UUID; of the forms in text it reads the one that PostgreSQL writes.
func readUUID(dst []byte, format int16, field []byte) ([]byte, bool) {
	if format == BinaryFormat {
		return append(dst, field...), len(field) == 16
	}
	if len(field) != 36 || field[8] != '-' || field[13] != '-' || field[18] != '-' || field[23] != '-' {
		return dst, false
	}
	var digits [32]byte
	n := 0
	for i, c := range field {
		if i != 8 && i != 13 && i != 18 && i != 23 {
			digits[n] = c
			n++
		}
	}
	dst, err := hex.AppendDecode(dst, digits[:])
	return dst, err == nil
}
