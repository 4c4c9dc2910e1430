package archive

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Store is where the objects of one archive are. Names are relative, with slashes. Its methods are safe for concurrent use,
// and an object is durable when Create returns nil.
type Store interface {
	// Create makes an object that is not there yet; ErrExists when there is one of that name. One that is erasable is not
	// locked, so that Erase can take it away.
	Create(ctx context.Context, name string, data []byte, erasable bool) error
	// Read returns an object of at most limit bytes; an error that is fs.ErrNotExist when there is none.
	Read(ctx context.Context, name string, limit int64) ([]byte, error)
	// Size is how long an object is.
	Size(ctx context.Context, name string) (int64, error)
	// List calls each for the objects of a folder whose names come after a name, in the order of names, until each says
	// that it has seen enough.
	List(ctx context.Context, folder, after string, each func(Object) (more bool)) error
	// Erase takes an erasable object away, in every version.
	Erase(ctx context.Context, name string) error
	// Versions calls each for everything that is kept in the order of names: versions that were written over and markers
	// that hide others too.
	Versions(ctx context.Context, each func(Version) error) error
	// ReadVersion is Read for one version.
	ReadVersion(ctx context.Context, v Version, limit int64) ([]byte, error)
	// Locked says until when, and how, a version is locked; the zero time when it is not.
	Locked(ctx context.Context, v Version) (until time.Time, mode string, err error)
	// String says where this is, for people; it holds no secret.
	String() string
}

// Object is what a listing tells.
type Object struct {
	Name string
	Size int64
	Time time.Time // when it was written, by the store's clock
}

// Version is one of the versions of an object.
type Version struct {
	Object
	ID      string
	Deleted bool // a marker that hides those before it
	Latest  bool
}

// ErrExists says that an object of that name is there already.
var ErrExists = errors.New("an object of that name exists")

// Names within an archive.
const (
	segmentsFolder    = "segments/"
	keysFolder        = "keys/"
	tilesFolder       = "tiles/"
	checkpointsFolder = "checkpoints/"
	publicName        = "log.pub"
)

func segmentName(number uint32, off int64) string {
	return fmt.Sprintf("%s%08d/%020d", segmentsFolder, number, off)
}

func keyName(number uint32) string { return fmt.Sprintf("%s%08d.key", keysFolder, number) }

func checkpointName(size uint64) string { return fmt.Sprintf("%s%020d", checkpointsFolder, size) }

// parseSegment reads what segmentName made.
func parseSegment(name string) (number uint32, off int64, ok bool) {
	rest, ok := strings.CutPrefix(name, segmentsFolder)
	if !ok {
		return 0, 0, false
	}
	left, right, ok := strings.Cut(rest, "/")
	if !ok {
		return 0, 0, false
	}
	n, err := strconv.ParseUint(left, 10, 32)
	if err != nil {
		return 0, 0, false
	}
	o, err := strconv.ParseUint(right, 10, 62)
	if err != nil {
		return 0, 0, false
	}
	return uint32(n), int64(o), segmentName(uint32(n), int64(o)) == name
}

func parseKey(name string) (number uint32, ok bool) {
	rest, ok := strings.CutPrefix(name, keysFolder)
	digits, isKey := strings.CutSuffix(rest, ".key")
	n, err := strconv.ParseUint(digits, 10, 32)
	return uint32(n), ok && isKey && err == nil && keyName(uint32(n)) == name
}

func parseCheckpoint(name string) (size uint64, ok bool) {
	rest, ok := strings.CutPrefix(name, checkpointsFolder)
	n, err := strconv.ParseUint(rest, 10, 63)
	return n, ok && err == nil && checkpointName(n) == name
}

// What objects can have. A piece of a segment is a run of frames with one more at the end.
const (
	mostRun       = 4 << 20
	maxPiece      = mostRun + 2<<20
	maxTile       = 256 * (2 + 65535)
	maxKey        = 1 << 20
	maxCheckpoint = 1 << 20
)

// limitOf is the most that an object of a name can have.
func limitOf(name string) int64 {
	switch {
	case strings.HasPrefix(name, segmentsFolder):
		return maxPiece
	case strings.HasPrefix(name, tilesFolder):
		return maxTile
	}
	return maxCheckpoint
}
