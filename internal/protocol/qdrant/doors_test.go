package qdrant

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	pb "github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// The same alias is known at both doors.
func ask(context.Context, string) (int, jsonstream.Value, error) {
	return http.StatusOK, literal(`{"result":{"aliases":[{"alias_name":"prod","collection_name":"customers"}],"collections":[{"name":"customers"}]}}`), nil
}

func askRPC(_ context.Context, _ string, _, response proto.Message) error {
	if m, ok := response.(*pb.ListAliasesResponse); ok {
		m.Aliases = []*pb.AliasDescription{{AliasName: "prod", CollectionName: "customers"}}
	}
	return nil
}

func readREST(t testing.TB, method, path, body string) (*httpwire.Call, error) {
	t.Helper()
	for _, route := range Routes() {
		want, have := strings.Split(route.Path, "/"), strings.Split(path, "/")
		if route.Method != method || len(want) != len(have) {
			continue
		}
		params := map[string]string{}
		same := true
		for i, s := range want {
			if name, ok := strings.CutPrefix(s, "{"); ok {
				params[strings.TrimSuffix(name, "}")] = have[i]
			} else if s != have[i] {
				same = false
			}
		}
		if !same {
			continue
		}
		r := &httpwire.Request{Route: &route, Target: "docs", Params: params, Ask: ask}
		if body != "" {
			v, err := jsonstream.Read([]byte(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Body = v
		}
		return NewREST(time.Now).Read(t.Context(), r)
	}
	t.Fatalf("no route %s %s", method, path)
	return nil, nil
}

func readRPC(t testing.TB, name string, m proto.Message) (*grpcwire.Call, error) {
	t.Helper()
	methods := Methods()
	i := slices.IndexFunc(methods, func(m grpcwire.Method) bool { return m.Name == name })
	if i < 0 {
		t.Fatalf("no method %s", name)
	}
	return NewGRPC(time.Now).Read(t.Context(), &grpcwire.Request{Method: &methods[i], Target: "docs", Message: proto.Clone(m), Ask: askRPC})
}

func num(n uint64) *pb.PointId { return pb.NewIDNum(n) }

func ptr[T any](v T) *T { return &v }

var (
	byEmail  = &pb.Filter{Must: []*pb.Condition{pb.NewMatchKeyword("email", "a@b")}}
	dense    = &pb.Query{Variant: &pb.Query_Nearest{Nearest: &pb.VectorInput{Variant: &pb.VectorInput_Dense{Dense: &pb.DenseVector{Data: []float32{1, 2}}}}}}
	byPoint1 = &pb.Query{Variant: &pb.Query_Nearest{Nearest: &pb.VectorInput{Variant: &pb.VectorInput_Id{Id: num(5)}}}}
)

// pairs are requests that mean the same at both doors.
var pairs = []struct {
	method, path, body string
	rpc                string
	message            proto.Message
}{
	{"GET", "/collections", ``, "Collections/List", &pb.ListCollectionsRequest{}},
	{"GET", "/collections/prod", ``, "Collections/Get", &pb.GetCollectionInfoRequest{CollectionName: "prod"}},
	{"GET", at + "/exists", ``, "Collections/CollectionExists", &pb.CollectionExistsRequest{CollectionName: "customers"}},
	{"PUT", at, `{"vectors":{"size":2,"distance":"Dot"}}`, "Collections/Create", &pb.CreateCollection{CollectionName: "customers"}},
	{"PATCH", at, `{"metadata":{}}`, "Collections/Update", &pb.UpdateCollection{CollectionName: "customers"}},
	{"DELETE", "/collections/prod", ``, "Collections/Delete", &pb.DeleteCollection{CollectionName: "prod"}},
	{"GET", "/aliases", ``, "Collections/ListAliases", &pb.ListAliasesRequest{}},
	{"GET", at + "/aliases", ``, "Collections/ListCollectionAliases", &pb.ListCollectionAliasesRequest{CollectionName: "customers"}},
	{
		"POST", "/collections/aliases", `{"actions":[{"delete_alias":{"alias_name":"prod"}},{"create_alias":{"collection_name":"new","alias_name":"prod"}},{"rename_alias":{"old_alias_name":"prod","new_alias_name":"live"}}]}`,
		"Collections/UpdateAliases", &pb.ChangeAliases{Actions: []*pb.AliasOperations{
			pb.NewAliasDelete("prod"), pb.NewAliasCreate("prod", "new"), pb.NewAliasRename("prod", "live"),
		}},
	},
	{"GET", at + "/cluster", ``, "Collections/CollectionClusterInfo", &pb.CollectionClusterInfoRequest{CollectionName: "customers"}},
	{"GET", at + "/shards", ``, "Collections/ListShardKeys", &pb.ListShardKeysRequest{CollectionName: "customers"}},
	{"PUT", at + "/index", `{"field_name":"a"}`, "Points/CreateFieldIndex", &pb.CreateFieldIndexCollection{CollectionName: "customers", FieldName: "a"}},
	{"DELETE", at + "/index/a", ``, "Points/DeleteFieldIndex", &pb.DeleteFieldIndexCollection{CollectionName: "customers", FieldName: "a"}},
	{"GET", at + "/snapshots", ``, "Snapshots/List", &pb.ListSnapshotsRequest{CollectionName: "customers"}},
	{"POST", at + "/snapshots", ``, "Snapshots/Create", &pb.CreateSnapshotRequest{CollectionName: "customers"}},
	{"DELETE", at + "/snapshots/x", ``, "Snapshots/Delete", &pb.DeleteSnapshotRequest{CollectionName: "customers", SnapshotName: "x"}},
	{"GET", "/snapshots", ``, "Snapshots/ListFull", &pb.ListFullSnapshotsRequest{}},

	{"POST", at + "/points", `{"ids":[1,2],"with_payload":["a"],"with_vector":true}`, "Points/Get", &pb.GetPoints{
		CollectionName: "customers", Ids: []*pb.PointId{num(1), num(2)}, WithPayload: pb.NewWithPayloadInclude("a"), WithVectors: pb.NewWithVectors(true),
	}},
	{"POST", "/collections/prod/points/scroll", `{"filter":{"must":[{"key":"email","match":{"value":"a@b"}}]},"order_by":"age"}`, "Points/Scroll", &pb.ScrollPoints{
		CollectionName: "prod", Filter: byEmail, OrderBy: &pb.OrderBy{Key: "age"},
	}},
	{"POST", at + "/points/scroll", `{"limit":100,"offset":7,"with_vector":["a","b"],"with_payload":{"exclude":["x"]}}`, "Points/Scroll", &pb.ScrollPoints{
		CollectionName: "customers", Limit: ptr(uint32(100)), Offset: num(7), WithVectors: pb.NewWithVectorsInclude("a", "b"), WithPayload: pb.NewWithPayloadExclude("x"),
	}},
	{"POST", at + "/points/scroll", `{"limit":1,"offset":1,"filter":{"must":[{"key":"email","match":{"value":"a@b"}},{"must":[{"has_id":[1,2]}]}]}}`, "Points/Scroll", &pb.ScrollPoints{
		CollectionName: "customers", Limit: ptr(uint32(1)), Offset: num(1), Filter: &pb.Filter{Must: []*pb.Condition{
			pb.NewMatchKeyword("email", "a@b"), pb.NewFilterAsCondition(&pb.Filter{Must: []*pb.Condition{pb.NewHasID(num(1), num(2))}}),
		}},
	}},
	{"POST", at + "/points/scroll", `{"filter":{"should":[{"has_id":[1]},{"has_id":[2]}]}}`, "Points/Scroll", &pb.ScrollPoints{
		CollectionName: "customers", Filter: &pb.Filter{Should: []*pb.Condition{pb.NewHasID(num(1)), pb.NewHasID(num(2))}},
	}},
	{"POST", at + "/points/scroll", `{"filter":{"must":[{"must_not":[{"has_id":[1]}]}]}}`, "Points/Scroll", &pb.ScrollPoints{
		CollectionName: "customers", Filter: &pb.Filter{Must: []*pb.Condition{pb.NewFilterAsCondition(&pb.Filter{MustNot: []*pb.Condition{pb.NewHasID(num(1))}})}},
	}},
	{"POST", at + "/points/query/groups", `{"group_by":"n","group_size":1,"filter":{"must":[{"has_id":[1,2]}]}}`, "Points/QueryGroups", &pb.QueryPointGroups{
		CollectionName: "customers", GroupBy: "n", GroupSize: ptr(uint64(1)), Filter: &pb.Filter{Must: []*pb.Condition{pb.NewHasID(num(1), num(2))}},
	}},
	{
		"POST", at + "/points/count", `{"filter":{"must":[{"nested":{"key":"meta[]","filter":{"must":[{"key":"phone","match":{"any":["1"]}}]}}},{"must":[{"key":"n","range":{"gt":1}}]}],"must_not":[{"is_empty":{"key":"a"}},{"is_null":{"key":"b"}},{"has_vector":"v"}],"should":{"has_id":[1]},"min_should":{"conditions":[{"key":"c","match":{"except":["x"]}}],"min_count":1}}}`,
		"Points/Count", &pb.CountPoints{CollectionName: "customers", Filter: &pb.Filter{
			Must: []*pb.Condition{
				pb.NewNestedFilter("meta[]", &pb.Filter{Must: []*pb.Condition{pb.NewMatchKeywords("phone", "1")}}),
				pb.NewFilterAsCondition(&pb.Filter{Must: []*pb.Condition{pb.NewRange("n", &pb.Range{Gt: ptr(1.0)})}}),
			},
			MustNot:   []*pb.Condition{pb.NewIsEmpty("a"), pb.NewIsNull("b"), pb.NewHasVector("v")},
			Should:    []*pb.Condition{pb.NewHasID(num(1))},
			MinShould: &pb.MinShould{Conditions: []*pb.Condition{pb.NewMatchExceptKeywords("c", "x")}, MinCount: 1},
		}},
	},
	{"POST", at + "/facet", `{"key":"team"}`, "Points/Facet", &pb.FacetCounts{CollectionName: "customers", Key: "team"}},
	{"POST", at + "/points/search/matrix/pairs", `{"sample":50}`, "Points/SearchMatrixPairs", &pb.SearchMatrixPoints{CollectionName: "customers", Sample: ptr(uint64(50))}},
	{"POST", at + "/points/search/matrix/offsets", `{"using":"v"}`, "Points/SearchMatrixOffsets", &pb.SearchMatrixPoints{CollectionName: "customers", Using: ptr("v")}},
	{"POST", at + "/points/query", `{"query":[1,2],"offset":3,"score_threshold":0.5}`, "Points/Query", &pb.QueryPoints{CollectionName: "customers", Query: dense, Offset: ptr(uint64(3)), ScoreThreshold: ptr(float32(0.5))}},
	{"POST", at + "/points/query", `{}`, "Points/Query", &pb.QueryPoints{CollectionName: "customers"}},
	{"POST", at + "/points/query", `{"query":{"order_by":"email"}}`, "Points/Query", &pb.QueryPoints{CollectionName: "customers", Query: &pb.Query{Variant: &pb.Query_OrderBy{OrderBy: &pb.OrderBy{Key: "email"}}}}},
	{"POST", at + "/points/query", `{"query":{"sample":"random"}}`, "Points/Query", &pb.QueryPoints{CollectionName: "customers", Query: &pb.Query{Variant: &pb.Query_Sample{}}}},
	{
		"POST", at + "/points/query", `{"prefetch":[{"query":5,"lookup_from":{"collection":"secret"},"filter":{"must":[{"key":"email","match":{"value":"a@b"}}]}}],"query":{"fusion":"rrf"}}`,
		"Points/Query", &pb.QueryPoints{CollectionName: "customers", Query: &pb.Query{Variant: &pb.Query_Fusion{}}, Prefetch: []*pb.PrefetchQuery{{Query: byPoint1, LookupFrom: &pb.LookupLocation{CollectionName: "secret"}, Filter: byEmail}}},
	},
	{
		"POST", at + "/points/query", `{"prefetch":[{"query":[1,2]}],"query":{"formula":{"sum":["$score",{"mult":[2,"salary"]},{"key":"email","match":{"value":"a@b"}},{"exp_decay":{"x":{"datetime_key":"born"}}},{"geo_distance":{"origin":{"lat":1,"lon":1},"to":"home"}},{"div":{"left":1,"right":{"neg":"age"}}},{"pow":{"base":{"ln":2},"exponent":1}}]}}}`,
		"Points/Query", &pb.QueryPoints{CollectionName: "customers", Prefetch: []*pb.PrefetchQuery{{Query: dense}}, Query: &pb.Query{Variant: &pb.Query_Formula{Formula: &pb.Formula{Expression: pb.NewExpressionSum(&pb.SumExpression{Sum: []*pb.Expression{
			pb.NewExpressionVariable("$score"), pb.NewExpressionMult(&pb.MultExpression{Mult: []*pb.Expression{pb.NewExpressionConstant(2), pb.NewExpressionVariable("salary")}}),
			pb.NewExpressionCondition(pb.NewMatchKeyword("email", "a@b")), pb.NewExpressionExpDecay(&pb.DecayParamsExpression{X: pb.NewExpressionDatetimeKey("born")}),
			pb.NewExpressionGeoDistance(&pb.GeoDistance{Origin: &pb.GeoPoint{}, To: "home"}),
			pb.NewExpressionDiv(&pb.DivExpression{Left: pb.NewExpressionConstant(1), Right: pb.NewExpressionNeg(pb.NewExpressionVariable("age"))}),
			pb.NewExpressionPow(&pb.PowExpression{Base: pb.NewExpressionLn(pb.NewExpressionConstant(2)), Exponent: pb.NewExpressionConstant(1)}),
		}})}}}},
	},
	{
		"POST", at + "/points/query", `{"query":{"recommend":{"positive":[5],"negative":[[1,2]]}}}`,
		"Points/Query", &pb.QueryPoints{CollectionName: "customers", Query: &pb.Query{Variant: &pb.Query_Recommend{Recommend: &pb.RecommendInput{Positive: []*pb.VectorInput{byPoint1.GetNearest()}, Negative: []*pb.VectorInput{dense.GetNearest()}}}}},
	},
	{
		"POST", at + "/points/query", `{"query":{"discover":{"target":[1,2],"context":[{"positive":5,"negative":[1,2]}]}}}`,
		"Points/Query", &pb.QueryPoints{CollectionName: "customers", Query: &pb.Query{Variant: &pb.Query_Discover{Discover: &pb.DiscoverInput{Target: dense.GetNearest(), Context: &pb.ContextInput{Pairs: []*pb.ContextInputPair{{Positive: byPoint1.GetNearest(), Negative: dense.GetNearest()}}}}}}},
	},
	{
		"POST", at + "/points/query", `{"query":{"relevance_feedback":{"target":[1,2],"feedback":[{"example":5,"score":1}],"strategy":{"naive":{"a":1,"b":1,"c":1}}}}}`,
		"Points/Query", &pb.QueryPoints{CollectionName: "customers", Query: &pb.Query{Variant: &pb.Query_RelevanceFeedback{RelevanceFeedback: &pb.RelevanceFeedbackInput{Target: dense.GetNearest(), Feedback: []*pb.FeedbackItem{{Example: byPoint1.GetNearest(), Score: 1}}}}}},
	},
	{
		"POST", at + "/points/query", `{"query":{"nearest":{"text":"x","model":"m"},"mmr":{}}}`,
		"Points/Query", &pb.QueryPoints{CollectionName: "customers", Query: &pb.Query{Variant: &pb.Query_NearestWithMmr{NearestWithMmr: &pb.NearestInputWithMmr{Nearest: &pb.VectorInput{Variant: &pb.VectorInput_Document{Document: &pb.Document{Text: "x", Model: "m"}}}}}}},
	},
	{
		"POST", at + "/points/query/groups", `{"query":[1,2],"group_by":"team","group_size":4,"with_lookup":{"collection":"secret","with_vectors":true,"with_payload":false}}`,
		"Points/QueryGroups", &pb.QueryPointGroups{CollectionName: "customers", Query: dense, GroupBy: "team", GroupSize: ptr(uint64(4)), WithLookup: &pb.WithLookup{Collection: "secret", WithVectors: pb.NewWithVectors(true), WithPayload: pb.NewWithPayload(false)}},
	},
	{
		"POST", at + "/points/query/batch", `{"searches":[{"query":[1,2]},{"query":5,"limit":3}]}`,
		"Points/QueryBatch", &pb.QueryBatchPoints{CollectionName: "customers", QueryPoints: []*pb.QueryPoints{{CollectionName: "customers", Query: dense}, {Query: byPoint1, Limit: ptr(uint64(3))}}},
	},
	{"POST", at + "/points/search", `{"vector":{"name":"v","vector":[1]},"limit":4,"with_payload":true}`, "Points/Search", &pb.SearchPoints{CollectionName: "customers", VectorName: ptr("v"), Limit: 4, WithPayload: pb.NewWithPayload(true)}},
	{"POST", at + "/points/search/batch", `{"searches":[{"vector":[1],"limit":4}]}`, "Points/SearchBatch", &pb.SearchBatchPoints{CollectionName: "customers", SearchPoints: []*pb.SearchPoints{{Limit: 4}}}},
	{"POST", at + "/points/search/groups", `{"vector":[1],"limit":4,"group_by":"email","group_size":2}`, "Points/SearchGroups", &pb.SearchPointGroups{CollectionName: "customers", Limit: 4, GroupBy: "email", GroupSize: 2}},
	{"POST", at + "/points/recommend", `{"positive":[1,[2,3]],"negative":[4],"limit":4}`, "Points/Recommend", &pb.RecommendPoints{CollectionName: "customers", Positive: []*pb.PointId{num(1)}, Negative: []*pb.PointId{num(4)}, PositiveVectors: []*pb.Vector{{}}, Limit: 4}},
	{
		"POST", at + "/points/recommend/groups", `{"positive":[1],"limit":4,"group_by":"team","group_size":2,"lookup_from":{"collection":"secret"}}`,
		"Points/RecommendGroups", &pb.RecommendPointGroups{CollectionName: "customers", Positive: []*pb.PointId{num(1)}, Limit: 4, GroupBy: "team", GroupSize: 2, LookupFrom: &pb.LookupLocation{CollectionName: "secret"}},
	},
	{"POST", at + "/points/discover", `{"target":5,"limit":4}`, "Points/Discover", &pb.DiscoverPoints{CollectionName: "customers", Target: &pb.TargetVector{Target: &pb.TargetVector_Single{Single: &pb.VectorExample{Example: &pb.VectorExample_Id{Id: num(5)}}}}, Limit: 4}},

	{"PUT", at + "/points", `{"points":[{"id":1,"vector":[1],"payload":{"tenant":{"id":"a"}}}]}`, "Points/Upsert", &pb.UpsertPoints{CollectionName: "customers", Points: []*pb.PointStruct{{Id: num(1), Payload: pb.NewValueMap(map[string]any{"tenant": map[string]any{"id": "a"}})}}}},
	{"PUT", at + "/points", `{"points":[{"id":1,"vector":[1],"payload":{"tenant":{"id":"c"}}}]}`, "Points/Upsert", &pb.UpsertPoints{CollectionName: "customers", Points: []*pb.PointStruct{{Id: num(1), Payload: pb.NewValueMap(map[string]any{"tenant": map[string]any{"id": "c"}})}}}},
	{"PUT", at + "/points", `{"points":[{"id":1,"vector":[1]}],"update_filter":{"must":[{"key":"email","match":{"value":"a@b"}}]}}`, "Points/Upsert", &pb.UpsertPoints{CollectionName: "customers", Points: []*pb.PointStruct{{Id: num(1)}}, UpdateFilter: byEmail}},
	{"POST", at + "/points/delete", `{"points":[1]}`, "Points/Delete", &pb.DeletePoints{CollectionName: "customers", Points: pb.NewPointsSelector(num(1))}},
	{"POST", at + "/points/delete", `{"filter":{"must":[{"key":"email","match":{"value":"a@b"}}]}}`, "Points/Delete", &pb.DeletePoints{CollectionName: "customers", Points: pb.NewPointsSelectorFilter(byEmail)}},
	{"POST", at + "/points/delete", `{"filter":{}}`, "Points/Delete", &pb.DeletePoints{CollectionName: "customers", Points: pb.NewPointsSelectorFilter(&pb.Filter{})}},
	{"POST", at + "/points/delete", `{"filter":{"must":[{"key":"a","range":{}}]}}`, "Points/Delete", &pb.DeletePoints{CollectionName: "customers", Points: pb.NewPointsSelectorFilter(&pb.Filter{Must: []*pb.Condition{pb.NewRange("a", &pb.Range{})}})}},
	{"PUT", at + "/points/vectors", `{"points":[{"id":1,"vector":[1]}]}`, "Points/UpdateVectors", &pb.UpdatePointVectors{CollectionName: "customers", Points: []*pb.PointVectors{{Id: num(1)}}}},
	{"POST", at + "/points/vectors/delete", `{"points":[1],"vector":["a"]}`, "Points/DeleteVectors", &pb.DeletePointVectors{CollectionName: "customers", PointsSelector: pb.NewPointsSelector(num(1)), Vectors: &pb.VectorsSelector{Names: []string{"a"}}}},
	{"POST", at + "/points/payload", `{"payload":{"tenant":{"id":"c"}},"points":[1]}`, "Points/SetPayload", &pb.SetPayloadPoints{CollectionName: "customers", Payload: pb.NewValueMap(map[string]any{"tenant": map[string]any{"id": "c"}}), PointsSelector: pb.NewPointsSelector(num(1))}},
	{"POST", at + "/points/payload", `{"payload":{"id":"c"},"key":"tenant","points":[1]}`, "Points/SetPayload", &pb.SetPayloadPoints{CollectionName: "customers", Key: ptr("tenant"), Payload: pb.NewValueMap(map[string]any{"id": "c"}), PointsSelector: pb.NewPointsSelector(num(1))}},
	{"PUT", at + "/points/payload", `{"payload":{"n":1},"points":[1]}`, "Points/OverwritePayload", &pb.SetPayloadPoints{CollectionName: "customers", Payload: pb.NewValueMap(map[string]any{"n": 1}), PointsSelector: pb.NewPointsSelector(num(1))}},
	{"POST", at + "/points/payload/delete", `{"keys":["tenant"],"points":[1]}`, "Points/DeletePayload", &pb.DeletePayloadPoints{CollectionName: "customers", Keys: []string{"tenant"}, PointsSelector: pb.NewPointsSelector(num(1))}},
	{"POST", at + "/points/payload/clear", `{"filter":{"must":[{"key":"n","match":{"value":1}}]}}`, "Points/ClearPayload", &pb.ClearPayloadPoints{CollectionName: "customers", Points: pb.NewPointsSelectorFilter(&pb.Filter{Must: []*pb.Condition{pb.NewMatchInt("n", 1)}})}},
	{
		"POST", at + "/points/batch", `{"operations":[{"upsert":{"points":[{"id":1,"vector":[1],"payload":{"tenant":{"id":"a"}}}]}},{"delete":{"filter":{}}},{"clear_payload":{"points":[2]}},{"set_payload":{"payload":{"n":1},"points":[3]}}]}`,
		"Points/UpdateBatch", &pb.UpdateBatchPoints{CollectionName: "customers", Operations: []*pb.PointsUpdateOperation{
			{Operation: &pb.PointsUpdateOperation_Upsert{Upsert: &pb.PointsUpdateOperation_PointStructList{Points: []*pb.PointStruct{{Id: num(1), Payload: pb.NewValueMap(map[string]any{"tenant": map[string]any{"id": "a"}})}}}}},
			//lint:ignore SA1019 a client may still say it in the old way
			{Operation: &pb.PointsUpdateOperation_DeleteDeprecated{DeleteDeprecated: pb.NewPointsSelectorFilter(&pb.Filter{})}},
			//lint:ignore SA1019 a client may still say it in the old way
			{Operation: &pb.PointsUpdateOperation_ClearPayloadDeprecated{ClearPayloadDeprecated: pb.NewPointsSelector(num(2))}},
			{Operation: &pb.PointsUpdateOperation_SetPayload_{SetPayload: &pb.PointsUpdateOperation_SetPayload{Payload: pb.NewValueMap(map[string]any{"n": 1}), PointsSelector: pb.NewPointsSelector(num(3))}}},
		}},
	},
}

// burdens are obligations under which the doors must agree too.
var burdens = []access.Obligations{
	{},
	{Protection: protection},
	{Filters: tenancy},
	{Rows: 5},
	{TopK: 5},
	{Protection: &access.Protection{Vectors: []access.VectorRule{{Pattern: "**", Treatment: access.Treatment{Mask: access.MaskNull, Rule: "v", Predicates: "deny"}}}}},
	{Protection: &access.Protection{Vectors: []access.VectorRule{{Pattern: "**", Treatment: access.Treatment{Mask: access.MaskNull, Rule: "v", Distance: "deny"}}}}},
}

func TestBothDoorsReadARequestAsTheSame(t *testing.T) {
	for _, x := range pairs {
		rest, err := readREST(t, x.method, x.path, x.body)
		if err != nil {
			t.Errorf("%s %s %s: %v", x.method, x.path, x.body, err)
			continue
		}
		rpc, err := readRPC(t, "/qdrant."+x.rpc, x.message)
		if err != nil {
			t.Errorf("%s: %v", x.rpc, err)
			continue
		}
		if d := cmp.Diff(rest.Accesses, rpc.Accesses); d != "" {
			t.Errorf("%s %s %s (-REST +gRPC):\n%s", x.method, x.path, x.body, d)
		}
		for i, o := range burdens {
			var saidREST, saidRPC string
			if rest.Oblige != nil {
				_, err := rest.Oblige(&o)
				saidREST = fmt.Sprint(err)
			}
			if rpc.Oblige != nil {
				_, err := rpc.Oblige(&o)
				saidRPC = fmt.Sprint(err)
			}
			if saidREST != saidRPC {
				t.Errorf("%s %s %s under obligations %d: REST says %s, gRPC says %s", x.method, x.path, x.body, i, saidREST, saidRPC)
			}
		}
	}
}

// TestEveryFilterIsPutAtTheOtherDoorToo: what is forwarded under a filter has it wherever points are found.
func TestEveryFilterIsPutAtTheOtherDoorToo(t *testing.T) {
	for _, x := range pairs {
		call, err := readRPC(t, "/qdrant."+x.rpc, x.message)
		if err != nil || call.Oblige == nil || !strings.HasPrefix(x.rpc, "Points/") {
			continue
		}
		obliged, err := call.Oblige(&access.Obligations{Filters: tenancy})
		if err != nil || obliged.Check != nil {
			continue // refused, or looked up
		}
		if !obliged.Filtered {
			t.Errorf("%s does not say that it is filtered", x.rpc)
		}
		reached := 0
		walk(obliged.Message.ProtoReflect(), func(m protoreflect.Message) {
			switch m := m.Interface().(type) {
			case *pb.PrefetchQuery:
				reached++
				mustBeFiltered(t, x.rpc, m.GetFilter())
			case *pb.PointsSelector:
				reached++
				mustBeFiltered(t, x.rpc, m.GetFilter())
			case interface{ GetFilter() *pb.Filter }:
				if _, nested := m.(*pb.NestedCondition); !nested {
					if _, c := m.(*pb.Condition); !c {
						reached++
						mustBeFiltered(t, x.rpc, m.GetFilter())
					}
				}
			}
		})
		if reached == 0 {
			t.Errorf("%s: nothing is filtered in %v", x.rpc, obliged.Message)
		}
		if d := cmp.Diff(x.message.ProtoReflect().Descriptor().FullName(), obliged.Message.ProtoReflect().Descriptor().FullName()); d != "" {
			t.Error(d)
		}
	}
}

func mustBeFiltered(t *testing.T, what string, f *pb.Filter) {
	t.Helper()
	if len(f.GetMust()) == 0 || !proto.Equal(f.GetMust()[0], pb.NewMatchKeywords("tenant.id", "a", "b")) || len(f.GetShould())+len(f.GetMustNot()) > 0 {
		t.Errorf("%s: the filter is %v", what, f)
	}
}

func walk(m protoreflect.Message, visit func(protoreflect.Message)) {
	visit(m)
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap() || f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				walk(v.List().Get(i).Message(), visit)
			}
		default:
			walk(v.Message(), visit)
		}
		return true
	})
}

func TestAMessageThatNamesTwoCollectionsIsUnclear(t *testing.T) {
	_, err := readRPC(t, pb.Points_QueryBatch_FullMethodName, &pb.QueryBatchPoints{CollectionName: "customers", QueryPoints: []*pb.QueryPoints{{CollectionName: "secret", Query: dense}}})
	if _, ok := err.(*grpcwire.Unclear); !ok { //nolint:errorlint // the carrier's own
		t.Errorf("%v", err)
	}
	for _, m := range []*pb.DeletePoints{{CollectionName: "customers"}, {CollectionName: "../x", Points: pb.NewPointsSelector(num(1))}, {CollectionName: "customers", Points: pb.NewPointsSelector(&pb.PointId{})}} {
		if _, err := readRPC(t, pb.Points_Delete_FullMethodName, m); err == nil {
			t.Errorf("%v is read", m)
		}
	}
}

func TestEveryPartOfAMessageIsMasked(t *testing.T) {
	hider, err := mask.New(make([]byte, mask.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	payload := func() map[string]*pb.Value {
		return pb.NewValueMap(map[string]any{
			"email": "SECRET", "n": 1, "meta": map[string]any{"phone": "SECRET", "x": "y"}, "list": []any{map[string]any{"mail": "open"}}, "team": []any{"SECRET"}, "age": 5,
		})
	}
	vectors := func() *pb.VectorsOutput {
		//lint:ignore SA1019 a client may still say it in the old way
		return &pb.VectorsOutput{VectorsOptions: &pb.VectorsOutput_Vector{Vector: &pb.VectorOutput{Data: []float32{666}}}}
	}
	scored := func() []*pb.ScoredPoint {
		return []*pb.ScoredPoint{{Id: num(1), Payload: payload(), Score: 0.98765, Vectors: vectors(), OrderValue: &pb.OrderValue{Variant: &pb.OrderValue_Int{Int: 666}}}}
	}
	retrieved := func() []*pb.RetrievedPoint {
		return []*pb.RetrievedPoint{{Id: num(1), Payload: payload(), Vectors: vectors(), OrderValue: &pb.OrderValue{Variant: &pb.OrderValue_Int{Int: 666}}}}
	}
	group := func() *pb.GroupsResult {
		return &pb.GroupsResult{Groups: []*pb.PointGroup{{Id: &pb.GroupId{Kind: &pb.GroupId_StringValue{StringValue: "SECRET"}}, Hits: scored(), Lookup: retrieved()[0]}}}
	}
	parts := []*part{{
		at: resource("docs", "customers"), searched: []string{""}, uses: []use{{"age", asOrder}, {"team", asGroup}, {"team", asFacet}},
		lookups: []*lookup{{at: resource("docs", "customers"), show: &show{all: true}}},
	}}
	results := []*pb.BatchResult{{Result: scored()}}
	for _, m := range []proto.Message{
		&pb.GetResponse{Result: retrieved()}, &pb.ScrollResponse{Result: retrieved()}, &pb.SearchResponse{Result: scored()}, &pb.QueryResponse{Result: scored()},
		&pb.RecommendResponse{Result: scored()}, &pb.DiscoverResponse{Result: scored()}, &pb.SearchBatchResponse{Result: results}, &pb.QueryBatchResponse{Result: results},
		&pb.RecommendBatchResponse{Result: results}, &pb.DiscoverBatchResponse{Result: results}, &pb.SearchGroupsResponse{Result: group()}, &pb.QueryGroupsResponse{Result: group()},
		&pb.RecommendGroupsResponse{Result: group()}, &pb.FacetResponse{Hits: []*pb.FacetHit{{Value: &pb.FacetValue{Variant: &pb.FacetValue_StringValue{StringValue: "SECRET"}}}}},
		&pb.SearchMatrixPairsResponse{Result: &pb.SearchMatrixPairs{Pairs: []*pb.SearchMatrixPair{{Score: 0.98765}}}}, &pb.SearchMatrixOffsetsResponse{Result: &pb.SearchMatrixOffsets{Scores: []float32{0.98765}}},
	} {
		rows, err := (&concealer{parts: parts, protection: protection}).mask(hider, m)
		text := fmt.Sprint(m)
		if err != nil || rows != 1 || strings.Contains(text, "SECRET") || strings.Contains(text, "666") || strings.Contains(text, "0.98765") {
			t.Errorf("%T: %d rows, %v, %s", m, rows, err, text)
		}
		if strings.Contains(text, "email") && (!strings.Contains(text, "[redacted]") || !strings.Contains(text, `"open"`) || strings.Contains(text, "phone")) {
			t.Errorf("%T: %s", m, text)
		}
	}
	if _, err := (&concealer{parts: parts, protection: protection}).mask(hider, &pb.ListCollectionsResponse{}); err == nil {
		t.Error("an answer that is not known passes")
	}
}
