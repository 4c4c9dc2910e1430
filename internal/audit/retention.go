package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// How a record of TypeAdmin says what retention did: Method is methodRetention, Rows is the first record that was kept,
// or the number of the key.
const (
	methodRetention = "retention"
	stateRemoved    = "removed"
	stateDestroyed  = "destroyed"
)

// maxSpan is how long a segment is written at most, so that the retention of a quiet log works too.
const maxSpan = 24 * time.Hour

// Retention is looked after soon after the start, and then now and then.
const (
	firstAging = time.Minute
	agingEvery = time.Hour
)

// keepAging calls Age until the log is closed.
func (l *Log) keepAging() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-l.closing
		cancel()
	}()
	for wait := firstAging; !l.pause(wait); wait = agingEvery {
		if err := l.Age(ctx); err != nil && ctx.Err() == nil {
			l.log.Error("audit log", "error", err)
		}
	}
}

// Age does what the retention asks: it destroys the keys of bodies, and removes segments, whose time has come. What it is
// about to do is on record before it is done. The log calls it by itself.
func (l *Log) Age(ctx context.Context) error {
	l.ages.Lock()
	defer l.ages.Unlock()
	if l.opts.Bodies <= 0 && l.opts.Retention <= 0 {
		return nil
	}
	numbers, err := listSegments(l.opts.Dir)
	if err != nil {
		return fmt.Errorf("retention: %w", err)
	}
	now := l.now()
	if n := len(numbers); n > 0 {
		s, err := openSegment(l.opts.Dir, numbers[n-1])
		if err != nil {
			return fmt.Errorf("retention: %w", err)
		}
		created := s.header.Created
		s.close()
		if now.Sub(created) > maxSpan {
			l.stale.Store(true)
		}
	}
	for i := 0; i+1 < len(numbers); i++ { // the last one is being written
		next, err := openSegment(l.opts.Dir, numbers[i+1])
		if err != nil {
			return fmt.Errorf("retention: %w", err)
		}
		h := next.header
		next.close()
		age := now.Sub(h.Created) // no record of segment i is younger than the beginning of the one after it
		if l.opts.Bodies > 0 && age > l.opts.Bodies || l.opts.Retention > 0 && age > l.opts.Retention {
			done, err := l.destroyKey(ctx, numbers[i], age)
			if err != nil {
				return fmt.Errorf("retention: destroy data key %d: %w", numbers[i], err)
			}
			if done && l.copied(h.Record) { // otherwise the room is given back with the segment
				if err := l.compact(numbers[i], h.Frame); err != nil {
					return fmt.Errorf("retention: compact segment %d: %w", numbers[i], err)
				}
			}
		}
		if l.opts.Retention > 0 && age > l.opts.Retention && i == 0 && h.Record <= l.Published() && l.copied(h.Record) {
			if err := l.removeSegment(ctx, numbers[i], h.Record); err != nil {
				return fmt.Errorf("retention: remove segment %d: %w", numbers[i], err)
			}
			numbers = numbers[1:]
			i--
		}
	}
	return nil
}

// copied says whether the segments that end before a record are whole in the archive, if there is one.
func (l *Log) copied(record uint64) bool { return l.opts.Archived == nil || record < l.opts.Archived() }

// destroyKey reports whether there was a key to destroy.
func (l *Log) destroyKey(ctx context.Context, number uint32, age time.Duration) (bool, error) {
	name := keyPath(l.opts.Dir, number)
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	err = l.Append(&Record{
		Type: TypeAdmin, Method: methodRetention, State: stateDestroyed, Rows: int64(number),
		Detail: fmt.Sprintf("what was said in segment %d can no longer be unsealed: it is %s old", number, age.Round(time.Second)),
	}).Wait(ctx)
	if err != nil {
		return false, err
	}
	// Overwritten first: a name that is removed says nothing about the blocks that it stood for.
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return false, err
	}
	_, err = f.WriteAt(make([]byte, info.Size()), 0)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Remove(name)
	}
	if err == nil {
		err = syncDir(filepath.Dir(name))
	}
	return err == nil, err
}

// removeSegment removes the first segment; record is the first one that is kept. Of the removed ones the hashes stay
// published, so that every proof of the others still holds.
func (l *Log) removeSegment(ctx context.Context, number uint32, record uint64) error {
	err := l.Append(&Record{
		Type: TypeAdmin, Method: methodRetention, State: stateRemoved, Rows: int64(record),
		Detail: fmt.Sprintf("records before %d are removed", record),
	}).Wait(ctx)
	if err != nil {
		return err
	}
	name := segmentPath(l.opts.Dir, number)
	if err := os.Remove(name); err != nil {
		return err
	}
	l.index.forget(number)
	for index := record / tileWidth; index > 0; index-- {
		if err := os.Remove(l.follower.tiles.file(entriesLevel, index-1, tileWidth)); errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			return err
		}
	}
	return syncDir(filepath.Dir(name))
}

// Published is the size of the log that the last checkpoint signs.
func (l *Log) Published() uint64 { return l.follower.published.Load() }

// Shredded says that the key of a segment was destroyed in a log's directory, and that its time had come by then: nothing
// in it is younger.
func Shredded(dir string, segment uint32, then time.Time) bool {
	if _, err := os.Stat(keyPath(dir, segment)); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	next, err := headerOf(dir, segment+1)
	return err == nil && next.Created.Before(then)
}
