package weaviatetest

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/test/world"
)

func TestANormalDayLooksTheSameThroughTheGateway(t *testing.T) {
	w := start(t, "")
	direct := w.day(t, true, "", "everything")
	through := w.day(t, false, w.As(t, "tess"), "everything")
	if d := gocmp.Diff(direct, through); d != "" {
		t.Errorf("what Tess sees through the gateway differs (-direct +gateway):\n%s", d)
	}
	if len(direct) < 31 {
		t.Errorf("the day ended early: %q", direct)
	}
}

func TestPersonalDataAndVectorsAreHiddenFromAScientist(t *testing.T) {
	w := start(t, "")
	w.fill(t)
	seen := strings.Join(w.day(t, false, w.As(t, "sam"), "look"), "\n")
	for _, bad := range []string{"person", "nested", "-3.0", "e-0"} {
		if strings.Contains(strings.ReplaceAll(seen, "personal-data", ""), bad) {
			t.Errorf("Sam sees %q:\n%s", bad, seen)
		}
	}
	for _, good := range []string{
		`"email": "[redacted]"`, `"text number 3"`, `"e": "[redacted]"`, `"v": null`,
		`["by email", "`, `["by length", "`, `["sort", "`, `["words", []]`, `["group", "`, `["top", "`,
		"field email of docs/default/Customers is hidden", `["all", "`, `["drop", "InsufficientPermissionsError"`, "drops-are-denied", `["backup", "`,
	} {
		if !strings.Contains(seen, good) {
			t.Errorf("Sam does not see %q:\n%s", good, seen)
		}
	}
	if got := w.count(t); got != 20 {
		t.Errorf("afterwards there are %d", got)
	}
}

func TestAHeldUpsertRunsOnceItIsReleased(t *testing.T) {
	w := start(t, "")
	w.fill(t)
	sam, arno := w.As(t, "sam"), w.As(t, "arno")
	done := make(chan []string, 1)
	go func() { done <- w.day(t, false, sam, "upsert") }()
	id, err := w.First(t.Context(), arno, "/api/v1/requests?state=open")
	if err != nil {
		t.Fatal(err)
	}
	if got := w.count(t); got != 20 {
		t.Errorf("before it was released there are %d", got)
	}
	if err := w.Approve(t.Context(), arno, id); err != nil {
		t.Fatal(err)
	}
	if got := <-done; got[0] != `["upsert", false]` {
		t.Errorf("Sam sees %v", got)
	}
	if got := w.count(t); got != 21 {
		t.Errorf("afterwards there are %d", got)
	}
	aud := w.As(t, "aud")
	text, err := json.Marshal(replay(t, w, aud))
	if err != nil || !strings.Contains(string(text), "BatchObjects") {
		t.Errorf("the auditor sees %.2000s, %v", text, err)
	}
}

func TestANormalDayOfTheJavaScriptClientLooksTheSameThroughTheGateway(t *testing.T) {
	w := start(t, "")
	direct := w.day(t, true, "", "javascript")
	through := w.day(t, false, w.As(t, "tess"), "javascript")
	if d := gocmp.Diff(direct, through); d != "" {
		t.Errorf("what Tess sees through the gateway differs (-direct +gateway):\n%s", d)
	}
	if len(direct) < 12 {
		t.Errorf("the day ended early: %q", direct)
	}
	// Sam may not drop: the client says so in its own way.
	w.fill(t)
	out, err := w.run(false, w.As(t, "sam"), "javascript")
	if err == nil || !strings.Contains(out, "not allowed") {
		t.Errorf("Sam's day: %v\n%s", err, out)
	}
}

func TestATokenOfTheProviderIsTakenAsItIs(t *testing.T) {
	w := start(t, "")
	w.fill(t)
	token, err := world.SignIn(t.Context(), w.IDP.Issuer(world.Corp), "tess")
	if err != nil {
		t.Fatal(err)
	}
	if got := w.day(t, false, "bearer:"+token, "count"); got[0] != `["count", 20]` {
		t.Errorf("Tess sees %v", got)
	}
}

func TestSomebodyWithoutATokenGetsNowhere(t *testing.T) {
	w := start(t, "")
	for _, token := range []string{"wrong", w.Key} {
		if out, err := w.run(false, token, "count"); err == nil || !strings.Contains(out, "token") && !strings.Contains(out, "credential") {
			t.Errorf("with the token %q: %v %s", token, err, out)
		}
	}
}

// replay is what an auditor sees of the session over gRPC.
func replay(t *testing.T, w *theatre, aud string) map[string]any {
	t.Helper()
	list, err := w.Call(t.Context(), aud, http.MethodGet, "/api/v1/sessions?live=1&target=docs", "")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	for _, v := range list {
		sessions, _ := v.([]any)
		for _, s := range sessions {
			id, _ := s.(map[string]any)["id"].(string)
			if all[id], err = w.Call(t.Context(), aud, http.MethodGet, "/api/v1/sessions/"+id+"/replay", ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	return all
}
