package server

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/vecgate/vecgate/internal/audit"
)

// memory keeps the last signed checkpoint of the audit log outside of the log's directory, so that a log that was put
// back to an earlier state is refused at the next start. Who can put back both needs a checkpoint on another machine.
type memory struct {
	file string
	log  *slog.Logger
}

func remember(dir string, log *slog.Logger) memory {
	return memory{file: filepath.Join(dir, "checkpoint"), log: log}
}

// known returns the checkpoint that was kept, nil when there is none.
func (m memory) known() ([]byte, error) {
	note, err := os.ReadFile(m.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && len(note) == 0 {
		err = fmt.Errorf("%s is empty, and it is never written so: restore it, or check the log against a checkpoint that the auditors hold (vecgate audit verify) and remove it", m.file)
	}
	if err != nil {
		return nil, fmt.Errorf("read the checkpoint that was kept: %w", err)
	}
	return note, nil
}

// explain says what to do about the file when the log does not fit what is kept in it.
func (m memory) explain(err error) error {
	switch {
	case errors.Is(err, audit.ErrKnown):
		return fmt.Errorf("%w; it is kept in %s: restore the log that it is of or, to begin a new log on purpose, move that file to the old one as evidence", err, m.file)
	case errors.Is(err, audit.ErrRollback):
		return fmt.Errorf("%w; %s belongs to that evidence", err, m.file)
	}
	return err
}

// keep replaces the checkpoint as a whole; it is durable once it returns.
func (m memory) keep(note []byte) {
	if err := replaceFile(m.file, note); err != nil {
		m.log.Warn("the last checkpoint could not be kept", "file", m.file, "error", err)
	}
}

// replaceFile puts a file that only its owner can read in the place of another, durably: a machine that loses its power has
// the one or the other.
func replaceFile(name string, body []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*") // made with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(body)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
