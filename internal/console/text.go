package console

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What clients send is shown to people who decide on it. HTML escaping is html/template's business; this file keeps text
// from lying in other ways: characters that reorder, hide or overwrite what stands beside them are shown by number, and
// white space that pushes text out of sight is counted.

// Span is a run of text of one kind.
type Span struct {
	Text  string
	Class string // "" plain; ctl a mark in place of what cannot be shown; kw, str, num, com in statements
}

// Long runs of white space are shown as a count.
const (
	maxSpaces = 80
	maxLines  = 8
)

// deceptive reports whether a character must be shown by number.
func deceptive(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case r == utf8.RuneError, r == 0x2028, r == 0x2029, r == 0x00AD, r == 0x115F, r == 0x1160, r == 0x3164, r == 0xFFA0, r == 0x2800:
		return true
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs):
		return true // Cf holds the bidi controls, zero-width characters and tags
	case unicode.Is(unicode.Variation_Selector, r):
		return true
	}
	return false
}

func name(r rune) string {
	switch r {
	case '\r':
		return "CR"
	case 0:
		return "NUL"
	case 0x1b:
		return "ESC"
	}
	return fmt.Sprintf("U+%04X", r)
}

// visible replaces deceptive characters in place, for titles and attributes.
func visible(s string) string {
	if strings.IndexFunc(s, deceptive) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if deceptive(r) {
			b.WriteString("‹" + name(r) + "›")
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// spans splits text into what is shown as it is and marks for what is not.
func spans(s, class string) []Span {
	var list []Span
	start := 0
	flush := func(end int) {
		if end > start {
			list = append(list, Span{s[start:end], class})
		}
	}
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if deceptive(r) {
			flush(i)
			list = append(list, Span{name(r), "ctl"})
			i += n
			start = i
			continue
		}
		if r == ' ' || r == '\t' || r == '\n' || unicode.Is(unicode.Zs, r) {
			end, count, lines := blank(s, i)
			if count-lines > maxSpaces || lines > maxLines {
				flush(i)
				mark := fmt.Sprintf("%d spaces", count)
				if lines > 1 {
					mark = fmt.Sprintf("%d blank lines", lines)
				}
				list = append(list, Span{mark, "ctl"}, Span{"\n", ""})
				i, start = end, end
				continue
			}
			i = end
			continue
		}
		i += n
	}
	flush(len(s))
	return list
}

// blank measures the run of white space at i.
func blank(s string, i int) (end, count, lines int) {
	for end = i; end < len(s); {
		r, n := utf8.DecodeRuneInString(s[end:])
		if r != ' ' && r != '\t' && r != '\n' && !unicode.Is(unicode.Zs, r) {
			break
		}
		if r == '\n' {
			lines++
		}
		count++
		end += n
	}
	return end, count, lines
}

// plain is spans for templates.
func plain(v any) []Span {
	if p, ok := v.(*string); ok {
		if p == nil {
			return nil
		}
		v = *p
	}
	return spans(fmt.Sprint(v), "")
}

// Cut is text of which the beginning is shown at first.
type Cut struct {
	Head, Rest string
	More       int // characters in Rest
}

// cut shows the first n bytes or so, and keeps the rest for those who ask. What is a little longer is shown whole.
func cut(n int, s string) Cut {
	if len(s) <= n+n/2 {
		return Cut{Head: s}
	}
	i := n
	for i > 0 && !utf8.RuneStart(s[i]) {
		i--
	}
	return Cut{s[:i], s[i:], utf8.RuneCountInString(s[i:])}
}
