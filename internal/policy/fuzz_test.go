package policy

import (
	"errors"
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/vecgate/vecgate/internal/access"
)

// FuzzParse: whatever is read, nothing panics; what is read as a policy decides, and a fault always has a place.
func FuzzParse(f *testing.F) {
	if text, err := os.ReadFile("../../examples/policy/quickstart.yaml"); err == nil {
		f.Add(text)
	}
	for _, text := range []string{readers, held, separated, tenants, "allow: []", "[[[[", "a: &a [*a]", "? : -", "allow:\n- - - -", "\xff", "%YAML 1.2\n---\n", "a: |\n b", "a: 'b\n\nc'", "{a: b", "- ? a\n  : b"} {
		f.Add([]byte(text))
	}
	ana := person("ana", "R", "Vector-Read")
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse("policy.yaml", text, Options{})
		if err != nil {
			faults, ok := errors.AsType[Faults](err)
			if !ok || len(faults) == 0 {
				t.Fatalf("error %v is not a list of faults", err)
			}
			for _, fault := range faults {
				if fault.Line < 1 || fault.Message == "" {
					t.Errorf("fault without a place or a message: %+v", fault)
				}
			}
			return
		}
		for _, a := range access.Actions() {
			d := p.Decide(ana, one(a, items), access.Context{Now: noon})
			if d.Effect != access.Allow && d.Effect != access.Deny && d.Effect != access.Hold || (d.Hold != nil) != (d.Effect == access.Hold) {
				t.Errorf("%s: decision %+v", a, d)
			}
			p.Explain(ana, access.Access{Action: a, Resource: items}, access.Context{Now: noon})
		}
	})
}

// FuzzParseSuite: cases are read as strictly, and nothing panics.
func FuzzParseSuite(f *testing.F) {
	if text, err := os.ReadFile("../../examples/policy/quickstart_test.yaml"); err == nil {
		f.Add(text)
	}
	f.Add([]byte("policy: p\nsubjects: {a: {id: x, kind: person, actor: a}}\ncases: [{name: a, subject: a, expect: {effect: allow}}]"))
	p := parse(f, held)
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ParseSuite("cases.yaml", text)
		if err == nil {
			s.Run(p)
		}
	})
}

// FuzzPatterns: what patternCovers and patternsMeet say agrees with what patterns match.
func FuzzPatterns(f *testing.F) {
	f.Add("products/**", "products/public/*", "products", "public", "items")
	f.Add("a*/b", "*a/*", "aa", "b", "")
	f.Add("**", "*", "x", "", "")
	f.Fuzz(func(t *testing.T, p, q, a, b, c string) {
		if !onPattern.MatchString(p) || !onPattern.MatchString(q) || a == "" || b == "" && c != "" || len(p)+len(q) > 100 {
			return
		}
		if strings.ContainsFunc(p+q, unicode.IsControl) {
			return // refused when read
		}
		for _, s := range []string{a, b, c} {
			for i := range len(s) {
				if s[i] == 0 || s[i] == '*' || s[i] == '/' {
					return
				}
			}
		}
		r := access.Resource{Target: a, Namespace: b, Collection: c}
		mp, mq := access.Pattern(p).Match(r), access.Pattern(q).Match(r)
		if mp && mq && !patternsMeet(p, q) {
			t.Errorf("%q and %q both match %v but do not meet", p, q, r)
		}
		if mq && !mp && patternCovers(p, q) {
			t.Errorf("%q covers %q, but only the second matches %v", p, q, r)
		}
		if mp && !onTarget([]access.Pattern{access.Pattern(p)}, a) {
			t.Errorf("%q matches %v but is not on target %q", p, r, a)
		}
		gp, gq := access.Glob(p, a), access.Glob(q, a)
		if gp && gq && !globsMeet(p, q) {
			t.Errorf("globs %q and %q both match %q but do not meet", p, q, a)
		}
		if gq && !gp && globCovers(p, q) {
			t.Errorf("glob %q covers %q, but only the second matches %q", p, q, a)
		}
	})
}
