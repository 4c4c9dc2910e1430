package weaviatetest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "github.com/vecgate/vecgate/internal/protocol/weaviate/weaviatepb"
)

// through sends a request to the gateway, and says what came of it: the gateway's own code of a refusal, and the body.
func (w *theatre) through(t *testing.T, token, method, path, body string) (code, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+w.gateway+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if code = resp.Header.Get("X-Vecgate-Code"); code == "" && resp.StatusCode >= 300 {
		code = resp.Status
	}
	return code, string(said)
}

func graphQL(query string) string {
	text, _ := json.Marshal(map[string]string{"query": query}) // of texts alone
	return string(text)
}

// calling is a client of the gateway's gRPC.
func (w *theatre) calling(t *testing.T, token string) (context.Context, *grpc.ClientConn) {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+w.calls, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return metadata.NewOutgoingContext(ctx, metadata.Pairs("authorization", "Bearer "+token)), conn
}

// alias makes one, which is gone before the next test begins.
func (w *theatre) alias(t *testing.T, alias, class string) {
	t.Helper()
	w.direct(t, "POST", "/v1/aliases", fmt.Sprintf(`{"alias":%q,"class":%q}`, alias, class))
	t.Cleanup(func() {
		req, err := http.NewRequest(http.MethodDelete, "http://"+w.server.Address+"/v1/aliases/"+alias, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+w.Key)
		resp, err := http.DefaultClient.Do(req)
		if err != nil || resp.StatusCode >= 300 {
			t.Fatalf("the alias stays: %v", err)
		}
		resp.Body.Close()
	})
}

const service = "/weaviate.v1.Weaviate/"

const object1 = "/v1/objects/Customers/00000000-0000-0000-0000-000000000001"

// Weaviate takes a property's name whatever the case of its first letter.
func TestAPropertyInAnotherCaseGivesNoObjectAway(t *testing.T) {
	w := start(t, own)
	w.fill(t)
	olga := w.As(t, "olga")
	for _, x := range []struct{ method, path, body string }{
		{"PATCH", object1, `{"class":"Customers","properties":{"Owner":"globex"}}`},
		{"PUT", object1, `{"class":"Customers","id":"00000000-0000-0000-0000-000000000001","properties":{"Owner":"globex"}}`},
		{"PUT", object1, `{"class":"Customers","id":"00000000-0000-0000-0000-000000000001","properties":{"owner":"acme","Owner":"globex"}}`},
		{"POST", "/v1/batch/objects", `{"objects":[{"class":"customers","id":"00000000-0000-0000-0000-000000000001","properties":{"Owner":"globex"}}]}`},
	} {
		if code, text := w.through(t, olga, x.method, x.path, x.body); code == "" {
			t.Errorf("%s %s %s: %s", x.method, x.path, x.body, text)
		}
	}
	if got := w.direct(t, "GET", object1, ""); !strings.Contains(got, `"owner":"acme"`) {
		t.Errorf("the object was given away: %s", got)
	}
	// What is one's own may be said in that way.
	if code, text := w.through(t, olga, "PATCH", object1, `{"class":"customers","properties":{"Owner":"acme","Title":"mine"}}`); code != "" {
		t.Errorf("%s %s", code, text)
	}
	if got := w.direct(t, "GET", object1, ""); !strings.Contains(got, `"title":"mine"`) {
		t.Errorf("the object was not changed: %s", got)
	}
}

// No condition, order, group, word or bound may tell a hidden value, or the distance of a hidden vector.
func TestHiddenValuesAreNotFoundByAsking(t *testing.T) {
	w := start(t, "")
	w.fill(t)
	w.alias(t, "Public", "Customers")
	sam := w.As(t, "sam")
	const near = `vector:[3,1.5,-3]`
	for _, query := range []string{
		`{Get{Customers(limit:1 where:{operator:Equal path:["email"] valueText:"person3@example.com"}){n}}}`,
		`{Get{Public(limit:1 where:{operator:Equal path:["email"] valueText:"person3@example.com"}){n}}}`,
		`{Get{Customers(limit:1 where:{operator:Like path:["email"] valueText:"person3*"}){n}}}`,
		`{Get{Customers(limit:1 where:{operator:Not operands:[{operator:IsNull path:["email"] valueBoolean:true}]}){n}}}`,
		`{Get{Customers(limit:1 where:{operator:Or operands:[{operator:Equal path:["n"] valueInt:1},{operator:NotEqual path:["email"] valueText:"x"}]}){n}}}`,
		`{Get{Customers(limit:1 where:{operator:Equal path:["len(email)"] valueInt:19}){n}}}`,
		`{Get{Customers(limit:1 sort:[{path:["n"]},{path:["email"] order:desc}]){n}}}`,
		`{Get{Customers(limit:1 nearVector:{` + near + `} groupBy:{path:["email"] groups:1 objectsPerGroup:1}){n}}}`,
		`{Get{Customers(limit:1 bm25:{query:"person3@example.com" properties:["title","email^9"]}){n}}}`,
		`{Get{Customers(limit:1 hybrid:{query:"x" properties:["email"] ` + near + `}){n}}}`,
		`{Aggregate{Customers(where:{operator:Equal path:["email"] valueText:"person3@example.com"}){meta{count}}}}`,
		`{Aggregate{Customers(groupBy:["email"]){meta{count} groupedBy{value}}}}`,
		`{Aggregate{Customers{email{topOccurrences{value occurs}}}}}`,
		`{Aggregate{Customers{email{count}}}}`,
		`{Get{Customers(limit:1 nearVector:{` + near + ` distance:0.5}){n}}}`,
		`{Get{Customers(limit:1 nearVector:{` + near + ` certainty:0.9}){n}}}`,
		`{Get{Customers(limit:1 nearObject:{id:"00000000-0000-0000-0000-000000000001" distance:0.1}){n}}}`,
		`{Get{Customers(limit:1 hybrid:{query:"x" properties:["title"] ` + near + ` maxVectorDistance:0.5}){n}}}`,
		`{Get{Customers(limit:1 hybrid:{query:"x" properties:["title"] searches:[{nearVector:{` + near + ` distance:0.5}}]}){n}}}`,
		`{Aggregate{Customers(nearVector:{` + near + ` distance:0.5}){meta{count}}}}`,
	} {
		if code, text := w.through(t, sam, "POST", "/v1/graphql", graphQL(query)); code != "cannot-be-obliged" {
			t.Errorf("%s: %s %s", query, code, text)
		}
	}
	for _, path := range []string{"?class=Customers&limit=1&sort=email", "?class=customers&limit=1&sort=n,email"} {
		if code, text := w.through(t, sam, "GET", "/v1/objects"+path, ""); code != "cannot-be-obliged" {
			t.Errorf("%s: %s %s", path, code, text)
		}
	}
	ctx, client := w.calling(t, sam)
	vector := []*pb.Vectors{{VectorBytes: make([]byte, 12), Type: pb.Vectors_VECTOR_TYPE_SINGLE_FP32}}
	bound := 0.5
	for name, request := range map[string]*pb.SearchRequest{
		"distance":  {NearVector: &pb.NearVector{Vectors: vector, Distance: &bound}},
		"certainty": {NearVector: &pb.NearVector{Vectors: vector, Certainty: &bound}},
		"object":    {NearObject: &pb.NearObject{Id: "00000000-0000-0000-0000-000000000001", Distance: &bound}},
		"hybrid":    {HybridSearch: &pb.Hybrid{Query: "x", Properties: []string{"title"}, Vectors: vector, Threshold: &pb.Hybrid_VectorDistance{VectorDistance: 0.5}}},
		"within":    {HybridSearch: &pb.Hybrid{Query: "x", Properties: []string{"title"}, NearVector: &pb.NearVector{Vectors: vector, Distance: &bound}}},
		"words":     {Bm25Search: &pb.BM25{Query: "person3@example.com", Properties: []string{"Email"}}},
		"order":     {SortBy: []*pb.SortBy{{Path: []string{"email"}}}},
		"condition": {Filters: &pb.Filters{
			Operator: pb.Filters_OPERATOR_EQUAL, Target: &pb.FilterTarget{Target: &pb.FilterTarget_Property{Property: "email"}}, TestValue: &pb.Filters_ValueText{ValueText: "x"},
		}},
	} {
		request.Collection, request.Limit, request.Uses_127Api = "Customers", 1, true
		if err := client.Invoke(ctx, service+"Search", request, &pb.SearchReply{}); status.Code(err) != codes.PermissionDenied {
			t.Errorf("%s: %v", name, err)
		}
	}
	count := &pb.AggregateRequest{
		Collection: "Customers", ObjectsCount: true, Search: &pb.AggregateRequest_NearVector{NearVector: &pb.NearVector{Vectors: vector, Distance: &bound}},
	}
	if err := client.Invoke(ctx, service+"Aggregate", count, &pb.AggregateReply{}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("an aggregation of what is near: %v", err)
	}
}

// A search for words that names no properties looks into those that may be seen, whatever interface asks.
func TestWordsOfHiddenPropertiesAreNotFound(t *testing.T) {
	w := start(t, "")
	w.fill(t)
	sam := w.As(t, "sam")
	ctx, client := w.calling(t, sam)
	for words, hits := range map[string]int{"person3@example.com": 0, "number": 20} {
		for _, search := range []string{`bm25:{query:"` + words + `"}`, `hybrid:{query:"` + words + `" alpha:0 vector:[3,1.5,-3]}`} {
			code, text := w.through(t, sam, "POST", "/v1/graphql", graphQL(`{Get{Customers(limit:100 `+search+`){n}}}`))
			if n := strings.Count(text, `"n":`); code != "" || n != hits {
				t.Errorf("%s: %d are found, want %d: %s %s", search, n, hits, code, text)
			}
		}
		for _, request := range []*pb.SearchRequest{{Bm25Search: &pb.BM25{Query: words}}, {HybridSearch: &pb.Hybrid{Query: words, AlphaParam: new(float32), UseAlphaParam: true}}} {
			answer := &pb.SearchReply{}
			request.Collection, request.Limit, request.Uses_127Api = "Customers", 100, true
			if err := client.Invoke(ctx, service+"Search", request, answer); err != nil || len(answer.GetResults()) != hits {
				t.Errorf("%v: %d are found, want %d: %v", request, len(answer.GetResults()), hits, err)
			}
		}
	}
}

// Collections and properties are hidden by whatever name Weaviate takes for theirs.
func TestHiddenValuesComeOutUnderNoOtherName(t *testing.T) {
	w := start(t, "")
	w.fill(t)
	w.alias(t, "Public", "Customers")
	sam := w.As(t, "sam")
	hidden := regexp.MustCompile(`(person|nested)[0-9]+@`)
	answered := 0
	check := func(what, code, text string) {
		t.Helper()
		if code == "" {
			answered++
		}
		if hidden.MatchString(text) {
			t.Errorf("%s: %s", what, text)
		}
	}
	for _, x := range []struct{ method, path, body string }{
		{"GET", strings.Replace(object1, "Customers", "customers", 1) + "?include=vector", ""},
		{"GET", strings.Replace(object1, "Customers", "Public", 1) + "?include=vectors", ""},
		{"GET", "/v1/objects?class=customers&limit=5", ""},
		{"GET", "/v1/objects?class=Public&limit=5&include=vector", ""},
		{"GET", "/v1/objects/00000000-0000-0000-0000-000000000001", ""},
		{"GET", "/v1/objects?limit=5", ""},
		{"POST", "/v1/graphql", graphQL(`{Get{Public(limit:5){title a:email address{b:email}}}}`)},
		{"POST", "/v1/graphql", graphQL(`{Get{Customers(limit:5){Email}}}`)},
		{"POST", "/v1/graphql", graphQL(`{Get{customers(limit:5){email}}}`)},
	} {
		code, text := w.through(t, sam, x.method, x.path, x.body)
		check(fmt.Sprint(x), code, text)
	}
	ctx, client := w.calling(t, sam)
	for _, collection := range []string{"Customers", "customers", "Public"} {
		for _, name := range []string{"email", "Email", "Address", "address"} {
			answer := &pb.SearchReply{}
			err := client.Invoke(ctx, service+"Search", &pb.SearchRequest{Collection: collection, Limit: 5, Uses_127Api: true, Properties: &pb.PropertiesRequest{
				NonRefProperties: []string{name, "title"},
				ObjectProperties: []*pb.ObjectPropertiesRequest{{PropName: "Address", PrimitiveProperties: []string{"Email", "email", "street"}}},
			}}, answer)
			code := ""
			if err != nil {
				code = err.Error()
			}
			check(collection+" "+name, code, answer.String())
		}
	}
	if answered < 8 {
		t.Errorf("%d were answered: what is asked for here is not what Weaviate answers", answered)
	}
}
