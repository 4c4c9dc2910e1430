package protocoltest

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpccreds "google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
	"github.com/vecgate/vecgate/internal/vault"
)

// GRPCRequest is what a client calls.
type GRPCRequest struct {
	Method  string
	Message proto.Message
	// Raw is sent instead of Message when it is not nil.
	Raw []byte
	// Metadata is sent instead of the caller's token when it is not nil.
	Metadata metadata.MD
	// Options of the client.
	Options []grpc.CallOption
}

// GRPCAnswer is what it gets.
type GRPCAnswer struct {
	Message proto.Message // nil where there was none
	Raw     []byte
	Status  *status.Status
	Trailer metadata.MD
	Header  metadata.MD
}

// Code is the gateway's own, of a refusal.
func (a *GRPCAnswer) Code() string { return first(a.Trailer, "x-vecgate-code") }

// Ref is the reference of a refusal.
func (a *GRPCAnswer) Ref() string { return first(a.Trailer, "x-vecgate-ref") }

func first(m metadata.MD, name string) string {
	if v := m.Get(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

// GRPCReceived is what reached the upstream, look-ups of the gateway included.
type GRPCReceived struct {
	Method   string
	Raw      []byte
	Message  proto.Message // nil for a method that is not in the table
	Metadata metadata.MD
	Deadline time.Time
}

// Engine stands in for the database: it answers a call of a method whose answer is one message.
type Engine func(ctx context.Context, method string, request proto.Message) (proto.Message, error)

// GRPCWorld is a gate between a gRPC client and an upstream.
type GRPCWorld struct {
	Stage
	Server  *grpcwire.Server
	Address string
	methods map[string]grpcwire.Method
	client  *grpc.ClientConn

	mu     sync.Mutex
	engine Engine
	stream grpc.StreamHandler
	got    []*GRPCReceived
}

// GRPCOption changes what a GRPCWorld is made of.
type GRPCOption func(*grpcwire.Config, *grpcwire.Target)

// StartGRPC stands everything up. Everything is allowed until Rule says otherwise.
func StartGRPC(t testing.TB, s *GRPCSuite, options ...GRPCOption) *GRPCWorld {
	w := &GRPCWorld{engine: s.Upstream, methods: map[string]grpcwire.Method{}}
	log := w.set(t)
	dialect := s.New()
	for _, m := range dialect.Methods() {
		w.methods[m.Name] = m
	}
	upstream := grpc.NewServer(grpc.ForceServerCodecV2(raw{}), grpc.UnknownServiceHandler(w.upstream), grpc.MaxRecvMsgSize(256<<20))
	behind, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = upstream.Serve(behind) }() // ends with Stop
	t.Cleanup(upstream.Stop)
	hider, err := mask.New(make([]byte, mask.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	target := grpcwire.Target{Gate: gate.Target{Name: Target}, Dialect: dialect, Address: behind.Addr().String()}
	if s.Look != nil {
		target.Look = func(_ context.Context, _ vault.Credential, path string) (int, jsonstream.Value, error) {
			return s.Look(path)
		}
	}
	c := grpcwire.Config{Targets: map[string]grpcwire.Target{}, Gate: w.Gate, Identity: w, Hider: hider, Log: log, Now: time.Now}
	for _, o := range options {
		o(&c, &target)
	}
	c.Targets[Target] = target
	if w.Server, err = grpcwire.New(c); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.Address = ln.Addr().String()
	w.run(func(ctx context.Context) error { return w.Server.Serve(ctx, ln) })
	w.client = w.Dial(nil)
	return w
}

// Dial makes another client.
func (w *GRPCWorld) Dial(t *tls.Config) *grpc.ClientConn {
	w.t.Helper()
	creds := insecure.NewCredentials()
	if t != nil {
		creds = grpccreds.NewTLS(t)
	}
	conn, err := grpc.NewClient("passthrough:///"+w.Address, grpc.WithTransportCredentials(creds), grpc.WithDefaultCallOptions(grpc.ForceCodecV2(raw{}), grpc.MaxCallRecvMsgSize(256<<20)))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// upstream answers for the engine.
func (w *GRPCWorld) upstream(_ any, call grpc.ServerStream) error {
	name, _ := grpc.MethodFromServerStream(call)
	m, known := w.methods[name]
	w.mu.Lock()
	engine, stream := w.engine, w.stream
	w.mu.Unlock()
	if stream != nil && (m.ClientStreams || m.ServerStreams || engine == nil) {
		return stream(w, call)
	}
	var b []byte
	if err := call.RecvMsg(&b); err != nil {
		return err
	}
	request, err := w.arrived(call.Context(), name, b)
	if err != nil {
		return err
	}
	if !known {
		return status.Error(codes.Unimplemented, "the stand-in knows no "+name)
	}
	answer, err := engine(call.Context(), name, request)
	if err != nil {
		return err
	}
	out, err := proto.Marshal(answer)
	if err != nil {
		return err
	}
	return call.SendMsg(out)
}

// arrived notes what reached the upstream.
func (w *GRPCWorld) arrived(ctx context.Context, method string, b []byte) (proto.Message, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	got := &GRPCReceived{Method: method, Raw: b, Metadata: md}
	got.Deadline, _ = ctx.Deadline()
	if m, ok := w.methods[method]; ok {
		got.Message = m.Request.New().Interface()
		if err := proto.Unmarshal(b, got.Message); err != nil {
			return nil, err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.got = append(w.got, got)
	return got.Message, nil
}

// Upstream replaces what the stand-in answers.
func (w *GRPCWorld) Upstream(e Engine) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.engine = e
}

// Stream makes a handler of the upstream's streams; its messages are []byte.
func (w *GRPCWorld) Stream(h grpc.StreamHandler) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stream = h
}

// Received is what has reached the upstream of a method.
func (w *GRPCWorld) Received(method string) []*GRPCReceived {
	var found []*GRPCReceived
	for _, r := range w.All() {
		if r.Method == method {
			found = append(found, r)
		}
	}
	return found
}

// All is everything that has reached the upstream.
func (w *GRPCWorld) All() []*GRPCReceived {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]*GRPCReceived(nil), w.got...)
}

// Do calls a method with the caller's token, unless the request has metadata of its own.
func (w *GRPCWorld) Do(ctx context.Context, r GRPCRequest) GRPCAnswer {
	return w.DoBy(ctx, w.client, r)
}

// DoBy calls a method by another client.
func (w *GRPCWorld) DoBy(ctx context.Context, conn *grpc.ClientConn, r GRPCRequest) GRPCAnswer {
	w.t.Helper()
	b := r.Raw
	if b == nil {
		var err error
		if b, err = proto.Marshal(r.Message); err != nil {
			w.t.Fatal(err)
		}
	}
	md := r.Metadata
	if md == nil {
		md = metadata.Pairs("authorization", "Bearer "+Token)
	}
	ctx, cancel := context.WithCancel(metadata.NewOutgoingContext(ctx, md))
	defer cancel()
	call, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, r.Method, r.Options...)
	a := GRPCAnswer{}
	if err != nil {
		a.Status = status.Convert(err)
		return a
	}
	if err := call.SendMsg(b); err != nil && !errors.Is(err, io.EOF) {
		a.Status = status.Convert(err)
		return a
	}
	_ = call.CloseSend() // never fails
	for {
		var out []byte
		if err = call.RecvMsg(&out); err != nil {
			break
		}
		a.Raw = append(a.Raw, out...)
		if m, ok := w.methods[r.Method]; ok {
			a.Message = m.Response.New().Interface()
			if err := proto.Unmarshal(out, a.Message); err != nil {
				w.t.Errorf("%s answers what is not a %s: %v", r.Method, m.Response.Descriptor().FullName(), err)
			}
		}
	}
	a.Trailer = call.Trailer()
	a.Header, _ = call.Header()
	a.Status = status.New(codes.OK, "")
	if !errors.Is(err, io.EOF) {
		a.Status = status.Convert(err)
	}
	return a
}

// raw passes bytes as messages.
type raw struct{}

// Marshal implements encoding.CodecV2.
func (raw) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

// Unmarshal implements encoding.CodecV2.
func (raw) Unmarshal(b mem.BufferSlice, v any) error {
	*v.(*[]byte) = b.Materialize()
	return nil
}

// Name implements encoding.CodecV2.
func (raw) Name() string { return "proto" }

var _ encoding.CodecV2 = raw{}

// types are what the messages of the dialect's methods are.
func (w *GRPCWorld) types(method string) (request, response protoreflect.MessageType) {
	m := w.methods[method]
	return m.Request, m.Response
}

// Call opens a stream with the caller's token. Its messages are []byte.
func (w *GRPCWorld) Call(ctx context.Context, method string) grpc.ClientStream {
	w.t.Helper()
	ctx = metadata.NewOutgoingContext(ctx, metadata.Pairs("authorization", "Bearer "+Token))
	call, err := w.client.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
	if err != nil {
		w.t.Fatal(err)
	}
	return call
}

// Arrived notes a message of a stream that reached the upstream.
func (w *GRPCWorld) Arrived(call grpc.ServerStream, b []byte) {
	name, _ := grpc.MethodFromServerStream(call)
	if _, err := w.arrived(call.Context(), name, b); err != nil {
		w.t.Error(err)
	}
}
