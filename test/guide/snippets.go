package guide

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Snippet is a block of code in a guide to an engine, which begins at the margin and names its language.
type Snippet struct{ Language, Text string }

// Snippets are those of a guide, in order.
func Snippets(file, text string) ([]Snippet, error) {
	var all []Snippet
	open := false
	for i, line := range strings.Split(text, "\n") {
		switch {
		case open && line == "```":
			open = false
		case open:
			all[len(all)-1].Text += line + "\n"
		case strings.HasPrefix(strings.TrimSpace(line), "```"):
			language, ok := strings.CutPrefix(line, "```")
			if !ok || language == "" {
				return nil, fmt.Errorf("%s:%d: a block begins at the margin and names its language", file, i+1)
			}
			all, open = append(all, Snippet{Language: language}), true
		}
	}
	if open {
		return nil, fmt.Errorf("%s: the last block has no end", file)
	}
	return all, nil
}

var imports = regexp.MustCompile(`(?m)^import ("[^"]+")\n`)

// standard are the packages of the standard library that snippets in Go may use without an import.
var standard = []string{"context", "net/http", "os"}

// GoPackage is a package around a snippet in Go: its imports, those of the standard library that it leaves out, and the rest
// of it in a function where ctx is a context. What it makes and leaves to its reader is used there.
func GoPackage(snippet string) string {
	var b strings.Builder
	b.WriteString("package snippet\n\n")
	for _, m := range imports.FindAllStringSubmatch(snippet, -1) {
		b.WriteString("import " + m[1] + "\n")
	}
	body := imports.ReplaceAllString(snippet, "")
	for _, path := range standard {
		name := path[strings.LastIndexByte(path, '/')+1:]
		if name == "context" || strings.Contains(body, name+".") {
			b.WriteString("import \"" + path + "\"\n")
		}
	}
	b.WriteString("\nfunc follow() error {\n\tctx := context.Background()\n\t_ = ctx\n" + body)
	var named []string
	for _, m := range regexp.MustCompile(`(?m)^([a-z]+), err := `).FindAllStringSubmatch(body, -1) {
		if !slices.Contains(named, m[1]) {
			named = append(named, m[1])
			b.WriteString("\t_ = " + m[1] + "\n")
		}
	}
	b.WriteString("\treturn err\n}\n\nvar _ = follow\n")
	return b.String()
}
