package opensearchtest

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

func TestANormalDayOfOpenSearchPyLooksTheSameThroughTheGateway(t *testing.T) {
	b := start(t)
	direct := day(t, "day.py", server.url, "", "everything")
	through := day(t, "day.py", b.gateway, b.As(t, "tess"), "everything")
	if d := gocmp.Diff(direct, through); d != "" {
		t.Errorf("what Tess sees through the gateway differs (-direct +gateway):\n%s", d)
	}
	if len(direct) < 33 {
		t.Errorf("the day ended early: %q", direct)
	}
}

func TestPersonalDataAndVectorsAreHiddenFromAScientist(t *testing.T) {
	b := start(t)
	day(t, "day.py", server.url, "", "fill")
	lines := day(t, "day.py", b.gateway, b.As(t, "sam"), "look")
	seen := strings.Join(lines, "\n")
	for _, bad := range []string{"person3@", "note3@", "-3", "0.99"} {
		if strings.Contains(seen, bad) {
			t.Errorf("Sam sees %q:\n%s", bad, seen)
		}
	}
	for what, want := range map[string]string{
		"get": `"email": "[redacted]"`, "mget": `"text": "text number 3"`, "near": `"_score": 1`, "msearch": `"email": "[redacted]"`, "notes": `"word": "w3"`, "top": `"n": 3`,
		"by email": "field email of docs/default/customers is hidden", "by note": "is hidden", "of emails": "nothing may be computed", "ordered": "is hidden", "words": "is hidden",
		"script": "AuthorizationException", "all": "AuthorizationException", "drop": "drops-are-denied", "sql": "AuthorizationException",
	} {
		found := false
		for _, line := range lines {
			found = found || strings.HasPrefix(line, `["`+what+`",`) && strings.Contains(line, want)
		}
		if !found {
			t.Errorf("for %q Sam does not see %q:\n%s", what, want, seen)
		}
	}
	if got := stored(t); got != 20 {
		t.Errorf("afterwards there are %v", got)
	}
}

func TestAHeldUpsertRunsOnceItIsReleased(t *testing.T) {
	b := start(t)
	day(t, "day.py", server.url, "", "fill")
	sam, arno := b.As(t, "sam"), b.As(t, "arno")
	done := make(chan []string, 1)
	go func() { done <- day(t, "day.py", b.gateway, sam, "upsert") }()
	id, err := b.First(t.Context(), arno, "/api/v1/requests?state=open")
	if err != nil {
		t.Fatal(err)
	}
	if got := stored(t); got != 20 {
		t.Errorf("before it was released there are %v", got)
	}
	if err := b.Approve(t.Context(), arno, id); err != nil {
		t.Fatal(err)
	}
	if got := <-done; got[0] != `["upsert", "created"]` {
		t.Errorf("Sam sees %v", got)
	}
	if got := stored(t); got != 21 {
		t.Errorf("afterwards there are %v", got)
	}
	aud := b.As(t, "aud")
	session, err := b.First(t.Context(), aud, "/api/v1/sessions?live=1&target=docs")
	if err != nil {
		t.Fatal(err)
	}
	replay, err := b.Call(t.Context(), aud, http.MethodGet, "/api/v1/sessions/"+session+"/replay", "")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(replay)
	if err != nil || !strings.Contains(string(text), "PUT /customers/_doc/new") {
		t.Errorf("the auditor sees %s, %v", text, err)
	}
}

func TestSomebodyWithoutATokenGetsNowhere(t *testing.T) {
	b := start(t)
	for _, token := range []string{"", "wrong"} {
		out, err := run("day.py", b.gateway, token, "count")
		if err == nil || !regexp.MustCompile("AuthenticationException").MatchString(out) {
			t.Errorf("with the token %q: %s", token, out)
		}
	}
}
