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
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/test/get/fetch"
	"github.com/vecgate/vecgate/test/world"
)

// Policy lets Tess do everything, so that her stores must see no difference; for Sam, who only reads, personal data and
// vectors are hidden. LlamaIndex keeps a second copy of a node's metadata, in a text of JSON: it is hidden there too, and
// LlamaIndex reads the rest.
const Policy = `
allow:
  - {name: everything, who: {groups: [Everything]}, can: ["*"], on: ["**"]}
  - {name: scientists-read, who: {groups: [Vector-Read]}, can: [search, fetch, count, schema.list, schema.read, tenant.read], on: ["**"]}
protect:
  - name: personal-data
    fields: ["**.email"]
    mask: redact
    except: {groups: [Everything]}
  - name: embeddings-stay-inside
    vectors: withhold
    except: {groups: [Everything]}
`

// A Place is a server to talk to, or the gateway before one: what the engine's script makes its client of.
type Place map[string]any

// line is one step that a framework's store took.
type line struct {
	Step string // with the framework
	OK   bool
	Seen string // what it returned, in JSON, or the error's type and message
}

// visit is a place with what to do there.
type visit struct {
	Name string `json:"name"`
	At   Place  `json:"at"`
	What string `json:"what"` // day, fill, look or check
}

// Walk takes the day of both frameworks at the server itself and, as Tess, through the gateway, and demands that they see
// the same. Then it puts something in at the server, and demands that Sam finds it through the gateway with what is
// hidden hidden, and changes nothing. Other says of steps of Sam's, by framework and name, what they show instead of what
// is usual: the words of an error that is the store's own. Without a place for Sam he does not come.
func Walk(t *testing.T, script string, server, tess, sam Place, other map[string]string) {
	t.Helper()
	visits := []visit{{"server", server, "day"}, {"tess", tess, "day"}}
	if sam != nil {
		visits = append(visits, visit{"before", server, "fill"}, visit{"sam", sam, "look"}, visit{"after", server, "check"})
	}
	seen := run(t, script, visits)
	for _, l := range seen["server"] {
		if !l.OK {
			t.Errorf("%s at the server itself: %s", l.Step, l.Seen)
		}
	}
	if d := gocmp.Diff(seen["server"], seen["tess"]); d != "" {
		t.Errorf("what Tess sees through the gateway differs (-direct +gateway):\n%s", d)
	}
	for _, l := range seen["sam"] {
		hidden(t, l, other[l.Step])
	}
	for _, after := range seen["after"] {
		if !slices.Contains(seen["before"], after) {
			t.Errorf("after Sam was there, %s shows %s; before: %v", after.Step, after.Seen, seen["before"])
		}
	}
	if n := len(seen["after"]); len(seen["server"]) < 8 || sam != nil && (n == 0 || len(seen["sam"]) < 8*n) {
		t.Errorf("the walk ended early: %v", seen)
	}
}

// secret is what Sam must not see: an address, or a number of a vector.
var secret = regexp.MustCompile(`person\d|0\.(8125|3125|0625|1875|4375|9375|5625)\b`)

// hidden demands of a step of Sam's what other says, or what is usual.
func hidden(t *testing.T, l line, other string) {
	t.Helper()
	if found := secret.FindString(l.Seen); found != "" {
		t.Errorf("%s: Sam sees %q: %s", l.Step, found, l.Seen)
	}
	_, step, _ := strings.Cut(l.Step, " ")
	switch {
	case other != "":
		if !strings.Contains(l.Seen, other) {
			t.Errorf("%s: Sam sees %s, want %s", l.Step, l.Seen, other)
		}
	case step == "search by email":
		if l.OK || !strings.Contains(l.Seen, "is hidden, so no condition may be put on it") {
			t.Errorf("%s: Sam sees %s", l.Step, l.Seen)
		}
	case step == "add", step == "delete", step == "drop":
		if l.OK || !strings.Contains(l.Seen, "not allowed: sam@example.com may not ") {
			t.Errorf("%s: Sam sees %s", l.Step, l.Seen)
		}
	default:
		if !l.OK || !strings.Contains(l.Seen, "[redacted]") {
			t.Errorf("%s: Sam sees %s", l.Step, l.Seen)
		}
	}
}

func run(t *testing.T, script string, visits []visit) map[string][]line {
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
	cmd := exec.CommandContext(ctx, python, filepath.Join(world.Root(), "test", script), string(arg))
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "PYTHONPATH="+filepath.Join(world.Root(), "test/stores"), "PYTHONDONTWRITEBYTECODE=1")
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", script, err, out, complaints.String())
	}
	all := map[string][]line{}
	for text := range strings.Lines(string(out)) {
		place, l := read(t, text)
		all[place] = append(all[place], l)
	}
	return all
}

// read reads a line that walk.py printed.
func read(t *testing.T, text string) (place string, l line) {
	t.Helper()
	var parts []json.RawMessage
	if err := json.Unmarshal([]byte(text), &parts); err != nil || len(parts) < 5 {
		t.Fatalf("not a line of a walk: %q", text)
	}
	var framework, step, how string
	for i, into := range []*string{&place, &framework, &step, &how} {
		if err := json.Unmarshal(parts[i], into); err != nil {
			t.Fatalf("not a line of a walk: %q: %v", text, err)
		}
	}
	seen := make([]string, len(parts)-4)
	for i, p := range parts[4:] {
		seen[i] = string(p)
	}
	l.Step, l.OK, l.Seen = framework+" "+step, how == "ok", strings.Join(seen, " ")
	return place, l
}
