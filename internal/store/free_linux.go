package store

import "syscall"

// free is how much this process may still write into a directory's file system.
func free(dir string) (bytes uint64, known bool, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, false, err
	}
	return s.Bavail * uint64(s.Bsize), true, nil //nolint:gosec // a size is positive
}
