package audit

import (
	"bytes"
	"context"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"filippo.io/age"
	"golang.org/x/mod/sumdb/note"
)

// Reader reads a log, while it is written or afterwards.
type Reader struct {
	dir        string
	origin     string
	identities []age.Identity
	log        *Log   // nil when nobody in this process writes it
	index      *index // nil when it would not be worth it

	mu   sync.Mutex
	keys map[uint32]cipher.AEAD
}

// Errors of reading.
var (
	// ErrSealed says that none of the identities at hand opens a body.
	ErrSealed = errors.New("sealed to others")
	// ErrDestroyed says that a body's key was destroyed at the end of its retention.
	ErrDestroyed = errors.New("destroyed at the end of its retention")
)

// OpenDir reads the log in a directory, with age identities to unseal bodies, if any.
func OpenDir(dir string, identities ...age.Identity) (*Reader, error) {
	key, err := PublicKey(dir)
	if err != nil {
		return nil, fmt.Errorf("read audit log %s: %w", dir, err)
	}
	return &Reader{dir: dir, origin: key.Name(), identities: identities, index: newIndex(), keys: make(map[uint32]cipher.AEAD)}, nil
}

// PublicKey is the key in a log's directory that its checkpoints are signed with. Who does not trust the directory brings
// the key along.
func PublicKey(dir string) (note.Verifier, error) {
	text, err := readSmall(filepath.Join(dir, publicName), maxKeyFile)
	if err != nil {
		return nil, err
	}
	key, err := note.NewVerifier(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", publicName, err)
	}
	return key, nil
}

// SelfIdentity is the gateway's own key to what it seals; an error that is fs.ErrNotExist says that it has none.
func SelfIdentity(dir string) (age.Identity, error) {
	text, err := readSecret(filepath.Join(dir, selfName))
	if err != nil {
		return nil, err
	}
	return age.ParseX25519Identity(strings.TrimSpace(text))
}

// Reader reads what is durable; it unseals bodies when the log holds a key of its own.
func (l *Log) Reader() *Reader {
	r := &Reader{dir: l.opts.Dir, origin: l.opts.Origin, log: l, index: l.index, keys: make(map[uint32]cipher.AEAD)}
	if l.self != nil {
		r.identities = []age.Identity{l.self}
	}
	return r
}

// Filter says which records are wanted; its zero fields ask nothing.
type Filter struct {
	Session string
	Request string
	Subject string
	Target  string
	Types   []Type
	Since   time.Time
	Until   time.Time // exclusive
}

func (f *Filter) match(r *Record) bool {
	return (f.Session == "" || r.Session == f.Session) && (f.Request == "" || r.Request == f.Request) &&
		(f.Subject == "" || r.Subject == f.Subject) && (f.Target == "" || r.Target == f.Target) &&
		(len(f.Types) == 0 || slices.Contains(f.Types, r.Type)) &&
		(f.Since.IsZero() || !r.Time.Before(f.Since)) && (f.Until.IsZero() || r.Time.Before(f.Until))
}

// may says from the bytes alone whether an envelope could match, which saves decoding most of them.
func (f *Filter) may(envelope []byte) bool {
	for _, s := range [...]string{f.Session, f.Request, f.Subject, f.Target} {
		if s != "" && !bytes.Contains(envelope, appendString(nil, s)) {
			return false
		}
	}
	return true
}

// Last is the sequence number after which no record matters when to is 0.
const last = ^uint64(0)

// Records returns the records from a sequence number on, up to and including to; to 0 means to the end.
func (r *Reader) Records(ctx context.Context, from, to uint64, filter Filter) iter.Seq2[*Record, error] {
	end := last
	if to != 0 && to != last {
		end = to + 1
	}
	return r.records(ctx, from, end, filter)
}

// records is Records with an end that is not included.
func (r *Reader) records(ctx context.Context, from, end uint64, filter Filter) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		err := r.frames(ctx, from, func(seq uint64, f *frame) error {
			if seq >= end {
				return io.EOF
			}
			if f.kind != kindRecord || !filter.may(f.payload) {
				return nil
			}
			record := new(Record)
			if err := DecodeRecord(f.payload, record); err != nil {
				return fmt.Errorf("record %d: %w", seq, err)
			}
			if filter.match(record) && !yield(record, nil) {
				return io.EOF
			}
			return nil
		})
		if err != nil && !errors.Is(err, io.EOF) {
			yield(nil, err)
		}
	}
}

// Record returns one record, with the bytes that are its leaf.
func (r *Reader) Record(ctx context.Context, seq uint64) (*Record, []byte, error) {
	var record *Record
	var envelope []byte
	err := r.frames(ctx, seq, func(at uint64, f *frame) error {
		if f.kind != kindRecord {
			return nil
		}
		if at == seq {
			record, envelope = new(Record), slices.Clone(f.payload)
			if err := DecodeRecord(envelope, record); err != nil {
				return fmt.Errorf("record %d: %w", seq, err)
			}
		}
		return io.EOF
	})
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	if record == nil {
		return nil, nil, fmt.Errorf("record %d: %w", seq, fs.ErrNotExist)
	}
	return record, envelope, nil
}

// Envelope returns the bytes of a record that was read from a log, as they are hashed: a record has one encoding.
func (r *Record) Envelope() []byte { return appendRecord(nil, r) }

// DecodeRecord reads an envelope. Fields that it does not know are an error: a record says what it says.
func DecodeRecord(envelope []byte, r *Record) error {
	d := json.NewDecoder(bytes.NewReader(envelope))
	d.DisallowUnknownFields()
	if err := d.Decode(r); err != nil {
		return err
	}
	if d.InputOffset() != int64(len(envelope)) {
		return errors.New("something follows the envelope")
	}
	return nil
}

// Piece is a record of a session, or a body that was said in it.
type Piece struct {
	Seq    uint64  // of the record, or of the record that the body stands before
	Record *Record // nil for a body

	Request   string
	Direction Direction
	body      body
}

// Session returns what is on record of one session, in order: its records, and its bodies as they were said. The bounds
// are those of Records; who knows the session's first and last record saves reading everything.
func (r *Reader) Session(ctx context.Context, session string, from, to uint64) iter.Seq2[*Piece, error] {
	if to == 0 {
		to = last
	}
	filter := Filter{Session: session}
	prefix := session + "."
	return func(yield func(*Piece, error) bool) {
		err := r.frames(ctx, from, func(seq uint64, f *frame) error {
			if seq > to {
				return io.EOF
			}
			piece := &Piece{Seq: seq}
			switch f.kind {
			case kindRecord:
				if !filter.may(f.payload) {
					return nil
				}
				piece.Record = new(Record)
				if err := DecodeRecord(f.payload, piece.Record); err != nil {
					return fmt.Errorf("record %d: %w", seq, err)
				}
				if !filter.match(piece.Record) {
					return nil
				}
				piece.Request = piece.Record.Request
			case kindBody:
				b, err := parseBody(f.payload)
				if err != nil {
					return fmt.Errorf("body before record %d: %w", seq, err)
				}
				if !strings.HasPrefix(b.request, prefix) {
					return nil
				}
				b.header, b.sealed = slices.Clone(b.header), slices.Clone(b.sealed)
				piece.Request, piece.Direction, piece.body = b.request, b.direction, b
			}
			if !yield(piece, nil) {
				return io.EOF
			}
			return nil
		})
		if err != nil && !errors.Is(err, io.EOF) {
			yield(nil, err)
		}
	}
}

// Conversation is Session for those who know no types of this package: it implements recording.Source.
func (r *Reader) Conversation(ctx context.Context, session string, from, to uint64,
	record func(seq uint64, envelope []byte) error,
	body func(seq uint64, request string, asked bool, unseal func() ([]byte, error)) error,
) error {
	for piece, err := range r.Session(ctx, session, from, to) {
		if err == nil && piece.Record != nil {
			err = record(piece.Seq, piece.Record.Envelope())
		} else if err == nil {
			err = body(piece.Seq, piece.Request, piece.Direction == Asked, func() ([]byte, error) { return r.Unseal(piece) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Before returns the last n records before a sequence number that match, newest first; before 0 means from the end.
func (r *Reader) Before(ctx context.Context, before uint64, n int, filter Filter) ([]*Record, error) {
	if before == 0 {
		size, err := r.size(ctx)
		if err != nil {
			return nil, err
		}
		before = size
	}
	var found []*Record
	for window := uint64(4 * n); before > 0 && len(found) < n; window *= 4 {
		from := before - min(before, window)
		var part []*Record
		for record, err := range r.records(ctx, from, before, filter) {
			if err != nil {
				return nil, err
			}
			if part = append(part, record); len(part) > 2*n {
				part = append(part[:0], part[len(part)-n:]...)
			}
		}
		for i := len(part) - 1; i >= 0 && len(found) < n; i-- {
			found = append(found, part[i])
		}
		before = from
	}
	return found, nil
}

// size is the sequence number of the next record.
func (r *Reader) size(ctx context.Context) (uint64, error) {
	if r.log != nil {
		return r.log.follower.durableRecords.Load(), nil
	}
	segments, err := listSegments(r.dir)
	if err != nil || len(segments) == 0 {
		return 0, err
	}
	s, err := openSegment(r.dir, segments[len(segments)-1])
	if err != nil {
		return 0, err
	}
	from := s.header.Record
	s.close()
	size := from
	err = r.frames(ctx, from, func(seq uint64, f *frame) error {
		if f.kind == kindRecord {
			size = seq + 1
		}
		return nil
	})
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return size, err
}

// Unseal returns what a body says. The error is ErrSealed or ErrDestroyed when that is why it cannot be read.
func (r *Reader) Unseal(p *Piece) ([]byte, error) {
	if p.Record != nil {
		return nil, errors.New("a record has nothing to unseal")
	}
	aead, err := r.key(p.body.key)
	if err != nil {
		return nil, err
	}
	return p.body.open(r.origin, aead)
}

// key unwraps the data key of a number.
func (r *Reader) key(number uint32) (cipher.AEAD, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if aead := r.keys[number]; aead != nil {
		return aead, nil
	}
	wrapped, err := readSmall(keyPath(r.dir, number), maxWrapped)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("data key %d: %w", number, ErrDestroyed)
	}
	if err != nil {
		return nil, err
	}
	if len(r.identities) == 0 {
		return nil, fmt.Errorf("data key %d: %w", number, ErrSealed)
	}
	aead, err := unwrapKey(r.origin, number, wrapped, r.identities)
	if err != nil {
		if _, no := errors.AsType[*age.NoIdentityMatchError](err); no {
			err = fmt.Errorf("data key %d: %w", number, ErrSealed)
		}
		return nil, err
	}
	if len(r.keys) >= keptKeys {
		clear(r.keys)
	}
	r.keys[number] = aead
	return aead, nil
}

// keptKeys bounds how many data keys are kept in memory.
const keptKeys = 16

// Watch returns a channel that is closed when there is more to read than at the time of the call; nil, which never is,
// when the log is not written by this process.
func (r *Reader) Watch() <-chan struct{} {
	if r.log == nil {
		return nil
	}
	return r.log.follower.watch()
}

// frames calls each for the records and bodies from record from on, with the sequence number of the record, or of the
// record that a body stands before. The frame is valid during the call.
func (r *Reader) frames(ctx context.Context, from uint64, each func(seq uint64, f *frame) error) error {
	segments, err := listSegments(r.dir)
	if err != nil {
		return err
	}
	limit := last
	if r.log != nil {
		limit = r.log.follower.durableRecords.Load()
	}
	scanners := make([]*scanner, 0, len(segments))
	defer func() {
		for _, s := range scanners {
			s.close()
		}
	}()
	// The last segment that begins at or before from, and those after it.
	for i := len(segments) - 1; i >= 0; i-- {
		s, err := openSegment(r.dir, segments[i])
		if errors.Is(err, fs.ErrNotExist) {
			break // its retention ended just now
		}
		if err != nil {
			return err
		}
		scanners = append(scanners, s)
		if s.header.Record <= from && (i == 0 || s.header.Record < from) {
			break
		}
	}
	for i := len(scanners) - 1; i >= 0; i-- {
		s, end := scanners[i], last
		if i > 0 {
			end = scanners[i-1].header.Frame
		}
		if err := r.framesOf(ctx, s, from, end, limit, each); err != nil {
			return err
		}
	}
	return nil
}

// framesOf is frames for one segment, in which frames from number end on do not count.
func (r *Reader) framesOf(ctx context.Context, s *scanner, from, end, limit uint64, each func(seq uint64, f *frame) error) error {
	seq, number := s.header.Record, s.header.Frame
	if m, ok := r.index.find(s.number, from); ok {
		if err := s.seek(m.off); err != nil {
			return err
		}
		seq, number = m.record, m.frame
	}
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if seq >= limit {
			return io.EOF
		}
		f, err := s.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			if number >= end || r.log == nil && end == last && isTorn(err) {
				return nil // the tail, which may be being written, or which failed and was written elsewhere
			}
			return fmt.Errorf("segment %d, byte %d, record %d: %w", s.number, s.off, seq, err)
		}
		if f.kind == kindGone && f.number < end {
			n, err := goneFrames(&f)
			if err != nil {
				return fmt.Errorf("segment %d, byte %d, record %d: %w", s.number, s.off, seq, err)
			}
			number = f.number + n
		}
		if f.kind == kindRecord || f.kind == kindBody {
			if f.number >= end {
				return nil
			}
			number = f.number + 1
			if seq >= from {
				if err := each(seq, &f); err != nil {
					return err
				}
			}
			if f.kind == kindRecord {
				if seq++; seq%markEvery == 0 {
					r.index.add(s.number, mark{record: seq, frame: number, off: s.off})
				}
			}
		}
	}
}

func isTorn(err error) bool { return errors.Is(err, errShort) || errors.Is(err, errDamaged) }
