package opensearchtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/test/get/fetch"
	"github.com/vecgate/vecgate/test/ports"
	"github.com/vecgate/vecgate/test/stage"
	"github.com/vecgate/vecgate/test/world"
)

const policyText = `
allow:
  - {name: everything, who: {groups: [Everything]}, can: ["*"], on: ["docs/**"]}
  - {name: scientists-read, who: {groups: [Vector-Read]}, can: [search, fetch, count, aggregate, schema.read], on: ["docs/**"]}
  - name: scientists-write-after-approval
    who: {groups: [Vector-Read]}
    can: [upsert]
    on: ["docs/**"]
    after: {approval: {by: {groups: [Vector-Approve]}, persons: 1, within: 15m}}
deny:
  - {name: drops-are-denied, who: {groups: [Vector-Read]}, can: [schema.drop], on: ["docs/**"]}
protect:
  - name: personal-data
    fields: ["**.email", "**.notes.email"]
    mask: redact
    except: {groups: [Everything]}
  - name: embeddings-stay-inside
    vectors: withhold
    except: {groups: [Everything]}
`

// server is one OpenSearch for all tests: it takes long to start. Every test removes what it made.
var server struct {
	url    string
	python string
	node   string
	err    error
}

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "vecgate-opensearch-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		stop, err := serve(dir)
		if err != nil {
			server.err = err
			return m.Run()
		}
		defer stop()
		return m.Run()
	}())
}

func serve(dir string) (stop func(), err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	f, err := fetch.New(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return nil, err
	}
	engine, err := f.OpenSearch(ctx)
	if err != nil {
		return nil, err
	}
	if server.python, err = f.OpenSearchPython(ctx); err != nil {
		return nil, err
	}
	if server.node, err = f.OpenSearchNode(ctx); err != nil {
		return nil, err
	}
	port, err := ports.Free()
	if err != nil {
		return nil, err
	}
	transport, err := ports.Free()
	if err != nil {
		return nil, err
	}
	p, err := stage.Run(dir, nil, engine.Command(dir, port, transport)...)
	if err != nil {
		return nil, err
	}
	server.url = fmt.Sprintf("http://127.0.0.1:%d", port)
	for range 3 { // a Java that has the machine to itself needs a few seconds, and much longer otherwise
		if err = p.Ready(ctx, server.url+"/_cluster/health"); err == nil {
			return p.Stop, nil
		}
	}
	p.Stop()
	return nil, err
}

// behind is a gateway in front of the server.
type behind struct {
	*stage.Stage
	gateway string
}

func start(t *testing.T) *behind {
	t.Helper()
	return startUnder(t, policyText)
}

// startUnder is start with another policy.
func startUnder(t *testing.T, policy string) *behind {
	t.Helper()
	if server.err != nil {
		t.Fatal(server.err)
	}
	t.Cleanup(func() {
		for _, index := range []string{"day", "customers", "chain", "evening", "index"} {
			clean(t, index)
		}
	})
	s := stage.Start(t, stage.Options{
		Listeners: []stage.Listener{{Name: "rest", Protocol: "http"}}, Policy: policy,
		Targets: []stage.Target{{Name: "docs", Engine: "opensearch", Address: strings.TrimPrefix(server.url, "http://")}},
	})
	return &behind{s, "http://" + s.Address["rest"]}
}

// clean removes an index at the server itself.
func clean(t *testing.T, index string) {
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodDelete, server.url+"/"+index+"?ignore_unavailable=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// stored is how many documents "customers" has at the server itself.
func stored(t *testing.T) int {
	t.Helper()
	resp, err := http.Get(server.url + "/customers/_count")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct{ Count int }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer.Count
}

// run runs a script of this directory and returns what it printed.
func run(script, url, token, what string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	program := server.python
	if filepath.Ext(script) == ".mjs" {
		program = "node"
	}
	cmd := exec.CommandContext(ctx, program, filepath.Join(world.Root(), "test/opensearchtest", script), url, token, what)
	cmd.Env = append(os.Environ(), "NODE_PATH="+server.node)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return string(out) + complaints.String(), err
	}
	return string(out), nil
}

// day returns the lines of a day that ends well.
func day(t *testing.T, script, url, token, what string) []string {
	t.Helper()
	out, err := run(script, url, token, what)
	if err != nil {
		t.Errorf("%s %s at %s: %v\n%s", script, what, url, err, out)
		return []string{""}
	}
	return strings.Split(strings.TrimSpace(out), "\n")
}
