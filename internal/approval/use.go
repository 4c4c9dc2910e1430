package approval

import (
	"context"
	"crypto/subtle"
	"fmt"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// Use implements gate.Approvals: it turns an approved request into a grant, once.
func (d *Desk) Use(ctx context.Context, id, digest string) (access.Grant, error) {
	unlock, err := d.lock(ctx)
	if err != nil {
		return access.Grant{}, err
	}
	defer unlock()
	r, version, err := d.get(ctx, id)
	if err != nil {
		return access.Grant{}, err
	}
	no := func(format string, args ...any) (access.Grant, error) {
		return access.Grant{}, &access.Refusal{
			Code: access.CodeNotReleased, Rule: r.Terms.Rule, Ref: r.ID, Message: fmt.Sprintf(format, args...), Hint: "send it again to ask anew",
		}
	}
	now := d.Now()
	if subtle.ConstantTimeCompare([]byte(r.Digest), []byte(digest)) != 1 {
		return no("request %s was approved for something else than this", r.ID)
	}
	if r.State != access.StateApproved {
		return no("request %s is %s", r.ID, r.State)
	}
	if !now.Before(r.Expires) {
		if err := d.expire(ctx, r, version, now); err != nil {
			return access.Grant{}, err
		}
		return no("the approval of request %s ended at %s", r.ID, r.Expires.UTC().Format(time.RFC3339))
	}
	standing, fallen := d.standing(ctx, &r)
	persons := approvers(standing)
	if len(persons) < max(r.Terms.Persons, 1) {
		if err := d.expire(ctx, r, version, now); err != nil {
			return access.Grant{}, err
		}
		return no("the approval of request %s no longer counts: %s", r.ID, fallen)
	}
	r.State = access.StateUsed
	if err := d.change(ctx, r, version, nil); err != nil {
		return access.Grant{}, err
	}
	return access.Grant{Request: r.ID, Digest: r.Digest, Policy: r.Policy, Rule: r.Terms.Rule, Persons: persons, Expires: r.Expires}, nil
}

// standing are the votes that still count, with why the last of the others does not.
func (d *Desk) standing(ctx context.Context, r *access.Request) (votes []access.Vote, fallen string) {
	if d.Stands == nil {
		return r.Decisions, "too few persons agreed"
	}
	fallen = "too few persons agreed"
	for _, v := range r.Decisions {
		if refusal := d.Stands(ctx, v, r); refusal != nil {
			fallen = refusal.Message
			continue
		}
		votes = append(votes, v)
	}
	return votes, fallen
}

// Abandon implements gate.Approvals: it closes an open request whose client has gone, unless another client waits for
// the same one.
func (d *Desk) Abandon(ctx context.Context, id string) error {
	unlock, err := d.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	r, version, err := d.get(ctx, id)
	if err != nil {
		return err
	}
	if r.State != access.StateOpen || d.Waiting(r.ID) > 0 {
		return nil
	}
	now := d.Now()
	r.State, r.Decided = access.StateAbandoned, &now
	return d.change(ctx, r, version, nil)
}

// expire closes a request whose time is over. The caller holds the lock.
func (d *Desk) expire(ctx context.Context, r access.Request, version Version, now time.Time) error {
	r.State = access.StateExpired
	if r.Decided == nil {
		r.Decided = &now
	}
	return d.change(ctx, r, version, nil)
}

// sweepAtOnce bounds one pass of Sweep.
const sweepAtOnce = 100

// Sweep expires what is due.
func (d *Desk) Sweep(ctx context.Context) error {
	for {
		ids, err := d.Store.Due(ctx, d.Now(), sweepAtOnce)
		if err != nil {
			return fmt.Errorf("find requests that are due: %w", err)
		}
		for _, id := range ids {
			if err := d.sweepOne(ctx, id); err != nil {
				return fmt.Errorf("expire request %s: %w", id, err)
			}
		}
		if len(ids) < sweepAtOnce {
			return nil
		}
	}
}

func (d *Desk) sweepOne(ctx context.Context, id string) error {
	unlock, err := d.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	r, version, err := d.get(ctx, id)
	if err != nil {
		return err
	}
	now := d.Now()
	if r.State != access.StateOpen && r.State != access.StateApproved || now.Before(r.Expires) {
		return nil
	}
	return d.expire(ctx, r, version, now)
}

// Run sweeps until ctx ends.
func (d *Desk) Run(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := d.Sweep(ctx); err != nil && ctx.Err() == nil {
			d.Log.ErrorContext(ctx, "sweep access requests", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
