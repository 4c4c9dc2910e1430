// Package approval keeps access requests: what policy holds until persons release it. A request is bound to the digest of
// exactly what will run, is decided by persons who are not its requester, and its grant is used once.
//
// It decides nothing about access itself: a grant is only an attribute with which the policy decides again. It knows no
// protocol, no log format and no database; it writes every change down through Recorder before the change takes effect,
// and keeps requests in a Store. Start at Desk.
package approval

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// Errors of a Store.
var (
	// ErrNotFound is returned for a request that does not exist.
	ErrNotFound = errors.New("no such access request")
	// ErrConflict is returned when something else was faster: the request changed since it was read, its ID is taken, or
	// another live request has its digest.
	ErrConflict = errors.New("changed since it was read")
)

// Version of a stored request; it changes with every update.
type Version int64

// Store keeps requests. storetest defines it.
type Store interface {
	// Create keeps a new request. ErrConflict when its ID exists, or when a request with the same digest is open or approved.
	Create(context.Context, access.Request) error
	// Get returns a request, or ErrNotFound.
	Get(ctx context.Context, id string) (access.Request, Version, error)
	// Live returns the request with the digest that is open or approved, or ErrNotFound.
	Live(ctx context.Context, digest string) (access.Request, Version, error)
	// Update replaces a request if it still has the version. ErrConflict when it has not.
	Update(ctx context.Context, r access.Request, was Version) error
	// List returns requests, newest first.
	List(context.Context, Filter) ([]access.Request, error)
	// CountOpen counts the open requests of a subject, of all subjects when it is empty.
	CountOpen(ctx context.Context, subject string) (int, error)
	// Due returns the IDs of open and approved requests that expire at or before the time, oldest first.
	Due(ctx context.Context, at time.Time, limit int) ([]string, error)
}

// Recorder writes changes down.
type Recorder interface {
	// Request returns once the request as it will be, and the vote that makes it so if there is one, are durable in the
	// audit log. When it returns an error the change does not happen.
	Request(context.Context, access.Request, *access.Vote) error
}

// Filter chooses requests; its zero value chooses the newest hundred.
type Filter struct {
	States  []access.State // empty means all
	Subject string         // of the requester
	Person  string         // of the requester
	Target  string
	Before  time.Time // filed before; for the next page
	Limit   int       // at most 1000; 0 means 100
}

// Desk is where access requests are filed, decided and used. Its fields are set before first use. It is safe for
// concurrent use and implements gate.Approvals.
type Desk struct {
	Store    Store
	Recorder Recorder
	// May says whether policy lets the voter decide on the request; nil means that nothing more is asked than what the
	// desk itself insists on (see eligible).
	May func(voter *access.Subject, r *access.Request) *access.Refusal
	// Stands says whether a vote still counts when the grant is used: its voter may have been off-boarded since. Nil means
	// that every vote stands.
	Stands func(ctx context.Context, v access.Vote, r *access.Request) *access.Refusal
	// BaseURL is the console's address.
	BaseURL string
	// OpenPerSubject caps how many requests of one subject may be open; 0 means 20.
	OpenPerSubject int
	// OpenInAll caps how many requests may be open at all; 0 means 1000.
	OpenInAll int
	// Poll is how often a wait looks at the store by itself, for changes made by other replicas; 0 means two seconds.
	Poll time.Duration
	Log  *slog.Logger
	Now  func() time.Time

	once     sync.Once
	changing chan struct{} // holds a token while nobody changes a request

	mu      sync.Mutex
	waiting map[string]map[chan struct{}]bool // by request: who waits for a change
	follows map[chan access.Request]bool
}

// lock makes the caller the only one in this process that changes requests. A change is rare and waits for the disk, so
// one lock is enough; between replicas the store's versions decide.
func (d *Desk) lock(ctx context.Context) (unlock func(), err error) {
	d.once.Do(func() { d.changing = make(chan struct{}, 1) })
	select {
	case d.changing <- struct{}{}:
		return func() { <-d.changing }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// change writes the request down as it will be, then makes it so. The caller holds the lock.
func (d *Desk) change(ctx context.Context, r access.Request, was Version, vote *access.Vote) error {
	if err := d.Recorder.Request(ctx, r, vote); err != nil {
		return &access.Refusal{
			Code: access.CodeNotRecorded, Ref: r.ID, Err: fmt.Errorf("record request %s: %w", r.ID, err),
			Message: "it could not be written to the audit log, so it did not happen",
			Hint:    "tell the operator of the gateway; its log has the details",
		}
	}
	// It is on record: a client that goes away now must not stop it half way.
	ctx = context.WithoutCancel(ctx)
	if err := d.Store.Update(ctx, r, was); err != nil {
		if errors.Is(err, ErrConflict) {
			d.setRight(ctx, r.ID)
		}
		return fmt.Errorf("change request %s: %w", r.ID, err)
	}
	d.tell(r)
	return nil
}

// setRight writes down how a request really stands, after a change that was recorded lost against another replica's.
func (d *Desk) setRight(ctx context.Context, id string) {
	now, _, err := d.Store.Get(ctx, id)
	if err == nil {
		err = d.Recorder.Request(ctx, now, nil)
	}
	if err != nil {
		d.Log.ErrorContext(ctx, "record how a request stands", "id", id, "error", err)
	}
}

// URL implements gate.Approvals.
func (d *Desk) URL(id string) string { return d.BaseURL + "/requests/" + id }

// Get returns a request; id may be typed carelessly.
func (d *Desk) Get(ctx context.Context, id string) (access.Request, error) {
	r, _, err := d.get(ctx, id)
	return r, err
}

func (d *Desk) get(ctx context.Context, id string) (access.Request, Version, error) {
	canonical, ok := ParseID(id)
	if !ok {
		return access.Request{}, 0, fmt.Errorf("%w: an ID looks like 7F3K-92QX", ErrNotFound)
	}
	r, v, err := d.Store.Get(ctx, canonical)
	if err != nil {
		return r, v, fmt.Errorf("request %s: %w", canonical, err)
	}
	return r, v, nil
}

// List returns requests, newest first.
func (d *Desk) List(ctx context.Context, f Filter) ([]access.Request, error) {
	return d.Store.List(ctx, f)
}
