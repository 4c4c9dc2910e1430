// Package deploy checks, as far as that goes without Docker, the files of deploy/ by which others run the gateway: that they
// are well formed, that they fit each other, the program and the guides, and that what they promise of safety is there.
//
// It knows nothing of what the gateway does. Start at Dockerfile.
package deploy

import (
	"fmt"
	"strings"
)

// Instruction is one of a Dockerfile's.
type Instruction struct {
	Stage int    // the first FROM begins stage 0
	Name  string // FROM, COPY, …
	Args  string
}

// known are the instructions that a Dockerfile of ours may have.
var known = []string{"CMD", "COPY", "ENTRYPOINT", "FROM", "RUN", "USER", "VOLUME", "WORKDIR"}

// Dockerfile reads one. What it does not know is an error.
func Dockerfile(text string) ([]Instruction, error) {
	var all []Instruction
	stage := -1
	for i, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, args, ok := strings.Cut(line, " ")
		if !ok || !strings.Contains(" "+strings.Join(known, " ")+" ", " "+name+" ") {
			return nil, fmt.Errorf("line %d: %q is no instruction that is known here", i+1, name)
		}
		if name == "FROM" {
			stage++
		}
		if stage < 0 {
			return nil, fmt.Errorf("line %d: %s before any FROM", i+1, name)
		}
		all = append(all, Instruction{stage, name, strings.TrimSpace(args)})
	}
	return all, nil
}
