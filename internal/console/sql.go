package console

import "strings"

// statement colours SQL for reading. It is a lexer for people, not for decisions: nothing depends on what it makes of a
// text, and whatever it does not know it leaves as it is.
func statement(s string) []Span {
	var list []Span
	start := 0
	add := func(to int, class string) {
		list = append(list, spans(s[start:to], class)...)
		start = to
	}
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '\'' || c == '"':
			add(i, "")
			i = quoted(s, i, c)
			class := "str"
			if c == '"' {
				class = "ident"
			}
			add(i, class)
		case c == '-' && strings.HasPrefix(s[i:], "--"):
			add(i, "")
			if n := strings.IndexByte(s[i:], '\n'); n >= 0 {
				i += n
			} else {
				i = len(s)
			}
			add(i, "com")
		case c == '/' && strings.HasPrefix(s[i:], "/*"):
			add(i, "")
			if n := strings.Index(s[i+2:], "*/"); n >= 0 {
				i += n + 4
			} else {
				i = len(s)
			}
			add(i, "com")
		case c >= '0' && c <= '9':
			add(i, "")
			for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.' || s[i] == 'e' || s[i] == '_') {
				i++
			}
			add(i, "num")
		case letter(c):
			begin := i
			for i < len(s) && (letter(s[i]) || s[i] >= '0' && s[i] <= '9') {
				i++
			}
			if keywords[strings.ToLower(s[begin:i])] {
				end := i
				i = begin
				add(i, "")
				i = end
				add(i, "kw")
			}
		default:
			i++
		}
	}
	add(len(s), "")
	return list
}

func letter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

func quoted(s string, i int, quote byte) int {
	for i++; i < len(s); i++ {
		if s[i] == quote {
			if i+1 < len(s) && s[i+1] == quote {
				i++
				continue
			}
			return i + 1
		}
	}
	return len(s)
}

var keywords = set(`select insert update delete merge into values from where and or not in is null join left right inner outer full cross on using group by
having order limit offset fetch first rows only distinct as asc desc nulls union all except intersect with recursive case when then else end exists between
like ilike create alter drop truncate table index view materialized schema extension function trigger type if cascade restrict returning set default
copy to stdin stdout begin commit rollback savepoint release start transaction isolation level read write only prepare execute deallocate declare
cursor for close move explain analyze verbose vacuum reindex grant revoke show reset discard conflict do nothing primary key references unique check
constraint column add rename lateral array any some true false interval cast over partition window filter`)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}
