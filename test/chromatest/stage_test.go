package chromatest

import (
	"bytes"
	"context"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/test/get/fetch"
	"github.com/vecgate/vecgate/test/stage"
	"github.com/vecgate/vecgate/test/world"
)

const policyText = `
allow:
  - {name: everything, who: {groups: [Everything]}, can: ["*"], on: ["docs/**"]}
  - {name: scientists-read, who: {groups: [Vector-Read]}, can: [search, fetch, count, schema.read], on: ["docs/**"]}
  - name: scientists-look
    who: {groups: [Vector-Read]}
    can: [scroll]
    on: ["docs/**"]
    when: access.rows > 0 && access.rows <= 100
  - name: scientists-write-after-approval
    who: {groups: [Vector-Read]}
    can: [upsert]
    on: ["docs/**"]
    after: {approval: {by: {groups: [Vector-Approve]}, persons: 1, within: 15m}}
deny:
  - {name: drops-are-denied, who: {groups: [Vector-Read]}, can: [schema.drop], on: ["docs/**"]}
protect:
  - name: personal-data
    fields: ["**.email"]
    mask: redact
    except: {groups: [Everything]}
  - name: embeddings-stay-inside
    vectors: withhold
    except: {groups: [Everything]}
`

// place is a Chroma with nothing in it, and a gateway before it.
type place struct {
	*stage.Stage
	python  string
	url     string // of Chroma itself
	gateway string // of the gateway's listener
}

func start(t *testing.T) *place {
	t.Helper()
	return startUnder(t, policyText)
}

// startUnder is start with another policy.
func startUnder(t *testing.T, policy string) *place {
	t.Helper()
	f, err := fetch.New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	engine, err := stage.Chroma(t.Context(), f, t.TempDir())
	if engine != nil && engine.Process != nil {
		t.Cleanup(func() {
			engine.Stop()
			if t.Failed() {
				t.Log(engine.Output())
			}
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	s := stage.Start(t, stage.Options{
		Listeners: []stage.Listener{{Name: "rest", Protocol: "http"}},
		Targets:   []stage.Target{{Name: "docs", Engine: "chroma", Address: engine.Address}},
		Policy:    policy,
	})
	return &place{s, engine.Python, "http://" + engine.Address, "http://" + s.Address["rest"]}
}

// run runs day.py and returns what it printed.
func (c *place) run(url, token, what string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.python, filepath.Join(world.Root(), "test/chromatest/day.py"), url, token, what)
	cmd.Dir = c.Dir
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return string(out) + complaints.String(), err
	}
	return string(out), nil
}

// day returns the lines of a day that ends well.
func (c *place) day(t *testing.T, url, token, what string) []string {
	t.Helper()
	out, err := c.run(url, token, what)
	if err != nil {
		t.Errorf("%s at %s: %v\n%s", what, url, err, out)
		return []string{""}
	}
	return strings.Split(strings.TrimSpace(out), "\n")
}

// attempt returns the complaint of one that does not.
func (c *place) attempt(t *testing.T, url, token, what string) string {
	t.Helper()
	out, err := c.run(url, token, what)
	if err == nil {
		t.Errorf("%s succeeded: %s", what, out)
	}
	return out
}

// first waits until a list of the API has something, and returns the id of the first thing.
func (c *place) first(t *testing.T, token, path string) string {
	t.Helper()
	id, err := c.First(t.Context(), token, path)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (c *place) approve(t *testing.T, token, id string) {
	t.Helper()
	if err := c.Approve(t.Context(), token, id); err != nil {
		t.Fatal(err)
	}
}
