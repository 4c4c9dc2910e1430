package opensearch

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

func value(t testing.TB, text string) jsonstream.Value {
	v, err := jsonstream.Read([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func ask(_ context.Context, path string) (int, jsonstream.Value, error) {
	text, ok := answers[path]
	if !ok {
		return http.StatusNotFound, jsonstream.Value{}, nil
	}
	v, err := jsonstream.Read([]byte(text))
	return http.StatusOK, v, err
}

// FuzzSearch wants no document to panic, what is sent on to be read as the same again, and no search to pass without the filter.
func FuzzSearch(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"query":{"hybrid":{}}}`, `{"retriever":{"rrf":{}}}`, `{"query":{"bool":{"must":[{"term":{"n":1}},{"knn":{"v":{"vector":[1],"k":1,"filter":{"term":{"n":1}}}}}]}}}`, `{"knn":{"field":"v","query_vector":[1],"k":1}}`,
		`{"retriever":{"rrf":{"retrievers":[{"standard":{"query":{"match_all":{}}}}]}}}`, `{"query":{"hybrid":{"queries":[{"match_all":{}}]}},"size":0,"aggs":{"a":{"terms":{"field":"n"}}}}`,
		`{"query":{"nested":{"path":"notes","query":{"match":{"notes.author":{"query":"a"}}},"inner_hits":{}}},"sort":[{"n":{"order":"asc"}}],"_source":{"includes":["a"]},"highlight":{"fields":{"*":{}}}}`,
	} {
		f.Add(seed)
	}
	d := New(time.Now)
	o := access.Obligations{Protection: protection, Filters: tenant}
	f.Fuzz(func(t *testing.T, text string) {
		body, err := jsonstream.Read([]byte(text))
		if err != nil {
			return
		}
		read := func(body jsonstream.Value) (*httpwire.Call, error) {
			r := &httpwire.Request{Target: "docs", Params: map[string]string{"index": "customers"}, Body: body, Ask: ask}
			for _, route := range d.Routes() {
				if route.Name == "search" {
					r.Route = &route
				}
			}
			return d.Read(t.Context(), r)
		}
		call, err := read(body)
		if err != nil {
			return
		}
		again, err := read(call.Body)
		if err != nil || said(again.Accesses) != said(call.Accesses) {
			t.Fatalf("read as %s, and then as %v, %v", said(call.Accesses), again, err)
		}
		obliged, err := call.Oblige(&o)
		if err != nil {
			return
		}
		if !strings.Contains(string(obliged.Body.Raw()), mine) {
			t.Fatalf("%s is sent as %s", text, obliged.Body.Raw())
		}
		if _, err := read(obliged.Body); err != nil {
			t.Fatalf("%s is sent as %s: %v", text, obliged.Body.Raw(), err)
		}
	})
}

// FuzzBulk wants no lines to panic, and every write to be judged.
func FuzzBulk(f *testing.F) {
	f.Add("{\"index\":{\"_id\":\"1\"}}\n{\"tenant\":\"eu\"}\n{\"delete\":{\"_id\":\"2\"}}\n{\"update\":{\"_id\":\"3\"}}\n{\"doc\":{\"email\":1}}\n")
	d := New(time.Now)
	o := access.Obligations{Protection: protection}
	f.Fuzz(func(t *testing.T, text string) {
		lines, err := jsonstream.ReadLines([]byte(text), 100)
		if err != nil {
			return
		}
		r := &httpwire.Request{Target: "docs", Params: map[string]string{"index": "customers"}, Lines: lines, Ask: ask}
		for _, route := range d.Routes() {
			if route.Name == "bulk_of" {
				r.Route = &route
			}
		}
		call, err := d.Read(t.Context(), r)
		if err != nil {
			return
		}
		n := int64(0)
		for _, a := range call.Accesses {
			if a.Action != access.UpdateVectors && a.Action != access.CodeExec {
				n += a.Attributes.Points
			}
		}
		if n == 0 {
			t.Fatalf("%q does nothing", text)
		}
		_, _ = call.Oblige(&o)
	})
}
