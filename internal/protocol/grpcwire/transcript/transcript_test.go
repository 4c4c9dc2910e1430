package transcript

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/vecgate/vecgate/internal/access"
)

func types(method string) (request, response protoreflect.MessageType) {
	if method != "/x.Y/Z" {
		return nil, nil
	}
	return (&structpb.Struct{}).ProtoReflect().Type(), (&wrapperspb.StringValue{}).ProtoReflect().Type()
}

func lines(asked, answered []byte) []string {
	var all []string
	_ = Lines(types, asked, answered, func(l access.Line) error {
		text := l.Kind + ": " + l.Text
		for _, c := range l.Cells {
			text += *c
		}
		all = append(all, text)
		return nil
	})
	return all
}

func wire(t testing.TB, m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestACallAndItsAnswersAreTold(t *testing.T) {
	object, err := structpb.NewStruct(map[string]any{"b": "x", "a": 1.5})
	if err != nil {
		t.Fatal(err)
	}
	asked := AppendMessage(AppendHead(nil, "/x.Y/Z", []string{"dbname: main"}), wire(t, object))
	answered := AppendMessage(AppendMessage(nil, wire(t, wrapperspb.String("one"))), wire(t, wrapperspb.String("two")))
	answered = append(answered, Trailers("OK")...)
	want := []string{
		"statement: /x.Y/Z", "note: dbname: main", `parameters: {"fields":{"a":{"number_value":1.5},"b":{"string_value":"x"}}}`, `row: {"value":"one"}`, `row: {"value":"two"}`, "done: status OK",
	}
	if d := cmp.Diff(want, lines(asked, answered)); d != "" {
		t.Error(d)
	}
	got := lines(AppendMessage(AppendHead(nil, "/x.Y/Unknown", nil), []byte("xyz")), Trailers("NOT_FOUND\n\"no room\""))
	want = []string{"statement: /x.Y/Unknown", "parameters: a message of 3 bytes, of a type that is not known here", `error: status NOT_FOUND "no room"`}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{`statement: "/x.Y/\x00"`}, lines(AppendHead(nil, `"/x.Y/\x00"`, nil), nil)); d != "" {
		t.Error(d)
	}
}

func TestRecordingsOfOtherProtocolsAreToldApart(t *testing.T) {
	for asked, want := range map[string]bool{
		"gRPC /x\n\n": true, "POST /get\n{}": false, "Q\x00\x00\x00\x0dSELECT 1\x00": false, "": false, "gRPC": false,
	} {
		if got := Speaks([]byte(asked)); got != want {
			t.Errorf("Speaks(%q) = %v", asked, got)
		}
	}
}

func TestMessagesReadAlikeAndAreCut(t *testing.T) {
	m := &descriptorpb.FileDescriptorProto{Name: proto.String("a \"quoted\" \\ name\n\x01é"), PublicDependency: make([]int32, 1536), Options: &descriptorpb.FileOptions{OptimizeFor: descriptorpb.FileOptions_SPEED.Enum()}}
	brief := Text(m, 1<<20, true)
	if !json.Valid([]byte(brief)) || !strings.Contains(brief, `"… 1536 in all"`) || !strings.Contains(brief, `"optimize_for":"SPEED"`) || len(brief) > 300 {
		t.Errorf("%s", brief)
	}
	var read struct{ Name string }
	if err := json.Unmarshal([]byte(brief), &read); err != nil || read.Name != m.GetName() {
		t.Errorf("%q: %v", read.Name, err)
	}
	if full := Text(m, 1<<20, false); !json.Valid([]byte(full)) || strings.Count(full, "0,0") < 700 {
		t.Errorf("%.100s", full)
	}
	for _, n := range []int{0, 1, 10, 33, 100, 2000} {
		if s := Text(m, n, false); len(s) > n+len("…") || !utf8.ValidString(s) {
			t.Errorf("%d bytes: %q", n, s)
		}
	}
	bin := wrapperspb.Bytes(make([]byte, 6144))
	if s := Text(bin, 1<<20, true); !strings.Contains(s, "6144 bytes in all") || len(s) > 100 {
		t.Errorf("%s", s)
	}
}

func FuzzLines(f *testing.F) {
	f.Add(AppendMessage(AppendHead(nil, "/x.Y/Z", nil), nil), Trailers("OK"))
	f.Add([]byte("gRPC "), []byte{0, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte("gRPC /x.Y/Z\n\n\x00\x00\x00\x00\x05\x0a\x03\x0a\x01k"), []byte{0x80, 0, 0, 0, 1, 'O'})
	f.Fuzz(func(t *testing.T, asked, answered []byte) {
		for _, l := range lines(asked, answered) {
			if !utf8.ValidString(l) || len(l) > 3*MaxText {
				t.Errorf("%.200q", l)
			}
		}
	})
}
