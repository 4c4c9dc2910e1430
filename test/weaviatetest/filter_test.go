package weaviatetest

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

const own = `  - name: own
    on: ["docs/**"]
    filter: {field: owner, values: [acme]}
    except: {groups: [Everything]}
`

func TestAFilterConfinesEveryRequest(t *testing.T) {
	w := start(t, own)
	w.fill(t)
	seen := strings.Join(w.day(t, false, w.As(t, "olga"), "filtered"), "\n")
	for _, good := range []string{
		`["owners", ["acme"], 10]`, `["near", [4, 2, 6, 8]]`, `["or", 2]`, `["mine", true, null]`,
		`["update mine", null]`, `["sum", 11]`, `["insert mine", false]`, `["delete", 11]`,
	} {
		if !strings.Contains(seen, good) {
			t.Errorf("Olga does not see %q:\n%s", good, seen)
		}
	}
	for _, refused := range []string{"update theirs", "give away", "delete theirs", "overwrite theirs", "insert astray", "near object", "drop"} {
		if !strings.Contains(seen, `["`+refused+`", "`) {
			t.Errorf("%s was not refused:\n%s", refused, seen)
		}
	}
	// What is left is what belongs to others, as it was.
	if got := w.count(t); got != 10 {
		t.Errorf("afterwards there are %d", got)
	}
}

// TestAnswersUnderAFilterAreTheFilteredExactAnswers compares what the gateway lets through with what Weaviate answers to the
// same query with the filter written into it.
func TestAnswersUnderAFilterAreTheFilteredExactAnswers(t *testing.T) {
	w := start(t, own)
	w.fill(t)
	olga := w.As(t, "olga")
	ask := func(query string) any {
		t.Helper()
		body, err := json.Marshal(map[string]string{"query": query})
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+w.gateway+"/v1/graphql", strings.NewReader(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+olga)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s %s %v", query, resp.Status, text, err)
		}
		return parsed(t, string(text))
	}
	direct := func(query string) any {
		t.Helper()
		body, err := json.Marshal(map[string]string{"query": query})
		if err != nil {
			t.Fatal(err)
		}
		return parsed(t, w.direct(t, "POST", "/v1/graphql", string(body)))
	}
	const mine = `{operator:Equal,path:["owner"],valueText:"acme"}`
	r := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		var theirs string
		switch n := r.IntN(20); r.IntN(5) {
		case 0:
			theirs = fmt.Sprintf(`{operator:LessThan,path:["n"],valueInt:%d}`, n)
		case 1:
			theirs = fmt.Sprintf(`{operator:Or,operands:[{operator:Equal,path:["n"],valueInt:%d},{operator:Equal,path:["owner"],valueText:"globex"}]}`, n)
		case 2:
			theirs = `{operator:NotEqual,path:["owner"],valueText:"acme"}`
		case 3:
			theirs = fmt.Sprintf(`{operator:ContainsAny,path:["tags"],valueText:["odd","t%d"]}`, n)
		}
		narrowed := mine
		where := ""
		if theirs != "" {
			where = "where:" + theirs
			narrowed = "{operator:And,operands:[" + mine + "," + theirs + "]}"
		}
		near := fmt.Sprintf("nearVector:{vector:[%.3f,%.3f,%.3f]}", r.Float64()*9, r.Float64(), -r.Float64()*9)
		limit := 1 + r.IntN(8)
		for _, form := range []string{
			"{Get{Customers(%s %s limit:" + fmt.Sprint(limit) + "){n owner}}}",
			"{Aggregate{Customers(%s %s objectLimit:" + fmt.Sprint(limit) + "){meta{count} n{sum}}}}",
		} {
			through, exact := ask(fmt.Sprintf(form, where, near)), direct(fmt.Sprintf(form, "where:"+narrowed, near))
			if d := gocmp.Diff(exact, through); d != "" {
				t.Fatalf("%s %s differs (-exact +gateway):\n%s", form, where, d)
			}
			if text := fmt.Sprint(through); strings.Contains(text, "globex") {
				t.Fatalf("%s", text)
			}
		}
	}
}

func parsed(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}
