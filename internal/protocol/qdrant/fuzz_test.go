package qdrant

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// heavy are obligations of all kinds at once.
var heavy = access.Obligations{Protection: protection, Filters: tenancy, Rows: 1000, TopK: 1000}

// FuzzReadREST wants every request that is read to be read the same once more in the form in which it is sent on, and what
// obligations made of it to be read at all, and to have the filters.
func FuzzReadREST(f *testing.F) {
	for _, x := range pairs {
		for i := range table {
			if x.body != "" && table[i].route.Method == x.method && strings.HasSuffix(table[i].route.Path, strings.TrimPrefix(x.path, at)) {
				f.Add(i, x.body)
			}
		}
	}
	routes := Routes()
	f.Fuzz(func(t *testing.T, which int, body string) {
		route := &routes[uint(which)%uint(len(routes))]
		document := jsonstream.Value{}
		if route.Body {
			var err error
			if document, err = jsonstream.Read([]byte(body)); err != nil {
				return
			}
		}
		read := func(body jsonstream.Value) (*httpwire.Call, error) {
			return NewREST(time.Now).Read(t.Context(), &httpwire.Request{
				Route: route, Target: "docs", Body: body, Ask: ask,
				Params: map[string]string{"collection": "customers", "id": "1", "field": "f", "snapshot": "s", "shard": "0", "key": "k", "peer": "1", "vector": "v"},
			})
		}
		call, err := read(document)
		if err != nil {
			return
		}
		again := func(body jsonstream.Value) *httpwire.Call {
			v := jsonstream.Value{}
			if route.Body {
				if v, err = jsonstream.Read(body.Raw()); err != nil {
					t.Fatalf("%s is sent on as %q: %v", document.Raw(), body.Raw(), err)
				}
			}
			twice, err := read(v)
			if err != nil {
				t.Fatalf("%s is sent on as %q: %v", document.Raw(), body.Raw(), err)
			}
			return twice
		}
		twice := again(call.Body)
		if d := cmp.Diff(call.Accesses, twice.Accesses); d != "" || call.Path != twice.Path || string(call.Body.Raw()) != string(twice.Body.Raw()) {
			t.Fatalf("%s is read differently once sent on: %s", document.Raw(), d)
		}
		if call.Oblige == nil {
			return
		}
		if obliged, err := call.Oblige(&heavy); err == nil && obliged.Body.Kind() != jsonstream.None {
			for _, a := range again(obliged.Body).Accesses {
				if a.Attributes.Vectors && !a.Action.Writes() && a.Resource.Collection == "customers" {
					t.Fatalf("%s asks for vectors all the same", obliged.Body.Raw())
				}
			}
		}
	})
}

// FuzzReadGRPC is FuzzReadREST for the other door.
func FuzzReadGRPC(f *testing.F) {
	methods := Methods()
	for _, x := range pairs {
		wire, err := proto.Marshal(x.message)
		if err != nil {
			f.Fatal(err)
		}
		for i := range methods {
			if methods[i].Name == "/qdrant."+x.rpc {
				f.Add(i, wire)
			}
		}
	}
	f.Fuzz(func(t *testing.T, which int, wire []byte) {
		method := &methods[uint(which)%uint(len(methods))]
		m := method.Request.New().Interface()
		if proto.Unmarshal(wire, m) != nil {
			return
		}
		read := func(m proto.Message) (*grpcwire.Call, error) {
			return NewGRPC(time.Now).Read(t.Context(), &grpcwire.Request{Method: method, Target: "docs", Message: m, Ask: askRPC})
		}
		call, err := read(m)
		if err != nil {
			return
		}
		sent := proto.Clone(call.Message)
		twice, err := read(proto.Clone(call.Message))
		if err != nil || !proto.Equal(sent, twice.Message) {
			t.Fatalf("%v is sent on as %v: %v", m, sent, err)
		}
		for i := range twice.Accesses { // an alias has become the collection's own name
			twice.Accesses[i].Attributes.Alias = call.Accesses[i].Attributes.Alias
		}
		if d := cmp.Diff(call.Accesses, twice.Accesses); d != "" {
			t.Fatalf("%v is read differently once sent on: %s", m, d)
		}
		if call.Oblige == nil {
			return
		}
		obliged, err := call.Oblige(&heavy)
		if err != nil || obliged.Message == nil {
			return
		}
		if !proto.Equal(sent, call.Message) {
			t.Fatalf("obligations changed %v", sent)
		}
		if _, err := read(proto.Clone(obliged.Message)); err != nil {
			t.Fatalf("%v is obliged as %v: %v", m, obliged.Message, err)
		}
	})
}

// FuzzFieldOf wants the key of a field to stand for the field.
func FuzzFieldOf(f *testing.F) {
	for _, key := range []string{"a", "a.b", "a[].b", `"a b"[0].c`, `"a.b"`, "a..b", "a[", `"`, "ä"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		field, ok := fieldOf(key)
		if !ok {
			return
		}
		if again, ok := fieldOf(keyOf(field)); (!ok || again != field) && !oddQuotes(field) {
			t.Fatalf("%q is %q, whose key %q is %q", key, field, keyOf(field), again)
		}
	})
}

// oddQuotes are fields that have no key: a quoted segment had a dot at its edge or two beside each other.
func oddQuotes(field string) bool {
	for i := range len(field) {
		if field[i] == '.' && (i == 0 || i == len(field)-1 || field[i-1] == '.') {
			return true
		}
	}
	return false
}
