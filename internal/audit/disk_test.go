package audit

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// makers are the ways in which a segment can be made.
func makers() map[string]func(string, int64) (File, error) {
	return map[string]func(string, int64) (File, error){"as the file system lets": OS{}.Create, "through the cache": createCached}
}

func TestASegmentHoldsWhatWasWrittenAndThenZeros(t *testing.T) {
	for name, create := range makers() {
		t.Run(name, func(t *testing.T) {
			const size = 5<<20 + 300
			path := filepath.Join(t.TempDir(), "segment")
			f, err := create(path, size)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			want := make([]byte, size)
			off := 0
			for i, n := range []int{1, 23, 4071, 1, 4096, 4095, 8192, 100, 1 << 20, 3, 2<<20 + 77, 5000} {
				p := bytes.Repeat([]byte{byte('a' + i)}, n)
				copy(want[off:], p)
				if _, err := f.WriteAt(p, int64(off)); err != nil {
					t.Fatal(err)
				}
				if err := f.Sync(); err != nil {
					t.Fatal(err)
				}
				off += n
				// Whoever reads a log that is being written reads it through the cache.
				if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
					t.Fatalf("after %d pieces the file holds something else (%d bytes, %v)", i+1, len(got), err)
				}
			}
			if err := errors.Join(f.Truncate(int64(off)), f.Sync()); err != nil {
				t.Fatal(err)
			}
			if got, _ := os.ReadFile(path); !bytes.Equal(got, want[:off]) {
				t.Errorf("cut off, the file holds something else (%d bytes, want %d)", len(got), off)
			}
		})
	}
}

func TestASegmentIsMadeInPlaceOfAnother(t *testing.T) {
	for name, create := range makers() {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "segment")
			if err := os.WriteFile(path, bytes.Repeat([]byte("x"), 2<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := create(path, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, make([]byte, 1<<20)) {
				t.Errorf("what was there is not gone (%d bytes, %v)", len(got), err)
			}
		})
	}
}
