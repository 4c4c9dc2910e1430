package generic

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

const at1 = "/v1/main/customers"

func TestDescribedRequestsAreReadAsWhatTheyDo(t *testing.T) {
	for _, x := range []struct{ method, path, body, want, sent string }{
		{"POST", "/search", `{"vector":[1]}`, "search rows=10", `{"vector":[1],"top_k":10,"with":{"vectors":false}}`},
		{"POST", "/search", `{"vector":[1],"top_k":3,"with":{"vectors":true},"page":{"offset":5,"size":2}}`, "search rows=3 vectors", ""},
		{"POST", "/search", `{"vector":[1],"top_k":3,"with":{"vectors":false},"filter":{"a":1,"b":{"$gt":2}}}`, "search rows=3 filter=[a b]", ""},
		{"POST", "/batch", `{"vectors":[[1],[2]],"top_k":4}`, "search rows=8", ""},
		{"GET", "/points?ids=a,b", ``, "fetch rows=2 ids=[a b]", ""},
		{"GET", "/points?ids=a,b&vectors=true", ``, "fetch rows=2 vectors ids=[a b]", ""},
		{"GET", "/points?limit=7", ``, "scroll rows=7", ""},
		{"GET", "/points", ``, "export rows=-1", ""},
		{"GET", "/points/1", ``, "fetch rows=1 vectors ids=[1]", ""},
		{"POST", "/scan", `{"limit":4}`, "scroll rows=4", ""},
		{"POST", "/count", `{}`, "count rows=1", ""},
		{"PUT", "/points", `{"points":[{"id":1},{"id":2}]}`, "upsert points=2", ""},
		{"POST", "/delete", `{"ids":["a",7]}`, "delete points=2 ids=[a 7]", ""},
		{"POST", "/delete", `{"filter":{"a":1}}`, "delete_by_filter points=-1 filter=[a]", ""},
		{"POST", "/delete", `{"filter":{}}`, "delete_all points=-1", ""},
		{"POST", "/delete", `{}`, "delete_all points=-1", ""},
		{"POST", "/delete", `{"ids":["a"],"everything":true}`, "delete_all points=-1 ids=[a]", ""},
		{"POST", "/delete", `{"ids":["a"],"everything":false}`, "delete points=1 ids=[a]", ""},
		{"DELETE", "", ``, "schema.drop", ""},
	} {
		w := protocoltest.Start(t, suite(t))
		r := protocoltest.Request{Method: x.method, Path: at1 + x.path, Body: x.body}
		a := w.Do(t.Context(), r)
		got := ""
		if found := w.Records(audit.TypeIntent); len(found) == 1 {
			got = said(t, found[0].Accesses)
		}
		if got != x.want || a.Status != http.StatusOK {
			t.Errorf("%s %s %s: %q, want %q; %v", x.method, x.path, x.body, got, x.want, a)
		}
		if sent := w.All(); len(sent) == 1 && x.sent != "" && sent[0].Body != x.sent {
			t.Errorf("%s: sent on as %s, want %s", x.body, sent[0].Body, x.sent)
		}
	}
}

func said(t *testing.T, all []access.Access) string {
	t.Helper()
	if len(all) != 1 || all[0].Resource.Namespace != "main" || all[0].Resource.Collection != "customers" {
		t.Errorf("judged as %+v", all)
		return ""
	}
	a := all[0]
	s := string(a.Action)
	if a.Attributes.Rows != 0 {
		s += fmt.Sprintf(" rows=%d", a.Attributes.Rows)
	}
	if a.Attributes.Points != 0 {
		s += fmt.Sprintf(" points=%d", a.Attributes.Points)
	}
	if a.Attributes.Vectors {
		s += " vectors"
	}
	if a.Attributes.FilterFields != nil {
		s += fmt.Sprintf(" filter=%v", a.Attributes.FilterFields)
	}
	if a.Attributes.IDs != nil {
		s += fmt.Sprintf(" ids=%v", a.Attributes.IDs)
	}
	return s
}

func TestWhatIsNotDescribedIsUnclear(t *testing.T) {
	for _, x := range []struct{ method, path, body string }{
		{"POST", "/search", `{"vector":[1],"Top_K":1000}`},
		{"POST", "/search", `{"vector":[1],"lookup":"secrets"}`},
		{"POST", "/search", `{"vector":[1],"with":{"vectors":false,"payload":true}}`},
		{"POST", "/search", `{"vector":[1],"with":[true]}`},
		{"POST", "/search", `{"vector":[1],"top_k":"3"}`},
		{"POST", "/search", `{"vector":[1],"top_k":-3}`},
		{"POST", "/search", `{"vector":[1],"top_k":1.5}`},
		{"POST", "/search", `{"vector":[1],"with":{"vectors":"true"}}`},
		{"POST", "/search", `{"vector":[1],"filter":[]}`},
		{"POST", "/search", `{"vector":[1],"filter":{"$where":"1"}}`},
		{"POST", "/search", `{"vector":[1],"filter":{"a":{"$regex":"x"}}}`},
		{"POST", "/search", `{"vector":[1],"filter":{"a":["b"]}}`},
		{"POST", "/search", `{"vector":[1],"filter":{"$and":{"a":1}}}`},
		{"POST", "/search", `{"vector":[1],"order_by":{"a":1}}`},
		{"POST", "/search?explain=true", `{"vector":[1]}`},
		{"POST", "/batch", `{"vectors":{"a":[1]}}`},
		{"POST", "/scan", `{"where":{"a":{"$gt":1}}}`},
		{"GET", "/points?limit=x", ``},
		{"GET", "/points?limit=07", ``},
		{"GET", "/points?vectors=yes", ``},
		{"GET", "/points?ids=a,,b", ``},
		{"POST", "/delete", `{"ids":[["a"]]}`},
		{"POST", "/delete", `{"ids":{"a":1}}`},
		{"POST", "/delete", `{"everything":1}`},
		{"POST", "/delete", `[]`},
		{"PATCH", "/points", `{}`},
	} {
		w := protocoltest.Start(t, suite(t))
		a := w.Do(t.Context(), protocoltest.Request{Method: x.method, Path: at1 + x.path, Body: x.body})
		if a.Header.Get("X-Vecgate-Code") != string(access.CodeUnclear) || len(w.All()) > 0 {
			t.Errorf("%s %s %s: %v", x.method, x.path, x.body, a)
		}
	}
	for _, path := range []string{"/v1/a b/customers/count", "/v1/main/.hidden/count", "/v1/main/x*/count"} {
		w := protocoltest.Start(t, suite(t))
		if a := w.Do(t.Context(), protocoltest.Request{Method: "POST", Path: path, Body: `{}`}); a.Status < 400 || len(w.All()) > 0 {
			t.Errorf("%s: %v", path, a)
		}
	}
}

func TestObligationsRewriteADescribedRequestOrRefuseIt(t *testing.T) {
	deny := &access.Protection{Vectors: []access.VectorRule{{Pattern: "**", Treatment: access.Treatment{Mask: access.MaskNull, Rule: "v", Predicates: "deny"}}}}
	ids := &access.Protection{Fields: []access.FieldRule{{Pattern: "**.id", Treatment: access.Treatment{Mask: access.MaskHash, Rule: "i"}}}}
	for _, x := range []struct {
		method, path, body string
		o                  access.Obligations
		want               string // what is sent on, or the code of the refusal
	}{
		{"POST", "/search", `{"vector":[1],"top_k":1,"with":{"vectors":true}}`, access.Obligations{Protection: protection}, `{"vector":[1],"top_k":1,"with":{"vectors":false}}`},
		{"POST", "/search", `{"vector":[1],"top_k":1,"filter":{"city":"Oslo"}}`, access.Obligations{Protection: protection}, `{"vector":[1],"top_k":1,"filter":{"city":"Oslo"},"with":{"vectors":false}}`},
		{"POST", "/search", `{"vector":[1],"filter":{"city":{"$ne":"Oslo"}}}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
		{"POST", "/search", `{"vector":[1],"filter":{"$nor":[{"city":"Oslo"}]}}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
		{"POST", "/search", `{"vector":[1],"filter":{"meta.email":"x"}}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
		{"POST", "/search", `{"vector":[1],"filter":{"email.domain":"x"}}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
		{"POST", "/search", `{"vector":[1],"order_by":"email"}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
		{"POST", "/search", `{"vector":[1],"order_by":["n","-email"]}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
		{"POST", "/scan", `{"where":{"email":"x"}}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
		{"POST", "/ids", `{"q":"email:x"}`, access.Obligations{Protection: protection}, "cannot-be-obliged"},
		{"POST", "/ids", `{"q":"n:x"}`, access.Obligations{Protection: deny}, `{"q":"n:x"}`},
		{"POST", "/search", `{"vector":[1]}`, access.Obligations{Protection: deny}, "cannot-be-obliged"},
		{"GET", "/points?ids=a", ``, access.Obligations{Protection: ids}, "cannot-be-obliged"},
		{"GET", "/points/a", ``, access.Obligations{Protection: ids}, "cannot-be-obliged"}, // whether there is one would tell
		{"POST", "/search", `{"vector":[1],"top_k":11}`, access.Obligations{TopK: 10}, "limit"},
		{"POST", "/batch", `{"vectors":[[1],[2]]}`, access.Obligations{Rows: 19}, "limit"},
		{"POST", "/scan", `{"limit":5}`, access.Obligations{Rows: 4}, "limit"},
	} {
		w := protocoltest.Start(t, suite(t))
		w.Oblige(x.o)
		r := protocoltest.Request{Method: x.method, Path: at1 + x.path, Body: x.body}
		a := w.Do(t.Context(), r)
		got := a.Header.Get("X-Vecgate-Code")
		if sent := w.All(); len(sent) == 1 && got == "" {
			got = sent[0].Body
		}
		if got != x.want {
			t.Errorf("%s %s: %q, want %q; %v", x.path, x.body, got, x.want, a)
		}
	}
	w := protocoltest.Start(t, suite(t))
	w.Oblige(access.Obligations{Protection: protection})
	if a := w.Do(t.Context(), protocoltest.Request{Method: "GET", Path: at1 + "/points?ids=a&vectors=true"}); a.Status != http.StatusOK || w.All()[0].URI != at1+"/points?ids=a&vectors=false" {
		t.Errorf("asked %s, %v", w.All()[0].URI, a)
	}
}

func TestEveryPartOfADescribedAnswerIsMasked(t *testing.T) {
	const payload = `{"email":"[redacted]","n":1,"meta":{"email":"[redacted]","list":[{"email":"[redacted]"}]},"city":null}`
	for _, x := range []struct{ method, path, body, want string }{
		{"POST", "/search", `{"vector":[1]}`, `{"took":3,"echo":null,"result":{"total":1,"explain":null,"hits":[{"id":"1","score":0.12,"version":3,"vector":null,"sparse":{"values":null,"more":null},"secret":null,"payload":` + payload + `}]}}`},
		{"POST", "/batch", `{"vectors":[[1]]}`, `{"results":[{"query":null,"matches":[{"id":"1","score":0.12,"version":null,"vector":null,"sparse":null,"secret":null,"payload":null}]}]}`},
		{"GET", "/points?ids=1", ``, `{"vectors":{"1":{"id":"1","score":0.12,"version":3,"vector":null,"sparse":{"values":null,"more":null},"secret":null,"payload":` + payload + `}},"usage":null}`},
		{"GET", "/points/1", ``, `{"_id":"1","email":"[redacted]","v":null,"n":2}`},
		{"POST", "/scan", `{}`, `[{"_id":"1","email":"[redacted]","n":2}]`},
		{"POST", "/ids", `{}`, `{"ids":["1","2"]}`},
		{"POST", "/count", `{}`, `{"count":7,"sample":null}`},
		{"PUT", "/points", `{"points":[]}`, `{"written":1,"deleted":null,"last":null}`},
	} {
		w := protocoltest.Start(t, suite(t))
		w.Oblige(access.Obligations{Protection: protection})
		if a := w.Do(t.Context(), protocoltest.Request{Method: x.method, Path: at1 + x.path, Body: x.body}); a.Body != x.want {
			t.Errorf("%s:\n%v, want\n%s", x.path, a, x.want)
		}
	}
}

func TestAnAnswerOfAnotherFormIsWithheld(t *testing.T) {
	c := `"` + protocoltest.Canary + `"`
	for _, answer := range []string{
		c, `[` + c + `]`, `{"result":` + c + `}`, `{"result":[` + c + `]}`, `{"result":{"hits":` + c + `}}`, `{"result":{"hits":{"a":` + c + `}}}`,
		`{"result":{"hits":[` + c + `]}}`, `{"result":{"hits":[[` + c + `]]}}`, `{"result":{"hits":[{"payload":` + c + `}]}}`, `{"result":{"hits":[{"payload":[` + c + `]}]}}`,
		`{"result":{"hits":[{"sparse":[` + c + `]}]}}`,
	} {
		w := protocoltest.Start(t, suite(t))
		w.Oblige(access.Obligations{Protection: protection})
		w.Upstream(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			fmt.Fprint(rw, answer)
		}))
		a := w.Do(t.Context(), protocoltest.Request{Method: "POST", Path: at1 + "/search", Body: `{"vector":[1]}`})
		if a.Header.Get("X-Vecgate-Code") != string(access.CodeObligation) || strings.Contains(a.Body, protocoltest.Canary) {
			t.Errorf("%s: %v", answer, a)
		}
	}
}

var own = []access.FilterRule{{Pattern: "**", Field: "tenant", Values: []string{"acme"}, Rule: "own-tenant"}}

func TestADescribedRequestIsNarrowedOrRefused(t *testing.T) {
	two := []access.FilterRule{{Pattern: "**", Field: "tenant", Values: []string{"acme", "beta"}, Rule: "own-tenant"}}
	nested := []access.FilterRule{{Pattern: "**", Field: "meta.tenant", Values: []string{"acme"}, Rule: "own-tenant"}}
	const f = `{"tenant":{"$in":["acme"]}}`
	for _, x := range []struct {
		method, path, body string
		on                 []access.FilterRule
		want               string // what is sent on; empty when it is refused
	}{
		{"POST", "/search", `{"vector":[1],"top_k":1}`, own, `{"vector":[1],"top_k":1,"with":{"vectors":false},"filter":` + f + `}`},
		{"POST", "/search", `{"vector":[1],"top_k":1,"filter":{"tenant":"other"}}`, own, `{"vector":[1],"top_k":1,"filter":{"$and":[` + f + `,{"tenant":"other"}]},"with":{"vectors":false}}`},
		{"POST", "/search", `{"vector":[1],"top_k":1,"filter":null}`, own, `{"vector":[1],"top_k":1,"filter":` + f + `,"with":{"vectors":false}}`},
		{"POST", "/search", `{"vector":[1]}`, nested, ``},
		{"POST", "/count", `{}`, own, `{"filter":` + f + `}`},
		{"POST", "/scan", `{"limit":1}`, own, `{"limit":1,"where":{"tenant":"acme"}}`},
		{"POST", "/scan", `{"where":{"n":1}}`, own, `{"where":{"n":1,"tenant":"acme"}}`},
		{"POST", "/scan", `{"where":{"tenant":"acme"}}`, own, `{"where":{"tenant":"acme"}}`},
		{"POST", "/scan", `{"where":{"tenant":"other"}}`, own, ``},
		{"POST", "/scan", `{"where":{"tenant":7}}`, own, ``},
		{"POST", "/scan", `{}`, two, ``},
		{"POST", "/scan", `{"where":{"tenant":"beta"}}`, two, `{"where":{"tenant":"beta"}}`},
		{"POST", "/batch", `{"vectors":[[1]]}`, own, ``},
		{"GET", "/points?ids=1", ``, own, ``},
		{"POST", "/ids", `{}`, own, ``},
		{"POST", "/points", `{"points":[{"id":"1","payload":{"tenant":"acme"}}]}`, own, `{"points":[{"id":"1","payload":{"tenant":"acme"}}]}`},
		{"POST", "/points", `{"points":[{"id":"1","payload":{"tenant":"acme"}},{"id":"2","payload":{}}]}`, own, ``},
		{"POST", "/points", `{"points":[{"id":"1","tenant":"acme"}]}`, own, ``},
		{"PUT", "/points", `{"points":[{"id":"1","payload":{"tenant":"acme"}}]}`, own, ``}, // could replace a point of somebody else
		{"POST", "/delete", `{"ids":["1"]}`, own, `{"ids":["1"],"filter":` + f + `}`},
		{"POST", "/delete", `{"filter":{"n":1}}`, own, `{"filter":{"$and":[` + f + `,{"n":1}]}}`},
		{"POST", "/delete", `{}`, own, ``},
		{"POST", "/delete", `{"ids":["1"],"everything":true}`, own, ``},
		{"DELETE", "", ``, own, ``},
	} {
		w := protocoltest.Start(t, suite(t))
		w.Oblige(access.Obligations{Filters: x.on})
		a := w.Do(t.Context(), protocoltest.Request{Method: x.method, Path: at1 + x.path, Body: x.body})
		got := ""
		for _, r := range w.All() {
			got += r.Body
		}
		if got != x.want || (len(w.All()) == 0) != (a.Header.Get("X-Vecgate-Code") == string(access.CodeObligation)) {
			t.Errorf("%s %s:\n%s, want\n%s; %v", x.path, x.body, got, x.want, a)
		}
	}
}

func TestAListOfCollectionsShowsWhatMayBeDescribed(t *testing.T) {
	w := protocoltest.Start(t, suite(t))
	w.Rule(func(op *access.Operation, _ access.Context) access.Decision {
		if op.First().Resource.Collection == "secrets" {
			return access.Decision{Effect: access.Deny}
		}
		return access.Decision{Effect: access.Allow}
	})
	if a := w.Do(t.Context(), protocoltest.Request{Method: "GET", Path: "/v1/main"}); a.Body != `{"indexes":[{"name":"customers"}],"more":false}` {
		t.Errorf("%v", a)
	}
}

func TestADescriptionThatCannotBeMeantIsAFault(t *testing.T) {
	for want, change := range map[string]func(*API){
		"is described twice":          func(a *API) { a.Operations[1].Name = "search" },
		"is not an action":            func(a *API) { a.Operations[0].Action = "serach" },
		`the path has no {indexx}`:    func(a *API) { a.Operations[0].Collection = "path:indexx" },
		"is not path:NAME":            func(a *API) { a.Operations[0].Limit = "top_k" },
		"has an empty member":         func(a *API) { a.Operations[0].Limit = "body:a..b" },
		"the filter has no form":      func(a *API) { a.Operations[0].Form = "" },
		"is a member of the document": func(a *API) { a.Operations[0].Filter = "query:f" },
		"the answer has rows":         func(a *API) { a.Operations[0].Answer = Answer{} },
		"parts of rows and no rows":   func(a *API) { a.Operations[6].Answer.Vectors = []string{"v"} },
		"ends neither in [] nor in *": func(a *API) { a.Operations[0].Answer.Rows = "hits" },
		"a health path":               func(a *API) { a.Health = "" },
	} {
		api := shelf()
		change(&api)
		if _, err := New(api); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// FuzzRead wants every request that is read to be read the same once more in the form in which it is sent on, and what a
// filter narrows to hold the filter.
func FuzzRead(f *testing.F) {
	d := dialect(f, shelf())
	for _, body := range []string{`{}`, `{"vector":[1],"top_k":2,"filter":{"$and":[{"a":1},{"b":{"$in":[1]}}]}}`, `{"ids":["a",1],"everything":false}`, `{"points":[{"payload":{"tenant":"acme"}}]}`, `{"where":{"tenant":"acme"},"limit":3}`, `{"vectors":[[1],[2]],"top_k":null}`} {
		for i := range d.routes {
			f.Add(i, body, "a,b", "3")
		}
	}
	f.Fuzz(func(t *testing.T, which int, body, ids, limit string) {
		route := &d.routes[uint(which)%uint(len(d.routes))]
		ask := &httpwire.Request{
			Route: route, Target: "docs", Params: map[string]string{"ns": "main", "index": "customers", "id": "1"}, Query: map[string]string{},
			May: func(access.Access) bool { return true },
		}
		for _, name := range route.Query {
			if name == "ids" && ids != "" {
				ask.Query[name] = ids
			}
			if name == "limit" && limit != "" {
				ask.Query[name] = limit
			}
		}
		if route.Body {
			var err error
			if ask.Body, err = jsonstream.Read([]byte(body)); err != nil {
				return
			}
		}
		call, err := d.Read(context.Background(), ask)
		if err != nil {
			return
		}
		again := *ask
		again.Query = call.Query
		if route.Body {
			if again.Body, err = jsonstream.Read(call.Body.Raw()); err != nil {
				t.Fatalf("%s is sent on as %q: %v", body, call.Body.Raw(), err)
			}
		}
		twice, err := d.Read(context.Background(), &again)
		if err != nil {
			t.Fatalf("%s is sent on as %q: %v", body, call.Body.Raw(), err)
		}
		if diff := cmp.Diff(call.Accesses, twice.Accesses); diff != "" || string(call.Body.Raw()) != string(twice.Body.Raw()) {
			t.Fatalf("%s is read differently once sent on: %s", body, diff)
		}
		obliged, err := call.Oblige(&access.Obligations{Filters: own})
		if err != nil || !obliged.Filtered {
			return // the carrier refuses it
		}
		if text := string(obliged.Body.Raw()); !strings.Contains(text, "acme") && !strings.Contains(text, `"points"`) {
			t.Fatalf("%s is sent on as %s, without the filter", body, text)
		}
	})
}
