package guide

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vecgate/vecgate/test/ports"
	"github.com/vecgate/vecgate/test/stage"
)

// shelf is the home-grown service of the guide: it has two letters, of two tenants.
type shelf struct {
	mu    sync.Mutex
	asked []string // the conditions of its searches
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/healthz" {
		return
	}
	var ask struct {
		K     int
		Where map[string]string
	}
	if err := json.NewDecoder(r.Body).Decode(&ask); err != nil || r.URL.Path != "/search" {
		http.Error(w, `{"message": "this stand-in searches only", "code": 1}`, http.StatusNotFound)
		return
	}
	where, _ := json.Marshal(ask.Where) // it was JSON
	s.mu.Lock()
	s.asked = append(s.asked, string(where))
	s.mu.Unlock()
	hits := []any{}
	for i, tenant := range []string{"acme", "globex"} {
		if want, ok := ask.Where["tenant"]; (!ok || want == tenant) && len(hits) < ask.K {
			hits = append(hits, map[string]any{
				"id": fmt.Sprint(i + 1), "distance": 0.25, "fields": map[string]string{"email": "ann@example.com", "tenant": tenant}, "vector": []float64{1, 2},
			})
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"hits": hits, "took_ms": 1})
}

// TestTheHomeGrownServiceOfTheGuideAnswersAsShown runs a gateway with the first description and policy of the guide to HTTP
// interfaces before a stand-in for the service, and the commands that it shows.
func TestTheHomeGrownServiceOfTheGuideAnswersAsShown(t *testing.T) {
	service := &shelf{}
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	port, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	there := strings.NewReplacer("127.0.0.1:7000", strings.TrimPrefix(server.URL, "http://"), "127.0.0.1:8000", fmt.Sprintf("127.0.0.1:%d", port))
	var config, policy, commands string
	for _, s := range snippets(t, "generic-http.md") {
		switch {
		case s.Language == "yaml" && config == "":
			config = there.Replace(s.Text)
		case s.Language == "yaml policy" && policy == "":
			policy = strings.Replace(s.Text, "subject.claims.tenant", "[acme]", 1) // the tests' provider tells of no tenant
		case s.Language == "console" && commands == "":
			commands = there.Replace(strings.TrimSuffix(s.Text, "\n"))
		case s.Language == "console":
			t.Errorf("nobody runs\n%s", s.Text)
		}
	}
	s := stage.Start(t, stage.Options{Sections: config, Policy: policy})
	steps, err := Block{File: "generic-http.md", Kind: "console", Text: commands}.steps()
	if err != nil {
		t.Fatal(err)
	}
	if len(steps) < 2 {
		t.Fatalf("the guide has only %d commands", len(steps))
	}
	token := s.As(t, "sam")
	for _, step := range steps {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		cmd := exec.CommandContext(ctx, "bash", "-c", step.command)
		cmd.Env = append(os.Environ(), "VECGATE_TOKEN="+token)
		out, err := cmd.CombinedOutput()
		cancel()
		if err != nil {
			t.Errorf("%s: %v: %s", step.command, err, out)
		} else if err := (Names{}).whole(step.prints, string(out)); err != nil {
			t.Errorf("%s: %v", step.command, err)
		}
	}
	service.mu.Lock()
	defer service.mu.Unlock()
	if got := strings.Join(service.asked, " "); got != `{"tenant":"acme"}` {
		t.Errorf("the service was asked under %s", got)
	}
}
