package policy

import (
	"sync/atomic"

	"github.com/vecgate/vecgate/internal/access"
)

// Holder is the policy in force. The zero Holder has none and denies everything. It is safe for concurrent use.
type Holder struct {
	current atomic.Pointer[Policy]
}

// NewHolder returns a holder with a policy in force.
func NewHolder(p *Policy) *Holder {
	h := &Holder{}
	h.current.Store(p)
	return h
}

// Load returns the policy in force, nil when there is none.
func (h *Holder) Load() *Policy { return h.current.Load() }

// Swap puts another policy in force, as a whole, and returns the one before. Whoever is deciding finishes with the old.
func (h *Holder) Swap(p *Policy) *Policy { return h.current.Swap(p) }

// Decide judges with the policy that is in force at the time of the call.
func (h *Holder) Decide(s *access.Subject, op *access.Operation, about access.Context) access.Decision {
	p := h.current.Load()
	if p == nil {
		return access.Decision{Effect: access.Deny, Reason: access.Reason{Code: access.CodeInternal, Sentence: "no policy is in force"}}
	}
	return p.Decide(s, op, about)
}

// MayApprove says why a subject may not decide on a request, by the policy in force.
func (h *Holder) MayApprove(voter *access.Subject, request *access.Request) *access.Refusal {
	p := h.current.Load()
	if p == nil {
		return &access.Refusal{Code: access.CodeInternal, Message: "no policy is in force"}
	}
	return p.MayApprove(voter, request)
}
