package claim

import (
	"fmt"
	"strings"
)

// Limits of a name made by a template.
const (
	maxValue = 512
	maxName  = 1024
)

// Template makes a name out of claims: "{repository_owner_id}/{repository_id}:{job}".
type Template struct {
	source string
	pieces []piece
	escape [256]bool
}

// piece is a text, or the path of a claim.
type piece struct {
	text string
	path string
}

// ParseTemplate reads a template for names. Two claims must have a mark between them, or their values could run into
// each other.
func ParseTemplate(source string) (*Template, error) {
	t, err := ParseText(source)
	if err != nil {
		return nil, err
	}
	for i, p := range t.pieces {
		if i > 0 && p.path != "" && t.pieces[i-1].path != "" {
			return nil, fmt.Errorf("template %q: {%s} and {%s} need text between them, or their values run into each other", source, t.pieces[i-1].path, p.path)
		}
		marks := 0
		for _, b := range []byte(p.text) {
			if b <= ' ' || b >= 0x7f || b == '%' || b == '*' || b == '"' || b == '\\' {
				return nil, fmt.Errorf("template %q: the text between claims may not hold spaces, %%, *, quotes or anything outside ASCII", source)
			}
			if !alphanumeric(b) {
				t.escape[b] = true
				marks++
			}
		}
		// Marks never appear in values as they are, so they say where a value ends; letters could belong to either.
		if p.path == "" && marks == 0 && i > 0 && i+1 < len(t.pieces) {
			return nil, fmt.Errorf("template %q: %q between two claims needs a mark such as / or :, or the values run into it", source, p.text)
		}
	}
	for _, b := range []byte(`:/%*"\`) {
		t.escape[b] = true
	}
	for b := range t.escape {
		if b <= ' ' || b == 0x7f {
			t.escape[b] = true
		}
	}
	return t, nil
}

// ParseText reads a template for texts that people read; only Plain may be used with it.
func ParseText(source string) (*Template, error) {
	if source == "" {
		return nil, fmt.Errorf("template is empty")
	}
	t := &Template{source: source}
	for rest := source; rest != ""; {
		open := strings.IndexAny(rest, "{}")
		if open < 0 {
			t.pieces = append(t.pieces, piece{text: rest})
			break
		}
		if rest[open] == '}' {
			return nil, fmt.Errorf("template %q: } without {", source)
		}
		if open > 0 {
			t.pieces = append(t.pieces, piece{text: rest[:open]})
		}
		length := strings.IndexAny(rest[open+1:], "{}")
		if length < 0 || rest[open+1+length] == '{' {
			return nil, fmt.Errorf("template %q: { without }", source)
		}
		path := rest[open+1 : open+1+length]
		if path == "" || strings.ContainsFunc(path, control) || strings.Contains(path, " ") {
			return nil, fmt.Errorf("template %q: {%s} names no claim", source, path)
		}
		t.pieces = append(t.pieces, piece{path: path})
		rest = rest[open+length+2:]
	}
	return t, nil
}

// Fixed reports whether the template uses no claim, and so gives everybody the same name.
func (t *Template) Fixed() bool {
	for _, p := range t.pieces {
		if p.path != "" {
			return false
		}
	}
	return true
}

// Paths are the claims that the template uses.
func (t *Template) Paths() []string {
	var all []string
	for _, p := range t.pieces {
		if p.path != "" {
			all = append(all, p.path)
		}
	}
	return all
}

// String returns the template as written.
func (t *Template) String() string { return t.source }

// Expand makes the name. Every claim must be there, a string or a whole number, and not empty. In values ":", "/", "%",
// "*", control characters and every mark in the template's own text are written %XX, so the name can be read back in one
// way only: different values always make different names (a provider gives one claim one type, so the number 7
// and the text "7" count as one value).
func (t *Template) Expand(claims map[string]any) (string, error) {
	var b strings.Builder
	for _, p := range t.pieces {
		if p.path == "" {
			b.WriteString(p.text)
			continue
		}
		s, err := value(claims, p.path)
		if err != nil {
			return "", err
		}
		for i := range len(s) {
			if c := s[i]; t.escape[c] {
				fmt.Fprintf(&b, "%%%02X", c)
			} else {
				b.WriteByte(c)
			}
		}
	}
	if b.Len() > maxName {
		return "", fmt.Errorf("the name made from template %s is longer than %d bytes", t.source, maxName)
	}
	return b.String(), nil
}

// Plain makes a text for people's eyes: nothing is escaped, and values may be absent. It is empty when every claim is.
func (t *Template) Plain(claims map[string]any) string {
	var b strings.Builder
	some := false
	for _, p := range t.pieces {
		if p.path == "" {
			b.WriteString(p.text)
			continue
		}
		s, err := value(claims, p.path)
		if err != nil {
			continue
		}
		some = true
		b.WriteString(strings.Map(func(r rune) rune {
			if control(r) {
				return -1
			}
			return r
		}, s))
	}
	if !some {
		return ""
	}
	return strings.TrimSpace(b.String())
}

func value(claims map[string]any, path string) (string, error) {
	v, err := Lookup(claims, path)
	if err != nil {
		return "", err
	}
	s, ok := Scalar(v)
	switch {
	case !ok:
		return "", fmt.Errorf("claim %s is neither a string nor a whole number", path)
	case s == "":
		return "", fmt.Errorf("claim %s is empty", path)
	case len(s) > maxValue:
		return "", fmt.Errorf("claim %s is longer than %d bytes", path, maxValue)
	case strings.ContainsFunc(s, func(r rune) bool { return r >= 0x7f && control(r) }):
		return "", fmt.Errorf("claim %s holds characters that cannot be seen", path)
	}
	return s, nil
}

func alphanumeric(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}
