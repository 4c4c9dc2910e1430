package server

import (
	"context"
	"errors"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
)

// voteStands says whether a vote still counts when its grant is used. Who was cut off since has no say, nor has who turns out
// to be another person than was counted: the requester under another account, or somebody who has voted under one already.
func (s *Server) voteStands(ctx context.Context, v access.Vote, r *access.Request) *access.Refusal {
	provider, _, _ := strings.Cut(v.Subject, ":")
	voter := &access.Subject{ID: v.Subject, Person: v.Person, Kind: access.Person, Provider: provider}
	if refusal := s.stillCounts(ctx, voter, "an approver of this request has been cut off since, or counts as another person"); refusal != nil {
		return refusal
	}
	// The credential with which it was asked for is not the one with which it may be sent again.
	asked := r.Subject
	asked.Credential, asked.Parents = "", nil
	if a := asked.Actor; a != nil {
		actor := *a
		actor.Credential, actor.Parents = "", nil
		asked.Actor = &actor
	}
	return s.stillCounts(ctx, &asked, "who asked for this request has been cut off since, or counts as another person")
}

// stillCounts refuses a subject that would not be admitted now, or not as the same person.
func (s *Server) stillCounts(ctx context.Context, who *access.Subject, why string) *access.Refusal {
	err := s.registry.Standing(ctx, who)
	if err == nil {
		return nil
	}
	if refusal, ok := errors.AsType[*access.Refusal](err); ok {
		return &access.Refusal{Code: access.CodeNotReleased, Message: why, Hint: "send it again to ask anew", Err: refusal}
	}
	return &access.Refusal{Code: access.CodeInternal, Message: "internal error", Err: err}
}
