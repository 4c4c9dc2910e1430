package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"
)

// Copier reads a log's directory for a copy elsewhere, run by run, while the log is being written. The tiles that it hands
// out are made from the very bytes that it hands out, never read from the published ones: who compares Root with a signed
// checkpoint before keeping that knows that the copy holds what was signed, whatever has become of the directory.
type Copier struct {
	dir     string
	tree    tree
	entries []byte
	segment uint32
	off     int64
	frame   uint64 // number of the next one
}

// Run is a piece of a segment, of whole frames, with the tiles that are full by its records.
type Run struct {
	Segment uint32
	Off     int64
	Data    []byte
	Tiles   []Tile
}

// Tile is a tile of the tree, or a bundle of entries, under its name in C2SP tlog-tiles.
type Tile struct {
	Name string
	Data []byte
}

// ErrDiffers says that what is in a log's directory is not what a checkpoint signs.
var ErrDiffers = errors.New("the records are not those that were signed")

// NewCopier continues a copy that holds what a checkpoint signs; the zero checkpoint begins one. Of records that were
// removed at the end of their retention only the hashes are copied, which go to skipped. A checkpoint that the directory
// does not contain is ErrRollback.
func NewCopier(dir string, at Checkpoint, skipped func(Tile) error) (*Copier, error) {
	numbers, err := listSegments(dir)
	if err != nil {
		return nil, err
	}
	if len(numbers) == 0 {
		return nil, fmt.Errorf("%w: a copy of %d records exists, and there is no segment here", ErrRollback, at.Size)
	}
	first, err := headerOf(dir, numbers[0])
	if err != nil {
		return nil, err
	}
	c := &Copier{dir: dir, segment: first.Segment, frame: first.Frame}
	published := tiles{filepath.Join(dir, tilesDir)}
	if at.Size > 0 {
		t, err := loadTree(at.Size, published.row)
		if err != nil {
			return nil, fmt.Errorf("compare with checkpoint %d: %w", at.Size, err)
		}
		if t.root() != at.Root {
			return nil, fmt.Errorf("%w: the first %d records here are not those of the copy", ErrRollback, at.Size)
		}
	}
	start := max(at.Size, first.Record)
	t, err := loadTree(start, published.row)
	if err != nil {
		return nil, fmt.Errorf("load the tree of %d records: %w", start, err)
	}
	c.tree = *t
	if n := int(start % tileWidth); n > 0 {
		entries, err := published.bundle(start/tileWidth, n)
		if err != nil {
			return nil, err
		}
		for i, e := range entries {
			if leafOf(e) != t.rows[0][i] {
				return nil, fmt.Errorf("bundle of record %d: %w", start, ErrDiffers)
			}
			c.entries = appendEntry(c.entries, e)
		}
	}
	if err := c.passOver(published, at.Size, start, skipped); err != nil {
		return nil, err
	}
	for i := len(numbers) - 1; i >= 0; i-- {
		h, err := headerOf(dir, numbers[i])
		if err != nil {
			return nil, err
		}
		if h.Record < start {
			return c, c.goTo(h, start)
		}
	}
	return c, nil
}

// passOver hands out the hashes of records that are not copied themselves.
func (c *Copier) passOver(published tiles, from, to uint64, each func(Tile) error) error {
	for level := 0; to>>(tileHeight*(level+1)) > 0; level++ {
		shift := tileHeight * (level + 1)
		for index := from >> shift; index < to>>shift; index++ {
			hashes, err := published.row(level, index, tileWidth)
			if err != nil {
				return err
			}
			if from < to {
				if err := each(Tile{Name: tilePath(level, index, tileWidth), Data: joinHashes(nil, hashes)}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// goTo finds where record seq begins, which is in the segment with the header, or where that ends.
func (c *Copier) goTo(h *segmentHeader, seq uint64) error {
	s, err := openSegment(c.dir, h.Segment)
	if err != nil {
		return err
	}
	defer s.close()
	c.segment, c.frame = h.Segment, h.Frame
	group := uint32(0)
	for at := h.Record; at < seq; {
		f, err := s.next()
		if err != nil {
			return fmt.Errorf("find record %d in segment %d: %w", seq, h.Segment, err)
		}
		if f.kind == kindRecord {
			at++
		}
		if err := c.pass(&f); err != nil {
			return err
		}
		group = f.group
	}
	c.off = s.off
	if f, err := s.next(); err == nil && f.kind == kindCommit && f.group == group { // see takeCommit
		c.off = s.off
	}
	return nil
}

// pass counts a frame.
func (c *Copier) pass(f *frame) error {
	switch f.kind {
	case kindRecord, kindBody:
		c.frame = f.number + 1
	case kindGone:
		n, err := goneFrames(f)
		if err != nil {
			return err
		}
		c.frame = f.number + n
	}
	return nil
}

func headerOf(dir string, number uint32) (*segmentHeader, error) {
	s, err := openSegment(dir, number)
	if err != nil {
		return nil, err
	}
	defer s.close()
	h := s.header
	return &h, nil
}

func leafOf(envelope []byte) tlog.Hash {
	buf := append(make([]byte, 1, 1+len(envelope)), envelope...)
	return leafHash(buf, span{1, len(buf)})
}

// Size is how many records were handed out.
func (c *Copier) Size() uint64 { return c.tree.size }

// Root is the root of these records.
func (c *Copier) Root() tlog.Hash { return c.tree.root() }

// Next returns the next run, of about most bytes, before record size; io.EOF when there is none. Size must not be beyond
// what is durable.
func (c *Copier) Next(ctx context.Context, size uint64, most int) (*Run, error) {
	for c.tree.size < size {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		run, done, err := c.run(size, most)
		if err != nil {
			return nil, fmt.Errorf("read segment %d: %w", c.segment, err)
		}
		if done {
			c.segment, c.off = c.segment+1, 0
		}
		if len(run.Data) > 0 {
			return run, nil
		}
	}
	return nil, io.EOF
}

// run reads from one segment; done says that it has no more.
func (c *Copier) run(size uint64, most int) (run *Run, done bool, err error) {
	s, err := openSegment(c.dir, c.segment)
	if err != nil {
		return nil, false, err
	}
	defer s.close()
	end := last // frames from here on stand in the next segment
	if next, err := headerOf(c.dir, c.segment+1); err == nil {
		end = next.Frame
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, false, err
	}
	if c.off == 0 && (s.header.Record != c.tree.size || s.header.Frame > c.frame) {
		return nil, false, fmt.Errorf("it begins with record %d, and record %d is the next one", s.header.Record, c.tree.size)
	}
	if c.off == 0 {
		c.frame = s.header.Frame
	}
	if err := s.seek(c.off); err != nil {
		return nil, false, err
	}
	run = &Run{Segment: c.segment, Off: c.off}
	for c.tree.size < size && len(run.Data) < most {
		f, err := s.next()
		if err != nil {
			if end != last && c.frame >= end {
				return run, true, nil
			}
			return nil, false, fmt.Errorf("byte %d, record %d: %w", s.off, c.tree.size, err)
		}
		if f.kind != kindHeader && f.kind != kindCommit && f.number >= end {
			return run, true, nil
		}
		if f.kind != kindHeader && f.kind != kindCommit && f.number != c.frame {
			return nil, false, fmt.Errorf("byte %d: frame %d stands where frame %d should be", s.off, f.number, c.frame)
		}
		if err := c.pass(&f); err != nil {
			return nil, false, err
		}
		run.Data = append(run.Data, s.buf...)
		c.off = s.off
		if f.kind == kindRecord {
			c.add(run, f.payload)
			if c.tree.size == size {
				c.takeCommit(s, run, f.group)
			}
		}
	}
	return run, false, nil
}

// takeCommit takes the end of a group along, so that it needs no piece of its own later.
func (c *Copier) takeCommit(s *scanner, run *Run, group uint32) {
	if f, err := s.next(); err == nil && f.kind == kindCommit && f.group == group {
		run.Data = append(run.Data, s.buf...)
		c.off = s.off
	}
}

func (c *Copier) add(run *Run, envelope []byte) {
	c.entries = appendEntry(c.entries, envelope)
	_ = c.tree.add(leafOf(envelope), func(level int, index uint64, hashes []tlog.Hash) error {
		run.Tiles = append(run.Tiles, Tile{Name: tilePath(level, index, tileWidth), Data: joinHashes(nil, hashes)})
		if level == 0 {
			run.Tiles = append(run.Tiles, Tile{Name: tilePath(entriesLevel, index, tileWidth), Data: c.entries})
			c.entries = nil
		}
		return nil
	})
}

// Edge returns the tiles that are not full at this size.
func (c *Copier) Edge() []Tile {
	var all []Tile
	for level, row := range c.tree.rows {
		if len(row) == 0 {
			continue
		}
		index := c.tree.size >> (tileHeight * (level + 1))
		all = append(all, Tile{Name: tilePath(level, index, len(row)), Data: joinHashes(nil, row)})
		if level == 0 {
			all = append(all, Tile{Name: tilePath(entriesLevel, index, len(row)), Data: append([]byte(nil), c.entries...)})
		}
	}
	return all
}

// WholeFrames says whether a piece of a segment is what Run makes: whole frames, one at least.
func WholeFrames(piece []byte) bool {
	whole := len(piece) > 0
	for whole && len(piece) > 0 {
		_, size, err := parseFrame(piece)
		whole = err == nil
		piece = piece[min(size, len(piece)):]
	}
	return whole
}

// DataKey returns the wrapped data key of a segment, as it is on disk; an error that is fs.ErrNotExist says that it was
// destroyed, or never was.
func DataKey(dir string, segment uint32) ([]byte, error) {
	return readSmall(keyPath(dir, segment), maxWrapped)
}

// FirstSegment is the number of the first segment that is kept.
func FirstSegment(dir string) (uint32, error) {
	numbers, err := listSegments(dir)
	if err != nil {
		return 0, err
	}
	if len(numbers) == 0 {
		return 0, fmt.Errorf("%s holds no segment: %w", dir, fs.ErrNotExist)
	}
	return numbers[0], nil
}

// Restored is a log's directory that is made from a copy.
type Restored struct{ Dir string }

// Segment writes a piece of a segment.
func (r Restored) Segment(number uint32, off int64, data []byte) error {
	return r.writeAt(segmentPath(r.Dir, number), off, data)
}

// Key writes a wrapped data key.
func (r Restored) Key(number uint32, data []byte) error {
	return r.writeAt(keyPath(r.Dir, number), 0, data)
}

// Tile writes a tile or a bundle; name is one that Tile has.
func (r Restored) Tile(name string, data []byte) error {
	return r.writeAt(filepath.Join(r.Dir, tilesDir, filepath.FromSlash(name)), 0, data)
}

// Checkpoints writes the history of what was signed, in the order of sizes, and publishes the last one. The caller sees to
// it that their times do not go back.
func (r Restored) Checkpoints(all []Checkpoint) error {
	for _, dir := range []string{tilesDir, checkpointsDir} {
		if err := os.MkdirAll(filepath.Join(r.Dir, dir), 0o700); err != nil {
			return err
		}
	}
	for _, c := range all {
		if err := appendHistory(r.Dir, c.Time, c.Note, false); err != nil {
			return err
		}
	}
	if len(all) == 0 {
		return nil
	}
	return writeFile(filepath.Join(r.Dir, tilesDir, "checkpoint"), all[len(all)-1].Note, 0o600, false)
}

// Public writes the public key.
func (r Restored) Public(text []byte) error {
	return r.writeAt(filepath.Join(r.Dir, publicName), 0, text)
}

func (r Restored) writeAt(name string, off int64, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(data, off); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
