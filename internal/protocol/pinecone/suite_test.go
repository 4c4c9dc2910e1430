package pinecone

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

var protection = &access.Protection{
	ID: 1,
	Fields: []access.FieldRule{
		{Pattern: "**.email", Treatment: access.Treatment{Mask: access.MaskRedact, Rule: "personal-data"}},
		{Pattern: "**.city", Treatment: access.Treatment{Mask: access.MaskRedact, Rule: "personal-data", Predicates: "equality"}},
	},
	Vectors: []access.VectorRule{{Pattern: "**", Treatment: access.Treatment{Mask: access.MaskNull, Rule: "embeddings-stay-inside"}}},
}

const canary = protocoltest.Canary

// engine answers every read alike.
func engine(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	rec := fmt.Sprintf(`{"id":"1","score":0.98765,"values":[%q],"sparseValues":{"indices":[1],"values":[%q]},"metadata":{"email":%q,"n":1},"email":%q}`, canary, canary, canary, canary)
	switch path := r.URL.Path; {
	case path == "/query":
		fmt.Fprintf(w, `{"matches":[%s],"results":[{"matches":[%s]}],"namespace":"people"}`, rec, rec)
	case path == "/vectors/fetch", path == "/vectors/fetch_by_metadata":
		fmt.Fprintf(w, `{"vectors":{"1":%s},"namespace":"people"}`, rec)
	case strings.HasSuffix(path, "/search"):
		fmt.Fprintf(w, `{"result":{"hits":[{"_id":"1","_score":0.98765,"fields":{"email":%q,"n":1}}]}}`, canary)
	case strings.HasPrefix(path, "/backups/"):
		fmt.Fprint(w, `{"backup_id":"b1","source_index_name":"docs"}`)
	default:
		fmt.Fprint(w, `{}`)
	}
}

func suite() *protocoltest.Suite {
	return &protocoltest.Suite{
		New:           func() httpwire.Dialect { return &Dialect{Index: "docs"} },
		Upstream:      http.HandlerFunc(engine),
		Protection:    protection,
		Read:          protocoltest.Request{Method: "POST", Path: "/query", Body: `{"vector":[1.50,2],"topK":3,"namespace":"people","includeValues":true,"includeMetadata":true}`},
		Write:         protocoltest.Request{Method: "POST", Path: "/vectors/upsert", Body: `{"vectors":[{"id":"1","values":[1.50,2]}],"namespace":"people"}`},
		Twice:         `{"vector":[1],"topK":1,"top\u004b":10000}`,
		Lines:         protocoltest.Request{Method: "POST", Path: "/records/namespaces/people/upsert", Body: `{"_id":"1","chunk_text":"a"}` + "\n"},
		Unfulfillable: protocoltest.Request{Method: "POST", Path: "/query", Body: `{"vector":[1],"topK":1,"filter":{"$or":[{"n":1},{"email":{"$eq":"a@b"}}]}}`},
		Large: func(n int) string {
			rec := fmt.Sprintf(`{"id":"1","values":[%q],"metadata":{"email":%q,"n":%q}}`, canary, canary, strings.Repeat("v", 120))
			return `{"matches":[` + rec + strings.Repeat(","+rec, n/len(rec)) + `]}`
		},
		Nested: &protocoltest.Nested{
			Flat: true,
			Answer: func(fields string) string {
				return `{"matches":[{"id":"1","metadata":` + fields + `}],"namespace":"people"}`
			},
			Where: func(path string) (all []protocoltest.Request) {
				for _, filter := range []string{`{"` + path + `":"x"}`, `{"` + path + `":{"$exists":true}}`, `{"$or":[{"n":1},{"` + path + `":{"$in":["x"]}}]}`} {
					all = append(all, protocoltest.Request{Method: "POST", Path: "/query", Body: `{"vector":[1],"topK":1,"filter":` + filter + `}`})
				}
				return all
			},
		},
		Usable: func(status int, body string) error {
			var e struct {
				Message string
				Error   struct{ Code, Message string }
			}
			if err := json.Unmarshal([]byte(body), &e); err != nil || status != http.StatusForbidden || e.Message == "" || e.Error.Message != e.Message || e.Error.Code != "FORBIDDEN" {
				return fmt.Errorf("the clients make nothing of %d %s", status, body)
			}
			return nil
		},
	}
}

func TestAnIndexPassesTheSuite(t *testing.T) { protocoltest.Run(t, suite()) }
