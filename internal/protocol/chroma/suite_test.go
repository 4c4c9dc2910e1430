package chroma

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
	customers = "a3ef8743-8229-4dca-aae9-6c603523012b" // collection "customers" of default_tenant:default_database
	foreign   = "b3ef8743-8229-4dca-aae9-6c603523012b" // collection "secrets" of other:vault
	base      = "/api/v2/tenants/default_tenant/databases/default_database/collections/"
	at        = base + customers
)

var protection = &access.Protection{
	ID: 1,
	Fields: []access.FieldRule{
		{Pattern: "**.email", Treatment: access.Treatment{Mask: access.MaskRedact, Rule: "personal-data"}},
		{Pattern: "**.city", Treatment: access.Treatment{Mask: access.MaskRedact, Rule: "personal-data", Predicates: "equality"}},
		{Pattern: "**.document", Treatment: access.Treatment{Mask: access.MaskNull, Rule: "texts"}},
	},
	Vectors: []access.VectorRule{{Pattern: "**", Treatment: access.Treatment{Mask: access.MaskNull, Rule: "embeddings-stay-inside"}}},
}

// engine is a stand-in: it knows two collections by their UUIDs and answers every get alike.
func engine(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	c := protocoltest.Canary
	switch path := r.URL.Path; {
	case strings.HasSuffix(path, "/by-id/"+customers), strings.HasSuffix(path, "/collections/customers"):
		fmt.Fprintf(w, `{"id":%q,"name":"customers","tenant":"default_tenant","database":"default_database"}`, customers)
	case strings.HasSuffix(path, "/by-id/"+foreign):
		fmt.Fprintf(w, `{"id":%q,"name":"secrets","tenant":"other","database":"vault"}`, foreign)
	case strings.Contains(path, nobody):
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":"NotFoundError","message":"there is none"}`)
	case strings.HasSuffix(path, "/get"):
		fmt.Fprintf(w, `{"ids":["1"],"embeddings":[[%q]],"documents":[%q],"uris":null,"metadatas":[{"email":%q,"n":1,"sparse":{"indices":[1],"tokens":[%q]}}],"include":["documents"]}`, c, c, c, c)
	case strings.HasSuffix(path, "/query"):
		fmt.Fprintf(w, `{"ids":[["1"]],"embeddings":[[[%q]]],"documents":[[%q]],"metadatas":[[{"email":%q}]],"distances":[[0.12345]]}`, c, c, c)
	case strings.HasSuffix(path, "/collections"):
		fmt.Fprintf(w, `[{"id":%q,"name":"customers"},{"id":%q,"name":"secrets"}]`, customers, foreign)
	case strings.HasSuffix(path, "/databases"):
		fmt.Fprint(w, `[{"name":"default_database"},{"name":"vault"}]`)
	case strings.Contains(path, "/collections/"):
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":"NotFoundError","message":"there is none"}`)
	default:
		fmt.Fprint(w, `{}`)
	}
}

func suite() *protocoltest.Suite {
	return &protocoltest.Suite{
		New: func() httpwire.Dialect { return New(time.Now) },
		Upstream: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost && !strings.HasSuffix(r.URL.Path, "/get") && !strings.HasSuffix(r.URL.Path, "/query") {
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprint(w, `{}`)
				return
			}
			engine(w, r)
		}),
		Protection:    protection,
		Read:          protocoltest.Request{Method: "POST", Path: at + "/get", Body: `{"ids":["1"],"include":["documents","metadatas","embeddings"]}`},
		Write:         protocoltest.Request{Method: "POST", Path: at + "/upsert", Body: `{"ids":["1"],"embeddings":[[1.50,2]],"documents":["d"]}`},
		Twice:         `{"limit":1,"lim\u0069t":1000000}`,
		Unfulfillable: protocoltest.Request{Method: "POST", Path: at + "/get", Body: `{"where":{"$or":[{"n":1},{"email":{"$eq":"a@b"}}]},"limit":1}`},
		Large: func(n int) string {
			record := fmt.Sprintf(`{"email":%q,"n":%q}`, protocoltest.Canary, strings.Repeat("v", 80))
			return `{"metadatas":[` + record + strings.Repeat(","+record, n/len(record)) + `],"ids":[]}`
		},
		Nested: &protocoltest.Nested{
			Flat: true,
			Answer: func(fields string) string {
				return `{"ids":["1"],"metadatas":[` + fields + `],"include":["metadatas"]}`
			},
			Where: func(path string) (all []protocoltest.Request) {
				spelled := fmt.Sprintf(`\u%04x`, path[0]) + path[1:]
				for _, where := range []string{`{"` + path + `":"x"}`, `{"` + path + `":{"$ne":"x"}}`, `{"$or":[{"n":1},{"` + path + `":{"$in":["x"]}}]}`, `{"` + spelled + `":"x"}`} {
					all = append(all, protocoltest.Request{Method: "POST", Path: at + "/get", Body: `{"limit":1,"where":` + where + `}`})
				}
				return all
			},
		},
		Usable: func(status int, body string) error {
			var e struct{ Error, Message string }
			if err := json.Unmarshal([]byte(body), &e); err != nil || e.Error != "AuthorizationError" || e.Message == "" {
				return fmt.Errorf("the Python client makes no AuthorizationError of %d %s", status, body)
			}
			return nil
		},
	}
}

func TestChromaPassesTheSuite(t *testing.T) { protocoltest.Run(t, suite()) }
