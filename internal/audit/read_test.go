package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
)

func TestBodiesOpenForTheirRecipientsOnly(t *testing.T) {
	auditor, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	l := open(t, Options{Dir: dir, Recipients: []string{auditor.Recipient().String()}})
	long := strings.Repeat("a long answer, which is compressed and cut into pieces; ", 20_000)
	request := intent("s1", 1).Request
	if err := l.Body(request, Asked, []byte("select secret")); err != nil {
		t.Fatal(err)
	}
	l.Append(intent("s1", 1))
	if err := l.Body(request, Answered, []byte(long)); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(outcome("s1", 1)).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	said := func(r *Reader) (asked, answered string, err error) {
		for piece, err := range r.Session(t.Context(), "s1", 0, 0) {
			if err != nil {
				t.Fatal(err)
			}
			if piece.Record != nil {
				continue
			}
			b, err := r.Unseal(piece)
			if err != nil {
				return "", "", err
			}
			if piece.Direction == Asked {
				asked += string(b)
			} else {
				answered += string(b)
			}
		}
		return asked, answered, nil
	}
	if _, _, err := said(l.Reader()); !errors.Is(err, ErrSealed) {
		t.Errorf("the gateway itself reads what is sealed to the auditor: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name       string
		identities []age.Identity
		want       error
	}{
		{"the auditor", []age.Identity{auditor}, nil},
		{"a stranger", []age.Identity{stranger}, ErrSealed},
		{"nobody", nil, ErrSealed},
	} {
		r, err := OpenDir(dir, test.identities...)
		if err != nil {
			t.Fatal(err)
		}
		asked, answered, err := said(r)
		if !errors.Is(err, test.want) || err == nil && (asked != "select secret" || answered != long) {
			t.Errorf("%s reads %q and %d bytes: %v", test.name, asked, len(answered), err)
		}
	}
	// What was said stands nowhere in clear.
	err = filepath.Walk(dir, func(name string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		if err == nil && (strings.Contains(string(b), "select secret") || strings.Contains(string(b), "a long answer")) {
			t.Errorf("%s holds what was said in clear", name)
		}
		if perm := info.Mode().Perm(); err == nil && perm&0o077 != 0 && (strings.HasSuffix(name, ".seg") || strings.HasSuffix(name, ".key")) {
			t.Errorf("%s has mode %o", name, perm)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestALogThatNobodyCouldReadIsRefused(t *testing.T) {
	_, err := Open(t.Context(), Options{Dir: t.TempDir(), Origin: "vecgate/test"})
	if err == nil || !strings.Contains(err.Error(), "nobody could read what is recorded") {
		t.Errorf("Open says %v", err)
	}
}

func TestASigningKeyThatOthersCanReadIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, Options{Dir: dir}).Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{signerName, selfName} {
		if err := os.Chmod(filepath.Join(dir, name), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := tryOpen(t, Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("with %s readable by others Open says %v", name, err)
		}
		if err := os.Chmod(filepath.Join(dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestALogKeepsItsName(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, Options{Dir: dir}).Close(); err != nil {
		t.Fatal(err)
	}
	for _, signer := range []string{"", filepath.Join(t.TempDir(), "other.key")} {
		if _, err := tryOpen(t, Options{Dir: dir, Origin: "vecgate/other", Signer: signer}); err == nil || !strings.Contains(err.Error(), "keeps its name for ever") {
			t.Errorf("Open says %v", err)
		}
	}
}

func TestALogNeedsANameThatCanBeSigned(t *testing.T) {
	for _, origin := range []string{"vecgate/my gateway", "vecgate/a+b", "vecgate/a\nb"} {
		if _, err := tryOpen(t, Options{Origin: origin}); err == nil || !strings.Contains(err.Error(), "cannot be the name of a log") {
			t.Errorf("%q: Open says %v", origin, err)
		}
	}
}

func TestAHalfWrittenCheckpointIsPassedOver(t *testing.T) {
	dir := evidence(t, 5, 64<<10)
	days, err := filepath.Glob(filepath.Join(dir, checkpointsDir, "*.jsonl"))
	if err != nil || len(days) == 0 {
		t.Fatal(days, err)
	}
	day := days[len(days)-1]
	whole, err := os.ReadFile(day)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(day, append(whole, whole[:len(whole)/2]...), 0o600); err != nil {
		t.Fatal(err)
	}
	checkLog(t, dir)
	l := open(t, Options{Dir: dir}) // and the next one is appended to the half
	exchange(t, l, "later", 1)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if report := checkLog(t, dir); report.Signed != report.Records {
		t.Errorf("%d of %d records are signed", report.Signed, report.Records)
	}
}

func TestProofsHoldForTheirRecordOnly(t *testing.T) {
	dir := evidence(t, 300, 32<<10)
	r, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	key, err := PublicKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	other, err := loadSigner(filepath.Join(t.TempDir(), "key"), "vecgate/test")
	if err != nil {
		t.Fatal(err)
	}
	_, neighbour, err := r.Record(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, seq := range []uint64{0, 1, 255, 256, 511, 599} {
		proof, err := r.Prove(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		_, envelope, err := r.Record(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := CheckProof(proof, envelope, key); err != nil || got != seq {
			t.Errorf("proof of record %d says %d, %v", seq, got, err)
		}
		if _, err := CheckProof(proof, neighbour, key); err == nil {
			t.Errorf("proof of record %d holds for another record", seq)
		}
		if _, err := CheckProof(proof, envelope, other.verifier); err == nil {
			t.Errorf("proof of record %d holds under another key", seq)
		}
		at := strings.Index(string(proof), "\n\n") - 5
		if at > len(proofFormat)+12 {
			forged := append([]byte(nil), proof...)
			forged[at] = map[bool]byte{true: 'B', false: 'A'}[forged[at] == 'A']
			if _, err := CheckProof(forged, envelope, key); err == nil {
				t.Errorf("a forged proof of record %d holds", seq)
			}
		}
	}
	if _, err := r.Prove(t.Context(), 600); err == nil {
		t.Error("a record that does not exist is proven")
	}
}

func TestRetentionDestroysBodiesAndThenRecordsAndProofsStillHold(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	opts := Options{Dir: dir, Segment: 24 << 10, Bodies: 30 * 24 * time.Hour, Retention: 400 * 24 * time.Hour, Now: func() time.Time { return now }}
	l := open(t, opts)
	for n := range 300 {
		exchange(t, l, "old", n)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	segments, err := listSegments(dir)
	if err != nil || len(segments) < 3 {
		t.Fatalf("%d segments, %v", len(segments), err)
	}

	now = now.Add(25 * time.Hour)
	l = open(t, opts)
	now = now.Add(25 * time.Hour)
	exchange(t, l, "quiet", 0)
	if err := l.Age(t.Context()); err != nil { // a segment that is a day old is written no more
		t.Fatal(err)
	}
	exchange(t, l, "quiet", 1)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if after, err := listSegments(dir); err != nil || len(after) != len(segments)+2 {
		t.Fatalf("%d segments after two days, %v", len(after), err)
	}

	now = now.Add(40 * 24 * time.Hour)
	before := sizeOf(t, dir)
	l = open(t, opts)
	exchange(t, l, "new", 0)
	if err := l.Age(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := l.Age(t.Context()); err != nil { // nothing is done twice
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	report := checkLog(t, dir)
	if after := sizeOf(t, dir); after >= before {
		t.Errorf("the segments take %d bytes, and %d before", after, before)
	}
	// A piece that was sealed just before its segment was full is in the next one.
	if report.First != 0 || report.Destroyed < 602 || report.Destroyed > 603 || report.Destroyed+report.Unsealed != 606 || report.Records != 606+uint64(len(segments)+1) {
		t.Errorf("after 40 days: %+v", report)
	}
	self, err := SelfIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := OpenDir(dir, self)
	if err != nil {
		t.Fatal(err)
	}
	for piece, err := range r.Session(t.Context(), "old", 0, 10) {
		if err != nil {
			t.Fatal(err)
		}
		if piece.Record == nil {
			t.Fatal("a body that was destroyed is there")
		}
	}

	now = now.Add(370 * 24 * time.Hour)
	l = open(t, opts)
	if err := l.Age(t.Context()); err != nil {
		t.Fatal(err)
	}
	exchange(t, l, "newer", 0)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	report = checkLog(t, dir)
	if report.First < 600 {
		t.Errorf("after 410 days the first record is %d", report.First)
	}
	key, err := PublicKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := r.Prove(t.Context(), report.First+1)
	if err != nil {
		t.Fatal(err)
	}
	_, envelope, err := r.Record(t.Context(), report.First+1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := CheckProof(proof, envelope, key); err != nil {
		t.Error(err)
	}
	// And it still opens.
	l = open(t, opts)
	exchange(t, l, "newest", 0)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	checkLog(t, dir)
}

// sizeOf is how much room the segments take.
func sizeOf(t *testing.T, dir string) (size int64) {
	t.Helper()
	segments, err := listSegments(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range segments {
		info, err := os.Stat(segmentPath(dir, n))
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	return size
}

func TestReadingWhileItIsWritten(t *testing.T) {
	l := open(t, Options{Segment: 16 << 10, Checkpoint: 2 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; ctx.Err() == nil; n++ {
			exchange(t, l, fmt.Sprintf("s%d", n%3), n)
		}
	}()
	r := l.Reader()
	var next uint64
	for next < 3000 {
		more := r.Watch()
		for record, err := range r.Records(t.Context(), next, 0, Filter{}) {
			if err != nil {
				t.Fatal(err)
			}
			if record.Seq != next {
				t.Fatalf("record %d comes where record %d should", record.Seq, next)
			}
			next++
		}
		<-more
	}
	report, err := Verify(t.Context(), l.opts.Dir, VerifyOptions{Live: true, Identities: r.identities})
	if err != nil || !report.OK() {
		t.Errorf("live log: %+v %v", report, err)
	}
	cancel()
	<-done
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	checkLog(t, l.opts.Dir)
}
