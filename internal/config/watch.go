package config

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Watcher follows a configuration file, and every file that it refers to, while the gateway runs. A change is taken as a
// whole or not at all: a file with a fault, or one that cannot be applied, leaves the configuration in force as it is.
type Watcher struct {
	Path   string
	Getenv func(string) string
	// Hangup asks for a reload, whatever the files look like (SIGHUP).
	Hangup <-chan os.Signal
	// Apply takes next into force, or says why not and has changed nothing then. It is called from one goroutine. The two
	// may be equal in all but the content of files that they refer to.
	Apply func(ctx context.Context, old, next *Config) error
	// Current, if not nil, is told after every change whether what is in force is what the files say: a gateway that runs on
	// and would not start again is worth an alert.
	Current func(bool)
	Log     *slog.Logger
	// Settle is how long the files must be quiet before they are read; 0 means 200 milliseconds.
	Settle time.Duration
}

const defaultSettle = 200 * time.Millisecond

// Run follows the files until ctx ends. current is the configuration in force.
func (w *Watcher) Run(ctx context.Context, current *Config) error {
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch %s: %w", w.Path, err)
	}
	defer notify.Close()
	w.follow(ctx, notify, current)
	settle := w.Settle
	if settle == 0 {
		settle = defaultSettle
	}
	seen := fingerprint(current.Files)
	quiet := time.NewTimer(0) // something may have changed since the configuration was read
	defer quiet.Stop()
	asked := false
	var last time.Time // when the files are read at the latest, once something happened beside them
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.Hangup:
			asked = true
			quiet.Reset(0)
			continue
		case err := <-notify.Errors:
			w.Log.WarnContext(ctx, "watch configuration; send SIGHUP after a change", "error", err)
			continue
		case <-notify.Events:
			// Directories are watched, not files: editors and orchestrators replace a file, or the link that leads to it.
			// Their directories may never be quiet, so the wait for silence has an end.
			if now := time.Now(); last.Before(now) {
				last = now.Add(10 * settle)
			}
			quiet.Reset(min(settle, time.Until(last)))
			continue
		case <-quiet.C:
		}
		now := fingerprint(current.Files)
		if now == seen && !asked {
			continue
		}
		seen, asked = now, false
		next := w.reload(ctx, current)
		if w.Current != nil {
			w.Current(next != nil)
		}
		if next != nil {
			if !slices.Equal(current.Files, next.Files) {
				// The new files were not watched while they were read: read once more what may have changed meanwhile.
				w.follow(ctx, notify, next)
				seen, asked = fingerprint(next.Files), true
				quiet.Reset(0)
			}
			current = next
		}
	}
}

// reload returns the new configuration once it is in force, and nil when the old one stays.
func (w *Watcher) reload(ctx context.Context, current *Config) *Config {
	getenv := w.Getenv
	if getenv == nil {
		getenv = os.Getenv
	}
	next, faults := LoadWith(w.Path, getenv)
	for _, f := range faults {
		w.Log.WarnContext(ctx, "configuration", "fault", f.String())
	}
	if next == nil {
		w.Log.ErrorContext(ctx, "configuration not reloaded; the one in force stays", "file", w.Path, "faults", len(faults))
		return nil
	}
	if err := w.Apply(ctx, current, next); err != nil {
		w.Log.ErrorContext(ctx, "configuration not reloaded; the one in force stays", "file", w.Path, "error", err)
		return nil
	}
	w.Log.InfoContext(ctx, "configuration reloaded", "file", w.Path, "digest", next.Digest, "changed", Changes(current, next))
	return next
}

// follow watches the directories of the files. Directories of files that are no longer referred to stay watched, which
// costs a look at the fingerprint now and then.
func (w *Watcher) follow(ctx context.Context, notify *fsnotify.Watcher, c *Config) {
	for _, f := range c.Files {
		dir := filepath.Dir(f)
		if slices.Contains(notify.WatchList(), dir) {
			continue
		}
		if err := notify.Add(dir); err != nil {
			w.Log.WarnContext(ctx, "watch configuration; send SIGHUP after a change", "directory", dir, "error", err)
		}
	}
}

// fingerprint of what the files hold, so that a change of something else in their directories is no change.
func fingerprint(files []string) [sha256.Size]byte {
	h := sha256.New()
	for _, f := range files {
		text, err := readFile(f)
		switch {
		case errors.Is(err, os.ErrNotExist):
			fmt.Fprintf(h, "%s is missing\n", f)
		case err != nil:
			fmt.Fprintf(h, "%s: %v\n", f, err)
		default:
			fmt.Fprintf(h, "%s: %x\n", f, sha256.Sum256(text))
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}
