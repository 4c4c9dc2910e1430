package audit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Disk is where segments are kept; tests put one that fails in its place.
type Disk interface {
	// Create makes a file of size zeros, durable with its name, in place of any file of that name. It is written from front
	// to back.
	Create(name string, size int64) (File, error)
	// Rename gives a file a new name, durably.
	Rename(from, to string) error
}

// File is a segment that is being written. What was written may not be in the file before Sync.
type File interface {
	io.WriterAt
	io.Closer
	// Sync makes what was written durable. After an error the file must not be trusted again: the kernel may have
	// dropped what it could not write.
	Sync() error
	Truncate(size int64) error
}

// OS is the file system of the machine.
type OS struct{}

// zeroChunk is how much of a new segment is written between two flushes: it bounds how long a flush of the log waits.
const zeroChunk = 1 << 20

var zeros [zeroChunk]byte

// Create implements Disk. The blocks are written, not only reserved: overwriting written blocks needs no journal commit
// and is about twice as fast to flush.
func (OS) Create(name string, size int64) (File, error) {
	if f, err := createDirect(name, size); !errors.Is(err, errors.ErrUnsupported) {
		return f, err
	}
	return createCached(name, size)
}

// createCached is Create where files cannot be written around the kernel's cache.
func createCached(name string, size int64) (File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	for off := int64(0); off < size; off += zeroChunk {
		if _, err := f.WriteAt(zeros[:min(zeroChunk, size-off)], off); err != nil {
			return nil, discard(f, err)
		}
		if err := datasync(f); err != nil {
			return nil, discard(f, err)
		}
	}
	if err := f.Sync(); err != nil {
		return nil, discard(f, err)
	}
	if err := syncDir(filepath.Dir(name)); err != nil {
		return nil, discard(f, err)
	}
	return osFile{f}, nil
}

func discard(f *os.File, err error) error {
	_ = f.Close()
	_ = os.Remove(f.Name())
	return err
}

// Rename implements Disk.
func (OS) Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

type osFile struct{ *os.File }

func (f osFile) Sync() error { return datasync(f.File) }

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("flush directory %s: %w", dir, err)
	}
	return nil
}

// readSmall reads a file that should be small. Who brings a log to verify chooses how large its files are.
func readSmall(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s is larger than the %d bytes that it can have", name, limit)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// What the small files of a log can have.
const (
	maxTile       = tileWidth * (2 + maxRecord) // a bundle; tiles of hashes are smaller
	maxWrapped    = 1 << 20
	maxCheckpoint = 1 << 20 // with many cosignatures
	maxKeyFile    = 64 << 10
)

// writeFile replaces a file as a whole: after a crash there is the old one or the new one. With durable false a crash of
// the machine may leave neither.
func writeFile(name string, data []byte, perm os.FileMode, durable bool) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return discard(f, err)
	}
	if err := f.Chmod(perm); err != nil {
		return discard(f, err)
	}
	if durable {
		if err := f.Sync(); err != nil {
			return discard(f, err)
		}
	}
	if err := f.Close(); err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	if durable {
		return syncDir(filepath.Dir(name))
	}
	return nil
}
