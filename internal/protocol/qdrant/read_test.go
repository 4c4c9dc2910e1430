package qdrant

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

// said is what a request would do, in one line.
func said(op []access.Access) string {
	var b strings.Builder
	for i, a := range op {
		if i > 0 {
			b.WriteString("; ")
		}
		at := a.Attributes
		fmt.Fprintf(&b, "%s %s", a.Action, strings.TrimPrefix(strings.TrimPrefix(a.Resource.String(), protocoltest.Target+"/"), Namespace+"/"))
		if at.Rows != 0 {
			fmt.Fprintf(&b, " rows=%d", at.Rows)
		}
		if at.Points != 0 {
			fmt.Fprintf(&b, " points=%d", at.Points)
		}
		if len(at.IDs) > 0 {
			fmt.Fprintf(&b, " ids=%s", strings.Join(at.IDs, ","))
		}
		if at.Filter != "" {
			fmt.Fprintf(&b, " filter=%s%v", at.Filter, at.FilterFields)
		}
		if len(at.OrderBy) > 0 {
			fmt.Fprintf(&b, " order=%s", strings.Join(at.OrderBy, ","))
		}
		for _, x := range []struct {
			is   bool
			word string
		}{{at.Vectors, "vectors"}, {at.Egress, "egress"}, {at.Cursor, "cursor"}, {at.Role != "", at.Role}, {at.Alias != "", "alias=" + at.Alias}, {at.Batch > 0, fmt.Sprint("batch=", at.Batch)}} {
			if x.is {
				b.WriteString(" " + x.word)
			}
		}
	}
	return b.String()
}

func TestRequestsAreReadAsWhatTheyDo(t *testing.T) {
	for _, x := range []struct{ method, path, body, want string }{
		{"GET", "/", ``, "free"},
		{"GET", "/collections", ``, "schema.list default"},
		{"GET", at, ``, "schema.read customers"},
		{"GET", "/collections/prod", ``, "schema.read customers alias=prod"},
		{"GET", at + "/exists", ``, "schema.read customers"},
		{"PUT", "/collections/aliases", `{"vectors":{"size":4,"distance":"Dot"}}`, "schema.create aliases"},
		{"PUT", at, `{"vectors":{"size":4,"distance":"Dot"},"init_from":{"collection":"secret"}}`, "schema.create customers; export secret rows=-1 vectors source"},
		{"PATCH", at, `{"optimizers_config":{}}`, "schema.alter customers"},
		{"DELETE", "/collections/prod", ``, "schema.drop customers alias=prod"},
		{"PUT", at + "/index?wait=true", `{"field_name":"a","field_schema":"keyword"}`, "index.create customers"},
		{"DELETE", at + "/index/a.b", ``, "index.drop customers"},
		{"POST", "/collections/aliases", `{"actions":[{"delete_alias":{"alias_name":"prod"}},{"create_alias":{"collection_name":"other","alias_name":"prod"}}]}`, "alias.write prod; alias.write customers source alias=prod; alias.write prod batch=1; alias.write customers source alias=prod batch=1; alias.write other destination batch=1"},
		{"POST", "/collections/aliases", `{"actions":[{"rename_alias":{"old_alias_name":"prod","new_alias_name":"live"}}]}`, "alias.write prod; alias.write customers source alias=prod; alias.write live"},

		{"GET", at + "/points/7", ``, "fetch customers rows=1 ids=7 filter=key[] vectors"},
		{"POST", at + "/points", `{"ids":[1,"550E8400-e29b-41d4-a716-446655440000"],"with_payload":["a","b[].c"]}`, "fetch customers rows=2 ids=1,550e8400-e29b-41d4-a716-446655440000 filter=key[]"},
		{"POST", at + "/points/scroll", `{}`, "scroll customers rows=10"},
		{"POST", at + "/points/scroll", `{"limit":100,"with_vectors":["a"],"offset":5,"filter":{},"order_by":"n"}`, "scroll customers rows=100 filter=trivial[] order=n vectors cursor"},
		{"POST", at + "/points/scroll", `{"filter":{"must":[{"has_id":[1,2]}]}}`, "fetch customers rows=2 ids=1,2 filter=key[]"},
		{"POST", at + "/points/scroll", `{"limit":1,"offset":1,"filter":{"must":[{"key":"a","match":{"value":1}},{"must":{"has_id":[1,2]}}]}}`, "fetch customers rows=1 ids=1,2 filter=other[a] cursor"},
		{"POST", at + "/points/scroll", `{"filter":{"should":[{"has_id":[1]},{"must":[{"has_id":[2,3]}]}],"must_not":[{"has_id":[3]}]}}`, "fetch customers rows=3 ids=1,2,3 filter=key[]"},
		{"POST", at + "/points/scroll", `{"filter":{"should":[{"has_id":[1]},{"key":"a","is_empty":true}]}}`, "scroll customers rows=10 filter=other[a]"},
		{"POST", at + "/points/scroll", `{"filter":{"must_not":[{"has_id":[1]}]}}`, "scroll customers rows=10 filter=trivial[]"},
		{"POST", at + "/points/scroll", `{"filter":{"must":[{"must_not":[{"has_id":[1]}]}]}}`, "scroll customers rows=10 filter=trivial[]"},
		{"POST", at + "/points/scroll", `{"filter":{"min_should":{"conditions":[{"has_id":[1]}],"min_count":0}}}`, "scroll customers rows=10 filter=trivial[]"},
		{"POST", at + "/points/scroll", `{"filter":{"must":[{"has_id":[]}]}}`, "scroll customers rows=10 filter=trivial[]"},
		{"POST", at + "/points/scroll", `{"filter":{"must":[{"nested":{"key":"a[]","filter":{"must":[{"has_id":[1]}]}}}]}}`, "scroll customers rows=10 filter=other[a]"},
		{"POST", at + "/points/query", `{"filter":{"must":[{"has_id":[1,2]}]}}`, "fetch customers rows=2 ids=1,2 filter=key[]"},
		{"POST", at + "/points/query", `{"query":{"order_by":"n"},"filter":{"must":[{"has_id":[1,2]}]}}`, "fetch customers rows=2 ids=1,2 filter=key[] order=n"},
		{"POST", at + "/points/query", `{"query":[1,2],"filter":{"must":[{"has_id":[1,2]}]}}`, "search customers rows=10 filter=other[]"},
		{"POST", at + "/points/query/groups", `{"group_by":"n","filter":{"must":[{"has_id":[1,2]}]}}`, "scroll customers rows=30 filter=other[]"},
		{"POST", at + "/points/count", `{"filter":{"must_not":[{"key":"a","match":{"value":1}}]}}`, "count customers rows=1 filter=other[a]"},
		{"POST", at + "/facet", `{"key":"a"}`, "aggregate customers rows=10"},
		{"POST", at + "/points/search/matrix/pairs", `{"sample":100,"limit":5}`, "aggregate customers rows=500"},

		{"POST", at + "/points/query", `{"query":[1,2]}`, "search customers rows=10"},
		{"POST", at + "/points/query", `{"query":[1,2],"top":7,"with_vectors":true}`, "search customers rows=7 vectors"},
		{"POST", at + "/points/query", `{}`, "scroll customers rows=10"},
		{"POST", at + "/points/query", `{"query":{"order_by":"n"}}`, "scroll customers rows=10 order=n"},
		{"POST", at + "/points/query", `{"query":{"sample":"random"},"limit":3}`, "scroll customers rows=3"},
		{"POST", at + "/points/query", `{"query":5}`, "search customers rows=10; fetch customers rows=1 ids=5 filter=key[] lookup"},
		{"POST", at + "/points/query", `{"query":{"recommend":{"positive":[1,[2,3]],"negative":["550e8400e29b41d4a716446655440000"]}},"lookup_from":{"collection":"secret","vector":"v"}}`, "search customers rows=10; fetch secret rows=2 ids=1,550e8400-e29b-41d4-a716-446655440000 filter=key[] lookup"},
		{"POST", at + "/points/query", `{"prefetch":[{"query":[1],"prefetch":{"query":3,"lookup_from":{"collection":"secret"}}}],"query":{"fusion":"rrf"}}`, "search customers rows=10; fetch secret rows=1 ids=3 filter=key[] lookup"},
		{"POST", at + "/points/query", `{"query":{"text":"hello","model":"m"}}`, "search customers rows=10 egress"},
		{"POST", at + "/points/query", `{"prefetch":{"query":[1]},"query":{"formula":{"sum":["$score",{"mult":[2,"salary"]}]}}}`, "search customers rows=10"},
		{"POST", at + "/points/query/groups", `{"query":[1],"group_by":"a","limit":5,"with_lookup":"prod"}`, "search customers rows=15; fetch customers rows=5 filter=key[] lookup alias=prod"},
		{"POST", at + "/points/query/batch", `{"searches":[{"query":[1]},{"query":[2],"limit":3}]}`, "search customers rows=10; search customers rows=3 batch=1"},
		{"POST", at + "/points/search", `{"vector":{"name":"v","vector":[1]},"limit":4}`, "search customers rows=4"},
		{"POST", at + "/points/recommend", `{"positive":[1],"limit":4}`, "search customers rows=4; fetch customers rows=1 ids=1 filter=key[] lookup"},
		{"POST", at + "/points/discover", `{"target":[1],"context":[{"positive":1,"negative":[2]}],"limit":4}`, "search customers rows=4; fetch customers rows=1 ids=1 filter=key[] lookup"},

		{"PUT", at + "/points?wait=true", `{"points":[{"id":1,"vector":[1]},{"id":2,"vectors":{"a":{"text":"x","model":"m"}}}]}`, "upsert customers points=2 ids=1,2 filter=key[] egress"},
		{"PUT", at + "/points", `{"batch":{"ids":[1,2],"vectors":[[1],[2]],"payloads":[{"a":1},null]}}`, "upsert customers points=2 ids=1,2 filter=key[]"},
		{"POST", at + "/points/delete", `{"points":[1]}`, "delete customers points=1 ids=1 filter=key[]"},
		{"POST", at + "/points/delete", `{"filter":{"must":[{"key":"a","match":{"value":1}}]}}`, "delete_by_filter customers points=-1 filter=other[a]"},
		{"POST", at + "/points/delete", `{"filter":{"should":[{"key":"a","match":{"value":1}},{"has_id":[1]}]}}`, "delete_by_filter customers points=-1 filter=other[a]"},
		{"POST", at + "/points/delete", `{"filter":{}}`, "delete_all customers points=-1 filter=trivial[]"},
		{"POST", at + "/points/delete", `{"filter":{"must":[],"should":null}}`, "delete_all customers points=-1 filter=trivial[]"},
		{"POST", at + "/points/delete", `{"filter":{"must":[{"must":[]}]}}`, "delete_all customers points=-1 filter=trivial[]"},
		{"POST", at + "/points/delete", `{"filter":{"must_not":[{"key":"a","match":{"value":"no such"}}]}}`, "delete_all customers points=-1 filter=other[a]"},
		{"POST", at + "/points/delete", `{"filter":{"must":[{"key":"no","is_empty":true}]}}`, "delete_all customers points=-1 filter=other[no]"},
		{"POST", at + "/points/delete", `{"filter":{"must":{"key":"a","range":{"gte":null}}}}`, "delete_all customers points=-1 filter=other[a]"},
		{"POST", at + "/points/delete", `{"points":[]}`, "delete_all customers"},
		{"PUT", at + "/points/vectors", `{"points":[{"id":1,"vector":[1]}]}`, "update_vectors customers points=1 ids=1 filter=key[]"},
		{"POST", at + "/points/vectors/delete", `{"filter":{},"vector":["a"]}`, "update_vectors customers points=-1 filter=trivial[]"},
		{"POST", at + "/points/payload", `{"payload":{"a":1},"filter":{"must":[{"key":"b","match":{"any":[1]}}]}}`, "update customers points=-1 filter=other[b]"},
		{"PUT", at + "/points/payload", `{"payload":{"a":1},"points":[1]}`, "update customers points=1 ids=1 filter=key[]"},
		{"POST", at + "/points/payload/delete", `{"keys":["a"],"points":[1]}`, "update customers points=1 ids=1 filter=key[]"},
		{"POST", at + "/points/payload/clear", `{"points":[1]}`, "update customers points=1 ids=1 filter=key[]"},
		{
			"POST", at + "/points/batch", `{"operations":[{"upsert":{"points":[{"id":1,"vector":[1]}]}},{"delete":{"filter":{}}},{"delete_payload":{"keys":["a"],"points":[3]}}]}`,
			"delete_all customers points=-1 filter=trivial[] batch=1; update customers points=1 ids=3 filter=key[] batch=2; upsert customers points=1 ids=1 filter=key[]",
		},

		{"GET", at + "/shards/0/snapshot", ``, "snapshot.download customers rows=-1 vectors"},
		{"GET", "/snapshots/full.snapshot", ``, "snapshot.download docs"},
		{"PUT", at + "/snapshots/recover", `{"location":"http://169.254.169.254/"}`, "snapshot.restore customers points=-1 egress"},
		{"POST", at + "/shards/0/points/scroll", `{"limit":1}`, "raw_read customers rows=-1 vectors"},
		{"GET", at + "/shards/0/wal", ``, "raw_read customers rows=-1 vectors"},
		{"GET", "/profiler/slow_requests", ``, "meta.diagnostics docs"},
		{"POST", at + "/cluster", `{"drop_replica":{"shard_id":0,"peer_id":1}}`, "cluster.admin customers"},
	} {
		w := protocoltest.Start(t, suite())
		got := "free"
		w.Rule(func(op *access.Operation, _ access.Context) access.Decision {
			if got == "free" { // what is left out of lists is asked after it
				got = said(op.Accesses)
			}
			return access.Decision{Effect: access.Allow}
		})
		a := w.Do(t.Context(), protocoltest.Request{Method: x.method, Path: x.path, Body: x.body})
		if a.Header.Get("X-Vecgate-Code") != "" || got != x.want {
			t.Errorf("%s %s %s:\n got %q\nwant %q; %v", x.method, x.path, x.body, got, x.want, a)
		}
	}
}

func TestWhatIsReadTwoWaysIsUnclear(t *testing.T) {
	for _, x := range []struct{ method, path, body string }{
		{"POST", at + "/points/query", `{"query":[1],"limit":10,"top":100000}`},
		{"POST", at + "/points/scroll", `{"with_vector":false,"with_vectors":true}`},
		{"POST", at + "/points/scroll", `{"Limit":1}`},
		{"POST", at + "/points/scroll", `{"limit":"1"}`},
		{"POST", at + "/points/scroll", `{"limit":1.0}`},
		{"POST", at + "/points/scroll", `{"offset":{"id":1}}`},
		{"POST", at + "/points/scroll", `{"filter":{"must":[{"key":"a","Match":{"value":1}}]}}`},
		{"POST", at + "/points/scroll", `{"filter":{"must":[{"key":"a","match":{"value":1,"any":[2]}}]}}`},
		{"POST", at + "/points/scroll", `{"filter":{"must":[{"key":"a","match":{"value":1},"has_id":[1]}]}}`},
		{"POST", at + "/points/scroll", `{"filter":{"must":[{"key":"a..b","match":{"value":1}}]}}`},
		{"POST", at + "/points/scroll", `{"filter":{"must":["a"]}}`},
		{"POST", at + "/points/scroll", `{"filter":{"must":[{}]}}`},
		{"POST", at + "/points/scroll", `{"filter":[]}`},
		{"POST", at + "/points/scroll", `{"filter":{"where":[]}}`},
		{"POST", at + "/points/scroll", `{"with_payload":{"include":["a"],"exclude":["b"]}}`},
		{"POST", at + "/points/query", `{"query":{"nearest":[1],"order_by":"n"}}`},
		{"POST", at + "/points/query", `{"query":{"vector":"x"}}`},
		{"POST", at + "/points/query", `{"query":{"text":{"query":"x"}},"using":"email"}`},
		{"POST", at + "/points/query", `{"query":[1],"params":{"idf":{"corpus":{"must":[{"key":"email","match":{"value":"a"}}]}}}}`},
		{"POST", at + "/points/query", `{"prefetch":{"query":[1],"params":{"idf":{}}},"query":[1]}`},
		{"POST", at + "/points/query", `{"query":"not an id"}`},
		{"POST", at + "/points/query", `{"prefetch":[{"query":[1],"group_by":"a"}]}`},
		{"POST", at + "/points/query", `{"query":[1],"lookup_from":{"collection":"../x"}}`},
		{"POST", at + "/points/query", `{"query":{"formula":{"sum":["a"],"mult":["b"]}}}`},
		{"POST", at + "/points/query", `{"query":{"formula":{"eval":["b"]}}}`},
		{"POST", at + "/points/query/batch", `{"searches":[{"query":[1]},5]}`},
		{"POST", at + "/points/query/groups", `{"query":[1],"group_by":"a","offset":5}`},
		{"POST", at + "/points/count", `{"filter":{"must":[` + strings.Repeat(`{"has_id":[]},`, 150_000) + `{"has_id":[]}]}}`},
		{"PUT", at + "/snapshots/recover", `{"location":"http://x/","api_key":"k"}`},
		{"POST", at + "/points/delete", `{}`},
		{"POST", at + "/points/delete", `{"points":[1],"filter":{"must":[{"has_id":[1]}]}}`},
		{"POST", at + "/points/delete", `{"points":[-1]}`},
		{"POST", at + "/points/payload", `{"payload":{"a":1}}`},
		{"POST", at + "/points/batch", `{"operations":[{"upsert":{"points":[]},"delete":{"filter":{}}}]}`},
		{"POST", at + "/points/batch", `{"operations":[{"truncate":{}}]}`},
		{"PUT", at + "/points", `{"points":[{"id":1,"vector":[1],"vectors":[2]}]}`},
		{"PUT", at + "/points", `{"points":[{"vector":[1]}]}`},
		{"PUT", at + "/points", `{"points":[],"batch":{"ids":[]}}`},
		{"PUT", at + "/points", `{"batch":{"ids":[1,2],"vectors":[[1],[2]],"payloads":[{}]}}`},
		{"PUT", at, `{"vectors":{},"VECTORS":{}}`},
		{"POST", "/collections/aliases", `{"actions":[{"create_alias":{"collection_name":"a","alias_name":"b"},"delete_alias":{"alias_name":"b"}}]}`},
		{"POST", "/collections/aliases", `{"actions":[{"create_alias":{"collection_name":"a","alias_name":"b/c"}}]}`},
		{"GET", "//collections//customers/points/1", ``},
		{"POST", at + "/points/scroll/", `{}`},
		{"GET", "/collections/", ``},
		{"GET", at + "/points/abc", ``},
		{"GET", "/dashboard", ``},
		{"POST", at + "/points/block-hashes", `{}`},
		{"GET", "/collections/a%2Fb", ``},
	} {
		w := protocoltest.Start(t, suite())
		a := w.Do(t.Context(), protocoltest.Request{Method: x.method, Path: x.path, Body: x.body})
		if a.Header.Get("X-Vecgate-Code") != string(access.CodeUnclear) {
			t.Errorf("%s %s %s: %v", x.method, x.path, x.body, a)
		}
		for _, r := range w.All() {
			if r.Method != http.MethodGet || r.URI != "/aliases" && r.URI != "/collections" {
				t.Errorf("%s %s reached the target", r.Method, r.URI)
			}
		}
	}
}
