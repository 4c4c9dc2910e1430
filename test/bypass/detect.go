package bypass

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// window is how much of a secret counts as a leak of it.
const window = 6

// A detector finds secrets in what a client received, whole or in part, in the encodings that a database can produce.
type detector struct {
	folded, exact needles // those of folded are looked for without regard to case
}

// needles are what to look for, by length, and a filter of how they begin.
type needles struct {
	by     map[int]map[string]string
	begins *[1 << 16]bool
}

func newNeedles() needles { return needles{map[int]map[string]string{}, new([1 << 16]bool)} }

func (n needles) add(needle, what string) {
	if n.by[len(needle)] == nil {
		n.by[len(needle)] = map[string]string{}
	}
	n.by[len(needle)][needle] = what
	n.begins[begin(needle)] = true
}

// begin is a hash of the first six bytes; no needle is shorter.
func begin(s string) uint16 {
	h := uint32(0)
	for i := range window {
		h = h*0x01000193 ^ uint32(s[i])
	}
	return uint16(h ^ h>>16)
}

// newDetector looks for the secrets of a world.
func newDetector(secrets []secret) *detector {
	d := &detector{newNeedles(), newNeedles()}
	for i, s := range secrets {
		d.text(fmt.Sprintf("email of customer %d", i+1), strings.TrimSuffix(s.Email, "@example.net"), s.Email)
		d.text(fmt.Sprintf("phone of customer %d", i+1), strings.TrimSuffix(s.Phone, "-0177"), s.Phone)
		d.text(fmt.Sprintf("ssn of customer %d", i+1), s.SSN, s.SSN)
		d.vector(fmt.Sprintf("embedding of customer %d", i+1), s.Embedding)
	}
	return d
}

func (d *detector) fold(needle, what string) { d.folded.add(lower(needle), what) }

// text looks for every window of the telling part of a secret and for digests of the whole.
func (d *detector) text(what, telling, whole string) {
	for i := 0; i+window <= len(telling); i++ {
		w := telling[i : i+window]
		d.fold(w, what)
		d.fold(reversed(w), what+", reversed")
		d.fold(rot13(w), what+", rotated")
		d.encoded(what, []byte(w))
		var unicode, decimal, spaced, codes strings.Builder
		for j := range window {
			fmt.Fprintf(&unicode, `\u%04x`, w[j])
			fmt.Fprintf(&decimal, "%d,", w[j])
			fmt.Fprintf(&codes, "&#%d;", w[j])
			spaced.WriteString(w[j:j+1] + ",")
		}
		d.fold(unicode.String(), what+", escaped")
		d.fold(codes.String(), what+", as character references")
		d.fold(decimal.String(), what+", as numbers")
		d.fold(spaced.String(), what+", letter by letter")
	}
	sum5, sum256 := md5.Sum([]byte(whole)), sha256.Sum256([]byte(whole))
	d.fold(hex.EncodeToString(sum5[:]), what+", its MD5")
	d.fold(hex.EncodeToString(sum256[:]), what+", its SHA-256")
	d.fold(string(sum256[:]), what+", its SHA-256 in binary")
}

// encoded looks for a few bytes of a secret in the encodings of bytes.
func (d *detector) encoded(what string, w []byte) {
	d.fold(hex.EncodeToString(w), what+", in hex")
	// Of windows at all places some begin where an encoded text has a boundary.
	d.exact.add(base64.StdEncoding.EncodeToString(w), what+", in base64")
	d.exact.add(base64.URLEncoding.EncodeToString(w), what+", in base64")
	var percent, octal, bits strings.Builder
	for _, c := range w {
		fmt.Fprintf(&percent, "%%%02x", c)
		fmt.Fprintf(&octal, `\%03o`, c)
		fmt.Fprintf(&bits, "%08b", c)
	}
	d.fold(percent.String(), what+", url-encoded")
	d.fold(octal.String(), what+", in octal")
	d.fold(bits.String(), what+", in bits")
}

// vector looks for the longer numbers of an embedding as text, and for any two neighbours in binary.
func (d *detector) vector(what string, v []float32) {
	for _, x := range v {
		text := strings.TrimLeft(strings.TrimPrefix(strconv.FormatFloat(float64(x), 'f', -1, 32), "-"), "0.")
		if len(text) >= 7 {
			d.exact.add(text, what)
		}
	}
	raw := vectorBinary(v)
	for i := 0; i+8 <= len(raw); i += 4 {
		d.exact.add(string(raw[i:i+8]), what+", in binary")
		d.fold(hex.EncodeToString(raw[i:i+8]), what+", in hex")
	}
}

// find returns what of the secrets is in the received bytes, each once.
func (d *detector) find(received []byte) []string {
	var found []string
	scan := func(text string, n needles) {
		for i := 0; i+window <= len(text); i++ {
			if !n.begins[begin(text[i:])] {
				continue
			}
			for length, by := range n.by {
				if i+length > len(text) {
					continue
				}
				if what, ok := by[text[i:i+length]]; ok && !slices.Contains(found, what) {
					found = append(found, what)
				}
			}
		}
	}
	text := string(received)
	scan(text, d.exact)
	scan(lower(text), d.folded)
	slices.Sort(found)
	return found
}

// lower folds ASCII only: the bytes need not be text, and must keep their places.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

func reversed(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}

func rot13(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return 'a' + (r-'a'+13)%26
		case r >= 'A' && r <= 'Z':
			return 'A' + (r-'A'+13)%26
		}
		return r
	}, s)
}
