package chromatest

import (
	"bytes"
	"context"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/test/get/fetch"
	"github.com/vecgate/vecgate/test/world"
)

// node returns the lines of a day of the client for Node.
func (c *place) node(t *testing.T, url, token, what string) []string {
	t.Helper()
	f, err := fetch.New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	modules, err := f.ChromaNode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", filepath.Join(world.Root(), "test/chromatest/day.js"), url, token, what)
	cmd.Env = append(cmd.Environ(), "NODE_PATH="+modules)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%s at %s: %v\n%s%s", what, url, err, out, complaints.String())
		return []string{""}
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func TestANormalDayInNodeLooksTheSameThroughTheGateway(t *testing.T) {
	c := start(t)
	direct := c.node(t, c.url, "", "everything")
	through := c.node(t, c.gateway, c.As(t, "tess"), "everything")
	for _, lines := range [][]string{direct, through} {
		unnumbered(lines)
		for i := range lines { // an error of this client names the address
			lines[i] = strings.ReplaceAll(strings.ReplaceAll(lines[i], c.url, "URL"), c.gateway, "URL")
		}
	}
	if d := gocmp.Diff(direct, through); d != "" {
		t.Errorf("what Tess sees through the gateway differs (-direct +gateway):\n%s", d)
	}
	if len(direct) < 13 {
		t.Errorf("the day ended early: %q", direct)
	}
}

func TestPersonalDataAndVectorsAreHiddenInNode(t *testing.T) {
	c := start(t)
	c.day(t, c.url, "", "fill")
	sam := c.As(t, "sam")
	seen := strings.Join(c.node(t, c.gateway, sam, "look"), "\n")
	for _, bad := range []string{"person3@", "-3.0", "e-0"} {
		if strings.Contains(seen, bad) {
			t.Errorf("Sam sees %q:\n%s", bad, seen)
		}
	}
	for _, good := range []string{`"email":"[redacted]"`, `"text number 3"`, `["by email","ChromaForbiddenError"`, `["drop","ChromaForbiddenError"`} {
		if !strings.Contains(seen, good) {
			t.Errorf("Sam does not see %q:\n%s", good, seen)
		}
	}
	done := make(chan []string, 1)
	go func() { done <- c.node(t, c.gateway, sam, "upsert") }()
	arno := c.As(t, "arno")
	c.approve(t, arno, c.first(t, arno, "/api/v1/requests?state=open"))
	if got := <-done; got[0] != `["upsert",null]` {
		t.Errorf("Sam sees %v", got)
	}
	if got := c.day(t, c.url, "", "count"); got[0] != `["count", 21]` {
		t.Errorf("afterwards there are %v", got)
	}
}
