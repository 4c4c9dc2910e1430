package approval

import (
	"context"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

const defaultPoll = 2 * time.Second

// Await implements gate.Approvals: it returns the request once it is no longer open.
func (d *Desk) Await(ctx context.Context, id string) (access.Request, error) {
	canonical, ok := ParseID(id)
	if !ok {
		return access.Request{}, ErrNotFound
	}
	changed := make(chan struct{}, 1)
	d.wait(canonical, changed)
	defer d.stopWaiting(canonical, changed)

	poll := d.Poll
	if poll == 0 {
		poll = defaultPoll
	}
	for {
		r, err := d.Get(ctx, canonical)
		if err != nil {
			return r, err
		}
		if r.State != access.StateOpen {
			return r, nil
		}
		left := r.Expires.Sub(d.Now())
		if left <= 0 {
			if err := d.sweepOne(ctx, canonical); err != nil {
				return r, err
			}
			continue
		}
		timer := time.NewTimer(min(left, poll))
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return r, ctx.Err()
		}
		timer.Stop()
	}
}

func (d *Desk) wait(id string, changed chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiting == nil {
		d.waiting = make(map[string]map[chan struct{}]bool)
	}
	if d.waiting[id] == nil {
		d.waiting[id] = make(map[chan struct{}]bool)
	}
	d.waiting[id][changed] = true
}

func (d *Desk) stopWaiting(id string, changed chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.waiting[id], changed)
	if len(d.waiting[id]) == 0 {
		delete(d.waiting, id)
	}
}

// Waiting is how many clients of this process wait for the request.
func (d *Desk) Waiting(id string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.waiting[id])
}

// followed is how many changes a follower may fall behind.
const followed = 64

// Subscribe returns a channel on which every change of a request arrives that is made through this desk. It is closed
// when ctx ends, or when the follower falls behind: it then reads the list anew and subscribes again.
func (d *Desk) Subscribe(ctx context.Context) <-chan access.Request {
	follow := make(chan access.Request, followed)
	d.mu.Lock()
	if d.follows == nil {
		d.follows = make(map[chan access.Request]bool)
	}
	d.follows[follow] = true
	d.mu.Unlock()
	context.AfterFunc(ctx, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.unfollow(follow)
	})
	return follow
}

// unfollow closes a follower's channel, once. The caller holds mu.
func (d *Desk) unfollow(follow chan access.Request) {
	if d.follows[follow] {
		delete(d.follows, follow)
		close(follow)
	}
}

// tell wakes those who wait for the request and those who follow all of them.
func (d *Desk) tell(r access.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for changed := range d.waiting[r.ID] {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	for follow := range d.follows {
		select {
		case follow <- r:
		default:
			d.unfollow(follow)
		}
	}
}
