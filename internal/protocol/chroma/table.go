package chroma

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

const (
	root       = "/api/v2"
	tenants    = root + "/tenants"
	databases  = tenants + "/{tenant}/databases"
	colls      = databases + "/{database}/collections"
	collection = colls + "/{collection}"
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

const (
	noData = "touches no data, needs no rule"
	byName = "tells the name that the client itself sent; needs no rule"
)

// table is every operation that Chroma 1.5 publishes. The documentation pages (/docs, /openapi.json) are not served.
var table = []entry{
	{saying(on(http.MethodGet, root+"/auth/identity", "get_user_identity", access.MetaHealth), noData), "", free},
	{saying(on(http.MethodGet, root+"/healthcheck", "healthcheck", access.MetaHealth), noData), "", free},
	{saying(on(http.MethodGet, root+"/heartbeat", "heartbeat", access.MetaHealth), noData), "", free},
	{saying(on(http.MethodGet, root+"/pre-flight-checks", "pre_flight_checks", access.MetaHealth), noData), "", free},
	{saying(on(http.MethodGet, root+"/version", "version", access.MetaHealth), noData), "", free},
	{saying(on(http.MethodPost, root+"/reset", "reset", access.SchemaDrop), "of the whole target"), "", readReset},

	{document(http.MethodPost, tenants, "create_tenant", "", access.TenantCreate), "name", readCreateTenant},
	{saying(on(http.MethodGet, tenants+"/{tenant}", "get_tenant", access.TenantRead), byName), "", free},
	{document(http.MethodPatch, tenants+"/{tenant}", "update_tenant", "", access.TenantAlter), "resource_name", readTenant},
	{asking(on(http.MethodGet, databases, "list_databases", access.TenantRead), "limit", "offset"), "", readDatabases},
	{document(http.MethodPost, databases, "create_database", "", access.TenantCreate), "name", readCreateDatabase},
	{saying(on(http.MethodGet, databases+"/{database}", "get_database", access.TenantRead), byName), "", free},
	{on(http.MethodDelete, databases+"/{database}", "delete_database", access.TenantDrop), "", readNamespace},

	{asking(on(http.MethodGet, colls, "list_collections", access.SchemaList), "limit", "offset"), "", readList},
	{on(http.MethodGet, databases+"/{database}/collections_count", "count_collections", access.SchemaList), "", readListCount},
	{
		document(http.MethodPost, colls, "create_collection", "schema.read, sent on as get_collection, when get_or_create finds the collection", access.SchemaCreate, access.SchemaRead),
		"name metadata configuration get_or_create schema", readCreate,
	},
	{on(http.MethodGet, colls+"/{name}", "get_collection", access.SchemaRead), "", readNamed},
	{on(http.MethodGet, colls+"/by-id/{collection}", "get_collection_by_id", access.SchemaRead), "", readByID},
	{saying(on(http.MethodGet, root+"/collections/{crn}", "get_collection_by_crn", access.SchemaRead), "the name is tenant:database:collection"), "", readCRN},
	{
		document(http.MethodPut, collection, "update_collection", "a new name is schema.rename, on the old and on the new one", access.SchemaRename, access.SchemaAlter),
		"new_name new_metadata new_configuration", readAlter,
	},
	{on(http.MethodDelete, colls+"/{name}", "delete_collection", access.SchemaDrop), "", readNamed},
	{document(http.MethodPost, collection+"/fork", "fork_collection", "of the source, and schema.create of the copy", access.Export, access.SchemaCreate), "new_name", readFork},
	{on(http.MethodGet, collection+"/fork_count", "fork_count", access.SchemaRead), "", readOf(access.SchemaRead)},
	{on(http.MethodGet, collection+"/indexing_status", "indexing_status", access.SchemaRead), "", readOf(access.SchemaRead)},

	{document(http.MethodPost, collection+"/add", "collection_add", "", access.Insert), records, readWrite(access.Insert)},
	{document(http.MethodPost, collection+"/upsert", "collection_upsert", "", access.Upsert), records, readWrite(access.Upsert)},
	{document(http.MethodPost, collection+"/update", "collection_update", "and update_vectors when there are embeddings", access.Update, access.UpdateVectors), records, readWrite(access.Update)},
	{
		document(http.MethodPost, collection+"/delete", "collection_delete", "by ids, by a filter, with neither", access.Delete, access.DeleteByFilter, access.DeleteAll),
		"ids where where_document limit", readDelete,
	},
	{
		document(http.MethodPost, collection+"/get", "collection_get", "by ids; with a filter or a limit; ids only; everything", access.Fetch, access.Scroll, access.ListIDs, access.Export),
		"ids where where_document limit offset include", readGet,
	},
	{document(http.MethodPost, collection+"/query", "collection_query", "", access.Search), "query_embeddings n_results ids where where_document include", readQuery},
	{
		document(http.MethodPost, collection+"/search", "collection_search", "refused as unclear: the searches of Chroma Cloud are not understood here", access.Unknown),
		"searches read_level", refuse("the searches of Chroma Cloud are not understood here"),
	},
	{asking(on(http.MethodGet, collection+"/count", "collection_count", access.Count), "read_level"), "", readCount},

	{
		document(http.MethodPost, collection+"/functions/attach", "attach_function", "and schema.create and upsert of the collection that the function writes", access.CodeExec, access.SchemaCreate, access.Upsert),
		"name function_id output_collection params", readAttach,
	},
	{on(http.MethodGet, collection+"/functions/{name}", "get_attached_function", access.SchemaRead), "", readOf(access.SchemaRead)},
	{
		document(http.MethodPost, collection+"/attached_functions/{name}/detach", "detach_function", "and schema.drop, of any collection of the database, with delete_output", access.CodeExec, access.SchemaDrop),
		"delete_output", readDetach,
	},
}

const records = "ids embeddings documents metadatas uris"

// Routes is the table as others see it.
func Routes() []httpwire.Route {
	all := make([]httpwire.Route, len(table))
	for i := range table {
		all[i] = table[i].route
	}
	return all
}

// closed refuses members that the operation does not have: a server that ignores them reads another request than we do.
func (c *call) closed(members string) error {
	if members == "*" || !c.Route.Body {
		return nil
	}
	if c.Body.Kind() != '{' {
		return unclear("its document is not an object")
	}
	for name := range c.Body.Members() {
		if !strings.Contains(" "+members+" ", " "+name+" ") || strings.Contains(name, " ") {
			return unclear("its document has a member that " + c.Route.Name + " does not have")
		}
	}
	return nil
}
