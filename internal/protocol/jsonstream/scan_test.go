package jsonstream

import (
	"math/rand/v2"
	"strconv"
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

// slowNumbers is numbers, one number after the other.
func slowNumbers(b []byte, i int) (end int, whole bool) {
	for {
		to := i
		for to < len(b) && inLiteral(b[to]) {
			to++
		}
		if to == len(b) || to == i || to-i > maxLiteral || !literal(b[i:to]) || b[i]|0x20 >= 'a' {
			return i, false
		}
		if b[to] != ',' {
			return to, true
		}
		i = to + 1
	}
}

func checkNumbers(t *testing.T, b []byte) {
	t.Helper()
	end, whole := numbers(b, 0)
	wantEnd, wantWhole := slowNumbers(b, 0)
	if end != wantEnd || whole != wantWhole {
		t.Fatalf("the numbers of %.200q end at %d (%v), not at %d (%v)", b, end, whole, wantEnd, wantWhole)
	}
	if fast := decimals(b, 0); fast > wantEnd || fast > 0 && b[fast-1] != ',' {
		t.Fatalf("the decimals of %.200q end at %d, behind the numbers, which end at %d, or not at a comma", b, fast, wantEnd)
	}
}

func TestRunsOfNumbersEndWhereNumbersEnd(t *testing.T) {
	// Every text of six bytes that numbers are made of, at every place of a word.
	const bytes = "0,.-71e+]"
	for _, before := range []string{"", "1,", "-0.25,", "-1234567,", "0.123456,", "0.1234567,0.12", "12.3456,-7", "-0.25,0.1234567890123", "0.5,-1.12345678901234567", "0.25,0.12345678901234567890"} {
		b := append([]byte(before), "xxxxxx,9.5,8,1,0.123456789]"...)
		n := 1
		for range 6 {
			n *= len(bytes)
		}
		for k := range n {
			for i, rest := 0, k; i < 6; i++ {
				b[len(before)+i] = bytes[rest%len(bytes)]
				rest /= len(bytes)
			}
			checkNumbers(t, b)
		}
	}
	for c := range 256 {
		for at := range 24 {
			b := []byte("-0.15,0.123456789,17,-3,4.5,6]")
			b[at] = byte(c)
			checkNumbers(t, b)
		}
	}
	for _, n := range []int{100, maxLiteral - 17, maxLiteral - 1, maxLiteral, maxLiteral + 1, 2 * maxLiteral} {
		for _, number := range []string{strings.Repeat("1", n), "0." + strings.Repeat("0", n-2), "-" + strings.Repeat("5", n-1)} {
			checkNumbers(t, []byte("1,2.5,"+number+",1,2,3,4,5,6,7]"))
		}
	}
}

func FuzzRunsOfNumbersEndWhereNumbersEnd(f *testing.F) {
	f.Add([]byte("0.123,-4.5,6,7e-5,0.0,-0,01,1.2.3,4]"))
	f.Add([]byte("1,2,3,4,5,6,7,8,9,0.1.2,3"))
	f.Fuzz(func(t *testing.T, b []byte) { checkNumbers(t, b) })
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

// forms are how clients and engines write vectors.
var forms = []struct {
	name, comma string
	digits      int
}{{"close", ",", 32}, {"long", ",", 64}, {"spaced", ", ", 32}}

// vectors is a document as upserts carry it. Now and then a number has an exponent.
func vectors(n int, comma string, digits int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	var vectors []string
	for range n {
		var numbers []string
		for range 1536 {
			numbers = append(numbers, strconv.FormatFloat(float64(float32(random.NormFloat64()*0.03)), 'g', -1, digits))
		}
		vectors = append(vectors, "["+strings.Join(numbers, comma)+"]")
	}
	return []byte(`{"ids":["a"],"embeddings":[` + strings.Join(vectors, comma) + `],"documents":["` + strings.Repeat("some words ", 200) + `"]}`)
}

func BenchmarkReadVectors(b *testing.B) {
	for _, form := range forms {
		b.Run(form.name, func(b *testing.B) {
			doc := vectors(100, form.comma, form.digits)
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				if _, err := Read(doc); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkGetBehindVectors(b *testing.B) {
	v, err := Read(vectors(100, ",", 32))
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
	for _, form := range forms {
		b.Run(form.name, func(b *testing.B) {
			doc := vectors(100, form.comma, form.digits)
			b.SetBytes(int64(len(doc)))
			root := &Node{Fields: map[string]*Node{"metadatas": {}}}
			for b.Loop() {
				m := NewMasker(nowhere{}, root, nil)
				if _, err := m.Write(doc); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
