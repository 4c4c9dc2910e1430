package audit

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// gatedDisk lets a flush end when it is told to, once it is gated.
type gatedDisk struct {
	OS
	gated   atomic.Bool
	flushes atomic.Int64
	over    chan struct{} // the test is
	begun   chan struct{} // a flush has begun
	end     chan struct{} // it may end
}

func (d *gatedDisk) Create(name string, size int64) (File, error) {
	f, err := d.OS.Create(name, size)
	return &gatedFile{f, d}, err
}

type gatedFile struct {
	File
	disk *gatedDisk
}

func (f *gatedFile) Sync() error {
	if f.disk.gated.Load() {
		f.disk.flushes.Add(1)
		select {
		case f.disk.begun <- struct{}{}:
		case <-f.disk.over:
		}
		select {
		case <-f.disk.end:
		case <-f.disk.over:
		}
	}
	return f.File.Sync()
}

// gatedLog is a log over such a disk, whose committer gathers for as long as it takes.
func gatedLog(t *testing.T) (*Log, *gatedDisk) {
	disk := &gatedDisk{begun: make(chan struct{}), end: make(chan struct{}), over: make(chan struct{})}
	l := open(t, Options{Disk: disk, Segment: 1 << 20, Checkpoint: time.Hour})
	l.moment = time.Hour
	spare := l.next.take() // so that the segments in reserve are made and flushed before the gate closes
	l.next.begin(func() (*fresh, error) { return spare, nil })
	disk.gated.Store(true)
	t.Cleanup(func() { close(disk.over) })
	return l, disk
}

func TestThoseWhoWaitedTogetherAreFlushedTogether(t *testing.T) {
	l, disk := gatedLog(t)
	var waiting sync.WaitGroup
	ask := func(n int) {
		c := l.Append(intent("s", n)) // here, so that the order is known
		waiting.Go(func() {
			if err := c.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	ask(0)
	<-disk.begun
	ask(1)
	ask(2)
	disk.end <- struct{}{}
	// Three waited: one was answered, and two are there. The next flush begins when the third has come back.
	select {
	case <-disk.begun:
		t.Fatal("the committer did not gather")
	case <-time.After(20 * time.Millisecond):
	}
	ask(3)
	<-disk.begun
	disk.end <- struct{}{}
	waiting.Wait()
	if n := disk.flushes.Load(); n != 2 {
		t.Errorf("four requests took %d flushes, want 2", n)
	}
}

func TestAFlushIsNotFollowedByOneThatNobodyWaitsFor(t *testing.T) {
	l, disk := gatedLog(t)
	l.patience = time.Hour
	c := l.Append(intent("s", 0))
	<-disk.begun
	l.Append(outcome("t", 0)) // of somebody else, while the flush is under way
	disk.end <- struct{}{}
	if err := c.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	c = l.Append(intent("s", 1))
	<-disk.begun
	disk.end <- struct{}{}
	if err := c.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := disk.flushes.Load(); n != 2 || c.Seq != 2 {
		t.Errorf("%d records took %d flushes, want 3 in 2", c.Seq+1, n)
	}
}

func TestWhoeverIsAloneDoesNotWaitForOthers(t *testing.T) {
	l, disk := gatedLog(t)
	for n := range 20 {
		c := l.Append(intent("s", n))
		<-disk.begun
		disk.end <- struct{}{}
		if err := c.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := disk.flushes.Load(); n != 20 {
		t.Errorf("20 requests one after the other took %d flushes", n)
	}
}

func TestClosingDoesNotWaitForOthers(t *testing.T) {
	l, disk := gatedLog(t)
	first := l.Append(intent("s", 0))
	<-disk.begun
	second := l.Append(intent("s", 1))
	disk.gated.Store(false)
	disk.end <- struct{}{}
	if err := first.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := second.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}
