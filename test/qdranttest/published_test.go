package qdranttest

import (
	"log/slog"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	pb "github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/vecgate/vecgate/internal/protocol/qdrant"
	"github.com/vecgate/vecgate/test/get/fetch"
	"github.com/vecgate/vecgate/test/world"
)

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// TestEveryOperationThatQdrantPublishesIsMapped compares the tables with what the published clients know.
func TestEveryOperationThatQdrantPublishesIsMapped(t *testing.T) {
	have := map[string]bool{}
	for _, r := range qdrant.Routes() {
		have[r.Method+" "+parameter.ReplaceAllString(r.Path, "{}")] = true
	}
	for _, m := range qdrant.Methods() {
		have[m.Name] = true
	}
	f, err := fetch.New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	python, err := f.Qdrant(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), python, filepath.Join(world.Root(), "test/qdranttest/published.py")).Output()
	if err != nil {
		t.Fatal(err)
	}
	rest, rpcs := 0, 0
	for line := range strings.Lines(string(out)) {
		name := parameter.ReplaceAllString(strings.TrimSpace(line), "{}")
		if !have[name] {
			t.Errorf("%s is not in the table", name)
		}
		if strings.HasPrefix(name, "/") {
			rpcs++
		} else {
			rest++
		}
	}
	if rest < 60 || rpcs < 45 {
		t.Errorf("the Python client knows %d operations of REST and %d of gRPC only", rest, rpcs)
	}
}

// TestEveryMethodHasThePublishedMessages compares the table with the published descriptors.
func TestEveryMethodHasThePublishedMessages(t *testing.T) {
	types := map[string][2]protoreflect.FullName{}
	for _, m := range qdrant.Methods() {
		types[m.Name] = [2]protoreflect.FullName{m.Request.Descriptor().FullName(), m.Response.Descriptor().FullName()}
	}
	n := 0
	for _, file := range []protoreflect.FileDescriptor{pb.File_points_service_proto, pb.File_collections_service_proto, pb.File_snapshots_service_proto, pb.File_qdrant_proto} {
		for i := range file.Services().Len() {
			s := file.Services().Get(i)
			for j := range s.Methods().Len() {
				n++
				m := s.Methods().Get(j)
				name := "/" + string(s.FullName()) + "/" + string(m.Name())
				if want := [2]protoreflect.FullName{m.Input().FullName(), m.Output().FullName()}; types[name] != want {
					t.Errorf("%s has %v, want %v", name, types[name], want)
				}
			}
		}
	}
	if n < 45 {
		t.Errorf("%d methods are published only", n)
	}
}
