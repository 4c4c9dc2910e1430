package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Fault is something wrong with a configuration file, in words for the person who wrote it. It never repeats a value
// that could be a secret.
type Fault struct {
	File    string
	Line    int    // 0 when it concerns the file as a whole
	Path    string // where in the file: targets[1].engine
	Message string
	Warning bool // the gateway runs in spite of it
}

// String is one line: vecgate.yaml:14: targets[1].engine: "quadrant" is not one of ….
func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
	}
	b.WriteString(": ")
	if f.Warning {
		b.WriteString("warning: ")
	}
	if f.Path != "" {
		b.WriteString(f.Path)
		b.WriteString(": ")
	}
	b.WriteString(f.Message)
	return b.String()
}

// Fatal reports whether any of the faults is more than a warning.
func Fatal(faults []Fault) bool {
	return slices.ContainsFunc(faults, func(f Fault) bool { return !f.Warning })
}

// report collects faults, and knows where in the file each value stands and how it was written there.
type report struct {
	file   string
	faults []Fault
	lines  map[string]int    // by path
	raw    map[string]string // scalars as written, by path; absent for secrets
}

func (r *report) at(path, format string, args ...any) {
	r.faults = append(r.faults, Fault{File: r.file, Line: r.line(path), Path: path, Message: fmt.Sprintf(format, args...)})
}

func (r *report) atLine(line int, path, format string, args ...any) {
	r.faults = append(r.faults, Fault{File: r.file, Line: line, Path: path, Message: fmt.Sprintf(format, args...)})
}

func (r *report) warn(path, format string, args ...any) {
	r.at(path, format, args...)
	r.faults[len(r.faults)-1].Warning = true
}

// line is where path stands, or the nearest thing around it that stands in the file.
func (r *report) line(path string) int {
	for {
		if n := r.lines[path]; n > 0 || path == "" {
			return n
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
}

// credentials are what stands before the @ of a URL, and what some write before that of an address.
var credentials = regexp.MustCompile(`(?s)^([A-Za-z][A-Za-z0-9+.-]*://)?.*@`)

// notHostPort says that a value is no address; one that was made to hold more than an address goes elsewhere.
func (r *report) notHostPort(path, value, why string) {
	hint := ""
	if strings.Contains(value, "://") || strings.Contains(value, "@") {
		hint = "; write host:port, and user and password under credential"
	}
	r.at(path, "%s is %s%s", r.shown(path, value), why, hint)
}

// shown is the value at path as it was written, quoted: an environment variable shows its name, not its value.
func (r *report) shown(path, value string) string {
	if raw, ok := r.raw[path]; ok {
		value = raw
	}
	value = credentials.ReplaceAllString(value, "$1…@")
	if len(value) > 80 {
		value = value[:80] + "…"
	}
	return fmt.Sprintf("%q", value)
}

// done returns the faults in the order of the file.
func (r *report) done() []Fault {
	slices.SortStableFunc(r.faults, func(a, b Fault) int { return a.Line - b.Line })
	return r.faults
}

// oneOf is the sentence about a word that is not one of those known, with the nearest one as a suggestion.
func oneOf(shown, word string, known []string) string {
	if len(known) == 0 {
		return shown + " is not known here"
	}
	s := fmt.Sprintf("%s is not one of %s", shown, strings.Join(known, ", "))
	if near := nearest(word, known); near != "" {
		s += fmt.Sprintf("; did you mean %q?", near)
	}
	return s
}

// nearest returns the word of known that word is most likely a slip of, or "".
func nearest(word string, known []string) string {
	best, least := "", min(len(word)/3+2, 6)
	for _, k := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is how many letters must be put in, taken out, replaced or swapped with their neighbour to make a into b.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	var before, last, row [65]int
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
