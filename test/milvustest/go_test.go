package milvustest

import (
	"log/slog"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/test/get/fetch"
)

// golang is day with the client for Go.
func (l *lite) golang(t *testing.T, address, token, what string) []string {
	t.Helper()
	f, err := fetch.New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	program, err := f.GoClient(t.Context(), "milvus")
	if err != nil {
		t.Fatal(err)
	}
	out, err := l.run(t, nil, program, address, token, what)
	if err != nil {
		t.Errorf("%s at %s: %v\n%s", what, address, err, out)
		return []string{""}
	}
	return strings.Split(strings.TrimSpace(out), "\n")
}

func TestANormalDayInGoLooksTheSameThroughTheGateway(t *testing.T) {
	g := start(t)
	direct := g.golang(t, g.lite.Address, "", "everything")
	through := g.golang(t, g.Address["grpc"], g.As(t, "tess"), "everything")
	if d := gocmp.Diff(direct, through); d != "" {
		t.Errorf("what Tess sees in Go through the gateway differs (-direct +gateway):\n%s", d)
	}
	if len(direct) < 40 {
		t.Errorf("the day ended early: %q", direct)
	}
}

func TestPersonalDataAndVectorsAreHiddenFromAScientistWithTheGoClient(t *testing.T) {
	g := start(t)
	g.day(t, g.straight(), "", "fill")
	sam, arno := g.As(t, "sam"), g.As(t, "arno")
	lines := g.golang(t, g.Address["grpc"], sam, "look")
	seen := strings.Join(lines, "\n")
	for _, bad := range []string{"person3@", "-3", "e-0", "nick3", "0047-55"} {
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
		"get":      {`"email":"[redacted]"`, `"city":"Oslo"`, "red3", `"phone":"****0003"`},
		"star":     {`"email":"[redacted]"`, "red3"},
		"search":   {`"email":"[redacted]"`, `"distance":0`},
		"named":    {`"email":"[redacted]"`, `"distance":0`},
		"by email": {"PermissionDenied", "field email of vectors/default/customers is hidden"},
		"range":    {"PermissionDenied", "may not be bounded by them"},
		"delete":   {"PermissionDenied", "may not delete"},
		"drop":     {"PermissionDenied", "drops-are-denied"},
	} {
		for _, w := range want {
			if !strings.Contains(said[name], w) {
				t.Errorf("of %q Sam sees %s, want %s", name, said[name], w)
			}
		}
	}

	done := make(chan []string, 1)
	go func() { done <- g.golang(t, g.Address["grpc"], sam, "upsert") }()
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
	if got := <-done; got[0] != `["upsert",1]` {
		t.Errorf("Sam sees %v", got)
	}
	if got := g.day(t, g.straight(), "", "count"); got[0] != `["count", 21]` {
		t.Errorf("afterwards there are %v", got)
	}
}
