package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/sync/errgroup"

	"github.com/vecgate/vecgate/internal/audit"
)

// Options say what is archived, and where.
type Options struct {
	Store Store
	Dir   string        // of the log
	Key   note.Verifier // of the log
	// Every is how often what is new is archived.
	Every time.Duration
	// Lag, if not zero, is how far the archive may be behind before Closed says so.
	Lag time.Duration
	// Shred is for how long the keys of what was said are kept; 0 means for ever.
	Shred time.Duration

	State func() audit.State
	// Record puts on record what became of the archive.
	Record func(*audit.Record)

	Now func() time.Time
	Log *slog.Logger
}

// Archiver copies a log into an archive while it is written. It holds a piece of a segment in memory at most.
type Archiver struct {
	o        Options
	archived atomic.Uint64
	closed   atomic.Pointer[error]
	failures atomic.Uint64
	found    atomic.Uint64 // incidents

	// Owned by Run, or by who calls sync before it.
	copier  *audit.Copier
	last    audit.Checkpoint // the newest one in the archive
	covered []byte           // what the archive holds of the segment beyond the run that was archived last
	segment uint32           // whose covered is, and whose key was seen to
	keyed   bool
	erased  time.Time
	began   bool

	mu       sync.Mutex
	status   Status
	behind   time.Time // since when records are not in the archive; zero while all are
	recorded string    // the incident that was put on record last
	parted   bool      // it is one after which the log must not go on
}

// Status is how an archive stands.
type Status struct {
	Where    string
	Archived uint64    // records in it
	At       time.Time // when the last checkpoint was archived, or found there
	Reached  bool      // it was asked how it stands since the start
	Lag      time.Duration
	Fault    string // why the last attempt failed
	Incident string // what is wrong with the archive, beyond not being reached
	Failures uint64 // attempts that failed
	Found    uint64 // incidents
}

// IncidentError says that the archive does not hold what this log put there, or holds what it did not.
type IncidentError struct {
	What string
	// Fork says that this log must not go on: the archive holds records of it that are not here.
	Fork bool
}

func (e *IncidentError) Error() string { return e.What }

// ErrBehind wraps why requests must wait for the archive.
var ErrBehind = errors.New("the audit log's archive is not up to date")

// New returns an archiver; nothing is asked of the store yet.
func New(o Options) *Archiver {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &Archiver{o: o}
	a.status.Where = o.Store.String()
	if d, ok := o.Store.(*Directory); ok {
		d.sweep()
	}
	a.judge()
	return a
}

// Archived is how many records the archive is known to hold.
func (a *Archiver) Archived() uint64 { return a.archived.Load() }

// Closed says why no request may begin now; nil when one may.
func (a *Archiver) Closed() error {
	if why := a.closed.Load(); why != nil {
		return *why
	}
	return nil
}

// Status returns how the archive stands.
func (a *Archiver) Status() Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.status
	s.Archived, s.Failures, s.Found = a.archived.Load(), a.failures.Load(), a.found.Load()
	s.Lag = a.lag()
	return s
}

// Run archives what is new until ctx ends. An incident stands until an attempt finds everything in order again.
func (a *Archiver) Run(ctx context.Context) error {
	var judging sync.WaitGroup
	defer judging.Wait()
	judging.Go(func() {
		tick := time.NewTicker(min(time.Second, max(a.o.Lag/4, 10*time.Millisecond), max(a.o.Every, 10*time.Millisecond)))
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				a.judge()
			case <-ctx.Done():
				return
			}
		}
	})
	failed := 0
	for {
		wait := a.o.Every
		if err := a.Sync(ctx); err != nil && ctx.Err() == nil {
			failed++
			wait = min(time.Second<<min(failed-1, 10), max(a.o.Every, longestWait), 4*a.o.Every)
		} else {
			failed = 0
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
	}
}

// longestWait is the most that lies between two attempts.
const longestWait = time.Minute

// lag is for how long records have waited for the archive; the lock is held.
func (a *Archiver) lag() time.Duration {
	if a.behind.IsZero() {
		return 0
	}
	return a.o.Now().Sub(a.behind)
}

// judge looks whether the archive is further behind than it may be.
func (a *Archiver) judge() {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch records := a.o.State().Records; {
	case !a.status.Reached:
	case records <= a.archived.Load():
		a.behind = time.Time{}
	case a.behind.IsZero():
		a.behind = a.o.Now()
	}
	var why error
	switch {
	case a.parted:
		why = fmt.Errorf("%w: %s", ErrBehind, a.status.Incident)
	case a.o.Lag == 0:
	case !a.status.Reached:
		why = fmt.Errorf("%w: nobody could ask it yet how far it is", ErrBehind)
	case a.lag() > a.o.Lag:
		why = fmt.Errorf("%w: records wait for it since %s, and %s is the longest that they may", ErrBehind, a.behind.UTC().Format(time.RFC3339), a.o.Lag)
	}
	before := a.closed.Load()
	if why == nil {
		if before != nil {
			a.o.Log.Info("audit archive: up to date again; requests are taken")
		}
		a.closed.Store(nil)
		return
	}
	if before == nil {
		a.o.Log.Error("audit archive: requests are refused", "error", why)
	}
	a.closed.Store(&why)
}

// Sync archives what is signed and not yet in the archive. Run calls it; it is not safe for concurrent use.
func (a *Archiver) Sync(ctx context.Context) error {
	err := a.sync(ctx)
	if err == nil {
		err = a.erase(ctx)
	}
	if err != nil && ctx.Err() != nil {
		a.copier = nil
		return err
	}
	a.mu.Lock()
	a.status.Fault = ""
	if err != nil {
		a.copier = nil // the next attempt asks the archive anew how it stands
		a.failures.Add(1)
		a.status.Fault = cut(err.Error())
	}
	var record *audit.Record
	if incident, ok := errors.AsType[*IncidentError](err); ok {
		a.status.Incident, a.parted = cut(incident.What), incident.Fork
		if a.recorded != a.status.Incident {
			a.recorded = a.status.Incident
			a.found.Add(1)
			record = &audit.Record{Type: audit.TypeAdmin, Method: method, State: "incident", Detail: a.status.Incident}
		}
	}
	if err == nil {
		a.recorded, a.status.Incident, a.parted = "", "", false
	}
	a.mu.Unlock()
	a.judge()
	if err != nil {
		a.o.Log.Error("audit archive", "where", a.o.Store.String(), "error", err)
	}
	if record != nil {
		a.o.Record(record)
	}
	return err
}

// method is how a record of TypeAdmin says that it is about the archive.
const method = "archive"

func cut(s string) string {
	if len(s) > 512 {
		s = s[:512] + "…"
	}
	return s
}

func (a *Archiver) sync(ctx context.Context) error {
	// 1. Where the archive stands, by its own word.
	if a.copier == nil {
		if err := a.attach(ctx); err != nil {
			return err
		}
	} else if err := a.confirm(ctx); err != nil {
		return err
	}
	msg := a.o.State().Note
	if len(msg) == 0 {
		return nil
	}
	to, err := audit.ParseCheckpoint(msg, a.o.Key)
	if err != nil {
		return err
	}
	if to.Size <= a.last.Size {
		return nil
	}

	// 2. Everything that the checkpoint promises.
	for {
		run, err := a.copier.Next(ctx, to.Size, mostRun)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := a.keep(ctx, run); err != nil {
			return err
		}
	}
	if a.copier.Root() != to.Root {
		return &IncidentError{What: fmt.Sprintf("the %d records in the log's directory are not those that were signed; look at it with `vecgate audit verify`", to.Size)}
	}
	if err := a.tiles(ctx, a.copier.Edge()); err != nil {
		return err
	}

	// 3. The checkpoint, which must be found there afterwards.
	if err := a.create(ctx, checkpointName(to.Size), msg, false); err != nil {
		return err
	}
	if err := a.same(ctx, checkpointName(to.Size), msg); err != nil {
		return err
	}
	a.last = to
	a.archived.Store(to.Size)
	a.mu.Lock()
	a.status.At = a.o.Now()
	a.behind = time.Time{}
	a.mu.Unlock()
	return nil
}

// attach finds the newest checkpoint in the archive, and the place in the log from which on that is to be copied.
func (a *Archiver) attach(ctx context.Context) error {
	a.covered, a.keyed = nil, false
	if err := a.claim(ctx); err != nil {
		return err
	}
	state := a.o.State()
	newest, err := Newest(ctx, a.o.Store, a.o.Key, state.Signed)
	if err != nil {
		return err
	}
	if newest.Size > state.Records {
		return ahead(newest.Size, state.Records)
	}
	if newest.Size > state.Signed {
		return fmt.Errorf("%d records are archived, and %d are signed again so far", newest.Size, state.Signed)
	}
	copier, err := audit.NewCopier(a.o.Dir, newest, func(t audit.Tile) error { return a.tiles(ctx, []audit.Tile{t}) })
	if errors.Is(err, audit.ErrRollback) {
		return &IncidentError{Fork: true, What: fmt.Sprintf("%v: this log and its archive parted; "+wayOut, err)}
	}
	if err != nil {
		return err
	}
	if copier.Size() > newest.Size {
		a.o.Log.Warn("audit archive: records that were removed at the end of their retention are not in it", "from", newest.Size, "until", copier.Size())
	}
	a.copier, a.last = copier, newest
	a.archived.Store(newest.Size)
	a.mu.Lock()
	a.status.Reached = true
	a.status.At = newest.Time
	if newest.Size < state.Records && a.behind.IsZero() {
		a.behind = a.since(ctx, copier.Size())
	}
	a.mu.Unlock()
	if newest.Size == 0 && !a.began {
		a.began = true
		a.o.Log.Warn("audit archive: it is empty, and begins now", "where", a.o.Store.String())
		a.o.Record(&audit.Record{Type: audit.TypeAdmin, Method: method, State: "began", Detail: "an archive begins in " + cut(a.o.Store.String())})
	}
	return nil
}

const wayOut = "find out why before you go on, with `vecgate audit verify --archive`; then restore the log from the archive, or begin a new one under another audit.origin"

func ahead(archived, here uint64) error {
	return &IncidentError{Fork: true, What: fmt.Sprintf("rollback detected: the archive holds %d records of this log, and %d are here; %s", archived, here, wayOut)}
}

// since is when the first record that is not archived was written.
func (a *Archiver) since(ctx context.Context, seq uint64) time.Time {
	if r, err := audit.OpenDir(a.o.Dir); err == nil {
		if rec, _, err := r.Record(ctx, seq); err == nil {
			return rec.Time
		}
	}
	return a.o.Now()
}

// claim puts the public key into the archive, and makes sure that nothing there can be written over by a slip.
func (a *Archiver) claim(ctx context.Context) error {
	key := []byte(a.o.State().Key + "\n")
	err := a.o.Store.Create(ctx, publicName, key, false)
	if err == nil {
		err = a.o.Store.Create(ctx, publicName, key, false)
		if err == nil {
			return errors.New("the store writes over an object that it was told to create: it does not honour If-None-Match, and cannot be an archive")
		}
	}
	if !errors.Is(err, ErrExists) {
		return err
	}
	there, err := a.o.Store.Read(ctx, publicName, maxKey)
	if err != nil {
		return err
	}
	if !bytes.Equal(there, key) {
		return &IncidentError{Fork: true, What: fmt.Sprintf("the archive is that of a log with the key %s, and this one has another: %s", cut(string(bytes.TrimSpace(there))), wayOut)}
	}
	return nil
}

// confirm looks whether the archive is as it was left.
func (a *Archiver) confirm(ctx context.Context) error {
	if a.last.Size > 0 {
		there, err := a.o.Store.Read(ctx, checkpointName(a.last.Size), maxCheckpoint)
		if errors.Is(err, fs.ErrNotExist) {
			return &IncidentError{What: fmt.Sprintf("checkpoint %d is gone from the archive", a.last.Size)}
		}
		if err != nil {
			return err
		}
		if !bytes.Equal(there, a.last.Note) {
			return &IncidentError{What: fmt.Sprintf("checkpoint %d was changed in the archive", a.last.Size)}
		}
	}
	var other string
	err := a.o.Store.List(ctx, checkpointsFolder, checkpointName(a.last.Size), func(o Object) bool {
		other = o.Name
		return false
	})
	if err == nil && other != "" {
		err = &IncidentError{What: fmt.Sprintf("%s is in the archive, and this gateway did not put it there: does another one write the same log?", other)}
	}
	return err
}

// keep archives a run, with the key of its segment before it and its tiles after it.
func (a *Archiver) keep(ctx context.Context, run *audit.Run) error {
	if run.Segment != a.segment || !a.keyed {
		if len(a.covered) > 0 {
			return &IncidentError{What: fmt.Sprintf("the archive holds more of segment %d than there is", a.segment)}
		}
		key, err := audit.DataKey(a.o.Dir, run.Segment)
		if err == nil {
			err = a.dataKey(ctx, run.Segment, key)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		a.segment, a.keyed = run.Segment, true
	}
	if err := a.piece(ctx, run.Segment, run.Off, run.Data); err != nil {
		return err
	}
	return a.tiles(ctx, run.Tiles)
}

// dataKey archives the wrapped key of a segment. One that is there already, and of which no piece of the segment was archived,
// is of a life that the log did not go on with: the machine was lost then, and the log restored from the archive.
func (a *Archiver) dataKey(ctx context.Context, number uint32, key []byte) error {
	err := a.create(ctx, keyName(number), key, true)
	if _, ok := errors.AsType[*IncidentError](err); !ok {
		return err
	}
	used := false
	lerr := a.o.Store.List(ctx, fmt.Sprintf("%s%08d/", segmentsFolder, number), "", func(Object) bool {
		used = true
		return false
	})
	if lerr != nil || used {
		return errors.Join(err, lerr)
	}
	if err := a.o.Store.Erase(ctx, keyName(number)); err != nil {
		return err
	}
	return a.create(ctx, keyName(number), key, true)
}

// piece archives bytes of a segment. What an attempt before this one left there is compared.
func (a *Archiver) piece(ctx context.Context, number uint32, off int64, data []byte) error {
	differs := func(at int64) error {
		return &IncidentError{What: fmt.Sprintf("segment %d in the archive is not the one in the log, from byte %d on: does another gateway write the same log?", number, at)}
	}
	if n := min(len(a.covered), len(data)); n > 0 {
		if !bytes.Equal(a.covered[:n], data[:n]) {
			return differs(off)
		}
		a.covered, data, off = a.covered[n:], data[n:], off+int64(n)
	}
	for len(data) > 0 {
		name := segmentName(number, off)
		err := a.o.Store.Create(ctx, name, data, false)
		if err == nil {
			size, err := a.o.Store.Size(ctx, name)
			if err == nil && size != int64(len(data)) {
				err = fmt.Errorf("%s has %d bytes in the archive, and %d were sent", name, size, len(data))
			}
			if errors.Is(err, fs.ErrNotExist) {
				err = notStored(name)
			}
			return err
		}
		if !errors.Is(err, ErrExists) {
			return err
		}
		there, err := a.o.Store.Read(ctx, name, maxPiece)
		if err != nil {
			return err
		}
		n := min(len(there), len(data))
		if n == 0 || !bytes.Equal(there[:n], data[:n]) {
			return differs(off)
		}
		a.covered, data, off = there[n:], data[n:], off+int64(n)
	}
	return nil
}

func notStored(name string) error {
	return fmt.Errorf("the archive took %s and does not have it", name)
}

// atOnce is how many tiles are on their way at a time.
const atOnce = 8

func (a *Archiver) tiles(ctx context.Context, tiles []audit.Tile) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, t := range tiles {
		group.Go(func() error { return a.create(ctx, tilesFolder+t.Name, t.Data, false) })
	}
	return group.Wait()
}

// create makes an object, or finds it there as it should be.
func (a *Archiver) create(ctx context.Context, name string, data []byte, erasable bool) error {
	err := a.o.Store.Create(ctx, name, data, erasable)
	if errors.Is(err, ErrExists) {
		return a.same(ctx, name, data)
	}
	return err
}

// same looks whether an object is what it should be.
func (a *Archiver) same(ctx context.Context, name string, data []byte) error {
	there, err := a.o.Store.Read(ctx, name, limitOf(name))
	if errors.Is(err, fs.ErrNotExist) {
		return notStored(name)
	}
	if err != nil {
		return err
	}
	if !bytes.Equal(there, data) {
		return &IncidentError{What: fmt.Sprintf("%s in the archive is not what this log puts there: does another gateway write the same log?", name)}
	}
	return nil
}

// eraseEvery is how often keys are looked after whose time has come.
const eraseEvery = time.Hour

// erase takes the keys away that were destroyed in the log.
func (a *Archiver) erase(ctx context.Context) error {
	if now := a.o.Now(); a.o.Shred <= 0 || now.Sub(a.erased) < eraseEvery {
		return nil
	}
	first, err := audit.FirstSegment(a.o.Dir)
	if err != nil {
		return err
	}
	var due []uint32
	err = a.o.Store.List(ctx, keysFolder, "", func(o Object) bool {
		number, ok := parseKey(o.Name)
		if ok && (number < first || audit.Shredded(a.o.Dir, number, a.o.Now().Add(-a.o.Shred))) {
			due = append(due, number)
		}
		return true
	})
	if err != nil {
		return err
	}
	for _, number := range due {
		if err := a.o.Store.Erase(ctx, keyName(number)); err != nil {
			return fmt.Errorf("erase the key of segment %d, whose time has come: %w", number, err)
		}
	}
	a.erased = a.o.Now()
	return nil
}
