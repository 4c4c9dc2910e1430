package weaviate

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
	pb "github.com/vecgate/vecgate/internal/protocol/weaviate/weaviatepb"
)

// Weaviate finds an object by its id alone, in whichever collection it is, also in one that nobody may read.
func TestAnObjectIsNotReachedByItsIDWithoutACollection(t *testing.T) {
	for name, o := range map[string]access.Obligations{
		"free": {}, "masked": {Protection: protection},
		"filtered": {Filters: []access.FilterRule{{Pattern: "docs/*/Secret", Field: "owner", Values: []string{"acme"}, Rule: "own"}}},
	} {
		w := protocoltest.Start(t, suite())
		w.Unclear = true // a policy that lets what is unclear pass
		w.Oblige(o)
		for _, x := range []struct{ method, path, body string }{
			{"GET", "/v1/objects/" + first, ``},
			{"GET", "/v1/objects/" + first + "?class=Article", ``},
			{"HEAD", "/v1/objects/" + first, ``},
			{"PUT", "/v1/objects/" + first, `{"class":"Article","id":"` + first + `","properties":{"owner":"acme"}}`},
			{"PATCH", "/v1/objects/" + first, `{"class":"Article","properties":{"owner":"acme"}}`},
			{"DELETE", "/v1/objects/" + first, ``},
			{"POST", "/v1/objects/" + first + "/references/author", `{"beacon":"weaviate://localhost/Author/` + second + `"}`},
			{"GET", "/v1/objects/" + strings.ReplaceAll(first, "-", ""), ``},
			{"GET", "/v1/objects/Article/" + strings.ReplaceAll(first, "-", ""), ``},
			{"GET", "/v1/objects", ``},
			{"GET", "/v1/objects?limit=1", ``},
			{"GET", "/v1/objects?class=", ``},
			{"GET", "/v1/objects/Article/../Secret/" + first, ``},
			{"GET", "/v1/objects/%41rticle/" + first, ``},
		} {
			if a := w.Do(t.Context(), protocoltest.Request{Method: x.method, Path: x.path, Body: x.body}); a.Header.Get("X-Vecgate-Code") != string(access.CodeUnclear) {
				t.Errorf("%s: %s %s: %v", name, x.method, x.path, a)
			}
		}
		for _, r := range w.All() {
			t.Errorf("%s: %s %s reached the target", name, r.Method, r.URI)
		}
	}
}

// Weaviate makes the first letter of a collection's name a capital one over REST, and leaves it over gRPC.
func TestACollectionIsOneWhateverTheCaseOfItsFirstLetter(t *testing.T) {
	var mu sync.Mutex
	var judged []string
	rule := func(op *access.Operation, _ access.Context) access.Decision {
		mu.Lock()
		defer mu.Unlock()
		for _, a := range op.Accesses {
			judged = append(judged, a.Resource.Collection)
		}
		return access.Decision{Effect: access.Deny, Reason: access.Reason{Code: access.CodeDenied, Sentence: "no"}}
	}
	check := func(what, code string) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if len(judged) == 0 && code != string(access.CodeUnclear) {
			t.Errorf("%s is not judged: %s", what, code)
		}
		for _, name := range judged {
			if name != "Secret" {
				t.Errorf("%s is judged as %q", what, name)
			}
		}
		judged = nil
	}
	w := protocoltest.Start(t, suite())
	w.Rule(rule)
	for _, name := range []string{"Secret", "secret", "Published", "published"} {
		for _, x := range []struct{ method, path, body string }{
			{"GET", "/v1/objects/" + name + "/" + first, ``},
			{"HEAD", "/v1/objects/" + name + "/" + first, ``},
			{"GET", "/v1/objects?class=" + name, ``},
			{"DELETE", "/v1/objects/" + name + "/" + first, ``},
			{"PATCH", "/v1/objects/" + name + "/" + first, `{"properties":{"plan":"x"}}`},
			{"POST", "/v1/objects", `{"class":"` + name + `","properties":{"plan":"x"}}`},
			{"POST", "/v1/batch/objects", `{"objects":[{"class":"` + name + `","properties":{"plan":"x"}}]}`},
			{"DELETE", "/v1/batch/objects", `{"match":{"class":"` + name + `","where":{"operator":"Equal","path":["plan"],"valueText":"x"}}}`},
			{"GET", "/v1/schema/" + name, ``},
			{"DELETE", "/v1/schema/" + name, ``},
			{"GET", "/v1/schema/" + name + "/shards", ``},
			{"GET", "/v1/schema/" + name + "/tenants", ``},
			{"POST", "/v1/graphql", graphql(`{Get{` + name + `{plan}}}`)},
			{"POST", "/v1/graphql", graphql(`{Aggregate{a:` + name + `{meta{count}}}}`)},
		} {
			a := w.Do(t.Context(), protocoltest.Request{Method: x.method, Path: x.path, Body: x.body})
			check(x.method+" "+x.path+" "+x.body, a.Header.Get("X-Vecgate-Code"))
		}
	}
	g := protocoltest.StartGRPC(t, grpcSuite())
	g.Rule(rule)
	for _, name := range []string{"Secret", "secret", "Published", "published"} {
		for rpc, m := range map[string]proto.Message{
			"Search": &pb.SearchRequest{Collection: name, Uses_127Api: true}, "Aggregate": &pb.AggregateRequest{Collection: name, ObjectsCount: true},
			"BatchObjects": &pb.BatchObjectsRequest{Objects: []*pb.BatchObject{{Collection: name}}}, "BatchDelete": &pb.BatchDeleteRequest{Collection: name},
			"TenantsGet":      &pb.TenantsGetRequest{Collection: name},
			"BatchReferences": &pb.BatchReferencesRequest{References: []*pb.BatchReference{{Name: "a", FromCollection: name, FromUuid: first, ToUuid: second}}},
		} {
			a := g.Do(t.Context(), protocoltest.GRPCRequest{Method: service + rpc, Message: m})
			check(rpc+" of "+name, a.Code())
		}
	}
	for _, r := range w.All() {
		if r.Method != http.MethodGet || !strings.HasPrefix(r.URI, "/v1/schema/") {
			t.Errorf("%s %s reached the target", r.Method, r.URI)
		}
	}
}
