package grpcwire

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/conversation"
)

// bits builds messages as nobody's encoder would.
type bits []byte

func (b bits) bytes(num protowire.Number, v ...byte) bits {
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), v)
}

func (b bits) number(num protowire.Number, v uint64) bits {
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v)
}

func marshal(t testing.TB, m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWhatATypeDoesNotKnowIsNotReadOver(t *testing.T) {
	value := (&structpb.Value{}).ProtoReflect().Type()
	object := (&structpb.Struct{}).ProtoReflect().Type()
	anything := (&anypb.Any{}).ProtoReflect().Type()
	field := (&descriptorpb.FieldDescriptorProto{}).ProtoReflect().Type()
	options := (&descriptorpb.FieldOptions{}).ProtoReflect().Type()
	when := (&timestamppb.Timestamp{}).ProtoReflect().Type()
	stamp := func(b []byte) []byte {
		return marshal(t, &anypb.Any{TypeUrl: "type.googleapis.com/google.protobuf.Timestamp", Value: b})
	}
	deep := bits{}.number(4, 1)
	for range maxDepth {
		deep = bits{}.bytes(6, bits{}.bytes(1, deep...)...) // a list in a list
	}
	for name, c := range map[string]struct {
		t   protoreflect.MessageType
		b   []byte
		why string
	}{
		"an unknown field":                  {value, bits{}.number(7, 1), "field 7"},
		"in a message":                      {value, bits{}.bytes(5, bits{}.number(2, 1)...), "Struct has a field 2"},
		"in an entry of a map":              {object, bits{}.bytes(1, bits{}.bytes(1, 'k').bytes(2).number(3, 1)...), "field 3"},
		"in a value of a map":               {object, bits{}.bytes(1, bits{}.bytes(1, 'k').bytes(2, bits{}.number(9, 1)...)...), "field 9"},
		"another type":                      {value, bits{}.number(3, 1), "field 3 of google.protobuf.Value is of another type"},
		"a text that is not UTF-8":          {value, bits{}.bytes(3, 0xff), "not UTF-8"},
		"a key that is not UTF-8":           {object, bits{}.bytes(1, bits{}.bytes(1, 0xff)...), "not UTF-8"},
		"an enum's unknown value":           {field, bits{}.number(4, 99), "does not know"},
		"an enum's value that is too large": {value, bits{}.number(1, 1<<32), "does not know"},
		"a number that is too large":        {when, bits{}.number(2, 1<<32), "too large"},
		"a number that wraps":               {when, bits{}.number(2, 1<<31), "too large"},
		"an extension":                      {options, bits{}.number(50001, 1), "field 50001"},
		"too deep":                          {value, deep, "deeper"},
		"an Any of nobody's":                {anything, bits{}.bytes(1, []byte("type.googleapis.com/no.Such")...), "type that"},
		"an Any with more":                  {anything, bits{}.number(3, 1), "Any has a field"},
		"an Any with more inside":           {anything, stamp(bits{}.number(9, 1)), "Timestamp has a field 9"},
		"half a tag":                        {value, []byte{0x80}, "well-formed"},
		"half a text":                       {value, []byte{0x1a, 5, 'x'}, "well-formed"},
		"an end without a beginning":        {value, []byte{0x0c}, "well-formed"},
		"parts without end":                 {object, bytes.Repeat([]byte{0x0a, 0}, maxParts+1), "parts"},
	} {
		m, _, err := decode(c.t, c.b)
		unclear, ok := errors.AsType[*Unclear](err)
		if !ok || !strings.Contains(unclear.Why, c.why) {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
	for name, c := range map[string]struct {
		t protoreflect.MessageType
		b []byte
	}{
		"nothing":                     {value, nil},
		"an Any of nothing":           {anything, nil},
		"an Any":                      {anything, stamp(bits{}.number(1, 5))},
		"an enum":                     {field, bits{}.number(5, 9)},
		"a negative number":           {when, bits{}.number(2, ^uint64(0))},
		"a packed list as single":     {(&descriptorpb.SourceCodeInfo_Location{}).ProtoReflect().Type(), bits{}.number(1, 5).number(1, 6)},
		"a packed list":               {(&descriptorpb.SourceCodeInfo_Location{}).ProtoReflect().Type(), bits{}.bytes(1, 5, 6)},
		"a single field twice over":   {value, bits{}.number(4, 1).number(4, 0)},
		"an entry of a map without a": {object, bits{}.bytes(1)},
	} {
		if _, _, err := decode(c.t, c.b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// unknowns looks for fields that were read over.
func unknowns(m protoreflect.Message) (found bool) {
	if len(m.GetUnknown()) > 0 {
		return true
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsMap():
			if fd.MapValue().Message() != nil {
				v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
					found = found || unknowns(v.Message())
					return true
				})
			}
		case fd.IsList():
			for i := 0; fd.Message() != nil && i < v.List().Len(); i++ {
				found = found || unknowns(v.List().Get(i).Message())
			}
		case fd.Message() != nil:
			found = found || unknowns(v.Message())
		}
		return true
	})
	return found
}

func FuzzDecode(f *testing.F) {
	types := []protoreflect.MessageType{
		(&structpb.Struct{}).ProtoReflect().Type(), (&anypb.Any{}).ProtoReflect().Type(), (&descriptorpb.FileDescriptorProto{}).ProtoReflect().Type(),
	}
	object, err := structpb.NewStruct(map[string]any{"a": 1.5, "b": []any{"x", nil, true}, "c": map[string]any{"d": "e"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(byte(0), marshal(f, object))
	any1, err := anypb.New(object)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(byte(1), marshal(f, any1))
	f.Add(byte(2), marshal(f, &descriptorpb.FileDescriptorProto{Name: proto.String("x"), PublicDependency: []int32{1, 2}, SourceCodeInfo: &descriptorpb.SourceCodeInfo{}}))
	f.Add(byte(0), []byte{0x0a, 0x06, 0x0a, 0x01, 'k', 0x12, 0x00, 0x18})
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		typ := types[int(which)%len(types)]
		m, _, err := decode(typ, b)
		if err != nil {
			if _, ok := errors.AsType[*Unclear](err); !ok {
				t.Errorf("%x: %v", b, err)
			}
			return
		}
		if unknowns(m.ProtoReflect()) {
			t.Errorf("%x: a field was read over", b)
		}
		// What is sent on reads as the same once again, and is written alike.
		out, err := appendMessage(nil, m)
		if err != nil {
			t.Fatalf("%x: %v", b, err)
		}
		again, _, err := decode(typ, out)
		if err != nil || !proto.Equal(m, again) {
			t.Fatalf("%x is written as %x: %v", b, out, err)
		}
		if twice, err := appendMessage(nil, again); err != nil || !bytes.Equal(out, twice) {
			t.Errorf("%x is written as %x and as %x", b, out, twice)
		}
	})
}

func FuzzFrames(f *testing.F) {
	f.Add("", frame([]byte("message")))
	f.Add("gzip", append([]byte{1}, frame(squeezed("message"))[1:]...))
	f.Add("gzip", []byte{1, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, encoding string, b []byte) {
		budget := conversation.NewBudget(1 << 20)
		r := &frames{from: bytes.NewReader(b), encoding: encoding, most: 64 << 10, budget: budget}
		for {
			m, err := r.next()
			if err != nil {
				_, unclear := errors.AsType[*Unclear](err)
				_, refused := errors.AsType[*access.Refusal](err)
				if !errors.Is(err, io.EOF) && !unclear && !refused {
					t.Errorf("%q %x: %v", encoding, b, err)
				}
				break
			}
			if len(m) > 64<<10 {
				t.Errorf("a message of %d bytes", len(m))
			}
		}
		r.release()
		if !budget.Take(1 << 20) {
			t.Error("the budget was not given back")
		}
	})
}

func squeezed(s string) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write([]byte(s)) // into memory
	_ = z.Close()
	return out.Bytes()
}

func TestTheMemoryOfAllMessagesIsBounded(t *testing.T) {
	budget := conversation.NewBudget(100)
	one := &frames{from: bytes.NewReader(frame(make([]byte, 60))), most: 1000, budget: budget}
	if _, err := one.next(); err != nil {
		t.Fatal(err)
	}
	two := &frames{from: bytes.NewReader(frame(make([]byte, 60))), most: 1000, budget: budget}
	if _, err := two.next(); err == nil {
		t.Error("more is held than may be")
	} else if refusal, ok := errors.AsType[*access.Refusal](err); !ok || refusal.Code != access.CodeLimit {
		t.Error(err)
	}
	one.release()
	three := &frames{from: bytes.NewReader(frame(make([]byte, 60))), most: 1000, budget: budget}
	if _, err := three.next(); err != nil {
		t.Error(err)
	}
}

func TestStatusMessagesGoThroughAsTheyAre(t *testing.T) {
	for _, s := range []string{"", "plain", "100% möglich\n", "%41", "%", "a%zzb", "日本語", strings.Repeat("é", 100)} {
		e := escape(s)
		for _, c := range e {
			if c < ' ' || c > '~' {
				t.Errorf("%q is written as %q", s, e)
			}
		}
		if got := unescape(e); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
	for in, want := range map[string]string{"%": "%", "%4": "%4", "%zz": "%zz", "%ff": "?"} {
		if got := unescape(in); got != want {
			t.Errorf("%q is read as %q, want %q", in, got, want)
		}
	}
	st, err := status.New(codes.NotFound, "no such thing: 50%").WithDetails(&structpb.Struct{})
	if err != nil {
		t.Fatal(err)
	}
	if got := statusOf(trailers(st)); got.Code() != codes.NotFound || got.Message() != st.Message() || len(got.Details()) != 1 {
		t.Errorf("%v became %v", st, got)
	}
	for _, h := range []http.Header{{}, {"Grpc-Status": {"x"}}, {"Grpc-Status": {"0", "1"}}, {"Grpc-Status": {"-1"}}} {
		if got := statusOf(h); got != nil {
			t.Errorf("%v is read as %v", h, got)
		}
	}
	forged := trailers(st)
	forged.Set("Grpc-Status", "0")
	if got := statusOf(forged); got.Code() != codes.OK || len(got.Details()) != 0 {
		t.Errorf("details of another status: %v", got)
	}
}

func TestEveryRefusalHasACodeThatDoesNotAskForAnotherTry(t *testing.T) {
	for _, code := range []access.Code{
		access.CodeNoRule, access.CodeDenied, access.CodeHeld, access.CodeNotReleased, access.CodeSeparation, access.CodeTicket, access.CodeScope, access.CodeUnclear,
		access.CodeObligation, access.CodeLimit, access.CodeIdentity, access.CodeExpired, access.CodeUnavailable, access.CodeNotRecorded, access.CodeInternal, access.CodeCanceled, "new",
	} {
		switch c := Code(code); c {
		case codes.PermissionDenied, codes.Unauthenticated, codes.InvalidArgument, codes.Internal, codes.Canceled:
		default:
			t.Errorf("%s has code %s", code, c)
		}
	}
	if Code(access.CodeShuttingDown) != codes.Unavailable {
		t.Error("a client is not told that it may try again elsewhere")
	}
}

func TestDeadlinesAreRead(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1S": time.Second, "250m": 250 * time.Millisecond, "99999999n": 99999999, "5M": 5 * time.Minute, "99999999H": 1000 * time.Hour, "0S": time.Second, "10u": 10 * time.Microsecond,
	} {
		if got, err := deadline(http.Header{"Grpc-Timeout": {text}}); err != nil || got != want {
			t.Errorf("%q is %v, want %v (%v)", text, got, want, err)
		}
	}
	for _, text := range []string{"", "1", "S", "1s", "-1S", "+1S", " 1S", "1.5S", "100000000S", "1SS", "0x1S"} {
		if got, err := deadline(http.Header{"Grpc-Timeout": {text}}); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
	if got, err := deadline(http.Header{"Grpc-Timeout": {"1S", "2S"}}); err == nil {
		t.Errorf("two deadlines are read as %v", got)
	}
}
