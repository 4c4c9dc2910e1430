package grpcwire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"
)

// Bounds on what a message may make of its bytes.
const (
	maxDepth = 64      // messages in messages
	maxParts = 1 << 20 // messages in all: each costs memory, and two bytes on the wire can be one
	partCost = 96      // bytes of memory that one takes at least
)

// decode reads a message strictly: what its type does not know, whatever it may mean to the engine, is not read over.
// It says of how many messages it consists.
func decode(t protoreflect.MessageType, b []byte) (m proto.Message, parts int, err error) {
	s := scan{}
	if err := s.message(t.Descriptor(), b, maxDepth); err != nil {
		return nil, s.parts, err
	}
	m = t.New().Interface()
	// The scan has seen to the fields; this sees to UTF-8 and required fields once more.
	if err := (proto.UnmarshalOptions{RecursionLimit: maxDepth + 2}).Unmarshal(b, m); err != nil {
		return nil, s.parts, &Unclear{"its message is not well-formed"}
	}
	return m, s.parts, nil
}

// scan goes over the bytes of a message beside its descriptor, before anything is made of them: unlike what a decoder
// leaves over, it sees what stands in the entries of maps, what would be dropped, and how much there is.
type scan struct{ parts int }

var errMalformed = &Unclear{"its message is not well-formed"}

func (s *scan) message(md protoreflect.MessageDescriptor, b []byte, depth int) error {
	if s.parts++; s.parts > maxParts {
		return &Unclear{fmt.Sprintf("its message consists of more than %d parts", maxParts)}
	}
	if depth == 0 {
		return &Unclear{fmt.Sprintf("its message is nested deeper than %d", maxDepth)}
	}
	if md.FullName() == "google.protobuf.Any" {
		return s.any(b, depth)
	}
	fields := md.Fields()
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errMalformed
		}
		b = b[n:]
		fd := fields.ByNumber(num)
		if fd == nil {
			return &Unclear{fmt.Sprintf("%s has a field %d that this gateway does not know", md.FullName(), num)}
		}
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return errMalformed
		}
		if err := s.field(fd, typ, b[:n], depth); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// field looks at one value, of which the bytes are all there.
func (s *scan) field(fd protoreflect.FieldDescriptor, typ protowire.Type, b []byte, depth int) error {
	want := wireType(fd.Kind())
	packed := typ == protowire.BytesType && want != protowire.BytesType && fd.IsList()
	if typ != want && !packed || want == protowire.StartGroupType {
		return &Unclear{fmt.Sprintf("field %d of %s is of another type", fd.Number(), fd.Parent().FullName())}
	}
	if want == protowire.BytesType || packed {
		b, _ = protowire.ConsumeBytes(b)
	}
	switch fd.Kind() {
	case protoreflect.MessageKind:
		return s.message(fd.Message(), b, depth-1)
	case protoreflect.StringKind:
		if !utf8.Valid(b) {
			return &Unclear{fmt.Sprintf("field %d of %s is not UTF-8", fd.Number(), fd.Parent().FullName())}
		}
	case protoreflect.EnumKind:
		for len(b) > 0 {
			v, n := protowire.ConsumeVarint(b)
			if n < 0 {
				return errMalformed
			}
			b = b[n:]
			if i := int64(v); i != int64(int32(i)) || fd.Enum().Values().ByNumber(protoreflect.EnumNumber(i)) == nil {
				return &Unclear{fmt.Sprintf("field %d of %s has a value that this gateway does not know", fd.Number(), fd.Parent().FullName())}
			}
		}
	case protoreflect.Int32Kind, protoreflect.Uint32Kind, protoreflect.Sint32Kind:
		// A decoder cuts a number that is too large, and not every decoder cuts it alike.
		for len(b) > 0 {
			v, n := protowire.ConsumeVarint(b)
			if n < 0 {
				return errMalformed
			}
			b = b[n:]
			fits := v <= math.MaxUint32
			if fd.Kind() == protoreflect.Int32Kind {
				fits = int64(v) == int64(int32(v))
			}
			if !fits {
				return &Unclear{fmt.Sprintf("field %d of %s has a number that is too large for it", fd.Number(), fd.Parent().FullName())}
			}
		}
	}
	return nil
}

// any looks into a message that names its own type.
func (s *scan) any(b []byte, depth int) error {
	var a anypb.Any
	if err := proto.Unmarshal(b, &a); err != nil {
		return errMalformed
	}
	if len(a.ProtoReflect().GetUnknown()) > 0 {
		return &Unclear{"google.protobuf.Any has a field that this gateway does not know"}
	}
	if a.TypeUrl == "" && len(a.Value) == 0 {
		return nil
	}
	t, err := protoregistry.GlobalTypes.FindMessageByURL(a.TypeUrl)
	if err != nil {
		return &Unclear{"it holds a message of a type that this gateway does not know"}
	}
	return s.message(t.Descriptor(), a.Value, depth-1)
}

func wireType(k protoreflect.Kind) protowire.Type {
	switch k {
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		return protowire.BytesType
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		return protowire.Fixed32Type
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		return protowire.Fixed64Type
	case protoreflect.GroupKind:
		return protowire.StartGroupType
	}
	return protowire.VarintType
}

// appendMessage writes a message: equal messages become equal bytes.
func appendMessage(b []byte, m proto.Message) ([]byte, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(b, m)
	if err != nil {
		return nil, fmt.Errorf("write message %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	return b, nil
}

// appendFrame writes a message with its prefix.
func appendFrame(b []byte, m proto.Message) ([]byte, error) {
	start := len(b)
	b, err := appendMessage(append(b, make([]byte, prefix)...), m)
	if err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint32(b[start+1:], uint32(len(b)-start-prefix))
	return b, nil
}

// decodeAnswer reads what an engine answers. What the gateway does not know is left out: it could not be masked.
func decodeAnswer(t protoreflect.MessageType, b []byte) (proto.Message, error) {
	m := t.New().Interface()
	if err := (proto.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: 1000}).Unmarshal(b, m); err != nil {
		return nil, errors.New("not a " + string(t.Descriptor().FullName()))
	}
	return m, nil
}
