package policy

import (
	"iter"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
)

// target is the first segment of a pattern: what it says about targets.
func target(pattern string) string {
	head, _, _ := strings.Cut(pattern, "/")
	if head == "**" {
		return "*"
	}
	return head
}

// onTarget reports whether the pattern could match anything of a target; the empty name stands for any target.
func onTarget(patterns []access.Pattern, name string) bool {
	for _, p := range patterns {
		if name == "" || access.Glob(target(string(p)), name) {
			return true
		}
	}
	return false
}

func matchAny(patterns []access.Pattern, r access.Resource) bool {
	for _, p := range patterns {
		if p.Match(r) {
			return true
		}
	}
	return false
}

// patternCovers reports whether everything that inner matches is matched by outer too. It may say no where yes is true.
func patternCovers(outer, inner string) bool {
	for {
		if outer == "**" || outer == inner {
			return true
		}
		o, orest, omore := strings.Cut(outer, "/")
		i, irest, imore := strings.Cut(inner, "/")
		if i == "**" || o == "**" || !globCovers(o, i) {
			return false
		}
		if !imore {
			return !omore || orest == "**"
		}
		if !omore {
			return false
		}
		outer, inner = orest, irest
	}
}

// allCovered reports whether each inner pattern is covered by one of the outer ones.
func allCovered(outer, inner []access.Pattern) bool {
	for _, i := range inner {
		found := false
		for _, o := range outer {
			found = found || patternCovers(string(o), string(i))
		}
		if !found {
			return false
		}
	}
	return true
}

// patternsMeet reports whether some resource could match both patterns.
func patternsMeet(a, b string) bool {
	for {
		if a == "**" || b == "**" {
			return true
		}
		ah, arest, amore := strings.Cut(a, "/")
		bh, brest, bmore := strings.Cut(b, "/")
		if !globsMeet(ah, bh) {
			return false
		}
		if !amore || !bmore {
			return !amore && !bmore || arest == "**" || brest == "**"
		}
		a, b = arest, brest
	}
}

func anyMeet(a, b []access.Pattern) bool {
	for _, p := range a {
		for _, q := range b {
			if patternsMeet(string(p), string(q)) {
				return true
			}
		}
	}
	return false
}

// splitField cuts a field pattern into its resource pattern and its field, at the first dot that can be between them.
func splitField(p access.FieldPattern) (resource, field string) {
	s := string(p)
	slash := strings.LastIndexByte(s, '/')
	dot := strings.IndexByte(s[slash+1:], '.') + slash + 1
	return s[:dot], s[dot+1:]
}

// splits are all the ways in which access.FieldPattern reads a field pattern: its resource pattern and the path of its field.
func splits(p access.FieldPattern) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		s := string(p)
		for i := strings.LastIndexByte(s, '/') + 1; i < len(s); i++ {
			if s[i] != '.' {
				continue
			}
			resource, path := s[:i], s[i+1:]
			if resource == "**" || strings.HasSuffix(resource, "/**") {
				path = "**." + path
			}
			if !yield(resource, path) {
				return
			}
		}
	}
}

// pathCovers reports whether every field that the path of a field pattern matches is matched by another's too. It may say no
// where yes is true.
func pathCovers(outer, inner string) bool {
	outerRest, deep := strings.CutPrefix(outer, "**.")
	if outer == inner {
		return true
	}
	if deep {
		inner = strings.TrimPrefix(inner, "**.")
		for strings.Count(inner, ".") > strings.Count(outerRest, ".") {
			_, inner, _ = strings.Cut(inner, ".")
		}
		outer = outerRest
	}
	names, covers := strings.Split(inner, "."), strings.Split(outer, ".")
	for i, c := range covers {
		if i >= len(names) || c == "**" || names[i] == "**" || !globCovers(c, names[i]) {
			return false
		}
	}
	return true
}

// globCovers reports whether every text that inner matches is matched by outer: a star of inner must be taken up by a
// star of outer, so inner's stars are read as a character that nothing else matches.
func globCovers(outer, inner string) bool {
	return access.Glob(outer, strings.ReplaceAll(inner, "*", "\x00"))
}

// globsMeet reports whether some text matches both globs.
func globsMeet(a, b string) bool {
	// meets[j]: the part of a looked at so far and b[:j] can match the same text.
	meets := make([]bool, len(b)+1)
	meets[0] = true
	for j := 0; j < len(b) && b[j] == '*'; j++ {
		meets[j+1] = true
	}
	for i := range len(a) {
		next := make([]bool, len(b)+1)
		next[0] = meets[0] && a[i] == '*'
		for j := range len(b) {
			switch {
			case a[i] == '*':
				next[j+1] = meets[j+1] || next[j]
			case b[j] == '*':
				next[j+1] = meets[j+1] || next[j]
			default:
				next[j+1] = meets[j] && a[i] == b[j]
			}
		}
		meets = next
	}
	return meets[len(b)]
}
