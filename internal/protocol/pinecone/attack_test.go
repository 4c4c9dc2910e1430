package pinecone

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/vecgate/vecgate/internal/access"
	pb "github.com/vecgate/vecgate/internal/protocol/pinecone/pineconepb"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

// What a page goes on with may have been given to somebody without the filter: whatever the engine makes of it, only the
// caller's own records come out.
func TestThePageOfSomebodyElseShowsNothingOfTheirs(t *testing.T) {
	s := suite()
	s.Upstream = http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(rw, `{"vectors":{"1":{"id":"1","values":[1],"metadata":{"tenant":"acme"}},"2":{"id":"2","values":[1],"metadata":{"tenant":"globex","x":%q}},"3":{"id":"3","values":[1],"x":%q}},"pagination":{"next":"n"}}`, canary, canary)
	})
	w := protocoltest.Start(t, s)
	w.Oblige(access.Obligations{Filters: own})
	a := w.Do(t.Context(), protocoltest.Request{Method: "POST", Path: "/vectors/fetch_by_metadata", Body: `{"paginationToken":"theirs"}`})
	if want := `{"vectors":{"1":{"id":"1","values":[1],"metadata":{"tenant":"acme"}}},"pagination":{"next":"n"}}`; a.Body != want {
		t.Errorf("%v, want %s", a, want)
	}
	g := protocoltest.StartGRPC(t, grpcSuite(t))
	g.Oblige(access.Obligations{Filters: own})
	g.Upstream(func(context.Context, string, proto.Message) (proto.Message, error) {
		return &pb.FetchByMetadataResponse{Vectors: map[string]*pb.Vector{
			"1": {Id: "1", Values: []float32{1}, Metadata: meta(t, `{"tenant":"acme"}`)}, "2": {Id: "2", Values: []float32{1}, Metadata: meta(t, `{"tenant":"globex"}`)}, "3": {Id: "3", Values: []float32{1}},
		}}, nil
	})
	got := g.Do(t.Context(), protocoltest.GRPCRequest{Method: service + "FetchByMetadata", Message: &pb.FetchByMetadataRequest{PaginationToken: proto.String("theirs")}})
	answer, ok := got.Message.(*pb.FetchByMetadataResponse)
	if !ok || len(answer.GetVectors()) != 1 || answer.GetVectors()["1"] == nil {
		t.Errorf("%v %v", got.Status, got.Message)
	}
}

// The host that a request names neither chooses an index nor reaches Pinecone, and the namespace that policy judges is the
// one that is sent.
func TestARequestGoesToTheIndexOfItsListener(t *testing.T) {
	w := protocoltest.Start(t, suite())
	var judged []string
	w.Rule(func(op *access.Operation, _ access.Context) access.Decision {
		judged = append(judged, op.First().Resource.String())
		return access.Decision{Effect: access.Allow}
	})
	for _, h := range []http.Header{
		{"X-Forwarded-Host": {"secret-1a2b3c.svc.pinecone.io"}}, {"Forwarded": {"host=secret-1a2b3c.svc.pinecone.io"}}, {"X-Pinecone-Index": {"secret"}, "X-Pinecone-Host": {"secret"}}, {"X-Project-Id": {"secret"}},
	} {
		judged = nil
		r := suite().Read
		r.Header = h
		r.Header.Set("Api-Key", protocoltest.Token)
		before := len(w.All())
		a := w.Do(t.Context(), r)
		all := w.All()
		if a.Status != http.StatusOK || len(all) != before+1 || strings.Join(judged, " ") != "docs/docs/people" {
			t.Errorf("%v: judged as %v: %v", h, judged, a)
			continue
		}
		for name, values := range all[before].Header {
			if strings.Contains(strings.Join(values, " "), "secret-1a2b3c") || values[0] == "secret" {
				t.Errorf("%s: %v reached the target", name, values)
			}
		}
	}
	for _, path := range []string{"http://secret-1a2b3c.svc.pinecone.io/query", "https://docs/query", "//secret-1a2b3c.svc.pinecone.io/query", "/secret/query", "/query?namespace=secret", "/query?host=secret"} {
		before := len(w.All())
		r := suite().Read
		r.Path = path
		if a := w.Do(t.Context(), r); a.Status < 400 || len(w.All()) > before {
			t.Errorf("%s: %v", path, a)
		}
	}
}
