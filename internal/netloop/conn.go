//go:build linux

package netloop

import (
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// Conn is a connection of a task. One goroutine at a time may read, and one may write: the task, or, while the task is
// detached, another one. Deadlines and Close are for everybody, and end calls that wait.
type Conn struct {
	task          *Task
	fd            int
	local, remote net.Addr
	stream        bool // a read that does not fill its buffer has taken all there was (epoll(7), edge-triggered)
	slot, turn    int32

	in, out side
	hung    atomic.Bool // the peer has ended its side, or there is an error

	// Owned by who reads.
	also    *Conn // see Also
	instant bool  // see Instant

	users  atomic.Int64 // of fd; closed when it comes to nothing
	closed atomic.Bool
}

// side is one direction.
type side struct {
	able    atomic.Bool // it is worth trying
	waiting atomic.Bool // the task waits for it in the loop
	late    atomic.Bool // the deadline has passed
	signal  chan struct{}

	mu    sync.Mutex
	timer *time.Timer
	turn  int
}

// Conn takes over a connection that has a descriptor; the one that was given must not be used any more.
func (t *Task) Conn(from net.Conn) (*Conn, error) {
	sc, ok := from.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("a connection of type %T has no descriptor", from)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	var derr error
	if err := raw.Control(func(old uintptr) {
		n, _, errno := syscall.Syscall(syscall.SYS_FCNTL, old, syscall.F_DUPFD_CLOEXEC, 0)
		if fd = int(n); errno != 0 {
			derr = os.NewSyscallError("dup", errno)
		}
	}); err != nil {
		return nil, err
	}
	if derr != nil {
		return nil, derr
	}
	_, tcp := from.(*net.TCPConn)
	c := &Conn{task: t, fd: fd, local: from.LocalAddr(), remote: from.RemoteAddr(), stream: tcp}
	c.in.signal, c.out.signal = make(chan struct{}, 1), make(chan struct{}, 1)
	c.in.able.Store(true)
	c.out.able.Store(true)
	c.users.Store(1)
	t.loop.enter(c)
	event := &syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLOUT | epollRDHUP | epollET, Fd: c.slot, Pad: c.turn}
	if err := syscall.EpollCtl(t.loop.poll, syscall.EPOLL_CTL_ADD, fd, event); err != nil {
		t.loop.leave(c)
		_ = syscall.Close(fd)
		return nil, os.NewSyscallError("epoll_ctl", err)
	}
	_ = from.Close() // the descriptor lives on
	return c, nil
}

// Also makes Read return os.ErrDeadlineExceeded when the other connection can be read, while the task is attached and has to
// wait; nil ends that.
func (c *Conn) Also(other *Conn) { c.also = other }

// Able reports whether a read is worth trying.
func (c *Conn) Able() bool { return c.in.able.Load() }

// Instant makes Read return os.ErrDeadlineExceeded instead of waiting.
func (c *Conn) Instant(on bool) { c.instant = on }

// stirred is told by the loop what epoll says. It returns the task if that waits for it.
func (c *Conn) stirred(events uint32) (waits *Task) {
	if events&(syscall.EPOLLHUP|syscall.EPOLLERR|epollRDHUP) != 0 {
		c.hung.Store(true)
		events |= syscall.EPOLLIN
		if events&(syscall.EPOLLHUP|syscall.EPOLLERR) != 0 {
			events |= syscall.EPOLLOUT
		}
	}
	wake := false
	if events&syscall.EPOLLIN != 0 && c.in.stir() {
		wake = true
	}
	if events&syscall.EPOLLOUT != 0 && c.out.stir() {
		wake = true
	}
	if !wake {
		return nil
	}
	return c.task
}

func (s *side) stir() bool {
	s.able.Store(true)
	s.tell()
	return s.waiting.Load()
}

// tell lets a goroutine go on that waits for this side.
func (s *side) tell() {
	select {
	case s.signal <- struct{}{}:
	default:
	}
}

// nudge lets whoever waits for this side look again, whatever the reason.
func (c *Conn) nudge(s *side) {
	s.tell()
	c.task.Wake()
}

// use takes hold of the descriptor; false means that it is closed.
func (c *Conn) use() bool {
	for {
		n := c.users.Load()
		if n == 0 || c.closed.Load() {
			return false
		}
		if c.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (c *Conn) drop() {
	if c.users.Add(-1) == 0 {
		_ = syscall.EpollCtl(c.task.loop.poll, syscall.EPOLL_CTL_DEL, c.fd, nil)
		c.task.loop.leave(c)
		_ = syscall.Close(c.fd)
	}
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if c.closed.Load() {
			return 0, c.fault("read", net.ErrClosed)
		}
		if c.in.late.Load() {
			return 0, c.fault("read", os.ErrDeadlineExceeded)
		}
		if c.in.able.Load() {
			// Taken back before the try: what comes from now on says so again.
			c.in.able.Store(false)
			if !c.use() {
				return 0, c.fault("read", net.ErrClosed)
			}
			r, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(c.fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
			c.drop()
			switch errno {
			case 0:
				n := int(r)
				if n == 0 {
					c.in.able.Store(true)
					return 0, io.EOF
				}
				if n == len(p) || !c.stream || c.hung.Load() {
					c.in.able.Store(true)
				}
				if c.task.attached && !c.instant {
					c.task.pass()
				}
				return n, nil
			case syscall.EINTR:
				c.in.able.Store(true)
				continue
			case syscall.EAGAIN:
			default:
				c.in.able.Store(true)
				return 0, c.fault("read", os.NewSyscallError("read", errno))
			}
		}
		if c.instant || c.also != nil && c.also.Able() {
			return 0, c.fault("read", os.ErrDeadlineExceeded)
		}
		c.await(&c.in)
	}
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		if c.closed.Load() {
			return written, c.fault("write", net.ErrClosed)
		}
		if c.out.late.Load() {
			return written, c.fault("write", os.ErrDeadlineExceeded)
		}
		if c.out.able.Load() {
			if !c.use() {
				return written, c.fault("write", net.ErrClosed)
			}
			rest := p[written:]
			r, errno := c.send(rest)
			if errno == syscall.EAGAIN {
				c.out.able.Store(false) // and once more: what was said before may have been about this
				r, errno = c.send(rest)
			}
			c.drop()
			switch errno {
			case 0:
				c.out.able.Store(true)
				written += int(r)
				if c.task.attached {
					c.task.spent++
				}
				continue
			case syscall.EINTR:
				c.out.able.Store(true)
				continue
			case syscall.EAGAIN:
			default:
				return written, c.fault("write", os.NewSyscallError("write", errno))
			}
		}
		c.await(&c.out)
	}
	return written, nil
}

// send writes without a signal when the peer is gone.
func (c *Conn) send(p []byte) (uintptr, syscall.Errno) {
	r, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(c.fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), syscall.MSG_NOSIGNAL, 0, 0)
	return r, errno
}

// await waits until a side is worth another try, or for no reason.
func (c *Conn) await(s *side) {
	if c.task.attached && c.also == nil && c.task.leave.Load() {
		c.task.Detach()
	}
	if !c.task.attached {
		<-s.signal
		return
	}
	s.waiting.Store(true)
	if c.also != nil {
		c.also.in.waiting.Store(true)
	}
	if !s.able.Load() {
		c.task.Park()
	}
	s.waiting.Store(false)
	if c.also != nil {
		c.also.in.waiting.Store(false)
	}
}

func (c *Conn) fault(op string, err error) error {
	return &net.OpError{Op: op, Net: c.remote.Network(), Source: c.local, Addr: c.remote, Err: err}
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return c.fault("close", net.ErrClosed)
	}
	for _, s := range []*side{&c.in, &c.out} {
		s.mu.Lock()
		if s.timer != nil {
			s.timer.Stop()
		}
		s.mu.Unlock()
		c.nudge(s)
	}
	c.drop()
	return nil
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	c.deadline(&c.in, t)
	c.deadline(&c.out, t)
	return nil
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.deadline(&c.in, t)
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.deadline(&c.out, t)
	return nil
}

func (c *Conn) deadline(s *side, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn++
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	if t.IsZero() {
		s.late.Store(false)
		return
	}
	d := time.Until(t)
	if d <= 0 {
		s.late.Store(true)
		c.nudge(s)
		return
	}
	s.late.Store(false)
	turn := s.turn
	s.timer = time.AfterFunc(d, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.turn == turn && !c.closed.Load() {
			s.late.Store(true)
			c.nudge(s)
		}
	})
}
