package access

// Action is a verb of the one vocabulary for all engines.
type Action string

// The actions. docs/reference/operations.md maps every operation of every engine to them.
const (
	Search    Action = "search"
	Fetch     Action = "fetch"
	Scroll    Action = "scroll"
	ListIDs   Action = "list_ids"
	Count     Action = "count"
	Aggregate Action = "aggregate"
	Export    Action = "export"

	Insert         Action = "insert"
	Upsert         Action = "upsert"
	Update         Action = "update"
	UpdateVectors  Action = "update_vectors"
	Delete         Action = "delete"
	DeleteByFilter Action = "delete_by_filter"
	DeleteAll      Action = "delete_all"
	Import         Action = "import"

	SchemaList     Action = "schema.list"
	SchemaRead     Action = "schema.read"
	SchemaCreate   Action = "schema.create"
	SchemaAlter    Action = "schema.alter"
	SchemaRename   Action = "schema.rename"
	SchemaTruncate Action = "schema.truncate"
	SchemaDrop     Action = "schema.drop"

	IndexCreate  Action = "index.create"
	IndexDrop    Action = "index.drop"
	IndexRebuild Action = "index.rebuild"

	AliasRead  Action = "alias.read"
	AliasWrite Action = "alias.write"

	TenantRead   Action = "tenant.read"
	TenantCreate Action = "tenant.create"
	TenantAlter  Action = "tenant.alter"
	TenantDrop   Action = "tenant.drop"

	SnapshotList     Action = "snapshot.list"
	SnapshotCreate   Action = "snapshot.create"
	SnapshotDelete   Action = "snapshot.delete"
	SnapshotDownload Action = "snapshot.download"
	SnapshotRestore  Action = "snapshot.restore"

	ClusterRead  Action = "cluster.read"
	ClusterAdmin Action = "cluster.admin"

	IAMRead  Action = "iam.read"
	IAMWrite Action = "iam.write"

	CodeExec   Action = "code.exec"
	SessionSet Action = "session.set"
	RawRead    Action = "raw_read"

	MetaHealth      Action = "meta.health"
	MetaMetrics     Action = "meta.metrics"
	MetaDiagnostics Action = "meta.diagnostics"

	// Connect is opening a session with a target. Any allow rule that could apply to a subject on a target implies it.
	Connect Action = "connect"

	// Unknown is what could not be read: able to do anything, so only a rule that names it allows it.
	Unknown Action = "unknown"
)

// weights order actions by consequence; the list is also the closed list of actions.
var weights = map[Action]int{
	Unknown: 100, CodeExec: 95, IAMWrite: 94, ClusterAdmin: 93,
	SchemaDrop: 90, TenantDrop: 90, SchemaTruncate: 89, DeleteAll: 88, SnapshotRestore: 87, DeleteByFilter: 86,
	SnapshotDelete: 85, IndexDrop: 84, AliasWrite: 83, SchemaRename: 82, SchemaAlter: 81, SchemaCreate: 80,
	TenantAlter: 79, TenantCreate: 78, IndexRebuild: 77, IndexCreate: 76, SnapshotCreate: 75,
	Import: 70, Delete: 69, UpdateVectors: 68, Update: 67, Upsert: 66, Insert: 65,
	SnapshotDownload: 60, RawRead: 59, Export: 58, Scroll: 57, ListIDs: 56,
	Aggregate: 50, Search: 49, Fetch: 48, Count: 47,
	IAMRead: 40, ClusterRead: 39, SnapshotList: 38, TenantRead: 37, AliasRead: 36, SchemaRead: 35, SchemaList: 34,
	MetaDiagnostics: 30, MetaMetrics: 29, SessionSet: 20, MetaHealth: 10, Connect: 5,
}

// Known reports whether a is in the vocabulary.
func (a Action) Known() bool { return weights[a] > 0 }

// Weight orders actions by consequence: higher is graver. An action outside the vocabulary weighs as Unknown.
func (a Action) Weight() int {
	if w := weights[a]; w > 0 {
		return w
	}
	return weights[Unknown]
}

// Writes reports whether the action changes data, schema or rights; reads and session settings do not.
func (a Action) Writes() bool { return a.Weight() >= weights[Insert] }

// pointless are the actions that neither show nor change nor destroy a single point.
var pointless = map[Action]bool{
	Connect: true, SessionSet: true, MetaHealth: true, SchemaList: true, SchemaRead: true, SchemaCreate: true, IndexCreate: true, IndexRebuild: true,
	AliasRead: true, TenantRead: true, TenantCreate: true, SnapshotList: true, ClusterRead: true, IAMRead: true,
}

// ReachesPoints reports whether the action shows, changes or destroys points, so that a filter on them concerns it.
func (a Action) ReachesPoints() bool { return !pointless[a] }

// Actions lists the vocabulary in no particular order.
func Actions() []Action {
	all := make([]Action, 0, len(weights))
	for a := range weights {
		all = append(all, a)
	}
	return all
}
