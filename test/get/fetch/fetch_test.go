package fetch

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestArchiveMemberCannotLeaveItsDirectory(t *testing.T) {
	for _, member := range []string{"../evil", "a/../../evil", "/evil"} {
		dir := t.TempDir()
		wheel, tgz := filepath.Join(dir, "a.whl"), filepath.Join(dir, "a.tgz")
		if err := os.WriteFile(wheel, zipOf(t, member), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(tgz, tgzOf(t, &tar.Header{Name: member, Typeflag: tar.TypeReg, Size: 1, Mode: 0o644}), 0o600); err != nil {
			t.Fatal(err)
		}
		all := func(member string) string { return member }
		if err := unzip(wheel, filepath.Join(dir, "out"), all); err == nil {
			t.Errorf("unzip wrote %q", member)
		}
		if err := untar(tgz, filepath.Join(dir, "out"), all); err == nil {
			t.Errorf("untar wrote %q", member)
		}
		if _, err := os.Stat(filepath.Join(dir, "evil")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%q was written outside: %v", member, err)
		}
	}
}

func TestLinksInAnArchiveAreLeftOut(t *testing.T) {
	dir := t.TempDir()
	tgz := filepath.Join(dir, "a.tgz")
	if err := os.WriteFile(tgz, tgzOf(t, &tar.Header{Name: "link", Typeflag: tar.TypeSymlink, Linkname: "/etc"}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := untar(tgz, filepath.Join(dir, "out"), func(member string) string { return member }); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "out", "link")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the link was made: %v", err)
	}
}

func TestFileThatIsNotThePinnedOneIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if err := checkSum(path, abc); err != nil {
		t.Errorf("the pinned file: %v", err)
	}
	if err := os.WriteFile(path, []byte("abd"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := checkSum(path, abc); err == nil || !strings.Contains(err.Error(), "pinned") {
		t.Errorf("a changed file: %v, want a refusal that says so", err)
	}
}

func TestWhatManyWantAtOnceIsMadeOnce(t *testing.T) {
	cache := t.TempDir()
	var made int
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			f := &Fetcher{Cache: cache, Log: slog.New(slog.DiscardHandler)}
			dir, err := f.Once("thing", func(dir string) error {
				made++ // under Once's lock
				return os.WriteFile(filepath.Join(dir, "content"), []byte("x"), 0o600)
			})
			if err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(filepath.Join(dir, "content")); err != nil {
				t.Errorf("Once returned before the thing was there: %v", err)
			}
		})
	}
	all.Wait()
	if made != 1 {
		t.Errorf("made %d times, want once", made)
	}
}

func TestWhatWasNotFinishedIsMadeAgain(t *testing.T) {
	f := &Fetcher{Cache: t.TempDir(), Log: slog.New(slog.DiscardHandler)}
	broken := errors.New("the network is gone")
	if _, err := f.Once("thing", func(string) error { return broken }); !errors.Is(err, broken) {
		t.Fatalf("Once = %v, want the builder's error", err)
	}
	// As an interrupted process leaves it.
	if err := os.MkdirAll(filepath.Join(f.Cache, "thing.making", "half"), 0o700); err != nil {
		t.Fatal(err)
	}
	dir, err := f.Once("thing", func(dir string) error { return os.WriteFile(filepath.Join(dir, "whole"), nil, 0o600) })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "half")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what the interrupted process left is in the result: %v", err)
	}
}

func TestMissingPackageManagerIsNamedWithItsPackage(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	f := &Fetcher{Cache: t.TempDir(), Log: slog.New(slog.DiscardHandler)}
	_, err := f.JDBC(t.Context())
	if err == nil || !strings.Contains(err.Error(), "mvn") || !strings.Contains(err.Error(), "apt-get install maven") {
		t.Errorf("JDBC without Maven: %v, want what is missing and how to get it", err)
	}
}

func TestOwnPostgresIsUsedWhenItIsNamed(t *testing.T) {
	own := t.TempDir()
	t.Setenv("VECGATE_POSTGRES_BIN", own)
	f := &Fetcher{Cache: t.TempDir(), Log: slog.New(slog.DiscardHandler)}
	if _, err := f.Postgres(t.Context()); err == nil {
		t.Error("a directory without the program postgres was accepted")
	}
	if err := os.WriteFile(filepath.Join(own, "postgres"), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if bin, err := f.Postgres(t.Context()); err != nil || bin != own {
		t.Errorf("Postgres = %q, %v; want %q", bin, err, own)
	}
}

func zipOf(t *testing.T, member string) []byte {
	t.Helper()
	var packed bytes.Buffer
	archive := zip.NewWriter(&packed)
	file, err := archive.Create(member)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(file, "x"); err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func tgzOf(t *testing.T, header *tar.Header) []byte {
	t.Helper()
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zipped)
	if err := archive.WriteHeader(header); err != nil {
		t.Fatal(err)
	}
	if header.Size > 0 {
		if _, err := archive.Write(bytes.Repeat([]byte("x"), int(header.Size))); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}
