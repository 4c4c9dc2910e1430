package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"

	pb "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/vecgate/vecgate/test/stage"
)

// cannedQdrant is an upstream that answers at once with what it has ready, over gRPC.
type cannedQdrant struct {
	pb.UnimplementedPointsServer
	plain, vectors *pb.QueryResponse // ten hits
}

// Query implements pb.PointsServer.
func (c *cannedQdrant) Query(_ context.Context, r *pb.QueryPoints) (*pb.QueryResponse, error) {
	if r.GetWithVectors().GetEnable() {
		return c.vectors, nil
	}
	return c.plain, nil
}

// Upsert implements pb.PointsServer.
func (c *cannedQdrant) Upsert(context.Context, *pb.UpsertPoints) (*pb.PointsOperationResponse, error) {
	return &pb.PointsOperationResponse{Result: &pb.UpdateResult{Status: pb.UpdateStatus_Completed}}, nil
}

// oneName is asked by the gateway, which keeps what it hears for a while: there is one collection, and no alias.
type oneName struct {
	pb.UnimplementedCollectionsServer
}

// ListAliases implements pb.CollectionsServer.
func (oneName) ListAliases(context.Context, *pb.ListAliasesRequest) (*pb.ListAliasesResponse, error) {
	return &pb.ListAliasesResponse{}, nil
}

// List implements pb.CollectionsServer.
func (oneName) List(context.Context, *pb.ListCollectionsRequest) (*pb.ListCollectionsResponse, error) {
	return &pb.ListCollectionsResponse{Collections: []*pb.CollectionDescription{{Name: "items"}}}, nil
}

func floats() []float32 {
	v := make([]float32, dimension)
	for i := range v {
		v[i] = rand.Float32() - 0.5
	}
	return v
}

func startCannedQdrant(ctx context.Context) (address string, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	c := &cannedQdrant{plain: &pb.QueryResponse{Time: 0.001}, vectors: &pb.QueryResponse{Time: 0.001}}
	for i := range 10 {
		hit := func() *pb.ScoredPoint {
			return &pb.ScoredPoint{Id: pb.NewIDNum(uint64(i)), Score: 0.9, Payload: pb.NewValueMap(map[string]any{
				"email": fmt.Sprintf("person%d@example.com", i), "page": i, "source": "handbook",
				"text": "a text of a hundred letters or so, as a passage of a document has, to be shown to the person who asked",
			})}
		}
		c.plain.Result = append(c.plain.Result, hit())
		full := hit()
		full.Vectors = &pb.VectorsOutput{VectorsOptions: &pb.VectorsOutput_Vector{Vector: &pb.VectorOutput{
			Vector: &pb.VectorOutput_Dense{Dense: &pb.DenseVector{Data: floats()}},
		}}}
		c.vectors.Result = append(c.vectors.Result, full)
	}
	server := grpc.NewServer()
	pb.RegisterPointsServer(server, c)
	pb.RegisterCollectionsServer(server, oneName{})
	context.AfterFunc(ctx, server.Stop)
	go func() { _ = server.Serve(ln) }() // ends with ctx
	return ln.Addr().String(), nil
}

// rpcCaller keeps one connection, and makes the same call again and again.
type rpcCaller struct {
	conn *grpc.ClientConn
	ctx  context.Context
	ask  func(context.Context, pb.PointsClient) error
}

func dialRPC(ctx context.Context, w way, ask func(context.Context, pb.PointsClient) error) (caller, error) {
	conn, err := grpc.NewClient("passthrough:///"+w.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	if w.token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "api-key", w.token)
	}
	return &rpcCaller{conn, ctx, ask}, nil
}

func (c *rpcCaller) call() error { return c.ask(c.ctx, pb.NewPointsClient(c.conn)) }
func (c *rpcCaller) close()      { c.conn.Close() }

// rpc measures the gRPC front end beside HAProxy, and reports.
func (f *field) rpc(ctx context.Context, p plan) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	upstream, err := startCannedQdrant(ctx)
	if err != nil {
		return "", err
	}
	proxy, err := f.haproxyHTTP(ctx, "HAProxy HTTP/2", "proto h2", upstream)
	if err != nil {
		return "", err
	}
	ways := []way{{name: "direct", address: upstream}, proxy}
	for _, reads := range []string{"before-forward", "before-release"} {
		s, err := stage.Open(ctx, stage.Options{
			Listeners: []stage.Listener{{Name: "rpc", Protocol: "grpc"}}, Policy: httpPolicy, Reads: reads,
			Targets: []stage.Target{{Name: "docs", Engine: "qdrant", Address: upstream, More: fmt.Sprintf("grpc_address: %q", upstream)}},
		})
		if err != nil {
			return "", err
		}
		defer s.Close()
		token, err := s.Token(ctx, "sam")
		if err != nil {
			return "", err
		}
		ways = append(ways, way{"vecgate " + reads, s.Address["rpc"], token, func() []int { return []int{s.Process.PID()} }})
	}

	search := func(vectors bool) func(context.Context, pb.PointsClient) error {
		r := &pb.QueryPoints{
			CollectionName: "items", Query: pb.NewQuery(floats()...), Limit: pb.PtrOf(uint64(10)), WithPayload: pb.NewWithPayload(true), WithVectors: pb.NewWithVectors(vectors),
		}
		return func(ctx context.Context, c pb.PointsClient) error {
			answer, err := c.Query(ctx, r)
			if err == nil && len(answer.GetResult()) != 10 {
				err = fmt.Errorf("%d hits", len(answer.GetResult()))
			}
			return err
		}
	}
	write := &pb.UpsertPoints{CollectionName: "items"}
	for i := range 100 {
		write.Points = append(write.Points, &pb.PointStruct{
			Id: pb.NewIDNum(uint64(i)), Vectors: pb.NewVectors(floats()...), Payload: pb.NewValueMap(map[string]any{"email": fmt.Sprintf("person%d@example.com", i), "page": i}),
		})
	}
	names := []string{"search, 10 hits", "search, 10 hits with vectors", "upsert of 100 vectors"}
	asks := []func(context.Context, pb.PointsClient) error{search(false), search(true), func(ctx context.Context, c pb.PointsClient) error {
		_, err := c.Upsert(ctx, write)
		return err
	}}
	out, err := f.loads(ctx, p, "grpc", names, ways, func(job int, w way) (caller, error) { return dialRPC(ctx, w, asks[job]) })
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, `## gRPC

As above, in Qdrant's protocol, with grpc-go as the client and as the upstream, which weigh more than any proxy here. HAProxy carries HTTP/2 and inspects nothing.
Vectors have %d floats. An upsert carries 0.6 MB, a search 6 kB, an answer with vectors 62 kB.

`, dimension)
	return b.String() + loadTables(p, names, ways, out), nil
}
