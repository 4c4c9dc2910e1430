package analysis

// Kind is the kind of a statement, as far as front ends must tell them apart.
type Kind int

// The kinds.
const (
	Unknown Kind = iota
	Empty
	Select // also VALUES and TABLE
	Insert
	Update
	Delete
	Merge
	CopyIn
	CopyOut
	Begin // also START TRANSACTION
	Commit
	Rollback
	Savepoint // also RELEASE
	RollbackTo
	TwoPhase // PREPARE TRANSACTION, COMMIT PREPARED, ROLLBACK PREPARED
	Set      // also RESET and SET TRANSACTION
	Show
	Prepare
	Execute
	Deallocate
	Declare
	Fetch // also MOVE
	Close
	Explain
	Listen // also UNLISTEN
	Notify
	Lock
	Discard
	DDL      // CREATE, ALTER, DROP, COMMENT, TRUNCATE …
	Code     // DO, CALL, LOAD
	Rights   // GRANT, REVOKE, roles
	Maintain // VACUUM, ANALYZE, REINDEX, CLUSTER, REFRESH, CHECKPOINT
)

var kindNames = [...]string{
	"unknown", "empty", "select", "insert", "update", "delete", "merge", "copy in", "copy out", "begin", "commit", "rollback",
	"savepoint", "rollback to", "two-phase", "set", "show", "prepare", "execute", "deallocate", "declare", "fetch", "close",
	"explain", "listen", "notify", "lock", "discard", "ddl", "code", "rights", "maintain",
}

// String returns the kind in lower case.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return "unknown"
	}
	return kindNames[k]
}
