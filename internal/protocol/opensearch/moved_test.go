package opensearch

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

// saying is the stand-in, which says something else in some places.
func saying(other map[string]string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := other[r.URL.Path]
		switch {
		case ok && body == "":
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"error":"no such thing","status":404}`))
		case ok:
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(body))
		default:
			engine(w, r)
		}
	})
}

// judgedAs is what policy is asked about when a request comes.
func judgedAs(t *testing.T, w *protocoltest.World, method, path, body string) string {
	t.Helper()
	got := ""
	w.Rule(func(op *access.Operation, _ access.Context) access.Decision {
		var all []string
		for _, a := range op.Accesses {
			all = append(all, fmt.Sprint(a.Action, " ", a.Resource.Collection))
		}
		got = strings.Join(all, " ")
		return access.Decision{Effect: access.Allow}
	})
	if a := w.Do(t.Context(), protocoltest.Request{Method: method, Path: path, Body: body}); a.Status != http.StatusOK {
		t.Errorf("%s %s: %v", method, path, a)
	}
	return got
}

// TestAnAliasIsJudgedByWhatItStandsForAtThatMoment moves one beside the gateway, which remembers what it stood for.
func TestAnAliasIsJudgedByWhatItStandsForAtThatMoment(t *testing.T) {
	const secrets = `{"secrets":{"mappings":{}}}`
	for _, x := range []struct{ method, path, body, before, after string }{
		{"POST", "/people/_search", `{"query":{"term":{"n":1}}}`, "search customers", "search secrets"},
		{"POST", "/people/_count", `{}`, "count customers", "count secrets"},
		{"GET", "/people/_doc/1", ``, "fetch customers", "fetch secrets"},
		{"PUT", "/people/_doc/1", `{"n":1}`, "upsert customers", "upsert secrets"},
		{"POST", "/people/_delete_by_query", `{"query":{"term":{"n":1}}}`, "delete_by_filter customers", "delete_by_filter secrets"},
	} {
		w := protocoltest.Start(t, suite())
		for range 2 {
			if got := judgedAs(t, w, x.method, x.path, x.body); got != x.before {
				t.Errorf("%s %s is %q, want %q", x.method, x.path, got, x.before)
			}
		}
		w.Upstream(saying(map[string]string{"/people/_mapping": secrets, "/_alias/people": `{"secrets":{"aliases":{"people":{}}}}`}))
		if got := judgedAs(t, w, x.method, x.path, x.body); got != x.after {
			t.Errorf("after the alias was moved %s %s is %q, want %q", x.method, x.path, got, x.after)
		}
		// It may become an index, too.
		w.Upstream(saying(map[string]string{"/people/_mapping": `{"people":{"mappings":{}}}`, "/_alias/people": ""}))
		if got := judgedAs(t, w, x.method, x.path, x.body); got != strings.Replace(x.before, "customers", "people", 1) {
			t.Errorf("after the alias became an index %s %s is %q", x.method, x.path, got)
		}
	}
}

// TestACursorGoesOnReadingWhatItWasOpenedOn: a scroll reads the index that its name stood for when it was begun, whatever it
// stands for now.
func TestACursorGoesOnReadingWhatItWasOpenedOn(t *testing.T) {
	w := protocoltest.Start(t, suite())
	moved := map[string]string{"/people/_mapping": `{"secrets":{"mappings":{}}}`, "/_alias/people": `{"secrets":{"aliases":{"people":{}}}}`}
	page := `{"_scroll_id":"s1","pit_id":"s1","id":"s1","hits":{"hits":[]}}`
	places := map[string]string{"/people/_search": page, "/people/_pit": page, "/_search": page, "/_search/scroll": page}
	for _, begin := range []string{"/people/_search?scroll=1m", "/people/_pit?keep_alive=1m"} {
		goOn := protocoltest.Request{Method: "POST", Path: "/_search/scroll", Body: `{"scroll_id":"s1"}`}
		body := `{"size":1}`
		if strings.Contains(begin, "_pit") {
			goOn, body = protocoltest.Request{Method: "POST", Path: "/_search", Body: `{"pit":{"id":"s1"}}`}, ""
		}
		w.Upstream(saying(places))
		if a := w.Do(t.Context(), protocoltest.Request{Method: "POST", Path: begin, Body: body}); a.Status != http.StatusOK {
			t.Fatal(a)
		}
		if a := w.Do(t.Context(), goOn); a.Status != http.StatusOK {
			t.Errorf("%s goes not on: %v", begin, a)
		}
		both := map[string]string{}
		for _, m := range []map[string]string{places, moved} {
			for path, answer := range m {
				both[path] = answer
			}
		}
		w.Upstream(saying(both))
		if a := w.Do(t.Context(), goOn); a.Header.Get("X-Vecgate-Code") != string(access.CodeUnclear) {
			t.Errorf("%s goes on although its alias was moved: %v", begin, a)
		}
	}
}

// TestAFieldThatHasJustAppearedIsHidden: what a query about every field reads is looked up for that query, because a document
// that somebody writes may have made a field a moment ago.
func TestAFieldThatHasJustAppearedIsHidden(t *testing.T) {
	const (
		anyField = `{"query":{"query_string":{"query":"a@b"}}}`
		noEmail  = `{"fresh":{"mappings":{"properties":{"n":{"type":"integer"}}}}}`
		email    = `{"fresh":{"mappings":{"properties":{"n":{"type":"integer"},"email":{"type":"keyword"}}}}}`
	)
	w := protocoltest.Start(t, suite())
	w.Oblige(access.Obligations{Protection: &access.Protection{Fields: protection.Fields}})
	ask := func(mapping, body string) string {
		w.Upstream(saying(map[string]string{"/fresh/_mapping": mapping}))
		return w.Do(t.Context(), protocoltest.Request{Method: "POST", Path: "/fresh/_search", Body: body}).Header.Get("X-Vecgate-Code")
	}
	for _, x := range []struct{ mapping, body, want string }{
		{noEmail, anyField, ""},
		{noEmail, `{"query":{"multi_match":{"query":"a@b"}}}`, ""},
		{email, anyField, "cannot-be-obliged"},
		{email, `{"query":{"multi_match":{"query":"a@b"}}}`, "cannot-be-obliged"},
		{email, `{"query":{"multi_match":{"query":"a@b","fields":["e*"]}}}`, "cannot-be-obliged"},
		{`{"fresh":{"mappings":{}}}`, anyField, "cannot-be-obliged"}, // nothing is known of it
		{``, anyField, "cannot-be-obliged"},                          // nor is there one yet
		{``, `{"query":{"term":{"email":"a@b"}}}`, "cannot-be-obliged"},
	} {
		if got := ask(x.mapping, x.body); got != x.want {
			t.Errorf("with %s %s is %q, want %q", x.mapping, x.body, got, x.want)
		}
	}
}

// TestNothingIsFoundUnderAFilterBeforeThereIsAMapping: the first document may make the filter's field one of texts, whose
// words match.
func TestNothingIsFoundUnderAFilterBeforeThereIsAMapping(t *testing.T) {
	w := protocoltest.Start(t, suite())
	w.Oblige(access.Obligations{Filters: []access.FilterRule{{Pattern: "**", Field: "tenant", Values: []string{"acme"}, Rule: "own-tenant"}}})
	r := protocoltest.Request{Method: "POST", Path: "/secrets/_search", Body: `{"query":{"match_all":{}}}`}
	if a := w.Do(t.Context(), r); a.Status != http.StatusOK {
		t.Fatal(a)
	}
	want := `{"query":{"bool":{"must":{"match_all":{}},"filter":[{"match_none":{}}]}}}`
	if sent := w.Received(r); len(sent) != 1 || sent[0].Body != want {
		t.Errorf("it is sent on as %v, want %s", sent, want)
	}
}
