package qdranttest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	pb "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
	"github.com/vecgate/vecgate/internal/protocol/qdrant"
	"github.com/vecgate/vecgate/test/qdranttest/standin"
)

// own is who may reach the points of two tenants of three.
var own = access.Obligations{Filters: []access.FilterRule{{Pattern: "docs/**", Field: "tenant", Values: []string{"a", "b"}, Rule: "own-tenant"}}}

const mine = `{"key":"tenant","match":{"any":["a","b"]}}`

// doors is a stand-in with points of three tenants, and the gateway's two doors in front of it, under a filter.
type doors struct {
	engine *standin.Server
	rest   *protocoltest.World
	grpc   *protocoltest.GRPCWorld
	direct *grpc.ClientConn
}

func open(t *testing.T) *doors {
	t.Helper()
	engine, err := standin.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(engine.Close)
	d := &doors{engine: engine}
	if d.direct, err = grpc.NewClient(engine.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.direct.Close() })
	d.rest = protocoltest.Start(t, &protocoltest.Suite{New: func() httpwire.Dialect { return qdrant.NewREST(time.Now) }, Upstream: engine.Handler})
	answers := map[string]grpcwire.Method{}
	for _, m := range qdrant.Methods() {
		answers[m.Name] = m
	}
	d.grpc = protocoltest.StartGRPC(t, &protocoltest.GRPCSuite{
		New: func() grpcwire.Dialect { return qdrant.NewGRPC(time.Now) },
		Upstream: func(ctx context.Context, method string, m proto.Message) (proto.Message, error) {
			answer := answers[method].Response.New().Interface()
			return answer, d.direct.Invoke(ctx, method, m, answer)
		},
	})
	d.rest.Oblige(own)
	d.grpc.Oblige(own)
	d.ask(t, "PUT", "", `{"vectors":{"size":2,"distance":"Cosine"}}`)
	d.ask(t, "PUT", "/index", `{"field_name":"tenant","field_schema":"keyword"}`)
	var points []string
	for i := range 30 {
		points = append(points, fmt.Sprintf(`{"id":%d,"vector":[%d,%d],"payload":{"tenant":%q,"n":%d}}`, i, i+1, 30-i, "abc"[i%3:i%3+1], i%7))
	}
	d.ask(t, "PUT", "/points", `{"points":[`+strings.Join(points, ",")+`]}`)
	return d
}

// ask asks the stand-in itself.
func (d *doors) ask(t *testing.T, method, path, body string) string {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, "/collections/points"+path, strings.NewReader(body))
	d.engine.Handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("%s %s %s: %d %s", method, path, body, w.Code, w.Body)
	}
	return untimed(t, w.Body.String())
}

// untimed is an answer without how long it took.
func untimed(t *testing.T, body string) string {
	t.Helper()
	var answer struct{ Result json.RawMessage }
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return string(answer.Result)
}

// condition is a random one, and nothing sometimes.
func condition(r *rand.Rand, depth int) string {
	switch n := r.IntN(9); {
	case n == 0:
		return fmt.Sprintf(`{"key":"tenant","match":{"value":%q}}`, "abc"[n:n+1])
	case n == 1:
		return `{"key":"tenant","match":{"any":["c","a"]}}`
	case n == 2:
		return fmt.Sprintf(`{"key":"n","range":{"gte":%d}}`, r.IntN(7))
	case n == 3:
		return fmt.Sprintf(`{"has_id":[%d,%d,%d]}`, r.IntN(30), r.IntN(30), r.IntN(30))
	case n == 4:
		return `{"is_empty":{"key":"tenant"}}`
	case n == 5 && depth > 0:
		return filter(r, depth-1)
	}
	return fmt.Sprintf(`{"key":"n","match":{"value":%d}}`, r.IntN(7))
}

func filter(r *rand.Rand, depth int) string {
	var clauses []string
	for _, name := range []string{"must", "should", "must_not"} {
		var list []string
		for range r.IntN(3) {
			list = append(list, condition(r, depth))
		}
		clauses = append(clauses, fmt.Sprintf(`%q:[%s]`, name, strings.Join(list, ",")))
	}
	return "{" + strings.Join(clauses, ",") + "}"
}

// both is a filter and what filters ask for, put together by hand.
func both(f string) string { return `{"must":[` + mine + `,` + f + `]}` }

// TestAnswersUnderAFilterAreTheFilteredExactAnswersOfAStandIn tries random filters on every way to read points.
func TestAnswersUnderAFilterAreTheFilteredExactAnswersOfAStandIn(t *testing.T) {
	d := open(t)
	r := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		f := filter(r, 2)
		vector := fmt.Sprintf("[%d,%d]", 1+r.IntN(30), r.IntN(30))
		for _, x := range []struct{ path, body string }{
			{"/points/scroll", `{"limit":50,"filter":FILTER}`},
			{"/points/count", `{"filter":FILTER}`},
			{"/points/query", `{"query":VECTOR,"limit":50,"with_payload":true,"filter":FILTER}`},
			{"/points/query", `{"prefetch":[{"query":VECTOR,"limit":5,"filter":FILTER},{"query":[1,1],"limit":5,"filter":FILTER}],"query":{"fusion":"rrf"},"limit":50,"with_payload":true,"filter":FILTER}`},
			{"/points/query/batch", `{"searches":[{"query":VECTOR,"limit":3,"filter":FILTER},{"query":{"order_by":"n"},"limit":50,"filter":FILTER,"with_payload":true}]}`},
			{"/points/query/groups", `{"query":VECTOR,"group_by":"tenant","limit":10,"filter":FILTER}`},
			{"/points/search", `{"vector":VECTOR,"limit":7,"filter":FILTER}`},
			{"/facet", `{"key":"tenant","filter":FILTER}`},
		} {
			body := strings.ReplaceAll(x.body, "VECTOR", vector)
			a := d.rest.Do(t.Context(), protocoltest.Request{Method: "POST", Path: "/collections/points" + x.path, Body: strings.ReplaceAll(body, "FILTER", f)})
			if a.Status != http.StatusOK {
				t.Fatalf("%s %s: %v", x.path, body, a)
			}
			got, want := untimed(t, a.Body), d.ask(t, "POST", x.path, strings.ReplaceAll(body, "FILTER", both(f)))
			if diff := gocmp.Diff(parsed(t, want), parsed(t, got)); diff != "" || strings.Contains(got, `"tenant":"c"`) || strings.Contains(got, `"value":"c"`) || strings.Contains(got, `{"id":"c"`) {
				t.Errorf("%s with %s (-filtered by hand +gateway):\n%s", x.path, f, diff)
			}
		}
	}
}

func parsed(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestNothingOfOthersIsChangedUnderAFilterBeforeAStandIn tries every kind of write on everything, by ids and by filters.
func TestNothingOfOthersIsChangedUnderAFilterBeforeAStandIn(t *testing.T) {
	const others = `{"limit":100,"with_vector":true,"filter":{"must_not":[` + mine + `]}}`
	var ids []string
	for i := range 30 {
		ids = append(ids, fmt.Sprint(i))
	}
	all := strings.Join(ids, ",")
	for _, x := range []struct{ method, path, body string }{
		{"POST", "/points/delete", `{"points":[` + all + `]}`},
		{"POST", "/points/delete", `{"filter":{}}`},
		{"POST", "/points/delete", `{"filter":{"should":[{"key":"tenant","match":{"value":"c"}},{"has_id":[` + all + `]}]}}`},
		{"POST", "/points/payload", `{"payload":{"n":666},"points":[` + all + `]}`},
		{"POST", "/points/payload", `{"payload":{"n":666},"filter":{}}`},
		{"POST", "/points/payload", `{"payload":{"tenant":"a"},"filter":{}}`},
		{"PUT", "/points/payload", `{"payload":{"tenant":"a"},"points":[` + all + `]}`},
		{"POST", "/points/payload/delete", `{"keys":["n"],"points":[` + all + `]}`},
		{"PUT", "/points/vectors", `{"points":[{"id":2,"vector":[6,6]}]}`},
		{"PUT", "/points", `{"points":[{"id":2,"vector":[6,6],"payload":{"tenant":"a"}}]}`},
		{"POST", "/points/batch", `{"operations":[{"delete":{"points":[` + all + `]}},{"set_payload":{"payload":{"n":666},"filter":{}}}]}`},
		{"DELETE", "", ``},
	} {
		d := open(t)
		before := d.ask(t, "POST", "/points/scroll", others)
		if strings.Count(before, `"tenant":"c"`) != 10 {
			t.Fatalf("others have %s", before)
		}
		a := d.rest.Do(t.Context(), protocoltest.Request{Method: x.method, Path: "/collections/points" + x.path, Body: x.body})
		if after := d.ask(t, "POST", "/points/scroll", others); after != before {
			t.Errorf("%s %s %s changed others' points: %v\n%s", x.method, x.path, x.body, a, after)
		}
	}
}

// TestBothDoorsReachTheSamePointsUnderAFilterBeforeAStandIn fetches and writes by ids at both doors.
func TestBothDoorsReachTheSamePointsUnderAFilterBeforeAStandIn(t *testing.T) {
	d := open(t)
	call := func(method string, m proto.Message) protocoltest.GRPCAnswer {
		return d.grpc.Do(t.Context(), protocoltest.GRPCRequest{Method: method, Message: m})
	}
	numbers := func(list ...uint64) (ids []*pb.PointId) {
		for _, n := range list {
			ids = append(ids, pb.NewIDNum(n))
		}
		return ids
	}
	a := d.rest.Do(t.Context(), protocoltest.Request{Method: "POST", Path: "/collections/points/points", Body: `{"ids":[0,1,2,3,4,5,99]}`})
	b := call(pb.Points_Get_FullMethodName, &pb.GetPoints{CollectionName: "points", Ids: numbers(0, 1, 2, 3, 4, 5, 99)})
	var rest, rpc []uint64
	var points []struct{ ID uint64 }
	if err := json.Unmarshal([]byte(untimed(t, a.Body)), &points); err != nil {
		t.Fatal(err)
	}
	for _, p := range points {
		rest = append(rest, p.ID)
	}
	got, _ := b.Message.(*pb.GetResponse)
	for _, p := range got.GetResult() {
		rpc = append(rpc, p.GetId().GetNum())
	}
	if want := []uint64{0, 1, 3, 4}; !slices.Equal(rest, want) || !slices.Equal(rpc, want) {
		t.Errorf("REST fetches %v, gRPC %v, want %v; %v %v", rest, rpc, want, a, b.Status)
	}
	for id, code := range map[uint64]string{2: "cannot-be-obliged", 3: "", 200: ""} {
		m := &pb.UpsertPoints{CollectionName: "points", Points: []*pb.PointStruct{{Id: pb.NewIDNum(id), Vectors: pb.NewVectors(1, 2), Payload: pb.NewValueMap(map[string]any{"tenant": "a"})}}}
		if b := call(pb.Points_Upsert_FullMethodName, m); b.Code() != code {
			t.Errorf("upsert of %d over gRPC: %v", id, b.Status)
		}
		a := d.rest.Do(t.Context(), protocoltest.Request{Method: "PUT", Path: "/collections/points/points", Body: fmt.Sprintf(`{"points":[{"id":%d,"vector":[1,2],"payload":{"tenant":"a"}}]}`, id)})
		if a.Header.Get("X-Vecgate-Code") != code {
			t.Errorf("upsert of %d over REST: %v", id, a)
		}
	}
	count := call(pb.Points_Count_FullMethodName, &pb.CountPoints{CollectionName: "points"})
	if want := (&pb.CountResult{Count: 21}); !proto.Equal(count.Message.(*pb.CountResponse).GetResult(), want) {
		t.Errorf("count: %s", gocmp.Diff(want, count.Message, protocmp.Transform()))
	}
}
