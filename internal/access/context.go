package access

import "time"

// Context is what a decision may look at besides the subject and the operation.
type Context struct {
	Now      time.Time
	Client   string // remote address, without port
	Session  string
	Ticket   string // change ticket attached to the request or to the credential
	Grant    *Grant // an approval for exactly this operation, when there is one
	Channel  string // "sql", "rest", "grpc"
	Settings map[string]string
}
