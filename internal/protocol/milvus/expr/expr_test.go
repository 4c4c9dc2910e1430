package expr

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// told is what is known of a condition, in one line.
func told(e *Expr) string {
	var fields []string
	for _, c := range e.Conditions() {
		for _, f := range c.Fields {
			fields = append(fields, f.String())
		}
	}
	s := strings.Join(fields, " ")
	if keys, ok := e.Keys("id"); ok {
		s += fmt.Sprint(" keys=", keys)
	}
	if e.Narrows("id") {
		s += " narrows"
	}
	return s
}

func TestConditionsAreReadAndWrittenAnew(t *testing.T) {
	for _, x := range []struct{ in, out, told string }{
		{``, ``, ``},
		{"  \n ", ``, ``},
		{`id in [1,2, -3]`, `id in [1, 2, -3]`, `id keys=[{ 1 } { 2 } { -3 }] narrows`},
		{`id in ['a',"b\""]`, `id in ["a", "b\""]`, `id keys=[{a  } {b"  }] narrows`},
		{`id=={x}`, `id == {x}`, `id keys=[{  x}] narrows`},
		{`id in {x}`, `id in {x}`, `id keys=[{  x}] narrows`},
		{`id in []`, `id in []`, `id keys=[] narrows`},
		{`id >= 0`, `id >= 0`, `id`},
		{`id != ""`, `id != ""`, `id`},
		{`id < 9223372036854775807`, `id < 9223372036854775807`, `id`},
		{`id not in [1]`, `id not in [1]`, `id`},
		{`!(id in [1])`, `not (id in [1])`, `id`},
		{`id in [1] and n > 3`, `id in [1] and n > 3`, `id n keys=[{ 1 }] narrows`},
		{`id in [1] or n > 3`, `id in [1] or n > 3`, `id n narrows`},
		{`id in [1] or id > 3`, `id in [1] or id > 3`, `id id`},
		{`(id in [1,2]) && (id in [3])`, `(id in [1, 2]) and (id in [3])`, `id id keys=[{ 3 }] narrows`},
		{`not (id in [1]) and a == 1`, `not (id in [1]) and a == 1`, `id a narrows`},
		{`1 == 1`, `1 == 1`, ``},
		{`a == a`, `a == a`, `a a`},
		{`a != 1`, `a != 1`, `a`},
		{`a is null or b IS NOT NULL`, `a is null or b is not null`, `a b`},
		{`name like "%"`, `name like "%"`, `name`},
		{`name LIKE 'a%'`, `name like "a%"`, `name narrows`},
		{`10 < age <= 20`, `10 < age <= 20`, `age narrows`},
		{`age + 1 > 2*b`, `age + 1 > 2 * b`, `age b`},
		{`meta["a"]["b c"][0] == 'x'`, `meta["a"]["b c"][0] == "x"`, `meta.a.b c narrows`},
		{`$meta["email"] == "x"`, `$meta["email"] == "x"`, `email narrows`},
		{`exists $meta["email"]`, `exists $meta["email"]`, `email`},
		{`JSON_CONTAINS(tags, "x")`, `JSON_CONTAINS(tags, "x")`, `tags narrows`},
		{`json_contains_all(tags, [])`, `json_contains_all(tags, [])`, `tags`},
		{`array_length(tags) > 0`, `array_length(tags) > 0`, `tags`},
		{`text_match(doc, 'a b', minimum_should_match=2)`, `text_match(doc, "a b", minimum_should_match = 2)`, `doc narrows`},
		{`ts + INTERVAL 'P1D' > ISO '2025-01-01T00:00:00Z'`, `ts + INTERVAL "P1D" > ISO "2025-01-01T00:00:00Z"`, `ts`},
		{`st_within(geo, 'POLYGON((0 0,1 1))')`, `st_within(geo, "POLYGON((0 0,1 1))")`, `geo`},
		{`a == "é\n\t\\"`, `a == "é\n\t\\"`, `a narrows`},
		{`a == -1.5e3 and b == true`, `a == -1.5e3 and b == true`, `a b narrows`},
		{`(a == (b == 1))`, `(a == (b == 1))`, `b a b`},
		{`a in [b]`, `a in [b]`, `a b`},
		{`"x" in a`, `"x" in a`, `a`},
	} {
		e, err := Parse(x.in)
		if err != nil {
			t.Errorf("Parse(%q): %v", x.in, err)
			continue
		}
		if d := cmp.Diff([]string{x.out, x.told}, []string{e.String(), strings.TrimPrefix(told(e), " ")}); d != "" {
			t.Errorf("Parse(%q): %s", x.in, d)
		}
	}
}

func TestWhatTheLanguageDoesNotSurelyHaveIsAFault(t *testing.T) {
	for _, in := range []string{
		`id in [1`, `id in [1]) or (1 == 1`, `") or (1==1`, `a == "x`, `a == 'x\'`, `a == u8"x"`, `a == r'x'`, `a == "\x41"`, `a == "\101"`, `a == "\ud83d"`,
		"a == \"x\ny\"", `a == 0x10`, `a == 010`, `a == 1.`, `a == .5`, `a == 1e`, `a == 12abc`, `a = 1`, `a == 1; b`, `a == 1 -- `, `a /* x */ == 1`,
		`ä == 1`, `a == $`, `$metadata == 1`, `$x == 1`, `a[b] == 1`, `a["x" == 1`, `random_sample(0.1)`, `udf(a)`, `text_match`, `text_match("x", "y")`,
		`element_filter(s, $[x] > 1)`, `a and`, `and a`, `a not 1`, `a is 1`, `in`, `{}`, `{1}`, `()`, `[`, `a == 1 b`, `a,b`, "a == \"\xff\"", "a\x00== 1",
		strings.Repeat("(", 100) + "a" + strings.Repeat(")", 100), strings.Repeat("not ", 100) + "a", strings.Repeat("-", 100) + "1 == a", strings.Repeat("[", 100),
		`a == "` + "\u2028" + `" or`, `Text_Match(a, "b")`,
	} {
		if e, err := Parse(in); err == nil {
			t.Errorf("Parse(%q) = %q", in, e)
		}
	}
}

// FuzzParse wants what is written anew to be read as the same again, and to keep what it was written into.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`id in [1,2]`, `(a == "x") and not b["k"][0] like 'y%'`, `json_contains($meta["a"], {v}) or 1 < c <= 3`, `a is not null`, `") or (1==1`, `a == -+~1`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(e.String())
		if err != nil {
			t.Fatalf("%q is written as %q: %v", s, e, err)
		}
		if again.String() != e.String() || told(again) != told(e) {
			t.Fatalf("%q is written as %q (%s), and that as %q (%s)", s, e, told(e), again, told(again))
		}
		if e.Empty() {
			return
		}
		within, err := Parse(`(tenant in ["a"]) and (` + e.String() + `)`)
		if err != nil {
			t.Fatalf("%q leaves its parentheses: %v", s, err)
		}
		if c := within.Conditions()[0]; !c.Sure || c.Fields[0].String() != "tenant" || !c.Equality {
			t.Fatalf("%q breaks out of what it was put into", s)
		}
	})
}
