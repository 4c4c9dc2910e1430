//go:build linux

package netloop

import (
	"iter"
	"sync/atomic"
)

// Task is a goroutine that a loop may run. Its methods, Wake and Attached aside, are called by itself.
type Task struct {
	loop  *Loop
	next  func() (signal, bool)
	yield func(signal) bool
	wake  func() // Wake, as one value

	attached bool        // as the task sees it
	in       atomic.Bool // the loop may run it: whoever ran it before has let go
	pending  atomic.Bool // the loop will run it
	leave    atomic.Bool // somebody wants it to detach itself
	spent    int         // successful calls of the kernel since it was switched to
}

// signal is what a task tells who runs it.
type signal uint8

const (
	wait  signal = iota // for Wake
	again               // it could go on
	attach
	detach
)

// fair is how much a task does in a row while others wait.
const fair = 8

func (l *Loop) start(f func(*Task)) {
	t := &Task{loop: l}
	t.wake = t.Wake
	l.tasks.Add(1)
	t.next, _ = iter.Pull(func(yield func(signal) bool) {
		t.yield = yield
		f(t)
	})
	go t.drive()
}

// drive runs a task that is detached.
func (t *Task) drive() {
	for {
		what, more := t.next()
		if !more {
			t.loop.done(t)
			return
		}
		if what == attach {
			t.in.Store(true)
			t.pending.Store(true)
			t.loop.put(t)
			return
		}
	}
}

// Attach has the loop run the task from now on.
func (t *Task) Attach() {
	if !t.attached {
		t.attached = true
		t.leave.Store(false)
		t.yield(attach)
	}
}

// Detach makes the task an ordinary goroutine.
func (t *Task) Detach() {
	if t.attached {
		t.attached = false
		t.yield(detach)
	}
}

// Attached reports whether the loop runs the task.
func (t *Task) Attached() bool { return t.attached }

// OnLoop is Attached for others: what it reports may just have changed.
func (t *Task) OnLoop() bool { return t.in.Load() }

// Leave has the task detach itself when it waits for a connection by itself, without Also. Anybody may call it.
func (t *Task) Leave() {
	t.leave.Store(true)
	t.Wake()
}

// Wake lets an attached task go on that waits in Park. Anybody may call it, and a task may be woken for nothing.
func (t *Task) Wake() {
	if t.in.Load() && !t.pending.Swap(true) {
		t.loop.put(t)
	}
}

// Waker is Wake as a value that costs nothing to make.
func (t *Task) Waker() func() { return t.wake }

// Park waits for Wake, or for no reason. The task must be attached.
func (t *Task) Park() { t.yield(wait) }

// pass lets others have a turn after a while.
func (t *Task) pass() {
	if t.spent++; t.spent > fair {
		t.yield(again)
	}
}
