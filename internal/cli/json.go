package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"
)

// jsonTo writes JSON to where a terminal may be: what strangers chose is escaped where it could harm one. encoding/json
// leaves the C1 control characters (U+009B begins a sequence as ESC [ does) and those that change the order of letters.
func jsonTo(w io.Writer) *json.Encoder { return json.NewEncoder(harmless{w}) }

func printJSON(w io.Writer, v any) error {
	e := jsonTo(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// harmless escapes what stands raw in JSON texts and is no graphic character; outside of strings there is none.
type harmless struct{ io.Writer }

// Write takes whole values, as an Encoder writes them.
func (h harmless) Write(p []byte) (int, error) {
	out := make([]byte, 0, len(p))
	for i := 0; i < len(p); {
		r, n := utf8.DecodeRune(p[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			out = append(out, `\ufffd`...)
		case r < utf8.RuneSelf && r != 0x7f, unicode.IsGraphic(r) && !hidesOrder(r):
			out = append(out, p[i:i+n]...)
		case r > 0xffff:
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		i += n
	}
	if _, err := h.Writer.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}
