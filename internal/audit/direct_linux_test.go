package audit

import (
	"errors"
	"path/filepath"
	"testing"
)

func TestASegmentAroundTheCacheIsWrittenFromFrontToBack(t *testing.T) {
	f, err := createDirect(filepath.Join(t.TempDir(), "segment"), 1<<20)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Logf("this file system is written through the cache: %v", err)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("one"), 0); err != nil {
		t.Fatal(err)
	}
	for _, off := range []int64{0, 2, 4, 4096} {
		if _, err := f.WriteAt([]byte("two"), off); err == nil {
			t.Errorf("a write at %d is taken after one that ended at 3", off)
		}
	}
	if _, err := f.WriteAt([]byte("two"), 3); err != nil {
		t.Error(err)
	}
}
