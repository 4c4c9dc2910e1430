package weaviate

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

const (
	first  = "00000000-0000-0000-0000-000000000001"
	second = "00000000-0000-0000-0000-000000000002"
	at     = "/v1/objects/Article/" + first
)

var protection = &access.Protection{
	ID: 1,
	Fields: []access.FieldRule{
		{Pattern: "**.email", Treatment: access.Treatment{Mask: access.MaskRedact, Rule: "personal-data"}},
		{Pattern: "**.city", Treatment: access.Treatment{Mask: access.MaskRedact, Rule: "personal-data", Predicates: "equality", Derived: "null"}},
		{Pattern: "docs/default/Secret.*", Treatment: access.Treatment{Mask: access.MaskNull, Rule: "secrets"}},
	},
	Vectors: []access.VectorRule{{Pattern: "**", Treatment: access.Treatment{Mask: access.MaskNull, Rule: "embeddings-stay-inside"}}},
}

// definitions are the collections of the stand-in. Published is an alias of Secret.
var definitions = map[string]string{
	"Article": `{"class":"Article","vectorizer":"none","properties":[
		{"name":"title","dataType":["text"],"tokenization":"word"},{"name":"email","dataType":["text"],"tokenization":"word"},
		{"name":"city","dataType":["text"],"tokenization":"field"},{"name":"owner","dataType":["text"],"tokenization":"field"},
		{"name":"n","dataType":["int"]},{"name":"meta","dataType":["object"],"nestedProperties":[{"name":"email","dataType":["text"]}]},
		{"name":"author","dataType":["Author"]},{"name":"about","dataType":["Author","Secret"]}]}`,
	"Author": `{"class":"Author","vectorConfig":{"face":{"vectorizer":{"none":{}}}},"properties":[{"name":"name","dataType":["text"]},{"name":"email","dataType":["text"]}]}`,
	"Secret": `{"class":"Secret","vectorizer":"none","properties":[{"name":"plan","dataType":["text"]}]}`,
	"Notes":  `{"class":"Notes","vectorizer":"none","multiTenancyConfig":{"enabled":true},"properties":[{"name":"text","dataType":["text"]},{"name":"owner","dataType":["text"],"tokenization":"field"}]}`,
}

// engine is a stand-in for Weaviate: it knows how its collections are defined, and answers every other request alike.
func engine(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	c := protocoltest.Canary
	object := fmt.Sprintf(`{"class":"Article","id":%q,"properties":{"title":"t","email":%q,"meta":{"email":%q,"n":1},"owner":"acme"},"vector":[%q],"vectors":{"face":[%q]},"additional":{"x":%q},"surprise":%q}`, first, c, c, c, c, c, c)
	switch path := r.URL.Path; {
	case strings.HasPrefix(path, "/v1/schema/") && strings.Count(path, "/") == 3 && r.Method == http.MethodGet:
		name := strings.TrimPrefix(path, "/v1/schema/")
		if name == "Published" {
			name = "Secret"
		}
		if text, ok := definitions[name]; ok {
			fmt.Fprint(w, text)
			return
		}
		w.WriteHeader(http.StatusNotFound)
	case path == "/v1/graphql":
		var q struct{ Query string }
		_ = json.NewDecoder(r.Body).Decode(&q)
		switch {
		case strings.HasPrefix(q.Query, `{Get{Article(limit:1,where:{operator:ContainsAny,path:["id"]`):
			fmt.Fprintf(w, `{"data":{"Get":{"Article":[{"owner":"globex","_additional":{"id":%q}}]}}}`, second)
		default:
			fmt.Fprintf(w, `{"data":{"Get":{"Article":[{"title":"t","email":%q}]}}}`, c)
		}
	case path == "/v1/objects" && r.Method == http.MethodGet:
		fmt.Fprintf(w, `{"objects":[%s,%s],"totalResults":2}`, object, object)
	case path == "/v1/batch/objects" && r.Method == http.MethodPost:
		fmt.Fprintf(w, `[%s]`, object)
	case r.Method == http.MethodDelete && path != "/v1/batch/objects", r.Method == http.MethodHead, r.Method == http.MethodPatch:
		w.WriteHeader(http.StatusNoContent)
	case strings.HasPrefix(path, "/v1/objects/"):
		fmt.Fprint(w, object)
	default:
		fmt.Fprint(w, `{}`)
	}
}

func suite() *protocoltest.Suite {
	return &protocoltest.Suite{
		New:           func() httpwire.Dialect { return New(time.Now) },
		Upstream:      http.HandlerFunc(engine),
		Protection:    protection,
		Read:          protocoltest.Request{Method: "POST", Path: "/v1/graphql", Body: `{"query":"{Get{Article(limit:3){title email}}}"}`},
		Write:         protocoltest.Request{Method: "PUT", Path: at, Body: `{"class":"Article","id":"` + first + `","properties":{"title":"t","n":1.50},"vector":[1.50,2]}`},
		Twice:         `{"query":"{Get{Article{title}}}","qu\u0065ry":"{Get{Secret{plan}}}"}`,
		Unfulfillable: protocoltest.Request{Method: "POST", Path: "/v1/graphql", Body: `{"query":"{Get{Article(where:{operator:Equal,path:[\"email\"],valueText:\"a@b\"}){title}}}"}`},
		Large: func(n int) string {
			record := fmt.Sprintf(`{"email":%q,"title":%q}`, protocoltest.Canary, strings.Repeat("v", 80))
			return `{"data":{"Get":{"Article":[` + record + strings.Repeat(","+record, n/len(record)) + `]}}}`
		},
		Nested: &protocoltest.Nested{
			Read:   protocoltest.Request{Method: "POST", Path: "/v1/graphql", Body: `{"query":"{Get{Article(limit:3){city email meta{email list{email}} copy again}}}"}`},
			Answer: func(fields string) string { return `{"data":{"Get":{"Article":[` + fields + `]}}}` },
			Where: func(path string) []protocoltest.Request {
				if strings.Contains(path, ".") {
					return nil // Weaviate has no conditions on parts of objects
				}
				return []protocoltest.Request{
					{Method: "POST", Path: "/v1/graphql", Body: `{"query":"{Get{Article(where:{operator:Equal,path:[\"` + path + `\"],valueText:\"x\"}){title}}}"}`},
					{Method: "POST", Path: "/v1/graphql", Body: `{"query":"{Get{Article(sort:[{path:[\"` + path + `\"]}]){title}}}"}`},
				}
			},
		},
		Usable: func(status int, body string) error {
			var e struct{ Error []struct{ Message string } }
			if err := json.Unmarshal([]byte(body), &e); err != nil || len(e.Error) != 1 || e.Error[0].Message == "" {
				return fmt.Errorf("clients cannot tell a person %d %s: %v", status, body, err)
			}
			return nil
		},
	}
}

func TestWeaviatePassesTheSuite(t *testing.T) { protocoltest.Run(t, suite()) }
