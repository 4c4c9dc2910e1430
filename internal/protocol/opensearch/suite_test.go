package opensearch

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

var protection = &access.Protection{
	ID: 1,
	Fields: []access.FieldRule{
		{Pattern: "**.email", Treatment: access.Treatment{Mask: access.MaskRedact, Rule: "personal-data"}},
		{Pattern: "**.city", Treatment: access.Treatment{Mask: access.MaskRedact, Rule: "personal-data", Predicates: "equality"}},
		{Pattern: "**.owner.phone", Treatment: access.Treatment{Mask: access.MaskDrop, Rule: "personal-data"}},
	},
	Vectors: []access.VectorRule{{Pattern: "**", Treatment: access.Treatment{Mask: access.MaskNull, Rule: "embeddings-stay-inside"}}},
}

// mapping is of the index "customers" of the stand-in.
const mapping = `{"properties":{
	"v":{"type":"knn_vector","dimension":3},"email":{"type":"keyword","copy_to":"everything"},"mail":{"type":"alias","path":"email"},"everything":{"type":"text"},
	"city":{"type":"keyword","fields":{"raw":{"type":"keyword"}}},"n":{"type":"integer"},"tenant":{"type":"keyword"},"text":{"type":"text","fields":{"keyword":{"type":"keyword"}}},
	"loose":{"type":"text"},"folded":{"type":"keyword","normalizer":"lowercase"},"labels":{"type":"flat_object"},
	"owner":{"properties":{"phone":{"type":"keyword"},"name":{"type":"text"}}},
	"notes":{"type":"nested","properties":{"email":{"type":"keyword"},"author":{"type":"keyword"}}}},
	"runtime":{"made":{"type":"keyword"}}}`

// answers is what the stand-in says to look-ups.
var answers = map[string]string{
	"/customers/_mapping": `{"customers":{"mappings":` + mapping + `}}`,
	"/posts/_mapping":     `{"posts":{"mappings":{"properties":{"city":{"type":"keyword"},"email":{"type":"keyword"},"copy":{"type":"text"},"meta":{"properties":{"email":{"type":"keyword"},"city":{"type":"keyword"},"list":{"properties":{"email":{"type":"keyword"}}}}}}}}}`,
	"/people/_mapping":    `{"customers":{"mappings":` + mapping + `}}`,
	"/both/_mapping":      `{"customers":{"mappings":` + mapping + `},"secrets":{"mappings":{}}}`,
	"/_alias/people":      `{"customers":{"aliases":{"people":{}}}}`,
	"/_alias/both":        `{"secrets":{"aliases":{"both":{}}},"customers":{"aliases":{"both":{}}}}`,
	"/secrets/_mapping":   `{"secrets":{"mappings":{}}}`,
	"/logs/_mapping":      `{".ds-logs-2026.11.21-000001":{"mappings":{}},".ds-logs-2026.11.21-000002":{"mappings":{}}}`,
}

func hit() string {
	c := protocoltest.Canary
	return fmt.Sprintf(`{"_index":"customers","_id":"1","_score":0.12345,"_source":{"email":%q,"v":[%q],"city":[%q],"owner":{"phone":%q,"name":"n"},"owner.phone":%q,"notes":[{"notes.email":1}],"n":1},`+
		`"fields":{"email":[%q],"mail":[%q],"everything":[%q],"made":[%q],"city.raw":[%q]},"highlight":{"email":["<em>%s</em>"],"text":["x"]},"_explanation":{"value":%q},"something_new":%q}`,
		c, c, c, c, c, c, c, c, c, c, c, c, c)
}

func engine(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	_, _ = io.Copy(io.Discard, r.Body)
	switch path := r.URL.Path; {
	case answers[path] != "" && r.Method == http.MethodGet:
		fmt.Fprint(w, answers[path])
	case strings.HasSuffix(path, "/_mapping"):
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":{"type":"index_not_found_exception"},"status":404}`)
	case strings.HasSuffix(path, "/_search"):
		fmt.Fprintf(w, `{"took":1,"hits":{"total":{"value":1},"max_score":1.23456,"hits":[%s]},"profile":{"x":%q}}`, hit(), protocoltest.Canary)
	case strings.HasSuffix(path, "/_bulk"):
		fmt.Fprint(w, `{"took":1,"errors":false,"items":[{"index":{"_id":"1","status":200}}]}`)
	default:
		fmt.Fprint(w, `{}`)
	}
}

func suite() *protocoltest.Suite {
	return &protocoltest.Suite{
		New:        func() httpwire.Dialect { return New(time.Now) },
		Upstream:   http.HandlerFunc(engine),
		Protection: protection,
		Read:       protocoltest.Request{Method: "POST", Path: "/customers/_search", Body: `{"query":{"term":{"n":1}},"fields":["*"],"highlight":{"fields":{"*":{}}}}`},
		Write:      protocoltest.Request{Method: "PUT", Path: "/customers/_doc/1", Body: `{"v":[1.50,2],"n":1}`},
		Lines:      protocoltest.Request{Method: "POST", Path: "/customers/_bulk", Body: "{\"delete\":{\"_id\":\"1\"}}\n"},
		Twice:      `{"size":1,"s\u0069ze":1000000}`,
		Unfulfillable: protocoltest.Request{
			Method: "POST", Path: "/customers/_search", Body: `{"query":{"bool":{"should":[{"term":{"n":1}},{"term":{"email":"a@b"}}]}}}`,
		},
		Large: func(n int) string {
			record := fmt.Sprintf(`{"_id":"1","_source":{"email":%q,"n":%q}}`, protocoltest.Canary, strings.Repeat("v", 80))
			return `{"hits":{"hits":[` + record + strings.Repeat(","+record, n/len(record)) + `]},"took":1}`
		},
		Nested: &protocoltest.Nested{
			Read: protocoltest.Request{Method: "POST", Path: "/posts/_search", Body: `{"query":{"match_all":{}}}`},
			Answer: func(fields string) string {
				return `{"took":1,"hits":{"total":{"value":1},"max_score":1,"hits":[{"_index":"posts","_id":"1","_score":1,"_source":` + fields + `}]}}`
			},
			Where: func(path string) (all []protocoltest.Request) {
				for _, body := range []string{
					`{"query":{"term":{"` + path + `":"x"}}}`, `{"query":{"exists":{"field":"` + path + `"}}}`, `{"query":{"bool":{"must_not":[{"prefix":{"` + path + `":"x"}}]}}}`,
					`{"query":{"match_all":{}},"sort":["` + path + `"]}`, `{"query":{"match_all":{}},"aggs":{"a":{"terms":{"field":"` + path + `"}}}}`, `{"query":{"multi_match":{"query":"x","fields":["` + path + `"]}}}`,
				} {
					all = append(all, protocoltest.Request{Method: "POST", Path: "/posts/_search", Body: body})
				}
				return all
			},
			Whole: []protocoltest.Request{
				{Method: "POST", Path: "/posts/_search", Body: `{"query":{"exists":{"field":"meta"}}}`},
				{Method: "POST", Path: "/posts/_search", Body: `{"query":{"multi_match":{"query":"x","fields":["meta.*"]}}}`},
			},
		},
		Usable: func(status int, body string) error {
			var e struct {
				Error struct {
					Type, Reason string
					RootCause    []struct{ Type, Reason string } `json:"root_cause"`
				}
				Status int
			}
			if err := json.Unmarshal([]byte(body), &e); err != nil || e.Error.Type != "security_exception" || e.Error.Reason == "" || len(e.Error.RootCause) != 1 || e.Status != status {
				return fmt.Errorf("the clients show nothing of %d %s", status, body)
			}
			return nil
		},
	}
}

func TestOpenSearchPassesTheSuite(t *testing.T) { protocoltest.Run(t, suite()) }
