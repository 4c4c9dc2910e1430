package server

import (
	"context"
	"fmt"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/approval/ticket"
	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/identity"
)

// recorder writes into the audit log what happens beside the road: access requests and votes, sign-ins, what operators
// do. Every method returns once the record is durable.
type recorder struct {
	journal gate.Journal
}

// Request implements approval.Recorder.
func (r recorder) Request(ctx context.Context, req access.Request, vote *access.Vote) error {
	rec := &audit.Record{
		Type: audit.TypeRequest, Session: req.Session, Request: "request:" + req.ID,
		Target: req.Target, Accesses: req.Accesses, Rule: req.Terms.Rule, Policy: req.Policy,
		Grant: req.ID, Ticket: req.Ticket, State: string(req.State), TextHash: req.Digest,
	}
	about(rec, &req.Subject)
	if vote != nil {
		rec.Type = audit.TypeVote
		rec.Subject, rec.Name, rec.Person, rec.Kind = vote.Subject, vote.Name, vote.Person, access.Person
		rec.Credential, rec.Instance, rec.Actor = "", "", ""
		rec.Detail = vote.Reason
		rec.Effect = access.Deny
		if vote.Approve {
			rec.Effect = access.Allow
		}
	} else if req.State == access.StateOpen {
		rec.Effect, rec.Code = access.Hold, access.CodeHeld
		if err := r.journal.Body(rec.Request, audit.Asked, []byte(req.Text)); err != nil {
			return fmt.Errorf("record text of request %s: %w", req.ID, err)
		}
	}
	return r.journal.Append(rec).Wait(ctx)
}

// Ticket implements ticket.Recorder.
func (r recorder) Ticket(ctx context.Context, shown ticket.Shown) error {
	rec := &audit.Record{Type: audit.TypeTicket, Request: "ticket:" + shown.Ticket, Ticket: shown.Ticket, TextHash: shown.Digest, Detail: "as " + shown.System + " shows it"}
	if err := r.journal.Body(rec.Request, audit.Answered, shown.Snapshot); err != nil {
		return fmt.Errorf("record ticket %s: %w", shown.Ticket, err)
	}
	return r.journal.Append(rec).Wait(ctx)
}

// Did records what somebody did beside the road: replayed a session, ended one, suspended somebody.
func (r recorder) Did(ctx context.Context, who *access.Subject, client, what, about_ string) error {
	rec := &audit.Record{Type: audit.TypeAdmin, Client: client, Detail: what, Session: about_}
	about(rec, who)
	return r.journal.Append(rec).Wait(ctx)
}

// SignedIn records that a credential was accepted outside a session.
func (r recorder) SignedIn(ctx context.Context, who *access.Subject, client string) error {
	rec := &audit.Record{Type: audit.TypeSignIn, Client: client, Effect: access.Allow, Code: access.CodeAllowed}
	about(rec, who)
	return r.journal.Append(rec).Wait(ctx)
}

// Revoked records that whoever held a credential ended it.
func (r recorder) Revoked(ctx context.Context, credential, client string) error {
	return r.journal.Append(&audit.Record{
		Type: audit.TypeAdmin, Credential: credential, Client: client, Detail: "revoked by its holder: the credential " + credential,
	}).Wait(ctx)
}

// Suspended records that somebody was cut off.
func (r recorder) Suspended(ctx context.Context, s identity.Suspension) error {
	return r.journal.Append(&audit.Record{Type: audit.TypeAdmin, Subject: s.By, Detail: "suspended " + s.Who + ": " + s.Reason}).Wait(ctx)
}

// Policy records that another policy is in force.
func (r recorder) Policy(ctx context.Context, digest, detail string) error {
	return r.journal.Append(&audit.Record{Type: audit.TypePolicy, Policy: digest, Detail: detail}).Wait(ctx)
}

func about(rec *audit.Record, s *access.Subject) {
	rec.Subject, rec.Name, rec.Kind, rec.Person, rec.Instance = s.ID, s.Name, s.Kind, s.Person, s.Instance
	rec.Credential, rec.Method = s.Credential, s.Method
	if s.Actor != nil {
		rec.Actor = s.Actor.ID
	}
}
