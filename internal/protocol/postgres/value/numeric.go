package value

import (
	"encoding/binary"
	"fmt"
	"strconv"
)

// appendNumeric writes a numeric: its binary form is the count of digits, the weight of the first, a sign, the number
// of decimals, and digits of base 10000.
func appendNumeric(dst, field []byte) ([]byte, bool) {
	if len(field) < 8 {
		return dst, false
	}
	n := int(binary.BigEndian.Uint16(field))
	weight := int(int16(binary.BigEndian.Uint16(field[2:])))
	decimals := int(binary.BigEndian.Uint16(field[6:]))
	if len(field) != 8+2*n || decimals > 16383 {
		return dst, false
	}
	switch binary.BigEndian.Uint16(field[4:]) {
	case 0x0000:
	case 0x4000:
		dst = append(dst, '-')
	case 0xC000:
		return append(dst, "NaN"...), true
	case 0xD000:
		return append(dst, "Infinity"...), true
	case 0xF000:
		return append(dst, "-Infinity"...), true
	default:
		return dst, false
	}
	digit := func(i int) uint16 {
		if i < 0 || i >= n {
			return 0
		}
		return binary.BigEndian.Uint16(field[8+2*i:])
	}
	for i := range n {
		if digit(i) > 9999 {
			return dst, false
		}
	}
	if weight < 0 {
		dst = append(dst, '0')
	}
	for i := 0; i <= weight; i++ {
		if i == 0 {
			dst = strconv.AppendUint(dst, uint64(digit(0)), 10)
			continue
		}
		dst = fmt.Appendf(dst, "%04d", digit(i))
	}
	if decimals == 0 {
		return dst, true
	}
	dst = append(dst, '.')
	end := len(dst) + decimals
	for i := weight + 1; len(dst) < end; i++ {
		dst = fmt.Appendf(dst, "%04d", digit(i))
	}
	return dst[:end], true
}
