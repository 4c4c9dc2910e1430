package weaviate

import (
	"context"
	"time"

	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	pb "github.com/vecgate/vecgate/internal/protocol/weaviate/weaviatepb"
)

// GRPC is Weaviate's gRPC interface. It implements grpcwire.Dialect.
type GRPC struct {
	catalog catalog
}

// NewGRPC makes a dialect for one target. Now tells how old a definition of a collection is.
func NewGRPC(now func() time.Time) *GRPC {
	return &GRPC{catalog: catalog{now: now, known: map[string]*class{}}}
}

// service is the full name of Weaviate's only service for clients.
const service = "/weaviate.v1.Weaviate/"

// rpc is a method, and how it is read.
type rpc struct {
	grpcwire.Method
	read func(*message) error
}

func method(name string, request, response proto.Message, about string, read func(*message) error, actions ...access.Action) rpc {
	return rpc{grpcwire.Method{
		Name: service + name, Request: request.ProtoReflect().Type(), Response: response.ProtoReflect().Type(), Actions: actions, About: about,
	}, read}
}

// rpcs is every method that Weaviate's clients know.
var rpcs = []rpc{
	{grpcwire.Method{
		Name:    "/grpc.health.v1.Health/Check",
		Request: (&grpc_health_v1.HealthCheckRequest{}).ProtoReflect().Type(), Response: (&grpc_health_v1.HealthCheckResponse{}).ProtoReflect().Type(),
		Actions: []access.Action{access.MetaHealth}, About: "answered by the gateway to who shows no credential; needs no rule",
		Open: &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_SERVING},
	}, func(m *message) error { m.out.Free = true; return nil }},
	method("Search", &pb.SearchRequest{}, &pb.SearchReply{}, "search when vectors or words are compared, fetch when the filter names ids, scroll otherwise; and fetch of what is read through references",
		readSearch, access.Search, access.Fetch, access.Scroll),
	method("Aggregate", &pb.AggregateRequest{}, &pb.AggregateReply{}, "count when nothing but objects is counted", readAggregate, access.Count, access.Aggregate),
	method("BatchObjects", &pb.BatchObjectsRequest{}, &pb.BatchObjectsReply{}, "for every collection and tenant in it; and schema.create or schema.alter when Weaviate would make a collection or a property",
		readBatchObjects, access.Upsert, access.SchemaCreate, access.SchemaAlter),
	method("BatchReferences", &pb.BatchReferencesRequest{}, &pb.BatchReferencesReply{}, "for every collection and tenant in it", readBatchReferences, access.Update),
	method("BatchDelete", &pb.BatchDeleteRequest{}, &pb.BatchDeleteReply{}, "delete when the filter names ids, delete_all when there is none; list_ids when it is a dry run",
		readDeletion, access.DeleteByFilter, access.Delete, access.DeleteAll, access.ListIDs),
	method("TenantsGet", &pb.TenantsGetRequest{}, &pb.TenantsGetReply{}, "for every tenant that is named", readTenantsGet, access.TenantRead),
	func() rpc {
		r := method("BatchStream", &pb.BatchStreamRequest{}, &pb.BatchStreamReply{}, "every message is judged as BatchObjects and BatchReferences are", readBatchStream, access.Upsert, access.Update, access.SchemaCreate, access.SchemaAlter)
		r.ClientStreams, r.ServerStreams = true, true
		return r
	}(),
}

// Methods implements grpcwire.Dialect.
func (d *GRPC) Methods() []grpcwire.Method {
	all := make([]grpcwire.Method, len(rpcs))
	for i := range rpcs {
		all[i] = rpcs[i].Method
	}
	return all
}

// Metadata implements grpcwire.Dialect. The keys and addresses of services elsewhere that clients send as metadata are not
// among it.
func (d *GRPC) Metadata() []string { return nil }

// Error implements grpcwire.Dialect.
func (d *GRPC) Error(_ *grpcwire.Method, r *access.Refusal) (proto.Message, *status.Status) {
	return nil, grpcwire.Status(r)
}

// message is a call that is being read.
type message struct {
	*grpcwire.Request
	reading
	out grpcwire.Call
}

// Read implements grpcwire.Dialect.
func (d *GRPC) Read(ctx context.Context, r *grpcwire.Request) (*grpcwire.Call, error) {
	for i := range rpcs {
		if rpcs[i].Name != r.Method.Name {
			continue
		}
		m := &message{
			Request: r, out: grpcwire.Call{Message: r.Message},
			reading: reading{ctx: ctx, target: r.Target, look: r.Look, catalog: &d.catalog},
		}
		err := rpcs[i].read(m)
		if err == nil {
			err = m.bounded()
		}
		if err != nil {
			return nil, grpcUnclear(err)
		}
		m.out.Accesses = m.sorted()
		return &m.out, nil
	}
	return nil, grpcUnclear(unclear("the operation is not known"))
}

// grpcUnclear turns what the shared readers say into the words of this carrier.
func grpcUnclear(err error) error {
	if u, ok := asUnclear(err); ok {
		return &grpcwire.Unclear{Why: u}
	}
	return err
}

// named finds a collection and checks the name of a tenant.
func (r *reading) collection(collection, tenant string) (*class, error) {
	if tenant != "" && !tenantForm.MatchString(tenant) {
		return nil, unclear("its tenant is not a name")
	}
	return r.class(collection)
}

// settings are fields by which a client could say where a service elsewhere is asked.
var settings = map[protoreflect.Name]bool{
	"base_url": true, "endpoint": true, "api_endpoint": true, "endpoint_id": true, "resource_name": true, "deployment_id": true,
	"region": true, "location": true, "project_id": true,
}

// redirects says whether a message tells the server which service to ask.
func redirects(m protoreflect.Message) bool {
	found := false
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case settings[f.Name()]:
			found = true
		case f.IsMap() || f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				found = found || redirects(v.List().Get(i).Message())
			}
		default:
			found = redirects(v.Message())
		}
		return !found
	})
	return found
}
