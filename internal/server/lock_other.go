//go:build !unix

package server

import "os"

// lockFile opens the file; nothing keeps another process away where there are no advisory locks.
func lockFile(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
}
