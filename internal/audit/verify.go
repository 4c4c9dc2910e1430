package audit

import (
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"sort"
	"time"

	"filippo.io/age"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// VerifyOptions say what is known from elsewhere.
type VerifyOptions struct {
	// Key is the public key that checkpoints must be signed with; nil means the one in the directory, which proves only
	// that the log agrees with itself.
	Key note.Verifier
	// Known are signed checkpoints that were kept elsewhere: the log must contain them.
	Known [][]byte
	// Identities unseal bodies; without them only their digests are checked.
	Identities []age.Identity
	// Live says that the log is being written: its tail may be half written, and requests may be under way.
	Live bool
}

// Problem is one thing that is wrong.
type Problem struct {
	Seq   uint64 `json:"seq"`             // the first record concerned
	Until uint64 `json:"until,omitempty"` // the last one, when there are several
	Where string `json:"where,omitempty"` // segment and byte, tile, checkpoint
	What  string `json:"what"`
}

// Report is what Verify found.
type Report struct {
	Origin      string    `json:"origin"`
	Key         string    `json:"key"`     // name and hash of the key that checkpoints are signed with
	First       uint64    `json:"first"`   // the first record that is kept
	Records     uint64    `json:"records"` // the size of the log: one more than the last record
	Bodies      uint64    `json:"bodies"`
	Unsealed    uint64    `json:"unsealed"`  // bodies that an identity opened
	Sealed      uint64    `json:"sealed"`    // bodies that no identity at hand opens
	Destroyed   uint64    `json:"destroyed"` // bodies whose key was destroyed
	Segments    int       `json:"segments"`
	Checkpoints int       `json:"checkpoints"`
	Signed      uint64    `json:"signed"` // the size that the largest checkpoint signs
	Root        string    `json:"root"`   // of all records
	Begins      time.Time `json:"begins,omitzero"`
	Ends        time.Time `json:"ends,omitzero"`

	Problems []Problem `json:"problems"`
	More     int       `json:"more_problems,omitempty"` // beyond those listed
	// Unknown are the intents without an outcome: what became of these requests is not on record.
	Unknown []uint64 `json:"unknown_outcomes,omitempty"`
	// Gaps and Recoveries are the records that say that the log could not be written, or was cut off by a crash.
	Gaps       []uint64 `json:"gaps,omitempty"`
	Recoveries []uint64 `json:"recoveries,omitempty"`
}

// OK reports that nothing is wrong. Unknown outcomes, gaps and recoveries are for people to judge.
func (r *Report) OK() bool { return len(r.Problems) == 0 }

// maxProblems bounds what a report lists.
const maxProblems = 1000

func (r *Report) problem(p Problem) {
	if len(r.Problems) >= maxProblems {
		r.More++
		return
	}
	r.Problems = append(r.Problems, p)
}

// verification is the state of one walk over a log.
type verification struct {
	opts   VerifyOptions
	dir    string
	report *Report
	reader *Reader
	tiles  tiles

	seq      uint64 // of the next record
	frame    uint64 // number of the next frame
	latest   time.Time
	tree     tree
	whole    bool        // every leaf so far is from a record or a tile; the tree means something
	row      []tlog.Hash // of the tile that was looked at last
	rowOf    uint64
	entries  []byte
	bundled  bool // entries holds every record of the bundle so far
	marks    []Checkpoint
	mark     int // the next one to compare
	lastGood uint64
	tampered bool // a checkpoint did not fit; later ones cannot either

	sealings map[string]*sealing
	open     map[string]uint64 // requests with an intent and no outcome yet
	began    map[string]uint64 // the frames of these intents
	opened   map[string]uint64 // sessions
	number   uint32            // of the segment
	previous uint64            // frame that the segment before this one begins with
	current  uint64            // frame that this segment begins with
	goneTo   uint64            // frame after the last bodies that are gone
	gone     map[uint32]uint64 // segments without their bodies, with the first record concerned
	removed  uint64            // records before this one were removed, as a record says
	shredded map[uint32]bool   // keys that were destroyed, as a record says
	missing  map[uint32]uint64 // keys that are gone, with the first record concerned
	unusable map[uint32]bool   // keys that are there and do not work
	starts   bool
}

// Verify checks a whole log: every frame, the order of the records, the digests of the bodies, the tree and its tiles,
// and every checkpoint that was kept. The error says that it could not be read; what is wrong with it is in the report.
func Verify(ctx context.Context, dir string, opts VerifyOptions) (*Report, error) {
	report, err := verifyOnce(ctx, dir, opts)
	if opts.Live && errors.Is(err, fs.ErrNotExist) { // a segment whose retention ended meanwhile
		return verifyOnce(ctx, dir, opts)
	}
	return report, err
}

func verifyOnce(ctx context.Context, dir string, opts VerifyOptions) (*Report, error) {
	v := &verification{
		opts: opts, dir: dir, report: &Report{Problems: []Problem{}}, tiles: tiles{filepath.Join(dir, tilesDir)}, whole: true, bundled: true,
		sealings: make(map[string]*sealing), open: make(map[string]uint64), began: make(map[string]uint64), gone: make(map[uint32]uint64), opened: make(map[string]uint64),
		shredded: make(map[uint32]bool), missing: make(map[uint32]uint64),
		unusable: make(map[uint32]bool),
	}
	if v.opts.Key == nil {
		key, err := PublicKey(dir)
		if err != nil {
			return nil, fmt.Errorf("verify audit log %s: %w", dir, err)
		}
		v.opts.Key = key
	}
	key := v.opts.Key
	v.report.Origin, v.report.Key = key.Name(), fmt.Sprintf("%s+%08x", key.Name(), key.KeyHash())
	v.reader = &Reader{dir: dir, origin: key.Name(), identities: opts.Identities, keys: make(map[uint32]cipher.AEAD)}
	if err := v.checkpoints(); err != nil {
		return nil, fmt.Errorf("verify audit log %s: %w", dir, err)
	}
	if err := v.segments(ctx); err != nil {
		return nil, fmt.Errorf("verify audit log %s: %w", dir, err)
	}
	v.finish()
	return v.report, nil
}

// checkpoints reads all that was signed, in the order of size.
func (v *verification) checkpoints() error {
	before, second := uint64(0), uint64(0)
	keep := func(where string, ordered bool, msg []byte) {
		c, err := ParseCheckpoint(msg, v.opts.Key)
		if err != nil {
			v.report.problem(Problem{Where: where, What: err.Error()})
			return
		}
		if ordered && c.Size < before {
			v.report.problem(Problem{Seq: c.Size, Where: where, What: fmt.Sprintf("checkpoint %d was signed after checkpoint %d", c.Size, before)})
		}
		if ordered {
			before, second = c.Size, before
		}
		v.report.Checkpoints++
		v.report.Signed = max(v.report.Signed, c.Size)
		v.marks = append(v.marks, c)
	}
	err := history(v.dir, func(_ time.Time, msg []byte) error {
		keep("history of checkpoints", true, msg)
		return nil
	})
	if err != nil {
		v.report.problem(Problem{Where: "history of checkpoints", What: err.Error()})
	}
	msg, err := readSmall(filepath.Join(v.tiles.dir, "checkpoint"), maxCheckpoint)
	switch {
	case err == nil:
		keep("published checkpoint", false, msg)
		v.report.Checkpoints-- // it is in the history
		// A crash, or reading while it is written, may find the last but one published.
		if c, err := ParseCheckpoint(msg, v.opts.Key); err == nil && c.Size < second {
			v.report.problem(Problem{Seq: c.Size, Where: "published checkpoint", What: fmt.Sprintf("is checkpoint %d, and checkpoint %d was signed since", c.Size, before)})
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case v.report.Checkpoints > 1: // after the first, a crash or reading while it is written may find none yet
		v.report.problem(Problem{Where: "published checkpoint", What: "is missing"})
	}
	for _, msg := range v.opts.Known {
		keep("checkpoint that was brought along", false, msg)
	}
	sort.SliceStable(v.marks, func(i, j int) bool { return v.marks[i].Size < v.marks[j].Size })
	return nil
}

// segments walks over all frames.
func (v *verification) segments(ctx context.Context) error {
	numbers, err := listSegments(v.dir)
	if err != nil {
		return err
	}
	v.report.Segments = len(numbers)
	headers := make([]*segmentHeader, len(numbers))
	for i, n := range numbers {
		s, err := openSegment(v.dir, n)
		if err != nil {
			v.report.problem(Problem{Where: fmt.Sprintf("segment %d", n), What: err.Error()})
			continue
		}
		h := s.header
		s.close()
		headers[i] = &h
	}
	for i, n := range numbers {
		h := headers[i]
		if h == nil {
			continue
		}
		end := last
		for _, next := range headers[i+1:] {
			if next != nil {
				end = next.Frame
				break
			}
		}
		if h.Origin != v.opts.Key.Name() {
			v.report.problem(Problem{Seq: h.Record, Where: fmt.Sprintf("segment %d", n), What: fmt.Sprintf("is of the log %q", h.Origin)})
			continue
		}
		if !v.starts {
			v.start(h)
		}
		if i > 0 && numbers[i-1] != n-1 && h.Record == v.seq && h.Frame == v.frame {
			v.report.problem(Problem{Seq: h.Record, Where: fmt.Sprintf("segment %d", n-1), What: "is missing, although it held nothing"})
		}
		v.skipTo(h.Record, h.Frame, fmt.Sprintf("before segment %d", n))
		if err := v.segment(ctx, n, end, i == len(numbers)-1); err != nil {
			return err
		}
	}
	return nil
}

// start begins the tree where the first segment does.
func (v *verification) start(h *segmentHeader) {
	v.starts = true
	v.seq, v.frame, v.report.First = h.Record, h.Frame, h.Record
	if h.Record == 0 {
		return
	}
	// What was removed at the end of its retention is known by its hashes.
	v.seq = 0
	for v.seq < h.Record {
		leaf, ok := v.tileLeaf(v.seq)
		if !ok {
			v.whole = false
			v.seq = h.Record
			return
		}
		v.leaf(leaf, nil)
	}
}

// tileLeaf is the hash of a record as it was published.
func (v *verification) tileLeaf(seq uint64) (tlog.Hash, bool) {
	if index := seq / tileWidth; v.row == nil || v.rowOf != index {
		v.rowOf, v.row = index, []tlog.Hash{}
		for width := tileWidth; width > 0 && len(v.row) == 0; {
			if hashes, err := v.tiles.row(0, index, width); err == nil {
				v.row = hashes
			}
			widths := v.tiles.partial(0, index)
			if width != tileWidth || len(widths) == 0 {
				break
			}
			width = widths[len(widths)-1]
		}
	}
	if at := int(seq % tileWidth); at < len(v.row) {
		return v.row[at], true
	}
	return tlog.Hash{}, false
}

// skipTo goes over records that cannot be read, by what was published of them.
func (v *verification) skipTo(seq, frame uint64, where string) {
	switch {
	case seq < v.seq:
		v.report.problem(Problem{Seq: seq, Until: v.seq - 1, Where: where, What: "these records come twice, or out of order"})
	case seq > v.seq:
		v.report.problem(Problem{Seq: v.seq, Until: seq - 1, Where: where, What: fmt.Sprintf("%s missing or unreadable", plural(seq-v.seq, "record"))})
	case frame != v.frame && frame > v.frame:
		v.report.problem(Problem{Seq: v.seq, Where: where, What: fmt.Sprintf("%s missing or unreadable", plural(frame-v.frame, "body"))})
	}
	for v.seq < seq {
		leaf, ok := v.tileLeaf(v.seq)
		if !ok {
			v.whole = false
			v.seq = seq
			break
		}
		v.leaf(leaf, nil)
	}
	if seq >= v.seq {
		v.frame = frame
	}
}

func plural(n uint64, what string) string {
	if n == 1 {
		return "1 " + what + " is"
	}
	if what == "body" {
		return fmt.Sprintf("%d bodies are", n)
	}
	return fmt.Sprintf("%d %ss are", n, what)
}

// segment walks over the frames of one segment; those from number end on were written again in the next one.
func (v *verification) segment(ctx context.Context, number uint32, end uint64, isLast bool) error {
	s, err := openSegment(v.dir, number)
	if err != nil {
		return err
	}
	defer s.close()
	v.number, v.previous, v.current = number, v.current, s.header.Frame
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		at := s.off
		where := fmt.Sprintf("segment %d, byte %d", number, at)
		f, err := s.next()
		if err != nil {
			if errors.Is(err, io.EOF) && v.onlyZeros(s) || v.frame >= end {
				return nil
			}
			if isLast && v.opts.Live {
				return nil
			}
			if errors.Is(err, io.EOF) {
				err = errors.New("something is here that is no frame")
			}
			v.report.problem(Problem{Seq: v.seq, Where: where, What: err.Error()})
			if !v.resync(s, at) {
				return nil
			}
			continue
		}
		switch f.kind {
		case kindHeader:
			v.report.problem(Problem{Seq: v.seq, Where: where, What: "a segment begins within a segment"})
			continue
		case kindCommit:
			continue
		}
		if f.number >= end {
			return nil
		}
		v.take(&f, where)
	}
}

// onlyZeros reports that nothing follows in a segment.
func (v *verification) onlyZeros(s *scanner) bool {
	rest, err := s.rest()
	return err == nil && len(bytes.TrimRight(rest, "\x00")) == 0
}

// maxResyncs bounds how often a walk picks up again within one segment.
const maxResyncs = 100

// resync looks for the next whole frame after one that is damaged.
func (v *verification) resync(s *scanner, at int64) bool {
	if s.resyncs++; s.resyncs > maxResyncs {
		return false
	}
	rest, err := s.rest()
	if err != nil || len(rest) == 0 {
		return false
	}
	i := findFrame(rest[1:], func(f *frame) bool { return f.number >= v.frame })
	return i >= 0 && s.seek(at+1+int64(i)) == nil
}

// take looks at a record or a body.
func (v *verification) take(f *frame, where string) {
	if f.number != v.frame {
		v.outOfOrder(f, where)
		if f.number < v.frame {
			return
		}
	}
	v.frame = f.number + 1
	switch f.kind {
	case kindBody:
		v.body(f.payload, where)
	case kindGone:
		v.without(f, where)
	case kindRecord:
		v.record(f.payload, where)
	}
}

// without goes over bodies whose room was given back.
func (v *verification) without(f *frame, where string) {
	n, err := goneFrames(f)
	if err != nil {
		v.report.problem(Problem{Seq: v.seq, Where: where, What: err.Error()})
		return
	}
	v.frame = f.number + n
	v.goneTo = v.frame
	v.report.Bodies += n
	v.report.Destroyed += n
	if _, ok := v.gone[v.number]; !ok {
		v.gone[v.number] = v.seq
	}
}

// outOfOrder goes over the hole in front of a frame.
func (v *verification) outOfOrder(f *frame, where string) {
	if f.number < v.frame {
		v.report.problem(Problem{Seq: v.seq, Where: where, What: fmt.Sprintf("frame %d stands where frame %d should be: it comes twice, or out of order", f.number, v.frame)})
		return
	}
	seq := v.seq
	if f.kind == kindRecord {
		var r Record
		if err := DecodeRecord(f.payload, &r); err == nil && r.Seq > v.seq && r.Seq-v.seq <= f.number-v.frame {
			seq = r.Seq
		}
	}
	v.skipTo(seq, f.number, where)
}

func (v *verification) body(payload []byte, where string) {
	v.report.Bodies++
	b, err := parseBody(payload)
	if err != nil {
		v.report.problem(Problem{Seq: v.seq, Where: where, What: err.Error()})
		return
	}
	s := v.sealings[b.request]
	if s == nil {
		s = &sealing{sum: sha256.New()}
		v.sealings[b.request] = s
	}
	s.sum.Write(payload)
	s.bytes += int64(len(payload))
	aead, err := v.reader.key(b.key)
	switch {
	case errors.Is(err, ErrDestroyed):
		v.report.Destroyed++
		if _, ok := v.missing[b.key]; !ok {
			v.missing[b.key] = v.seq
		}
		return
	case errors.Is(err, ErrSealed):
		v.report.Sealed++
		return
	case err != nil:
		v.report.Sealed++
		if !v.unusable[b.key] {
			v.unusable[b.key] = true
			v.report.problem(Problem{Seq: v.seq, Where: fmt.Sprintf("data key %d", b.key), What: err.Error()})
		}
		return
	}
	if _, err := b.open(v.reader.origin, aead); err != nil {
		v.report.problem(Problem{Seq: v.seq, Where: where, What: err.Error()})
		return
	}
	v.report.Unsealed++
}

func (v *verification) record(envelope []byte, where string) {
	seq := v.seq
	leaf := tlog.Hash(sha256.Sum256(append([]byte{0}, envelope...)))
	if published, ok := v.tileLeaf(seq); ok && published != leaf {
		v.report.problem(Problem{Seq: seq, Where: where, What: "the record is not the one that was published"})
		// The tree is carried on with what was published, so that a checkpoint still says whether all the others stand.
		leaf = published
	}
	v.leaf(leaf, envelope)
	var r Record
	if err := DecodeRecord(envelope, &r); err != nil {
		v.report.problem(Problem{Seq: seq, Where: where, What: fmt.Sprintf("the record cannot be read: %v", err)})
		return
	}
	if r.Seq != seq {
		v.report.problem(Problem{Seq: seq, Where: where, What: fmt.Sprintf("record %d stands where record %d should be", r.Seq, seq)})
	}
	if r.Time.Before(v.latest) {
		v.report.problem(Problem{Seq: seq, Where: where, What: fmt.Sprintf("the time goes back from %s to %s", v.latest.Format(time.RFC3339Nano), r.Time.Format(time.RFC3339Nano))})
	}
	v.latest = r.Time
	if v.report.Begins.IsZero() {
		v.report.Begins = r.Time
	}
	v.report.Ends = r.Time
	v.digest(&r, where)
	v.story(&r, where)
}

// digest compares what the record says of its bodies with the bodies.
func (v *verification) digest(r *Record, where string) {
	s := v.sealings[r.Request]
	if r.Request == "" {
		s = nil
	}
	var bytes int64
	sum := ""
	if s != nil {
		delete(v.sealings, r.Request)
		bytes, sum = s.bytes, hex.EncodeToString(s.sum.Sum(nil))
	}
	if r.Sealed != bytes || r.SealedHash != sum {
		what := "what was said is not what the record's digest covers"
		if bytes < r.Sealed {
			what = fmt.Sprintf("%d bytes of what was said are missing", r.Sealed-bytes)
		}
		if r.Seq > 0 && v.report.First > 0 && v.firstMentions(r) {
			return // its bodies stood in a segment whose retention has ended
		}
		from := v.previous // from where on its bodies can stand
		if at, ok := v.began[r.Request]; ok {
			from = at
		}
		if bytes < r.Sealed && v.goneTo > from {
			return // the room of bodies between there and here was given back, of which finish asks the reason
		}
		v.report.problem(Problem{Seq: r.Seq, Where: where, What: what})
	}
}

// firstMentions says that bodies of the record may have stood before the first segment that is kept.
func (v *verification) firstMentions(r *Record) bool {
	_, seen := v.opened[r.Session]
	return !seen
}

// story follows what the records say happened.
func (v *verification) story(r *Record, where string) {
	switch r.Type {
	case TypeSessionOpen:
		v.opened[r.Session] = r.Seq
	case TypeSessionClose:
		delete(v.opened, r.Session)
		for request := range v.sealings {
			if inSession(request, r.Session) {
				delete(v.sealings, request)
				v.report.problem(Problem{Seq: r.Seq, Where: where, What: fmt.Sprintf("what was said in %s is covered by no record", request)})
			}
		}
	case TypeIntent:
		if before, twice := v.open[r.Request]; twice {
			v.report.problem(Problem{Seq: r.Seq, Where: where, What: fmt.Sprintf("request %s began already with record %d", r.Request, before)})
		}
		v.open[r.Request] = r.Seq
		v.began[r.Request] = v.frame - 1
	case TypeOutcome:
		if _, ok := v.open[r.Request]; !ok && v.report.First == 0 {
			v.report.problem(Problem{Seq: r.Seq, Where: where, What: fmt.Sprintf("request %s ended without having begun", r.Request)})
		}
		delete(v.open, r.Request)
		delete(v.began, r.Request)
	case TypeRefusal:
		delete(v.began, r.Request)
		delete(v.open, r.Request) // it was not forwarded after all
	case TypeGap:
		v.report.Gaps = append(v.report.Gaps, r.Seq)
	case TypeRecovered:
		v.report.Recoveries = append(v.report.Recoveries, r.Seq)
	case TypeAdmin:
		if r.Method != methodRetention {
			return
		}
		switch r.State {
		case stateRemoved:
			v.removed = max(v.removed, uint64(r.Rows))
		case stateDestroyed:
			v.shredded[uint32(r.Rows)] = true
		}
	}
}

// leaf adds a leaf, and compares the tree with what was published and signed at this size.
func (v *verification) leaf(leaf tlog.Hash, envelope []byte) {
	if envelope == nil {
		v.bundled = false
	}
	if v.bundled {
		v.entries = appendEntry(v.entries, envelope)
	}
	v.seq++
	if v.whole {
		_ = v.tree.add(leaf, func(level int, index uint64, hashes []tlog.Hash) error {
			v.compare(level, index, joinHashes(nil, hashes))
			return nil
		})
		v.compareMarks()
	}
	if v.seq%tileWidth == 0 {
		if v.bundled && v.seq <= v.report.Signed {
			v.compare(entriesLevel, v.seq/tileWidth-1, v.entries)
		}
		v.entries, v.bundled = v.entries[:0], true
	}
}

// compare looks whether a tile says what the records do. Beyond what was signed it need not be there yet.
func (v *verification) compare(level int, index uint64, want []byte) {
	end := (index + 1) << (tileHeight * (max(level, 0) + 1))
	if end > v.report.Signed {
		return
	}
	first := index << (tileHeight * (max(level, 0) + 1))
	name := tilePath(level, index, tileWidth)
	got, err := readSmall(v.tiles.file(level, index, tileWidth), maxTile)
	if errors.Is(err, fs.ErrNotExist) {
		v.report.problem(Problem{Seq: first, Until: end - 1, Where: name, What: "the tile is missing"})
		return
	}
	if err != nil || !bytes.Equal(got, want) {
		v.report.problem(Problem{Seq: first, Until: end - 1, Where: name, What: "the tile does not say what the records do"})
	}
}

// compareMarks compares the root with the checkpoints of this size.
func (v *verification) compareMarks() {
	for ; v.mark < len(v.marks) && v.marks[v.mark].Size <= v.seq; v.mark++ {
		c := v.marks[v.mark]
		if c.Size < v.seq || c.Root == v.tree.root() {
			v.lastGood = c.Size
			continue
		}
		if !v.tampered {
			v.report.problem(Problem{
				Seq: v.lastGood, Until: c.Size - 1, Where: fmt.Sprintf("checkpoint %d", c.Size),
				What: "the records are not those that were signed; the first one that differs is among these",
			})
		}
		v.tampered = true
	}
}

// finish judges what can be judged at the end only.
func (v *verification) finish() {
	r := v.report
	r.Records = v.seq
	root := v.tree.root()
	if v.whole {
		r.Root = root.String()
	}
	if v.seq < r.Signed {
		r.problem(Problem{Seq: v.seq, Until: r.Signed - 1, Where: fmt.Sprintf("checkpoint %d", r.Signed), What: fmt.Sprintf("%s missing at the end", plural(r.Signed-v.seq, "record"))})
	}
	if !v.whole {
		r.problem(Problem{Where: "tree", What: "the signatures cannot be checked: records are missing, and so are their published hashes"})
	}
	v.partial()
	if r.First > 0 && v.removed < r.First {
		r.problem(Problem{Seq: 0, Until: r.First - 1, Where: "retention", What: "these records are gone, and no record says that their retention ended"})
	}
	for key, seq := range v.missing {
		if !v.shredded[key] {
			r.problem(Problem{Seq: seq, Where: fmt.Sprintf("data key %d", key), What: "is gone, and no record says that it was destroyed at the end of its retention"})
		}
	}
	for number, seq := range v.gone {
		if !v.shredded[number] {
			r.problem(Problem{Seq: seq, Where: fmt.Sprintf("segment %d", number), What: "what was said is gone, and no record says that it was destroyed at the end of its retention"})
		}
	}
	for _, seq := range v.open {
		r.Unknown = append(r.Unknown, seq)
	}
	sort.Slice(r.Unknown, func(i, j int) bool { return r.Unknown[i] < r.Unknown[j] })
	sort.SliceStable(r.Problems, func(i, j int) bool { return r.Problems[i].Seq < r.Problems[j].Seq })
}

// partial compares the tiles that are not full, as the published checkpoint needs them.
func (v *verification) partial() {
	if !v.whole || v.opts.Live || v.report.Signed == 0 || v.tree.size < v.report.Signed || v.tampered {
		return
	}
	t, err := loadTree(v.report.Signed, v.tiles.row)
	if err != nil {
		v.report.problem(Problem{Seq: v.report.Signed &^ (tileWidth - 1), Until: v.report.Signed - 1, Where: "tiles", What: err.Error()})
		return
	}
	for _, c := range v.marks {
		if c.Size == t.size && c.Root != t.root() {
			v.report.problem(Problem{Seq: t.size &^ (tileWidth - 1), Until: t.size - 1, Where: "tiles", What: "the tiles that are not full do not add up to the checkpoint"})
			return
		}
	}
	n := int(t.size % tileWidth)
	if n == 0 || t.size-uint64(n) < v.report.First {
		return
	}
	entries, err := v.tiles.bundle(t.size/tileWidth, n)
	if err == nil {
		for i, e := range entries {
			if leaf := tlog.Hash(sha256.Sum256(append([]byte{0}, e...))); leaf != t.rows[0][i] {
				err = errors.New("an entry is not the one that was signed")
			}
		}
	}
	if err != nil {
		v.report.problem(Problem{Seq: t.size - uint64(n), Until: t.size - 1, Where: tilePath(entriesLevel, t.size/tileWidth, n), What: err.Error()})
	}
}
