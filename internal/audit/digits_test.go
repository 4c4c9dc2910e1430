package audit

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func someVector(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%.6f", rand.Float64()-0.5)
	}
	return "[" + b.String() + "]"
}

func TestPackedTextComesBackAsItWas(t *testing.T) {
	texts := []string{
		"", "1", "12345678", "0123456789*+,-./", "0123456789*+,-./0", strings.Repeat("1,2.", 100) + "x", "[" + strings.Repeat("9", 33) + "]",
		someVector(200), `{"ids":["a1"],"embeddings":[` + someVector(50) + "," + someVector(3) + `],"more":"1234567890"}`,
		"\x00\xff" + strings.Repeat("-1e-05,", 40), strings.Repeat("\x30\xb0", 40), strings.Repeat("0.1, 0.2, ", 40),
	}
	for c := range 256 { // each byte by itself, in the middle of a run
		texts = append(texts, strings.Repeat("7", 19)+string([]byte{byte(c)})+strings.Repeat("3", 21))
	}
	for _, text := range texts {
		packed := packDigits(nil, []byte(text))
		got, err := unpackDigits(nil, packed, len(text))
		if err != nil || string(got) != text {
			t.Errorf("%.60q comes back as %.60q: %v", text, got, err)
		}
		if len(text) > 0 {
			if _, err := unpackDigits(nil, packed, len(text)-1); err == nil {
				t.Errorf("%.60q comes back although it is too long", text)
			}
		}
	}
}

func TestAVectorIsPackedToHalf(t *testing.T) {
	text := someVector(1536)
	if n := len(packDigits(nil, []byte(text))); n > len(text)/2+16 {
		t.Errorf("%d bytes become %d", len(text), n)
	}
}

func TestWhatIsSaidInNumbersIsRecordedPacked(t *testing.T) {
	said := []byte(`{"embeddings":[` + strings.TrimSuffix(strings.Repeat(someVector(1536)+",", 40), ",") + `],"note":"ünï"}`)
	l := open(t, Options{Self: true})
	if err := l.Body("s.1", Asked, said); err != nil {
		t.Fatal(err)
	}
	r := sample()
	r.Session, r.Request = "s", "s.1"
	if err := l.Append(r).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r.Sealed > int64(len(said)*6/10) {
		t.Errorf("%d bytes are sealed as %d", len(said), r.Sealed)
	}
	var got []byte
	reader := l.Reader()
	for piece, err := range reader.Session(t.Context(), "s", 0, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if piece.Record != nil {
			continue
		}
		b, err := reader.Unseal(piece)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, b...)
	}
	if !bytes.Equal(got, said) {
		t.Errorf("%d bytes were said, and %d others are read", len(said), len(got))
	}
}

func FuzzUnpackDigits(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(packDigits(nil, []byte("text 0123456789*+,-./0123456789 text")))
	f.Add([]byte{0, 0, 1, 'x', 0, 0, 2, 0xff, 0x12})
	f.Fuzz(func(t *testing.T, p []byte) {
		const most = 1000
		got, err := unpackDigits(nil, p, most)
		if err == nil && len(got) > most {
			t.Errorf("%d bytes come of %d", len(got), len(p))
		}
		if back, err := unpackDigits(nil, packDigits(nil, p), len(p)); err != nil || !bytes.Equal(back, p) {
			t.Errorf("%q comes back as %q: %v", p, back, err)
		}
	})
}

// BenchmarkPackDigits is what it costs to make a vector half as long.
func BenchmarkPackDigits(b *testing.B) {
	text := []byte(strings.Repeat(someVector(1536), 10))
	b.SetBytes(int64(len(text)))
	var dst []byte
	for b.Loop() {
		dst = packDigits(dst[:0], text)
	}
}
