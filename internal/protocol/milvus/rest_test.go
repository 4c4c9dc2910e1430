package milvus

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

func TestEveryOperationOfTheRESTInterfaceIsInTheTableOnce(t *testing.T) {
	have := map[string]bool{}
	for _, r := range Routes() {
		if have[r.Path] || r.Method != http.MethodPost || !r.Body || len(r.Actions) == 0 {
			t.Errorf("%+v", r)
		}
		have[r.Path] = true
	}
	// The server's own table, by category.
	for category, actions := range map[string]string{
		"collections":               "list has describe get_stats get_load_state create drop truncate rename load refresh_load release alter_properties drop_properties add_function alter_function drop_function add_function_field drop_function_field compact get_compaction_state flush",
		"collections/fields":        "add drop alter_properties",
		"collections/struct_fields": "add",
		"databases":                 "create drop list describe alter alter_properties drop_properties",
		"entities":                  "query get delete insert upsert search hybrid_search advanced_search",
		"partitions":                "list has get_stats create drop load release",
		"users":                     "list describe create update_password drop grant_role revoke_role",
		"roles":                     "list describe create alter drop grant_privilege revoke_privilege grant_privilege_v2 revoke_privilege_v2",
		"privilege_groups":          "create drop list add_privileges_to_group remove_privileges_from_group",
		"indexes":                   "list describe create drop alter_properties drop_properties",
		"aliases":                   "list describe create drop alter",
		"jobs/import":               "list create get_progress describe commit abort",
		"jobs/snapshot":             "restore_external export describe list",
		"jobs/external_collection":  "refresh describe list",
		"resource_groups":           "create drop alter describe list transfer_replica",
		"file_resources":            "add remove list",
		"segments":                  "describe",
		"quotacenter":               "describe",
		"common":                    "run_analyzer",
	} {
		for _, action := range strings.Split(actions, " ") {
			path := restPrefix + category + "/" + action
			if !have[path] {
				t.Errorf("%s is not in the table", path)
			}
			delete(have, path)
		}
	}
	for path := range have {
		t.Errorf("%s is in the table, and the server does not have it", path)
	}
}

// readREST reads a request with a stand-in behind it.
func readREST(t testing.TB, d *REST, name, body string) (*httpwire.Call, error) {
	t.Helper()
	document, err := jsonstream.Read([]byte(body))
	if err != nil {
		return nil, err
	}
	r := &httpwire.Request{Target: "vectors", Body: document, May: func(a access.Access) bool { return a.Resource.Collection != "secrets" }}
	r.Post = func(_ context.Context, path string, document jsonstream.Value) (int, jsonstream.Value, error) {
		answer := `{"code":100}`
		if name, _ := document.Get("collectionName").Text(); name == "customers" || name == "pub" {
			answer = restDescribed
		}
		if path == restPrefix+"entities/query" {
			answer = `{"code":0,"data":[{"count(*)":0}]}`
			if text, _ := document.Get("filter").Text(); text == "id in [7]" {
				answer = `{"code":0,"data":[{"count(*)":1}]}`
			}
		}
		v, err := jsonstream.Read([]byte(answer))
		return http.StatusOK, v, err
	}
	for _, route := range d.Routes() {
		if route.Name == name {
			r.Route = &route
		}
	}
	return d.Read(t.Context(), r)
}

func TestRESTRequestsAreReadAsWhatTheyDo(t *testing.T) {
	const c = `"collectionName":"customers"`
	for _, x := range []struct{ name, body, want string }{
		{"collections/list", `{}`, "schema.list default"},
		{"collections/list", `{"dbName":"other"}`, "schema.list other"},
		{"collections/describe", `{"collectionName":"pub"}`, "schema.read customers"},
		{"collections/get_stats", `{` + c + `}`, "count customers rows=1"},
		{"collections/drop", `{` + c + `}`, "schema.drop customers"},
		{"collections/create", `{"collectionName":"new","dimension":3}`, "schema.create new"},
		{"collections/create", `{"collectionName":"new","schema":{"functions":[{"type":"TextEmbedding"}]}}`, "schema.create new egress"},
		{"collections/rename", `{` + c + `,"newCollectionName":"b","newDbName":"other"}`, "schema.rename customers; schema.rename other/b"},
		{"databases/drop", `{"dbName":"other"}`, "tenant.drop other"},
		{"aliases/alter", `{` + c + `,"aliasName":"pub"}`, "alias.write pub; alias.write customers; alias.write customers"},
		{"aliases/list", `{}`, "alias.read default"},
		{"entities/query", `{` + c + `,"filter":"age > 1"}`, "scroll customers rows=100 vectors filter=other[age]"},
		{"entities/query", `{` + c + `,"filter":"id in {x}","exprParams":{"x":[1,2]},"outputFields":["id"]}`, "fetch customers rows=2 ids=[1 2] filter=key[id]"},
		{"entities/query", `{` + c + `,"outputFields":["count(*)"]}`, "count customers rows=1"},
		{"entities/query", `{` + c + `,"outputFields":["id"],"limit":7}`, "list_ids customers rows=7"},
		{"entities/get", `{` + c + `,"id":[1,"2"],"outputFields":["city"]}`, "fetch customers rows=2 ids=[1 2] filter=key[id]"},
		{"entities/get", `{` + c + `,"id":1,"outputFields":["vec"]}`, "fetch customers rows=1 ids=[1] vectors filter=key[id]"},
		{"entities/delete", `{` + c + `,"filter":"id in [1]"}`, "delete customers points=1 ids=[1] filter=key[id]"},
		{"entities/delete", `{` + c + `,"id":[1,2]}`, "delete customers points=2 ids=[1 2] filter=key[id]"},
		{"entities/delete", `{` + c + `,"filter":"city == 'Oslo'"}`, "delete_by_filter customers points=-1 filter=other[city]"},
		{"entities/delete", `{` + c + `,"filter":"id > 0"}`, "delete_all customers points=-1 filter=trivial[id]"},
		{"entities/insert", `{` + c + `,"data":[{"id":1,"vec":[1]},{"id":2}]}`, "insert customers points=2 ids=[1 2] vectors filter=key[]"},
		{"entities/upsert", `{` + c + `,"data":{"id":1},"partialUpdate":true}`, "update customers points=1 ids=[1] filter=key[]; upsert customers points=1 ids=[1] filter=key[]"},
		{"entities/search", `{` + c + `,"data":[[1],[2]],"outputFields":["city"]}`, "search customers rows=200"},
		{"entities/search", `{` + c + `,"data":[[1]],"limit":3,"groupByField":"city","groupSize":2,"filter":"age > 1","outputFields":["vec"]}`, "search customers rows=6 vectors filter=other[age] order=[city]"},
		{"entities/hybrid_search", `{` + c + `,"search":[{"data":[[1]],"annsField":"vec","limit":9,"filter":"age > 1"},{"data":[[1]],"annsField":"vec"}],"rerank":{"strategy":"rrf"},"limit":4,"outputFields":["id"]}`, "search customers rows=4"},
		{"jobs/import/create", `{` + c + `,"files":[["a"]]}`, "import customers points=-1 egress"},
		{"users/list", `{}`, "iam.read vectors"},
		{"roles/grant_privilege", `{"roleName":"x"}`, "iam.write vectors"},
	} {
		call, err := readREST(t, NewREST(stub), x.name, x.body)
		if err != nil {
			t.Errorf("%s %s: %v", x.name, x.body, err)
			continue
		}
		if got := said(&grpcwire.Call{Accesses: call.Accesses, Free: call.Free}); got != x.want {
			t.Errorf("%s %s:\n got %s\nwant %s", x.name, x.body, got, x.want)
		}
	}
}

func TestRESTRequestsThatAreReadTwoWaysAreUnclear(t *testing.T) {
	const c = `"collectionName":"customers"`
	for _, x := range []struct{ name, body string }{
		{"entities/query", `[]`},
		{"entities/query", `{"CollectionName":"secrets",` + c + `}`},
		{"entities/query", `{` + c + `,"Filter":"id > 0"}`},
		{"entities/query", `{` + c + `,"filter":["id > 0"]}`},
		{"entities/query", `{` + c + `,"filter":"id > 0)"}`},
		{"entities/query", `{` + c + `,"limit":"1"}`},
		{"entities/query", `{` + c + `,"limit":-1}`},
		{"entities/query", `{` + c + `,"outputFields":"*"}`},
		{"entities/query", `{` + c + `,"dbName":"a/b"}`},
		{"entities/query", `{` + c + `,"dbName":1}`},
		{"entities/get", `{` + c + `,"id":[]}`},
		{"entities/get", `{` + c + `,"id":["1] or id in [2"]}`},
		{"entities/get", `{` + c + `,"id":1.5}`},
		{"entities/get", `{"collectionName":"none","id":1}`},
		{"entities/delete", `{` + c + `,"id":1,"filter":"id > 0"}`},
		{"entities/insert", `{` + c + `,"data":[1]}`},
		{"entities/search", `{` + c + `,"data":[]}`},
		{"entities/search", `{` + c + `}`},
		{"entities/search", `{` + c + `,"data":[[1]],"searchParams":{"topk":9}}`},
		{"entities/search", `{` + c + `,"data":[[1]],"searchParams":{"params":{"group_by_field":"email"}}}`},
		{"entities/search", `{` + c + `,"data":[[1]],"functionScore":{}}`},
		{"entities/hybrid_search", `{` + c + `,"search":[]}`},
		{"entities/hybrid_search", `{` + c + `,"search":[{"data":[[1]],"collectionName":"secrets"}]}`},
		{"entities/hybrid_search", `{` + c + `,"search":[{"data":[[1]]}],"rerank":{"strategy":"model"}}`},
		{"collections/drop", `{"collectionName":"pub"}`},
		{"collections/create", `{"collectionName":"new","Functions":[]}`},
		{"collections/create", `{"collectionName":"new","schema":{"Functions":[]}}`},
		{"indexes/create", `{"COLLECTIONNAME":"secrets",` + c + `}`},
		{"users/create", `{"userName":"a","password":"b"}`},
		{"jobs/snapshot/export", `{}`},
	} {
		_, err := readREST(t, NewREST(stub), x.name, x.body)
		if _, ok := err.(*httpwire.Unclear); !ok { //nolint:errorlint // Read's own
			t.Errorf("%s %s: %v", x.name, x.body, err)
		}
	}
}

func TestObligationsRewriteTheRESTRequestOrRefuseIt(t *testing.T) {
	const c = `"collectionName":"customers"`
	hidden, own := access.Obligations{Protection: protection}, access.Obligations{Filters: tenants}
	const mine = `(tenant in [\"acme\", \"o\\\"x\"]) and `
	for _, x := range []struct {
		name, body string
		o          access.Obligations
		want       string // what is sent on, or the code of the refusal
	}{
		{"entities/query", `{` + c + `,"filter":"id in [1]","outputFields":["*"]}`, hidden, `{` + c + `,"filter":"id in [1]","outputFields":["id","email","city","age","tenant","meta","$meta"],"dbName":"default","limit":100}`},
		{"entities/query", `{` + c + `,"filter":"email == 'a'"}`, hidden, "cannot-be-obliged"},
		{"entities/query", `{` + c + `,"filter":"id > 1","outputFields":["max(age)"]}`, hidden, "cannot-be-obliged"},
		{"entities/query", `{` + c + `,"filter":"id > 1"}`, access.Obligations{Rows: 99}, "limit"},
		{"entities/get", `{` + c + `,"id":1,"outputFields":["id"]}`, own, `{` + c + `,"outputFields":["id"],"dbName":"default","filter":"` + mine + `(id in [1])","limit":1}`},
		{"entities/delete", `{` + c + `,"id":1}`, own, `{` + c + `,"dbName":"default","filter":"` + mine + `(id in [1])"}`},
		{"entities/search", `{` + c + `,"data":[[1]],"limit":3,"outputFields":["id"]}`, own, `{` + c + `,"data":[[1]],"limit":3,"outputFields":["id"],"dbName":"default","filter":"tenant in [\"acme\", \"o\\\"x\"]"}`},
		{"entities/search", `{` + c + `,"data":[[1]],"limit":3,"searchParams":{"params":{"radius":1}}}`, hidden, "cannot-be-obliged"},
		{"entities/search", `{` + c + `,"data":[[1]],"limit":3,"groupByField":"email"}`, hidden, "cannot-be-obliged"},
		{"entities/search", `{` + c + `,"data":[[1]],"limit":3}`, access.Obligations{TopK: 2}, "limit"},
		{
			"entities/hybrid_search", `{` + c + `,"search":[{"data":[[1]],"filter":"id > 1"},{"data":[[2]]}],"limit":2,"outputFields":["id"]}`, own,
			`{` + c + `,"search":[{"data":[[1]],"filter":"` + mine + `(id > 1)","limit":100},{"data":[[2]],"limit":100,"filter":"tenant in [\"acme\", \"o\\\"x\"]"}],"limit":2,"outputFields":["id"],"dbName":"default"}`,
		},
		{"entities/hybrid_search", `{` + c + `,"search":[{"data":[[1]],"filter":"email == 'x'"}],"limit":2}`, hidden, "cannot-be-obliged"},
		{"entities/insert", `{` + c + `,"data":[{"id":1,"tenant":"acme"},{"id":2}]}`, own, "cannot-be-obliged"},
		{"entities/insert", `{` + c + `,"data":[{"id":1,"tenant":"other"}]}`, own, "cannot-be-obliged"},
		{"entities/upsert", `{` + c + `,"data":[{"id":7,"tenant":"acme"}]}`, own, "check"},
		{"entities/upsert", `{` + c + `,"data":[{"id":8,"tenant":"acme"}]}`, own, `{` + c + `,"data":[{"id":8,"tenant":"acme"}],"dbName":"default"}`},
		{"collections/get_stats", `{` + c + `}`, own, "cannot-be-obliged"},
		{"collections/drop", `{` + c + `}`, own, "cannot-be-obliged"},
	} {
		call, err := readREST(t, NewREST(stub), x.name, x.body)
		if err != nil {
			t.Errorf("%s %s: %v", x.name, x.body, err)
			continue
		}
		obliged := &httpwire.Obliged{}
		if call.Oblige != nil {
			obliged, err = call.Oblige(&x.o)
		}
		var got string
		switch refusal, ok := err.(*access.Refusal); { //nolint:errorlint // Oblige's own
		case ok:
			got = string(refusal.Code)
		case !obliged.Filtered && x.o.Unfiltered(&access.Operation{Accesses: call.Accesses}) != nil:
			got = string(access.CodeObligation)
		case obliged.Check != nil && obliged.Check(t.Context()) != nil:
			got = "check"
		case obliged.Body.Kind() != jsonstream.None:
			got = string(obliged.Body.Raw())
		default:
			got = string(call.Body.Raw())
		}
		if got != x.want {
			t.Errorf("%s %s:\n got %s\nwant %s", x.name, x.body, got, x.want)
		}
	}
}

func TestEveryPartOfARESTAnswerIsMasked(t *testing.T) {
	w := protocoltest.Start(t, restSuite())
	w.Oblige(access.Obligations{Protection: protection})
	for path, want := range map[string]string{
		"entities/query":  `{"code":0,"cost":0,"data":[{"id":1,"email":"[redacted]","city":"[redacted]","age":null,"tenant":"acme","meta":"{\"phone\":\"****77d0\"}","vec":null,"color":"red","meta2":{"email":null}}]}`,
		"entities/search": `{"code":0,"cost":0,"data":[{"distance":0.12,"id":1,"email":"[redacted]","city":"[redacted]","age":null,"tenant":"acme","meta":"{\"phone\":\"****77d0\"}","vec":null,"color":"red","meta2":{"email":null}}],"topks":[1]}`,
	} {
		body := `{"collectionName":"customers","filter":"id in [1]","outputFields":["*"]}`
		if strings.HasSuffix(path, "search") {
			body = `{"collectionName":"customers","data":[[1]],"outputFields":["*"]}`
		}
		if a := w.Do(t.Context(), protocoltest.Request{Method: "POST", Path: restPrefix + path, Body: body}); a.Body != want {
			t.Errorf("%s: %s", path, a)
		}
	}
	w.Upstream(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "describe") {
			restEngine(rw, r)
			return
		}
		rw.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(rw, `{"code":1100,"message":"value %s is odd"}`, canary)
	}))
	for _, path := range []string{"entities/query", "entities/upsert", "entities/delete"} {
		body := map[string]string{"entities/upsert": `{"collectionName":"customers","data":[{"id":1}]}`}[path]
		if body == "" {
			body = `{"collectionName":"customers","filter":"id in [1]"}`
		}
		if a := w.Do(t.Context(), protocoltest.Request{Method: "POST", Path: restPrefix + path, Body: body}); strings.Contains(a.Body, canary) || !strings.Contains(a.Body, "1100") {
			t.Errorf("%s: %s", path, a)
		}
	}
}

func TestARESTListLeavesOutWhatMayNotBeKnown(t *testing.T) {
	call, err := readREST(t, NewREST(stub), "collections/list", `{}`)
	if err != nil {
		t.Fatal(err)
	}
	obliged, err := call.Oblige(&access.Obligations{})
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonstream.Read([]byte(`{"code":0,"data":["customers","secrets","x"]}`))
	if err != nil {
		t.Fatal(err)
	}
	if v, err = obliged.Rewrite(v); err != nil || string(v.Raw()) != `{"code":0,"data":["customers","x"]}` {
		t.Errorf("%s %v", v.Raw(), err)
	}
}

// FuzzReadREST wants every request that is read to be read the same once more in the form in which it is sent on.
func FuzzReadREST(f *testing.F) {
	for i := range restTable {
		for _, body := range []string{
			`{}`, `{"collectionName":"pub","filter":"id in [1] and $meta[\"a\"] like 'x%'","outputFields":["*"]}`, `{"collectionName":"customers","data":[[1]],"searchParams":{"params":{"nprobe":1}}}`,
			`{"collectionName":"customers","data":[{"id":1,"tenant":"acme"}]}`, `{"collectionName":"customers","id":[1,"2"]}`, `{"collectionName":"customers","search":[{"data":[[1]]}],"limit":1}`,
		} {
			f.Add(i, body)
		}
	}
	d := NewREST(stub)
	f.Fuzz(func(t *testing.T, which int, body string) {
		name := restTable[uint(which)%uint(len(restTable))].name
		call, err := readREST(t, d, name, body)
		if err != nil {
			return
		}
		again, err := readREST(t, d, strings.TrimPrefix(call.Path, restPrefix), string(call.Body.Raw()))
		if err != nil {
			t.Fatalf("%s %s is sent on as %s: %v", name, body, call.Body.Raw(), err)
		}
		if diff := cmp.Diff(call.Accesses, again.Accesses); diff != "" || string(call.Body.Raw()) != string(again.Body.Raw()) {
			t.Fatalf("%s %s is read differently once sent on as %s: %s", name, body, call.Body.Raw(), diff)
		}
		if call.Oblige == nil {
			return
		}
		obliged, err := call.Oblige(&access.Obligations{Protection: protection, Filters: tenants, Rows: 1000, TopK: 1000})
		if err == nil && strings.Contains(string(obliged.Body.Get("outputFields").Raw()), `"vec"`) {
			t.Fatalf("%s asks for vectors all the same", obliged.Body.Raw())
		}
	})
}
