package milvus

import (
	"net/http"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// place says where an operation happens.
type place uint8

const (
	inDatabase place = iota // dbName says which one
	atLarge                 // in the target as a whole
)

// restEntry is an operation: its path after the prefix, the members that its document may have besides dbName, and how it is
// read.
type restEntry struct {
	name    string
	members string // separated by spaces; "*" for any
	about   string
	kind    place
	read    func(*restCall) error
	actions []access.Action
}

func rest(name, members string, read func(*restCall) error, actions ...access.Action) restEntry {
	return restEntry{name: name, members: members, read: read, actions: actions}
}

func large(name, members string, actions ...access.Action) restEntry {
	return restEntry{name: name, members: members, kind: atLarge, read: restTarget, actions: actions}
}

func (e restEntry) saying(about string) restEntry { e.about = about; return e }

func restNever(name, why string) restEntry {
	return restEntry{name: name, members: "*", about: "never sent on: " + why, read: func(*restCall) error { return unclear(why) }, actions: []access.Action{access.Unknown}}
}

const byName = "collectionName"

// restTable is every operation of Milvus' REST interface in version 2. Version 1 is not served.
var restTable = []restEntry{
	rest("collections/list", "", restList, access.SchemaList),
	rest("collections/has", byName, restCollection, access.SchemaRead),
	rest("collections/describe", byName, restDescribe, access.SchemaRead),
	rest("collections/get_stats", byName, restCollection, access.Count),
	rest("collections/get_load_state", byName+" partitionNames", restCollection, access.SchemaRead),
	rest("collections/create", "*", restCreate, access.SchemaCreate).saying("with egress when a function of its schema asks a model elsewhere"),
	rest("collections/drop", byName, restOwn, access.SchemaDrop),
	rest("collections/truncate", byName, restOwn, access.SchemaTruncate),
	rest("collections/rename", "collectionName newCollectionName newDbName", restRename, access.SchemaRename).saying("of the old and the new name"),
	rest("collections/load", byName, restCollection, access.ClusterAdmin),
	rest("collections/refresh_load", byName, restCollection, access.ClusterAdmin),
	rest("collections/release", byName, restCollection, access.ClusterAdmin),
	rest("collections/alter_properties", "*", restCollection, access.SchemaAlter),
	rest("collections/drop_properties", "*", restCollection, access.SchemaAlter),
	rest("collections/add_function", "*", restFunction, access.SchemaAlter).saying("with egress"),
	rest("collections/alter_function", "*", restFunction, access.SchemaAlter).saying("with egress"),
	rest("collections/drop_function", "*", restCollection, access.SchemaAlter),
	rest("collections/add_function_field", "*", restFunction, access.SchemaAlter).saying("with egress"),
	rest("collections/drop_function_field", "*", restCollection, access.SchemaAlter),
	rest("collections/compact", "*", restCollection, access.ClusterAdmin),
	large("collections/get_compaction_state", "*", access.ClusterRead),
	rest("collections/flush", byName, restCollection, access.ClusterAdmin),
	rest("collections/fields/add", "*", restCollection, access.SchemaAlter),
	rest("collections/fields/drop", "*", restCollection, access.SchemaAlter),
	rest("collections/fields/alter_properties", "*", restCollection, access.SchemaAlter),
	rest("collections/struct_fields/add", "*", restCollection, access.SchemaAlter),

	rest("databases/create", "properties", restDatabase, access.TenantCreate),
	rest("databases/drop", "", restDatabase, access.TenantDrop),
	large("databases/list", "", access.TenantRead),
	rest("databases/describe", "", restDatabase, access.TenantRead),
	rest("databases/alter", "properties", restDatabase, access.TenantAlter),
	rest("databases/alter_properties", "properties", restDatabase, access.TenantAlter),
	rest("databases/drop_properties", "propertyKeys", restDatabase, access.TenantAlter),

	rest("entities/query", "collectionName partitionNames outputFields filter limit offset exprParams consistencyLevel", restQuery, access.Fetch, access.Count, access.Scroll, access.ListIDs, access.Aggregate).
		saying("by keys; count(*); with a filter or a limit, which is 100 when there is none; keys only; sums"),
	rest("entities/get", "collectionName partitionName partitionNames outputFields id consistencyLevel", restGet, access.Fetch).saying("sent on as entities/query"),
	rest("entities/delete", "collectionName partitionName filter id exprParams", restDelete, access.Delete, access.DeleteByFilter, access.DeleteAll).
		saying("by keys; by a filter; by one that leaves nothing out, such as a range of the key"),
	rest("entities/insert", "collectionName partitionName data", restWrite, access.Insert),
	rest("entities/upsert", "collectionName partitionName data partialUpdate", restWrite, access.Upsert, access.Update).saying("and update when it is partial"),
	rest("entities/search", restSearchMembers, restSearch, access.Search),
	rest("entities/hybrid_search", restHybridMembers, restHybrid, access.Search),
	rest("entities/advanced_search", restHybridMembers, restHybrid, access.Search),

	rest("partitions/list", byName, restCollection, access.TenantRead),
	rest("partitions/has", byName+" partitionName", restCollection, access.TenantRead),
	rest("partitions/get_stats", byName+" partitionName", restCollection, access.Count),
	rest("partitions/create", byName+" partitionName", restCollection, access.TenantCreate),
	rest("partitions/drop", byName+" partitionName", restCollection, access.TenantDrop),
	rest("partitions/load", byName+" partitionNames", restCollection, access.ClusterAdmin),
	rest("partitions/release", byName+" partitionNames", restCollection, access.ClusterAdmin),

	large("users/list", "", access.IAMRead),
	large("users/describe", "userName", access.IAMRead),
	restNever("users/create", passwords),
	restNever("users/update_password", passwords),
	large("users/drop", "userName", access.IAMWrite),
	large("users/grant_role", "*", access.IAMWrite),
	large("users/revoke_role", "*", access.IAMWrite),
	large("roles/list", "", access.IAMRead),
	large("roles/describe", "*", access.IAMRead),
	large("roles/create", "*", access.IAMWrite),
	large("roles/alter", "*", access.IAMWrite),
	large("roles/drop", "*", access.IAMWrite),
	large("roles/grant_privilege", "*", access.IAMWrite),
	large("roles/revoke_privilege", "*", access.IAMWrite),
	large("roles/grant_privilege_v2", "*", access.IAMWrite),
	large("roles/revoke_privilege_v2", "*", access.IAMWrite),
	large("privilege_groups/create", "*", access.IAMWrite),
	large("privilege_groups/drop", "*", access.IAMWrite),
	large("privilege_groups/list", "*", access.IAMRead),
	large("privilege_groups/add_privileges_to_group", "*", access.IAMWrite),
	large("privilege_groups/remove_privileges_from_group", "*", access.IAMWrite),

	rest("indexes/list", byName, restCollection, access.SchemaRead),
	rest("indexes/describe", byName+" indexName timestamp", restCollection, access.SchemaRead),
	rest("indexes/create", "*", restCollection, access.IndexCreate),
	rest("indexes/drop", byName+" indexName", restCollection, access.IndexDrop),
	rest("indexes/alter_properties", "*", restCollection, access.IndexRebuild),
	rest("indexes/drop_properties", "*", restCollection, access.IndexRebuild),

	rest("aliases/list", byName, restMaybe, access.AliasRead).saying("of the database when no collection is named"),
	rest("aliases/describe", "aliasName", restAlias, access.AliasRead).saying("of the alias and of what it stands for"),
	rest("aliases/create", "collectionName aliasName", restAlias, access.AliasWrite).saying("of the collection and of the alias"),
	rest("aliases/drop", "aliasName", restAlias, access.AliasWrite).saying("of the alias and of what it stands for"),
	rest("aliases/alter", "collectionName aliasName", restAlias, access.AliasWrite).saying("of the collection, of the alias and of what it stood for"),

	rest("jobs/import/list", "*", restMaybe, access.ClusterRead).saying("of the database when no collection is named"),
	rest("jobs/import/create", "*", restImport, access.Import).saying("with egress"),
	large("jobs/import/get_progress", "*", access.ClusterRead),
	large("jobs/import/describe", "*", access.ClusterRead),
	large("jobs/import/commit", "*", access.ClusterAdmin),
	large("jobs/import/abort", "*", access.ClusterAdmin),
	restNever("jobs/snapshot/restore_external", passwords),
	restNever("jobs/snapshot/export", passwords),
	large("jobs/snapshot/describe", "*", access.SnapshotList),
	large("jobs/snapshot/list", "*", access.SnapshotList),
	restNever("jobs/external_collection/refresh", passwords),
	large("jobs/external_collection/describe", "*", access.ClusterRead),
	large("jobs/external_collection/list", "*", access.ClusterRead),
	large("resource_groups/create", "*", access.ClusterAdmin),
	large("resource_groups/drop", "*", access.ClusterAdmin),
	large("resource_groups/alter", "*", access.ClusterAdmin),
	large("resource_groups/describe", "*", access.ClusterRead),
	large("resource_groups/list", "*", access.ClusterRead),
	large("resource_groups/transfer_replica", "*", access.ClusterAdmin),
	large("file_resources/add", "*", access.ClusterAdmin),
	large("file_resources/remove", "*", access.ClusterAdmin),
	large("file_resources/list", "*", access.ClusterRead),
	large("segments/describe", "*", access.ClusterRead),
	large("quotacenter/describe", "*", access.MetaMetrics),
	large("common/run_analyzer", "*", access.MetaDiagnostics),
}

const restPrefix = "/v2/vectordb/"

// restHeaders are what a request may say besides its document: how whole numbers are written, and how long it may take.
var restHeaders = []string{"Accept-Type-Allow-Int64", "Request-Timeout"}

// Routes is the table as others see it.
func Routes() []httpwire.Route {
	all := make([]httpwire.Route, len(restTable))
	for i, e := range restTable {
		all[i] = httpwire.Route{Name: e.name, Method: http.MethodPost, Path: restPrefix + e.name, Headers: restHeaders, Body: true, Actions: e.actions, About: e.about}
	}
	return all
}

func restTarget(c *restCall) error {
	c.does(c.action(), c.target(), access.Attributes{Egress: strings.HasPrefix(c.entry.name, "file_resources/add") || c.action() == access.MetaDiagnostics})
	return nil
}

func restDatabase(c *restCall) error {
	if name, err := c.text("dbName"); err != nil || name == "" {
		return unclear("it names no database")
	}
	c.does(c.action(), c.namespace(), access.Attributes{})
	c.forgets()
	return nil
}

func restCollection(c *restCall) error {
	at, _, err := c.resolve()
	if err != nil {
		return err
	}
	attributes := access.Attributes{}
	if c.action() == access.Count {
		attributes.Rows = 1
	}
	c.does(c.action(), at, attributes)
	c.forgets()
	return nil
}

func restOwn(c *restCall) error {
	at, _, err := c.own("collectionName")
	if err != nil {
		return err
	}
	c.does(c.action(), at, access.Attributes{})
	c.forgets()
	return nil
}

func restMaybe(c *restCall) error {
	name, err := c.text("collectionName")
	if err != nil {
		return err
	}
	if name == "" {
		c.does(c.action(), c.namespace(), access.Attributes{})
		return nil
	}
	return restCollection(c)
}

func restFunction(c *restCall) error {
	at, _, err := c.resolve()
	if err != nil {
		return err
	}
	c.does(access.SchemaAlter, at, access.Attributes{Egress: true})
	c.forgets()
	return nil
}

func restImport(c *restCall) error {
	at, _, err := c.resolve()
	if err != nil {
		return err
	}
	c.does(access.Import, at, access.Attributes{Points: access.Unbounded, Egress: true})
	return nil
}

func restCreate(c *restCall) error {
	name, err := c.text("collectionName")
	if err != nil {
		return err
	}
	if !nameForm.MatchString(name) {
		return unclear("the name of its collection has characters that a name cannot have")
	}
	attributes := access.Attributes{}
	for f := range c.Body.Get("schema").Get("functions").Items() {
		kind, _ := f.Get("type").Text()
		attributes.Egress = attributes.Egress || kind != "BM25"
	}
	if v := c.Body.Get("schema"); present(v) && v.Kind() != jsonstream.Object {
		return unclear("its schema is not an object")
	}
	for member := range c.Body.Get("schema").Members() {
		if member != "functions" && strings.EqualFold(member, "functions") {
			return unclear("its schema has a member that is spelled differently")
		}
	}
	c.does(access.SchemaCreate, c.collection(name), attributes)
	c.forgets()
	return nil
}

func restRename(c *restCall) error {
	at, _, err := c.own("collectionName")
	if err != nil {
		return err
	}
	name, err := c.text("newCollectionName")
	if err != nil {
		return err
	}
	db, err := c.text("newDbName")
	if err != nil {
		return err
	}
	if db == "" {
		db = c.db
	}
	if !nameForm.MatchString(name) || !nameForm.MatchString(db) {
		return unclear("its new name has characters that a name cannot have")
	}
	c.out.Body = c.out.Body.With("newDbName", jsonstream.String(db))
	c.does(access.SchemaRename, at, access.Attributes{Role: "source"})
	c.does(access.SchemaRename, access.Resource{Target: c.Target, Namespace: db, Collection: name}, access.Attributes{Role: "destination"})
	c.forgets()
	return nil
}

func restAlias(c *restCall) error {
	alias, err := c.text("aliasName")
	if err != nil {
		return err
	}
	if !nameForm.MatchString(alias) {
		return unclear("its alias has characters that a name cannot have")
	}
	c.does(c.action(), c.collection(alias), access.Attributes{Alias: alias})
	was, err := c.describe(alias)
	if err != nil {
		return err
	}
	if was.name != alias {
		c.does(c.action(), c.collection(was.name), access.Attributes{Alias: alias, Role: "source"})
	}
	if strings.Contains(c.entry.members, "collectionName") {
		at, _, err := c.own("collectionName")
		if err != nil {
			return err
		}
		c.does(c.action(), at, access.Attributes{Alias: alias, Role: "destination"})
	}
	c.forgets()
	return nil
}

// restList reads a list of collections. Those that the subject may not know of are left out of it.
func restList(c *restCall) error {
	c.does(access.SchemaList, c.namespace(), access.Attributes{})
	c.out.Oblige = func(*access.Obligations) (*httpwire.Obliged, error) {
		return &httpwire.Obliged{Filtered: true, Rewrite: func(v jsonstream.Value) (jsonstream.Value, error) {
			if v.Get("data").Kind() != jsonstream.Array {
				return v, nil
			}
			keep := []jsonstream.Value{}
			for item := range v.Get("data").Items() {
				if name, ok := item.Text(); ok && c.May(access.Access{Action: access.SchemaRead, Resource: c.collection(name)}) {
					keep = append(keep, item)
				}
			}
			return v.With("data", jsonstream.List(keep...)), nil
		}}, nil
	}
	return nil
}

// restDescribe reads a description of a collection. Default values of hidden fields are taken out of it.
func restDescribe(c *restCall) error {
	at, schema, err := c.resolve()
	if err != nil {
		return err
	}
	c.does(access.SchemaRead, at, access.Attributes{})
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		if !(&view{at, schema, o.Protection}).any() {
			return &httpwire.Obliged{Filtered: true}, nil
		}
		hidden := &jsonstream.Node{Treatment: access.Treatment{Mask: access.MaskNull}}
		field := &jsonstream.Node{Fields: map[string]*jsonstream.Node{"defaultValue": hidden}}
		return &httpwire.Obliged{Filtered: true, Mask: &jsonstream.Node{Fields: map[string]*jsonstream.Node{
			"data": {Fields: map[string]*jsonstream.Node{"fields": {Items: field}}},
		}}}, nil
	}
	return nil
}
