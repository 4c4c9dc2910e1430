package admin

import (
	"fmt"
	"strings"
	"testing"
)

func TestEmbeddingsAreShortenedAndNothingElse(t *testing.T) {
	list := func(n int, form string) string {
		var words []string
		for i := range n {
			words = append(words, fmt.Sprintf(form, i))
		}
		return strings.Join(words, ",")
	}
	vector := list(384, "0.%d")
	for text, want := range map[string]string{
		`{"vector":[` + vector + `],"id":7}`:                `{"vector":[0.0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,… 384 in all],"id":7}`,
		"INSERT INTO t VALUES (7, '[" + vector + "]', 'x')": "INSERT INTO t VALUES (7, '[0.0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,… 384 in all]', 'x')",
		"[[" + list(20, "-1.5e-0%d") + "], [1, 0, 0.5]]":    "[[-1.5e-00,-1.5e-01,-1.5e-02,-1.5e-03,-1.5e-04,-1.5e-05,-1.5e-06,-1.5e-07,… 20 in all], [1, 0, 0.5]]",
		`{"ids":[` + list(400, "%d") + `]}`:                 "",
		`{"ids":[` + list(400, `"%d"`) + `]}`:               "",
		"SELECT 1 WHERE x IN (" + vector + ")":              "",
		"SELECT 1 WHERE x = ANY (ARRAY[" + vector + "])":    "",
		"SELECT 1 WHERE x = ANY (ARRAY [" + vector + "])":   "",
		"[0.1, 0.2, 0.3]": "",
		"[" + list(20, "0.%d") + ", drop table items]":             "[0.0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,… 20 in all, drop table items]",
		"[" + list(20, "0.%d") + ",42," + list(20, "0.%d") + "]":   "[0.0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,… 20 in all,42," + list(20, "0.%d") + "]",
		"[" + list(20, "0.%d") + ",10," + list(20, "0.%d") + "]":   "[0.0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,… 20 in all,10," + list(20, "0.%d") + "]",
		"[" + list(20, "0.%d") + ",1\u200b" + list(3, ",%d") + "]": "[0.0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,… 21 in all\u200b" + list(3, ",%d") + "]",
	} {
		if want == "" {
			want = text
		}
		if got := Brief(text); got != want {
			t.Errorf("%.80s…\n got %s\nwant %s", text, got, want)
		}
	}
}

func FuzzBriefLeavesOutNothingButNumbers(f *testing.F) {
	f.Add("[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8, DROP]")
	f.Fuzz(func(t *testing.T, text string) {
		keep := func(s string) string {
			return strings.Map(func(r rune) rune {
				if strings.ContainsRune("0123456789.,-+eE \t\r\n…inal", r) {
					return -1
				}
				return r
			}, s)
		}
		if got := Brief(text); keep(got) != keep(text) {
			t.Errorf("%q became %q", text, got)
		}
	})
}
