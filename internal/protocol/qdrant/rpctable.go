package qdrant

import (
	pb "github.com/qdrant/go-client/qdrant"
	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
)

// rpcEntry is a method and how it is read.
type rpcEntry struct {
	method grpcwire.Method
	read   func(*rpc) error
}

func method(name string, request, response proto.Message, actions ...access.Action) grpcwire.Method {
	return grpcwire.Method{Name: name, Request: request.ProtoReflect().Type(), Response: response.ProtoReflect().Type(), Actions: actions}
}

func told(m grpcwire.Method, about string) grpcwire.Method { m.About = about; return m }

// unpublished is a method whose messages are not published for us to read: whatever it holds is a field that is not known,
// and so refused, and an answer to nothing shows nothing.
func unpublished(name string, actions ...access.Action) grpcwire.Method {
	return told(method(name, &emptypb.Empty{}, &emptypb.Empty{}, actions...), "its messages are not known here: refused as unclear")
}

// rpcs is every method of the services that Qdrant 1.19 serves to clients. Reflection is not served.
var rpcs = []rpcEntry{
	{told(method(pb.Qdrant_HealthCheck_FullMethodName, &pb.HealthCheckRequest{}, &pb.HealthCheckReply{}, access.MetaHealth), noData), rpcFree},
	{healthCheck(), rpcFree},

	{method(pb.Collections_Get_FullMethodName, &pb.GetCollectionInfoRequest{}, &pb.GetCollectionInfoResponse{}, access.SchemaRead), rpcCollection},
	{told(method(pb.Collections_List_FullMethodName, &pb.ListCollectionsRequest{}, &pb.ListCollectionsResponse{}, access.SchemaList), whoDescribes), rpcList},
	{told(method(pb.Collections_Create_FullMethodName, &pb.CreateCollection{}, &pb.CollectionOperationResponse{}, access.SchemaCreate), ""), rpcCreate},
	{method(pb.Collections_Update_FullMethodName, &pb.UpdateCollection{}, &pb.CollectionOperationResponse{}, access.SchemaAlter), rpcCollection},
	{method(pb.Collections_Delete_FullMethodName, &pb.DeleteCollection{}, &pb.CollectionOperationResponse{}, access.SchemaDrop), rpcDrop},
	{told(method(pb.Collections_UpdateAliases_FullMethodName, &pb.ChangeAliases{}, &pb.CollectionOperationResponse{}, access.AliasWrite), "of every alias and collection that it names, and of what an alias stood for"), rpcAliases},
	{method(pb.Collections_ListCollectionAliases_FullMethodName, &pb.ListCollectionAliasesRequest{}, &pb.ListAliasesResponse{}, access.AliasRead), rpcCollection},
	{told(method(pb.Collections_ListAliases_FullMethodName, &pb.ListAliasesRequest{}, &pb.ListAliasesResponse{}, access.AliasRead), whoDescribes), rpcList},
	{method(pb.Collections_CollectionClusterInfo_FullMethodName, &pb.CollectionClusterInfoRequest{}, &pb.CollectionClusterInfoResponse{}, access.ClusterRead), rpcShared("described")},
	{method(pb.Collections_CollectionExists_FullMethodName, &pb.CollectionExistsRequest{}, &pb.CollectionExistsResponse{}, access.SchemaRead), rpcCollection},
	{method(pb.Collections_UpdateCollectionClusterSetup_FullMethodName, &pb.UpdateCollectionClusterSetupRequest{}, &pb.UpdateCollectionClusterSetupResponse{}, access.ClusterAdmin), rpcShared("moved")},
	{method(pb.Collections_CreateShardKey_FullMethodName, &pb.CreateShardKeyRequest{}, &pb.CreateShardKeyResponse{}, access.ClusterAdmin), rpcCollection},
	{method(pb.Collections_DeleteShardKey_FullMethodName, &pb.DeleteShardKeyRequest{}, &pb.DeleteShardKeyResponse{}, access.ClusterAdmin), rpcShared("taken apart")},
	{method(pb.Collections_ListShardKeys_FullMethodName, &pb.ListShardKeysRequest{}, &pb.ListShardKeysResponse{}, access.ClusterRead), rpcCollection},

	{method(pb.Points_Get_FullMethodName, &pb.GetPoints{}, &pb.GetResponse{}, access.Fetch), alone(access.Fetch, (*part).rpcGet)},
	{told(method(pb.Points_Scroll_FullMethodName, &pb.ScrollPoints{}, &pb.ScrollResponse{}, access.Scroll, access.Fetch), byNamed), alone(access.Scroll, (*part).rpcScroll)},
	{method(pb.Points_Count_FullMethodName, &pb.CountPoints{}, &pb.CountResponse{}, access.Count), alone(access.Count, (*part).rpcCount)},
	{method(pb.Points_Facet_FullMethodName, &pb.FacetCounts{}, &pb.FacetResponse{}, access.Aggregate), alone(access.Aggregate, (*part).rpcFacet)},
	{method(pb.Points_SearchMatrixPairs_FullMethodName, &pb.SearchMatrixPoints{}, &pb.SearchMatrixPairsResponse{}, access.Aggregate), alone(access.Aggregate, (*part).rpcMatrix)},
	{method(pb.Points_SearchMatrixOffsets_FullMethodName, &pb.SearchMatrixPoints{}, &pb.SearchMatrixOffsetsResponse{}, access.Aggregate), alone(access.Aggregate, (*part).rpcMatrix)},
	{told(method(pb.Points_Query_FullMethodName, &pb.QueryPoints{}, &pb.QueryResponse{}, access.Search, access.Scroll, access.Fetch), orScroll), alone(access.Search, (*part).rpcQueryPoints)},
	{told(method(pb.Points_QueryBatch_FullMethodName, &pb.QueryBatchPoints{}, &pb.QueryBatchResponse{}, access.Search, access.Scroll, access.Fetch), orScroll), batch((*pb.QueryBatchPoints).GetQueryPoints, (*part).rpcQueryPoints)},
	{told(method(pb.Points_QueryGroups_FullMethodName, &pb.QueryPointGroups{}, &pb.QueryGroupsResponse{}, access.Search, access.Scroll, access.Fetch), orGroups), alone(access.Search, (*part).rpcQueryGroups)},
	{method(pb.Points_Search_FullMethodName, &pb.SearchPoints{}, &pb.SearchResponse{}, access.Search), alone(access.Search, (*part).rpcSearch)},
	{method(pb.Points_SearchBatch_FullMethodName, &pb.SearchBatchPoints{}, &pb.SearchBatchResponse{}, access.Search), batch((*pb.SearchBatchPoints).GetSearchPoints, (*part).rpcSearch)},
	{method(pb.Points_SearchGroups_FullMethodName, &pb.SearchPointGroups{}, &pb.SearchGroupsResponse{}, access.Search, access.Fetch), alone(access.Search, (*part).rpcSearchGroups)},
	{told(method(pb.Points_Recommend_FullMethodName, &pb.RecommendPoints{}, &pb.RecommendResponse{}, access.Search, access.Fetch), byPoint), alone(access.Search, (*part).rpcRecommend)},
	{told(method(pb.Points_RecommendBatch_FullMethodName, &pb.RecommendBatchPoints{}, &pb.RecommendBatchResponse{}, access.Search, access.Fetch), byPoint), batch((*pb.RecommendBatchPoints).GetRecommendPoints, (*part).rpcRecommend)},
	{told(method(pb.Points_RecommendGroups_FullMethodName, &pb.RecommendPointGroups{}, &pb.RecommendGroupsResponse{}, access.Search, access.Fetch), byPoint), alone(access.Search, (*part).rpcRecommendGroups)},
	{told(method(pb.Points_Discover_FullMethodName, &pb.DiscoverPoints{}, &pb.DiscoverResponse{}, access.Search, access.Fetch), byPoint), alone(access.Search, (*part).rpcDiscover)},
	{told(method(pb.Points_DiscoverBatch_FullMethodName, &pb.DiscoverBatchPoints{}, &pb.DiscoverBatchResponse{}, access.Search, access.Fetch), byPoint), batch((*pb.DiscoverBatchPoints).GetDiscoverPoints, (*part).rpcDiscover)},

	{method(pb.Points_Upsert_FullMethodName, &pb.UpsertPoints{}, &pb.PointsOperationResponse{}, access.Upsert), alone(access.Upsert, func(p *part, m *pb.UpsertPoints) error { return p.rpcUpsert(m.GetPoints(), &m.UpdateFilter) })},
	{told(method(pb.Points_Delete_FullMethodName, &pb.DeletePoints{}, &pb.PointsOperationResponse{}, access.Delete, access.DeleteByFilter, access.DeleteAll), bySelector), alone(access.Delete, func(p *part, m *pb.DeletePoints) error { return p.rpcDelete(&m.Points) })},
	{method(pb.Points_UpdateVectors_FullMethodName, &pb.UpdatePointVectors{}, &pb.PointsOperationResponse{}, access.UpdateVectors), alone(access.UpdateVectors, func(p *part, m *pb.UpdatePointVectors) error {
		return p.rpcUpdateVectors(m.GetPoints(), &m.UpdateFilter)
	})},
	{method(pb.Points_DeleteVectors_FullMethodName, &pb.DeletePointVectors{}, &pb.PointsOperationResponse{}, access.UpdateVectors), alone(access.UpdateVectors, func(p *part, m *pb.DeletePointVectors) error { return p.rpcSelects(&m.PointsSelector) })},
	{method(pb.Points_SetPayload_FullMethodName, &pb.SetPayloadPoints{}, &pb.PointsOperationResponse{}, access.Update), alone(access.Update, func(p *part, m *pb.SetPayloadPoints) error {
		return p.rpcSetPayload(m.GetPayload(), m.Key, &m.PointsSelector, false)
	})},
	{method(pb.Points_OverwritePayload_FullMethodName, &pb.SetPayloadPoints{}, &pb.PointsOperationResponse{}, access.Update), alone(access.Update, func(p *part, m *pb.SetPayloadPoints) error {
		return p.rpcSetPayload(m.GetPayload(), m.Key, &m.PointsSelector, true)
	})},
	{method(pb.Points_DeletePayload_FullMethodName, &pb.DeletePayloadPoints{}, &pb.PointsOperationResponse{}, access.Update), alone(access.Update, func(p *part, m *pb.DeletePayloadPoints) error {
		return p.rpcDeletePayload(m.GetKeys(), &m.PointsSelector)
	})},
	{method(pb.Points_ClearPayload_FullMethodName, &pb.ClearPayloadPoints{}, &pb.PointsOperationResponse{}, access.Update), alone(access.Update, func(p *part, m *pb.ClearPayloadPoints) error { return p.rpcClearPayload(&m.Points) })},
	{
		told(method(pb.Points_UpdateBatch_FullMethodName, &pb.UpdateBatchPoints{}, &pb.UpdateBatchResponse{}, access.Upsert, access.Update, access.UpdateVectors, access.Delete, access.DeleteByFilter, access.DeleteAll), "each of its operations by itself"),
		batch((*pb.UpdateBatchPoints).GetOperations, (*part).rpcOperation),
	},
	{method(pb.Points_CreateFieldIndex_FullMethodName, &pb.CreateFieldIndexCollection{}, &pb.PointsOperationResponse{}, access.IndexCreate), rpcCollection},
	{method(pb.Points_DeleteFieldIndex_FullMethodName, &pb.DeleteFieldIndexCollection{}, &pb.PointsOperationResponse{}, access.IndexDrop), rpcCollection},
	{unpublished("/qdrant.Points/CreateVectorName", access.IndexCreate), rpcTarget},
	{unpublished("/qdrant.Points/DeleteVectorName", access.IndexDrop), rpcTarget},

	{method(pb.Snapshots_Create_FullMethodName, &pb.CreateSnapshotRequest{}, &pb.CreateSnapshotResponse{}, access.SnapshotCreate), rpcCollection},
	{method(pb.Snapshots_List_FullMethodName, &pb.ListSnapshotsRequest{}, &pb.ListSnapshotsResponse{}, access.SnapshotList), rpcCollection},
	{method(pb.Snapshots_Delete_FullMethodName, &pb.DeleteSnapshotRequest{}, &pb.DeleteSnapshotResponse{}, access.SnapshotDelete), rpcShared("thinned out")},
	{method(pb.Snapshots_CreateFull_FullMethodName, &pb.CreateFullSnapshotRequest{}, &pb.CreateSnapshotResponse{}, access.SnapshotCreate), rpcTarget},
	{method(pb.Snapshots_ListFull_FullMethodName, &pb.ListFullSnapshotsRequest{}, &pb.ListSnapshotsResponse{}, access.SnapshotList), rpcTarget},
	{method(pb.Snapshots_DeleteFull_FullMethodName, &pb.DeleteFullSnapshotRequest{}, &pb.DeleteSnapshotResponse{}, access.SnapshotDelete), rpcTarget},

	{unpublished("/qdrant.StorageRead/ListFiles", access.RawRead), rpcTarget},
	{unpublished("/qdrant.StorageRead/FileExists", access.RawRead), rpcTarget},
	{unpublished("/qdrant.StorageRead/FileLength", access.RawRead), rpcTarget},
	{unpublished("/qdrant.StorageRead/ReadBytes", access.RawRead), rpcTarget},
	{streaming(unpublished("/qdrant.StorageRead/ReadBytesStream", access.RawRead)), rpcTarget},
	{unpublished("/qdrant.StorageRead/ReadWhole", access.RawRead), rpcTarget},
	{unpublished("/qdrant.StorageRead/ReadBatch", access.RawRead), rpcTarget},
}

func streaming(m grpcwire.Method) grpcwire.Method { m.ServerStreams = true; return m }

// healthCheck is asked by load balancers that have no credential.
func healthCheck() grpcwire.Method {
	m := told(method(health.Health_Check_FullMethodName, &health.HealthCheckRequest{}, &health.HealthCheckResponse{}, access.MetaHealth), noData)
	m.Open = &health.HealthCheckResponse{Status: health.HealthCheckResponse_SERVING}
	return m
}

// Methods is the table as others see it.
func Methods() []grpcwire.Method {
	all := make([]grpcwire.Method, len(rpcs))
	for i := range rpcs {
		all[i] = rpcs[i].method
	}
	return all
}
