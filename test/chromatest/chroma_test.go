package chromatest

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/internal/protocol/chroma"
)

func TestANormalDayLooksTheSameThroughTheGateway(t *testing.T) {
	c := start(t)
	direct := unnumbered(c.day(t, c.url, "", "everything"))
	through := unnumbered(c.day(t, c.gateway, c.As(t, "tess"), "everything"))
	if d := gocmp.Diff(direct, through); d != "" {
		t.Errorf("what Tess sees through the gateway differs (-direct +gateway):\n%s", d)
	}
	if len(direct) < 15 {
		t.Errorf("the day ended early: %q", direct)
	}
}

var uuid = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// unnumbered is lines without the UUIDs, which Chroma draws anew.
func unnumbered(lines []string) []string {
	for i := range lines {
		lines[i] = uuid.ReplaceAllString(lines[i], "UUID")
	}
	return lines
}

func TestPersonalDataAndVectorsAreHiddenFromAScientist(t *testing.T) {
	c := start(t)
	c.day(t, c.url, "", "fill")
	seen := strings.Join(c.day(t, c.gateway, c.As(t, "sam"), "look"), "\n")
	for _, bad := range []string{"person3@", "-3.0", "e-0"} {
		if strings.Contains(seen, bad) {
			t.Errorf("Sam sees %q:\n%s", bad, seen)
		}
	}
	for _, good := range []string{
		`"email": "[redacted]"`, `"text number 3"`, `"embeddings": null`, `"distances": [[0]]`,
		"field email of docs/default_tenant:default_database/customers is hidden", // as a condition
		`["all", "AuthorizationError"`, `["drop", "AuthorizationError"`, `["reset", "`, "drops-are-denied",
	} {
		if !strings.Contains(seen, good) {
			t.Errorf("Sam does not see %q:\n%s", good, seen)
		}
	}
	if got := c.day(t, c.url, "", "count"); got[0] != `["count", 20]` {
		t.Errorf("afterwards there are %v", got)
	}
}

func TestAHeldUpsertRunsOnceItIsReleased(t *testing.T) {
	c := start(t)
	c.day(t, c.url, "", "fill")
	sam, arno := c.As(t, "sam"), c.As(t, "arno")
	done := make(chan []string, 1)
	go func() { done <- c.day(t, c.gateway, sam, "upsert") }()
	id := c.first(t, arno, "/api/v1/requests?state=open")
	if got := c.day(t, c.url, "", "count"); got[0] != `["count", 20]` {
		t.Errorf("before it was released there are %v", got)
	}
	c.approve(t, arno, id)
	if got := <-done; got[0] != `["upsert", null]` {
		t.Errorf("Sam sees %v", got)
	}
	if got := c.day(t, c.url, "", "count"); got[0] != `["count", 21]` {
		t.Errorf("afterwards there are %v", got)
	}
	aud := c.As(t, "aud")
	session := c.first(t, aud, "/api/v1/sessions?live=1&target=docs")
	replay, err := c.Call(t.Context(), aud, http.MethodGet, "/api/v1/sessions/"+session+"/replay", "")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(replay)
	if err != nil || !strings.Contains(string(text), `"GET /api/v2/`) || !strings.Contains(string(text), "status 200") {
		t.Errorf("the auditor sees %s, %v", text, err)
	}
}

func TestSomebodyWithoutATokenGetsNowhere(t *testing.T) {
	c := start(t)
	for _, token := range []string{"", "wrong"} {
		out := c.attempt(t, c.gateway, token, "count")
		if !strings.Contains(out, "ChromaAuthError") && !strings.Contains(out, "token") {
			t.Errorf("with the token %q: %s", token, out)
		}
	}
}

// TestEveryOperationThatChromaPublishesIsMapped compares the table with the server's own OpenAPI document.
func TestEveryOperationThatChromaPublishesIsMapped(t *testing.T) {
	c := start(t)
	client := http.Client{Timeout: 30 * time.Second}
	resp, err := client.Get(c.url + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]struct{ OperationID string }
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, r := range chroma.Routes() {
		have[r.Method+" "+shape(r.Path)] = true
	}
	n := 0
	for path, methods := range doc.Paths {
		for method, op := range methods {
			n++
			if !have[strings.ToUpper(method)+" "+shape(path)] {
				t.Errorf("%s %s (%s) is not in the table", method, path, op.OperationID)
			}
		}
	}
	if n < 30 {
		t.Errorf("the server publishes %d operations only", n)
	}
}

// shape is a path without the names of its parameters.
func shape(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if strings.HasPrefix(p, "{") {
			parts[i] = "{}"
		}
	}
	return strings.Join(parts, "/")
}
