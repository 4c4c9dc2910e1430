package policy

import (
	"fmt"
	"sort"
	"strings"
)

// Fault is one thing wrong with a policy file, in words that name the place and the way out.
type Fault struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Path    string `json:"path,omitempty"` // allow[1].can
	Message string `json:"message"`
}

// String is "policy.yaml:14: allow[1].can: …".
func (f Fault) String() string {
	if f.Path == "" {
		return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Message)
	}
	return fmt.Sprintf("%s:%d: %s: %s", f.File, f.Line, f.Path, f.Message)
}

// Faults is everything that is wrong with a file, in the order of its lines. It is the error of Parse.
type Faults []Fault

// Error lists the faults, one on a line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].String()
	}
	return strings.Join(lines, "\n")
}

// maxFaults bounds what one bad file makes us say.
const maxFaults = 100

// faultList collects faults while a file is read.
type faultList struct {
	file string
	list Faults
}

func (l *faultList) add(line int, path, format string, args ...any) {
	if len(l.list) < maxFaults {
		l.list = append(l.list, Fault{File: l.file, Line: line, Path: path, Message: fmt.Sprintf(format, args...)})
	}
}

// err returns the faults sorted by line, nil when there is none.
func (l *faultList) err() error {
	if len(l.list) == 0 {
		return nil
	}
	sort.SliceStable(l.list, func(i, j int) bool { return l.list[i].Line < l.list[j].Line })
	return l.list
}

// suggest returns `; did you mean "search"?` when one of the candidates is close to what was written, else nothing.
func suggest(written string, candidates []string) string {
	if len(written) > 64 {
		return ""
	}
	best, distance := "", 1+max(1, len(written)/3)
	for _, c := range candidates {
		if d := edits(strings.ToLower(written), c, distance); d < distance {
			best, distance = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// edits is the number of insertions, deletions, replacements and swaps of neighbours between a and b, or enough when
// it is at least that.
func edits(a, b string, enough int) int {
	if len(a)-len(b) >= enough || len(b)-len(a) >= enough {
		return enough
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return min(last[len(b)], enough)
}

// oneOf joins names for a sentence: "a, b or c".
func oneOf(names []string) string {
	switch len(names) {
	case 0:
		return "nothing"
	case 1:
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}
