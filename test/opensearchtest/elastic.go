package opensearchtest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
)

// Elasticsearch is a stand-in for it: the real OpenSearch at an address, with its answers bearing the product's name, its media
// types taken, dense_vector for knn_vector, and knn beside a query for knn in a query. It says a version that clients believe.
func Elasticsearch(opensearch *url.URL) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(opensearch)
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
			text, _ := io.ReadAll(r.Out.Body) // what came before a break is refused by the server
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
			r.Header.Del("Content-Length")
			r.Header.Del("Content-Encoding") // what came may have been compressed
			return nil
		},
	}
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
