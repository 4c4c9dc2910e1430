package guide

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/vecgate/vecgate/test/world"
)

var (
	yamlBlock  = regexp.MustCompile("(?ms)^```yaml[^\n]*\n(.*?)^```")
	pythonCode = regexp.MustCompile("(?ms)^```python\n(.*?)^```")
	described  = regexp.MustCompile(`(?m)^[a-z]+: [A-Z]+ /\S* \(.*\) is .*\n`)
	secretFile = regexp.MustCompile(`file:([a-z0-9./-]+)`)
)

// around is what a configuration has besides the listeners and targets that a guide shows.
const around = `gateway: {name: trial, url: "http://127.0.0.1:8443"}
console: {address: "127.0.0.1:8443"}
identity:
  providers: [{name: corp, issuer: "http://127.0.0.1:5556/corp", audiences: [vecgate-cli], kind: person, client_id: vecgate-cli}]
policy: policy.yaml
audit: {self: true}
`

// anyTarget is a target with its listener, for fragments that are about neither.
const anyTarget = `listeners: [{name: rest, protocol: http, address: "127.0.0.1:8000"}]
targets: [{name: docs, engine: chroma, address: "127.0.0.1:8001", tls: {mode: "off"}, credential: {}}]
`

// TestTheFragmentsInTheGuidesOfTheEnginesAreSound puts every fragment of a configuration or of a policy into a whole one.
func TestTheFragmentsInTheGuidesOfTheEnginesAreSound(t *testing.T) {
	binary, err := world.Build()
	if err != nil {
		t.Fatal(err)
	}
	for name, fragments := range map[string]int{
		"chroma.md": 3, "generic-http.md": 3, "milvus.md": 2, "opensearch.md": 1, "pinecone.md": 2, "qdrant.md": 2, "tickets.md": 4, "weaviate.md": 2,
	} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(world.Root(), "docs/guide", name))
			if err != nil {
				t.Fatal(err)
			}
			blocks := yamlBlock.FindAllStringSubmatch(string(text), -1)
			if len(blocks) != fragments {
				t.Errorf("%d fragments, and %d are expected", len(blocks), fragments)
			}
			for _, b := range blocks {
				dir := t.TempDir()
				policy, config := `allow: [{name: readers, who: anyone, can: [search], on: ["**"]}]`+"\n", ""
				args := []string{"policy", "check", "policy.yaml"}
				switch fragment := b[1]; {
				case strings.Contains(fragment, "targets:\n"):
					config, args = around+fragment, []string{"check"}
					if !strings.Contains(fragment, "listeners:\n") {
						config += "listeners: [{name: rest, protocol: http, address: \"127.0.0.1:8000\"}]\n"
					}
				case strings.Contains(fragment, "tickets:\n"):
					config, args = around+anyTarget+fragment, []string{"check"}
				case strings.Contains(fragment, "allow:\n"):
					policy = fragment
				default:
					policy += fragment
				}
				put(t, dir, "policy.yaml", policy)
				put(t, dir, "vecgate.yaml", config)
				for _, file := range secretFile.FindAllStringSubmatch(config, -1) {
					put(t, dir, file[1], "secret")
				}
				cmd := exec.Command(binary, args...)
				cmd.Dir = dir
				// A target that the configuration describes is told operation by operation after the first line.
				if out, err := cmd.CombinedOutput(); err != nil || strings.Count(described.ReplaceAllString(string(out), ""), "\n") != 1 {
					t.Errorf("vecgate %s: %v\n%s\nof\n%s", strings.Join(args, " "), err, out, b[1])
				}
			}
		})
	}
}

// TestTheSnippetsOfTheEnginesImportWhatTheyUse because each of them is copied by itself.
func TestTheSnippetsOfTheEnginesImportWhatTheyUse(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(world.Root(), "docs/guide/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range pythonCode.FindAllStringSubmatch(string(text), -1) {
			found++
			if strings.Contains(code[1], "os.environ") && !regexp.MustCompile(`(?m)^import .*\bos\b`).MatchString(code[1]) {
				t.Errorf("%s uses os and does not import it:\n%s", filepath.Base(file), code[1])
			}
			if strings.Contains(code[1], "VECGATE_TOKEN") && !strings.Contains(string(text), `export VECGATE_TOKEN="$(vecgate token)"`) {
				t.Errorf("%s does not say where VECGATE_TOKEN comes from", filepath.Base(file))
			}
		}
	}
	if found < 6 {
		t.Errorf("only %d snippets were found", found)
	}
}
