// Command pinecone is a working day of Pinecone's own client for Go: pinecone CONTROL-PLANE TOKEN WHAT. It prints what it
// saw, one JSON value a line.
//
// The client speaks gRPC to an index but for records, which go by HTTPS, whatever the index's host says. With -plain those,
// too, go without TLS, for an index that has none.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pinecone-io/go-pinecone/v5/pinecone"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/vecgate/vecgate/test/goclients/day"
)

type worker struct {
	*pinecone.Client
	ctx context.Context
}

func main() {
	plain := flag.Bool("plain", false, "speak HTTP where the client says HTTPS")
	flag.Parse()
	if flag.NArg() != 3 {
		day.Must(errors.New("usage: pinecone [-plain] CONTROL-PLANE TOKEN WHAT"))
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}
	if *plain {
		transport.DialTLSContext = (&net.Dialer{}).DialContext
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
	defer cancel()
	client, err := pinecone.NewClient(pinecone.NewClientParams{ApiKey: flag.Arg(1), Host: flag.Arg(0), RestClient: &http.Client{Transport: transport}})
	day.Must(err)
	w := worker{client, ctx}
	day.Run(flag.Arg(2), map[string]func(){"everything": w.everything, "prepare": w.prepare, "look": w.look, "upsert": w.upsert})
}

// index is a namespace of the index, where the control plane says that it is.
func (w worker) index(namespace string) *pinecone.IndexConnection {
	described, err := w.DescribeIndex(w.ctx, "docs")
	day.Must(err)
	idx, err := w.Index(pinecone.NewIndexConnParams{Host: described.Host, Namespace: namespace})
	day.Must(err)
	return idx
}

func object(members map[string]any) *structpb.Struct {
	s, err := structpb.NewStruct(members)
	day.Must(err)
	return s
}

func (w worker) create() error {
	metric, dimension := pinecone.Cosine, int32(3)
	_, err := w.CreateServerlessIndex(w.ctx, &pinecone.CreateServerlessIndexRequest{Name: "docs", Cloud: pinecone.Aws, Region: "us-east-1", Metric: &metric, Dimension: &dimension})
	return err
}

func fill(ctx context.Context, idx *pinecone.IndexConnection) (any, error) {
	var all []*pinecone.Vector
	for i := range 20 {
		all = append(all, &pinecone.Vector{
			Id: fmt.Sprintf("doc%d#%d", i%3, i), Values: &[]float32{float32(i + 1), 1.5, -float32(i)},
			Metadata: object(map[string]any{"email": fmt.Sprintf("person%d@example.com", i), "n": i, "part": float64(i) / 8, "tags": []any{"a", "b"}, "even": i%2 == 0}),
		})
	}
	return idx.UpsertVectors(ctx, all)
}

func record(v *pinecone.Vector) []any {
	return []any{v.Id, v.Values, v.SparseValues, v.Metadata.AsMap()}
}

func records(all map[string]*pinecone.Vector) (out [][]any) {
	for _, v := range all {
		out = append(out, record(v))
	}
	slices.SortFunc(out, func(a, b []any) int { return strings.Compare(a[0].(string), b[0].(string)) })
	return out
}

func matches(r *pinecone.QueryVectorsResponse, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	all := [][]any{}
	for _, m := range r.Matches {
		all = append(all, append(record(m.Vector), m.Score))
	}
	return all, nil
}

func fetched(r *pinecone.FetchVectorsResponse, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return records(r.Vectors), nil
}

func (w worker) count(idx *pinecone.IndexConnection) (any, error) {
	r, err := idx.DescribeIndexStats(w.ctx)
	if err != nil {
		return nil, err
	}
	return map[string]any{"all": r.TotalVectorCount, "namespaces": r.Namespaces}, nil
}

func (w worker) names() (any, error) {
	list, err := w.ListIndexes(w.ctx)
	names := []string{}
	for _, i := range list {
		names = append(names, i.Name)
	}
	return names, err
}

func (w worker) everything() {
	ctx := w.ctx
	day.Saw("indexes")(w.names())
	day.Saw("created")(nil, w.create())
	day.Saw("again")(nil, w.create())
	day.Saw("indexes")(w.names())
	idx := w.index("people")
	day.Saw("upsert")(fill(ctx, idx))
	day.Saw("without a name")(fill(ctx, w.index("")))
	day.Saw("stats")(w.count(idx))
	near := func(filter *pinecone.MetadataFilter) *pinecone.QueryByVectorValuesRequest {
		return &pinecone.QueryByVectorValuesRequest{Vector: []float32{1, 1, 1}, TopK: 3, MetadataFilter: filter, IncludeValues: true, IncludeMetadata: true}
	}
	day.Saw("query")(matches(idx.QueryByVectorValues(ctx, near(nil))))
	day.Saw("filtered")(matches(idx.QueryByVectorValues(ctx, near(object(map[string]any{"$and": []any{map[string]any{"n": map[string]any{"$gte": 3}}, map[string]any{"even": true}}})))))
	day.Saw("by id")(matches(idx.QueryByVectorId(ctx, &pinecone.QueryByVectorIdRequest{VectorId: "doc0#3", TopK: 2, IncludeValues: true, IncludeMetadata: true})))
	day.Saw("fetch")(fetched(idx.FetchVectors(ctx, []string{"doc0#3", "doc1#1", "none"})))
	w.pages(idx)
	if r, err := idx.FetchVectorsByMetadata(ctx, &pinecone.FetchVectorsByMetadataRequest{Filter: object(map[string]any{"n": map[string]any{"$in": []any{2, 5}}})}); err != nil {
		day.Saw("by metadata")(nil, err)
	} else {
		day.Say("by metadata", records(r.Vectors))
	}
	day.Saw("update")(nil, idx.UpdateVector(ctx, &pinecone.UpdateVectorRequest{Id: "doc0#3", Metadata: object(map[string]any{"n": 100})}))
	day.Saw("update")(nil, idx.UpdateVector(ctx, &pinecone.UpdateVectorRequest{Id: "doc1#1", Values: []float32{7, 7, 7}}))
	day.Saw("updated")(fetched(idx.FetchVectors(ctx, []string{"doc0#3", "doc1#1"})))
	day.Saw("delete")(nil, idx.DeleteVectorsById(ctx, []string{"doc0#0"}))
	day.Saw("delete by filter")(nil, idx.DeleteVectorsByFilter(ctx, object(map[string]any{"n": map[string]any{"$lt": 4}})))
	day.Saw("left")(w.count(idx))
	if r, err := idx.ListNamespaces(ctx, &pinecone.ListNamespacesParams{}); err != nil {
		day.Saw("namespaces")(nil, err)
	} else {
		var names []string
		for _, n := range r.Namespaces {
			names = append(names, fmt.Sprint(n.Name, " ", n.RecordCount))
		}
		slices.Sort(names)
		day.Say("namespaces", names)
	}
	day.Saw("wrong")(matches(idx.QueryByVectorValues(ctx, &pinecone.QueryByVectorValuesRequest{Vector: []float32{1}, TopK: 1})))
	_, err := w.DescribeIndex(ctx, "nothing")
	day.Saw("not there")(nil, err)
	day.Saw("delete all")(nil, idx.DeleteAllVectorsInNamespace(ctx))
	day.Saw("none")(matches(idx.QueryByVectorValues(ctx, near(nil))))
	day.Saw("no namespace")(nil, idx.DeleteNamespace(ctx, "people"))
	w.texts()
	day.Saw("drop")(nil, w.DeleteIndex(ctx, "docs"))
	_, err = w.DescribeIndex(ctx, "docs")
	day.Saw("dropped")(nil, err)
}

// pages lists ids.
func (w worker) pages(idx *pinecone.IndexConnection) {
	prefix, limit := "doc1#", uint32(4)
	var next *string
	for {
		r, err := idx.ListVectors(w.ctx, &pinecone.ListVectorsRequest{Prefix: &prefix, Limit: &limit, PaginationToken: next})
		if err != nil {
			day.Saw("list")(nil, err)
			return
		}
		day.Say("list", r.VectorIds)
		if next = r.NextPaginationToken; next == nil || *next == "" {
			return
		}
	}
}

// texts are records that Pinecone embeds, which the client sends by REST.
func (w worker) texts() {
	idx := w.index("texts")
	var all []*pinecone.IntegratedRecord
	for i := range 5 {
		all = append(all, &pinecone.IntegratedRecord{"_id": fmt.Sprint("t", i), "chunk_text": fmt.Sprintf("a text about number %d", i), "n": i})
	}
	day.Saw("records")(nil, idx.UpsertRecords(w.ctx, all))
	r, err := idx.SearchRecords(w.ctx, &pinecone.SearchRecordsRequest{
		Query: pinecone.SearchRecordsQuery{TopK: 2, Inputs: &map[string]any{"text": "number 3"}}, Fields: &[]string{"chunk_text"},
	})
	if err != nil {
		day.Saw("search records")(nil, err)
		return
	}
	day.Say("search records", r.Result.Hits)
}

// prepare makes an index with people.
func (w worker) prepare() {
	day.Must(w.create())
	day.Saw("prepared")(fill(w.ctx, w.index("people")))
}

// look reads people, and tries what may not be.
func (w worker) look() {
	ctx, idx := w.ctx, w.index("people")
	day.Saw("query")(matches(idx.QueryByVectorValues(ctx, &pinecone.QueryByVectorValuesRequest{Vector: []float32{3, 1.5, -3.001}, TopK: 1, IncludeValues: true, IncludeMetadata: true})))
	day.Saw("fetch")(fetched(idx.FetchVectors(ctx, []string{"doc0#3"})))
	email := object(map[string]any{"email": "person3@example.com"})
	day.Saw("by email")(matches(idx.QueryByVectorValues(ctx, &pinecone.QueryByVectorValuesRequest{Vector: []float32{1, 1, 1}, TopK: 1, MetadataFilter: email})))
	r, err := idx.SearchRecords(ctx, &pinecone.SearchRecordsRequest{Query: pinecone.SearchRecordsQuery{TopK: 1, Vector: &pinecone.SearchRecordsVector{Values: &[]float32{3, 1.5, -3.001}}}})
	if err != nil {
		day.Saw("search records")(nil, err)
	} else {
		day.Say("search records", r.Result.Hits)
	}
	day.Saw("delete all")(nil, idx.DeleteAllVectorsInNamespace(ctx))
	day.Saw("drop")(nil, w.DeleteIndex(ctx, "docs"))
}

// upsert writes one record more.
func (w worker) upsert() {
	day.Saw("upsert")(w.index("people").UpsertVectors(w.ctx, []*pinecone.Vector{{Id: "new", Values: &[]float32{1, 2, 3}}}))
}
