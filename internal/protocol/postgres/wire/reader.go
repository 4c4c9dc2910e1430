package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Errors of a Reader.
var (
	ErrLength = errors.New("invalid length of message")
	ErrTooBig = errors.New("message is larger than allowed")
)

const (
	idleBuffer = 1 << 10  // what a reader keeps while nothing comes
	busyBuffer = 16 << 10 // what it borrows when that is not enough
	bulkBuffer = 64 << 10 // what it goes on with when busyBuffer was filled in one read
)

var busyBuffers = sync.Pool{New: func() any { b := make([]byte, busyBuffer); return &b }}

// Reader reads messages from a connection. Between messages it holds little memory: larger buffers are borrowed when
// bytes come and given back by Release.
//
// It is owned by one goroutine at a time.
type Reader struct {
	from  io.Reader
	buf   []byte
	start int // of what is unread
	end   int
	bulk  bool // the last read filled the buffer
	// Pinned says that what Bytes returned is in use: nothing in the buffer is moved or given back.
	pinned bool
	lent   *[]byte
	idle   [idleBuffer]byte
}

// NewReader returns a Reader of a connection.
func NewReader(from io.Reader) *Reader {
	r := &Reader{from: from}
	r.buf = r.idle[:]
	return r
}

// Reset makes it read from another connection, such as the TLS connection over the first; nothing may be buffered.
func (r *Reader) Reset(from io.Reader) { r.from = from }

// Len is how many bytes are buffered.
func (r *Reader) Len() int { return r.end - r.start }

// Bytes are the buffered bytes, valid until the next Fill, More, Discard or Release, or until Unpin after Pin.
func (r *Reader) Bytes() []byte { return r.buf[r.start:r.end] }

// Discard drops the first n buffered bytes.
func (r *Reader) Discard(n int) {
	r.start += n
	if r.start == r.end && !r.pinned {
		r.start, r.end = 0, 0
	}
}

// Pin keeps what Bytes returned valid, whatever else is read, until Unpin.
func (r *Reader) Pin() { r.pinned = true }

// Unpin ends Pin.
func (r *Reader) Unpin() { r.pinned = false }

// Release gives a borrowed buffer back when nothing is in it. It is called before a read that may take long.
func (r *Reader) Release() {
	if r.start != r.end || r.pinned || len(r.buf) == idleBuffer {
		return
	}
	if r.lent != nil {
		busyBuffers.Put(r.lent)
		r.lent = nil
	}
	r.buf, r.start, r.end, r.bulk = r.idle[:], 0, 0, false
}

// Borrow takes a busy buffer before a read that is known to bring more than a little; nothing may be pinned.
func (r *Reader) Borrow() {
	if len(r.buf) == idleBuffer {
		r.room(busyBuffer)
	}
}

// room makes space for at least n bytes from start on.
func (r *Reader) room(n int) {
	if len(r.buf)-r.start >= n && r.end < len(r.buf) {
		return
	}
	if !r.pinned && len(r.buf) >= n && r.start > 0 {
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
		return
	}
	var next []byte
	var lent *[]byte
	if need := max(n, r.Len()+1); need <= busyBuffer {
		lent = busyBuffers.Get().(*[]byte)
		next = *lent
	} else {
		size := bulkBuffer
		for size < need {
			size *= 2
		}
		next = make([]byte, size)
	}
	end := copy(next, r.buf[r.start:r.end])
	if r.lent != nil && !r.pinned {
		busyBuffers.Put(r.lent)
	}
	r.buf, r.start, r.end, r.lent = next, 0, end, lent
}

// More reads once, what there is, and waits for it if there is nothing.
func (r *Reader) More() error {
	want := r.Len() + 1
	if r.bulk && len(r.buf) < bulkBuffer {
		want = max(want, bulkBuffer)
	}
	r.room(want)
	before := r.end
	n, err := r.from.Read(r.buf[r.end:])
	r.end += n
	r.bulk = before == 0 && r.end == len(r.buf) && len(r.buf) > idleBuffer
	if n > 0 {
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// Fill reads until n bytes are buffered.
func (r *Reader) Fill(n int) error {
	if r.Len() < n {
		r.room(n)
	}
	for r.Len() < n {
		if err := r.More(); err != nil {
			if errors.Is(err, io.EOF) && r.Len() > 0 {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// Head reads the header of the message that begins at offset of the buffered bytes: its type and the length of its body.
func (r *Reader) Head(offset int) (kind byte, body int, err error) {
	if err := r.Fill(offset + Header); err != nil {
		return 0, 0, err
	}
	b := r.Bytes()[offset:]
	n := int64(int32(binary.BigEndian.Uint32(b[1:]))) - 4
	if n < 0 {
		return 0, 0, fmt.Errorf("%w: %d of type %q", ErrLength, n+4, b[0])
	}
	return b[0], int(n), nil
}

// Message reads the message that begins at offset of the buffered bytes, whose body may have limit bytes; it returns its
// type and body. The body is valid as Bytes is.
func (r *Reader) Message(offset, limit int) (kind byte, body []byte, err error) {
	kind, n, err := r.Head(offset)
	if err != nil {
		return 0, nil, err
	}
	if n > limit {
		return kind, nil, fmt.Errorf("%w: type %q has %d bytes of at most %d", ErrTooBig, kind, n, limit)
	}
	if err := r.Fill(offset + Header + n); err != nil {
		return 0, nil, err
	}
	return kind, r.Bytes()[offset+Header : offset+Header+n], nil
}
