//go:build unix

package http1

import "syscall"

// pending says whether something has come that nobody read.
func pending(c syscall.RawConn) bool {
	n := 0
	_ = c.Read(func(fd uintptr) bool {
		n, _, _ = syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return true
	})
	return n > 0
}
