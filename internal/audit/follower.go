package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// follower keeps the tree of what is durable, publishes its tiles, and signs it. It runs behind the committer: nobody
// waits for it.
type follower struct {
	l      *Log
	signer *signer
	tiles  tiles
	in     chan *batch
	done   chan struct{}
	err    error // of the last checkpoint, read after done

	// Owned by run, and by load before it.
	tree     tree
	entries  []byte            // the bundle that is not full yet
	wrote    map[int]int       // by level, the width of the partial tile that was published last
	loading  bool              // the process before may have published partial tiles too
	joined   []byte            // where the hashes of a tile are put together
	unsaved  map[string][]byte // tiles that could not be written
	unsynced []string          // full tiles that are not known to be on disk
	signed   uint64
	synced   time.Time

	durableRecords atomic.Uint64
	published      atomic.Uint64

	mu       sync.Mutex
	grown    chan struct{} // closed when there is more to read; nil while nobody watches
	note     []byte        // the last checkpoint
	signedAt time.Time
}

// behind is how many batches the follower may lag before the committer waits for it.
const behind = 8

// syncedName holds the size up to which full tiles are known to be on disk.
const syncedName = "synced"

func (f *follower) start() {
	f.in, f.done = make(chan *batch, behind), make(chan struct{})
	f.durableRecords.Store(f.tree.size)
	f.published.Store(f.signed)
	go f.run()
}

// durable hands over a batch that is on disk. Called by the committer.
func (f *follower) durable(b *batch) {
	f.in <- b
}

func (f *follower) stop() error {
	close(f.in)
	<-f.done
	return f.err
}

func (f *follower) run() {
	defer close(f.done)
	tick := time.NewTicker(f.l.opts.Checkpoint)
	defer tick.Stop()
	for {
		select {
		case b, ok := <-f.in:
			if !ok {
				f.err = f.sign()
				if err := f.saveSynced(); f.err == nil {
					f.err = err
				}
				f.announce()
				return
			}
			for _, s := range b.leaves {
				f.add(leafHash(b.buf, s), b.buf[s.start:s.end])
			}
			f.announce()
			f.l.recycle(b)
		case <-tick.C:
			if err := f.sign(); err != nil {
				f.l.log.Error("audit log: checkpoint", "size", f.tree.size, "error", err)
			}
			f.l.nudge()
		}
	}
}

// add adds a leaf, and publishes the tiles that are full by it.
func (f *follower) add(leaf tlog.Hash, envelope []byte) {
	f.entries = appendEntry(f.entries, envelope)
	_ = f.tree.add(leaf, func(level int, index uint64, hashes []tlog.Hash) error {
		f.joined = joinHashes(f.joined[:0], hashes)
		f.full(level, index, f.joined, f.wrote[level])
		if level == 0 {
			f.full(entriesLevel, index, f.entries, f.wrote[level])
			f.entries = f.entries[:0]
		}
		delete(f.wrote, level)
		return nil
	})
}

// full publishes a tile that is full, of which partial has been published before; the partial ones go.
func (f *follower) full(level int, index uint64, data []byte, partial int) {
	if f.publish(level, index, tileWidth, data) && (partial > 0 || f.loading) {
		f.tiles.thin(level, index, true)
	}
}

// publish writes a tile. One that cannot be written is kept, and tried again before the next checkpoint.
func (f *follower) publish(level int, index uint64, width int, data []byte) bool {
	if err := f.tiles.write(level, index, width, data); err != nil {
		if len(f.unsaved) == 0 {
			f.l.log.Error("audit log: publish", "error", err)
		}
		if len(f.unsaved) < maxUnsaved { // beyond, the next start makes them again from the records
			f.unsaved[f.tiles.file(level, index, width)] = append([]byte(nil), data...)
		}
		return false
	}
	if width == tileWidth {
		f.unsynced = append(f.unsynced, f.tiles.file(level, index, width))
		return true
	}
	f.tiles.thin(level, index, false)
	return true
}

const maxUnsaved = 4096

// sign publishes what is new, and signs it.
func (f *follower) sign() error {
	if f.tree.size == f.signed {
		return nil
	}
	for name, data := range f.unsaved {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err
		}
		if err := writeFile(name, data, 0o600, true); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
		delete(f.unsaved, name)
	}
	f.publishPartial()
	if len(f.unsaved) > 0 {
		return errors.New("tiles could not be published")
	}
	msg, err := note.Sign(&note.Note{Text: checkpointText(f.l.opts.Origin, f.tree.size, f.tree.root())}, f.signer)
	if err != nil {
		return fmt.Errorf("sign checkpoint %d: %w", f.tree.size, err)
	}
	now := f.l.now()
	if err := keepCheckpoint(f.l.opts.Dir, now, msg); err != nil {
		return fmt.Errorf("keep checkpoint %d: %w", f.tree.size, err)
	}
	if err := writeFile(filepath.Join(f.tiles.dir, "checkpoint"), msg, 0o600, true); err != nil {
		return fmt.Errorf("publish checkpoint %d: %w", f.tree.size, err)
	}
	f.signed = f.tree.size
	f.published.Store(f.signed)
	f.mu.Lock()
	f.note, f.signedAt = msg, now
	f.mu.Unlock()
	if f.l.opts.Published != nil {
		f.l.opts.Published(msg)
	}
	if now := time.Now(); len(f.unsynced) > 0 && (now.Sub(f.synced) > time.Minute || len(f.unsynced) > 1024) {
		f.synced = now
		return f.saveSynced()
	}
	return nil
}

// publishPartial publishes the tiles that are not full, where they have changed.
func (f *follower) publishPartial() {
	for level, row := range f.tree.rows {
		if len(row) == 0 || f.wrote[level] == len(row) {
			continue
		}
		index := f.tree.size >> (tileHeight * (level + 1))
		f.publish(level, index, len(row), joinHashes(nil, row))
		if level == 0 {
			f.publish(entriesLevel, index, len(row), f.entries)
		}
		f.wrote[level] = len(row)
	}
}

// saveSynced makes the full tiles durable, and notes how far they are. Until then the next start makes them again.
func (f *follower) saveSynced() error {
	if len(f.unsaved) > 0 {
		return nil
	}
	for _, name := range f.unsynced {
		if err := syncFile(name); err != nil {
			return fmt.Errorf("flush tile: %w", err)
		}
	}
	f.unsynced = f.unsynced[:0]
	return writeFile(filepath.Join(f.l.opts.Dir, syncedName), []byte(strconv.FormatUint(f.tree.size, 10)+"\n"), 0o600, true)
}

func syncFile(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	return file.Sync()
}

// announce tells those who watch that there is more to read.
func (f *follower) announce() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.grown != nil {
		close(f.grown)
		f.grown = nil
	}
}

// watch returns a channel that is closed when there is more to read than at the time of the call.
func (f *follower) watch() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.grown == nil {
		f.grown = make(chan struct{})
	}
	return f.grown
}

// load brings the tree to where the records end, and compares it with what was signed.
func (f *follower) load(ctx context.Context, l *Log, signer *signer, segments []uint32, e end) error {
	f.l, f.signer, f.tiles = l, signer, tiles{filepath.Join(l.opts.Dir, tilesDir)}
	f.wrote, f.unsaved, f.synced = make(map[int]int), make(map[string][]byte), time.Now()
	latest, err := latestCheckpoint(l.opts.Dir, signer.verifier)
	if err != nil {
		return err
	}
	if latest == nil {
		latest = &Checkpoint{Root: (&tree{}).root()}
	}
	f.note, f.signedAt = latest.Note, latest.Time
	known := []Checkpoint{*latest}
	for _, msg := range l.opts.Known {
		if len(msg) == 0 {
			continue
		}
		c, err := ParseCheckpoint(msg, signer.verifier)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrKnown, err)
		}
		known = append(known, c)
	}
	for _, c := range known {
		if c.Size > e.records {
			return fmt.Errorf("%w: a checkpoint of %d records was signed, and %d are here; restore the missing segments, "+
				"or keep this directory as evidence and begin a new log in another one", ErrRollback, c.Size, e.records)
		}
	}
	first := uint64(0)
	if len(segments) > 0 {
		s, err := openSegment(l.opts.Dir, segments[0])
		if err != nil {
			return err
		}
		first = s.header.Record
		s.close()
	}
	// From where the tiles are known to be good; when they turn out not to be, from the first record.
	f.signed = latest.Size
	f.loading = true
	defer func() { f.loading = false }()
	start := max(first, min(f.readSynced(), latest.Size)&^(tileWidth-1))
	err = f.grow(ctx, start, e.records, known)
	if err != nil && start > first && ctx.Err() == nil {
		l.log.Warn("audit log: the published tree does not fit the records; it is made again", "error", err)
		err = f.grow(ctx, first, e.records, known)
	}
	if err == nil {
		f.publishPartial() // a crash of the machine may have taken them
	}
	return err
}

func (f *follower) readSynced() uint64 {
	b, err := readSmall(filepath.Join(f.l.opts.Dir, syncedName), 64)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 63)
	if err != nil {
		return 0
	}
	return n
}

// grow takes the tree of the tiles at start, adds the records from there on, and compares it with the checkpoints.
func (f *follower) grow(ctx context.Context, start, records uint64, known []Checkpoint) error {
	t, err := loadTree(start, f.tiles.row)
	if err != nil {
		return err
	}
	f.tree, f.entries = *t, f.entries[:0]
	if n := int(start % tileWidth); n > 0 {
		entries, err := f.tiles.bundle(start/tileWidth, n)
		if err != nil {
			return err
		}
		for _, e := range entries {
			f.entries = appendEntry(f.entries, e)
		}
	}
	check := func() error {
		for _, c := range known {
			if c.Size == f.tree.size && c.Root != f.tree.root() {
				return fmt.Errorf("%w: the first %d records are not those that were signed; find out which with `vecgate audit verify`, and "+
					"restore them, or keep this directory as evidence and begin a new log in another one", ErrRollback, c.Size)
			}
		}
		return nil
	}
	if err := check(); err != nil {
		return err
	}
	var buf []byte
	r := &Reader{dir: f.l.opts.Dir}
	err = r.frames(ctx, start, func(seq uint64, fr *frame) error {
		if fr.kind != kindRecord {
			return nil
		}
		if seq != f.tree.size {
			return fmt.Errorf("record %d stands where record %d should be", seq, f.tree.size)
		}
		buf = append(append(buf[:0], 0), fr.payload...)
		f.add(leafHash(buf, span{1, len(buf)}), buf[1:])
		return check()
	})
	if err != nil {
		return err
	}
	if f.tree.size != records {
		return fmt.Errorf("%w: %d records can be read, and there should be %d", ErrRollback, f.tree.size, records)
	}
	// A checkpoint from before start is compared through the tiles.
	for _, c := range known {
		if c.Size > 0 && c.Size < start {
			now := tlog.Tree{N: int64(f.tree.size), Hash: f.tree.root()}
			root, err := tlog.TreeHash(int64(c.Size), tlog.TileHashReader(now, edge{f}))
			if err != nil {
				return fmt.Errorf("compare with checkpoint %d: %w", c.Size, err)
			}
			if root != c.Root {
				return fmt.Errorf("%w: the first %d records are not those of the known checkpoint", ErrRollback, c.Size)
			}
		}
	}
	return nil
}

// edge reads tiles, those that are not published yet included.
type edge struct{ f *follower }

func (edge) Height() int { return tileHeight }

func (e edge) ReadTiles(want []tlog.Tile) ([][]byte, error) {
	all := make([][]byte, len(want))
	for i, w := range want {
		if w.L < len(e.f.tree.rows) && uint64(w.N) == e.f.tree.size>>(tileHeight*(w.L+1)) && len(e.f.tree.rows[w.L]) >= w.W {
			all[i] = joinHashes(nil, e.f.tree.rows[w.L][:w.W])
			continue
		}
		one, err := e.f.tiles.ReadTiles([]tlog.Tile{w})
		if err != nil {
			return nil, err
		}
		all[i] = one[0]
	}
	return all, nil
}

func (edge) SaveTiles([]tlog.Tile, [][]byte) {}
