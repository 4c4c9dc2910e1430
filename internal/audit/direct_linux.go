package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// A segment is written once, from front to back, and is hardly read while it is: through the kernel's page cache it would
// cost a copy and a page of memory for every page of it, twice with the zeros, and more CPU than all else that is done for
// a long answer. Where the file system can, it is written around the cache (open(2), O_DIRECT): from memory, at places of
// the file and in lengths that are multiples of a block.
const (
	block      = 4096
	directRoom = 1 << 20
)

// zeroPages are never written, so that all of them are the one page of zeros that the kernel has.
var zeroPages = func() []byte {
	p, err := pages(zeroChunk)
	if err != nil {
		return nil
	}
	return p
}()

// pages is memory that begins at a page.
func pages(size int) ([]byte, error) {
	p, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	return p, os.NewSyscallError("mmap", err)
}

// directFile is a segment that is written around the page cache. Its last block, when it is not full, is written again with
// what comes after it; what it held stays as it was.
type directFile struct {
	*os.File
	room  []byte // what is written next, from at on; nil until there is something
	at    int64  // a multiple of block
	dirty bool   // some of it has not been written yet
	taken int    // how much of room is what the file is to hold
}

// createDirect makes a file of size zeros, or returns errors.ErrUnsupported where that cannot be written around the cache.
func createDirect(name string, size int64) (File, error) {
	if zeroPages == nil {
		return nil, errors.ErrUnsupported
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC|syscall.O_DIRECT, 0o600)
	if errors.Is(err, syscall.EINVAL) {
		return nil, errors.ErrUnsupported
	}
	if err != nil {
		return nil, err
	}
	for off := int64(0); off < size; off += zeroChunk {
		n := (min(zeroChunk, size-off) + block - 1) / block * block
		if _, err := f.WriteAt(zeroPages[:n], off); errors.Is(err, syscall.EINVAL) && off == 0 {
			return nil, errors.Join(errors.ErrUnsupported, f.Close())
		} else if err != nil {
			return nil, discard(f, err)
		}
		if err := datasync(f); err != nil {
			return nil, discard(f, err)
		}
	}
	if err := errors.Join(f.Truncate(size), f.Sync(), syncDir(filepath.Dir(name))); err != nil {
		return nil, discard(f, err)
	}
	return &directFile{File: f}, nil
}

// WriteAt implements io.WriterAt, where off is where the write before it ended.
func (f *directFile) WriteAt(p []byte, off int64) (int, error) {
	if off != f.at+int64(f.taken) {
		return 0, fmt.Errorf("write %s at %d: it is written from front to back, and is at %d", f.Name(), off, f.at+int64(f.taken))
	}
	if f.room == nil {
		var err error
		if f.room, err = pages(directRoom); err != nil {
			return 0, err
		}
	}
	for n := 0; n < len(p); {
		more := copy(f.room[f.taken:], p[n:])
		f.taken += more
		f.dirty = true
		n += more
		if f.taken == len(f.room) {
			if err := f.put(); err != nil {
				return n, err
			}
		}
	}
	return len(p), nil
}

// put writes what has been taken.
func (f *directFile) put() error {
	whole := (f.taken + block - 1) / block * block
	clear(f.room[f.taken:whole])
	if _, err := f.File.WriteAt(f.room[:whole], f.at); err != nil {
		return err
	}
	full := f.taken / block * block
	f.taken = copy(f.room, f.room[full:f.taken])
	f.at += int64(full)
	f.dirty = false
	return nil
}

// Sync implements File.
func (f *directFile) Sync() error {
	if f.dirty {
		if err := f.put(); err != nil {
			return err
		}
	}
	return datasync(f.File)
}

// Close implements io.Closer.
func (f *directFile) Close() error {
	err := f.File.Close()
	if f.room != nil {
		err = errors.Join(err, os.NewSyscallError("munmap", syscall.Munmap(f.room)))
		f.room = nil
	}
	return err
}
