package opensearchtest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/test/stage"
)

// elastic is a stand-in for Elasticsearch: the real OpenSearch, with its answers bearing the product's name, its media types
// taken, dense_vector for knn_vector, and knn beside a query for knn in a query. It says a version that the client believes.
func elastic(t *testing.T) string {
	t.Helper()
	if server.err != nil {
		t.Fatal(server.err)
	}
	to, err := url.Parse(server.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Header.Del("Authorization")
			r.Out.Header.Del("Accept")
			if r.Out.Body == nil || r.Out.ContentLength == 0 {
				return
			}
			kind := "application/json"
			if strings.Contains(r.In.Header.Get("Content-Type"), "ndjson") {
				kind = "application/x-ndjson"
			}
			r.Out.Header.Set("Content-Type", kind)
			text, err := io.ReadAll(r.Out.Body)
			if err != nil {
				t.Errorf("read what the client sent: %v", err)
			}
			var doc map[string]any
			if json.Unmarshal(text, &doc) == nil && translate(doc) {
				text, _ = json.Marshal(doc) // it was JSON
			}
			r.Out.Body, r.Out.ContentLength = io.NopCloser(strings.NewReader(string(text))), int64(len(text))
		},
		ModifyResponse: func(r *http.Response) error {
			r.Header.Set("X-Elastic-Product", "Elasticsearch")
			if r.Request.URL.Path != "/" || r.Request.Method != http.MethodGet {
				return nil
			}
			text := `{"name":"one","cluster_name":"test","version":{"number":"8.19.0","build_flavor":"default"},"tagline":"You Know, for Search"}`
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
			r.Header.Set("Content-Length", "")
			r.Header.Del("Content-Length")
			r.Header.Del("Content-Encoding") // what came may have been compressed
			return nil
		},
	}
	s := httptest.NewServer(proxy)
	t.Cleanup(s.Close)
	return s.URL
}

// translate makes OpenSearch's document of Elasticsearch's, and says whether anything differs.
func translate(doc map[string]any) bool {
	changed := false
	if mappings, ok := doc["mappings"].(map[string]any); ok {
		properties, _ := mappings["properties"].(map[string]any)
		for name, p := range properties {
			if m, ok := p.(map[string]any); ok && m["type"] == "dense_vector" {
				properties[name] = map[string]any{"type": "knn_vector", "dimension": m["dims"], "method": map[string]any{"name": "hnsw", "engine": "lucene"}}
				settings, _ := doc["settings"].(map[string]any)
				if settings == nil {
					settings = map[string]any{}
				}
				settings["index.knn"] = true
				doc["settings"] = settings
				changed = true
			}
		}
	}
	if knn, ok := doc["knn"].(map[string]any); ok {
		near := map[string]any{"vector": knn["query_vector"], "k": knn["k"]}
		if f, ok := knn["filter"]; ok {
			if list, ok := f.([]any); ok {
				f = map[string]any{"bool": map[string]any{"filter": list}}
			}
			near["filter"] = f
		}
		name, _ := knn["field"].(string)
		doc["query"] = map[string]any{"knn": map[string]any{name: near}}
		delete(doc, "knn")
		changed = true
	}
	return changed
}

func startElastic(t *testing.T) (b *behind, direct string) {
	t.Helper()
	return startElasticUnder(t, policyText)
}

// startElasticUnder is startElastic with another policy.
func startElasticUnder(t *testing.T, policy string) (b *behind, direct string) {
	t.Helper()
	direct = elastic(t)
	t.Cleanup(func() {
		for _, index := range []string{"day", "customers", "chain", "index", "evening"} {
			clean(t, index)
		}
	})
	s := stage.Start(t, stage.Options{
		Listeners: []stage.Listener{{Name: "rest", Protocol: "http"}}, Policy: policy,
		Targets: []stage.Target{{Name: "docs", Engine: "elasticsearch", Address: strings.TrimPrefix(direct, "http://")}},
	})
	return &behind{s, "http://" + s.Address["rest"]}, direct
}

func TestANormalDayOfTheElasticsearchClientWithAStandIn(t *testing.T) {
	b, url := startElastic(t)
	direct := day(t, "elastic.py", url, "", "everything")
	through := day(t, "elastic.py", b.gateway, b.As(t, "tess"), "everything")
	if d := gocmp.Diff(direct, through); d != "" {
		t.Errorf("what Tess sees through the gateway differs (-direct +gateway):\n%s", d)
	}
	if len(direct) < 17 {
		t.Errorf("the day ended early: %q", direct)
	}
}

func TestPersonalDataAndVectorsAreHiddenFromAnElasticsearchClientWithAStandIn(t *testing.T) {
	b, url := startElastic(t)
	day(t, "elastic.py", url, "", "fill")
	for script, refused := range map[string]string{"elastic.py": "AuthorizationException", "elastic.mjs": "ResponseError"} {
		seen := strings.Join(day(t, script, b.gateway, b.As(t, "sam"), "look"), "\n")
		seen = strings.NewReplacer(`": `, `":`, `", `, `",`).Replace(seen)
		for _, bad := range []string{"person3@", "-3", "0.99"} {
			if strings.Contains(seen, bad) {
				t.Errorf("%s: Sam sees %q:\n%s", script, bad, seen)
			}
		}
		for _, good := range []string{
			`"email":"[redacted]"`, `"text":"text number 3"`, `["by email","` + refused + `","field email`, `["esql","` + refused + `"`,
			`["drop","` + refused + `"`, "drops-are-denied",
		} {
			if !strings.Contains(seen, good) {
				t.Errorf("%s: Sam does not see %q:\n%s", script, good, seen)
			}
		}
	}
}

func TestANormalDayOfElasticsearchsJavaScriptClientWithAStandIn(t *testing.T) {
	b, url := startElastic(t)
	direct := day(t, "elastic.mjs", url, "", "everything")
	through := day(t, "elastic.mjs", b.gateway, b.As(t, "tess"), "everything")
	if d := gocmp.Diff(direct, through); d != "" {
		t.Errorf("what Tess sees through the gateway differs (-direct +gateway):\n%s", d)
	}
	if len(direct) < 18 {
		t.Errorf("the day ended early: %q", direct)
	}
}

func TestANormalDayOfOpenSearchsJavaScriptClientLooksTheSameThroughTheGateway(t *testing.T) {
	b := start(t)
	direct := day(t, "day.mjs", server.url, "", "everything")
	through := day(t, "day.mjs", b.gateway, b.As(t, "tess"), "everything")
	if d := gocmp.Diff(direct, through); d != "" {
		t.Errorf("what Tess sees through the gateway differs (-direct +gateway):\n%s", d)
	}
	if len(direct) < 12 {
		t.Errorf("the day ended early: %q", direct)
	}
	day(t, "day.py", server.url, "", "fill")
	seen := strings.Join(day(t, "day.mjs", b.gateway, b.As(t, "sam"), "look"), "\n")
	if strings.Contains(seen, "person3@") || strings.Contains(seen, "-3") || !strings.Contains(seen, `"email":"[redacted]"`) || !strings.Contains(seen, `["drop","ResponseError","not allowed`) {
		t.Errorf("Sam sees:\n%s", seen)
	}
}
