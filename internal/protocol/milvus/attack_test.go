package milvus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

// Newer servers let a client say whether rules about rows hold for it (skip_rls, rls_principal), in fields that the
// published types do not have.
func TestAClientSaysNothingOfRulesAboutRows(t *testing.T) {
	w := protocoltest.StartGRPC(t, grpcSuite())
	vectors, err := proto.Marshal(&commonpb.PlaceholderGroup{Placeholders: []*commonpb.PlaceholderValue{{Type: commonpb.PlaceholderType_FloatVector, Values: [][]byte{make([]byte, 4)}}}})
	if err != nil {
		t.Fatal(err)
	}
	search := &milvuspb.SearchRequest{
		CollectionName: "customers", DslType: commonpb.DslType_BoolExprV1, SearchInput: &milvuspb.SearchRequest_PlaceholderGroup{PlaceholderGroup: vectors},
		SearchParams: []*commonpb.KeyValuePair{{Key: "topk", Value: "1"}},
	}
	calls := map[string]proto.Message{
		"Search": search, "HybridSearch": &milvuspb.HybridSearchRequest{CollectionName: "customers", Requests: []*milvuspb.SearchRequest{search}},
		"Query":  &milvuspb.QueryRequest{CollectionName: "customers", Expr: "id in [1]"},
		"Insert": &milvuspb.InsertRequest{CollectionName: "customers"}, "Upsert": &milvuspb.UpsertRequest{CollectionName: "customers"},
		"Delete": &milvuspb.DeleteRequest{CollectionName: "customers", Expr: "id in [1]"},
	}
	for rpc, message := range calls {
		plain, err := proto.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		fields, last := message.ProtoReflect().Descriptor().Fields(), protowire.Number(0)
		for i := range fields.Len() {
			last = max(last, fields.Get(i).Number())
		}
		said := [][]byte{}
		for _, field := range []protowire.Number{last + 1, last + 2, 99} {
			more := protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.VarintType), 1)
			named := protowire.AppendString(protowire.AppendTag(nil, field, protowire.BytesType), "admin")
			said = append(said, slices.Concat(plain, more), slices.Concat(more, plain), slices.Concat(plain, named))
		}
		if rpc == "HybridSearch" { // in one of the searches that it joins
			inner, err := proto.Marshal(search)
			if err != nil {
				t.Fatal(err)
			}
			inner = protowire.AppendVarint(protowire.AppendTag(inner, 99, protowire.VarintType), 1)
			requests := fields.ByName("requests").Number()
			said = append(said, protowire.AppendBytes(protowire.AppendTag(slices.Clone(plain), requests, protowire.BytesType), inner))
		}
		for _, raw := range said {
			if a := w.Do(t.Context(), protocoltest.GRPCRequest{Method: "/" + service + "/" + rpc, Raw: raw}); a.Code() != string(access.CodeUnclear) {
				t.Errorf("%s with a field that is not known: %v %s", rpc, a.Status, a.Code())
			}
		}
		if n := len(w.Received("/" + service + "/" + rpc)); n > 0 {
			t.Errorf("%s: %d calls reached the target", rpc, n)
		}
	}
	for rpc, text := range map[string]string{
		"Search": one + `search_params: {key: "skip_rls" value: "true"}`, "Query": customers + `expr: "id in [1]" query_params: {key: "skip_rls" value: "true"}`,
		"HybridSearch": customers + `requests: {` + one + `} rank_params: {key: "rls_principal" value: "admin"}`,
	} {
		if _, err := New(stub).Read(t.Context(), request(rpc, message(t, rpc, text), nil, &standIn{})); err == nil {
			t.Errorf("%s %s is read", rpc, text)
		}
	}
	const c = `"collectionName":"customers"`
	for _, x := range []struct{ name, body string }{
		{"entities/query", `{` + c + `,"filter":"id in [1]","skipRls":true}`},
		{"entities/query", `{` + c + `,"filter":"id in [1]","skip_rls":true}`},
		{"entities/search", `{` + c + `,"data":[[1]],"rlsPrincipal":"admin"}`},
		{"entities/search", `{` + c + `,"data":[[1]],"searchParams":{"skip_rls":true}}`},
		{"entities/hybrid_search", `{` + c + `,"search":[{"data":[[1]],"skipRls":true}]}`},
		{"entities/insert", `{` + c + `,"data":[{"id":1}],"skipRls":true}`},
		{"entities/delete", `{` + c + `,"filter":"id in [1]","skipRls":true}`},
	} {
		if _, err := readREST(t, NewREST(stub), x.name, x.body); err == nil {
			t.Errorf("%s %s is read", x.name, x.body)
		}
	}
}

func TestARerankerIsNamedOnceWhateverTheCaseOfItsLetters(t *testing.T) {
	for _, rerank := range []string{`{"strategy":"rrf","Strategy":"model"}`, `{"STRATEGY":"model","strategy":"rrf"}`, `{"strategy":"rrf","model":"x"}`, `"rrf"`} {
		_, err := readREST(t, NewREST(stub), "entities/hybrid_search", `{"collectionName":"customers","search":[{"data":[[1]]}],"rerank":`+rerank+`}`)
		if _, ok := errors.AsType[*httpwire.Unclear](err); !ok {
			t.Errorf("%s: %v", rerank, err)
		}
	}
}

// A column that BM25 makes of a text finds the text's words: searching it for them is a condition on the text.
func TestWordsOfAHiddenTextAreNotSearchedFor(t *testing.T) {
	functions := []*schemapb.FunctionSchema{
		{Name: "words", Type: schemapb.FunctionType_BM25, InputFieldNames: []string{"email"}, OutputFieldNames: []string{"words"}},
		{Name: "alike", Type: schemapb.FunctionType(9), InputFieldNames: []string{"email"}, OutputFieldNames: []string{"alike"}},
		{Name: "open", Type: schemapb.FunctionType_BM25, InputFieldNames: []string{"tenant"}, OutputFieldNames: []string{"open"}},
		{Name: "meaning", Type: schemapb.FunctionType_TextEmbedding, InputFieldNames: []string{"email"}, OutputFieldNames: []string{"vec"}},
	}
	told := described("customers")
	told.Schema.Functions = functions
	for i, f := range functions[:3] {
		told.Schema.Fields = append(told.Schema.Fields, &schemapb.FieldSchema{FieldID: int64(200 + i), Name: f.Name, DataType: schemapb.DataType_SparseFloatVector})
	}
	under := access.Obligations{Protection: &access.Protection{Fields: []access.FieldRule{{Pattern: "**.email", Treatment: access.Treatment{Mask: access.MaskRedact, Rule: "personal-data"}}}}}
	ask := func(_ context.Context, _ string, _, response proto.Message) error {
		proto.Merge(response, told)
		return nil
	}
	for field, refused := range map[string]bool{"words": true, "alike": true, "open": false, "vec": false} {
		for _, rpc := range []string{"Search", "HybridSearch"} {
			text := strings.Replace(one, `"vec"`, `"`+field+`"`, 1)
			if rpc == "HybridSearch" {
				text = customers + `requests: {` + text + `}`
			}
			r := request(rpc, message(t, rpc, text), nil, &standIn{})
			r.Ask = ask
			call, err := New(stub).Read(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			_, err = call.Oblige(&under)
			if _, no := errors.AsType[*access.Refusal](err); no != refused {
				t.Errorf("%s of %s: %v", rpc, field, err)
			}
		}
	}

	// The other interface tells of functions in its own way.
	s := restSuite()
	s.Upstream = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "describe") {
			rw.Header().Set("Content-Type", "application/json")
			fmt.Fprint(rw, strings.Replace(restDescribed, `"fields":[`, `"functions":[{"name":"w","type":"BM25","inputFieldNames":["email"],"outputFieldNames":["words"]}],"fields":[{"name":"words","type":"SparseFloatVector"},`, 1))
			return
		}
		restEngine(rw, r)
	})
	w := protocoltest.Start(t, s)
	w.Oblige(under)
	for field, want := range map[string]string{"words": string(access.CodeObligation), "vec": ""} {
		a := w.Do(t.Context(), protocoltest.Request{Method: "POST", Path: restPrefix + "entities/search", Body: `{"collectionName":"customers","data":["a@example.com"],"annsField":"` + field + `"}`})
		if a.Header.Get("X-Vecgate-Code") != want {
			t.Errorf("%s: %v", field, a)
		}
	}
}

func TestADynamicFieldIsNotWrittenTwiceUnderAFilter(t *testing.T) {
	filters := []access.FilterRule{{Pattern: "**", Field: "team", Values: []string{"acme"}, Rule: "own"}}
	for row, refused := range map[string]bool{`{"id":8,"team":"acme"}`: false, `{"id":8,"team":"acme","$meta":{"team":"globex"}}`: true, `{"id":8,"$meta":{"team":"acme"}}`: true} {
		call, err := readREST(t, NewREST(stub), "entities/insert", `{"collectionName":"customers","data":[`+row+`]}`)
		if err != nil {
			t.Fatal(err)
		}
		_, err = call.Oblige(&access.Obligations{Filters: filters})
		if _, no := errors.AsType[*access.Refusal](err); no != refused {
			t.Errorf("%s: %v", row, err)
		}
	}
}

// Milvus' REST interface says no inside of a success.
func TestARESTRefusalOfMilvusItselfIsWrittenDownAsOne(t *testing.T) {
	const drop = `{"collectionName":"customers"}`
	long := strings.Repeat("x", 64<<10)
	cases := []struct {
		path, body, answer, want string
		under                    access.Obligations
	}{
		{"collections/drop", drop, `{"code":1100,"message":"it is in use"}`, "1100", access.Obligations{}},
		{"collections/drop", drop, `{"message":"it is in use","code":1100}`, "1100", access.Obligations{}},
		{"collections/drop", drop, ` { "code" : 65535 , "message" : "` + long + `" } `, "65535", access.Obligations{}},
		{"collections/drop", drop, `{"code":0,"data":{}}`, "", access.Obligations{}},
		{"collections/drop", drop, `{"code":200,"data":{}}`, "", access.Obligations{}},
		{"collections/drop", drop, `{"data":{"code":7},"code":0}`, "", access.Obligations{}},
		{"entities/query", `{"collectionName":"customers","filter":"id in [1]"}`, `{"code":1100,"message":"value ` + canary + ` is odd"}`, "1100", access.Obligations{Protection: protection}},
		{"entities/query", `{"collectionName":"customers","filter":"id in [1]"}`, `{"code":0,"cost":0,"data":[{"id":1,"code":9}]}`, "", access.Obligations{Protection: protection}},
		{"collections/list", `{}`, `{"code":800,"message":"database not found"}`, "800", access.Obligations{}},
	}
	for _, x := range cases {
		s := restSuite()
		s.Upstream = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "describe") {
				restEngine(rw, r)
				return
			}
			rw.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(rw, x.answer)
		})
		w := protocoltest.Start(t, s)
		w.Oblige(x.under)
		a := w.Do(t.Context(), protocoltest.Request{Method: "POST", Path: restPrefix + x.path, Body: x.body})
		if a.Status != http.StatusOK || strings.Contains(a.Body, canary) {
			t.Errorf("%s %.80s: %v", x.path, x.answer, a)
		}
		protocoltest.Eventually(t, "the outcome is recorded", func() bool { return len(w.Records(audit.TypeOutcome)) == 1 })
		if got := w.Records(audit.TypeOutcome)[0].Error; got != x.want {
			t.Errorf("%s %.80s has the code %q, want %q", x.path, x.answer, got, x.want)
		}
	}
}

func TestAHiddenColumnIsNotShownForADistance(t *testing.T) {
	v := &view{
		at: access.Resource{Target: "vectors", Namespace: "default", Collection: "customers"}, schema: schemaOf(described("customers")),
		p: &access.Protection{Fields: []access.FieldRule{{Pattern: "**.distance", Treatment: access.Treatment{Mask: access.MaskNull, Rule: "r"}}}},
	}
	if n := v.member("distance", []*search{{vectors: []string{"vec"}}}, nil); n == nil || n.Treatment.Mask != access.MaskNull {
		t.Errorf("%+v", n)
	}
}
