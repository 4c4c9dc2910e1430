package milvus

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

var protection = &access.Protection{
	ID: 1,
	Fields: []access.FieldRule{
		{Pattern: "**.email", Treatment: access.Treatment{Mask: access.MaskRedact, Rule: "personal-data"}},
		{Pattern: "**.city", Treatment: access.Treatment{Mask: access.MaskRedact, Rule: "personal-data", Predicates: "equality"}},
		{Pattern: "**.age", Treatment: access.Treatment{Mask: access.MaskNull, Rule: "ages"}},
		{Pattern: "**.meta.phone", Treatment: access.Treatment{Mask: access.MaskPartial, Rule: "phones"}},
		{Pattern: "**.note", Treatment: access.Treatment{Mask: access.MaskDrop, Rule: "notes"}},
		{Pattern: "**.clips.words", Treatment: access.Treatment{Mask: access.MaskRedact, Rule: "words"}},
	},
	Vectors: []access.VectorRule{{Pattern: "**", Treatment: access.Treatment{Mask: access.MaskNull, Rule: "embeddings-stay-inside"}}},
}

var tenants = []access.FilterRule{{Pattern: "vectors/*/customers", Field: "tenant", Values: []string{"acme", `o"x`}, Rule: "own-tenant"}}

func hider(t testing.TB) *mask.Hider {
	t.Helper()
	h, err := mask.New(make([]byte, mask.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// oblige reads a call and puts it under obligations; the code of a refusal stands in the place of its call.
func oblige(t testing.TB, rpc, text string, o access.Obligations, s *standIn) (*grpcwire.Obliged, *access.Refusal) {
	t.Helper()
	c, err := New(stub).Read(t.Context(), request(rpc, message(t, rpc, text), nil, s))
	if err != nil {
		t.Fatalf("%s %s: %v", rpc, text, err)
	}
	obliged := &grpcwire.Obliged{}
	if c.Oblige != nil {
		before, _ := prototext.Marshal(c.Message)
		if obliged, err = c.Oblige(&o); err == nil {
			if after, _ := prototext.Marshal(c.Message); len(after) != len(before) {
				t.Errorf("%s: an obligation changed the call itself", rpc)
			}
		}
	}
	if refusal, ok := errors.AsType[*access.Refusal](err); ok {
		return nil, refusal
	}
	if err != nil {
		t.Fatalf("%s %s: %v", rpc, text, err)
	}
	if refusal := o.Unfiltered(&access.Operation{Accesses: c.Accesses}); refusal != nil && !obliged.Filtered {
		return nil, refusal
	}
	if obliged.Message == nil {
		obliged.Message = c.Message
	}
	return obliged, nil
}

func TestObligationsRewriteTheCallOrRefuseIt(t *testing.T) {
	hidden := access.Obligations{Protection: protection}
	own := access.Obligations{Filters: tenants}
	deny := access.Obligations{Protection: &access.Protection{Vectors: []access.VectorRule{{Pattern: "**", Treatment: access.Treatment{Mask: access.MaskNull, Rule: "v", Predicates: "deny"}}}}}
	const mine = `tenant in ["acme", "o\"x"]`
	for _, x := range []struct {
		rpc, text string
		o         access.Obligations
		want      string // what is sent on of filter and output, or the code of the refusal
	}{
		{"Query", customers + `expr: "id in [1]" output_fields: "*"`, hidden, `id in [1] | id email city age tenant meta clips $meta`},
		{"Query", customers + `expr: "id in [1]" output_fields: ["vec", "note"]`, hidden, `id in [1] | id`},
		{"Query", customers + `expr: "id in [1]" output_fields: ["city", "vec", "color"]`, hidden, `id in [1] | city color`},
		{"Query", customers + `expr: "id in [1]"`, hidden, `id in [1] | `},
		{"Query", customers + `expr: "city == 'Oslo'" output_fields: "id"`, hidden, `city == "Oslo" | id`},
		{"Query", customers + `expr: "city like 'O%'" output_fields: "id"`, hidden, "cannot-be-obliged"},
		{"Query", customers + `expr: "city in ['Oslo', 'Rome']" output_fields: "id"`, hidden, "cannot-be-obliged"},
		{"Query", customers + `expr: "city == {c}" output_fields: "id"`, hidden, "cannot-be-obliged"},
		{"Query", customers + `expr: "id > 1" output_fields: "max(meta)"`, hidden, "cannot-be-obliged"},
		{"Query", customers + `expr: "city == 'Oslo' or id > 1" output_fields: "id"`, hidden, "cannot-be-obliged"},
		{"Query", customers + `expr: "email == 'a@b'" output_fields: "id"`, hidden, "cannot-be-obliged"},
		{"Query", customers + `expr: "email == 'a@b'" output_fields: "count(*)"`, hidden, "cannot-be-obliged"},
		{"Query", customers + `expr: "$meta['email'] == 'a@b'" output_fields: "id"`, hidden, "cannot-be-obliged"},
		{"Query", customers + `expr: "meta['phone'] == 'a'" output_fields: "id"`, hidden, "cannot-be-obliged"},
		{"Query", customers + `expr: "json_contains(meta, 'a')" output_fields: "id"`, hidden, "cannot-be-obliged"},
		{"Query", customers + `expr: "meta['x'] == 'a'" output_fields: "id"`, hidden, `meta["x"] == "a" | id`},
		{"Query", customers + `expr: "tenant == email" output_fields: "id"`, hidden, "cannot-be-obliged"},
		{"Query", customers + `expr: "tenant in [email]" output_fields: "id"`, hidden, "cannot-be-obliged"},
		{"Query", customers + `expr: "email is not null" output_fields: "id"`, hidden, "cannot-be-obliged"},
		{"Query", customers + `expr: "id > 1" output_fields: "id" query_params: {key: "order_by_fields" value: "id:asc,age:desc"}`, hidden, "cannot-be-obliged"},
		{"Query", customers + `expr: "id > 1" output_fields: "max(age)"`, hidden, "cannot-be-obliged"},
		{"Query", customers + `expr: "id > 1" output_fields: ["city", "count(*)"] query_params: {key: "group_by_fields" value: "city"}`, hidden, "cannot-be-obliged"},
		{"Query", customers + `expr: "id in [1]" output_fields: "id"`, own, `(` + mine + `) and (id in [1]) | id`},
		{"Query", customers + `expr: "id in [1] or 1 == 1" output_fields: "id"`, own, `(` + mine + `) and (id in [1] or 1 == 1) | id`},
		{"Query", customers + `output_fields: "count(*)"`, own, mine + ` | count(*)`},
		{"Query", customers + `expr: "id in [1, 2]" output_fields: "id"`, access.Obligations{Rows: 1}, "limit"},
		{"Query", customers + `expr: "tenant == 'x'" output_fields: "id" query_params: {key: "limit" value: "5"}`, access.Obligations{Rows: 4}, "limit"},
		{"Delete", customers + `expr: "id in [1]"`, own, `(` + mine + `) and (id in [1]) | `},
		{"Delete", customers + `expr: "email == 'a@b'"`, hidden, "cannot-be-obliged"},
		{"Search", one + `output_fields: "*"`, hidden, ` | id email city age tenant meta clips $meta`},
		{"Search", one + `output_fields: "id"`, own, mine + ` | id`},
		{"Search", one + `output_fields: "id" dsl: "age > 1"`, own, `(` + mine + `) and (age > 1) | id`},
		{"Search", one + `output_fields: "id"`, deny, "cannot-be-obliged"},
		{"Search", one + `output_fields: "id"`, access.Obligations{TopK: 4}, "limit"},
		{"Search", one + `output_fields: "id"`, access.Obligations{Rows: 4}, "limit"},
		{"Search", one + `output_fields: "id"`, access.Obligations{Rows: 5, TopK: 5}, " | id"},
		{"Search", one + `dsl: "age > 1"`, hidden, "cannot-be-obliged"},
		{"Search", one + `search_params: {key: "group_by_field" value: "email"}`, hidden, "cannot-be-obliged"},
		{"Search", one + `search_params: {key: "group_by_field" value: "meta"} search_params: {key: "json_path" value: "/phone"}`, hidden, "cannot-be-obliged"},
		{"Search", one + `search_params: {key: "order_by_fields" value: "age:asc"}`, hidden, "cannot-be-obliged"},
		{"Search", one + `search_params: {key: "params" value: "{\"radius\": 0.1}"}`, hidden, "cannot-be-obliged"},
		{"Search", one + `search_params: {key: "search_iter_last_bound" value: "0.1"}`, hidden, "cannot-be-obliged"},
		{"Search", one + `highlighter: {}`, hidden, "cannot-be-obliged"},
		{"Search", one + `function_score: {functions: {type: Rerank input_field_names: "age" params: {key: "reranker" value: "decay"}}}`, hidden, "cannot-be-obliged"},
		{"Search", one + `function_score: {functions: {type: Rerank params: {key: "reranker" value: "boost"} params: {key: "filter" value: "email == 'a'"}}}`, hidden, "cannot-be-obliged"},
		{"Search", customers + `ids: {int_id: {data: 1}} dsl_type: BoolExprV1 ` + topk, own, "cannot-be-obliged"},
		{"HybridSearch", customers + `requests: {` + one + `output_fields: "vec" dsl: "id > 1"} requests: {` + one + `} output_fields: "*"`, access.Obligations{Protection: protection, Filters: tenants}, `(` + mine + `) and (id > 1) | id; ` + mine + ` | ; | id email city age tenant meta clips $meta`},
		{"HybridSearch", customers + `requests: {` + one + `dsl: "email == 'a'"} output_fields: "id"`, hidden, "cannot-be-obliged"},
		{"HybridSearch", customers + `requests: {` + one + `} rank_params: {key: "limit" value: "1"} output_fields: "id"`, access.Obligations{TopK: 4}, "limit"},
		{"CalcDistance", `op_left: {id_array: {collection_name: "customers"}}`, hidden, "cannot-be-obliged"},
		{"CalcDistance", `op_left: {id_array: {collection_name: "customers"}}`, own, "cannot-be-obliged"},
		{"DescribeSegmentIndexData", customers, hidden, "cannot-be-obliged"},
		{"GetCollectionStatistics", customers, own, "cannot-be-obliged"},
		{"TruncateCollection", customers, own, "cannot-be-obliged"},
		{"DropCollection", customers, own, "cannot-be-obliged"},
		{"DropPartition", customers, own, "cannot-be-obliged"},
		{"Import", customers, own, "cannot-be-obliged"},
		{"DropDatabase", `db_name: "default"`, own, "cannot-be-obliged"},
		{"Insert", customers + `num_rows: 1 fields_data: {field_name: "id" scalars: {long_data: {data: 1}}}`, own, "cannot-be-obliged"},
		{"Insert", customers + `num_rows: 2 fields_data: {field_name: "tenant" scalars: {string_data: {data: ["acme", "other"]}}}`, own, "cannot-be-obliged"},
		{"Insert", customers + `num_rows: 2 fields_data: {field_name: "tenant" scalars: {string_data: {data: ["acme"]}}}`, own, "cannot-be-obliged"},
		{"Insert", customers + `num_rows: 2 fields_data: {field_name: "tenant" valid_data: [true, false] scalars: {string_data: {data: ["acme", "acme"]}}}`, own, "cannot-be-obliged"},
		{"Insert", customers + `num_rows: 1 fields_data: {field_name: "$meta" is_dynamic: true scalars: {json_data: {data: "{\"tenant\":\"acme\"}"}}}`, own, "cannot-be-obliged"},
		{"Upsert", customers + `num_rows: 1 fields_data: {field_name: "tenant" scalars: {string_data: {data: ["acme"]}}}`, own, " | "},
		{"Insert", customers + `num_rows: 1 fields_data: {field_name: "org" scalars: {string_data: {data: ["a"]}}} fields_data: {field_name: "$meta" is_dynamic: true scalars: {json_data: {data: "{\"org\":\"b\"}"}}}`, access.Obligations{Filters: []access.FilterRule{{Pattern: "**", Field: "org", Values: []string{"a"}}}}, "cannot-be-obliged"},
		{"Insert", customers + `num_rows: 1 fields_data: {field_name: "$meta" is_dynamic: true scalars: {json_data: {data: "{\"org\":\"b\",\"org\":\"a\"}"}}}`, access.Obligations{Filters: []access.FilterRule{{Pattern: "**", Field: "org", Values: []string{"a"}}}}, "cannot-be-obliged"},
		{"Insert", customers + `num_rows: 1 fields_data: {field_name: "$meta" is_dynamic: true scalars: {json_data: {data: "{\"org\":\"a\"}"}}}`, access.Obligations{Filters: []access.FilterRule{{Pattern: "**", Field: "org", Values: []string{"a"}}}}, " | "},
		{"Insert", `collection_name: "new" num_rows: 1 fields_data: {field_name: "tenant" scalars: {string_data: {data: ["acme"]}}}`, access.Obligations{Filters: []access.FilterRule{{Pattern: "**", Field: "tenant", Values: []string{"acme"}}}}, "cannot-be-obliged"},
		{"Query", customers + `expr: "id in [1]" output_fields: "id"`, access.Obligations{Filters: []access.FilterRule{{Pattern: "**", Field: "id", Values: []string{"7"}}}}, `(id in [7]) and (id in [1]) | id`},
		{"Query", customers + `expr: "id in [1]" output_fields: "id"`, access.Obligations{Filters: []access.FilterRule{{Pattern: "**", Field: "id", Values: []string{"7] or id in [8"}}}}, "cannot-be-obliged"},
		{"Query", customers + `expr: "id in [1]" output_fields: "id"`, access.Obligations{Filters: []access.FilterRule{{Pattern: "**", Field: "vec", Values: []string{"7"}}}}, "cannot-be-obliged"},
		{"Query", customers + `expr: "id in [1]" output_fields: "id"`, access.Obligations{Filters: []access.FilterRule{{Pattern: "**", Field: "org.unit", Values: []string{"a"}}, {Pattern: "**", Field: "meta.k", Values: []string{"b"}}}}, `($meta["org"]["unit"] in ["a"]) and (meta["k"] in ["b"]) and (id in [1]) | id`},
	} {
		obliged, refusal := oblige(t, x.rpc, x.text, x.o, &standIn{})
		got := ""
		if refusal != nil {
			got = string(refusal.Code)
		} else {
			got = sent(obliged.Message)
		}
		if got != x.want {
			t.Errorf("%s %s:\n got %s\nwant %s (%v)", x.rpc, x.text, got, x.want, refusal)
		}
	}
}

// sent is filter and output of what is sent on.
func sent(m proto.Message) string {
	if h, ok := m.(*milvuspb.HybridSearchRequest); ok {
		var parts []string
		for _, r := range h.Requests {
			parts = append(parts, sent(r))
		}
		return strings.Join(append(parts, "| "+strings.Join(h.OutputFields, " ")), "; ")
	}
	filter, output := "", []string{}
	if f, ok := m.(interface{ GetExpr() string }); ok {
		filter = f.GetExpr()
	}
	if f, ok := m.(interface{ GetDsl() string }); ok {
		filter = f.GetDsl()
	}
	if f, ok := m.(interface{ GetOutputFields() []string }); ok {
		output = f.GetOutputFields()
	}
	return filter + " | " + strings.Join(output, " ")
}

func TestAQueryWithoutALimitIsBoundedByOneMore(t *testing.T) {
	obliged, refusal := oblige(t, "Query", customers+`expr: "tenant == 'x'" output_fields: "id"`, access.Obligations{Rows: 4}, &standIn{})
	if refusal != nil {
		t.Fatal(refusal)
	}
	p := obliged.Message.(*milvuspb.QueryRequest).QueryParams
	if len(p) != 1 || p[0].Key != "limit" || p[0].Value != "5" || obliged.Rows != 4 {
		t.Errorf("%v, %d rows", p, obliged.Rows)
	}
}

func TestPointsOfOthersAreNotWrittenOver(t *testing.T) {
	const text = customers + `num_rows: 2 fields_data: {field_name: "id" scalars: {long_data: {data: [1, 2]}}} fields_data: {field_name: "tenant" scalars: {string_data: {data: ["acme", "acme"]}}}`
	const all, mine = `id in [1, 2]`, `(tenant in ["acme", "o\"x"]) and (id in [1, 2])`
	for _, x := range []struct {
		taken, own int64
		ok         bool
	}{{0, 0, true}, {2, 2, true}, {2, 1, false}, {1, 0, false}} {
		for _, rpc := range []string{"Insert", "Upsert"} {
			s := &standIn{counts: map[string]int64{all: x.taken, mine: x.own}}
			obliged, refusal := oblige(t, rpc, text, access.Obligations{Filters: tenants}, s)
			if refusal != nil {
				t.Fatal(refusal)
			}
			if len(s.asked) > 0 {
				t.Errorf("%s asked before it was decided", rpc)
			}
			err := obliged.Check(t.Context())
			if (err == nil) != x.ok {
				t.Errorf("%s with %d keys taken, %d of them by oneself: %v", rpc, x.taken, x.own, err)
			}
			if s.asked[0] != all || x.taken > 0 && s.asked[1] != mine {
				t.Errorf("asked %q", s.asked)
			}
		}
	}
}

func texts(name string, values ...string) *schemapb.FieldData {
	return &schemapb.FieldData{Type: schemapb.DataType_VarChar, FieldName: name, Field: &schemapb.FieldData_Scalars{Scalars: &schemapb.ScalarField{
		Data: &schemapb.ScalarField_StringData{StringData: &schemapb.StringArray{Data: values}},
	}}}
}

func longs(name string, values ...int64) *schemapb.FieldData {
	return &schemapb.FieldData{Type: schemapb.DataType_Int64, FieldName: name, Field: &schemapb.FieldData_Scalars{Scalars: &schemapb.ScalarField{
		Data: &schemapb.ScalarField_LongData{LongData: &schemapb.LongArray{Data: values}},
	}}}
}

func documents(name string, dynamic bool, values ...string) *schemapb.FieldData {
	list := make([][]byte, len(values))
	for i, v := range values {
		list[i] = []byte(v)
	}
	return &schemapb.FieldData{Type: schemapb.DataType_JSON, FieldName: name, IsDynamic: dynamic, Field: &schemapb.FieldData_Scalars{Scalars: &schemapb.ScalarField{
		Data: &schemapb.ScalarField_JsonData{JsonData: &schemapb.JSONArray{Data: list}},
	}}}
}

func embeddings(name string, values ...float32) *schemapb.FieldData {
	return &schemapb.FieldData{Type: schemapb.DataType_FloatVector, FieldName: name, Field: &schemapb.FieldData_Vectors{Vectors: &schemapb.VectorField{
		Dim: 1, Data: &schemapb.VectorField_FloatVector{FloatVector: &schemapb.FloatArray{Data: values}},
	}}}
}

const canary = protocoltest.Canary

// stored is an answer's columns, with the canary wherever something is hidden.
func stored() []*schemapb.FieldData {
	struct1 := &schemapb.FieldData{Type: schemapb.DataType_ArrayOfStruct, FieldName: "clips", Field: &schemapb.FieldData_StructArrays{StructArrays: &schemapb.StructArrayField{Fields: []*schemapb.FieldData{
		texts("clips[words]", canary, canary), texts("seconds", "1", "2"), embeddings("clip_vec", 1, 2),
	}}}}
	byNumber := texts("", canary, canary)
	byNumber.FieldId = 101
	return []*schemapb.FieldData{
		longs("id", 1, 2), texts("email", canary, canary), texts("city", canary, ""), longs("age", 77, 78), texts("tenant", "acme", "acme"),
		documents("meta", false, `{"phone":"`+canary+`1234","x":1,"deep":[{"phone":"kept"}]}`, `null`),
		documents("$meta", true, `{"email":"`+canary+`","color":"red","note":"`+canary+`"}`, `{}`),
		embeddings("vec", 1, 2), embeddings("unheard_of", 1, 2), struct1, documents(`meta["phone"]`, false, `"`+canary+`1234"`, `null`), texts("clips[words]", canary, canary), byNumber, texts("note", canary, canary),
	}
}

func TestEveryPartOfAnAnswerIsMasked(t *testing.T) {
	obliged, refusal := oblige(t, "Search", one+`output_fields: "*"`, access.Obligations{Protection: protection}, &standIn{})
	if refusal != nil {
		t.Fatal(refusal)
	}
	bound := float32(0.123456)
	answer := &milvuspb.SearchResults{Status: &commonpb.Status{}, Results: &schemapb.SearchResultData{
		FieldsData: stored(), OutputFields: []string{"id", "email", "vec", "note"}, Scores: []float32{0.123456, 0.98765}, Distances: []float32{0.123456, 0.98765},
		Ids: &schemapb.IDs{IdField: &schemapb.IDs_IntId{IntId: &schemapb.LongArray{Data: []int64{1, 2}}}}, Topks: []int64{2},
		GroupByFieldValue: texts("email", canary, canary), HighlightResults: []*commonpb.HighlightResult{{FieldName: "email", Datas: []*commonpb.HighlightData{{Fragments: []string{canary}}}}},
		SearchIteratorV2Results: &schemapb.SearchIteratorV2Results{LastBound: bound},
	}}
	rows, err := obliged.Mask(hider(t), answer)
	if err != nil || rows != 2 {
		t.Fatalf("%d rows, %v", rows, err)
	}
	text, err := protojson.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), canary) || strings.Contains(string(text), "12345") || strings.Contains(string(text), "9876") {
		t.Errorf("something hidden is left: %s", text)
	}
	got := map[string]string{}
	for _, col := range answer.Results.FieldsData {
		b, _ := protojson.Marshal(col.GetScalars())
		if col.GetScalars().GetJsonData() != nil {
			b = append([]byte{}, strings.Join(func() (all []string) {
				for _, d := range col.GetScalars().GetJsonData().GetData() {
					all = append(all, string(d))
				}
				return all
			}(), " ")...)
		}
		got[col.FieldName] = strings.ReplaceAll(string(b), " ", "")
		if len(col.ValidData) > 0 {
			got[col.FieldName] += " null"
		}
	}
	want := map[string]string{
		"id": `{"longData":{"data":["1","2"]}}`, "email": `{"stringData":{"data":["[redacted]","[redacted]"]}}`, "": `{"stringData":{"data":["[redacted]","[redacted]"]}}`,
		"city": `{"stringData":{"data":["[redacted]","[redacted]"]}}`, "age": `{"longData":{"data":["0","0"]}} null`, "tenant": `{"stringData":{"data":["acme","acme"]}}`,
		"meta": `{"phone":"****1234","x":1,"deep":[{"phone":"kept"}]}null`, "$meta": `{"email":"[redacted]","color":"red"}{}`, "clips": "{}",
		`meta["phone"]`: `nullnull null`, "clips[words]": `{"stringData":{"data":["[redacted]","[redacted]"]}}`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, col := range answer.Results.FieldsData {
		if parts := col.GetStructArrays().GetFields(); parts != nil && (len(parts) != 1 || parts[0].FieldName != "seconds") {
			t.Errorf("of a struct there is left %v", parts)
		}
	}
	if d := cmp.Diff([]string{"id", "email"}, answer.Results.OutputFields); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]float32{0.12, 0.99}, answer.Results.Scores); d != "" {
		t.Error(d)
	}
}

func TestKeysAreMaskedWithoutLosingTheirNumberAndType(t *testing.T) {
	for m, want := range map[access.Mask]int64{access.MaskRedact: 0, access.MaskNull: 0, access.MaskDrop: 0} {
		p := &access.Protection{Fields: []access.FieldRule{{Pattern: "**.id", Treatment: access.Treatment{Mask: m, Rule: "ids"}}}}
		obliged, refusal := oblige(t, "Search", one+`output_fields: "id"`, access.Obligations{Protection: p}, &standIn{})
		if refusal != nil {
			t.Fatal(refusal)
		}
		answer := &milvuspb.SearchResults{Results: &schemapb.SearchResultData{Ids: &schemapb.IDs{IdField: &schemapb.IDs_IntId{IntId: &schemapb.LongArray{Data: []int64{7, 8}}}}}}
		if _, err := obliged.Mask(hider(t), answer); err != nil {
			t.Fatal(err)
		}
		if got := answer.Results.Ids.GetIntId().Data; len(got) != 2 || got[0] != want {
			t.Errorf("%s: %v", m, got)
		}
	}
	p := &access.Protection{Fields: []access.FieldRule{{Pattern: "**.id", Treatment: access.Treatment{Mask: access.MaskHash, Rule: "ids"}}}}
	obliged, refusal := oblige(t, "Delete", customers+`expr: "tenant == 'a'"`, access.Obligations{Protection: p}, &standIn{})
	if refusal != nil {
		t.Fatal(refusal)
	}
	answer := &milvuspb.MutationResult{IDs: &schemapb.IDs{IdField: &schemapb.IDs_IntId{IntId: &schemapb.LongArray{Data: []int64{7, 8, 7}}}}}
	if _, err := obliged.Mask(hider(t), answer); err != nil {
		t.Fatal(err)
	}
	if got := answer.IDs.GetIntId().Data; got[0] == 7 || got[0] != got[2] || got[0] == got[1] || got[0] < 0 {
		t.Errorf("%v", got)
	}
}

func TestErrorsThatCouldQuoteAreWithheld(t *testing.T) {
	for _, x := range []struct {
		code int32
		kept bool
	}{{65535, false}, {1100, false}, {100, true}} {
		for rpc, answer := range map[string]proto.Message{"Query": &milvuspb.QueryResults{}, "Search": &milvuspb.SearchResults{}, "Upsert": &milvuspb.MutationResult{}} {
			text := map[string]string{"Query": customers + `expr: "id in [1]"`, "Search": one, "Upsert": customers}[rpc]
			obliged, refusal := oblige(t, rpc, text, access.Obligations{Protection: protection}, &standIn{})
			if refusal != nil {
				t.Fatal(refusal)
			}
			status := &commonpb.Status{Code: x.code, Reason: "value " + canary, Detail: canary, ExtraInfo: map[string]string{"a": canary}}
			m := answer.ProtoReflect()
			m.Set(m.Descriptor().Fields().ByName("status"), protoreflect.ValueOfMessage(status.ProtoReflect()))
			if _, err := obliged.Mask(hider(t), answer); err != nil {
				t.Fatal(err)
			}
			if out, _ := protojson.Marshal(answer); strings.Contains(string(out), canary) != x.kept {
				t.Errorf("%s, code %d: %s", rpc, x.code, out)
			}
		}
	}
}

func TestAListLeavesOutWhatMayNotBeKnown(t *testing.T) {
	obliged, refusal := oblige(t, "ShowCollections", ``, access.Obligations{}, &standIn{})
	if refusal != nil {
		t.Fatal(refusal)
	}
	answer := &milvuspb.ShowCollectionsResponse{CollectionNames: []string{"customers", "secrets", "x"}, CollectionIds: []int64{1, 2, 3}, ShardsNum: []int32{1}}
	if _, err := obliged.Mask(hider(t), answer); err != nil {
		t.Fatal(err)
	}
	want := &milvuspb.ShowCollectionsResponse{CollectionNames: []string{"customers", "x"}, CollectionIds: []int64{1, 3}}
	if !proto.Equal(want, answer) {
		t.Errorf("%v", answer)
	}
}

func TestDescriptionsTellNoDefaultOfAHiddenField(t *testing.T) {
	obliged, refusal := oblige(t, "DescribeCollection", customers, access.Obligations{Protection: protection}, &standIn{})
	if refusal != nil {
		t.Fatal(refusal)
	}
	answer := described("customers")
	if _, err := obliged.Mask(hider(t), answer); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(answer.String(), "x@example.com") || !strings.Contains(answer.String(), `"email"`) {
		t.Errorf("%v", answer)
	}
}
