package opensearch

// Family is operations that are refused together: all whose path is one of these, or begins with it, and that are not in the
// table. They are refused like anything unknown; what stands here is what has been looked at, and why it is not taken.
type Family struct {
	About string
	Paths []string
}

// Families are the published operations that are not in the table.
func Families() []Family {
	return []Family{
		{"of all indices at once, or of those that a document names: name the index", []string{
			"/_alias", "/_cache", "/_count", "/_field_caps", "/_flush", "/_forcemerge", "/_mapping", "/_rank_eval", "/_recovery", "/_refresh", "/_resolve", "/_search_shards",
			"/_segments", "/_settings", "/_shard_stores", "/_stats", "/_upgrade", "/_validate", "/_create_from",
		}},
		{"who may do what at the engine", []string{"/_security", "/_plugins/_security", "/_opendistro/_security", "/_ssl", "/_license", "/_xpack"}},
		{"runs models, or sends data to them", []string{"/_inference", "/_ml", "/_plugins/_ml", "/_plugins/_neural", "/_plugins/_flow_framework", "/_plugins/_ltr", "/_ltr", "/_text_structure"}},
		{"languages of queries of their own", []string{"/_sql", "/_query", "/_eql", "/_plugins/_sql", "/_plugins/_ppl", "/_plugins/_query", "/_plugins/_asynchronous_search", "/_async_search"}},
		{"stored or templated queries, which are not read", []string{"/_search/template", "/_render", "/{index}/_msearch/template", "/_plugins/_search_relevance"}},
		{"code that is stored at the engine and runs later", []string{"/_scripts", "/_script_context", "/_script_language", "/_search/pipeline", "/_ingest", "/_logstash", "/_enrich", "/_synonyms"}},
		{"searches that others run on their own: alerts, transforms, roll-ups, connectors, applications", []string{
			"/_watcher", "/_transform", "/_rollup", "/_connector", "/_application", "/_query_rules", "/_plugins/_alerting", "/_plugins/_security_analytics", "/_plugins/ubi", "/_plugins/_transform",
			"/_plugins/_rollup", "/_plugins/_notifications", "/_plugins/_observability", "/_plugins/geospatial",
			"/{index}/_rollup", "/{index}/_rollup_search",
		}},
		{"what becomes of indices with time, and copies of them elsewhere", []string{
			"/_slm", "/_ilm", "/_ccr", "/_lifecycle", "/_searchable_snapshots", "/_remotestore", "/_plugins/_ism", "/_plugins/_sm", "/_plugins/_replication",
			"/{index}/_ilm", "/{index}/_ccr", "/{index}/_lifecycle", "/{index}/_searchable_snapshots", "/{index}/_downsample", "/{index}/_rollover",
		}},
		{"the cluster's own workings, beyond what the table has", []string{
			"/_cat", "/_cluster", "/_nodes", "/_tasks", "/_snapshot", "/_dangling", "/_autoscaling", "/_features", "/_fleet", "/_health_report", "/_info", "/_insights", "/_list", "/_migration",
			"/_monitoring", "/_streams", "/_wlm", "/_delete_by_query", "/_update_by_query", "/_reindex",
		}},
		{"templates and data streams, beyond what the table has", []string{"/_template", "/_component_template", "/_index_template", "/_data_stream"}},
		{"what an index is made of, beyond what the table has", []string{
			"/{index}/_block", "/{index}/_disk_usage", "/{index}/_field_usage_stats", "/{index}/_fleet", "/{index}/_migration", "/{index}/_recovery", "/{index}/_reload_search_analyzers",
			"/{index}/_search_shards", "/{index}/_segments", "/{index}/_settings", "/{index}/_shard_stores", "/{index}/_stats", "/{index}/_unfreeze", "/{index}/_upgrade", "/{index}/ingestion",
		}},
		{"values, or what texts are made of", []string{"/{index}/_mtermvectors", "/{index}/_termvectors", "/{index}/_mvt"}},
		{"streams of writes", []string{"/_bulk/stream", "/{index}/_bulk/stream"}},
		{"k-NN, beyond what the table has", []string{"/_plugins/_knn"}},
		{"forms of the clients that name no document or no alias", []string{"/{index}/_doc", "/{index}/_alias"}},
	}
}
