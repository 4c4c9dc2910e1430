package opensearch

import (
	"net/http"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
)

// entry is an operation: its route, the members that its document may have, and how it is read.
type entry struct {
	route   httpwire.Route
	members string // separated by spaces
	read    func(*call) error
}

// row makes an entry. More than one method, separated by spaces, are several operations that do the same.
type row struct {
	methods, path, name string
	actions             []access.Action
	about               string
	query               string
	body                string // "" takes no document; "lines" takes lines; members otherwise, "?" before them says that it may be left out
	read                func(*call) error
}

func does(a ...access.Action) []access.Action { return a }

// What the address of an operation may carry. Left out, and so refused: filter_path, format, source and error_trace, which
// change what an answer or a request is; q and df, a second language of queries; pipeline and search_pipeline, which run code;
// expand_wildcards, which reaches hidden indices.
const (
	always   = "pretty human "
	choosing = always + "ignore_unavailable allow_no_indices ignore_throttled "
	waiting  = always + "timeout cluster_manager_timeout master_timeout wait_for_active_shards "
	shaping  = "_source _source_includes _source_excludes "
	finding  = choosing + shaping + "size from scroll sort stored_fields docvalue_fields routing preference request_cache search_type typed_keys rest_total_hits_as_int track_total_hits track_scores " +
		"timeout terminate_after batched_reduce_size ccs_minimize_roundtrips max_concurrent_shard_requests pre_filter_shard_size allow_partial_search_results version seq_no_primary_term phase_took"
	several  = choosing + "typed_keys rest_total_hits_as_int search_type max_concurrent_searches max_concurrent_shard_requests ccs_minimize_roundtrips pre_filter_shard_size"
	getting  = always + shaping + "stored_fields routing preference realtime refresh version version_type"
	writing  = waiting + "refresh routing require_alias if_seq_no if_primary_term version version_type op_type"
	updating = waiting + shaping + "refresh routing require_alias if_seq_no if_primary_term retry_on_conflict lang"
	bulking  = waiting + shaping + "refresh routing require_alias"
	changing = choosing + "refresh routing timeout wait_for_active_shards conflicts scroll scroll_size search_timeout search_type slices requests_per_second wait_for_completion max_docs preference request_cache terminate_after"
	managing = choosing + waiting + "include_type_name flat_settings include_defaults local write_index_only preserve_existing"
	cat      = always + "v h s help local master_timeout cluster_manager_timeout bytes time health pri include_unloaded_segments full_id"
)

const (
	noData  = "touches no data, needs no rule"
	model   = "runs a model or sends data to one; refused as unclear"
	foreign = "a language of queries of its own; refused as unclear"
)

// rows are the operations that OpenSearch 2 and 3 and Elasticsearch 8 and 9 publish and that this gateway judges, and those that it
// knows and refuses. What is in neither list is refused like anything unknown.
var rows = []row{
	{"GET HEAD", "/", "info", does(access.MetaHealth), noData, always, "", free},

	{"GET POST", "/_search", "search_pit", does(access.Scroll, access.Aggregate, access.CodeExec), "with a point in time of one's own; without one it is refused, because it would search everything", finding, searchMembers, readSearch},
	{"GET POST", "/{index}/_search", "search", does(access.Search, access.Scroll, access.Fetch, access.Count, access.Aggregate, access.CodeExec), "scroll when it pages or looks for nothing; fetch by ids; count without hits; aggregate besides; code.exec with scripts", finding, "?" + searchMembers, readSearch},
	{"GET POST", "/_msearch", "msearch", does(access.Search, access.Scroll, access.Fetch, access.Count, access.Aggregate, access.CodeExec), "each like search", several, "lines", readMultiSearch},
	{"GET POST", "/{index}/_msearch", "msearch_of", does(access.Search, access.Scroll, access.Fetch, access.Count, access.Aggregate, access.CodeExec), "each like search", several, "lines", readMultiSearch},
	{"GET POST", "/{index}/_count", "count", does(access.Count, access.CodeExec), "", choosing + "routing preference terminate_after", "?query", readCount},
	{"GET POST", "/_search/scroll", "scroll", does(access.Scroll), "a scroll of one's own", always + "scroll typed_keys rest_total_hits_as_int", "scroll_id scroll", readScroll},
	{"DELETE", "/_search/scroll", "clear_scroll", does(access.MetaHealth), "of one's own; needs no rule", always, "scroll_id", readClose},
	{"DELETE", "/_search/scroll/{scroll}", "clear_scrolls", does(access.MetaHealth), "of one's own; needs no rule", always, "", readClose},
	{"POST", "/{index}/_pit", "open_pit", does(access.Scroll), "Elasticsearch", choosing + "keep_alive routing preference", "", readOpenPIT},
	{"DELETE", "/_pit", "close_pit", does(access.MetaHealth), "of one's own; needs no rule", always, "id", readClose},
	{"POST", "/{index}/_search/point_in_time", "create_pit", does(access.Scroll), "OpenSearch", choosing + "keep_alive routing preference allow_partial_pit_creation", "", readOpenPIT},
	{"DELETE", "/_search/point_in_time", "delete_pit", does(access.MetaHealth), "of one's own; needs no rule", always, "pit_id", readClose},
	{"GET POST", "/{index}/_field_caps", "field_caps", does(access.SchemaRead), "", choosing + "fields include_unmapped filters types include_empty_fields", "?" + anything, readFieldCaps},

	{"GET HEAD", "/{index}/_doc/{id}", "get", does(access.Fetch), "", getting, "", readGet},
	{"GET HEAD", "/{index}/_source/{id}", "get_source", does(access.Fetch), "", getting, "", readGet},
	{"GET POST", "/_mget", "mget", does(access.Fetch), "", getting, "docs", readMultiGet},
	{"GET POST", "/{index}/_mget", "mget_of", does(access.Fetch), "", getting, "docs ids", readMultiGet},

	{"POST", "/{index}/_doc", "index_new", does(access.Insert), "", writing, anything, readWrite},
	{"PUT POST", "/{index}/_doc/{id}", "index", does(access.Upsert, access.Insert), "insert with op_type create", writing, anything, readWrite},
	{"PUT POST", "/{index}/_create/{id}", "create", does(access.Insert), "", writing, anything, readWrite},
	{"POST", "/{index}/_update/{id}", "update", does(access.Update, access.UpdateVectors, access.Upsert, access.CodeExec), "update_vectors when vectors are among what changes; upsert when it may create; code.exec with a script", updating, anything, readWrite},
	{"DELETE", "/{index}/_doc/{id}", "delete", does(access.Delete), "", writing, "", readWrite},
	{"POST PUT", "/_bulk", "bulk", does(access.Insert, access.Upsert, access.Update, access.UpdateVectors, access.Delete, access.CodeExec), "each action by itself", bulking, "lines", readBulk},
	{"POST PUT", "/{index}/_bulk", "bulk_of", does(access.Insert, access.Upsert, access.Update, access.UpdateVectors, access.Delete, access.CodeExec), "each action by itself", bulking, "lines", readBulk},
	{"POST", "/{index}/_delete_by_query", "delete_by_query", does(access.DeleteByFilter, access.Delete, access.DeleteAll), "by ids, by any query, with one that matches everything", changing, "query max_docs conflicts slice", readByQuery},
	{"POST", "/{index}/_update_by_query", "update_by_query", does(access.Update, access.CodeExec), "code.exec with a script", changing, "?query script max_docs conflicts slice", readByQuery},
	{"POST", "/_reindex", "reindex", does(access.Export, access.Upsert, access.CodeExec), "of the source and of the destination; from another cluster it is refused", waiting + "refresh requests_per_second scroll slices wait_for_completion max_docs require_alias", "source dest script conflicts max_docs size", readReindex},

	{"PUT", "/{index}", "indices_create", does(access.SchemaCreate, access.AliasWrite, access.CodeExec), "alias.write for each alias; code.exec with a pipeline or a computed field", managing, "?settings mappings aliases", readCreate},
	{"DELETE", "/{index}", "indices_delete", does(access.SchemaDrop), "", managing, "", readDrop},
	{"GET HEAD", "/{index}", "indices_get", does(access.SchemaRead), "", managing, "", readOf},
	{"GET", "/{index}/_mapping", "get_mapping", does(access.SchemaRead), "", managing, "", readOf},
	{"GET", "/{index}/_mapping/field/{fields}", "get_field_mapping", does(access.SchemaRead), "", managing, "", readOf},
	{"PUT POST", "/{index}/_mapping", "put_mapping", does(access.SchemaAlter, access.CodeExec), "code.exec with a computed field", managing, anything, readOf},
	{"GET", "/{index}/_settings", "get_settings", does(access.SchemaRead), "", managing, "", readOf},
	{"PUT", "/{index}/_settings", "put_settings", does(access.SchemaAlter, access.CodeExec), "code.exec with a pipeline", managing + " reopen", anything, readOf},
	{"GET HEAD", "/{index}/_alias", "get_aliases_of", does(access.AliasRead), "", managing, "", readOf},
	{"GET HEAD", "/{index}/_alias/{alias}", "get_alias_of", does(access.AliasRead), "", managing, "", readOf},
	{"PUT POST", "/{index}/_alias/{alias}", "put_alias", does(access.AliasWrite), "of the alias and of the index", managing, "?filter routing index_routing search_routing is_write_index is_hidden", readAlias},
	{"DELETE", "/{index}/_alias/{alias}", "delete_alias", does(access.AliasWrite), "of the alias and of the index", managing, "", readAlias},
	{"GET", "/_alias", "get_aliases", does(access.AliasRead), "of the target as a whole", managing, "", whatever},
	{"GET HEAD", "/_alias/{alias}", "get_alias", does(access.AliasRead), "of the target as a whole", managing, "", whatever},
	{"POST", "/_aliases", "update_aliases", does(access.AliasWrite, access.SchemaDrop), "each action by itself", managing, "actions", readAliases},
	{"GET", "/_mapping", "get_mappings", does(access.SchemaRead), "of the target as a whole", managing, "", whatever},
	{"GET", "/{index}/_stats", "indices_stats", does(access.SchemaRead), "", choosing, "", readOf},
	{"GET POST", "/{index}/_refresh", "refresh", does(access.SchemaRead), "makes what is written visible to searches", choosing, "", readOf},
	{"POST", "/{index}/_flush", "flush", does(access.IndexRebuild), "", choosing + "force wait_if_ongoing", "", readOf},
	{"POST", "/{index}/_forcemerge", "forcemerge", does(access.IndexRebuild), "", choosing + "flush max_num_segments only_expunge_deletes wait_for_completion", "", readOf},
	{"POST", "/{index}/_cache/clear", "clear_cache", does(access.IndexRebuild), "", choosing + "fielddata query request", "", readOf},
	{"POST", "/{index}/_open", "open", does(access.SchemaAlter), "", managing, "", readOf},
	{"POST", "/{index}/_close", "close", does(access.SchemaAlter), "", managing, "", readOf},
	{"PUT POST", "/{index}/_clone/{to}", "clone", does(access.Export, access.SchemaCreate, access.CodeExec), "of the source and of the copy", managing, "?settings aliases", readCopy},
	{"PUT POST", "/{index}/_shrink/{to}", "shrink", does(access.Export, access.SchemaCreate, access.CodeExec), "of the source and of the copy", managing, "?settings aliases", readCopy},
	{"PUT POST", "/{index}/_split/{to}", "split", does(access.Export, access.SchemaCreate, access.CodeExec), "of the source and of the copy", managing, "?settings aliases", readCopy},
	{"PUT", "/_data_stream/{index}", "create_data_stream", does(access.SchemaCreate), "", waiting, "", readStream},
	{"GET", "/_data_stream/{index}", "get_data_stream", does(access.SchemaRead), "", always, "", readStream},
	{"DELETE", "/_data_stream/{index}", "delete_data_stream", does(access.SchemaDrop), "", waiting, "", readStream},

	{"GET", "/_cluster/health", "cluster_health", does(access.ClusterRead), "", waiting + "level local wait_for_status wait_for_nodes wait_for_no_relocating_shards wait_for_no_initializing_shards wait_for_events", "", whatever},
	{"GET", "/_cluster/health/{index}", "cluster_health_of", does(access.SchemaRead), "", waiting + "level local wait_for_status wait_for_nodes wait_for_no_relocating_shards wait_for_no_initializing_shards wait_for_events", "", readOf},
	{"GET", "/_cluster/settings", "get_cluster_settings", does(access.ClusterRead), "", managing, "", whatever},
	{"PUT", "/_cluster/settings", "put_cluster_settings", does(access.ClusterAdmin), "", managing, anything, whatever},
	{"GET", "/_cluster/state", "cluster_state", does(access.MetaDiagnostics), "", managing, "", whatever},
	{"GET", "/_cluster/stats", "cluster_stats", does(access.MetaMetrics), "", always + "timeout", "", whatever},
	{"GET", "/_cat/indices", "cat_indices", does(access.SchemaList), "of the target as a whole", cat, "", whatever},
	{"GET", "/_cat/indices/{index}", "cat_indices_of", does(access.SchemaRead), "", cat, "", readOf},
	{"GET", "/_cat/count/{index}", "cat_count_of", does(access.Count), "", cat, "", readOf},
	{"GET", "/_cat/aliases", "cat_aliases", does(access.AliasRead), "of the target as a whole", cat, "", whatever},
	{"GET", "/_cat/health", "cat_health", does(access.ClusterRead), "", cat, "", whatever},
	{"GET", "/_nodes/stats", "nodes_stats", does(access.MetaMetrics), "", always + "timeout", "", whatever},
	{"GET", "/_index_template/{name}", "get_index_template", does(access.ClusterRead), "", managing, "", whatever},
	{"HEAD", "/_index_template/{name}", "exists_index_template", does(access.ClusterRead), "", managing, "", whatever},
	{"PUT POST", "/_index_template/{name}", "put_index_template", does(access.ClusterAdmin), "shapes indices that are yet to be made", managing + "create cause", anything, whatever},
	{"DELETE", "/_index_template/{name}", "delete_index_template", does(access.ClusterAdmin), "", managing, "", whatever},
	{"GET", "/_ingest/pipeline/{name}", "get_pipeline", does(access.ClusterRead), "", managing, "", whatever},
	{"PUT", "/_ingest/pipeline/{name}", "put_pipeline", does(access.CodeExec), "", managing, anything, whatever},
	{"DELETE", "/_ingest/pipeline/{name}", "delete_pipeline", does(access.CodeExec), "", managing, "", whatever},
	{"PUT", "/_search/pipeline/{name}", "put_search_pipeline", does(access.CodeExec), "OpenSearch", managing, anything, whatever},
	{"PUT POST", "/_scripts/{name}", "put_script", does(access.CodeExec), "", managing, anything, whatever},
	{"DELETE", "/_scripts/{name}", "delete_script", does(access.CodeExec), "", managing, "", whatever},

	{"GET", "/_snapshot", "get_repositories", does(access.SnapshotList), "", managing, "", whatever},
	{"PUT POST", "/_snapshot/{repository}", "create_repository", does(access.ClusterAdmin), "tells the engine where to write to", managing + "verify", anything, whatever},
	{"DELETE", "/_snapshot/{repository}", "delete_repository", does(access.ClusterAdmin), "", managing, "", whatever},
	{"GET", "/_snapshot/{repository}/{snapshot}", "get_snapshot", does(access.SnapshotList), "", managing, "", whatever},
	{"PUT POST", "/_snapshot/{repository}/{snapshot}", "create_snapshot", does(access.SnapshotCreate), "of the target as a whole", managing + "wait_for_completion", "?" + anything, whatever},
	{"DELETE", "/_snapshot/{repository}/{snapshot}", "delete_snapshot", does(access.SnapshotDelete), "", managing, "", whatever},
	{"POST", "/_snapshot/{repository}/{snapshot}/_restore", "restore_snapshot", does(access.SnapshotRestore), "of the target as a whole", managing + "wait_for_completion", "?" + anything, whatever},

	{"GET", "/_plugins/_knn/stats", "knn_stats", does(access.MetaMetrics), "OpenSearch", always + "timeout", "", whatever},
	{"GET", "/_plugins/_knn/warmup/{index}", "knn_warmup", does(access.IndexRebuild), "OpenSearch", always, "", readOf},
	{"POST", "/_plugins/_knn/clear_cache/{index}", "knn_clear_cache", does(access.IndexRebuild), "OpenSearch", always, "", readOf},
	{"GET", "/_plugins/_knn/models/{model}", "knn_get_model", does(access.MetaDiagnostics), "OpenSearch; a model is made of vectors", always, "", whatever},
	{"DELETE", "/_plugins/_knn/models/{model}", "knn_delete_model", does(access.IndexDrop), "OpenSearch", always, "", whatever},

	refused("POST", "/_plugins/_knn/models/{model}/_train", "knn_train", "reads the vectors of an index that its document names; refused as unclear"),
	refused("GET POST", "/_plugins/_knn/models/_search", "knn_search_models", "searches a hidden index; refused as unclear"),
	refused("GET POST", "/{index}/_knn_search", "knn_search", "of Elasticsearch 8, deprecated: use search with knn; refused as unclear"),
	refused("GET POST", "/{index}/_search/template", "search_template", "a stored or templated query is not read; refused as unclear"),
	refused("GET POST", "/_msearch/template", "msearch_template", "a stored or templated query is not read; refused as unclear"),
	refused("GET POST", "/_render/template", "render_search_template", "refused as unclear"),
	refused("POST", "/{index}/_async_search", "async_search", "Elasticsearch; refused as unclear"),
	refused("GET POST", "/{index}/_explain/{id}", "explain", "an explanation tells of values; refused as unclear"),
	refused("GET POST", "/{index}/_validate/query", "validate_query", "an explanation tells of values; refused as unclear"),
	refused("GET POST", "/{index}/_termvectors/{id}", "termvectors", "returns what texts are made of; refused as unclear"),
	refused("GET POST", "/_mtermvectors", "mtermvectors", "returns what texts are made of; refused as unclear"),
	refused("GET POST", "/{index}/_terms_enum", "terms_enum", "Elasticsearch; returns values; refused as unclear"),
	refused("GET POST", "/{index}/_rank_eval", "rank_eval", "refused as unclear"),
	refused("GET POST", "/{index}/_graph/explore", "graph_explore", "Elasticsearch; returns values; refused as unclear"),
	refused("GET", "/{index}/_mvt/{field}/{zoom}/{x}/{y}", "search_mvt", "Elasticsearch; its answer is not JSON; refused as unclear"),
	refused("POST", "/_query", "esql_query", foreign),
	refused("POST", "/_sql", "sql_query", foreign),
	refused("GET POST", "/{index}/_eql/search", "eql_search", foreign),
	refused("POST", "/_plugins/_sql", "plugins_sql", foreign),
	refused("POST", "/_plugins/_ppl", "plugins_ppl", foreign),
	refused("POST", "/_plugins/_asynchronous_search", "asynchronous_search", "OpenSearch; refused as unclear"),
	refused("POST", "/_inference/{task}/{model}", "inference", model),
	refused("POST", "/_plugins/_ml/models/{model}/_predict", "ml_predict", model),
	refused("GET POST", "/_scripts/painless/_execute", "painless_execute", "runs code on a document of one's own; refused as unclear"),
	refused("GET POST", "/_analyze", "analyze", "refused as unclear"),
	refused("GET POST", "/{index}/_analyze", "analyze_of", "refused as unclear"),
	refused("POST", "/{index}/_rollover", "rollover", "moves an alias to an index that it makes; refused as unclear"),
	refused("GET", "/_nodes", "nodes_info", "tells the addresses that lead around the gateway; refused as unclear"),
	refused("GET", "/_nodes/http", "nodes_http", "tells the addresses that lead around the gateway, for clients that sniff; refused as unclear"),
	refused("GET", "/_nodes/hot_threads", "nodes_hot_threads", "refused as unclear"),
	refused("GET", "/_tasks", "tasks", "tells of other people's requests; refused as unclear"),
	refused("GET", "/_remote/info", "remote_info", "refused as unclear"),
	refused("GET", "/_search/point_in_time/_all", "all_pits", "tells of other people's cursors; refused as unclear"),
	refused("DELETE", "/_search/point_in_time/_all", "delete_all_pits", "ends other people's cursors; refused as unclear"),
	refused("DELETE", "/_search/scroll/_all", "clear_all_scrolls", "ends other people's cursors; refused as unclear"),
}

func refused(methods, path, name, about string) row {
	why, _, _ := strings.Cut(about, "; refused")
	body := ""
	if strings.Contains(methods, "POST") {
		body = "?" + anything
	}
	return row{methods, path, name, does(access.Unknown), about, always, body, refuse("it is an operation that this gateway does not judge: " + why)}
}

var (
	table   = entriesOf(rows)
	entries = func() map[string]entry {
		all := map[string]entry{}
		for _, e := range table {
			all[e.route.Name] = e
		}
		return all
	}()
)

func entriesOf(rows []row) []entry {
	var all []entry
	for _, r := range rows {
		for i, method := range strings.Fields(r.methods) {
			e := entry{read: r.read, route: httpwire.Route{Name: r.name, Method: method, Path: r.path, Query: strings.Fields(r.query), Actions: r.actions, About: r.about}}
			if i > 0 {
				e.route.Name += "_by_" + strings.ToLower(method)
			}
			if method != http.MethodHead {
				members, optional := strings.CutPrefix(r.body, "?")
				e.members = members
				switch {
				case members == "lines":
					e.route.Lines, e.members = true, anything
				case members != "":
					e.route.Body, e.route.Optional = true, optional
				}
			}
			all = append(all, e)
		}
	}
	return all
}

// Routes is the table as others see it.
func Routes() []httpwire.Route {
	all := make([]httpwire.Route, len(table))
	for i := range table {
		all[i] = table[i].route
	}
	return all
}
