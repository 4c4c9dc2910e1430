package audit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMain is also the process that TestNoAcknowledgedRecordIsLostWhenTheProcessIsKilled kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv("VECGATE_AUDIT_TEST_WRITE"); dir != "" {
		write(dir, os.Getenv("VECGATE_AUDIT_TEST_RUN"))
	}
	os.Exit(m.Run())
}

// write appends for ever, and says on standard output what has become durable.
func write(dir, run string) {
	l, err := Open(context.Background(), Options{Dir: dir, Origin: "vecgate/test", Self: true, Segment: 64 << 10, Checkpoint: 5 * time.Millisecond})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	var mu sync.Mutex
	for a := range 16 {
		go func() {
			session := fmt.Sprintf("%s-%d", run, a)
			for n := 0; ; n++ {
				r := intent(session, n)
				_ = l.Body(r.Request, Asked, []byte("select "+r.Request))
				if err := l.Append(r).Wait(context.Background()); err != nil {
					fmt.Println("error", err)
					os.Exit(1)
				}
				mu.Lock()
				fmt.Println("durable", r.Seq, r.Request)
				mu.Unlock()
				l.Append(outcome(session, n))
			}
		}()
	}
	select {}
}

func TestNoAcknowledgedRecordIsLostWhenTheProcessIsKilled(t *testing.T) {
	dir := t.TempDir()
	promised := make(map[uint64]string)
	for run := range 5 {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), "VECGATE_AUDIT_TEST_WRITE="+dir, fmt.Sprintf("VECGATE_AUDIT_TEST_RUN=run%d", run))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		kill := 100 + rand.IntN(1500)
		for n := 0; lines.Scan(); n++ {
			var seq uint64
			var request string
			if _, err := fmt.Sscanf(lines.Text(), "durable %d %s", &seq, &request); err != nil {
				if n < kill {
					t.Errorf("writer says %q", lines.Text())
				}
				continue // killed while it wrote the line
			}
			if other, twice := promised[seq]; twice {
				t.Fatalf("record %d was promised to %s and to %s", seq, other, request)
			}
			promised[seq] = request
			if n == kill {
				_ = cmd.Process.Kill()
			}
		}
		_ = cmd.Wait()

		l := open(t, Options{Dir: dir, Segment: 64 << 10})
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		checkLog(t, dir)
		r, err := OpenDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for record, err := range r.Records(t.Context(), 0, 0, Filter{}) {
			if err != nil {
				t.Fatal(err)
			}
			if request, ok := promised[record.Seq]; ok {
				if record.Request != request || record.Type != TypeIntent {
					t.Fatalf("record %d is the %s of %s, and was promised to %s", record.Seq, record.Type, record.Request, request)
				}
				found++
			}
			if record.Type != TypeRecovered && !strings.HasPrefix(record.Session, "run") {
				t.Fatalf("record %d was never appended: %+v", record.Seq, record)
			}
		}
		if found != len(promised) {
			t.Fatalf("run %d: %d records were promised, %d are there", run, len(promised), found)
		}
	}
}

// unfinished makes a log that nobody closed, and that has nothing signed yet: its last group holds one exchange.
func unfinished(t *testing.T, groups int) (dir string, records uint64) {
	running := t.TempDir()
	l := open(t, Options{Dir: running, Checkpoint: time.Hour})
	for n := range groups {
		request := intent("s", n).Request
		if err := l.Body(request, Asked, []byte("select 1")); err != nil {
			t.Fatal(err)
		}
		l.Append(intent("s", n))
		if err := l.Append(outcome("s", n)).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return copyDir(t, running), l.State().Records
}

func TestATailTornAtAnyByteIsDroppedAndRecorded(t *testing.T) {
	whole, _ := unfinished(t, 3)
	frames := readSegment(t, whole, 1)
	b, err := os.ReadFile(segmentPath(whole, 1))
	if err != nil {
		t.Fatal(err)
	}
	var offsets []int // where each frame begins
	at := 0
	for range frames {
		offsets = append(offsets, at)
		_, size, err := parseFrame(b[at:])
		if err != nil {
			t.Fatal(err)
		}
		at += size
	}
	end := at
	lastGroup := len(frames) - 1
	for frames[lastGroup-1].kind != kindCommit {
		lastGroup--
	}
	for lane := range 8 { // side by side, because each one waits for the disk most of the time
		t.Run(fmt.Sprintf("lane %d", lane), func(t *testing.T) {
			t.Parallel()
			for tear := offsets[lastGroup] + 1 + lane; tear < end; tear += 8 {
				for _, kind := range []string{"short", "zeros", "garbage"} {
					if kind != "short" && tear%7 != 0 {
						continue
					}
					tearAt(t, whole, b[:end], frames, offsets, tear, kind)
				}
			}
		})
	}
}

// tearAt opens a copy of a log whose segment is torn at a byte.
func tearAt(t *testing.T, whole string, segment []byte, frames []rawFrame, offsets []int, tear int, kind string) {
	t.Helper()
	dir := copyDir(t, whole)
	torn := bytes.Clone(segment)
	switch kind {
	case "short":
		torn = torn[:tear]
	case "zeros":
		clear(torn[tear:])
	case "garbage":
		for i := range torn[tear:] {
			torn[tear+i] ^= 0xA5
		}
	}
	if err := os.WriteFile(segmentPath(dir, 1), torn, 0o600); err != nil {
		t.Fatal(err)
	}
	var want uint64 // whole records before the tear
	onFrame := false
	for i, f := range frames {
		if i+1 < len(offsets) && offsets[i+1] <= tear && f.kind == kindRecord {
			want++
		}
		onFrame = onFrame || offsets[i] == tear
	}
	l := open(t, Options{Dir: dir, Segment: 4 << 10})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	report := checkLog(t, dir)
	recovered := uint64(len(report.Recoveries))
	if report.Records != want+recovered || recovered > 1 || recovered == 0 && !onFrame && kind == "short" {
		t.Fatalf("%s at byte %d: %d records and %d recoveries, want %d records", kind, tear, report.Records-recovered, recovered, want)
	}
}

func TestDamageBeforeTheLastGroupIsNotTakenForATornTail(t *testing.T) {
	whole, _ := unfinished(t, 5)
	b, err := os.ReadFile(segmentPath(whole, 1))
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b, []byte(`{"seq":2,`))
	for _, damage := range []int{at + 30, at - frameHeader, at - frameHeader + 7} {
		dir := copyDir(t, whole)
		b := bytes.Clone(b)
		b[damage] ^= 8
		if err := os.WriteFile(segmentPath(dir, 1), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := tryOpen(t, Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "not what a crash leaves behind") {
			t.Errorf("damage at byte %d: Open says %v", damage, err)
		}
		after, err := os.ReadFile(segmentPath(dir, 1))
		if err != nil || !bytes.Equal(after, b) {
			t.Errorf("Open changed the evidence that it refused: %v", err)
		}
	}
}

func TestALogSmallerThanWhatWasSignedIsRefused(t *testing.T) {
	original := evidence(t, 100, 16<<10)
	segments, err := listSegments(original)
	if err != nil {
		t.Fatal(err)
	}
	final := segments[len(segments)-1]
	newest, err := os.ReadFile(filepath.Join(original, tilesDir, "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}

	t.Run("a segment is gone", func(t *testing.T) {
		dir := copyDir(t, original)
		_ = os.Remove(segmentPath(dir, final))
		if _, err := tryOpen(t, Options{Dir: dir}); !errors.Is(err, ErrRollback) {
			t.Errorf("Open says %v", err)
		}
	})
	t.Run("a segment in the middle is gone", func(t *testing.T) {
		dir := copyDir(t, original)
		_ = os.Remove(segmentPath(dir, final-1))
		if _, err := tryOpen(t, Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "is missing") {
			t.Errorf("Open says %v", err)
		}
	})
	t.Run("the last records are gone", func(t *testing.T) {
		dir := copyDir(t, original)
		frames := readSegment(t, dir, final)
		writeSegment(t, dir, final, frames[:frameAt(t, frames, kindRecord, 1)])
		if _, err := tryOpen(t, Options{Dir: dir}); !errors.Is(err, ErrRollback) {
			t.Errorf("Open says %v", err)
		}
	})
	t.Run("the last records are gone and the published checkpoint with them", func(t *testing.T) {
		dir := copyDir(t, original)
		frames := readSegment(t, dir, final)
		writeSegment(t, dir, final, frames[:frameAt(t, frames, kindRecord, 1)])
		_ = os.Remove(filepath.Join(dir, tilesDir, "checkpoint"))
		if _, err := tryOpen(t, Options{Dir: dir}); !errors.Is(err, ErrRollback) {
			t.Errorf("Open says %v", err)
		}
	})
	t.Run("a record of the last segment was changed", func(t *testing.T) {
		dir := copyDir(t, original)
		frames := readSegment(t, dir, final)
		i := frameAt(t, frames, kindRecord, 0)
		frames[i].payload = bytes.Replace(frames[i].payload, []byte("alice"), []byte("mallo"), 1)
		writeSegment(t, dir, final, frames)
		_ = os.Remove(filepath.Join(dir, syncedName))
		if _, err := tryOpen(t, Options{Dir: dir}); !errors.Is(err, ErrRollback) {
			t.Errorf("Open says %v", err)
		}
	})
	t.Run("the whole directory is an older copy, and a newer checkpoint is known", func(t *testing.T) {
		dir := copyDir(t, original)
		l := open(t, Options{Dir: dir, Known: [][]byte{newest}})
		exchange(t, l, "later", 1)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		later, err := os.ReadFile(filepath.Join(dir, tilesDir, "checkpoint"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tryOpen(t, Options{Dir: original, Known: [][]byte{later}}); !errors.Is(err, ErrRollback) {
			t.Errorf("Open says %v", err)
		}
	})
	t.Run("all tiles are gone", func(t *testing.T) {
		dir := copyDir(t, original)
		_ = os.RemoveAll(filepath.Join(dir, tilesDir, "tile"))
		l := open(t, Options{Dir: dir})
		exchange(t, l, "later", 1)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		checkLog(t, dir)
	})
}

func TestTwoProcessesCannotWriteOneLog(t *testing.T) {
	dir := t.TempDir()
	open(t, Options{Dir: dir})
	if _, err := tryOpen(t, Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "another process writes this log") {
		t.Errorf("Open says %v", err)
	}
}
