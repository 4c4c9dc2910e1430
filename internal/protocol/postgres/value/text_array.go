package value

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
)

// appendArray writes an array as PostgreSQL does: {a,"b c",NULL}, with its bounds in front when they are unusual.
func appendArray(dst []byte, typ Type, field []byte) ([]byte, bool) {
	if len(field) < 12 {
		return dst, false
	}
	dims := int(binary.BigEndian.Uint32(field))
	if dims == 0 {
		return append(dst, "{}"...), len(field) == 12
	}
	if dims < 0 || dims > 6 || len(field) < 12+8*dims {
		return dst, false
	}
	w := arrayWriter{dst: dst, elem: Type{Family: typ.Elem}, rest: field[12+8*dims:], sizes: make([]int, dims)}
	total, bounds, usual := 1, "", true
	for i := range dims {
		w.sizes[i] = int(int32(binary.BigEndian.Uint32(field[12+8*i:])))
		if w.sizes[i] <= 0 || w.sizes[i] > len(field) || total > math.MaxInt32/w.sizes[i] {
			return dst, false
		}
		total *= w.sizes[i]
		lower := int64(int32(binary.BigEndian.Uint32(field[16+8*i:])))
		bounds += fmt.Sprintf("[%d:%d]", lower, lower+int64(w.sizes[i])-1)
		usual = usual && lower == 1
	}
	if total > len(field) {
		return dst, false
	}
	if !usual {
		w.dst = append(append(w.dst, bounds...), '=')
	}
	ok := w.write(0) && len(w.rest) == 0
	return w.dst, ok
}

// maxArrayText is the longest array that is written: a few bytes of numeric can be a hundred thousand digits.
const maxArrayText = 4 << 20

type arrayWriter struct {
	dst, rest, scratch []byte
	elem               Type
	sizes              []int
}

func (w *arrayWriter) write(dim int) bool {
	w.dst = append(w.dst, '{')
	for i := range w.sizes[dim] {
		if i > 0 {
			w.dst = append(w.dst, ',')
		}
		if dim+1 < len(w.sizes) {
			if !w.write(dim + 1) {
				return false
			}
			continue
		}
		if !w.element() {
			return false
		}
	}
	w.dst = append(w.dst, '}')
	return true
}

func (w *arrayWriter) element() bool {
	if len(w.rest) < 4 {
		return false
	}
	n := int64(int32(binary.BigEndian.Uint32(w.rest)))
	w.rest = w.rest[4:]
	if n == -1 {
		w.dst = append(w.dst, "NULL"...)
		return true
	}
	if n < 0 || n > int64(len(w.rest)) {
		return false
	}
	var ok bool
	w.scratch, ok = appendBinary(w.scratch[:0], w.elem, w.rest[:n])
	w.rest = w.rest[n:]
	if !ok || len(w.dst)+len(w.scratch) > maxArrayText {
		return false
	}
	word := string(w.scratch)
	if word != "" && !strings.EqualFold(word, "NULL") && !strings.ContainsAny(word, "{}\",\\ \t\n\r\v\f") {
		w.dst = append(w.dst, word...)
		return true
	}
	w.dst = append(w.dst, '"')
	for i := range len(word) {
		if word[i] == '"' || word[i] == '\\' {
			w.dst = append(w.dst, '\\')
		}
		w.dst = append(w.dst, word[i])
	}
	w.dst = append(w.dst, '"')
	return true
}
