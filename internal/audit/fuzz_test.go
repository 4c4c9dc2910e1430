package audit

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
)

func FuzzParseFrame(f *testing.F) {
	b := append(beginFrame(nil), "payload"...)
	endFrame(b, 0, kindRecord, 3, 9)
	f.Add(b)
	f.Add(b[:10])
	f.Add([]byte{frameVersion})
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, size, err := parseFrame(b)
		if err != nil {
			return
		}
		if size > len(b) || len(frame.payload) != size-frameHeader {
			t.Fatalf("frame of %d bytes in %d", size, len(b))
		}
		again := append(beginFrame(nil), frame.payload...)
		endFrame(again, 0, frame.kind, frame.number, frame.group)
		if !bytes.Equal(again, b[:size]) {
			t.Fatal("a frame that parses is not the frame that would be written")
		}
	})
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add(appendRecord(nil, sample()))
	f.Add([]byte(`{"seq":1,"time":"2026-01-01T00:00:00Z","type":"intent"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Record
		if err := DecodeRecord(b, &r); err != nil {
			return
		}
		want, err := json.Marshal(&r)
		if err != nil {
			return // a time that JSON cannot say
		}
		if got := appendRecord(nil, &r); !bytes.Equal(got, want) {
			t.Fatalf("appendRecord\n got %s\nwant %s", got, want)
		}
	})
}

func FuzzParseBody(f *testing.F) {
	_, _, err := newSealer("vecgate/test", 3, nil)
	if err == nil {
		f.Fatal("a key was wrapped to nobody")
	}
	s := &sealer{key: 3, origin: []byte("x")}
	if s.aead, err = newAEAD(make([]byte, 32)); err != nil {
		f.Fatal(err)
	}
	for codec, text := range [][]byte{codecPlain: []byte("select"), codecS2: {5, 4, 'a'}, codecDigits: {0, 0, 1, 'a', 0, 0, 1, 0x21}} {
		body, _ := s.appendBody(nil, nil, "s.1", Asked, byte(codec), text)
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		parsed, err := parseBody(b)
		if err != nil {
			return
		}
		if len(parsed.header)+len(parsed.sealed) != len(b) {
			t.Fatal("bytes of the payload are neither header nor sealed")
		}
		_, _ = parsed.open("x", s.aead)
	})
}

func FuzzCheckProof(f *testing.F) {
	dir := f.TempDir()
	s, err := loadSigner(filepath.Join(dir, "key"), "vecgate/test")
	if err != nil {
		f.Fatal(err)
	}
	envelope := []byte(`{"seq":0}`)
	msg, err := note.Sign(&note.Note{Text: checkpointText("vecgate/test", 1, leafHash(append([]byte{0}, envelope...), span{1, 1 + len(envelope)}))}, s)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(proofFormat + "\nindex 0\n\n" + string(msg)))
	f.Add([]byte(proofFormat + "\nextra AA==\nindex 0\n\n" + string(msg)))
	f.Fuzz(func(t *testing.T, proof []byte) {
		if seq, err := CheckProof(proof, envelope, s.verifier); err == nil && seq != 0 {
			t.Fatalf("the only record is number %d", seq)
		}
		if _, err := CheckProof(proof, []byte(`{"seq":1}`), s.verifier); err == nil {
			t.Fatal("another record is proven")
		}
	})
}

// FuzzVerifySegment verifies a log whose segment an intruder, or a broken disk, has filled.
func FuzzVerifySegment(f *testing.F) {
	dir := evidence(f, 3, 64<<10)
	whole, err := os.ReadFile(segmentPath(dir, 1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(segmentPath(dir, 1), b, 0o600); err != nil {
			t.Fatal(err)
		}
		report, err := Verify(t.Context(), dir, VerifyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if report.OK() && !bytes.Equal(bytes.TrimRight(b, "\x00"), bytes.TrimRight(whole, "\x00")) {
			t.Fatalf("a changed segment passes: %+v", report)
		}
	})
}

func FuzzParseCheckpoint(f *testing.F) {
	s, err := loadSigner(filepath.Join(f.TempDir(), "key"), "vecgate/test")
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{checkpointText("vecgate/test", 7, leafHash(make([]byte, 9), span{1, 9})), "vecgate/test\n07\nAAAA\n", "vecgate/other\n7\n\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		msg, err := note.Sign(&note.Note{Text: text}, s)
		if err != nil {
			return
		}
		c, err := ParseCheckpoint(msg, s.verifier)
		if err != nil {
			return
		}
		if want := checkpointText("vecgate/test", c.Size, c.Root); !bytes.HasPrefix([]byte(text), []byte(want)) {
			t.Fatalf("%q is read as %q", text, want)
		}
		if _, err := ParseCheckpoint(append(msg, 'x'), s.verifier); err == nil {
			t.Fatal("something may follow the signature")
		}
	})
}

func FuzzSplitBundle(f *testing.F) {
	f.Add(appendEntry(appendEntry(nil, []byte("one")), []byte("two")), 2)
	f.Add([]byte{0, 9, 'x'}, 1)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		entries, err := splitBundle(b, n)
		if err != nil {
			return
		}
		var again []byte
		for _, e := range entries {
			again = appendEntry(again, e)
		}
		if len(entries) < n || !bytes.HasPrefix(b, again) {
			t.Fatalf("%d entries, want %d", len(entries), n)
		}
	})
}

func FuzzReadHistory(f *testing.F) {
	line, err := json.Marshal(kept{Note: "vecgate/test\n7\n"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(line, '\n'))
	f.Add(append(line[:20:20], line...))
	name := filepath.Join(f.TempDir(), "day.jsonl")
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_ = historyOf(name, func(time.Time, []byte) error { return nil })
	})
}
