package weaviatetest

import (
	"bytes"
	"context"
	"log/slog"
	"os/exec"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/test/get/fetch"
)

// golang runs a day of the client for Go, direct or through the gateway, and returns the lines that it printed.
func (w *theatre) golang(t *testing.T, direct bool, token, what string) []string {
	t.Helper()
	f, err := fetch.New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	program, err := f.GoClient(t.Context(), "weaviate")
	if err != nil {
		t.Fatal(err)
	}
	rest, grpc := w.gateway, w.calls
	if direct {
		rest, grpc, token = w.server.Address, w.GRPC, w.Key
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, rest, grpc, token, what)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%s (direct: %v): %v\n%s%s", what, direct, err, out, complaints.String())
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func TestANormalDayInGoLooksTheSameThroughTheGateway(t *testing.T) {
	w := start(t, "")
	direct := w.golang(t, true, "", "everything")
	w.clear(t)
	through := w.golang(t, false, w.As(t, "tess"), "everything")
	if d := gocmp.Diff(direct, through); d != "" {
		t.Errorf("what Tess sees in Go through the gateway differs (-direct +gateway):\n%s", d)
	}
	if len(direct) < 40 {
		t.Errorf("the day ended early: %q", direct)
	}
}

func TestPersonalDataAndVectorsAreHiddenFromAScientistWithTheGoClient(t *testing.T) {
	w := start(t, "")
	w.fill(t)
	sam, arno := w.As(t, "sam"), w.As(t, "arno")
	seen := strings.Join(w.golang(t, false, sam, "look"), "\n")
	for _, bad := range []string{"person3", "nested3", "-3", "0.0000"} {
		if strings.Contains(seen, bad) {
			t.Errorf("Sam sees %q:\n%s", bad, seen)
		}
	}
	for _, good := range []string{
		`"email":"[redacted]"`, `"address":{"email":"[redacted]"}`, `"title":"text number 3"`, `"vectors":{"default":null}`, `"Vectors":null`,
		`["by email","error",`, `["search by email","error",`, `["sort","error",`, `["top","error",`, "field email of docs/default/Customers is hidden", `["delete","error",`, `["drop","error","status code: 403`, "drops-are-denied",
	} {
		if !strings.Contains(seen, good) {
			t.Errorf("Sam does not see %q:\n%s", good, seen)
		}
	}
	if got := w.count(t); got != 20 {
		t.Errorf("afterwards there are %d", got)
	}

	done := make(chan []string, 1)
	go func() { done <- w.golang(t, false, sam, "upsert") }()
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
	if got := <-done; got[0] != `["upsert",[]]` {
		t.Errorf("Sam sees %v", got)
	}
	if got := w.count(t); got != 21 {
		t.Errorf("afterwards there are %d", got)
	}
}
