//lint:file-ignore SA1019 some fields are deprecated: servers still answer with them.

package milvus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
)

// standIn answers what the gateway itself asks: it knows the collection customers, which is also called pub, and secrets.
type standIn struct {
	counts map[string]int64 // by filter
	asked  []string
	down   bool
}

func (s *standIn) ask(_ context.Context, method string, request, response proto.Message) error {
	if s.down {
		return errors.New("connection refused")
	}
	switch r := request.(type) {
	case *milvuspb.DescribeCollectionRequest:
		to := response.(*milvuspb.DescribeCollectionResponse)
		name := r.CollectionName
		switch name {
		case "pub":
			name = "customers"
		case "customers", "secrets":
		case "limited":
			to.Status = &commonpb.Status{Code: 8, Reason: "rate limit"}
			return nil
		default:
			to.Status = &commonpb.Status{Code: 100, ErrorCode: commonpb.ErrorCode_CollectionNotExists, Reason: "can't find collection"}
			return nil
		}
		proto.Merge(to, described(name))
		to.DbName = r.DbName
	case *milvuspb.QueryRequest:
		s.asked = append(s.asked, r.Expr)
		to := response.(*milvuspb.QueryResults)
		to.FieldsData = []*schemapb.FieldData{longs("count(*)", s.counts[r.Expr])}
	default:
		return fmt.Errorf("asked for %s", method)
	}
	return nil
}

func described(name string) *milvuspb.DescribeCollectionResponse {
	return &milvuspb.DescribeCollectionResponse{
		CollectionName: name, CollectionID: 7,
		Schema: &schemapb.CollectionSchema{Name: name, EnableDynamicField: true, Fields: []*schemapb.FieldSchema{
			{FieldID: 100, Name: "id", IsPrimaryKey: true, DataType: schemapb.DataType_Int64},
			{FieldID: 101, Name: "email", DataType: schemapb.DataType_VarChar, DefaultValue: &schemapb.ValueField{Data: &schemapb.ValueField_StringData{StringData: "x@example.com"}}},
			{FieldID: 102, Name: "city", DataType: schemapb.DataType_VarChar},
			{FieldID: 103, Name: "age", DataType: schemapb.DataType_Int64},
			{FieldID: 104, Name: "tenant", DataType: schemapb.DataType_VarChar},
			{FieldID: 105, Name: "meta", DataType: schemapb.DataType_JSON},
			{FieldID: 106, Name: "vec", DataType: schemapb.DataType_FloatVector},
		}, StructArrayFields: []*schemapb.StructArrayFieldSchema{{FieldID: 107, Name: "clips"}}},
	}
}

var stub = time.Now

func request(rpc string, m proto.Message, metadata map[string]string, s *standIn) *grpcwire.Request {
	d, err := method(rpc)
	if err != nil {
		panic(err)
	}
	return &grpcwire.Request{
		Method: d, Target: "vectors", Message: m, Metadata: metadata, Ask: s.ask,
		May: func(a access.Access) bool { return a.Resource.Collection != "secrets" },
	}
}

// message makes a request of a call from its text form.
func message(t testing.TB, rpc, text string) proto.Message {
	t.Helper()
	d, err := method(rpc)
	if err != nil {
		t.Fatal(err)
	}
	m := d.Request.New().Interface()
	if err := prototext.Unmarshal([]byte(text), m); err != nil {
		t.Fatalf("%s %s: %v", rpc, text, err)
	}
	return m
}

// said is what a call would do, in one line.
func said(c *grpcwire.Call) string {
	if c.Free {
		return "free"
	}
	var b strings.Builder
	for i, a := range c.Accesses {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s %s", a.Action, strings.TrimPrefix(strings.TrimPrefix(a.Resource.String(), "vectors/"), "default/"))
		at := a.Attributes
		if at.Rows != 0 {
			fmt.Fprintf(&b, " rows=%d", at.Rows)
		}
		if at.Points != 0 {
			fmt.Fprintf(&b, " points=%d", at.Points)
		}
		if len(at.IDs) > 0 {
			fmt.Fprintf(&b, " ids=%v", at.IDs)
		}
		for flag, on := range map[string]bool{" vectors": at.Vectors} {
			if on {
				b.WriteString(flag)
			}
		}
		if at.Egress {
			b.WriteString(" egress")
		}
		if at.Cursor {
			b.WriteString(" cursor")
		}
		if at.Filter != "" {
			fmt.Fprintf(&b, " filter=%s%v", at.Filter, at.FilterFields)
		}
		if len(at.OrderBy) > 0 {
			fmt.Fprintf(&b, " order=%v", at.OrderBy)
		}
	}
	return b.String()
}

// vectors is a group of searched vectors in the text form of a message.
func vectors(n int, kind commonpb.PlaceholderType) string {
	values := make([][]byte, n)
	for i := range values {
		values[i] = binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(i)))
	}
	text, err := proto.Marshal(&commonpb.PlaceholderGroup{Placeholders: []*commonpb.PlaceholderValue{{Tag: "$0", Type: kind, Values: values}}})
	if err != nil {
		panic(err)
	}
	var b strings.Builder
	for _, c := range text {
		fmt.Fprintf(&b, `\x%02x`, c)
	}
	return ` placeholder_group: "` + b.String() + `" nq: ` + fmt.Sprint(n) + ` dsl_type: BoolExprV1 `
}

const (
	customers = `collection_name: "customers" `
	topk      = `search_params: {key: "topk" value: "5"} search_params: {key: "anns_field" value: "vec"} `
)

var one = customers + vectors(1, commonpb.PlaceholderType_FloatVector) + topk

func TestCallsAreReadAsWhatTheyDo(t *testing.T) {
	for _, x := range []struct{ rpc, text, want string }{
		{"Connect", `client_info: {sdk_type: "Python"}`, "free"},
		{"GetVersion", ``, "free"},
		{"DescribeCollection", customers, "schema.read customers"},
		{"DescribeCollection", `collection_name: "pub"`, "schema.read customers"},
		{"DescribeCollection", `db_name: "other" collection_name: "pub"`, "schema.read other/customers"},
		{"DescribeCollection", `collection_name: "customers" collectionID: 7`, "schema.read customers"},
		{"DescribeCollection", `collection_name: "none"`, "schema.read none"},
		{"BatchDescribeCollection", `collection_name: ["pub", "secrets"]`, "schema.read customers; schema.read secrets"},
		{"ShowCollections", ``, "schema.list default"},
		{"CreateCollection", `collection_name: "new" schema: ""`, "schema.create new"},
		{"CreateCollection", `collection_name: "new" schema: "\n\x03new:\x05\n\x01f \x02"`, "schema.create new egress"},
		{"DropCollection", customers, "schema.drop customers"},
		{"TruncateCollection", customers, "schema.truncate customers"},
		{"RenameCollection", `oldName: "customers" newName: "b" newDBName: "other"`, "schema.rename customers; schema.rename other/b"},
		{"LoadCollection", customers, "cluster.admin customers"},
		{"GetCollectionStatistics", customers, "count customers rows=1"},
		{"DropPartition", customers + `partition_name: "p"`, "tenant.drop customers"},
		{"CreateAlias", customers + `alias: "a"`, "alias.write a; alias.write customers"},
		{"AlterAlias", `collection_name: "secrets" alias: "pub"`, "alias.write pub; alias.write customers; alias.write secrets"},
		{"DropAlias", `alias: "pub"`, "alias.write pub; alias.write customers"},
		{"ListAliases", ``, "alias.read default"},
		{"CreateIndex", customers + `field_name: "vec"`, "index.create customers"},
		{"DropIndex", customers, "index.drop customers"},
		{"CreateDatabase", `db_name: "other"`, "tenant.create other"},
		{"DropDatabase", `db_name: "other"`, "tenant.drop other"},
		{"ListDatabases", ``, "tenant.read vectors"},
		{"Insert", customers + `num_rows: 2 fields_data: {field_name: "id" scalars: {long_data: {data: [1, 2]}}} fields_data: {field_name: "vec" vectors: {dim: 1 float_vector: {data: [1, 2]}}}`, "insert customers points=2 ids=[1 2] vectors filter=key[]"},
		{"Upsert", customers + `num_rows: 1 partial_update: true fields_data: {field_name: "id" scalars: {long_data: {data: [1]}}}`, "update customers points=1 ids=[1] filter=key[]; upsert customers points=1 ids=[1] filter=key[]"},
		{"Delete", customers + `expr: "id in [1,2]"`, "delete customers points=2 ids=[1 2] filter=key[id]"},
		{"Delete", customers + `expr: "id in {ids}" expr_template_values: {key: "ids" value: {array_val: {long_data: {data: [4, 5, 6]}}}}`, "delete customers points=3 ids=[4 5 6] filter=key[id]"},
		{"Delete", customers + `expr: "city == 'Oslo'"`, "delete_by_filter customers points=-1 filter=other[city]"},
		{"Delete", customers + `expr: "id >= 0"`, "delete_all customers points=-1 filter=trivial[id]"},
		{"Delete", customers + `expr: "id in [1] or id > 1"`, "delete_all customers points=-1 filter=trivial[id id]"},
		{"Delete", customers + `expr: "city != 'x'"`, "delete_all customers points=-1 filter=trivial[city]"},
		{"Delete", customers, "delete_all customers points=-1"},
		{"Query", customers + `expr: "id in [1, 2]" output_fields: "city"`, "fetch customers rows=2 ids=[1 2] filter=key[id]"},
		{"Query", customers + `expr: "id in [1, 2] and age > 3" output_fields: "vec" query_params: {key: "limit" value: "1"}`, "fetch customers rows=1 ids=[1 2] vectors filter=other[id age]"},
		{"Query", customers + `output_fields: "count(*)"`, "count customers rows=1"},
		{"Query", customers + `expr: "age > 3" output_fields: "count(*)"`, "count customers rows=1 filter=other[age]"},
		{"Query", customers + `expr: "age > 3" output_fields: ["city", "max(age)"] query_params: {key: "group_by_fields" value: "city"}`, "aggregate customers rows=-1 filter=other[age] order=[city]"},
		{"Query", customers + `expr: "id < 9223372036854775807" output_fields: "city" query_params: {key: "limit" value: "1000"} query_params: {key: "iterator" value: "True"}`, "scroll customers rows=1000 cursor filter=trivial[id]"},
		{"Query", customers + `expr: "id > -1" output_fields: "city"`, "export customers rows=-1 filter=trivial[id]"},
		{"Query", customers + `expr: "age > 1" output_fields: "id"`, "list_ids customers rows=-1 filter=other[age]"},
		{"Query", customers + `expr: "age > 1" output_fields: "*"`, "scroll customers rows=-1 vectors filter=other[age]"},
		{"Query", customers + `expr: "age > 1"`, "scroll customers rows=-1 vectors filter=other[age]"},
		{"Search", one + `output_fields: "city"`, "search customers rows=5"},
		{"Search", strings.Replace(one, "customers", "pub", 1) + `output_fields: "vec"`, "search customers rows=5 vectors"},
		{"Search", customers + vectors(3, commonpb.PlaceholderType_FloatVector) + topk + `output_fields: "city" dsl: "age > 1" search_params: {key: "group_size" value: "2"} search_params: {key: "group_by_field" value: "city"}`, "search customers rows=30 filter=other[age] order=[city]"},
		{"Search", strings.Replace(one, "nq: 1", "nq: 4", 1) + `output_fields: "id"`, "search customers rows=20"},
		{"Search", customers + `ids: {int_id: {data: [1, 2]}} dsl_type: BoolExprV1 output_fields: "id" ` + topk, "search customers rows=10 ids=[1 2]"},
		{"Search", one + `output_fields: "id" search_params: {key: "search_iter_v2" value: "True"} search_params: {key: "search_iter_batch_size" value: "100"}`, "search customers rows=100 cursor"},
		{"HybridSearch", customers + `requests: {` + one + ` dsl: "age > 1"} requests: {` + one + `} rank_params: {key: "limit" value: "3"} output_fields: "city"`, "search customers rows=3"},
		{"CalcDistance", `op_left: {id_array: {collection_name: "pub" field_name: "vec" id_array: {int_id: {data: [1]}}}} op_right: {data_array: {dim: 1}}`, "search customers rows=1 ids=[1]"},
		{"Import", customers + `files: "s3://x"`, "import customers points=-1 egress"},
		{"Flush", `collection_names: ["pub", "secrets"]`, "cluster.admin customers; cluster.admin secrets"},
		{"FlushAll", ``, "cluster.admin vectors"},
		{"DescribeSegmentIndexData", customers, "raw_read customers rows=-1 vectors"},
		{"CreateRowPolicy", customers, "iam.write customers"},
		{"ListCredUsers", ``, "iam.read vectors"},
		{"CreateCredential", `username: "a" password: "b"`, "iam.write vectors"},
		{"UpdateReplicateConfiguration", ``, "cluster.admin vectors egress"},
		{"GetMetrics", `request: "{}"`, "meta.metrics vectors"},
		{"AddFileResource", `path: "s3://x"`, "cluster.admin vectors egress"},
	} {
		s := &standIn{}
		c, err := New(stub).Read(t.Context(), request(x.rpc, message(t, x.rpc, x.text), nil, s))
		if err != nil {
			t.Errorf("%s %s: %v", x.rpc, x.text, err)
			continue
		}
		if got := said(c); got != x.want {
			t.Errorf("%s %s:\n got %s\nwant %s", x.rpc, x.text, got, x.want)
		}
	}
}

func TestWhatIsReadTwoWaysIsUnclear(t *testing.T) {
	for _, x := range []struct{ rpc, text string }{
		{"DescribeCollection", `collectionID: 7`},
		{"DescribeCollection", `collection_name: "customers" collectionID: 8`},
		{"DescribeCollection", `collection_name: "a/b"`},
		{"DescribeCollection", `db_name: "a/b" collection_name: "customers"`},
		{"DropCollection", `collection_name: "pub"`},
		{"TruncateCollection", `collection_name: "pub"`},
		{"RenameCollection", `oldName: "pub" newName: "x"`},
		{"RenameCollection", `oldName: "customers" newName: "a/b"`},
		{"CreateAlias", `collection_name: "pub" alias: "x"`},
		{"CreateAlias", customers + `alias: ""`},
		{"CreateCollection", `collection_name: "new" schema: "\n\x05other"`},
		{"CreateCollection", `collection_name: "new" schema: "\xfa\x01\x01x"`},
		{"CreateCollection", `collection_name: "new" schema: "\xff"`},
		{"Insert", `base: {replicateInfo: {isReplicate: true}} ` + customers},
		{"Insert", customers + `fields_data: {field_name: "a"} fields_data: {field_name: "a"}`},
		{"Insert", customers + `fields_data: {type: Int64}`},
		{"Delete", customers + `expr: "id in [1]) or (1 == 1"`},
		{"Delete", customers + `expr: "random_sample(1)"`},
		{"Query", customers + `expr: "age > 1" travel_timestamp: 5`},
		{"Query", customers + `expr: "age > 1" output_fields: "%"`},
		{"Query", customers + `expr: "age > 1" output_fields: "age + 1"`},
		{"Query", customers + `expr: "age > 1" query_params: {key: "limit" value: "-1"}`},
		{"Query", customers + `expr: "age > 1" query_params: {key: "limit" value: "1"} query_params: {key: "limit" value: "9"}`},
		{"Query", customers + `expr: "age > 1" query_params: {key: "LIMIT" value: "1"}`},
		{"Query", customers + `expr: "age > 1" query_params: {key: "collection_id" value: "8"}`},
		{"Search", customers + vectors(1, commonpb.PlaceholderType_FloatVector)},
		{"Search", one + `search_params: {key: "limit" value: "9999"}`},
		{"Search", one + `search_params: {key: "params" value: "{\"topk\":9}"}`},
		{"Search", one + `search_params: {key: "params" value: "{\"a\":1,\"a\":2}"}`},
		{"Search", one + `search_params: {key: "unheard_of" value: "1"}`},
		{"Search", one + `search_by_primary_keys: true`},
		{"Search", one + `sub_reqs: {dsl: "1 == 1"}`},
		{"Search", one + `output_fields: "count(*)"`},
		{"Search", strings.Replace(one, "BoolExprV1", "Dsl", 1) + `dsl: "{}"`},
		{"Search", one + `function_score: {functions: {type: Rerank params: {key: "reranker" value: "unheard_of"}}}`},
		{"Search", customers + vectors(1, commonpb.PlaceholderType_None) + topk},
		{"Search", customers + `dsl_type: BoolExprV1 placeholder_group: "\xff"` + topk},
		{"HybridSearch", customers + `requests: {` + strings.Replace(one, "customers", "secrets", 1) + `}`},
		{"HybridSearch", customers + `requests: {db_name: "other" ` + one + `}`},
		{"HybridSearch", customers},
		{"HybridSearch", customers + `requests: {` + one + `} rank_params: {key: "strategy" value: "model"}`},
		{"DumpMessages", ``},
		{"Dummy", `request_type: "query"`},
		{"BackupRBAC", ``},
		{"ProxyService/RegisterLink", ``},
		{"CreateReplicateStream", ``},
	} {
		_, err := New(stub).Read(t.Context(), request(x.rpc, message(t, x.rpc, x.text), nil, &standIn{}))
		if _, ok := errors.AsType[*grpcwire.Unclear](err); !ok {
			t.Errorf("%s %s: %v", x.rpc, x.text, err)
		}
	}
}

func TestWhatTheTargetDoesNotTellIsNotGuessed(t *testing.T) {
	for _, s := range []*standIn{{down: true}, {}} {
		_, err := New(stub).Read(t.Context(), request("Query", message(t, "Query", `collection_name: "limited" expr: "id in [1]"`), nil, s))
		if _, ok := errors.AsType[*grpcwire.Unclear](err); err == nil || ok {
			t.Errorf("%v", err)
		}
	}
}

func TestSecretsAreSentOnAndNotRecorded(t *testing.T) {
	const secret = "S3cret"
	for rpc, text := range map[string]string{
		"CreateCredential": `username: "a" password: "S3cret"`, "UpdateCredential": `username: "a" oldPassword: "S3cret" newPassword: "S3cret"`,
		"RestoreRBAC":                  `RBAC_meta: {users: {user: "a" password: "S3cret"}}`,
		"UpdateReplicateConfiguration": `replicate_configuration: {clusters: {connection_param: {uri: "u" token: "S3cret"}}}`,
	} {
		c, err := New(stub).Read(t.Context(), request(rpc, message(t, rpc, text), nil, &standIn{}))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(prototext.Format(c.Message), secret) || c.Record == nil || strings.Contains(prototext.Format(c.Record), secret) {
			t.Errorf("%s is sent as %v and recorded as %v", rpc, c.Message, c.Record)
		}
	}
}

func TestTheDatabaseIsSaidInBothPlaces(t *testing.T) {
	for _, x := range []struct{ message, metadata, want string }{
		{"", "", "default"}, {"a", "", "a"}, {"", "b", "b"}, {"a", "b", "a"},
	} {
		m := &milvuspb.QueryRequest{DbName: x.message, CollectionName: "pub", Expr: "id in [1]"}
		c, err := New(stub).Read(t.Context(), request("Query", m, map[string]string{metaDatabase: x.metadata, "client-request-unixmsec": "1763762400000"}, &standIn{}))
		if err != nil {
			t.Fatal(err)
		}
		sent := c.Message.(*milvuspb.QueryRequest)
		got := []string{c.Accesses[0].Resource.Namespace, sent.DbName, c.Metadata[metaDatabase], fmt.Sprint(len(c.Metadata)), sent.CollectionName}
		if d := cmp.Diff([]string{x.want, x.want, x.want, "1", "customers"}, got); d != "" {
			t.Errorf("%+v: %s", x, d)
		}
	}
}

func TestARenamedCollectionIsJudgedByItsNewName(t *testing.T) {
	now := time.Now()
	d := New(func() time.Time { return now })
	name := "public"
	read := func() string {
		r := request("GetLoadState", &milvuspb.GetLoadStateRequest{CollectionName: "pub"}, nil, &standIn{})
		r.Ask = func(_ context.Context, _ string, _, response proto.Message) error {
			proto.Merge(response, described(name))
			return nil
		}
		c, err := d.Read(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return c.Accesses[0].Resource.Collection
	}
	got := []string{read()}
	name = "secret"
	got = append(got, read())
	now = now.Add(remember)
	got = append(got, read())
	name = "third"
	d.names.forget()
	got = append(got, read())
	if diff := cmp.Diff([]string{"public", "public", "secret", "third"}, got); diff != "" {
		t.Error(diff)
	}
}

// FuzzRead wants every call that is read to be read the same once more in the form in which it is sent on, and under
// obligations never to ask for what is hidden.
func FuzzRead(f *testing.F) {
	for i := range table {
		f.Add(i, []byte{})
	}
	for i := range table {
		for _, text := range []string{customers + `expr: "id in [1] and city like 'a%'" output_fields: "*"`, one + `output_fields: "*"`, customers + `alias: "a"`} {
			m := Methods()[i].Request.New().Interface()
			if prototext.Unmarshal([]byte(text), m) == nil {
				b, _ := proto.Marshal(m)
				f.Add(i, b)
			}
		}
	}
	d := New(stub)
	f.Fuzz(func(t *testing.T, which int, text []byte) {
		m := &d.methods[uint(which)%uint(len(d.methods))]
		read := func(text []byte) (*grpcwire.Call, error) {
			in := m.Request.New().Interface()
			if proto.Unmarshal(text, in) != nil || foreign(in.ProtoReflect()) {
				return nil, errors.New("it is none")
			}
			r := request("GetVersion", in, nil, &standIn{})
			r.Method = m
			return d.Read(t.Context(), r)
		}
		first, err := read(text)
		if err != nil {
			return
		}
		sent, err := proto.MarshalOptions{Deterministic: true}.Marshal(first.Message)
		if err != nil {
			return
		}
		second, err := read(sent)
		if err != nil {
			t.Fatalf("%s is not read once sent on: %v", m.Name, err)
		}
		again, _ := proto.MarshalOptions{Deterministic: true}.Marshal(second.Message)
		if diff := cmp.Diff(first.Accesses, second.Accesses); diff != "" || string(again) != string(sent) {
			t.Fatalf("%s is read differently once sent on: %s", m.Name, diff)
		}
		if first.Oblige == nil {
			return
		}
		obliged, err := first.Oblige(&access.Obligations{Protection: protection, Filters: tenants, Rows: 10, TopK: 10})
		if err != nil || obliged.Message == nil {
			return
		}
		if o, ok := obliged.Message.(interface{ GetOutputFields() []string }); ok {
			for _, name := range o.GetOutputFields() {
				if name == "vec" || name == "*" && first.Accesses[0].Resource.Collection == "customers" {
					t.Fatalf("%s asks for %s all the same", m.Name, name)
				}
			}
		}
	})
}
