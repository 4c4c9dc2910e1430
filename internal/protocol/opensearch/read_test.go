package opensearch

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

// said is what a request would do, in one line: action resource and what of its attributes matters, for every access.
func said(op []access.Access) string {
	var b strings.Builder
	for i, a := range op {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s %s", a.Action, strings.TrimPrefix(a.Resource.String(), protocoltest.Target+"/default/"))
		if at := a.Attributes; at.Rows != 0 {
			fmt.Fprintf(&b, " rows=%d", at.Rows)
		}
		if a.Attributes.Points != 0 {
			fmt.Fprintf(&b, " points=%d", a.Attributes.Points)
		}
		if a.Attributes.Vectors {
			b.WriteString(" vectors")
		}
		if a.Attributes.Alias != "" {
			b.WriteString(" as " + a.Attributes.Alias)
		}
	}
	return b.String()
}

const search1 = `"query":{"term":{"n":1}}`

func TestRequestsAreReadAsWhatTheyDo(t *testing.T) {
	w := protocoltest.Start(t, suite())
	for _, x := range []struct{ method, path, body, want string }{
		{"GET", "/", ``, "free"},
		{"HEAD", "/", ``, "free"},
		{"POST", "/customers/_search", `{` + search1 + `}`, "search customers rows=10 vectors"},
		{"GET", "/customers/_search", `{"size":3,"_source":["n"],` + search1 + `}`, "search customers rows=3"},
		{"POST", "/customers/_search?size=3&_source=n", `{` + search1 + `}`, "search customers rows=3"},
		{"POST", "/customers/_search?size=3&_source_includes=n,text", `{"_source":true,` + search1 + `}`, "search customers rows=3"},
		{"POST", "/customers/_search?size=3&_source_includes=n,v", `{"_source":true,` + search1 + `}`, "search customers rows=3 vectors"},
		{"POST", "/customers/_search?size=3&_source=false&docvalue_fields=v", `{` + search1 + `}`, "search customers rows=3 vectors"},
		{"POST", "/customers/_search", `{"size":0,"aggs":{"x":{"significant_terms":{"field":"n","script_heuristic":{"script":"1"}}}}}`, "code.exec docs; aggregate customers"},
		{"POST", "/customers/_search", `{"_source":false,"fields":["v"],` + search1 + `}`, "search customers rows=10 vectors"},
		{"POST", "/customers/_search", `{"size":2,"_source":false,"query":{"knn":{"v":{"vector":[1],"k":2,"filter":{"term":{"n":1}}}}}}`, "search customers rows=2"},
		{"POST", "/customers/_search", `{"size":2,"_source":false,"knn":{"field":"v","query_vector":[1],"k":2,"num_candidates":10}}`, "search customers rows=2"},
		{"POST", "/customers/_search", `{"size":2,"_source":false,"retriever":{"rrf":{"retrievers":[{"standard":{` + search1 + `}},{"knn":{"field":"v","query_vector":[1],"k":2,"num_candidates":10}}]}}}`, "search customers rows=2"},
		{"POST", "/customers/_search", `{"_source":false}`, "scroll customers rows=10"},
		{"POST", "/customers/_search", ``, "scroll customers rows=10 vectors"},
		{"POST", "/customers/_search", `{"size":10000,"_source":false,"query":{"match_all":{}}}`, "scroll customers rows=10000"},
		{"POST", "/customers/_search?scroll=1m", `{"_source":false,` + search1 + `}`, "scroll customers rows=10"},
		{"POST", "/customers/_search", `{"_source":false,"search_after":[1],"sort":["n"],` + search1 + `}`, "scroll customers rows=10"},
		{"POST", "/customers/_search", `{"_source":false,"query":{"ids":{"values":["a","b"]}}}`, "fetch customers rows=10"},
		{"POST", "/customers/_search", `{"_source":false,"query":{"bool":{"should":[{"ids":{"values":["a"]}},{"match_all":{}}]}}}`, "search customers rows=10"},
		{"POST", "/customers/_search", `{"size":0,` + search1 + `}`, "count customers"},
		{"POST", "/customers/_search", `{"size":0,"aggs":{"x":{"terms":{"field":"n"}}}}`, "aggregate customers"},
		{"POST", "/customers/_search", `{"size":0,"aggs":{"x":{"terms":{"field":"n"},"aggs":{"t":{"top_hits":{"_source":["n"]}}}}}}`, "aggregate customers rows=-1"},
		{"POST", "/customers/_search", `{"size":1,"_source":false,"aggs":{"x":{"max":{"field":"n"}}},` + search1 + `}`, "aggregate customers rows=1; search customers rows=1"},
		{"POST", "/customers/_search", `{"_source":false,"query":{"script_score":{"query":{"match_all":{}},"script":{"source":"1"}}}}`, "code.exec docs; search customers rows=10"},
		{"POST", "/customers/_search", `{"_source":false,"query":{"nested":{"path":"notes","query":{"term":{"notes.author":"a"}},"inner_hits":{"size":2,"_source":false}}}}`, "search customers rows=30"},
		{"POST", "/people/_search", `{"_source":false,` + search1 + `}`, "search customers rows=10 as people"},
		{"POST", "/both/_search", `{"_source":false,` + search1 + `}`, "search customers rows=10 as both; search secrets rows=10 as both"},
		{"POST", "/customers,secrets/_search", `{"_source":false,` + search1 + `}`, "search customers rows=10; search secrets rows=10"},
		{"POST", "/customers%2Csecrets/_search", `{"_source":false,` + search1 + `}`, "search customers rows=10; search secrets rows=10"},
		{"POST", "/logs/_search", `{"_source":false,` + search1 + `}`, "search logs rows=10"},
		{"POST", "/nosuch/_count", ``, "count nosuch rows=1"},
		{"POST", "/customers/_count", `{` + search1 + `}`, "count customers rows=1"},
		{"POST", "/_msearch", "{\"index\":\"customers\"}\n{\"size\":0," + search1 + "}\n{\"index\":[\"secrets\"]}\n{\"size\":1," + search1 + "}\n", "search secrets rows=1; count customers"},
		{"POST", "/customers/_msearch", "{}\n{\"size\":0," + search1 + "}\n{\"index\":\"secrets\"}\n{}\n", "scroll secrets rows=10; count customers"},
		{"GET", "/customers/_doc/1", ``, "fetch customers rows=1 vectors"},
		{"GET", "/customers/_doc/a:b?_source_excludes=v", ``, "fetch customers rows=1"},
		{"HEAD", "/customers/_doc/1", ``, "fetch customers rows=1"},
		{"GET", "/customers/_source/1?_source=n", ``, "fetch customers rows=1"},
		{"POST", "/_mget", `{"docs":[{"_index":"customers","_id":"1","_source":false},{"_index":"secrets","_id":2}]}`, "fetch customers rows=1; fetch secrets rows=1"},
		{"POST", "/customers/_mget?_source=false", `{"ids":["1","2"]}`, "fetch customers rows=2"},
		{"PUT", "/customers/_doc/1", `{"n":1}`, "upsert customers points=1"},
		{"PUT", "/customers/_doc/1", `{"v":[1]}`, "upsert customers points=1 vectors"},
		{"PUT", "/customers/_doc/1?op_type=create", `{"n":1}`, "insert customers points=1"},
		{"POST", "/customers/_doc", `{"n":1}`, "insert customers points=1"},
		{"PUT", "/customers/_create/1", `{"n":1}`, "insert customers points=1"},
		{"POST", "/customers/_update/1", `{"doc":{"n":1}}`, "update customers points=1"},
		{"POST", "/customers/_update/1", `{"doc":{"v":[1]},"doc_as_upsert":true}`, "update_vectors customers points=1 vectors; update customers points=1 vectors; upsert customers points=1 vectors"},
		{"POST", "/customers/_update/1", `{"script":"ctx._source.n++"}`, "code.exec docs; update_vectors customers points=1 vectors; update customers points=1"},
		{"DELETE", "/customers/_doc/1", ``, "delete customers points=1"},
		{
			"POST", "/customers/_bulk", "{\"index\":{\"_id\":\"1\"}}\n{\"n\":1}\n{\"create\":{}}\n{}\n{\"delete\":{\"_index\":\"secrets\",\"_id\":7}}\n{\"update\":{\"_id\":\"2\"}}\n{\"doc\":{}}\n{\"index\":{}}\n{}\n",
			"delete secrets points=1; update customers points=1; upsert customers points=1; insert customers points=2",
		},
		{"POST", "/customers/_delete_by_query", `{` + search1 + `}`, "delete_by_filter customers points=-1"},
		{"POST", "/customers/_delete_by_query", `{"query":{"ids":{"values":["1","2"]}}}`, "delete customers points=2"},
		{"POST", "/customers/_delete_by_query", `{"query":{"match_all":{}}}`, "delete_all customers points=-1"},
		{"POST", "/customers/_delete_by_query", `{"query":{"bool":{"filter":[],"must":{"match_all":{}}}}}`, "delete_all customers points=-1"},
		{"POST", "/customers/_update_by_query", ``, "update customers points=-1"},
		{"POST", "/customers/_update_by_query", `{"script":"1"}`, "code.exec docs; update customers points=-1"},
		{"POST", "/_reindex", `{"source":{"index":"customers"},"dest":{"index":"copy"}}`, "upsert copy points=-1; export customers rows=-1 vectors"},
		{"PUT", "/new", ``, "schema.create new"},
		{"PUT", "/new", `{"aliases":{"people":{}},"settings":{"index":{"default_pipeline":"p"}}}`, "code.exec docs; alias.write people; schema.create new"},
		{"DELETE", "/customers", ``, "schema.drop customers"},
		{"DELETE", "/people", ``, "schema.drop people; schema.drop customers as people"},
		{"GET", "/customers/_mapping", ``, "schema.read customers"},
		{"PUT", "/customers/_mapping", `{"properties":{}}`, "schema.alter customers"},
		{"PUT", "/customers/_mapping", `{"runtime":{"x":{"type":"keyword"}}}`, "code.exec docs; schema.alter customers"},
		{"POST", "/_aliases", `{"actions":[{"add":{"index":"secrets","alias":"people"}},{"remove_index":{"index":"customers"}}]}`, "schema.drop customers; alias.write people; alias.write secrets"},
		{"PUT", "/secrets/_alias/people", ``, "alias.write people; alias.write secrets"},
		{"POST", "/customers/_clone/copy", ``, "schema.create copy; export customers rows=-1 vectors"},
		{"POST", "/customers/_pit?keep_alive=1m", ``, "scroll customers"},
		{"GET", "/_cat/indices", ``, "schema.list docs"},
		{"POST", "/_snapshot/r/s/_restore", `{}`, "snapshot.restore docs"},
	} {
		got := "free"
		w.Rule(func(op *access.Operation, _ access.Context) access.Decision {
			got = said(op.Accesses)
			return access.Decision{Effect: access.Allow}
		})
		a := w.Do(t.Context(), protocoltest.Request{Method: x.method, Path: x.path, Body: x.body})
		if a.Header.Get("X-Vecgate-Code") != "" || got != x.want {
			t.Errorf("%s %s %s: %q, want %q; %v", x.method, x.path, x.body, got, x.want, a)
		}
	}
}

func TestWhatCannotBeReadIsUnclear(t *testing.T) {
	w := protocoltest.Start(t, suite())
	query := func(q string) [3]string { return [3]string{"POST", "/customers/_search", `{"query":` + q + `}`} }
	for _, x := range [][3]string{
		{"POST", "/_search", `{` + search1 + `}`},
		{"POST", "/_all/_search", `{}`},
		{"POST", "/*/_search", `{}`},
		{"POST", "/cust*/_search", `{}`},
		{"POST", "/customers,-secrets/_search", `{}`},
		{"POST", "/.hidden/_search", `{}`},
		{"POST", "/.ds-logs-2026.11.21-000001/_search", `{}`},
		{"POST", "/remote:customers/_search", `{}`},
		{"POST", "/<customers-now>/_search", `{}`},
		{"POST", "/%3Ccustomers-%7Bnow%7D%3E/_search", `{}`},
		{"GET", "/customers/_search?q=email:a", ``},
		{"GET", "/customers/_search?source=%7B%7D&source_content_type=application/json", ``},
		{"POST", "/customers/_search?filter_path=hits", `{}`},
		{"POST", "/customers/_search?format=yaml", `{}`},
		{"POST", "/customers/_search?expand_wildcards=all", `{}`},
		{"POST", "/customers/_search?error_trace=true", `{}`},
		{"POST", "/customers/_search?search_pipeline=p", `{}`},
		{"POST", "/customers/_search?size=1", `{"size":10000}`},
		{"POST", "/customers/_search?_source=n", `{"_source":["email"]}`},
		{"POST", "/customers/_search?_source=n", `{"_source":false}`},
		{"POST", "/customers/_search", `{"highlight":{"type":"semantic","fields":{"text":{}}}}`},
		{"POST", "/customers/_search", `{"size":"10"}`},
		{"POST", "/customers/_search", `{"size":-1}`},
		{"POST", "/customers/_search", `{"Size":1}`},
		{"POST", "/customers/_search", `{"runtime_mappings":{"x":{"type":"keyword","script":"emit(doc['email'].value)"}}}`},
		{"POST", "/customers/_search", `{"suggest":{"s":{"text":"x","term":{"field":"email"}}}}`},
		{"POST", "/customers/_search", `{"derived":{}}`},
		{"POST", "/customers/_search", `{"search_pipeline":{}}`},
		{"POST", "/customers/_search", `{"knn":{"field":"v","k":1,"query_vector_builder":{"text_embedding":{"model_id":"m","model_text":"x"}}}}`},
		{"POST", "/customers/_search", `{"retriever":{"text_similarity_reranker":{"retriever":{},"field":"text","inference_id":"i"}}}`},
		{"POST", "/customers/_search", `{"retriever":{"rule":{"retriever":{}}}}`},
		{"POST", "/customers/_search", `{"size":0,"aggs":{"x":{"scripted_metric":{"map_script":"1"}}}}`},
		{"POST", "/customers/_search", `{"size":0,"aggs":{"x":{"bucket_script":{"script":"1","buckets_path":{}}}}}`},
		{"POST", "/customers/_search", `{"size":0,"aggs":{"x":{"terms":{"field":"n"},"max":{"field":"n"}}}}`},
		{"POST", "/customers/_search", `{"aggs":{},"aggregations":{}}`},
		query(`{"terms":{"n":{"index":"secrets","id":"1","path":"x"}}}`),
		query(`{"more_like_this":{"like":[{"_index":"secrets","_id":"1"}]}}`),
		query(`{"percolate":{"field":"q","index":"secrets","id":"1"}}`),
		query(`{"geo_shape":{"where":{"indexed_shape":{"index":"secrets","id":"1"}}}}`),
		query(`{"wrapper":{"query":"eyJtYXRjaF9hbGwiOnt9fQ=="}}`),
		query(`{"neural":{"v":{"query_text":"x","model_id":"m","k":1}}}`),
		query(`{"semantic":{"field":"text","query":"x"}}`),
		query(`{"template":{"source":"{}"}}`),
		query(`{"term":{"n":1},"match_all":{}}`),
		query(`{"term":{"n":1,"email":"x"}}`),
		query(`{"bool":{"filter":{"wrapper":{"query":""}}}}`),
		query(`{"bool":{"must_not":[{"match_all":{}}],"query":{}}}`),
		query(`{"knn":{"v":{"vector":[1],"k":1,"filter":{"wrapper":{}}}}}`),
		query(`{"knn":{"v":{"vector":[1],"k":1},"w":{"vector":[1],"k":1}}}`),
		query(`[]`),
		{"POST", "/_msearch", "{\"index\":\"*\"}\n{}\n"},
		{"POST", "/_msearch", "{}\n{}\n"},
		{"POST", "/_msearch", "{\"index\":\"customers\"}\n"},
		{"POST", "/_msearch", "{\"index\":\"customers\",\"ccs\":1}\n{}\n"},
		{"POST", "/_mget", `{"docs":[{"_index":"cust*","_id":"1"}]}`},
		{"POST", "/_mget", `{"ids":["1"]}`},
		{"POST", "/_mget", `{"docs":[{"_index":"customers","_id":"1","_routing":"a","routing":"b"}]}`},
		{"POST", "/_bulk", "{\"index\":{\"_index\":\".hidden\",\"_id\":\"1\"}}\n{}\n"},
		{"POST", "/customers/_bulk", "{\"index\":{\"_id\":\"1\",\"pipeline\":\"p\"}}\n{}\n"},
		{"POST", "/customers/_bulk", "{\"index\":{\"_id\":\"1\"}}\n"},
		{"POST", "/customers/_bulk", "{\"upsert\":{\"_id\":\"1\"}}\n{}\n"},
		{"POST", "/customers/_bulk", "{\"delete\":{}}\n"},
		{"POST", "/customers/_bulk?pipeline=p", "{\"delete\":{\"_id\":\"1\"}}\n"},
		{"PUT", "/customers/_doc/1?pipeline=p", `{}`},
		{"POST", "/customers/_update/1", `{"Doc":{}}`},
		{"POST", "/_reindex", `{"source":{"remote":{"host":"http://169.254.169.254"},"index":"x"},"dest":{"index":"y"}}`},
		{"POST", "/_reindex", `{"source":{"index":"customers"},"dest":{"index":"y","pipeline":"p"}}`},
		{"POST", "/_reindex", `{"source":{"index":"*"},"dest":{"index":"y"}}`},
		{"POST", "/_search/scroll", `{"scroll_id":"of somebody else"}`},
		{"POST", "/_search", `{"pit":{"id":"of somebody else"}}`},
		{"DELETE", "/_search/scroll", `{"scroll_id":["of somebody else"]}`},
		{"DELETE", "/_search/scroll/_all", ``},
		{"DELETE", "/_search/scroll/%5fall", ``},
		{"DELETE", "/_search/scroll/_all,_all", ``},
		{"DELETE", "/_search/scroll/of-somebody-else", ``},
		{"DELETE", "/_all", ``},
		{"DELETE", "/*", ``},
		{"DELETE", "/cust*", ``},
		{"PUT", "/customers/_alias/*", ``},
		{"POST", "/_aliases", `{"actions":[{"add":{"index":"*","alias":"people"}}]}`},
		{"POST", "/_plugins/_sql", `{"query":"select * from customers"}`},
		{"POST", "/_query", `{"query":"from customers"}`},
		{"POST", "/_plugins/_ppl", `{"query":"source=customers"}`},
		{"POST", "/customers/_search/template", `{"id":"t"}`},
		{"GET", "/_nodes/http", ``},
		{"GET", "/_tasks", ``},
		{"GET", "/customers/_termvectors/1", ``},
		{"POST", "/customers/_explain/1", `{}`},
	} {
		a := w.Do(t.Context(), protocoltest.Request{Method: x[0], Path: x[1], Body: x[2]})
		if a.Header.Get("X-Vecgate-Code") != string(access.CodeUnclear) {
			t.Errorf("%s %s %s: %v", x[0], x[1], x[2], a)
		}
	}
	for _, r := range w.All() {
		if !strings.HasSuffix(r.URI, "/_mapping") {
			t.Errorf("%s %s reached the target", r.Method, r.URI)
		}
	}
}

func TestObligationsRewriteTheRequestOrRefuseIt(t *testing.T) {
	deny := &access.Protection{Vectors: []access.VectorRule{{Pattern: "**", Treatment: access.Treatment{Mask: access.MaskNull, Rule: "v", Predicates: "deny"}}}}
	hidden := access.Obligations{Protection: protection}
	const no = "cannot-be-obliged"
	query := func(q string) string { return `{"size":1,"_source":false,"query":` + q + `}` }
	aggs := func(a string) string { return `{"size":0,"aggs":{"a":` + a + `}}` }
	passes := func(body string) string { return body }
	for _, x := range []struct {
		body string
		o    access.Obligations
		want string // what is sent on, or the code of the refusal
	}{
		{`{` + search1 + `}`, hidden, `{` + search1 + `,"_source":{"excludes":["v"]}}`},
		{`{"_source":["n","v"],` + search1 + `}`, hidden, `{"_source":{"excludes":["v"],"includes":["n","v"]},` + search1 + `}`},
		{query(`{"term":{"city":"Oslo"}}`), hidden, passes(query(`{"term":{"city":"Oslo"}}`))},
		{query(`{"bool":{"filter":[{"term":{"city":{"value":"Oslo"}}}]}}`), hidden, passes(query(`{"bool":{"filter":[{"term":{"city":{"value":"Oslo"}}}]}}`))},
		{query(`{"bool":{"must_not":[{"term":{"city":"Oslo"}}]}}`), hidden, no},
		{query(`{"range":{"city":{"gt":"O"}}}`), hidden, no},
		{query(`{"term":{"email":"a"}}`), hidden, no},
		{query(`{"term":{"mail":"a"}}`), hidden, no},                                                                 // an alias of the field
		{query(`{"match":{"everything":"a"}}`), hidden, no},                                                          // it is copied there
		{query(`{"term":{"city.raw":{"value":"a"}}}`), hidden, passes(query(`{"term":{"city.raw":{"value":"a"}}}`))}, // as the field itself
		{query(`{"prefix":{"city.raw":"a"}}`), hidden, no},
		{query(`{"term":{"made":"a"}}`), hidden, no}, // computed by a script
		{query(`{"exists":{"field":"owner"}}`), hidden, no},
		{query(`{"exists":{"field":"owner.name"}}`), hidden, passes(query(`{"exists":{"field":"owner.name"}}`))},
		{query(`{"multi_match":{"query":"a","fields":["text","em*"]}}`), hidden, no},
		{query(`{"multi_match":{"query":"a","fields":["text^2"]}}`), hidden, passes(query(`{"multi_match":{"query":"a","fields":["text^2"]}}`))},
		{query(`{"multi_match":{"query":"a"}}`), hidden, no},
		{query(`{"simple_query_string":{"query":"a"}}`), hidden, no},
		{query(`{"query_string":{"query":"email:a","fields":["text"]}}`), hidden, no},
		{query(`{"nested":{"path":"notes","query":{"term":{"notes.author":"x"}},"inner_hits":{"sort":["email"]}}}`), hidden, no},
		{query(`{"function_score":{"query":{"match_all":{}},"field_value_factor":{"field":"email"}}}`), hidden, no},
		{query(`{"script":{"script":"doc['email'].size() > 0"}}`), hidden, no},
		{`{"size":1,"_source":false,` + search1 + `,"sort":[{"email":"asc"}]}`, hidden, no},
		{`{"size":1,"_source":false,` + search1 + `,"collapse":{"field":"email"}}`, hidden, no},
		{`{"size":1,"_source":false,` + search1 + `,"post_filter":{"term":{"email":"x"}}}`, hidden, no},
		{`{"size":1,"_source":false,` + search1 + `,"rescore":{"query":{"rescore_query":{"term":{"email":"x"}}}}}`, hidden, no},
		{`{"size":1,"_source":false,` + search1 + `,"highlight":{"fields":{"text":{"highlight_query":{"term":{"email":"x"}}}}}}`, hidden, no},
		{`{"size":1,"_source":false,` + search1 + `,"highlight":{"fields":{"text":{"matched_fields":["email"]}}}}`, hidden, no},
		{`{"size":1,"_source":false,` + search1 + `,"script_fields":{"x":{"script":"1"}}}`, hidden, no},
		{`{"size":1,"_source":false,` + search1 + `,"explain":true}`, hidden, no},
		{`{"size":1,"_source":false,` + search1 + `,"profile":true}`, hidden, no},
		{aggs(`{"terms":{"field":"email"}}`), hidden, no},
		{aggs(`{"terms":{"field":"n"},"aggs":{"b":{"max":{"field":"mail"}}}}`), hidden, no},
		{aggs(`{"cardinality":{"field":"city"}}`), hidden, no},
		{aggs(`{"composite":{"sources":[{"x":{"terms":{"field":"email"}}}]}}`), hidden, no},
		{aggs(`{"multi_terms":{"terms":[{"field":"n"},{"field":"email"}]}}`), hidden, no},
		{aggs(`{"filter":{"term":{"email":"x"}}}`), hidden, no},
		{aggs(`{"filters":{"filters":{"a":{"term":{"email":"x"}}}}}`), hidden, no},
		{aggs(`{"terms":{"field":"n"}}`), hidden, passes(aggs(`{"terms":{"field":"n"}}`))},
		{query(`{"knn":{"v":{"vector":[1],"k":1}}}`), hidden, passes(query(`{"knn":{"v":{"vector":[1],"k":1}}}`))},
		{query(`{"knn":{"v":{"vector":[1],"k":1}}}`), access.Obligations{Protection: deny}, no},
		{query(`{"knn":{"v":{"vector":[1],"min_score":0.5}}}`), hidden, no},
		{query(`{"knn":{"v":{"vector":[1],"max_distance":0.5}}}`), hidden, no},
		{`{"size":1,"_source":false,"min_score":0.5,"query":{"knn":{"v":{"vector":[1],"k":1}}}}`, hidden, no},
		{`{"size":1,"_source":false,"min_score":1e-9,"query":{"knn":{"v":{"vector":[1],"k":1}}}}`, hidden, no},
		{`{"size":1,"_source":false,"min_score":"0.0","query":{"knn":{"v":{"vector":[1],"k":1}}}}`, hidden, no},
		{`{"size":1,"_source":false,"min_score":0.0,"query":{"knn":{"v":{"vector":[1],"k":1}}}}`, hidden, passes(`{"size":1,"_source":false,"min_score":0.0,"query":{"knn":{"v":{"vector":[1],"k":1}}}}`)},
		{`{"size":1,"_source":false,"knn":{"field":"v","query_vector":[1],"k":1,"num_candidates":1,"similarity":0.5}}`, hidden, no},
		{query(`{"knn":{"v":{"vector":[1],"k":11}}}`), access.Obligations{TopK: 10}, "limit"},
		{`{"size":11,"query":{"knn":{"v":{"vector":[1],"k":1}}}}`, access.Obligations{TopK: 10}, "limit"},
		{`{"size":11,` + search1 + `}`, access.Obligations{Rows: 10}, "limit"},
		{`{` + search1 + `}`, access.Obligations{Rows: 9}, "limit"},
	} {
		w := protocoltest.Start(t, suite())
		w.Oblige(x.o)
		r := protocoltest.Request{Method: "POST", Path: "/customers/_search", Body: x.body}
		a := w.Do(t.Context(), r)
		got := a.Header.Get("X-Vecgate-Code")
		if sent := w.Received(r); len(sent) == 1 && got == "" {
			got = sent[0].Body
		}
		if got != x.want {
			t.Errorf("%s: %q, want %q; %v", x.body, got, x.want, a)
		}
	}
}

func TestEveryPartOfAnAnswerIsMasked(t *testing.T) {
	w := protocoltest.Start(t, suite())
	w.Oblige(access.Obligations{Protection: protection})
	want := `{"took":1,"hits":{"total":{"value":1},"max_score":%s,"hits":[{"_index":"customers","_id":"1","_score":%s,"_source":{"email":"[redacted]","v":null,"city":null,"owner":{"name":"n"},"notes":[{"notes.email":null}],"n":1},` +
		`"fields":{"email":null,"mail":null,"everything":null,"made":null,"city.raw":null},"highlight":{"email":null,"text":["x"]},"_explanation":null,"something_new":null}]},"profile":null}`
	for query, scores := range map[string][2]any{
		search1: {"1.23456", "0.12345"},
		`"query":{"knn":{"v":{"vector":[1],"k":1}}}`:                                                        {"1.23", "0.12"},
		`"query":{"bool":{"must":[{"knn":{"v":{"vector":[1],"k":1}}}],"boost":1000000}}`:                    {"null", "null"},
		`"knn":{"field":"v","query_vector":[1],"k":1,"num_candidates":1,"boost":1000000}`:                   {"null", "null"},
		`"query":{"knn":{"v":{"vector":[1],"k":1}}},"rescore":{"query":{"rescore_query":{"term":{"n":1}}}}`: {"null", "null"},
	} {
		a := w.Do(t.Context(), protocoltest.Request{Method: "POST", Path: "/customers/_search", Body: `{` + query + `}`})
		if want := fmt.Sprintf(want, scores[0], scores[1]); a.Body != want {
			t.Errorf("%s:\n%s, want\n%s", query, a.Body, want)
		}
	}
}

// reply answers one path with a body, and the rest as the stand-in does.
func reply(path, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			engine(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, body)
	}
}

func TestAnswersOfOtherDoorsAreMasked(t *testing.T) {
	c := protocoltest.Canary
	source := `{"email":"` + c + `","v":["` + c + `"],"n":1}`
	const shown = `{"email":"[redacted]","v":null,"n":1}`
	for _, x := range []struct{ method, path, body, answer, want string }{
		{"GET", "/customers/_doc/1", ``, `{"_id":"1","found":true,"_source":` + source + `,"x":"` + c + `"}`, `{"_id":"1","found":true,"_source":` + shown + `,"x":null}`},
		{"GET", "/customers/_source/1", ``, source, shown},
		{"POST", "/_mget", `{"docs":[{"_index":"customers","_id":"1"}]}`, `{"docs":[{"_id":"1","_source":` + source + `}]}`, `{"docs":[{"_id":"1","_source":` + shown + `}]}`},
		{
			"POST", "/_msearch", "{\"index\":\"secrets\"}\n{\"size\":1," + search1 + "}\n{\"index\":\"customers\"}\n{}\n",
			`{"took":1,"responses":[{"hits":{"hits":[{"_source":` + source + `}]}},{"error":{"type":"x","reason":"` + c + `","caused_by":{"reason":"` + c + `"}},"status":400}]}`,
			`{"took":1,"responses":[{"hits":{"hits":[{"_source":` + shown + `}]}},{"error":{"type":"x","reason":"[redacted]","caused_by":null},"status":400}]}`,
		},
		{
			"POST", "/customers/_search", `{"size":0,"aggs":{"x":{"terms":{"field":"n"},"aggs":{"t":{"top_hits":{}}}}}}`,
			`{"hits":{"hits":[]},"aggregations":{"x":{"buckets":[{"key":1,"t":{"hits":{"hits":[{"_source":` + source + `}]}}}]}},"_shards":{"failed":1,"failures":[{"reason":"` + c + `"}]}}`,
			`{"hits":{"hits":[]},"aggregations":{"x":{"buckets":[{"key":1,"t":{"hits":{"hits":[{"_source":` + shown + `}]}}}]}},"_shards":{"failed":1,"failures":null}}`,
		},
		{
			"POST", "/customers/_search", `{"query":{"nested":{"path":"owner","query":{"match_all":{}},"inner_hits":{"name":"o"}}}}`,
			`{"hits":{"hits":[{"inner_hits":{"o":{"hits":{"hits":[{"_source":{"phone":"` + c + `","name":"n"}}]}},"other":"` + c + `"}}]}}`,
			`{"hits":{"hits":[{"inner_hits":{"o":{"hits":{"hits":[{"_source":{"name":"n"}}]}},"other":null}}]}}`,
		},
		{
			"POST", "/customers/_update/1", `{"doc":{"n":1},"_source":true}`, `{"_id":"1","result":"updated","get":{"_source":` + source + `}}`,
			`{"_id":"1","result":"updated","get":{"_source":` + shown + `}}`,
		},
		{
			"POST", "/_bulk", "{\"update\":{\"_index\":\"customers\",\"_id\":\"1\"}}\n{\"doc\":{\"n\":1},\"_source\":true}\n",
			`{"took":1,"items":[{"update":{"_id":"1","get":{"_source":` + source + `},"error":{"reason":"` + c + `"}}}]}`,
			`{"took":1,"items":[{"update":{"_id":"1","get":{"_source":` + shown + `},"error":{"reason":"[redacted]"}}}]}`,
		},
		{"POST", "/customers/_delete_by_query", `{` + search1 + `}`, `{"deleted":1,"failures":[{"cause":"` + c + `"}]}`, `{"deleted":1,"failures":null}`},
	} {
		w := protocoltest.Start(t, suite())
		w.Oblige(access.Obligations{Protection: protection})
		w.Upstream(reply(x.path, x.answer))
		if a := w.Do(t.Context(), protocoltest.Request{Method: x.method, Path: x.path, Body: x.body}); a.Body != x.want {
			t.Errorf("%s %s: %s, want %s", x.method, x.path, a.Body, x.want)
		}
	}
}

func TestAnUpdateDoesNotTellWhetherAHiddenValueIsTheOneThatWasSent(t *testing.T) {
	for path, x := range map[string][2]string{
		"/customers/_update/1": {`{"doc":{"email":"guess"}}`, `{"doc":{"email":"guess"},"detect_noop":false}`},
		"/customers/_bulk":     {"{\"update\":{\"_id\":\"1\"}}\n{\"doc\":{\"owner\":{\"phone\":1}}}\n", "{\"update\":{\"_id\":\"1\"}}\n{\"doc\":{\"owner\":{\"phone\":1}},\"detect_noop\":false}\n"},
	} {
		w := protocoltest.Start(t, suite())
		w.Oblige(access.Obligations{Protection: protection})
		r := protocoltest.Request{Method: "POST", Path: path, Body: x[0]}
		w.Do(t.Context(), r)
		if sent := w.Received(r); len(sent) != 1 || sent[0].Body != x[1] {
			t.Errorf("%s: sent on as %v", path, sent)
		}
	}
}

func TestACursorIsOfThoseWhoOpenedIt(t *testing.T) {
	now := time.Now()
	k := &New(func() time.Time { return now }).cursors
	k.put("id", cursor{subject: "alice"})
	if _, err := k.get("id", "alice"); err != nil {
		t.Error(err)
	}
	if _, err := k.get("id", "bob"); err == nil {
		t.Error("Bob goes on with Alice's")
	}
	if _, err := k.get("other", "alice"); err == nil {
		t.Error("Alice goes on with one that she did not open")
	}
	now = now.Add(keepCursor + 1)
	if _, err := k.get("id", "alice"); err == nil {
		t.Error("it does not end")
	}
}

// TestNobodyLosesACursorForOthers: who opens too many loses the oldest of their own.
func TestNobodyLosesACursorForOthers(t *testing.T) {
	now := time.Now()
	k := &New(func() time.Time { return now }).cursors
	has := func(id, subject string) bool {
		_, err := k.get(id, subject)
		return err == nil
	}
	k.put("alice's", cursor{subject: "alice"})
	for i := range mostCursors + 1 {
		now = now.Add(time.Millisecond)
		k.put(fmt.Sprint("mallory's ", i), cursor{subject: "mallory"})
	}
	if !has("alice's", "alice") || has("mallory's 0", "mallory") || !has("mallory's 1", "mallory") || !has(fmt.Sprint("mallory's ", mostCursors), "mallory") || k.had["mallory"] != mostCursors {
		t.Errorf("Mallory has %d, Alice has hers: %v", k.had["mallory"], has("alice's", "alice"))
	}
	for i := range allCursors + 10 {
		now = now.Add(time.Millisecond)
		k.put(fmt.Sprint("of many ", i), cursor{subject: fmt.Sprint("bot ", i)})
	}
	if len(k.open) != allCursors || !has("alice's", "alice") {
		t.Errorf("%d are kept, and Alice has hers: %v", len(k.open), has("alice's", "alice"))
	}
	for id, c := range k.open {
		k.remove(id)
		if _, ok := k.had[c.subject]; ok && k.had[c.subject] <= 0 {
			t.Fatalf("%s has %d", c.subject, k.had[c.subject])
		}
	}
	if len(k.had) != 0 {
		t.Errorf("%d are counted when none is left", len(k.had))
	}
}

func TestAScrollIsClosedByItsPathToo(t *testing.T) {
	w := protocoltest.Start(t, suite())
	w.Upstream(reply("/customers/_search", `{"_scroll_id":"c2Nyb2xs==","hits":{"hits":[]}}`))
	if a := w.Do(t.Context(), protocoltest.Request{Method: "POST", Path: "/customers/_search?scroll=1m", Body: `{` + search1 + `}`}); a.Status != http.StatusOK {
		t.Fatalf("%v", a)
	}
	w.Upstream(reply("/_search/scroll/c2Nyb2xs==", `{"succeeded":true,"num_freed":1}`))
	for _, x := range []struct{ ids, code string }{{"c2Nyb2xs==,_all", "unclear"}, {"c2Nyb2xs==", ""}, {"c2Nyb2xs==", "unclear"}} {
		a := w.Do(t.Context(), protocoltest.Request{Method: "DELETE", Path: "/_search/scroll/" + x.ids})
		if a.Header.Get("X-Vecgate-Code") != x.code || x.code == "" && !strings.Contains(a.Body, `"num_freed":1`) {
			t.Errorf("%s: %v", x.ids, a)
		}
	}
}

func TestAScrollGoesOnUnderTheMask(t *testing.T) {
	w := protocoltest.Start(t, suite())
	w.Oblige(access.Obligations{Protection: protection})
	page := `{"_scroll_id":"s1","hits":{"hits":[` + hit() + `]}}`
	w.Upstream(reply("/customers/_search", page))
	a := w.Do(t.Context(), protocoltest.Request{Method: "POST", Path: "/customers/_search?scroll=1m", Body: `{` + search1 + `}`})
	if !strings.HasPrefix(a.Body, `{"_scroll_id":"s1"`) {
		t.Fatalf("%v", a)
	}
	w.Upstream(reply("/_search/scroll", strings.Replace(page, "s1", "s2", 1)))
	for _, id := range []string{"s1", "s2"} {
		a = w.Do(t.Context(), protocoltest.Request{Method: "POST", Path: "/_search/scroll", Body: `{"scroll_id":"` + id + `"}`})
		if a.Status != http.StatusOK || strings.Contains(a.Body, protocoltest.Canary) || !strings.Contains(a.Body, "[redacted]") {
			t.Errorf("%s: %v", id, a)
		}
	}
	w.Oblige(access.Obligations{Filters: tenant})
	a = w.Do(t.Context(), protocoltest.Request{Method: "POST", Path: "/_search/scroll", Body: `{"scroll_id":"s2"}`})
	if a.Header.Get("X-Vecgate-Code") != string(access.CodeObligation) {
		t.Errorf("begun without a filter: %v", a)
	}
	w.Oblige(access.Obligations{})
	if a = w.Do(t.Context(), protocoltest.Request{Method: "DELETE", Path: "/_search/scroll", Body: `{"scroll_id":["s2"]}`}); a.Status != http.StatusOK {
		t.Errorf("%v", a)
	}
	if a = w.Do(t.Context(), protocoltest.Request{Method: "POST", Path: "/_search/scroll", Body: `{"scroll_id":"s2"}`}); a.Header.Get("X-Vecgate-Code") == "" {
		t.Errorf("after it was closed: %v", a)
	}
}

func TestARequestThatWasHeldIsNotSentWhenItsIndexIsAnotherOneNow(t *testing.T) {
	now := time.Now()
	d := New(func() time.Time { return now })
	said := answers["/customers/_mapping"]
	look := func(_ context.Context, path string) (int, jsonstream.Value, error) {
		if path != "/customers/_mapping" || said == "" {
			return http.StatusNotFound, jsonstream.Value{}, nil
		}
		return http.StatusOK, value(t, said), nil
	}
	for was, becomes := range map[string]string{said: answers["/both/_mapping"], "": said, answers["/both/_mapping"]: ""} {
		d.indices.forget()
		said = was
		r := &httpwire.Request{Target: "docs", Params: map[string]string{"index": "customers", "id": "1"}, Body: value(t, `{}`), Ask: look}
		for _, route := range d.Routes() {
			if route.Name == "index" {
				r.Route = &route
			}
		}
		call, err := d.Read(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		obliged, err := call.Oblige(&access.Obligations{})
		if err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Minute)
		if err := obliged.Check(t.Context()); err != nil {
			t.Errorf("nothing changed: %v", err)
		}
		said = becomes
		now = now.Add(time.Minute)
		if err := obliged.Check(t.Context()); err == nil {
			t.Errorf("%.40q became %.40q, and the request is sent", was, becomes)
		}
		// Obligations are taken on again once a person has released a request.
		if obliged, err = call.Oblige(&access.Obligations{}); err != nil {
			t.Fatal(err)
		}
		if err := obliged.Check(t.Context()); err == nil {
			t.Errorf("%.40q became %.40q while the request was held, and it is sent", was, becomes)
		}
	}
}

func TestElasticsearchsClientsAreUnderstood(t *testing.T) {
	w := protocoltest.Start(t, suite())
	for kind, ok := range map[string]bool{
		"application/vnd.elasticsearch+json; compatible-with=8": true, "application/vnd.elasticsearch+json;compatible-with=9": true, "application/json": true,
		"application/vnd.elasticsearch+json; compatible-with=8; charset=utf-16": false, "application/vnd.elasticsearch+cbor; compatible-with=8": false, "application/cbor": false,
		"application/vnd.elasticsearch+x-ndjson; compatible-with=8": false, "application/smile": false, "application/yaml": false,
	} {
		a := w.Do(t.Context(), protocoltest.Request{Method: "POST", Path: "/customers/_search", Body: `{}`, Header: http.Header{
			"Content-Type": {kind}, "Accept": {kind}, "Authorization": {"ApiKey " + protocoltest.Token},
		}})
		if (a.Status == http.StatusOK) != ok {
			t.Errorf("%s: %v", kind, a)
		}
	}
	for _, kind := range []string{"application/vnd.elasticsearch+x-ndjson; compatible-with=8", "application/x-ndjson", "application/json", "application/vnd.elasticsearch+json;compatible-with=9"} {
		a := w.Do(t.Context(), protocoltest.Request{Method: "POST", Path: "/customers/_bulk", Body: "{\"delete\":{\"_id\":\"1\"}}\n", Header: http.Header{
			"Content-Type": {kind}, "Authorization": {"ApiKey " + protocoltest.Token},
		}})
		if a.Status != http.StatusOK {
			t.Errorf("%s: %v", kind, a)
		}
	}
	for _, r := range w.All() {
		if kind := r.Header.Get("Content-Type"); r.Method == http.MethodPost && kind != "application/json" && kind != "application/x-ndjson" {
			t.Errorf("sent on as %q", kind)
		}
	}
	w.Upstream(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("X-Elastic-Product", "Elasticsearch")
		rw.Header().Set("X-Found-Handling-Instance", "i")
		engine(rw, r)
	}))
	a := w.Do(t.Context(), protocoltest.Request{Method: "GET", Path: "/"})
	if a.Header.Get("X-Elastic-Product") != "Elasticsearch" || a.Header.Get("X-Found-Handling-Instance") != "" {
		t.Errorf("%v %v", a, a.Header)
	}
}
