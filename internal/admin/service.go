// Package admin is what people do with the gateway beside the road of a request: decide on access requests, look at
// sessions and replay them, read the log, cut somebody off, read the policy. It holds the HTTP API under /api/v1, and the
// Service that the API and the web console share.
//
// Every action is authorised here and nowhere else, so that a page can do nothing that the API cannot. It refuses to know
// how anything is kept: what it needs are the small interfaces of Service, which the server fills. Start at Service.
package admin

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// ErrNotFound is what the interfaces of a Service return for a thing that does not exist. People who may not see a thing
// are told the same.
var ErrNotFound = errors.New("not found")

// Service does what people ask for, if they may. Its fields are set before first use; it is safe for concurrent use.
type Service struct {
	Gateway    string // the gateway's name
	Version    string // which build this is
	Requests   Requests
	Sessions   Sessions
	Recordings Recordings
	Records    Records
	Identities Identities
	Policy     Policy
	Targets    Targets
	Journal    Journal
	Roles      Roles
	// TicketLink returns where people look at a change ticket, empty when nobody says; it may be nil.
	TicketLink func(ticket string) string
	Log        *slog.Logger
	Now        func() time.Time

	streams streams
}

// LinkTo is where people look at a change ticket, empty when nobody says.
func (s *Service) LinkTo(ticket string) string {
	if ticket == "" || s.TicketLink == nil {
		return ""
	}
	return s.TicketLink(ticket)
}

// Journal writes down what people do. It returns once that is durable; what could not be written down does not happen.
type Journal interface {
	// Did records an action and the session it is about, if any.
	Did(ctx context.Context, who *access.Subject, client, what, session string) error
}

// Caller is who asks, and from where.
type Caller struct {
	Subject *access.Subject
	Client  string // remote address
}

// Roles are the groups that may do more than decide and look at their own.
type Roles struct {
	Auditors  []string // read the log, every session, recordings, the policy
	Operators []string // end sessions and cut identities off; see sessions, identities, the policy
}

// Scopes with which a narrowed credential keeps a role.
const (
	ScopeAudit   = "audit"
	ScopeOperate = "operate"
)

// Auditor reports whether the caller has the role.
func (s *Service) Auditor(c Caller) bool { return s.has(c, s.Roles.Auditors, ScopeAudit) }

// Operator reports whether the caller has the role.
func (s *Service) Operator(c Caller) bool { return s.has(c, s.Roles.Operators, ScopeOperate) }

// has says whether a role counts: for persons who speak for themselves, with a credential that was not narrowed or was
// narrowed to just that.
func (s *Service) has(c Caller, groups []string, scope string) bool {
	who := c.Subject
	if s.signedIn(c) != nil || who.Kind != access.Person || who.Actor != nil || len(who.Targets) > 0 {
		return false
	}
	if len(who.Scopes) > 0 && !contains(who.Scopes, scope) {
		return false
	}
	for _, g := range groups {
		if who.InGroup(g) {
			return true
		}
	}
	return false
}

// signedIn says why the caller is nobody, if so.
func (s *Service) signedIn(c Caller) *access.Refusal {
	if c.Subject == nil || c.Subject.ID == "" {
		return &access.Refusal{Code: access.CodeIdentity, Message: "nobody is signed in", Hint: "sign in: vecgate login"}
	}
	if e := c.Subject.Expires; !e.IsZero() && !s.Now().Before(e) {
		return &access.Refusal{Code: access.CodeExpired, Message: "the credential of " + c.Subject.Display() + " has expired", Hint: "sign in again: vecgate login"}
	}
	return nil
}

// role asks for one of the roles that the words name.
func (s *Service) role(c Caller, ok bool, to, who string) error {
	if r := s.signedIn(c); r != nil {
		return r
	}
	if ok {
		return nil
	}
	return &access.Refusal{
		Code: access.CodeDenied, Message: "not allowed: " + c.Subject.Display() + " may not " + to + "; that takes " + who,
		Hint: "the operator of the gateway says who is: console.auditors and console.operators in its configuration",
	}
}

func (s *Service) auditor(c Caller, to string) error {
	return s.role(c, s.Auditor(c), to, "an auditor")
}

func (s *Service) operator(c Caller, to string) error {
	return s.role(c, s.Operator(c), to, "an operator")
}

func (s *Service) either(c Caller, to string) error {
	return s.role(c, s.Auditor(c) || s.Operator(c), to, "an auditor or an operator")
}

// same reports whether a thing of that subject is the caller's own: the same account, or the same person, or a workload
// that the person answers for.
func same(c *access.Subject, subject *access.Subject) bool {
	if subject == nil {
		return false
	}
	return c.ID == subject.ID || c.Person != "" && c.Kind == access.Person && (c.Person == subject.Person || c.Person == subject.Owner)
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}
