package jsonstream

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLinesAreDocumentsOfTheirOwn(t *testing.T) {
	for text, want := range map[string][]string{
		"{\"a\": 1}\n{\"b\":\"\\u0062\"}\n": {`{"a":1}`, `{"b":"\u0062"}`},
		"{}\r\n[1 ,2]":                      {`{}`, `[1,2]`},
		"1":                                 {`1`},
		"{\"\\b\":1}\n{}":                   {`{"\u0008":1}`, `{}`}, // longer than it was
		"":                                  nil,
		"\n":                                nil,
		"{}\n\n{}":                          nil,
		"{}\n\n":                            nil,
		"{}{}":                              nil,
		"{}\n{":                             nil,
		"{\n}":                              nil,
		"{}\n{\"a\":1,\"a\":2}":             nil,
		"1\n2\n3\n4":                        nil,
	} {
		got, err := ReadLines([]byte(text), 3)
		var raw []string
		for _, v := range got {
			raw = append(raw, string(v.Raw()))
		}
		if d := cmp.Diff(want, raw); d != "" || (err == nil) != (want != nil) {
			t.Errorf("%q: %v %s", text, err, d)
		}
	}
}

// FuzzReadLines wants what it reads to read the same once more, and every line to be what Read makes of it.
func FuzzReadLines(f *testing.F) {
	f.Add("{\"a\":1}\n{}\n")
	f.Add("[]\r\n\"\\b\"")
	f.Fuzz(func(t *testing.T, text string) {
		lines, err := ReadLines([]byte(text), 100)
		if err != nil {
			return
		}
		var joined bytes.Buffer
		parts := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		if len(parts) != len(lines) {
			t.Fatalf("%q: %d lines", text, len(lines))
		}
		for i, v := range lines {
			one, err := Read([]byte(parts[i]))
			if err != nil || !bytes.Equal(one.Raw(), v.Raw()) {
				t.Fatalf("%q alone: %v %q, in lines %q", parts[i], err, one.Raw(), v.Raw())
			}
			joined.Write(append(v.Raw(), '\n'))
		}
		again, err := ReadLines(joined.Bytes(), 100)
		if err != nil || len(again) != len(lines) {
			t.Fatalf("%q: %v", joined.String(), err)
		}
	})
}

func TestNumbersMayStandApart(t *testing.T) {
	for _, text := range []string{"[1,2.5,-3]", "[1, 2.5, -3]", "[ 1 ,2.5 ,\t-3 ]", "[1,\n2.5,  -3\n]"} {
		if v, err := Read([]byte(text)); err != nil || string(v.Raw()) != "[1,2.5,-3]" {
			t.Errorf("%q: %q %v", text, v.Raw(), err)
		}
	}
	for _, text := range []string{"[1, ]", "[1,]", "[1, ,2]", "[ ,1]", "[1 2]"} {
		if v, err := Read([]byte(text)); err == nil {
			t.Errorf("%q is read as %q", text, v.Raw())
		}
	}
}
