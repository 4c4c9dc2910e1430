package fetch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// Chroma brings a Chroma server with its own Python client, and returns the interpreter that has both; the server's
// program, chroma, is beside it.
func (f *Fetcher) Chroma(ctx context.Context) (interpreter string, err error) {
	lock, err := locks.ReadFile("clients/chroma.txt")
	if err != nil {
		return "", err
	}
	// An environment belongs to the interpreter that it was made with.
	base, err := f.run(ctx, "", "python3", "-c", "import sys; print(sys.executable, sys.version)")
	if err != nil {
		return "", err
	}
	dir, err := f.Once("chroma-"+fingerprint(lock, []byte(base)), func(dir string) error {
		f.Log.Info("downloading Chroma", "to", f.Cache)
		if _, err := f.run(ctx, dir, "python3", "-m", "venv", "--without-pip", dir); err != nil {
			return err
		}
		requirements := filepath.Join(dir, "requirements.txt")
		if err := os.WriteFile(requirements, lock, 0o644); err != nil {
			return err
		}
		python := filepath.Join(dir, "bin", "python")
		_, err := f.run(ctx, dir, "python3", "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", "--requirement", requirements)
		if err != nil {
			return err
		}
		_, err = f.run(ctx, dir, python, "-c", "import chromadb")
		return err
	})
	if err != nil {
		return "", fmt.Errorf("get Chroma: %w", err)
	}
	return filepath.Join(dir, "bin", "python"), nil
}
