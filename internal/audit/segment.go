package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"filippo.io/age"
)

// segmentHeader is the first frame of a segment.
type segmentHeader struct {
	Format  string    `json:"format"`
	Origin  string    `json:"origin"`
	Segment uint32    `json:"segment"`
	Record  uint64    `json:"record"` // sequence number of the first record to come
	Frame   uint64    `json:"frame"`  // number of the first frame to come; frames of the segment before from here on do not count
	Created time.Time `json:"created"`
}

const segmentFormat = "vecgate log 1"

// Names within the directory of a log.
const (
	segmentsDir    = "segments"
	tilesDir       = "tiles"
	checkpointsDir = "checkpoints"
	spareName      = "spare"
	lockName       = "lock"
	signerName     = "signer.key"
	publicName     = "log.pub"
	selfName       = "self.key"
)

func segmentPath(dir string, n uint32) string {
	return filepath.Join(dir, segmentsDir, fmt.Sprintf("%08d.seg", n))
}

func keyPath(dir string, n uint32) string {
	return filepath.Join(dir, segmentsDir, fmt.Sprintf("%08d.key", n))
}

// listSegments returns the numbers of the segments that exist, in order.
func listSegments(dir string) ([]uint32, error) {
	entries, err := os.ReadDir(filepath.Join(dir, segmentsDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []uint32
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".seg")
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(name, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%s is not the name of a segment", e.Name())
		}
		all = append(all, uint32(n)) // ReadDir sorts, and the names have equal length
	}
	return all, nil
}

// fresh is a segment that is ready to be begun: its file is full of zeros, its key is wrapped and durable.
type fresh struct {
	number uint32
	file   File
	sealer *sealer
}

// prepare makes ready the segment of a number: a file full of zeros, and a data key that is wrapped and durable.
func (l *Log) prepare(number uint32) (*fresh, error) {
	sealer, wrapped, err := newSealer(l.opts.Origin, number, l.recipients)
	if err != nil {
		return nil, err
	}
	if err := writeFile(keyPath(l.opts.Dir, number), wrapped, 0o600, true); err != nil {
		return nil, fmt.Errorf("write data key %d: %w", number, err)
	}
	spare := filepath.Join(l.opts.Dir, segmentsDir, spareName)
	file, err := l.opts.Disk.Create(spare, l.opts.Segment)
	if err != nil {
		return nil, fmt.Errorf("make segment %d: %w", number, err)
	}
	return &fresh{number: number, file: file, sealer: sealer}, nil
}

// segment is the one being written, by the committer only.
type segment struct {
	number uint32
	file   File
	start  int64 // where the header ends
	off    int64
	failed bool
}

// begin gives a fresh segment its name and its header, durably.
func (l *Log) begin(f *fresh, record, frameNumber uint64, group uint32) (*segment, error) {
	header, err := json.Marshal(segmentHeader{
		Format: segmentFormat, Origin: l.opts.Origin, Segment: f.number, Record: record, Frame: frameNumber, Created: l.now(),
	})
	if err != nil {
		return nil, err
	}
	b := append(beginFrame(nil), header...)
	endFrame(b, 0, kindHeader, frameNumber, group)
	if _, err := f.file.WriteAt(b, 0); err != nil {
		return nil, fmt.Errorf("begin segment %d: %w", f.number, err)
	}
	if err := f.file.Sync(); err != nil {
		return nil, fmt.Errorf("begin segment %d: %w", f.number, err)
	}
	// The name comes last: a segment that can be found has a header.
	if err := l.opts.Disk.Rename(filepath.Join(l.opts.Dir, segmentsDir, spareName), segmentPath(l.opts.Dir, f.number)); err != nil {
		return nil, fmt.Errorf("begin segment %d: %w", f.number, err)
	}
	return &segment{number: f.number, file: f.file, start: int64(len(b)), off: int64(len(b))}, nil
}

// write appends a batch and makes it durable. After an error the segment is never written or flushed again: the kernel may
// have dropped what it could not write, and report success the next time.
func (s *segment) write(b *batch) error {
	off := s.off
	for run := range b.runs {
		if _, err := s.file.WriteAt(run, off); err != nil {
			s.failed = true
			return fmt.Errorf("write segment %d: %w", s.number, err)
		}
		off += int64(len(run))
	}
	if err := s.file.Sync(); err != nil {
		s.failed = true
		return fmt.Errorf("flush segment %d: %w", s.number, err)
	}
	s.off = off
	return nil
}

// seal cuts off the zeros that are left over. They do no harm, so that a failure here is not one of the log.
func (s *segment) seal() error {
	if s.failed {
		return s.file.Close()
	}
	err := s.file.Truncate(s.off)
	if err == nil {
		err = s.file.Sync()
	}
	if cerr := s.file.Close(); err == nil {
		err = cerr
	}
	return err
}

func parseRecipients(list []string) ([]age.Recipient, error) {
	var all []age.Recipient
	for i, s := range list {
		r, err := age.ParseRecipients(strings.NewReader(s))
		if err != nil {
			return nil, fmt.Errorf("audit recipient %d is not an age public key (age1…): %w", i+1, err)
		}
		all = append(all, r...)
	}
	return all, nil
}
