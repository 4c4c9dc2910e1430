package access

// Code names a kind of no, for machines; front ends map it to their protocol's own codes.
type Code string

// The codes.
const (
	CodeAllowed      Code = "allowed"
	CodeNoRule       Code = "no-rule"            // no allow rule matches
	CodeDenied       Code = "denied-by-rule"     // a deny rule matches
	CodeHeld         Code = "held"               // waits for a person, and cannot wait here
	CodeNotReleased  Code = "not-released"       // a person said no, or nobody answered in time
	CodeSeparation   Code = "separation"         // segregation of duties forbids it
	CodeTicket       Code = "needs-ticket"       // a reviewed change ticket is missing
	CodeScope        Code = "outside-scope"      // the credential is narrower than the request
	CodeUnclear      Code = "unclear"            // the request could not be read
	CodeObligation   Code = "cannot-be-obliged"  // an obligation cannot be fulfilled
	CodeLimit        Code = "limit"              // larger than policy or the gateway allows
	CodeIdentity     Code = "not-authenticated"  // the credential does not prove who asks
	CodeExpired      Code = "credential-expired" // it did, until it expired or was revoked
	CodeUnavailable  Code = "unavailable"        // the target cannot be reached
	CodeNotRecorded  Code = "not-recorded"       // it could not be written down, so it did not happen
	CodeInternal     Code = "internal"           // a fault of the gateway
	CodeCanceled     Code = "canceled"           // the client took it back while it was held
	CodeShuttingDown Code = "shutting-down"
)

// Refusal is a no, in words for the client (Message, Hint, Ref) and with the cause for operators (Err), which is never
// sent to a client.
type Refusal struct {
	Code    Code
	Rule    string // the rule that says so, when there is one
	Message string // names the subject, the thing and the rule
	Hint    string // the way out
	Ref     string // the record of this refusal, or the access request to follow up
	Err     error
}

// Error implements error with the client's words.
func (r *Refusal) Error() string { return string(r.Code) + ": " + r.Message }

// Unwrap returns the operator's cause.
func (r *Refusal) Unwrap() error { return r.Err }
