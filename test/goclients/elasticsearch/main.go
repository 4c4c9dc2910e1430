// Command elasticsearch is a working day of Elasticsearch's own client for Go: elasticsearch URL TOKEN WHAT. It prints what
// it saw, one JSON value a line.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/elastic/go-elasticsearch/v9"
	"github.com/elastic/go-elasticsearch/v9/esapi"
	"github.com/elastic/go-elasticsearch/v9/esutil"

	"github.com/vecgate/vecgate/test/goclients/day"
)

type worker struct {
	*elasticsearch.Client
	typed *elasticsearch.TypedClient
	ctx   context.Context
}

func main() {
	if len(os.Args) != 4 {
		day.Must(errors.New("usage: elasticsearch URL TOKEN WHAT"))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
	defer cancel()
	config := elasticsearch.Config{Addresses: []string{os.Args[1]}, APIKey: os.Args[2]}
	client, err := elasticsearch.NewClient(config)
	day.Must(err)
	typed, err := elasticsearch.NewTypedClient(config)
	day.Must(err)
	w := worker{client, typed, ctx}
	day.Run(os.Args[3], map[string]func(){"everything": w.everything, "look": w.look, "upsert": w.upsert})
}

// object is a JSON object, and list one of JSON's lists, as people write them in Go.
type (
	object = map[string]any
	list   = []any
)

func body(v any) io.Reader { return esutil.NewJSONReader(v) }

// answered is what an answer holds.
func answered(r *esapi.Response, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	if r.IsError() {
		return nil, errors.New(r.String())
	}
	var v any
	err = json.NewDecoder(r.Body).Decode(&v)
	return v, err
}

// counted is one number of an answer.
func counted(name string) func(*esapi.Response, error) (any, error) {
	return func(r *esapi.Response, err error) (any, error) {
		v, err := answered(r, err)
		if err != nil {
			return nil, err
		}
		members, _ := v.(object)
		return members[name], nil
	}
}

// found is what says whether something is there.
func found(r *esapi.Response, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	return r.StatusCode, nil
}

func near(vector []float64, k int) object {
	return object{"size": k, "knn": object{"field": "v", "query_vector": vector, "k": k, "num_candidates": 20}}
}

func (w worker) fill(name string) {
	keyword := object{"type": "keyword"}
	made, err := w.Indices.Create(name, w.Indices.Create.WithContext(w.ctx), w.Indices.Create.WithBody(body(object{
		"settings": object{"number_of_shards": 1, "number_of_replicas": 0},
		"mappings": object{"properties": object{
			"v":     object{"type": "dense_vector", "dims": 3, "index": true, "similarity": "l2_norm"},
			"email": keyword, "text": object{"type": "text"}, "n": object{"type": "integer"}, "tenant": keyword,
		}},
	})))
	day.Saw("create")(answered(made, err))
	bulk, err := esutil.NewBulkIndexer(esutil.BulkIndexerConfig{Client: w.Client, Index: name, Refresh: "true", NumWorkers: 1})
	day.Must(err)
	var failed atomic.Int64
	for i := range 20 {
		tenant := "even"
		if i%2 == 1 {
			tenant = "odd"
		}
		text, err := json.Marshal(object{"v": list{i, 1.5, -i}, "email": fmt.Sprintf("person%d@example.com", i), "text": fmt.Sprintf("text number %d", i), "n": i, "tenant": tenant})
		day.Must(err)
		day.Must(bulk.Add(w.ctx, esutil.BulkIndexerItem{
			Action: "index", DocumentID: fmt.Sprint(i), Body: strings.NewReader(string(text)),
			OnFailure: func(context.Context, esutil.BulkIndexerItem, esutil.BulkIndexerResponseItem, error) { failed.Add(1) },
		}))
	}
	day.Must(bulk.Close(w.ctx))
	day.Say("filled", bulk.Stats().NumFlushed, failed.Load())
}

func (w worker) search(index string, query any) (any, error) {
	return answered(w.Search(w.Search.WithContext(w.ctx), w.Search.WithIndex(index), w.Search.WithBody(body(query))))
}

func (w worker) everything() {
	ctx := w.ctx
	day.Saw("info")(counted("tagline")(w.Info(w.Info.WithContext(ctx))))
	day.Saw("ping")(found(w.Ping(w.Ping.WithContext(ctx))))
	day.Saw("exists")(found(w.Indices.Exists([]string{"day"}, w.Indices.Exists.WithContext(ctx))))
	w.fill("day")
	day.Saw("count")(counted("count")(w.Count(w.Count.WithContext(ctx), w.Count.WithIndex("day"))))
	day.Saw("some")(counted("count")(w.Count(w.Count.WithContext(ctx), w.Count.WithIndex("day"), w.Count.WithBody(body(object{"query": object{"term": object{"tenant": "even"}}})))))
	day.Saw("get")(answered(w.Get("day", "3", w.Get.WithContext(ctx))))
	day.Saw("missing")(answered(w.Get("day", "nobody", w.Get.WithContext(ctx))))
	day.Saw("mget")(answered(w.Mget(body(object{"ids": list{"1", "nobody"}}), w.Mget.WithContext(ctx), w.Mget.WithIndex("day"))))
	day.Saw("near")(w.search("day", near([]float64{1, 1, 1}, 3)))
	day.Saw("words")(w.search("day", object{
		"query": object{"match": object{"text": "number"}}, "size": 2, "sort": list{object{"n": "desc"}}, "aggs": object{"by": object{"terms": object{"field": "tenant"}}},
	}))
	typed, err := w.typed.Search().Index("day").Raw(body(object{"query": object{"range": object{"n": object{"gte": 17}}}, "sort": list{"n"}})).Do(ctx)
	if err == nil {
		day.Say("typed", typed.Hits.Total.Value, typed.Hits.Hits[0].Source_)
	} else {
		day.Saw("typed")(nil, err)
	}
	one, err := w.typed.Get("day", "7").Do(ctx)
	if err == nil {
		day.Say("typed get", one.Found, one.Source_)
	} else {
		day.Saw("typed get")(nil, err)
	}
	w.scroll()
	day.Saw("update")(answered(w.Update("day", "1", body(object{"doc": object{"n": 100}}), w.Update.WithContext(ctx), w.Update.WithRefresh("true"))))
	day.Saw("index")(answered(w.Index("day", body(object{"text": "ü \"quoted\" 😀"}), w.Index.WithContext(ctx), w.Index.WithDocumentID("user:1"), w.Index.WithRefresh("true"))))
	day.Saw("taken")(counted("error")(w.Create("day", "3", body(object{"n": 1}), w.Create.WithContext(ctx))))
	day.Saw("delete")(answered(w.Delete("day", "5", w.Delete.WithContext(ctx), w.Delete.WithRefresh("true"))))
	day.Saw("by query")(counted("deleted")(w.DeleteByQuery([]string{"day"}, body(object{"query": object{"range": object{"n": object{"lt": 9}}}}), w.DeleteByQuery.WithContext(ctx), w.DeleteByQuery.WithRefresh(true))))
	day.Saw("left")(counted("count")(w.Count(w.Count.WithContext(ctx), w.Count.WithIndex("day"))))
	day.Saw("dropped")(answered(w.Indices.Delete([]string{"day"}, w.Indices.Delete.WithContext(ctx))))
	day.Saw("gone")(counted("count")(w.Count(w.Count.WithContext(ctx), w.Count.WithIndex("day"))))
}

// scroll pages through an index.
func (w worker) scroll() {
	v, err := answered(w.Search(w.Search.WithContext(w.ctx), w.Search.WithIndex("day"), w.Search.WithScroll(time.Minute), w.Search.WithSize(7), w.Search.WithBody(body(object{"sort": list{"n"}}))))
	pages := 0
	for err == nil {
		page, _ := v.(object)
		hits, _ := page["hits"].(object)
		here, _ := hits["hits"].(list)
		id, _ := page["_scroll_id"].(string)
		if len(here) == 0 {
			_, err = answered(w.ClearScroll(w.ClearScroll.WithContext(w.ctx), w.ClearScroll.WithBody(body(object{"scroll_id": id}))))
			break
		}
		pages++
		day.Say("scroll", here)
		v, err = answered(w.Scroll(w.Scroll.WithContext(w.ctx), w.Scroll.WithBody(body(object{"scroll_id": id, "scroll": "1m"}))))
	}
	day.Saw("scrolled")(pages, err)
}

// look reads the customers, and tries what may not be.
func (w worker) look() {
	ctx := w.ctx
	day.Saw("get")(answered(w.Get("customers", "3", w.Get.WithContext(ctx))))
	day.Saw("near")(w.search("customers", near([]float64{3, 1.5, -3.001}, 1)))
	one, err := w.typed.Get("customers", "3").Do(ctx)
	if err == nil {
		day.Say("typed get", one.Found, one.Source_)
	} else {
		day.Saw("typed get")(nil, err)
	}
	day.Saw("by email")(w.search("customers", object{"query": object{"term": object{"email": "person3@example.com"}}}))
	day.Saw("delete")(answered(w.Delete("customers", "3", w.Delete.WithContext(ctx))))
	day.Saw("drop")(answered(w.Indices.Delete([]string{"customers"}, w.Indices.Delete.WithContext(ctx))))
	gone, err := w.typed.Indices.Delete("customers").Do(ctx)
	day.Saw("typed drop")(gone, err)
}

// upsert writes one customer more.
func (w worker) upsert() {
	day.Saw("upsert")(counted("result")(w.Index("customers", body(object{"v": list{1, 2, 3}, "text": "hello"}), w.Index.WithContext(w.ctx), w.Index.WithDocumentID("new"), w.Index.WithRefresh("true"))))
}
