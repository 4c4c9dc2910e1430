package guide

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
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

// engine is a guide to a database, and what its reader would do next with what it shows.
type engine struct {
	guide string
	run   func(context.Context, *fetch.Fetcher, string) (*stage.Engine, error)
	// listens are the addresses at which the guide opens listeners, answers those at which the database is.
	listens, answers []string
	// fill is said to the gateway by who may do everything, look by Sam, with the client that the guide has made.
	fill, look string
	want       string // what look prints
	allow      string // besides what the guide allows
	javascript string // goes before the guide's
}

var engines = []engine{
	{
		guide: "chroma.md", run: stage.Chroma, listens: []string{"127.0.0.1:8000"}, answers: []string{"chroma.internal:8000"},
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
		want: `['[redacted]'] [('email', '[redacted]'), ('n', 7), ('tenant', 'acme')] None`, allow: looks,
	},
	{
		guide: "weaviate.md", run: stage.Weaviate, listens: []string{"127.0.0.1:8080", "127.0.0.1:50051"}, answers: []string{"weaviate.internal:8080", "weaviate.internal:50051"},
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
		want: `[redacted] 7 [('street', '[redacted]'), ('town', 'Oslo')] {}`, allow: looks,
		javascript: "const weaviate = require('weaviate-client').default; const { ApiKey } = require('weaviate-client');\n",
	},
	{
		guide: "milvus.md", run: stage.MilvusLite, listens: []string{"127.0.0.1:19530"}, answers: []string{"milvus.internal:19530"},
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
	},
}

// everything is the policy beside what a guide protects.
const everything = `allow:
  - {name: everything, who: {groups: [Everything]}, can: ["*"], on: ["**"]}
`

const looks = `  - {name: look, who: {groups: [Vector-Read]}, can: [search, fetch, scroll, count, schema.read], on: ["docs/**"]}
`

// TestWhatTheGuidesToEnginesShowWorks runs a gateway with the configuration that a guide shows, under what it protects, and
// the client that it makes.
func TestWhatTheGuidesToEnginesShowWorks(t *testing.T) {
	f, err := fetch.New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range engines {
		t.Run(e.guide, func(t *testing.T) {
			dir := t.TempDir()
			database, err := e.run(t.Context(), f, dir)
			if database != nil {
				t.Cleanup(database.Stop)
			}
			if err != nil {
				t.Fatal(err)
			}
			shown := snippets(t, e.guide)
			there := e.there(t, database)
			config := there.Replace(shown["yaml"][0])
			if !strings.HasPrefix(config, "listeners:\n") || !strings.Contains(config, "\ntargets:\n") {
				t.Fatalf("the guide does not begin with listeners and targets:\n%s", config)
			}
			protects, allows := "", everything+e.allow
			for _, text := range shown["yaml"][1:] {
				before, rules, ok := strings.Cut("\n"+text, "\nprotect:\n")
				given, allowed := strings.CutPrefix(before, "\nallow:\n")
				if !ok || before != "" && !allowed {
					t.Fatalf("the guide shows something else than what is allowed and protected:\n%s", text)
				}
				if allowed {
					allows += given + "\n"
				}
				protects += strings.Replace(rules, "subject.claims.tenant", "[acme]", 1) // the tests' provider tells of no tenant
			}
			// The last rules spare nobody; the one who fills the database is spared.
			protects = strings.ReplaceAll(strings.TrimSuffix(protects, "\n"), "\n  - name:", "\n    except: {groups: [Everything]}\n  - name:") + "\n    except: {groups: [Everything]}\n"
			for _, name := range []string{"chroma.key", "weaviate.key", "milvus.key"} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(cmp.Or(database.Key, "none")), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s := stage.Start(t, stage.Options{Dir: dir, Sections: config, Policy: allows + "protect:\n" + protects})
			for _, client := range shown["python"] {
				e.say(t, s, "tess", database.Python, there.Replace(client)+e.fill)
				if got := e.say(t, s, "sam", database.Python, there.Replace(client)+e.look); strings.TrimSpace(got) != e.want {
					t.Errorf("Sam sees %s, want %s", got, e.want)
				}
			}
			if len(shown["python"]) != 1 {
				t.Errorf("the guide has %d clients for Python", len(shown["python"]))
			}
			for _, client := range shown["js"] {
				modules, err := f.WeaviateNode(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				program := e.javascript + "(async () => {\n" + there.Replace(client) + "\nconsole.log(await client.isReady())\nawait client.close()\n})().catch((e) => { console.error(e); process.exit(1) })\n"
				t.Setenv("NODE_PATH", modules)
				if got := e.say(t, s, "sam", "node", program); strings.TrimSpace(got) != "true" {
					t.Errorf("JavaScript: %s", got)
				}
			}
		})
	}
}

// there puts the addresses of this test into what a guide shows.
func (e *engine) there(t *testing.T, database *stage.Engine) *strings.Replacer {
	t.Helper()
	replace := []string{"tls: {mode: verify-full}", `tls: {mode: "off"}`}
	for i, name := range e.answers {
		replace = append(replace, name, []string{database.Address, database.GRPC}[i])
	}
	for _, address := range e.listens {
		port, err := ports.Free()
		if err != nil {
			t.Fatal(err)
		}
		_, was, _ := strings.Cut(address, ":")
		replace = append(replace, address, fmt.Sprintf("127.0.0.1:%d", port), "ort="+was, fmt.Sprintf("ort=%d", port), "ort: "+was, fmt.Sprintf("ort: %d", port))
	}
	return strings.NewReplacer(replace...)
}

// say runs a program with somebody's token, and returns what it prints.
func (e *engine) say(t *testing.T, s *stage.Stage, who, interpreter, program string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	argv := []string{"-W", "ignore", "-c", program}
	if interpreter == "node" {
		argv = []string{"-e", program}
	}
	cmd := exec.CommandContext(ctx, interpreter, argv...)
	cmd.Dir, cmd.Env = s.Dir, append(os.Environ(), "VECGATE_TOKEN="+s.As(t, who))
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s as %s: %v\n%s%s", e.guide, who, err, out, complaints.String())
	}
	return string(out)
}

// snippets are the blocks of code of a guide, by their language.
func snippets(t *testing.T, guide string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(world.Root(), "docs/guide", guide))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for i, part := range strings.Split("\n"+string(text), "\n```") {
		if language, body, ok := strings.Cut(part, "\n"); ok && i%2 == 1 {
			found[language] = append(found[language], body+"\n")
		}
	}
	if len(found["yaml"]) == 0 {
		t.Fatalf("%s shows no configuration", guide)
	}
	return found
}
