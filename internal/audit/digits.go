package audit

import (
	"encoding/binary"
	"math/bits"
)

// Vectors that are written out are digits, points, commas and signs: packed two to a byte they are half as much to hash, to
// seal and to write, for less than that saves. Packed text is, again and again,
//
//	length u24 | so many bytes as they are | length u24 | so many bytes of two characters each
//
// big endian; the first character of two is in the lower half. 0 to 9 stand for digits, 10 to 15 for *+,-./ (ASCII).
const (
	lengths = 3
	run     = 16 // the least that is packed
)

const (
	eachByte = 0x0101010101010101
	nibbles  = 0x0f * eachByte
)

// halves takes eight characters: their lower halves, and a byte that is not zero for each that cannot be packed.
func halves(x uint64) (low, bad uint64) {
	low = x & nibbles
	over := (low + 6*eachByte) >> 4 & eachByte // 1 where the half is ten or more
	return low, (x>>4&nibbles + over) ^ 3*eachByte
}

// joined puts the lower halves of eight bytes together.
func joined(low uint64) uint32 {
	low = (low | low>>4) & 0x00ff00ff00ff00ff
	low = (low | low>>8) & 0x0000ffff0000ffff
	return uint32(low | low>>16)
}

// apart is the opposite of joined, as characters.
func apart(packed uint32) uint64 {
	low := uint64(packed)
	low = (low | low<<16) & 0x0000ffff0000ffff
	low = (low | low<<8) & 0x00ff00ff00ff00ff
	low = (low | low<<4) & nibbles
	over := (low + 6*eachByte) >> 4 & eachByte
	return low + 0x30*eachByte - over<<4
}

// packDigits appends p, of less than 16 MiB, packed.
func packDigits(dst, p []byte) []byte {
	for i := 0; i < len(p); {
		from := i
		i = nextRun(p, i)
		dst = appendLength(dst, i-from)
		dst = append(dst, p[from:i]...)
		at := len(dst)
		dst = appendLength(dst, 0)
		for i+8 <= len(p) {
			low, bad := halves(binary.LittleEndian.Uint64(p[i:]))
			if bad != 0 {
				n := bits.TrailingZeros64(bad) / 16 // pairs before it
				dst = binary.LittleEndian.AppendUint32(dst, joined(low))
				dst = dst[:len(dst)-4+n]
				i += 2 * n
				break
			}
			dst = binary.LittleEndian.AppendUint32(dst, joined(low))
			i += 8
		}
		putLength(dst[at:], len(dst)-at-lengths)
	}
	return dst
}

// nextRun is where, from i on, a run begins that is long enough to be packed, or the end.
func nextRun(p []byte, i int) int {
	good := 0
	for start := i; i+8 <= len(p); {
		_, bad := halves(binary.LittleEndian.Uint64(p[i:]))
		if bad == 0 {
			if good += 8; good >= run {
				return start
			}
			i += 8
			continue
		}
		i += 8 - bits.LeadingZeros64(bad)/8
		start, good = i, 0
	}
	return len(p)
}

// unpackDigits appends what was packed, if that is well-formed and no longer than most.
func unpackDigits(dst, packed []byte, most int) ([]byte, error) {
	for len(packed) > 0 {
		plain, rest, ok := takeLength(packed)
		if !ok || len(dst)+len(plain) > most {
			return nil, errBody
		}
		dst = append(dst, plain...)
		pairs, rest, ok := takeLength(rest)
		if !ok || len(dst)+2*len(pairs) > most {
			return nil, errBody
		}
		for len(pairs) >= 4 {
			dst = binary.LittleEndian.AppendUint64(dst, apart(binary.LittleEndian.Uint32(pairs)))
			pairs = pairs[4:]
		}
		for _, pair := range pairs {
			two := apart(uint32(pair))
			dst = append(dst, byte(two), byte(two>>8))
		}
		packed = rest
	}
	return dst, nil
}

func appendLength(b []byte, n int) []byte { return append(b, byte(n>>16), byte(n>>8), byte(n)) }

func putLength(b []byte, n int) { b[0], b[1], b[2] = byte(n>>16), byte(n>>8), byte(n) }

// takeLength takes a length and so many bytes off b.
func takeLength(b []byte) (taken, rest []byte, ok bool) {
	if len(b) < lengths {
		return nil, nil, false
	}
	n := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
	b = b[lengths:]
	if n > len(b) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}
