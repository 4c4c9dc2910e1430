package qdrant

import (
	"net/http"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
)

// entry is an operation and how it is read.
type entry struct {
	route httpwire.Route
	read  func(*call) error
}

const (
	coll    = "/collections/{collection}"
	points  = coll + "/points"
	snaps   = coll + "/snapshots"
	shards  = coll + "/shards"
	shard   = shards + "/{shard}"
	cluster = "/cluster"
)

func on(method, path, name string, actions ...access.Action) httpwire.Route {
	return httpwire.Route{Name: name, Method: method, Path: path, Actions: actions}
}

// document is on for an operation that takes a JSON document.
func document(method, path, name string, actions ...access.Action) httpwire.Route {
	return httpwire.Route{Name: name, Method: method, Path: path, Body: true, Actions: actions}
}

func asking(r httpwire.Route, query ...string) httpwire.Route { r.Query = query; return r }

func saying(r httpwire.Route, about string) httpwire.Route { r.About = about; return r }

func reads(r httpwire.Route) httpwire.Route { return asking(r, "consistency", "timeout") }

func writes(r httpwire.Route) httpwire.Route { return asking(r, "wait", "ordering", "timeout") }

const (
	noData       = "touches no data, needs no rule"
	unlisted     = "is served but not published"
	older        = "of older clients; is served but not published any more"
	byPoint      = "fetch, besides, of points whose ids are searched with, and of collections that are looked up"
	byNamed      = "fetch when its filter lets through only points that it names by their ids (has_id)"
	orScroll     = "scroll without a query, or with one that only orders or samples, and then " + byNamed + "; " + byPoint
	orGroups     = "scroll without a query, or with one that only orders or samples; " + byPoint
	multipart    = "takes a file, which the gateway does not carry: refused as unclear"
	whoDescribes = "shows the collections that the caller may describe, with schema.read or schema.list on them"
	bySelector   = "by ids, by a filter that narrows, or else all"
)

// table is every operation that Qdrant 1.19 serves; what is published is told from what is only served by About. The pages
// under /dashboard are not served.
var table = []entry{
	{saying(on(http.MethodGet, "/", "root", access.MetaHealth), noData), free},
	{saying(on(http.MethodGet, "/healthz", "healthz", access.MetaHealth), noData), free},
	{saying(on(http.MethodGet, "/livez", "livez", access.MetaHealth), noData), free},
	{saying(on(http.MethodGet, "/readyz", "readyz", access.MetaHealth), noData), free},
	{asking(on(http.MethodGet, "/metrics", "metrics", access.MetaMetrics), "anonymize", "per_collection"), ofTarget},
	{asking(on(http.MethodGet, "/telemetry", "telemetry", access.MetaMetrics), "anonymize", "details_level", "per_collection", "timeout"), ofTarget},
	{saying(on(http.MethodGet, "/logger", "get_logger", access.MetaDiagnostics), unlisted), ofTarget},
	{saying(document(http.MethodPost, "/logger", "set_logger", access.ClusterAdmin), unlisted), ofTarget},
	{saying(on(http.MethodGet, "/debugger", "get_debugger", access.MetaDiagnostics), unlisted), ofTarget},
	{saying(document(http.MethodPatch, "/debugger", "set_debugger", access.ClusterAdmin), unlisted), ofTarget},
	{saying(on(http.MethodGet, "/stacktrace", "stacktrace", access.MetaDiagnostics), unlisted), ofTarget},
	{saying(on(http.MethodGet, "/profiler/slow_requests", "slow_requests", access.MetaDiagnostics), unlisted+"; tells queries of others"), ofTarget},
	{saying(document(http.MethodPost, "/audit/logs", "audit_logs", access.MetaDiagnostics), unlisted), ofTarget},
	{on(http.MethodGet, "/issues", "get_issues", access.MetaDiagnostics), ofTarget},
	{on(http.MethodDelete, "/issues", "clear_issues", access.ClusterAdmin), ofTarget},
	{on(http.MethodGet, "/quotas", "get_quotas", access.ClusterRead), ofTarget},
	{document(http.MethodPut, "/quotas", "set_quotas", access.ClusterAdmin), ofTarget},

	{on(http.MethodGet, cluster, "cluster_status", access.ClusterRead), ofTarget},
	{asking(on(http.MethodGet, cluster+"/telemetry", "cluster_telemetry", access.MetaMetrics), "details_level", "timeout"), ofTarget},
	{on(http.MethodPost, cluster+"/recover", "recover_current_peer", access.ClusterAdmin), ofTarget},
	{asking(on(http.MethodDelete, cluster+"/peer/{peer}", "remove_peer", access.ClusterAdmin), "force", "timeout"), ofTarget},
	{saying(on(http.MethodGet, cluster+"/metadata/keys", "list_metadata_keys", access.ClusterRead), unlisted), ofTarget},
	{saying(on(http.MethodGet, cluster+"/metadata/keys/{key}", "get_metadata_key", access.ClusterRead), unlisted), ofTarget},
	{asking(saying(document(http.MethodPut, cluster+"/metadata/keys/{key}", "set_metadata_key", access.ClusterAdmin), unlisted), "wait"), ofTarget},
	{asking(saying(on(http.MethodDelete, cluster+"/metadata/keys/{key}", "delete_metadata_key", access.ClusterAdmin), unlisted), "wait"), ofTarget},
	{on(http.MethodGet, coll+"/cluster", "collection_cluster_info", access.ClusterRead), ofShared("described")},
	{asking(document(http.MethodPost, coll+"/cluster", "update_collection_cluster", access.ClusterAdmin), "timeout"), ofShared("moved")},
	{on(http.MethodGet, shards, "list_shard_keys", access.ClusterRead), ofCollection},
	{asking(document(http.MethodPut, shards, "create_shard_key", access.ClusterAdmin), "timeout"), ofCollection},
	{asking(document(http.MethodPost, shards+"/delete", "delete_shard_key", access.ClusterAdmin), "timeout"), ofShared("taken apart")},
	{asking(saying(on(http.MethodPost, shard+"/cleanup", "cleanup_shard", access.ClusterAdmin), unlisted), "wait", "timeout"), ofShared("cleaned up")},
	{saying(on(http.MethodPost, coll+"/truncate_unapplied_wal", "truncate_unapplied_wal", access.ClusterAdmin), unlisted), ofShared("truncated")},

	{saying(on(http.MethodGet, "/collections", "get_collections", access.SchemaList), whoDescribes), ofList("collections", "name")},
	{on(http.MethodGet, coll, "get_collection", access.SchemaRead), ofCollection},
	{on(http.MethodGet, coll+"/exists", "collection_exists", access.SchemaRead), ofCollection},
	{asking(on(http.MethodGet, coll+"/optimizations", "get_optimizations", access.SchemaRead), "with", "completed_limit"), ofShared("described")},
	{saying(on(http.MethodGet, coll+"/memory", "get_memory", access.SchemaRead), unlisted), ofShared("described")},
	{saying(document(http.MethodPost, coll+"/debug", "debug_collection", access.MetaDiagnostics), unlisted), ofWhole("examined")},
	{asking(saying(document(http.MethodPut, coll, "create_collection", access.SchemaCreate, access.Export), "export of the collection that init_from names"), "timeout"), readCreate},
	{asking(document(http.MethodPatch, coll, "update_collection", access.SchemaAlter), "timeout"), readDocument("vectors optimizers_config params hnsw_config quantization_config sparse_vectors strict_mode_config metadata")},
	{asking(on(http.MethodDelete, coll, "delete_collection", access.SchemaDrop), "timeout"), readDrop},
	{writes(document(http.MethodPut, coll+"/index", "create_field_index", access.IndexCreate)), readDocument("field_name field_schema field_type")},
	{writes(on(http.MethodDelete, coll+"/index/{field}", "delete_field_index", access.IndexDrop)), readDropIndex},
	{writes(saying(document(http.MethodPut, coll+"/vectors/{vector}", "create_vector_name", access.IndexCreate), "adds vectors of a name")), ofCollection},
	{writes(saying(on(http.MethodDelete, coll+"/vectors/{vector}", "delete_vector_name", access.IndexDrop), "loses all vectors of a name")), ofShared("altered")},

	{saying(on(http.MethodGet, "/aliases", "get_collections_aliases", access.AliasRead), whoDescribes), ofList("aliases", "collection_name")},
	{on(http.MethodGet, coll+"/aliases", "get_collection_aliases", access.AliasRead), ofCollection},
	{
		asking(saying(document(http.MethodPost, "/collections/aliases", "update_aliases", access.AliasWrite), "of every alias and collection that it names, and of what an alias stood for"), "timeout"),
		readAliases,
	},

	{reads(saying(on(http.MethodGet, points+"/{id}", "get_point", access.Fetch), "")), readPoint},
	{reads(document(http.MethodPost, points, "get_points", access.Fetch)), found(one(access.Fetch, (*part).fetch), listed)},
	{reads(saying(document(http.MethodPost, points+"/scroll", "scroll_points", access.Scroll, access.Fetch), byNamed)), found(one(access.Scroll, (*part).scroll), paged)},
	{reads(document(http.MethodPost, points+"/count", "count_points", access.Count)), found(one(access.Count, (*part).count), nil)},
	{reads(document(http.MethodPost, coll+"/facet", "facet", access.Aggregate)), found(one(access.Aggregate, (*part).facet), facets)},
	{reads(document(http.MethodPost, points+"/search/matrix/pairs", "search_matrix_pairs", access.Aggregate)), found(one(access.Aggregate, (*part).matrix), pairsOf)},
	{reads(document(http.MethodPost, points+"/search/matrix/offsets", "search_matrix_offsets", access.Aggregate)), found(one(access.Aggregate, (*part).matrix), offsets)},
	{reads(saying(document(http.MethodPost, points+"/query", "query_points", access.Search, access.Scroll, access.Fetch), orScroll)), found(one(access.Search, searching(queryMembers, nil)), paged)},
	{
		reads(saying(document(http.MethodPost, points+"/query/batch", "query_batch_points", access.Search, access.Scroll, access.Fetch), orScroll)),
		found(each("searches", access.Search, searching(queryMembers, nil)), pages),
	},
	{
		reads(saying(document(http.MethodPost, points+"/query/groups", "query_points_groups", access.Search, access.Scroll, access.Fetch), orGroups)),
		found(one(access.Search, searching(queryMembers+groupMembers, nil)), groups),
	},
	{reads(saying(document(http.MethodPost, points+"/search", "search_points", access.Search), older)), found(one(access.Search, searching(searchOnly, plainVector)), listed)},
	{reads(saying(document(http.MethodPost, points+"/search/batch", "search_batch_points", access.Search), older)), found(each("searches", access.Search, searching(searchOnly, plainVector)), lists)},
	{
		reads(saying(document(http.MethodPost, points+"/search/groups", "search_point_groups", access.Search, access.Fetch), older)),
		found(one(access.Search, searching(searchOnly+groupMembers, plainVector)), groups),
	},
	{reads(saying(document(http.MethodPost, points+"/recommend", "recommend_points", access.Search, access.Fetch), older)), found(one(access.Search, searching(recommendMembers, recommended)), listed)},
	{
		reads(saying(document(http.MethodPost, points+"/recommend/batch", "recommend_batch_points", access.Search, access.Fetch), older)),
		found(each("searches", access.Search, searching(recommendMembers, recommended)), lists),
	},
	{
		reads(saying(document(http.MethodPost, points+"/recommend/groups", "recommend_point_groups", access.Search, access.Fetch), older)),
		found(one(access.Search, searching(recommendMembers+groupMembers, recommended)), groups),
	},
	{reads(saying(document(http.MethodPost, points+"/discover", "discover_points", access.Search, access.Fetch), older)), found(one(access.Search, searching(discoverMembers, discovered)), listed)},
	{
		reads(saying(document(http.MethodPost, points+"/discover/batch", "discover_batch_points", access.Search, access.Fetch), older)),
		found(each("searches", access.Search, searching(discoverMembers, discovered)), lists),
	},

	{writes(document(http.MethodPut, points, "upsert_points", access.Upsert)), found(one(access.Upsert, (*part).upsert), nil)},
	{writes(saying(document(http.MethodPost, points+"/delete", "delete_points", access.Delete, access.DeleteByFilter, access.DeleteAll), bySelector)), found(one(access.Delete, (*part).deletePoints), nil)},
	{writes(document(http.MethodPut, points+"/vectors", "update_vectors", access.UpdateVectors)), found(one(access.UpdateVectors, (*part).updateVectors), nil)},
	{writes(document(http.MethodPost, points+"/vectors/delete", "delete_vectors", access.UpdateVectors)), found(one(access.UpdateVectors, (*part).deleteVectors), nil)},
	{writes(document(http.MethodPost, points+"/payload", "set_payload", access.Update)), found(one(access.Update, func(p *part, t *tree) error { return p.setPayload(t, false) }), nil)},
	{writes(document(http.MethodPut, points+"/payload", "overwrite_payload", access.Update)), found(one(access.Update, func(p *part, t *tree) error { return p.setPayload(t, true) }), nil)},
	{writes(document(http.MethodPost, points+"/payload/delete", "delete_payload", access.Update)), found(one(access.Update, (*part).deletePayload), nil)},
	{writes(document(http.MethodPost, points+"/payload/clear", "clear_payload", access.Update)), found(one(access.Update, (*part).clearPayload), nil)},
	{
		writes(saying(document(http.MethodPost, points+"/batch", "batch_update", access.Upsert, access.Update, access.UpdateVectors, access.Delete, access.DeleteByFilter, access.DeleteAll), "each of its operations by itself")),
		found(readOperations, nil),
	},

	{on(http.MethodGet, snaps, "list_snapshots", access.SnapshotList), ofCollection},
	{asking(on(http.MethodPost, snaps, "create_snapshot", access.SnapshotCreate), "wait"), ofCollection},
	{asking(on(http.MethodDelete, snaps+"/{snapshot}", "delete_snapshot", access.SnapshotDelete), "wait"), ofShared("thinned out")},
	{on(http.MethodGet, snaps+"/{snapshot}", "get_snapshot", access.SnapshotDownload), ofWhole("downloaded")},
	{asking(saying(document(http.MethodPut, snaps+"/recover", "recover_from_snapshot", access.SnapshotRestore), "the server fetches it from wherever it is told"), "wait"), readRecover},
	{asking(saying(document(http.MethodPost, snaps+"/upload", "recover_from_uploaded_snapshot", access.SnapshotRestore), multipart), "wait", "priority", "checksum"), readRecover},
	{on(http.MethodGet, "/snapshots", "list_full_snapshots", access.SnapshotList), ofTarget},
	{asking(on(http.MethodPost, "/snapshots", "create_full_snapshot", access.SnapshotCreate), "wait"), ofTarget},
	{on(http.MethodGet, "/snapshots/{snapshot}", "get_full_snapshot", access.SnapshotDownload), ofTarget},
	{asking(on(http.MethodDelete, "/snapshots/{snapshot}", "delete_full_snapshot", access.SnapshotDelete), "wait"), ofTarget},
	{on(http.MethodGet, shard+"/snapshots", "list_shard_snapshots", access.SnapshotList), ofCollection},
	{asking(on(http.MethodPost, shard+"/snapshots", "create_shard_snapshot", access.SnapshotCreate), "wait"), ofCollection},
	{asking(on(http.MethodDelete, shard+"/snapshots/{snapshot}", "delete_shard_snapshot", access.SnapshotDelete), "wait"), ofShared("thinned out")},
	{on(http.MethodGet, shard+"/snapshots/{snapshot}", "get_shard_snapshot", access.SnapshotDownload), ofWhole("downloaded")},
	{saying(on(http.MethodGet, shard+"/snapshot", "stream_shard_snapshot", access.SnapshotDownload), "makes one and sends it"), ofWhole("downloaded")},
	{asking(document(http.MethodPut, shard+"/snapshots/recover", "recover_shard_from_snapshot", access.SnapshotRestore), "wait"), readRecover},
	{asking(saying(document(http.MethodPost, shard+"/snapshots/upload", "recover_shard_from_uploaded_snapshot", access.SnapshotRestore), multipart), "wait", "priority", "checksum"), readRecover},
	{saying(document(http.MethodPost, shard+"/snapshot/partial/create", "create_partial_snapshot", access.SnapshotDownload), unlisted), ofWhole("downloaded")},
	{asking(saying(document(http.MethodPost, shard+"/snapshot/partial/recover", "recover_partial_snapshot", access.SnapshotRestore), unlisted), "wait", "priority", "checksum"), readRecover},
	{asking(saying(document(http.MethodPost, shard+"/snapshot/partial/recover_from", "recover_partial_snapshot_from", access.SnapshotRestore), unlisted), "wait"), readRecover},
	{saying(on(http.MethodGet, shard+"/snapshot/partial/manifest", "partial_snapshot_manifest", access.SnapshotList), unlisted), ofWhole("described")},

	{saying(document(http.MethodPost, shard+"/points", "get_shard_points", access.RawRead), unlisted), ofWhole("read by its shards")},
	{saying(document(http.MethodPost, shard+"/points/scroll", "scroll_shard_points", access.RawRead), unlisted), ofWhole("read by its shards")},
	{saying(document(http.MethodPost, shard+"/points/count", "count_shard_points", access.RawRead), unlisted), ofWhole("read by its shards")},
	{saying(on(http.MethodGet, shard+"/wal", "get_shard_wal", access.RawRead), unlisted), ofWhole("read by its shards")},
	{saying(on(http.MethodGet, shard+"/recovery_point", "get_shard_recovery_point", access.RawRead), unlisted), ofWhole("read by its shards")},
}

// Routes is the table as others see it.
func Routes() []httpwire.Route {
	all := make([]httpwire.Route, len(table))
	for i := range table {
		all[i] = table[i].route
		all[i].About = strings.TrimPrefix(all[i].About, "; ")
	}
	return all
}
