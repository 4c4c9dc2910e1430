package audit

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"golang.org/x/mod/sumdb/tlog"
)

// rawFrame is a frame that a test may change.
type rawFrame struct {
	kind    kind
	number  uint64
	group   uint32
	payload []byte
}

func readSegment(t testing.TB, dir string, number uint32) []rawFrame {
	t.Helper()
	b, err := os.ReadFile(segmentPath(dir, number))
	if err != nil {
		t.Fatal(err)
	}
	var all []rawFrame
	for {
		f, size, err := parseFrame(b)
		if err != nil {
			return all
		}
		all = append(all, rawFrame(f))
		b = b[size:]
	}
}

// writeSegment writes frames with good checksums, as an intruder would who knows the format.
func writeSegment(t testing.TB, dir string, number uint32, frames []rawFrame) {
	t.Helper()
	var b []byte
	for _, f := range frames {
		start := len(b)
		b = append(beginFrame(b), f.payload...)
		endFrame(b, start, f.kind, f.number, f.group)
	}
	if err := os.WriteFile(segmentPath(dir, number), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// renumber gives frames the numbers that hide what was removed.
func renumber(frames []rawFrame) {
	n := frames[0].number
	for i := range frames[1:] {
		f := &frames[i+1]
		f.number = n
		if f.kind == kindRecord || f.kind == kindBody {
			n++
		}
	}
}

// seqOf is the sequence number of the i-th frame of a segment, or of the record that it stands before.
func seqOf(t testing.TB, dir string, number uint32, i int) uint64 {
	t.Helper()
	s, err := openSegment(dir, number)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	seq := s.header.Record
	for _, f := range readSegment(t, dir, number)[:i] {
		if f.kind == kindRecord {
			seq++
		}
	}
	return seq
}

// frameAt returns the index of the nth frame of a kind.
func frameAt(t testing.TB, frames []rawFrame, k kind, nth int) int {
	t.Helper()
	for i, f := range frames {
		if f.kind == k {
			if nth--; nth < 0 {
				return i
			}
		}
	}
	t.Fatalf("segment has too few frames of kind %d", k)
	return 0
}

// evidence makes a closed log of several segments, and returns its directory.
func evidence(t testing.TB, exchanges int, size int64) string {
	dir := t.TempDir()
	l := open(t, Options{Dir: dir, Segment: size})
	for n := range exchanges {
		exchange(t, l, fmt.Sprintf("s%d", n%7), n)
	}
	if err := l.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{signerName, selfName} {
		if err := os.Chmod(filepath.Join(to, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// firstSealed is the record that the first body under a key stands before.
func firstSealed(t testing.TB, dir string, key uint32) uint64 {
	t.Helper()
	for i, f := range readSegment(t, dir, key) {
		if f.kind != kindBody {
			continue
		}
		if b, err := parseBody(f.payload); err == nil && b.key == key {
			return seqOf(t, dir, key, i)
		}
	}
	t.Fatalf("nothing is sealed under key %d", key)
	return 0
}

func TestVerifyFindsEveryKindOfTampering(t *testing.T) {
	original := evidence(t, 400, 48<<10)
	segments, err := listSegments(original)
	if err != nil || len(segments) < 4 {
		t.Fatalf("%d segments, %v", len(segments), err)
	}
	checkLog(t, original)
	const victim = 2
	from := seqOf(t, original, victim, 0)

	// forge changes the envelope of the nth record of a segment into another one of the same length.
	forge := func(t *testing.T, dir string, nth int) uint64 {
		frames := readSegment(t, dir, victim)
		i := frameAt(t, frames, kindRecord, nth)
		frames[i].payload = bytes.Replace(frames[i].payload, []byte("alice"), []byte("mallo"), 1)
		writeSegment(t, dir, victim, frames)
		return seqOf(t, dir, victim, i)
	}
	for _, test := range []struct {
		name string
		do   func(t *testing.T, dir string) uint64 // returns the record that must be named
		what string
	}{
		{"a record with a flipped bit", func(t *testing.T, dir string) uint64 {
			name := segmentPath(dir, victim)
			b, _ := os.ReadFile(name)
			at := bytes.Index(b, []byte(fmt.Sprintf(`{"seq":%d,`, from+30)))
			b[at+40] ^= 4
			_ = os.WriteFile(name, b, 0o600)
			return from + 30
		}, "damaged"},
		{"a length field with a flipped bit", func(t *testing.T, dir string) uint64 {
			name := segmentPath(dir, victim)
			b, _ := os.ReadFile(name)
			at := bytes.Index(b, []byte(fmt.Sprintf(`{"seq":%d,`, from+30)))
			b[at-frameHeader+6] ^= 1
			_ = os.WriteFile(name, b, 0o600)
			return from + 30
		}, ""},
		{"a record changed by somebody who knows the format", func(t *testing.T, dir string) uint64 {
			return forge(t, dir, 20)
		}, "not the one that was published"},
		{"a record and every tile changed", func(t *testing.T, dir string) uint64 {
			seq := forge(t, dir, 20)
			republish(t, dir)
			return seq
		}, "not those that were signed"},
		{"a record and every tile changed, and the checkpoints signed by another key", func(t *testing.T, dir string) uint64 {
			forge(t, dir, 20)
			republish(t, dir)
			other := t.TempDir()
			s, err := loadSigner(filepath.Join(other, "key"), "vecgate/test")
			if err != nil {
				t.Fatal(err)
			}
			resign(t, dir, s)
			return 0
		}, "checkpoint: "},
		{"a record removed", func(t *testing.T, dir string) uint64 {
			frames := readSegment(t, dir, victim)
			i := frameAt(t, frames, kindRecord, 11)
			writeSegment(t, dir, victim, append(frames[:i:i], frames[i+1:]...))
			return from + 11
		}, "missing"},
		{"a record removed and the rest numbered anew", func(t *testing.T, dir string) uint64 {
			frames := readSegment(t, dir, victim)
			i := frameAt(t, frames, kindRecord, 11)
			frames = append(frames[:i:i], frames[i+1:]...)
			renumber(frames)
			writeSegment(t, dir, victim, frames)
			return from + 11
		}, ""},
		{"two records in each other's place", func(t *testing.T, dir string) uint64 {
			frames := readSegment(t, dir, victim)
			i, j := frameAt(t, frames, kindRecord, 5), frameAt(t, frames, kindRecord, 9)
			frames[i], frames[j] = frames[j], frames[i]
			writeSegment(t, dir, victim, frames)
			return from + 5
		}, ""},
		{"two records in each other's place under each other's number", func(t *testing.T, dir string) uint64 {
			frames := readSegment(t, dir, victim)
			i, j := frameAt(t, frames, kindRecord, 5), frameAt(t, frames, kindRecord, 9)
			frames[i].payload, frames[j].payload = frames[j].payload, frames[i].payload
			writeSegment(t, dir, victim, frames)
			return from + 5
		}, "not the one that was published"},
		{"a record put in later", func(t *testing.T, dir string) uint64 {
			frames := readSegment(t, dir, victim)
			i := frameAt(t, frames, kindRecord, 5)
			frames = append(frames[:i:i], append([]rawFrame{frames[i]}, frames[i:]...)...)
			renumber(frames)
			writeSegment(t, dir, victim, frames)
			return from + 6
		}, ""},
		{"what was said changed", func(t *testing.T, dir string) uint64 {
			frames := readSegment(t, dir, victim)
			i := frameAt(t, frames, kindBody, 8)
			frames[i].payload[len(frames[i].payload)-1] ^= 1
			writeSegment(t, dir, victim, frames)
			return seqOf(t, dir, victim, i)
		}, "digest"},
		{"what was said removed", func(t *testing.T, dir string) uint64 {
			frames := readSegment(t, dir, victim)
			i := frameAt(t, frames, kindBody, 8)
			seq := seqOf(t, dir, victim, i)
			frames = append(frames[:i:i], frames[i+1:]...)
			renumber(frames)
			writeSegment(t, dir, victim, frames)
			return seq
		}, "missing"},
		{"what was said replaced by the claim that its retention has ended", func(t *testing.T, dir string) uint64 {
			frames := readSegment(t, dir, victim)
			i := frameAt(t, frames, kindBody, 8)
			frames[i].kind, frames[i].payload = kindGone, []byte{0, 0, 0, 0, 0, 0, 0, 1}
			writeSegment(t, dir, victim, frames)
			return seqOf(t, dir, victim, i)
		}, "no record says that it was destroyed"},
		{"what was said given to another request", func(t *testing.T, dir string) uint64 {
			frames := readSegment(t, dir, victim)
			i := frameAt(t, frames, kindBody, 8)
			seq := seqOf(t, dir, victim, i)
			at := bodyHeader
			frames[i].payload[at] ^= 1
			writeSegment(t, dir, victim, frames)
			return seq
		}, ""},
		{"a segment cut off", func(t *testing.T, dir string) uint64 {
			frames := readSegment(t, dir, victim)
			i := frameAt(t, frames, kindRecord, 40)
			writeSegment(t, dir, victim, frames[:i])
			return from + 40
		}, "missing"},
		{"a segment removed", func(t *testing.T, dir string) uint64 {
			_ = os.Remove(segmentPath(dir, victim))
			return from
		}, "missing"},
		{"the first segment removed", func(t *testing.T, dir string) uint64 {
			_ = os.Remove(segmentPath(dir, segments[0]))
			return 0
		}, "no record says that their retention ended"},
		{"the last segment removed", func(t *testing.T, dir string) uint64 {
			number := segments[len(segments)-1]
			seq := seqOf(t, dir, number, 0)
			_ = os.Remove(segmentPath(dir, number))
			return seq
		}, "missing at the end"},
		{"the last record removed", func(t *testing.T, dir string) uint64 {
			number := segments[len(segments)-1]
			frames := readSegment(t, dir, number)
			i := len(frames) - 1
			for frames[i].kind != kindRecord {
				i--
			}
			seq := seqOf(t, dir, number, i)
			writeSegment(t, dir, number, frames[:i])
			return seq
		}, "missing at the end"},
		{"a tile changed", func(t *testing.T, dir string) uint64 {
			name := tiles{filepath.Join(dir, tilesDir)}.file(0, 1, tileWidth)
			b, _ := os.ReadFile(name)
			b[33] ^= 1
			_ = os.WriteFile(name, b, 0o600)
			return 257
		}, "published"},
		{"an entry bundle changed", func(t *testing.T, dir string) uint64 {
			name := tiles{filepath.Join(dir, tilesDir)}.file(entriesLevel, 1, tileWidth)
			b, _ := os.ReadFile(name)
			b[33] ^= 1
			_ = os.WriteFile(name, b, 0o600)
			return 256
		}, "tile"},
		{"a data key removed", func(t *testing.T, dir string) uint64 {
			_ = os.Remove(keyPath(dir, victim))
			return firstSealed(t, dir, victim)
		}, "no record says that it was destroyed"},
		{"a data key replaced", func(t *testing.T, dir string) uint64 {
			b, _ := os.ReadFile(keyPath(dir, victim+1))
			_ = os.WriteFile(keyPath(dir, victim), b, 0o600)
			return firstSealed(t, dir, victim)
		}, "stands where data key"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := copyDir(t, original)
			seq := test.do(t, dir)
			report := verify(t, dir)
			if report.OK() {
				t.Fatal("verify found nothing")
			}
			for _, p := range report.Problems {
				if p.Seq <= seq && seq <= max(p.Seq, p.Until) && strings.Contains(p.What, test.what) {
					return
				}
			}
			t.Errorf("no problem names record %d with %q: %+v", seq, test.what, report.Problems)
		})
	}
}

// republish makes all tiles fit the records, as an intruder would who may write everywhere but has no key.
func republish(t testing.TB, dir string) (*tree, []byte) {
	t.Helper()
	published := tiles{filepath.Join(dir, tilesDir)}
	var tr tree
	var entries []byte
	r := &Reader{dir: dir}
	err := r.frames(t.Context(), 0, func(_ uint64, f *frame) error {
		if f.kind != kindRecord {
			return nil
		}
		entries = appendEntry(entries, f.payload)
		return tr.add(tlog.RecordHash(f.payload), func(level int, index uint64, hashes []tlog.Hash) error {
			if level == 0 {
				if err := published.write(entriesLevel, index, tileWidth, entries); err != nil {
					return err
				}
				entries = entries[:0]
			}
			return published.write(level, index, tileWidth, joinHashes(nil, hashes))
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	for level, row := range tr.rows {
		if len(row) > 0 {
			if err := published.write(level, tr.size>>(tileHeight*(level+1)), len(row), joinHashes(nil, row)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := published.write(entriesLevel, tr.size/tileWidth, int(tr.size%tileWidth), entries); err != nil {
		t.Fatal(err)
	}
	return &tr, entries
}

// resign replaces every checkpoint by one that another key signed.
func resign(t testing.TB, dir string, s *signer) {
	t.Helper()
	tr, entries := republish(t, dir)
	f := follower{l: &Log{opts: Options{Dir: dir, Origin: "vecgate/test"}}, signer: s, tree: *tr, entries: entries, wrote: map[int]int{}, tiles: tiles{filepath.Join(dir, tilesDir)}}
	f.l.opts.defaults()
	if err := os.RemoveAll(filepath.Join(dir, checkpointsDir)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, checkpointsDir), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := f.sign(); err != nil {
		t.Fatal(err)
	}
}

func TestVerifyBelievesTheKeyThatIsBroughtAlong(t *testing.T) {
	dir := evidence(t, 400, 48<<10)
	key, err := PublicKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	yesterday, err := os.ReadFile(filepath.Join(dir, tilesDir, "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}

	// Somebody who owns the machine makes another history and signs it, in the log's own name, with the log's own key.
	forged := copyDir(t, dir)
	frames := readSegment(t, forged, 1)
	i := frameAt(t, frames, kindRecord, 3)
	frames[i].payload = bytes.Replace(frames[i].payload, []byte("alice"), []byte("mallo"), 1)
	writeSegment(t, forged, 1, frames)
	s, err := loadSigner(filepath.Join(forged, signerName), "vecgate/test")
	if err != nil {
		t.Fatal(err)
	}
	resign(t, forged, s)
	report, err := Verify(t.Context(), forged, VerifyOptions{Key: key})
	if err != nil || !report.OK() {
		t.Fatalf("a log that its own key signs agrees with itself: %+v %v", report, err)
	}
	report, err = Verify(t.Context(), forged, VerifyOptions{Key: key, Known: [][]byte{yesterday}})
	if err != nil || report.OK() {
		t.Errorf("a checkpoint that was kept elsewhere does not give the other history away: %v", err)
	}

	// The same with a key of their own.
	other, err := loadSigner(filepath.Join(t.TempDir(), "key"), "vecgate/test")
	if err != nil {
		t.Fatal(err)
	}
	resign(t, forged, other)
	if err := os.WriteFile(filepath.Join(forged, publicName), []byte(other.public), 0o600); err != nil {
		t.Fatal(err)
	}
	report, err = Verify(t.Context(), forged, VerifyOptions{Key: key})
	if err != nil || report.OK() {
		t.Errorf("a log signed by another key passes: %v", err)
	}
}

func TestVerifyNeedsNoIdentity(t *testing.T) {
	dir := evidence(t, 400, 48<<10)
	if report, err := Verify(t.Context(), dir, VerifyOptions{}); err != nil || !report.OK() || report.Sealed != report.Bodies || report.Bodies == 0 {
		t.Errorf("without an identity: %+v %v", report, err)
	}
	stranger, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	report, err := Verify(t.Context(), dir, VerifyOptions{Identities: []age.Identity{stranger}})
	if err != nil || !report.OK() || report.Unsealed != 0 {
		t.Errorf("with a stranger's identity: %+v %v", report, err)
	}
}

func TestBitFlipsAnywhereAreFound(t *testing.T) {
	dir := evidence(t, 16, 3<<10)
	name := segmentPath(dir, 3)
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	first := frameHeader + int(binary.BigEndian.Uint32(whole[4:]))
	end := first
	for range 8 { // the frames of two exchanges, every byte of them
		_, size, err := parseFrame(whole[end:])
		if err != nil {
			t.Fatal(err)
		}
		end += size
	}
	for at := first; at < end; at++ {
		b := bytes.Clone(whole)
		b[at] ^= 1 << (at % 8)
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		report, err := Verify(t.Context(), dir, VerifyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if report.OK() {
			t.Fatalf("a flipped bit at byte %d is not found", at)
		}
	}
}
