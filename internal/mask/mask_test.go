package mask_test

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
)

func hider(t testing.TB, fill byte) *mask.Hider {
	t.Helper()
	h, err := mask.New(bytes.Repeat([]byte{fill}, mask.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestMaskOfEachKind(t *testing.T) {
	h := hider(t, 1)
	for _, c := range []struct {
		mask access.Mask
		kind mask.Kind
		in   string
		out  string
		then mask.Kind
	}{
		{access.MaskNone, mask.Text, "alice", "alice", mask.Text},
		{access.MaskNone, mask.Null, "", "", mask.Null},
		{access.MaskRedact, mask.Text, "alice", "[redacted]", mask.Text},
		{access.MaskRedact, mask.Text, "", "[redacted]", mask.Text},
		{access.MaskRedact, mask.Number, "42", "", mask.Null},
		{access.MaskRedact, mask.Bool, "true", "", mask.Null},
		{access.MaskRedact, mask.Bytes, "\x00\x01", "", mask.Null},
		{access.MaskRedact, mask.Null, "", "", mask.Null},
		{access.MaskNull, mask.Text, "alice", "", mask.Null},
		{access.MaskDrop, mask.Text, "alice", "", mask.Null},
		{access.MaskHash, mask.Number, "42", "", mask.Null},
		{access.MaskPartial, mask.Number, "4111111111111111", "", mask.Null},
		{access.MaskPartial, mask.Bytes, "4111111111111111", "", mask.Null},
		{access.MaskPartial, mask.Text, "4111111111111234", "****1234", mask.Text},
		{access.MaskRound, mask.Number, "0.123456", "0.12", mask.Number},
		{access.MaskRound, mask.Number, "zero", "", mask.Null},
		{access.MaskRound, mask.Text, "0.123456", "", mask.Null},
		{"scramble", mask.Text, "alice", "", mask.Null},
	} {
		out, then := h.Append([]byte("before:"), access.Treatment{Mask: c.mask, Rule: "r"}, c.kind, []byte(c.in))
		if string(out) != "before:"+c.out || then != c.then {
			t.Errorf("Append(%q, kind %d, %q) = %q, %d; want %q, %d", c.mask, c.kind, c.in, out, then, "before:"+c.out, c.then)
		}
	}
}

func TestPartialMaskCountsCharactersAndHidesShortValuesAltogether(t *testing.T) {
	h := hider(t, 1)
	for in, want := range map[string]string{
		"":                     "****",
		"123":                  "****",
		"1234567":              "****", // four of seven would be more than half
		"12345678":             "****5678",
		"+49 30 1234":          "****1234",
		"Grüße aus Köln":       "****Köln",
		"日本語日本語日本":             "****本語日本",
		"日本語日":                 "****",
		"invalid \xff\xfetail": "****",
		strings.Repeat("x", 9): "****xxxx",
	} {
		if out, _ := h.Append(nil, access.Treatment{Mask: access.MaskPartial}, mask.Text, []byte(in)); string(out) != want {
			t.Errorf("partial(%q) = %q, want %q", in, out, want)
		}
	}
}

func TestHashIsEqualForEqualValuesOfOneRuleAndKeyOnly(t *testing.T) {
	a, b := hider(t, 1), hider(t, 2)
	hash := func(h *mask.Hider, rule, value string) string { return string(h.Hex(nil, rule, []byte(value))) }
	base := hash(a, "emails", "alice@example.com")
	if len(base) != mask.HexSize || strings.Trim(base, "0123456789abcdef") != "" {
		t.Errorf("hash = %q, want %d hexadecimal characters", base, mask.HexSize)
	}
	if again := hash(a, "emails", "alice@example.com"); again != base {
		t.Errorf("hash of the same value = %q, want %q", again, base)
	}
	for name, other := range map[string]string{
		"another value": hash(a, "emails", "alice@example.con"),
		"another rule":  hash(a, "phones", "alice@example.com"),
		"another key":   hash(b, "emails", "alice@example.com"),
		"a shifted end": hash(a, "emailsa", "lice@example.com"),
	} {
		if other == base {
			t.Errorf("hash of %s is the same", name)
		}
	}
	long := strings.Repeat("a rule with a long name ", 10)
	if hash(a, long, "v") == hash(a, long[:len(long)-1], "v") {
		t.Error("the end of a long rule name does not count")
	}
}

func TestShortKeyIsRefused(t *testing.T) {
	if _, err := mask.New(make([]byte, mask.KeySize-1)); err == nil {
		t.Error("New took a key that is too short")
	}
}

func TestKeyIsCopied(t *testing.T) {
	key := bytes.Repeat([]byte{7}, mask.KeySize)
	h, err := mask.New(key)
	if err != nil {
		t.Fatal(err)
	}
	clear(key)
	if string(h.Hex(nil, "r", []byte("v"))) != string(hider(t, 7).Hex(nil, "r", []byte("v"))) {
		t.Error("changing the caller's key changed the digests")
	}
}

func TestRoundKeepsTwoDecimalsOfSmallDistancesAndThreeDigitsOfLargeOnes(t *testing.T) {
	for in, want := range map[float64]float64{
		0: 0, 0.004: 0, -0.004: 0, 0.005: 0.01, 0.126: 0.13, -0.126: -0.13, 1.999: 2, 9.994: 9.99, 9.996: 10,
		10.04: 10, 10.06: 10.1, -12.34: -12.3, 99.96: 100, 12345.678: 12300, -12345.678: -12300, 1234567: 1230000,
		1.2345e300: 1.23e300, 1.7976e308: math.MaxFloat64, -1.7976e308: -math.MaxFloat64, math.Inf(1): math.Inf(1), math.Inf(-1): math.Inf(-1),
	} {
		got := mask.Round(in)
		if got != want || math.Signbit(got) != math.Signbit(want) {
			t.Errorf("Round(%v) = %v, want %v", in, got, want)
		}
	}
	if !math.IsNaN(mask.Round(math.NaN())) {
		t.Error("Round(NaN) is a number")
	}
}

// A vector that is searched for by its inner product with one that is a million times as long shows no more of its values
// than three digits.
func TestALongVectorBringsOutNoMoreDigitsOfAHiddenOne(t *testing.T) {
	for _, x := range []float64{0.0512345, -0.0371234, 0.1234567, 0.9876543} {
		for _, scale := range []float64{1, 1e3, 1e6, 1e9} {
			shown := mask.Round(scale*x) / scale
			if shown == x || math.Abs(shown-x) < 0.00005*math.Abs(x) {
				t.Errorf("a vector of length %g shows %v of %v", scale, shown, x)
			}
		}
	}
	for _, x := range []float64{0, 1.234, 12.34, 567.8, 9.995, 1e7 + 1} {
		if once := mask.Round(x); mask.Round(once) != once {
			t.Errorf("Round(%v) is %v, and rounds to %v", x, once, mask.Round(once))
		}
	}
}

func TestMasksDoNotAllocate(t *testing.T) {
	h := hider(t, 1)
	dst := make([]byte, 0, 256)
	value := []byte("alice@example.com")
	for _, m := range []access.Mask{access.MaskRedact, access.MaskHash, access.MaskPartial, access.MaskNull} {
		treatment := access.Treatment{Mask: m, Rule: "personal-data-of-customers-in-every-region"}
		if n := testing.AllocsPerRun(100, func() { h.Append(dst, treatment, mask.Text, value) }); n != 0 {
			t.Errorf("%s allocates %v times", m, n)
		}
	}
}

func FuzzMaskedTextDoesNotContainTheValue(f *testing.F) {
	f.Add("alice@example.com", "r")
	f.Add("日本語日本語日本", "")
	h := hider(f, 1)
	f.Fuzz(func(t *testing.T, value, rule string) {
		if len(value) < 4 || strings.Contains(mask.Redacted, value[:4]) {
			return
		}
		for _, m := range []access.Mask{access.MaskRedact, access.MaskNull, access.MaskDrop} {
			out, kind := h.Append(nil, access.Treatment{Mask: m, Rule: rule}, mask.Text, []byte(value))
			if kind != mask.Null && string(out) != mask.Redacted {
				t.Errorf("%s(%q) = %q", m, value, out)
			}
		}
		out, _ := h.Append(nil, access.Treatment{Mask: access.MaskPartial, Rule: rule}, mask.Text, []byte(value))
		tail := strings.TrimPrefix(string(out), "****")
		if n := len([]rune(tail)); n != 0 && (n != 4 || !strings.HasSuffix(value, tail) || len([]rune(value)) < 8) {
			t.Errorf("partial(%q) = %q", value, out)
		}
	})
}
