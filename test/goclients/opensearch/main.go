// Command opensearch is a working day of OpenSearch's own client for Go: opensearch URL TOKEN WHAT. It prints what it saw,
// one JSON value a line.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/opensearch-project/opensearch-go/v4"
	"github.com/opensearch-project/opensearch-go/v4/opensearchapi"
	"github.com/opensearch-project/opensearch-go/v4/opensearchutil"

	"github.com/vecgate/vecgate/test/goclients/day"
)

type worker struct {
	*opensearchapi.Client
	ctx context.Context
}

func main() {
	if len(os.Args) != 4 {
		day.Must(errors.New("usage: opensearch URL TOKEN WHAT"))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
	defer cancel()
	config := opensearch.Config{Addresses: []string{os.Args[1]}, Header: http.Header{}}
	if token := os.Args[2]; token != "" {
		config.Header.Set("Authorization", "Bearer "+token)
	}
	client, err := opensearchapi.NewClient(opensearchapi.Config{Client: config})
	day.Must(err)
	w := worker{client, ctx}
	day.Run(os.Args[3], map[string]func(){"everything": w.everything, "look": w.look, "upsert": w.upsert})
}

// object is a JSON object, and list one of JSON's lists, as people write them in Go.
type (
	object = map[string]any
	list   = []any
)

func body(v any) io.Reader { return opensearchutil.NewJSONReader(v) }

// lines are documents of the bulk interfaces.
func lines(all ...any) io.Reader {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	for _, v := range all {
		day.Must(encoder.Encode(v))
	}
	return strings.NewReader(b.String())
}

func near(vector []float64, k int) object {
	return object{"size": k, "query": object{"knn": object{"v": object{"vector": vector, "k": k}}}}
}

func (w worker) fill(name string) {
	keyword := object{"type": "keyword"}
	made, err := w.Indices.Create(w.ctx, opensearchapi.IndicesCreateReq{Index: name, Body: body(object{
		"settings": object{"index.knn": true, "number_of_shards": 1, "number_of_replicas": 0},
		"mappings": object{"properties": object{
			"v":     object{"type": "knn_vector", "dimension": 3, "method": object{"name": "hnsw", "engine": "lucene", "space_type": "l2"}},
			"email": keyword, "text": object{"type": "text"}, "n": object{"type": "integer"}, "tenant": keyword,
			"notes": object{"type": "nested", "properties": object{"email": keyword, "word": keyword}},
		}},
	})})
	day.Saw("create")(made, err)
	bulk, err := opensearchutil.NewBulkIndexer(opensearchutil.BulkIndexerConfig{Client: w.Client, Index: name, Refresh: "true", NumWorkers: 1})
	day.Must(err)
	var failed atomic.Int64
	for i := range 20 {
		tenant := "even"
		if i%2 == 1 {
			tenant = "odd"
		}
		text, err := json.Marshal(object{
			"v": list{i, 1.5, -i}, "email": fmt.Sprintf("person%d@example.com", i), "text": fmt.Sprintf("text number %d", i), "n": i, "tenant": tenant,
			"notes": list{object{"email": fmt.Sprintf("note%d@example.com", i), "word": fmt.Sprintf("w%d", i)}},
		})
		day.Must(err)
		day.Must(bulk.Add(w.ctx, opensearchutil.BulkIndexerItem{
			Action: "index", DocumentID: fmt.Sprint(i), Body: strings.NewReader(string(text)),
			OnFailure: func(context.Context, opensearchutil.BulkIndexerItem, opensearchapi.BulkRespItem, error) {
				failed.Add(1)
			},
		}))
	}
	day.Must(bulk.Close(w.ctx))
	day.Say("filled", bulk.Stats().NumFlushed, failed.Load())
}

// found is what says whether something is there.
func found(r *opensearch.Response, err error) (any, error) {
	if r != nil && r.StatusCode == http.StatusNotFound {
		return false, nil
	}
	return err == nil, err
}

func (w worker) search(index string, query any) (any, error) {
	return w.Search(w.ctx, &opensearchapi.SearchReq{Indices: []string{index}, Body: body(query)})
}

func (w worker) count(index string, query any) (any, error) {
	req := &opensearchapi.IndicesCountReq{Indices: []string{index}}
	if query != nil {
		req.Body = body(query)
	}
	r, err := w.Indices.Count(w.ctx, req)
	if err != nil {
		return nil, err
	}
	return r.Count, nil
}

func (w worker) everything() {
	ctx := w.ctx
	info, err := w.Info(ctx, nil)
	day.Must(err)
	day.Say("info", info.Version.Number)
	day.Saw("ping")(found(w.Ping(ctx, nil)))
	day.Saw("exists")(found(w.Indices.Exists(ctx, opensearchapi.IndicesExistsReq{Indices: []string{"day"}})))
	w.fill("day")
	day.Saw("exists")(found(w.Indices.Exists(ctx, opensearchapi.IndicesExistsReq{Indices: []string{"day"}})))
	if r, err := w.Indices.Mapping.Get(ctx, &opensearchapi.MappingGetReq{Indices: []string{"day"}}); err != nil {
		day.Saw("mapping")(nil, err)
	} else {
		day.Say("mapping", r.GetIndices())
	}
	day.Saw("refresh")(w.Indices.Refresh(ctx, &opensearchapi.IndicesRefreshReq{Index: []string{"day"}}))
	day.Saw("count")(w.count("day", nil))
	day.Saw("count")(w.count("day", object{"query": object{"term": object{"tenant": "even"}}}))
	day.Saw("get")(w.Document.Get(ctx, opensearchapi.DocumentGetReq{Index: "day", DocumentID: "3"}))
	day.Saw("source")(w.Document.Source(ctx, opensearchapi.DocumentSourceReq{Index: "day", DocumentID: "3", Params: opensearchapi.DocumentSourceParams{SourceIncludes: []string{"n", "text"}}}))
	day.Saw("there")(found(w.Document.Exists(ctx, opensearchapi.DocumentExistsReq{Index: "day", DocumentID: "3"})))
	day.Saw("missing")(w.Document.Get(ctx, opensearchapi.DocumentGetReq{Index: "day", DocumentID: "nobody"}))
	day.Saw("mget")(w.MGet(ctx, opensearchapi.MGetReq{Index: "day", Body: body(object{"ids": list{"1", "nobody"}})}))
	day.Saw("near")(w.search("day", near([]float64{1, 1, 1}, 3)))
	day.Saw("words")(w.search("day", object{
		"query":   object{"bool": object{"must": list{object{"match": object{"text": "number"}}}, "filter": list{object{"range": object{"n": object{"gte": 18}}}}}},
		"_source": list{"n"}, "sort": list{object{"n": "desc"}}, "highlight": object{"fields": object{"text": object{}}},
		"aggs": object{"by": object{"terms": object{"field": "tenant"}}},
	}))
	day.Saw("nested")(w.search("day", object{"query": object{"nested": object{"path": "notes", "query": object{"term": object{"notes.word": "w7"}}, "inner_hits": object{}}}, "_source": false}))
	day.Saw("msearch")(w.MSearch(ctx, opensearchapi.MSearchReq{Body: lines(object{"index": "day"}, near([]float64{3, 1.5, -3}, 1), object{"index": "day"}, object{"size": 0, "query": object{"match_all": object{}}})}))
	w.scroll()
	w.moment()
	yes := "true"
	day.Saw("update")(w.Update(ctx, opensearchapi.UpdateReq{Index: "day", DocumentID: "1", Body: body(object{"doc": object{"n": 100, "v": list{7, 7, 7}}}), Params: opensearchapi.UpdateParams{Refresh: yes}}))
	day.Saw("index")(w.Index(ctx, opensearchapi.IndexReq{Index: "day", DocumentID: "user:1", Body: body(object{"text": "ü \u2028 \"quoted\" 😀", "n": 5}), Params: opensearchapi.IndexParams{Refresh: yes}}))
	day.Saw("again")(w.Document.Get(ctx, opensearchapi.DocumentGetReq{Index: "day", DocumentID: "user:1"}))
	day.Saw("wrong")(w.Index(ctx, opensearchapi.IndexReq{Index: "day", DocumentID: "odd", Body: body(object{"n": "no number"})}))
	day.Saw("taken")(w.Document.Create(ctx, opensearchapi.DocumentCreateReq{Index: "day", DocumentID: "3", Body: body(object{"n": 1})}))
	day.Saw("bulk")(w.Bulk(ctx, opensearchapi.BulkReq{Index: "day", Params: opensearchapi.BulkParams{Refresh: yes}, Body: lines(object{"update": object{"_id": "2"}}, object{"doc": object{"n": 200}}, object{"delete": object{"_id": "4"}})}))
	day.Saw("delete")(w.Document.Delete(ctx, opensearchapi.DocumentDeleteReq{Index: "day", DocumentID: "5", Params: opensearchapi.DocumentDeleteParams{Refresh: yes}}))
	gone, err := w.Document.DeleteByQuery(ctx, opensearchapi.DocumentDeleteByQueryReq{
		Indices: []string{"day"}, Body: body(object{"query": object{"range": object{"n": object{"lt": 9}}}}), Params: opensearchapi.DocumentDeleteByQueryParams{Refresh: opensearchapi.ToPointer(true)},
	})
	if err == nil {
		day.Say("by query", gone.Deleted)
	} else {
		day.Saw("by query")(nil, err)
	}
	day.Saw("left")(w.count("day", nil))
	day.Saw("alias")(w.Indices.Alias.Put(ctx, opensearchapi.AliasPutReq{Indices: []string{"day"}, Alias: "daily"}))
	day.Saw("by alias")(w.count("daily", nil))
	if r, err := w.Indices.Alias.Get(ctx, opensearchapi.AliasGetReq{Indices: []string{"day"}}); err != nil {
		day.Saw("aliases")(nil, err)
	} else {
		day.Say("aliases", r.GetIndices())
	}
	day.Saw("broken")(w.search("day", object{"query": object{"range": object{"n": object{"gt": "xxx"}}}}))
	day.Saw("dropped")(w.Indices.Delete(ctx, opensearchapi.IndicesDeleteReq{Indices: []string{"day"}}))
	day.Saw("gone")(w.count("day", nil))
}

// scroll pages through an index.
func (w worker) scroll() {
	r, err := w.Search(w.ctx, &opensearchapi.SearchReq{
		Indices: []string{"day"}, Body: body(object{"query": object{"match_all": object{}}, "sort": list{"n"}}),
		Params: opensearchapi.SearchParams{Scroll: time.Minute, Size: opensearchapi.ToPointer(7)},
	})
	if err != nil {
		day.Saw("scroll")(nil, err)
		return
	}
	var ids []string
	hits := r.Hits.Hits
	id := *r.ScrollID
	for len(hits) > 0 {
		for _, h := range hits {
			ids = append(ids, h.ID)
		}
		page, err := w.Scroll.Get(w.ctx, opensearchapi.ScrollGetReq{ScrollID: id, Params: opensearchapi.ScrollGetParams{Scroll: time.Minute}})
		if err != nil {
			day.Saw("scroll")(nil, err)
			return
		}
		hits, id = page.Hits.Hits, *page.ScrollID
	}
	slices.Sort(ids)
	day.Say("scroll", ids)
	day.Saw("scrolled")(w.Scroll.Delete(w.ctx, opensearchapi.ScrollDeleteReq{ScrollIDs: []string{id}}))
}

// moment searches in a point in time.
func (w worker) moment() {
	pit, err := w.PointInTime.Create(w.ctx, opensearchapi.PointInTimeCreateReq{Indices: []string{"day"}, Params: opensearchapi.PointInTimeCreateParams{KeepAlive: time.Minute}})
	if err != nil {
		day.Saw("pit")(nil, err)
		return
	}
	day.Saw("pit")(w.Search(w.ctx, &opensearchapi.SearchReq{Body: body(object{"pit": object{"id": pit.PitID, "keep_alive": "1m"}, "size": 2, "sort": list{object{"n": "asc"}}, "_source": list{"n"}})}))
	gone, err := w.PointInTime.Delete(w.ctx, opensearchapi.PointInTimeDeleteReq{PitID: []string{pit.PitID}})
	if err != nil {
		day.Saw("closed")(nil, err)
		return
	}
	day.Say("closed", len(gone.Pits))
}

// look reads the customers, and tries what may not be.
func (w worker) look() {
	ctx := w.ctx
	closest := near([]float64{3, 1.5, -3.001}, 1)
	day.Saw("get")(w.Document.Get(ctx, opensearchapi.DocumentGetReq{Index: "customers", DocumentID: "3"}))
	day.Saw("near")(w.search("customers", closest))
	day.Saw("msearch")(w.MSearch(ctx, opensearchapi.MSearchReq{Body: lines(object{"index": "customers"}, closest)}))
	day.Saw("by email")(w.search("customers", object{"query": object{"term": object{"email": "person3@example.com"}}}))
	day.Saw("ordered")(w.search("customers", object{"query": object{"term": object{"n": 3}}, "sort": list{"email"}}))
	day.Saw("of emails")(w.search("customers", object{"size": 0, "aggs": object{"e": object{"terms": object{"field": "email"}}}}))
	day.Saw("delete")(w.Document.Delete(ctx, opensearchapi.DocumentDeleteReq{Index: "customers", DocumentID: "3"}))
	day.Saw("drop")(w.Indices.Delete(ctx, opensearchapi.IndicesDeleteReq{Indices: []string{"customers"}}))
}

// upsert writes one customer more.
func (w worker) upsert() {
	r, err := w.Index(w.ctx, opensearchapi.IndexReq{Index: "customers", DocumentID: "new", Body: body(object{"v": list{1, 2, 3}, "text": "hello"}), Params: opensearchapi.IndexParams{Refresh: "true"}})
	if err != nil {
		day.Saw("upsert")(nil, err)
		return
	}
	day.Say("upsert", r.Result)
}
