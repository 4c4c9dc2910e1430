package qdrant

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	pb "github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

var tenancy = []access.FilterRule{{Pattern: "docs/*/customers", Field: "tenant.id", Values: []string{"a", "b"}, Rule: "own-tenant"}}

const tenant = `{"key":"tenant.id","match":{"any":["a","b"]}}`

func TestObligationsRewriteTheRequestOrRefuseIt(t *testing.T) {
	hidden, filters := access.Obligations{Protection: protection}, access.Obligations{Filters: tenancy}
	vectors := func(t access.Treatment) access.Obligations {
		t.Mask, t.Rule = access.MaskNull, "v"
		return access.Obligations{Protection: &access.Protection{Vectors: []access.VectorRule{{Pattern: "**", Treatment: t}}}}
	}
	for _, x := range []struct {
		method, path, body string
		o                  access.Obligations
		want               string // what is sent on, or the code of the refusal
	}{
		// Vectors are not asked for.
		{"POST", "/points/scroll", `{"with_vectors":true}`, hidden, `{"with_vector":false,"limit":10}`},
		{"POST", "/points/scroll", `{"with_vector":["a"]}`, hidden, `{"with_vector":false,"limit":10}`},
		{"POST", "/points", `{"ids":[1],"with_vector":true}`, hidden, `{"ids":[1],"with_vector":false}`},
		{"POST", "/points/query/groups", `{"query":[1],"group_by":"n","with_lookup":{"collection":"customers","with_vectors":true}}`, hidden, `{"query":[1],"group_by":"n","with_lookup":{"collection":"customers","with_vectors":false},"limit":10,"group_size":3}`},
		// Scores of hidden vectors tell no more than they show.
		{"POST", "/points/query", `{"query":[1],"score_threshold":0.98765}`, hidden, `{"query":[1],"score_threshold":0.99,"limit":10}`},
		{"POST", "/points/query", `{"prefetch":[{"query":[1],"score_threshold":0.98765}],"query":{"fusion":"rrf"}}`, hidden, `{"prefetch":[{"query":[1],"score_threshold":0.99,"limit":10}],"query":{"fusion":"rrf"},"limit":10}`},
		{"POST", "/points/query", `{"prefetch":[{"query":[1]}],"query":{"formula":{"mult":[1000000,"$score"]}}}`, hidden, "cannot-be-obliged"},
		{"POST", "/points/query", `{"query":{"relevance_feedback":{"target":[1],"feedback":[{"example":1,"score":1}],"strategy":{"naive":{"a":1000000,"b":0,"c":0}}}}}`, hidden, "cannot-be-obliged"},
		{"POST", "/points/query", `{"query":[1]}`, vectors(access.Treatment{Predicates: "deny"}), "cannot-be-obliged"},
		{"POST", "/points/query", `{"query":[1]}`, vectors(access.Treatment{Distance: "deny"}), "cannot-be-obliged"},
		{"POST", "/points/query", `{"query":[1],"score_threshold":0.98765}`, vectors(access.Treatment{Distance: "allow"}), `{"query":[1],"score_threshold":0.98765,"limit":10}`},
		{"POST", "/points/query", `{"query":3,"lookup_from":{"collection":"other"}}`, vectors(access.Treatment{Predicates: "deny"}), "cannot-be-obliged"},
		{"POST", "/points/query", `{"query":3,"lookup_from":{"collection":"other"}}`, vectors(access.Treatment{}), "cannot-be-obliged"},
		{"POST", "/points/query", `{"query":3,"lookup_from":{"collection":"other"}}`, vectors(access.Treatment{Distance: "allow"}), `{"query":3,"lookup_from":{"collection":"other"},"limit":10}`},
		{"POST", "/points/query", `{"prefetch":[{"query":[1]}],"query":{"fusion":"dbsf"}}`, hidden, "cannot-be-obliged"}, // how scores are spread magnifies what is between them
		{"POST", "/points/query", `{"prefetch":[{"query":[1]}],"query":{"fusion":"dbsf"}}`, vectors(access.Treatment{Distance: "allow"}), `{"prefetch":[{"query":[1],"limit":10}],"query":{"fusion":"dbsf"},"limit":10}`},
		{"POST", "/points/query", `{"prefetch":[{"query":[1]}],"query":{"rrf":{"k":2}}}`, hidden, `{"prefetch":[{"query":[1],"limit":10}],"query":{"rrf":{"k":2}},"limit":10}`},
		// Hidden fields are no oracles.
		{"POST", "/points/scroll", `{"filter":{"must":[{"key":"city","match":{"value":"Oslo"}}]}}`, hidden, `{"filter":{"must":[{"key":"city","match":{"value":"Oslo"}}]},"limit":10}`},
		{"POST", "/points/scroll", `{"filter":{"should":[{"key":"city","match":{"value":"Oslo"}}]}}`, hidden, "cannot-be-obliged"},
		{"POST", "/points/scroll", `{"filter":{"must":[{"key":"city","match":{"any":["Oslo"]}}]}}`, hidden, "cannot-be-obliged"},
		{"POST", "/points/scroll", `{"filter":{"must":[{"key":"email[]","match":{"value":"a@b"}}]}}`, hidden, "cannot-be-obliged"},
		{"POST", "/points/scroll", `{"filter":{"must":[{"key":"email.x","is_empty":true}]}}`, hidden, "cannot-be-obliged"},
		{"POST", "/points/scroll", `{"filter":{"must":[{"nested":{"key":"meta[]","filter":{"must":[{"key":"phone","match":{"value":"1"}}]}}}]}}`, hidden, "cannot-be-obliged"},
		{"POST", "/points/count", `{"filter":{"must_not":[{"is_empty":{"key":"email"}}]}}`, hidden, "cannot-be-obliged"},
		{"POST", "/points/count", `{"filter":{"min_should":{"conditions":[{"key":"email","match":{"text":"a"}}],"min_count":1}}}`, hidden, "cannot-be-obliged"},
		{"POST", "/points/delete", `{"filter":{"must":[{"key":"email","match":{"value":"a"}}]}}`, hidden, "cannot-be-obliged"},
		{"PUT", "/points", `{"points":[],"update_filter":{"must":[{"key":"email","match":{"value":"a"}}]}}`, hidden, "cannot-be-obliged"},
		{"POST", "/points/query", `{"query":[1],"prefetch":{"query":[1],"filter":{"must":[{"key":"email","match":{"value":"a"}}]}}}`, hidden, "cannot-be-obliged"},
		{"POST", "/points/scroll", `{"order_by":"email"}`, hidden, "cannot-be-obliged"},
		{"POST", "/points/query", `{"query":{"order_by":{"key":"email"}}}`, hidden, "cannot-be-obliged"},
		{"POST", "/points/query/groups", `{"query":[1],"group_by":"email"}`, hidden, "cannot-be-obliged"},
		{"POST", "/facet", `{"key":"email"}`, hidden, "cannot-be-obliged"},
		{"POST", "/points/query", `{"query":{"formula":{"sum":[1,"age"]}}}`, hidden, "cannot-be-obliged"},
		{"POST", "/points/query", `{"query":{"formula":{"sum":[1,{"key":"email","match":{"value":"a"}}]}}}`, hidden, "cannot-be-obliged"},
		{"POST", "/points/query", `{"query":{"formula":{"exp_decay":{"x":{"datetime_key":"email"}}}}}`, hidden, "cannot-be-obliged"},
		{"GET", "/snapshots/x", ``, hidden, "cannot-be-obliged"},
		{"POST", "/shards/0/points/scroll", `{}`, hidden, "cannot-be-obliged"},
		// Limits.
		{"POST", "/points/query", `{"query":[1],"limit":5,"offset":6}`, access.Obligations{TopK: 10}, "limit"},
		{"POST", "/points/query", `{"query":[1]}`, access.Obligations{TopK: 10}, `{"query":[1],"limit":10}`},
		{"POST", "/points/query/groups", `{"query":[1],"group_by":"n","limit":2,"group_size":1000}`, access.Obligations{TopK: 10}, "limit"},
		{"POST", "/points/query/groups", `{"query":[1],"group_by":"n","limit":2,"group_size":5}`, access.Obligations{TopK: 10}, `{"query":[1],"group_by":"n","limit":2,"group_size":5}`},
		{"POST", "/points/query/batch", `{"searches":[{"query":[1],"limit":3},{"query":[1],"limit":3}]}`, access.Obligations{Rows: 5}, "limit"},
		{"POST", "/points/query/groups", `{"query":[1],"group_by":"n","limit":3,"group_size":3}`, access.Obligations{Rows: 8}, "limit"},
		{"POST", "/points/query/groups", `{"query":[1],"group_by":"n","limit":4294967296,"group_size":4294967296}`, access.Obligations{Rows: 8}, "limit"},
		{"POST", "/points/search/matrix/pairs", `{"sample":4294967296,"limit":4294967296}`, access.Obligations{Rows: 8}, "limit"},
		{"POST", "/points/scroll", `{}`, access.Obligations{Rows: 9}, "limit"},
		{"POST", "/points", `{"ids":[1,2]}`, access.Obligations{Rows: 1}, "limit"},
		// Filters reach every way to points.
		{"POST", "/points/scroll", `{}`, filters, `{"limit":10,"filter":{"must":[` + tenant + `]}}`},
		{"POST", "/points/scroll", `{"filter":{"should":[{"has_id":[1]}]}}`, filters, `{"filter":{"must":[` + tenant + `,{"should":[{"has_id":[1]}]}]},"limit":10}`},
		{"POST", "/points/count", `{"filter":{},"exact":false}`, filters, `{"filter":{"must":[` + tenant + `]},"exact":true}`}, // a guess is made from the points of others, too
		{"POST", "/facet", `{"key":"n"}`, filters, `{"key":"n","limit":10,"exact":true,"filter":{"must":[` + tenant + `]}}`},
		{"POST", "/points/search/matrix/offsets", `{}`, filters, `{"sample":10,"limit":3,"filter":{"must":[` + tenant + `]}}`},
		{"POST", "/points/query", `{"prefetch":[{"query":[1],"prefetch":{"query":[2]}}],"query":[3]}`, filters, `{"prefetch":[{"query":[1],"prefetch":{"query":[2],"limit":10,"filter":{"must":[` + tenant + `]}},"limit":10,"filter":{"must":[` + tenant + `]}}],"query":[3],"limit":10,"filter":{"must":[` + tenant + `]}}`},
		{"POST", "/points/query/batch", `{"searches":[{"query":[1]}]}`, filters, `{"searches":[{"query":[1],"limit":10,"filter":{"must":[` + tenant + `]}}]}`},
		{"POST", "/points/query", `{"query":1}`, filters, "cannot-be-obliged"},
		{"POST", "/points/recommend", `{"positive":[1],"limit":1}`, filters, "cannot-be-obliged"},
		{"POST", "/points/query/groups", `{"query":[1],"group_by":"n","with_lookup":"customers"}`, filters, "cannot-be-obliged"},
		{"POST", "/points/delete", `{"points":[1,2]}`, filters, `{"filter":{"must":[` + tenant + `,{"must":[{"has_id":[1,2]}]}]}}`},
		{"POST", "/points/delete", `{"filter":{}}`, filters, `{"filter":{"must":[` + tenant + `]}}`},
		{"POST", "/points/payload", `{"payload":{"n":1},"points":[1]}`, filters, `{"payload":{"n":1},"filter":{"must":[` + tenant + `,{"must":[{"has_id":[1]}]}]}}`},
		{"POST", "/points/payload", `{"payload":{"tenant":{"id":"c"}},"points":[1]}`, filters, "cannot-be-obliged"},
		{"POST", "/points/payload", `{"payload":{"tenant":{"id":"b"}},"filter":{}}`, filters, `{"payload":{"tenant":{"id":"b"}},"filter":{"must":[` + tenant + `]}}`},
		{"POST", "/points/payload", `{"payload":{"id":"c"},"key":"tenant","points":[1]}`, filters, "cannot-be-obliged"},
		{"POST", "/points/payload", `{"payload":{"x":"c"},"key":"\"tenant\".id","points":[1]}`, filters, "cannot-be-obliged"},
		{"PUT", "/points/payload", `{"payload":{"n":1},"points":[1]}`, filters, "cannot-be-obliged"},
		{"POST", "/points/payload/delete", `{"keys":["tenant[0]"],"points":[1]}`, filters, "cannot-be-obliged"},
		{"POST", "/points/payload/clear", `{"points":[1]}`, filters, "cannot-be-obliged"},
		{"POST", "/points/vectors/delete", `{"points":[1],"vector":["a"]}`, filters, `{"vector":["a"],"filter":{"must":[` + tenant + `,{"must":[{"has_id":[1]}]}]}}`},
		{"PUT", "/points/vectors", `{"points":[{"id":1,"vector":[1]}]}`, filters, `{"points":[{"id":1,"vector":[1]}],"update_filter":{"must":[` + tenant + `]}}`},
		{"PUT", "/points", `{"points":[{"id":1,"vector":[1],"payload":{"tenant":{"id":"a"}}}]}`, filters, `{"points":[{"id":1,"vector":[1],"payload":{"tenant":{"id":"a"}}}],"update_filter":{"must":[` + tenant + `]}}`},
		{"PUT", "/points", `{"points":[{"id":1,"vector":[1],"payload":{"tenant":{"id":"a"}}},{"id":2,"vector":[1]}]}`, filters, "cannot-be-obliged"},
		{"PUT", "/points", `{"points":[{"id":1,"vector":[1],"payload":{"tenant":{"id":["a","c"]}}}]}`, filters, "cannot-be-obliged"},
		{"PUT", "/points", `{"points":[{"id":1,"vector":[1],"payload":{"tenant.id":"a"}}]}`, filters, "cannot-be-obliged"},
		{"PUT", "/points", `{"batch":{"ids":[1,2],"vectors":[[1],[2]],"payloads":[{"tenant":{"id":"a"}},null]}}`, filters, "cannot-be-obliged"},
		{"POST", "/points/batch", `{"operations":[{"delete":{"points":[1]}},{"upsert":{"points":[{"id":1,"vector":[1],"payload":{"tenant":{"id":"c"}}}]}}]}`, filters, "cannot-be-obliged"},
		{"POST", "/points/batch", `{"operations":[{"delete":{"points":[1]}}]}`, filters, `{"operations":[{"delete":{"filter":{"must":[` + tenant + `,{"must":[{"has_id":[1]}]}]}}}]}`},
		{"DELETE", "", ``, filters, "cannot-be-obliged"},
		{"DELETE", "/vectors/a", ``, filters, "cannot-be-obliged"},
		{"PUT", "/snapshots/recover", `{"location":"x"}`, filters, "cannot-be-obliged"},
		{"POST", "/shards/0/points/count", `{}`, filters, "cannot-be-obliged"},
	} {
		w := protocoltest.Start(t, suite())
		w.Oblige(x.o)
		r := protocoltest.Request{Method: x.method, Path: at + x.path, Body: x.body}
		a := w.Do(t.Context(), r)
		got := a.Header.Get("X-Vecgate-Code")
		for _, sent := range w.All() {
			if sent.URI == r.Path && got == "" {
				got = sent.Body
			}
		}
		if got != x.want {
			t.Errorf("%s %s %s:\n got %q\nwant %q; %v", x.method, x.path, x.body, got, x.want, a)
		}
	}
}

func TestEveryPartOfAnAnswerIsMasked(t *testing.T) {
	const point = `{"id":1,"version":3,"score":0.99,"payload":{"email":"[redacted]","n":1,"meta":{"x":[{"phone":"y"}]},"city":"HASH"},"vector":null,"order_value":12.5}`
	const unscored = `{"id":1,"version":3,"score":0.98765,"payload":{"email":"[redacted]","n":1,"meta":{"x":[{"phone":"y"}]},"city":"HASH"},"vector":null,"order_value":12.5}`
	hash := ""
	for _, x := range []struct{ method, path, body, want string }{
		{"POST", "/points/query", `{"query":[1]}`, `{"result":{"points":[` + point + `],"next_page_offset":null},"status":"ok","time":0.1}`},
		{"POST", "/points/search", `{"vector":[1],"limit":1}`, `{"result":[` + point + `],"status":"ok","time":0.1}`},
		{"POST", "/points/query/batch", `{"searches":[{"query":[1]},{"query":{"order_by":"age"}}]}`, `{"result":[{"points":[` + ordered(point) + `]},{"points":[` + ordered(point) + `]}],"status":"ok","time":0.1}`},
		{"POST", "/points/scroll", `{"order_by":"age"}`, `{"result":{"points":[` + ordered(unscored) + `],"next_page_offset":null},"status":"ok","time":0.1}`},
		{"POST", "/points", `{"ids":[1]}`, `{"result":[` + unscored + `],"status":"ok","time":0.1}`},
		{
			"POST", "/points/query/groups", `{"query":[1],"group_by":"team","with_lookup":"customers"}`,
			`{"result":{"groups":[{"id":"[redacted]","hits":[` + point + `],"lookup":` + ordered(unscored) + `}]},"status":"ok","time":0.1}`,
		},
		{"POST", "/facet", `{"key":"team"}`, `{"result":{"hits":[{"value":"[redacted]","count":3}]},"status":"ok","time":0.1}`},
		{"POST", "/points/search/matrix/pairs", `{}`, `{"result":{"pairs":[{"a":1,"b":2,"score":0.99}]},"status":"ok","time":0.1}`},
		{"POST", "/points/search/matrix/offsets", `{}`, `{"result":{"offsets_row":[0],"offsets_col":[1],"scores":[0.99],"ids":[1,2]},"status":"ok","time":0.1}`},
	} {
		w := protocoltest.Start(t, suite())
		w.Oblige(access.Obligations{Protection: protection})
		a := w.Do(t.Context(), protocoltest.Request{Method: x.method, Path: at + x.path, Body: x.body})
		if got := unhashed(a.Body, &hash); a.Status != http.StatusOK || got != x.want {
			t.Errorf("%s:\n got %s\nwant %s", x.path, got, x.want)
		}
	}
}

func ordered(point string) string {
	return strings.Replace(point, `"order_value":12.5`, `"order_value":null`, 1)
}

var hashed = regexp.MustCompile(`"city":"([0-9a-f]{20})"`)

// unhashed puts HASH where a digest stands, which must be the same everywhere.
func unhashed(body string, hash *string) string {
	for _, m := range hashed.FindAllStringSubmatch(body, -1) {
		if *hash == "" {
			*hash = m[1]
		}
		if m[1] != *hash {
			return "two digests of one value: " + body
		}
	}
	return hashed.ReplaceAllString(body, `"city":"HASH"`)
}

// TestPointsAreNotReachedByTheirIdsAlone: where only some points may be reached, a fetch is narrowed to those of its ids
// that may be, and nothing is written over others'.
func TestPointsAreNotReachedByTheirIdsAlone(t *testing.T) {
	const passing, foreign = `{"result":{"points":[{"id":2}]},"status":"ok","time":0}`, `{"result":{"count":1},"status":"ok","time":0}`
	for _, x := range []struct {
		method, path, body string
		count              string // what the target counts
		want               string // what is sent on, or the code of the refusal
	}{
		{"POST", "/points", `{"ids":[1,2,3]}`, foreign, `{"ids":[2]}`},
		{"POST", "/points", `{"ids":[7]}`, foreign, `{"ids":[]}`},
		{"GET", "/points/2", ``, foreign, ``},
		{"GET", "/points/1", ``, foreign, "cannot-be-obliged"},
		{"PUT", "/points/vectors", `{"points":[{"id":1,"vector":[1]}]}`, foreign, "cannot-be-obliged"},
		{"PUT", "/points", `{"points":[{"id":1,"vector":[1],"payload":{"tenant":{"id":"a"}}}]}`, foreign, "cannot-be-obliged"},
		{"PUT", "/points", `{"points":[{"id":1,"vector":[1],"payload":{"tenant":{"id":"a"}}}]}`, `{"result":null}`, "unavailable"},
		{"PUT", "/points", `{"points":[]}`, foreign, `{"points":[],"update_filter":{"must":[` + tenant + `]}}`},
	} {
		w := protocoltest.Start(t, suite())
		asked := ""
		w.Upstream(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			rw.Header().Set("Content-Type", "application/json")
			switch {
			case strings.HasSuffix(r.URL.Path, "/points/scroll"):
				asked = string(body)
				_, _ = io.WriteString(rw, passing)
			case strings.HasSuffix(r.URL.Path, "/points/count"):
				asked = string(body)
				_, _ = io.WriteString(rw, x.count)
			default:
				engine(rw, r)
			}
		}))
		w.Oblige(access.Obligations{Filters: tenancy})
		a := w.Do(t.Context(), protocoltest.Request{Method: x.method, Path: at + x.path, Body: x.body})
		got := a.Header.Get("X-Vecgate-Code")
		for _, sent := range w.All() {
			if sent.URI == at+x.path && got == "" {
				got = sent.Body
			}
		}
		if got != x.want {
			t.Errorf("%s %s %s: got %q, want %q; %v", x.method, x.path, x.body, got, x.want, a)
		}
		if x.body != `{"points":[]}` && (!strings.Contains(asked, tenant) || !strings.Contains(asked, "has_id")) {
			t.Errorf("%s %s: asks %s", x.method, x.path, asked)
		}
	}
}

// TestAListShowsWhatTheCallerMayDescribe asks for collections and aliases at both doors.
func TestAListShowsWhatTheCallerMayDescribe(t *testing.T) {
	only := func(op *access.Operation, _ access.Context) access.Decision {
		if a := op.First(); (a.Action == access.SchemaRead || a.Action == access.SchemaList) && strings.Contains(a.Resource.Collection, "secret") {
			return access.Decision{Effect: access.Deny, Reason: access.Reason{Code: access.CodeDenied}}
		}
		return access.Decision{Effect: access.Allow}
	}
	w := protocoltest.Start(t, suite())
	w.Upstream(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/aliases" {
			_, _ = io.WriteString(rw, `{"result":{"aliases":[{"alias_name":"a","collection_name":"public"},{"alias_name":"b","collection_name":"secret"}]},"status":"ok","time":0}`)
			return
		}
		_, _ = io.WriteString(rw, `{"result":{"collections":[{"name":"public"},{"name":"secret"},{"name":"odd name"}]},"status":"ok","time":0}`)
	}))
	w.Rule(only)
	for path, want := range map[string]string{
		"/collections": `{"result":{"collections":[{"name":"public"}]},"status":"ok","time":0}`,
		"/aliases":     `{"result":{"aliases":[{"alias_name":"a","collection_name":"public"}]},"status":"ok","time":0}`,
	} {
		if a := w.Do(t.Context(), protocoltest.Request{Method: "GET", Path: path}); a.Body != want {
			t.Errorf("%s: %v", path, a)
		}
	}

	s := rpcSuite()
	s.Upstream = func(_ context.Context, method string, _ proto.Message) (proto.Message, error) {
		if method == pb.Collections_ListAliases_FullMethodName {
			return &pb.ListAliasesResponse{Aliases: []*pb.AliasDescription{{AliasName: "a", CollectionName: "public"}, {AliasName: "b", CollectionName: "secret"}}}, nil
		}
		return &pb.ListCollectionsResponse{Collections: []*pb.CollectionDescription{{Name: "public"}, {Name: "secret"}, {Name: "odd name"}}}, nil
	}
	g := protocoltest.StartGRPC(t, s)
	g.Rule(only)
	for _, x := range []struct {
		method       string
		ask, answers proto.Message
	}{
		{pb.Collections_List_FullMethodName, &pb.ListCollectionsRequest{}, &pb.ListCollectionsResponse{Collections: []*pb.CollectionDescription{{Name: "public"}}}},
		{pb.Collections_ListAliases_FullMethodName, &pb.ListAliasesRequest{}, &pb.ListAliasesResponse{Aliases: []*pb.AliasDescription{{AliasName: "a", CollectionName: "public"}}}},
	} {
		if a := g.Do(t.Context(), protocoltest.GRPCRequest{Method: x.method, Message: x.ask}); !proto.Equal(a.Message, x.answers) {
			t.Errorf("%s: %v, %v", x.method, a.Message, a.Status)
		}
	}
}

// TestWhatIsNotObligedIsNotMadeAnew: an upsert of many vectors is not copied where nothing in it could be changed.
func TestWhatIsNotObligedIsNotMadeAnew(t *testing.T) {
	upsert := &pb.UpsertPoints{CollectionName: "customers", Points: []*pb.PointStruct{{Id: num(1), Vectors: pb.NewVectors(1, 2)}}}
	for _, x := range []struct {
		o    access.Obligations
		anew bool
	}{{access.Obligations{Protection: protection, Rows: 5, TopK: 5}, false}, {access.Obligations{Filters: []access.FilterRule{{Pattern: "docs/*/customers", Field: "n", Values: []string{"a"}}}}, true}} {
		c, err := readRPC(t, pb.Points_Upsert_FullMethodName, upsert)
		if err != nil {
			t.Fatal(err)
		}
		made, err := c.Oblige(&x.o)
		if x.anew { // it lacks the field, and is refused
			if err == nil {
				t.Error("what must carry a value is sent without one")
			}
			continue
		}
		if err != nil || made.Message != nil || !made.Mute || made.Mask == nil {
			t.Errorf("an upsert is made anew: %v, %v", made, err)
		}
		rest, err := readREST(t, "PUT", at+"/points", `{"points":[{"id":1,"vector":[1,2]}]}`)
		if err != nil {
			t.Fatal(err)
		}
		if made, err := rest.Oblige(&x.o); err != nil || made.Body.Raw() != nil || !made.Mute {
			t.Errorf("an upsert is made anew: %v, %v", made, err)
		}
	}
}

// TestScoresOfLongQueriesTellNoMore: the inner product with a very long query would show all digits of a hidden number, if
// only its decimals were left out.
func TestScoresOfLongQueriesTellNoMore(t *testing.T) {
	const long = 12345678.9
	w := protocoltest.Start(t, suite())
	w.Upstream(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/points/query") {
			engine(rw, r)
			return
		}
		rw.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(rw, `{"result":{"points":[{"id":1,"score":12345678.9}]},"status":"ok","time":0}`)
	}))
	w.Oblige(access.Obligations{Protection: protection})
	a := w.Do(t.Context(), protocoltest.Request{Method: "POST", Path: at + "/points/query", Body: `{"query":[1000000000,0]}`})
	if !strings.Contains(a.Body, `"score":1.23e+07`) {
		t.Errorf("REST: %v", a)
	}
	s := rpcSuite()
	known := s.Upstream
	s.Upstream = func(ctx context.Context, method string, m proto.Message) (proto.Message, error) {
		if method == pb.Points_Query_FullMethodName {
			return &pb.QueryResponse{Result: []*pb.ScoredPoint{{Id: num(1), Score: long}}}, nil
		}
		return known(ctx, method, m)
	}
	g := protocoltest.StartGRPC(t, s)
	g.Oblige(access.Obligations{Protection: protection})
	b := g.Do(t.Context(), protocoltest.GRPCRequest{Method: pb.Points_Query_FullMethodName, Message: &pb.QueryPoints{CollectionName: "customers", Query: pb.NewQuery(1e9, 0)}})
	if got := b.Message.(*pb.QueryResponse).GetResult(); len(got) != 1 || got[0].GetScore() != 12300000 {
		t.Errorf("gRPC: %v, %v", got, b.Status)
	}
}
