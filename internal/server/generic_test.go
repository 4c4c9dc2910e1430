package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/config"
	"github.com/vecgate/vecgate/internal/policy"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

const genericGuide = "../../docs/guide/generic-http.md"

// fences are the blocks of the guide that are opened by this info string.
func fences(t *testing.T, info string) []string {
	t.Helper()
	text, err := os.ReadFile(genericGuide)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, part := range strings.Split(string(text), "\n```"+info+"\n")[1:] {
		block, _, _ := strings.Cut(part, "\n```")
		blocks = append(blocks, block+"\n")
	}
	return blocks
}

// guided reads a description of the guide as a gateway would.
func guided(t *testing.T, fence string) *config.Target {
	t.Helper()
	dir := t.TempDir()
	if !strings.HasPrefix(fence, "listeners:") {
		fence = `listeners:
  - {name: rest, protocol: http, address: "127.0.0.1:8080"}
` + fence
	}
	text := `gateway: {name: demo}
identity:
  providers:
    - {name: corp, issuer: "https://idp.example.com/", audiences: [vecgate]}
policy: policy.yaml
audit: {self: true}
` + fence
	for name, text := range map[string]string{"vecgate.yaml": text, "policy.yaml": "allow: [{name: all, who: anyone, can: [search], on: [\"**\"]}]\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, faults := config.Load(filepath.Join(dir, "vecgate.yaml"))
	if config.Fatal(faults) {
		t.Fatalf("%v", faults)
	}
	said, err := Check(c)
	if err != nil {
		t.Fatal(err)
	}
	// Every operation that is described is told with what it is to a policy.
	target := &c.Targets[0]
	if n := strings.Count(said, "\n"+target.Name+": "); n < len(target.API.Operations) || !regexp.MustCompile(`\n`+target.Name+`: [A-Z]+ /\S+ \([^)]+\) is [a-z_.]+`).MatchString(said) {
		t.Errorf("%d operations are described, and check says:\n%s", len(target.API.Operations), said)
	}
	return target
}

// through stands a described target before a server, under obligations.
func through(t *testing.T, target *config.Target, server http.Handler, o access.Obligations) *protocoltest.World {
	t.Helper()
	w := protocoltest.Start(t, &protocoltest.Suite{
		New: func() httpwire.Dialect {
			d, err := described(target)
			if err != nil {
				t.Fatal(err)
			}
			return d
		},
		Upstream: server,
	})
	w.Oblige(o)
	return w
}

// asking is a request and what is expected of it.
type asking struct {
	method, path, body string
	want               string // the answer, or the code of the refusal
}

func (x asking) check(t *testing.T, w *protocoltest.World) {
	t.Helper()
	a := w.Do(t.Context(), protocoltest.Request{Method: x.method, Path: x.path, Body: x.body})
	got := strings.TrimSpace(a.Body)
	if code := a.Header.Get("X-Vecgate-Code"); code != "" {
		got = code
	}
	if got != x.want {
		t.Errorf("%s %s %s:\n%v, want\n%s", x.method, x.path, x.body, a, x.want)
	}
}

// shelf is a small home-grown search service, as the guide describes it.
type shelf struct{ documents []shelved }

type shelved struct {
	ID     string         `json:"id"`
	Fields map[string]any `json:"fields"`
	Vector []float64      `json:"vector,omitempty"`
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Index     string
		K         int
		Vectors   bool
		Where     map[string]any
		Documents []shelved
		IDs       []string
	}
	body, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(body, &ask)
	matches := func(d shelved) bool {
		for name, value := range ask.Where {
			if d.Fields[name] != value {
				return false
			}
		}
		return len(ask.IDs) == 0 || slices.Contains(ask.IDs, d.ID)
	}
	hits := []map[string]any{}
	for _, d := range s.documents {
		if !matches(d) {
			continue
		}
		hit := map[string]any{"id": d.ID, "fields": d.Fields, "distance": 0.123}
		if ask.Vectors {
			hit["vector"] = d.Vector
		}
		hits = append(hits, hit)
	}
	w.Header().Set("Content-Type", "application/json")
	say := func(v any) { _ = json.NewEncoder(w).Encode(v) }
	switch r.Method + " " + r.URL.Path {
	case "POST /search":
		say(map[string]any{"hits": hits[:min(len(hits), ask.K)], "took_ms": 1, "echo": string(body)})
	case "POST /count":
		say(map[string]any{"count": len(hits)})
	case "POST /documents":
		s.documents = append(s.documents, ask.Documents...)
		say(map[string]any{"added": len(ask.Documents)})
	case "POST /forget":
		before := len(s.documents)
		s.documents = slices.DeleteFunc(s.documents, matches)
		say(map[string]any{"forgotten": before - len(s.documents)})
	default:
		for _, d := range s.documents {
			if r.URL.Path == "/documents/"+d.ID {
				say(d)
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
		say(map[string]any{"message": "no such document", "error": "not-found"})
	}
}

func newShelf() *shelf {
	return &shelf{documents: []shelved{
		{"a", map[string]any{"tenant": "acme", "email": "a@example.com", "n": 1.0}, []float64{1, 2}},
		{"b", map[string]any{"tenant": "beta", "email": "b@example.com", "n": 1.0}, []float64{3, 4}},
		{"c", map[string]any{"tenant": "acme", "email": "c@example.com", "n": 2.0}, []float64{5, 6}},
	}}
}

func TestTheHomeGrownServiceOfTheGuideWorks(t *testing.T) {
	target := guided(t, fences(t, "yaml")[0])
	w := through(t, target, newShelf(), access.Obligations{})
	for _, x := range []asking{
		{"POST", "/search", `{"index":"books","vector":[1],"k":1,"vectors":true}`, `{"echo":"{\"index\":\"books\",\"vector\":[1],\"k\":1,\"vectors\":true}","hits":[{"distance":0.123,"fields":{"email":"a@example.com","n":1,"tenant":"acme"},"id":"a","vector":[1,2]}],"took_ms":1}`},
		{"GET", "/documents/b?index=books", ``, `{"id":"b","fields":{"email":"b@example.com","n":1,"tenant":"beta"},"vector":[3,4]}`},
		{"GET", "/documents/none?index=books", ``, `{"error":"not-found","message":"no such document"}`},
		{"POST", "/count", `{"index":"books","where":{"n":1}}`, `{"count":2}`},
		{"POST", "/search", `{"index":"books","vector":[1],"rerank":true}`, "unclear"},
		{"POST", "/admin/reset", `{}`, "unclear"},
	} {
		x.check(t, w)
	}

	// The policy of the guide, for somebody of one tenant.
	rules, err := policy.Parse("policy.yaml", []byte(fences(t, "yaml policy")[0]), policy.Options{Targets: []string{"shelf"}})
	if err != nil {
		t.Fatal(err)
	}
	subject := &access.Subject{ID: "corp:ana", Kind: access.Person, Claims: map[string]any{"tenant": "acme"}}
	books := access.Resource{Target: "shelf", Namespace: "default", Collection: "books"}
	d := rules.Decide(subject, &access.Operation{Accesses: []access.Access{{Action: access.Search, Resource: books}}}, access.Context{})
	if d.Effect != access.Allow || len(d.Obligations.Filters) != 1 {
		t.Fatalf("%+v", d)
	}
	d.Obligations.Filters[0].Pattern = "**" // the suite's target has another name
	s := newShelf()
	w = through(t, target, s, d.Obligations)
	for _, x := range []asking{
		{"POST", "/search", `{"index":"books","vector":[1],"vectors":true}`, `{"echo":null,"hits":[{"distance":0.12,"fields":{"email":"[redacted]","n":1,"tenant":"acme"},"id":"a"},{"distance":0.12,"fields":{"email":"[redacted]","n":2,"tenant":"acme"},"id":"c"}],"took_ms":1}`},
		{"POST", "/search", `{"index":"books","vector":[1],"where":{"email":"a@example.com"}}`, "cannot-be-obliged"},
		{"POST", "/search", `{"index":"books","vector":[1],"where":{"tenant":"beta"}}`, "cannot-be-obliged"},
		{"POST", "/count", `{"index":"books"}`, `{"count":2}`},
		{"GET", "/documents/a?index=books", ``, "cannot-be-obliged"},
		{"POST", "/documents", `{"index":"books","documents":[{"id":"d","fields":{"tenant":"beta"}}]}`, "cannot-be-obliged"},
		{"POST", "/documents", `{"index":"books","documents":[{"id":"d","fields":{"tenant":"acme"}}]}`, `{"added":1}`},
		{"POST", "/forget", `{"index":"books","ids":["a","b"]}`, `{"forgotten":1}`},
		{"POST", "/forget", `{"index":"books"}`, "cannot-be-obliged"},
	} {
		x.check(t, w)
	}
	var left []string
	for _, d := range s.documents {
		left = append(left, d.ID)
	}
	if fmt.Sprint(left) != "[b c d]" {
		t.Errorf("%v are left", left)
	}
}

func TestADescriptionThatContradictsItselfIsFoundByCheck(t *testing.T) {
	target := guided(t, fences(t, "yaml")[0])
	target.API.Operations[0].Answer = config.APIAnswer{}
	target.API.Operations[1].Filter.At = "query:where"
	_, err := Check(&config.Config{Targets: []config.Target{*target}})
	if err == nil || !strings.Contains(err.Error(), "operation search: search shows points: the answer has rows") ||
		!strings.Contains(err.Error(), "operation count: a filter of the form equals is a member of the document") {
		t.Errorf("%v", err)
	}
}

// marqo is a stand-in that answers like the engine of the guide's second example.
func marqo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	const hit = `{"_id":"1","title":"A","contact":{"email":"a@example.com"},"_score":0.6251,"_highlights":[{"title":"a@example.com"}],"_tensor_facets":[{"title":"A","_embedding":[1.5]}]}`
	switch r.Method + " " + r.URL.Path {
	case "GET /indexes":
		fmt.Fprint(w, `{"results":[{"indexName":"books"},{"indexName":"secrets"}]}`)
	case "POST /indexes/books/search":
		fmt.Fprintf(w, `{"hits":[%s],"query":"a@example.com","limit":10,"offset":0,"processingTimeMs":3}`, hit)
	case "GET /indexes/books/documents/1":
		fmt.Fprint(w, hit)
	default:
		fmt.Fprint(w, `{"errors":false,"items":[{"_id":"1","status":200}],"status":"succeeded","index_name":"books"}`)
	}
}

func TestTheEngineOfTheGuideWorks(t *testing.T) {
	target := guided(t, fences(t, "yaml")[1])
	w := through(t, target, http.HandlerFunc(marqo), access.Obligations{Protection: &access.Protection{
		ID: 1, Fields: []access.FieldRule{{Pattern: "**.email", Treatment: access.Treatment{Mask: access.MaskRedact, Rule: "personal-data"}}},
		Vectors: []access.VectorRule{{Pattern: "**", Treatment: access.Treatment{Mask: access.MaskNull, Rule: "v"}}},
	}})
	for _, x := range []asking{
		{"POST", "/indexes/books/search", `{"q":"a"}`, `{"hits":[{"_id":"1","title":"A","contact":{"email":"[redacted]"},"_score":0.63,"_highlights":null,"_tensor_facets":null}],"query":null,"limit":10,"offset":0,"processingTimeMs":3}`},
		{"POST", "/indexes/books/search", `{"q":"a","filter":"contact.email:(a@example.com)"}`, "cannot-be-obliged"},
		{"POST", "/indexes/books/search", `{"q":"a","context":{"tensor":[]}}`, "unclear"},
		{"GET", "/indexes/books/documents/1", ``, `{"_id":"1","title":"A","contact":{"email":"[redacted]"},"_score":0.6251,"_highlights":null,"_tensor_facets":null}`},
		{"POST", "/indexes/books/documents", `{"documents":[{"_id":"1","title":"A"}],"tensorFields":["title"]}`, `{"errors":false,"items":null,"status":null,"index_name":"books"}`},
		{"POST", "/indexes/books/documents/delete-batch", `["1","2"]`, `{"errors":null,"items":null,"status":"succeeded","index_name":null}`},
		{"POST", "/indexes/books/documents/delete-batch", `{"ids":["1"]}`, "unclear"},
	} {
		x.check(t, w)
	}
	for _, r := range w.All() {
		if strings.HasPrefix(r.URI, "/indexes/books/documents/1") && r.URI != "/indexes/books/documents/1?expose_facets=false" {
			t.Errorf("asked %s", r.URI)
		}
		if strings.HasSuffix(r.URI, "/search") && r.Body != `{"q":"a","limit":10}` {
			t.Errorf("sent %s", r.Body)
		}
	}
	w.Rule(func(op *access.Operation, _ access.Context) access.Decision {
		if op.First().Resource.Collection == "secrets" {
			return access.Decision{Effect: access.Deny}
		}
		return access.Decision{Effect: access.Allow}
	})
	asking{"GET", "/indexes", ``, `{"results":[{"indexName":"books"}]}`}.check(t, w)
}
