package claim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestTemplateNamesFromClaims(t *testing.T) {
	claims := map[string]any{
		"sub": "alice", "repo": int64(12), "ref": "octo/repo/.github/x.yml@refs/heads/main", "odd": "a b\n%*:\"é",
		"kubernetes.io": map[string]any{"pod": map[string]any{"uid": "u-1"}}, "realm_access": map[string]any{"roles": "r"},
	}
	for template, want := range map[string]string{
		"{sub}":                   "alice",
		"acct-{sub}":              "acct-alice",
		"{repo}:{sub}":            "12:alice",
		"{sub}/{ref}":             "alice/octo%2Frepo%2F.github%2Fx.yml@refs%2Fheads%2Fmain",
		"{sub}@{ref}":             "alice@octo%2Frepo%2F.github%2Fx.yml%40refs%2Fheads%2Fmain",
		"{odd}":                   "a%20b%0A%25%2A%3A%22é",
		"{kubernetes.io.pod.uid}": "u-1",
		"{realm_access.roles}":    "r",
		"corp:{sub}":              "corp:alice",
	} {
		tpl, err := ParseTemplate(template)
		if err != nil {
			t.Errorf("ParseTemplate(%q): %v", template, err)
			continue
		}
		if got, err := tpl.Expand(claims); err != nil || got != want {
			t.Errorf("%q makes %q, %v, want %q", template, got, err, want)
		}
	}
}

func TestTemplatesThatCannotKeepValuesApartAreRefused(t *testing.T) {
	for _, template := range []string{"", "{a}{b}", "{a}x{b}", "{a", "a}", "{}", "{a b}", "{a{b}}", "x y{a}", "{a}%{b}", "é{a}", "{a}*", "{\x00}"} {
		if tpl, err := ParseTemplate(template); err == nil {
			t.Errorf("ParseTemplate(%q) = %v, want an error", template, tpl)
		}
	}
}

func TestDifferentClaimsNeverMakeOneName(t *testing.T) {
	values := []string{"a", "b", "a:b", "a/b", ":", "/", "%", "%3A", "%2F", "a-b", "-", "x:", ":x", "3A", "a%", "%%", "A", " ", "\t", "é", "a.b", ".", "x"}
	for _, template := range []string{"{p}:{q}", "{p}/{q}", "{p}-{q}", "x{p}-x-{q}x", "{p}.x{q}", "{p}a:{q}", "{p}:a{q}", "{p}::{q}"} {
		tpl, err := ParseTemplate(template)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]string{}
		for _, p := range values {
			for _, q := range values {
				name, err := tpl.Expand(map[string]any{"p": p, "q": q})
				if err != nil {
					t.Fatal(err)
				}
				from := fmt.Sprintf("%q %q", p, q)
				if before, taken := seen[name]; taken {
					t.Errorf("%s: %s and %s both make %q", template, before, from, name)
				}
				seen[name] = from
			}
		}
	}
}

func TestPathThatLeadsToTwoPlacesLeadsNowhere(t *testing.T) {
	claims := map[string]any{"a.b": "planted", "a": map[string]any{"b": "real"}, "c": map[string]any{"d": nil}}
	if v, err := Lookup(claims, "a.b"); err == nil {
		t.Errorf("Lookup found %v", v)
	}
	if g, err := Groups(claims, "a.b"); err == nil {
		t.Errorf("Groups found %v", g)
	}
	for _, path := range []string{"", ".", "a.", ".a", "c.d", "a.b.c", strings.Repeat("a.", 500)} {
		if v, err := Lookup(claims, path); err == nil {
			t.Errorf("Lookup(%.20q) = %v, want an error", path, v)
		}
	}
}

func TestGroupsFromEveryShape(t *testing.T) {
	claims := map[string]any{
		"list": []any{"a", "b c"}, "text": " a  b ", "realm_access": map[string]any{"roles": []any{"x"}}, "none": nil, "empty": []any{},
	}
	for path, want := range map[string][]string{"list": {"a", "b c"}, "text": {"a", "b"}, "realm_access.roles": {"x"}, "none": nil, "absent": nil, "empty": nil} {
		if got, err := Groups(claims, path); err != nil || !slices.Equal(got, want) {
			t.Errorf("Groups(%s) = %v, %v, want %v", path, got, err, want)
		}
	}
}

func TestTextForPeopleHoldsNothingThatHides(t *testing.T) {
	tpl, err := ParseText("{given} {family} <{mail}>")
	if err != nil {
		t.Fatal(err)
	}
	if got := tpl.Plain(map[string]any{"given": "Al\x1b[31mice", "family": "Ang\nroot"}); got != "Al[31mice Angroot <>" {
		t.Errorf("Plain = %q", got)
	}
	if got := tpl.Plain(nil); got != "" {
		t.Errorf("Plain of nothing = %q", got)
	}
}

// FuzzTemplate: a template that is accepted never panics, never makes a name with control characters, and never makes
// one name of two pairs of values.
func FuzzTemplate(f *testing.F) {
	f.Add("{p}:{q}", "a", "b", "a:", "b")
	f.Add("x{p}/y-{q}", "%", "%2F", "", "/")
	f.Add("{p}-{q}", "a-b", "c", "a", "b-c")
	f.Fuzz(func(t *testing.T, template, p1, q1, p2, q2 string) {
		tpl, err := ParseTemplate(template)
		if err != nil {
			return
		}
		one, err1 := tpl.Expand(map[string]any{"p": p1, "q": q1})
		two, err2 := tpl.Expand(map[string]any{"p": p2, "q": q2})
		if err1 != nil || err2 != nil {
			return
		}
		if strings.ContainsFunc(one, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			t.Errorf("%q made %q", template, one)
		}
		usesP, usesQ := slices.Contains(tpl.Paths(), "p"), slices.Contains(tpl.Paths(), "q")
		if one == two && (usesP && p1 != p2 || usesQ && q1 != q2) {
			t.Errorf("%q: (%q, %q) and (%q, %q) both make %q", template, p1, q1, p2, q2, one)
		}
	})
}
