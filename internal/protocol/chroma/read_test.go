package chroma

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

// said is what a request would do, in one line: action resource rows, for every access.
func said(op []access.Access) string {
	var b strings.Builder
	for i, a := range op {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s %s", a.Action, strings.TrimPrefix(a.Resource.String(), protocoltest.Target+"/"))
		if at := a.Attributes; at.Rows != 0 {
			fmt.Fprintf(&b, " rows=%d", at.Rows)
		}
		if a.Attributes.Points != 0 {
			fmt.Fprintf(&b, " points=%d", a.Attributes.Points)
		}
		if a.Attributes.Vectors {
			b.WriteString(" vectors")
		}
	}
	return b.String()
}

func TestRequestsAreReadAsWhatTheyDo(t *testing.T) {
	const c = "default_tenant:default_database/customers"
	for _, x := range []struct{ method, path, body, want string }{
		{"POST", at + "/get", `{}`, "export " + c + " rows=-1"},
		{"POST", at + "/get", `{"ids":[]}`, "export " + c + " rows=-1"},
		{"POST", at + "/get", `{"where":null,"where_document":null,"ids":null,"limit":null}`, "export " + c + " rows=-1"},
		{"POST", at + "/get", `{"limit":5,"offset":10}`, "scroll " + c + " rows=5"},
		{"POST", at + "/get", `{"where":{"n":1}}`, "scroll " + c + " rows=-1"},
		{"POST", at + "/get", `{"include":[],"limit":7}`, "list_ids " + c + " rows=7"},
		{"POST", at + "/get", `{"ids":["a","b"],"include":["embeddings"]}`, "fetch " + c + " rows=2 vectors"},
		{"POST", at + "/get", `{"ids":["a","b"],"limit":1}`, "fetch " + c + " rows=1"},
		{"POST", at + "/query", `{"query_embeddings":[[1],[2]]}`, "search " + c + " rows=20"},
		{"POST", at + "/query", `{"query_embeddings":["AAAA"],"n_results":3,"include":["embeddings"]}`, "search " + c + " rows=3 vectors"},
		{"POST", at + "/add", `{"ids":["a"],"embeddings":[[1]]}`, "insert " + c + " points=1 vectors"},
		{"POST", at + "/upsert", `{"ids":["a","b"],"documents":["x","y"]}`, "upsert " + c + " points=2"},
		{"POST", at + "/update", `{"ids":["a"],"embeddings":[[1]]}`, "update_vectors " + c + " points=1 vectors; update " + c + " points=1 vectors"},
		{"POST", at + "/update", `{"ids":["a"],"embeddings":null}`, "update " + c + " points=1"},
		{"POST", at + "/delete", `{"ids":["a"]}`, "delete " + c + " points=1"},
		{"POST", at + "/delete", `{"where":{"n":{"$gt":1}}}`, "delete_by_filter " + c + " points=-1"},
		{"POST", at + "/delete", `{"where_document":{"$contains":"x"}}`, "delete_by_filter " + c + " points=-1"},
		{"POST", at + "/delete", `{}`, "delete_all " + c + " points=-1"},
		{"POST", at + "/delete", `{"ids":[],"where":{}}`, "delete_all " + c + " points=-1"},
		{"GET", at + "/count", ``, "count " + c + " rows=1"},
		{"GET", at + "/count?read_level=index_only", ``, "count " + c + " rows=1"},
		{"POST", at + "/fork", `{"new_name":"copy"}`, "schema.create default_tenant:default_database/copy; export " + c + " rows=-1 vectors"},
		{"PUT", at, `{"new_name":"items"}`, "schema.rename " + c + "; schema.rename default_tenant:default_database/items"},
		{"PUT", at, `{"new_metadata":{}}`, "schema.alter " + c},
		{"POST", at + "/functions/attach", `{"name":"f","function_id":"statistics","output_collection":"out"}`, "code.exec " + c + "; schema.create default_tenant:default_database/out; upsert default_tenant:default_database/out points=-1"},
		{"POST", at + "/attached_functions/f/detach", `{"delete_output":true}`, "code.exec " + c + "; schema.drop default_tenant:default_database"},
		{"POST", at + "/attached_functions/f/detach", `{}`, "code.exec " + c},
		{"GET", at + "/functions/f", ``, "schema.read " + c},
		{"GET", base + "by-id/" + customers, ``, "schema.read " + c},
		{"GET", base + "customers", ``, "schema.read " + c},
		{"DELETE", base + "customers", ``, "schema.drop " + c},
		{"POST", strings.TrimSuffix(base, "/"), `{"name":"customers"}`, "schema.create " + c},
		{"POST", strings.TrimSuffix(base, "/"), `{"name":"customers","get_or_create":true}`, "schema.read " + c},
		{"POST", strings.TrimSuffix(base, "/"), `{"name":"new-one","get_or_create":true}`, "schema.create default_tenant:default_database/new-one"},
		{"GET", strings.TrimSuffix(base, "/"), ``, "schema.list default_tenant:default_database"},
		{"GET", "/api/v2/collections/other:vault:secrets", ``, "schema.read other:vault/secrets"},
		{"DELETE", "/api/v2/tenants/t/databases/d", ``, "tenant.drop t:d"},
		{"POST", "/api/v2/tenants/t/databases", `{"name":"d"}`, "tenant.create t:d"},
		{"POST", "/api/v2/tenants", `{"name":"t"}`, "tenant.create t"},
		{"POST", "/api/v2/reset", ``, "schema.drop docs"},
		{"GET", "/api/v2/heartbeat", ``, "free"},
		{"GET", "/api/v2/auth/identity", ``, "free"},
		{"GET", "/api/v2/tenants/t", ``, "free"},
	} {
		w := protocoltest.Start(t, suite())
		w.Upstream(http.HandlerFunc(engine))
		a := w.Do(t.Context(), protocoltest.Request{Method: x.method, Path: x.path, Body: x.body})
		got := "free"
		if r := w.Records(audit.TypeIntent); len(r) == 1 && len(r[0].Accesses) > 0 {
			got = said(r[0].Accesses)
		}
		if a.Header.Get("X-Vecgate-Code") != "" || got != x.want {
			t.Errorf("%s %s %s: %q, want %q; %v", x.method, x.path, x.body, got, x.want, a)
		}
	}
}

func TestWhatIsReadTwoWaysIsUnclear(t *testing.T) {
	for _, x := range []struct{ method, path, body string }{
		{"POST", base + strings.ReplaceAll(customers, "-", "") + "/get", `{}`},
		{"POST", base + "urn:uuid:" + customers + "/get", `{}`},
		{"POST", base + "%7B" + customers + "%7D/get", `{}`},
		{"POST", at + "/get", `{"LIMIT":1}`},
		{"POST", at + "/get", `{"limit":"1"}`},
		{"POST", at + "/get", `{"limit":-1}`},
		{"POST", at + "/get", `{"limit":1.0}`},
		{"POST", at + "/get", `{"ids":"a"}`},
		{"POST", at + "/get", `{"ids":[1]}`},
		{"POST", at + "/get", `{"include":["Embeddings"]}`},
		{"POST", at + "/get", `{"where":{"a":1,"b":2}}`},
		{"POST", at + "/get", `{"where":{"a":{"$gt":1,"$lt":2}}}`},
		{"POST", at + "/get", `{"where":{"$nor":[{"a":1}]}}`},
		{"POST", at + "/get", `{"where":{"a":{"$where":1}}}`},
		{"POST", at + "/get", `{"where":{"#embedding":1}}`},
		{"POST", at + "/get", `{"where":[]}`},
		{"POST", at + "/get", `{"where_document":{"$contains":{"a":1}}}`},
		{"POST", at + "/query", `{"query_texts":["a"]}`},
		{"POST", at + "/query", `{}`},
		{"POST", at + "/query?limit=1", `{"query_embeddings":[[1]]}`},
		{"POST", at + "/search", `{"searches":[{}]}`},
		{"POST", at + "/conditional/commit", `{"operations":[]}`},
		{"POST", at + "/functions/attach", `{"name":"f","function_id":"statistics"}`},
		{"POST", at + "/functions/attach", `{"name":"f","function_id":"statistics","output_collection":"a/b"}`},
		{"POST", at + "/functions/attach", `{"name":"f","function_id":"statistics","output_collection":"out","input":"secrets"}`},
		{"POST", at + "/attached_functions/f/detach", `{"delete_output":"yes"}`},
		{"POST", at + "/get", ``},
		{"POST", "/api/v1/collections", `{}`},
		{"GET", "/docs", ``},
		{"POST", strings.TrimSuffix(base, "/"), `{"name":"a/b"}`},
		{"POST", strings.TrimSuffix(base, "/"), `{"name":"x","get_or_create":"true"}`},
		{"GET", strings.TrimSuffix(base, "/") + "?limit=x", ``},
		{"GET", "/api/v2/tenants/a:b/databases/c/collections", ``},
	} {
		w := protocoltest.Start(t, suite())
		w.Upstream(http.HandlerFunc(engine))
		a := w.Do(t.Context(), protocoltest.Request{Method: x.method, Path: x.path, Body: x.body})
		if a.Header.Get("X-Vecgate-Code") != string(access.CodeUnclear) {
			t.Errorf("%s %s %s: %v", x.method, x.path, x.body, a)
		}
		for _, r := range w.All() {
			if r.Method != http.MethodGet {
				t.Errorf("%s %s reached the target", r.Method, r.URI)
			}
		}
	}
}

func TestObligationsRewriteTheRequestOrRefuseIt(t *testing.T) {
	deny := &access.Protection{Vectors: []access.VectorRule{{Pattern: "**", Treatment: access.Treatment{Mask: access.MaskNull, Rule: "v", Predicates: "deny"}}}}
	ids := &access.Protection{Fields: []access.FieldRule{{Pattern: "**.id", Treatment: access.Treatment{Mask: access.MaskHash, Rule: "ids"}}}}
	for _, x := range []struct {
		path, body string
		o          access.Obligations
		want       string // what is sent on, or the code of the refusal
	}{
		{"/get", `{"ids":["1"],"include":["embeddings","documents"]}`, access.Obligations{Protection: protection}, `{"ids":["1"],"include":["documents"]}`},
		{"/get", `{"ids":["1"]}`, access.Obligations{Rows: 5}, `{"ids":["1"],"limit":6,"include":["documents","metadatas"]}`},
		{"/get", `{"limit":5}`, access.Obligations{Rows: 5}, `{"limit":5,"include":["documents","metadatas"]}`},
		{"/get", `{"limit":6}`, access.Obligations{Rows: 5}, "limit"},
		{"/get", `{"where":{"city":"Oslo"},"limit":1}`, access.Obligations{Protection: protection}, `{"where":{"city":"Oslo"},"limit":1,"include":["documents","metadatas"]}`},
		{"/get", `{"where":{"city":{"$ne":"Oslo"}},"limit":1}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
		{"/get", `{"where":{"$or":[{"city":"Oslo"},{"n":1}]},"limit":1}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
		{"/get", `{"where":{"chroma:document":"x"},"limit":1}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
		{"/get", `{"where_document":{"$and":[{"$contains":"x"}]},"limit":1}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
		{"/query", `{"query_embeddings":[[1]],"n_results":11}`, access.Obligations{TopK: 10}, "limit"},
		{"/query", `{"query_embeddings":[[1]]}`, access.Obligations{TopK: 10}, `{"query_embeddings":[[1]],"n_results":10,"include":["documents","metadatas","distances"]}`},
		{"/query", `{"query_embeddings":[[1],[2]],"n_results":5}`, access.Obligations{Rows: 9}, "limit"},
		{"/query", `{"query_embeddings":[[1]]}`, access.Obligations{Protection: deny}, "cannot-be-obliged"},
		{"/delete", `{"where":{"email":"a@b"}}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
		{"/fork", `{"new_name":"x"}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
		{"/functions/attach", `{"name":"f","function_id":"statistics","output_collection":"out"}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
		{"/get", `{"where":{"#document":{"$regex":"a.*"}},"limit":1}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
		{"/get", `{"where":{"$and":[{"city":"Oslo"},{"email":{"$nin":["a"]}}]},"limit":1}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
		{"/get", `{"where_document":{"$not_contains":"x"},"limit":1,"include":[]}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
		{"/query", `{"query_embeddings":[[1]],"where":{"email":"a"},"include":[]}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
		{"/query", `{"query_embeddings":[[1]],"where_document":{"$or":[{"$contains":"x"},{"$regex":"y"}]}}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
		{"/get", `{"ids":["1"]}`, access.Obligations{Protection: ids}, "cannot-be-obliged"}, // whether there is one would tell
		{"/query", `{"query_embeddings":[[1]],"ids":["1"]}`, access.Obligations{Protection: ids}, "cannot-be-obliged"},
		{"/get", `{"where":{"#id":"1"},"limit":1}`, access.Obligations{Protection: ids}, "cannot-be-obliged"},
		{"/get", `{"limit":1}`, access.Obligations{Protection: ids}, `{"limit":1,"include":["documents","metadatas"]}`},
	} {
		w := protocoltest.Start(t, suite())
		w.Oblige(x.o)
		r := protocoltest.Request{Method: "POST", Path: at + x.path, Body: x.body}
		a := w.Do(t.Context(), r)
		got := a.Header.Get("X-Vecgate-Code")
		if sent := w.Received(r); len(sent) == 1 && got == "" {
			got = sent[0].Body
		}
		if got != x.want {
			t.Errorf("%s %s: %q, want %q; %v", x.path, x.body, got, x.want, a)
		}
	}
}

func TestEveryPartOfAnAnswerIsMasked(t *testing.T) {
	w := protocoltest.Start(t, suite())
	w.Upstream(http.HandlerFunc(engine))
	w.Oblige(access.Obligations{Protection: protection})
	a := w.Do(t.Context(), protocoltest.Request{Method: "POST", Path: at + "/query", Body: `{"query_embeddings":[[1]]}`})
	want := `{"ids":[["1"]],"embeddings":null,"documents":[[null]],"metadatas":[[{"email":"[redacted]"}]],"distances":[[0.12]]}`
	if a.Body != want {
		t.Errorf("query: %s, want %s", a.Body, want)
	}
	a = w.Do(t.Context(), protocoltest.Request{Method: "POST", Path: at + "/get", Body: `{"ids":["1"]}`})
	want = `{"ids":["1"],"embeddings":null,"documents":[null],"uris":null,"metadatas":[{"email":"[redacted]","n":1,"sparse":null}],"include":["documents"]}`
	if a.Body != want {
		t.Errorf("get: %s, want %s", a.Body, want)
	}
}

func TestARenamedCollectionIsJudgedByItsNewName(t *testing.T) {
	now := time.Now()
	d := New(func() time.Time { return now })
	name := "public"
	read := func() string {
		r := &httpwire.Request{Target: "docs", Params: map[string]string{"tenant": "default_tenant", "database": "default_database", "collection": customers}}
		r.Ask = func(context.Context, string) (int, jsonstream.Value, error) {
			v, err := jsonstream.Read(fmt.Appendf(nil, `{"id":%q,"name":%q,"tenant":"default_tenant","database":"default_database"}`, customers, name))
			return 200, v, err
		}
		for _, route := range d.Routes() {
			if route.Name == "collection_count" {
				r.Route = &route
			}
		}
		c, err := d.Read(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return c.Accesses[0].Resource.Collection
	}
	got := []string{read()}
	name = "secret"
	got = append(got, read())
	now = now.Add(remember)
	got = append(got, read())
	name = "third"
	d.names.forget()
	got = append(got, read())
	if diff := cmp.Diff([]string{"public", "public", "secret", "third"}, got); diff != "" {
		t.Error(diff)
	}
}

// FuzzRead wants every request that is read to be read the same once more in the form in which it is sent on.
func FuzzRead(f *testing.F) {
	for _, body := range []string{`{}`, `{"ids":["a"],"include":["embeddings"]}`, `{"where":{"$and":[{"a":1},{"b":{"$in":[1,2]}}]},"limit":3}`, `{"query_embeddings":[[1]],"n_results":2}`, `{"new_name":"x"}`, `{"name":"x","get_or_create":true}`} {
		for i := range table {
			f.Add(i, body)
		}
	}
	d := New(time.Now)
	routes := d.Routes()
	f.Fuzz(func(t *testing.T, which int, body string) {
		route := &routes[uint(which)%uint(len(routes))]
		document := jsonstream.Value{}
		if route.Body {
			var err error
			if document, err = jsonstream.Read([]byte(body)); err != nil {
				return
			}
		}
		ask := func(context.Context, string) (int, jsonstream.Value, error) {
			v, err := jsonstream.Read(fmt.Appendf(nil, `{"id":%q,"name":"customers","tenant":"t","database":"d"}`, customers))
			return 200, v, err
		}
		read := func(route *httpwire.Route, body jsonstream.Value) (*httpwire.Call, error) {
			return d.Read(t.Context(), &httpwire.Request{
				Route: route, Target: "docs", Body: body, Ask: ask, May: func(access.Access) bool { return true },
				Params: map[string]string{"tenant": "t", "database": "d", "name": "n", "collection": customers, "crn": "t:d:n"},
			})
		}
		call, err := read(route, document)
		if err != nil {
			return
		}
		if call.Method != route.Method {
			return // sent on as another operation
		}
		again, err := jsonstream.Value{}, error(nil)
		if route.Body {
			if again, err = jsonstream.Read(call.Body.Raw()); err != nil {
				t.Fatalf("%s is sent on as %q: %v", body, call.Body.Raw(), err)
			}
		}
		twice, err := read(route, again)
		if err != nil {
			t.Fatalf("%s is sent on as %q: %v", body, call.Body.Raw(), err)
		}
		if d := cmp.Diff(call.Accesses, twice.Accesses); d != "" || call.Path != twice.Path || string(call.Body.Raw()) != string(twice.Body.Raw()) {
			t.Fatalf("%s is read differently once sent on: %s", body, d)
		}
		if call.Oblige != nil {
			obliged, err := call.Oblige(&access.Obligations{Protection: protection, Rows: 10, TopK: 10})
			if err != nil {
				return
			}
			if strings.Contains(string(obliged.Body.Get("include").Raw()), "embeddings") {
				t.Fatalf("%s asks for embeddings all the same", obliged.Body.Raw())
			}
			filtered, err := call.Oblige(&access.Obligations{Filters: []access.FilterRule{{Pattern: "**", Field: "tenant", Values: []string{"acme"}, Rule: "own"}}})
			if err != nil || !filtered.Filtered {
				return // the carrier refuses it
			}
			if where := string(filtered.Body.Get("where").Raw()); strings.HasPrefix(where, `{"tenant":{"$in":["acme"]}}`) || strings.HasPrefix(where, `{"$and":[{"tenant":{"$in":["acme"]}},`) {
				return
			}
			for i := range call.Accesses {
				if a := &call.Accesses[i]; a.Action == access.Insert || filtered.Check != nil || a.Action != access.Upsert && a.Action != access.Update && a.Action != access.UpdateVectors {
					continue
				}
				if call.Accesses[i].Attributes.Points > 0 {
					t.Fatalf("%s: %s is neither narrowed nor checked", body, call.Accesses[i].Action)
				}
			}
			if len(call.Accesses) == 0 || !call.Accesses[0].Action.Writes() {
				t.Fatalf("%s is sent on as %s, which is not narrowed", body, filtered.Body.Raw())
			}
		}
	})
}
