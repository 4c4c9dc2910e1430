package standin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "github.com/vecgate/vecgate/internal/protocol/pinecone/pineconepb"
	"github.com/vecgate/vecgate/test/ports"
)

// Pinecone is a project: a control plane, and one host for every index that there can be.
type Pinecone struct {
	Control string            // host:port
	Hosts   map[string]string // host:port by index

	project *project
	servers []*http.Server
	serving sync.WaitGroup
}

// Start opens the control plane and the hosts. There are no indexes yet. An API key other than key is refused.
func Start(key string, indexes ...string) (*Pinecone, error) {
	p := &Pinecone{Hosts: map[string]string{}, project: &project{hosts: map[string]*host{}, indexes: map[string]*described{}, backups: map[string]string{}}}
	var err error
	if p.Control, err = p.listen(key, p.project, nil); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	for _, name := range indexes {
		h := &host{}
		if h.Address, err = p.listen(key, h, h.call); err != nil {
			return nil, errors.Join(err, p.Close())
		}
		p.project.hosts[name], p.Hosts[name] = h, h.Address
	}
	return p, nil
}

// Behind has the control plane say that an index is reached at another address: of something that stands before its host, and
// speaks TLS. It is for before clients come.
func (p *Pinecone) Behind(index, address string) { p.project.hosts[index].said = address }

// Close ends everything.
func (p *Pinecone) Close() error {
	var faults []error
	for _, s := range p.servers {
		faults = append(faults, s.Close())
	}
	p.serving.Wait()
	return errors.Join(faults...)
}

// Index is one that was created, or nil.
func (p *Pinecone) Index(name string) *Index {
	p.project.mu.Lock()
	defer p.project.mu.Unlock()
	if d := p.project.indexes[name]; d != nil {
		return d.index
	}
	return nil
}

func (p *Pinecone) listen(key string, rest http.Handler, call grpc.StreamHandler) (string, error) {
	port, err := ports.Free()
	if err != nil {
		return "", err
	}
	ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return "", err
	}
	rpc := grpc.NewServer()
	if call != nil {
		rpc = grpc.NewServer(grpc.UnknownServiceHandler(func(srv any, stream grpc.ServerStream) error {
			if md, _ := metadata.FromIncomingContext(stream.Context()); strings.Join(md.Get("api-key"), ",") != key {
				return status.Error(codes.Unauthenticated, "Invalid API key")
			}
			return call(srv, stream)
		}))
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Protocols: &http.Protocols{}}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc"):
			rpc.ServeHTTP(w, r)
		case r.Header.Get("Api-Key") != key:
			fail(w, http.StatusUnauthorized, "Invalid API key")
		default:
			rest.ServeHTTP(w, r)
		}
	})
	p.servers = append(p.servers, server)
	p.serving.Go(func() { _ = server.Serve(ln) }) // ends with Close
	return ln.Addr().String(), nil
}

// host is where an index answers, as long as there is one.
type host struct {
	Address string
	said    string // where it is reached, when that is elsewhere
	index   atomic.Pointer[Index]
}

// reached is what clients are told of it.
func (h *host) reached() string {
	if h.said != "" {
		return h.said // Pinecone itself says no scheme
	}
	return "http://" + h.Address
}

func (h *host) serve(x *Index) { h.index.Store(x) }

// ServeHTTP answers over REST.
func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := h.index.Load()
	if x == nil {
		fail(w, http.StatusNotFound, "Index not found")
		return
	}
	x.ServeHTTP(w, r)
}

// requests are the messages of the methods.
var requests = map[string]func() proto.Message{
	"Upsert":             func() proto.Message { return &pb.UpsertRequest{} },
	"Delete":             func() proto.Message { return &pb.DeleteRequest{} },
	"Fetch":              func() proto.Message { return &pb.FetchRequest{} },
	"List":               func() proto.Message { return &pb.ListRequest{} },
	"Query":              func() proto.Message { return &pb.QueryRequest{} },
	"Update":             func() proto.Message { return &pb.UpdateRequest{} },
	"DescribeIndexStats": func() proto.Message { return &pb.DescribeIndexStatsRequest{} },
	"ListNamespaces":     func() proto.Message { return &pb.ListNamespacesRequest{} },
	"DescribeNamespace":  func() proto.Message { return &pb.DescribeNamespaceRequest{} },
	"DeleteNamespace":    func() proto.Message { return &pb.DeleteNamespaceRequest{} },
	"CreateNamespace":    func() proto.Message { return &pb.CreateNamespaceRequest{} },
	"FetchByMetadata":    func() proto.Message { return &pb.FetchByMetadataRequest{} },
}

// call answers over gRPC.
func (h *host) call(_ any, stream grpc.ServerStream) error {
	x := h.index.Load()
	if x == nil {
		return status.Error(codes.NotFound, "Index not found")
	}
	method, _ := grpc.MethodFromServerStream(stream)
	request := requests[strings.TrimPrefix(method, "/VectorService/")]
	if request == nil {
		return status.Error(codes.Unimplemented, "unknown method")
	}
	m := request()
	if err := stream.RecvMsg(m); err != nil {
		return err
	}
	answer, err := x.Do(m)
	if err != nil {
		return err
	}
	return stream.SendMsg(answer)
}

// Engine answers a request as protocoltest's engines do.
func (x *Index) Engine(_ context.Context, _ string, request proto.Message) (proto.Message, error) {
	return x.Do(request)
}
