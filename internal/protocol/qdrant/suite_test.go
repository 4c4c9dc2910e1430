package qdrant

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	pb "github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

var protection = &access.Protection{
	ID: 1,
	Fields: []access.FieldRule{
		{Pattern: "**.email", Treatment: access.Treatment{Mask: access.MaskRedact, Rule: "personal-data"}},
		{Pattern: "**.meta.phone", Treatment: access.Treatment{Mask: access.MaskDrop, Rule: "personal-data"}},
		{Pattern: "**.city", Treatment: access.Treatment{Mask: access.MaskHash, Rule: "personal-data", Predicates: "equality"}},
		{Pattern: "**.team", Treatment: access.Treatment{Mask: access.MaskRedact, Rule: "personal-data", Predicates: "allow"}},
		{Pattern: "**.age", Treatment: access.Treatment{Mask: access.MaskNull, Rule: "personal-data", Predicates: "allow"}},
	},
	Vectors: []access.VectorRule{{Pattern: "docs/*/customers", Treatment: access.Treatment{Mask: access.MaskNull, Rule: "embeddings-stay-inside"}}},
}

// engine is a stand-in for the REST interface: it knows one alias, and answers every read of points alike.
func engine(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	c := protocoltest.Canary
	point := fmt.Sprintf(`{"id":1,"version":3,"score":0.98765,"payload":{"email":%q,"n":1,"meta":{"phone":%q,"x":[{"phone":"y"}]},"city":%q},"vector":[%q],"order_value":12.5}`, c, c, c, c)
	out := `{"result":true,"status":"ok","time":0.1}`
	switch path := r.URL.Path; {
	case path == "/aliases":
		out = `{"result":{"aliases":[{"alias_name":"prod","collection_name":"customers"}]},"status":"ok","time":0.0}`
	case path == "/collections":
		out = `{"result":{"collections":[{"name":"customers"}]},"status":"ok","time":0.0}`
	case strings.HasSuffix(path, "/points/count"):
		out = `{"result":{"count":0},"status":"ok","time":0.0}`
	case path == "/":
		out = `{"title":"qdrant - vector search engine","version":"1.19.0"}`
	case strings.HasSuffix(path, "/points") && r.Method == http.MethodPost, strings.HasSuffix(path, "/points/search"):
		out = `{"result":[` + point + `],"status":"ok","time":0.1}`
	case strings.HasSuffix(path, "/points/scroll"), strings.HasSuffix(path, "/points/query"):
		out = `{"result":{"points":[` + point + `],"next_page_offset":null},"status":"ok","time":0.1}`
	case strings.HasSuffix(path, "/query/batch"):
		out = `{"result":[{"points":[` + point + `]},{"points":[` + point + `]}],"status":"ok","time":0.1}`
	case strings.HasSuffix(path, "/groups"):
		out = `{"result":{"groups":[{"id":` + fmt.Sprintf("%q", c) + `,"hits":[` + point + `],"lookup":` + point + `}]},"status":"ok","time":0.1}`
	case strings.HasSuffix(path, "/facet"):
		out = `{"result":{"hits":[{"value":` + fmt.Sprintf("%q", c) + `,"count":3}]},"status":"ok","time":0.1}`
	case strings.HasSuffix(path, "/matrix/pairs"):
		out = `{"result":{"pairs":[{"a":1,"b":2,"score":0.98765}]},"status":"ok","time":0.1}`
	case strings.HasSuffix(path, "/matrix/offsets"):
		out = `{"result":{"offsets_row":[0],"offsets_col":[1],"scores":[0.98765],"ids":[1,2]},"status":"ok","time":0.1}`
	case path == "/collections/customers":
		out = `{"result":{"status":"green","points_count":7,"indexed_vectors_count":7,"segments_count":2,"payload_schema":{"email":{"data_type":"keyword","points":7}}},"status":"ok","time":0.1}`
	}
	fmt.Fprint(w, out)
}

const at = "/collections/customers"

func suite() *protocoltest.Suite {
	return &protocoltest.Suite{
		New:           func() httpwire.Dialect { return NewREST(time.Now) },
		Upstream:      http.HandlerFunc(engine),
		Protection:    protection,
		Read:          protocoltest.Request{Method: "POST", Path: at + "/points/scroll", Body: `{"limit":5,"with_vectors":true,"filter":{"must":[{"key":"n","match":{"value":1}}]}}`},
		Write:         protocoltest.Request{Method: "PUT", Path: at + "/points", Body: `{"points":[{"id":18446744073709551615,"vector":[1.50,2],"payload":{"email":"a@b"}}]}`},
		Twice:         `{"limit":1,"lim\u0069t":1000000}`,
		Unfulfillable: protocoltest.Request{Method: "POST", Path: at + "/points/scroll", Body: `{"limit":1,"filter":{"should":[{"key":"\"email\"","match":{"value":"a@b"}}]}}`},
		Large: func(n int) string {
			record := fmt.Sprintf(`{"id":1,"payload":{"email":%q,"n":%q},"vector":null}`, protocoltest.Canary, strings.Repeat("v", 80))
			return `{"result":{"points":[` + record + strings.Repeat(","+record, n/len(record)) + `],"next_page_offset":null},"status":"ok","time":0.0}`
		},
		Nested: &protocoltest.Nested{
			Answer: func(fields string) string {
				return `{"result":{"points":[{"id":1,"payload":` + fields + `}],"next_page_offset":null},"status":"ok","time":0.0}`
			},
			Where: func(path string) (all []protocoltest.Request) {
				quoted := `\"` + strings.ReplaceAll(path, ".", `\".\"`) + `\"`
				for _, key := range []string{path, strings.ReplaceAll(path, ".", "[]."), strings.ReplaceAll(path, ".", "[0]."), quoted} {
					if path == "copy" && key != path {
						continue
					}
					all = append(all,
						protocoltest.Request{Method: "POST", Path: at + "/points/scroll", Body: `{"limit":1,"filter":{"should":[{"key":"` + key + `","match":{"value":"x"}}]}}`},
						protocoltest.Request{Method: "POST", Path: at + "/points/scroll", Body: `{"limit":1,"filter":{"must_not":[{"is_null":{"key":"` + key + `"}}]}}`},
						protocoltest.Request{Method: "POST", Path: at + "/points/scroll", Body: `{"limit":1,"order_by":"` + key + `"}`},
					)
				}
				if outer, inner, ok := strings.Cut(path, "."); ok {
					all = append(all, protocoltest.Request{Method: "POST", Path: at + "/points/scroll", Body: `{"limit":1,"filter":{"must":[{"nested":{"key":"` + outer + `","filter":{"must":[{"key":"` + inner + `","match":{"value":"x"}}]}}}]}}`})
				}
				return all
			},
		},
		Usable: func(status int, body string) error {
			var e struct {
				Status struct{ Error string }
				Result any
				Time   float64
			}
			if err := json.Unmarshal([]byte(body), &e); err != nil || e.Status.Error == "" || status != http.StatusForbidden {
				return fmt.Errorf("the clients make nothing of %d %s", status, body)
			}
			return nil
		},
	}
}

func TestQdrantsRESTPassesTheSuite(t *testing.T) { protocoltest.Run(t, suite()) }

func canaries(n int) *pb.ScrollResponse {
	r := &pb.ScrollResponse{}
	for range n {
		r.Result = append(r.Result, &pb.RetrievedPoint{
			Id: num(1), Payload: pb.NewValueMap(map[string]any{"email": protocoltest.Canary, "n": strings.Repeat("v", 80), "meta": map[string]any{"phone": protocoltest.Canary}}),
		})
	}
	return r
}

func rpcSuite() *protocoltest.GRPCSuite {
	return &protocoltest.GRPCSuite{
		New: func() grpcwire.Dialect { return NewGRPC(time.Now) },
		Upstream: func(_ context.Context, method string, _ proto.Message) (proto.Message, error) {
			switch method {
			case pb.Points_Scroll_FullMethodName:
				return canaries(1), nil
			case pb.Collections_ListAliases_FullMethodName:
				return &pb.ListAliasesResponse{Aliases: []*pb.AliasDescription{{AliasName: "prod", CollectionName: "customers"}}}, nil
			case pb.Collections_List_FullMethodName:
				return &pb.ListCollectionsResponse{Collections: []*pb.CollectionDescription{{Name: "customers"}}}, nil
			}
			return &pb.PointsOperationResponse{Result: &pb.UpdateResult{Status: pb.UpdateStatus_Completed}}, nil
		},
		Protection: protection,
		Read: protocoltest.GRPCRequest{Method: pb.Points_Scroll_FullMethodName, Message: &pb.ScrollPoints{
			CollectionName: "customers", Limit: ptr(uint32(5)), WithVectors: pb.NewWithVectors(true), Filter: &pb.Filter{Must: []*pb.Condition{pb.NewMatchInt("n", 1)}},
		}},
		Write: protocoltest.GRPCRequest{Method: pb.Points_Upsert_FullMethodName, Message: &pb.UpsertPoints{
			CollectionName: "customers", Points: []*pb.PointStruct{{Id: num(1), Vectors: pb.NewVectors(1, 2), Payload: pb.NewValueMap(map[string]any{"email": "a@b"})}},
		}},
		Unfulfillable: protocoltest.GRPCRequest{Method: pb.Points_Scroll_FullMethodName, Message: &pb.ScrollPoints{CollectionName: "customers", Filter: &pb.Filter{Should: byEmail.Must}}},
		Large:         func(n int) proto.Message { return canaries(1 + n/200) },
	}
}

func TestAFieldRuleMeansTheSameOverQdrantsGRPC(t *testing.T) {
	protocoltest.NestedGRPC(t, rpcSuite(), false, func(fields string) proto.Message {
		var payload map[string]any
		if err := json.Unmarshal([]byte(fields), &payload); err != nil {
			t.Fatal(err)
		}
		return &pb.ScrollResponse{Result: []*pb.RetrievedPoint{{Id: num(1), Payload: pb.NewValueMap(payload)}}}
	})
}

func TestQdrantsGRPCPassesTheSuite(t *testing.T) { protocoltest.RunGRPC(t, rpcSuite()) }
