package bypass

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestEveryClassOfAttackHasCasesOrIsTestedElsewhere(t *testing.T) {
	cases := map[int]int{}
	names := map[string]bool{}
	for _, c := range Catalogue() {
		cases[c.Class]++
		name := fmt.Sprintf("%d %s", c.Class, c.Name)
		if names[name] {
			t.Errorf("there are two cases %s", name)
		}
		names[name] = true
		if Classes[c.Class] == "" {
			t.Errorf("%s: no such class", name)
		}
		if (c.SQL == "") == (len(c.Steps) == 0) {
			t.Errorf("%s has not either a statement or steps", name)
		}
		if (c.Proof == Nothing) == (c.Why == "") {
			t.Errorf("%s: a reason belongs to every attack that shows nothing, and to no other", name)
		}
	}
	for class, title := range Classes {
		if (cases[class] == 0) == (Elsewhere[class] == "") {
			t.Errorf("class %d (%s) has %d cases; tested elsewhere: %q", class, title, cases[class], Elsewhere[class])
		}
	}
	if n := len(Generate()); n < 500 {
		t.Errorf("only %d generated attacks", n)
	}
}

func TestDetectorFindsASecretInEveryEncoding(t *testing.T) {
	secrets := secretsOf(0)
	d := newDetector(secrets)
	s := secrets[3]
	part := s.SSN[2:9]
	var spaced, numbers, escaped, octal, bits []string
	for _, c := range []byte(part) {
		spaced = append(spaced, string(c))
		numbers = append(numbers, fmt.Sprint(c))
		escaped = append(escaped, fmt.Sprintf(`\u%04X`, c))
		octal = append(octal, fmt.Sprintf(`\%o`, c))
		bits = append(bits, fmt.Sprintf("%08b", c))
	}
	for name, text := range map[string]string{
		"raw":           "xx" + part + "yy",
		"six bytes":     part[:6],
		"upper case":    strings.ToUpper(part),
		"lower case":    strings.ToLower(part),
		"reversed":      reversed(part),
		"rotated":       rot13(part),
		"hex":           hex.EncodeToString([]byte("x" + part)),
		"upper hex":     strings.ToUpper(hex.EncodeToString([]byte(part))),
		"base64":        base64.StdEncoding.EncodeToString([]byte(s.SSN)),
		"base64, by 1":  base64.StdEncoding.EncodeToString([]byte("x" + s.SSN)),
		"base64, by 2":  base64.URLEncoding.EncodeToString([]byte("xy" + s.SSN)),
		"json":          strings.Join(escaped, ""),
		"url":           strings.ReplaceAll(url.QueryEscape(strings.Join(octal, "")), "%5C", `\`),
		"percent":       "%" + strings.Join(split2(hex.EncodeToString([]byte(part))), "%"),
		"letters":       strings.Join(spaced, ","),
		"numbers":       strings.Join(numbers, ",") + ",",
		"bits":          strings.Join(bits, ""),
		"email":         s.Email,
		"phone":         s.Phone,
		"vector text":   vectorText(s.Embedding[7:9]),
		"vector binary": string(vectorBinary(s.Embedding[7:9])),
		"vector hex":    hex.EncodeToString(vectorBinary(s.Embedding[7:9])),
	} {
		if found := d.find([]byte("before " + text + " after")); len(found) == 0 {
			t.Errorf("%s: %q is not found", name, text)
		}
	}
}

func split2(s string) []string {
	var parts []string
	for p := range slices.Chunk([]byte(s), 2) {
		parts = append(parts, string(p))
	}
	return parts
}

func TestDetectorLetsPassWhatIsNoSecret(t *testing.T) {
	d := newDetector(secretsOf(0))
	s := secretsOf(0)[0]
	for name, text := range map[string]string{
		"five bytes":       s.SSN[:5] + " " + s.SSN[6:11],
		"the domain":       "@example.net",
		"the last four":    "****0177",
		"the other world":  secretsOf(1)[0].Email + secretsOf(1)[0].SSN,
		"a rounded number": "0.12 -0.98",
		"words":            strings.Repeat("the quick brown fox jumps over the lazy dog 0123456789 ", 50),
	} {
		if found := d.find([]byte(text)); len(found) != 0 {
			t.Errorf("%s: found %v", name, found)
		}
	}
}

func TestWorldsDifferInEverySecret(t *testing.T) {
	a, b := secretsOf(0), secretsOf(1)
	for i := range a {
		if a[i].Email == b[i].Email || len(a[i].Email) == len(b[i].Email) || a[i].Phone == b[i].Phone || a[i].SSN == b[i].SSN || slices.Equal(a[i].Embedding, b[i].Embedding) {
			t.Errorf("customer %d has a secret in common", i+1)
		}
		if a[i].Phone[len(a[i].Phone)-4:] != b[i].Phone[len(b[i].Phone)-4:] {
			t.Errorf("customer %d: the visible part of the telephone number differs", i+1)
		}
	}
}
