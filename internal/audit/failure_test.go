package audit

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// badDisk is the machine's disk until it is told to fail.
type badDisk struct {
	OS
	t       testing.TB
	syncs   atomic.Int64 // how many flushes succeed before they fail; negative means that all do
	heals   atomic.Int64 // how many fail before they succeed again
	noSpace atomic.Bool  // no file can be made
	locked  atomic.Bool  // the file system is read-only
}

func newBadDisk(t testing.TB) *badDisk {
	d := &badDisk{t: t}
	d.syncs.Store(-1)
	return d
}

func (d *badDisk) Create(name string, size int64) (File, error) {
	if d.noSpace.Load() {
		return nil, syscall.ENOSPC
	}
	if d.locked.Load() {
		return nil, syscall.EROFS
	}
	f, err := d.OS.Create(name, size)
	if err != nil {
		return nil, err
	}
	return &badFile{File: f, disk: d}, nil
}

type badFile struct {
	File
	disk   *badDisk
	mu     sync.Mutex
	failed bool
}

func (f *badFile) Sync() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed {
		f.disk.t.Error("a file is flushed again after a flush of it failed")
	}
	left := f.disk.syncs.Load()
	if left < 0 {
		return f.File.Sync()
	}
	if left > 0 {
		f.disk.syncs.Store(left - 1)
		return f.File.Sync()
	}
	if f.disk.heals.Add(-1) == 0 {
		f.disk.syncs.Store(-1)
	}
	f.failed = true
	return syscall.EIO
}

func (f *badFile) WriteAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed {
		f.disk.t.Error("a file is written again after a flush of it failed")
	}
	return f.File.WriteAt(p, off)
}

// fail makes the next flushes fail, n of them.
func (d *badDisk) fail(n int64) {
	d.heals.Store(n)
	d.syncs.Store(0)
}

func TestARecordWhoseFlushFailsGoesIntoAnotherSegment(t *testing.T) {
	dir, disk := t.TempDir(), newBadDisk(t)
	l := open(t, Options{Dir: dir, Disk: disk, Retry: time.Millisecond})
	exchange(t, l, "s", 1)
	if err := l.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.next.take() // the next one is made anew, while the disk works
	disk.fail(1)
	exchange(t, l, "s", 2)
	exchange(t, l, "s", 3)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	report := checkLog(t, dir)
	if report.Records != 6 || report.Segments != 2 {
		t.Errorf("log has %d records in %d segments, want 6 in 2", report.Records, report.Segments)
	}
}

func TestADiskThatFailsClosesTheLogUntilItWorks(t *testing.T) {
	for _, test := range []struct {
		name       string
		fail, heal func(*badDisk)
	}{
		{"flushes fail", func(d *badDisk) { d.fail(1 << 40) }, func(d *badDisk) { d.syncs.Store(-1) }},
		{"the disk is full", func(d *badDisk) { d.noSpace.Store(true) }, func(d *badDisk) { d.noSpace.Store(false) }},
		{"the file system became read-only", func(d *badDisk) { d.fail(1 << 40); d.locked.Store(true) }, func(d *badDisk) { d.syncs.Store(-1); d.locked.Store(false) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir, disk := t.TempDir(), newBadDisk(t)
			l := open(t, Options{Dir: dir, Disk: disk, Retry: 5 * time.Millisecond, Segment: 8 << 10})
			exchange(t, l, "s", 0)
			if err := l.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			test.fail(disk)
			n, refused := 1, error(nil)
			for ; refused == nil && n < 1000; n++ { // until the segments that are ready are full
				_ = l.Body(intent("s", n).Request, Asked, []byte("select"))
				refused = l.Append(intent("s", n)).Wait(t.Context())
				if refused == nil {
					l.Append(outcome("s", n))
				}
			}
			if !errors.Is(refused, ErrFailed) {
				t.Fatalf("the record of a request was promised, or refused with %v", refused)
			}
			// Everybody is refused at once, from now on.
			if err := l.Append(intent("s", n)).Wait(t.Context()); !errors.Is(err, ErrFailed) {
				t.Errorf("Append says %v", err)
			}
			if err := l.Body("s.1", Asked, []byte("x")); !errors.Is(err, ErrFailed) {
				t.Errorf("Body says %v", err)
			}
			if err := l.Sync(t.Context()); !errors.Is(err, ErrFailed) {
				t.Errorf("Sync says %v", err)
			}
			if l.State().Failed == nil {
				t.Error("State does not say that the log failed")
			}
			test.heal(disk)
			for l.State().Failed != nil {
				time.Sleep(time.Millisecond)
			}
			exchange(t, l, "s", n+1)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			report := checkLog(t, dir)
			if len(report.Gaps) != 1 {
				t.Fatalf("gaps on record: %v, want one", report.Gaps)
			}
			r, err := OpenDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			gap, _, err := r.Record(t.Context(), report.Gaps[0])
			if err != nil || gap.Type != TypeGap || !strings.Contains(gap.Detail, "nothing could be recorded from") {
				t.Errorf("gap record: %+v, %v", gap, err)
			}
			// What was refused is on record all the same, as a request that never ended.
			if len(report.Unknown) != 1 {
				t.Errorf("unknown outcomes: %v, want the one that was refused", report.Unknown)
			}
		})
	}
}

func TestWaitersAreToldWhenTheLogIsClosedWhileItCannotBeWritten(t *testing.T) {
	disk := newBadDisk(t)
	l := open(t, Options{Disk: disk, Retry: time.Hour})
	disk.fail(1 << 40)
	if err := l.Append(intent("s", 1)).Wait(t.Context()); !errors.Is(err, ErrFailed) {
		t.Fatalf("Append says %v", err)
	}
	done := make(chan error)
	go func() { done <- l.Close() }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("Close does not return")
	}
	if err := l.Append(intent("s", 2)).Wait(t.Context()); err == nil {
		t.Error("a closed log takes a record")
	}
}

func TestBodiesWaitForRoom(t *testing.T) {
	disk := &slowDisk{gate: make(chan struct{})}
	l := open(t, Options{Disk: disk})
	disk.slow.Store(true)
	piece := make([]byte, maxPiece)
	_, _ = rand.Read(piece) // what cannot be compressed
	var taken atomic.Int64
	var wg sync.WaitGroup
	for a := range 4 {
		wg.Go(func() {
			for range 40 {
				if err := l.Body(intent("s", a).Request, Answered, piece); err != nil {
					t.Error(err)
				}
				taken.Add(maxPiece)
			}
		})
	}
	for before := int64(-1); taken.Load() < hold/2 || before != taken.Load(); time.Sleep(50 * time.Millisecond) {
		before = taken.Load()
	}
	if got := taken.Load(); got > 3*hold {
		t.Errorf("%d bytes were taken while the disk stood still", got)
	}
	close(disk.gate)
	wg.Wait()
	if err := l.Sync(context.Background()); err != nil {
		t.Error(err)
	}
}

// slowDisk stands still, while slow, until gate is closed.
type slowDisk struct {
	OS
	slow atomic.Bool
	gate chan struct{}
}

func (d *slowDisk) Create(name string, size int64) (File, error) {
	f, err := d.OS.Create(name, size)
	return &slowFile{f, d}, err
}

type slowFile struct {
	File
	disk *slowDisk
}

func (f *slowFile) Sync() error {
	if f.disk.slow.Load() {
		<-f.disk.gate
	}
	return f.File.Sync()
}

// countingDisk counts flushes of segments.
type countingDisk struct {
	OS
	flushes atomic.Int64
}

func (d *countingDisk) Create(name string, size int64) (File, error) {
	f, err := d.OS.Create(name, size)
	return &countingFile{f, d}, err
}

type countingFile struct {
	File
	disk *countingDisk
}

func (f *countingFile) Sync() error {
	f.disk.flushes.Add(1)
	return f.File.Sync()
}

func TestAnOutcomeIsFlushedWithTheNextIntent(t *testing.T) {
	disk := &countingDisk{}
	l := open(t, Options{Disk: disk, Segment: 1 << 20, Checkpoint: time.Hour})
	l.patience = time.Hour
	before := disk.flushes.Load()
	for n := range 50 {
		exchange(t, l, "s", n)
	}
	if flushes := disk.flushes.Load() - before; flushes != 50 {
		t.Errorf("50 requests one after the other took %d flushes", flushes)
	}
	// Who waits for an outcome gets it.
	if err := l.Append(outcome("s", 50)).Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if got := l.State().Records; got != 101 {
		t.Errorf("%d records are durable, want 101", got)
	}
}

func TestAnOutcomeThatNobodyWaitsForBecomesDurable(t *testing.T) {
	l := open(t, Options{Checkpoint: time.Hour})
	if l.patience > 50*time.Millisecond {
		t.Errorf("an outcome may be kept for %s", l.patience)
	}
	l.Append(outcome("s", 1))
	for {
		more := l.Reader().Watch()
		if l.State().Records > 0 {
			return
		}
		<-more
	}
}
