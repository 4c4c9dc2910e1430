package weaviatetest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vecgate/vecgate/test/get/fetch"
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
    when: access.rows > 0 && access.rows <= 50
  - name: scientists-write-after-approval
    who: {groups: [Vector-Read]}
    can: [upsert]
    on: ["docs/**"]
    after: {approval: {by: {groups: [Vector-Approve]}, persons: 1, within: 15m}}
  - {name: ops, who: {groups: [Vector-Write]}, can: ["*"], on: ["docs/**"]}
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

// server is the one Weaviate of all these tests: it takes some seconds to start. Every test begins with nothing in it.
type server struct {
	*stage.Engine
	modules string // of the JavaScript client
	dir     string
}

var (
	running = sync.OnceValues(open)
	opened  *server // once the process has been started; read when the tests have ended
)

func TestMain(m *testing.M) {
	code := m.Run()
	if opened != nil {
		opened.Stop()
		_ = os.RemoveAll(opened.dir)
	}
	os.Exit(code)
}

// open starts the server.
func open() (s *server, err error) {
	s = &server{}
	ctx := context.Background()
	f, err := fetch.New(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return nil, err
	}
	if s.modules, err = f.WeaviateNode(ctx); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "vecgate-weaviate-"); err != nil {
		return nil, err
	}
	s.Engine, err = stage.Weaviate(ctx, f, s.dir)
	if s.Engine != nil {
		opened = s
	}
	return s, err
}

// theatre is the Weaviate, with nothing in it, and a gateway before it.
type theatre struct {
	*stage.Stage
	*server
	gateway, calls string // the addresses of the gateway's listeners
}

// start puts further protections under the policy.
func start(t *testing.T, protects string) *theatre {
	t.Helper()
	return startUnder(t, policyText+protects)
}

func startUnder(t *testing.T, policy string) *theatre {
	t.Helper()
	s, err := running()
	if err != nil {
		t.Fatal(err)
	}
	w := &theatre{server: s}
	w.clear(t)
	w.Stage = stage.Start(t, stage.Options{
		Listeners: []stage.Listener{{Name: "rest", Protocol: "http"}, {Name: "calls", Protocol: "grpc"}},
		Targets: []stage.Target{{
			Name: "docs", Engine: "weaviate", Address: s.Address,
			More: fmt.Sprintf(`grpc_address: %q, credential: {password: "${env:ENGINE_KEY}"}`, s.GRPC),
		}},
		Environ: []string{"ENGINE_KEY=" + s.Key},
		Policy:  policy,
	})
	w.gateway, w.calls = w.Stage.Address["rest"], w.Stage.Address["calls"]
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.Output())
		}
	})
	return w
}

// direct asks the server itself.
func (s *server) direct(t *testing.T, method, path, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.Key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %s %s %v", method, path, resp.Status, text, err)
	}
	return string(text)
}

// fill makes the collection Customers, with twenty objects.
func (s *server) fill(t *testing.T) {
	t.Helper()
	s.direct(t, "POST", "/v1/schema", `{"class":"Customers","vectorConfig":{"default":{"vectorizer":{"none":{}},"vectorIndexType":"hnsw"}},"properties":[
		{"name":"title","dataType":["text"]},{"name":"email","dataType":["text"],"tokenization":"field"},{"name":"owner","dataType":["text"],"tokenization":"field"},
		{"name":"n","dataType":["int"]},{"name":"tags","dataType":["text[]"]},
		{"name":"address","dataType":["object"],"nestedProperties":[{"name":"street","dataType":["text"]},{"name":"email","dataType":["text"]}]}]}`)
	var objects []string
	for i := range 20 {
		owner, parity := "acme", "even"
		if i%2 == 1 {
			owner, parity = "globex", "odd"
		}
		objects = append(objects, fmt.Sprintf(`{"class":"Customers","id":"00000000-0000-0000-0000-%012x","vectors":{"default":[%d,1.5,%d]},"properties":{"title":"text number %d",
			"email":"person%d@example.com","owner":%q,"n":%d,"tags":[%q,"t%d"],"address":{"street":"Road %d","email":"nested%d@example.com"}}}`,
			i+1, i, -i, i, i, owner, i, parity, i, i, i))
	}
	if out := s.direct(t, "POST", "/v1/batch/objects", `{"objects":[`+strings.Join(objects, ",")+`]}`); strings.Count(out, `"SUCCESS"`) != 20 {
		t.Fatalf("the collection was not filled: %s", out)
	}
}

// count says how many objects there are.
func (s *server) count(t *testing.T) int {
	t.Helper()
	var answer struct {
		Data struct {
			Aggregate struct {
				Customers []struct{ Meta struct{ Count int } }
			}
		}
	}
	out := s.direct(t, "POST", "/v1/graphql", `{"query":"{Aggregate{Customers{meta{count}}}}"}`)
	if err := json.Unmarshal([]byte(out), &answer); err != nil || len(answer.Data.Aggregate.Customers) != 1 {
		t.Fatalf("%s: %v", out, err)
	}
	return answer.Data.Aggregate.Customers[0].Meta.Count
}

// clear drops what the test before has left.
func (s *server) clear(t *testing.T) {
	t.Helper()
	var all struct{ Classes []struct{ Class string } }
	if err := json.Unmarshal([]byte(s.direct(t, "GET", "/v1/schema", "")), &all); err != nil {
		t.Fatal(err)
	}
	for _, c := range all.Classes {
		s.direct(t, "DELETE", "/v1/schema/"+c.Class, "")
	}
}

// port is the port of an address.
func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

// run runs a client's day, direct or through the gateway, and returns what it printed.
func (w *theatre) run(direct bool, token, what string) (string, error) {
	http, grpc := w.gateway, w.calls
	if direct {
		http, grpc, token = w.server.Address, w.GRPC, w.Key
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	argv := []string{w.Python, "-W", "ignore", filepath.Join(world.Root(), "test/weaviatetest/day.py")}
	if what == "javascript" {
		argv = []string{"node", filepath.Join(world.Root(), "test/weaviatetest/day.js")}
	}
	cmd := exec.CommandContext(ctx, argv[0], append(argv[1:], port(http), port(grpc), token, what)...)
	cmd.Dir, cmd.Env = w.Stage.Dir, append(os.Environ(), "NODE_PATH="+w.modules)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return string(out) + complaints.String(), err
	}
	return string(out), nil
}

// day returns the lines of a day that ends well.
func (w *theatre) day(t *testing.T, direct bool, token, what string) []string {
	t.Helper()
	out, err := w.run(direct, token, what)
	if err != nil {
		t.Errorf("%s (direct: %v): %v\n%s", what, direct, err, out)
		return []string{""}
	}
	return strings.Split(strings.TrimSpace(out), "\n")
}
