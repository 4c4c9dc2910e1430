package value_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/postgres/value"
)

func masker(t testing.TB) *value.Masker {
	t.Helper()
	h, err := mask.New(bytes.Repeat([]byte{42}, mask.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return &value.Masker{Hider: h}
}

var (
	redact  = access.Treatment{Mask: access.MaskRedact, Rule: "r"}
	hash    = access.Treatment{Mask: access.MaskHash, Rule: "r"}
	partial = access.Treatment{Mask: access.MaskPartial, Rule: "r"}
	rounded = access.Treatment{Mask: access.MaskRound, Rule: "r"}
	pass    = access.Treatment{}
)

// dataRow is the body of a DataRow; nil is NULL.
func dataRow(cells ...[]byte) []byte {
	body := binary.BigEndian.AppendUint16(nil, uint16(len(cells)))
	for _, c := range cells {
		if c == nil {
			body = append(body, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		body = append(binary.BigEndian.AppendUint32(body, uint32(len(c))), c...)
	}
	return body
}

func message(body []byte) []byte {
	out := binary.BigEndian.AppendUint32([]byte{'D'}, uint32(len(body)+4))
	return append(out, body...)
}

func TestRowIsRewrittenColumnByColumn(t *testing.T) {
	r, err := value.NewRewriter(masker(t), nil,
		[]access.Treatment{pass, redact, partial, redact, redact, rounded},
		[]uint32{23, 25, 1043, 20, 25, 701}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Row([]byte("sent:"), dataRow([]byte("7"), []byte("alice@example.com"), []byte("+49 30 5551234"), []byte("123"), nil, []byte("0.123456")))
	if err != nil {
		t.Fatal(err)
	}
	want := append([]byte("sent:"), message(dataRow([]byte("7"), []byte("[redacted]"), []byte("****1234"), nil, nil, []byte("0.12")))...)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
}

func TestMalformedRowIsRefusedAndNothingOfItIsWritten(t *testing.T) {
	r, err := value.NewRewriter(masker(t), nil, []access.Treatment{redact, pass}, []uint32{25, 25}, nil)
	if err != nil {
		t.Fatal(err)
	}
	good := dataRow([]byte("secret"), []byte("open"))
	for name, body := range map[string][]byte{
		"empty":            {},
		"half a count":     {0},
		"too few columns":  dataRow([]byte("secret")),
		"too many columns": dataRow([]byte("secret"), []byte("open"), nil),
		"cut in a length":  good[:4],
		"cut in a field":   good[:len(good)-1],
		"trailing byte":    append(bytes.Clone(good), 0),
		"negative length":  {0, 2, 0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xff},
		"huge length":      {0, 2, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"oversized row":    dataRow([]byte("secret"), make([]byte, value.MaxRow)),
	} {
		out, err := r.Row([]byte("sent:"), body)
		if !errors.Is(err, value.ErrRow) || string(out) != "sent:" {
			t.Errorf("%s: Row = %q, %v; want nothing and ErrRow", name, out, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error shows the value: %v", name, err)
		}
	}
}

func TestRewriterNeedsATypeAndAFormatForEveryColumn(t *testing.T) {
	m := masker(t)
	two := []access.Treatment{redact, pass}
	for name, c := range map[string]struct {
		oids    []uint32
		formats []int16
	}{
		"too few types":     {[]uint32{25}, nil},
		"too many formats":  {[]uint32{25, 25}, []int16{0, 0, 0}},
		"an unknown format": {[]uint32{25, 25}, []int16{2}},
	} {
		if _, err := value.NewRewriter(m, nil, two, c.oids, c.formats); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestTypeThatNobodyKnowsBecomesNullInBothFormats(t *testing.T) {
	m := masker(t)
	for _, treatment := range []access.Treatment{redact, hash, partial, rounded, {Mask: "novel"}} {
		for _, format := range []int16{0, 1, 2} {
			out, null := m.Mask([]byte("x"), treatment, value.Type{OID: 99999}, format, []byte("secret-secret"))
			if !null || string(out) != "x" {
				t.Errorf("%s in format %d = %q, null %v; want NULL", treatment.Mask, format, out, null)
			}
		}
	}
}

func TestDistanceIsRoundedInEveryForm(t *testing.T) {
	m := masker(t)
	var types *value.Types
	f64, f32 := types.Lookup(701), types.Lookup(700)
	binary64 := binary.BigEndian.AppendUint64(nil, math.Float64bits(-0.98765432))
	binary32 := binary.BigEndian.AppendUint32(nil, math.Float32bits(0.98765432))
	for name, c := range map[string]struct {
		typ    value.Type
		format int16
		in     []byte
		want   []byte // nil is NULL
	}{
		"float8 text":          {f64, 0, []byte("0.9876543210987"), []byte("0.99")},
		"float8 negative":      {f64, 0, []byte("-0.001"), []byte("0")},
		"float8 exponent":      {f64, 0, []byte("1.2345e-07"), []byte("0")},
		"float8 infinity":      {f64, 0, []byte("Infinity"), []byte("Infinity")},
		"float8 not a number":  {f64, 0, []byte("NaN"), []byte("NaN")},
		"float8 malformed":     {f64, 0, []byte("0.98x"), nil},
		"float8 binary":        {f64, 1, binary64, binary.BigEndian.AppendUint64(nil, math.Float64bits(-0.99))},
		"float8 short binary":  {f64, 1, binary64[:4], nil},
		"float4 text":          {f32, 0, []byte("0.98765"), []byte("0.99")},
		"float4 binary":        {f32, 1, binary32, binary.BigEndian.AppendUint32(nil, math.Float32bits(0.99))},
		"float4 long binary":   {f32, 1, binary64, nil},
		"text":                 {types.Lookup(25), 0, []byte("0.98765"), nil},
		"numeric":              {types.Lookup(1700), 0, []byte("0.98765"), nil},
		"float8, third format": {f64, 2, []byte("0.98765"), nil},
	} {
		out, null := m.Mask(nil, rounded, c.typ, c.format, c.in)
		if null != (c.want == nil) || !bytes.Equal(out, c.want) {
			t.Errorf("%s: %q, null %v; want %q", name, out, null, c.want)
		}
	}
}

func TestRewritingDoesNotAllocate(t *testing.T) {
	r, err := value.NewRewriter(masker(t), nil,
		[]access.Treatment{pass, redact, partial, hash, hash, hash, rounded, hash, redact},
		[]uint32{25, 25, 25, 25, 2950, 3802, 701, 1009, 23}, nil)
	if err != nil {
		t.Fatal(err)
	}
	body := dataRow([]byte("open"), []byte("alice@example.com"), []byte("+49 30 5551234"), []byte("alice"),
		[]byte("6f1c1a4e-8a4f-4f0b-9d5e-0c1d2e3f4a5b"), []byte(`{"a":1}`), []byte("0.12345"), []byte(`{a,"b c",NULL}`), []byte("5"))
	dst := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := r.Row(dst, body); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("Row allocates %v times", n)
	}
}

func BenchmarkRow(b *testing.B) {
	r, err := value.NewRewriter(masker(b), nil, []access.Treatment{pass, redact, partial, hash, pass}, []uint32{23, 25, 25, 25, 25}, nil)
	if err != nil {
		b.Fatal(err)
	}
	body := dataRow([]byte("7"), []byte("alice@example.com"), []byte("+49 30 5551234"), []byte("alice"), bytes.Repeat([]byte("text "), 40))
	dst := make([]byte, 0, 4096)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Row(dst, body); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzRow(f *testing.F) {
	f.Add(dataRow([]byte("alice@example.com"), []byte("1"), nil, []byte(`{"a",b}`)), true)
	f.Add(dataRow([]byte{1, '{', '}'}, []byte(`\x00`), []byte("0.5"), []byte("x")), false)
	f.Add([]byte{0, 4, 0xff, 0xff, 0xff, 0xff}, false)
	m := masker(f)
	families := []uint32{25, 3802, 17, 2950, 20, 701, 1009, 1700, 114}
	f.Fuzz(func(t *testing.T, body []byte, binaryFormat bool) {
		var format int16
		if binaryFormat {
			format = 1
		}
		for _, treatment := range []access.Treatment{redact, hash, partial, rounded} {
			for n := range len(families) {
				r, err := value.NewRewriter(m, nil, []access.Treatment{treatment, pass, treatment, treatment},
					[]uint32{families[n], 25, families[(n+1)%len(families)], families[(n+2)%len(families)]}, []int16{format})
				if err != nil {
					t.Fatal(err)
				}
				out, err := r.Row(nil, body)
				if err != nil {
					if len(out) != 0 {
						t.Fatal("a refused row left bytes behind")
					}
					continue
				}
				// What comes out reads as a row again, with the same NULLs and the open field untouched.
				if out[0] != 'D' || int(binary.BigEndian.Uint32(out[1:])) != len(out)-1 {
					t.Fatalf("message header of %d bytes: %x", len(out), out[:5])
				}
				open, err := value.NewRewriter(m, nil, make([]access.Treatment, 4), make([]uint32, 4), nil)
				if err != nil {
					t.Fatal(err)
				}
				if again, err := open.Row(nil, out[5:]); err != nil || !bytes.Equal(again, out) {
					t.Fatalf("rewritten row does not read as a row: %v", err)
				}
			}
		}
	})
}

func FuzzAppendTextNeverPanics(f *testing.F) {
	for _, seed := range []string{"", "\x01{}", "\x00\x01\x00\x00\x3f\x80\x00\x00", "\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x19\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01a"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, field []byte) {
		for family := value.Other; family <= value.SparseVec; family++ {
			for _, elem := range []value.Family{value.Text, value.Numeric, value.Vector} {
				out, ok := value.AppendText([]byte("x"), value.Type{Family: family, Elem: elem}, value.BinaryFormat, field)
				if !ok && string(out) != "x" {
					t.Fatalf("family %d left %q behind", family, out)
				}
				if len(out) > 64*len(field)+8<<20 {
					t.Fatalf("family %d makes %d bytes of %d", family, len(out), len(field))
				}
			}
		}
	})
}
