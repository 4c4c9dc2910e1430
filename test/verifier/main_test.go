package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/audit"
)

// publish makes a log of so many records and returns its directory.
func publish(t *testing.T, records int) string {
	t.Helper()
	dir := t.TempDir()
	l, err := audit.Open(t.Context(), audit.Options{Dir: dir, Origin: "vecgate/second-opinion", Self: true, Segment: 1 << 20, Checkpoint: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for n := range records {
		l.Append(&audit.Record{Type: audit.TypeIntent, Request: fmt.Sprintf("s.%d", n), Subject: "corp:alice"})
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestTheSecondOpinionAgreesAtEverySize(t *testing.T) {
	for _, records := range []int{1, 2, 255, 256, 257, 600, 65536 + 256 + 3} {
		dir := publish(t, records)
		var out bytes.Buffer
		if err := run(&out, filepath.Join(dir, "log.pub"), filepath.Join(dir, "tiles")); err != nil {
			t.Fatalf("%d records: %v", records, err)
		}
		report, err := audit.Verify(t.Context(), dir, audit.VerifyOptions{})
		if err != nil || !report.OK() {
			t.Fatalf("%d records: %+v %v", records, report, err)
		}
		if want := fmt.Sprintf("%d records, root %s, ", records, report.Root); !strings.HasPrefix(out.String(), want) {
			t.Errorf("second opinion %q, first %q", out.String(), want)
		}
	}
}

func TestTheSecondOpinionFindsAnyChangedByte(t *testing.T) {
	dir := publish(t, 300)
	key := filepath.Join(dir, "log.pub")
	published := filepath.Join(dir, "tiles")
	err := fs.WalkDir(os.DirFS(published), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		file := filepath.Join(published, name)
		whole, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for at := 0; at < len(whole); at += 1 + len(whole)/50 {
			b := bytes.Clone(whole)
			b[at] ^= 2
			if err := os.WriteFile(file, b, 0o600); err != nil {
				return err
			}
			if err := run(&bytes.Buffer{}, key, published); err == nil {
				t.Errorf("byte %d of %s is changed, and nothing is found", at, name)
			}
		}
		return os.WriteFile(file, whole, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := run(&bytes.Buffer{}, key, published); err != nil {
		t.Errorf("unchanged: %v", err)
	}
}
