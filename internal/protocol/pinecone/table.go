package pinecone

import (
	"net/http"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// entry is an operation: its route, the plane it belongs to, the members that its document may have, and how it is read.
type entry struct {
	route   httpwire.Route
	data    bool
	members string // separated by spaces; "*" is any
	read    func(*call) error
}

func on(method, path, name string, actions ...access.Action) httpwire.Route {
	return httpwire.Route{Name: name, Method: method, Path: path, Actions: actions, Headers: []string{versionHeader}}
}

// document is on for an operation that takes a JSON document.
func document(path, name string, actions ...access.Action) httpwire.Route {
	r := on(http.MethodPost, path, name, actions...)
	r.Body = true
	return r
}

func patch(r httpwire.Route) httpwire.Route { r.Method = http.MethodPatch; return r }

func saying(r httpwire.Route, about string) httpwire.Route { r.About = about; return r }

// paged is for an operation that lists, a page at a time.
func paged(r httpwire.Route, token string) httpwire.Route {
	r.Query, r.Texts = []string{"limit"}, []string{token}
	return r
}

const (
	indexes     = "/indexes"
	oneIndex    = indexes + "/{index}"
	backups     = "/backups"
	collections = "/collections"
	restores    = "/restore-jobs"
	schedules   = "/backup-schedules"
	namespaces  = "/namespaces"
	imports     = "/bulk/imports"
	records     = "/records/namespaces/{namespace}"
	documents   = namespaces + "/{namespace}/documents"
	projects    = "/admin/projects"

	token = "paginationToken"

	wholeTarget = "of the whole target"
	notRead     = "refused as unclear: the documents of 2026-07 are not understood here; use vectors or records"
	aKey        = "refused: the answer would hold a key of the database"
)

// table is every operation that Pinecone publishes, up to version 2026-07 of its interface.
var table = []entry{
	{saying(on(http.MethodGet, indexes, "list_indexes", access.SchemaList), "shows the indexes that the caller may read"), false, "", readIndexes},
	{saying(document(indexes, "create_index", access.SchemaCreate, access.Export, access.SnapshotRestore), "and export of the source, when it has one"), false, "*", readCreateIndex},
	{document(indexes+"/create-for-model", "create_index_for_model", access.SchemaCreate), false, "*", readCreateIndex},
	{on(http.MethodGet, oneIndex, "describe_index", access.SchemaRead), false, "", readIndex},
	{patch(document(oneIndex, "configure_index", access.SchemaAlter)), false, "*", readIndex},
	{on(http.MethodDelete, oneIndex, "delete_index", access.SchemaDrop), false, "", readIndex},

	{paged(on(http.MethodGet, oneIndex+backups, "list_index_backups", access.SnapshotList), token), false, "", readIndex},
	{document(oneIndex+backups, "create_backup", access.SnapshotCreate), false, "name description", readCopied},
	{paged(saying(on(http.MethodGet, backups, "list_project_backups", access.SnapshotList), wholeTarget), token), false, "", readTarget},
	{on(http.MethodGet, backups+"/{backup}", "describe_backup", access.SnapshotList), false, "", readBackup},
	{on(http.MethodDelete, backups+"/{backup}", "delete_backup", access.SnapshotDelete), false, "", readBackup},
	{
		saying(document(backups+"/{backup}/create-index", "create_index_from_backup", access.SnapshotRestore, access.Export), "of the new index, and export of the one that was backed up"),
		false, "name tags deletion_protection schema read_capacity deployment", readRestore,
	},
	{paged(saying(on(http.MethodGet, restores, "list_restore_jobs", access.SnapshotList), wholeTarget), token), false, "", readTarget},
	{saying(on(http.MethodGet, restores+"/{job}", "describe_restore_job", access.SnapshotList), wholeTarget), false, "", readTarget},

	{paged(on(http.MethodGet, oneIndex+schedules, "list_backup_schedules", access.SnapshotList), token), false, "", readIndex},
	{document(oneIndex+schedules, "create_backup_schedule", access.SnapshotCreate), false, "*", readCopied},
	{saying(on(http.MethodGet, schedules+"/{schedule}", "describe_backup_schedule", access.SnapshotList), wholeTarget), false, "", readTarget},
	{patch(saying(document(schedules+"/{schedule}", "update_backup_schedule", access.SnapshotCreate), wholeTarget)), false, "*", readTarget},
	{saying(on(http.MethodDelete, schedules+"/{schedule}", "delete_backup_schedule", access.SnapshotDelete), wholeTarget), false, "", readTarget},
	{paged(saying(on(http.MethodGet, schedules+"/{schedule}/history", "backup_schedule_history", access.SnapshotList), wholeTarget), token), false, "", readTarget},

	{saying(on(http.MethodGet, collections, "list_collections", access.SnapshotList), wholeTarget), false, "", readTarget},
	{saying(document(collections, "create_collection", access.SnapshotCreate), "of the index it is copied from"), false, "name source", readCollect},
	{saying(on(http.MethodGet, collections+"/{collection}", "describe_collection", access.SnapshotList), wholeTarget), false, "", readTarget},
	{saying(on(http.MethodDelete, collections+"/{collection}", "delete_collection", access.SnapshotDelete), wholeTarget), false, "", readTarget},

	{saying(document("/embed", "embed", access.CodeExec), "a model reads what is sent; "+wholeTarget), false, "model inputs parameters", readInference},
	{saying(document("/rerank", "rerank", access.CodeExec), "a model reads what is sent; "+wholeTarget), false, "model query documents top_n return_documents rank_fields parameters", readInference},
	{saying(asking(on(http.MethodGet, "/models", "list_models", access.ClusterRead), "type", "vector_type"), wholeTarget), false, "", readTarget},
	{saying(on(http.MethodGet, "/models/{model}", "get_model", access.ClusterRead), wholeTarget), false, "", readTarget},

	{on(http.MethodGet, projects, "list_projects", access.IAMRead), false, "", readTarget},
	{document(projects, "create_project", access.IAMWrite), false, "*", readTarget},
	{on(http.MethodGet, projects+"/{project}", "fetch_project", access.IAMRead), false, "", readTarget},
	{patch(document(projects+"/{project}", "update_project", access.IAMWrite)), false, "*", readTarget},
	{on(http.MethodDelete, projects+"/{project}", "delete_project", access.IAMWrite), false, "", readTarget},
	{on(http.MethodGet, projects+"/{project}/api-keys", "list_project_api_keys", access.IAMRead), false, "", readTarget},
	{saying(document(projects+"/{project}/api-keys", "create_api_key", access.IAMWrite), aKey), false, "*", refuse(aKey)},
	{on(http.MethodGet, "/admin/api-keys/{key}", "fetch_api_key", access.IAMRead), false, "", readTarget},
	{patch(document("/admin/api-keys/{key}", "update_api_key", access.IAMWrite)), false, "*", readTarget},
	{on(http.MethodDelete, "/admin/api-keys/{key}", "delete_api_key", access.IAMWrite), false, "", readTarget},
	{on(http.MethodGet, "/admin/organizations", "list_organizations", access.IAMRead), false, "", readTarget},
	{on(http.MethodGet, "/admin/organizations/{organization}", "fetch_organization", access.IAMRead), false, "", readTarget},
	{patch(document("/admin/organizations/{organization}", "update_organization", access.IAMWrite)), false, "*", readTarget},
	{on(http.MethodDelete, "/admin/organizations/{organization}", "delete_organization", access.IAMWrite), false, "", readTarget},
	{paged(on(http.MethodGet, "/admin/invites", "list_invites", access.IAMRead), token), false, "", readTarget},
	{document("/admin/invites", "create_invite", access.IAMWrite), false, "*", readTarget},
	{on(http.MethodGet, "/admin/invites/{invite}", "fetch_invite", access.IAMRead), false, "", readTarget},
	{on(http.MethodPost, "/admin/invites/{invite}/resend", "resend_invite", access.IAMWrite), false, "", readTarget},
	{on(http.MethodDelete, "/admin/invites/{invite}", "delete_invite", access.IAMWrite), false, "", readTarget},
	{paged(on(http.MethodGet, "/admin/role-bindings", "list_role_bindings", access.IAMRead), token), false, "", readTarget},
	{document("/admin/role-bindings", "create_role_binding", access.IAMWrite), false, "*", readTarget},
	{on(http.MethodGet, "/admin/role-bindings/{binding}", "fetch_role_binding", access.IAMRead), false, "", readTarget},
	{on(http.MethodDelete, "/admin/role-bindings/{binding}", "delete_role_binding", access.IAMWrite), false, "", readTarget},
	{paged(on(http.MethodGet, "/admin/service-accounts", "list_service_accounts", access.IAMRead), token), false, "", readTarget},
	{saying(document("/admin/service-accounts", "create_service_account", access.IAMWrite), aKey), false, "*", refuse(aKey)},
	{on(http.MethodGet, "/admin/service-accounts/{account}", "fetch_service_account", access.IAMRead), false, "", readTarget},
	{patch(document("/admin/service-accounts/{account}", "update_service_account", access.IAMWrite)), false, "*", readTarget},
	{saying(on(http.MethodPost, "/admin/service-accounts/{account}/rotate-secret", "rotate_service_account_secret", access.IAMWrite), aKey), false, "", refuse(aKey)},
	{on(http.MethodDelete, "/admin/service-accounts/{account}", "delete_service_account", access.IAMWrite), false, "", readTarget},
	{paged(on(http.MethodGet, "/admin/users", "list_users", access.IAMRead), token), false, "", readTarget},
	{on(http.MethodGet, "/admin/users/{user}", "fetch_user", access.IAMRead), false, "", readTarget},
	{on(http.MethodDelete, "/admin/users/{user}", "delete_user", access.IAMWrite), false, "", readTarget},
	{saying(document("/oauth/token", "get_token", access.IAMWrite), aKey), false, "*", refuse(aKey)},

	{
		saying(document("/query", "query", access.Search, access.Fetch), "and fetch of the record whose vector is searched for, when it is named by id; each of queries counts"),
		true, "namespace topK filter includeValues includeMetadata queries vector sparseVector id scanFactor maxCandidates", readQuery,
	},
	{document("/vectors/upsert", "upsert", access.Upsert), true, "vectors namespace", readUpsert},
	{
		saying(document("/vectors/update", "update", access.Update, access.UpdateVectors, access.Count), "and update_vectors when there are values; by a filter, with no bound; count when it is a dry run"),
		true, "id values sparseValues setMetadata namespace filter dryRun", readUpdate,
	},
	{
		saying(document("/vectors/delete", "delete", access.Delete, access.DeleteByFilter, access.DeleteAll), "by ids; by a filter in which something must be so; all others"),
		true, "ids deleteAll namespace filter", readDelete,
	},
	{listing(named(on(http.MethodGet, "/vectors/fetch", "fetch", access.Fetch)), "ids"), true, "", readFetch},
	{document("/vectors/fetch_by_metadata", "fetch_by_metadata", access.Scroll), true, "namespace filter limit paginationToken", readScroll},
	{named(prefixed(paged(on(http.MethodGet, "/vectors/list", "list", access.ListIDs), token))), true, "", readList},
	{saying(document("/describe_index_stats", "describe_index_stats", access.Count), "of the whole index"), true, "filter", readStats},

	{prefixed(paged(saying(on(http.MethodGet, namespaces, "list_namespaces", access.TenantRead), "shows the namespaces that the caller may read"), token)), true, "", readNamespaces},
	{document(namespaces, "create_namespace", access.TenantCreate), true, "name schema", readCreateNamespace},
	{on(http.MethodGet, namespaces+"/{namespace}", "describe_namespace", access.TenantRead, access.Count), true, "", readDescribeNamespace},
	{saying(on(http.MethodDelete, namespaces+"/{namespace}", "delete_namespace", access.TenantDrop, access.DeleteAll), "with all its records"), true, "", readDeleteNamespace},

	{saying(document(imports, "start_import", access.Import), "of the whole index, which reads from elsewhere"), true, "uri integrationId errorMode", readImport},
	{paged(on(http.MethodGet, imports, "list_imports", access.SchemaRead), token), true, "", readWhole},
	{on(http.MethodGet, imports+"/{import}", "describe_import", access.SchemaRead), true, "", readWhole},
	{saying(on(http.MethodDelete, imports+"/{import}", "cancel_import", access.Import), "of the whole index"), true, "", readWhole},

	{lined(on(http.MethodPost, records+"/upsert", "upsert_records", access.Upsert)), true, "", readRecords},
	{
		saying(document(records+"/search", "search_records", access.Search, access.Fetch, access.CodeExec), "and fetch of the record whose vector is searched for; code.exec when a model reorders the answer"),
		true, "query fields rerank", readSearchRecords,
	},

	{saying(document(documents+"/upsert", "upsert_documents", access.Unknown), notRead), true, "*", refuse(notRead)},
	{saying(document(documents+"/search", "search_documents", access.Unknown), notRead), true, "*", refuse(notRead)},
	{saying(document(documents+"/fetch", "fetch_documents", access.Unknown), notRead), true, "*", refuse(notRead)},
	{saying(document(documents+"/update", "update_documents", access.Unknown), notRead), true, "*", refuse(notRead)},
	{saying(document(documents+"/delete", "delete_documents", access.Unknown), notRead), true, "*", refuse(notRead)},
	{saying(document(documents+"/list", "list_documents", access.Unknown), notRead), true, "*", refuse(notRead)},
}

func asking(r httpwire.Route, query ...string) httpwire.Route {
	r.Query = append(r.Query, query...)
	return r
}

func named(r httpwire.Route) httpwire.Route { r.Texts = append(r.Texts, "namespace"); return r }

func prefixed(r httpwire.Route) httpwire.Route { r.Texts = append(r.Texts, "prefix"); return r }

func listing(r httpwire.Route, lists ...string) httpwire.Route { r.Lists = lists; return r }

func lined(r httpwire.Route) httpwire.Route { r.Lines = true; return r }

func refuse(why string) func(*call) error {
	return func(*call) error { return unclear(why) }
}

// Routes is the table as others see it.
func Routes() []httpwire.Route {
	all := make([]httpwire.Route, len(table))
	for i := range table {
		all[i] = table[i].route
		if table[i].data {
			all[i].About = strings.TrimSuffix("at an index; "+all[i].About, "; ")
		}
	}
	return all
}

// closed refuses members that the operation does not have: a server that ignores them, or knows them by another spelling,
// reads another request than we do.
func (c *call) closed(members string) error {
	if !c.Route.Body {
		return nil
	}
	return closed(c.Body, members, "its document")
}

func closed(v jsonstream.Value, members, what string) error {
	if v.Kind() != jsonstream.Object {
		return unclear(what + " is not an object")
	}
	if members == "*" {
		return nil
	}
	for name := range v.Members() {
		if !strings.Contains(" "+members+" ", " "+name+" ") || strings.Contains(name, " ") {
			return unclear(what + " has a member that is not known")
		}
	}
	return nil
}
