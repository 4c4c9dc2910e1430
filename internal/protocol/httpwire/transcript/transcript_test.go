package transcript

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/internal/access"
)

func lines(asked, answered string) []string {
	var all []string
	_ = Lines([]byte(asked), []byte(answered), func(l access.Line) error {
		text := l.Kind + ": " + l.Text
		for _, c := range l.Cells {
			text += *c
		}
		all = append(all, text)
		return nil
	})
	return all
}

func TestARequestAndItsAnswerAreTold(t *testing.T) {
	got := lines("POST /get\n{\"limit\":1}", "200\n{\"ids\":[]}")
	want := []string{"statement: POST /get", `parameters: {"limit":1}`, `row: {"ids":[]}`, "done: status 200"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	got = lines("GET /x", "404\n{\"error\":\"NotFoundError\"}")
	want = []string{"statement: GET /x", `error: {"error":"NotFoundError"}`, "done: status 404"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestRecordingsOfPostgreSQLAreToldApart(t *testing.T) {
	for asked, want := range map[string]bool{
		"POST /get\n{}": true, "GET \"/\\x00\"": true, "Q\x00\x00\x00\x0dSELECT 1\x00": false, "P\x00\x00\x00\x20 SELECT": false, "": false, "Q": false, "get /x": false,
	} {
		if got := Speaks([]byte(asked)); got != want {
			t.Errorf("Speaks(%q) = %v", asked, got)
		}
	}
}

func FuzzLines(f *testing.F) {
	f.Add("POST /x\n{}", "200\n{}")
	f.Add("", "x")
	f.Add("\xff\n\xfe", "500\n\xff")
	f.Add("GET /", "200\n"+strings.Repeat("é", MaxText/2+1))
	f.Fuzz(func(t *testing.T, asked, answered string) {
		for _, l := range lines(asked, answered) {
			if !utf8.ValidString(l) || len(l) > MaxText+64 {
				t.Errorf("%q", l)
			}
		}
	})
}
