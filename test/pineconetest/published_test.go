package pineconetest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/vecgate/vecgate/internal/protocol/pinecone"
	"github.com/vecgate/vecgate/internal/protocol/pinecone/pineconepb"
)

// published is what Pinecone's own client says of the interface.
type published struct {
	Messages   map[string]map[string][]any
	Methods    map[string][]string
	Operations []string
}

func publish(t *testing.T, c tools) published {
	t.Helper()
	out, err := run(t.Context(), t.TempDir(), []string{c.before, script("published.py")})
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var p published
	if err := json.Unmarshal([]byte(out), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestTheMessagesAreTheOnesThatPineconePublishes compares ours with the descriptors in Pinecone's package, field by field.
func TestTheMessagesAreTheOnesThatPineconePublishes(t *testing.T) {
	p := publish(t, fetched(t))
	delete(p.Messages, "RequestUnion") // is in no method
	file := protodesc.ToFileDescriptorProto(pineconepb.File_vector_service_proto)
	ours := published{Messages: map[string]map[string][]any{}, Methods: map[string][]string{}}
	fields := func(m *descriptorpb.DescriptorProto) map[string][]any {
		all := map[string][]any{}
		for _, f := range m.GetField() {
			all[f.GetName()] = []any{float64(f.GetNumber()), float64(f.GetType()), float64(f.GetLabel()), strings.TrimPrefix(f.GetTypeName(), "."), f.GetProto3Optional()}
		}
		return all
	}
	for _, m := range file.GetMessageType() {
		ours.Messages[m.GetName()] = fields(m)
		for _, n := range m.GetNestedType() {
			ours.Messages[m.GetName()+"."+n.GetName()] = fields(n)
		}
	}
	if d := cmp.Diff(p.Messages, ours.Messages); d != "" {
		t.Errorf("messages (-published +ours):\n%s", d)
	}
	for _, m := range pinecone.Methods() {
		name := strings.TrimPrefix(m.Name, "/VectorService/")
		ours.Methods[name] = []string{string(m.Request.Descriptor().FullName()), string(m.Response.Descriptor().FullName())}
	}
	if d := cmp.Diff(p.Methods, ours.Methods); d != "" || len(p.Methods) < 12 {
		t.Errorf("methods (-published +ours):\n%s", d)
	}
}

// TestEveryOperationThatPineconePublishesIsMapped compares the table with the operations in Pinecone's clients.
func TestEveryOperationThatPineconePublishesIsMapped(t *testing.T) {
	c := fetched(t)
	have := map[string]bool{}
	for _, r := range pinecone.Routes() {
		have[r.Method+" "+shape(r.Path)] = true
	}
	node, err := run(t.Context(), t.TempDir(), []string{"node", script("published.js")}, "NODE_PATH="+c.node)
	if err != nil {
		t.Fatalf("%v: %s", err, node)
	}
	for client, operations := range map[string][]string{"Python": publish(t, c).Operations, "Node": strings.Split(strings.TrimSpace(node), "\n")} {
		if len(operations) < 50 {
			t.Errorf("the client for %s publishes %d operations only", client, len(operations))
		}
		for _, o := range operations {
			method, path, _ := strings.Cut(o, " ")
			if !have[method+" "+shape(path)] {
				t.Errorf("%s (%s) is not in the table", o, client)
			}
		}
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
