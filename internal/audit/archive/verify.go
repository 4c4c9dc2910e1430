package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sort"
	"strings"
	"time"

	"filippo.io/age"
	"golang.org/x/mod/sumdb/note"

	"github.com/vecgate/vecgate/internal/audit"
)

// VerifyOptions say what is known from elsewhere.
type VerifyOptions struct {
	// Key is the public key of the log; nil means the one in the archive, which proves only that it agrees with itself.
	Key note.Verifier
	// Known are signed checkpoints that were kept elsewhere: the archive must contain them.
	Known [][]byte
	// Identities unseal what was said.
	Identities []age.Identity
	// Keep is for how long each object must be locked from when it was written, and Mode how; 0 asks for no lock.
	Keep time.Duration
	Mode string
	// Copy is where the archive is copied to, as a log's directory: it is checked there. It must be empty, or not be there.
	Copy string
	// Log is the directory of the gateway's own log; it is compared when it is named.
	Log string
}

// Report is what Verify found.
type Report struct {
	Where      string          `json:"where"`
	Objects    int             `json:"objects"`
	Bytes      int64           `json:"bytes"`
	Checkpoint uint64          `json:"checkpoint"` // the size that the newest one signs
	At         time.Time       `json:"at,omitzero"`
	Expired    int             `json:"expired_segments,omitempty"` // of which the beginning is gone
	Problems   []audit.Problem `json:"problems"`
	More       int             `json:"more_problems,omitempty"`
	Archive    *audit.Report   `json:"archive"`       // of the copy
	Log        *audit.Report   `json:"log,omitempty"` // of the gateway's own
}

// OK reports that nothing is wrong.
func (r *Report) OK() bool {
	return len(r.Problems) == 0 && (r.Archive == nil || r.Archive.OK()) && (r.Log == nil || r.Log.OK())
}

const maxProblems = 1000

func (r *Report) problem(where, format string, args ...any) {
	if len(r.Problems) >= maxProblems {
		r.More++
		return
	}
	r.Problems = append(r.Problems, audit.Problem{Where: where, What: fmt.Sprintf(format, args...)})
}

// Verify copies an archive, looks at every object and every version of it, and checks the log that they add up to. The
// error says that it could not be read; what is wrong with it is in the report.
func Verify(ctx context.Context, store Store, o VerifyOptions) (*Report, error) {
	v := &verification{store: store, o: o, to: audit.Restored{Dir: o.Copy}, r: &Report{Where: store.String(), Problems: []audit.Problem{}}}
	if err := v.copy(ctx); err != nil {
		return nil, fmt.Errorf("verify archive %s: %w", store, err)
	}
	if v.key == nil {
		v.r.problem(publicName, "is missing, and no key was brought along: nothing else can be checked")
		return v.r, nil
	}
	var err error
	v.r.Archive, err = audit.Verify(ctx, o.Copy, audit.VerifyOptions{Key: v.key, Known: o.Known, Identities: o.Identities})
	if err != nil {
		return nil, err
	}
	if o.Log == "" {
		return v.r, nil
	}
	known := o.Known
	if n := len(v.checkpoints); n > 0 {
		known = append(known[:len(known):len(known)], v.checkpoints[n-1].Note)
	}
	v.r.Log, err = audit.Verify(ctx, o.Log, audit.VerifyOptions{Key: v.key, Known: known, Identities: o.Identities, Live: true})
	return v.r, err
}

// verification is the state of one walk over an archive.
type verification struct {
	store Store
	o     VerifyOptions
	to    audit.Restored
	r     *Report
	key   note.Verifier

	segment     uint32 // the one that pieces come of
	end         int64  // where its last piece ended
	any         bool   // there is one
	begun       bool   // one that has its beginning was seen
	skipping    bool   // the beginning of this one is gone
	checkpoints []audit.Checkpoint
}

func (v *verification) copy(ctx context.Context) error {
	if v.o.Key != nil {
		v.key = v.o.Key
	} else if text, err := v.store.Read(ctx, publicName, maxKey); err == nil {
		if v.key, err = note.NewVerifier(strings.TrimSpace(string(text))); err != nil {
			v.r.problem(publicName, "%v", err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Versions of one name come together, in an order that stores do not agree about.
	var same []Version
	err := v.store.Versions(ctx, func(version Version) error {
		if len(same) > 0 && same[0].Name != version.Name {
			if err := v.object(ctx, same); err != nil {
				return err
			}
			same = same[:0]
		}
		same = append(same, version)
		return ctx.Err()
	})
	if err == nil && len(same) > 0 {
		err = v.object(ctx, same)
	}
	if err != nil {
		return err
	}
	sort.Slice(v.checkpoints, func(i, j int) bool { return v.checkpoints[i].Size < v.checkpoints[j].Size })
	var latest time.Time
	for i := range v.checkpoints {
		c := &v.checkpoints[i]
		if c.Time.Before(latest) {
			c.Time = latest // clocks of stores go their own ways, and a history does not
		}
		latest = c.Time
	}
	if n := len(v.checkpoints); n > 0 {
		v.r.Checkpoint, v.r.At = v.checkpoints[n-1].Size, v.checkpoints[n-1].Time
	} else {
		v.r.problem("checkpoints", "there is none")
	}
	return v.to.Checkpoints(v.checkpoints)
}

// object looks at all versions of one object. The first that was written is the one that counts: nothing is ever written
// over.
func (v *verification) object(ctx context.Context, all []Version) error {
	name := all[0].Name
	var first *Version
	written := 0
	for i := range all {
		if version := &all[i]; version.Deleted {
			if !strings.HasPrefix(name, keysFolder) {
				v.r.problem(name, "is hidden by a delete marker of %s", version.Time.UTC().Format(time.RFC3339))
			}
		} else {
			written++
			if first == nil || version.Time.Before(first.Time) || version.Time.Equal(first.Time) && first.Latest {
				first = version
			}
		}
	}
	if first == nil {
		if !strings.HasPrefix(name, keysFolder) {
			v.r.problem(name, "nothing but a delete marker is left of it")
		}
		return nil
	}
	if written > 1 {
		v.r.problem(name, "was written %d times; the first version is the one that is checked", written)
	}
	v.r.Objects++
	v.r.Bytes += first.Size
	v.locked(ctx, *first)
	data, err := v.store.ReadVersion(ctx, *first, limitOf(name))
	if err != nil {
		v.r.problem(name, "cannot be read: %v", err)
		return nil
	}
	if err := v.put(name, first.Time, data); err != nil {
		v.r.problem(name, "cannot be copied: %v", err)
	}
	return nil
}

// lockSlack is what the clocks of a gateway and a store may be apart.
const lockSlack = 10 * time.Minute

// locked looks whether an object cannot be taken away for as long as was promised.
func (v *verification) locked(ctx context.Context, version Version) {
	if v.o.Keep == 0 || strings.HasPrefix(version.Name, keysFolder) {
		return
	}
	until, mode, err := v.store.Locked(ctx, version)
	switch least := version.Time.Add(v.o.Keep - lockSlack); {
	case err != nil:
		v.r.problem(version.Name, "until when it is locked cannot be found out: %v", err)
	case until.IsZero():
		v.r.problem(version.Name, "is not locked, and should be until %s", least.UTC().Format(time.RFC3339))
	case until.Before(least):
		v.r.problem(version.Name, "is locked until %s, and should be until %s", until.UTC().Format(time.RFC3339), least.UTC().Format(time.RFC3339))
	case !strings.EqualFold(mode, v.o.Mode) && strings.EqualFold(v.o.Mode, "compliance"):
		v.r.problem(version.Name, "is locked in mode %s, which some can lift, and should be in mode %s", mode, v.o.Mode)
	}
}

// put writes an object to where it belongs in the copy.
func (v *verification) put(name string, at time.Time, data []byte) error {
	switch {
	case name == publicName:
		if v.key != nil {
			if k, err := note.NewVerifier(strings.TrimSpace(string(data))); err != nil || k.Name() != v.key.Name() || k.KeyHash() != v.key.KeyHash() {
				v.r.problem(name, "is not the key of the log")
			}
		}
		return v.to.Public(data)
	case strings.HasPrefix(name, segmentsFolder):
		number, off, ok := parseSegment(name)
		if !ok {
			break
		}
		return v.piece(name, number, off, data)
	case strings.HasPrefix(name, keysFolder):
		number, ok := parseKey(name)
		if !ok {
			break
		}
		return v.to.Key(number, data)
	case strings.HasPrefix(name, tilesFolder):
		tile := strings.TrimPrefix(name, tilesFolder)
		if !tileName(tile) {
			break
		}
		return v.to.Tile(tile, data)
	case strings.HasPrefix(name, checkpointsFolder):
		size, ok := parseCheckpoint(name)
		if !ok {
			break
		}
		if v.key == nil {
			return nil
		}
		c, err := audit.ParseCheckpoint(data, v.key)
		if err != nil || c.Size != size {
			v.r.problem(name, "is not checkpoint %d of this log", size)
			return nil
		}
		c.Time, c.Note = at, bytes.Clone(data)
		v.checkpoints = append(v.checkpoints, c)
		return nil
	}
	v.r.problem(name, "is no part of an archive")
	return nil
}

// piece puts a piece of a segment to those before it.
func (v *verification) piece(name string, number uint32, off int64, data []byte) error {
	if !v.any || number != v.segment {
		v.any, v.segment, v.end = true, number, 0
		v.skipping = off > 0 && !v.begun // its beginning may have had its time; the records say so then
		v.begun = v.begun || off == 0
		if v.skipping {
			v.r.Expired++
		}
	}
	if v.skipping {
		return nil
	}
	switch {
	case off > v.end:
		v.r.problem(name, "the %d bytes of the segment before it are missing", off-v.end)
	case off < v.end:
		v.r.problem(name, "overlaps the piece before it")
		return nil
	}
	if !audit.WholeFrames(data) {
		v.r.problem(name, "is damaged or cut off")
	}
	v.end = off + int64(len(data))
	return v.to.Segment(number, off, data)
}

// tileName says whether a name is one of C2SP tlog-tiles.
func tileName(name string) bool {
	rest, ok := strings.CutPrefix(name, "tile/")
	if !ok || len(rest) > 100 {
		return false
	}
	for part := range strings.SplitSeq(rest, "/") {
		if part == "entries" {
			continue
		}
		if part == "" || strings.Trim(part, "0123456789xp.") != "" || strings.Trim(part, ".") == "" {
			return false
		}
	}
	return true
}
