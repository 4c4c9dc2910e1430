package opensearch

import (
	"net/http"
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

var tenant = []access.FilterRule{{Pattern: "*/default/customers", Field: "tenant", Values: []string{"eu", "uk"}, Rule: "own-tenant"}}

const mine = `{"terms":{"tenant":["eu","uk"]}}`

func TestAFilterIsPutIntoEverySearch(t *testing.T) {
	const no = "cannot-be-obliged"
	narrowed := func(q string) string { return `"query":{"bool":{"must":` + q + `,"filter":[` + mine + `]}}` }
	for _, x := range []struct{ path, body, want string }{
		{"/customers/_search", `{"query":{"match_all":{}}}`, `{` + narrowed(`{"match_all":{}}`) + `}`},
		{"/customers/_search", ``, `{` + narrowed(`{"match_all":{}}`) + `}`},
		{"/customers/_search", `{"size":0,"aggs":{"x":{"sum":{"field":"n"}}}}`, `{"size":0,"aggs":{"x":{"sum":{"field":"n"}}},` + narrowed(`{"match_all":{}}`) + `}`},
		{"/customers/_search", `{"query":{"bool":{"should":[{"match_all":{}}]}}}`, `{` + narrowed(`{"bool":{"should":[{"match_all":{}}]}}`) + `}`},
		{
			"/customers/_search", `{"query":{"knn":{"v":{"vector":[1],"k":2}}}}`,
			`{` + narrowed(`{"knn":{"v":{"vector":[1],"k":2,"filter":{"bool":{"filter":[`+mine+`]}}}}}`) + `}`,
		},
		{
			"/customers/_search", `{"query":{"knn":{"v":{"vector":[1],"k":2,"filter":{"term":{"n":1}}}}}}`,
			`{` + narrowed(`{"knn":{"v":{"vector":[1],"k":2,"filter":{"bool":{"filter":[`+mine+`,{"term":{"n":1}}]}}}}}`) + `}`,
		},
		{
			"/customers/_search", `{"query":{"hybrid":{"queries":[{"match":{"text":"a"}},{"knn":{"v":{"vector":[1],"k":2}}}]}}}`,
			`{"query":{"hybrid":{"queries":[{"bool":{"must":{"match":{"text":"a"}},"filter":[` + mine + `]}},{"bool":{"must":{"knn":{"v":{"vector":[1],"k":2,"filter":{"bool":{"filter":[` + mine + `]}}}}},"filter":[` + mine + `]}}]}}}`,
		},
		{
			"/customers/_search", `{"knn":{"field":"v","query_vector":[1],"k":2,"num_candidates":5,"filter":[{"term":{"n":1}}]}}`,
			`{"knn":{"field":"v","query_vector":[1],"k":2,"num_candidates":5,"filter":{"bool":{"filter":[` + mine + `,{"term":{"n":1}}]}}}}`,
		},
		{
			"/customers/_search", `{"knn":[{"field":"v","query_vector":[1],"k":2,"num_candidates":5}],"query":{"term":{"n":1}}}`,
			`{"knn":[{"field":"v","query_vector":[1],"k":2,"num_candidates":5,"filter":{"bool":{"filter":[` + mine + `]}}}],` + narrowed(`{"term":{"n":1}}`) + `}`,
		},
		{
			"/customers/_search", `{"retriever":{"rrf":{"retrievers":[{"standard":{"query":{"term":{"n":1}}}},{"knn":{"field":"v","query_vector":[1],"k":2,"num_candidates":5}}]}}}`,
			`{"retriever":{"rrf":{"retrievers":[{"standard":{"query":{"term":{"n":1}},"filter":{"bool":{"filter":[` + mine + `]}}}},{"knn":{"field":"v","query_vector":[1],"k":2,"num_candidates":5,"filter":{"bool":{"filter":[` + mine + `]}}}}]}}}`,
		},
		{"/customers/_count", ``, `{` + narrowed(`{"match_all":{}}`) + `}`},
		{"/customers/_delete_by_query", `{"query":{"term":{"n":1}}}`, `{` + narrowed(`{"term":{"n":1}}`) + `}`},
		{"/customers/_update_by_query", `{"query":{"term":{"n":1}},"conflicts":"proceed"}`, `{` + narrowed(`{"term":{"n":1}}`) + `,"conflicts":"proceed"}`},
		{"/customers/_msearch", "{}\n{\"size\":1}\n{\"index\":\"secrets\"}\n{\"size\":2}\n", "{}\n{\"size\":1," + narrowed(`{"match_all":{}}`) + "}\n{\"index\":\"secrets\"}\n{\"size\":2}\n"},
		{"/people/_search", `{"query":{"match_all":{}}}`, `{` + narrowed(`{"match_all":{}}`) + `}`},
		{"/secrets/_search", `{"query":{"match_all":{}}}`, `{"query":{"match_all":{}}}`},
		{"/customers,secrets/_search", `{"query":{"match_all":{}}}`, no},
		{"/customers/_search", `{"query":{"has_child":{"type":"x","query":{"match_all":{}}}}}`, no},
		{"/customers/_search", `{"size":0,"aggs":{"g":{"global":{},"aggs":{"x":{"sum":{"field":"n"}}}}}}`, no},
		{"/customers/_search", `{"size":0,"aggs":{"g":{"significant_terms":{"field":"n"}}}}`, no},
		{"/customers/_search", `{"knn":{"field":"v","query_vector":[1],"k":2,"num_candidates":5},"collapse":{"field":"n","inner_hits":{"name":"x"}}}`, no},
		{"/customers/_search", `{"query":{"match_all":{}},"explain":true}`, no},
		{"/customers/_search", `{"query":{"nested":{"path":"notes","query":{"knn":{"notes.v":{"vector":[1],"k":2}}}}}}`, no},
		{"/customers/_search", `{"size":0,"aggs":{"x":{"filter":{"knn":{"v":{"vector":[1],"k":2}}}}}}`, no},
		{"/customers/_search", `{"rescore":{"query":{"rescore_query":{"knn":{"v":{"vector":[1],"k":2}}}}}}`, no},
		{"/customers/_search", `{"query":{"function_score":{"query":{"match_all":{}},"functions":[{"filter":{"knn":{"v":{"vector":[1],"k":2}}},"weight":2}]}}}`, no},
		{"/customers/_update_by_query", `{"script":"ctx._source.tenant = 'us'"}`, no},
		{"/customers/_clone/copy", ``, no},
	} {
		w := protocoltest.Start(t, suite())
		w.Oblige(access.Obligations{Filters: tenant})
		r := protocoltest.Request{Method: "POST", Path: x.path, Body: x.body}
		a := w.Do(t.Context(), r)
		got := a.Header.Get("X-Vecgate-Code")
		if sent := w.Received(r); len(sent) == 1 && got == "" {
			got = sent[0].Body
		}
		if got != x.want {
			t.Errorf("%s %s:\n%s, want\n%s; %v", x.path, x.body, got, x.want, a)
		}
	}
}

func TestAFilterOnAFieldThatDoesNotKeepWholeValuesIsNotFulfilled(t *testing.T) {
	for field, sent := range map[string]string{"text": `"text.keyword"`, "loose": "", "folded": "", "everything": "", "nosuch": ""} {
		w := protocoltest.Start(t, suite())
		w.Oblige(access.Obligations{Filters: []access.FilterRule{{Pattern: "**", Field: field, Values: []string{"eu"}, Rule: "r"}}})
		r := protocoltest.Request{Method: "POST", Path: "/customers/_search", Body: `{}`}
		a := w.Do(t.Context(), r)
		got := w.Received(r)
		if sent == "" && (a.Header.Get("X-Vecgate-Code") != string(access.CodeObligation) || len(got) > 0) || sent != "" && (len(got) != 1 || !strings.Contains(got[0].Body, sent)) {
			t.Errorf("%s: %v %v", field, a, got)
		}
	}
}

func TestDocumentsByIDAreReachedOnlyWhenTheyAreOnesOwn(t *testing.T) {
	// The stand-in's documents: 1 is mine, 2 is somebody else's, 3 has no tenant, 4 does not exist, 5 is shared.
	docs := map[string]string{
		"1": `{"found":true,"_source":{"tenant":"eu"}}`, "2": `{"found":true,"_source":{"tenant":"us"}}`, "3": `{"found":true,"_source":{}}`, "4": `{"found":false}`,
		"5": `{"found":true,"_source":{"tenant":["us","uk"]}}`,
	}
	for _, x := range []struct {
		method, path, body string
		passes             bool
	}{
		{"GET", "/customers/_doc/1", ``, true},
		{"GET", "/customers/_doc/2", ``, false},
		{"GET", "/customers/_doc/3", ``, false},
		{"GET", "/customers/_doc/4", ``, true},
		{"GET", "/customers/_doc/5", ``, true},
		{"HEAD", "/customers/_doc/2", ``, false},
		{"GET", "/customers/_doc/1?realtime=false", ``, false}, // may be what it was when it was somebody else's
		{"GET", "/customers/_doc/1?realtime=true", ``, true},
		{"POST", "/customers/_mget?realtime=false", `{"ids":["1"]}`, false},
		{"GET", "/customers/_source/2", ``, false},
		{"GET", "/people/_doc/2", ``, false},
		{"POST", "/customers/_mget", `{"ids":["1","2"]}`, false},
		{"POST", "/customers/_mget", `{"ids":["1","4"]}`, true},
		{"PUT", "/customers/_doc/1", `{"tenant":"uk"}`, true},
		{"PUT", "/customers/_doc/4", `{"tenant":"uk"}`, true},
		{"PUT", "/customers/_doc/2", `{"tenant":"uk"}`, false}, // would take it away from its owner
		{"PUT", "/customers/_doc/4", `{"tenant":"us"}`, false},
		{"PUT", "/customers/_doc/4", `{}`, false},
		{"PUT", "/customers/_doc/4", `{"tenant":["uk","us"]}`, false},
		{"PUT", "/customers/_doc/4", `{"tenant":["uk"]}`, false},
		{"PUT", "/customers/_doc/4", `{"tenant":null}`, false},
		{"PUT", "/customers/_create/2", `{"tenant":"uk"}`, true}, // the engine refuses it when there is one
		{"POST", "/customers/_doc", `{"tenant":"us"}`, false},
		{"POST", "/customers/_update/1", `{"doc":{"n":1}}`, true},
		{"POST", "/customers/_update/1", `{"doc":{"tenant":"us"}}`, false},
		{"POST", "/customers/_update/2", `{"doc":{"n":1}}`, false},
		{"POST", "/customers/_update/4", `{"doc":{"n":1},"doc_as_upsert":true}`, false},
		{"POST", "/customers/_update/4", `{"doc":{"n":1},"upsert":{"tenant":"us"}}`, false},
		{"POST", "/customers/_update/1", `{"script":"ctx._source.tenant = 'us'"}`, false},
		{"DELETE", "/customers/_doc/1", ``, true},
		{"DELETE", "/customers/_doc/2", ``, false},
		{"POST", "/_bulk", "{\"delete\":{\"_index\":\"customers\",\"_id\":\"1\"}}\n{\"index\":{\"_index\":\"customers\"}}\n{\"tenant\":\"eu\"}\n", true},
		{"POST", "/_bulk", "{\"delete\":{\"_index\":\"customers\",\"_id\":\"2\"}}\n", false},
		{"POST", "/_bulk", "{\"delete\":{\"_index\":\"customers\",\"_id\":\"1\"}}\n{\"index\":{\"_index\":\"customers\"}}\n{\"tenant\":\"us\"}\n", false},
	} {
		w := protocoltest.Start(t, suite())
		w.Oblige(access.Obligations{Filters: tenant})
		w.Upstream(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/_mget" {
				engine(rw, r)
				return
			}
			rw.Header().Set("Content-Type", "application/json")
			asked := w.All()[len(w.All())-1].Body
			var list []string
			for _, part := range strings.Split(asked, `"_id":"`)[1:] {
				id, _, _ := strings.Cut(part, `"`)
				list = append(list, docs[id])
			}
			_, _ = rw.Write([]byte(`{"docs":[` + strings.Join(list, ",") + `]}`))
		}))
		a := w.Do(t.Context(), protocoltest.Request{Method: x.method, Path: x.path, Body: x.body})
		if passed := a.Header.Get("X-Vecgate-Code") == ""; passed != x.passes || !passed && a.Header.Get("X-Vecgate-Code") != string(access.CodeObligation) {
			t.Errorf("%s %s %s: %v", x.method, x.path, x.body, a)
		}
		if !x.passes {
			for _, r := range w.All() {
				if r.URI != "/_mget" && !strings.HasSuffix(r.URI, "/_mapping") {
					t.Errorf("%s %s reached the target", r.Method, r.URI)
				}
			}
		}
	}
}

func TestAPathIsFoundInWhicheverWayItIsSpelled(t *testing.T) {
	for doc, n := range map[string]int{
		`{"a":{"b":"x"}}`: 1, `{"a.b":"x"}`: 1, `{"a":{"b":"x"},"a.b":"y"}`: 2, `{"a":[{"b":"x"},{"b":"y"}]}`: 2, `{"a":"x"}`: 0, `{"b":"x"}`: 0, `{}`: 0,
	} {
		if got := stored(value(t, doc), "a.b"); len(got) != n {
			t.Errorf("%s: %d, want %d", doc, len(got), n)
		}
	}
	all := []demand{{written: "a.b", values: []string{"x"}}}
	for doc, ok := range map[string]bool{`{"n":1}`: true, `{"a":{"c":1}}`: true, `{"a":{"b":"x"}}`: true, `{"a":{"b":"y"}}`: false, `{"a":null}`: false, `{"a":"x"}`: false, `{"a":{"b":null}}`: false} {
		if err := written(all, access.Resource{}, value(t, doc), true); (err == nil) != ok {
			t.Errorf("a change %s: %v", doc, err)
		}
	}
}
