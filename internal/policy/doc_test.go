package policy

import (
	"os"
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/access"
)

// fences returns the fenced blocks of a document that are opened by exactly this info string.
func fences(text, info string) []string {
	var blocks []string
	for _, part := range strings.Split(text, "\n```"+info+"\n")[1:] {
		block, _, _ := strings.Cut(part, "\n```")
		blocks = append(blocks, block+"\n")
	}
	return blocks
}

func TestTheReferenceNamesEveryActionVariableAndKey(t *testing.T) {
	data, err := os.ReadFile("../../docs/reference/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for _, a := range access.Actions() {
		if !strings.Contains(text, "`"+string(a)+"`") {
			t.Errorf("the reference does not name the action %s", a)
		}
	}
	for _, root := range []string{"subject", "access", "context"} {
		_, line, ok := strings.Cut(text, "\n| `"+root+"` |")
		line, _, _ = strings.Cut(line, "\n")
		if want := " `" + strings.Join(variablesOf(root), "` `") + "` |"; !ok || line != want {
			t.Errorf("the reference says that %s has%s\nwant%s", root, line, want)
		}
	}
	for _, s := range []*shape{shapeAllow, shapeDeny, shapeProtect, shapeSeparate, shapeExcept, shapeApproval} {
		for _, key := range s.names() {
			if !strings.Contains(text, "`"+key) && !strings.Contains(text, key+":") && !strings.Contains(text, "."+key) {
				t.Errorf("the reference does not name the key %s", key)
			}
		}
	}
}

func TestTheExamplesOfTheReferenceWork(t *testing.T) {
	data, err := os.ReadFile("../../docs/reference/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	policies, cases := fences(string(data), "yaml"), fences(string(data), "yaml cases")
	if len(policies) != 1 || len(cases) != 1 {
		t.Fatalf("the reference has %d policies and %d files of cases, want one of each", len(policies), len(cases))
	}
	suite, err := ParseSuite("policy_test.yaml", []byte(cases[0]))
	if err != nil {
		t.Fatal(err)
	}
	p, err := Parse("policy.yaml", []byte(policies[0]), Options{Tickets: suite.Tickets(), Targets: []string{"products"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range suite.Run(p) {
		if r.Differences != nil {
			t.Errorf("%s: %s", r.Case.Name, strings.Join(r.Differences, "; "))
		}
	}
}
