//go:build !linux

package netloop

import (
	"errors"
	"net"
)

// Set is a few loops that share the tasks; this system has none.
type Set struct{}

// New reports that there are no loops.
func New(int) (*Set, error) { return nil, errors.New("loops need Linux") }

// Go is never called.
func (*Set) Go(func(*Task)) {}

// Close is never called.
func (*Set) Close() {}

// Task is a goroutine that a loop may run; here there is none.
type Task struct{}

// Conn is never called, as are the others.
func (*Task) Conn(net.Conn) (*Conn, error) { return nil, errors.New("loops need Linux") }

// Attach does nothing.
func (*Task) Attach() {}

// Detach does nothing.
func (*Task) Detach() {}

// Attached is false.
func (*Task) Attached() bool { return false }

// OnLoop is false.
func (*Task) OnLoop() bool { return false }

// Leave does nothing.
func (*Task) Leave() {}

// Waker returns a function that does nothing.
func (*Task) Waker() func() { return func() {} }

// Park does nothing.
func (*Task) Park() {}

// Conn is a connection of a task; here there is none.
type Conn struct{ net.Conn }

// Also does nothing.
func (*Conn) Also(*Conn) {}

// Able is false.
func (*Conn) Able() bool { return false }

// Instant does nothing.
func (*Conn) Instant(bool) {}
