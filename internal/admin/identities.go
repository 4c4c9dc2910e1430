package admin

import (
	"context"
	"errors"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// Identities are the subjects that have opened sessions, and who is cut off.
type Identities interface {
	// List returns identities, last seen first.
	List(context.Context, IdentityFilter) ([]Identity, error)
	// Suspensions returns those in force.
	Suspensions(context.Context) ([]Suspension, error)
	// Suspend cuts a subject or a person off at once, live sessions included.
	Suspend(context.Context, Suspension) error
	// Reinstate lifts a suspension.
	Reinstate(ctx context.Context, who string) error
	// End ends one credential of the gateway by its name, with what was made of it and the sessions that it opened, or
	// returns ErrNotFound.
	End(ctx context.Context, credential string) error
}

// IdentityFilter chooses identities.
type IdentityFilter struct {
	Subject string
	Person  string
	Before  time.Time // last seen before; for the next page
	Limit   int
}

// Identity is a subject as last seen.
type Identity struct {
	Subject   access.Subject `json:"subject"`
	FirstSeen time.Time      `json:"first_seen"`
	LastSeen  time.Time      `json:"last_seen"`
	Sessions  int64          `json:"sessions"`
	Requests  int64          `json:"requests"`
	Rows      int64          `json:"rows"`
	Client    string         `json:"client,omitempty"`
	Target    string         `json:"target,omitempty"`
	Live      int            `json:"live"` // open sessions; filled by Service
	// Suspended is what keeps the identity out; filled by Service.
	Suspended *Suspension `json:"suspended,omitempty"`
}

// Suspension cuts off the subject with that ID, or the person and every workload of theirs.
type Suspension struct {
	Who    string    `json:"who"`
	Reason string    `json:"reason,omitempty"`
	By     string    `json:"by,omitempty"`
	At     time.Time `json:"at"`
}

// covers is how a suspension is shown beside an identity; whether it holds is decided where credentials are verified.
func (s Suspension) covers(who *access.Subject) bool {
	return s.Who != "" && (s.Who == who.ID || s.Who == who.Person || s.Who == who.Owner)
}

// ListIdentities returns identities, last seen first, and the suspensions in force.
func (s *Service) ListIdentities(ctx context.Context, c Caller, f IdentityFilter) (list []Identity, suspended []Suspension, more bool, err error) {
	if err := s.either(c, "see who uses the gateway"); err != nil {
		return nil, nil, false, err
	}
	limit := page(f.Limit)
	f.Limit = limit + tiesMax
	if list, err = s.Identities.List(ctx, f); err != nil {
		return nil, nil, false, err
	}
	for n := limit; n < len(list); n++ {
		if whole(n, limit, list[n-1].LastSeen, list[n].LastSeen) {
			list, more = list[:n], true
		}
	}
	if suspended, err = s.Identities.Suspensions(ctx); err != nil {
		return nil, nil, false, err
	}
	live, err := s.Sessions.Live(ctx)
	if err != nil {
		return nil, nil, false, err
	}
	open := map[string]int{}
	for _, i := range live {
		open[i.Subject.ID]++
	}
	for i := range list {
		list[i].Live = open[list[i].Subject.ID]
		for j := range suspended {
			if suspended[j].covers(&list[i].Subject) {
				list[i].Suspended = &suspended[j]
			}
		}
	}
	return list, suspended, more, nil
}

// Suspend cuts somebody off at once.
func (s *Service) Suspend(ctx context.Context, c Caller, who, reason string) error {
	if err := s.operator(c, "cut somebody off"); err != nil {
		return err
	}
	reason, err := words(reason)
	if err != nil {
		return err
	}
	if err := named(who); err != nil {
		return err
	}
	if reason == "" {
		return &access.Refusal{Code: access.CodeLimit, Message: "cutting somebody off needs a reason", Hint: "say why, for the record"}
	}
	if who == c.Subject.ID || who == c.Subject.Person {
		return &access.Refusal{Code: access.CodeSeparation, Message: "that is you: you would cut yourself off", Hint: "ask another operator"}
	}
	if err := s.Journal.Did(ctx, c.Subject, c.Client, "suspended "+who+": "+reason, ""); err != nil {
		return notRecorded(err)
	}
	return s.Identities.Suspend(ctx, Suspension{Who: who, Reason: reason, By: c.Subject.Display(), At: s.Now()})
}

// Reinstate lifts a suspension.
func (s *Service) Reinstate(ctx context.Context, c Caller, who string) error {
	if err := s.operator(c, "let somebody in again"); err != nil {
		return err
	}
	if err := named(who); err != nil {
		return err
	}
	if err := s.Journal.Did(ctx, c.Subject, c.Client, "reinstated "+who, ""); err != nil {
		return notRecorded(err)
	}
	return s.Identities.Reinstate(ctx, who)
}

// EndCredential ends one credential of the gateway by its name, as the log has it.
func (s *Service) EndCredential(ctx context.Context, c Caller, credential, reason string) error {
	if err := s.operator(c, "end credentials"); err != nil {
		return err
	}
	reason, err := words(reason)
	if err != nil {
		return err
	}
	if err := named(credential); err != nil {
		return err
	}
	if reason == "" {
		return &access.Refusal{Code: access.CodeLimit, Message: "ending a credential needs a reason", Hint: "say why, for the record"}
	}
	if err := s.Journal.Did(ctx, c.Subject, c.Client, "ended the credential "+credential+": "+reason, ""); err != nil {
		return notRecorded(err)
	}
	err = s.Identities.End(ctx, credential)
	if errors.Is(err, ErrNotFound) {
		return &access.Refusal{
			Code: access.CodeNoRule, Message: credential + " is no living credential of the gateway", Err: ErrNotFound,
			Hint: "they begin with vg_ or vg: and the log names them; a credential of an identity provider ends there, or by suspending its subject",
		}
	}
	return err
}

func named(who string) error {
	if clean, err := words(who); err != nil || clean != who || who == "" || len(who) > 512 {
		return &access.Refusal{Code: access.CodeLimit, Message: "that is no name of a subject or a person", Hint: "use the ID that the list of identities shows"}
	}
	return nil
}
