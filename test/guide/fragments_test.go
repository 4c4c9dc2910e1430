package guide

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vecgate/vecgate/test/stores"
	"github.com/vecgate/vecgate/test/world"
)

var (
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

// aTarget is one that fits any listener for HTTP and gRPC, and anyTarget has the listener too.
const (
	aTarget   = "targets: [{name: docs, engine: qdrant, address: \"db:1\", grpc_address: \"db:2\", credential: {}, tls: {mode: verify-full}}]\n"
	anyTarget = "listeners: [{name: rest, protocol: http, address: \"127.0.0.1:8000\"}]\n" + aTarget
)

// fragments are the guides of which every block is a fragment of a configuration or of a policy, or run besides (generic_test.go),
// with how many they have.
var fragments = map[string]int{"archive.md": 3, "frameworks.md": 1, "generic-http.md": 3, "grpc.md": 1, "tickets.md": 4}

// TestTheFragmentsInTheGuidesAreSound puts every fragment of a configuration or of a policy into a whole one.
func TestTheFragmentsInTheGuidesAreSound(t *testing.T) {
	binary, err := world.Build()
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := world.SelfSigned("gw.example.com")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range fragments {
		t.Run(name, func(t *testing.T) {
			found := 0
			for _, s := range snippets(t, name) {
				if language, _, _ := strings.Cut(s.Language, " "); language != "yaml" {
					if name != "generic-http.md" || s.Language != "console" {
						t.Errorf("%s has a block of %s, which nobody runs", name, s.Language)
					}
					continue
				}
				found++
				dir := t.TempDir()
				policy, config := `allow: [{name: readers, who: anyone, can: [search], on: ["**"]}]`+"\n", ""
				args := []string{"policy", "check", "policy.yaml"}
				switch fragment := s.Text; {
				case strings.HasPrefix(fragment, "audit:\n"):
					config, args = strings.Replace(around, "audit: {self: true}\n", fragment, 1)+anyTarget, []string{"check"}
					if err := os.Mkdir(filepath.Join(dir, "copies"), 0o700); err != nil {
						t.Fatal(err)
					}
				case strings.Contains(fragment, "targets:\n"):
					config, args = around+fragment, []string{"check"}
					if !strings.Contains(fragment, "listeners:\n") {
						config += "listeners: [{name: rest, protocol: http, address: \"127.0.0.1:8000\"}]\n"
					}
				case strings.Contains(fragment, "tickets:\n"):
					config, args = around+anyTarget+fragment, []string{"check"}
				case strings.Contains(fragment, "listeners:\n"):
					config, args = around+fragment+aTarget, []string{"check"}
				case strings.Contains(fragment, "allow:\n"):
					policy = fragment
				default:
					policy += fragment
				}
				put(t, dir, "policy.yaml", policy)
				put(t, dir, "vecgate.yaml", config)
				for _, file := range secretFile.FindAllStringSubmatch(config, -1) {
					switch filepath.Ext(file[1]) {
					case ".pem":
						put(t, dir, file[1], string(cert))
					case ".key":
						put(t, dir, file[1], string(key))
					default:
						put(t, dir, file[1], "secret")
					}
				}
				cmd := exec.Command(binary, args...)
				cmd.Dir = dir
				// A target that the configuration describes is told operation by operation after the first line.
				if out, err := cmd.CombinedOutput(); err != nil || strings.Count(described.ReplaceAllString(string(out), ""), "\n") != 1 {
					t.Errorf("vecgate %s: %v\n%s\nof\n%s", strings.Join(args, " "), err, out, s.Text)
				}
			}
			if found != want {
				t.Errorf("%d fragments, and %d are expected", found, want)
			}
		})
	}
}

// TestWhatTheGuideToFrameworksHidesIsWhatTheirTestsHide because the stores of LangChain and LlamaIndex are driven under that.
func TestWhatTheGuideToFrameworksHidesIsWhatTheirTestsHide(t *testing.T) {
	driven := strings.ReplaceAll(stores.Policy, "    except: {groups: [Everything]}\n", "")
	for _, s := range snippets(t, "frameworks.md") {
		if rules := strings.TrimPrefix(s.Text, "protect:\n"); !strings.Contains(driven, rules) {
			t.Errorf("the guide shows\n%s\nand the stores are driven under\n%s", rules, driven)
		}
	}
}

// TestNoBlockOfTheGuidesIsLeftOut because what nobody runs or checks goes wrong: each guide, and the README, is walked (order), its
// engine's clients are run (engines), or its fragments are checked. Each of the three fails at a block that it cannot use.
func TestNoBlockOfTheGuidesIsLeftOut(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(world.Root(), "docs/guide/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, filepath.Join(world.Root(), "README.md")) {
		name, err := filepath.Rel(filepath.Join(world.Root(), "docs/guide"), file)
		if err != nil {
			t.Fatal(err)
		}
		ways := 0
		if slices.Contains(order, name) {
			ways++
		}
		if slices.ContainsFunc(engines, func(e engine) bool { return e.guide == name }) {
			ways++
		}
		if fragments[name] > 0 {
			ways++
		}
		if ways != 1 {
			t.Errorf("the blocks of %s are looked at in %d ways: list it in order, engines or fragments", name, ways)
		}
	}
	if len(files) < 14 {
		t.Errorf("there are %d guides only", len(files))
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
