package pinecone

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
	pb "github.com/vecgate/vecgate/internal/protocol/pinecone/pineconepb"
)

// GRPC is Pinecone's gRPC interface at an index. It implements grpcwire.Dialect.
type GRPC struct {
	// Index is the name of the index whose host the target is.
	Index string
}

// service is what Pinecone calls it: it is in no package.
const service = "/VectorService/"

func method(name string, request, response proto.Message, about string, actions ...access.Action) grpcwire.Method {
	kind := func(m proto.Message) protoreflect.MessageType { return m.ProtoReflect().Type() }
	return grpcwire.Method{Name: service + name, Request: kind(request), Response: kind(response), Actions: actions, About: about}
}

// methods is every method that Pinecone publishes.
var methods = []grpcwire.Method{
	method("Upsert", &pb.UpsertRequest{}, &pb.UpsertResponse{}, "", access.Upsert),
	method("Delete", &pb.DeleteRequest{}, &pb.DeleteResponse{}, "by ids; by a filter in which something must be so; all others", access.Delete, access.DeleteByFilter, access.DeleteAll),
	method("Fetch", &pb.FetchRequest{}, &pb.FetchResponse{}, "", access.Fetch),
	method("List", &pb.ListRequest{}, &pb.ListResponse{}, "", access.ListIDs),
	method("Query", &pb.QueryRequest{}, &pb.QueryResponse{}, "and fetch of the record whose vector is searched for, when it is named by id; each of queries counts", access.Search, access.Fetch),
	method("Update", &pb.UpdateRequest{}, &pb.UpdateResponse{}, "and update_vectors when there are values; by a filter, with no bound; count when it is a dry run", access.Update, access.UpdateVectors, access.Count),
	method("DescribeIndexStats", &pb.DescribeIndexStatsRequest{}, &pb.DescribeIndexStatsResponse{}, "of the whole index", access.Count),
	method("ListNamespaces", &pb.ListNamespacesRequest{}, &pb.ListNamespacesResponse{}, "shows the namespaces that the caller may read", access.TenantRead),
	method("DescribeNamespace", &pb.DescribeNamespaceRequest{}, &pb.NamespaceDescription{}, "", access.TenantRead),
	method("DeleteNamespace", &pb.DeleteNamespaceRequest{}, &pb.DeleteResponse{}, "with all its records", access.TenantDrop, access.DeleteAll),
	method("CreateNamespace", &pb.CreateNamespaceRequest{}, &pb.NamespaceDescription{}, "", access.TenantCreate),
	method("FetchByMetadata", &pb.FetchByMetadataRequest{}, &pb.FetchByMetadataResponse{}, "", access.Scroll),
}

// Methods is the table as others see it.
func Methods() []grpcwire.Method { return methods }

// Methods implements grpcwire.Dialect.
func (d *GRPC) Methods() []grpcwire.Method { return methods }

// versionMetadata is versionHeader as gRPC writes it.
const versionMetadata = "x-pinecone-api-version"

// Metadata implements grpcwire.Dialect.
func (d *GRPC) Metadata() []string { return []string{versionMetadata} }

// Error implements grpcwire.Dialect.
func (d *GRPC) Error(_ *grpcwire.Method, r *access.Refusal) (proto.Message, *status.Status) {
	return nil, grpcwire.Status(r)
}

// Read implements grpcwire.Dialect.
func (d *GRPC) Read(ctx context.Context, r *grpcwire.Request) (*grpcwire.Call, error) {
	c := &rpc{Request: r, place: place{r.Target, d.Index}, out: grpcwire.Call{Message: r.Message, Metadata: r.Metadata}}
	err := c.read()
	if u, ok := errors.AsType[*httpwire.Unclear](err); ok {
		return nil, &grpcwire.Unclear{Why: u.Why}
	}
	if err != nil {
		return nil, err
	}
	return &c.out, nil
}

// rpc is a call that is being read.
type rpc struct {
	*grpcwire.Request
	place
	out grpcwire.Call
}

func (c *rpc) read() error {
	if c.index == "" {
		return unclear("this target is the control plane, and records are asked for at the host of an index")
	}
	if v, ok := c.Metadata[versionMetadata]; ok && !versions[v] {
		return unclear("its version of the interface is not known here")
	}
	switch m := c.Message.(type) {
	case *pb.QueryRequest:
		return c.query(m)
	case *pb.UpsertRequest:
		return c.upsert(m)
	case *pb.UpdateRequest:
		return c.update(m)
	case *pb.DeleteRequest:
		return c.delete(m)
	case *pb.FetchRequest:
		return c.fetch(m)
	case *pb.FetchByMetadataRequest:
		return c.scroll(m)
	case *pb.ListRequest:
		return c.list(m)
	case *pb.DescribeIndexStatsRequest:
		return c.stats(m)
	case *pb.ListNamespacesRequest:
		return c.namespaces()
	case *pb.DescribeNamespaceRequest:
		return c.describe(m)
	case *pb.CreateNamespaceRequest:
		return c.create(m)
	case *pb.DeleteNamespaceRequest:
		return c.drop(m)
	}
	return unclear("the operation is not known")
}

func (c *rpc) does(all ...access.Access) { c.out.Accesses = ordered(append(c.out.Accesses, all...)) }

// filterOf reads a filter as the other door does.
func filterOf(s *structpb.Struct) (*conditions, error) {
	if s == nil {
		return nil, nil
	}
	text, err := protojson.Marshal(s)
	if err != nil {
		return nil, unclear("its filter is not well-formed")
	}
	v, err := jsonstream.Read(text)
	if err != nil {
		return nil, unclear("its filter is not well-formed: " + err.Error())
	}
	return readFilter(v)
}

// structOf is a filter as a message; nil when there is none.
func structOf(filter jsonstream.Value) (*structpb.Struct, error) {
	if filter.Kind() == jsonstream.None {
		return nil, nil
	}
	s := &structpb.Struct{}
	if err := protojson.Unmarshal(filter.Raw(), s); err != nil {
		return nil, fmt.Errorf("write filter: %w", err)
	}
	return s, nil
}

// recordIn is metadata as filters see it.
func recordIn(metadata *structpb.Struct) record {
	return func(field string) (all []string, one bool) {
		switch v := metadata.GetFields()[field].GetKind().(type) {
		case *structpb.Value_StringValue:
			return []string{v.StringValue}, true
		case *structpb.Value_ListValue:
			for _, item := range v.ListValue.GetValues() {
				if s, ok := item.GetKind().(*structpb.Value_StringValue); ok {
					all = append(all, s.StringValue)
				}
			}
		}
		return all, false
	}
}

// find looks records up by their ids.
func (c *rpc) find(ctx context.Context, namespace string, ids []string) (map[string]record, error) {
	answer := &pb.FetchResponse{}
	if err := c.Ask(ctx, service+"Fetch", &pb.FetchRequest{Ids: ids, Namespace: namespace}, answer); err != nil {
		return nil, err
	}
	found := map[string]record{}
	for id, v := range answer.GetVectors() {
		found[id] = recordIn(v.GetMetadata())
	}
	return found, nil
}
