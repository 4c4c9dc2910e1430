package qdranttest

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
	"github.com/vecgate/vecgate/test/qdranttest/standin"
	"github.com/vecgate/vecgate/test/stage"
	"github.com/vecgate/vecgate/test/world"
)

const policyText = `
allow:
  - {name: everything, who: {groups: [Everything]}, can: ["*"], on: ["docs/**"]}
  - {name: scientists-read, who: {groups: [Vector-Read]}, can: [search, fetch, count, aggregate, schema.read], on: ["docs/**"]}
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
    fields: ["**.email", "docs/default/customers.meta.phone"]
    mask: redact
    except: {groups: [Everything]}
  - name: embeddings-stay-inside
    vectors: withhold
    except: {groups: [Everything]}
`

const secret = "the-databases-own-key"

// set is a stand-in with nothing in it behind a gateway.
type set struct {
	*stage.Stage
	python, modules string
	engine          *standin.Server
}

func start(t *testing.T) *set {
	t.Helper()
	f, err := fetch.New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	s := &set{}
	if s.python, s.modules, err = f.Qdrant(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.engine, err = standin.Start(secret); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.engine.Close)
	s.Stage = stage.Start(t, stage.Options{
		Listeners: []stage.Listener{{Name: "rest", Protocol: "http"}, {Name: "grpc", Protocol: "grpc"}},
		Targets:   []stage.Target{{Name: "docs", Engine: "qdrant", Address: s.engine.REST, More: `grpc_address: "` + s.engine.GRPC + `", ` + "credential: {password: '${env:QDRANT_KEY}', header: api-key}"}},
		Environ:   []string{"QDRANT_KEY=" + secret},
		Policy:    policyText,
	})
	return s
}

// door is where a client goes.
type door struct {
	rest, grpc, token string // grpc is empty for REST
}

func (s *set) direct(grpc bool) door {
	d := door{rest: s.engine.REST, token: secret}
	if grpc {
		d.grpc = s.engine.GRPC
	}
	return d
}

func (s *set) through(t *testing.T, who string, grpc bool) door {
	d := door{rest: s.Address["rest"], token: s.As(t, who)}
	if grpc {
		d.grpc = s.Address["grpc"]
	}
	return d
}

// day runs day.py and returns the lines that it printed.
func (s *set) day(t *testing.T, d door, what string) []string {
	t.Helper()
	port := "0"
	if d.grpc != "" {
		port = d.grpc[strings.LastIndexByte(d.grpc, ':')+1:]
	}
	return s.run(t, s.python, filepath.Join(world.Root(), "test/qdranttest/day.py"), "http://"+d.rest, port, d.token, what)
}

func (s *set) js(t *testing.T, d door, what string) []string {
	t.Helper()
	return s.run(t, "node", filepath.Join(world.Root(), "test/qdranttest/day.js"), "http://"+d.rest, d.token, what)
}

func (s *set) run(t *testing.T, argv ...string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = s.Dir, append(os.Environ(), "NODE_PATH="+s.modules, "PYTHONWARNINGS=ignore")
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%s %s: %v\n%s%s", filepath.Base(argv[1]), argv[len(argv)-1], err, out, complaints.String())
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func (s *set) jsRPC(t *testing.T, d door, what string) []string {
	t.Helper()
	return s.run(t, "node", filepath.Join(world.Root(), "test/qdranttest/grpc.js"), "http://"+d.grpc, d.token, what)
}
