package jsonstream

// text checks the inside of a string token byte by byte: escapes, surrogate pairs, UTF-8, no control characters.
type text struct {
	escape byte // 0 outside, 1 after a backslash, 2..5 hex digits still to come plus one
	code   rune // of the \u escape being read
	high   bool // a high surrogate waits for its low one
	need   byte // continuation bytes still to come
	lo, hi byte // bounds of the next one
}

// plain says whether nothing is under way, so that a run of ordinary bytes may be taken at once.
func (t *text) plain() bool { return t.escape == 0 && t.need == 0 && !t.high }

// step takes a byte. done says that it was the closing quote; what is why the text is refused.
func (t *text) step(c byte) (done bool, what string) {
	switch {
	case t.need > 0:
		if c < t.lo || c > t.hi {
			return false, "a string is not UTF-8"
		}
		t.need--
		t.lo, t.hi = 0x80, 0xbf
	case t.escape == 1:
		t.escape = 0
		if t.high && c != 'u' {
			return false, "half a surrogate pair in a string"
		}
		switch c {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		case 'u':
			t.escape, t.code = 5, 0
		default:
			return false, "an unknown escape in a string"
		}
	case t.escape > 1:
		d, ok := hexDigit(c)
		if !ok {
			return false, "a \\u escape without four hexadecimal digits"
		}
		t.code = t.code<<4 | d
		if t.escape--; t.escape > 1 {
			return false, ""
		}
		t.escape = 0
		low := t.code >= 0xdc00 && t.code <= 0xdfff
		if t.high != low {
			return false, "half a surrogate pair in a string"
		}
		t.high = t.code >= 0xd800 && t.code <= 0xdbff
	case t.high && c != '\\':
		return false, "half a surrogate pair in a string"
	case c == '"':
		return true, ""
	case c == '\\':
		t.escape = 1
	case c < 0x20:
		return false, "a control character in a string"
	case c < 0x80:
	case c >= 0xc2 && c <= 0xdf:
		t.need, t.lo, t.hi = 1, 0x80, 0xbf
	case c == 0xe0:
		t.need, t.lo, t.hi = 2, 0xa0, 0xbf
	case c == 0xed:
		t.need, t.lo, t.hi = 2, 0x80, 0x9f
	case c >= 0xe1 && c <= 0xef:
		t.need, t.lo, t.hi = 2, 0x80, 0xbf
	case c == 0xf0:
		t.need, t.lo, t.hi = 3, 0x90, 0xbf
	case c >= 0xf1 && c <= 0xf3:
		t.need, t.lo, t.hi = 3, 0x80, 0xbf
	case c == 0xf4:
		t.need, t.lo, t.hi = 3, 0x80, 0x8f
	default:
		return false, "a string is not UTF-8"
	}
	return false, ""
}
