// Package gate is the one road of a request. Every protocol front end brings what a client sent as an Exchange, and
// Session.Serve walks it: decide, hold, oblige, write down, lease, forward, answer, write down how it ended.
//
// It refuses to know protocols, SQL, HTTP, rules and files: what a request means is the front end's business, what is
// allowed the policy's. Start at Session.Serve.
package gate

import (
	"context"
	"log/slog"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/vault"
)

// Decider is the policy in force. It must be safe for concurrent use and must answer with the policy that is current at
// the time of the call.
type Decider interface {
	// Decide judges an operation. An operation with the single access Connect asks whether any rule could apply to the
	// subject on that target.
	Decide(*access.Subject, *access.Operation, access.Context) access.Decision
}

// Journal is the audit log.
type Journal interface {
	// Append queues a record; it is durable once the commit's Wait returns nil. Records keep the order of the calls, and the
	// record itself is not kept.
	Append(*audit.Record) audit.Commit
	// Body queues a piece of what was said in a request. It keeps no reference to p and may block for back-pressure.
	Body(request string, d audit.Direction, p []byte) error
	// Sync returns when everything appended so far is durable.
	Sync(context.Context) error
}

// Approvals are the access requests.
type Approvals interface {
	// Ask files an access request, or finds the one with the same digest that is open or approved and unused.
	Ask(context.Context, access.Ask) (access.Request, error)
	// Await returns the request once it is no longer open, or the context's error.
	Await(ctx context.Context, id string) (access.Request, error)
	// Use turns an approved request into a grant, once: a second Use of the same request is an error.
	Use(ctx context.Context, id, digest string) (access.Grant, error)
	// Abandon closes an open request whose client has gone.
	Abandon(ctx context.Context, id string) error
	// URL is where people decide on the request.
	URL(id string) string
}

// Credentials are the upstream credentials.
type Credentials interface {
	// Lease returns the credential in force for a target.
	Lease(ctx context.Context, target string) (vault.Credential, error)
}

// Tickets are the systems that keep change tickets.
type Tickets interface {
	// LookUp returns what the ticket's system says of it, or a Change that says why that is not known; it waits for the
	// system for a few seconds at most. For a write it answers from what was said a moment ago only.
	LookUp(ctx context.Context, s *access.Subject, ticket string, write bool) access.Change
}

// Roll keeps what people look up later: sessions and the identities seen. It is told, and never asked, on the road.
type Roll interface {
	SessionOpened(SessionInfo)
	SessionClosed(SessionInfo)
}

// Meter counts. A nil Meter counts nothing.
type Meter interface {
	Served(target string, effect access.Effect, code access.Code, took time.Duration)
}

// Reads says when a read may run.
type Reads string

// The modes. Writes are always before-forward.
const (
	// BeforeForward: the record of a read is durable before the request reaches the target.
	BeforeForward Reads = "before-forward"
	// BeforeRelease: a read may run while its record is being made durable; no byte of its answer leaves before it is.
	BeforeRelease Reads = "before-release"
)

// Target is what the gate needs to know of a registered database.
type Target struct {
	Name   string
	Reads  Reads         // empty means BeforeForward
	Record access.Level  // what is recorded when policy asks for nothing else; empty means full
	Hold   time.Duration // the longest that a client is kept waiting; empty means the terms of the hold
}

// Gate holds the parts that every session shares. Its fields are set once, before the first Open.
type Gate struct {
	Policy      Decider
	Journal     Journal
	Approvals   Approvals
	Credentials Credentials
	Tickets     Tickets // optional
	Roll        Roll    // optional
	Meter       Meter   // optional
	Log         *slog.Logger
	Now         func() time.Time

	// MaxSessions and MaxPerSubject bound the live sessions; 0 bounds nothing.
	MaxSessions   int
	MaxPerSubject int

	// Admit, if not nil, says why somebody who proved a moment ago who they are may not come in after all. It is asked once
	// CutOff can see the session, so that nobody slips in while being cut off.
	Admit func(context.Context, *access.Subject) *access.Refusal

	sessions sessions
	knocks   knocks
}
