package server

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/admin"
	"github.com/vecgate/vecgate/internal/approval"
	"github.com/vecgate/vecgate/internal/config"
	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/identity"
	"github.com/vecgate/vecgate/internal/policy"
	"github.com/vecgate/vecgate/internal/store"
)

// What admin asks of the parts, in the words of the parts.

// requests implements admin.Requests.
type requests struct{ *approval.Desk }

func (r requests) List(ctx context.Context, f admin.RequestFilter) ([]access.Request, error) {
	return r.Desk.List(ctx, approval.Filter{States: f.States, Target: f.Target, Before: f.Before, Limit: f.Limit})
}

func (r requests) Get(ctx context.Context, id string) (access.Request, error) {
	req, err := r.Desk.Get(ctx, id)
	return req, notFound(err, approval.ErrNotFound)
}

func (r requests) Vote(ctx context.Context, id string, voter *access.Subject, approve bool, reason string) (access.Request, error) {
	req, err := r.Desk.Vote(ctx, id, voter, approve, reason)
	return req, notFound(err, approval.ErrNotFound)
}

func notFound(err, means error) error {
	if errors.Is(err, means) {
		return admin.ErrNotFound
	}
	return err
}

// sessionBook implements admin.Sessions.
type sessionBook struct {
	gate *gate.Gate
	roll *store.Roll
}

func (b sessionBook) Live(context.Context) ([]gate.SessionInfo, error) {
	var all []gate.SessionInfo
	for _, s := range b.gate.Sessions() {
		all = append(all, s.Info())
	}
	slices.Reverse(all) // newest first
	return all, nil
}

func (b sessionBook) Past(ctx context.Context, f admin.SessionFilter) ([]gate.SessionInfo, error) {
	return b.roll.Sessions(ctx, store.SessionFilter{Subject: f.Subject, Person: f.Person, Target: f.Target, Before: f.Before, Limit: f.Limit})
}

func (b sessionBook) Get(ctx context.Context, id string) (gate.SessionInfo, error) {
	if s, ok := b.gate.Session(id); ok {
		return s.Info(), nil
	}
	info, err := b.roll.Session(ctx, id)
	return info, notFound(err, store.ErrNotFound)
}

func (b sessionBook) Kill(_ context.Context, id string, cause error) error {
	s, ok := b.gate.Session(id)
	if !ok {
		return admin.ErrNotFound
	}
	s.Kill(cause)
	return nil
}

// people implements admin.Identities.
type people struct {
	roll     *store.Roll
	registry *identity.Registry
}

func (p people) List(ctx context.Context, f admin.IdentityFilter) ([]admin.Identity, error) {
	seen, err := p.roll.Identities(ctx, store.IdentityFilter{Subject: f.Subject, Person: f.Person, Before: f.Before, Limit: f.Limit})
	if err != nil {
		return nil, err
	}
	all := make([]admin.Identity, 0, len(seen))
	for _, s := range seen {
		all = append(all, admin.Identity{
			Subject: s.Subject, FirstSeen: s.FirstSeen, LastSeen: s.LastSeen, Sessions: s.Sessions, Requests: s.Requests,
			Rows: s.Rows, Client: s.Client, Target: s.Target,
		})
	}
	return all, nil
}

func (p people) Suspensions(ctx context.Context) ([]admin.Suspension, error) {
	all, err := p.registry.Suspensions(ctx)
	out := make([]admin.Suspension, 0, len(all))
	for _, s := range all {
		out = append(out, admin.Suspension(s))
	}
	return out, err
}

func (p people) Suspend(ctx context.Context, s admin.Suspension) error {
	return p.registry.Suspend(ctx, identity.Suspension(s))
}

func (p people) Reinstate(ctx context.Context, who string) error {
	return p.registry.Reinstate(ctx, who)
}

func (p people) End(ctx context.Context, credential string) error {
	return notFound(p.registry.End(ctx, credential), identity.ErrNoCredential)
}

// rules implements admin.Policy.
type rules struct {
	holder *policy.Holder
	since  *atomic.Pointer[time.Time]
	now    func() time.Time
}

func (r rules) Current(context.Context) (admin.PolicyText, error) {
	p := r.holder.Load()
	t := admin.PolicyText{File: p.File(), Digest: p.Digest(), Statements: p.Statements(), Text: string(p.Text())}
	if since := r.since.Load(); since != nil {
		t.Since = *since
	}
	return t, nil
}

func (r rules) Explain(_ context.Context, q admin.Question) (admin.Explanation, error) {
	kind := q.Kind
	if kind == "" {
		kind = access.Person
	}
	var resource access.Resource
	parts := strings.SplitN(q.Resource, "/", 3)
	for i, field := range []*string{&resource.Target, &resource.Namespace, &resource.Collection} {
		if i < len(parts) {
			*field = parts[i]
		}
	}
	rows := q.Rows
	if rows == 0 {
		rows = access.Unbounded
	}
	who := &access.Subject{ID: q.Subject, Kind: kind, Groups: q.Groups, Person: q.Subject}
	if provider, _, ok := strings.Cut(q.Subject, ":"); ok {
		who.Provider = provider
	}
	x := r.holder.Load().Explain(who, access.Access{
		Action: q.Action, Resource: resource, Attributes: access.Attributes{Rows: rows, Limit: rows},
	}, access.Context{Now: r.now()})
	out := admin.Explanation{Effect: x.Effect, Reason: x.Reason, Hold: x.Hold, Masks: x.Masks}
	for _, s := range x.Steps {
		kind, _, _ := strings.Cut(s.Statement, "[")
		out.Steps = append(out.Steps, admin.Step{Kind: kind, Name: s.Name, Position: s.Position, Matched: s.Applies, Why: s.Why})
	}
	return out, nil
}

// register implements admin.Targets.
type register struct {
	config *config.Config
	ready  func(context.Context, string) error
	now    func() time.Time
}

func (r register) List(ctx context.Context) ([]admin.Target, error) {
	var all []admin.Target
	for i := range r.config.Targets {
		t := &r.config.Targets[i]
		reads := t.Reads
		if reads == "" {
			reads = r.config.Audit.Reads
		}
		target := admin.Target{
			Name: t.Name, Engine: t.Engine, Address: t.Address, Database: t.Database, TLS: t.TLS.Mode, Reads: reads,
			Record: string(t.Record), Checked: r.now(),
		}
		if err := r.ready(ctx, t.Name); err != nil {
			target.Fault = err.Error()
		} else {
			target.Ready = true
		}
		all = append(all, target)
	}
	return all, nil
}
