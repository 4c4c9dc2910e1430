package netloop

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// Loop runs tasks, one at a time.
type Loop struct {
	poll   int // an epoll descriptor
	parked *os.File
	park   syscall.RawConn
	bell   int // an eventfd, in poll
	tasks  atomic.Int64
	ended  chan struct{}

	mu      sync.Mutex
	inbox   []*Task // to be run; from other goroutines
	slots   []slot  // the connections, by what epoll calls them
	free    []int32
	closing bool

	asleep atomic.Bool // the loop waits, or is about to

	// Owned by run.
	ready  []*Task
	events [128]syscall.EpollEvent
	woken  []*Conn
	flags  []uint32
}

type slot struct {
	conn *Conn
	turn int32 // tells the connections apart that had the slot one after the other
}

const bellSlot = -1

func newLoop() (*Loop, error) {
	poll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	bell, _, errno := syscall.RawSyscall(syscall.SYS_EVENTFD2, 0, syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if errno != 0 {
		_ = syscall.Close(poll)
		return nil, os.NewSyscallError("eventfd2", errno)
	}
	l := &Loop{poll: poll, bell: int(bell), ended: make(chan struct{})}
	// Edge-triggered: the counter need not be read back.
	if err := syscall.EpollCtl(poll, syscall.EPOLL_CTL_ADD, l.bell, &syscall.EpollEvent{Events: syscall.EPOLLIN | epollET, Fd: bellSlot}); err != nil {
		_, _ = syscall.Close(poll), syscall.Close(l.bell)
		return nil, os.NewSyscallError("epoll_ctl", err)
	}
	// The loop waits for its epoll descriptor in Go's own poller: no thread is blocked for it.
	if err := syscall.SetNonblock(poll, true); err != nil {
		_, _ = syscall.Close(poll), syscall.Close(l.bell)
		return nil, os.NewSyscallError("fcntl", err)
	}
	l.parked = os.NewFile(uintptr(poll), "epoll")
	if l.park, err = l.parked.SyscallConn(); err != nil {
		_, _ = l.parked.Close(), syscall.Close(l.bell)
		return nil, fmt.Errorf("wait for an epoll descriptor: %w", err)
	}
	go l.run()
	return l, nil
}

const (
	epollET    = 1 << 31
	epollRDHUP = 0x2000
)

// turns is how many tasks run before the connections are looked at again.
const turns = 64

func (l *Loop) run() {
	defer close(l.ended)
	for {
		for n := 0; n < turns && n < len(l.ready); n++ {
			l.resume(l.ready[n])
		}
		l.ready = l.ready[:copy(l.ready, l.ready[min(turns, len(l.ready)):])]
		l.look()
		if len(l.ready) > 0 {
			continue
		}
		closing := false
		_ = l.park.Read(func(uintptr) bool { // its error would be one of closing, which run alone does
			l.asleep.Store(true) // from here on whoever fills the inbox rings the bell
			l.look()
			l.mu.Lock()
			closing = l.closing && l.tasks.Load() == 0
			l.mu.Unlock()
			if len(l.ready) == 0 && !closing {
				return false
			}
			l.asleep.Store(false)
			return true
		})
		if closing {
			_, _ = l.parked.Close(), syscall.Close(l.bell)
			return
		}
	}
}

// look collects who can go on, without waiting.
func (l *Loop) look() {
	l.mu.Lock()
	for more := true; more; { // what is left behind would not be announced again
		r, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(l.poll), uintptr(unsafe.Pointer(&l.events[0])), uintptr(len(l.events)), 0, 0, 0)
		n := int(r)
		if errno != 0 {
			n = 0
		}
		for i := range l.events[:n] {
			e := &l.events[i]
			if e.Fd == bellSlot {
				continue
			}
			if s := &l.slots[e.Fd]; s.conn != nil && s.turn == e.Pad {
				l.woken, l.flags = append(l.woken, s.conn), append(l.flags, e.Events)
			}
		}
		more = n == len(l.events) || errno == syscall.EINTR
	}
	inbox := l.inbox
	l.ready = append(l.ready, inbox...)
	clear(inbox)
	l.inbox = inbox[:0]
	l.mu.Unlock()
	for i, c := range l.woken {
		if t := c.stirred(l.flags[i]); t != nil && t.in.Load() && !t.pending.Swap(true) {
			l.ready = append(l.ready, t)
		}
		l.woken[i] = nil
	}
	l.woken, l.flags = l.woken[:0], l.flags[:0]
}

// resume lets a task go on until it waits.
func (l *Loop) resume(t *Task) {
	t.pending.Store(false)
	if !t.in.Load() {
		return // it was woken just before it left
	}
	t.spent = 0
	what, more := t.next()
	switch {
	case !more:
		l.done(t)
	case what == detach:
		t.in.Store(false)
		go t.drive()
	case what == again:
		if !t.pending.Swap(true) {
			l.ready = append(l.ready, t)
		}
	}
}

func (l *Loop) done(t *Task) {
	t.in.Store(false)
	if l.tasks.Add(-1) == 0 {
		l.ring()
	}
}

// put has the loop run a task.
func (l *Loop) put(t *Task) {
	l.mu.Lock()
	l.inbox = append(l.inbox, t)
	l.mu.Unlock()
	if l.asleep.Swap(false) {
		l.ring()
	}
}

func (l *Loop) ring() {
	one := uint64(1)
	_, _, _ = syscall.RawSyscall(syscall.SYS_WRITE, uintptr(l.bell), uintptr(unsafe.Pointer(&one)), 8) // it cannot be full in this universe
}

// enter gives a connection a slot.
func (l *Loop) enter(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.free); n > 0 {
		c.slot = l.free[n-1]
		l.free = l.free[:n-1]
	} else {
		c.slot = int32(len(l.slots))
		l.slots = append(l.slots, slot{})
	}
	s := &l.slots[c.slot]
	s.conn = c
	s.turn++
	c.turn = s.turn
}

func (l *Loop) leave(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slots[c.slot].conn = nil
	l.free = append(l.free, c.slot)
}

func (l *Loop) close() {
	l.mu.Lock()
	l.closing = true
	l.mu.Unlock()
	l.ring()
	if l.tasks.Load() == 0 {
		<-l.ended
	}
}
