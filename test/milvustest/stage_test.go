package milvustest

import (
	"bytes"
	"context"
	"log/slog"
	"os"
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
  - {name: everything, who: {groups: [Everything]}, can: ["*"], on: ["vectors/**"]}
  - {name: scientists-read, who: {groups: [Vector-Read]}, can: [search, fetch, count, schema.list, schema.read, tenant.read], on: ["vectors/*/customers", "vectors/default", "vectors"]}
  - name: scientists-look
    who: {groups: [Vector-Read]}
    can: [scroll, list_ids]
    on: ["vectors/*/customers"]
    when: access.rows > 0 && access.rows <= 100
  - name: scientists-write-after-approval
    who: {groups: [Vector-Read]}
    can: [upsert]
    on: ["vectors/*/customers"]
    after: {approval: {by: {groups: [Vector-Approve]}, persons: 1, within: 15m}}
  - {name: tenants-work, who: {groups: [Vector-Write]}, can: [search, fetch, count, scroll, list_ids, schema.read, insert, upsert, delete, delete_by_filter], on: ["vectors/*/customers"]}
deny:
  - {name: drops-are-denied, who: {groups: [Vector-Read]}, can: [schema.drop], on: ["vectors/**"]}
protect:
  - name: personal-data
    fields: ["**.email", "**.nick.name"]
    mask: redact
    except: {groups: [Everything, Vector-Write]}
  - name: phones
    fields: ["**.meta.phone"]
    mask: partial
    except: {groups: [Everything, Vector-Write]}
  - name: embeddings-stay-inside
    vectors: withhold
    except: {groups: [Everything]}
  - name: own-tenant
    filter: {field: tenant, values: [acme]}
    on: ["vectors/*/customers"]
    except: {groups: [Everything, Vector-Read]}
`

// lite is a Milvus Lite with nothing in it.
type lite struct {
	*stage.Engine
	dir string
}

func startLite(t *testing.T) *lite {
	t.Helper()
	f, err := fetch.New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	l := &lite{dir: t.TempDir()}
	l.Engine, err = stage.MilvusLite(t.Context(), f, l.dir)
	if l.Engine != nil && l.Process != nil {
		t.Cleanup(func() {
			l.Stop()
			if t.Failed() {
				t.Log(l.Output())
			}
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// gated is a Milvus Lite behind a gateway.
type gated struct {
	*lite
	*stage.Stage
}

func start(t *testing.T) *gated {
	t.Helper()
	return startUnder(t, policyText)
}

// startUnder is start with another policy.
func startUnder(t *testing.T, policy string) *gated {
	t.Helper()
	l := startLite(t)
	s := stage.Start(t, stage.Options{
		Listeners: []stage.Listener{{Name: "grpc", Protocol: "grpc"}},
		Targets:   []stage.Target{{Name: "vectors", Engine: "milvus", Address: l.Address}},
		Policy:    policy,
	})
	return &gated{l, s}
}

// straight is the address of the server itself, gateway that of the gateway, as clients write them.
func (l *lite) straight() string { return "http://" + l.Address }

func (g *gated) gateway() string { return "http://" + g.Address["grpc"] }

// run runs one of the programs beside this file, and returns what it printed.
func (l *lite) run(t *testing.T, environ []string, argv ...string) (string, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = l.dir
	cmd.Env = append(os.Environ(), environ...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return string(out) + complaints.String(), err
	}
	return string(out), nil
}

func program(name string) string { return filepath.Join(world.Root(), "test/milvustest", name) }

// day returns the lines of a day of pymilvus that ends well.
func (l *lite) day(t *testing.T, uri, token, what string) []string {
	t.Helper()
	out, err := l.run(t, nil, l.Python, program("day.py"), uri, token, what)
	if err != nil {
		t.Errorf("%s at %s: %v\n%s", what, uri, err, out)
		return []string{""}
	}
	return strings.Split(strings.TrimSpace(out), "\n")
}

// node is day with the client for Node.
func (l *lite) node(t *testing.T, address, token, what string) []string {
	t.Helper()
	f, err := fetch.New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	modules, err := f.MilvusNode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out, err := l.run(t, []string{"NODE_PATH=" + modules}, "node", program("day.js"), address, token, what)
	if err != nil {
		t.Errorf("%s at %s: %v\n%s", what, address, err, out)
		return []string{""}
	}
	return strings.Split(strings.TrimSpace(out), "\n")
}
