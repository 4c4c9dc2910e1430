package access

import "time"

// Context is what a decision may look at besides the subject and the operation.
type Context struct {
	Now      time.Time
	Client   string // remote address, without port
	Session  string
	Ticket   string // change ticket attached to the request or to the credential
	Change   Change // what the ticket's system says of it; nil while nobody has asked
	Grant    *Grant // an approval for exactly this operation, when there is one
	Channel  string // "sql", "rest", "grpc"
	Settings map[string]string
}

// Change is a change ticket as its system showed it at one moment, or why it could not be shown. It never changes, so that
// a decision rests on one answer, which the log can name.
type Change interface {
	// Reviewed returns nil when the change is open now, covers the access, and was reviewed by peers of the subject. An
	// *Refusal says in Message and Hint why not.
	Reviewed(s *Subject, a *Access, now time.Time) error
	// Digest is the SHA-256 in hex of what the log holds of the ticket; empty when nothing was shown.
	Digest() string
}
