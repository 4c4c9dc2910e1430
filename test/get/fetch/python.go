package fetch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// venv makes an environment of what a lock names, and returns its interpreter. The lock is a file of pip's in clients,
// with every package's version and hash; name begins the directory's in the cache; imports are what must work in it.
func (f *Fetcher) venv(ctx context.Context, what, name, lock, imports string) (interpreter string, err error) {
	text, err := clients.ReadFile("clients/" + lock)
	if err != nil {
		return "", err
	}
	// An environment belongs to the interpreter that it was made with.
	base, err := f.run(ctx, "", "python3", "-c", "import sys; print(sys.executable, sys.version)")
	if err != nil {
		return "", err
	}
	dir, err := f.Once(name+"-"+fingerprint(text, []byte(base)), func(dir string) error {
		f.Log.Info("downloading "+what, "lock", lock, "to", f.Cache)
		// pip comes from outside: Debian's python3 without python3-venv has none to put in.
		if _, err := f.run(ctx, dir, "python3", "-m", "venv", "--without-pip", dir); err != nil {
			return err
		}
		requirements := filepath.Join(dir, "requirements.txt")
		if err := os.WriteFile(requirements, text, 0o644); err != nil {
			return err
		}
		python := filepath.Join(dir, "bin", "python")
		if _, err := f.run(ctx, dir, "python3", "-m", "pip", "--python", python, "install",
			"--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", "--requirement", requirements); err != nil {
			return err
		}
		_, err := f.run(ctx, dir, python, "-c", "import "+imports)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("get %s: %w", what, err)
	}
	return filepath.Join(dir, "bin", "python"), nil
}
