package guide

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vecgate/vecgate/test/get/fetch"
	"github.com/vecgate/vecgate/test/opensearchtest"
	pinecone "github.com/vecgate/vecgate/test/pineconetest/standin"
	"github.com/vecgate/vecgate/test/ports"
	qdrant "github.com/vecgate/vecgate/test/qdranttest/standin"
	"github.com/vecgate/vecgate/test/stage"
	"github.com/vecgate/vecgate/test/world"
)

// engine is a guide to a database, and what its reader would do next with what it shows.
type engine struct {
	name, guide string
	about       string // what those snippets have in them that are about this engine, where the guide is to two
	run         func(*testing.T, *servers) *database
	modules     func(*fetch.Fetcher, context.Context) (string, error)
	client      string // of package fetch's clients for Go: where its snippets in Go compile
	// The clients' own patience, ten seconds for some, is too short for a Java on a machine with much else to do: what is said
	// to one brings more.

	// listens are the addresses at which the guide opens listeners, answers those at which the database is.
	listens, answers []string
	// fill is said to the gateway by who may do everything, look by Sam, with the client that the guide has made; js is look
	// in JavaScript.
	fill, look, js             string
	want, wantJS               string // what look and js print
	allow                      string // besides what the guide allows
	python, javascript, golang int    // how many clients there are in the guide
}

// database is a server with nothing in it, or a stand-in for one.
type database struct {
	doors  []door
	python string // the interpreter with its own client
	key    string // what it takes as a credential; empty when it takes none
}

// door is one of a database's addresses; protocol is what it speaks there, by its name in TLS.
type door struct {
	address, protocol string
	told              func(address string) // of the address in front of it; nil when nobody needs to know
}

var engines = []engine{
	{
		name: "Chroma", guide: "chroma.md", modules: (*fetch.Fetcher).ChromaNode, python: 1, javascript: 1,
		run:     process(stage.Chroma, "http/1.1"),
		listens: []string{"127.0.0.1:8000"}, answers: []string{"chroma.internal:8000"},
		fill: `
c = client.create_collection("customers", embedding_function=None)
c.add(ids=["1"], embeddings=[[1.0, 2.0]], documents=["a text"], metadatas=[{"email": "ann@example.com", "n": 7, "tenant": "acme"}])
s = client.create_collection("shared", embedding_function=None)
s.add(ids=["1", "2"], embeddings=[[1.0], [2.0]], metadatas=[{"tenant": "acme"}, {"tenant": "globex"}])
`,
		look: `
r = client.get_collection("customers", embedding_function=None).get(ids=["1"], include=["metadatas", "documents", "embeddings"])
print(r["documents"], sorted(r["metadatas"][0].items()), r["embeddings"])
`,
		want: `['[redacted]'] [('email', '[redacted]'), ('n', 7), ('tenant', 'acme')] None`,
		js: `
const r = await (await client.getCollection({ name: 'customers', embeddingFunction: null })).get({ ids: ['1'], include: ['metadatas', 'embeddings'] })
console.log(r.metadatas[0].email, r.metadatas[0].n, r.embeddings)
`,
		wantJS: `[redacted] 7 []`, allow: looks,
	},
	{
		name: "Weaviate", guide: "weaviate.md", modules: (*fetch.Fetcher).WeaviateNode, client: "weaviate", python: 1, javascript: 1, golang: 1,
		run:     process(stage.Weaviate, "http/1.1", "h2"),
		listens: []string{"127.0.0.1:8080", "127.0.0.1:50051"}, answers: []string{"weaviate.internal:8080", "weaviate.internal:50051"},
		fill: `
from weaviate.classes.config import Configure, DataType, Property
c = client.collections.create("Customers", vectorizer_config=Configure.Vectorizer.none(), properties=[
    Property(name="email", data_type=DataType.TEXT), Property(name="n", data_type=DataType.INT),
    Property(name="address", data_type=DataType.OBJECT, nested_properties=[Property(name="street", data_type=DataType.TEXT), Property(name="town", data_type=DataType.TEXT)]),
])
c.data.insert({"email": "ann@example.com", "n": 7, "address": {"street": "Road 1", "town": "Oslo"}}, vector=[1.0, 2.0])
client.close()
`,
		look: `
o = client.collections.use("Customers").query.fetch_objects(limit=1, include_vector=True).objects[0]
print(o.properties["email"], o.properties["n"], sorted(o.properties["address"].items()), o.vector)
client.close()
`,
		want: `[redacted] 7 [('street', '[redacted]'), ('town', 'Oslo')] {}`,
		js: `
const { objects } = await client.collections.use('Customers').query.fetchObjects({ limit: 1, includeVector: true })
console.log(objects[0].properties.email, objects[0].properties.n, JSON.stringify(objects[0].vectors))
await client.close()
`,
		wantJS: `[redacted] 7 {}`, allow: looks,
	},
	{
		name: "Milvus", guide: "milvus.md", modules: (*fetch.Fetcher).MilvusNode, client: "milvus", python: 1, javascript: 1, golang: 1,
		run:     process(stage.MilvusLite, "h2"),
		listens: []string{"127.0.0.1:19530"}, answers: []string{"milvus.internal:19530"},
		fill: `
from pymilvus import DataType
schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("email", DataType.VARCHAR, max_length=100)
schema.add_field("meta", DataType.JSON)
schema.add_field("vec", DataType.FLOAT_VECTOR, dim=2)
index = client.prepare_index_params()
index.add_index("vec", index_type="FLAT", metric_type="L2")
client.create_collection("customers", schema=schema, index_params=index)
client.insert("customers", [{"id": 1, "email": "ann@example.com", "meta": {"phone": "+49 30 123456", "n": 7}, "vec": [1.0, 2.0]}])
`,
		look: `
r = client.get("customers", ids=[1], output_fields=["email", "meta", "vec"])[0]
print(r["email"], sorted(r["meta"].items()), "vec" in r)
`,
		want: `[redacted] [('n', 7), ('phone', '[redacted]')] False`,
		js: `
const { data } = await client.get({ collection_name: 'customers', ids: [1], output_fields: ['email', 'meta', 'vec'] })
console.log(data[0].email, data[0].meta.phone, data[0].vec)
await client.closeConnection()
`,
		wantJS: `[redacted] [redacted] undefined`,
	},
	{
		name: "Qdrant, by a stand-in", guide: "qdrant.md", modules: (*fetch.Fetcher).QdrantNode, client: "qdrant", python: 1, javascript: 1, golang: 1,
		run: func(t *testing.T, f *servers) *database {
			python, err := f.Qdrant(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			s, err := qdrant.Start("engine-key-77d0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			return &database{[]door{{address: s.REST, protocol: "http/1.1"}, {address: s.GRPC, protocol: "h2"}}, python, "engine-key-77d0"}
		},
		listens: []string{"127.0.0.1:6333", "127.0.0.1:6334"}, answers: []string{"qdrant.internal:6333", "qdrant.internal:6334"},
		fill: `
from qdrant_client import models
client.create_collection("customers", vectors_config=models.VectorParams(size=2, distance=models.Distance.COSINE))
client.upsert("customers", [models.PointStruct(id=1, vector=[1.0, 2.0], payload={"email": "ann@example.com", "n": 7, "meta": {"phone": "+49 30 123456", "n": 8}})])
`,
		look: `
r = client.retrieve("customers", ids=[1], with_payload=True, with_vectors=True)[0]
print(r.payload["email"], r.payload["n"], sorted(r.payload["meta"].items()), r.vector)
`,
		want: `[redacted] 7 [('n', 8), ('phone', '[redacted]')] None`,
		js: `
const [point] = await client.retrieve("customers", { ids: [1], with_payload: true, with_vector: true });
console.log(point.payload.email, point.payload.meta.phone, point.vector);
`,
		wantJS: `[redacted] [redacted] null`, allow: looks,
	},
	{
		name: "Pinecone, by a stand-in", guide: "pinecone.md", modules: (*fetch.Fetcher).PineconeNode, client: "pinecone", python: 1, javascript: 1, golang: 1,
		run: func(t *testing.T, f *servers) *database {
			python, err := f.Pinecone(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			p, err := pinecone.Start("engine-key-77d0", "docs")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = p.Close() })
			makeIndex(t, p.Control, "engine-key-77d0")
			return &database{[]door{
				{address: p.Control, protocol: "h2"}, {p.Hosts["docs"], "h2", func(address string) { p.Behind("docs", address) }},
			}, python, "engine-key-77d0"}
		},
		listens: []string{"127.0.0.1:8000", "127.0.0.1:8001"}, answers: []string{"api.pinecone.io:443", "docs-1a2b3c.svc.aped-4627-b74a.pinecone.io:443"},
		fill: `
index.upsert(vectors=[{"id": "1", "values": [1.0, 2.0, 3.0], "metadata": {"email": "ann@example.com", "n": 7}}], namespace="people")
`,
		look: `
r = index.fetch(ids=["1"], namespace="people").vectors["1"]
print(r.metadata["email"], r.metadata["n"], list(r.values))
`,
		want: `[redacted] 7 [0.0]`,
		js: `
const { records } = await index.namespace("people").fetch({ ids: ["1"] });
console.log(records["1"].metadata.email, records["1"].metadata.n, records["1"].values);
`,
		wantJS: `[redacted] 7 [ 0 ]`,
		allow:  "  - {name: look, who: {groups: [Vector-Read]}, can: [search, fetch, schema.read], on: [\"prod*/docs/**\"]}\n",
	},
	{
		name: "OpenSearch", guide: "opensearch.md", about: "pensearch", modules: (*fetch.Fetcher).OpenSearchNode, client: "opensearch", python: 1, javascript: 1, golang: 1,
		run: func(t *testing.T, f *servers) *database {
			e := f.openSearch(t)
			return &database{[]door{{address: e.Address, protocol: "http/1.1"}}, e.Python, "none"}
		},
		listens: []string{"127.0.0.1:9200"}, answers: []string{"search.internal:9200"},
		fill: `
client.indices.create(index="customers", body={"settings": {"index.knn": True}, "mappings": {"properties": {"v": {"type": "knn_vector", "dimension": 2, "method": {"name": "hnsw", "engine": "lucene"}}}}}, request_timeout=120)
client.index(index="customers", id="1", body={"email": "ann@example.com", "owner": {"phone": "+49 30 123456", "n": 7}, "v": [1.0, 2.0]}, refresh=True, request_timeout=120)
`,
		look: `
r = client.get(index="customers", id="1", request_timeout=120)["_source"]
print(r["email"], sorted(r["owner"].items()), r.get("v"))
`,
		want: `[redacted] [('n', 7), ('phone', '[redacted]')] None`,
		js: `
const { _source } = (await client.get({ index: 'customers', id: '1' }, { requestTimeout: 120000 })).body
console.log(_source.email, _source.owner.phone, _source.v ?? null)
`,
		wantJS: `[redacted] [redacted] null`, allow: looks,
	},
	{
		name: "Elasticsearch, by a stand-in", guide: "opensearch.md", about: "lasticsearch", modules: (*fetch.Fetcher).OpenSearchNode, client: "elasticsearch", python: 1, javascript: 1, golang: 1,
		run: func(t *testing.T, f *servers) *database {
			e := f.openSearch(t)
			s := httptest.NewServer(opensearchtest.Elasticsearch(&url.URL{Scheme: "http", Host: e.Address}))
			t.Cleanup(s.Close)
			return &database{[]door{{address: strings.TrimPrefix(s.URL, "http://"), protocol: "http/1.1"}}, e.Python, "none"}
		},
		listens: []string{"127.0.0.1:9200"}, answers: []string{"search.internal:9200"},
		fill: `
client = client.options(request_timeout=120)
client.indices.delete(index="customers", ignore_unavailable=True)
client.indices.create(index="customers", mappings={"properties": {"v": {"type": "dense_vector", "dims": 2}}})
client.index(index="customers", id="1", document={"email": "ann@example.com", "owner": {"phone": "+49 30 123456", "n": 7}, "v": [1.0, 2.0]}, refresh=True)
`,
		look: `
r = client.options(request_timeout=120).get(index="customers", id="1")["_source"]
print(r["email"], sorted(r["owner"].items()), r.get("v"))
`,
		want: `[redacted] [('n', 7), ('phone', '[redacted]')] None`,
		js: `
const { _source } = await client.get({ index: 'customers', id: '1' }, { requestTimeout: 120000 })
console.log(_source.email, _source.owner.phone, _source.v ?? null)
`,
		wantJS: `[redacted] [redacted] null`, allow: looks,
	},
}

// makeIndex makes the index that the guide has already.
func makeIndex(t *testing.T, control, key string) {
	t.Helper()
	const index = `{"name": "docs", "dimension": 3, "metric": "cosine", "spec": {"serverless": {"cloud": "aws", "region": "us-east-1"}}}`
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+control+"/indexes", strings.NewReader(index))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Api-Key", key)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusCreated {
		t.Fatalf("the stand-in does not make an index: %s", answer.Status)
	}
}

// servers runs what the guides are about.
type servers struct {
	*fetch.Fetcher
	all  *testing.T    // the test of all guides
	java *stage.Engine // one OpenSearch for two of them: it takes long to start
}

// process is a real server that runs beside the test, with what it speaks at each of its addresses.
func process(run func(context.Context, *fetch.Fetcher, string) (*stage.Engine, error), protocols ...string) func(*testing.T, *servers) *database {
	return func(t *testing.T, s *servers) *database {
		e := started(t, s, run)
		d := &database{python: e.Python, key: e.Key}
		for i, protocol := range protocols {
			d.doors = append(d.doors, door{address: []string{e.Address, e.GRPC}[i], protocol: protocol})
		}
		return d
	}
}

func started(t *testing.T, s *servers, run func(context.Context, *fetch.Fetcher, string) (*stage.Engine, error)) *stage.Engine {
	t.Helper()
	e, err := run(t.Context(), s.Fetcher, t.TempDir())
	if e != nil && e.Process != nil {
		t.Cleanup(e.Stop)
	}
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (s *servers) openSearch(t *testing.T) *stage.Engine {
	t.Helper()
	if s.java == nil {
		s.java = started(s.all, s, stage.OpenSearch)
	}
	return s.java
}

// everything is the policy beside what a guide protects.
const everything = `allow:
  - {name: everything, who: {groups: [Everything]}, can: ["*"], on: ["**"]}
`

const looks = `  - {name: look, who: {groups: [Vector-Read]}, can: [search, fetch, scroll, count, schema.read], on: ["docs/**"]}
`

// TestWhatTheGuidesToEnginesShowWorks runs a gateway with the configuration that a guide shows, under what it protects, and
// the clients that it makes, exactly as printed but for addresses (there).
func TestWhatTheGuidesToEnginesShowWorks(t *testing.T) {
	f, err := fetch.New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	run := &servers{Fetcher: f, all: t}
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) { e.follow(t, run) })
	}
}

func (e *engine) follow(t *testing.T, run *servers) {
	shown := e.snippets(t)
	database := e.run(t, run)
	there, authority := e.there(t, database)
	dir := t.TempDir()
	put(t, dir, "authority.crt", authority)
	config, policy := "", everything+e.allow
	protects := ""
	for _, text := range shown["yaml"] {
		switch before, rules, protected := strings.Cut("\n"+text, "\nprotect:\n"); {
		case strings.HasPrefix(text, "listeners:\n") && strings.Contains(text, "\ntargets:\n") && config == "":
			config = there.Replace(text)
		case protected && before == "":
			protects += rules
		case protected && strings.HasPrefix(before, "\nallow:\n"):
			policy += strings.TrimPrefix(before, "\nallow:\n") + "\n"
			protects += rules
		default:
			t.Fatalf("%s shows something else than listeners with targets, and then what is allowed and protected:\n%s", e.guide, text)
		}
	}
	protects = strings.Replace(protects, "subject.claims.tenant", "[acme]", 1) // the tests' provider tells of no tenant
	// The rules spare nobody; the one who fills the database is spared.
	protects = strings.ReplaceAll(strings.TrimSuffix(protects, "\n"), "\n  - name:", "\n    except: {groups: [Everything]}\n  - name:") + "\n    except: {groups: [Everything]}\n"
	for _, file := range secretFile.FindAllStringSubmatch(config, -1) {
		put(t, dir, file[1], cmp.Or(database.key, "none"))
	}
	s := stage.Start(t, stage.Options{
		Dir: dir, Sections: config, Policy: policy + "protect:\n" + protects, Environ: []string{"SSL_CERT_FILE=" + filepath.Join(dir, "authority.crt")},
	})
	for _, client := range shown["python"] {
		python := []string{database.python, "-W", "ignore"}
		e.say(t, s, "tess", "fill.py", there.Replace(client)+e.fill, python...)
		if got := e.say(t, s, "sam", "look.py", there.Replace(client)+e.look, python...); strings.TrimSpace(got) != e.want {
			t.Errorf("in Python Sam sees %s, want %s", got, e.want)
		}
	}
	for _, client := range shown["js"] {
		modules, err := e.modules(run.Fetcher, t.Context())
		if err == nil {
			err = os.Symlink(modules, filepath.Join(s.Dir, "node_modules")) // as npm install would have made it
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := e.say(t, s, "sam", "look.mjs", there.Replace(client)+e.js, "node"); strings.TrimSpace(got) != e.wantJS {
			t.Errorf("in JavaScript Sam sees %s, want %s", got, e.wantJS)
		}
	}
	for _, client := range shown["go"] {
		if err := compiles(t.Context(), e.client, there.Replace(client)); err != nil {
			t.Errorf("in Go: %v\n%s", err, client)
		}
	}
}

// snippets are the blocks of code of the engine's guide, by their language. There must be none that is not used here.
func (e *engine) snippets(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, s := range snippets(t, e.guide) {
		switch s.Language {
		case "python", "js", "go":
			if !strings.Contains(s.Text, e.about) {
				continue
			}
		case "yaml":
			if strings.Contains(s.Text, "engine:") && !strings.Contains(s.Text, e.about) {
				continue
			}
		default:
			t.Errorf("%s has a block of %s, which nobody runs", e.guide, s.Language)
		}
		found[s.Language] = append(found[s.Language], s.Text)
	}
	for language, want := range map[string]int{"python": e.python, "js": e.javascript, "go": e.golang} {
		if got := len(found[language]); got != want {
			t.Errorf("%s has %d clients in %s for %s, and %d are expected", e.guide, got, language, e.name, want)
		}
	}
	return found
}

func snippets(t *testing.T, guide string) []Snippet {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(world.Root(), "docs/guide", guide))
	if err != nil {
		t.Fatal(err)
	}
	all, err := Snippets(guide, string(text))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// there puts the addresses of this test into what a guide shows: those of listeners, and those of the database, which speaks
// TLS with a certificate of the returned authority. Nothing else is changed.
func (e *engine) there(t *testing.T, database *database) (there *strings.Replacer, authority string) {
	t.Helper()
	certificate, key, err := world.SelfSigned("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	var replace []string
	for i, name := range e.answers {
		address := front(t, database.doors[i], pair)
		if told := database.doors[i].told; told != nil {
			told(address)
		}
		replace = append(replace, name, address)
	}
	for _, address := range e.listens {
		port, err := ports.Free()
		if err != nil {
			t.Fatal(err)
		}
		_, was, _ := strings.Cut(address, ":")
		// A port may stand beside its host: port=6333, port: 6333, Port: 6333.
		replace = append(replace, address, fmt.Sprintf("127.0.0.1:%d", port), "ort="+was, fmt.Sprintf("ort=%d", port), "ort: "+was, fmt.Sprintf("ort: %d", port))
	}
	return strings.NewReplacer(replace...), string(certificate)
}

// front takes connections by TLS for a database that speaks none, and returns where.
func front(t *testing.T, to door, certificate tls.Certificate) string {
	t.Helper()
	port, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	protocols := []string{to.protocol}
	if to.protocol == "h2" {
		protocols = append(protocols, "http/1.1") // where one port has both, either passes
	}
	l, err := tls.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port), &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: protocols, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); open.Wait() })
	open.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() { pipe(client, to.address) })
		}
	})
	return l.Addr().String()
}

// pipe passes on what both sides say until one of them ends.
func pipe(client net.Conn, address string) {
	defer client.Close()
	server, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return
	}
	var back sync.WaitGroup
	back.Go(func() { _, _ = io.Copy(client, server); _ = client.Close() })
	_, _ = io.Copy(server, client)
	_ = server.Close()
	back.Wait()
}

// say runs a program with somebody's token, and returns what it prints.
func (e *engine) say(t *testing.T, s *stage.Stage, who, file, program string, interpreter ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	put(t, s.Dir, file, program)
	cmd := exec.CommandContext(ctx, interpreter[0], append(interpreter[1:], file)...)
	cmd.Dir, cmd.Env = s.Dir, append(os.Environ(), "VECGATE_TOKEN="+s.As(t, who))
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s as %s: %v\n%s%s", e.guide, who, err, out, complaints.String())
	}
	return string(out)
}

// compiles compiles a snippet in Go in the module of the engine's client, in the place of the program that is there.
func compiles(ctx context.Context, client, snippet string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "vecgate-snippet-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	module, pkg := world.Root(), "cmd/vecgate" // Qdrant's client is in the gateway's own go.mod
	if slices.Contains(fetch.GoClients, client) {
		module, pkg = filepath.Join(module, "test/goclients", client), "."
	}
	source, overlay := filepath.Join(dir, "main.go"), filepath.Join(dir, "overlay.json")
	where, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(module, pkg, "main.go"): source}})
	if err != nil {
		return err
	}
	for path, text := range map[string][]byte{source: []byte(GoPackage(snippet)), overlay: where} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-mod=readonly", "-trimpath", "-overlay="+overlay, "./"+pkg)
	cmd.Dir = module
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
