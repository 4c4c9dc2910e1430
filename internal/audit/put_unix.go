//go:build unix

package audit

import (
	"os"
	"syscall"
)

// put is os.WriteFile in three system calls: a file that is written once and at once is no business of Go's poller, which
// os.OpenFile would offer it to.
func put(name string, data []byte) error {
	fd, err := retried(func() (int, error) {
		return syscall.Open(name, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_TRUNC|syscall.O_CLOEXEC, 0o600)
	})
	if err != nil {
		return &os.PathError{Op: "open", Path: name, Err: err}
	}
	for len(data) > 0 && err == nil {
		var n int
		n, err = retried(func() (int, error) { return syscall.Write(fd, data) })
		data = data[max(n, 0):]
	}
	if cerr := syscall.Close(fd); err == nil && cerr != syscall.EINTR { //nolint:errorlint // a bare errno
		err = cerr
	}
	if err != nil {
		return &os.PathError{Op: "write", Path: name, Err: err}
	}
	return nil
}

// retried calls again what a signal interrupted.
func retried(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != syscall.EINTR { //nolint:errorlint // a bare errno
			return n, err
		}
	}
}
