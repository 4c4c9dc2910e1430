package weaviate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

// said is what a request would do, in one line: action resource rows, for every access.
func said(op []access.Access) string {
	var b strings.Builder
	for i, a := range op {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s %s", a.Action, strings.TrimPrefix(strings.TrimPrefix(a.Resource.String(), protocoltest.Target+"/"), "default/"))
		at := a.Attributes
		if at.Rows != 0 {
			fmt.Fprintf(&b, " rows=%d", at.Rows)
		}
		if at.Points != 0 {
			fmt.Fprintf(&b, " points=%d", at.Points)
		}
		for name, set := range map[string]bool{" vectors": at.Vectors, " egress": at.Egress} {
			if set {
				b.WriteString(name)
			}
		}
		if at.Role != "" {
			b.WriteString(" as " + at.Role)
		}
		if at.Alias != "" {
			b.WriteString(" alias " + at.Alias)
		}
	}
	return b.String()
}

// graphql is the document of a query.
func graphql(query string) string {
	text, _ := json.Marshal(map[string]string{"query": query})
	return string(text)
}

func TestRequestsAreReadAsWhatTheyDo(t *testing.T) {
	w := protocoltest.Start(t, suite())
	for _, x := range []struct{ method, path, body, want string }{
		{"GET", "/v1/objects?class=Article", ``, "scroll Article rows=10"},
		{"GET", "/v1/objects?class=article&limit=5&include=vector&tenant=acme", ``, "scroll Article rows=5 vectors"}, // which has no tenants
		{"GET", "/v1/objects?class=notes&limit=5&tenant=acme", ``, "scroll tenant:acme/Notes rows=5"},
		{"GET", "/v1/objects?class=Published&limit=5", ``, "scroll Secret rows=5 alias Published"},
		{"GET", at, ``, "fetch Article rows=1"},
		{"GET", at + "?include=vector", ``, "fetch Article rows=1 vectors"},
		{"GET", "/v1/objects/secret/" + first, ``, "fetch Secret rows=1"},
		{"GET", "/v1/objects/Published/" + first, ``, "fetch Secret rows=1 alias Published"},
		{"HEAD", at, ``, "fetch Article rows=1"},
		{"DELETE", "/v1/objects/Notes/" + first + "?tenant=acme", ``, "delete tenant:acme/Notes points=1"},
		{"POST", "/v1/objects", `{"class":"Article","properties":{"title":"t"},"vector":[1]}`, "insert Article points=1 vectors"},
		{"POST", "/v1/objects", `{"class":"Article","properties":{"unheard":1}}`, "schema.alter Article; insert Article points=1"},
		{"POST", "/v1/objects", `{"class":"NewOne","properties":{"a":1}}`, "schema.create NewOne; insert NewOne points=1"},
		{"POST", "/v1/objects", `{"class":"Notes","tenant":"acme","properties":{"text":"t"}}`, "insert tenant:acme/Notes points=1"},
		{"PUT", at, `{"class":"Article","properties":{"title":"t"}}`, "upsert Article points=1"},
		{"PATCH", at, `{"properties":{"title":"t"}}`, "update Article points=1"},
		{"PATCH", at, `{"class":"Article","vector":[1]}`, "update_vectors Article points=1 vectors; update Article points=1 vectors"},
		{"POST", at + "/references/author", `{"beacon":"weaviate://localhost/Author/` + second + `"}`, "update Article points=1"},
		{
			"POST", "/v1/batch/objects", `{"objects":[{"class":"Article"},{"class":"Secret"},{"class":"article"},{"class":"Notes","tenant":"a"},{"class":"Notes","tenant":"b"}]}`,
			"upsert Article points=2; upsert Secret points=1; upsert tenant:a/Notes points=1; upsert tenant:b/Notes points=1",
		},
		{"DELETE", "/v1/batch/objects", `{"match":{"class":"Article","where":{"operator":"Equal","path":["n"],"valueInt":1}}}`, "delete_by_filter Article points=-1"},
		{"DELETE", "/v1/batch/objects", `{"match":{"class":"Article","where":{"operator":"And","path":null,"operands":[{"operator":"ContainsAny","operands":null,"path":["id"],"valueTextArray":["` + first + `"]}]}}}`, "delete Article points=1"},
		{"DELETE", "/v1/batch/objects", `{"match":{"class":"Article","where":{"operator":"ContainsAny","path":["id"],"valueTextArray":["` + first + `"]}}}`, "delete Article points=1"},
		{"DELETE", "/v1/batch/objects", `{"match":{"class":"Article"}}`, "delete_all Article points=-1"},
		{"DELETE", "/v1/batch/objects", `{"dryRun":true,"match":{"class":"Article","where":{"operator":"Equal","path":["n"],"valueInt":1}}}`, "list_ids Article rows=-1"},
		{"POST", "/v1/batch/references", `[{"from":"weaviate://localhost/Article/` + first + `/author","to":"weaviate://localhost/Author/` + second + `"}]`, "update Article points=1"},
		{"GET", "/v1/schema", ``, "schema.list default"},
		{"POST", "/v1/schema", `{"class":"products"}`, "schema.create Products"},
		{"POST", "/v1/schema", `{"class":"Products","vectorConfig":{"default":{"vectorizer":{"text2vec-openai":{"baseURL":"http://x"}}}}}`, "schema.create Products egress"},
		{"GET", "/v1/schema/Published", ``, "schema.read Secret alias Published"},
		{"DELETE", "/v1/schema/article", ``, "schema.drop Article"},
		{"PUT", "/v1/schema/Article", `{"class":"Article"}`, "schema.alter Article"},
		{"POST", "/v1/schema/Article/properties", `{"name":"x","dataType":["text"]}`, "schema.alter Article"},
		{"POST", "/v1/schema/Notes/tenants", `[{"name":"a"},{"name":"b"}]`, "tenant.create tenant:a/Notes; tenant.create tenant:b/Notes"},
		{"DELETE", "/v1/schema/Notes/tenants", `["a"]`, "tenant.drop tenant:a/Notes"},
		{"POST", "/v1/aliases", `{"alias":"Harmless","class":"Secret"}`, "alias.write Harmless; alias.write Secret as destination alias Harmless"},
		{"PUT", "/v1/aliases/Published", `{"class":"Article"}`, "alias.write Published; alias.write Secret as destination alias Published; alias.write Article as destination alias Published"},
		{"GET", "/v1/aliases", ``, "alias.read default"},
		{"POST", "/v1/backups/filesystem", `{"id":"b"}`, "snapshot.create docs egress"},
		{"POST", "/v1/authz/roles", `{"name":"x"}`, "iam.write docs"},
		{"GET", "/v1/nodes", ``, "cluster.read docs"},
		{"GET", "/v1/meta", ``, "free"},
		{"GET", "/v1/.well-known/ready", ``, "free"},

		{"POST", "/v1/graphql", graphql(`{Get{Article{title}}}`), "scroll Article rows=100"},
		{"POST", "/v1/graphql", graphql(`query Q {harmless: Get{zz: Published(limit:3){innocuous:plan meta:_additional{v:vector}}}}`), "scroll Secret rows=3 vectors alias Published"},
		{"POST", "/v1/graphql", graphql(`{Get{Article(nearVector:{vector:[1,2]} limit:5){title}}}`), "search Article rows=5"},
		{"POST", "/v1/graphql", graphql(`{Get{Article(nearVector:{vector:[1,2],distance:0.5}){title}}}`), "search Article rows=-1"},
		{"POST", "/v1/graphql", graphql(`{Get{Article(bm25:{query:"x",properties:["title^2"]}){title}}}`), "search Article rows=100"},
		{"POST", "/v1/graphql", graphql(`{Get{Article(limit:1 where:{operator:Equal path:["id"] valueText:"` + first + `"}){title}}}`), "fetch Article rows=1"},
		{"POST", "/v1/graphql", graphql(`{Get{Article(limit:2){title author{... on Author{name _additional{vector}}}}}}`), "scroll Article rows=2 vectors; fetch Author rows=-1 as join"},
		{"POST", "/v1/graphql", graphql(`{Get{Article(limit:2 where:{operator:Equal path:["author","Author","name"] valueText:"x"}){title}}}`), "scroll Article rows=2; fetch Author rows=-1 as join"},
		{"POST", "/v1/graphql", graphql(`{Get{Article(limit:9 groupBy:{path:["n"] groups:2 objectsPerGroup:3} nearObject:{id:"` + first + `"}){_additional{group{hits{title}}}}}}`), "search Article rows=8"},
		{"POST", "/v1/graphql", graphql(`{Get{Article(limit:2){_additional{generate(singleResult:{prompt:"{title}"}){singleResult error}}}}}`), "scroll Article rows=2 egress"},
		{"POST", "/v1/graphql", graphql(`{Get{A:Article(limit:1){title} B:Secret(limit:1){plan}}}`), "scroll Article rows=1; scroll Secret rows=1"},
		{"POST", "/v1/graphql", graphql(`{Aggregate{Article{meta{count}}}}`), "count Article rows=1"},
		{"POST", "/v1/graphql", graphql(`{Aggregate{Article{n{mean}}}}`), "aggregate Article rows=1"},
		{"POST", "/v1/graphql", graphql(`{Aggregate{Article(groupBy:["owner"]){meta{count} groupedBy{value}}}}`), "aggregate Article rows=-1"},
	} {
		got := "free"
		w.Rule(func(op *access.Operation, _ access.Context) access.Decision {
			got = said(op.Accesses)
			return access.Decision{Effect: access.Allow}
		})
		a := w.Do(t.Context(), protocoltest.Request{Method: x.method, Path: x.path, Body: x.body})
		if a.Header.Get("X-Vecgate-Code") != "" || got != x.want {
			t.Errorf("%s %s %s:\n%q, want\n%q; %v", x.method, x.path, x.body, got, x.want, a)
		}
	}
}

func TestWhatIsReadTwoWaysIsUnclear(t *testing.T) {
	w := protocoltest.Start(t, suite())
	for _, x := range []struct{ method, path, body string }{
		{"GET", "/v1/objects", ``}, // of all collections
		{"GET", "/v1/objects?class=Article&class=Secret", ``},
		{"GET", "/v1/objects?class=Article&include=featureProjection", ``},
		{"GET", "/v1/objects?class=Article&limit=-1", ``},
		{"GET", "/v1/objects/" + first, ``},
		{"DELETE", "/v1/objects/" + first, ``},
		{"GET", "/v1/objects/Article/../Secret/" + first, ``},
		{"GET", "/v1//objects/Article/" + first, ``},
		{"GET", at + "/", ``},
		{"GET", "/v1/objects/Article/" + strings.ReplaceAll(first, "-", ""), ``},
		{"GET", "/v1/objects/Art-icle/" + first, ``},
		{"GET", at + "?tenant=a/b", ``},
		{"PATCH", at, `{"class":"Secret","properties":{}}`},
		{"PUT", at, `{"class":"Article","id":"` + second + `"}`},
		{"PUT", at, `{"Class":"Secret"}`},
		{"PUT", at, `{"class":"Article","properties":{"title":"a","Title":"b"}}`},
		{"POST", "/v1/objects", `{"class":"Article","additional":{}}`},
		{"POST", "/v1/batch/objects", `{"objects":[]}`},
		{"POST", "/v1/batch/objects", `{"objects":[{"class":"Article"},{"class":"Art/icle"}]}`},
		{"POST", at + "/references/about", `{"beacon":"weaviate://localhost/` + second + `"}`}, // which may lead to two collections
		{"POST", at + "/references/author", `{"beacon":"weaviate://elsewhere/Author/` + second + `"}`},
		{"POST", "/v1/batch/references", `[{"from":"weaviate://localhost/` + first + `/author","to":"weaviate://localhost/Author/` + second + `"}]`},
		{"DELETE", "/v1/batch/objects", `{"match":{"class":"Published"}}`},
		{"DELETE", "/v1/batch/objects", `{"match":{"class":"Article","Class":"Secret"}}`},
		{"DELETE", "/v1/batch/objects", `{"match":{"class":"Article","where":{"operator":"Equal","path":["n"],"valueInt":1,"operands":[]}}}`},
		{"DELETE", "/v1/batch/objects", `{"match":{"class":"Article","where":{"operator":"Equal","path":["n"],"valueInt":1,"valueText":null,"Operands":null,"operands":[{}]}}}`},
		{"DELETE", "/v1/batch/objects", `{"match":{"class":"Article","where":{"operator":"And","path":["n"],"operands":null}}}`},
		{"DELETE", "/v1/batch/objects", `{"match":{"class":"Article","where":{"operator":"Equal","path":null,"valueInt":1,"Path":["n"]}}}`},
		{"DELETE", "/v1/batch/objects", `{"match":{"class":"Article","where":{"operator":"Same","path":["n"],"valueInt":1}}}`},
		{"DELETE", "/v1/batch/objects", `{"match":{"class":"Article","where":{}}}`},
		{"DELETE", "/v1/schema/Published", ``},
		{"PUT", "/v1/schema/Article", `{"class":"Secret"}`},
		{"POST", "/v1/schema", `{"class":"Article","CLASS":"Secret"}`},
		{"POST", "/v1/users/db/me", `{}`},
		{"POST", "/v1/users/db/me/rotate-key", ``},
		{"POST", "/v1/graphql/batch", `[{"query":"{Get{Article{title}}}"}]`},
		{"GET", "/v1/graphql?query={Get{Article{title}}}", ``},
		{"POST", "/v1/mcp", `{}`},
		{"POST", "/v1/grpc-web/weaviate.v1.Weaviate/Search", `{}`},
		{"POST", "/v1/search/Article/bm25", `{}`},
		{"GET", "/v1/modules/x/y", ``},
		{"GET", "/v1/swagger.json", ``},

		{"POST", "/v1/graphql", `{"Query":"{Get{Article{title}}}"}`},
		{"POST", "/v1/graphql", `{"query":"{Get{Article{title}}}","variables":{"x":1}}`},
		{"POST", "/v1/graphql", `{"query":"query A{Get{Article{title}}}","operationName":"B"}`},
		{"POST", "/v1/graphql", graphql(`query A{Get{Article{title}}} query B{Get{Secret{plan}}}`)},
		{"POST", "/v1/graphql", graphql(`query A($n:Int){Get{Article(limit:$n){title}}}`)},
		{"POST", "/v1/graphql", graphql(`{...x} fragment x on WeaviateObj {Get{Secret{plan}}}`)},
		{"POST", "/v1/graphql", graphql(`{... on WeaviateObj {Get{Secret{plan}}}}`)},
		{"POST", "/v1/graphql", graphql(`{Get{... on GetObjectsObj {Secret{plan}}}}`)},
		{"POST", "/v1/graphql", graphql(`{Get{Article{title @skip(if:true)}}}`)},
		{"POST", "/v1/graphql", graphql(`{Get @include(if:true){Article{title}}}`)},
		{"POST", "/v1/graphql", graphql(`{Get{Article{title} Article{email}}}`)},
		{"POST", "/v1/graphql", graphql(`{Get{article{title}}}`)},
		{"POST", "/v1/graphql", graphql(`{Get{Article(limit:1 limit:100){title}}}`)},
		{"POST", "/v1/graphql", graphql(`{Get{Article(limit:-1){title}}}`)},
		{"POST", "/v1/graphql", graphql(`{Get{Article(limit:"5"){title}}}`)},
		{"POST", "/v1/graphql", graphql(`{Get{Article(ask:{question:"x"}){title}}}`)},
		{"POST", "/v1/graphql", graphql(`{Get{Article(group:{type:merge force:1}){title}}}`)},
		{"POST", "/v1/graphql", graphql(`{Get{Article{_additional{featureProjection{vector}}}}}`)},
		{"POST", "/v1/graphql", graphql(`{Get{Article{_additional{generate(singleResult:{prompt:"x" openai:{baseURL:"http://169.254.169.254"}}){singleResult}}}}}`)},
		{"POST", "/v1/graphql", graphql(`{Get{Article(nearObject:{beacon:"weaviate://localhost/Secret/` + first + `"}){title}}}`)},
		{"POST", "/v1/graphql", graphql(`{Get{Article(nearObject:{beacon:"weaviate://localhost/` + first + `"}){title}}}`)},
		{"POST", "/v1/graphql", graphql(`{Get{Article(nearVector:{vector:[1]} nearText:{concepts:["x"]}){title}}}`)},
		{"POST", "/v1/graphql", graphql(`{Get{Article(where:{operator:Equal path:["author","Published","name"] valueText:"x"}){title}}}`)},
		{"POST", "/v1/graphql", graphql(`{Get{Article(where:{operator:Equal path:["Email"] valueText:"x"}){title}}}`)},
		{"POST", "/v1/graphql", graphql(`{Get{Article(where:{operator:Equal path:["n"] valueInt:1 valueInt:2}){title}}}`)},
		{"POST", "/v1/graphql", graphql(`{Get{Article{about{... on Published{plan}}}}}`)},
		{"POST", "/v1/graphql", graphql(`{Get{Article{about{... on Author{x:name} ... on Secret{x:plan}}}}}`)},
		{"POST", "/v1/graphql", graphql(`{Explore(nearText:{concepts:["x"]}){beacon}}`)},
		{"POST", "/v1/graphql", graphql(`{__schema{types{name}}}`)},
		{"POST", "/v1/graphql", graphql(`mutation{Get{Article{title}}}`)},
		{"POST", "/v1/graphql", graphql(strings.Repeat("{a", 5000))},
		{"POST", "/v1/graphql", graphql(`{Get{Article{title}}`)},
		{"POST", "/v1/graphql", graphql(``)},
	} {
		a := w.Do(t.Context(), protocoltest.Request{Method: x.method, Path: x.path, Body: x.body})
		if a.Header.Get("X-Vecgate-Code") != string(access.CodeUnclear) {
			t.Errorf("%s %s %.300s: %v", x.method, x.path, x.body, a)
		}
	}
	for _, r := range w.All() {
		if r.Method != http.MethodGet || !strings.HasPrefix(r.URI, "/v1/schema/") {
			t.Errorf("%s %s %s reached the target", r.Method, r.URI, r.Body)
		}
	}
}

func TestObligationsRewriteTheRequestOrRefuseIt(t *testing.T) {
	deny := &access.Protection{Vectors: []access.VectorRule{{Pattern: "**", Treatment: access.Treatment{Mask: access.MaskNull, Rule: "v", Predicates: "deny"}}}}
	ids := &access.Protection{Fields: []access.FieldRule{{Pattern: "**.id", Treatment: access.Treatment{Mask: access.MaskHash, Rule: "ids"}}}}
	several := &access.Protection{Fields: []access.FieldRule{
		{Pattern: "**.vector", Treatment: access.Treatment{Mask: access.MaskNull, Rule: "v", Predicates: "knn", Distance: "allow"}},
		{Pattern: "**.face", Treatment: access.Treatment{Mask: access.MaskNull, Rule: "v", Predicates: "knn", Distance: "round"}},
	}}
	under := access.Obligations{Protection: protection}
	filter := access.Obligations{Filters: []access.FilterRule{{Pattern: "docs/*/*", Field: "owner", Values: []string{"acme"}, Rule: "own"}}}
	two := access.Obligations{Filters: []access.FilterRule{{Pattern: "docs/*/*", Field: "owner", Values: []string{"acme", `a"b`}, Rule: "own"}}}
	blunt := access.Obligations{Filters: []access.FilterRule{{Pattern: "docs/*/*", Field: "title", Values: []string{"acme"}, Rule: "own"}}}
	w := protocoltest.Start(t, suite())
	const ours = `where:{operator:Equal,path:["owner"],valueText:"acme"}`
	for _, x := range []struct {
		method, path, body string
		o                  access.Obligations
		want               string // the query or document that is sent on, or the code of the refusal
	}{
		{"POST", "graphql", `{Get{Article(where:{operator:Equal path:["city"] valueText:"Oslo"} limit:1){title}}}`, under, `{Get{Article(limit:1,where:{operator:Equal,path:["city"],valueText:"Oslo"}){title}}}`},
		{"POST", "graphql", `{Get{Article(where:{operator:NotEqual path:["city"] valueText:"Oslo"}){title}}}`, under, "cannot-be-obliged"},
		{"POST", "graphql", `{Get{Article(where:{operator:Or operands:[{operator:Equal path:["city"] valueText:"Oslo"},{operator:Equal path:["n"] valueInt:1}]}){title}}}`, under, "cannot-be-obliged"},
		{"POST", "graphql", `{Get{Article(where:{operator:GreaterThan path:["len(email)"] valueInt:3}){title}}}`, under, "cannot-be-obliged"},
		{"POST", "graphql", `{Get{Article(where:{operator:Like path:["author","Author","email"] valueText:"a*"}){title}}}`, under, "cannot-be-obliged"},
		{"POST", "graphql", `{Get{Article(sort:[{path:["email"] order:asc}]){title}}}`, under, "cannot-be-obliged"},
		{"POST", "graphql", `{Get{Article(bm25:{query:"x"}){title}}}`, under, `{Get{Article(bm25:{query:"x",properties:["owner","title"]},limit:100){title}}}`},
		{"POST", "graphql", `{Get{Article(bm25:{properties:[] query:"x"}){title}}}`, under, "unclear"},
		{"POST", "graphql", `{Get{Article(bm25:{query:"x" properties:["Email"]}){title}}}`, under, "cannot-be-obliged"},
		{"POST", "graphql", `{Get{Article(bm25:{query:"x" properties:["title"]}){title}}}`, under, `{Get{Article(bm25:{query:"x",properties:["title"]},limit:100){title}}}`},
		{"POST", "graphql", `{Get{Article(hybrid:{query:"x" alpha:0.5}){title}}}`, under, `{Get{Article(hybrid:{query:"x",alpha:0.5,properties:["owner","title"]},limit:100){title}}}`},
		{"POST", "graphql", `{Get{Article(groupBy:{path:["email"] groups:2 objectsPerGroup:1} nearVector:{vector:[1]}){_additional{group{groupedBy{value}}}}}}`, under, "cannot-be-obliged"},
		{"POST", "graphql", `{Get{Article{_additional{rerank(property:"email" query:"x"){score}}}}}`, under, "cannot-be-obliged"},
		{"POST", "graphql", `{Get{Article{_additional{generate(groupedResult:{task:"tell"}){groupedResult}}}}}`, under, "cannot-be-obliged"},
		{"POST", "graphql", `{Aggregate{Article{email{topOccurrences{value}}}}}`, under, "cannot-be-obliged"},
		{"POST", "graphql", `{Aggregate{Article{city{topOccurrences(limit:2){value}}}}}`, under, `{Aggregate{Article{city{topOccurrences(limit:2){value}}}}}`},
		{"POST", "graphql", `{Aggregate{Article(groupBy:["email"]){meta{count}}}}`, under, "cannot-be-obliged"},
		{"POST", "graphql", `{Get{Article(nearVector:{vector:[1]}){title}}}`, access.Obligations{Protection: deny}, "cannot-be-obliged"},
		{"POST", "graphql", `{Get{Article(limit:1 nearVector:{vector:[1] distance:0.12345}){title}}}`, under, "cannot-be-obliged"}, // which ones are found would tell the distance
		{"POST", "graphql", `{Get{Article(limit:1 nearText:{concepts:["x"] certainty:0.9}){title}}}`, under, "cannot-be-obliged"},
		{"POST", "graphql", `{Get{Article(limit:1 hybrid:{query:"x" properties:["title"] vector:[1] maxVectorDistance:0.1}){title}}}`, under, "cannot-be-obliged"},
		{"POST", "graphql", `{Get{Article(limit:1 hybrid:{query:"x" properties:["title"] searches:[{nearText:{concepts:["x"] distance:0.1}}]}){title}}}`, under, "cannot-be-obliged"},
		{"POST", "graphql", `{Aggregate{Article(nearVector:{vector:[1] certainty:0.9}){meta{count}}}}`, under, "cannot-be-obliged"},
		{"POST", "graphql", `{Get{Author(limit:1 nearVector:{vector:[1] distance:0.1 targetVectors:["face"]}){name}}}`, access.Obligations{Protection: several}, "cannot-be-obliged"},
		{"POST", "graphql", `{Get{Article(limit:1 nearVector:{vector:[1] distance:0.1}){title}}}`, access.Obligations{Protection: several}, `{Get{Article(nearVector:{vector:[1],distance:0.1},limit:1){title}}}`},
		{"POST", "graphql", `{Get{Article(nearVector:{vector:[1]} limit:11){title}}}`, access.Obligations{TopK: 10}, "limit"},
		{"POST", "graphql", `{Get{Article(nearVector:{vector:[1] distance:1}){title}}}`, access.Obligations{TopK: 10}, "limit"},
		{"POST", "graphql", `{Get{Article(nearVector:{vector:[1] distance:1}){title}}}`, access.Obligations{Rows: 10}, `{Get{Article(nearVector:{vector:[1],distance:1},limit:11){title}}}`},
		{"POST", "graphql", `{Get{Article{title}}}`, access.Obligations{Rows: 10}, "limit"},
		{"POST", "graphql", `{Get{A:Article(limit:6){title} B:Article(limit:6){title}}}`, access.Obligations{Rows: 10}, "limit"},
		{"GET", "objects?class=Article&limit=11", ``, access.Obligations{Rows: 10}, "limit"},
		{"GET", "objects/Article/" + first, ``, access.Obligations{Protection: ids}, "cannot-be-obliged"}, // whether there is one would tell
		{"HEAD", "objects/Article/" + first, ``, access.Obligations{Protection: ids}, "cannot-be-obliged"},
		{"DELETE", "batch/objects", `{"match":{"class":"Article","where":{"operator":"Like","path":["email"],"valueText":"a*"}}}`, under, "cannot-be-obliged"},

		{"POST", "graphql", `{Get{Article(limit:1){title}}}`, filter, `{Get{Article(limit:1,` + ours + `){title}}}`},
		{"POST", "graphql", `{Get{Article(limit:1){title}}}`, two, `{Get{Article(limit:1,where:{operator:Or,operands:[{operator:Equal,path:["owner"],valueText:"acme"},{operator:Equal,path:["owner"],valueText:"a\"b"}]}){title}}}`},
		{
			"POST", "graphql", `{Get{Article(limit:1 where:{operator:Or operands:[{operator:Equal path:["n"] valueInt:1},{operator:IsNull path:["owner"] valueBoolean:false}]}){title}}}`, filter,
			`{Get{Article(limit:1,where:{operator:And,operands:[{operator:Equal,path:["owner"],valueText:"acme"},{operator:Or,operands:[{operator:Equal,path:["n"],valueInt:1},{operator:IsNull,path:["owner"],valueBoolean:false}]}]}){title}}}`,
		},
		{
			"POST", "graphql", `{Get{A:Notes(limit:1 tenant:"acme" nearVector:{vector:[1]}){text} Article(limit:1){title}} Aggregate{Article{meta{count}}}}`, filter,
			`{Get{A:Notes(tenant:"acme",nearVector:{vector:[1]},limit:1,` + ours + `){text}Article(limit:1,` + ours + `){title}}Aggregate{Article(` + ours + `){meta{count}}}}`,
		},
		{"POST", "graphql", `{Get{Article(nearObject:{id:"` + first + `"}){title}}}`, filter, "cannot-be-obliged"},
		{"POST", "graphql", `{Get{Article{author{...on Author{name}}}}}`, filter, "cannot-be-obliged"},
		{"POST", "graphql", `{Get{Secret(limit:1){plan}}}`, filter, "cannot-be-obliged"},  // it has no such field
		{"POST", "graphql", `{Get{Article(limit:1){title}}}`, blunt, "cannot-be-obliged"}, // equality is not equality there
		{"GET", "objects?class=Article", ``, filter, "cannot-be-obliged"},
		{"GET", "objects/Article/" + first, ``, filter, "cannot-be-obliged"}, // it is not ours
		{"DELETE", "objects/Article/" + first, ``, filter, "cannot-be-obliged"},
		{"PATCH", "objects/Article/" + first, `{"properties":{"title":"x"}}`, filter, "cannot-be-obliged"},
		{"PATCH", "objects/Article/" + first, `{"properties":{"Owner":"globex"}}`, filter, "cannot-be-obliged"}, // it is the same property
		{"PUT", "objects/Article/" + first, `{"class":"Article","properties":{"owner":"globex"}}`, filter, "cannot-be-obliged"},
		{"PUT", "objects/Article/" + first, `{"class":"Article","properties":{"Owner":"acme","N":1}}`, filter, `{"class":"Article","properties":{"owner":"acme","n":1},"id":"` + first + `"}`},
		{"PUT", "objects/Article/" + second, `{"class":"Article","properties":{"owner":"acme"}}`, filter, "cannot-be-obliged"},                                                     // it is somebody else's
		{"PUT", "objects/Article/" + first, `{"class":"Article","properties":{"owner":"acme"}}`, filter, `{"class":"Article","properties":{"owner":"acme"},"id":"` + first + `"}`}, // there is none
		{"POST", "objects", `{"class":"Article","properties":{"title":"x"}}`, filter, "cannot-be-obliged"},
		{"POST", "objects", `{"class":"Article","properties":{"owner":"acme"}}`, filter, `{"class":"Article","properties":{"owner":"acme"}}`},
		{"POST", "batch/objects", `{"objects":[{"class":"Article","properties":{"owner":"acme"}},{"class":"Article","properties":{"owner":"globex"}}]}`, filter, "cannot-be-obliged"},
		{"POST", "batch/objects", `{"objects":[{"class":"Article","id":"` + second + `","properties":{"owner":"acme"}}]}`, filter, "cannot-be-obliged"},
		{
			"DELETE", "batch/objects", `{"match":{"class":"Article","where":{"operator":"Equal","path":["n"],"valueInt":1}}}`, filter,
			`{"match":{"class":"Article","where":{"operator":"And","operands":[{"operator":"Equal","path":["owner"],"valueText":"acme"},{"operator":"Equal","path":["n"],"valueInt":1}]}}}`,
		},
		{
			"DELETE", "batch/objects", `{"match":{"class":"Article","where":{"operator":"Or","path":null,"operands":[{"operator":"Equal","operands":null,"path":["n"],"valueInt":1}]}}}`, filter,
			`{"match":{"class":"Article","where":{"operator":"And","operands":[{"operator":"Equal","path":["owner"],"valueText":"acme"},{"operator":"Or","operands":[{"operator":"Equal","path":["n"],"valueInt":1}]}]}}}`,
		},
		{
			"DELETE", "batch/objects", `{"match":{"class":"Article","where":{"operator":"Equal","operands":null,"path":["n"],"valueInt":1}}}`,
			access.Obligations{},
			`{"match":{"class":"Article","where":{"operator":"Equal","path":["n"],"valueInt":1}}}`,
		},
		{"DELETE", "schema/Article", ``, filter, "cannot-be-obliged"},
		{"POST", "backups/filesystem", `{"id":"x"}`, filter, "cannot-be-obliged"},
	} {
		w.Oblige(x.o)
		r := protocoltest.Request{Method: x.method, Path: "/v1/" + x.path, Body: x.body}
		if x.path == "graphql" {
			r.Body = graphql(x.body)
		}
		before := len(w.Received(r))
		a := w.Do(t.Context(), r)
		got := a.Header.Get("X-Vecgate-Code")
		if sent := w.Received(r); len(sent) > before && got == "" {
			got = sent[len(sent)-1].Body
			if x.path == "graphql" {
				var q struct{ Query string }
				_ = json.Unmarshal([]byte(got), &q)
				got = q.Query
			}
		}
		if got != x.want {
			t.Errorf("%s %s %s:\n%s, want\n%s; %v", x.method, x.path, x.body, got, x.want, a)
		}
	}
}

func TestEveryPartOfAnAnswerIsMasked(t *testing.T) {
	const c = protocoltest.Canary
	object := `{"class":"Article","id":"` + first + `","properties":{"title":"t","email":"[redacted]","meta":{"email":"[redacted]","n":1},"owner":"acme"},"vector":null,"vectors":{"face":null},"additional":null,"surprise":null}`
	for _, x := range []struct{ method, path, body, answer, want string }{
		{"GET", at, ``, "", object},
		{"GET", "/v1/objects?class=Article", ``, "", `{"objects":[` + object + `,` + object + `],"totalResults":2}`},
		{"PUT", at, `{"class":"Article"}`, "", object},
		{"POST", "/v1/batch/objects", `{"objects":[{"class":"Article"}]}`, "", `[` + object + `]`},
		{
			"POST", "/v1/batch/objects", `{"objects":[{"class":"Article"},{"class":"Secret"}]}`, `[{"class":"Article","properties":{"title":"t","plan":"` + c + `"},"result":{"status":"FAILED","errors":{"error":[{"message":"` + c + `"}]}}}]`,
			`[{"class":"Article","properties":{"title":null,"plan":null},"result":{"status":"FAILED","errors":{"error":[{"message":"[redacted]"}]}}}]`,
		},
		{
			"DELETE", "/v1/batch/objects", `{"output":"verbose","match":{"class":"Article","where":{"operator":"Equal","path":["n"],"valueInt":1}}}`,
			`{"results":{"matches":1,"objects":[{"id":"` + first + `","status":"FAILED","errors":{"error":[{"message":"` + c + `"}]}}]}}`,
			`{"results":{"matches":1,"objects":[{"id":"` + first + `","status":"FAILED","errors":{"error":[{"message":"[redacted]"}]}}]}}`,
		},
		{
			"POST", "/v1/graphql", graphql(`{harmless:Get{zz:Article(limit:2){innocuous:email title m:meta{e:email n} meta:_additional{v:vector vv:vectors{f:face} i:id explainScore}}}}`),
			`{"data":{"harmless":{"zz":[{"innocuous":"` + c + `","title":"t","m":{"e":"` + c + `","n":1},"meta":{"v":["` + c + `"],"vv":{"f":["` + c + `"]},"i":"x","explainScore":"` + c + `"},"email":"` + c + `"}],"Article":"` + c + `"}},"errors":[{"message":"` + c + `","path":["a"],"extensions":"` + c + `"}],"extensions":"` + c + `"}`,
			`{"data":{"harmless":{"zz":[{"innocuous":"[redacted]","title":"t","m":{"e":"[redacted]","n":1},"meta":{"v":null,"vv":{"f":null},"i":"x","explainScore":null},"email":null}],"Article":null}},"errors":[{"message":"[redacted]","path":["a"],"extensions":null}],"extensions":null}`,
		},
		{
			"POST", "/v1/graphql", graphql(`{Get{Article(limit:2 nearVector:{vector:[1]}){about{...on Author{x:email n:name _additional{vector}} ...on Secret{p:plan}} _additional{d:distance certainty}}}}`),
			`{"data":{"Get":{"Article":[{"about":[{"x":"` + c + `","n":"Ann","_additional":{"vector":["` + c + `"]}},{"p":"` + c + `"}],"_additional":{"d":0.12345,"certainty":0.98765}}]}}}`,
			`{"data":{"Get":{"Article":[{"about":[{"x":"[redacted]","n":"Ann","_additional":{"vector":null}},{"p":null}],"_additional":{"d":0.12,"certainty":0.99}}]}}}`,
		},
		{
			"POST", "/v1/graphql", graphql(`{Get{Article(limit:2 groupBy:{path:["n"] groups:1 objectsPerGroup:1} nearVector:{vector:[1]}){_additional{g:group{minDistance groupedBy{v:value} h:hits{e:email _additional{distance}}}}}}}`),
			`{"data":{"Get":{"Article":[{"_additional":{"g":{"minDistance":0.12345,"groupedBy":{"v":"7"},"h":[{"e":"` + c + `","_additional":{"distance":0.12345}}]}}}]}}}`,
			`{"data":{"Get":{"Article":[{"_additional":{"g":{"minDistance":0.12,"groupedBy":{"v":"7"},"h":[{"e":"[redacted]","_additional":{"distance":0.12}}]}}}]}}}`,
		},
		{
			"POST", "/v1/graphql", graphql(`{Aggregate{a:Article{meta{count} city{t:topOccurrences{value}} n{mean}}}}`),
			`{"data":{"Aggregate":{"a":[{"meta":{"count":2},"city":{"t":[{"value":"` + c + `"}]},"n":{"mean":1.5}}]}}}`,
			`{"data":{"Aggregate":{"a":[{"meta":{"count":2},"city":null,"n":{"mean":1.5}}]}}}`,
		},
	} {
		w := protocoltest.Start(t, suite())
		w.Oblige(access.Obligations{Protection: protection})
		if x.answer != "" {
			w.Upstream(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					engine(rw, r)
					return
				}
				rw.Header().Set("Content-Type", "application/json")
				fmt.Fprint(rw, x.answer)
			}))
		}
		a := w.Do(t.Context(), protocoltest.Request{Method: x.method, Path: x.path, Body: x.body})
		if a.Body != x.want || strings.Contains(w.Written(), c) {
			t.Errorf("%s %s %s:\n%s, want\n%s", x.method, x.path, x.body, a.Body, x.want)
		}
	}
}

func TestARequestNamesSoManyThingsOnly(t *testing.T) {
	w := protocoltest.Start(t, suite())
	var objects, tenants []string
	for i := range mostNamed + 1 {
		objects = append(objects, fmt.Sprintf(`{"class":"C%d"}`, i))
	}
	for i := range mostAccesses + 1 {
		tenants = append(tenants, fmt.Sprintf(`{"name":"t%d"}`, i))
	}
	for path, body := range map[string]string{
		"/v1/batch/objects": `{"objects":[` + strings.Join(objects, ",") + `]}`, "/v1/schema/Notes/tenants": `[` + strings.Join(tenants, ",") + `]`,
		"/v1/graphql": graphql(`{Get{Article(nearVector:{` + strings.Repeat("a:1,", mostMembers) + `b:1}){title}}}`),
	} {
		if a := w.Do(t.Context(), protocoltest.Request{Method: "POST", Path: path, Body: body}); a.Header.Get("X-Vecgate-Code") != string(access.CodeUnclear) {
			t.Errorf("%s: %v", path, a)
		}
	}
	many := `[{"from":"weaviate://localhost/Article/` + first + `/author","to":"weaviate://localhost/Author/` + second + `"}` +
		strings.Repeat(`,{"from":"weaviate://localhost/Article/`+second+`/author","to":"weaviate://localhost/Author/`+second+`"}`, 20_000) + `]`
	got := ""
	w.Rule(func(op *access.Operation, _ access.Context) access.Decision {
		got = said(op.Accesses)
		return access.Decision{Effect: access.Allow}
	})
	if a := w.Do(t.Context(), protocoltest.Request{Method: "POST", Path: "/v1/batch/references", Body: many}); a.Status != http.StatusOK || got != "update Article points=20001" {
		t.Errorf("many references: %q, %v", got, a)
	}
}

func TestListsTellOfWhatMayBeRead(t *testing.T) {
	w := protocoltest.Start(t, suite())
	w.Upstream(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/v1/aliases" {
			fmt.Fprint(rw, `{"aliases":[{"alias":"Published","class":"Secret"},{"alias":"Papers","class":"Article"}]}`)
			return
		}
		fmt.Fprint(rw, `{"classes":[{"class":"Secret","description":"x"},{"class":"Article"}]}`)
	}))
	w.Rule(func(op *access.Operation, _ access.Context) access.Decision {
		if op.First().Resource.Collection == "Secret" {
			return access.Decision{Effect: access.Deny}
		}
		return access.Decision{Effect: access.Allow}
	})
	for path, want := range map[string]string{
		"/v1/schema": `{"classes":[{"class":"Article"}]}`, "/v1/aliases": `{"aliases":[{"alias":"Papers","class":"Article"}]}`,
	} {
		if a := w.Do(t.Context(), protocoltest.Request{Method: "GET", Path: path}); a.Body != want {
			t.Errorf("%s: %v, want %s", path, a, want)
		}
	}
}

func TestACollectionIsJudgedByWhatItsAliasLeadsToNow(t *testing.T) {
	now := time.Now()
	d := New(func() time.Time { return now })
	leads := "Article"
	route := httpwire.Route{}
	for _, r := range d.Routes() {
		if r.Name == "object_get" {
			route = r
		}
	}
	read := func() string {
		c, err := d.Read(t.Context(), &httpwire.Request{
			Route: &route, Target: "docs", Params: map[string]string{"className": "Papers", "id": first},
			Ask: func(context.Context, string) (int, jsonstream.Value, error) { return defines("/v1/schema/" + leads) },
		})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(c.Path, "/"+c.Accesses[0].Resource.Collection+"/") {
			t.Errorf("%v is sent on as %s", c.Accesses, c.Path)
		}
		return c.Accesses[0].Resource.Collection
	}
	got := []string{read()}
	leads = "Secret"
	got = append(got, read()) // sent on with the name of what it led to
	now = now.Add(remember)
	got = append(got, read())
	leads = "Author"
	d.catalog.forget()
	got = append(got, read())
	if want := []string{"Article", "Article", "Secret", "Author"}; !slices.Equal(got, want) {
		t.Errorf("judged as %v, want %v", got, want)
	}
}

func TestWhoShowsNoCredentialIsToldWhereToGetOne(t *testing.T) {
	w := protocoltest.Start(t, suite(), func(c *httpwire.Config, _ *httpwire.Target) {
		c.Discovery = func() httpwire.Discovery {
			return httpwire.Discovery{URL: "https://idp/.well-known/openid-configuration", ClientID: "vecgate-cli", Scope: "openid groups"}
		}
	})
	for _, x := range []struct {
		method, path, header string
		status               int
		body                 string
	}{
		{"GET", "/v1/.well-known/live", "", 200, ``},
		{"GET", "/v1/.well-known/ready", "", 200, ``},
		{"GET", "/v1/.well-known/openid-configuration", "", 200, `{"href":"https://idp/.well-known/openid-configuration","clientId":"vecgate-cli","scopes":["openid","groups"]}`},
		{"GET", "/v1/.well-known/ready", "Bearer wrong", 401, "*"},
		{"GET", "/v1/meta", "", 401, "*"},
		{"POST", "/v1/.well-known/ready", "", 401, "*"},
		{"GET", "/v1/.well-known/../meta", "", 401, "*"},
	} {
		r := protocoltest.Request{Method: x.method, Path: x.path, Header: http.Header{}}
		if x.header != "" {
			r.Header.Set("Authorization", x.header)
		}
		a := w.Do(t.Context(), r)
		if a.Status != x.status || x.body != "*" && a.Body != x.body {
			t.Errorf("%s %s with %q: %v", x.method, x.path, x.header, a)
		}
	}
	if n := len(w.All()); n > 0 {
		t.Errorf("%d requests reached the target", n)
	}
	w = protocoltest.Start(t, suite())
	if a := w.Do(t.Context(), protocoltest.Request{Method: "GET", Path: "/v1/.well-known/openid-configuration", Header: http.Header{}}); a.Status != http.StatusNotFound {
		t.Errorf("without a provider: %v", a)
	}
}

// TestClientsAreToldTheGatewaysOwnLimit: they send messages as large as they are told, and the gateway takes them as large as
// it is configured.
func TestClientsAreToldTheGatewaysOwnLimit(t *testing.T) {
	for said, want := range map[string]string{
		`{"version":"1.35.2","grpcMaxMessageSize":104858000,"modules":{}}`: `{"version":"1.35.2","grpcMaxMessageSize":1048576,"modules":{}}`,
		`{"version":"1.35.2","grpcMaxMessageSize":1000}`:                   `{"version":"1.35.2","grpcMaxMessageSize":1000}`,
		`{"version":"1.35.2"}`: `{"version":"1.35.2"}`,
	} {
		s := suite()
		s.New = func() httpwire.Dialect {
			d := New(time.Now)
			d.Message = 1 << 20
			return d
		}
		w := protocoltest.Start(t, s)
		w.Upstream(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(rw, said)
		}))
		if a := w.Do(t.Context(), protocoltest.Request{Method: "GET", Path: "/v1/meta"}); a.Status != http.StatusOK || a.Body != want {
			t.Errorf("of %s clients are told %v", said, a)
		}
	}
}

// FuzzRead wants every request that is read to be read the same once more in the form in which it is sent on.
func FuzzRead(f *testing.F) {
	for _, body := range []string{
		`{}`, `[]`, `{"class":"Article","properties":{"title":"t"},"vector":[1]}`, `{"objects":[{"class":"Notes","tenant":"a"}]}`,
		`{"match":{"class":"Article","where":{"operator":"Or","operands":[{"operator":"Equal","path":["n"],"valueInt":1}]}}}`,
		`{"match":{"class":"Article","where":{"operator":"Not","path":null,"operands":[{"operator":"Equal","operands":null,"path":["n"],"valueInt":1}]}}}`,
		graphql(`{a:Get{b:Published(limit:3 where:{operator:Equal path:["id"] valueText:"x"}){p:plan _additional{v:vector}}}}`),
		graphql(`{Get{Article(hybrid:{query:"x" alpha:0.5 properties:["title^2"]} tenant:"t" groupBy:{path:["n"] groups:1 objectsPerGroup:2}){title author{...on Author{name}} meta{email} _additional{group{hits{title _additional{distance}}}}}}}`),
		graphql(`{Aggregate{Article(groupBy:["owner"] objectLimit:3 nearVector:{vector:[1,2.5e3]}){meta{count} city{topOccurrences(limit:2){value}}}}}`),
	} {
		for i := range table {
			f.Add(i, body)
		}
	}
	d := New(time.Now)
	routes := d.Routes()
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
			return d.Read(t.Context(), &httpwire.Request{
				Route: route, Target: "docs", Body: body, Query: map[string]string{"class": "Article"},
				Ask: func(_ context.Context, path string) (int, jsonstream.Value, error) { return defines(path) },
				Params: map[string]string{
					"className": "Article", "id": first, "propertyName": "author", "tenantName": "t", "aliasName": "Published", "backend": "s3",
					"shardName": "s", "user_id": "u", "userType": "db", "groupType": "db",
				},
			})
		}
		call, err := read(document)
		if err != nil {
			return
		}
		again := jsonstream.Value{}
		if route.Body {
			if again, err = jsonstream.Read(call.Body.Raw()); err != nil {
				t.Fatalf("%s is sent on as %q: %v", body, call.Body.Raw(), err)
			}
		}
		twice, err := read(again)
		if err != nil {
			t.Fatalf("%s is sent on as %q: %v", body, call.Body.Raw(), err)
		}
		same := said(call.Accesses) == said(twice.Accesses) || strings.Contains(said(call.Accesses), "alias")
		if !same || call.Path != twice.Path || string(call.Body.Raw()) != string(twice.Body.Raw()) {
			t.Fatalf("%s is sent on as %q and %q, and read as %q and %q", body, call.Body.Raw(), twice.Body.Raw(), said(call.Accesses), said(twice.Accesses))
		}
		if call.Oblige != nil {
			o := &access.Obligations{Protection: protection, Rows: 10, TopK: 10}
			if _, err := call.Oblige(o); err != nil {
				if _, ok := errors.AsType[*access.Refusal](err); !ok {
					t.Fatalf("%s is not refused properly: %v", body, err)
				}
			}
		}
	})
}
