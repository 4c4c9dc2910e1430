package bypass

// Expect is how a gateway that masks must answer an attack, besides never showing a secret.
type Expect string

// What a gateway must do.
const (
	Refused  Expect = ""         // say an error, or end the connection
	Masked   Expect = "masked"   // answer with as many rows as PostgreSQL does, without an error
	Harmless Expect = "harmless" // anything that shows nothing
)

// Proof is how an attack that is sent straight to PostgreSQL shows that it is one.
type Proof string

// The proofs.
const (
	Leaks   Proof = ""        // a part of a secret comes back, or the answers of the two worlds differ
	Nothing Proof = "nothing" // by its nature no client sees it succeed; Why says so
)

// A Case is one attack.
type Case struct {
	Class int    // the class of attack, a key of Classes
	Name  string // unique within its class

	// SQL is a statement that returns rows, to be sent by every carrier; Only names those that fit if not all do.
	SQL  string
	Only []string
	// Steps is what to send when it is not one such statement.
	Steps []Step
	// Settings are sent when the connection is opened.
	Settings map[string]string
	// Super says that only a superuser gets through with it, straight at PostgreSQL.
	Super bool

	Proof Proof
	Why   string
	// Through is what a gateway must do.
	Through Expect
	// Differs is why a gateway's answers may differ between the worlds, when policy lets them.
	Differs string
}

// Classes are the classes of attack.
var Classes = map[int]string{
	1: "several statements in one text", 2: "comments and split keywords", 3: "DO", 4: "routines", 5: "PREPARE and EXECUTE",
	6: "cursors", 7: "COPY", 8: "writes in a CTE", 9: "EXPLAIN", 10: "new relations", 11: "laundering within a table",
	12: "views, materialized views, inheritance", 13: "SECURITY DEFINER", 14: "whole rows", 15: "function and attribute notation",
	16: "unnesting of JSON, XML, arrays, records", 17: "aliases and stars", 18: "set operations", 19: "aggregates and windows",
	20: "predicates", 21: "ordering", 22: "inference of vectors", 23: "error texts", 24: "notices", 25: "switching identity",
	26: "search_path", 27: "statistics", 28: "other catalogs", 29: "SQL within strings", 30: "files and network of the server",
	31: "large objects", 32: "side channels", 33: "timing", 34: "write-ahead log and pages", 35: "row locks", 36: "identifiers",
	37: "lexing of strings", 38: "encodings", 39: "bytes after the end", 40: "lengths", 41: "bytes before TLS",
	42: "changes between parse and execute", 43: "code run while binding", 44: "rules and triggers", 45: "newer syntax",
	46: "exhaustion of the parser", 47: "gaps in the catalog", 48: "cancel keys",
}

// Elsewhere are the classes that are no matter of masking, and where they are tested.
var Elsewhere = map[int]string{
	40: "lengths that lie never reach the server: the front end's framing tests",
	41: "the connection ends before sign-in: the front end's startup tests",
	48: "another session's statement is cancelled, nothing is shown: the front end's cancel tests",
}
