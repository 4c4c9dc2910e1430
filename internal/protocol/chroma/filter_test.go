package chroma

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

var own = access.Obligations{Filters: []access.FilterRule{{Pattern: "docs/default_tenant:default_database/customers", Field: "tenant", Values: []string{"acme", "beta"}, Rule: "own-tenant"}}}

func TestEveryWayToRecordsIsNarrowedOrRefused(t *testing.T) {
	const f = `{"tenant":{"$in":["acme","beta"]}}`
	for _, x := range []struct{ method, path, body, want string }{
		{"POST", "/get", `{}`, `{"where":` + f + `,"include":["documents","metadatas"]}`},
		{"POST", "/get", `{"ids":["1"]}`, `{"ids":["1"],"where":` + f + `,"include":["documents","metadatas"]}`},
		{"POST", "/get", `{"where":{},"limit":1}`, `{"where":` + f + `,"limit":1,"include":["documents","metadatas"]}`},
		{"POST", "/get", `{"where":null}`, `{"where":` + f + `,"include":["documents","metadatas"]}`},
		{"POST", "/get", `{"where":{"tenant":"other"}}`, `{"where":{"$and":[` + f + `,{"tenant":"other"}]},"include":["documents","metadatas"]}`},
		{"POST", "/get", `{"where":{"$or":[{"n":1},{"tenant":{"$ne":"acme"}}]}}`, `{"where":{"$and":[` + f + `,{"$or":[{"n":1},{"tenant":{"$ne":"acme"}}]}]},"include":["documents","metadatas"]}`},
		{"POST", "/get", `{"where_document":{"$contains":"x"}}`, `{"where_document":{"$contains":"x"},"where":` + f + `,"include":["documents","metadatas"]}`},
		{"POST", "/query", `{"query_embeddings":[[1]]}`, `{"query_embeddings":[[1]],"n_results":10,"where":` + f + `,"include":["documents","metadatas","distances"]}`},
		{"POST", "/query", `{"query_embeddings":[[1]],"ids":["1"],"n_results":1}`, `{"query_embeddings":[[1]],"ids":["1"],"n_results":1,"where":` + f + `,"include":["documents","metadatas","distances"]}`},
		{"POST", "/delete", `{"ids":["1"]}`, `{"ids":["1"],"where":` + f + `}`},
		{"POST", "/delete", `{"where":{"n":1}}`, `{"where":{"$and":[` + f + `,{"n":1}]}}`},
		{"POST", "/delete", `{}`, ""},
		{"POST", "/delete", `{"where":{}}`, ""},
		{"POST", "/delete", `{"ids":[]}`, ""},
		{"GET", "/count", ``, `{"include":[],"where":` + f + `}`},
		{"POST", "/add", `{"ids":["1"],"embeddings":[[1]],"metadatas":[{"tenant":"acme"}]}`, `{"ids":["1"],"embeddings":[[1]],"metadatas":[{"tenant":"acme"}]}`},
		{"POST", "/add", `{"ids":["1"],"embeddings":[[1]]}`, ""},
		{"POST", "/add", `{"ids":["1"],"embeddings":[[1]],"metadatas":null}`, ""},
		{"POST", "/add", `{"ids":["1"],"embeddings":[[1]],"metadatas":[null]}`, ""},
		{"POST", "/add", `{"ids":["1"],"embeddings":[[1]],"metadatas":[{"tenant":"other"}]}`, ""},
		{"POST", "/add", `{"ids":["1"],"embeddings":[[1]],"metadatas":[{"tenant":["acme"]}]}`, ""},
		{"POST", "/add", `{"ids":["1","2"],"embeddings":[[1],[2]],"metadatas":[{"tenant":"acme"}]}`, ""},
		{"POST", "/add", `{"ids":["1","2"],"embeddings":[[1],[2]],"metadatas":[{"tenant":"acme"},{"Tenant":"acme"}]}`, ""},
		{"POST", "/upsert", `{"ids":["1"],"documents":["x"]}`, ""},
		{"POST", "/update", `{"ids":["1"],"metadatas":[{"tenant":"other"}]}`, ""},
		{"POST", "/update", `{"ids":["1"],"metadatas":[{"tenant":null}]}`, ""},
		{"POST", "/update", `{"ids":["1"],"metadatas":[{"tenant":7}]}`, ""},
		{"POST", "/fork", `{"new_name":"x"}`, ""},
		{"PUT", "", `{"new_name":"x"}`, ""},
		{"PUT", "", `{"new_metadata":{}}`, ""},
		{"POST", "/functions/attach", `{"name":"f","function_id":"statistics","output_collection":"out"}`, ""},
	} {
		w := protocoltest.Start(t, suite())
		w.Upstream(http.HandlerFunc(engine))
		w.Oblige(own)
		a := w.Do(t.Context(), protocoltest.Request{Method: x.method, Path: at + x.path, Body: x.body})
		got := ""
		for _, r := range w.All() {
			if r.Method != http.MethodGet {
				got = r.Body
			}
		}
		if got != x.want || (x.want == "") != (a.Header.Get("X-Vecgate-Code") == string(access.CodeObligation)) {
			t.Errorf("%s %s:\n%s, want\n%s; %v", x.path, x.body, got, x.want, a)
		}
		if x.want == "" && !strings.Contains(a.Body, "own-tenant") {
			t.Errorf("%s %s: %v does not name the rule", x.path, x.body, a)
		}
	}
	for _, path := range []string{base + "customers", "/api/v2/tenants/default_tenant/databases/default_database", "/api/v2/reset"} {
		w := protocoltest.Start(t, suite())
		w.Upstream(http.HandlerFunc(engine))
		w.Oblige(own)
		method := "DELETE"
		if strings.HasSuffix(path, "reset") {
			method = "POST"
		}
		if a := w.Do(t.Context(), protocoltest.Request{Method: method, Path: path}); a.Header.Get("X-Vecgate-Code") != string(access.CodeObligation) || len(w.All()) > 0 {
			t.Errorf("%s: %v", path, a)
		}
	}
}

func TestAFilterOnWhatIsNoMetadataIsRefused(t *testing.T) {
	for _, field := range []string{"id", "document", "embedding", "uri"} {
		for _, r := range []protocoltest.Request{
			{Method: "POST", Path: at + "/get", Body: `{}`},
			{Method: "GET", Path: at + "/count"},
			{Method: "POST", Path: at + "/delete", Body: `{"ids":["1"]}`},
			{Method: "POST", Path: at + "/add", Body: `{"ids":["1"],"metadatas":[{"` + field + `":"acme"}]}`},
		} {
			w := protocoltest.Start(t, suite())
			w.Upstream(http.HandlerFunc(engine))
			w.Oblige(access.Obligations{Filters: []access.FilterRule{{Pattern: "**", Field: field, Values: []string{"acme"}, Rule: "own"}}})
			if a := w.Do(t.Context(), r); a.Header.Get("X-Vecgate-Code") != string(access.CodeObligation) {
				t.Errorf("%s, %s: %v", field, r.Path, a)
			}
		}
	}
}

// shared is a stand-in in which id 1 is a record of acme, and id 2 one of somebody else.
func shared(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/get") {
		engine(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	var ids []string
	if strings.Contains(string(body), `"1"`) {
		ids = append(ids, `"1"`)
	}
	if strings.Contains(string(body), `"2"`) && !strings.Contains(string(body), "acme") {
		ids = append(ids, `"2"`)
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"ids":[%s]}`, strings.Join(ids, ","))
}

func TestARecordOfSomebodyElseIsNotOverwritten(t *testing.T) {
	for _, x := range []struct {
		path, body string
		passes     bool
	}{
		{"/upsert", `{"ids":["1"],"metadatas":[{"tenant":"acme"}]}`, true},
		{"/upsert", `{"ids":["3"],"metadatas":[{"tenant":"acme"}]}`, true},
		{"/upsert", `{"ids":["2"],"metadatas":[{"tenant":"acme"}]}`, false},
		{"/upsert", `{"ids":["1","2"],"metadatas":[{"tenant":"acme"},{"tenant":"acme"}]}`, false},
		{"/update", `{"ids":["1"],"documents":["x"]}`, true},
		{"/update", `{"ids":["2"],"documents":["x"]}`, false},
		{"/update", `{"ids":["2"],"metadatas":[{"tenant":"beta"}]}`, false},
	} {
		w := protocoltest.Start(t, suite())
		w.Upstream(http.HandlerFunc(shared))
		w.Oblige(own)
		a := w.Do(t.Context(), protocoltest.Request{Method: "POST", Path: at + x.path, Body: x.body})
		written := false
		for _, r := range w.All() {
			written = written || strings.HasSuffix(r.URI, x.path)
		}
		if written != x.passes || (a.Header.Get("X-Vecgate-Code") == "") != x.passes {
			t.Errorf("%s %s: %v, written %v", x.path, x.body, a, written)
		}
	}
	// A look-up that fails keeps the write from happening.
	w := protocoltest.Start(t, suite())
	w.Upstream(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/get") {
			rw.WriteHeader(http.StatusInternalServerError)
			return
		}
		engine(rw, r)
	}))
	w.Oblige(own)
	r := protocoltest.Request{Method: "POST", Path: at + "/upsert", Body: `{"ids":["1"],"metadatas":[{"tenant":"acme"}]}`}
	if a := w.Do(t.Context(), r); a.Header.Get("X-Vecgate-Code") != string(access.CodeUnavailable) {
		t.Errorf("%v", a)
	}
	for _, got := range w.All() {
		if strings.HasSuffix(got.URI, "/upsert") {
			t.Error("written although nobody could say what is there")
		}
	}
}

func TestACountIsOfWhatPassesTheFilter(t *testing.T) {
	w := protocoltest.Start(t, suite())
	w.Upstream(http.HandlerFunc(engine))
	w.Oblige(own)
	if a := w.Do(t.Context(), protocoltest.Request{Method: "GET", Path: at + "/count"}); a.Body != "1" {
		t.Errorf("%v", a)
	}
}

func TestListsShowWhatTheSubjectMayDescribe(t *testing.T) {
	w := protocoltest.Start(t, suite())
	w.Upstream(http.HandlerFunc(engine))
	w.Rule(func(op *access.Operation, _ access.Context) access.Decision {
		if r := op.First().Resource; r.Collection == "secrets" || r.Namespace == "default_tenant:vault" {
			return access.Decision{Effect: access.Deny}
		}
		return access.Decision{Effect: access.Allow}
	})
	for path, want := range map[string]string{
		strings.TrimSuffix(base, "/"): fmt.Sprintf(`[{"id":%q,"name":"customers"}]`, customers),
		"/api/v2/tenants/default_tenant/databases/default_database/collections_count": `1`,
		"/api/v2/tenants/default_tenant/databases":                                    `[{"name":"default_database"}]`,
	} {
		if a := w.Do(t.Context(), protocoltest.Request{Method: "GET", Path: path}); a.Body != want {
			t.Errorf("%s: %v, want %s", path, a, want)
		}
	}
}

func TestACollectionElsewhereAnswersLikeOneThatIsNot(t *testing.T) {
	answers := map[string]bool{}
	for _, id := range []string{foreign, "c3ef8743-8229-4dca-aae9-6c603523012b"} {
		for _, effect := range []access.Effect{access.Allow, access.Deny} {
			w := protocoltest.Start(t, suite())
			w.Upstream(http.HandlerFunc(engine))
			w.Rule(func(op *access.Operation, _ access.Context) access.Decision {
				if got := op.First().Resource; got.Namespace != "default_tenant:default_database" || got.Collection != id {
					t.Errorf("judged as %s", got)
				}
				return access.Decision{Effect: effect, Reason: access.Reason{Code: access.CodeNoRule, Sentence: "no"}}
			})
			for _, r := range []protocoltest.Request{{Method: "POST", Path: base + id + "/get", Body: `{"ids":["1"]}`}, {Method: "GET", Path: base + id + "/count"}} {
				a := w.Do(t.Context(), r)
				said, _, _ := strings.Cut(a.Body, "; reference")
				answers[fmt.Sprint(effect, a.Status, said)] = true
				if strings.Contains(a.Body, protocoltest.Canary) {
					t.Errorf("%s: %v", id, a)
				}
			}
			for _, r := range w.All() {
				if r.Method == http.MethodPost && !strings.Contains(r.URI, nobody) {
					t.Errorf("%s reached the target", r.URI)
				}
			}
		}
	}
	if len(answers) != 2 { // one when allowed, one when not
		t.Errorf("the answers tell them apart: %v", answers)
	}
}

func TestWhoMayNotDescribeACollectionIsNotToldThatItExists(t *testing.T) {
	answers := map[string]bool{}
	for _, name := range []string{"customers", "no-such-one"} {
		w := protocoltest.Start(t, suite())
		w.Upstream(http.HandlerFunc(engine))
		w.Rule(func(op *access.Operation, _ access.Context) access.Decision {
			return access.Decision{Effect: access.Deny, Reason: access.Reason{Code: access.CodeNoRule, Sentence: "may not " + string(op.First().Action)}}
		})
		a := w.Do(t.Context(), protocoltest.Request{Method: "POST", Path: strings.TrimSuffix(base, "/"), Body: `{"name":"` + name + `","get_or_create":true}`})
		said, _, _ := strings.Cut(a.Body, "; reference")
		answers[said] = true
		if len(w.All()) > 0 {
			t.Error("the target was asked")
		}
		// Who may create and not describe creates, and nothing else.
		w.Rule(func(op *access.Operation, _ access.Context) access.Decision {
			if op.First().Action == access.SchemaCreate {
				return access.Decision{Effect: access.Allow}
			}
			return access.Decision{Effect: access.Deny}
		})
		w.Do(t.Context(), protocoltest.Request{Method: "POST", Path: strings.TrimSuffix(base, "/"), Body: `{"name":"` + name + `","get_or_create":true}`})
		if got := w.All(); len(got) != 1 || !strings.Contains(got[0].Body, `"get_or_create":false`) {
			t.Errorf("sent %+v", got)
		}
	}
	if len(answers) != 1 {
		t.Errorf("the answers tell them apart: %v", answers)
	}
}
