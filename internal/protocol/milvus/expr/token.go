package expr

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

type kind uint8

const (
	end kind = iota
	word
	text
	number // written without sign, point and exponent
	float
	sign // punctuation and operators, in their one spelling
)

// token is a part of the text. tight says that no space stands before it when it is written anew.
type token struct {
	kind  kind
	at    int
	value string // decoded, for a text
	tight bool
}

// operators by their first bytes, longest first; the second is the one spelling that is written.
var operators = []struct{ read, written string }{
	{"**", "**"},
	{"==", "=="},
	{"!=", "!="},
	{"<=", "<="},
	{">=", ">="},
	{"<<", "<<"},
	{">>", ">>"},
	{"&&", "and"},
	{"||", "or"},
	{"=~", "=~"},
	{"!~", "!~"},
	{"<", "<"},
	{">", ">"},
	{"+", "+"},
	{"-", "-"},
	{"*", "*"},
	{"/", "/"},
	{"%", "%"},
	{"&", "&"},
	{"|", "|"},
	{"^", "^"},
	{"~", "~"},
	{"!", "not"},
	{"(", "("},
	{")", ")"},
	{"[", "["},
	{"]", "]"},
	{"{", "{"},
	{"}", "}"},
	{",", ","},
	{"=", "="},
}

// words that are operators, in the two spellings that servers know.
var words = map[string]string{
	"and": "and", "AND": "and", "or": "or", "OR": "or", "not": "not", "NOT": "not", "in": "in", "IN": "in", "like": "like", "LIKE": "like",
	"is": "is", "IS": "is", "null": "null", "NULL": "null", "exists": "exists", "EXISTS": "exists", "iso": "ISO", "ISO": "ISO", "interval": "INTERVAL", "INTERVAL": "INTERVAL",
}

func tokens(s string) ([]token, error) {
	var all []token
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '"' || c == '\'':
			value, n, err := unquote(s, i)
			if err != nil {
				return nil, err
			}
			all = append(all, token{kind: text, at: i, value: value})
			i += n
		case digit(c) || c == '.' && i+1 < len(s) && digit(s[i+1]):
			t, err := numeral(s, i)
			if err != nil {
				return nil, err
			}
			all = append(all, t)
			i += len(t.value)
		case letter(c) || c == '$':
			n := 1
			for i+n < len(s) && (letter(s[i+n]) || digit(s[i+n])) {
				n++
			}
			name := s[i : i+n]
			switch {
			case c == '$' && name != Meta:
				return nil, &Fault{i, "a $ that is not of " + Meta}
			case i+n < len(s) && (s[i+n] == '"' || s[i+n] == '\''):
				return nil, &Fault{i, "a string with a prefix"}
			}
			if op, ok := words[name]; ok {
				all = append(all, token{kind: sign, at: i, value: op})
			} else {
				all = append(all, token{kind: word, at: i, value: name})
			}
			i += n
		default:
			n := 0
			for _, op := range operators {
				if strings.HasPrefix(s[i:], op.read) {
					all, n = append(all, token{kind: sign, at: i, value: op.written}), len(op.read)
					break
				}
			}
			if n == 0 {
				return nil, &Fault{i, "a character that the language does not have"}
			}
			i += n
		}
	}
	return append(all, token{kind: end, at: len(s)}), nil
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func letter(c byte) bool { return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// numeral reads a decimal number. Octal, binary and hexadecimal ones are spelled differently by every server.
func numeral(s string, i int) (token, error) {
	n, kind := 0, number
	digits := func() int {
		from := n
		for i+n < len(s) && digit(s[i+n]) {
			n++
		}
		return n - from
	}
	whole := digits()
	if i+n < len(s) && s[i+n] == '.' {
		kind = float
		n++
		if digits() == 0 || whole == 0 {
			return token{}, &Fault{i, "a number without digits before or after its point"}
		}
	}
	if i+n < len(s) && (s[i+n] == 'e' || s[i+n] == 'E') {
		kind = float
		n++
		if i+n < len(s) && (s[i+n] == '+' || s[i+n] == '-') {
			n++
		}
		if digits() == 0 {
			return token{}, &Fault{i, "a number without digits in its exponent"}
		}
	}
	switch {
	case i+n < len(s) && (letter(s[i+n]) || s[i+n] == '.'), whole > 1 && s[i] == '0':
		return token{}, &Fault{i, "a number that is not decimal"}
	}
	return token{kind: kind, at: i, value: s[i : i+n]}, nil
}

// unquote decodes the string that begins at i, and says how many bytes it takes.
func unquote(s string, i int) (value string, n int, err error) {
	var b strings.Builder
	quote := s[i]
	for j := i + 1; j < len(s); {
		c := s[j]
		switch {
		case c == quote:
			return b.String(), j + 1 - i, nil
		case c < ' ' && c != '\t' || c == 0x7f:
			return "", 0, &Fault{j, "a control character in a string"}
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRuneInString(s[j:])
			if r == utf8.RuneError && size == 1 {
				return "", 0, &Fault{j, "a string that is not UTF-8"}
			}
			b.WriteString(s[j : j+size])
			j += size
		case c != '\\':
			b.WriteByte(c)
			j++
		default:
			if j+1 >= len(s) {
				return "", 0, &Fault{i, "a string that does not end"}
			}
			size := 2
			switch s[j+1] {
			case '"', '\'', '\\':
				b.WriteByte(s[j+1])
			case 'n':
				b.WriteByte('\n')
			case 'r':
				b.WriteByte('\r')
			case 't':
				b.WriteByte('\t')
			case 'u':
				code, err := strconv.ParseUint(s[min(j+2, len(s)):min(j+6, len(s))], 16, 32)
				if err != nil || j+6 > len(s) || code < ' ' || code >= 0xd800 && code <= 0xdfff {
					return "", 0, &Fault{j, "an escape that is not known"}
				}
				b.WriteRune(rune(code))
				size = 6
			default:
				return "", 0, &Fault{j, "an escape that is not known"}
			}
			j += size
		}
	}
	return "", 0, &Fault{i, "a string that does not end"}
}

// Quote writes a string in the one spelling that this package writes.
func Quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// write is the text that the tokens make.
func write(all []token) string {
	var b strings.Builder
	for i, t := range all {
		if t.kind == end {
			break
		}
		if i > 0 && !t.tight {
			b.WriteByte(' ')
		}
		if t.kind == text {
			b.WriteString(Quote(t.value))
		} else {
			b.WriteString(t.value)
		}
	}
	return b.String()
}
