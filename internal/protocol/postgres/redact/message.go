package redact

import "regexp"

// Message is the text that stands for an error or notice of the SQLSTATE: that of its condition where many clients meet
// it, otherwise that of its class.
func Message(state string) string {
	text, ok := conditions[state]
	if !ok && len(state) >= 2 {
		text, ok = classes[state[:2]]
	}
	if !ok {
		text = "error"
	}
	return text + " (details withheld)"
}

// dimensions stands for pgvector's complaints about a vector of the wrong length, the slip that is made most: the model
// that made the query is not the one that made the table.
const dimensions = "different vector dimensions (details withheld)"

// aboutDimensions says whether a message is one of those: "different vector dimensions 384 and 3", "expected 384 dimensions,
// not 3" (pgvector 0.8, SQLSTATE 22000). Nothing of the message is passed on, not even the numbers.
func aboutDimensions(state, message []byte) bool {
	return string(state) == "22000" && dimensionsPattern.Match(message)
}

var dimensionsPattern = regexp.MustCompile(`^(different (vector|halfvec|sparsevec) dimensions [0-9]+ and [0-9]+|expected [0-9]+ dimensions, not [0-9]+)$`)

// conditions are the names of PostgreSQL's error codes that clients show most.
var conditions = map[string]string{
	"00000": "message of the server",
	"01000": "warning",
	"21000": "cardinality violation",
	"22001": "string data right truncation",
	"22003": "numeric value out of range",
	"22007": "invalid datetime format",
	"22008": "datetime field overflow",
	"22012": "division by zero",
	"22021": "character not in repertoire",
	"22023": "invalid parameter value",
	"22P02": "invalid text representation",
	"22P03": "invalid binary representation",
	"23502": "not null violation",
	"23503": "foreign key violation",
	"23505": "unique violation",
	"23514": "check violation",
	"23P01": "exclusion violation",
	"25001": "active SQL transaction",
	"25006": "read only SQL transaction",
	"25P01": "no active SQL transaction",
	"25P02": "current transaction is aborted, commands are ignored until end of transaction block",
	"26000": "invalid SQL statement name",
	"34000": "invalid cursor name",
	"40001": "serialization failure",
	"40P01": "deadlock detected",
	"42501": "insufficient privilege",
	"42601": "syntax error",
	"42602": "invalid name",
	"42702": "ambiguous column",
	"42703": "undefined column",
	"42704": "undefined object",
	"42710": "duplicate object",
	"42803": "grouping error",
	"42804": "datatype mismatch",
	"42883": "undefined function",
	"42P01": "undefined table",
	"42P03": "duplicate cursor",
	"42P05": "duplicate prepared statement",
	"42P07": "duplicate table",
	"42P18": "indeterminate datatype",
	"53100": "disk full",
	"53200": "out of memory",
	"53300": "too many connections",
	"54001": "statement too complex",
	"55P03": "lock not available",
	"57014": "query canceled",
	"57P01": "admin shutdown",
	"57P02": "crash shutdown",
	"57P03": "cannot connect now",
	"57P05": "idle session timeout",
	"P0001": "raised exception",
}

// classes are the titles of PostgreSQL's classes of error codes.
var classes = map[string]string{
	"00": "successful completion",
	"01": "warning",
	"02": "no data",
	"03": "SQL statement not yet complete",
	"08": "connection exception",
	"09": "triggered action exception",
	"0A": "feature not supported",
	"0B": "invalid transaction initiation",
	"0F": "locator exception",
	"0L": "invalid grantor",
	"0P": "invalid role specification",
	"0Z": "diagnostics exception",
	"10": "XQuery error",
	"20": "case not found",
	"21": "cardinality violation",
	"22": "data exception",
	"23": "integrity constraint violation",
	"24": "invalid cursor state",
	"25": "invalid transaction state",
	"26": "invalid SQL statement name",
	"27": "triggered data change violation",
	"28": "invalid authorization specification",
	"2B": "dependent privilege descriptors still exist",
	"2D": "invalid transaction termination",
	"2F": "SQL routine exception",
	"34": "invalid cursor name",
	"38": "external routine exception",
	"39": "external routine invocation exception",
	"3B": "savepoint exception",
	"3D": "invalid catalog name",
	"3F": "invalid schema name",
	"40": "transaction rollback",
	"42": "syntax error or access rule violation",
	"44": "with check option violation",
	"53": "insufficient resources",
	"54": "program limit exceeded",
	"55": "object not in prerequisite state",
	"57": "operator intervention",
	"58": "system error",
	"72": "snapshot failure",
	"F0": "configuration file error",
	"HV": "foreign data wrapper error",
	"P0": "PL/pgSQL error",
	"XX": "internal error",
}
