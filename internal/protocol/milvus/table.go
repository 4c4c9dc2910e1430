package milvus

import (
	"fmt"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
)

// entry is a call of Milvus' services: what policy is asked about, and how it is read.
type entry struct {
	rpc     string
	about   string
	read    func(*call) error
	actions []access.Action
}

func does(rpc string, read func(*call) error, actions ...access.Action) entry {
	return entry{rpc: rpc, read: read, actions: actions}
}

func (e entry) saying(about string) entry { e.about = about; return e }

// never is a call that is in the table and never sent on: its about says why.
func never(rpc, why string) entry {
	return entry{rpc: rpc, about: "never sent on: " + why, read: func(*call) error { return unclear(why) }, actions: []access.Action{access.Unknown}}
}

const (
	noData    = "touches no data, needs no rule"
	passwords = "it or its answer carries a secret, which would be written into the record"
	copies    = "databases are copied beside the gateway, not through it"
)

// table is every call of MilvusService, and the one of ProxyService.
var table = []entry{
	does("Connect", free, access.MetaHealth).saying(noData),
	does("GetVersion", free, access.MetaHealth).saying(noData),
	does("CheckHealth", free, access.MetaHealth).saying(noData),
	does("GetComponentStates", free, access.MetaHealth).saying(noData),
	does("AllocTimestamp", free, access.MetaHealth).saying(noData),
	does("GetMetrics", ofTarget, access.MetaMetrics),
	never("Dummy", "its text is another request, which Milvus would run unseen"),
	never("RegisterLink", "it tells clients another address"),

	does("CreateDatabase", ofNamed, access.TenantCreate),
	does("DropDatabase", ofNamed, access.TenantDrop),
	does("AlterDatabase", ofNamed, access.TenantAlter),
	does("DescribeDatabase", ofNamed, access.TenantRead),
	does("ListDatabases", ofTarget, access.TenantRead),

	does("CreateCollection", readCreate, access.SchemaCreate).saying("with egress when a function of its schema asks a model elsewhere"),
	does("DropCollection", ofNew, access.SchemaDrop),
	does("TruncateCollection", ofNew, access.SchemaTruncate),
	does("RenameCollection", readRename, access.SchemaRename).saying("of the old and the new name"),
	does("HasCollection", ofCollection, access.SchemaRead),
	does("DescribeCollection", readDescribe, access.SchemaRead),
	does("BatchDescribeCollection", readDescribeAll, access.SchemaRead).saying("of each"),
	does("ShowCollections", readShow, access.SchemaList),
	does("AlterCollection", ofCollection, access.SchemaAlter),
	does("AlterCollectionField", ofCollection, access.SchemaAlter),
	does("AddCollectionField", readAddField, access.SchemaAlter),
	does("AddCollectionFunction", readFunction, access.SchemaAlter).saying("with egress when the function asks a model elsewhere"),
	does("AlterCollectionFunction", readFunction, access.SchemaAlter).saying("with egress when the function asks a model elsewhere"),
	does("DropCollectionFunction", ofCollection, access.SchemaAlter),
	does("GetCollectionStatistics", ofCollection, access.Count),
	does("LoadCollection", ofCollection, access.ClusterAdmin),
	does("ReleaseCollection", ofCollection, access.ClusterAdmin),
	does("GetLoadingProgress", ofCollection, access.SchemaRead),
	does("GetLoadState", ofCollection, access.SchemaRead),

	does("CreatePartition", ofCollection, access.TenantCreate),
	does("DropPartition", ofCollection, access.TenantDrop),
	does("HasPartition", ofCollection, access.TenantRead),
	does("ShowPartitions", ofCollection, access.TenantRead),
	does("GetPartitionStatistics", ofCollection, access.Count),
	does("LoadPartitions", ofCollection, access.ClusterAdmin),
	does("ReleasePartitions", ofCollection, access.ClusterAdmin),

	does("CreateAlias", readAlias, access.AliasWrite).saying("of the collection and of the alias"),
	does("AlterAlias", readAlias, access.AliasWrite).saying("of the collection, of the alias and of what it stood for"),
	does("DropAlias", readAlias, access.AliasWrite).saying("of the alias and of what it stands for"),
	does("DescribeAlias", readAlias, access.AliasRead).saying("of the alias and of what it stands for"),
	does("ListAliases", readAliases, access.AliasRead).saying("of the database when no collection is named"),

	does("CreateIndex", ofCollection, access.IndexCreate),
	does("AlterIndex", ofCollection, access.IndexRebuild),
	does("DropIndex", ofCollection, access.IndexDrop),
	does("DescribeIndex", ofCollection, access.SchemaRead),
	does("GetIndexStatistics", ofCollection, access.SchemaRead),
	does("GetIndexState", ofCollection, access.SchemaRead),
	does("GetIndexBuildProgress", ofCollection, access.SchemaRead),

	does("Insert", readInsert, access.Insert),
	does("Upsert", readUpsert, access.Upsert, access.Update).saying("and update when it is partial"),
	does("Delete", readDelete, access.Delete, access.DeleteByFilter, access.DeleteAll).saying("by keys; by a filter; by one that leaves nothing out, such as a range of the key"),
	does("Search", readSearch, access.Search),
	does("HybridSearch", readHybrid, access.Search),
	does("Query", readQuery, access.Fetch, access.Count, access.Scroll, access.ListIDs, access.Aggregate, access.Export).saying("by keys; count(*); with a filter or a limit; keys only; sums and groups; everything"),
	does("CalcDistance", readDistance, access.Search).saying("of each collection of which vectors are taken"),
	does("Import", readImport, access.Import).saying("with egress"),
	does("GetImportState", ofTarget, access.ClusterRead),
	does("ListImportTasks", readMaybe, access.ClusterRead).saying("of the collection, or of the database when none is named"),

	does("Flush", readFlush, access.ClusterAdmin).saying("of each collection"),
	does("FlushAll", readFlushAll, access.ClusterAdmin).saying("of what is named, or of the target"),
	does("GetFlushState", readMaybe, access.ClusterRead).saying("of the collection, or of the database when none is named"),
	does("GetFlushAllState", ofTarget, access.ClusterRead),
	does("GetPersistentSegmentInfo", ofCollection, access.ClusterRead),
	does("GetQuerySegmentInfo", ofCollection, access.ClusterRead),
	does("GetReplicas", ofCollection, access.ClusterRead),
	does("ManualCompaction", ofCollection, access.ClusterAdmin),
	does("GetCompactionState", ofTarget, access.ClusterRead),
	does("GetCompactionStateWithPlans", ofTarget, access.ClusterRead),
	does("LoadBalance", ofCollection, access.ClusterAdmin),
	does("ListIndexedSegment", ofCollection, access.ClusterRead),
	does("DescribeSegmentIndexData", readRaw, access.RawRead).saying("an index is made of vectors; refused where anything is hidden"),
	does("CreateResourceGroup", ofTarget, access.ClusterAdmin),
	does("DropResourceGroup", ofTarget, access.ClusterAdmin),
	does("UpdateResourceGroups", ofTarget, access.ClusterAdmin),
	does("TransferNode", ofTarget, access.ClusterAdmin),
	does("TransferReplica", ofCollection, access.ClusterAdmin),
	does("ListResourceGroups", ofTarget, access.ClusterRead),
	does("DescribeResourceGroup", ofTarget, access.ClusterRead),
	does("RunAnalyzer", readAnalyzer, access.SchemaRead, access.MetaDiagnostics).saying("of the collection whose analyzer is used; without one, of the target and with egress"),
	does("AddFileResource", readFileResource, access.ClusterAdmin).saying("with egress"),
	does("RemoveFileResource", ofTarget, access.ClusterAdmin),
	does("ListFileResources", ofTarget, access.ClusterRead),

	does("CreateCredential", readSecret, access.IAMWrite).saying("its password is not recorded"),
	does("UpdateCredential", readSecret, access.IAMWrite).saying("its passwords are not recorded"),
	does("DeleteCredential", ofTarget, access.IAMWrite),
	does("ListCredUsers", ofTarget, access.IAMRead),
	does("CreateRole", ofTarget, access.IAMWrite),
	does("DropRole", ofTarget, access.IAMWrite),
	does("OperateUserRole", ofTarget, access.IAMWrite),
	does("SelectRole", ofTarget, access.IAMRead),
	does("SelectUser", ofTarget, access.IAMRead),
	does("OperatePrivilege", ofTarget, access.IAMWrite),
	does("OperatePrivilegeV2", ofTarget, access.IAMWrite),
	does("SelectGrant", ofTarget, access.IAMRead),
	does("CreatePrivilegeGroup", ofTarget, access.IAMWrite),
	does("DropPrivilegeGroup", ofTarget, access.IAMWrite),
	does("ListPrivilegeGroups", ofTarget, access.IAMRead),
	does("OperatePrivilegeGroup", ofTarget, access.IAMWrite),
	does("AddUserTags", ofTarget, access.IAMWrite),
	does("DeleteUserTags", ofTarget, access.IAMWrite),
	does("GetUserTags", ofTarget, access.IAMRead),
	does("ListUsersWithTag", ofTarget, access.IAMRead),
	does("CreateRowPolicy", readRowPolicy, access.IAMWrite),
	does("DropRowPolicy", readRowPolicy, access.IAMWrite),
	does("ListRowPolicies", readRowPolicy, access.IAMRead),
	never("BackupRBAC", passwords),
	does("RestoreRBAC", readSecret, access.IAMWrite).saying("its passwords are not recorded"),

	never("ReplicateMessage", copies),
	never("CreateReplicateStream", copies),
	does("UpdateReplicateConfiguration", readSecret, access.ClusterAdmin).saying("with egress; its tokens are not recorded"),
	never("GetReplicateConfiguration", passwords),
	never("DumpMessages", "it reads the log of everything that was written, in a form in which nothing can be hidden"),
	does("GetReplicateInfo", ofTarget, access.ClusterRead),

	never("ProxyService/RegisterLink", "it tells clients another address"),
}

const service = "milvus.proto.milvus.MilvusService"

// Methods is the table as others see it.
func Methods() []grpcwire.Method {
	all := make([]grpcwire.Method, len(table))
	for i := range table {
		m, err := method(table[i].rpc)
		if err != nil {
			panic(err) // the table and the stubs are both part of this program; a test compares them
		}
		m.Actions, m.About = table[i].actions, table[i].about
		all[i] = *m
	}
	return all
}

// method finds a call in the published descriptors.
func method(rpc string) (*grpcwire.Method, error) {
	services := milvuspb.File_milvus_proto.Services()
	s := services.ByName("MilvusService")
	if rpc == "ProxyService/RegisterLink" {
		s, rpc = services.ByName("ProxyService"), "RegisterLink"
	}
	d := s.Methods().ByName(protoreflect.Name(rpc))
	if d == nil {
		return nil, fmt.Errorf("milvus: there is no call %s", rpc)
	}
	request, err := protoregistry.GlobalTypes.FindMessageByName(d.Input().FullName())
	if err != nil {
		return nil, fmt.Errorf("milvus: %s: %w", rpc, err)
	}
	response, err := protoregistry.GlobalTypes.FindMessageByName(d.Output().FullName())
	if err != nil {
		return nil, fmt.Errorf("milvus: %s: %w", rpc, err)
	}
	return &grpcwire.Method{
		Name: "/" + string(s.FullName()) + "/" + rpc, Request: request, Response: response,
		ClientStreams: d.IsStreamingClient(), ServerStreams: d.IsStreamingServer(),
	}, nil
}
