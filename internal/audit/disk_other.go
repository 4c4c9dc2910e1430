//go:build !linux

package audit

import (
	"errors"
	"os"
)

func datasync(f *os.File) error { return f.Sync() }

// createDirect is Linux' affair.
func createDirect(string, int64) (File, error) { return nil, errors.ErrUnsupported }
