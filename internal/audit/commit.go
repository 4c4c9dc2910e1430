package audit

import (
	"context"
	"sync/atomic"
)

// Commit is the promise that a record becomes durable.
type Commit struct {
	Seq   uint64 // the record's position, when Wait returned nil
	group *Group
}

// Group is a run of records that become durable together, by one write and one flush.
type Group struct {
	done   chan struct{}
	err    error        // written before done is closed
	hurry  func(*Group) // tells the log that somebody waits; may be nil
	wanted atomic.Bool  // hurry was called
}

// NewGroup returns a group that is not yet durable.
func NewGroup() *Group { return &Group{done: make(chan struct{})} }

// Commit returns the promise of the record at seq in this group.
func (g *Group) Commit(seq uint64) Commit { return Commit{Seq: seq, group: g} }

// Resolve makes every Wait on the group return err. It is called once.
func (g *Group) Resolve(err error) {
	g.err = err
	close(g.done)
}

// Resolved is a commit that has already ended, for journals that do not wait.
func Resolved(seq uint64, err error) Commit {
	g := NewGroup()
	g.Resolve(err)
	return g.Commit(seq)
}

// Wait returns nil once the record is durable, or why it never will be. When ctx ends first the record may still become
// durable, and the caller must behave as if it had not.
func (c Commit) Wait(ctx context.Context) error {
	select {
	case <-c.group.done:
		return c.group.err
	default:
	}
	if c.group.hurry != nil && !c.group.wanted.Swap(true) {
		c.group.hurry(c.group)
	}
	select {
	case <-c.group.done:
		return c.group.err
	case <-ctx.Done():
		return ctx.Err()
	}
}
