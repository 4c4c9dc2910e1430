package gate

import (
	"context"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/vault"
)

// Exchange is one client request and its answer, as its protocol understands them. Serve calls the methods in the order
// in which they stand here (Oblige also before Waiting), from one goroutine; Refuse ends an exchange instead of Forward, or after a Forward or Reply
// that failed with a refusal.
type Exchange interface {
	// Operation says what the request would do. It is called once and the result must not change afterwards.
	Operation() *access.Operation

	// Wire returns the request as the client sent it, without credentials, for the recording. Valid until Serve returns.
	Wire() []byte

	// Waiting tells the client that its request is held; it is called at least once, then about every half minute. From
	// the first call until Forward or Refuse the exchange watches its client, and cancels the context that Serve was
	// given when the client goes or takes the request back. What it tells goes onto the tape first.
	Waiting(access.Notice, Tape) error

	// Oblige takes on every obligation, or says with an *access.Refusal which one cannot be fulfilled. For a request that
	// is held it is called twice, before and after people decide; the last call counts.
	Oblige(*access.Obligations) error

	// Forward sends the request to the target as obliged.
	Forward(context.Context, vault.Credential, Tape) error

	// Reply streams the answer to the client as obliged. An answer that the engine itself gives as an error is a success
	// of Reply with its code in the outcome. An *access.Refusal is returned unrendered when the answer breaks an
	// obligation that could not be checked before.
	Reply(context.Context, Tape) (access.Outcome, error)

	// Refuse says no in the protocol's own form and leaves the session usable.
	Refuse(*access.Refusal) error
}

// Tape takes down what is said in an exchange. Its methods return an error when it cannot be taken down any more; the
// exchange must then stop. They keep no reference to p.
type Tape interface {
	// Asked takes what the client sent after Wire was recorded, such as COPY data.
	Asked(p []byte) error
	// Answered takes what the client gets. It is called before the bytes are written to the client.
	Answered(p []byte) error
	// Sync returns when everything taken so far is durable.
	Sync(context.Context) error
}
