//go:build !unix

package audit

import "os"

func put(name string, data []byte) error { return os.WriteFile(name, data, 0o600) }
