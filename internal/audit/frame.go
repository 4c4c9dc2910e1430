package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A segment is a run of frames:
//
//	version u8 | kind u8 | 0 u16 | length u32 | number u64 | group u32 | crc32c u32 | payload
//
// all big endian. The checksum covers the twenty bytes before it and the payload. Number counts the records and bodies
// of the log without a hole, over all segments. Group counts the runs that were written and flushed together: a frame of
// a later group was written after every frame of the earlier ones was durable. What follows the last frame is zeros.
const (
	frameVersion = 0xA1
	frameHeader  = 24
	maxPayload   = 1 << 20
)

type kind byte

const (
	kindHeader kind = 1 // begins a segment; payload: segmentHeader as JSON
	kindRecord kind = 2 // payload: the envelope, a leaf
	kindBody   kind = 3 // payload: see bodyHeader
	kindCommit kind = 4 // ends a group; its number is that of the frame to come
	kindGone   kind = 5 // stands for bodies whose key was destroyed, from its number on; payload: how many, u64
)

type frame struct {
	kind    kind
	number  uint64
	group   uint32
	payload []byte
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var zeroFrameHeader [frameHeader]byte

// beginFrame reserves room for the header; the payload is appended after it, then endFrame is called with start, the
// length of b before beginFrame.
func beginFrame(b []byte) []byte { return append(b, zeroFrameHeader[:]...) }

func endFrame(b []byte, start int, k kind, number uint64, group uint32) {
	h := b[start : start+frameHeader]
	payload := b[start+frameHeader:]
	h[0], h[1], h[2], h[3] = frameVersion, byte(k), 0, 0
	binary.BigEndian.PutUint32(h[4:], uint32(len(payload)))
	binary.BigEndian.PutUint64(h[8:], number)
	binary.BigEndian.PutUint32(h[16:], group)
	binary.BigEndian.PutUint32(h[20:], frameSum(h, payload))
}

func frameSum(h, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(h[:20], castagnoli), castagnoli, payload)
}

// Why a frame does not parse.
var (
	errNoFrame = errors.New("no frame here") // zeros, or the end
	errShort   = errors.New("frame is cut off")
	errDamaged = errors.New("frame is damaged")
)

// parseFrame reads the frame at the beginning of b. The payload is a part of b. With errDamaged, size is what the length
// field claims, when that is within bounds, and 0 otherwise.
func parseFrame(b []byte) (f frame, size int, err error) {
	if len(b) == 0 || b[0] == 0 {
		return f, 0, errNoFrame
	}
	if b[0] != frameVersion {
		return f, 0, fmt.Errorf("%w: unknown version %#x", errDamaged, b[0])
	}
	if len(b) < frameHeader {
		return f, 0, errShort
	}
	n := binary.BigEndian.Uint32(b[4:])
	if n > maxPayload {
		return f, 0, fmt.Errorf("%w: length %d", errDamaged, n)
	}
	size = frameHeader + int(n)
	if len(b) < size {
		return f, size, errShort
	}
	if binary.BigEndian.Uint32(b[20:]) != frameSum(b, b[frameHeader:size]) {
		return f, size, fmt.Errorf("%w: checksum does not match", errDamaged)
	}
	f = frame{
		kind: kind(b[1]), number: binary.BigEndian.Uint64(b[8:]), group: binary.BigEndian.Uint32(b[16:]),
		payload: b[frameHeader:size:size],
	}
	if f.kind < kindHeader || f.kind > kindGone || b[2] != 0 || b[3] != 0 {
		return f, size, fmt.Errorf("%w: unknown kind %d", errDamaged, b[1])
	}
	return f, size, nil
}

// findFrame looks in damaged bytes for the first whole frame that is wanted, and returns where it begins, or -1. The work
// is bounded, however many bytes look like the beginning of a frame.
func findFrame(b []byte, wanted func(*frame) bool) int {
	budget := 16*len(b) + 2*maxPayload
	for i := 0; i+frameHeader <= len(b) && budget > 0; i++ {
		h := b[i:]
		if h[0] != frameVersion || h[1] < byte(kindHeader) || h[1] > byte(kindGone) || h[2] != 0 || h[3] != 0 {
			continue
		}
		f, size, err := parseFrame(h)
		budget -= size
		if err == nil && wanted(&f) {
			return i
		}
	}
	return -1
}
