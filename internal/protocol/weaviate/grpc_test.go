package weaviate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
	pb "github.com/vecgate/vecgate/internal/protocol/weaviate/weaviatepb"
)

func text(s string) *pb.Value { return &pb.Value{Kind: &pb.Value_TextValue{TextValue: s}} }

func number(n int64) *pb.Value { return &pb.Value{Kind: &pb.Value_IntValue{IntValue: n}} }

func properties(fields map[string]*pb.Value) *pb.Properties { return &pb.Properties{Fields: fields} }

// found is an object in which the canary stands wherever something is hidden.
func found() *pb.SearchResult {
	c := protocoltest.Canary
	author := &pb.PropertiesResult{
		TargetCollection: "Author", NonRefProps: properties(map[string]*pb.Value{"name": text("Ann"), "email": text(c)}),
		Metadata: &pb.MetadataResult{Id: second, Vectors: []*pb.Vectors{{Name: "face", VectorBytes: []byte(c)}}, VectorBytes: []byte(c)},
	}
	secret := &pb.PropertiesResult{TargetCollection: "Secret", NonRefProps: properties(map[string]*pb.Value{"plan": text(c)})}
	return &pb.SearchResult{
		Properties: &pb.PropertiesResult{
			TargetCollection: "Article",
			NonRefProps: properties(map[string]*pb.Value{
				"title": text("t"), "email": text(c), "n": number(7), "city": text(c),
				"meta": {Kind: &pb.Value_ObjectValue{ObjectValue: properties(map[string]*pb.Value{"email": text(c), "n": number(1)})}},
				"list": {Kind: &pb.Value_ListValue{ListValue: &pb.ListValue{Kind: &pb.ListValue_ObjectValues{
					ObjectValues: &pb.ObjectValues{Values: []*pb.Properties{properties(map[string]*pb.Value{"email": text(c)})}},
				}}}},
			}),
			RefProps: []*pb.RefPropertiesResult{{PropName: "about", Properties: []*pb.PropertiesResult{author, secret}}},
		},
		Metadata: &pb.MetadataResult{
			Id: first, Vector: []float32{1}, VectorBytes: []byte(c), Vectors: []*pb.Vectors{{Name: "default", VectorBytes: []byte(c)}},
			Distance: 0.12345, DistancePresent: true, ExplainScore: c, ExplainScorePresent: true, Generative: c, GenerativePresent: true,
		},
		Generative: &pb.GenerativeResult{Values: []*pb.GenerativeReply{{Result: c}}},
	}
}

// answers is a stand-in for Weaviate's gRPC interface.
func answers(_ context.Context, method string, request proto.Message) (proto.Message, error) {
	c := protocoltest.Canary
	switch r := request.(type) {
	case *pb.SearchRequest:
		if r.GetFilters().GetTarget().GetProperty() == "_id" { // a look-up of the gateway's
			return &pb.SearchReply{Results: []*pb.SearchResult{{
				Properties: &pb.PropertiesResult{NonRefProps: properties(map[string]*pb.Value{"owner": text("globex")})}, Metadata: &pb.MetadataResult{Id: second},
			}}}, nil
		}
		return &pb.SearchReply{
			Results: []*pb.SearchResult{found()}, GenerativeGroupedResult: proto.String(c),
			GroupByResults: []*pb.GroupByResult{{Name: "g", MinDistance: 0.12345, Objects: []*pb.SearchResult{found()}, GenerativeResult: &pb.GenerativeResult{Values: []*pb.GenerativeReply{{Result: c}}}}},
			QueryProfile:   &pb.QueryProfile{Shards: []*pb.QueryProfile_ShardProfile{{Name: c}}},
		}, nil
	case *pb.AggregateRequest:
		return &pb.AggregateReply{Result: &pb.AggregateReply_SingleResult{SingleResult: &pb.AggregateReply_Single{Aggregations: &pb.AggregateReply_Aggregations{
			Aggregations: []*pb.AggregateReply_Aggregations_Aggregation{{Property: "city", Aggregation: &pb.AggregateReply_Aggregations_Aggregation_Text_{
				Text: &pb.AggregateReply_Aggregations_Aggregation_Text{TopOccurences: &pb.AggregateReply_Aggregations_Aggregation_Text_TopOccurrences{
					Items: []*pb.AggregateReply_Aggregations_Aggregation_Text_TopOccurrences_TopOccurrence{{Value: c, Occurs: 1}},
				}},
			}}},
		}}}}, nil
	case *pb.BatchObjectsRequest:
		return &pb.BatchObjectsReply{Errors: []*pb.BatchObjectsReply_BatchError{{Error: "value " + c + " is odd"}}}, nil
	case *pb.BatchReferencesRequest:
		return &pb.BatchReferencesReply{}, nil
	case *pb.BatchDeleteRequest:
		return &pb.BatchDeleteReply{Matches: 1}, nil
	case *pb.TenantsGetRequest:
		return &pb.TenantsGetReply{}, nil
	}
	return nil, errors.New("the stand-in knows no " + method)
}

// defines answers for the stand-in's HTTP interface.
func defines(path string) (int, jsonstream.Value, error) {
	name := strings.TrimPrefix(path, "/v1/schema/")
	if name == "Published" {
		name = "Secret"
	}
	definition, ok := definitions[name]
	if !ok {
		return 404, jsonstream.Value{}, nil
	}
	v, err := jsonstream.Read([]byte(definition))
	return 200, v, err
}

func search(parts string) *pb.SearchRequest {
	r := &pb.SearchRequest{}
	if err := prototext.Unmarshal([]byte("uses_127_api:true "+parts), r); err != nil {
		panic(err)
	}
	return r
}

func grpcSuite() *protocoltest.GRPCSuite {
	const method = service + "Search"
	object := &pb.BatchObject{
		Uuid: first, Collection: "Article", VectorBytes: []byte{0, 0, 128, 63},
		Properties: &pb.BatchObject_Properties{NonRefProperties: &structpb.Struct{Fields: map[string]*structpb.Value{"title": structpb.NewStringValue("t")}}},
	}
	return &protocoltest.GRPCSuite{
		New: func() grpcwire.Dialect { return NewGRPC(time.Now) }, Upstream: answers, Look: defines, Protection: protection,
		Read: protocoltest.GRPCRequest{Method: method, Message: search(`collection:"Article" limit:3 metadata:{uuid:true vector:true distance:true explain_score:true} near_vector:{vector_bytes:"\0\0\200?"}
			properties:{return_all_nonref_properties:true ref_properties:{reference_property:"about" target_collection:"Author"} ref_properties:{reference_property:"about" target_collection:"Secret"}}`)},
		Write:         protocoltest.GRPCRequest{Method: service + "BatchObjects", Message: &pb.BatchObjectsRequest{Objects: []*pb.BatchObject{object}}},
		Unfulfillable: protocoltest.GRPCRequest{Method: method, Message: search(`collection:"Article" limit:3 filters:{operator:OPERATOR_EQUAL target:{property:"email"} value_text:"a@b"}`)},
		Large: func(n int) proto.Message {
			reply := &pb.SearchReply{}
			for size := 0; size <= n; size += 200 {
				one := found()
				one.Properties.NonRefProps.Fields["title"] = text(strings.Repeat("v", 100))
				reply.Results = append(reply.Results, one)
			}
			return reply
		},
	}
}

func TestAFieldRuleMeansTheSameOverWeaviatesGRPC(t *testing.T) {
	var value func(any) *pb.Value
	value = func(v any) *pb.Value {
		switch v := v.(type) {
		case string:
			return text(v)
		case map[string]any:
			return &pb.Value{Kind: &pb.Value_ObjectValue{ObjectValue: propertiesOf(v, value)}}
		}
		objects := &pb.ObjectValues{}
		for _, o := range v.([]any) {
			objects.Values = append(objects.Values, propertiesOf(o.(map[string]any), value))
		}
		return &pb.Value{Kind: &pb.Value_ListValue{ListValue: &pb.ListValue{Kind: &pb.ListValue_ObjectValues{ObjectValues: objects}}}}
	}
	protocoltest.NestedGRPC(t, grpcSuite(), false, func(fields string) proto.Message {
		var all map[string]any
		if err := json.Unmarshal([]byte(fields), &all); err != nil {
			t.Fatal(err)
		}
		return &pb.SearchReply{Results: []*pb.SearchResult{{Properties: &pb.PropertiesResult{NonRefProps: propertiesOf(all, value)}}}}
	})
}

func propertiesOf(all map[string]any, value func(any) *pb.Value) *pb.Properties {
	p := &pb.Properties{Fields: map[string]*pb.Value{}}
	for name, v := range all {
		p.Fields[name] = value(v)
	}
	return p
}

func TestWeaviatePassesTheSuiteOfGRPC(t *testing.T) { protocoltest.RunGRPC(t, grpcSuite()) }

func TestEveryPartOfAnAnswerOverGRPCIsMasked(t *testing.T) {
	w := protocoltest.StartGRPC(t, grpcSuite())
	w.Oblige(access.Obligations{Protection: protection})
	a := w.Do(t.Context(), grpcSuite().Read)
	reply, ok := a.Message.(*pb.SearchReply)
	if !ok {
		t.Fatal(a)
	}
	shown, err := protojson.Marshal(reply)
	if err != nil || strings.Contains(string(shown), protocoltest.Canary) {
		t.Errorf("the canary is in %s, %v", shown, err)
	}
	for _, result := range []*pb.SearchResult{reply.GetResults()[0], reply.GetGroupByResults()[0].GetObjects()[0]} {
		fields := result.GetProperties().GetNonRefProps().GetFields()
		m := result.GetMetadata()
		if fields["title"].GetTextValue() != "t" || fields["email"].GetTextValue() != "[redacted]" || fields["n"].GetIntValue() != 7 ||
			fields["meta"].GetObjectValue().GetFields()["n"].GetIntValue() != 1 || m.GetDistance() != float32(0.12) || !m.GetDistancePresent() || m.GetId() != first {
			t.Errorf("shown as %v %v", fields, m)
		}
		refs := result.GetProperties().GetRefProps()[0].GetProperties()
		if len(refs) != 2 || refs[0].GetNonRefProps().GetFields()["name"].GetTextValue() != "Ann" {
			t.Errorf("references are shown as %v", refs)
		}
	}
	if d := reply.GetGroupByResults()[0].GetMinDistance(); d != float32(0.12) {
		t.Errorf("the distance of a group is %v", d)
	}
	sent := w.Received(service + "Search")[0].Message.(*pb.SearchRequest)
	if m := sent.GetMetadata(); m.GetVector() || m.GetExplainScore() || !m.GetDistance() {
		t.Errorf("the gateway asks for %v", m)
	}
	a = w.Do(t.Context(), protocoltest.GRPCRequest{Method: service + "Aggregate", Message: &pb.AggregateRequest{
		Collection: "Article", Aggregations: []*pb.AggregateRequest_Aggregation{{Property: "city"}},
	}})
	if got := fmt.Sprint(a.Message); a.Message == nil || strings.Contains(got, protocoltest.Canary) || !strings.Contains(got, "city") {
		t.Errorf("an aggregate is shown as %v", a)
	}
}

func TestAReferenceThatNobodyAskedForIsLeftOut(t *testing.T) {
	w := protocoltest.StartGRPC(t, grpcSuite())
	w.Oblige(access.Obligations{Protection: protection})
	a := w.Do(t.Context(), protocoltest.GRPCRequest{Method: service + "Search", Message: search(`collection:"Article" limit:1`)})
	if reply, ok := a.Message.(*pb.SearchReply); !ok || len(reply.GetResults()[0].GetProperties().GetRefProps()[0].GetProperties()) != 0 {
		t.Errorf("%v", a)
	}
}

func TestCallsAreReadAsWhatTheyDo(t *testing.T) {
	id := fmt.Sprintf(`filters:{operator:OPERATOR_EQUAL target:{property:"_id"} value_text:%q}`, first)
	batch := func(parts string) *pb.BatchObjectsRequest {
		r := &pb.BatchObjectsRequest{}
		if err := prototext.Unmarshal([]byte(parts), r); err != nil {
			panic(err)
		}
		return r
	}
	w := protocoltest.StartGRPC(t, grpcSuite())
	for _, x := range []struct {
		method  string
		message proto.Message
		want    string
	}{
		{"Search", search(`collection:"Article"`), "scroll Article rows=10"},
		{"Search", search(`collection:"notes" limit:5 tenant:"acme"`), "scroll tenant:acme/Notes rows=5"},
		{"Search", search(`collection:"Published" limit:5 after:"` + first + `"`), "scroll Secret rows=5 alias Published"},
		{"Search", search(`collection:"Article" limit:5 ` + id), "fetch Article rows=1"},
		{"Search", search(`collection:"Article" limit:5 near_vector:{vector_bytes:"x"} metadata:{vector:true}`), "search Article rows=5 vectors"},
		{"Search", search(`collection:"Article" limit:5 bm25_search:{query:"x"}`), "search Article rows=5"},
		{"Search", search(`collection:"Article" limit:5 near_vector:{} group_by:{path:"n" number_of_groups:2 objects_per_group:3}`), "search Article rows=6"},
		{"Search", search(`collection:"Article" limit:5 generative:{single:{prompt:"x"}}`), "scroll Article rows=5 egress"},
		{"Search", search(`collection:"Article" limit:5 properties:{ref_properties:{reference_property:"author" metadata:{vectors:"face"}}}`), "scroll Article rows=5; fetch Author rows=-1 as join"},
		{"Search", search(`collection:"Article" limit:5 filters:{operator:OPERATOR_EQUAL target:{single_target:{on:"author" target:{property:"name"}}} value_text:"x"}`), "scroll Article rows=5; fetch Author rows=-1 as join"},
		{"Search", search(`collection:"Article" limit:5 filters:{operator:OPERATOR_EQUAL target:{multi_target:{on:"about" target_collection:"Secret" target:{property:"plan"}}} value_text:"x"}`), "scroll Article rows=5; fetch Secret rows=-1 as join"},
		{"Aggregate", &pb.AggregateRequest{Collection: "Article", ObjectsCount: true}, "count Article rows=1"},
		{"Aggregate", &pb.AggregateRequest{Collection: "Article", GroupBy: &pb.AggregateRequest_GroupBy{Property: "owner"}}, "aggregate Article rows=-1"},
		{
			"BatchObjects", batch(`objects:{collection:"Article"} objects:{collection:"Secret" vector_bytes:"x"} objects:{collection:"Notes" tenant:"a"}`),
			"upsert Article points=1; upsert Secret points=1 vectors; upsert tenant:a/Notes points=1",
		},
		{
			"BatchObjects", batch(`objects:{collection:"Fresh"} objects:{collection:"Article" properties:{int_array_properties:{prop_name:"unheard" values:1}}}`),
			"schema.alter Article; schema.create Fresh; upsert Fresh points=1; upsert Article points=1",
		},
		{"BatchReferences", &pb.BatchReferencesRequest{References: []*pb.BatchReference{{Name: "author", FromCollection: "Article", FromUuid: first, ToUuid: second}}}, "update Article points=1"},
		{"BatchDelete", &pb.BatchDeleteRequest{Collection: "Article", Filters: search(id).Filters}, "delete Article points=1"},
		{"BatchDelete", &pb.BatchDeleteRequest{Collection: "Article"}, "delete_all Article points=-1"},
		{"BatchDelete", &pb.BatchDeleteRequest{Collection: "Article", DryRun: true, Filters: search(id).Filters}, "list_ids Article rows=-1"},
		{"TenantsGet", &pb.TenantsGetRequest{Collection: "Notes"}, "tenant.read Notes"},
		{"TenantsGet", &pb.TenantsGetRequest{Collection: "Notes", Params: &pb.TenantsGetRequest_Names{Names: &pb.TenantNames{Values: []string{"a", "b"}}}}, "tenant.read tenant:a/Notes; tenant.read tenant:b/Notes"},
	} {
		got := ""
		w.Rule(func(op *access.Operation, _ access.Context) access.Decision {
			got = said(op.Accesses)
			return access.Decision{Effect: access.Allow}
		})
		a := w.Do(t.Context(), protocoltest.GRPCRequest{Method: service + x.method, Message: x.message})
		if a.Code() != "" || got != x.want {
			t.Errorf("%s %v:\n%q, want\n%q; %v", x.method, x.message, got, x.want, a)
		}
	}
}

func TestCallsThatCanBeReadTwoWaysAreUnclear(t *testing.T) {
	w := protocoltest.StartGRPC(t, grpcSuite())
	for _, message := range []proto.Message{
		&pb.SearchRequest{Collection: "Article"}, // of an old client
		search(`collection:"Art/icle"`),
		search(`collection:"Article" tenant:"a/b"`),
		search(`collection:"Article" near_vector:{} near_text:{query:"x"}`),
		search(`collection:"Article" filters:{operator:OPERATOR_EQUAL target:{property:"n"}}`),
		search(`collection:"Article" filters:{operator:OPERATOR_EQUAL target:{property:"n"} on:"n" value_int:1}`),
		search(`collection:"Article" filters:{operator:OPERATOR_AND value_int:1}`),
		search(`collection:"Article" filters:{operator:OPERATOR_EQUAL target:{property:"Email"} value_text:"x"}`),
		search(`collection:"Article" filters:{operator:OPERATOR_EQUAL target:{single_target:{on:"about" target:{property:"name"}}} value_text:"x"}`), // leads to two
		search(`collection:"Article" filters:{operator:OPERATOR_EQUAL on:"author" on:"Published" on:"name" value_text:"x"}`),
		search(`collection:"Article" filters:{operator:99 target:{property:"n"} value_int:1}`),
		search(`collection:"Article" sort_by:{path:"Email"}`),
		search(`collection:"Article" after:"x"`),
		search(`collection:"Article" group_by:{path:"n"}`),
		search(`collection:"Article" properties:{ref_properties:{reference_property:"title"}}`),
		search(`collection:"Article" properties:{non_ref_properties:"a.b"}`),
		search(`collection:"Article" generative:{single:{prompt:"x" queries:{openai:{base_url:"http://169.254.169.254"}}}}`),
		search(`collection:"Article" generative:{grouped:{task:"x" queries:{aws:{endpoint:"evil.example.com"}}}}`),
		&pb.AggregateRequest{Collection: "Article", GroupBy: &pb.AggregateRequest_GroupBy{Collection: "Secret", Property: "plan"}},
		&pb.BatchObjectsRequest{},
		&pb.BatchObjectsRequest{Objects: []*pb.BatchObject{{Collection: "Article", Uuid: strings.ReplaceAll(first, "-", "")}}},
		&pb.BatchObjectsRequest{Objects: []*pb.BatchObject{{Collection: "Article", Properties: &pb.BatchObject_Properties{EmptyListProps: []string{"tags"}, TextArrayProperties: []*pb.TextArrayProperties{{PropName: "Tags"}}}}}},
		&pb.BatchDeleteRequest{Collection: "Published"},
		&pb.BatchReferencesRequest{References: []*pb.BatchReference{{Name: "author", FromCollection: "Article", FromUuid: "1", ToUuid: second}}},
	} {
		name := strings.TrimSuffix(string(message.ProtoReflect().Descriptor().Name()), "Request")
		a := w.Do(t.Context(), protocoltest.GRPCRequest{Method: service + name, Message: message})
		if a.Code() != string(access.CodeUnclear) || len(w.All()) > 0 {
			t.Errorf("%s %v: %v; %d calls reached the target", name, message, a, len(w.All()))
		}
	}
}

func TestObligationsRewriteTheCallOrRefuseIt(t *testing.T) {
	under := access.Obligations{Protection: protection}
	filter := access.Obligations{Filters: []access.FilterRule{{Pattern: "docs/*/*", Field: "owner", Values: []string{"acme"}, Rule: "own"}}}
	write := func(id, owner string) *pb.BatchObjectsRequest {
		return &pb.BatchObjectsRequest{Objects: []*pb.BatchObject{{Collection: "Article", Uuid: id, Properties: &pb.BatchObject_Properties{
			NonRefProperties: &structpb.Struct{Fields: map[string]*structpb.Value{"owner": structpb.NewStringValue(owner)}},
		}}}}
	}
	ours := search(`filters:{operator:OPERATOR_EQUAL target:{property:"owner"} value_text:"acme"}`).Filters
	theirs := search(`filters:{operator:OPERATOR_OR filters:{operator:OPERATOR_EQUAL target:{property:"n"} value_int:1} filters:{operator:OPERATOR_IS_NULL target:{property:"owner"} value_boolean:false}}`).Filters
	w := protocoltest.StartGRPC(t, grpcSuite())
	both := &pb.Filters{Operator: pb.Filters_OPERATOR_AND, Filters: []*pb.Filters{ours, theirs}}
	for _, x := range []struct {
		message proto.Message
		o       access.Obligations
		want    any // the filter that is sent on, the properties that are searched for words, nil, or the code of the refusal
	}{
		{search(`collection:"Article" sort_by:{path:"email"}`), under, "cannot-be-obliged"},
		{search(`collection:"Article" bm25_search:{query:"x"}`), under, []string{"owner", "title"}},
		{search(`collection:"Article" bm25_search:{query:"x" properties:"Email"}`), under, "cannot-be-obliged"},
		{search(`collection:"Article" bm25_search:{query:"x" properties:"title^3"}`), under, nil},
		{search(`collection:"Article" hybrid_search:{query:"x"}`), under, []string{"owner", "title"}},
		{&pb.AggregateRequest{Collection: "Article", ObjectsCount: true, Search: &pb.AggregateRequest_Hybrid{Hybrid: &pb.Hybrid{Query: "x"}}}, under, []string{"owner", "title"}},
		{search(`collection:"Article" hybrid_search:{query:"x" properties:"title" vector_distance:0.5}`), under, "cannot-be-obliged"},
		{search(`collection:"Article" hybrid_search:{query:"x" properties:"title" near_text:{query:"x" distance:0.5}}`), under, "cannot-be-obliged"},
		{search(`collection:"Article" near_vector:{distance:0.5}`), under, "cannot-be-obliged"},
		{search(`collection:"Article" near_text:{query:"x" certainty:0.5}`), under, "cannot-be-obliged"},
		{search(`collection:"Article" near_image:{image:"x" distance:0.5}`), under, "cannot-be-obliged"},
		{search(`collection:"Article" near_object:{id:"` + first + `" certainty:0.5}`), under, "cannot-be-obliged"},
		{search(`collection:"Article" near_object:{id:"` + first + `"}`), under, nil},
		{search(`collection:"Article" near_vector:{} group_by:{path:"email" number_of_groups:1 objects_per_group:1}`), under, "cannot-be-obliged"},
		{search(`collection:"Article" filters:{operator:OPERATOR_LIKE target:{single_target:{on:"author" target:{property:"email"}}} value_text:"a*"}`), under, "cannot-be-obliged"},
		{search(`collection:"Article" filters:{operator:OPERATOR_GREATER_THAN target:{property:"len(email)"} value_int:3}`), under, "cannot-be-obliged"},
		{search(`collection:"Article" generative:{single:{prompt:"{email}"}}`), under, "cannot-be-obliged"},
		{search(`collection:"Article" rerank:{property:"email"}`), under, "cannot-be-obliged"},
		{search(`collection:"Article" boost:{conditions:{property_value:{property:"email"}}}`), under, "cannot-be-obliged"},
		{&pb.AggregateRequest{Collection: "Article", Aggregations: []*pb.AggregateRequest_Aggregation{{Property: "Email"}}}, under, "cannot-be-obliged"},
		{&pb.AggregateRequest{Collection: "Article", GroupBy: &pb.AggregateRequest_GroupBy{Property: "email"}}, under, "cannot-be-obliged"},
		{&pb.BatchDeleteRequest{Collection: "Article", Filters: search(`filters:{operator:OPERATOR_LIKE target:{property:"email"} value_text:"a*"}`).Filters}, under, "cannot-be-obliged"},
		{search(`collection:"Article" limit:11`), access.Obligations{Rows: 10}, "limit"},
		{search(`collection:"Article" limit:11 near_vector:{}`), access.Obligations{TopK: 10}, "limit"},

		{search(`collection:"Article"`), filter, ours},
		{&pb.SearchRequest{Collection: "Article", Filters: theirs, Uses_127Api: true}, filter, both},
		{&pb.AggregateRequest{Collection: "Article", ObjectsCount: true, Filters: theirs}, filter, both},
		{&pb.BatchDeleteRequest{Collection: "Article", Filters: theirs}, filter, both},
		{&pb.BatchDeleteRequest{Collection: "Article"}, filter, ours},
		{search(`collection:"Article" near_object:{id:"` + first + `"}`), filter, "cannot-be-obliged"},
		{search(`collection:"Article" near_text:{query:"x" move_to:{uuids:"` + first + `"}}`), filter, "cannot-be-obliged"},
		{search(`collection:"Article" properties:{ref_properties:{reference_property:"author"}}`), filter, "cannot-be-obliged"},
		{search(`collection:"Secret"`), filter, "cannot-be-obliged"},
		{write(first, "acme"), filter, nil},
		{write(first, "globex"), filter, "cannot-be-obliged"},
		{write(second, "acme"), filter, "cannot-be-obliged"}, // it would overwrite somebody else's
		{&pb.BatchReferencesRequest{References: []*pb.BatchReference{{Name: "author", FromCollection: "Article", FromUuid: first, ToUuid: second}}}, filter, "cannot-be-obliged"},
	} {
		name := strings.TrimSuffix(string(x.message.ProtoReflect().Descriptor().Name()), "Request")
		w.Oblige(x.o)
		before := len(w.Received(service + name))
		a := w.Do(t.Context(), protocoltest.GRPCRequest{Method: service + name, Message: x.message})
		if code, refused := x.want.(string); refused {
			if a.Code() != code || len(w.Received(service+name)) > before {
				t.Errorf("%s %v: %v, want %s", name, x.message, a, code)
			}
			continue
		}
		sent := w.Received(service + name)[before:]
		if a.Code() != "" || len(sent) != 1 {
			t.Errorf("%s %v: %v; sent on %d times", name, x.message, a, len(sent))
			continue
		}
		if want, ok := x.want.([]string); ok {
			var got []string
			switch m := sent[0].Message.(type) {
			case *pb.SearchRequest:
				got = append(m.GetBm25Search().GetProperties(), m.GetHybridSearch().GetProperties()...)
			case *pb.AggregateRequest:
				got = m.GetHybrid().GetProperties()
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s %v: words are looked for in %v, want %v", name, x.message, got, want)
			}
		}
		if want, ok := x.want.(*pb.Filters); ok {
			if got := sent[0].Message.(interface{ GetFilters() *pb.Filters }).GetFilters(); !proto.Equal(got, want) {
				t.Errorf("%s %v:\nsent on with %v, want\n%v", name, x.message, got, want)
			}
		}
	}
}

func TestEveryMessageOfAStreamIsJudged(t *testing.T) {
	w := protocoltest.StartGRPC(t, grpcSuite())
	w.Stream(func(_ any, call grpc.ServerStream) error {
		for {
			var b []byte
			if err := call.RecvMsg(&b); err != nil {
				return nil
			}
			w.Arrived(call, b)
			answer, err := proto.Marshal(&pb.BatchStreamReply{Message: &pb.BatchStreamReply_Results_{Results: &pb.BatchStreamReply_Results{
				Errors: []*pb.BatchStreamReply_Results_Error{{Error: "value " + protocoltest.Canary + " is odd"}},
			}}})
			if err == nil {
				err = call.SendMsg(answer)
			}
			if err != nil {
				return err
			}
		}
	})
	w.Rule(func(op *access.Operation, _ access.Context) access.Decision {
		if strings.Contains(said(op.Accesses), "Secret") {
			return access.Decision{Effect: access.Deny, Reason: access.Reason{Code: access.CodeDenied, Sentence: "not there"}}
		}
		return access.Decision{Effect: access.Allow, Obligations: access.Obligations{Protection: protection}}
	})
	call := w.Call(t.Context(), service+"BatchStream")
	send := func(parts string) {
		t.Helper()
		m := &pb.BatchStreamRequest{}
		if err := prototext.Unmarshal([]byte(parts), m); err != nil {
			t.Fatal(err)
		}
		b, err := proto.Marshal(m)
		if err == nil {
			err = call.SendMsg(b)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	}
	send(`start:{}`)
	var b []byte
	if err := call.RecvMsg(&b); err != nil {
		t.Fatal(err)
	}
	send(`data:{objects:{values:{collection:"Article"}}}`)
	if err := call.RecvMsg(&b); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), protocoltest.Canary) {
		t.Errorf("the client sees %q", b)
	}
	send(`data:{objects:{values:{collection:"Article"} values:{collection:"Secret"}}}`)
	if err := call.RecvMsg(&b); err == nil || !strings.Contains(err.Error(), "not there") {
		t.Errorf("a message to another collection: %v", err)
	}
	for _, r := range w.Received(service + "BatchStream") {
		if strings.Contains(fmt.Sprint(r.Message), "Secret") {
			t.Errorf("it reached the target: %v", r.Message)
		}
	}
}

// FuzzCalls wants every call that is read to be read the same once more in the form in which it is sent on.
func FuzzCalls(f *testing.F) {
	seeds := []proto.Message{grpcSuite().Read.Message, grpcSuite().Write.Message, grpcSuite().Unfulfillable.Message, &pb.BatchDeleteRequest{Collection: "Article"}, &pb.AggregateRequest{Collection: "Article"}}
	for _, m := range seeds {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		for i := range rpcs {
			f.Add(i, b)
		}
	}
	d := NewGRPC(time.Now)
	f.Fuzz(func(t *testing.T, which int, b []byte) {
		method := &rpcs[uint(which)%uint(len(rpcs))].Method
		read := func(m proto.Message) (*grpcwire.Call, error) {
			return d.Read(t.Context(), &grpcwire.Request{Method: method, Target: "docs", Message: m, Look: func(_ context.Context, path string) (int, jsonstream.Value, error) {
				return defines(path)
			}})
		}
		m := method.Request.New().Interface()
		if proto.Unmarshal(b, m) != nil {
			return
		}
		call, err := read(m)
		if err != nil {
			return
		}
		again, err := read(proto.Clone(call.Message))
		if err != nil || said(again.Accesses) != said(call.Accesses) && !strings.Contains(said(call.Accesses), "alias") || !proto.Equal(again.Message, call.Message) {
			t.Fatalf("%v is read differently once sent on: %v %v", m, call.Accesses, err)
		}
		if call.Oblige == nil {
			return
		}
		obliged, err := call.Oblige(&access.Obligations{Protection: protection, Rows: 10, TopK: 10})
		if err != nil {
			return
		}
		if s, ok := obliged.Message.(*pb.SearchRequest); ok && s.GetMetadata().GetVector() {
			t.Fatalf("%v asks for vectors all the same", obliged.Message)
		}
	})
}
