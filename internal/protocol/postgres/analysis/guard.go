package analysis

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// guard looks at a text before PostgreSQL's parser does. The parser is C, and an expression of some ten thousand terms
// overruns its stack, which kills the process; so this one pass keeps a score that no text can have that is long or
// deep enough for that: for every open parenthesis level the number of tokens since the last comma or semicolon at
// that level, and, which a comma does not reset, of JOINs and set operations. It counts every token, and comments,
// because whatever a guard does not count is how it is broken. Where quotes and comments begin and end it must agree
// with the parser exactly, or it would take code for a literal; elsewhere it may count too much, never too little.
func (a *Analyzer) guard(text string) *Fault {
	if len(text) > a.opts.MaxText {
		return &Fault{
			SQLSTATE: "54000", Message: fmt.Sprintf("the statement has %d bytes, more than the %d that the gateway reads", len(text), a.opts.MaxText),
			Hint: "Send it in parts, or use COPY FROM STDIN.",
		}
	}
	if !utf8.ValidString(text) {
		return &Fault{SQLSTATE: "22021", Message: "the statement is not valid UTF-8"}
	}
	if strings.IndexByte(text, 0) >= 0 {
		return &Fault{SQLSTATE: "22021", Message: "the statement contains a NUL byte"}
	}
	m := meter{maxScore: a.opts.MaxScore, maxTokens: a.opts.MaxTokens, maxStatements: a.opts.MaxStatements}
	m.run(text)
	switch {
	case m.statements > a.opts.MaxStatements:
		return &Fault{SQLSTATE: "54001", Message: fmt.Sprintf("the text has more than %d statements", a.opts.MaxStatements), Hint: "Send it in parts."}
	case m.tooDeep:
		return &Fault{
			SQLSTATE: "54001", Message: "the statement nests or chains its expressions further than the gateway reads",
			Hint: "Split it, or write long chains of OR as = ANY (array).",
		}
	case m.tokens > a.opts.MaxTokens:
		return &Fault{SQLSTATE: "54001", Message: fmt.Sprintf("the statement has more than %d words and signs", a.opts.MaxTokens), Hint: "Send it in parts."}
	}
	return nil
}

// meter is the state of one pass of the guard.
type meter struct {
	maxScore, maxTokens, maxStatements int

	tokens, statements int
	score              int // sum of run and chain over open levels
	tooDeep            bool
	top                int              // the innermost open level
	levels             [maxLevels]level // levels[0] is outside of all parentheses
}

// maxLevels is how deep parentheses may be nested.
const maxLevels = 400

type level struct {
	run   int32 // tokens since the last separator
	chain int32 // joins and set operations
}

func (m *meter) run(text string) {
	m.statements = 1
	n := len(text)
	for i := 0; i < n; {
		c := text[i]
		switch {
		case isSpace(c):
			i++
			continue
		case c == '\'':
			i = quoted(text, i+1, '\'', false)
			m.count(false)
		case c == '"':
			i = quoted(text, i+1, '"', false)
			m.count(true)
		case c == '$':
			next := dollarQuoted(text, i)
			m.count(next == i+1)
			i = next
		case strings.HasPrefix(text[i:], "--"):
			i = lineEnd(text, i)
			m.count(true)
		case strings.HasPrefix(text[i:], "/*"):
			i = commentEnd(text, i)
			m.count(true)
		case c == '(' || c == '[':
			m.count(true)
			if m.top == maxLevels-1 {
				m.tooDeep = true
				return
			}
			m.top++
			m.levels[m.top] = level{}
			i++
		case c == ')' || c == ']':
			if m.top > 0 {
				m.score -= int(m.levels[m.top].run + m.levels[m.top].chain)
				m.top--
			}
			m.count(true)
			i++
		case c == ',':
			m.count(true)
			m.reset(false)
			i++
		case c == ';':
			m.count(true)
			m.reset(m.top == 0)
			if i+1 < n {
				m.statements++
			}
			i++
		case c >= '0' && c <= '9':
			for i < n && (isWord(text[i]) || text[i] == '.') {
				i++
			}
			m.count(false)
		case isWord(c):
			start := i
			for i < n && (isWord(text[i]) || text[i] == '$') {
				i++
			}
			word := text[start:i]
			m.count(true)
			if chains(word) {
				m.chain()
			}
			if (word == "e" || word == "E") && i < n && text[i] == '\'' {
				i = quoted(text, i+1, '\'', true)
				// A continuation on the next line would keep the escapes; nobody writes that, so it is not read.
				if continued(text, i) {
					m.tooDeep = true
				}
			}
		default:
			i++
			m.count(true)
		}
		if m.tooDeep || m.tokens > m.maxTokens || m.statements > m.maxStatements {
			return
		}
	}
}

// count takes one token; literals do not count towards the number of tokens, only towards the score.
func (m *meter) count(sign bool) {
	if sign {
		m.tokens++
	}
	m.levels[m.top].run++
	m.score++
	if m.score > m.maxScore {
		m.tooDeep = true
	}
}

// chain takes a JOIN or a set operation, which nest to the left across commas.
func (m *meter) chain() {
	m.levels[m.top].chain += 4
	m.score += 4
}

func (m *meter) reset(statement bool) {
	top := &m.levels[m.top]
	m.score -= int(top.run)
	top.run = 0
	if statement {
		m.score -= int(top.chain)
		top.chain = 0
	}
}

// quoted returns the position behind a quoted token whose inside begins at i. With escapes (E'…') a backslash takes the
// next character with it; without, it is an ordinary character (standard_conforming_strings, which no session may turn
// off).
func quoted(text string, i int, quote byte, escapes bool) int {
	for i < len(text) {
		switch {
		case escapes && text[i] == '\\':
			i++
		case text[i] == quote:
			if i+1 >= len(text) || text[i+1] != quote {
				return i + 1
			}
			i++
		}
		i++
	}
	return len(text)
}

// dollarQuoted returns the position behind a dollar-quoted string that begins at i, or i+1 when there is none, as in a
// parameter. An identifier may contain dollars, which is why the caller takes identifiers whole.
func dollarQuoted(text string, i int) int {
	j := i + 1
	for j < len(text) && isWord(text[j]) {
		if j == i+1 && text[j] >= '0' && text[j] <= '9' {
			return i + 1
		}
		j++
	}
	if j >= len(text) || text[j] != '$' {
		return i + 1
	}
	tag := text[i : j+1]
	if end := strings.Index(text[j+1:], tag); end >= 0 {
		return j + 1 + end + len(tag)
	}
	return len(text)
}

// commentEnd returns the position behind the comment that begins at i; comments nest.
func commentEnd(text string, i int) int {
	depth := 0
	for i < len(text) {
		switch {
		case strings.HasPrefix(text[i:], "/*"):
			depth++
			i += 2
		case strings.HasPrefix(text[i:], "*/"):
			depth--
			i += 2
			if depth == 0 {
				return i
			}
		default:
			i++
		}
	}
	return len(text)
}

func lineEnd(text string, i int) int {
	for i < len(text) && text[i] != '\n' && text[i] != '\r' {
		i++
	}
	return i
}

// continued reports whether another quoted string follows at i behind blanks and comments of one line.
func continued(text string, i int) bool {
	for i < len(text) {
		switch {
		case isSpace(text[i]):
			i++
		case strings.HasPrefix(text[i:], "--"):
			i = lineEnd(text, i)
		default:
			return text[i] == '\''
		}
	}
	return false
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func chains(word string) bool {
	switch len(word) {
	case 4:
		return strings.EqualFold(word, "join")
	case 5:
		return strings.EqualFold(word, "union")
	case 6:
		return strings.EqualFold(word, "except")
	case 9:
		return strings.EqualFold(word, "intersect")
	}
	return false
}
