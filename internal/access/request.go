package access

import "time"

// State of an access request.
type State string

// The states. Only StateApproved can become StateUsed, once.
const (
	StateOpen      State = "open"
	StateApproved  State = "approved"
	StateDenied    State = "denied"
	StateUsed      State = "used"
	StateExpired   State = "expired"
	StateAbandoned State = "abandoned" // the client went away before it was decided
)

// Request is an access request: one held operation of one subject that waits for persons.
type Request struct {
	ID        string     `json:"id"` // short, for people to type: 7F3K-92QX
	Digest    string     `json:"digest"`
	Subject   Subject    `json:"subject"`
	Target    string     `json:"target"`
	Accesses  []Access   `json:"accesses"`
	Text      string     `json:"text"` // what will run, verbatim, with parameters; cut at 64 KiB
	Terms     HoldTerms  `json:"terms"`
	Policy    string     `json:"policy"`
	Reason    string     `json:"reason,omitempty"` // the requester's words, when the client gave some
	Ticket    string     `json:"ticket,omitempty"`
	State     State      `json:"state"`
	Decisions []Vote     `json:"decisions,omitempty"`
	Created   time.Time  `json:"created"`
	Expires   time.Time  `json:"expires"`
	Decided   *time.Time `json:"decided,omitempty"`
	Session   string     `json:"session,omitempty"`
}

// Vote is one person's word on a request.
type Vote struct {
	Person  string    `json:"person"`  // counted
	Subject string    `json:"subject"` // the account that voted
	Name    string    `json:"name,omitempty"`
	Approve bool      `json:"approve"`
	Reason  string    `json:"reason,omitempty"`
	At      time.Time `json:"at"`
}

// Ask is what the gate files when policy holds an operation.
type Ask struct {
	Digest    string // hex SHA-256 over Canonical, subject, target, policy
	Subject   *Subject
	Target    string
	Operation *Operation
	Terms     HoldTerms
	Policy    string
	Ticket    string
	Session   string
}

// Grant is a request that enough persons approved, as the policy sees it when it decides again.
type Grant struct {
	Request string
	Digest  string
	Rule    string
	Policy  string // digest of the policy that asked for it; a grant does not outlive a change of policy. Empty: not known
	Persons []string
	Expires time.Time
}

// Notice tells a waiting client what is going on.
type Notice struct {
	Request string // access request id
	URL     string // where it is decided
	Message string // one sentence
	Hint    string // what the person at the client can do
}
