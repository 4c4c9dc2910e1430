package value

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// The formats in which a value travels.
const (
	TextFormat   int16 = 0
	BinaryFormat int16 = 1
)

// A Masker writes what stands for hidden values. It is safe for concurrent use.
type Masker struct {
	Hider *mask.Hider
}

// Mask appends what a client gets in place of field, a cell of the type in the format, to dst. Null says that it gets
// NULL; a nil field is NULL and stays it. What cannot be expressed, and what does not read as a value of its type, is NULL.
//
// Only the mask of the treatment is looked at: MaskNone passes the value, and the other fields of a treatment have been
// turned into a mask by whoever decided (a distance that must be rounded arrives as MaskRound).
func (m *Masker) Mask(dst []byte, t access.Treatment, typ Type, format int16, field []byte) (out []byte, null bool) {
	if field == nil {
		return dst, true
	}
	if t.Mask == access.MaskNone {
		return append(dst, field...), false
	}
	out, null = m.hide(dst, t, typ, format, field)
	if null {
		out = out[:len(dst)]
	}
	return out, null
}

func (m *Masker) hide(dst []byte, t access.Treatment, typ Type, format int16, field []byte) ([]byte, bool) {
	if format != TextFormat && format != BinaryFormat {
		return dst, true
	}
	if t.Mask == access.MaskRound {
		return round(dst, typ, format, field)
	}
	switch typ.Family {
	case Text:
		out, kind := m.Hider.Append(dst, t, mask.Text, field)
		return out, kind != mask.Text
	case JSON, JSONB:
		return m.json(dst, t, typ.Family == JSONB && format == BinaryFormat, field)
	case Bytea:
		return m.bytea(dst, t, format, field)
	case UUID:
		return m.uuid(dst, t, format, field)
	case Int8:
		return m.int8(dst, t, format, field)
	case Array:
		if typ.Elem == Text {
			return m.textArray(dst, t, typ, format, field)
		}
	}
	return dst, true
}

// document appends a document with what is in it masked. One that cannot be read is NULL.
func (m *Masker) document(dst []byte, c *column, field []byte) ([]byte, bool) {
	switch {
	case c.inside == nil || c.format != TextFormat && c.format != BinaryFormat:
		return dst, true
	case c.typ.Family == JSONB && c.format == BinaryFormat:
		if len(field) == 0 || field[0] != 1 {
			return dst, true
		}
		field, dst = field[1:], append(dst, 1)
	case c.typ.Family != JSON && c.typ.Family != JSONB && c.typ.Family != Text:
		return dst, true
	}
	out := bytes.NewBuffer(dst)
	j := jsonstream.NewMasker(out, c.inside, m.Hider)
	if _, err := j.Write(field); err != nil || j.Close() != nil {
		return dst, true
	}
	return out.Bytes(), false
}

// json writes a JSON string where the mask is a text.
func (m *Masker) json(dst []byte, t access.Treatment, versioned bool, field []byte) ([]byte, bool) {
	if t.Mask != access.MaskRedact && t.Mask != access.MaskHash {
		return dst, true // a few characters of a document are no document
	}
	if versioned {
		if len(field) == 0 || field[0] != 1 {
			return dst, true
		}
		field = field[1:]
		dst = append(dst, 1)
	}
	dst = append(dst, '"')
	dst, kind := m.Hider.Append(dst, t, mask.Text, field)
	return append(dst, '"'), kind != mask.Text
}

// int8 writes a number between 0 and 2^63 for a hashed one; a narrower integer has no room for a digest.
func (m *Masker) int8(dst []byte, t access.Treatment, format int16, field []byte) ([]byte, bool) {
	if t.Mask != access.MaskHash {
		return dst, true
	}
	at := len(dst)
	if format == TextFormat {
		v, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return dst, true
		}
		dst = binary.BigEndian.AppendUint64(dst, uint64(v))
	} else {
		if len(field) != 8 {
			return dst, true
		}
		dst = append(dst, field...)
	}
	var sum [mask.DigestSize]byte
	m.Hider.Digest(sum[:0], t.Rule, dst[at:])
	clear(dst[at:])
	dst = dst[:at]
	hidden := binary.BigEndian.Uint64(sum[:]) & math.MaxInt64
	if format == TextFormat {
		return strconv.AppendUint(dst, hidden, 10), false
	}
	return binary.BigEndian.AppendUint64(dst, hidden), false
}

// round keeps of a floating-point number what mask.Round does.
func round(dst []byte, typ Type, format int16, field []byte) ([]byte, bool) {
	bits := 64
	switch typ.Family {
	case Float8:
	case Float4:
		bits = 32
	default:
		return dst, true
	}
	switch format {
	case TextFormat:
		v, err := strconv.ParseFloat(string(field), bits)
		if err != nil {
			return dst, true
		}
		return appendFloat(dst, mask.Round(v), bits), false
	case BinaryFormat:
		switch {
		case bits == 64 && len(field) == 8:
			v := math.Float64frombits(binary.BigEndian.Uint64(field))
			return binary.BigEndian.AppendUint64(dst, math.Float64bits(mask.Round(v))), false
		case bits == 32 && len(field) == 4:
			v := math.Float32frombits(binary.BigEndian.Uint32(field))
			return binary.BigEndian.AppendUint32(dst, math.Float32bits(float32(mask.Round(float64(v))))), false
		}
	}
	return dst, true
}

// appendFloat writes a number as PostgreSQL does: shortest digits that read back as the same number.
func appendFloat(dst []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, "NaN"...)
	case math.IsInf(v, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(v, -1):
		return append(dst, "-Infinity"...)
	case v != 0 && (math.Abs(v) >= 1e15 || math.Abs(v) < 1e-4):
		return strconv.AppendFloat(dst, v, 'e', -1, bits)
	}
	return strconv.AppendFloat(dst, v, 'f', -1, bits)
}
