package audit

import (
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// Type of a record.
type Type string

// The types. Every exchange has one intent, durable before anything is forwarded, and one outcome; an intent without an
// outcome is an unknown outcome. A refusal is a single record.
const (
	TypeIntent       Type = "intent"
	TypeOutcome      Type = "outcome"
	TypeRefusal      Type = "refusal"
	TypeSessionOpen  Type = "session.open"
	TypeSessionClose Type = "session.close"
	TypeSignIn       Type = "signin"    // a credential was shown and accepted outside a session (a cancel key too), or refused anywhere
	TypeRequest      Type = "request"   // an access request was filed, or changed its state
	TypeVote         Type = "vote"      // a person decided on an access request
	TypeTicket       Type = "ticket"    // what a system says of a change ticket, before anything is decided by it
	TypePolicy       Type = "policy"    // the policy in force changed
	TypeAdmin        Type = "admin"     // an operator did something: kill a session, replay a recording, ...
	TypeStart        Type = "start"     // the gateway process began
	TypeStop         Type = "stop"      // the gateway process ended in good order
	TypeRecovered    Type = "recovered" // the log was found torn at start: what was dropped
	TypeGap          Type = "gap"       // records could not be written for a while: since when, until when
)

// Record is the envelope of one entry: small, in clear, the leaf of the Merkle tree. What was said goes into bodies,
// sealed to the auditors; the envelope carries their digests. Its encoding is JSON with the fields in this order; the
// bytes on disk are what is hashed, they are never encoded again.
type Record struct {
	Seq     uint64    `json:"seq"`  // position in the log, from 0; set by the log
	Time    time.Time `json:"time"` // set by the log, never before the record that precedes it
	Type    Type      `json:"type"`
	Session string    `json:"session,omitempty"`
	Request string    `json:"request,omitempty"` // the exchange: "<session>.<n>"; ties intent, bodies and outcome together

	Subject    string      `json:"subject,omitempty"` // stable id
	Name       string      `json:"name,omitempty"`
	Kind       access.Kind `json:"kind,omitempty"`
	Person     string      `json:"person,omitempty"`
	Instance   string      `json:"instance,omitempty"`
	Actor      string      `json:"actor,omitempty"`
	Credential string      `json:"credential,omitempty"` // names it, never its value
	Method     string      `json:"method,omitempty"`
	Client     string      `json:"client,omitempty"` // remote address

	Target   string          `json:"target,omitempty"`
	Accesses []access.Access `json:"accesses,omitempty"`
	Unclear  string          `json:"unclear,omitempty"`

	Effect access.Effect `json:"effect,omitempty"`
	Rule   string        `json:"rule,omitempty"`
	Code   access.Code   `json:"code,omitempty"`
	Policy string        `json:"policy,omitempty"` // digest of the policy that decided
	Grant  string        `json:"grant,omitempty"`  // access request that was used, filed, or voted on
	Ticket string        `json:"ticket,omitempty"`
	// TicketHash is the text_sha256 of the ticket record that the decision rests on.
	TicketHash string `json:"ticket_sha256,omitempty"`

	Rows     int64  `json:"rows,omitempty"`
	Bytes    int64  `json:"bytes,omitempty"`
	Micros   int64  `json:"micros,omitempty"` // from decision to last byte
	Error    string `json:"error,omitempty"`  // the engine's own code; never message text, which may hold data
	Detail   string `json:"detail,omitempty"` // what an operator did, why a request was voted so: words without data
	State    string `json:"state,omitempty"`  // of an access request
	TextHash string `json:"text_sha256,omitempty"`

	// Shortened says that the record did not fit and parts of it are left out; the bodies say it all.
	Shortened bool `json:"shortened,omitempty"`

	// Bodies that belong to this record: those appended for the same Request since the record before it. Set by the log.
	Sealed     int64  `json:"sealed,omitempty"`        // how many bytes, sealed
	SealedHash string `json:"sealed_sha256,omitempty"` // over the sealed bytes in order
}

// Direction of a body.
type Direction byte

// The directions.
const (
	Asked    Direction = 'q' // what the client sent
	Answered Direction = 'a' // what the client got
)
