package jsonstream

import (
	"strings"
	"testing"
)

func TestRunsEndWhereBytewiseScansEnd(t *testing.T) {
	for length := range 20 {
		for at := range length {
			for c := range 256 {
				b := []byte(strings.Repeat("7", length))
				b[at] = byte(c)
				checkRuns(t, b)
			}
		}
	}
}

func FuzzRunsEndWhereBytewiseScansEnd(f *testing.F) {
	f.Add([]byte(`0123456789.12e-7,`))
	f.Add([]byte(`a text with "quotes" and \ and ü and` + "\x01"))
	f.Add([]byte("\xff\x8a\x30\x00"))
	f.Fuzz(checkRuns)
}

func checkRuns(t *testing.T, b []byte) {
	n := 0
	for n < len(b) && b[n] >= '0' && b[n] <= '9' {
		n++
	}
	if got := digits(b, 0); got != n {
		t.Fatalf("the digits of %q end at %d, not at %d", b, got, n)
	}
	n = 0
	for n < len(b) && b[n] >= 0x20 && b[n] < 0x80 && b[n] != '"' && b[n] != '\\' {
		n++
	}
	if got := ordinary(b, 0); got != n {
		t.Fatalf("the ordinary bytes of %q end at %d, not at %d", b, got, n)
	}
	// The longest prefix of bytes that can stand in a literal is a number as a whole, or it is none.
	n = 0
	for n < len(b) && inLiteral(b[n]) {
		n++
	}
	word := b[:n]
	is := literal(word) && word[0] != 't' && word[0] != 'f' && word[0] != 'n'
	if got := number(b, 0) == n && n > 0; got != is {
		t.Fatalf("%q is a number: %v, not %v", word, got, is)
	}
}

func TestFlatArraysAreThoseWithoutTextsAndContainers(t *testing.T) {
	for raw, end := range map[string]int{
		`[]`: 2, `[1,2]`: 5, `[1,2],[3]`: 5, `[null,true]`: 11,
		`["]"]`: -1, `[1,"]"]`: -1, `[[1]]`: -1, `[{}]`: -1, `[1,[2]]`: -1, `[`: -1,
	} {
		if got := flat([]byte(raw), 0); got != end {
			t.Errorf("flat(%s) = %d, not %d", raw, got, end)
		}
	}
}

func TestManyMembersAreComparedAsFewAre(t *testing.T) {
	for n := 1; n < 3*few; n++ {
		var b strings.Builder
		for i := range n {
			b.WriteString(`"m` + strings.Repeat("x", i) + `":0,`)
		}
		if _, err := Read([]byte("{" + strings.TrimSuffix(b.String(), ",") + "}")); err != nil {
			t.Errorf("%d members: %v", n, err)
		}
		for _, again := range []int{0, n / 2, n - 1} {
			// Spelled otherwise, it is the same name.
			if _, err := Read([]byte("{" + b.String() + `"\u006d` + strings.Repeat("x", again) + `":0}`)); err == nil {
				t.Errorf("%d members, and the one at %d twice: not refused", n, again)
			}
		}
	}
}

// vectors is a document as upserts carry it.
func vectors(n int) []byte {
	v := "[" + strings.TrimSuffix(strings.Repeat("-0.123456,0.5,1e-7,", 512), ",") + "]"
	return []byte(`{"ids":["a"],"embeddings":[` + strings.TrimSuffix(strings.Repeat(v+",", n), ",") + `],"documents":["` + strings.Repeat("some words ", 200) + `"]}`)
}

func BenchmarkReadVectors(b *testing.B) {
	doc := vectors(100)
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		if _, err := Read(doc); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGetBehindVectors(b *testing.B) {
	v, err := Read(vectors(100))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(v.Raw())))
	for b.Loop() {
		if v.Get("documents").Kind() != Array {
			b.Fatal("no documents")
		}
	}
}

type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

func BenchmarkMaskVectors(b *testing.B) {
	doc := vectors(100)
	b.SetBytes(int64(len(doc)))
	root := &Node{Fields: map[string]*Node{"metadatas": {}}}
	for b.Loop() {
		m := NewMasker(nowhere{}, root, nil)
		if _, err := m.Write(doc); err != nil {
			b.Fatal(err)
		}
	}
}
