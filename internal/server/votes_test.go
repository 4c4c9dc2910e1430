package server

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/approval"
	"github.com/vecgate/vecgate/internal/identity"
	"github.com/vecgate/vecgate/internal/identity/identitytest"
	"github.com/vecgate/vecgate/internal/identity/oidc"
	"github.com/vecgate/vecgate/internal/store"
)

// kept is where requests are kept.
func kept(t *testing.T) approval.Store {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "state.db"), Gateway: "test", Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db.Requests()
}

// forgetful is a recorder for which everything is on record.
type forgetful struct{}

func (forgetful) Request(context.Context, access.Request, *access.Vote) error { return nil }

func believed(persons []identity.Person, providers ...string) identity.Sources {
	s := identity.Sources{Persons: persons}
	for _, name := range providers {
		s.Providers = append(s.Providers, oidc.Config{Name: name, Issuer: "https://" + name + ".example.com", Audiences: []string{"vecgate"}})
	}
	return s
}

func person(id, provider string) *access.Subject {
	return &access.Subject{ID: id, Person: id, Kind: access.Person, Provider: provider, Groups: []string{"Vector-Approve"}}
}

// Two persons have released what a third asked for. Then the configuration comes to know better who is who, or believes less.
func TestVotesAreCountedAgainWhenTheGrantIsUsed(t *testing.T) {
	for name, c := range map[string]struct {
		now  identity.Sources
		then string // who is suspended
		want access.Code
	}{
		"nothing changes":                      {now: believed(nil, "corp", "partners")},
		"an approver is the requester":         {now: believed([]identity.Person{{Name: "sam", Accounts: []string{"corp:sam", "partners:sam"}}}, "corp", "partners"), want: access.CodeNotReleased},
		"both approvers are one person":        {now: believed([]identity.Person{{Name: "ana", Accounts: []string{"corp:ana", "partners:sam"}}}, "corp", "partners"), want: access.CodeNotReleased},
		"the requester is somebody else":       {now: believed([]identity.Person{{Name: "sam", Accounts: []string{"corp:sam"}}}, "corp", "partners"), want: access.CodeNotReleased},
		"a provider is not believed any more":  {now: believed(nil, "corp"), want: access.CodeNotReleased},
		"an approver is suspended":             {now: believed(nil, "corp", "partners"), then: "corp:ana", want: access.CodeNotReleased},
		"somebody who has no say is suspended": {now: believed(nil, "corp", "partners"), then: "corp:zoe"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			log := slog.New(slog.DiscardHandler)
			registry, err := identity.New(identity.Options{
				Sources: believed(nil, "corp", "partners"), URL: "https://gate.example.com", Dir: t.TempDir(), Store: identitytest.NewMemory(), Log: log, Now: time.Now,
			})
			if err != nil {
				t.Fatal(err)
			}
			s := &Server{registry: registry}
			desk := &approval.Desk{Store: kept(t), Recorder: forgetful{}, Stands: s.voteStands, Log: log, Now: time.Now}
			sam := person("corp:sam", "corp")
			sam.Credential = "vg:00" // it may have been revoked meanwhile: another asks again
			r, err := desk.Ask(ctx, access.Ask{
				Digest: "d", Subject: sam, Target: "products", Operation: &access.Operation{Text: "DROP TABLE items"},
				Terms: access.HoldTerms{Rule: "two", Groups: []string{"Vector-Approve"}, Persons: 2},
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, voter := range []*access.Subject{person("corp:ana", "corp"), person("partners:sam", "partners")} {
				if r, err = desk.Vote(ctx, r.ID, voter, true, ""); err != nil {
					t.Fatal(err)
				}
			}
			if r.State != access.StateApproved {
				t.Fatalf("the request is %s", r.State)
			}
			if err := registry.Reload(c.now); err != nil {
				t.Fatal(err)
			}
			if c.then != "" {
				if err := registry.Suspend(ctx, identity.Suspension{Who: c.then}); err != nil {
					t.Fatal(err)
				}
			}
			_, err = desk.Use(ctx, r.ID, "d")
			var code access.Code
			if refusal, ok := errors.AsType[*access.Refusal](err); ok {
				code = refusal.Code
			} else if err != nil {
				t.Fatal(err)
			}
			if code != c.want {
				t.Errorf("used: %v, want code %q", err, c.want)
			}
		})
	}
}
