package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/s2"
)

// batch is what becomes durable together.
type batch struct {
	buf    []byte
	bodies []inserted // long ones, which are not copied into buf
	size   int        // of buf and bodies
	leaves []span     // the envelopes in buf
	number uint32
	frame  uint64 // number of the first frame
	next   uint64 // number of the frame after the last
	record uint64 // sequence number of the first record
	group  *Group // of the records; nil while nobody waits
	woken  bool   // the committer has been told
	timed  bool   // it will be, a little later
	asked  int    // records that somebody waits for
	want   int    // how many of them the committer would like to write at once; 0 while it does not gather
}

// inserted is a body's frame that stands before the byte of buf at that place.
type inserted struct {
	at    int
	frame *[]byte
}

// add puts the frame of a body to the others, and reports whether it keeps it.
func (b *batch) add(frame *[]byte) (kept bool) {
	b.size += len(*frame)
	if len(*frame) < long {
		b.buf = append(b.buf, *frame...)
		return false
	}
	b.bodies = append(b.bodies, inserted{len(b.buf), frame})
	return true
}

// runs are what the batch is made of, in order.
func (b *batch) runs(yield func([]byte) bool) {
	from := 0
	for _, body := range b.bodies {
		if body.at > from && !yield(b.buf[from:body.at]) || !yield(*body.frame) {
			return
		}
		from = body.at
	}
	if from < len(b.buf) {
		yield(b.buf[from:])
	}
}

// waiters is the group of those who wait for the batch that is filling; the lock is held.
func (l *Log) waiters(b *batch) *Group {
	if b.group == nil {
		b.group = NewGroup()
		b.group.hurry = l.hurrying
	}
	return b.group
}

// hurry has the committer write the batch that somebody waits for. One that is being written already is in no need of it.
func (l *Log) hurry(g *Group) {
	l.mu.Lock()
	wake := l.filling.group == g && l.failed == nil && l.wakes()
	l.mu.Unlock()
	if wake {
		l.wake()
	}
}

// nudge has the committer write what has been filling for a while.
func (l *Log) nudge() {
	l.mu.Lock()
	wake := l.filling.size > 0 && l.failed == nil && l.wakes()
	l.mu.Unlock()
	if wake {
		l.wake()
	}
}

type span struct{ start, end int }

// sealing is what the bodies of one request add up to until their record comes. Who holds mu, and has found it in the log's
// map since, is the one that appends for the request.
type sealing struct {
	mu    sync.Mutex
	sum   hash.Hash
	bytes int64
}

// workshop is where a body is made ready, without the log's lock.
type workshop struct{ squeezed, aad []byte }

// long is how long a body's frame is that is not copied.
const long = 16 << 10

// hold bounds what may wait in memory for the disk: bodies wait for room beyond it.
const hold = 8 << 20

// soon is how much may be waiting before the committer is told although nobody waits for it yet.
const soon = 256 << 10

// maxRequest bounds a request's name.
const maxRequest = 255

// Closing and failing.
var (
	ErrClosed = errors.New("the audit log is closed")
	// ErrFailed says that nothing can be made durable at the moment; it wraps the cause.
	ErrFailed = errors.New("the audit log cannot be written")
)

// Append queues a record. It is durable once the commit's Wait returns nil. Records keep the order of the calls, and r
// has its Seq, Time, Sealed and SealedHash afterwards; r is not kept.
func (l *Log) Append(r *Record) Commit {
	l.mu.Lock()
	if s := l.own(r.Request, false); s != nil {
		defer s.mu.Unlock()
	}
	if err := l.refuses(); err != nil {
		l.mu.Unlock()
		return Resolved(0, err)
	}
	c := l.append(r)
	wake, gathered := false, false
	if !patient(r.Type) {
		wake = l.wakes()
		l.filling.asked++
		gathered = l.filling.asked == l.filling.want
	} else if b := l.filling; !b.woken && !b.timed {
		b.timed = true
		l.later.Reset(l.patience)
	}
	l.mu.Unlock()
	if wake {
		l.wake()
	}
	if gathered {
		l.goOn()
	}
	return c
}

// patient says that nobody waits for records of a type, as a rule: they are written with the next one that somebody waits
// for, which saves a client that asks one thing after the other every second flush, or when their time has come.
func patient(t Type) bool { return t == TypeOutcome || t == TypeSessionClose }

// patience is how long a record is kept that nobody waits for.
const patience = 5 * time.Millisecond

// append is Append under the lock.
func (l *Log) append(r *Record) Commit {
	now := l.now()
	if now.Before(l.latest) {
		now = l.latest
	}
	l.latest = now
	r.Seq, r.Time, r.Sealed, r.SealedHash = l.records, now, 0, ""
	if r.Request != "" {
		if s := l.sealings[r.Request]; s != nil {
			r.Sealed, r.SealedHash = s.bytes, hex.EncodeToString(s.sum.Sum(l.digest[:0]))
			delete(l.sealings, r.Request)
			s.sum.Reset()
			s.bytes = 0
			l.idle.Put(s) // whoever waits for it finds that it is not that of the request any more
		}
	}
	if r.Type == TypeSessionClose && len(l.sealings) > 0 {
		l.forget(r.Session)
	}
	b := l.filling
	start := len(b.buf)
	b.buf = appendFitting(beginFrame(b.buf), r)
	endFrame(b.buf, start, kindRecord, l.frames, b.number)
	b.leaves = append(b.leaves, span{start + frameHeader, len(b.buf)})
	b.size += len(b.buf) - start
	l.frames++
	l.records++
	return l.waiters(b).Commit(r.Seq)
}

// forget drops what was said in a session and never got its record; Verify will name such bodies.
func (l *Log) forget(session string) {
	for request := range l.sealings {
		if inSession(request, session) {
			delete(l.sealings, request)
		}
	}
}

func inSession(request, session string) bool {
	rest, ok := strings.CutPrefix(request, session)
	return ok && strings.HasPrefix(rest, ".")
}

// Body queues a piece of what was said in a request. It becomes durable with the next record or Sync at the latest. It
// keeps no reference to p, and waits while too much is waiting for the disk.
func (l *Log) Body(request string, d Direction, p []byte) error {
	if len(request) == 0 || len(request) > maxRequest {
		return fmt.Errorf("request name of %d bytes", len(request))
	}
	for len(p) > maxPiece {
		if err := l.piece(request, d, p[:maxPiece]); err != nil {
			return err
		}
		p = p[maxPiece:]
	}
	if len(p) == 0 {
		return nil
	}
	return l.piece(request, d, p)
}

// piece takes the lock only to find out where it belongs, and to put it there: to seal and to hash a long one takes longer
// than all else that is done under it.
func (l *Log) piece(request string, d Direction, p []byte) error {
	w := l.workshops.Get().(*workshop)
	defer l.workshops.Put(w)
	p, codec := w.squeeze(p)

	l.mu.Lock()
	err := l.refuses()
	for err == nil && l.filling.size > hold {
		l.room.Wait()
		err = l.refuses()
	}
	if err != nil {
		l.mu.Unlock()
		return err
	}
	s, sealer := l.own(request, true), l.sealer
	l.mu.Unlock()
	defer s.mu.Unlock()

	frame := l.bodies.Get().(*[]byte)
	b := beginFrame(slices.Grow((*frame)[:0], frameHeader+bodyHeader+len(request)+len(p)+sealer.aead.Overhead()))
	*frame, w.aad = sealer.appendBody(b, w.aad, request, d, codec, p)
	payload := (*frame)[frameHeader:]
	s.sum.Write(payload)
	s.bytes += int64(len(payload))

	l.mu.Lock()
	endFrame(*frame, 0, kindBody, l.frames, l.filling.number)
	l.frames++
	kept := l.filling.add(frame)
	wake := l.filling.size > soon && l.wakes()
	l.mu.Unlock()
	if !kept {
		l.bodies.Put(frame)
	}
	if wake {
		l.wake()
	}
	return nil
}

// own returns the sealing of a request, locked; when there is none it makes one, or returns nil. It is called under the
// log's lock, and gives it up while another appends for the same request.
func (l *Log) own(request string, make bool) *sealing {
	for {
		s := l.sealings[request]
		if s == nil {
			if !make {
				return nil
			}
			s = l.idle.Get().(*sealing)
			l.sealings[request] = s
		}
		if s.mu.TryLock() {
			return s
		}
		l.mu.Unlock()
		s.mu.Lock()
		l.mu.Lock()
		if l.sealings[request] == s {
			return s
		}
		s.mu.Unlock() // its record came meanwhile
	}
}

// squeeze makes p shorter, if that is worth it.
func (w *workshop) squeeze(p []byte) ([]byte, byte) {
	switch {
	case len(p) < worthwhile:
	case numeric(p):
		if w.squeezed = packDigits(slices.Grow(w.squeezed[:0], len(p)), p); len(w.squeezed) < len(p)-len(p)/16 {
			return w.squeezed, codecDigits
		}
	case shrinks(&w.squeezed, p):
		return w.squeezed, codecS2
	}
	return p, codecPlain
}

// shrinks compresses p into scratch, and reports whether that was worth it. A piece of a long p is tried first.
func shrinks(scratch *[]byte, p []byte) bool {
	try := func(p []byte, most int) bool {
		*scratch = s2.Encode((*scratch)[:cap(*scratch)], p)
		return len(*scratch) < most
	}
	if len(p) >= 4*trial && !try(p[:trial], trial*2/3) {
		return false
	}
	return try(p, len(p)-len(p)/16)
}

// numeric says whether p, which is worthwhile, is written-out numbers for the most part, by looks at some of it. There are a
// great many of them, and s2 takes a quarter off them at best.
func numeric(p []byte) bool {
	const looks, look = 8, 24
	packed := 0
	for i := range looks {
		from := i * (len(p) - look) / looks
		for _, c := range p[from : from+look] {
			if c-'0' < 10 || c-'*' < 6 {
				packed++
			}
		}
	}
	return packed > looks*look*3/4
}

// Sync returns when everything appended so far is durable.
func (l *Log) Sync(ctx context.Context) error {
	l.mu.Lock()
	if err := l.refuses(); err != nil {
		l.mu.Unlock()
		return err
	}
	var c Commit
	wake := false
	switch {
	case l.filling.size > 0:
		c = l.waiters(l.filling).Commit(0)
		wake = l.wakes()
	case l.writing != nil:
		c = l.writing.Commit(0)
	default:
		l.mu.Unlock()
		return nil
	}
	l.mu.Unlock()
	if wake {
		l.wake()
	}
	return c.Wait(ctx)
}

// refuses says why nothing can be appended now.
func (l *Log) refuses() error {
	if l.failed != nil {
		return l.failed
	}
	if l.closed {
		return ErrClosed
	}
	return nil
}

// wakes says whether the caller has to wake the committer, once it has given up the lock.
func (l *Log) wakes() bool {
	if l.filling.woken {
		return false
	}
	l.filling.woken = true
	return true
}

func (l *Log) wake() {
	select {
	case l.work <- struct{}{}:
	default:
	}
}

// goOn tells the committer that it need not gather any longer.
func (l *Log) goOn() {
	select {
	case l.gathered <- struct{}{}:
	default:
	}
}

func newIdle() sync.Pool {
	return sync.Pool{New: func() any { return &sealing{sum: sha256.New()} }}
}
