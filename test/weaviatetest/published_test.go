package weaviatetest

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/vecgate/vecgate/internal/protocol/weaviate"
	"github.com/vecgate/vecgate/internal/protocol/weaviate/weaviatepb"
	"github.com/vecgate/vecgate/test/world"
)

// TestEveryOperationThatWeaviatePublishesIsMapped compares the table with the server's own OpenAPI document.
func TestEveryOperationThatWeaviatePublishesIsMapped(t *testing.T) {
	s, err := running()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(s.direct(t, "GET", "/v1/swagger.json", "")), &doc); err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, r := range weaviate.Routes() {
		have[r.Method+" "+shape(r.Path)] = true
	}
	n := 0
	for path, methods := range doc.Paths {
		for method := range methods {
			if method == "parameters" {
				continue
			}
			n++
			if key := strings.ToUpper(method) + " " + shape("/v1"+strings.TrimSuffix(path, "/")); !have[key] {
				t.Errorf("%s is not in the table", key)
			}
		}
	}
	if n < 90 {
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

// published is a gRPC interface.
type published struct {
	Messages map[string]map[string][]string
	Enums    map[string]map[string]string
	Methods  map[string][]any
}

// TestTheGRPCInterfaceIsTheOneOfTheOfficialClient compares weaviate.proto with the client's own descriptors, number by number.
func TestTheGRPCInterfaceIsTheOneOfTheOfficialClient(t *testing.T) {
	s, err := running()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), s.Python, "-W", "ignore", filepath.Join(world.Root(), "test/weaviatetest/published.py")).Output()
	if err != nil {
		t.Fatal(err)
	}
	var theirs published
	if err := json.Unmarshal(out, &theirs); err != nil {
		t.Fatal(err)
	}
	ours := published{map[string]map[string][]string{}, map[string]map[string]string{}, map[string][]any{}}
	file := weaviatepb.File_weaviate_proto
	messages(file.Messages(), &ours)
	enums(file.Enums(), &ours)
	for i := range file.Services().Len() {
		service := file.Services().Get(i)
		for j := range service.Methods().Len() {
			m := service.Methods().Get(j)
			ours.Methods[fmt.Sprintf("/%s/%s", service.FullName(), m.Name())] = []any{string(m.Input().FullName()), string(m.Output().FullName()), m.IsStreamingClient(), m.IsStreamingServer()}
		}
	}
	if d := gocmp.Diff(theirs, ours); d != "" {
		t.Errorf("weaviate.proto differs from the client (-client +ours):\n%s", d)
	}
	table := map[string]bool{}
	for _, m := range weaviate.NewGRPC(time.Now).Methods() {
		table[m.Name] = true
	}
	for name := range theirs.Methods {
		if !table[name] {
			t.Errorf("%s is not in the table", name)
		}
	}
	if len(theirs.Methods) < 7 || len(theirs.Messages) < 150 {
		t.Errorf("the client has %d methods and %d messages only", len(theirs.Methods), len(theirs.Messages))
	}
}

func messages(list protoreflect.MessageDescriptors, into *published) {
	for i := range list.Len() {
		m := list.Get(i)
		fields := map[string][]string{}
		for j := range m.Fields().Len() {
			f := m.Fields().Get(j)
			kind := f.Kind().String()
			switch {
			case f.Message() != nil:
				kind = string(f.Message().FullName())
			case f.Enum() != nil:
				kind = string(f.Enum().FullName())
			}
			if f.Cardinality() == protoreflect.Repeated {
				kind = "repeated " + kind
			}
			fields[fmt.Sprint(f.Number())] = []string{string(f.Name()), kind}
		}
		into.Messages[string(m.FullName())] = fields
		messages(m.Messages(), into)
		enums(m.Enums(), into)
	}
}

func enums(list protoreflect.EnumDescriptors, into *published) {
	for i := range list.Len() {
		e := list.Get(i)
		values := map[string]string{}
		for j := range e.Values().Len() {
			values[fmt.Sprint(e.Values().Get(j).Number())] = string(e.Values().Get(j).Name())
		}
		into.Enums[string(e.FullName())] = values
	}
}
