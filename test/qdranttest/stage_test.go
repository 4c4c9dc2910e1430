package qdranttest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
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
  - {name: tenants-do-as-they-like, who: {groups: [Vector-Write]}, can: ["*"], on: ["docs/**"]}
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
  - name: own-tenant
    filter: {field: tenant, values: [a]}
    on: ["docs/default/customers"]
    except: {groups: [Everything, Vector-Read]}
`

const secret = "the-databases-own-key"

// set is a stand-in with nothing in it behind a gateway.
type set struct {
	*stage.Stage
	python, modules string
	engine          *standin.Server
}

func start(t *testing.T) *set { return stand(t, false) }

// minting is start with a server that takes tokens, and a gateway that shows it no others.
func minting(t *testing.T) *set { return stand(t, true) }

func stand(t *testing.T, mints bool) *set {
	t.Helper()
	f, err := fetch.New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	s := &set{}
	if s.python, err = f.Qdrant(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.modules, err = f.QdrantNode(t.Context()); err != nil {
		t.Fatal(err)
	}
	engine, credential := standin.Start, ""
	if mints {
		engine, credential = standin.StartRBAC, ", mint: jwt"
	}
	if s.engine, err = engine(secret); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.engine.Close)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "qdrant.key"), []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Stage = stage.Start(t, stage.Options{
		Listeners: []stage.Listener{{Name: "rest", Protocol: "http"}, {Name: "grpc", Protocol: "grpc"}},
		Targets:   []stage.Target{{Name: "docs", Engine: "qdrant", Address: s.engine.REST, More: `grpc_address: "` + s.engine.GRPC + `", ` + "credential: {password: 'file:qdrant.key', header: api-key" + credential + "}"}},
		Dir:       dir,
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

// ask asks the stand-in itself, and returns what its answer holds.
func (s *set) ask(t *testing.T, method, path, body string) string {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Api-Key", secret)
	s.engine.Handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("%s %s %s: %d %s", method, path, body, w.Code, w.Body)
	}
	return untimed(t, w.Body.String())
}

// fill puts twenty customers into the stand-in, as day.py does.
func (s *set) fill(t *testing.T) {
	t.Helper()
	s.ask(t, "PUT", "/collections/customers", `{"vectors":{"size":3,"distance":"Cosine"}}`)
	var points []string
	for i := range 20 {
		points = append(points, fmt.Sprintf(`{"id":%d,"vector":[%d,1.5,%d],"payload":{"email":"person%d@example.com","n":%d,"meta":{"phone":"+47%d"},"tenant":%q}}`, i, i+1, -i, i, i, i, "ab"[i%2:i%2+1]))
	}
	s.ask(t, "PUT", "/collections/customers/points", `{"points":[`+strings.Join(points, ",")+`]}`)
	s.ask(t, "PUT", "/collections/customers/index", `{"field_name":"email","field_schema":"keyword"}`)
}

// count is how many customers there are, of those whom a filter finds.
func (s *set) count(t *testing.T, filter string) int {
	t.Helper()
	var answer struct{ Count int }
	if err := json.Unmarshal([]byte(s.ask(t, "POST", "/collections/customers/points/count", `{"filter":`+filter+`}`)), &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Count
}
