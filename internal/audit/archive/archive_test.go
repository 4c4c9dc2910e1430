package archive_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"
	"golang.org/x/mod/sumdb/note"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/audit/archive"
)

const origin = "vecgate/test"

// gateway is a log with its archiver, as a server puts them together.
type gateway struct {
	t       *testing.T
	dir     string
	log     *audit.Log
	store   archive.Store
	archive *archive.Archiver
	session int
	records []*audit.Record // that the archiver wrote

	mu  sync.Mutex
	now time.Time // zero for the real one
}

func (g *gateway) clock() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.now.IsZero() {
		return time.Now()
	}
	return g.now
}

func (g *gateway) advance(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now = g.now.Add(d)
}

// directory is an archive in a new directory.
func directory(t *testing.T, base string) archive.Store {
	t.Helper()
	d, err := archive.OpenDirectory(base, origin)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// start opens the log in dir.
func start(t *testing.T, dir string, store archive.Store, change ...func(*audit.Options, *archive.Options)) *gateway {
	t.Helper()
	g := &gateway{t: t, dir: dir, store: store}
	lo := audit.Options{Dir: dir, Origin: origin, Self: true, Segment: 64 << 10, Checkpoint: 5 * time.Millisecond}
	o := archive.Options{Store: store, Dir: dir, Every: 10 * time.Millisecond}
	for _, c := range change {
		c(&lo, &o)
	}
	if o.Now != nil {
		g.now = o.Now()
	}
	lo.Now, o.Now = g.clock, g.clock
	var archiver *archive.Archiver
	if lo.Archived == nil {
		lo.Archived = func() uint64 { return archiver.Archived() }
	}
	var err error
	if g.log, err = audit.Open(t.Context(), lo); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.log.Close() })
	key, err := note.NewVerifier(g.log.State().Key)
	if err != nil {
		t.Fatal(err)
	}
	o.Key, o.State = key, g.log.State
	o.Record = func(r *audit.Record) {
		g.records = append(g.records, r)
		g.log.Append(r)
	}
	archiver = archive.New(o)
	g.archive = archiver
	return g
}

// work writes what n requests leave behind, and waits until it is signed.
func (g *gateway) work(n int) {
	g.t.Helper()
	for range n {
		g.session++
		request := fmt.Sprintf("%s%d.1", filepath.Base(g.dir), g.session)
		if err := g.log.Body(request, audit.Asked, []byte(strings.Repeat("select "+request+" ", 10))); err != nil {
			g.t.Fatal(err)
		}
		g.log.Append(&audit.Record{Type: audit.TypeIntent, Request: request, Subject: "corp:ana", Effect: access.Allow})
		if err := g.log.Body(request, audit.Answered, bytes.Repeat([]byte(request), 40)); err != nil {
			g.t.Fatal(err)
		}
		g.log.Append(&audit.Record{Type: audit.TypeOutcome, Request: request, Subject: "corp:ana", Effect: access.Allow})
	}
	g.signed()
}

// signed waits until everything is.
func (g *gateway) signed() {
	g.t.Helper()
	if err := g.log.Sync(g.t.Context()); err != nil {
		g.t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); ; {
		s := g.log.State()
		if s.Signed == s.Records && s.Failed == nil {
			return
		}
		if time.Now().After(end) {
			g.t.Fatalf("%d of %d records are signed after 30s", s.Signed, s.Records)
		}
		time.Sleep(time.Millisecond)
	}
}

func (g *gateway) sync() {
	g.t.Helper()
	if err := g.archive.Sync(g.t.Context()); err != nil {
		g.t.Fatal(err)
	}
}

// check verifies an archive with the key and the gateway's identity.
func check(t *testing.T, store archive.Store, dir string, change ...func(*archive.VerifyOptions)) *archive.Report {
	t.Helper()
	key, err := audit.PublicKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	self, err := audit.SelfIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	o := archive.VerifyOptions{Key: key, Identities: []age.Identity{self}, Copy: filepath.Join(t.TempDir(), "copy"), Log: dir}
	for _, c := range change {
		c(&o)
	}
	report, err := archive.Verify(t.Context(), store, o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func inOrder(t *testing.T, store archive.Store, dir string) *archive.Report {
	t.Helper()
	r := check(t, store, dir)
	if !r.OK() {
		t.Fatalf("the archive is not in order: %+v\narchive %+v\nlog %+v", r.Problems, r.Archive.Problems, r.Log.Problems)
	}
	return r
}

func TestWhatIsSignedIsInTheArchive(t *testing.T) {
	dir, base := t.TempDir(), t.TempDir()
	g := start(t, dir, directory(t, base))
	for _, n := range []int{1, 300, 0, 200, 7} { // some runs end within a bundle, some segments end between runs
		g.work(n)
		g.sync()
		if got := g.archive.Archived(); got < 2*uint64(n) {
			t.Fatalf("%d records are archived after %d were written", got, 2*n)
		}
	}
	g.signed()
	g.sync()
	r := inOrder(t, g.store, dir)
	if r.Checkpoint != g.log.State().Records || r.Archive.Records != r.Checkpoint {
		t.Errorf("the archive holds %d records, and its checkpoint signs %d; the log has %d", r.Archive.Records, r.Checkpoint, g.log.State().Records)
	}
	if r.Archive.Segments < 3 || r.Archive.Unsealed == 0 || r.Archive.Unsealed != r.Archive.Bodies {
		t.Errorf("the copy has %d segments, and %d of %d bodies can be read", r.Archive.Segments, r.Archive.Unsealed, r.Archive.Bodies)
	}
	// Another process goes on where this one stopped, and a whole log is the same whoever archived which part of it.
	if err := g.log.Close(); err != nil {
		t.Fatal(err)
	}
	again := start(t, dir, directory(t, base))
	again.session = g.session
	again.work(40)
	again.sync()
	inOrder(t, again.store, dir)
}

func TestNothingIsWrittenAgainWhenNothingIsNew(t *testing.T) {
	dir, base := t.TempDir(), t.TempDir()
	g := start(t, dir, &counting{Store: directory(t, base)})
	g.work(10)
	g.sync()
	g.signed() // the archive's own record
	g.sync()
	before := g.store.(*counting).creates
	for range 5 {
		g.sync()
	}
	if after := g.store.(*counting).creates; after != before {
		t.Errorf("%d objects were written although nothing was new", after-before)
	}
}

type counting struct {
	archive.Store
	creates int
}

func (c *counting) Create(ctx context.Context, name string, data []byte, erasable bool) error {
	c.creates++
	return c.Store.Create(ctx, name, data, erasable)
}

// find returns the files of an archive whose path below the log's folder begins so.
func find(t *testing.T, base, prefix string) []string {
	t.Helper()
	var all []string
	root := filepath.Join(base, filepath.FromSlash(origin))
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if rel, _ := filepath.Rel(root, path); err == nil && !e.IsDir() && strings.HasPrefix(filepath.ToSlash(rel), prefix) {
			all = append(all, path)
		}
		return err
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("nothing in the archive begins with %s: %v", prefix, err)
	}
	return all
}

func overwrite(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestEveryObjectThatIsTamperedWithIsFound(t *testing.T) {
	attacks := map[string]func(t *testing.T, path string){
		"removed": func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		},
		"cut off": func(t *testing.T, path string) { overwrite(t, path, func(b []byte) []byte { return b[:len(b)/2] }) },
		"changed": func(t *testing.T, path string) {
			overwrite(t, path, func(b []byte) []byte { b[len(b)/2] ^= 0x20; return b })
		},
		"emptied": func(t *testing.T, path string) { overwrite(t, path, func([]byte) []byte { return nil }) },
	}
	largest := func(all []string) string {
		return slices.MaxFunc(all, func(a, b string) int {
			left, _ := os.Stat(a)
			right, _ := os.Stat(b)
			return cmp.Compare(left.Size(), right.Size())
		})
	}
	first := func(all []string) string { return all[0] }
	objects := map[string]func(all []string) string{
		"segments/": first, "segments/00000002/": largest, "tiles/tile/0/000": first, "tiles/tile/entries/": first, "keys/": first,
		"checkpoints/": func(all []string) string { return all[len(all)-1] },
	}
	dir, base := t.TempDir(), t.TempDir()
	g := start(t, dir, directory(t, base))
	g.work(200)
	g.sync()
	g.work(150)
	g.sync()
	inOrder(t, g.store, dir)
	for prefix, choose := range objects {
		for how, attack := range attacks {
			if prefix == "checkpoints/" && how == "removed" {
				continue // nothing is lost by it: every other one, and the one that the gateway has, says the same
			}
			t.Run(strings.ReplaceAll(prefix, "/", "-")+how, func(t *testing.T) {
				attacked := snapshot(t, base)
				attack(t, choose(find(t, attacked, prefix)))
				r := check(t, directory(t, attacked), dir, func(o *archive.VerifyOptions) { o.Log = "" })
				if len(r.Problems) == 0 && r.Archive.OK() {
					t.Fatalf("%s was %s, and nothing is wrong", prefix, how)
				}
			})
		}
	}
}

func TestWhatDoesNotBelongIntoAnArchiveIsFound(t *testing.T) {
	dir, base := t.TempDir(), t.TempDir()
	g := start(t, dir, directory(t, base))
	g.work(3)
	g.sync()
	root := filepath.Join(base, filepath.FromSlash(origin))
	if err := os.WriteFile(filepath.Join(root, "segments", "notes.txt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/hostname", filepath.Join(root, "keys", "00000009.key")); err != nil {
		t.Fatal(err)
	}
	if r := check(t, g.store, dir); len(r.Problems) != 2 {
		t.Errorf("problems are %+v, want one for each of the two", r.Problems)
	}
}

func TestARemovedOrChangedCheckpointIsNoticedWhileTheGatewayRuns(t *testing.T) {
	for name, attack := range map[string]func(t *testing.T, path string){
		"removed": func(_ *testing.T, path string) { _ = os.Remove(path) },
		"changed": func(t *testing.T, path string) {
			overwrite(t, path, func(b []byte) []byte { return append(b, '\n') })
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, base := t.TempDir(), t.TempDir()
			g := start(t, dir, directory(t, base))
			g.work(5)
			g.sync()
			all := find(t, base, "checkpoints/")
			attack(t, all[len(all)-1])
			err := g.archive.Sync(t.Context())
			if incident, ok := errors.AsType[*archive.IncidentError](err); !ok || !strings.Contains(incident.What, "checkpoint") {
				t.Fatalf("Sync = %v, want an incident about the checkpoint", err)
			}
			if s := g.archive.Status(); s.Incident == "" || s.Found != 1 {
				t.Errorf("status is %+v, want one incident", s)
			}
			if r := g.records[len(g.records)-1]; r.State != "incident" || r.Method != "archive" {
				t.Errorf("the last record of the archiver is %+v, want the incident", r)
			}
		})
	}
}

// snapshot copies a directory, as a virtual machine's snapshot would.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "snapshot")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(to, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			err = os.Chmod(path, 0o600)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func TestALogThatWasPutBackIsRefused(t *testing.T) {
	dir, base := t.TempDir(), t.TempDir()
	g := start(t, dir, directory(t, base))
	g.work(20)
	g.sync()
	g.signed()
	if err := g.log.Close(); err != nil {
		t.Fatal(err)
	}
	old := snapshot(t, dir)

	g = start(t, dir, directory(t, base))
	g.session = 20
	g.work(20)
	g.sync()
	if err := g.log.Close(); err != nil {
		t.Fatal(err)
	}

	// At start: the archive's newest checkpoint is one that the log must contain.
	key, err := audit.PublicKey(old)
	if err != nil {
		t.Fatal(err)
	}
	newest, err := archive.Newest(t.Context(), directory(t, base), key, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Open(t.Context(), audit.Options{Dir: snapshot(t, old), Origin: origin, Self: true, Known: [][]byte{newest.Note}}); !errors.Is(err, audit.ErrRollback) {
		t.Errorf("a log that was put back opens with %v, want %v", err, audit.ErrRollback)
	}

	// When the archive could not be reached at start: as soon as it can.
	back := start(t, old, directory(t, base))
	err = back.archive.Sync(t.Context())
	if incident, ok := errors.AsType[*archive.IncidentError](err); !ok || !incident.Fork || !strings.Contains(err.Error(), "rollback detected") {
		t.Fatalf("Sync = %v, want that a rollback was detected", err)
	}
	if err := back.archive.Closed(); !errors.Is(err, archive.ErrBehind) {
		t.Errorf("Closed = %v, want that requests are refused", err)
	}
	// And it stays so when the log has grown past what is archived.
	back.session = 1000
	back.work(200)
	err = back.archive.Sync(t.Context())
	if incident, ok := errors.AsType[*archive.IncidentError](err); !ok || !incident.Fork {
		t.Fatalf("Sync = %v after the log has grown, want that they parted", err)
	}
	if back.archive.Closed() == nil {
		t.Error("requests are taken")
	}
}

func TestTwoGatewaysWithOneLogAreFoundOut(t *testing.T) {
	dir, base := t.TempDir(), t.TempDir()
	first := start(t, dir, directory(t, base))
	first.work(5)
	first.sync()
	if err := first.log.Close(); err != nil {
		t.Fatal(err)
	}
	clone := snapshot(t, dir)
	a, b := start(t, dir, directory(t, base)), start(t, clone, directory(t, base))
	a.session, b.session = 100, 100
	a.sync()
	b.sync() // both have seen the archive as they know it
	a.work(3)
	b.work(4)
	a.sync()
	err := b.archive.Sync(t.Context())
	if _, ok := errors.AsType[*archive.IncidentError](err); !ok {
		t.Fatalf("the second gateway archives with %v, want an incident", err)
	}
	err = b.archive.Sync(t.Context())
	if incident, ok := errors.AsType[*archive.IncidentError](err); !ok || !incident.Fork {
		t.Fatalf("the second gateway archives with %v when it asks anew, want that they parted", err)
	}
	if b.archive.Closed() == nil {
		t.Error("the second gateway takes requests")
	}
	a.sync()
	inOrder(t, a.store, dir)
}

func TestAnArchiveOfAnotherLogIsRefused(t *testing.T) {
	base := t.TempDir()
	a := start(t, t.TempDir(), directory(t, base))
	a.work(1)
	a.sync()
	b := start(t, t.TempDir(), directory(t, base))
	b.work(1)
	err := b.archive.Sync(t.Context())
	if incident, ok := errors.AsType[*archive.IncidentError](err); !ok || !incident.Fork {
		t.Errorf("Sync = %v, want that the archive is another log's", err)
	}
}

// lying says that it stores what begins so, and does not.
type lying struct {
	archive.Store
	prefix string
}

func (l lying) Create(ctx context.Context, name string, data []byte, erasable bool) error {
	if strings.HasPrefix(name, l.prefix) {
		return nil
	}
	return l.Store.Create(ctx, name, data, erasable)
}

func TestAnArchiveThatStoresNothingIsNotBelieved(t *testing.T) {
	for _, prefix := range []string{"checkpoints/", "segments/"} {
		dir := t.TempDir()
		g := start(t, dir, lying{directory(t, t.TempDir()), prefix})
		g.work(3)
		if err := g.archive.Sync(t.Context()); err == nil || !strings.Contains(err.Error(), "does not have it") {
			t.Errorf("Sync = %v when %s is not stored, want that it says so", err, prefix)
		}
		if n := g.archive.Archived(); n != 0 {
			t.Errorf("%d records count as archived", n)
		}
	}
}

// overwriting does not honour that an object must not be there yet.
type overwriting struct {
	archive.Store
	base string
}

func (o overwriting) Create(ctx context.Context, name string, data []byte, erasable bool) error {
	_ = os.Remove(filepath.Join(o.base, origin, name))
	return o.Store.Create(ctx, name, data, erasable)
}

func TestAStoreThatWritesOverIsRefused(t *testing.T) {
	base := t.TempDir()
	g := start(t, t.TempDir(), overwriting{directory(t, base), base})
	g.work(1)
	if err := g.archive.Sync(t.Context()); err == nil || !strings.Contains(err.Error(), "writes over") {
		t.Errorf("Sync = %v, want that the store is of no use", err)
	}
}

// stopping ends the world after so many operations: before the last one is done, or after it.
type stopping struct {
	archive.Store
	left  *int
	after bool
}

var errStopped = errors.New("killed")

func (s stopping) Create(ctx context.Context, name string, data []byte, erasable bool) error {
	if _, err := s.Store.Size(ctx, name); err == nil {
		return s.Store.Create(ctx, name, data, erasable) // it is there, from a life before this one
	}
	if *s.left--; *s.left == 0 && !s.after || *s.left < 0 {
		return errStopped
	}
	err := s.Store.Create(ctx, name, data, erasable)
	if *s.left == 0 {
		return errStopped
	}
	return err
}

func TestAnArchiveIsWholeAtWhateverMomentTheGatewayIsKilled(t *testing.T) {
	dir := t.TempDir()
	g := start(t, dir, directory(t, t.TempDir()))
	g.work(150)
	var notes [][]byte
	notes = append(notes, g.log.State().Note)
	g.work(150)
	notes = append(notes, g.log.State().Note)
	state := g.log.State()
	key, err := note.NewVerifier(state.Key)
	if err != nil {
		t.Fatal(err)
	}
	for _, after := range []bool{false, true} {
		base := t.TempDir()
		done := 0
		for kills := 0; done < len(notes); kills++ {
			if kills > 200 {
				t.Fatal("the archive does not get ahead")
			}
			left := 2 // new objects that each process lives to see
			archiver := archive.New(archive.Options{
				Store: stopping{directory(t, base), &left, after}, Dir: dir, Key: key, Record: func(*audit.Record) {},
				State: func() audit.State {
					s := state
					s.Note = notes[done]
					return s
				},
			})
			if archiver.Sync(t.Context()) == nil {
				done++
			}
			r := check(t, directory(t, base), dir, func(o *archive.VerifyOptions) { o.Log = "" })
			if r.Checkpoint == 0 {
				continue
			}
			if !r.OK() {
				t.Fatalf("killed %d times (after %v), the archive is not in order: %+v %+v", kills, after, r.Problems, r.Archive.Problems)
			}
		}
		inOrder(t, directory(t, base), dir)
	}
}

// full is a disk that is, while it says so.
type full struct {
	archive.Store
	is bool
}

func (f *full) Create(ctx context.Context, name string, data []byte, erasable bool) error {
	if f.is {
		return &os.PathError{Op: "write", Path: name, Err: syscall.ENOSPC}
	}
	return f.Store.Create(ctx, name, data, erasable)
}

func TestRequestsAreRefusedWhileTheArchiveIsTooFarBehind(t *testing.T) {
	dir := t.TempDir()
	store := &full{Store: directory(t, t.TempDir())}
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	g := start(t, dir, store, func(_ *audit.Options, o *archive.Options) {
		o.Lag, o.Now = 10*time.Minute, func() time.Time { return begin }
	})
	if err := g.archive.Closed(); !errors.Is(err, archive.ErrBehind) {
		t.Errorf("Closed = %v before the archive was asked, want a refusal", err)
	}
	g.work(2)
	g.sync()
	g.signed()
	g.sync()
	if err := g.archive.Closed(); err != nil {
		t.Fatalf("Closed = %v when everything is archived", err)
	}
	g.advance(8 * time.Hour) // nothing is new: a quiet log is not behind
	g.sync()
	if err := g.archive.Closed(); err != nil {
		t.Fatalf("Closed = %v after a quiet night", err)
	}
	store.is = true
	g.work(1)
	if err := g.archive.Sync(t.Context()); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("Sync = %v, want that the disk is full", err)
	}
	g.advance(9 * time.Minute)
	_ = g.archive.Sync(t.Context())
	if err := g.archive.Closed(); err != nil {
		t.Errorf("Closed = %v after 9 of 10 minutes", err)
	}
	g.advance(2 * time.Minute)
	_ = g.archive.Sync(t.Context())
	if err := g.archive.Closed(); !errors.Is(err, archive.ErrBehind) {
		t.Errorf("Closed = %v after 11 of 10 minutes, want a refusal", err)
	}
	if s := g.archive.Status(); s.Lag != 11*time.Minute || s.Failures != 3 || !strings.Contains(s.Fault, "no space") {
		t.Errorf("status is %+v", s)
	}
	store.is = false
	g.sync()
	if err := g.archive.Closed(); err != nil {
		t.Errorf("Closed = %v after there was room again", err)
	}
	inOrder(t, g.store, dir)
}

func TestALogGoesOnFromWhatIsInTheArchive(t *testing.T) {
	for _, left := range []int{1, 2, 3, 4} { // the key, the first piece, a tile, ...
		t.Run(fmt.Sprint(left), func(t *testing.T) { goOn(t, left) })
	}
}

// goOn loses a disk when so many objects of a run were archived, and restores the log.
func goOn(t *testing.T, left int) {
	dir, base := t.TempDir(), t.TempDir()
	g := start(t, dir, directory(t, base))
	g.work(250)
	g.sync()
	g.signed()
	g.sync()
	// The disk dies while the next checkpoint is on its way: its records are in the archive, and it is not.
	// A segment begins with them, so that its key is the first of them.
	if err := g.log.Close(); err != nil {
		t.Fatal(err)
	}
	g = start(t, dir, directory(t, base))
	g.session = 400
	g.work(20)
	state := g.log.State()
	key, err := note.NewVerifier(state.Key)
	if err != nil {
		t.Fatal(err)
	}
	dying := archive.New(archive.Options{Store: stopping{directory(t, base), &left, true}, Dir: dir, Key: key, State: g.log.State, Record: func(*audit.Record) {}})
	if err := dying.Sync(t.Context()); !errors.Is(err, errStopped) {
		t.Fatalf("Sync = %v", err)
	}
	if err := g.log.Close(); err != nil {
		t.Fatal(err)
	}
	restored := filepath.Join(t.TempDir(), "restored")
	r := check(t, directory(t, base), dir, func(o *archive.VerifyOptions) { o.Copy, o.Log = restored, "" })
	if !r.OK() {
		t.Fatalf("the copy is not in order: %+v %+v", r.Problems, r.Archive.Problems)
	}
	for _, name := range []string{"signer.key", "self.key"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(restored, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again := start(t, restored, directory(t, base))
	again.session = 500
	again.sync()
	again.work(100)
	again.sync()
	r = inOrder(t, again.store, restored)
	if r.Archive.First != 0 || r.Archive.Records < 2*(250+100) {
		t.Errorf("the archive holds records %d to %d", r.Archive.First, r.Archive.Records)
	}
}

func TestNothingIsRemovedThatIsNotInTheArchive(t *testing.T) {
	dir, base := t.TempDir(), t.TempDir()
	store := &full{Store: directory(t, base)}
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	g := start(t, dir, store, func(l *audit.Options, o *archive.Options) {
		l.Retention, l.Bodies, l.Segment = 30*24*time.Hour, 24*time.Hour, 16<<10
		o.Now, o.Shred = func() time.Time { return begin }, l.Bodies
	})
	g.work(100)
	g.sync()
	store.is = true
	for range 12 { // several segments
		g.work(25)
	}
	g.advance(31 * 24 * time.Hour)
	g.work(100)
	segments := func() []string {
		all, err := filepath.Glob(filepath.Join(dir, "segments", "*.seg"))
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	had := segments()
	if err := g.log.Age(t.Context()); err != nil {
		t.Fatal(err)
	}
	whole := uint32(0) // how many segments the archive has whole, at most
	if err := store.List(t.Context(), "keys/", "", func(archive.Object) bool { whole++; return true }); err != nil {
		t.Fatal(err)
	}
	if len(had) < int(whole)+5 {
		t.Fatalf("%d segments, of which the archive has %d: the test needs more", len(had), whole)
	}
	for _, name := range had[whole:] {
		if _, err := os.Stat(name); err != nil {
			t.Errorf("%s is gone, and not in the archive: %v", name, err)
		}
	}
	store.is = false
	g.signed()
	g.sync()
	if err := g.log.Age(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(had[len(had)/2]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still here after all were archived: %v", had[len(had)/2], err)
	}
	g.signed()
	g.advance(2 * time.Hour)
	g.sync()
	r := inOrder(t, g.store, dir)
	if r.Archive.First != 0 || r.Log.First == 0 {
		t.Errorf("the archive begins with record %d, and the log with %d", r.Archive.First, r.Log.First)
	}
	if r.Archive.Destroyed == 0 || r.Archive.Unsealed == 0 {
		t.Errorf("in the archive %d bodies are destroyed, and %d can be read: want the old ones, and the new ones", r.Archive.Destroyed, r.Archive.Unsealed)
	}

	// What a lifecycle rule takes away after that time is missed by nobody, half a segment of it neither.
	store.is = true // nothing more is archived
	root := filepath.Join(base, filepath.FromSlash(origin))
	for number := uint32(1); ; number++ {
		if _, err := os.Stat(filepath.Join(dir, "segments", fmt.Sprintf("%08d.seg", number))); err == nil {
			break
		}
		if err := os.RemoveAll(filepath.Join(root, "segments", fmt.Sprintf("%08d", number))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(root, "tiles", "tile", "entries", "000")); err != nil {
		t.Fatal(err)
	}
	r = inOrder(t, g.store, dir)
	if r.Archive.First != r.Log.First {
		t.Errorf("the archive begins with record %d, and the log with %d", r.Archive.First, r.Log.First)
	}
	if pieces := find(t, base, "segments/"); len(pieces) > 1 {
		if err := os.Remove(pieces[0]); err != nil {
			t.Fatal(err)
		}
		if r := check(t, g.store, dir); r.OK() {
			t.Error("a piece whose time has not come is missing, and nothing is wrong")
		}
	}

	// An archive that begins now has only the hashes of what was removed.
	late := start(t, snapshot(t, dir), directory(t, t.TempDir()), func(l *audit.Options, o *archive.Options) {
		o.Now = func() time.Time { return g.clock() }
	})
	late.session = 5000
	late.work(300)
	late.sync()
	if r := inOrder(t, late.store, late.dir); r.Archive.First == 0 {
		t.Error("the late archive has records that were removed")
	}
}

func TestADirectoryThatIsNotThereIsNotMade(t *testing.T) {
	base := filepath.Join(t.TempDir(), "mnt")
	if _, err := archive.OpenDirectory(base, origin); err == nil || !strings.Contains(err.Error(), "mount") {
		t.Errorf("OpenDirectory = %v, want a word about a disk that is not mounted", err)
	}
	if err := os.Mkdir(base, 0o700); err != nil {
		t.Fatal(err)
	}
	store := directory(t, base)
	if err := os.Remove(base); err != nil { // unmounted while the gateway runs
		t.Fatal(err)
	}
	if err := store.Create(t.Context(), "log.pub", []byte("x"), false); err == nil {
		t.Error("an object was made in a directory that is gone")
	}
}

func TestTheLogOnTheDiskIsNotArchivedWhenItIsNotWhatWasSigned(t *testing.T) {
	dir, base := t.TempDir(), t.TempDir()
	g := start(t, dir, directory(t, base))
	g.work(20)
	g.sync()
	all, err := filepath.Glob(filepath.Join(dir, "segments", "*.seg"))
	if err != nil || len(all) == 0 {
		t.Fatal(err)
	}
	before := g.archive.Archived()
	g.work(5)
	// What an intruder rewrote behind the gateway's back, with whatever checksums.
	overwrite(t, all[len(all)-1], func(b []byte) []byte {
		at := bytes.LastIndex(b, []byte("corp:ana"))
		copy(b[at:], "corp:bob")
		return b
	})
	if err := g.archive.Sync(t.Context()); err == nil {
		t.Error("what was changed on the disk went into the archive")
	}
	if now := g.archive.Archived(); now != before {
		t.Errorf("%d records count as archived, want %d", now, before)
	}
}

func TestOneWithALongHistoryIsAskedLittle(t *testing.T) {
	dir, base := t.TempDir(), t.TempDir()
	g := start(t, dir, directory(t, base))
	for range 12 {
		g.work(2)
		g.sync()
	}
	key, err := note.NewVerifier(g.log.State().Key)
	if err != nil {
		t.Fatal(err)
	}
	want := g.archive.Archived()
	for _, expected := range []uint64{0, 1, want - 1, want, want + 1, want + 1<<20, 1 << 62} {
		c, err := archive.Newest(t.Context(), g.store, key, expected)
		if err != nil || c.Size != want {
			t.Errorf("Newest with %d expected is %d, %v; want %d", expected, c.Size, err, want)
		}
	}
}
