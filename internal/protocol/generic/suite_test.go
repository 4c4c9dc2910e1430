package generic

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

// shelf is the description of a made-up engine.
func shelf() API {
	rows := Answer{
		Rows: "result.hits[]", ID: "id", Fields: "payload", Vectors: []string{"vector", "sparse.values"}, Scores: []string{"score"},
		Plain: []string{"took", "result.total"}, RowPlain: []string{"version"},
	}
	found := rows
	found.Rows = "vectors.*"
	return API{
		Health: "/healthz", Message: "error.message", Code: "error.code",
		Operations: []Operation{
			{
				Name: "search", Method: "POST", Path: "/v1/{ns}/{index}/search", Action: access.Search, Namespace: "path:ns", Collection: "path:index",
				Limit: "body:top_k|10", Offset: "body:page.offset", WithVectors: "body:with.vectors", OrderBy: "body:order_by", Filter: "body:filter", Form: Mongo,
				Members: []string{"vector", "with.scores", "page.size"}, Parameters: []string{"trace"}, Answer: rows,
			},
			{
				Name: "batch", Method: "POST", Path: "/v1/{ns}/{index}/batch", Action: access.Search, Namespace: "path:ns", Collection: "path:index",
				Limit: "body:top_k|10", Queries: "body:vectors", Answer: Answer{Rows: "results[].matches[]", ID: "id", Scores: []string{"score"}},
			},
			{
				Name: "points", Method: "GET", Path: "/v1/{ns}/{index}/points", Action: access.Fetch, Namespace: "path:ns", Collection: "path:index",
				IDs: "query:ids", Limit: "query:limit", WithVectors: "query:vectors", Answer: found,
			},
			{
				Name: "point", Method: "GET", Path: "/v1/{ns}/{index}/points/{id}", Action: access.Fetch, Namespace: "path:ns", Collection: "path:index",
				IDs: "path:id", Answer: Answer{Rows: ".", ID: "_id", Fields: ".", Vectors: []string{"v"}},
			},
			{
				Name: "scan", Method: "POST", Path: "/v1/{ns}/{index}/scan", Action: access.Scroll, Namespace: "path:ns", Collection: "path:index",
				Limit: "body:limit", Filter: "body:where", Form: Equals, Answer: Answer{Rows: "[]", ID: "_id", Fields: "."},
			},
			{
				Name: "ids", Method: "POST", Path: "/v1/{ns}/{index}/ids", Action: access.ListIDs, Namespace: "path:ns", Collection: "path:index",
				Filter: "body:q", Form: Opaque, Answer: Answer{Rows: "ids[]", ID: "."},
			},
			{
				Name: "count", Method: "POST", Path: "/v1/{ns}/{index}/count", Action: access.Count, Namespace: "path:ns", Collection: "path:index",
				Filter: "body:filter", Form: Mongo, Answer: Answer{Plain: []string{"count"}},
			},
			{
				Name: "insert", Method: "POST", Path: "/v1/{ns}/{index}/points", Action: access.Insert, Namespace: "path:ns", Collection: "path:index",
				Records: "body:points", RecordFields: "payload", Answer: Answer{Plain: []string{"written"}},
			},
			{
				Name: "upsert", Method: "PUT", Path: "/v1/{ns}/{index}/points", Action: access.Upsert, Namespace: "path:ns", Collection: "path:index",
				Records: "body:points", RecordFields: "payload", Answer: Answer{Plain: []string{"written"}},
			},
			{
				Name: "delete", Method: "POST", Path: "/v1/{ns}/{index}/delete", Action: access.Delete, Namespace: "path:ns", Collection: "path:index",
				IDs: "body:ids", Filter: "body:filter", Form: Mongo, All: "body:everything", Answer: Answer{Plain: []string{"deleted"}},
			},
			{
				Name: "drop", Method: "DELETE", Path: "/v1/{ns}/{index}", Action: access.SchemaDrop, Namespace: "path:ns", Collection: "path:index",
			},
			{
				Name: "indexes", Method: "GET", Path: "/v1/{ns}", Action: access.SchemaList, Namespace: "path:ns",
				Answer: Answer{Collections: "indexes[]", Name: "name"},
			},
		},
	}
}

func dialect(t testing.TB, api API) *Dialect {
	t.Helper()
	d, err := New(api)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var protection = &access.Protection{
	ID: 1,
	Fields: []access.FieldRule{
		{Pattern: "**.email", Treatment: access.Treatment{Mask: access.MaskRedact, Rule: "personal-data"}},
		{Pattern: "**.city", Treatment: access.Treatment{Mask: access.MaskRedact, Rule: "personal-data", Predicates: "equality"}},
	},
	Vectors: []access.VectorRule{{Pattern: "**", Treatment: access.Treatment{Mask: access.MaskNull, Rule: "embeddings-stay-inside"}}},
}

// engine is a stand-in for what shelf describes.
func engine(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	c := protocoltest.Canary
	row := fmt.Sprintf(`{"id":"1","score":0.12345,"version":3,"vector":[%q],"sparse":{"values":[%q],"more":%q},"secret":%q,"payload":{"email":%q,"n":1,"meta":{"email":%q,"list":[{"email":%q}]},"city":[%q]}}`, c, c, c, c, c, c, c, c)
	switch {
	case strings.HasSuffix(r.URL.Path, "/search"):
		fmt.Fprintf(w, `{"took":3,"echo":%q,"result":{"total":1,"explain":%q,"hits":[%s]}}`, c, c, row)
	case strings.HasSuffix(r.URL.Path, "/batch"):
		fmt.Fprintf(w, `{"results":[{"query":%q,"matches":[%s]}]}`, c, row)
	case strings.HasSuffix(r.URL.Path, "/points") && r.Method == http.MethodGet:
		fmt.Fprintf(w, `{"vectors":{"1":%s},"usage":%q}`, row, c)
	case strings.HasSuffix(r.URL.Path, "/points/1"):
		fmt.Fprintf(w, `{"_id":"1","email":%q,"v":[%q],"n":2}`, c, c)
	case strings.HasSuffix(r.URL.Path, "/scan"):
		fmt.Fprintf(w, `[{"_id":"1","email":%q,"n":2}]`, c)
	case strings.HasSuffix(r.URL.Path, "/ids"):
		fmt.Fprint(w, `{"ids":["1","2"]}`)
	case strings.HasSuffix(r.URL.Path, "/count"):
		fmt.Fprintf(w, `{"count":7,"sample":%q}`, c)
	case r.Method == http.MethodGet:
		fmt.Fprint(w, `{"indexes":[{"name":"customers"},{"name":"secrets"}],"more":false}`)
	default:
		fmt.Fprintf(w, `{"written":1,"deleted":1,"last":%q}`, c)
	}
}

func suite(t *testing.T) *protocoltest.Suite {
	return &protocoltest.Suite{
		New:           func() httpwire.Dialect { return dialect(t, shelf()) },
		Upstream:      http.HandlerFunc(engine),
		Protection:    protection,
		Read:          protocoltest.Request{Method: "POST", Path: "/v1/main/customers/search", Body: `{"vector":[1.50],"top_k":3,"with":{"vectors":true}}`},
		Write:         protocoltest.Request{Method: "PUT", Path: "/v1/main/customers/points", Body: `{"points":[{"id":"1","vector":[1.50,2]}]}`},
		Twice:         `{"vector":[1],"top_k":1,"top\u005fk":1000000}`,
		Unfulfillable: protocoltest.Request{Method: "POST", Path: "/v1/main/customers/search", Body: `{"vector":[1],"filter":{"$or":[{"n":1},{"email":{"$eq":"a@b"}}]}}`},
		Large: func(n int) string {
			row := fmt.Sprintf(`{"id":"1","payload":{"email":%q,"n":%q}}`, protocoltest.Canary, strings.Repeat("v", 80))
			return `{"result":{"hits":[` + row + strings.Repeat(","+row, n/len(row)) + `]},"took":3}`
		},
		Nested: &protocoltest.Nested{
			Answer: func(fields string) string {
				return `{"result":{"hits":[{"id":"1","payload":` + fields + `}]},"took":3}`
			},
			Where: func(path string) []protocoltest.Request {
				return []protocoltest.Request{
					{Method: "POST", Path: "/v1/main/customers/search", Body: `{"vector":[1],"filter":{"$or":[{"n":1},{"` + path + `":{"$eq":"x"}}]}}`},
					{Method: "POST", Path: "/v1/main/customers/search", Body: `{"vector":[1],"order_by":["-` + path + `"]}`},
				}
			},
		},
		Usable: func(status int, body string) error {
			var e struct {
				Error struct{ Message, Code string }
			}
			if err := json.Unmarshal([]byte(body), &e); err != nil || e.Error.Message == "" || e.Error.Code == "" {
				return fmt.Errorf("an error of the described form is expected, not %d %s", status, body)
			}
			return nil
		},
	}
}

func TestADescribedInterfacePassesTheSuite(t *testing.T) { protocoltest.Run(t, suite(t)) }
