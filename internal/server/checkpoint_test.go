package server

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/audit"
)

// begin opens a log, writes a record and returns what was kept of it.
func begin(t *testing.T, dir string, m memory) error {
	t.Helper()
	known, err := m.known()
	if err != nil {
		return err
	}
	l, err := audit.Open(t.Context(), audit.Options{Dir: dir, Origin: "vecgate/test", Self: true, Segment: 1 << 20, Known: [][]byte{known}, Published: m.keep})
	if err != nil {
		return m.explain(err)
	}
	if err := l.Append(&audit.Record{Type: audit.TypeStart}).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l.Close()
}

// An operator who lost a log, and does as the messages say, gets a new one.
func TestALogIsBegunAnewAsTheMessagesSay(t *testing.T) {
	data := t.TempDir()
	m := remember(data, slog.New(slog.DiscardHandler))
	lost := filepath.Join(t.TempDir(), "lost")
	if err := begin(t, lost, m); err != nil {
		t.Fatal(err)
	}
	segments, err := filepath.Glob(filepath.Join(lost, "segments", "*"))
	if err != nil || len(segments) == 0 {
		t.Fatal(segments, err)
	}
	for _, s := range segments {
		if err := os.Remove(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := begin(t, lost, m); !errors.Is(err, audit.ErrRollback) || !strings.Contains(err.Error(), "begin a new log in another one") || !strings.Contains(err.Error(), m.file) {
		t.Fatalf("segments are gone: %v", err)
	}
	another := filepath.Join(t.TempDir(), "another")
	err = begin(t, another, m)
	if !errors.Is(err, audit.ErrKnown) || !strings.Contains(err.Error(), "move that file") || !strings.Contains(err.Error(), m.file) {
		t.Fatalf("another directory: %v", err)
	}
	if err := os.Rename(m.file, filepath.Join(lost, "checkpoint")); err != nil {
		t.Fatal(err)
	}
	if err := begin(t, another, m); err != nil {
		t.Errorf("the file was moved: %v", err)
	}
	if info, err := os.Stat(m.file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("what is kept of the new log: %v, %v", info, err)
	}
}

func TestAnEmptyCheckpointIsNotTakenForNone(t *testing.T) {
	m := remember(t.TempDir(), slog.New(slog.DiscardHandler))
	if err := os.WriteFile(m.file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := begin(t, t.TempDir(), m); err == nil || !strings.Contains(err.Error(), m.file+" is empty") {
		t.Errorf("%v", err)
	}
}
