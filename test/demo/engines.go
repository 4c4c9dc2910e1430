package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/vecgate/vecgate/test/data"
	"github.com/vecgate/vecgate/test/get/fetch"
	"github.com/vecgate/vecgate/test/stage"
	"github.com/vecgate/vecgate/test/world"
)

// scripts are what the story does with each engine's own client.
//
//go:embed engines/*.py
var scripts embed.FS

const enginePolicy = `# One policy for all of them.
allow:
  - {name: scientists-read, who: {groups: [Vector-Read]}, can: [search, fetch, count, schema.read, schema.list], on: ["**"]}
  - name: scientists-write-after-approval
    who: {groups: [Vector-Read]}
    can: [insert, upsert]
    on: ["**"]
    after: {approval: {by: {groups: [Vector-Approve]}, persons: 1, within: 15m}}
deny:
  - {name: nobody-drops, who: {groups: [Vector-Read]}, can: [schema.drop], on: ["**"]}
protect:
  - {name: personal-data, fields: ["**.email", "**.phone"], mask: redact}
  - {name: embeddings-stay-inside, vectors: withhold}
`

// engine is a database of the story that does not speak SQL.
type engine struct {
	name      string // in the configuration, and of its script
	title     string
	listeners []stage.Listener
	start     func(context.Context, *fetch.Fetcher, string) (*stage.Engine, error)
	// environ is where its script finds the server itself, and the gateway's listeners.
	environ func(*stage.Engine, *stage.Stage) [2]string
}

// engines is in the order of the story.
func engines() []engine {
	return []engine{
		{
			name: "chroma", title: "Chroma", start: stage.Chroma,
			listeners: []stage.Listener{{Name: "chroma", Protocol: "http", Targets: []string{"chroma"}}},
			environ: func(e *stage.Engine, g *stage.Stage) [2]string {
				return [2]string{"http://" + e.Address, "http://" + g.Address["chroma"]}
			},
		},
		{
			name: "weaviate", title: "Weaviate", start: stage.Weaviate,
			listeners: []stage.Listener{
				{Name: "weaviate", Protocol: "http", Targets: []string{"weaviate"}},
				{Name: "weaviate-grpc", Protocol: "grpc", Targets: []string{"weaviate"}},
			},
			environ: func(e *stage.Engine, g *stage.Stage) [2]string {
				return [2]string{e.Address + "," + e.GRPC, g.Address["weaviate"] + "," + g.Address["weaviate-grpc"]}
			},
		},
		{
			name: "milvus", title: "Milvus Lite", start: stage.MilvusLite,
			listeners: []stage.Listener{{Name: "milvus", Protocol: "grpc", Targets: []string{"milvus"}}},
			environ: func(e *stage.Engine, g *stage.Stage) [2]string {
				return [2]string{"http://" + e.Address, "http://" + g.Address["milvus"]}
			},
		},
	}
}

// target is how the gateway reaches a server; its own credential, where it has one, comes from the environment.
func (e engine) target(s *stage.Engine) (t stage.Target, environ []string) {
	t = stage.Target{Name: e.name, Engine: e.name, Address: s.Address}
	var more []string
	if s.GRPC != "" {
		more = append(more, fmt.Sprintf("grpc_address: %q", s.GRPC))
	}
	if s.Key != "" {
		variable := strings.ToUpper(e.name) + "_KEY"
		more = append(more, fmt.Sprintf(`credential: {password: "${env:%s}"}`, variable))
		environ = []string{variable + "=" + s.Key}
	}
	t.More = strings.Join(more, ", ")
	return t, environ
}

// demoEngines tells the story over every engine of which there is a real server, with one policy and one log.
func demoEngines(ctx context.Context, once bool) (err error) {
	dir, err := os.MkdirTemp("", "vecgate-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	f, err := fetch.New(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	if err := probes(dir); err != nil {
		return err
	}
	var running []*stage.Engine
	defer func() {
		for _, s := range running {
			s.Stop()
		}
	}()
	all := engines()
	o := stage.Options{Dir: dir, Policy: enginePolicy}
	for _, e := range all {
		say("Starting %s …", e.title)
		s, err := e.start(ctx, f, dir)
		if s != nil && s.Process != nil {
			running = append(running, s)
		}
		if err != nil {
			return fmt.Errorf("start %s: %w", e.title, err)
		}
		target, environ := e.target(s)
		o.Listeners, o.Targets, o.Environ = append(o.Listeners, e.listeners...), append(o.Targets, target), append(o.Environ, environ...)
	}
	say("Starting an identity provider and vecgate …")
	g, err := stage.Open(ctx, o)
	if err != nil {
		return err
	}
	defer g.Close()
	t := &teller{ctx: ctx, env: filepath.Join(dir, "env.sh")}
	if err := os.WriteFile(t.env, []byte(surroundings(g, all, running)), 0o600); err != nil {
		return err
	}
	for _, e := range all {
		if err := engineStory(ctx, t, g, e); err != nil {
			return fmt.Errorf("%w\n\nThe gateway's log:\n%s", err, g.Process.Output())
		}
	}
	t.chapter("Can you prove it?", "One log for all of them.")
	if err := errors.Join(
		t.must("as aud vecgate sessions ls"),
		t.must("vecgate audit verify --dir audit"),
	); err != nil || once {
		return err
	}
	say("\nEverything is still running. In another terminal:\n\n    cd %s; source env.sh\n\nthen repeat any command above, or make up your own.", dir)
	say("The console is at %s (sign in as anybody; Arno approves, Audrey audits).\nCtrl-C ends it all and cleans up.", g.API)
	<-ctx.Done()
	return nil
}

// probes writes what the scripts read: people with their vectors, and a vector to search with.
func probes(dir string) error {
	var people strings.Builder
	for _, c := range data.Customers()[:100] {
		line, err := json.Marshal(struct {
			data.Customer
			Embedding []float32 `json:"embedding"`
		}{c, c.Embedding[:]})
		if err != nil {
			return err
		}
		people.Write(append(line, '\n'))
	}
	query := data.Queries()[0]
	probe, err := json.Marshal(query.Embedding[:])
	if err != nil {
		return err
	}
	files := map[string]string{"people.jsonl": people.String(), "probe.json": string(probe)}
	err = fs.WalkDir(scripts, "engines", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := scripts.ReadFile(path)
		files[d.Name()] = string(text)
		return err
	})
	for name, text := range files {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return err
}

// surroundings is what the story's commands, and people who repeat them, source.
func surroundings(g *stage.Stage, all []engine, running []*stage.Engine) string {
	var b strings.Builder
	fmt.Fprintf(&b, "export PATH=%s:$PATH\nexport VECGATE_GATEWAY=%s\n", filepath.Dir(g.Binary), g.API)
	for i, e := range all {
		at := e.environ(running[i], g)
		fmt.Fprintf(&b, "export %[1]s_ITSELF=%[2]s %[1]s=%[3]s\n", strings.ToUpper(e.name), at[0], at[1])
		if key := running[i].Key; key != "" {
			fmt.Fprintf(&b, "export %s_KEY=%s\n", strings.ToUpper(e.name), key)
		}
		fmt.Fprintf(&b, "%s() { %s -W ignore %s.py \"$@\"; }\n", e.name, running[i].Python, e.name)
	}
	fmt.Fprintf(&b, `# as WHO COMMAND…: run a command as a person (sam, arno, …).
as() {
    local who=$1; shift
    local id
    id=$(vecgate dev token --issuer %s --user "$who") || return
    VECGATE_ID_TOKEN=$id VECGATE_TOKEN=$(VECGATE_ID_TOKEN=$id vecgate token) "$@"
}
`, g.IDP.Issuer(world.Corp))
	return b.String()
}

// engineStory is the story of one engine: a search that is masked, a guess that is refused, a change that waits, a drop that is refused.
func engineStory(ctx context.Context, t *teller, g *stage.Stage, e engine) error {
	t.chapter(e.title+": a scientist searches", "A real server, its own Python client, people with their sentences' embeddings. The token goes where a key would.")
	if err := t.must(e.name+" fill", "100 people"); err != nil {
		return err
	}
	if err := t.must("as sam "+e.name+" search", "[redacted]"); err != nil {
		return err
	}
	say("\nGuessing does not help:")
	if err := t.refused("as sam "+e.name+" guess", "hidden"); err != nil {
		return err
	}
	t.chapter(e.title+": her upsert waits for a person", "The client waits; nothing has reached the database.")
	upsert := t.start("as sam " + e.name + " upsert")
	arno, err := g.Token(ctx, "arno")
	if err != nil {
		return err
	}
	id, err := g.First(ctx, arno, "/api/v1/requests?state=open")
	if err != nil {
		return err
	}
	upsert.keep()
	if err := errors.Join(
		t.refused("as sam vecgate requests approve "+id),
		t.must("as arno vecgate requests show "+id),
		t.must("as arno vecgate requests approve "+id+" --reason 'reviewed with the team'"),
	); err != nil {
		return err
	}
	say("\nHer client, meanwhile:")
	if out, err := upsert.wait(true); err != nil || !strings.Contains(out, "upserted") {
		return orElse(err, "the approved upsert did not run")
	}
	t.chapter(e.title+": nobody drops", "The refusal is in the engine's own form, so that its client shows it.")
	return t.refused("as sam "+e.name+" drop", "nobody-drops")
}
