package grpcwire_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	_ "google.golang.org/protobuf/types/known/anypb" // what the shelf's file depends upon
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

// shelf is a dialect of an engine that does not exist: a shelf of books, with every shape that a message can have.
type shelf struct {
	methods []grpcwire.Method
}

const service = "/shelf.v1.Shelf/"

// Methods implements grpcwire.Dialect.
func (s *shelf) Methods() []grpcwire.Method { return s.methods }

// Metadata implements grpcwire.Dialect.
func (s *shelf) Metadata() []string { return []string{"x-room"} }

// Error implements grpcwire.Dialect.
func (s *shelf) Error(_ *grpcwire.Method, r *access.Refusal) (proto.Message, *status.Status) {
	return nil, grpcwire.Status(r)
}

// Read implements grpcwire.Dialect.
func (s *shelf) Read(ctx context.Context, r *grpcwire.Request) (*grpcwire.Call, error) {
	m := r.Message.ProtoReflect()
	call := &grpcwire.Call{Message: r.Message, Metadata: r.Metadata}
	on := access.Resource{Target: r.Target, Collection: text(m, "room")}
	switch strings.TrimPrefix(r.Method.Name, service) {
	case "Ping":
		call.Free = true
		return call, nil
	case "Find", "Walk":
		call.Accesses = []access.Access{{Action: access.Search, Resource: on}}
		call.Oblige = func(o *access.Obligations) (*grpcwire.Obliged, error) {
			if text(m, "about") != "" && o.Protection.Field(on, "owner", false).Mask != access.MaskNone {
				return nil, &access.Refusal{Code: access.CodeObligation, Message: "not allowed: a condition on owner would tell what is hidden"}
			}
			return oblige(o, on), nil
		}
	case "Look": // asks for the room first
		if err := r.Ask(ctx, service+"Find", r.Message, dynamicpb.NewMessage(messages.ByName("Found"))); err != nil {
			if st, ok := status.FromError(err); ok {
				return nil, &grpcwire.Unclear{Why: "there is no such room: " + st.Code().String()}
			}
			return nil, err
		}
		call.Accesses = []access.Access{{Action: access.Fetch, Resource: on}}
	case "Put":
		call.Accesses = []access.Access{{Action: access.Upsert, Resource: on}}
		if m.Has(field(m, "key")) {
			hidden := proto.Clone(r.Message)
			hidden.ProtoReflect().Set(field(m, "key"), protoreflect.ValueOfString("[withheld]"))
			call.Record = hidden
		}
	case "Fill":
		call.Accesses = []access.Access{{Action: access.Insert, Resource: on}}
		if !r.Later {
			call.Accesses, call.Free = nil, true
		}
		call.Oblige = func(o *access.Obligations) (*grpcwire.Obliged, error) { return oblige(o, on), nil }
	default:
		return nil, errors.New("a method without a reader")
	}
	return call, nil
}

func oblige(o *access.Obligations, on access.Resource) *grpcwire.Obliged {
	if o.Protection.Empty() && o.Rows == 0 {
		return nil
	}
	return &grpcwire.Obliged{Rows: o.Rows, Mute: true, Mask: func(h *mask.Hider, answer proto.Message) (int64, error) {
		m := answer.ProtoReflect()
		books := m.Mutable(field(m, "books")).List()
		for i := range books.Len() {
			b := books.Get(i).Message()
			if t := o.Protection.Field(on, "owner", false); t.Mask != access.MaskNone {
				out, _ := h.Append(nil, t, mask.Text, []byte(text(b, "owner")))
				b.Set(field(b, "owner"), protoreflect.ValueOfString(string(out)))
				b.Clear(field(b, "notes"))
			}
			if o.Protection.Field(on, "vector", true).Mask != access.MaskNone {
				b.Clear(field(b, "vector"))
			}
		}
		return int64(books.Len()), nil
	}}
}

func field(m protoreflect.Message, name protoreflect.Name) protoreflect.FieldDescriptor {
	return m.Descriptor().Fields().ByName(name)
}

func text(m protoreflect.Message, name protoreflect.Name) string {
	return m.Get(field(m, name)).String()
}

// messages are the types of the shelf, made here: no engine's stubs stand in for them.
var messages = func() protoreflect.MessageDescriptors {
	typ := func(t descriptorpb.FieldDescriptorProto_Type) *descriptorpb.FieldDescriptorProto_Type { return &t }
	one := func(name string, n int32, t descriptorpb.FieldDescriptorProto_Type, of string) *descriptorpb.FieldDescriptorProto {
		f := &descriptorpb.FieldDescriptorProto{Name: &name, Number: &n, Type: typ(t), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}
		if of != "" {
			f.TypeName = &of
		}
		return f
	}
	many := func(f *descriptorpb.FieldDescriptorProto) *descriptorpb.FieldDescriptorProto {
		f.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
		return f
	}
	const (
		str   = descriptorpb.FieldDescriptorProto_TYPE_STRING
		i32   = descriptorpb.FieldDescriptorProto_TYPE_INT32
		u32   = descriptorpb.FieldDescriptorProto_TYPE_UINT32
		float = descriptorpb.FieldDescriptorProto_TYPE_FLOAT
		raw   = descriptorpb.FieldDescriptorProto_TYPE_BYTES
		enum  = descriptorpb.FieldDescriptorProto_TYPE_ENUM
		msg   = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE
	)
	entry := &descriptorpb.DescriptorProto{
		Name:    proto.String("NotesEntry"),
		Field:   []*descriptorpb.FieldDescriptorProto{one("key", 1, str, ""), one("value", 2, msg, ".google.protobuf.Value")},
		Options: &descriptorpb.MessageOptions{MapEntry: proto.Bool(true)},
	}
	ask := []*descriptorpb.FieldDescriptorProto{
		one("room", 1, str, ""), one("about", 2, str, ""), one("most", 3, i32, ""), many(one("sparse", 4, u32, "")), one("kind", 5, enum, ".shelf.v1.Kind"),
		one("inside", 6, msg, ".shelf.v1.Ask"), many(one("books", 7, msg, ".shelf.v1.Book")), one("more", 8, msg, ".google.protobuf.Any"), one("key", 9, str, ""),
		many(one("kinds", 10, enum, ".shelf.v1.Kind")),
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("shelf/v1/shelf.proto"), Package: proto.String("shelf.v1"), Syntax: proto.String("proto3"),
		Dependency: []string{"google/protobuf/struct.proto", "google/protobuf/any.proto"},
		EnumType: []*descriptorpb.EnumDescriptorProto{{Name: proto.String("Kind"), Value: []*descriptorpb.EnumValueDescriptorProto{
			{Name: proto.String("ANY"), Number: proto.Int32(0)}, {Name: proto.String("NOVEL"), Number: proto.Int32(1)},
		}}},
		MessageType: []*descriptorpb.DescriptorProto{
			{Name: proto.String("Ask"), Field: ask},
			{Name: proto.String("Book"), NestedType: []*descriptorpb.DescriptorProto{entry}, Field: []*descriptorpb.FieldDescriptorProto{
				one("title", 1, str, ""), one("owner", 2, str, ""), many(one("vector", 3, float, "")), many(one("notes", 4, msg, ".shelf.v1.Book.NotesEntry")), one("cover", 5, raw, ""),
			}},
			{Name: proto.String("Found"), Field: []*descriptorpb.FieldDescriptorProto{many(one("books", 1, msg, ".shelf.v1.Book")), one("room", 2, str, "")}},
		},
	}, protoregistry.GlobalFiles)
	if err != nil {
		panic(err)
	}
	return file.Messages()
}()

func newShelf() grpcwire.Dialect {
	ask, found := dynamicpb.NewMessageType(messages.ByName("Ask")), dynamicpb.NewMessageType(messages.ByName("Found"))
	method := func(name string, a access.Action) grpcwire.Method {
		return grpcwire.Method{Name: service + name, Request: ask, Response: found, Actions: []access.Action{a}}
	}
	s := &shelf{methods: []grpcwire.Method{
		method("Find", access.Search), method("Look", access.Fetch), method("Put", access.Upsert), method("Walk", access.Scroll), method("Fill", access.Insert), method("Ping", access.MetaHealth),
	}}
	s.methods[3].ServerStreams = true
	s.methods[4].ServerStreams, s.methods[4].ClientStreams = true, true
	s.methods[5].Open = message("Found", func(m protoreflect.Message) { m.Set(field(m, "room"), protoreflect.ValueOfString("all")) })
	return s
}

func message(name protoreflect.Name, fill func(protoreflect.Message)) proto.Message {
	m := dynamicpb.NewMessage(messages.ByName(name))
	fill(m)
	return m
}

// inRoom is a request.
func inRoom(room string, more ...func(protoreflect.Message)) proto.Message {
	return message("Ask", func(m protoreflect.Message) {
		m.Set(field(m, "room"), protoreflect.ValueOfString(room))
		for _, f := range more {
			f(m)
		}
	})
}

// books are an answer with the canary in everything that is protected.
func books(n int) proto.Message {
	return message("Found", func(m protoreflect.Message) {
		list := m.Mutable(field(m, "books")).List()
		for range n {
			list.Append(protoreflect.ValueOfMessage(book(protocoltest.Canary).ProtoReflect()))
		}
	})
}

func book(owner string) proto.Message {
	return message("Book", func(b protoreflect.Message) {
		b.Set(field(b, "title"), protoreflect.ValueOfString(strings.Repeat("a title ", 10)))
		b.Set(field(b, "owner"), protoreflect.ValueOfString(owner))
		b.Mutable(field(b, "vector")).List().Append(protoreflect.ValueOfFloat32(0.5))
		v := structpb.NewStringValue(owner).ProtoReflect()
		notes := b.Mutable(field(b, "notes")).Map()
		value := notes.NewValue()
		value.Message().Set(field(value.Message(), "string_value"), v.Get(v.Descriptor().Fields().ByName("string_value")))
		notes.Set(protoreflect.ValueOfString("owner").MapKey(), value)
	})
}

var protection = &access.Protection{
	ID:      1,
	Fields:  []access.FieldRule{{Pattern: "**.owner", Treatment: access.Treatment{Mask: access.MaskRedact, Rule: "personal-data"}}},
	Vectors: []access.VectorRule{{Pattern: "**", Treatment: access.Treatment{Mask: access.MaskNull, Rule: "embeddings-stay-inside"}}},
}

func suite() *protocoltest.GRPCSuite {
	return &protocoltest.GRPCSuite{
		New: newShelf,
		Upstream: func(context.Context, string, proto.Message) (proto.Message, error) {
			return books(1), nil
		},
		Protection:    protection,
		Read:          protocoltest.GRPCRequest{Method: service + "Find", Message: inRoom("history")},
		Write:         protocoltest.GRPCRequest{Method: service + "Put", Message: inRoom("history", func(m protoreflect.Message) { list(m).Append(protoreflect.ValueOfMessage(book("bob").ProtoReflect())) })},
		Unfulfillable: protocoltest.GRPCRequest{Method: service + "Find", Message: inRoom("history", func(m protoreflect.Message) { m.Set(field(m, "about"), protoreflect.ValueOfString("bob")) })},
		Large:         func(n int) proto.Message { return books(1 + n/150) },
	}
}

func list(m protoreflect.Message) protoreflect.List { return m.Mutable(field(m, "books")).List() }

func TestTheCarrierPassesTheSuite(t *testing.T) { protocoltest.RunGRPC(t, suite()) }
