package chromatest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

const filterPolicy = `
allow:
  - {name: everything, who: anyone, can: ["*"], on: ["docs/**"]}
protect:
  - {name: vectors-are-shown, vectors: allow}
  - {name: own-records, on: ["docs/*/shared"], filter: {field: owner, values: subject.claims.email}}
`

// api speaks to one collection of Chroma, straight or through the gateway.
type api struct {
	t     *testing.T
	url   string // of the database
	token string
	id    string
}

func (a *api) call(method, path string, body, answer any) (int, string) {
	a.t.Helper()
	var text bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&text).Encode(body); err != nil {
			a.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.url+"/api/v2/tenants/default_tenant/databases/default_database/collections"+path, &text)
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Chroma-Token", a.token)
	client := http.Client{Timeout: time.Minute}
	resp, err := client.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	if answer != nil && resp.StatusCode < 300 {
		if err := json.Unmarshal(said, answer); err != nil {
			a.t.Fatalf("%s %s: %v: %s", method, path, err, said)
		}
	}
	return resp.StatusCode, string(said)
}

// must is call for what is to succeed.
func (a *api) must(method, path string, body, answer any) {
	a.t.Helper()
	if status, said := a.call(method, path, body, answer); status >= 300 {
		a.t.Fatalf("%s %s %v: %d %s", method, path, body, status, said)
	}
}

type object = map[string]any

// ids are those that a get finds.
func (a *api) ids(body object) []string {
	a.t.Helper()
	body["include"] = []string{}
	var got struct{ IDs []string }
	a.must("POST", "/"+a.id+"/get", body, &got)
	return got.IDs
}

// nearest are those that a query finds, the nearest first.
func (a *api) nearest(body object) []string {
	a.t.Helper()
	body["include"] = []string{"distances"}
	var got struct{ IDs [][]string }
	a.must("POST", "/"+a.id+"/query", body, &got)
	return got.IDs[0]
}

// condition is a random where.
func condition(r *rand.Rand, depth int) object {
	owners := []string{sam, tess, "", "sam@example.co", "SAM@example.com"}
	switch r.IntN(8 - depth) {
	case 0:
		return object{"n": r.IntN(40)}
	case 1:
		return object{"n": object{"$gte": r.IntN(40)}}
	case 2:
		return object{"owner": owners[r.IntN(len(owners))]}
	case 3:
		return object{"owner": object{"$ne": owners[r.IntN(len(owners))]}}
	case 4:
		return object{"owner": object{"$in": owners[:1+r.IntN(len(owners))]}}
	case 5:
		return object{"owner": object{"$nin": owners[:1+r.IntN(len(owners))]}}
	}
	op := []string{"$and", "$or"}[r.IntN(2)]
	return object{op: []any{condition(r, depth+1), condition(r, depth+1)}}
}

const (
	sam  = "sam@example.com"
	tess = "tess@example.com"
)

// TestAnswersUnderAFilterAreTheFilteredExactAnswers asks a real Chroma random questions, straight and under a filter.
func TestAnswersUnderAFilterAreTheFilteredExactAnswers(t *testing.T) {
	c := startUnder(t, filterPolicy)
	r := rand.New(rand.NewPCG(11, 21))
	direct := &api{t: t, url: c.url}
	through := &api{t: t, url: c.gateway, token: c.As(t, "sam")}
	var made struct{ ID string }
	direct.must("POST", "", object{"name": "shared"}, &made)
	direct.id, through.id = made.ID, made.ID

	// 1. Sixty records of several owners, and of nobody.
	const n = 60
	owner := map[string]any{}
	var ids []string
	var metadatas, embeddings []any
	vector := func() []float64 { return []float64{r.Float64(), r.Float64(), r.Float64(), r.Float64()} }
	for i := range n {
		id := fmt.Sprintf("r%d", i)
		m := object{"n": r.IntN(40)}
		switch r.IntN(5) {
		case 0, 1:
			m["owner"] = sam
		case 2:
			m["owner"] = tess
		case 3:
			m["owner"] = "SAM@example.com"
		}
		owner[id] = m["owner"]
		ids, metadatas, embeddings = append(ids, id), append(metadatas, m), append(embeddings, vector())
	}
	direct.must("POST", "/"+direct.id+"/add", object{"ids": ids, "embeddings": embeddings, "metadatas": metadatas}, nil)
	mine := func(list []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(id string) bool { return owner[id] != sam })
	}
	same := func(what string, body object, want, got []string) {
		t.Helper()
		if d := gocmp.Diff(want, got); d != "" && len(want)+len(got) > 0 {
			text, _ := json.Marshal(body)
			t.Errorf("%s %s (-exact answer, filtered +through the gateway):\n%s", what, text, d)
		}
		for _, id := range got {
			if owner[id] != sam {
				t.Errorf("%s: Sam sees %s of %v", what, id, owner[id])
			}
		}
	}

	// 2. Reads.
	seen := 0
	for range 120 {
		body := object{}
		if r.IntN(3) > 0 {
			body["where"] = condition(r, 0)
		}
		if r.IntN(3) == 0 {
			body["ids"] = []string{ids[r.IntN(n)], ids[r.IntN(n)], ids[r.IntN(n)], "none"}
		}
		exact := mine(direct.ids(body))
		seen += len(exact)
		same("get", body, exact, through.ids(body))
		if named, ok := body["ids"].([]string); ok {
			body["ids"] = slices.Compact(named[:3:3]) // a query that names an id that is not there ends in an error of Chroma's
		}
		body["query_embeddings"] = []any{vector()}
		body["n_results"] = n
		want := mine(direct.nearest(body))
		same("query", body, want, through.nearest(body))
	}
	if seen < 100 {
		t.Errorf("Sam was to see %d records only: too few to mean anything", seen)
	}
	count := func(a *api) (n int) {
		a.must("GET", "/"+a.id+"/count", nil, &n)
		return n
	}
	if got, want := count(through), len(mine(ids)); got != want || want == 0 || want == n {
		t.Errorf("Sam counts %d of %d", got, want)
	}

	// 3. What is not Sam's is neither overwritten nor changed nor deleted.
	before := func() (answer object) {
		direct.must("POST", "/"+direct.id+"/get", object{"include": []string{"metadatas", "embeddings"}}, &answer)
		return answer
	}
	state := before()
	foreign := ids[slices.IndexFunc(ids, func(id string) bool { return owner[id] != sam })]
	for _, x := range []struct {
		path string
		body object
		code int
	}{
		{"upsert", object{"ids": []string{foreign}, "embeddings": []any{vector()}, "metadatas": []any{object{"owner": sam}}}, 403},
		{"upsert", object{"ids": []string{"new"}, "embeddings": []any{vector()}, "metadatas": []any{object{"owner": tess}}}, 403},
		{"upsert", object{"ids": []string{"new"}, "embeddings": []any{vector()}}, 403},
		{"add", object{"ids": []string{"new"}, "embeddings": []any{vector()}, "metadatas": []any{nil}}, 403},
		{"add", object{"ids": []string{foreign}, "embeddings": []any{vector()}, "metadatas": []any{object{"owner": sam}}}, 201},
		{"update", object{"ids": []string{foreign}, "metadatas": []any{object{"owner": sam}}}, 403},
		{"update", object{"ids": mine(ids)[:1], "metadatas": []any{object{"owner": nil}}}, 403},
		{"delete", object{"ids": []string{foreign}}, 200},
		{"delete", object{"where": object{"owner": object{"$ne": sam}}}, 200},
		{"delete", object{}, 403},
	} {
		if status, said := through.call("POST", "/"+through.id+"/"+x.path, x.body, nil); status != x.code {
			t.Errorf("%s %v: %d %s, want %d", x.path, x.body, status, said, x.code)
		}
	}
	if d := gocmp.Diff(state, before()); d != "" {
		t.Errorf("something of others changed:\n%s", d)
	}

	// 4. What is Sam's can be written and deleted.
	through.must("POST", "/"+through.id+"/upsert", object{"ids": []string{"new", mine(ids)[0]}, "embeddings": []any{vector(), vector()}, "metadatas": []any{object{"owner": sam, "n": 7}, object{"owner": sam, "n": 8}}}, nil)
	through.must("POST", "/"+through.id+"/update", object{"ids": mine(ids)[1:2], "metadatas": []any{object{"n": 9}}}, nil)
	owner["new"] = sam
	if got, want := count(through), len(mine(ids))+1; got != want {
		t.Errorf("Sam counts %d after an upsert, want %d", got, want)
	}
	through.must("POST", "/"+through.id+"/delete", object{"where": object{"n": object{"$gte": 0}}}, nil)
	if got := count(through); got != 0 {
		t.Errorf("Sam counts %d after he deleted all of his", got)
	}
	if got, want := count(direct), n-len(mine(ids)); got != want {
		t.Errorf("%d records of others are left, of %d", got, want)
	}
	for _, x := range []struct{ method, path string }{{"DELETE", "/shared"}, {"POST", "/" + through.id + "/fork"}} {
		if status, said := through.call(x.method, x.path, map[bool]any{true: object{"new_name": "x"}, false: nil}[x.method == "POST"], nil); status != 403 {
			t.Errorf("%s %s: %d %s", x.method, x.path, status, said)
		}
	}
}
