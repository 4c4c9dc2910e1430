package guide

import (
	"fmt"
	"regexp"
	"strings"
)

// Names are the names that the gateway chose at random where the guide shows others: of requests (7F3K-92QX) and of
// sessions. The first time that the guide shows one, the real one is learnt; from then on it stands for it.
type Names map[string]string

var madeUp = regexp.MustCompile(`\b(?:[0-9A-Z]{4}-[0-9A-Z]{4}|0[0-9a-z]{17})\b`)

// real puts the real names into a text of the guide.
func (n Names) real(text string) (string, error) {
	var missing string
	text = madeUp.ReplaceAllStringFunc(text, func(name string) string {
		if n[name] == "" {
			missing = name
		}
		return n[name]
	})
	if missing != "" {
		return "", fmt.Errorf("%s is used before anything printed it", missing)
	}
	return text, nil
}

// pattern is a line of the guide as an expression, with a group for every name that is not known yet.
func (n Names) pattern(line string) (*regexp.Regexp, []string) {
	var b strings.Builder
	var learns []string
	literal := func(s string) {
		for i, part := range strings.Split(s, "…") {
			if i > 0 {
				b.WriteString(`.*`)
			}
			b.WriteString(strings.ReplaceAll(regexp.QuoteMeta(part), " ", `\s+`))
		}
	}
	line = squeeze(line)
	at := 0
	for _, m := range madeUp.FindAllStringIndex(line, -1) {
		literal(line[at:m[0]])
		at = m[1]
		name := line[m[0]:m[1]]
		switch {
		case n[name] != "":
			b.WriteString(regexp.QuoteMeta(n[name]))
		case strings.Contains(name, "-"):
			b.WriteString(`([0-9A-Z]{4}-[0-9A-Z]{4})`)
			learns = append(learns, name)
		default:
			b.WriteString(`(0[0-9a-z]{17})`)
			learns = append(learns, name)
		}
	}
	literal(line[at:])
	return regexp.MustCompile("^" + b.String() + "$"), learns
}

var spaces = regexp.MustCompile(`\s+`)

// squeeze makes the width of columns and the end of lines not matter.
func squeeze(line string) string {
	return strings.TrimSpace(spaces.ReplaceAllString(line, " "))
}

func lines(text string) []string {
	var all []string
	for line := range strings.SplitSeq(text, "\n") {
		if line = squeeze(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}

// whole reports how what was printed differs from all that the guide shows. Empty lines do not matter.
func (n Names) whole(shown []string, printed string) error {
	want, got := lines(strings.Join(shown, "\n")), lines(printed)
	if len(want) == 0 {
		return nil
	}
	at := 0
	anything := false
	for _, w := range want {
		if w == "…" {
			anything = true
			continue
		}
		pattern, learns := n.pattern(w)
		from := at
		for at < len(got) && !pattern.MatchString(got[at]) && anything {
			at++
		}
		if at == len(got) || !pattern.MatchString(got[at]) {
			next := "nothing more"
			if from < len(got) {
				next = fmt.Sprintf("%q", got[from])
			}
			return fmt.Errorf("the guide shows %q, and there is %s", w, next)
		}
		n.learn(learns, pattern.FindStringSubmatch(got[at]))
		at++
		anything = false
	}
	if at < len(got) && !anything {
		return fmt.Errorf("the guide ends, and there is %q", got[at])
	}
	return nil
}

// next looks for a line that the guide shows among those that were printed, from a place on; it returns the place after it, or -1.
func (n Names) next(shown string, printed []string, from int) int {
	pattern, learns := n.pattern(shown)
	for at := from; at < len(printed); at++ {
		if m := pattern.FindStringSubmatch(printed[at]); m != nil {
			n.learn(learns, m)
			return at + 1
		}
	}
	return -1
}

func (n Names) learn(names, match []string) {
	for i, name := range names {
		n[name] = match[i+1]
	}
}
