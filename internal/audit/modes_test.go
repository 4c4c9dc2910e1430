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

func TestAReaderKnowsThatALogIsBeingWritten(t *testing.T) {
	dir := t.TempDir()
	if Written(dir) {
		t.Error("a directory without a log is being written")
	}
	l, err := Open(t.Context(), Options{Dir: dir, Origin: "vecgate/test", Self: true})
	if err != nil {
		t.Fatal(err)
	}
	if !Written(dir) {
		t.Error("a log that is open is not being written")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if Written(dir) {
		t.Error("a closed log is being written")
	}
}
