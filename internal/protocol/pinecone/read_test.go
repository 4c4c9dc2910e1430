package pinecone

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/internal/access"
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
		fmt.Fprintf(&b, "%s %s", a.Action, a.Resource)
		at := a.Attributes
		if at.Rows != 0 {
			fmt.Fprintf(&b, " rows=%d", at.Rows)
		}
		if at.Points != 0 {
			fmt.Fprintf(&b, " points=%d", at.Points)
		}
		if at.Vectors {
			b.WriteString(" vectors")
		}
		if at.Filter != "" {
			fmt.Fprintf(&b, " by %s", at.Filter)
		}
		if at.Role != "" {
			b.WriteString(" as " + at.Role)
		}
		if at.Egress {
			b.WriteString(" egress")
		}
	}
	return b.String()
}

// control makes a suite of the control plane.
func control() *protocoltest.Suite {
	s := suite()
	s.New = func() httpwire.Dialect {
		return &Dialect{Hosts: map[string]string{"docs-abc.svc.pinecone.io:443": "docs.gw.example.com"}}
	}
	return s
}

type asks struct{ method, path, body, want string }

func (x asks) check(t *testing.T, s *protocoltest.Suite) {
	t.Helper()
	w := protocoltest.Start(t, s)
	got := "nothing"
	w.Rule(func(op *access.Operation, _ access.Context) access.Decision {
		got = said(op.Accesses)
		return access.Decision{Effect: access.Allow}
	})
	a := w.Do(t.Context(), protocoltest.Request{Method: x.method, Path: x.path, Body: x.body})
	if a.Header.Get("X-Vecgate-Code") != "" || got != x.want {
		t.Errorf("%s %s %s: %q, want %q; %v", x.method, x.path, x.body, got, x.want, a)
	}
}

func TestRequestsAtAnIndexAreReadAsWhatTheyDo(t *testing.T) {
	const n, d = "docs/docs/people", "docs/docs/__default__"
	for _, x := range []asks{
		{"POST", "/query", `{"vector":[1],"topK":3}`, "search " + d + " rows=3"},
		{"POST", "/query", `{"vector":[1],"topK":3,"namespace":"","includeValues":true}`, "search " + d + " rows=3 vectors"},
		{"POST", "/query", `{"id":"a","topK":3,"namespace":"people","filter":{"n":1}}`, "search " + n + " rows=3 by other; fetch " + n + " by key as lookup"},
		{"POST", "/query", `{"vector":[1],"topK":3,"filter":{}}`, "search " + d + " rows=3 by trivial"},
		{"POST", "/query", `{"topK":3,"queries":[{"values":[1]},{"values":[1],"topK":900,"namespace":"people","filter":{"n":1}}]}`, "search " + d + " rows=3; search " + n + " rows=900 by other"},
		{"POST", "/vectors/upsert", `{"vectors":[{"id":"a","values":[1]},{"id":"b","values":[1],"metadata":{"n":1}}],"namespace":"people"}`, "upsert " + n + " points=2 vectors by key"},
		{"POST", "/vectors/update", `{"id":"a","setMetadata":{"n":1}}`, "update " + d + " points=1 by key"},
		{"POST", "/vectors/update", `{"id":"a","values":[1]}`, "update_vectors " + d + " points=1 vectors by key; update " + d + " points=1 vectors by key"},
		{"POST", "/vectors/update", `{"filter":{"n":1},"setMetadata":{"n":2}}`, "update " + d + " points=-1 by other"},
		{"POST", "/vectors/update", `{"filter":{"n":1},"setMetadata":{"n":2},"dryRun":true}`, "count " + d + " rows=1 by other"},
		{"POST", "/vectors/delete", `{"ids":["a","b"],"namespace":"people"}`, "delete " + n + " points=2 by key"},
		{"POST", "/vectors/delete", `{"filter":{"n":{"$gt":1}}}`, "delete_by_filter " + d + " points=-1 by other"},
		{"POST", "/vectors/delete", `{"filter":{"n":{"$ne":1}}}`, "delete_all " + d + " points=-1 by other"},
		{"POST", "/vectors/delete", `{"filter":{"$or":[{"n":1},{"n":{"$ne":1}}]}}`, "delete_all " + d + " points=-1 by other"},
		{"POST", "/vectors/delete", `{"filter":{}}`, "delete_all " + d + " points=-1 by trivial"},
		{"POST", "/vectors/delete", `{"deleteAll":true,"namespace":"people"}`, "delete_all " + n + " points=-1"},
		{"POST", "/vectors/delete", `{}`, "delete_all " + d + " points=-1"},
		{"POST", "/vectors/delete", `{"ids":[],"deleteAll":null}`, "delete_all " + d + " points=-1"},
		{"GET", "/vectors/fetch?ids=doc1%23a&ids=b&namespace=people", ``, "fetch " + n + " rows=2 vectors by key"},
		{"POST", "/vectors/fetch_by_metadata", `{"filter":{"n":1}}`, "scroll " + d + " rows=100 vectors by other"},
		{"POST", "/vectors/fetch_by_metadata", `{"namespace":"people","limit":7,"paginationToken":"a=="}`, "scroll " + n + " rows=7 vectors"},
		{"GET", "/vectors/list?namespace=people&prefix=doc1%23&limit=5", ``, "list_ids " + n + " rows=5 by other"},
		{"GET", "/vectors/list?paginationToken=a%2Fb%3D", ``, "list_ids " + d + " rows=100"},
		{"POST", "/describe_index_stats", `{}`, "count docs/docs rows=1"},
		{"GET", "/namespaces", ``, "tenant.read docs/docs"},
		{"POST", "/namespaces", `{"name":"people"}`, "tenant.create " + n},
		{"GET", "/namespaces/people", ``, "tenant.read " + n},
		{"DELETE", "/namespaces/people", ``, "tenant.drop " + n + "; delete_all " + n + " points=-1"},
		{"POST", "/bulk/imports", `{"uri":"s3://bucket/x"}`, "import docs/docs points=-1 vectors egress"},
		{"GET", "/bulk/imports?limit=5", ``, "schema.read docs/docs"},
		{"GET", "/bulk/imports/1", ``, "schema.read docs/docs"},
		{"DELETE", "/bulk/imports/1", ``, "import docs/docs"},
		{"POST", "/records/namespaces/people/upsert", "{\"_id\":\"a\",\"t\":1}\n{\"id\":\"b\"}", "upsert " + n + " points=2 vectors by key"},
		{"POST", "/records/namespaces/people/search", `{"query":{"inputs":{"text":"x"},"top_k":4}}`, "search " + n + " rows=4"},
		{"POST", "/records/namespaces/people/search", `{"query":{"id":"a","top_k":4,"filter":{"n":1}},"fields":["t"],"rerank":{"model":"m","rank_fields":["t"]}}`, "code.exec " + n + "; search " + n + " rows=4 by other; fetch " + n + " by key as lookup"},
	} {
		x.check(t, suite())
	}
}

func TestRequestsAtTheControlPlaneAreReadAsWhatTheyDo(t *testing.T) {
	for _, x := range []asks{
		{"GET", "/indexes", ``, "schema.list docs"},
		{"POST", "/indexes", `{"name":"docs","dimension":3,"spec":{"serverless":{"cloud":"aws","region":"us-east-1"}}}`, "schema.create docs/docs"},
		{"POST", "/indexes", `{"name":"copy","spec":{"pod":{"source_collection":"old"}}}`, "snapshot.restore docs/copy as destination; schema.create docs/copy; export docs rows=-1 vectors as source"},
		{"POST", "/indexes/create-for-model", `{"name":"docs","embed":{"model":"m"}}`, "schema.create docs/docs"},
		{"GET", "/indexes/docs", ``, "schema.read docs/docs"},
		{"PATCH", "/indexes/docs", `{"deletion_protection":"disabled"}`, "schema.alter docs/docs"},
		{"DELETE", "/indexes/docs", ``, "schema.drop docs/docs"},
		{"POST", "/indexes/docs/backups", `{"name":"b"}`, "snapshot.create docs/docs"},
		{"GET", "/indexes/docs/backups?limit=3&paginationToken=x%2F", ``, "snapshot.list docs/docs"},
		{"GET", "/backups", ``, "snapshot.list docs"},
		{"GET", "/backups/b1", ``, "snapshot.list docs/docs"},
		{"DELETE", "/backups/b1", ``, "snapshot.delete docs/docs"},
		{"POST", "/backups/b1/create-index", `{"name":"again"}`, "snapshot.restore docs/again as destination; export docs/docs rows=-1 vectors as source"},
		{"GET", "/restore-jobs/j", ``, "snapshot.list docs"},
		{"POST", "/collections", `{"name":"c","source":"docs"}`, "snapshot.create docs/docs as source"},
		{"DELETE", "/collections/c", ``, "snapshot.delete docs"},
		{"POST", "/embed", `{"model":"m","inputs":[{"text":"x"}]}`, "code.exec docs egress"},
		{"POST", "/rerank", `{"model":"m","query":"x","documents":[{"text":"y"}]}`, "code.exec docs egress"},
		{"GET", "/models?type=embed", ``, "cluster.read docs"},
		{"GET", "/admin/projects/p/api-keys", ``, "iam.read docs"},
		{"DELETE", "/admin/api-keys/k", ``, "iam.write docs"},
	} {
		x.check(t, control())
	}
}

func TestWhatIsReadTwoWaysIsUnclear(t *testing.T) {
	for _, x := range []asks{
		{"POST", "/query", `{"vector":[1]}`, ""},
		{"POST", "/query", `{"vector":[1],"topK":0}`, ""},
		{"POST", "/query", `{"vector":[1],"topK":10001}`, ""},
		{"POST", "/query", `{"vector":[1],"topK":"3"}`, ""},
		{"POST", "/query", `{"vector":[1],"topK":3.0}`, ""},
		{"POST", "/query", `{"vector":[1],"top_k":3}`, ""},
		{"POST", "/query", `{"vector":[1],"topK":3,"top_k":10000}`, ""},
		{"POST", "/query", `{"vector":[1],"topK":3,"include_values":true}`, ""},
		{"POST", "/query", `{"vector":[1],"topK":3,"includeValues":"true"}`, ""},
		{"POST", "/query", `{"vector":[1],"topK":3,"namespace":1}`, ""},
		{"POST", "/query", `{"vector":[1],"topK":3,"namespace":"a/b"}`, ""},
		{"POST", "/query", `{"vector":[1],"topK":3,"namespace":"a*"}`, ""},
		{"POST", "/query", `{"vector":[1],"topK":3,"filter":[]}`, ""},
		{"POST", "/query", `{"vector":[1],"topK":3,"filter":{"$nor":[{"n":1}]}}`, ""},
		{"POST", "/query", `{"vector":[1],"topK":3,"filter":{"n":{"$regex":"x"}}}`, ""},
		{"POST", "/query", `{"vector":[1],"topK":3,"filter":{"n":{"$in":1}}}`, ""},
		{"POST", "/query", `{"vector":[1],"topK":3,"filter":{"n":{"$eq":[1]}}}`, ""},
		{"POST", "/query", `{"vector":[1],"topK":3,"filter":{"n":[1]}}`, ""},
		{"POST", "/query", `{"vector":[1],"topK":3,"filter":{"$and":{"n":1}}}`, ""},
		{"POST", "/query", `{"vector":[1],"topK":3,"queries":[{"values":[1]}]}`, ""},
		{"POST", "/query", `{"queries":[{"values":[1]}]}`, ""},
		{"POST", "/query", `{"topK":3,"queries":[{"values":[1],"top_k":10000}]}`, ""},
		{"POST", "/vectors/upsert", `{"vectors":[{"values":[1]}]}`, ""},
		{"POST", "/vectors/upsert", `{"vectors":[{"id":1}]}`, ""},
		{"POST", "/vectors/upsert", `{"vectors":{"id":"a"}}`, ""},
		{"POST", "/vectors/upsert", `{"vectors":[{"id":"a","meta":{}}]}`, ""},
		{"POST", "/vectors/update", `{"setMetadata":{"n":1}}`, ""},
		{"POST", "/vectors/update", `{"id":"a","filter":{"n":1},"setMetadata":{"n":1}}`, ""},
		{"POST", "/vectors/update", `{"id":"a","values":[1],"dryRun":true}`, ""}, // a server that tries out filters only writes it
		{"POST", "/vectors/delete", `{"ids":["a"],"deleteAll":true}`, ""},
		{"POST", "/vectors/delete", `{"delete_all":true}`, ""},
		{"POST", "/vectors/delete", `{"ids":"a"}`, ""},
		{"GET", "/vectors/fetch", ``, ""},
		{"GET", "/vectors/fetch?namespace=people", ``, ""},
		{"GET", "/vectors/list?limit=x", ``, ""},
		{"GET", "/vectors/list?limit=1&limit=100", ``, ""},
		{"POST", "/records/namespaces/people/upsert", `{"text":"no id"}`, ""},
		{"POST", "/records/namespaces/people/upsert", `{"_id":"a","id":"b"}`, ""},
		{"POST", "/records/namespaces/people/upsert", `["a"]`, ""},
		{"POST", "/records/namespaces/people/search", `{"query":{"inputs":{"text":"x"}}}`, ""},
		{"POST", "/records/namespaces/people/search", `{"query":{"top_k":1,"rerank":{}}}`, ""},
		{"POST", "/records/namespaces/people/search", `{"query":{"top_k":1},"rerank":{"model":"m"}}`, ""},
		{"POST", "/namespaces/people/documents/search", `{"top_k":1}`, ""},
		{"DELETE", "/indexes/docs", ``, ""}, // of the control plane
		{"GET", "/indexes", ``, ""},
	} {
		w := protocoltest.Start(t, suite())
		a := w.Do(t.Context(), protocoltest.Request{Method: x.method, Path: x.path, Body: x.body})
		if a.Header.Get("X-Vecgate-Code") != string(access.CodeUnclear) || len(w.All()) > 0 {
			t.Errorf("%s %s %s: %v", x.method, x.path, x.body, a)
		}
	}
	for _, x := range []asks{
		{"POST", "/query", `{"vector":[1],"topK":3}`, ""}, // of an index
		{"POST", "/admin/projects/p/api-keys", `{"name":"mine"}`, ""},
		{"POST", "/indexes", `{"name":"a/b"}`, ""},
		{"POST", "/indexes", `{"name":"docs","spec":{"pod":{"source_collection":["x"]}}}`, ""},
	} {
		w := protocoltest.Start(t, control())
		a := w.Do(t.Context(), protocoltest.Request{Method: x.method, Path: x.path, Body: x.body})
		if a.Header.Get("X-Vecgate-Code") != string(access.CodeUnclear) || len(w.All()) > 0 {
			t.Errorf("%s %s %s: %v", x.method, x.path, x.body, a)
		}
	}
}

func TestTheVersionOfTheInterfaceGoesAlong(t *testing.T) {
	w := protocoltest.Start(t, suite())
	for version, want := range map[string]string{"2025-10": "2025-10", "2031-01": "unclear", "": ""} {
		r := suite().Read
		r.Header = http.Header{"Api-Key": {protocoltest.Token}}
		if version != "" {
			r.Header.Set(versionHeader, version)
		}
		before := len(w.All())
		a := w.Do(t.Context(), r)
		got := a.Header.Get("X-Vecgate-Code")
		if all := w.All(); len(all) > before {
			got = all[before].Header.Get(versionHeader)
		}
		if got != want {
			t.Errorf("version %q: %q, want %q; %v", version, got, want, a)
		}
	}
}

func TestTheVersionMayComeTwiceButNotTwoOfThem(t *testing.T) {
	w := protocoltest.Start(t, suite())
	for _, x := range []struct{ second, want string }{{"2025-10", ""}, {"2025-04", "unclear"}} {
		r := suite().Read
		r.Header = http.Header{"Api-Key": {protocoltest.Token}, versionHeader: {"2025-10", x.second}}
		if a := w.Do(t.Context(), r); a.Header.Get("X-Vecgate-Code") != x.want {
			t.Errorf("then %s: %v", x.second, a)
		}
	}
}

func TestObligationsRewriteTheRequestOrRefuseIt(t *testing.T) {
	deny := &access.Protection{Vectors: []access.VectorRule{{Pattern: "**", Treatment: access.Treatment{Mask: access.MaskNull, Rule: "v", Predicates: "deny"}}}}
	all := &access.Protection{Fields: []access.FieldRule{{Pattern: "**.metadata", Treatment: access.Treatment{Mask: access.MaskRedact, Rule: "all"}}}}
	ids := &access.Protection{Fields: []access.FieldRule{{Pattern: "**.id", Treatment: access.Treatment{Mask: access.MaskHash, Rule: "ids"}}}}
	for _, x := range []struct {
		method, path, body string
		o                  access.Obligations
		want               string // what is sent on, or the code of the refusal
	}{
		{"POST", "/query", `{"vector":[1],"topK":2,"includeValues":true}`, access.Obligations{Protection: protection}, `{"vector":[1],"topK":2,"includeValues":false}`},
		{"POST", "/query", `{"vector":[1],"topK":2,"filter":{"city":"Oslo"}}`, access.Obligations{Protection: protection}, `{"vector":[1],"topK":2,"filter":{"city":"Oslo"},"includeValues":false}`},
		{"POST", "/query", `{"vector":[1],"topK":2,"filter":{"city":{"$ne":"Oslo"}}}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
		{"POST", "/query", `{"vector":[1],"topK":2,"filter":{"$or":[{"city":"Oslo"},{"n":1}]}}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
		{"POST", "/query", `{"topK":2,"queries":[{"values":[1]},{"values":[1],"filter":{"email":"a"}}]}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
		{"POST", "/query", `{"vector":[1],"topK":11}`, access.Obligations{TopK: 10}, "limit"},
		{"POST", "/query", `{"topK":1,"queries":[{"values":[1]},{"values":[1],"topK":11}]}`, access.Obligations{TopK: 10}, "limit"},
		{"POST", "/query", `{"topK":5,"queries":[{"values":[1]},{"values":[1]}]}`, access.Obligations{Rows: 9}, "limit"},
		{"POST", "/query", `{"vector":[1],"topK":1}`, access.Obligations{Protection: deny}, "cannot-be-obliged"},
		{"POST", "/vectors/delete", `{"filter":{"email":"a"}}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
		{"POST", "/vectors/update", `{"filter":{"email":"a"},"setMetadata":{"n":1},"dryRun":true}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
		{"POST", "/vectors/fetch_by_metadata", `{"filter":{"email":"a"}}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
		{"POST", "/vectors/fetch_by_metadata", `{"filter":{"n":1}}`, access.Obligations{Rows: 5}, `{"filter":{"n":1},"limit":5}`},
		{"POST", "/vectors/fetch_by_metadata", `{"limit":6}`, access.Obligations{Rows: 5}, "limit"},
		{"POST", "/vectors/fetch_by_metadata", `{}`, access.Obligations{Protection: ids}, "cannot-be-obliged"},
		{"GET", "/vectors/list", ``, access.Obligations{Protection: ids}, "cannot-be-obliged"},
		{"GET", "/vectors/list?prefix=a", ``, access.Obligations{Rows: 5}, "/vectors/list?limit=5&prefix=a"},
		{"GET", "/vectors/fetch?ids=a&ids=b", ``, access.Obligations{Rows: 1}, "limit"},
		{"GET", "/vectors/fetch?ids=a", ``, access.Obligations{Protection: ids}, "cannot-be-obliged"}, // whether there is one would tell
		{"POST", "/query", `{"id":"a","topK":2}`, access.Obligations{Protection: ids}, "cannot-be-obliged"},
		{"POST", "/query", `{"vector":[1],"topK":2}`, access.Obligations{Protection: ids}, `{"vector":[1],"topK":2}`},
		{"POST", "/query", `{"vector":[1],"topK":2,"filter":{"n":1}}`, access.Obligations{Protection: all}, "cannot-be-obliged"},
		{"POST", "/vectors/delete", `{"filter":{"n":1}}`, access.Obligations{Protection: all}, "cannot-be-obliged"},
		{"POST", "/records/namespaces/people/search", `{"query":{"inputs":{"text":"x"},"top_k":1},"rerank":{"model":"m","rank_fields":["n"]}}`, access.Obligations{Protection: all}, "cannot-be-obliged"},
		{"POST", "/describe_index_stats", `{"filter":{"n":1}}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
		{"POST", "/records/namespaces/people/search", `{"query":{"inputs":{"text":"x"},"top_k":1,"match_terms":{"terms":["x"]}}}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
		{"POST", "/records/namespaces/people/search", `{"query":{"inputs":{"text":"x"},"top_k":1},"rerank":{"model":"m","rank_fields":["email"]}}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
	} {
		w := protocoltest.Start(t, suite())
		w.Oblige(x.o)
		a := w.Do(t.Context(), protocoltest.Request{Method: x.method, Path: x.path, Body: x.body})
		got := a.Header.Get("X-Vecgate-Code")
		if sent := w.All(); len(sent) == 1 && got == "" {
			if got = sent[0].Body; got == "" {
				got = sent[0].URI
			}
		}
		if got != x.want {
			t.Errorf("%s %s: %q, want %q; %v", x.path, x.body, got, x.want, a)
		}
	}
}

func TestEveryPartOfAnAnswerIsMasked(t *testing.T) {
	const rec = `{"id":"1","score":0.99,"metadata":{"email":"[redacted]","n":1},"email":"[redacted]"}`
	const whole = `{"id":"1","score":0.99,"values":[0],"sparseValues":{"indices":[0],"values":[0]},"metadata":{"email":"[redacted]","n":1},"email":"[redacted]"}`
	for _, x := range []asks{
		{"POST", "/query", `{"vector":[1],"topK":1}`, `{"matches":[` + rec + `],"results":[{"matches":[` + rec + `]}],"namespace":"people"}`},
		{"GET", "/vectors/fetch?ids=1", ``, `{"vectors":{"1":` + whole + `},"namespace":"people"}`},
		{"POST", "/vectors/fetch_by_metadata", `{}`, `{"vectors":{"1":` + whole + `},"namespace":"people"}`},
		{"POST", "/records/namespaces/people/search", `{"query":{"inputs":{"text":"x"},"top_k":1}}`, `{"result":{"hits":[{"_id":"1","_score":0.99,"fields":{"email":"[redacted]","n":1}}]}}`},
	} {
		w := protocoltest.Start(t, suite())
		w.Oblige(access.Obligations{Protection: protection})
		if a := w.Do(t.Context(), protocoltest.Request{Method: x.method, Path: x.path, Body: x.body}); a.Body != x.want {
			t.Errorf("%s: %s, want %s", x.path, a.Body, x.want)
		}
	}
}

func TestHostsInAnswersAreTheGateways(t *testing.T) {
	w := protocoltest.Start(t, control())
	for answer, want := range map[string]string{
		`{"name":"docs","host":"docs-abc.svc.pinecone.io","private_host":"docs-abc.svc.private.pinecone.io","tags":{"host":"mine"}}`: `{"name":"docs","host":"docs.gw.example.com","tags":{"host":"mine"}}`,
		`{"name":"docs","host":"DOCS-abc.svc.pinecone.io:443","status":{"host":"other.svc.pinecone.io"}}`:                            `{"name":"docs","host":"docs.gw.example.com","status":{"host":"` + nowhere + `"}}`,
		`{"x":[{"host":"https://docs-abc.svc.pinecone.io/"}]}`:                                                                       `{"x":[{"host":"docs.gw.example.com"}]}`,
		`{"host":"http://docs-abc.svc.pinecone.io"}`:                                                                                 `{"host":"` + nowhere + `"}`,
	} {
		w.Upstream(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			fmt.Fprint(rw, answer)
		}))
		for _, r := range []protocoltest.Request{{Method: "GET", Path: "/indexes/docs"}, {Method: "POST", Path: "/indexes", Body: `{"name":"docs"}`}, {Method: "PATCH", Path: "/indexes/docs", Body: `{}`}} {
			if a := w.Do(t.Context(), r); a.Body != want {
				t.Errorf("%s %s: %v, want %s", r.Method, r.Path, a, want)
			}
		}
	}
}

func TestListsShowWhatTheCallerMayRead(t *testing.T) {
	allow := func(op *access.Operation, _ access.Context) access.Decision {
		r := op.First().Resource
		if r.Namespace == "secret" || r.Collection == "secret" {
			return access.Decision{Effect: access.Deny}
		}
		return access.Decision{Effect: access.Allow}
	}
	for _, x := range []struct {
		s                  *protocoltest.Suite
		path, answer, want string
	}{
		{control(), "/indexes", `{"indexes":[{"name":"docs","host":"docs-abc.svc.pinecone.io"},{"name":"secret","host":"x"}]}`, `{"indexes":[{"name":"docs","host":"docs.gw.example.com"}]}`},
		{suite(), "/namespaces", `{"namespaces":[{"name":"secret","record_count":5},{"name":"people","record_count":3}],"total_count":2}`, `{"namespaces":[{"name":"people","record_count":3}],"total_count":1}`},
	} {
		w := protocoltest.Start(t, x.s)
		w.Rule(allow)
		w.Upstream(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			fmt.Fprint(rw, x.answer)
		}))
		if a := w.Do(t.Context(), protocoltest.Request{Method: "GET", Path: x.path}); a.Body != x.want {
			t.Errorf("%s: %v, want %s", x.path, a, x.want)
		}
	}
}

// FuzzRead wants every request that is read to be read the same once more in the form in which it is sent on.
func FuzzRead(f *testing.F) {
	for _, body := range []string{
		`{}`, `{"vector":[1],"topK":3,"filter":{"$and":[{"a":1},{"b":{"$in":[1,2]}}]}}`, `{"topK":1,"queries":[{"values":[1],"filter":{"a":{"$gt":1}}},{"values":[2],"topK":2,"namespace":"n"}]}`,
		`{"vectors":[{"id":"a","values":[1],"metadata":{"t":"x"}}]}`, `{"ids":["a"],"namespace":"n"}`, `{"filter":{"n":1},"setMetadata":{"n":2}}`, `{"_id":"a","t":"x"}` + "\n" + `{"id":"b"}`,
		`{"query":{"inputs":{"text":"x"},"top_k":3},"rerank":{"rank_fields":["t"]}}`, `{"name":"x","spec":{"pod":{"source_collection":"c"}}}`,
	} {
		for i := range table {
			f.Add(i, body)
		}
	}
	f.Fuzz(func(t *testing.T, which int, body string) {
		e := &table[uint(which)%uint(len(table))]
		d := &Dialect{}
		if e.data {
			d.Index = "docs"
		}
		base := httpwire.Request{
			Route: &e.route, Target: "docs", Params: map[string]string{}, Query: map[string]string{}, Lists: map[string][]string{"ids": {"a", "b"}},
			Ask: func(context.Context, string) (int, jsonstream.Value, error) {
				return 200, must(`{"source_index_name":"docs","vectors":{}}`), nil
			},
			May: func(access.Access) bool { return true },
		}
		for _, segment := range strings.Split(e.route.Path, "/") {
			if name, ok := strings.CutPrefix(segment, "{"); ok {
				base.Params[strings.TrimSuffix(name, "}")] = "n"
			}
		}
		parse := func(r *httpwire.Request, text []byte) (err error) {
			switch {
			case e.route.Lines:
				r.Lines, err = jsonstream.ReadLines(text, 1000)
			case e.route.Body:
				r.Body, err = jsonstream.Read(text)
			}
			return err
		}
		r := base
		if parse(&r, []byte(body)) != nil {
			return
		}
		call, err := d.Read(t.Context(), &r)
		if err != nil {
			return
		}
		var sent []byte
		for _, line := range call.Lines {
			sent = append(append(sent, line.Raw()...), '\n')
		}
		if call.Lines == nil {
			sent = call.Body.Raw()
		}
		r = base
		if err := parse(&r, sent); err != nil {
			t.Fatalf("%s is sent on as %q: %v", body, sent, err)
		}
		again, err := d.Read(t.Context(), &r)
		if err != nil {
			t.Fatalf("%s is sent on as %q: %v", body, sent, err)
		}
		if d := cmp.Diff(call.Accesses, again.Accesses); d != "" || call.Path != again.Path || string(again.Body.Raw()) != string(call.Body.Raw()) {
			t.Fatalf("%s is read differently once sent on: %s", body, d)
		}
		if call.Oblige == nil {
			return
		}
		rule := access.FilterRule{Pattern: "docs/docs/**", Field: "tenant", Values: []string{"mine"}, Rule: "own"}
		obliged, err := call.Oblige(&access.Obligations{Protection: protection, Rows: 10, TopK: 10, Filters: []access.FilterRule{rule}})
		if err != nil || !obliged.Filtered {
			return
		}
		if v, _ := obliged.Body.Get("includeValues").Bool(); v {
			t.Fatalf("%s asks for values all the same", obliged.Body.Raw())
		}
		if call.Accesses[0].Action == access.DeleteByFilter && !strings.HasPrefix(string(obliged.Body.Get("filter").Raw()), `{"$and":[{"tenant":{"$in":["mine"]}}`) {
			t.Fatalf("%s deletes more than the caller's own", obliged.Body.Raw())
		}
	})
}
