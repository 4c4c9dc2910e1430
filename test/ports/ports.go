// Package ports hands out TCP ports to the tests' servers, which must know their port before they listen on it.
//
// A port that the kernel picked and that was given back can be taken by any other process before its server listens: that
// is a test that fails once in a while. So a port comes from below the kernel's own range, where no outgoing connection
// starts, and is kept by a lock until the process that asked ends. It knows nothing of the servers.
package ports

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// The range: above the well-known ports, below 32768, where Linux's range for outgoing connections begins.
const first, last = 20000, 32000

var (
	mu   sync.Mutex
	held = map[int]*os.File{} // locked for as long as this process lives
)

// Free returns a port of 127.0.0.1 that nobody listens on and that no other caller is given while this process lives.
func Free() (int, error) {
	dir := filepath.Join(os.TempDir(), "vecgate-ports-"+strconv.Itoa(os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	mu.Lock()
	defer mu.Unlock()
	for range last - first {
		port := first + rand.IntN(last-first)
		if held[port] != nil {
			continue
		}
		lock, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(port)), os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
		if err != nil {
			return 0, err
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
			lock.Close()
			continue
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			lock.Close()
			continue
		}
		if err := l.Close(); err != nil {
			return 0, errors.Join(err, lock.Close())
		}
		held[port] = lock
		return port, nil
	}
	return 0, fmt.Errorf("no free port between %d and %d", first, last)
}
