//go:build unix

package server

import "syscall"

// roomForVisitors is visitorsOf this process, as it is bounded now.
func roomForVisitors() int {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return fewestVisitors
	}
	return visitorsOf(uint64(files.Cur)) //nolint:unconvert // its type is another one on some systems
}
