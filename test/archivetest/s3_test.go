package archivetest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/minio/minio-go/v7"
	"golang.org/x/mod/sumdb/note"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/audit/archive"
)

const origin = "vecgate/test"

// log is an audit log that is archived.
type log struct {
	*audit.Log
	dir      string
	archiver *archive.Archiver
	store    archive.Store
	requests int
}

func open(t *testing.T, store archive.Store) *log {
	t.Helper()
	l := &log{dir: t.TempDir(), store: store}
	var err error
	l.Log, err = audit.Open(t.Context(), audit.Options{Dir: l.dir, Origin: origin, Self: true, Segment: 256 << 10, Checkpoint: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	l.archiver = l.archiving(t, l.dir)
	return l
}

func (l *log) archiving(t *testing.T, dir string) *archive.Archiver {
	t.Helper()
	key, err := note.NewVerifier(l.State().Key)
	if err != nil {
		t.Fatal(err)
	}
	return archive.New(archive.Options{Store: l.store, Dir: dir, Key: key, State: l.State, Record: func(*audit.Record) {}})
}

// work writes what n requests leave behind, and archives it.
func (l *log) work(t *testing.T, n int) {
	t.Helper()
	for range n {
		l.requests++
		request := fmt.Sprintf("s.%d", l.requests)
		if err := l.Body(request, audit.Asked, bytes.Repeat([]byte(request), 100)); err != nil {
			t.Fatal(err)
		}
		l.Append(&audit.Record{Type: audit.TypeIntent, Request: request, Subject: "corp:ana", Effect: access.Allow})
		l.Append(&audit.Record{Type: audit.TypeOutcome, Request: request, Subject: "corp:ana", Effect: access.Allow})
	}
	if err := l.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); l.State().Signed < l.State().Records; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("records are not signed after a minute")
		}
	}
	if err := l.archiver.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (l *log) verify(t *testing.T, keep time.Duration, mode string) *archive.Report {
	t.Helper()
	key, err := note.NewVerifier(l.State().Key)
	if err != nil {
		t.Fatal(err)
	}
	self, err := audit.SelfIdentity(l.dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := archive.Verify(t.Context(), l.store, archive.VerifyOptions{
		Key: key, Identities: []age.Identity{self}, Keep: keep, Mode: mode, Copy: filepath.Join(t.TempDir(), "copy"), Log: l.dir,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func inOrder(t *testing.T, r *archive.Report) {
	t.Helper()
	if !r.OK() {
		t.Fatalf("not in order: %+v\narchive %+v\nlog %+v", r.Problems, r.Archive.Problems, r.Log.Problems)
	}
}

// found wants a problem of the archive that says so.
func found(t *testing.T, r *archive.Report, what string) {
	t.Helper()
	if r.OK() {
		t.Errorf("nothing is wrong, want %q", what)
		return
	}
	for _, p := range append(r.Problems, r.Archive.Problems...) {
		if strings.Contains(p.What, what) {
			return
		}
	}
	t.Errorf("no problem says %q: %+v, archive %+v", what, r.Problems, r.Archive.Problems)
}

func TestALogIsArchivedOnAnS3ServerWithObjectLock(t *testing.T) {
	s := start(t, true)
	l := open(t, s.store(t, 48*time.Hour))
	l.work(t, 200)
	l.work(t, 30)
	r := l.verify(t, 48*time.Hour, "governance")
	inOrder(t, r)
	if r.Checkpoint != l.State().Signed || r.Archive.Unsealed == 0 {
		t.Errorf("checkpoint %d of %d is archived, and %d bodies can be read", r.Checkpoint, l.State().Signed, r.Archive.Unsealed)
	}

	// Another process goes on; what it finds there is what it would write.
	l.archiver = l.archiving(t, l.dir)
	l.work(t, 5)
	inOrder(t, l.verify(t, 48*time.Hour, "governance"))

	// Nobody but the lock's master takes anything away.
	for _, folder := range []string{"segments/", "tiles/", "checkpoints/"} {
		name := s.names(t, folder)[0]
		info, err := s.client.StatObject(t.Context(), bucket, name, minio.StatObjectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if info.VersionID == "" {
			t.Fatalf("%s has no version", name)
		}
		if err := s.client.RemoveObject(t.Context(), bucket, name, minio.RemoveObjectOptions{VersionID: info.VersionID}); err == nil {
			t.Errorf("%s was removed although it is locked", name)
		}
	}
	// But the keys of what was said, whose time comes earlier, in every version.
	key := strings.TrimPrefix(s.names(t, "keys/")[0], "logs/"+origin+"/")
	if err := l.store.Erase(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if _, err := l.store.Read(t.Context(), key, 1<<20); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an erased key reads with %v, want %v", err, fs.ErrNotExist)
	}
	err := l.store.Versions(t.Context(), func(v archive.Version) error {
		if v.Name == key {
			return fmt.Errorf("version %s of %s is still there (delete marker: %v)", v.ID, key, v.Deleted)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	found(t, l.verify(t, 48*time.Hour, "governance"), "no record says that it was destroyed")

	found(t, l.verify(t, 72*time.Hour, "governance"), "and should be until")
	found(t, l.verify(t, 48*time.Hour, "compliance"), "which some can lift")
}

func TestWhatIsDoneBehindADeleteMarkerOnAnS3ServerIsFound(t *testing.T) {
	s := start(t, true)
	l := open(t, s.store(t, 48*time.Hour))
	l.work(t, 50)
	inOrder(t, l.verify(t, 48*time.Hour, "governance"))

	segment := s.names(t, "segments/")[0]
	if err := s.client.RemoveObject(t.Context(), bucket, segment, minio.RemoveObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	r := l.verify(t, 48*time.Hour, "governance")
	found(t, r, "is hidden by a delete marker")
	if !r.Archive.OK() {
		t.Errorf("what lies behind the marker is not in order: %+v", r.Archive.Problems)
	}

	tile := s.names(t, "tiles/tile/entries/")[0]
	if _, err := s.client.PutObject(t.Context(), bucket, tile, strings.NewReader("another"), 7, minio.PutObjectOptions{SendContentMd5: true}); err != nil {
		t.Fatal(err)
	}
	r = l.verify(t, 48*time.Hour, "governance")
	found(t, r, "was written 2 times")
	if !r.Archive.OK() {
		t.Errorf("the first version is not in order: %+v", r.Archive.Problems)
	}

	// The newest checkpoint, hidden or written over, is noticed while the gateway runs.
	names := s.names(t, "checkpoints/")
	newest := names[len(names)-1]
	if _, err := s.client.PutObject(t.Context(), bucket, newest, strings.NewReader("another"), 7, minio.PutObjectOptions{SendContentMd5: true}); err != nil {
		t.Fatal(err)
	}
	err := l.archiver.Sync(t.Context())
	if incident, ok := errors.AsType[*archive.IncidentError](err); !ok || !strings.Contains(incident.What, "was changed") {
		t.Errorf("Sync = %v, want an incident", err)
	}
	if err := s.client.RemoveObject(t.Context(), bucket, newest, minio.RemoveObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := l.archiver.Sync(t.Context()); err == nil {
		t.Error("Sync says nothing although the newest checkpoint is hidden")
	}
}

func TestObjectsWithAShorterLockOnAnS3ServerAreFound(t *testing.T) {
	s := start(t, true)
	l := open(t, s.store(t, 24*time.Hour))
	l.work(t, 5)
	name := s.names(t, "checkpoints/")[0]
	soon, mode := time.Now().Add(time.Hour).UTC(), minio.Governance
	if err := s.client.PutObjectRetention(t.Context(), bucket, name, minio.PutObjectRetentionOptions{GovernanceBypass: true, Mode: &mode, RetainUntilDate: &soon}); err != nil {
		t.Fatal(err)
	}
	r := l.verify(t, 24*time.Hour, "governance")
	if len(r.Problems) != 1 {
		t.Errorf("problems are %+v, want one", r.Problems)
	}
	found(t, r, "is locked until")
}

func TestAnS3ServerIsAskedToCreateAndNeverWritesOver(t *testing.T) {
	s := start(t, false)
	store := s.store(t, 0)
	ctx := t.Context()
	if err := store.Create(ctx, "log.pub", []byte("one"), false); err != nil {
		t.Fatal(err)
	}
	if err := store.Create(ctx, "log.pub", []byte("two"), false); !errors.Is(err, archive.ErrExists) {
		t.Errorf("a second Create = %v, want %v", err, archive.ErrExists)
	}
	if b, err := store.Read(ctx, "log.pub", 10); err != nil || string(b) != "one" {
		t.Errorf("Read = %q, %v", b, err)
	}
	if _, err := store.Read(ctx, "log.pub", 2); err == nil {
		t.Error("an object beyond the limit was read")
	}
	if n, err := store.Size(ctx, "log.pub"); err != nil || n != 3 {
		t.Errorf("Size = %d, %v", n, err)
	}
	for _, missing := range []func() error{
		func() error { _, err := store.Read(ctx, "checkpoints/1", 10); return err },
		func() error { _, err := store.Size(ctx, "checkpoints/1"); return err },
	} {
		if err := missing(); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("what is not there is %v, want %v", err, fs.ErrNotExist)
		}
	}
	for i := range 5 {
		if err := store.Create(ctx, fmt.Sprintf("checkpoints/%d", i), nil, false); err != nil {
			t.Fatal(err)
		}
	}
	var listed []string
	err := store.List(ctx, "checkpoints/", "checkpoints/1", func(o archive.Object) bool {
		listed = append(listed, o.Name)
		return len(listed) < 2
	})
	if got := strings.Join(listed, " "); err != nil || got != "checkpoints/2 checkpoints/3" {
		t.Errorf("List = %q, %v", got, err)
	}
	if err := store.Erase(ctx, "checkpoints/4"); err != nil {
		t.Error(err)
	}
	if err := store.Erase(ctx, "checkpoints/4"); err != nil {
		t.Errorf("what is gone already is erased with %v", err)
	}

	// An archive that shall be locked, in a bucket that locks nothing, takes nothing.
	if err := s.store(t, 24*time.Hour).Create(ctx, "checkpoints/9", []byte("x"), false); err == nil {
		t.Error("an object that cannot be locked was taken")
	}
	// Neither does one that knows the credential for another.
	wrong := s.options(0)
	wrong.Credential = func() (string, string, error) { return accessKey, "wrong-secret-value", nil }
	if err := opened(t, wrong).Create(ctx, "checkpoints/10", []byte("x"), false); err == nil || strings.Contains(err.Error(), "wrong-secret-value") {
		t.Errorf("with a wrong credential, Create = %v", err)
	}
}
