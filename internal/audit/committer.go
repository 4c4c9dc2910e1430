package audit

import (
	"fmt"
	"time"
)

// commit is the one goroutine that writes. While it waits for the disk, the next batch fills.
func (l *Log) commit() {
	defer close(l.committed)
	var unwritten []*batch
	for last := false; ; {
		if len(unwritten) == 0 {
			<-l.work
		} else {
			last = l.pause(l.opts.Retry)
		}
		for {
			l.gather()
			if b := l.take(); b != nil {
				unwritten = append(unwritten, b)
			} else if len(unwritten) == 0 {
				break
			}
			if unwritten = l.write(unwritten); len(unwritten) > 0 {
				break
			}
		}
		if len(unwritten) > 0 && last {
			l.abandon(unwritten)
			return
		}
		if len(unwritten) == 0 && l.ended() {
			return
		}
	}
}

// moment is the longest that a record waits for others to be flushed with.
const moment = 400 * time.Microsecond

// plenty is a group that is not worth waiting to make larger.
const plenty = 16

// gather lets the batch grow a little when several sessions are busy: those that the last group answered are likely to ask
// again, and one flush serves them all. Whoever is alone does not wait.
func (l *Log) gather() {
	l.mu.Lock()
	b := l.filling
	want := min(l.busy, plenty)
	if b.asked == 0 || b.asked >= want || b.size > soon || l.closed || l.failed != nil {
		l.mu.Unlock()
		return
	}
	b.want = want
	select {
	case <-l.gathered: // what was said of an earlier batch
	default:
	}
	l.mu.Unlock()
	l.gathering.Reset(l.moment)
	select {
	case <-l.gathered:
	case <-l.gathering.C:
	case <-l.closing:
	}
	l.gathering.Stop()
}

// pause waits before the next attempt; it reports that the log is being closed.
func (l *Log) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-l.closing:
		return true
	case <-t.C:
		return false
	}
}

// ended reports that nothing is left to write, nor will there be.
func (l *Log) ended() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed && l.filling.size == 0
}

// take returns the batch that has been filled, or nil, and puts an empty one in its place. One that nobody is in a hurry
// for goes on filling.
func (l *Log) take() *batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.filling.size == 0 {
		l.filling.woken = false
		return nil
	}
	if !l.filling.woken && !l.closed {
		return nil
	}
	b := l.full()
	l.writing = b.group
	l.room.Broadcast()
	return b
}

// full ends the batch that is filling and begins another; the lock is held.
func (l *Log) full() *batch {
	b := l.filling
	l.waiters(b)
	b.next = l.frames
	l.filling = l.empty()
	return b
}

func (l *Log) empty() *batch {
	var b *batch
	select {
	case b = <-l.batches:
	default:
		b = &batch{}
	}
	l.groups++
	*b = batch{buf: b.buf[:0], leaves: b.leaves[:0], bodies: b.bodies[:0], number: l.groups, frame: l.frames, record: l.records}
	return b
}

// write makes batches durable, in order, and returns those that could not be.
func (l *Log) write(batches []*batch) []*batch {
	for len(batches) > 0 {
		b := batches[0]
		err := l.writeOne(b)
		if err != nil && l.current.failed {
			l.log.Error("audit log: segment failed; another one takes its place", "segment", l.current.number, "error", err)
			err = l.writeOne(b)
		}
		if err != nil {
			return l.fail(batches, err)
		}
		l.mu.Lock()
		told := l.failed != nil
		if l.writing == b.group {
			l.writing = nil
		}
		l.busy = b.asked + l.filling.asked // nobody is in both
		l.mu.Unlock()
		l.release(b)
		l.follower.durableRecords.Store(b.record + uint64(len(b.leaves))) // whoever is told finds it so
		if !told {
			b.group.Resolve(nil)
		}
		l.follower.durable(b)
		batches = batches[1:]
	}
	l.resume()
	return nil
}

// writeOne writes a batch into the current segment, or into the next one when it does not fit or the current one failed,
// and flushes it.
func (l *Log) writeOne(b *batch) error {
	end := len(b.buf)
	b.buf = beginFrame(b.buf)
	endFrame(b.buf, end, kindCommit, b.next, b.number)
	defer func() { b.buf = b.buf[:end] }()
	full := l.current.off+int64(b.size+frameHeader) > l.opts.Segment || l.stale.Swap(false)
	if l.current.failed || full && l.current.off > l.current.start {
		if err := l.advance(b); err != nil {
			return err
		}
	}
	return l.current.write(b)
}

// advance begins the next segment with b.
func (l *Log) advance(b *batch) error {
	next := l.next.take()
	if next == nil {
		var err error
		if next, err = l.prepare(l.current.number + 1); err != nil {
			return err
		}
	}
	s, err := l.begin(next, b.record, b.frame, b.number)
	if err != nil {
		_ = next.file.Close()
		return err
	}
	l.enter(s, next.sealer)
	return nil
}

// enter makes s the current segment, and has the one before sealed and the one after prepared.
func (l *Log) enter(s *segment, sealer *sealer) {
	old := l.current
	l.current = s
	l.mu.Lock()
	l.sealer = sealer
	l.mu.Unlock()
	l.next.begin(func() (*fresh, error) {
		if old != nil {
			if err := old.seal(); err != nil {
				l.log.Warn("audit log: seal segment", "segment", old.number, "error", err)
			}
		}
		f, err := l.prepare(s.number + 1)
		if err != nil {
			l.log.Error("audit log: the next segment cannot be prepared; when the current one is full, requests will be refused",
				"segment", s.number, "error", err)
		}
		return f, err
	})
}

// fail closes the log for new records until writing works again. Whoever waits is told; what was queued is kept, and
// written first once that is possible.
func (l *Log) fail(batches []*batch, cause error) []*batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil {
		return batches // still failing; everybody has been told
	}
	l.failed = fmt.Errorf("%w: %w", ErrFailed, cause)
	l.since = l.now()
	if l.filling.size > 0 {
		batches = append(batches, l.full())
	}
	for _, b := range batches {
		b.group.Resolve(l.failed)
	}
	l.writing = nil
	l.room.Broadcast()
	l.log.Error("audit log: closed until it can be written again; requests are refused", "error", cause)
	return batches
}

// resume opens the log again after a failure, and puts the failure on record.
func (l *Log) resume() {
	l.mu.Lock()
	if l.failed == nil {
		l.mu.Unlock()
		return
	}
	cause, since := l.failed, l.since
	l.failed = nil
	l.append(&Record{
		Type:   TypeGap,
		Detail: "nothing could be recorded from " + stamp(since) + " until " + stamp(l.now()) + ", and requests were refused: " + cut(cause.Error(), 512),
	})
	l.filling.woken = true // the committer is at work, and comes to it next
	l.mu.Unlock()
	l.log.Warn("audit log: writing again", "since", since, "error", cause)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// abandon tells that what could not be written never will be.
func (l *Log) abandon(batches []*batch) {
	n := 0
	for _, b := range batches {
		n += len(b.leaves)
	}
	l.log.Error("audit log: closed while it could not be written; records that were refused to their callers are lost", "records", n)
}
