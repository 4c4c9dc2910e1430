package transcript

import "strings"

// command is one statement of a text, as far as it changes names.
type command struct {
	text string
	tag  string // that the server would answer, "" for what changes no names
	name string // "" when it names none, or in a way that is not read here
}

// commands splits a text at its semicolons. It knows no grammar: where the server says something else, the server is right.
func commands(text string) []command {
	var list []command
	from, depth := 0, 0
	var words []string // the first of the current command
	end := func(at int) {
		if len(words) > 0 {
			c := command{text: strings.TrimSpace(text[from:at])}
			c.tag, c.name = effect(words)
			list = append(list, c)
		}
		words, depth = nil, 0
	}
	for at := 0; at < len(text); {
		size, word := token(text[at:])
		switch {
		case word == ";" && depth == 0:
			end(at)
			from = at + 1
		case word == "(":
			depth++
		case word == ")":
			depth = max(0, depth-1)
		}
		if word != "" && word != ";" && len(words) < 4 {
			words = append(words, word)
		}
		at += size
	}
	end(len(text))
	return list
}

// effect is the tag of a command that changes names, and the name.
func effect(words []string) (tag, name string) {
	word := func(i int) string {
		if i < len(words) {
			return words[i]
		}
		return ""
	}
	switch word(0) {
	case "prepare":
		if word(1) == "transaction" {
			return "", ""
		}
		return "PREPARE", identifier(word(1), word(2))
	case "deallocate":
		i := 1
		if word(1) == "prepare" && word(2) != "" {
			i = 2
		}
		if word(i) == "all" {
			return "DEALLOCATE ALL", ""
		}
		return "DEALLOCATE", identifier(word(i), word(i+1))
	case "discard":
		if word(1) == "all" {
			return "DISCARD ALL", ""
		}
	case "close":
		if word(1) == "all" {
			return "CLOSE CURSOR ALL", ""
		}
		return "CLOSE CURSOR", identifier(word(1), word(2))
	}
	return "", ""
}

// identifier is the name that a word stands for, "" when that is not read here.
func identifier(word, next string) string {
	if word == "u" && next == "&" {
		return "" // U&"…"
	}
	if strings.HasPrefix(word, `"`) {
		if len(word) < 2 || !strings.HasSuffix(word, `"`) {
			return ""
		}
		return strings.ReplaceAll(word[1:len(word)-1], `""`, `"`)
	}
	if word == "" || !letter(word[0]) {
		return ""
	}
	return word
}

// token is the size of what stands at the start of a text, one byte at least, and its word: small letters for a plain
// one, a quoted name as it stands, "" for what separates words.
func token(text string) (size int, word string) {
	switch c := text[0]; {
	case c == ' ' || c >= '\t' && c <= '\r':
		return 1, ""
	case strings.HasPrefix(text, "--"):
		if i := strings.IndexAny(text, "\r\n"); i >= 0 {
			return i, ""
		}
		return len(text), ""
	case strings.HasPrefix(text, "/*"):
		return comment(text), ""
	case (c == 'e' || c == 'E') && strings.HasPrefix(text[1:], "'"):
		return 1 + quoted(text[1:], '\'', true), "'"
	case c == '\'':
		return quoted(text, '\'', false), "'"
	case c == '"':
		n := quoted(text, '"', false)
		return n, text[:n]
	case c == '$':
		return dollar(text), "$"
	case letter(c):
		n := 1
		for n < len(text) && (letter(text[n]) || text[n] >= '0' && text[n] <= '9' || text[n] == '$') {
			n++
		}
		return n, lower(text[:n])
	}
	return 1, text[:1]
}

func letter(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80 }

// lower folds as PostgreSQL folds names in UTF-8: ASCII only.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

func quoted(text string, quote byte, escapes bool) int {
	for i := 1; i < len(text); i++ {
		switch {
		case escapes && text[i] == '\\':
			i++
		case text[i] == quote && i+1 < len(text) && text[i+1] == quote:
			i++
		case text[i] == quote:
			return i + 1
		}
	}
	return len(text)
}

func comment(text string) int {
	depth := 0
	for i := 0; i+1 < len(text); i++ {
		switch text[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
			if depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}

// dollar is the size of a string between dollar signs, or 1 for a dollar sign that begins none.
func dollar(text string) int {
	n := 1
	for n < len(text) && (letter(text[n]) || n > 1 && text[n] >= '0' && text[n] <= '9') {
		n++
	}
	if n == len(text) || text[n] != '$' {
		return 1
	}
	tag := text[:n+1]
	if i := strings.Index(text[n+1:], tag); i >= 0 {
		return n + 1 + i + len(tag)
	}
	return len(text)
}
