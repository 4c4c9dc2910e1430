package pinecone

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	pb "github.com/vecgate/vecgate/internal/protocol/pinecone/pineconepb"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

func meta(t testing.TB, text string) *structpb.Struct {
	t.Helper()
	s, err := structOf(must(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func scored(t testing.TB, pad int) *pb.ScoredVector {
	return &pb.ScoredVector{
		Id: "1", Score: 0.98765, Values: []float32{1.5}, SparseValues: &pb.SparseValues{Indices: []uint32{1}, Values: []float32{2}},
		Metadata: meta(t, `{"email":"`+canary+`","n":1,"pad":"`+strings.Repeat("v", pad)+`"}`),
	}
}

func grpcSuite(t testing.TB) *protocoltest.GRPCSuite {
	return &protocoltest.GRPCSuite{
		New: func() grpcwire.Dialect { return &GRPC{Index: "docs"} },
		Upstream: func(_ context.Context, _ string, m proto.Message) (proto.Message, error) {
			switch m.(type) {
			case *pb.QueryRequest:
				return &pb.QueryResponse{Matches: []*pb.ScoredVector{scored(t, 1)}}, nil
			case *pb.UpsertRequest:
				return &pb.UpsertResponse{UpsertedCount: 1}, nil
			}
			return nil, errors.New("not asked for in the suite")
		},
		Protection:    protection,
		Read:          protocoltest.GRPCRequest{Method: service + "Query", Message: &pb.QueryRequest{Vector: []float32{1.5, 2}, TopK: 3, Namespace: "people", IncludeValues: true, IncludeMetadata: true}},
		Write:         protocoltest.GRPCRequest{Method: service + "Upsert", Message: &pb.UpsertRequest{Namespace: "people", Vectors: []*pb.Vector{{Id: "1", Values: []float32{1.5, 2}}}}},
		Unfulfillable: protocoltest.GRPCRequest{Method: service + "Query", Message: &pb.QueryRequest{Vector: []float32{1}, TopK: 1, Filter: meta(t, `{"$or":[{"n":1},{"email":{"$eq":"a@b"}}]}`)}},
		Large: func(n int) proto.Message {
			r := &pb.QueryResponse{}
			for i := 0; i < n; i += 200 {
				r.Matches = append(r.Matches, scored(t, 100))
			}
			return r
		},
	}
}

func TestAFieldRuleMeansTheSameOverGRPC(t *testing.T) {
	protocoltest.NestedGRPC(t, grpcSuite(t), true, func(fields string) proto.Message {
		return &pb.QueryResponse{Matches: []*pb.ScoredVector{{Id: "1", Metadata: meta(t, fields)}}}
	})
}

func TestAChangeOfANamedRecordIsNotTriedOut(t *testing.T) {
	w := protocoltest.StartGRPC(t, grpcSuite(t))
	m := &pb.UpdateRequest{Id: "a", Values: []float32{1}, DryRun: proto.Bool(true)}
	if a := w.Do(t.Context(), protocoltest.GRPCRequest{Method: service + "Update", Message: m}); a.Code() != string(access.CodeUnclear) || len(w.All()) > 0 {
		t.Errorf("%v %s", a.Status, a.Code())
	}
}

func TestTheGRPCDoorPassesTheSuite(t *testing.T) { protocoltest.RunGRPC(t, grpcSuite(t)) }

// TestBothDoorsReadTheSame wants the same request to be the same operation over REST and gRPC.
func TestBothDoorsReadTheSame(t *testing.T) {
	filter := meta(t, `{"n":{"$gte":1}}`)
	for _, x := range []struct {
		method  string
		message proto.Message
		rest    asks
	}{
		{"Query", &pb.QueryRequest{Vector: []float32{1}, TopK: 3}, asks{"POST", "/query", `{"vector":[1],"topK":3}`, ""}},
		{"Query", &pb.QueryRequest{Id: "a", TopK: 3, Namespace: "people", Filter: filter, IncludeValues: true}, asks{"POST", "/query", `{"id":"a","topK":3,"namespace":"people","filter":{"n":{"$gte":1}},"includeValues":true}`, ""}},
		{"Query", &pb.QueryRequest{TopK: 3, Queries: []*pb.QueryVector{{Values: []float32{1}}, {Values: []float32{1}, TopK: 9, Namespace: "people", Filter: filter}}}, asks{"POST", "/query", `{"topK":3,"queries":[{"values":[1]},{"values":[1],"topK":9,"namespace":"people","filter":{"n":{"$gte":1}}}]}`, ""}},
		{"Upsert", &pb.UpsertRequest{Vectors: []*pb.Vector{{Id: "a", Values: []float32{1}}}}, asks{"POST", "/vectors/upsert", `{"vectors":[{"id":"a","values":[1]}]}`, ""}},
		{"Update", &pb.UpdateRequest{Id: "a", Values: []float32{1}}, asks{"POST", "/vectors/update", `{"id":"a","values":[1]}`, ""}},
		{"Update", &pb.UpdateRequest{Filter: filter, SetMetadata: filter, DryRun: proto.Bool(true)}, asks{"POST", "/vectors/update", `{"filter":{"n":{"$gte":1}},"setMetadata":{},"dryRun":true}`, ""}},
		{"Delete", &pb.DeleteRequest{Ids: []string{"a"}}, asks{"POST", "/vectors/delete", `{"ids":["a"]}`, ""}},
		{"Delete", &pb.DeleteRequest{Filter: filter}, asks{"POST", "/vectors/delete", `{"filter":{"n":{"$gte":1}}}`, ""}},
		{"Delete", &pb.DeleteRequest{Filter: meta(t, `{"n":{"$ne":1}}`)}, asks{"POST", "/vectors/delete", `{"filter":{"n":{"$ne":1}}}`, ""}},
		{"Delete", &pb.DeleteRequest{DeleteAll: true, Namespace: "people"}, asks{"POST", "/vectors/delete", `{"deleteAll":true,"namespace":"people"}`, ""}},
		{"Delete", &pb.DeleteRequest{}, asks{"POST", "/vectors/delete", `{}`, ""}},
		{"Fetch", &pb.FetchRequest{Ids: []string{"a", "b"}, Namespace: "people"}, asks{"GET", "/vectors/fetch?ids=a&ids=b&namespace=people", "", ""}},
		{"FetchByMetadata", &pb.FetchByMetadataRequest{Filter: filter, Limit: proto.Uint32(7)}, asks{"POST", "/vectors/fetch_by_metadata", `{"filter":{"n":{"$gte":1}},"limit":7}`, ""}},
		{"List", &pb.ListRequest{Prefix: proto.String("a")}, asks{"GET", "/vectors/list?prefix=a", "", ""}},
		{"DescribeIndexStats", &pb.DescribeIndexStatsRequest{}, asks{"POST", "/describe_index_stats", "{}", ""}},
		{"ListNamespaces", &pb.ListNamespacesRequest{}, asks{"GET", "/namespaces", "", ""}},
		{"DescribeNamespace", &pb.DescribeNamespaceRequest{Namespace: "people"}, asks{"GET", "/namespaces/people", "", ""}},
		{"CreateNamespace", &pb.CreateNamespaceRequest{Name: "people"}, asks{"POST", "/namespaces", `{"name":"people"}`, ""}},
		{"DeleteNamespace", &pb.DeleteNamespaceRequest{Namespace: "people"}, asks{"DELETE", "/namespaces/people", "", ""}},
	} {
		var rpc, rest []access.Access
		g := protocoltest.StartGRPC(t, grpcSuite(t))
		g.Rule(func(op *access.Operation, _ access.Context) access.Decision {
			rpc = op.Accesses
			return access.Decision{Effect: access.Deny}
		})
		g.Do(t.Context(), protocoltest.GRPCRequest{Method: service + x.method, Message: x.message})
		w := protocoltest.Start(t, suite())
		w.Rule(func(op *access.Operation, _ access.Context) access.Decision {
			rest = op.Accesses
			return access.Decision{Effect: access.Deny}
		})
		w.Do(t.Context(), protocoltest.Request{Method: x.rest.method, Path: x.rest.path, Body: x.rest.body})
		if d := cmp.Diff(rest, rpc); d != "" || len(rest) == 0 {
			t.Errorf("%s %v (-rest +grpc):\n%s", x.method, x.message, d)
		}
	}
}

func TestEveryPartOfAMessageIsMasked(t *testing.T) {
	all := &access.Protection{
		Fields: []access.FieldRule{
			{Pattern: "**.gone", Treatment: access.Treatment{Mask: access.MaskDrop, Rule: "r"}},
			{Pattern: "**.id", Treatment: access.Treatment{Mask: access.MaskNull, Rule: "r", Predicates: "equality"}},
			{Pattern: "**.tail", Treatment: access.Treatment{Mask: access.MaskPartial, Rule: "r"}},
			{Pattern: "**.email", Treatment: access.Treatment{Mask: access.MaskRedact, Rule: "r"}},
		},
		Vectors: protection.Vectors,
	}
	metadata := `{"email":"` + canary + `","gone":1,"tail":"0123456789","n":1,"email_2":"seen"}`
	hidden := `{"email":"[redacted]","tail":"****6789","n":1,"email_2":"seen"}`
	g := protocoltest.StartGRPC(t, grpcSuite(t))
	g.Oblige(access.Obligations{Protection: all})
	g.Upstream(func(_ context.Context, _ string, m proto.Message) (proto.Message, error) {
		v := &pb.Vector{Id: "1", Values: []float32{1}, SparseValues: &pb.SparseValues{Indices: []uint32{1}, Values: []float32{1}}, Metadata: meta(t, metadata)}
		s := &pb.ScoredVector{Id: "1", Score: 0.98765, Values: v.Values, SparseValues: v.SparseValues, Metadata: v.Metadata}
		switch m.(type) {
		case *pb.QueryRequest:
			return &pb.QueryResponse{Matches: []*pb.ScoredVector{s}, Results: []*pb.SingleQueryResults{{Matches: []*pb.ScoredVector{s}}}}, nil
		case *pb.FetchRequest:
			return &pb.FetchResponse{Vectors: map[string]*pb.Vector{"1": v}}, nil
		}
		return nil, errors.New("not asked for")
	})
	s := &pb.ScoredVector{Id: "[redacted]", Score: 0.99, Metadata: meta(t, hidden)}
	for _, x := range []struct {
		method     string
		sent, want proto.Message
	}{
		{"Query", &pb.QueryRequest{Vector: []float32{1}, TopK: 1, IncludeValues: true}, &pb.QueryResponse{Matches: []*pb.ScoredVector{s}, Results: []*pb.SingleQueryResults{{Matches: []*pb.ScoredVector{s}}}}},
		{"Fetch", &pb.FetchRequest{Ids: []string{"1"}}, &pb.FetchResponse{Vectors: map[string]*pb.Vector{"1": {Id: "[redacted]", Values: []float32{0}, SparseValues: &pb.SparseValues{Indices: []uint32{0}, Values: []float32{0}}, Metadata: meta(t, hidden)}}}},
	} {
		a := g.Do(t.Context(), protocoltest.GRPCRequest{Method: service + x.method, Message: x.sent})
		if d := cmp.Diff(x.want, a.Message, protocmp.Transform()); d != "" {
			t.Errorf("%s: %v\n%s", x.method, a.Status, d)
		}
	}
	for _, r := range g.All() {
		if q, ok := r.Message.(*pb.QueryRequest); ok && q.GetIncludeValues() {
			t.Error("values are asked for all the same")
		}
	}
}

// FuzzMessage wants every message that is read to be read the same once more in the form in which it is sent on, and no
// obligation to be forgotten on the way.
func FuzzMessage(f *testing.F) {
	for i, m := range []proto.Message{
		&pb.QueryRequest{Vector: []float32{1}, TopK: 3, IncludeValues: true}, &pb.QueryRequest{TopK: 3, Queries: []*pb.QueryVector{{Values: []float32{1}}, {TopK: 9, Namespace: "n"}}},
		&pb.DeleteRequest{Filter: meta(f, `{"n":{"$gt":1}}`)}, &pb.UpdateRequest{Id: "a", SetMetadata: meta(f, `{"tenant":"acme"}`)}, &pb.FetchByMetadataRequest{Filter: meta(f, `{"$or":[{"n":1}]}`)},
		&pb.UpsertRequest{Vectors: []*pb.Vector{{Id: "a", Metadata: meta(f, `{"tenant":"acme"}`)}}}, &pb.FetchRequest{Ids: []string{"a"}},
	} {
		raw, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		for which := range methods {
			f.Add(which, raw)
		}
		f.Add(i, raw)
	}
	d := &GRPC{Index: "docs"}
	f.Fuzz(func(t *testing.T, which int, raw []byte) {
		method := &methods[uint(which)%uint(len(methods))]
		m := method.Request.New().Interface()
		if proto.Unmarshal(raw, m) != nil {
			return
		}
		read := func(m proto.Message) (*grpcwire.Call, error) {
			return d.Read(t.Context(), &grpcwire.Request{Method: method, Target: "docs", Message: m, May: func(access.Access) bool { return true }})
		}
		call, err := read(m)
		if err != nil {
			return
		}
		again, err := read(proto.Clone(call.Message))
		if err != nil {
			t.Fatalf("%v is sent on as %v: %v", m, call.Message, err)
		}
		if d := cmp.Diff(call.Accesses, again.Accesses); d != "" || !proto.Equal(call.Message, again.Message) {
			t.Fatalf("%v is read differently once sent on: %s", m, d)
		}
		if call.Oblige == nil {
			return
		}
		before := proto.Clone(call.Message)
		obliged, err := call.Oblige(&access.Obligations{Protection: protection, Rows: 10, TopK: 10, Filters: own})
		if !proto.Equal(before, call.Message) {
			t.Fatalf("%v was changed by an obligation", before)
		}
		if err != nil || !obliged.Filtered {
			return
		}
		switch sent := obliged.Message.(type) {
		case *pb.QueryRequest:
			if sent.GetIncludeValues() || len(sent.GetQueries()) == 0 && !narrow(sent.GetFilter()) {
				t.Fatalf("%v is sent", sent)
			}
			for _, q := range sent.GetQueries() {
				if !narrow(q.GetFilter()) {
					t.Fatalf("%v is sent", sent)
				}
			}
		case *pb.FetchByMetadataRequest:
			if !narrow(sent.GetFilter()) {
				t.Fatalf("%v is sent", sent)
			}
		case *pb.DeleteRequest:
			if sent.GetDeleteAll() || len(sent.GetIds()) == 0 && !narrow(sent.GetFilter()) || len(sent.GetIds()) > 0 && obliged.Check == nil {
				t.Fatalf("%v is sent", sent)
			}
		case *pb.UpdateRequest:
			if sent.GetId() == "" && !narrow(sent.GetFilter()) || sent.GetId() != "" && obliged.Check == nil {
				t.Fatalf("%v is sent", sent)
			}
		}
	})
}

// narrow says whether a filter begins with the caller's own.
func narrow(s *structpb.Struct) bool {
	first := s.GetFields()["$and"].GetListValue().GetValues()
	return len(s.GetFields()) == 1 && len(first) > 0 && first[0].GetStructValue().GetFields()["tenant"] != nil
}
