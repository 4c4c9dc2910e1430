package opensearchtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/opensearch"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

// shelf is an index of many tenants on the real server, and a gateway that lets its caller reach one of them.
type shelf struct {
	t    *testing.T
	w    *protocoltest.World
	docs map[string]book
}

type book struct {
	V      [2]float64 `json:"v"`
	N      int        `json:"n"`
	Text   string     `json:"text"`
	Tenant string     `json:"tenant"`
}

func stock(t *testing.T) *shelf {
	t.Helper()
	if server.err != nil {
		t.Fatal(server.err)
	}
	to, err := url.Parse(server.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Header.Del("Authorization")
	}}
	s := &shelf{t: t, docs: map[string]book{}}
	s.w = protocoltest.Start(t, &protocoltest.Suite{New: func() httpwire.Dialect { return opensearch.New(time.Now) }, Upstream: proxy})
	s.w.Oblige(access.Obligations{Filters: []access.FilterRule{{Pattern: "**", Field: "tenant", Values: []string{"a", "d"}, Rule: "own-tenant"}}})
	clean(t, "shelf")
	t.Cleanup(func() { clean(t, "shelf") })
	s.direct("PUT", "/shelf", `{"settings":{"index.knn":true,"number_of_shards":1,"number_of_replicas":0},"mappings":{"properties":{
		"v":{"type":"knn_vector","dimension":2,"method":{"name":"hnsw","engine":"lucene","space_type":"l2"}},"n":{"type":"integer"},"text":{"type":"text"},"tenant":{"type":"keyword"}}}}`)
	r := rand.New(rand.NewPCG(1, 2))
	var lines bytes.Buffer
	for i := range 120 {
		// No two documents are equally far from any question: coordinates are drawn from many values.
		b := book{V: [2]float64{float64(r.IntN(1_000_000)) / 1000, float64(r.IntN(1_000_000)) / 1000}, N: r.IntN(10), Text: []string{"red", "green", "blue"}[r.IntN(3)], Tenant: []string{"a", "b", "c", "d"}[r.IntN(4)]}
		id := fmt.Sprint(i)
		s.docs[id] = b
		text, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&lines, "{\"index\":{\"_index\":\"shelf\",\"_id\":%q}}\n%s\n", id, text)
	}
	s.direct("POST", "/_bulk?refresh=true", lines.String())
	return s
}

func (s *shelf) direct(method, path, body string) string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, server.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 || strings.Contains(string(text), `"errors":true`) {
		s.t.Fatalf("%s %s: %s %s %v", method, path, resp.Status, text, err)
	}
	return string(text)
}

type page struct {
	ScrollID string `json:"_scroll_id"`
	Hits     struct {
		Total struct{ Value int }
		Hits  []struct {
			ID string `json:"_id"`
		}
	}
	Count        int
	Aggregations struct{ S struct{ Value float64 } }
	Responses    []page
}

func (p *page) ids() []string {
	ids := []string{}
	for _, h := range p.Hits.Hits {
		ids = append(ids, h.ID)
	}
	slices.Sort(ids)
	return ids
}

// ask asks through the gateway.
func (s *shelf) ask(path, body string) *page {
	s.t.Helper()
	a := s.w.Do(s.t.Context(), protocoltest.Request{Method: http.MethodPost, Path: path, Body: body})
	p := &page{}
	if err := json.Unmarshal([]byte(a.Body), p); err != nil || a.Status != http.StatusOK {
		s.t.Fatalf("%s %s: %v", path, body, a)
	}
	return p
}

// mine are the ids of the caller's documents for which keep is true.
func (s *shelf) mine(keep func(book) bool) []string {
	ids := []string{}
	for id, b := range s.docs {
		if (b.Tenant == "a" || b.Tenant == "d") && keep(b) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// condition draws a query, and what it says.
func condition(r *rand.Rand, depth int) (string, func(book) bool) {
	switch n := r.IntN(10); {
	case n < 2:
		v := r.IntN(10)
		return fmt.Sprintf(`{"term":{"n":%d}}`, v), func(b book) bool { return b.N == v }
	case n < 4:
		v := r.IntN(10)
		return fmt.Sprintf(`{"range":{"n":{"gte":%d}}}`, v), func(b book) bool { return b.N >= v }
	case n < 5:
		return `{"match":{"text":"red"}}`, func(b book) bool { return b.Text == "red" }
	case n < 6:
		v := []string{"a", "b", "c"}[r.IntN(3)] // asks for other tenants, too
		return fmt.Sprintf(`{"term":{"tenant":%q}}`, v), func(b book) bool { return b.Tenant == v }
	case n < 7 || depth > 3:
		return `{"match_all":{}}`, func(book) bool { return true }
	}
	one, a := condition(r, depth+1)
	two, b := condition(r, depth+1)
	switch r.IntN(3) {
	case 0:
		return fmt.Sprintf(`{"bool":{"must":[%s],"filter":[%s]}}`, one, two), func(x book) bool { return a(x) && b(x) }
	case 1:
		return fmt.Sprintf(`{"bool":{"should":[%s,%s],"minimum_should_match":1}}`, one, two), func(x book) bool { return a(x) || b(x) }
	}
	return fmt.Sprintf(`{"bool":{"must":%s,"must_not":%s}}`, one, two), func(x book) bool { return a(x) && !b(x) }
}

func TestAnswersUnderAFilterAreTheFilteredExactAnswers(t *testing.T) {
	s := stock(t)
	r := rand.New(rand.NewPCG(3, 4))
	for range 12 {
		query, keep := condition(r, 0)
		want := s.mine(keep)
		whole := `{"size":200,"_source":false,"query":` + query + `}`
		if d := gocmp.Diff(want, s.ask("/shelf/_search", whole).ids()); d != "" {
			t.Errorf("search %s (-filtered exact answer +through the gateway):\n%s", query, d)
		}
		if got := s.ask("/shelf/_count", `{"query":`+query+`}`).Count; got != len(want) {
			t.Errorf("count %s: %d, want %d", query, got, len(want))
		}
		sum := 0.0
		for _, id := range want {
			sum += float64(s.docs[id].N)
		}
		if got := s.ask("/shelf/_search", `{"size":0,"query":`+query+`,"aggs":{"s":{"sum":{"field":"n"}}}}`).Aggregations.S.Value; got != sum {
			t.Errorf("sum of %s: %v, want %v", query, got, sum)
		}
		several := s.ask("/_msearch", "{\"index\":\"shelf\"}\n"+whole+"\n{\"index\":\"shelf\"}\n{\"size\":200}\n")
		if d := gocmp.Diff([][]string{want, s.mine(func(book) bool { return true })}, [][]string{several.Responses[0].ids(), several.Responses[1].ids()}); d != "" {
			t.Errorf("msearch %s:\n%s", query, d)
		}
		scrolled := []string{}
		for p := s.ask("/shelf/_search?scroll=1m", `{"size":17,"query":`+query+`}`); len(p.Hits.Hits) > 0; p = s.ask("/_search/scroll", `{"scroll":"1m","scroll_id":"`+p.ScrollID+`"}`) {
			scrolled = append(scrolled, p.ids()...)
		}
		slices.Sort(scrolled)
		if d := gocmp.Diff(want, scrolled); d != "" {
			t.Errorf("scroll %s:\n%s", query, d)
		}

		// The nearest of the caller's own, not what is left of the nearest of all.
		at, k := [2]float64{float64(r.IntN(1000)), float64(r.IntN(1000))}, 1+r.IntN(8)
		far := func(id string) float64 {
			v := s.docs[id].V
			return (v[0]-at[0])*(v[0]-at[0]) + (v[1]-at[1])*(v[1]-at[1])
		}
		near := slices.Clone(want)
		slices.SortFunc(near, func(a, b string) int {
			switch x, y := far(a), far(b); {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		})
		near = near[:min(k, len(near))]
		slices.Sort(near)
		vector := fmt.Sprintf(`{"vector":[%v,%v],"k":%d,"filter":%s}`, at[0], at[1], k, query)
		if d := gocmp.Diff(near, s.ask("/shelf/_search", fmt.Sprintf(`{"size":%d,"_source":false,"query":{"knn":{"v":%s}}}`, k, vector)).ids()); d != "" {
			t.Errorf("the %d nearest to %v with %s:\n%s", k, at, query, d)
		}
	}
}

func TestUnderAFilterDocumentsOfOthersAreNeitherReadNorWritten(t *testing.T) {
	s := stock(t)
	own, other := s.mine(func(b book) bool { return b.Tenant == "a" })[0], ""
	for id, b := range s.docs {
		if b.Tenant == "b" {
			other = id
		}
	}
	const write = `{"n":1,"v":[1,1],"text":"new","tenant":"a"}`
	for _, x := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/shelf/_doc/" + own, ``, 200},
		{"GET", "/shelf/_doc/" + other, ``, 403},
		{"GET", "/shelf/_source/" + other, ``, 403},
		{"HEAD", "/shelf/_doc/" + other, ``, 403},
		{"POST", "/shelf/_mget", `{"ids":["` + own + `","` + other + `"]}`, 403},
		{"PUT", "/shelf/_doc/" + other, write, 403},
		{"POST", "/shelf/_update/" + other, `{"doc":{"tenant":"a"}}`, 403},
		{"POST", "/shelf/_update/" + own, `{"doc":{"tenant":"b"}}`, 403},
		{"DELETE", "/shelf/_doc/" + other, ``, 403},
		{"POST", "/_bulk", "{\"delete\":{\"_index\":\"shelf\",\"_id\":\"" + other + "\"}}\n", 403},
		{"PUT", "/shelf/_doc/new", strings.Replace(write, `"a"`, `"b"`, 1), 403},
		{"PUT", "/shelf/_doc/new", write, 201},
		{"GET", "/shelf/_doc/new", ``, 200}, // before the index has been made ready for searches
		{"POST", "/shelf/_update/new", `{"doc":{"n":2}}`, 200},
		{"DELETE", "/shelf/_doc/new", ``, 200},
		{"DELETE", "/shelf", ``, 403},
		{"POST", "/shelf/_clone/copy", ``, 403},
		{"POST", "/_reindex", `{"source":{"index":"shelf"},"dest":{"index":"copy"}}`, 403},
		{"POST", "/shelf/_delete_by_query?refresh=true", `{"query":{"match_all":{}}}`, 200},
	} {
		if a := s.w.Do(t.Context(), protocoltest.Request{Method: x.method, Path: x.path, Body: x.body}); a.Status != x.want {
			t.Errorf("%s %s: %v", x.method, x.path, a)
		}
	}
	left := 0
	for _, b := range s.docs {
		if b.Tenant == "b" || b.Tenant == "c" {
			left++
		}
	}
	var p page
	if err := json.Unmarshal([]byte(s.direct("GET", "/shelf/_count", "")), &p); err != nil || p.Count != left {
		t.Errorf("there are %d left, want the %d of others; %v", p.Count, left, err)
	}
}
