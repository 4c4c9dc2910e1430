package cli

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestJSONForTerminalsIsHarmlessAndMeansTheSame(t *testing.T) {
	for _, want := range []string{"plain", "grün 漢字 😀", "\x1b[2J", "\u009b31m", "a\u202eb\u2066c\u200f", "\U000e0041tag", "\x7f", "\u2028", "<&>\"\\"} {
		var b strings.Builder
		if err := printJSON(&b, map[string]string{"v": want}); err != nil {
			t.Fatal(err)
		}
		for _, r := range b.String() {
			if r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 || hidesOrder(r) || r >= 0xe0000 {
				t.Errorf("%q prints %U: %q", want, r, b.String())
			}
		}
		var got map[string]string
		if err := json.Unmarshal([]byte(b.String()), &got); err != nil || got["v"] != want {
			t.Errorf("%q became %q, %v", want, got["v"], err)
		}
	}
}
