package audit

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// scanner reads the frames of one segment file, from its beginning to where it stops making sense.
type scanner struct {
	number uint32
	header segmentHeader
	group  uint32 // of the first run
	file   *os.File
	r      *bufio.Reader
	off    int64 // of the next frame
	limit  int64 // where the durable part ends, for a segment that is being written; otherwise the file's size
	buf    []byte

	resyncs int
}

// openSegment opens a segment and reads its header.
func openSegment(dir string, number uint32) (*scanner, error) {
	f, err := os.Open(segmentPath(dir, number))
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	s := &scanner{number: number, file: f, r: bufio.NewReaderSize(f, 256<<10), limit: info.Size()}
	h, err := s.next()
	if err == nil && h.kind != kindHeader {
		err = errDamaged
	}
	if err == nil {
		s.group = h.group
		err = json.Unmarshal(h.payload, &s.header)
	}
	if err == nil && (s.header.Format != segmentFormat || s.header.Segment != number) {
		err = fmt.Errorf("it says that it is segment %d in format %q", s.header.Segment, s.header.Format)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("header of segment %d: %w", number, err)
	}
	return s, nil
}

// next returns the next frame; its payload is valid until the call after. At the end it returns io.EOF; where there is
// something that is no frame, an error that says why, and off stays before it.
func (s *scanner) next() (frame, error) {
	if s.off >= s.limit {
		return frame{}, io.EOF
	}
	h, err := s.r.Peek(int(min(frameHeader, s.limit-s.off)))
	if err != nil && !errors.Is(err, io.EOF) {
		return frame{}, err
	}
	if len(h) == 0 || h[0] == 0 {
		return frame{}, io.EOF // the caller looks whether only zeros follow, where that matters
	}
	if len(h) < frameHeader {
		return frame{}, errShort
	}
	n := binary.BigEndian.Uint32(h[4:])
	if h[0] != frameVersion || n > maxPayload {
		_, _, err := parseFrame(h)
		return frame{}, err
	}
	size := frameHeader + int(n)
	if s.off+int64(size) > s.limit {
		return frame{}, errShort
	}
	if cap(s.buf) < size {
		s.buf = make([]byte, size+size/2)
	}
	s.buf = s.buf[:size]
	if _, err := io.ReadFull(s.r, s.buf); err != nil {
		return frame{}, fmt.Errorf("%w: %w", errShort, err)
	}
	f, _, err := parseFrame(s.buf)
	if err != nil {
		return frame{}, errors.Join(err, s.seek(s.off))
	}
	s.off += int64(size)
	return f, nil
}

// seek goes to an offset.
func (s *scanner) seek(off int64) error {
	if _, err := s.file.Seek(off, io.SeekStart); err != nil {
		return err
	}
	s.r.Reset(s.file)
	s.off = off
	return nil
}

func (s *scanner) close() { _ = s.file.Close() }
