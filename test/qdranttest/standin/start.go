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
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/vecgate/vecgate/test/ports"
)

// Server is a stand-in that runs on loopback.
type Server struct {
	REST, GRPC string       // host:port
	Handler    http.Handler // of REST
	http       *http.Server
	grpc       *grpc.Server
	ended      chan struct{}
}

// Start opens both doors. key is what clients must show; none when empty.
func Start(key string) (*Server, error) {
	s := &Server{ended: make(chan struct{}, 2)}
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
	s.Handler = rest{service{store: st}, collections{store: st}, key}.mux()
	s.http = &http.Server{Handler: s.Handler, ReadHeaderTimeout: 10 * time.Second}
	s.grpc = grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, m any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		given := append(md.Get("api-key"), md.Get("authorization")...)
		if key != "" && (len(given) == 0 || given[0] != key && given[0] != "Bearer "+key) {
			return nil, status.Error(codes.Unauthenticated, "Invalid API key or JWT")
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
