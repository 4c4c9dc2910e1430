package identity

import (
	"context"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/identity/secret"
)

// Suspension cuts somebody off: the subject with that ID, or the person and every workload that the person owns.
type Suspension struct {
	Who    string    `json:"who"` // ID of a subject, or name of a person
	Reason string    `json:"reason,omitempty"`
	By     string    `json:"by,omitempty"` // the person who did it
	At     time.Time `json:"at"`
}

// Covers reports whether the suspension cuts a subject off: by its own name, its person, its owner or its actor's.
func (s Suspension) Covers(subject *access.Subject) bool {
	for ; subject != nil; subject = subject.Actor {
		if s.Who == subject.ID || s.Who == subject.Person || s.Who == subject.Owner {
			return true
		}
	}
	return false
}

// Store keeps what outlives the process. What it returned nil for is durable.
type Store interface {
	// RevokeToken forbids one token of the gateway by its jti; the entry may be dropped after until.
	RevokeToken(ctx context.Context, jti string, until time.Time) error
	// TokenRevoked reports whether RevokeToken was called for it.
	TokenRevoked(ctx context.Context, jti string) (bool, error)
	// Suspend adds or replaces the suspension of s.Who.
	Suspend(ctx context.Context, s Suspension) error
	// Reinstate removes the suspension of who; removing none is no error.
	Reinstate(ctx context.Context, who string) error
	// Suspensions returns all suspensions, ordered by Who.
	Suspensions(ctx context.Context) ([]Suspension, error)
	// The secrets that the gateway minted for clients that can only do SCRAM.
	secret.Store
}
