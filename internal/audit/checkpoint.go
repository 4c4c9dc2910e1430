package audit

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is a signed statement of a log's size and root (C2SP tlog-checkpoint).
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   tlog.Hash
	Note   []byte
	Time   time.Time // when it was signed, where the history says so
}

func checkpointText(origin string, size uint64, root tlog.Hash) string {
	return fmt.Sprintf("%s\n%d\n%s\n", origin, size, base64.StdEncoding.EncodeToString(root[:]))
}

// ParseCheckpoint checks a signed checkpoint against the log's public key.
func ParseCheckpoint(msg []byte, key note.Verifier) (Checkpoint, error) {
	n, err := note.Open(msg, note.VerifierList(key))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	lines := strings.SplitN(n.Text, "\n", 4)
	if len(lines) < 4 || lines[0] != key.Name() {
		return Checkpoint{}, fmt.Errorf("checkpoint is not one of %s", key.Name())
	}
	size, err := strconv.ParseUint(lines[1], 10, 63)
	if err != nil || strconv.FormatUint(size, 10) != lines[1] {
		return Checkpoint{}, fmt.Errorf("checkpoint has size %q", lines[1])
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return Checkpoint{}, errors.New("checkpoint has no root")
	}
	return Checkpoint{Origin: lines[0], Size: size, Root: tlog.Hash(root), Note: msg}, nil
}

// kept is one line of the history of checkpoints: a file per day, a JSON object per line.
type kept struct {
	Time time.Time `json:"time"`
	Note string    `json:"note"`
}

func historyPath(dir string, day time.Time) string {
	return filepath.Join(dir, checkpointsDir, day.UTC().Format("2006-01-02")+".jsonl")
}

// keepCheckpoint appends to the history, durably.
func keepCheckpoint(dir string, now time.Time, msg []byte) error {
	return appendHistory(dir, now, msg, true)
}

func appendHistory(dir string, now time.Time, msg []byte, durable bool) error {
	line, err := json.Marshal(kept{Time: now, Note: string(msg)})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(historyPath(dir, now), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(append(line, '\n')); err != nil || !durable {
		return err
	}
	return datasync(f)
}

// history calls each for every checkpoint that was kept, oldest first. A last line that a crash cut off is passed over.
func history(dir string, each func(at time.Time, msg []byte) error) error {
	entries, err := os.ReadDir(filepath.Join(dir, checkpointsDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".jsonl") {
			continue
		}
		if err := historyOf(filepath.Join(dir, checkpointsDir, e.Name()), each); err != nil {
			return err
		}
	}
	return nil
}

func historyOf(name string, each func(at time.Time, msg []byte) error) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 2*maxCheckpoint)
	var half error // of a line that a crash may have cut off, if it is the last one
	n := 0
	for lines.Scan() {
		if half != nil {
			return half
		}
		n++
		k, ok := readKept(lines.Bytes())
		if !ok {
			half = fmt.Errorf("%s:%d: not a checkpoint", filepath.Base(name), n)
			continue
		}
		if err := each(k.Time, []byte(k.Note)); err != nil {
			return fmt.Errorf("%s:%d: %w", filepath.Base(name), n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s:%d: %w", filepath.Base(name), n+1, err)
	}
	return nil
}

// readKept reads a line of the history. A crash leaves half a line, which the next one is appended to: the whole one is at
// its end.
func readKept(line []byte) (k kept, ok bool) {
	if json.Unmarshal(line, &k) == nil {
		return k, true
	}
	at := bytes.LastIndex(line, []byte(`{"time":`))
	if at <= 0 || json.Unmarshal(line[at:], &k) != nil {
		return kept{}, false
	}
	return k, true
}

// latestCheckpoint returns the largest signed checkpoint in a directory; nil when nothing was signed yet.
func latestCheckpoint(dir string, key note.Verifier) (*Checkpoint, error) {
	var latest *Checkpoint
	consider := func(at time.Time, msg []byte) error {
		c, err := ParseCheckpoint(msg, key)
		if err != nil {
			return err
		}
		if c.Time = at; latest == nil || c.Size >= latest.Size {
			latest = &c
		}
		return nil
	}
	msg, err := readSmall(filepath.Join(dir, tilesDir, "checkpoint"), maxCheckpoint)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err == nil {
		if err := consider(time.Time{}, msg); err != nil {
			return nil, err
		}
	}
	// The last day is enough: sizes only grow.
	entries, err := os.ReadDir(filepath.Join(dir, checkpointsDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for i := len(entries) - 1; i >= 0; i-- {
		if strings.HasSuffix(entries[i].Name(), ".jsonl") {
			return latest, historyOf(filepath.Join(dir, checkpointsDir, entries[i].Name()), consider)
		}
	}
	return latest, nil
}

// PublishedSize is the size of the newest checkpoint in a log's directory; 0 when there is none that the key signed.
func PublishedSize(dir string, key note.Verifier) uint64 {
	c, err := latestCheckpoint(dir, key)
	if err != nil || c == nil {
		return 0
	}
	return c.Size
}
