package mask

import "unicode/utf8"

const (
	// shown is how many characters a partial mask leaves.
	shown = 4
	// hidden is how many it must hide at least; a shorter value is hidden altogether.
	hidden = 4
)

// partial appends stars and the last four characters of value, or stars alone when that would leave less than half of
// it hidden or when value is not UTF-8 text.
func partial(dst, value []byte) []byte {
	dst = append(dst, stars...)
	tail := len(value)
	for range shown {
		_, n := utf8.DecodeLastRune(value[:tail])
		tail -= n
	}
	if !longer(value[:tail], hidden) || !utf8.Valid(value) {
		return dst
	}
	return append(dst, value[tail:]...)
}

// longer reports whether text has at least n characters.
func longer(text []byte, n int) bool {
	for ; n > 0; n-- {
		_, size := utf8.DecodeRune(text)
		if size == 0 {
			return false
		}
		text = text[size:]
	}
	return true
}
