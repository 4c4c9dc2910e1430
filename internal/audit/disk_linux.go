package audit

import (
	"os"
	"syscall"
)

// datasync flushes the data of f and what is needed to read it back.
func datasync(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if err != syscall.EINTR { //nolint:errorlint // a bare errno
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
