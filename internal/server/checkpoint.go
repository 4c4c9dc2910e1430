package server

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// memory keeps the last signed checkpoint of the audit log outside of the log's directory, so that a log that was put
// back to an earlier state is refused at the next start. Who can put back both needs a checkpoint on another machine.
type memory struct {
	file   string
	origin string
	log    *slog.Logger
}

func remember(dir, origin string, log *slog.Logger) memory {
	return memory{file: filepath.Join(dir, "checkpoint"), origin: origin, log: log}
}

// known returns the checkpoint that was kept, none when there is none of this log.
func (m memory) known() ([][]byte, error) {
	note, err := os.ReadFile(m.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the checkpoint that was kept: %w", err)
	}
	if before, _, _ := strings.Cut(string(note), "\n"); before != m.origin {
		m.log.Warn("another log was written before this one", "before", before, "now", m.origin)
		return nil, nil
	}
	return [][]byte{note}, nil
}

// keep replaces the checkpoint as a whole.
func (m memory) keep(note []byte) {
	if err := os.WriteFile(m.file+".new", note, 0o600); err == nil {
		err = os.Rename(m.file+".new", m.file)
		if err == nil {
			return
		}
	}
	m.log.Warn("the last checkpoint could not be kept", "file", m.file)
}
