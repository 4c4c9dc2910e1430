//go:build !linux

package store

// free is not known here; a full disk shows at the next write that needs room.
func free(string) (bytes uint64, known bool, err error) { return 0, false, nil }
