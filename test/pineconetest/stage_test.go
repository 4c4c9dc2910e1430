package pineconetest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/test/get/fetch"
	"github.com/vecgate/vecgate/test/pineconetest/standin"
	"github.com/vecgate/vecgate/test/ports"
	"github.com/vecgate/vecgate/test/stage"
	"github.com/vecgate/vecgate/test/world"
)

const policy = `
allow:
  - {name: everything, who: {groups: [Everything]}, can: ["*"], on: ["prod*/**"]}
  - {name: scientists-read, who: {groups: [Vector-Read]}, can: [search, fetch, count, schema.read, tenant.read], on: ["prod*/docs/**"]}
  - name: scientists-look
    who: {groups: [Vector-Read]}
    can: [scroll]
    on: ["prod*/docs/**"]
    when: access.rows > 0 && access.rows <= 10
  - name: scientists-write-after-approval
    who: {groups: [Vector-Read]}
    can: [upsert]
    on: ["prod*/docs/**"]
    after: {approval: {by: {groups: [Vector-Approve]}, persons: 1, within: 15m}}
deny:
  - {name: drops-are-denied, who: {groups: [Vector-Read]}, can: [schema.drop, delete_all], on: ["prod*/**"]}
protect:
  - name: personal-data
    fields: ["**.email"]
    mask: redact
    except: {groups: [Everything]}
  - name: embeddings-stay-inside
    vectors: withhold
    except: {groups: [Everything]}
`

// key is Pinecone's own; no client of the gateway knows it.
const key = "pcsk_of_the_database"

// scene is a stand-in for Pinecone with a gateway before it.
type scene struct {
	*stage.Stage
	pinecone *standin.Pinecone
	direct   string // the control plane
	through  string // the same behind the gateway
	tools
}

// tools are Pinecone's own clients.
type tools struct {
	clients map[string]client
	before  string // the interpreter with the client before version 9
	node    string // NODE_PATH
}

// client is a Python client and the door that it goes by.
type client struct{ python, door string }

func fetched(t *testing.T) tools {
	t.Helper()
	f, err := fetch.New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	now, err := f.Pinecone(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before, err := f.PineconeGRPC(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	node, err := f.PineconeNode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tools{map[string]client{
		"now, REST": {now, "rest"}, "now, gRPC": {now, "grpc"}, "before, REST": {before, "rest"}, "before, gRPC": {before, "grpc"},
	}, before, node}
}

func start(t *testing.T, policy string) *scene {
	t.Helper()
	s := &scene{tools: fetched(t)}
	var err error
	if s.pinecone, err = standin.Start(key, "docs"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.pinecone.Close(); err != nil {
			t.Error(err)
		}
	})
	// The control plane's answers name the gateway's address, so it has to be known before the gateway runs.
	port, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	credential := `credential: {password: "${env:PINECONE_KEY}", header: api-key}`
	s.Stage = stage.Start(t, stage.Options{
		Listeners: []stage.Listener{
			{Name: "control", Protocol: "http", Targets: []string{"prod"}},
			{Name: "docs", Protocol: "http", Targets: []string{"prod-docs"}, More: "h2c: true", Address: address},
		},
		Targets: []stage.Target{
			{Name: "prod", Engine: "pinecone", Address: s.pinecone.Control, More: credential},
			{Name: "prod-docs", Engine: "pinecone", Address: s.pinecone.Hosts["docs"], More: fmt.Sprintf("index: docs, host: %q, %s", "http://"+address, credential)},
		},
		Policy: policy, Environ: []string{"PINECONE_KEY=" + key},
	})
	s.direct, s.through = "http://"+s.pinecone.Control, "http://"+s.Address["control"]
	return s
}

// run runs a day and returns what it printed.
func run(ctx context.Context, dir string, program []string, environ ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program[0], program[1:]...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), environ...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return string(out) + complaints.String(), err
	}
	return string(out), nil
}

func script(name string) string { return filepath.Join(world.Root(), "test/pineconetest", name) }

// day returns the lines of a day in Python that ends well.
func (s *scene) day(t *testing.T, c client, url, token, what string) []string {
	t.Helper()
	return s.lines(t, what+" at "+url, []string{c.python, script("day.py"), url, token, c.door, what})
}

// nodeDay is day in JavaScript.
func (s *scene) nodeDay(t *testing.T, url, token, what string) []string {
	t.Helper()
	return s.lines(t, what+" at "+url, []string{"node", script("day.js"), url, token, what}, "NODE_PATH="+s.node)
}

func (s *scene) lines(t *testing.T, what string, program []string, environ ...string) []string {
	t.Helper()
	out, err := run(context.WithoutCancel(t.Context()), s.Dir, program, environ...)
	if err != nil {
		t.Errorf("%s: %v\n%s", what, err, out)
		return []string{""}
	}
	return strings.Split(strings.TrimSpace(out), "\n")
}
