//lint:file-ignore SA1019 some fields are deprecated: servers still answer with them.

package milvus

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"google.golang.org/protobuf/proto"

	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

// answered is an answer to a query with the canary in n points, wherever something is hidden.
func answered(n int) *milvuspb.QueryResults {
	a := &milvuspb.QueryResults{Status: &commonpb.Status{}, FieldsData: stored(), OutputFields: []string{"email"}}
	if n > 2 {
		a.FieldsData = []*schemapb.FieldData{longs("id", make([]int64, n)...), texts("email", strings.Split(strings.Repeat(canary+" ", n-1)+canary, " ")...)}
	}
	return a
}

// engine is a stand-in for Milvus.
func engine(ctx context.Context, method string, m proto.Message) (proto.Message, error) {
	switch method[strings.LastIndexByte(method, '/')+1:] {
	case "DescribeCollection":
		to := &milvuspb.DescribeCollectionResponse{}
		return to, (&standIn{}).ask(ctx, method, m, to)
	case "Query":
		return answered(1), nil
	case "Upsert":
		return &milvuspb.MutationResult{Status: &commonpb.Status{}, UpsertCnt: 1}, nil
	}
	return nil, fmt.Errorf("the stand-in does not know %s", method)
}

func grpcSuite() *protocoltest.GRPCSuite {
	return &protocoltest.GRPCSuite{
		New:        func() grpcwire.Dialect { return New(stub) },
		Upstream:   engine,
		Protection: protection,
		Read:       protocoltest.GRPCRequest{Method: "/" + service + "/Query", Message: &milvuspb.QueryRequest{CollectionName: "customers", Expr: "id in [1]", OutputFields: []string{"*"}}},
		Write: protocoltest.GRPCRequest{Method: "/" + service + "/Upsert", Message: &milvuspb.UpsertRequest{
			CollectionName: "customers", NumRows: 1, FieldsData: []*schemapb.FieldData{longs("id", 1), texts("tenant", "acme"), embeddings("vec", 1)},
		}},
		Unfulfillable: protocoltest.GRPCRequest{Method: "/" + service + "/Query", Message: &milvuspb.QueryRequest{CollectionName: "customers", Expr: `email == "a"`, OutputFields: []string{"id"}}},
		Large:         func(n int) proto.Message { return answered(3 + n/30) },
	}
}

func TestAFieldRuleMeansTheSameOverMilvusGRPC(t *testing.T) {
	protocoltest.NestedGRPC(t, grpcSuite(), false, func(fields string) proto.Message {
		var columns map[string]json.RawMessage
		if err := json.Unmarshal([]byte(fields), &columns); err != nil {
			t.Fatal(err)
		}
		answer := &milvuspb.QueryResults{Status: &commonpb.Status{}, CollectionName: "customers"}
		for name, value := range columns {
			var s string
			if json.Unmarshal(value, &s) == nil {
				answer.FieldsData = append(answer.FieldsData, texts(name, s))
				continue
			}
			answer.FieldsData = append(answer.FieldsData, &schemapb.FieldData{
				Type: schemapb.DataType_JSON, FieldName: name,
				Field: &schemapb.FieldData_Scalars{Scalars: &schemapb.ScalarField{Data: &schemapb.ScalarField_JsonData{JsonData: &schemapb.JSONArray{Data: [][]byte{value}}}}},
			})
		}
		return answer
	})
}

func TestMilvusPassesTheSuiteOverGRPC(t *testing.T) { protocoltest.RunGRPC(t, grpcSuite()) }

func TestARefusalOfMilvusItselfIsWrittenDownAsOne(t *testing.T) {
	suite := grpcSuite()
	suite.Upstream = func(ctx context.Context, method string, m proto.Message) (proto.Message, error) {
		switch {
		case strings.HasSuffix(method, "/DropCollection"):
			return &commonpb.Status{Code: 1100, Reason: "it is in use"}, nil
		case strings.HasSuffix(method, "/Upsert"):
			return &milvuspb.MutationResult{Status: &commonpb.Status{ErrorCode: commonpb.ErrorCode_IllegalArgument, Reason: "odd"}}, nil
		}
		return engine(ctx, method, m)
	}
	w := protocoltest.StartGRPC(t, suite)
	want := []string{"1100", "IllegalArgument", ""}
	for _, r := range []protocoltest.GRPCRequest{
		{Method: "/" + service + "/DropCollection", Message: &milvuspb.DropCollectionRequest{CollectionName: "customers"}}, suite.Write, suite.Read,
	} {
		if a := w.Do(t.Context(), r); a.Message == nil {
			t.Errorf("%s: %v", r.Method, a)
		}
	}
	protocoltest.Eventually(t, "every outcome is recorded", func() bool { return len(w.Records(audit.TypeOutcome)) == len(want) })
	for i, r := range w.Records(audit.TypeOutcome) {
		if r.Error != want[i] {
			t.Errorf("outcome %d has the code %q, want %q", i, r.Error, want[i])
		}
	}
}

// restDescribed is a description as the REST interface tells it.
const restDescribed = `{"code":0,"data":{"collectionName":"customers","collectionID":7,"enableDynamicField":true,"fields":[{"name":"id","type":"Int64","primaryKey":true,"autoId":false},` +
	`{"name":"email","type":"VarChar","defaultValue":"x@example.com"},{"name":"city","type":"VarChar"},{"name":"age","type":"Int64"},{"name":"tenant","type":"VarChar"},{"name":"meta","type":"JSON"},{"name":"vec","type":"FloatVector"}]}}`

// restRow is a point as the REST interface tells it, with the canary wherever something is hidden.
var restRow = fmt.Sprintf(`{"id":1,"email":%[1]q,"city":%[1]q,"age":77,"tenant":"acme","meta":"{\"phone\":\"%[1]s\"}","vec":[%[1]q],"color":"red","note":%[1]q,"meta2":{"email":1}}`, canary)

// restEngine is a stand-in for Milvus' REST interface, of which no real server can be had here.
func restEngine(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	var document struct{ CollectionName, Filter string }
	_ = json.Unmarshal(text, &document)
	w.Header().Set("Content-Type", "application/json")
	switch strings.TrimPrefix(r.URL.Path, restPrefix) {
	case "collections/describe":
		switch document.CollectionName {
		case "customers", "pub":
			fmt.Fprint(w, restDescribed)
		default:
			fmt.Fprint(w, `{"code":100,"message":"can't find collection"}`)
		}
	case "entities/query":
		fmt.Fprintf(w, `{"code":0,"cost":0,"data":[%s]}`, restRow)
	case "entities/search":
		fmt.Fprintf(w, `{"code":0,"cost":0,"data":[%s],"topks":[1]}`, `{"distance":0.123456,`+restRow[1:])
	default:
		fmt.Fprint(w, `{"code":0,"data":{"upsertCount":1,"upsertIds":[1]}}`)
	}
}

func restSuite() *protocoltest.Suite {
	return &protocoltest.Suite{
		New:        func() httpwire.Dialect { return NewREST(stub) },
		Upstream:   http.HandlerFunc(restEngine),
		Protection: protection,
		LookUps:    []string{restPrefix + "collections/describe"},
		Read:       protocoltest.Request{Method: "POST", Path: restPrefix + "entities/query", Body: `{"collectionName":"customers","filter":"id in [1]","outputFields":["*"]}`},
		Write:      protocoltest.Request{Method: "POST", Path: restPrefix + "entities/upsert", Body: `{"collectionName":"customers","data":[{"id":1,"vec":[1.50,2]}]}`},
		Twice:      `{"collectionName":"customers","filter":"id in [1]","f\u0069lter":"id >= 0"}`,
		Unfulfillable: protocoltest.Request{
			Method: "POST", Path: restPrefix + "entities/query", Body: `{"collectionName":"customers","filter":"id > 1 or email == 'a'"}`,
		},
		Large: func(n int) string {
			return `{"code":0,"data":[` + restRow + strings.Repeat(","+restRow, n/len(restRow)) + `]}`
		},
		Nested: &protocoltest.Nested{
			Answer: func(fields string) string {
				meta, rest, _ := strings.Cut(fields[strings.Index(fields, `"meta":`)+len(`"meta":`):], `,"copy"`)
				head := fields[:strings.Index(fields, `"meta":`)]
				return `{"code":0,"data":[` + head + `"meta":` + string(jsonstream.AppendString(nil, meta)) + `,"copy"` + rest + `]}` // a column of JSON comes as a text
			},
			Where: func(path string) (all []protocoltest.Request) {
				spelled := []string{path}
				if outer, inner, ok := strings.Cut(path, "."); ok {
					spelled = []string{outer + `["` + inner + `"]`, outer + `['` + inner + `']`}
				}
				for _, field := range spelled {
					for _, condition := range []string{field + ` == "x"`, `id > 1 or ` + field + ` like "x%"`, `exists ` + field, `not (` + field + ` in ["x"])`, `json_contains(` + field + `, "x")`} {
						all = append(all, protocoltest.Request{Method: "POST", Path: restPrefix + "entities/query", Body: `{"collectionName":"customers","filter":` + string(jsonstream.AppendString(nil, condition)) + `}`})
					}
				}
				return all
			},
			Whole: []protocoltest.Request{
				{Method: "POST", Path: restPrefix + "entities/query", Body: `{"collectionName":"customers","filter":"json_contains(meta, 'x')"}`},
				{Method: "POST", Path: restPrefix + "entities/query", Body: `{"collectionName":"customers","filter":"id > 1 or meta like '%x%'"}`},
			},
		},
		Usable: func(status int, body string) error {
			var e struct {
				Code    int
				Message string
			}
			if err := json.Unmarshal([]byte(body), &e); err != nil || status != http.StatusForbidden || e.Code != 65535 || e.Message == "" {
				return fmt.Errorf("clients make nothing of %d %s", status, body)
			}
			return nil
		},
	}
}

func TestMilvusPassesTheSuiteOverREST(t *testing.T) { protocoltest.Run(t, restSuite()) }
