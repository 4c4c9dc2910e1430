package opensearchtest

import (
	"bytes"
	"context"
	"log/slog"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/test/get/fetch"
)

var word = regexp.MustCompile(`[\w-]+`)

// chosen leaves out the id of an index, which OpenSearch chooses, may begin and end with a dash, and is told in complaints.
func chosen(w string) string {
	if len(w) == 22 {
		return "ID"
	}
	return w
}

// golang is day with one of the clients for Go.
func golang(t *testing.T, client, url, token, what string) []string {
	t.Helper()
	f, err := fetch.New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	program, err := f.GoClient(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, url, token, what)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%s %s at %s: %v\n%s%s", client, what, url, err, out, complaints.String())
		return []string{""}
	}
	return strings.Split(strings.TrimSpace(word.ReplaceAllStringFunc(string(out), chosen)), "\n")
}

// goSuite is a day, a look and a held upsert of one of the clients.
func goSuite(t *testing.T, b *behind, client, direct string) {
	t.Helper()
	tess, sam, arno := b.As(t, "tess"), b.As(t, "sam"), b.As(t, "arno")
	want, got := golang(t, client, direct, "", "everything"), golang(t, client, b.gateway, tess, "everything")
	if d := gocmp.Diff(want, got); d != "" {
		t.Errorf("what Tess sees through the gateway differs (-direct +gateway):\n%s", d)
	}
	if len(want) < 25 {
		t.Errorf("the day ended early: %q", want)
	}

	day(t, "day.py", server.url, "", "fill")
	seen := strings.Join(golang(t, client, b.gateway, sam, "look"), "\n")
	for _, bad := range []string{"person3@", "note3@", "-3", "0.99"} {
		if strings.Contains(seen, bad) {
			t.Errorf("Sam sees %q:\n%s", bad, seen)
		}
	}
	for _, good := range []string{`"email":"[redacted]"`, `"text":"text number 3"`, "field email of docs/default/customers is hidden", "may not delete", "drops-are-denied"} {
		if !strings.Contains(seen, good) {
			t.Errorf("Sam does not see %q:\n%s", good, seen)
		}
	}

	done := make(chan []string, 1)
	go func() { done <- golang(t, client, b.gateway, sam, "upsert") }()
	id, err := b.First(t.Context(), arno, "/api/v1/requests?state=open")
	if err != nil {
		t.Fatal(err)
	}
	if n := stored(t); n != 20 {
		t.Errorf("before it was released there are %d", n)
	}
	if err := b.Approve(t.Context(), arno, id); err != nil {
		t.Fatal(err)
	}
	if got := <-done; got[0] != `["upsert","created"]` {
		t.Errorf("Sam sees %v", got)
	}
	if n := stored(t); n != 21 {
		t.Errorf("afterwards there are %d", n)
	}
}

func TestDaysOfOpenSearchsGoClientLookTheSameThroughTheGateway(t *testing.T) {
	goSuite(t, start(t), "opensearch", server.url)
}

func TestDaysOfTheElasticsearchGoClientWithAStandIn(t *testing.T) {
	b, direct := startElastic(t)
	goSuite(t, b, "elasticsearch", direct)
}
