package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/vecgate/vecgate/internal/config"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire/transcript"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/milvus"
	"github.com/vecgate/vecgate/internal/protocol/pinecone"
	"github.com/vecgate/vecgate/internal/protocol/qdrant"
	"github.com/vecgate/vecgate/internal/protocol/weaviate"
)

// grpcDialects are the engines that speak gRPC, by the name that a target's engine has in the configuration.
var grpcDialects = map[string]func(now func() time.Time) grpcwire.Dialect{
	"qdrant":   func(now func() time.Time) grpcwire.Dialect { return qdrant.NewGRPC(now) },
	"pinecone": func(func() time.Time) grpcwire.Dialect { return &pinecone.GRPC{} },
	"milvus":   func(now func() time.Time) grpcwire.Dialect { return milvus.New(now) },
	"weaviate": func(now func() time.Time) grpcwire.Dialect { return weaviate.NewGRPC(now) },
}

// grpc makes the front end of one listener.
func (s *Server) grpc(l *config.Listener) (frontEnd, error) { return s.calls(l) }

// calls makes what answers the gRPC calls of one listener.
func (s *Server) calls(l *config.Listener) (*grpcwire.Server, error) {
	tlsConfig, err := s.tls(l.Name, l.TLS)
	if err != nil {
		return nil, err
	}
	hider, err := s.hider()
	if err != nil {
		return nil, err
	}
	limits := s.config.Limits
	c := grpcwire.Config{
		TLS: tlsConfig, Targets: map[string]grpcwire.Target{}, Gate: s.gate, Identity: door{s.registry}, Hider: hider, Log: s.log, Now: s.options.Now,
		Connections: newVisitors(roomForVisitors).see,
		Limits: grpcwire.Limits{
			Message: int64(limits.Message), SignIn: limits.SignIn, Idle: min(limits.Idle, silence), Session: limits.Session,
			SignInsPerClient: limits.SignInsPerAddress,
		},
	}
	for i := range s.config.Targets {
		t := &s.config.Targets[i]
		if !l.Reaches(t) || grpcDialects[t.Engine] == nil {
			continue
		}
		host, port, err := t.GRPCHostPort()
		if err != nil {
			return nil, fmt.Errorf("target %s: grpc_address: %w", t.Name, err)
		}
		upstream, err := clientTLSTo(t, host)
		if err != nil {
			return nil, fmt.Errorf("target %s: %w", t.Name, err)
		}
		rest, err := clientTLS(t)
		if err != nil {
			return nil, fmt.Errorf("target %s: %w", t.Name, err)
		}
		c.Targets[t.Name] = grpcwire.Target{
			Gate: s.gateTarget(t), Dialect: s.grpcDialect(t), Address: net.JoinHostPort(host, fmt.Sprint(port)), TLS: upstream, Shows: grpcwire.Scheme(t.Credential.Header), Narrow: s.narrow(t),
			Look: httpwire.Look(httpwire.Target{Gate: s.gateTarget(t), Address: t.Address, TLS: rest, Shows: httpwire.Scheme(t.Credential.Header)}),
		}
	}
	return grpcwire.New(c)
}

// grpcDialect is dialect for gRPC.
func (s *Server) grpcDialect(t *config.Target) grpcwire.Dialect {
	if s.calling[t.Name] == nil {
		s.calling[t.Name] = grpcDialects[t.Engine](s.options.Now)
		s.placed(t, s.calling[t.Name])
	}
	return s.calling[t.Name]
}

// speaksGRPC says whether a listener for http reaches targets that speak gRPC besides.
func (s *Server) speaksGRPC(l *config.Listener) bool {
	for i := range s.config.Targets {
		if t := &s.config.Targets[i]; l.Reaches(t) && grpcDialects[t.Engine] != nil {
			return true
		}
	}
	return false
}

// both is a listener whose clients speak REST and gRPC.
type both struct {
	*httpwire.Server
	calls *grpcwire.Server
}

// Serve answers the clients of both kinds until ctx ends.
func (b both) Serve(ctx context.Context, ln net.Listener) error {
	tending, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.calls.Tend(tending)
	}()
	err := b.Server.Serve(ctx, ln)
	stop()
	<-ended
	b.calls.Close()
	return err
}

// Ready says whether every target answers, in both ways.
func (b both) Ready(ctx context.Context) error {
	return errors.Join(b.Server.Ready(ctx), b.calls.Ready(ctx))
}

// ReadyFor says whether a target answers, in both ways.
func (b both) ReadyFor(ctx context.Context, target string) error {
	return errors.Join(b.Server.ReadyFor(ctx, target), b.calls.ReadyFor(ctx, target))
}

// messages say what the messages of a recorded call are.
func messages(now func() time.Time) transcript.Types {
	methods := map[string]grpcwire.Method{}
	for _, dialect := range grpcDialects {
		for _, m := range dialect(now).Methods() {
			methods[m.Name] = m
		}
	}
	return func(method string) (request, response protoreflect.MessageType) {
		m := methods[method]
		return m.Request, m.Response
	}
}
