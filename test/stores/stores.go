// Package stores drives LangChain's and LlamaIndex' stores, as their users do, over an engine and over the same engine
// behind the gateway, and compares. It knows no engine: the package that tests one brings a script, stores.py, that says
// how the stores over it are made. walk.py is what they then do.
package stores

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/test/get/fetch"
	"github.com/vecgate/vecgate/test/world"
)

// Policy lets Tess do everything, so that her stores must see no difference; for Sam, who only reads, personal data and
// vectors are hidden. LlamaIndex keeps a second copy of a node's metadata, in a text of JSON that no rule for a field
// reaches into: it is left out, and LlamaIndex does without.
const Policy = `
allow:
  - {name: everything, who: {groups: [Everything]}, can: ["*"], on: ["**"]}
  - {name: scientists-read, who: {groups: [Vector-Read]}, can: [search, fetch, count, schema.list, schema.read, tenant.read], on: ["**"]}
protect:
  - name: personal-data
    fields: ["**.email", "**.metadata.email"]
    mask: redact
    except: {groups: [Everything]}
  - name: copies-of-nodes
    fields: ["**._node_content", "**.metadata._node_content"]
    mask: drop
    except: {groups: [Everything]}
  - name: embeddings-stay-inside
    vectors: withhold
    except: {groups: [Everything]}
`

// A Place is a server to talk to, or the gateway before one: what the engine's script makes its client of.
type Place map[string]any

// Line is one step that a framework's store took.
type Line struct {
	Framework, Step string
	OK              bool
	Seen            string // what it returned, in JSON, or the error's type and message
}

// Lines are the steps of a walk.
type Lines []Line

// Find is a framework's step.
func (l Lines) Find(t *testing.T, framework, step string) Line {
	t.Helper()
	i := slices.IndexFunc(l, func(x Line) bool { return x.Framework == framework && x.Step == step })
	if i < 0 {
		t.Fatalf("%s did not take the step %q", framework, step)
	}
	return l[i]
}

// visit is a place with what to do there.
type visit struct {
	Name string `json:"name"`
	At   Place  `json:"at"`
	What string `json:"what"` // day, fill or look
}

// Walk takes the day of both frameworks at the server itself and, as Tess, through the gateway, and demands that they see
// the same. Then it puts something in at the server, and returns what Sam sees of that through the gateway.
func Walk(t *testing.T, script string, server, tess, sam Place) Lines {
	t.Helper()
	seen := run(t, script, []visit{{"server", server, "day"}, {"tess", tess, "day"}, {"filled", server, "fill"}, {"sam", sam, "look"}})
	if d := gocmp.Diff(seen["server"], seen["tess"]); d != "" {
		t.Errorf("what Tess sees through the gateway differs (-direct +gateway):\n%s", d)
	}
	return seen["sam"]
}

func run(t *testing.T, script string, visits []visit) map[string]Lines {
	t.Helper()
	f, err := fetch.New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	python, err := f.Stores(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	arg, err := json.Marshal(visits)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, filepath.Join(world.Root(), "test", script, "stores.py"), string(arg))
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "PYTHONPATH="+filepath.Join(world.Root(), "test/stores"), "PYTHONDONTWRITEBYTECODE=1")
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", script, err, out, complaints.String())
	}
	all := map[string]Lines{}
	for text := range strings.Lines(string(out)) {
		place, line := read(t, text)
		all[place] = append(all[place], line)
	}
	return all
}

// read reads a line that walk.py printed.
func read(t *testing.T, text string) (place string, l Line) {
	t.Helper()
	var parts []json.RawMessage
	if err := json.Unmarshal([]byte(text), &parts); err != nil || len(parts) < 5 {
		t.Fatalf("not a line of a walk: %q", text)
	}
	var how string
	for i, into := range []*string{&place, &l.Framework, &l.Step, &how} {
		if err := json.Unmarshal(parts[i], into); err != nil {
			t.Fatalf("not a line of a walk: %q: %v", text, err)
		}
	}
	seen := make([]string, len(parts)-4)
	for i, p := range parts[4:] {
		seen[i] = string(p)
	}
	l.OK, l.Seen = how == "ok", strings.Join(seen, " ")
	return place, l
}
