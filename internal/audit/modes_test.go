package audit

import (
	"io/fs"
	"path/filepath"
	"testing"
)

func TestNobodyElseReadsTheLogEvenWhereItsDirectoryIsOpen(t *testing.T) {
	dir := t.TempDir()
	l, err := Open(t.Context(), Options{Dir: dir, Origin: "vecgate/test", Self: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(&Record{Type: TypeStart}).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
