package audit

import (
	"context"
	"sync"
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

	mu   sync.Mutex
	then []func() // guarded by mu: called when done is closed
}

// NewGroup returns a group that is not yet durable.
func NewGroup() *Group { return &Group{done: make(chan struct{})} }

// Commit returns the promise of the record at seq in this group.
func (g *Group) Commit(seq uint64) Commit { return Commit{Seq: seq, group: g} }

// Resolve makes every Wait on the group return err. It is called once.
func (g *Group) Resolve(err error) {
	g.err = err
	g.mu.Lock()
	close(g.done)
	then := g.then
	g.then = nil
	g.mu.Unlock()
	for _, f := range then {
		f()
	}
}

// Resolved is a commit that has already ended, for journals that do not wait.
func Resolved(seq uint64, err error) Commit {
	g := NewGroup()
	g.Resolve(err)
	return g.Commit(seq)
}

// Then has f called once it is known whether the record is durable, which Result tells, and asks for that to be soon. It is for
// those who must not block in Wait. When it is known already f is not called, and Then returns false. f must not block.
func (c Commit) Then(f func()) bool {
	g := c.group
	g.mu.Lock()
	if _, known := c.Result(); known {
		g.mu.Unlock()
		return false
	}
	g.then = append(g.then, f)
	g.mu.Unlock()
	if g.hurry != nil && !g.wanted.Swap(true) {
		g.hurry(g)
	}
	return true
}

// Result is what Wait would return; known is false while Wait would block.
func (c Commit) Result() (err error, known bool) { //nolint:staticcheck // as Wait says it, and whether it does
	select {
	case <-c.group.done:
		return c.group.err, true
	default:
		return nil, false
	}
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
