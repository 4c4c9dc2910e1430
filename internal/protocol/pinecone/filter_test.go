package pinecone

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
	pb "github.com/vecgate/vecgate/internal/protocol/pinecone/pineconepb"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
	"github.com/vecgate/vecgate/test/pineconetest/standin"
)

var own = []access.FilterRule{{Pattern: "docs/docs/**", Field: "tenant", Values: []string{"acme", "acme-eu"}, Rule: "own-tenant"}}

// tenants is an index with the records of several tenants, and one that two of them share.
func tenants(t testing.TB) *standin.Index {
	x := standin.NewIndex("docs", 2, "cosine")
	for i := range 30 {
		tenant := []string{"acme", "globex", "acme-eu"}[i%3]
		x.Put("people", &pb.Vector{Id: fmt.Sprintf("%s-%d", tenant, i), Values: []float32{float32(i + 1), 1}, Metadata: meta(t, fmt.Sprintf(`{"tenant":%q,"n":%d}`, tenant, i))})
	}
	x.Put("people", &pb.Vector{Id: "shared", Values: []float32{1, 1}, Metadata: meta(t, `{"tenant":["acme","globex"],"n":99}`)})
	x.Put("people", &pb.Vector{Id: "nobodys", Values: []float32{1, 1}, Metadata: meta(t, `{"n":100}`)})
	return x
}

// isOwn says whether a record may be seen.
func isOwn(v *pb.Vector) bool { return may(recordIn(v.GetMetadata()), own) }

// doors are the two ways to an index, with a gate before each.
type doors struct {
	x    *standin.Index
	rest *protocoltest.World
	rpc  *protocoltest.GRPCWorld
}

func opened(t testing.TB) *doors {
	d := &doors{x: tenants(t)}
	s, g := suite(), grpcSuite(t)
	s.Upstream, g.Upstream = d.x, d.x.Engine
	d.rest, d.rpc = protocoltest.Start(t, s), protocoltest.StartGRPC(t, g)
	d.rest.Oblige(access.Obligations{Filters: own})
	d.rpc.Oblige(access.Obligations{Filters: own})
	return d
}

// paths are how the messages of gRPC are asked over REST.
var paths = map[string]string{
	"QueryRequest": "/query", "UpsertRequest": "/vectors/upsert", "UpdateRequest": "/vectors/update", "DeleteRequest": "/vectors/delete",
	"FetchByMetadataRequest": "/vectors/fetch_by_metadata",
}

// ask sends a message through one of the doors. It returns the code of the refusal, or nothing.
func (d *doors) ask(t testing.TB, over string, m proto.Message, answer proto.Message) string {
	t.Helper()
	name := string(m.ProtoReflect().Descriptor().Name())
	if over == "grpc" {
		a := d.rpc.Do(t.Context(), protocoltest.GRPCRequest{Method: service + strings.TrimSuffix(name, "Request"), Message: m})
		if a.Code() == "" {
			proto.Reset(answer)
			proto.Merge(answer, a.Message)
		}
		return a.Code()
	}
	r := protocoltest.Request{Method: http.MethodPost, Path: paths[name]}
	if f, ok := m.(*pb.FetchRequest); ok {
		r = protocoltest.Request{Method: http.MethodGet, Path: "/vectors/fetch?ids=" + strings.Join(f.GetIds(), "&ids=") + "&namespace=" + f.GetNamespace()}
	} else {
		body, err := protojson.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		r.Body = string(body)
	}
	a := d.rest.Do(t.Context(), r)
	if code := a.Header.Get("X-Vecgate-Code"); code != "" {
		return code
	}
	if err := protojson.Unmarshal([]byte(a.Body), answer); err != nil {
		t.Fatalf("%s %s: %v %v", r.Path, r.Body, a, err)
	}
	return ""
}

// TestSearchesSeeNothingButTheirOwn compares what random searches find through the gate with what the engine would have
// found among the caller's own records alone.
func TestSearchesSeeNothingButTheirOwn(t *testing.T) {
	d := opened(t)
	alone := standin.NewIndex("docs", 2, "cosine")
	for _, v := range d.x.Records("people") {
		if isOwn(v) {
			alone.Put("people", v)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	filter := func() string {
		n := random.IntN(30)
		return []string{
			`{}`, fmt.Sprintf(`{"n":{"$gte":%d}}`, n), fmt.Sprintf(`{"n":%d}`, n), `{"tenant":"globex"}`, `{"tenant":{"$ne":"acme"}}`,
			fmt.Sprintf(`{"$or":[{"n":{"$lt":%d}},{"tenant":"globex"}]}`, n), `{"tenant":{"$in":["globex","acme"]}}`, `{"tenant":{"$exists":false}}`,
			fmt.Sprintf(`{"$and":[{"n":{"$ne":%d}},{"$or":[{"tenant":{"$nin":["acme"]}},{"n":{"$gt":3}}]}]}`, n),
		}[random.IntN(9)]
	}
	for range 60 {
		var m proto.Message
		switch q := (&pb.QueryRequest{Namespace: "people", TopK: uint32(1 + random.IntN(12)), IncludeMetadata: true}); random.IntN(4) {
		case 0:
			m = &pb.FetchByMetadataRequest{Namespace: "people", Filter: meta(t, filter()), Limit: proto.Uint32(uint32(1 + random.IntN(40)))}
		case 1:
			for range 3 {
				b := &pb.QueryVector{Namespace: "people", Values: []float32{random.Float32(), random.Float32()}}
				if random.IntN(2) == 0 {
					b.Filter = meta(t, filter())
				}
				q.Queries = append(q.Queries, b)
			}
			q.Filter, m = meta(t, filter()), q
		default:
			q.Vector, q.Filter, m = []float32{random.Float32(), random.Float32()}, meta(t, filter()), q
		}
		want, err := alone.Do(proto.Clone(m))
		if err != nil {
			t.Fatal(err)
		}
		for _, over := range []string{"rest", "grpc"} {
			got := want.ProtoReflect().New().Interface()
			code := d.ask(t, over, m, got)
			if diff := cmp.Diff(plainOf(t, want), plainOf(t, got)); code != "" || diff != "" {
				t.Fatalf("%s %v: %s %s", over, m, code, diff)
			}
		}
	}
}

func plainOf(t testing.TB, m proto.Message) any {
	text, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestNobodyReachesTheRecordsOfOthers tries every way to a record by its id, and to all of them.
func TestNobodyReachesTheRecordsOfOthers(t *testing.T) {
	mine, all := `{"tenant":"acme","n":1}`, `{"n":{"$gte":0}}`
	write := func(id, metadata string) *pb.UpsertRequest {
		return &pb.UpsertRequest{Namespace: "people", Vectors: []*pb.Vector{{Id: id, Values: []float32{1, 2}, Metadata: meta(t, metadata)}}}
	}
	for _, x := range []struct {
		name string
		m    proto.Message
		want string // the code of the refusal
	}{
		{"write", write("new", mine), ""},
		{"write over one's own", write("acme-0", mine), ""},
		{"write over another's", write("globex-1", mine), "cannot-be-obliged"},
		{"write over a shared one", write("shared", mine), "cannot-be-obliged"},
		{"write over nobody's", write("nobodys", mine), "cannot-be-obliged"},
		{"write as another", write("new", `{"tenant":"globex"}`), "cannot-be-obliged"},
		{"write as several", write("new", `{"tenant":["acme","globex"]}`), "cannot-be-obliged"},
		{"write as a list", write("new", `{"tenant":["acme"]}`), "cannot-be-obliged"},
		{"write as nobody", write("new", `{"n":1}`), "cannot-be-obliged"},
		{"delete one's own", &pb.DeleteRequest{Namespace: "people", Ids: []string{"acme-0", "acme-eu-2"}}, ""},
		{"delete another's", &pb.DeleteRequest{Namespace: "people", Ids: []string{"acme-0", "globex-1"}}, "cannot-be-obliged"},
		{"delete what is not there", &pb.DeleteRequest{Namespace: "people", Ids: []string{"none"}}, "cannot-be-obliged"},
		{"delete by a filter", &pb.DeleteRequest{Namespace: "people", Filter: meta(t, all)}, ""},
		{"delete all", &pb.DeleteRequest{Namespace: "people", DeleteAll: true}, "cannot-be-obliged"},
		{"delete without saying what", &pb.DeleteRequest{Namespace: "people"}, "cannot-be-obliged"},
		{"update one's own", &pb.UpdateRequest{Namespace: "people", Id: "acme-0", SetMetadata: meta(t, `{"n":7}`)}, ""},
		{"update another's", &pb.UpdateRequest{Namespace: "people", Id: "globex-1", SetMetadata: meta(t, `{"n":7}`)}, "cannot-be-obliged"},
		{"take another's", &pb.UpdateRequest{Namespace: "people", Id: "globex-1", SetMetadata: meta(t, mine)}, "cannot-be-obliged"},
		{"give one's own away", &pb.UpdateRequest{Namespace: "people", Id: "acme-0", SetMetadata: meta(t, `{"tenant":"globex"}`)}, "cannot-be-obliged"},
		{"make one's own nobody's", &pb.UpdateRequest{Namespace: "people", Id: "acme-0", SetMetadata: meta(t, `{"tenant":null}`)}, "cannot-be-obliged"},
		{"update by a filter", &pb.UpdateRequest{Namespace: "people", Filter: meta(t, all), SetMetadata: meta(t, `{"n":7}`)}, ""},
		{"update by no filter", &pb.UpdateRequest{Namespace: "people", Filter: meta(t, `{}`), SetMetadata: meta(t, `{"n":7}`)}, "cannot-be-obliged"},
		{"search with one's own", &pb.QueryRequest{Namespace: "people", Id: "acme-0", TopK: 1}, ""},
		{"search with another's", &pb.QueryRequest{Namespace: "people", Id: "globex-1", TopK: 1}, "cannot-be-obliged"},
		{"search with what is not there", &pb.QueryRequest{Namespace: "people", Id: "none", TopK: 1}, "cannot-be-obliged"},
		{"fetch", &pb.FetchRequest{Namespace: "people", Ids: []string{"acme-0", "globex-1", "shared", "nobodys", "none"}}, ""},
	} {
		for _, over := range []string{"rest", "grpc"} {
			d := opened(t)
			before := d.x.Records("people")
			method := map[string]proto.Message{
				"UpsertRequest": &pb.UpsertResponse{}, "DeleteRequest": &pb.DeleteResponse{}, "UpdateRequest": &pb.UpdateResponse{}, "QueryRequest": &pb.QueryResponse{}, "FetchRequest": &pb.FetchResponse{},
			}[string(x.m.ProtoReflect().Descriptor().Name())]
			if got := d.ask(t, over, x.m, method); got != x.want {
				t.Errorf("%s over %s: %q, want %q", x.name, over, got, x.want)
			}
			after := d.x.Records("people")
			for id, v := range before {
				if owns(recordIn(v.GetMetadata()), own) || id == "shared" && strings.Contains(x.name, "by a filter") {
					continue
				}
				if !proto.Equal(v, after[id]) {
					t.Errorf("%s over %s: %s has changed to %v", x.name, over, id, after[id])
				}
			}
			for id, v := range after {
				if before[id] == nil && !owns(recordIn(v.GetMetadata()), own) {
					t.Errorf("%s over %s: there is %v", x.name, over, v)
				}
			}
			if f, ok := method.(*pb.FetchResponse); ok {
				var ids []string
				for id := range f.GetVectors() {
					ids = append(ids, id)
				}
				if slices.Sort(ids); !slices.Equal(ids, []string{"acme-0", "shared"}) {
					t.Errorf("%s over %s: %q", x.name, over, ids)
				}
			}
		}
	}
}

// TestWhatCannotBeNarrowedIsRefused goes through the rest of the table.
func TestWhatCannotBeNarrowedIsRefused(t *testing.T) {
	d := opened(t)
	before := d.x.Asked()
	for _, r := range []protocoltest.Request{
		{Method: "GET", Path: "/vectors/list?namespace=people"},
		{Method: "POST", Path: "/describe_index_stats", Body: `{}`},
		{Method: "POST", Path: "/describe_index_stats", Body: `{"filter":{"tenant":"acme"}}`},
		{Method: "DELETE", Path: "/namespaces/people"},
		{Method: "POST", Path: "/bulk/imports", Body: `{"uri":"s3://b"}`},
		{Method: "POST", Path: "/records/namespaces/people/upsert", Body: `{"_id":"a","tenant":"acme"}` + "\n" + `{"_id":"b"}`},
	} {
		if a := d.rest.Do(t.Context(), r); a.Header.Get("X-Vecgate-Code") != string(access.CodeObligation) {
			t.Errorf("%s %s: %v", r.Method, r.Path, a)
		}
	}
	for name, m := range map[string]proto.Message{"List": &pb.ListRequest{Namespace: "people"}, "DescribeIndexStats": &pb.DescribeIndexStatsRequest{}, "DeleteNamespace": &pb.DeleteNamespaceRequest{Namespace: "people"}} {
		if a := d.rpc.Do(t.Context(), protocoltest.GRPCRequest{Method: service + name, Message: m}); a.Code() != string(access.CodeObligation) {
			t.Errorf("%s: %v", name, a.Status)
		}
	}
	if n := d.x.Asked() - before; n > 0 {
		t.Errorf("%d requests reached the engine", n)
	}
	w := protocoltest.Start(t, control())
	w.Oblige(access.Obligations{Filters: own})
	for _, r := range []protocoltest.Request{
		{Method: "DELETE", Path: "/indexes/docs"},
		{Method: "PATCH", Path: "/indexes/docs", Body: `{}`},
		{Method: "POST", Path: "/indexes/docs/backups", Body: `{}`},
		{Method: "POST", Path: "/collections", Body: `{"name":"c","source":"docs"}`},
		{Method: "POST", Path: "/backups/b1/create-index", Body: `{"name":"mine"}`},
		{Method: "POST", Path: "/indexes", Body: `{"name":"mine","spec":{"pod":{"source_collection":"c"}}}`},
		{Method: "DELETE", Path: "/collections/c"},
	} {
		if a := w.Do(t.Context(), r); a.Header.Get("X-Vecgate-Code") != string(access.CodeObligation) {
			t.Errorf("%s %s: %v", r.Method, r.Path, a)
		}
	}
	for _, r := range w.All() {
		if r.Method != http.MethodGet {
			t.Errorf("%s %s reached the target", r.Method, r.URI)
		}
	}
}

func TestRecordCountsAreNotToldToWhoReachesSomeOnly(t *testing.T) {
	d := opened(t)
	for path, want := range map[string]string{"/namespaces": `{"namespaces":[{"name":"people"}],"total_count":1}`, "/namespaces/people": `{"name":"people"}`} {
		a := d.rest.Do(t.Context(), protocoltest.Request{Method: "GET", Path: path})
		if strings.Contains(a.Body, "ecordCount") || !strings.Contains(a.Body, "people") {
			t.Errorf("%s: %v, want %s", path, a, want)
		}
	}
	a := d.rpc.Do(t.Context(), protocoltest.GRPCRequest{Method: service + "DescribeNamespace", Message: &pb.DescribeNamespaceRequest{Namespace: "people"}})
	if n, ok := a.Message.(*pb.NamespaceDescription); !ok || n.GetRecordCount() != 0 {
		t.Errorf("%v %v", a.Status, a.Message)
	}
}

// FuzzFilter wants a narrowed filter to pass nothing that is not the caller's own, and nothing that the filter itself would
// not have passed.
func FuzzFilter(f *testing.F) {
	f.Add(`{"n":{"$gte":3}}`)
	f.Add(`{"$or":[{"tenant":"globex"},{"n":1}]}`)
	f.Add(`{"tenant":{"$nin":["acme"]},"$and":[]}`)
	x := tenants(f)
	f.Fuzz(func(t *testing.T, text string) {
		v, err := jsonstream.Read([]byte(text))
		if err != nil {
			return
		}
		w, err := readFilter(v)
		if err != nil || w == nil {
			return
		}
		plain, err := structOf(w.text)
		if err != nil {
			return // a number that no double holds
		}
		narrowed, err := structOf(w.narrowed(own))
		if err != nil {
			t.Fatal(err)
		}
		for id, rec := range x.Records("people") {
			if standin.Matches(narrowed, rec.GetMetadata()) != (isOwn(rec) && standin.Matches(plain, rec.GetMetadata())) {
				t.Fatalf("%s: %s is judged differently", text, id)
			}
		}
	})
}
