package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// compact gives back the room of the bodies in a sealed segment whose keys were destroyed: a kindGone frame stands for
// each run of them. Frames from number end on are of the next segment and do not count.
func (l *Log) compact(number uint32, end uint64) error {
	s, err := openSegment(l.opts.Dir, number)
	if err != nil {
		return err
	}
	defer s.close()
	name := segmentPath(l.opts.Dir, number)
	out, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := l.copyWithoutBodies(out, s, end); err != nil {
		return discard(out, err)
	}
	if err := out.Sync(); err != nil {
		return discard(out, err)
	}
	if err := out.Close(); err != nil {
		return err
	}
	if err := os.Rename(name+".new", name); err != nil {
		return err
	}
	l.index.forget(number)
	return syncDir(filepath.Dir(name))
}

func (l *Log) copyWithoutBodies(out io.Writer, s *scanner, end uint64) error {
	if err := s.seek(0); err != nil {
		return err
	}
	var buf []byte
	var gone, first uint64
	put := func(k kind, number uint64, group uint32, payload []byte) error {
		buf = append(beginFrame(buf[:0]), payload...)
		endFrame(buf, 0, k, number, group)
		_, err := out.Write(buf)
		return err
	}
	flush := func(group uint32) error {
		if gone == 0 {
			return nil
		}
		n := gone
		gone = 0
		return put(kindGone, first, group, binary.BigEndian.AppendUint64(nil, n))
	}
	destroyed := make(map[uint32]bool)
	number := s.header.Frame
	for {
		f, err := s.next()
		if errors.Is(err, io.EOF) || err != nil && number >= end || err == nil && f.kind != kindHeader && f.number >= end && f.kind != kindCommit {
			return flush(f.group)
		}
		if err != nil {
			return fmt.Errorf("byte %d: %w", s.off, err)
		}
		switch f.kind {
		case kindBody:
			b, err := parseBody(f.payload)
			if err != nil {
				return fmt.Errorf("byte %d: %w", s.off, err)
			}
			is, known := destroyed[b.key]
			if !known {
				_, err := os.Stat(keyPath(l.opts.Dir, b.key))
				is = errors.Is(err, fs.ErrNotExist)
				destroyed[b.key] = is
			}
			if is {
				if gone == 0 {
					first = f.number
				}
				gone++
				number = f.number + 1
				continue
			}
			number = f.number + 1
		case kindRecord:
			number = f.number + 1
		case kindCommit:
			continue // it has done its work
		}
		if err := flush(f.group); err != nil {
			return err
		}
		if err := put(f.kind, f.number, f.group, f.payload); err != nil {
			return err
		}
		if f.kind == kindGone {
			n, err := goneFrames(&f)
			if err != nil {
				return err
			}
			number = f.number + n
		}
	}
}

// goneFrames is how many bodies a kindGone frame stands for.
func goneFrames(f *frame) (uint64, error) {
	if len(f.payload) != 8 {
		return 0, fmt.Errorf("%w: bodies that are gone are not counted", errDamaged)
	}
	n := binary.BigEndian.Uint64(f.payload)
	if n == 0 || n > 1<<40 {
		return 0, fmt.Errorf("%w: %d bodies are gone", errDamaged, n)
	}
	return n, nil
}
