package milvustest

import (
	"io"
	"net/http"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

func TestANormalDayLooksTheSameThroughTheGateway(t *testing.T) {
	g := start(t)
	direct := g.day(t, g.straight(), "", "everything")
	through := g.day(t, g.gateway(), g.As(t, "tess"), "everything")
	if d := gocmp.Diff(direct, through); d != "" {
		t.Errorf("what Tess sees through the gateway differs (-direct +gateway):\n%s", d)
	}
	if len(direct) < 30 {
		t.Errorf("the day ended early: %q", direct)
	}
	direct = g.day(t, g.straight(), "", "chain")
	through = g.day(t, g.gateway(), g.As(t, "tess"), "chain")
	if d := gocmp.Diff(direct, through); d != "" || len(direct) != 4 {
		t.Errorf("what LangChain sees through the gateway differs (-direct +gateway):\n%s\n%q", d, direct)
	}
}

func TestPersonalDataAndVectorsAreHiddenFromAScientist(t *testing.T) {
	g := start(t)
	g.day(t, g.straight(), "", "fill")
	lines := g.day(t, g.gateway(), g.As(t, "sam"), "look")
	seen := strings.Join(lines, "\n")
	for _, bad := range []string{"person3@", "-3.0", "e-0", "nick3", "0047-55"} {
		if strings.Contains(seen, bad) {
			t.Errorf("Sam sees %q:\n%s", bad, seen)
		}
	}
	said := map[string]string{}
	for _, line := range lines {
		name, rest, _ := strings.Cut(strings.TrimPrefix(line, `["`), `"`)
		said[name] = rest
	}
	for name, want := range map[string][]string{
		"get":        {`"email": "[redacted]"`, `"city": "Oslo"`, `"color": "red3"`, `"nick": {"name": "[redacted]"}`, `"phone": "****0003"`},
		"star":       {`"email": "[redacted]"`, `"color": "red3"`, `"phone": "****0003"`},
		"unsaid":     {`"distance": 0.0`},
		"search":     {`"email": "[redacted]"`, `"distance": 0.0`},
		"grouped":    {"field email of vectors/default/customers is hidden"},
		"by email":   {"field email of vectors/default/customers is hidden"},
		"by phone":   {"field meta.phone of vectors/default/customers is hidden"},
		"odd":        {"field email of vectors/default/customers is hidden"},
		"range":      {"may not be bounded by them"},
		"everything": {"InactiveRpcError", "may not"},
		"secrets":    {"InactiveRpcError", "may not"},
		"list":       {`["customers"]`},
		"drop":       {"InactiveRpcError", "drops-are-denied"},
		"delete all": {"may not delete everything"},
		"users":      {"InactiveRpcError", "may not"},
	} {
		for _, w := range want {
			if !strings.Contains(said[name], w) {
				t.Errorf("of %q Sam sees %s, want %s", name, said[name], w)
			}
		}
	}
	if got := g.day(t, g.straight(), "", "count"); got[0] != `["count", 20]` {
		t.Errorf("afterwards there are %v", got)
	}
}

func TestATenantReachesItsOwnPointsOnEveryWay(t *testing.T) {
	g := start(t)
	g.day(t, g.straight(), "", "fill")
	lines := g.day(t, g.gateway(), g.As(t, "olga"), "tenant")
	want := []string{
		`["get", [3]]`,
		`["query", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]]`,
		`["count", [{"count(*)": 10}]]`,
		`["search", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]]`,
		`["hybrid", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]]`,
		`["delete", [9]]`,
		`["delete by filter", [8]]`,
	}
	if d := gocmp.Diff(want, lines[:min(len(want), len(lines))]); d != "" {
		t.Errorf("Olga sees (-want +got):\n%s", d)
	}
	seen := strings.Join(lines, "\n")
	for _, w := range []string{
		`["foreign", "_InactiveRpcError", "`, "lets you write only points to vectors/default/customers whose tenant is one of acme",
		`["stolen", "_InactiveRpcError", "`, `["stolen by insert", "_InactiveRpcError", "`, "some of the keys are taken by points of others",
		`["own", {`, `["new", {`, `["stats", "_InactiveRpcError", "`,
	} {
		if !strings.Contains(seen, w) {
			t.Errorf("Olga does not see %s:\n%s", w, seen)
		}
	}
	if got := g.day(t, g.straight(), "", "count"); got[0] != `["count", 19]` {
		t.Errorf("afterwards there are %v", got)
	}
}

func TestAHeldUpsertRunsOnceItIsReleased(t *testing.T) {
	g := start(t)
	g.day(t, g.straight(), "", "fill")
	sam, arno, aud := g.As(t, "sam"), g.As(t, "arno"), g.As(t, "aud")
	done := make(chan []string, 1)
	go func() { done <- g.day(t, g.gateway(), sam, "upsert") }()
	id, err := g.First(t.Context(), arno, "/api/v1/requests?state=open")
	if err != nil {
		t.Fatal(err)
	}
	if got := g.day(t, g.straight(), "", "count"); got[0] != `["count", 20]` {
		t.Errorf("before it was released there are %v", got)
	}
	if err := g.Approve(t.Context(), arno, id); err != nil {
		t.Fatal(err)
	}
	if got := <-done; !strings.HasPrefix(got[0], `["upsert", {`) {
		t.Errorf("Sam sees %v", got)
	}
	if got := g.day(t, g.straight(), "", "count"); got[0] != `["count", 21]` {
		t.Errorf("afterwards there are %v", got)
	}
	session, err := g.First(t.Context(), aud, "/api/v1/sessions?live=1&target=vectors")
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.API+"/api/v1/sessions/"+session+"/replay", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+aud)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(text), "MilvusService/Upsert") || !strings.Contains(string(text), "upsert_cnt") {
		t.Errorf("the auditor sees %s, %v", text, err)
	}
}

func TestSomebodyWithoutATokenGetsNowhere(t *testing.T) {
	g := start(t)
	for _, token := range []string{"", "wrong"} {
		out, err := g.run(t, nil, g.Python, program("day.py"), g.gateway(), token, "count")
		if err == nil || !strings.Contains(out, "token") {
			t.Errorf("with the token %q: %v %s", token, err, out)
		}
	}
}

func TestANormalDayOfNodeLooksTheSameThroughTheGateway(t *testing.T) {
	g := start(t)
	direct := g.node(t, g.lite.Address, "", "everything")
	through := g.node(t, g.Address["grpc"], g.As(t, "tess"), "everything")
	if d := gocmp.Diff(direct, through); d != "" {
		t.Errorf("what Tess sees through the gateway differs (-direct +gateway):\n%s", d)
	}
	if len(direct) < 15 {
		t.Errorf("the day ended early: %q", direct)
	}
	g.day(t, g.straight(), "", "fill")
	seen := strings.Join(g.node(t, g.Address["grpc"], g.As(t, "sam"), "look"), "\n")
	for _, bad := range []string{"person3@", "-3.0", "e-0", "nick3", "0047-55"} {
		if strings.Contains(seen, bad) {
			t.Errorf("Sam sees %q:\n%s", bad, seen)
		}
	}
	for _, good := range []string{`"email":"[redacted]"`, `"color":"red3"`, "field email of vectors/default/customers is hidden", "drops-are-denied"} {
		if !strings.Contains(seen, good) {
			t.Errorf("Sam does not see %q:\n%s", good, seen)
		}
	}
}
