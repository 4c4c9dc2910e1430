package qdrant

import (
	"strings"
	"unicode"
)

// fieldOf is the field that a key of a payload stands for, as policy names it: a.b for a.b, a[].b, a[0].b and "a"."b".
// What is not a path in Qdrant's own grammar is refused (https://qdrant.tech/documentation/concepts/payload/).
func fieldOf(key string) (string, bool) {
	if key == "" || len(key) > 4096 {
		return "", false
	}
	var segments []string
	for rest := key; ; {
		var segment string
		if strings.HasPrefix(rest, `"`) {
			end := strings.IndexByte(rest[1:], '"')
			if end < 1 {
				return "", false
			}
			segment, rest = rest[1:1+end], rest[2+end:]
		} else {
			end := strings.IndexFunc(rest, func(r rune) bool { return !bare(r) })
			if end < 0 {
				end = len(rest)
			}
			segment, rest = rest[:end], rest[end:]
		}
		if segment == "" {
			return "", false
		}
		segments = append(segments, segment)
		for strings.HasPrefix(rest, "[") {
			end := strings.IndexByte(rest, ']')
			if end < 0 || strings.Trim(rest[1:end], "0123456789") != "" {
				return "", false
			}
			rest = rest[end+1:]
		}
		if rest == "" {
			return strings.Join(segments, "."), true
		}
		if rest[0] != '.' {
			return "", false
		}
		rest = rest[1:]
	}
}

func bare(r rune) bool { return r == '_' || r == '-' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// keyOf is the key of a payload that stands for a field of a policy.
func keyOf(field string) string {
	segments := strings.Split(field, ".")
	for i, s := range segments {
		if s == "" || strings.ContainsFunc(s, func(r rune) bool { return !bare(r) }) {
			segments[i] = `"` + s + `"`
		}
	}
	return strings.Join(segments, ".")
}

// within says whether a field is the other one, or lies inside of it.
func within(field, other string) bool {
	return field == other || strings.HasPrefix(field, other+".")
}
