package audit

import "context"

// follower keeps the tree of what is durable: stub until tree lands
type follower struct{ l *Log }

func (f *follower) start(l *Log)     { f.l = l }
func (f *follower) durable(b *batch) { f.l.batches.Put(b) }
func (f *follower) stop() error      { return nil }

func (f *follower) load(ctx context.Context, s *signer, segments []uint32, e end) error { return nil }
