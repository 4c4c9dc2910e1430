package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"filippo.io/age"
)

// Options say where a log is kept and who may read what it seals.
type Options struct {
	Dir    string
	Origin string // names the log for ever: "vecgate/<gateway>"

	// Signer is the file of the key that signs checkpoints; it is created when absent. Empty means signer.key in Dir; keep
	// it elsewhere, so that who can write the log cannot sign it.
	Signer string
	// Recipients are the age public keys that bodies are sealed to.
	Recipients []string
	// Self adds a recipient whose key the gateway holds (self.key in Dir), so that the console can replay.
	Self bool

	Segment    int64         // size of a segment; 0 means 64 MiB
	Checkpoint time.Duration // how often a log that grew is signed; 0 means one second
	Retry      time.Duration // how long to wait before writing is tried again after a failure; 0 means one second
	Retention  time.Duration // how long records are kept; 0 means for ever
	Bodies     time.Duration // how long bodies can be unsealed; 0 means as long as records

	// Known are signed checkpoints of this log that were kept elsewhere: a log that does not contain them is refused. An
	// empty one is none.
	Known [][]byte
	// Archived, if not nil, is how many records are in the archive. A segment that is not whole there is neither removed nor
	// changed, however old it is.
	Archived func() uint64
	// Published is told every new signed checkpoint, for keeping it elsewhere. It must not block for long.
	Published func(note []byte)

	Now  func() time.Time // nil means time.Now
	Log  *slog.Logger     // nil means none
	Disk Disk             // nil means OS
}

// Log is an audit log that is being written. Append, Body and Sync are safe for concurrent use.
type Log struct {
	opts       Options
	log        *slog.Logger
	recipients []age.Recipient
	self       *age.X25519Identity // nil when the gateway holds no key
	lock       *os.File

	mu       sync.Mutex
	room     *sync.Cond // filling has room again, or the log failed
	filling  *batch
	writing  *Group // of the batch being written, or nil
	sealer   *sealer
	sealings map[string]*sealing // by request
	digest   [32]byte
	records  uint64 // sequence number of the next record
	frames   uint64 // number of the next frame
	groups   uint32
	busy     int // how many waited when the last group became durable: those in it, and those behind it
	latest   time.Time
	failed   error // set while nothing can be written
	since    time.Time
	closed   bool

	later     *time.Timer // calls nudge for records that nobody waits for
	patience  time.Duration
	moment    time.Duration
	gathering *time.Timer  // of the committer
	hurrying  func(*Group) // hurry, as one value
	stale     atomic.Bool  // the current segment has been written long enough
	work      chan struct{}
	gathered  chan struct{} // the batch has as many records as the committer wants
	closing   chan struct{}
	committed chan struct{}

	batches   chan *batch // to be filled again
	workshops sync.Pool   // *workshop
	bodies    sync.Pool   // *[]byte, frames
	idle      sync.Pool   // *sealing

	// Owned by the committer.
	current *segment
	next    preparer

	follower follower
	index    *index
	aging    sync.WaitGroup
	ages     sync.Mutex // held while Age runs
}

// Open opens the log in a directory for writing, and creates it when there is none. What a crash left half written is
// dropped, and that is put on record; a log that is smaller than what was signed before is refused.
func Open(ctx context.Context, opts Options) (*Log, error) {
	l := &Log{
		opts: opts, index: newIndex(), log: opts.Log, sealings: make(map[string]*sealing),
		work: make(chan struct{}, 1), gathered: make(chan struct{}, 1), closing: make(chan struct{}), committed: make(chan struct{}),
		batches:   make(chan *batch, 4),
		workshops: sync.Pool{New: func() any { return new(workshop) }}, bodies: sync.Pool{New: func() any { return new([]byte) }}, idle: newIdle(),
	}
	l.room = sync.NewCond(&l.mu)
	l.patience, l.moment, l.hurrying = patience, moment, l.hurry
	l.later = time.AfterFunc(time.Hour, l.nudge)
	l.later.Stop()
	l.gathering = time.NewTimer(time.Hour)
	l.gathering.Stop()
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	l.opts.defaults()
	if err := l.open(ctx); err != nil {
		l.unlock()
		return nil, fmt.Errorf("open audit log %s: %w", opts.Dir, err)
	}
	return l, nil
}

func (o *Options) defaults() {
	if o.Segment == 0 {
		o.Segment = 64 << 20
	}
	if o.Checkpoint == 0 {
		o.Checkpoint = time.Second
	}
	if o.Retry == 0 {
		o.Retry = time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Disk == nil {
		o.Disk = OS{}
	}
	if o.Signer == "" {
		o.Signer = filepath.Join(o.Dir, signerName)
	}
}

// now is the time as records carry it.
func (l *Log) now() time.Time { return l.opts.Now().UTC().Round(0).Truncate(time.Microsecond) }

func (l *Log) open(ctx context.Context) error {
	if strings.ContainsAny(l.opts.Origin, " +\n\t") || l.opts.Origin == "" {
		return fmt.Errorf("%q cannot be the name of a log: it must not be empty, nor contain spaces or a plus sign", l.opts.Origin)
	}
	// 1. The directory is ours alone.
	for _, dir := range []string{l.opts.Dir, filepath.Join(l.opts.Dir, segmentsDir), filepath.Join(l.opts.Dir, tilesDir), filepath.Join(l.opts.Dir, checkpointsDir)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	var err error
	if l.lock, err = lockFile(filepath.Join(l.opts.Dir, lockName)); err != nil {
		return err
	}

	// 2. The keys.
	if l.recipients, err = parseRecipients(l.opts.Recipients); err != nil {
		return err
	}
	if l.opts.Self {
		identity, err := loadSelf(filepath.Join(l.opts.Dir, selfName))
		if err != nil {
			return err
		}
		l.self, l.recipients = identity, append(l.recipients, identity.Recipient())
	}
	if len(l.recipients) == 0 {
		return errors.New("nobody could read what is recorded: name an auditor's key in audit.recipients, or set audit.self")
	}
	signer, err := loadSigner(l.opts.Signer, l.opts.Origin)
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(l.opts.Dir, publicName), []byte(signer.public+"\n"), 0o600, false); err != nil {
		return err
	}

	// 3. What is there already.
	end, err := l.recover(ctx, signer)
	if err != nil {
		return err
	}
	l.records, l.frames, l.groups, l.latest = end.records, end.frames, end.group, end.latest

	// 4. A new segment: the key of the last one is gone with the process that drew it.
	next, err := l.prepare(end.segment + 1)
	if err != nil {
		return err
	}
	l.filling = l.empty()
	s, err := l.begin(next, l.records, l.frames, l.filling.number)
	if err != nil {
		return err
	}
	l.enter(s, next.sealer)
	l.follower.start()
	go l.commit()
	l.aging.Go(l.keepAging)

	if end.dropped > 0 {
		l.log.Warn("audit log: dropped what a crash left half written", "bytes", end.dropped, "records", end.records)
		commit := l.Append(&Record{
			Type:   TypeRecovered,
			Detail: fmt.Sprintf("%d bytes after the last whole record, which nobody was promised, were dropped from segment %d", end.dropped, end.segment),
		})
		if err := commit.Wait(ctx); err != nil {
			return errors.Join(err, l.Close())
		}
	}
	return nil
}

// Close writes and signs what is left, and ends the log. Append and Body return ErrClosed from then on.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.room.Broadcast()
	l.mu.Unlock()
	close(l.closing)
	l.later.Stop()
	l.aging.Wait()
	l.wake()
	<-l.committed
	err := l.follower.stop()
	if spare := l.next.take(); spare != nil {
		_ = spare.file.Close()
		_ = os.Remove(filepath.Join(l.opts.Dir, segmentsDir, spareName))
		_ = os.Remove(keyPath(l.opts.Dir, spare.number))
	}
	if serr := l.current.seal(); err == nil && serr != nil {
		err = fmt.Errorf("seal segment %d: %w", l.current.number, serr)
	}
	l.unlock()
	return err
}

func (l *Log) unlock() {
	if l.lock != nil {
		_ = l.lock.Close()
	}
}

// release takes back the bodies of a batch that is on disk.
func (l *Log) release(b *batch) {
	for i := range b.bodies {
		l.bodies.Put(b.bodies[i].frame)
		b.bodies[i].frame = nil
	}
	b.bodies = b.bodies[:0]
}

// recycle takes back a batch that nobody reads any more.
func (l *Log) recycle(b *batch) {
	if cap(b.buf) > hold/4 {
		return
	}
	select {
	case l.batches <- b:
	default:
	}
}
