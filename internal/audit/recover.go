package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// end is where a log ends.
type end struct {
	segment uint32
	records uint64
	frames  uint64
	group   uint32
	latest  time.Time
	dropped int64 // bytes of a half-written tail
}

// ErrRollback says that the log is smaller than what was signed before, or differs from it.
var ErrRollback = errors.New("rollback detected")

// ErrKnown says that Options.Known was not signed with the key of this log.
var ErrKnown = errors.New("the checkpoint that was kept elsewhere is not of this log")

// recover finds the end of the log, cuts off what a crash left half written, and loads the tree.
func (l *Log) recover(ctx context.Context, signer *signer) (end, error) {
	segments, err := listSegments(l.opts.Dir)
	if err != nil {
		return end{}, err
	}
	var e end
	for i, n := range segments {
		if i > 0 && n != segments[i-1]+1 {
			return e, fmt.Errorf("segment %d is missing: restore it; records are only ever removed from the beginning", segments[i-1]+1)
		}
	}
	if len(segments) > 0 {
		if e, err = l.lastSegment(segments[len(segments)-1]); err != nil {
			return e, err
		}
	}
	return e, l.follower.load(ctx, l, signer, segments, e)
}

// lastSegment finds where the last segment ends.
func (l *Log) lastSegment(number uint32) (end, error) {
	s, err := openSegment(l.opts.Dir, number)
	if err != nil {
		return end{}, err
	}
	defer s.close()
	if s.header.Origin != l.opts.Origin {
		return end{}, fmt.Errorf("this is the log of %q, not of %q: a log keeps its name for ever", s.header.Origin, l.opts.Origin)
	}
	e := end{segment: number, records: s.header.Record, frames: s.header.Frame, group: s.group - 1, latest: s.header.Created}
	committed := true
	var why error
	for {
		f, err := s.next()
		if err != nil {
			why = err
			break
		}
		if f.kind == kindCommit {
			e.group, committed = f.group, true
			continue
		}
		if f.number != e.frames {
			why = fmt.Errorf("frame %d stands where frame %d should be", f.number, e.frames)
			break
		}
		e.frames++
		e.group, committed = f.group, false
		if f.kind == kindRecord {
			var at struct{ Time time.Time }
			if err := json.Unmarshal(f.payload, &at); err != nil {
				return e, fmt.Errorf("record %d: %w", e.records, err)
			}
			e.latest = at.Time
			e.records++
		}
	}
	rest, err := s.rest()
	if err != nil {
		return e, err
	}
	e.dropped = int64(len(bytes.TrimRight(rest, "\x00")))
	if e.dropped == 0 {
		return e, cutOff(segmentPath(l.opts.Dir, number), s.off)
	}
	// A run that was being written when the machine stopped may have reached the disk in any part. But what was written
	// after the run that is damaged proves that the run was durable, and somebody was promised its records.
	torn := e.group
	if committed {
		torn++
	}
	if findFrame(rest, func(f *frame) bool { return f.group > torn }) >= 0 {
		return e, fmt.Errorf("segment %d is damaged at byte %d, after record %d (%v), and more was written after it: "+
			"this is not what a crash leaves behind; look at it with `vecgate audit verify`, and restore the segment from a copy",
			number, s.off, int64(e.records)-1, why)
	}
	return e, cutOff(segmentPath(l.opts.Dir, number), s.off)
}

func cutOff(name string, size int64) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		return err
	}
	return f.Sync()
}

// rest returns what follows the last frame, without the zeros at the end that cannot be part of a frame. A segment that is
// being filled is mostly zeros: they are not held in memory.
func (s *scanner) rest() ([]byte, error) {
	chunk := make([]byte, 64<<10)
	last := int64(-1) // the last byte that is no zero
	for off := s.off; off < s.limit; {
		n, err := s.file.ReadAt(chunk[:min(int64(len(chunk)), s.limit-off)], off)
		if i := len(bytes.TrimRight(chunk[:n], "\x00")); i > 0 {
			last = off + int64(i) - 1
		}
		off += int64(n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if last < 0 {
		return nil, nil
	}
	b := make([]byte, min(s.limit, last+1+frameHeader+maxPayload)-s.off)
	n, err := s.file.ReadAt(b, s.off)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return b[:n], nil
}
