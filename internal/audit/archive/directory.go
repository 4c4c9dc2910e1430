package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

// Directory is a store in a directory: on another disk, or on a file server. It locks nothing: what keeps others from it
// is the server's business.
type Directory struct {
	root string // of this archive
	base string // what the operator named
}

// partsName is where files are written before they get their name.
const partsName = ".new"

// OpenDirectory opens the archive of a log in a directory, which must be there: one that is not may be a disk that is not
// mounted.
func OpenDirectory(base, origin string) (*Directory, error) {
	info, err := os.Stat(base)
	if err == nil && !info.IsDir() {
		err = errors.New("it is not a directory")
	}
	if err != nil {
		return nil, fmt.Errorf("archive %s: %w; it is never created: make it, or mount the disk", base, err)
	}
	return &Directory{root: filepath.Join(base, filepath.FromSlash(origin)), base: base}, nil
}

// String implements Store.
func (d *Directory) String() string { return "directory " + d.root }

func (d *Directory) path(name string) string { return filepath.Join(d.root, filepath.FromSlash(name)) }

// Create implements Store: a file gets its name when it is whole and durable.
func (d *Directory) Create(_ context.Context, name string, data []byte, erasable bool) error {
	if _, err := os.Stat(d.base); err != nil {
		return err
	}
	to := d.path(name)
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("create %s: %w", name, ErrExists)
	}
	parts := filepath.Join(d.root, partsName)
	for _, dir := range []string{parts, filepath.Dir(to)} {
		if err := makeDir(d.base, dir); err != nil {
			return err
		}
	}
	f, err := os.CreateTemp(parts, "*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	mode := fs.FileMode(0o400)
	if erasable {
		mode = 0o600
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	// A link, not a renaming: it fails when there is a file of that name.
	if err := os.Link(f.Name(), to); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("create %s: %w", name, ErrExists)
	} else if err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	return syncDir(filepath.Dir(to))
}

// makeDir makes a directory below base, durably with its name.
func makeDir(base, dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if dir == base {
		return fmt.Errorf("%s is gone", base)
	}
	if err := makeDir(base, filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// Read implements Store.
func (d *Directory) Read(_ context.Context, name string, limit int64) ([]byte, error) {
	f, err := os.Open(d.path(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAtMost(f, name, limit)
}

func readAtMost(r io.Reader, name string, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is larger than the %d bytes that it can have", name, limit)
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

// Size implements Store.
func (d *Directory) Size(_ context.Context, name string) (int64, error) {
	info, err := os.Stat(d.path(name))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// List implements Store.
func (d *Directory) List(_ context.Context, folder, after string, each func(Object) bool) error {
	if _, err := os.Stat(d.base); err != nil {
		return err
	}
	entries, err := os.ReadDir(d.path(folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	from := sort.Search(len(entries), func(i int) bool { return folder+entries[i].Name() > after })
	for _, e := range entries[from:] {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if !each(Object{Name: folder + e.Name(), Size: info.Size(), Time: info.ModTime()}) {
			return nil
		}
	}
	return nil
}

// Erase implements Store. The file is overwritten first: a name that is removed says nothing about the blocks that it
// stood for.
func (d *Directory) Erase(_ context.Context, name string) error {
	f, err := os.OpenFile(d.path(name), os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		_, err = f.WriteAt(make([]byte, info.Size()), 0)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Remove(d.path(name))
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(d.path(name)))
}

// Versions implements Store.
func (d *Directory) Versions(_ context.Context, each func(Version) error) error {
	if _, err := os.Stat(d.root); err != nil {
		return err
	}
	return filepath.WalkDir(d.root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(d.root, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		if e.IsDir() {
			if name == partsName {
				return fs.SkipDir // what a crash left there never got a name
			}
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if !e.Type().IsRegular() {
			name += " (not a file)"
		}
		return each(Version{Object: Object{Name: name, Size: info.Size(), Time: info.ModTime()}, Latest: true})
	})
}

// ReadVersion implements Store.
func (d *Directory) ReadVersion(ctx context.Context, v Version, limit int64) ([]byte, error) {
	return d.Read(ctx, v.Name, limit)
}

// Locked implements Store.
func (d *Directory) Locked(context.Context, Version) (time.Time, string, error) {
	return time.Time{}, "", nil
}

// Inside reports whether a path is a directory or lies below it.
func Inside(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// sweep takes away what a crash left half written.
func (d *Directory) sweep() {
	_ = os.RemoveAll(filepath.Join(d.root, partsName))
}
