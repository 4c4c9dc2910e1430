package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

var errTaken = errors.New("it is locked")

// own makes the gateway's files this process's alone, before any of them is read: two processes would change the tables
// under each other, close each other's sessions in the list, and replace each other's keys.
func (s *Server) own() error {
	data, state := string(s.config.Gateway.Data), string(s.config.Store.SQLite)
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("gateway.data: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(state), 0o700); err != nil {
		return fmt.Errorf("store.sqlite: %w", err)
	}
	for _, dir := range []string{data, filepath.Dir(state), string(s.config.Audit.Dir)} {
		if err := private(dir); err != nil {
			return err
		}
	}
	for _, what := range []struct{ key, thing, lock string }{
		{"gateway.data", data, filepath.Join(data, "lock")},
		{"store.sqlite", state, state + ".lock"},
	} {
		f, err := lockFile(what.lock)
		if errors.Is(err, errTaken) {
			return fmt.Errorf("%s: another gateway runs with %s (%s is locked): stop it, or give this one files of its own", what.key, what.thing, what.lock)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", what.key, err)
		}
		s.locks = append(s.locks, f)
	}
	return nil
}

// private refuses a directory in which anybody can put something in the place of what is there: whoever gives the gateway its
// signing keys is everybody.
func private(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // whoever needs it makes it
	}
	if err != nil {
		return err
	}
	if mode := info.Mode(); mode.Perm()&0o002 != 0 && mode&fs.ModeSticky == 0 { // sticky: of each file only its owner can
		return fmt.Errorf("everybody can write into %s (mode %04o), and put keys of their own there: chmod o-w %s, or name a directory inside it, which the gateway makes itself", dir, mode.Perm(), dir)
	}
	return nil
}
