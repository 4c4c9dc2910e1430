package repo

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestAttacksNameTestsThatExist(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root(t), "docs/attacks.md"))
	if err != nil {
		t.Fatal(err)
	}
	have := tests(t)
	test := regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w+`)
	rows := 0
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| attack |") {
			continue
		}
		rows++
		named := test.FindAllString(line, -1)
		if len(named) == 0 {
			t.Errorf("docs/attacks.md: no test tries %s", strings.TrimSpace(line))
		}
		for _, name := range named {
			if !have[name] {
				t.Errorf("docs/attacks.md names %s, which does not exist", name)
			}
		}
	}
	if rows == 0 {
		t.Fatal("docs/attacks.md has no attacks")
	}
}
