package qdrant

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

// Newer servers let anybody who may read a collection read the files of its segments (qdrant.StorageRead), and servers
// speak among themselves at a port of their own. No policy opens either.
func TestFilesAndWhatServersSayAmongThemselvesAreNeverReached(t *testing.T) {
	w := protocoltest.StartGRPC(t, rpcSuite())
	w.Unclear = true // a policy that lets what is unknown pass
	// collection_name = 1 and path = 2, as such a request begins.
	raw := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "customers")
	raw = protowire.AppendString(protowire.AppendTag(raw, 2, protowire.BytesType), "0/segments/a/payload.mmap")
	n := 0
	for service, methods := range map[string]string{
		"StorageRead":         "ListFiles FileExists FileLength ReadBytes ReadBytesStream ReadWhole ReadBatch",
		"storageread":         "readwhole",
		"PointsInternal":      "Upsert Sync CoreSearchBatch Scroll Get Delete ClearPayload QueryBatch",
		"CollectionsInternal": "Get Initiate WaitForShardState GetShardRecoveryPoint UpdateShardCutoffPoint",
		"ShardSnapshots":      "Create List Delete Recover",
		"QdrantInternal":      "GetConsensusCommit WaitOnConsensusCommit GetTelemetry GetPeerTelemetry",
		"Raft":                "Send WhoIs AddPeerToKnown AddPeerAsParticipant",
	} {
		for _, method := range strings.Fields(methods) {
			for _, name := range []string{"/qdrant." + service + "/" + method, "/" + service + "/" + method} {
				a := w.Do(t.Context(), protocoltest.GRPCRequest{Method: name, Raw: raw})
				n++
				if a.Code() != string(access.CodeUnclear) || len(a.Raw) > 0 {
					t.Errorf("%s: %v %q", name, a.Status, a.Code())
				}
			}
		}
	}
	if all := w.All(); len(all) > 0 {
		t.Errorf("%s reached the target", all[0].Method)
	}
	if got := len(w.Records(audit.TypeRefusal)); got != n {
		t.Errorf("%d of %d are written down", got, n)
	}
	// Over the other door they have no route either.
	r := protocoltest.Start(t, suite())
	r.Unclear = true
	for _, path := range []string{
		"/collections/customers/shards/0/files", "/collections/customers/storage/read", "/storage/read", "/qdrant.StorageRead/ReadWhole",
		"/dashboard", "/dashboard/index.html", "/openapi.json", "//collections//customers//points/scroll/",
	} {
		for _, method := range []string{"GET", "POST"} {
			if a := r.Do(t.Context(), protocoltest.Request{Method: method, Path: path}); a.Header.Get("X-Vecgate-Code") != string(access.CodeUnclear) {
				t.Errorf("%s %s: %v", method, path, a)
			}
		}
	}
	if all := r.All(); len(all) > 0 {
		t.Errorf("%s %s reached the target", all[0].Method, all[0].URI)
	}
}
