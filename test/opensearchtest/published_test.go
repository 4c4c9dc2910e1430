package opensearchtest

import (
	"log/slog"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/protocol/opensearch"
	"github.com/vecgate/vecgate/test/get/fetch"
	"github.com/vecgate/vecgate/test/world"
)

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// TestEveryOperationThatTheClientsPublishIsMappedOrRefused compares the table with what the published Python clients of
// OpenSearch and of Elasticsearch can ask for.
func TestEveryOperationThatTheClientsPublishIsMappedOrRefused(t *testing.T) {
	have := map[string]bool{}
	for _, r := range opensearch.Routes() {
		have[r.Method+" "+parameter.ReplaceAllString(r.Path, "{}")] = true
	}
	families := map[string]int{}
	for _, f := range opensearch.Families() {
		for _, path := range f.Paths {
			families[parameter.ReplaceAllString(path, "{}")] = 0
		}
	}
	f, err := fetch.New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	python, err := f.OpenSearchPython(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), python, filepath.Join(world.Root(), "test/opensearchtest/published.py")).Output()
	if err != nil {
		t.Fatal(err)
	}
	published := map[string]int{}
	for line := range strings.Lines(string(out)) {
		client, operation, _ := strings.Cut(strings.TrimSpace(line), " ")
		published[client]++
		_, path, _ := strings.Cut(operation, " ")
		known := have[operation]
		for family := range families {
			if path == family || strings.HasPrefix(path, family+"/") {
				if !known {
					families[family]++
				}
				known = true
			}
		}
		if !known {
			t.Errorf("%s: %s is neither in the table nor in a family that is refused", client, operation)
		}
	}
	if published["opensearchpy"] < 500 || published["elasticsearch"] < 500 {
		t.Errorf("the clients know %v operations only", published)
	}
	for family, n := range families {
		if n == 0 {
			t.Errorf("nothing that is published is refused because of the family %s", family)
		}
	}
}
