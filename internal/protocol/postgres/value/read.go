package value

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"
)

// AppendText appends a value as a person reads it: text format as it is, binary format much as PostgreSQL would have
// written it in text. It says false, and appends nothing, when the bytes are no such value or the type has no reader here.
func AppendText(dst []byte, typ Type, format int16, field []byte) ([]byte, bool) {
	if format == TextFormat {
		if !utf8.Valid(field) {
			return dst, false
		}
		return append(dst, field...), true
	}
	if format != BinaryFormat {
		return dst, false
	}
	at := len(dst)
	out, ok := appendBinary(dst, typ, field)
	if !ok {
		return dst[:at], false
	}
	return out, true
}

func appendBinary(dst []byte, typ Type, field []byte) ([]byte, bool) {
	if size, fixed := sizes[typ.Family]; fixed && len(field) != size {
		return dst, false
	}
	switch typ.Family {
	case Text, JSON:
		return append(dst, field...), utf8.Valid(field)
	case JSONB:
		if len(field) == 0 || field[0] != 1 || !utf8.Valid(field) {
			return dst, false
		}
		return append(dst, field[1:]...), true
	case Bytea:
		return hex.AppendEncode(append(dst, `\x`...), field), true
	case UUID:
		return appendUUID(dst, field), true
	case Bool:
		return append(dst, "ft"[field[0]&1]), field[0] < 2
	case Int2:
		return strconv.AppendInt(dst, int64(int16(binary.BigEndian.Uint16(field))), 10), true
	case Int4:
		return strconv.AppendInt(dst, int64(int32(binary.BigEndian.Uint32(field))), 10), true
	case Int8:
		return strconv.AppendInt(dst, int64(binary.BigEndian.Uint64(field)), 10), true
	case OID:
		return strconv.AppendUint(dst, uint64(binary.BigEndian.Uint32(field)), 10), true
	case Float4:
		return appendFloat(dst, float64(math.Float32frombits(binary.BigEndian.Uint32(field))), 32), true
	case Float8:
		return appendFloat(dst, math.Float64frombits(binary.BigEndian.Uint64(field)), 64), true
	case Numeric:
		return appendNumeric(dst, field)
	case Date:
		return appendDate(dst, int32(binary.BigEndian.Uint32(field)))
	case Time:
		micros := int64(binary.BigEndian.Uint64(field))
		return midnight.Add(time.Duration(micros)*time.Microsecond).AppendFormat(dst, "15:04:05.999999"), micros >= 0 && micros < 86_400_000_000
	case Timestamp, TimestampTZ:
		return appendTimestamp(dst, typ.Family, int64(binary.BigEndian.Uint64(field)))
	case Interval:
		return appendInterval(dst, field), true
	case Inet:
		return appendInet(dst, field)
	case Bit:
		return appendBits(dst, field)
	case Array:
		return appendArray(dst, typ, field)
	case Vector:
		return appendVector(dst, field, 4, func(p []byte) float64 { return float64(math.Float32frombits(binary.BigEndian.Uint32(p))) })
	case HalfVec:
		return appendVector(dst, field, 2, func(p []byte) float64 { return half(binary.BigEndian.Uint16(p)) })
	case SparseVec:
		return appendSparse(dst, field)
	}
	return dst, false
}

// sizes of the families whose binary values all have the same one.
var sizes = map[Family]int{
	UUID: 16, Bool: 1, Int2: 2, Int4: 4, Int8: 8, OID: 4, Float4: 4, Float8: 8,
	Date: 4, Time: 8, Timestamp: 8, TimestampTZ: 8, Interval: 16,
}

var midnight = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func appendDate(dst []byte, days int32) ([]byte, bool) {
	switch days {
	case math.MaxInt32:
		return append(dst, "infinity"...), true
	case math.MinInt32:
		return append(dst, "-infinity"...), true
	}
	t := midnight.AddDate(0, 0, int(days))
	return appendEra(dst, t, "01-02")
}

func appendTimestamp(dst []byte, family Family, micros int64) ([]byte, bool) {
	switch micros {
	case math.MaxInt64:
		return append(dst, "infinity"...), true
	case math.MinInt64:
		return append(dst, "-infinity"...), true
	}
	t := time.Unix(midnight.Unix()+floorDiv(micros, 1e6), 1000*(micros-1e6*floorDiv(micros, 1e6))).UTC()
	layout := "01-02 15:04:05.999999"
	if family == TimestampTZ {
		layout += "+00"
	}
	return appendEra(dst, t, layout)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// appendEra writes the year as PostgreSQL does, which has no year 0 and marks the years before it.
func appendEra(dst []byte, t time.Time, layout string) ([]byte, bool) {
	year := t.Year()
	if year > 300_000 || year < -10_000 {
		return dst, false // PostgreSQL has no such date
	}
	before := year <= 0
	if before {
		year = 1 - year
	}
	dst = fmt.Appendf(dst, "%04d-", year)
	dst = t.AppendFormat(dst, layout)
	if before {
		dst = append(dst, " BC"...)
	}
	return dst, true
}

func appendInterval(dst, field []byte) []byte {
	micros := int64(binary.BigEndian.Uint64(field))
	days := int32(binary.BigEndian.Uint32(field[8:]))
	months := int32(binary.BigEndian.Uint32(field[12:]))
	at := len(dst)
	if months != 0 {
		dst = fmt.Appendf(dst, "%d mons ", months)
	}
	if days != 0 {
		dst = fmt.Appendf(dst, "%d days ", days)
	}
	if micros != 0 || len(dst) == at {
		sign := ""
		abs := uint64(micros)
		if micros < 0 {
			sign, abs = "-", -abs
		}
		dst = fmt.Appendf(dst, "%s%02d:%02d:%02d", sign, abs/3_600_000_000, abs/60_000_000%60, abs/1_000_000%60)
		if fraction := abs % 1_000_000; fraction != 0 {
			dst = bytes.TrimRight(fmt.Appendf(dst, ".%06d", fraction), "0")
		}
	} else {
		dst = dst[:len(dst)-1]
	}
	return dst
}

func appendInet(dst, field []byte) ([]byte, bool) {
	if len(field) < 4 || int(field[3]) != len(field)-4 {
		return dst, false
	}
	addr, ok := netip.AddrFromSlice(field[4:])
	if !ok || int(field[1]) > addr.BitLen() {
		return dst, false
	}
	dst = addr.AppendTo(dst)
	if int(field[1]) != addr.BitLen() || field[2] == 1 {
		dst = append(dst, '/')
		dst = strconv.AppendInt(dst, int64(field[1]), 10)
	}
	return dst, true
}

func appendBits(dst, field []byte) ([]byte, bool) {
	if len(field) < 4 {
		return dst, false
	}
	n := int64(int32(binary.BigEndian.Uint32(field)))
	if n < 0 || (n+7)/8 != int64(len(field)-4) {
		return dst, false
	}
	for i := range n {
		dst = append(dst, '0'+field[4+i/8]>>(7-i%8)&1)
	}
	return dst, true
}

func appendVector(dst, field []byte, size int, read func([]byte) float64) ([]byte, bool) {
	if len(field) < 4 || len(field) != 4+size*int(binary.BigEndian.Uint16(field)) || field[2] != 0 || field[3] != 0 {
		return dst, false
	}
	dst = append(dst, '[')
	for i := 4; i < len(field); i += size {
		if i > 4 {
			dst = append(dst, ',')
		}
		dst = appendFloat(dst, read(field[i:]), 32)
	}
	return append(dst, ']'), true
}

func appendSparse(dst, field []byte) ([]byte, bool) {
	if len(field) < 12 {
		return dst, false
	}
	dims := int32(binary.BigEndian.Uint32(field))
	n := int64(int32(binary.BigEndian.Uint32(field[4:])))
	if n < 0 || 12+8*n != int64(len(field)) {
		return dst, false
	}
	dst = append(dst, '{')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		index := int64(int32(binary.BigEndian.Uint32(field[12+4*i:]))) + 1 // from 0 in binary, from 1 in text
		dst = append(strconv.AppendInt(dst, index, 10), ':')
		dst = appendFloat(dst, float64(math.Float32frombits(binary.BigEndian.Uint32(field[12+4*n+4*i:]))), 32)
	}
	dst = append(dst, '}', '/')
	return strconv.AppendInt(dst, int64(dims), 10), true
}

// half reads an IEEE 754 half-precision number.
func half(bits uint16) float64 {
	sign := 1.0
	if bits>>15 == 1 {
		sign = -1
	}
	exponent, fraction := int(bits>>10&31), float64(bits&1023)
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 31:
		if fraction != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}
