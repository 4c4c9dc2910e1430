package access

import (
	"strings"
	"testing"
)

var posts = Resource{Target: "docs", Namespace: "default", Collection: "posts"}

// What a pattern means is the same for every engine; protocoltest asks each of them the same once more.
func TestAFieldPatternIsAboutAPath(t *testing.T) {
	for _, c := range []struct {
		pattern FieldPattern
		hides   string // paths that match
		shows   string // paths that do not
	}{
		{"docs/default/posts.email", "email email.work", "meta.email Email emails mail"},
		{"docs/default/posts.meta.email", "meta.email meta.email.work", "meta email meta.x.email x.meta.email"},
		{"docs/default/posts.meta", "meta meta.email meta.a.b", "metadata x.meta"},
		{"docs/default/posts.*.email", "meta.email a.email.b", "email a.b.email"},
		{"docs/default/posts.**.email", "email meta.email a.b.c.email a.email.b", "meta emails a.b"},
		{"docs/default/posts.a.**.c", "a.c a.b.c a.b.b.c a.b.c.d", "c a.b b.c x.a.c"},
		{"docs/default/posts.a.**", "a a.b a.b.c", "b"},
		{"docs/default/posts.**.b.**.d", "b.d a.b.c.d b.b.d a.b.x.b.d", "b a.d d.b"},
		{"docs/default/posts.m*.e*l", "meta.email m.el", "email meta.x.email"},
		{"docs/default/posts.*", "email meta meta.email", ""},
		{"**.email", "email meta.email a.b.email", "emails"},
		{"docs/**.email", "email meta.email", "emails"},
		{"**.meta.email", "meta.email a.meta.email", "email a.meta.b.email"},
		{"*/*/*.email", "email", "meta.email"},
		{"other/**.email", "", "email meta.email"},
	} {
		for _, path := range strings.Fields(c.hides) {
			if !c.pattern.Match(posts, path) {
				t.Errorf("%s does not match %s", c.pattern, path)
			}
		}
		for _, path := range strings.Fields(c.shows) {
			if c.pattern.Match(posts, path) {
				t.Errorf("%s matches %s", c.pattern, path)
			}
		}
	}
}

func TestWhatCouldBeInsideOfAField(t *testing.T) {
	for _, c := range []struct {
		pattern FieldPattern
		path    string
		below   bool
	}{
		{"docs/default/posts.meta.**.email", "meta", true},
		{"docs/default/posts.meta.**.email", "meta.x", true},
		{"docs/default/posts.meta.email", "meta", true},
		{"docs/default/posts.meta.email", "", true},
		{"docs/default/posts.meta.email", "other", false},
		{"docs/default/posts.meta.email", "meta.email", false}, // it is hidden itself
		{"docs/default/posts.email", "meta", false},
		{"docs/default/posts.email", "", true},
		{"docs/default/posts.*.email", "meta", true},
		{"docs/default/posts.**.email", "meta.a", true},
		{"docs/default/posts.a.**.c", "a.x", true},
		{"docs/default/posts.a.**.c", "b", false},
		{"**.email", "meta", true},
		{"other/**.email", "meta", false},
	} {
		if got := c.pattern.Below(posts, c.path); got != c.below {
			t.Errorf("%s below %q: %v, want %v", c.pattern, c.path, got, c.below)
		}
	}
}

func TestWhatARuleSaysOfTheInsideOfAFieldByItsName(t *testing.T) {
	for _, c := range []struct {
		pattern FieldPattern
		path    string
		names   bool
	}{
		{"docs/default/posts.meta.email", "meta", true},
		{"docs/default/posts.meta.email", "other", false},
		{"docs/default/posts.*.email", "meta", true},
		{"docs/default/posts.meta.**.email", "meta", true},
		{"docs/default/posts.meta.**.email", "meta.x", false},
		{"docs/default/posts.**.email", "meta", false},
		{"**.email", "meta", false},
		{"**.meta.email", "meta", false},
	} {
		if got := c.pattern.Names(posts, c.path); got != c.names {
			t.Errorf("%s of %q: %v, want %v", c.pattern, c.path, got, c.names)
		}
	}
}

func TestInACopyAPatternMatchesAtAnyDepth(t *testing.T) {
	for _, c := range []struct {
		pattern FieldPattern
		path    string
		match   bool
	}{
		{"docs/default/posts.email", "metadata.email", true},
		{"docs/default/posts.email", "email", true},
		{"docs/default/posts.email", "metadata", false},
		{"docs/default/posts.meta.email", "metadata.email", false},
		{"docs/default/posts.meta.email", "x.meta.email", true},
		{"docs/default/posts._node_content.metadata", "metadata.email", true},
		{"docs/default/posts._node_content.metadata", "x.metadata", false},
		{"**.email", "metadata.email", true},
		{"other/**.email", "metadata.email", false},
	} {
		if got := c.pattern.MatchCopy(posts, "_node_content", c.path); got != c.match {
			t.Errorf("%s at %q of a copy: %v, want %v", c.pattern, c.path, got, c.match)
		}
	}
}

func TestAllRulesOfAFieldCountWhateverTheyAreCalled(t *testing.T) {
	p := &Protection{Fields: []FieldRule{
		{Pattern: "**.meta", Treatment: Treatment{Mask: MaskRedact, Rule: "meta", Predicates: "allow"}},
		{Pattern: "docs/default/posts.meta.email", Treatment: Treatment{Mask: MaskPartial, Rule: "email", Predicates: "deny"}},
	}}
	if got := p.Field(posts, "meta.email", false); got.Mask != MaskRedact || got.Predicates != "deny" {
		t.Errorf("meta.email is treated as %+v", got)
	}
	if got := p.Field(posts, "meta.phone", false); got.Mask != MaskRedact || got.Predicates != "allow" {
		t.Errorf("meta.phone is treated as %+v", got)
	}
	if got := p.Inside(posts, "meta"); got.Mask == MaskNone {
		t.Error("nothing could be hidden inside of meta")
	}
}

func FuzzFieldPatterns(f *testing.F) {
	f.Add("docs/default/posts.a.**.c", "a.b.c")
	f.Add("**.**.x", "..x")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		p := FieldPattern(pattern)
		if p.Match(posts, path) && !p.Match(posts, path+".x") {
			t.Errorf("%q hides %q and not what is inside", pattern, path)
		}
		if p.Match(posts, path+".x") && !p.Match(posts, path) && path != "" && !p.Below(posts, path) {
			t.Errorf("%q matches inside of %q, and is not said to", pattern, path)
		}
		if p.Match(posts, path) && !p.MatchCopy(posts, "field", path) && path != "" {
			t.Errorf("%q matches %q, and no copy of it", pattern, path)
		}
	})
}
