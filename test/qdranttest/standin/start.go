package standin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	pb "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/vecgate/vecgate/test/ports"
)

// Server is a stand-in that runs on loopback.
type Server struct {
	REST, GRPC string       // host:port
	Handler    http.Handler // of REST
	guard      *guard
	http       *http.Server
	grpc       *grpc.Server
	ended      chan struct{}
}

// Start opens both doors. key is what clients must show; none when empty.
func Start(key string) (*Server, error) { return start(&guard{key: key}) }

// StartRBAC is Start with jwt_rbac: clients may show a token that is signed with the key instead.
func StartRBAC(key string) (*Server, error) { return start(&guard{key: key, rbac: true}) }

func start(g *guard) (*Server, error) {
	s := &Server{guard: g, ended: make(chan struct{}, 2)}
	st := &store{known: map[string]*collection{}, aliases: map[string]string{}}
	doors := []*string{&s.REST, &s.GRPC}
	var listeners []net.Listener
	for _, address := range doors {
		port, err := ports.Free()
		if err != nil {
			return nil, err
		}
		*address = fmt.Sprintf("127.0.0.1:%d", port)
		l, err := net.Listen("tcp", *address)
		if err != nil {
			return nil, errors.Join(err, closed(listeners))
		}
		listeners = append(listeners, l)
	}
	s.Handler = rest{service{store: st}, collections{store: st}, g}.mux()
	s.http = &http.Server{Handler: s.Handler, ReadHeaderTimeout: 10 * time.Second}
	s.grpc = grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, m any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		ctx, err := g.admit(ctx, info.FullMethod, shown(md.Get("api-key")), shown(md.Get("authorization")), rpcNeeds(info.FullMethod, m))
		if err != nil {
			return nil, err
		}
		return next(ctx, m)
	}))
	pb.RegisterPointsServer(s.grpc, service{store: st})
	pb.RegisterCollectionsServer(s.grpc, collections{store: st})
	pb.RegisterQdrantServer(s.grpc, health{})
	go func() { defer s.done(); _ = s.http.Serve(listeners[0]) }() // it ends with Close
	go func() { defer s.done(); _ = s.grpc.Serve(listeners[1]) }()
	return s, nil
}

func shown(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

func closed(list []net.Listener) (err error) {
	for _, l := range list {
		err = errors.Join(err, l.Close())
	}
	return err
}

func (s *Server) done() { s.ended <- struct{}{} }

// Close ends it, and whatever it is asked.
func (s *Server) Close() {
	_ = s.http.Close()
	s.grpc.Stop()
	<-s.ended
	<-s.ended
}
