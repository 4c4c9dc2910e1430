// Package wire frames PostgreSQL's protocol 3: a buffered reader of messages, strict readers of the frontend messages
// that a gateway must understand, and writers of the messages that it says itself.
//
// It knows no connection, session or rule. What does not have exactly the shape that the protocol gives it is an error.
// Start at Reader.
package wire

// The types of frontend messages.
const (
	Bind         = 'B'
	Close        = 'C'
	CopyData     = 'd' // also of the backend, as the next two
	CopyDone     = 'c'
	CopyFail     = 'f'
	Describe     = 'D'
	Execute      = 'E'
	Flush        = 'H'
	FunctionCall = 'F'
	Parse        = 'P'
	Password     = 'p' // also SASL responses
	Query        = 'Q'
	Sync         = 'S'
	Terminate    = 'X'
)

// The types of backend messages.
const (
	Authentication       = 'R'
	BackendKeyData       = 'K'
	BindComplete         = '2'
	CloseComplete        = '3'
	CommandComplete      = 'C'
	CopyInResponse       = 'G'
	CopyOutResponse      = 'H'
	CopyBothResponse     = 'W'
	DataRow              = 'D'
	EmptyQueryResponse   = 'I'
	ErrorResponse        = 'E'
	NegotiateVersion     = 'v'
	NoData               = 'n'
	NoticeResponse       = 'N'
	NotificationResponse = 'A'
	ParameterDescription = 't'
	ParameterStatus      = 'S'
	ParseComplete        = '1'
	PortalSuspended      = 's'
	ReadyForQuery        = 'Z'
	RowDescription       = 'T'
)

// Header is the length of what precedes the body of a message.
const Header = 5

// SmallMessage is the longest body of the messages that PostgreSQL itself keeps small.
const SmallMessage = 10_000

// Small reports whether a frontend message of that type is one that PostgreSQL keeps small.
func Small(kind byte) bool {
	switch kind {
	case Close, Describe, Execute, Flush, Sync, Terminate, CopyDone:
		return true
	}
	return false
}

// Frontend reports whether kind is a message that a client may send after it has signed in.
func Frontend(kind byte) bool {
	switch kind {
	case Bind, Close, CopyData, CopyDone, CopyFail, Describe, Execute, Flush, FunctionCall, Parse, Query, Sync, Terminate:
		return true
	}
	return false
}
