package jsonstream

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// Documents of a vector database are numbers and texts, nearly all of them: runs of both are scanned eight bytes at a time.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// digits returns where the run of decimal digits that begins at i ends.
func digits(b []byte, i int) int {
	for i+8 <= len(b) {
		n := leading(b[i : i+8])
		if i += n; n < 8 {
			return i
		}
	}
	for i < len(b) && b[i]-'0' < 10 {
		i++
	}
	return i
}

// leading is how many of eight bytes are digits before the first that is none.
func leading(b []byte) int {
	x := binary.LittleEndian.Uint64(b) ^ '0'*ones // digits become 0 to 9
	// The lowest byte that is no digit is found exactly; a carry spoils those above it only. Of none there are 64 zeros.
	return bits.TrailingZeros64((x|(x+0x76*ones))&highs) / 8
}

// ordinary returns where the run of bytes that stand for themselves in a text and are ASCII ends: no quote, no backslash,
// no control character.
func ordinary(b []byte, i int) int {
	for i+8 <= len(b) {
		x := binary.LittleEndian.Uint64(b[i:])
		quote, slash := x^'"'*ones, x^'\\'*ones
		// As above: exact for the lowest byte, which is the one that counts.
		other := (x | (x - 0x20*ones) | (quote - ones) | (slash - ones)) & highs
		if other != 0 {
			return i + bits.TrailingZeros64(other)/8
		}
		i += 8
	}
	for i < len(b) && b[i] >= 0x20 && b[i] < 0x80 && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// number returns where the number that begins at i ends, or -1 when there is none. What follows it is not looked at.
func number(b []byte, i int) int {
	if i < len(b) && b[i] == '-' {
		i++
	}
	switch {
	case i >= len(b) || b[i]-'0' > 9:
		return -1
	case b[i] != '0':
		i = digits(b, i)
	default:
		if i++; i < len(b) && b[i]-'0' < 10 {
			return -1
		}
	}
	if i < len(b) && b[i] == '.' {
		i++
		from := i
		if i+8 <= len(b) {
			i += leading(b[i : i+8])
		}
		if i == from || i == from+8 {
			i = digits(b, i)
		}
		if i == from {
			return -1
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		to := digits(b, i)
		if to == i {
			return -1
		}
		i = to
	}
	return i
}

// decimals returns where, after a comma, the run of numbers ends that begins at i and are written as those of vectors are:
// 0.123, or -0.123, in 23 characters at most. The run of all numbers may go on from there. What is the same in all of them
// is expected, and what differs (the sign, how many digits there are) is computed: it cannot be predicted.
func decimals(b []byte, i int) int {
	for i+24 <= len(b) {
		x, y, z := binary.LittleEndian.Uint64(b[i:]), binary.LittleEndian.Uint64(b[i+8:]), binary.LittleEndian.Uint64(b[i+16:])
		sign := ((x&0xff ^ '-') - 1) >> 60 & 8 // eight bits, when there is one
		head := x >> sign
		if head&0xfff0 != '.'<<8|'0' || head&0x0f > 9 {
			return i
		}
		// As in leading; neither a sign nor the point spoils the bytes above it.
		x, y, z = x^'0'*ones, y^'0'*ones, z^'0'*ones
		x = (x | (x + 0x76*ones)) & highs & (^uint64(0) << (16 + sign))
		y = (y | (y + 0x76*ones)) & highs
		z = (z | (z + 0x76*ones)) & highs
		n := bits.TrailingZeros64(x)
		n += bits.TrailingZeros64(y) & -(n >> 6) // of none there are 64 zeros
		n += bits.TrailingZeros64(z) & -(n >> 7)
		if n <= 24+int(sign) || n == 192 || b[i+n/8] != ',' {
			return i
		}
		i += n/8 + 1
	}
	return i
}

// numbers returns where the run of numbers and commas that begins at i ends, and whether a number ends it rather than a
// comma. Only numbers after which another byte is there count, and none that is longer than a literal may be.
func numbers(b []byte, i int) (end int, whole bool) {
	for {
		i = decimals(b, i)
		to := number(b, i)
		if to < 0 || to == len(b) || to-i > maxLiteral || inLiteral(b[to]) {
			return i, false
		}
		if b[to] != ',' {
			return to, true
		}
		i = to + 1
	}
}

// flat returns where the array that begins at i ends, in canonical text, when it holds neither texts nor objects nor
// arrays; else -1.
func flat(raw []byte, i int) int {
	n := bytes.IndexByte(raw[i:], ']')
	if n < 0 {
		return -1
	}
	inside := raw[i+1 : i+n]
	if bytes.IndexByte(inside, '[') >= 0 || bytes.IndexByte(inside, '"') >= 0 || bytes.IndexByte(inside, '{') >= 0 {
		return -1
	}
	return i + n + 1
}
