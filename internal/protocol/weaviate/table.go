package weaviate

import (
	"net/http"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
)

// entry is an operation: its route, the members that its document may have ("*": any, "[]": a list), and how it is read.
type entry struct {
	route   httpwire.Route
	members string // separated by spaces
	read    func(*call) error
}

const (
	root    = "/v1"
	things  = root + "/objects"
	thing   = things + "/{className}/{id}"
	links   = thing + "/references/{propertyName}"
	schemas = root + "/schema"
	schema  = schemas + "/{className}"
	backups = root + "/backups/{backend}"
	authz   = root + "/authz"
	people  = root + "/users"
	copying = root + "/replication"
)

func on(method, path, name string, actions ...access.Action) httpwire.Route {
	return httpwire.Route{Name: name, Method: method, Path: path, Actions: actions}
}

// document is on for an operation that takes a JSON document.
func document(method, path, name, about string, actions ...access.Action) httpwire.Route {
	return httpwire.Route{Name: name, Method: method, Path: path, Body: true, About: about, Actions: actions}
}

func asking(r httpwire.Route, query ...string) httpwire.Route { r.Query = query; return r }

func saying(r httpwire.Route, about string) httpwire.Route { r.About = about; return r }

// open is an operation that the gateway answers itself to who shows no credential.
func open(r httpwire.Route, answer func(httpwire.Discovery) (int, []byte)) httpwire.Route {
	r.About, r.Open = noData+"; answered by the gateway to who shows no credential", answer
	return r
}

const (
	noData    = "touches no data, needs no rule"
	classless = "refused as unclear: without a collection it could be an object of any"
	object    = "class id properties vector vectors tenant creationTimeUnix lastUpdateTimeUnix vectorWeights"
)

// without is an operation that names no collection.
func without(method, path, name string, body bool) entry {
	r := httpwire.Route{Name: name, Method: method, Path: path, Body: body, About: classless, Actions: []access.Action{access.Unknown}}
	return entry{r, "*", refuse("without a collection it could be an object of any; put the collection before the id")}
}

// of is an operation that does one thing to the whole target, whatever its document says.
func of(r httpwire.Route) entry { return entry{r, "*", whole} }

// table is every operation that Weaviate 1.35 publishes.
var table = []entry{
	{saying(on(http.MethodGet, root, "links", access.MetaHealth), noData), "", free},
	{open(on(http.MethodGet, root+"/.well-known/live", "live", access.MetaHealth), well), "", free},
	{open(on(http.MethodGet, root+"/.well-known/ready", "ready", access.MetaHealth), well), "", free},
	{open(on(http.MethodGet, root+"/.well-known/openid-configuration", "openid_configuration", access.MetaHealth), signIn), "", free},
	{saying(on(http.MethodGet, root+"/meta", "meta", access.MetaHealth), noData), "", readMeta},

	{asking(saying(on(http.MethodGet, things, "objects_list", access.Scroll), "refused without class"), "class", "tenant", "limit", "offset", "after", "include", "sort", "order"), "", readObjects},
	{asking(document(http.MethodPost, things, "object_create", "and schema.create or schema.alter when Weaviate would make the collection or a property of it", access.Insert, access.SchemaCreate, access.SchemaAlter), "consistency_level"), object, readCreate},
	{document(http.MethodPost, things+"/validate", "object_validate", "tells whether an object would be accepted", access.SchemaRead), object, readValidate},
	{asking(on(http.MethodGet, thing, "object_get", access.Fetch), "include", "consistency_level", "node_name", "tenant"), "", readObject},
	{asking(on(http.MethodHead, thing, "object_exists", access.Fetch), "consistency_level", "tenant"), "", readObject},
	{asking(document(http.MethodPut, thing, "object_replace", "and schema.alter when Weaviate would make a property", access.Upsert, access.SchemaAlter), "consistency_level"), object, readChange},
	{asking(document(http.MethodPatch, thing, "object_merge", "and update_vectors when there is a vector, schema.alter when Weaviate would make a property", access.Update, access.UpdateVectors, access.SchemaAlter), "consistency_level"), object, readChange},
	{asking(on(http.MethodDelete, thing, "object_delete", access.Delete), "consistency_level", "tenant"), "", readObject},
	{asking(document(http.MethodPost, links, "reference_add", "", access.Update), "consistency_level", "tenant"), "beacon href", readLink},
	{asking(document(http.MethodPut, links, "references_replace", "", access.Update), "consistency_level", "tenant"), "[]", readLink},
	{asking(document(http.MethodDelete, links, "reference_delete", "", access.Update), "consistency_level", "tenant"), "beacon href", readLink},
	without(http.MethodGet, things+"/{id}", "object_get_classless", false),
	without(http.MethodHead, things+"/{id}", "object_exists_classless", false),
	without(http.MethodPut, things+"/{id}", "object_replace_classless", true),
	without(http.MethodPatch, things+"/{id}", "object_merge_classless", true),
	without(http.MethodDelete, things+"/{id}", "object_delete_classless", false),
	without(http.MethodPost, things+"/{id}/references/{propertyName}", "reference_add_classless", true),
	without(http.MethodPut, things+"/{id}/references/{propertyName}", "references_replace_classless", true),
	without(http.MethodDelete, things+"/{id}/references/{propertyName}", "reference_delete_classless", true),

	{asking(document(http.MethodPost, root+"/batch/objects", "batch_objects", "for every collection and tenant in it; and schema.create or schema.alter when Weaviate would make a collection or a property", access.Upsert, access.SchemaCreate, access.SchemaAlter), "consistency_level"), "objects fields", readBatch},
	{asking(document(http.MethodDelete, root+"/batch/objects", "batch_delete", "delete when the filter names ids, delete_all when there is none; list_ids when it is a dry run", access.DeleteByFilter, access.Delete, access.DeleteAll, access.ListIDs), "consistency_level", "tenant"), "match output dryRun deletionTimeUnixMilli", readBatchDelete},
	{asking(document(http.MethodPost, root+"/batch/references", "batch_references", "for every collection in it", access.Update), "consistency_level"), "[]", readBatchLinks},
	{document(http.MethodPost, root+"/graphql", "graphql", "Get is search, fetch or scroll, Aggregate is count or aggregate, for every collection in it; Explore, introspection, variables, directives and named fragments are refused", access.Search, access.Fetch, access.Scroll, access.Count, access.Aggregate), "query operationName variables", readGraphQL},
	{document(http.MethodPost, root+"/graphql/batch", "graphql_batch", "refused as unclear: send the queries one by one", access.Unknown), "[]", refuse("a batch of queries is not understood; send the queries one by one")},

	{saying(on(http.MethodGet, schemas, "schema_list", access.SchemaList), "tells of those collections only that the caller may read"), "", readList("classes")},
	{document(http.MethodPost, schemas, "schema_create", "", access.SchemaCreate), "*", readCreateClass},
	{on(http.MethodGet, schema, "schema_get", access.SchemaRead), "", readClass},
	{document(http.MethodPut, schema, "schema_update", "", access.SchemaAlter), "*", readAlterClass},
	{on(http.MethodDelete, schema, "schema_delete", access.SchemaDrop), "", readClass},
	{document(http.MethodPost, schema+"/properties", "property_create", "", access.SchemaAlter), "*", readClass},
	{asking(on(http.MethodGet, schema+"/shards", "shards_get", access.SchemaRead), "tenant"), "", readClass},
	{document(http.MethodPut, schema+"/shards/{shardName}", "shard_update", "", access.ClusterAdmin), "status", readClass},
	{on(http.MethodGet, schema+"/tenants", "tenants_get", access.TenantRead), "", readClass},
	{on(http.MethodGet, schema+"/tenants/{tenantName}", "tenant_get", access.TenantRead), "", readTenant},
	{on(http.MethodHead, schema+"/tenants/{tenantName}", "tenant_exists", access.TenantRead), "", readTenant},
	{document(http.MethodPost, schema+"/tenants", "tenants_create", "for every tenant in it", access.TenantCreate), "[]", readTenants},
	{document(http.MethodPut, schema+"/tenants", "tenants_update", "for every tenant in it", access.TenantAlter), "[]", readTenants},
	{document(http.MethodDelete, schema+"/tenants", "tenants_delete", "for every tenant in it", access.TenantDrop), "[]", readTenants},
	{asking(saying(on(http.MethodGet, root+"/aliases", "aliases_get", access.AliasRead), "tells of those only that lead to collections that the caller may read"), "class"), "", readList("aliases")},
	{document(http.MethodPost, root+"/aliases", "alias_create", "on the name, and on the collection that it leads to", access.AliasWrite), "alias class", readAlias},
	{on(http.MethodGet, root+"/aliases/{aliasName}", "alias_get", access.AliasRead), "", readAlias},
	{document(http.MethodPut, root+"/aliases/{aliasName}", "alias_update", "on the name, and on the collection that it leads to", access.AliasWrite), "class", readAlias},
	{on(http.MethodDelete, root+"/aliases/{aliasName}", "alias_delete", access.AliasWrite), "", readAlias},

	of(document(http.MethodPost, backups, "backup_create", "", access.SnapshotCreate)),
	of(asking(on(http.MethodGet, backups, "backups_list", access.SnapshotList), "order")),
	of(asking(on(http.MethodGet, backups+"/{id}", "backup_status", access.SnapshotList), "bucket", "path")),
	of(asking(on(http.MethodDelete, backups+"/{id}", "backup_cancel", access.SnapshotDelete), "bucket", "path")),
	of(document(http.MethodPost, backups+"/{id}/restore", "backup_restore", "", access.SnapshotRestore)),
	of(asking(on(http.MethodGet, backups+"/{id}/restore", "backup_restore_status", access.SnapshotList), "bucket", "path")),
	of(on(http.MethodGet, root+"/cluster/statistics", "cluster_statistics", access.ClusterRead)),
	of(asking(on(http.MethodGet, root+"/nodes", "nodes_get", access.ClusterRead), "output")),
	of(asking(on(http.MethodGet, root+"/nodes/{className}", "nodes_get_class", access.ClusterRead), "output", "shardName")),
	of(on(http.MethodGet, root+"/tasks", "tasks_get", access.ClusterRead)),
	of(document(http.MethodPost, root+"/classifications", "classification_start", "", access.CodeExec)),
	of(on(http.MethodGet, root+"/classifications/{id}", "classification_get", access.MetaDiagnostics)),
	of(document(http.MethodPost, copying+"/replicate", "replicate", "", access.ClusterAdmin)),
	of(on(http.MethodDelete, copying+"/replicate", "replications_delete", access.ClusterAdmin)),
	of(document(http.MethodPost, copying+"/replicate/force-delete", "replications_force_delete", "", access.ClusterAdmin)),
	of(asking(on(http.MethodGet, copying+"/replicate/list", "replications_list", access.ClusterRead), "targetNode", "collection", "shard", "includeHistory")),
	of(asking(on(http.MethodGet, copying+"/replicate/{id}", "replication_get", access.ClusterRead), "includeHistory")),
	of(on(http.MethodDelete, copying+"/replicate/{id}", "replication_delete", access.ClusterAdmin)),
	of(on(http.MethodPost, copying+"/replicate/{id}/cancel", "replication_cancel", access.ClusterAdmin)),
	of(asking(on(http.MethodGet, copying+"/sharding-state", "sharding_state", access.ClusterRead), "collection", "shard")),
	of(asking(on(http.MethodGet, copying+"/scale", "scale_plan", access.ClusterRead), "collection", "replicationFactor")),
	of(document(http.MethodPost, copying+"/scale", "scale", "", access.ClusterAdmin)),

	of(saying(on(http.MethodGet, people+"/own-info", "own_info", access.IAMRead), "tells of the gateway's own account")),
	of(asking(on(http.MethodGet, people+"/db", "users_list", access.IAMRead), "includeLastUsedTime")),
	of(asking(on(http.MethodGet, people+"/db/{user_id}", "user_get", access.IAMRead), "includeLastUsedTime")),
	withSecret(document(http.MethodPost, people+"/db/{user_id}", "user_create", secretAnswer, access.Unknown)),
	of(on(http.MethodDelete, people+"/db/{user_id}", "user_delete", access.IAMWrite)),
	withSecret(on(http.MethodPost, people+"/db/{user_id}/rotate-key", "user_rotate_key", access.Unknown)),
	of(on(http.MethodPost, people+"/db/{user_id}/activate", "user_activate", access.IAMWrite)),
	of(document(http.MethodPost, people+"/db/{user_id}/deactivate", "user_deactivate", "", access.IAMWrite)),
	of(on(http.MethodGet, authz+"/roles", "roles_list", access.IAMRead)),
	of(document(http.MethodPost, authz+"/roles", "role_create", "", access.IAMWrite)),
	of(on(http.MethodGet, authz+"/roles/{id}", "role_get", access.IAMRead)),
	of(on(http.MethodDelete, authz+"/roles/{id}", "role_delete", access.IAMWrite)),
	of(document(http.MethodPost, authz+"/roles/{id}/add-permissions", "role_add_permissions", "", access.IAMWrite)),
	of(document(http.MethodPost, authz+"/roles/{id}/remove-permissions", "role_remove_permissions", "", access.IAMWrite)),
	of(document(http.MethodPost, authz+"/roles/{id}/has-permission", "role_has_permission", "", access.IAMRead)),
	of(on(http.MethodGet, authz+"/roles/{id}/users", "role_users", access.IAMRead)),
	of(on(http.MethodGet, authz+"/roles/{id}/user-assignments", "role_user_assignments", access.IAMRead)),
	of(on(http.MethodGet, authz+"/roles/{id}/group-assignments", "role_group_assignments", access.IAMRead)),
	of(on(http.MethodGet, authz+"/users/{id}/roles", "user_roles", access.IAMRead)),
	of(asking(on(http.MethodGet, authz+"/users/{id}/roles/{userType}", "user_roles_by_type", access.IAMRead), "includeFullRoles")),
	of(document(http.MethodPost, authz+"/users/{id}/assign", "user_assign", "", access.IAMWrite)),
	of(document(http.MethodPost, authz+"/users/{id}/revoke", "user_revoke", "", access.IAMWrite)),
	of(on(http.MethodGet, authz+"/groups/{groupType}", "groups_list", access.IAMRead)),
	of(document(http.MethodPost, authz+"/groups/{id}/assign", "group_assign", "", access.IAMWrite)),
	of(document(http.MethodPost, authz+"/groups/{id}/revoke", "group_revoke", "", access.IAMWrite)),
	of(asking(on(http.MethodGet, authz+"/groups/{id}/roles/{groupType}", "group_roles", access.IAMRead), "includeFullRoles")),
}

const secretAnswer = "refused: the answer is a key to the database, which no caller holds"

// withSecret is an operation whose answer is a key to the database.
func withSecret(r httpwire.Route) entry {
	r.About = secretAnswer
	return entry{r, "*", refuse("its answer is a key to the database, which no caller of the gateway holds")}
}

// Routes is the table as others see it.
func Routes() []httpwire.Route {
	all := make([]httpwire.Route, len(table))
	for i := range table {
		all[i] = table[i].route
	}
	return all
}
