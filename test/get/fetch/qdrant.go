package fetch

import (
	"context"
	"embed"
	"fmt"
	"os"
	"path/filepath"
)

// The locks of Qdrant's clients.
//
//go:embed clients/qdrant
var qdrantLocks embed.FS

// Qdrant brings Qdrant's own clients: an interpreter with those in Python, and LangChain's store, and the directory for
// NODE_PATH with those in JavaScript. There is no server to be had; package standin stands in for one.
func (f *Fetcher) Qdrant(ctx context.Context) (interpreter, modules string, err error) {
	locks := map[string][]byte{}
	for _, name := range []string{"requirements.txt", "package.json", "package-lock.json"} {
		if locks[name], err = qdrantLocks.ReadFile("clients/qdrant/" + name); err != nil {
			return "", "", err
		}
	}
	// An environment belongs to the interpreter that it was made with.
	base, err := f.run(ctx, "", "python3", "-c", "import sys; print(sys.executable, sys.version)")
	if err != nil {
		return "", "", err
	}
	dir, err := f.Once("qdrant-"+fingerprint(locks["requirements.txt"], locks["package-lock.json"], []byte(base)), func(dir string) error {
		f.Log.Info("downloading Qdrant's clients", "to", f.Cache)
		for name, content := range locks {
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
				return err
			}
		}
		python := filepath.Join(dir, "bin", "python")
		cache := filepath.Join(dir, "npm-cache")
		for _, argv := range [][]string{
			{"python3", "-m", "venv", "--without-pip", dir},
			{"python3", "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", "--requirement", filepath.Join(dir, "requirements.txt")},
			{python, "-c", "import qdrant_client, langchain_qdrant"},
			{"npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--cache", cache},
			{"node", "-e", "require('@qdrant/js-client-rest')"},
		} {
			if _, err := f.run(ctx, dir, argv[0], argv[1:]...); err != nil {
				return err
			}
		}
		return os.RemoveAll(cache)
	})
	if err != nil {
		return "", "", fmt.Errorf("get Qdrant's clients: %w", err)
	}
	return filepath.Join(dir, "bin", "python"), filepath.Join(dir, "node_modules"), nil
}
