package guide

import (
	"fmt"
	"regexp"
	"strings"
)

// Block is one thing that a guide tells its reader to do.
type Block struct {
	File     string
	Line     int
	Kind     string // language, or browser
	Title    string // of a file
	Terminal string // "" is where the reader began
	Fails    bool
	// Elsewhere is the test that runs the block, when the walk does not.
	Elsewhere string
	Options   map[string]string
	Text      string
}

// At says where the block is.
func (b Block) At() string { return fmt.Sprintf("%s:%d", b.File, b.Line) }

var browserLine = regexp.MustCompile(`^<!-- browser (.*) -->$`)

// Read returns the blocks of a guide in order. What it does not know is an error, so that nothing goes untested.
func Read(file, text string) ([]Block, error) {
	var blocks []Block
	var open *Block
	var body []string
	for i, line := range strings.Split(text, "\n") {
		if open != nil {
			if line != "```" {
				body = append(body, line)
				continue
			}
			open.Text = strings.Join(body, "\n")
			blocks = append(blocks, *open)
			open, body = nil, nil
			continue
		}
		if m := browserLine.FindStringSubmatch(line); m != nil {
			b := Block{File: file, Line: i + 1, Kind: "browser"}
			if err := b.read(strings.Fields(m[1])); err != nil {
				return nil, err
			}
			blocks = append(blocks, b)
			continue
		}
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			words := strings.Fields(strings.TrimPrefix(line, "```"))
			if !strings.HasPrefix(line, "```") || len(words) == 0 {
				return nil, fmt.Errorf("%s:%d: a block begins at the margin and names its language", file, i+1)
			}
			open = &Block{File: file, Line: i + 1, Kind: words[0]}
			if err := open.read(words[1:]); err != nil {
				return nil, err
			}
		}
	}
	if open != nil {
		return nil, fmt.Errorf("%s: the block has no end", open.At())
	}
	return blocks, nil
}

func (b *Block) read(options []string) error {
	b.Options = map[string]string{}
	for _, o := range options {
		name, value, _ := strings.Cut(o, "=")
		b.Options[name] = value
	}
	b.Title, b.Terminal, b.Elsewhere = b.Options["title"], b.Options["terminal"], b.Options["elsewhere"]
	_, b.Fails = b.Options["expect-failure"]
	known := map[string]string{
		"sh": "title elsewhere", "console": "terminal expect-failure", "text": "", "browser": "user open press fill see",
	}[b.Kind]
	switch b.Kind {
	case "sh", "console", "text", "browser":
	default:
		if b.Title == "" {
			return fmt.Errorf("%s: a block of %s needs the title of its file, title=…", b.At(), b.Kind)
		}
		known = "title"
	}
	for name := range b.Options {
		if !strings.Contains(" "+known+" ", " "+name+" ") {
			return fmt.Errorf("%s: a block of %s has no option %q", b.At(), b.Kind, name)
		}
	}
	return nil
}

// step is a command and what it prints.
type step struct {
	command string // "" when the block begins with what a running command prints
	prints  []string
}

// steps reads a console block.
func (b Block) steps() ([]step, error) {
	var all []step
	for line := range strings.SplitSeq(b.Text, "\n") {
		command, isCommand := strings.CutPrefix(line, "$ ")
		last := len(all) - 1
		switch {
		case isCommand:
			all = append(all, step{command: command})
		case strings.HasPrefix(line, "> ") && last >= 0 && len(all[last].prints) == 0:
			all[last].command += "\n" + line[2:]
		default:
			if last < 0 {
				if b.Terminal == "" {
					return nil, fmt.Errorf("%s: begins with no command", b.At())
				}
				all, last = append(all, step{}), 0
			}
			all[last].prints = append(all[last].prints, line)
		}
	}
	return all, nil
}
