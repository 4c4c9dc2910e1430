package milvus

import (
	"slices"
	"strings"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/vecgate/vecgate/internal/access"
)

func TestEveryCallThatMilvusPublishesIsInTheTable(t *testing.T) {
	have := map[string]bool{}
	for _, m := range Methods() {
		if have[m.Name] {
			t.Errorf("%s is in the table twice", m.Name)
		}
		have[m.Name] = true
		for _, a := range m.Actions {
			if !a.Known() {
				t.Errorf("%s: %s is no action", m.Name, a)
			}
		}
	}
	services := milvuspb.File_milvus_proto.Services()
	n := 0
	for i := range services.Len() {
		s := services.Get(i)
		for j := range s.Methods().Len() {
			n++
			if name := "/" + string(s.FullName()) + "/" + string(s.Methods().Get(j).Name()); !have[name] {
				t.Errorf("%s is not in the table", name)
			}
		}
	}
	if n < 100 || n != len(have) {
		t.Errorf("%d calls are published, %d are in the table", n, len(have))
	}
}

// privileges are the actions that a privilege of Milvus' own stands for. What is not here stands for none.
var privileges = map[string][]access.Action{
	"CreateCollection": {access.SchemaCreate, access.SchemaAlter}, "DropCollection": {access.SchemaDrop, access.SchemaTruncate},
	"DescribeCollection": {access.SchemaRead}, "RenameCollection": {access.SchemaRename}, "AddCollectionField": {access.SchemaAlter},
	"Load": {access.ClusterAdmin}, "Release": {access.ClusterAdmin}, "GetLoadState": {access.SchemaRead}, "GetStatistics": {access.Count},
	"CreatePartition": {access.TenantCreate}, "DropPartition": {access.TenantDrop}, "HasPartition": {access.TenantRead}, "ShowPartitions": {access.TenantRead},
	"CreateDatabase": {access.TenantCreate}, "DropDatabase": {access.TenantDrop}, "AlterDatabase": {access.TenantAlter}, "DescribeDatabase": {access.TenantRead},
	"CreateAlias": {access.AliasWrite}, "DropAlias": {access.AliasWrite}, "DescribeAlias": {access.AliasRead}, "ListAliases": {access.AliasRead},
	"CreateIndex": {access.IndexCreate, access.IndexRebuild}, "DropIndex": {access.IndexDrop}, "IndexDetail": {access.SchemaRead},
	"Insert": {access.Insert}, "Upsert": {access.Upsert}, "Delete": {access.Delete}, "Search": {access.Search}, "Query": {access.Fetch}, "Import": {access.Import},
	"Flush": {access.ClusterAdmin}, "FlushAll": {access.ClusterAdmin}, "GetFlushState": {access.ClusterRead}, "Compaction": {access.ClusterAdmin}, "LoadBalance": {access.ClusterAdmin},
	"CreateResourceGroup": {access.ClusterAdmin}, "DropResourceGroup": {access.ClusterAdmin}, "UpdateResourceGroups": {access.ClusterAdmin}, "TransferNode": {access.ClusterAdmin},
	"TransferReplica": {access.ClusterAdmin}, "ListResourceGroups": {access.ClusterRead}, "DescribeResourceGroup": {access.ClusterRead},
	"CreateOwnership": {access.IAMWrite}, "DropOwnership": {access.IAMWrite}, "ManageOwnership": {access.IAMWrite}, "UpdateUser": {access.IAMWrite},
	"SelectOwnership": {access.IAMRead}, "SelectUser": {access.IAMRead}, "CreatePrivilegeGroup": {access.IAMWrite}, "DropPrivilegeGroup": {access.IAMWrite},
	"ListPrivilegeGroups": {access.IAMRead}, "OperatePrivilegeGroup": {access.IAMWrite},
	"AddFileResource": {access.ClusterAdmin}, "RemoveFileResource": {access.ClusterAdmin}, "ListFileResources": {access.ClusterRead},
	"BackupRBAC": nil, "RestoreRBAC": {access.IAMWrite}, "UpdateReplicateConfiguration": {access.ClusterAdmin}, "GetReplicateConfiguration": nil,
}

// TestActionsAgreeWithThePrivilegesOfMilvus compares the table, which was written by hand, with the privileges that Milvus
// itself asks for, and the field in which we look for the collection with the one that Milvus says holds it.
func TestActionsAgreeWithThePrivilegesOfMilvus(t *testing.T) {
	n := 0
	for _, m := range Methods() {
		options := m.Request.Descriptor().Options()
		if !proto.HasExtension(options, commonpb.E_PrivilegeExtObj) {
			continue
		}
		n++
		e, ok := proto.GetExtension(options, commonpb.E_PrivilegeExtObj).(*commonpb.PrivilegeExt)
		if !ok {
			t.Fatalf("%s has an annotation of another type", m.Name)
		}
		name := strings.TrimPrefix(e.GetObjectPrivilege().String(), "Privilege")
		want, known := privileges[name]
		if !known {
			t.Errorf("%s asks for the privilege %s, of which nothing is said here", m.Name, name)
		}
		if m.Actions[0] != access.Unknown && !slices.Contains(want, m.Actions[0]) {
			t.Errorf("%s is %s, and Milvus asks for %s", m.Name, m.Actions[0], name)
		}
		if e.GetObjectType() != commonpb.ObjectType_Collection {
			continue
		}
		number := max(e.GetObjectNameIndex(), e.GetObjectNameIndexs())
		fd := m.Request.Descriptor().Fields().ByNumber(protoreflect.FieldNumber(number))
		if fd == nil || fd.Name() != "collection_name" && fd.Name() != "collectionName" && fd.Name() != "collection_names" {
			t.Errorf("%s has its collection in field %d, which is not one in which we look", m.Name, number)
		}
	}
	if n < 60 {
		t.Errorf("%d calls are annotated only", n)
	}
}
