package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// The Weaviate server: a module of the Go proxy, and the hash by which Go's checksum database knows it. Its own go.sum pins
// what it is made of.
const (
	weaviateModule  = "github.com/weaviate/weaviate"
	WeaviateVersion = "v1.35.2"
	weaviateSum     = "h1:D/cB4Lz8BIhE8s6cMUa4dRhlz356r1LRqDLgr5pKhPA="
)

// Weaviate builds a Weaviate server from its source, which takes some minutes the first time, and returns its path.
func (f *Fetcher) Weaviate(ctx context.Context) (program string, err error) {
	dir, err := f.Once("weaviate-"+WeaviateVersion, func(dir string) error {
		f.Log.Info("building Weaviate, which takes some minutes", "version", WeaviateVersion, "to", f.Cache)
		told, err := f.run(ctx, dir, "go", "mod", "download", "-json", weaviateModule+"@"+WeaviateVersion)
		if err != nil {
			return err
		}
		var module struct{ Dir, Sum string }
		if err := json.Unmarshal([]byte(told), &module); err != nil {
			return fmt.Errorf("read what go mod download says: %w", err)
		}
		if module.Sum != weaviateSum {
			return fmt.Errorf("%s %s has the hash %s, but %s is pinned: it is not what was reviewed", weaviateModule, WeaviateVersion, module.Sum, weaviateSum)
		}
		// Two compilers at once, and nothing for debuggers: a small machine must manage it.
		_, err = f.run(ctx, module.Dir, "go", "build", "-mod=readonly", "-p=2", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", filepath.Join(dir, "weaviate"), "./cmd/weaviate-server")
		return err
	})
	if err != nil {
		return "", fmt.Errorf("get Weaviate: %w", err)
	}
	return filepath.Join(dir, "weaviate"), nil
}

// WeaviatePython brings an interpreter with Weaviate's own Python client, and returns its path.
func (f *Fetcher) WeaviatePython(ctx context.Context) (interpreter string, err error) {
	lock, err := locks.ReadFile("clients/weaviate.txt")
	if err != nil {
		return "", err
	}
	// An environment belongs to the interpreter that it was made with.
	base, err := f.run(ctx, "", "python3", "-c", "import sys; print(sys.executable, sys.version)")
	if err != nil {
		return "", err
	}
	dir, err := f.Once("weaviate-python-"+fingerprint(lock, []byte(base)), func(dir string) error {
		f.Log.Info("downloading Weaviate's Python client", "to", f.Cache)
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
		_, err = f.run(ctx, dir, python, "-c", "import weaviate")
		return err
	})
	if err != nil {
		return "", fmt.Errorf("get Weaviate's Python client: %w", err)
	}
	return filepath.Join(dir, "bin", "python"), nil
}

// WeaviateNode brings Weaviate's own JavaScript client and returns the directory for NODE_PATH.
func (f *Fetcher) WeaviateNode(ctx context.Context) (modules string, err error) {
	pkg, err := locks.ReadFile("clients/weaviate-node/package.json")
	lock, lerr := locks.ReadFile("clients/weaviate-node/package-lock.json")
	if err = errors.Join(err, lerr); err != nil {
		return "", err
	}
	dir, err := f.Once("weaviate-node-"+fingerprint(pkg, lock), func(dir string) error {
		f.Log.Info("downloading Weaviate's JavaScript client", "to", f.Cache)
		for name, content := range map[string][]byte{"package.json": pkg, "package-lock.json": lock} {
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
				return err
			}
		}
		if _, err := f.run(ctx, dir, "npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--cache", filepath.Join(dir, "npm-cache")); err != nil {
			return err
		}
		if _, err := f.run(ctx, dir, "node", "-e", "require('weaviate-client')"); err != nil {
			return err
		}
		return os.RemoveAll(filepath.Join(dir, "npm-cache"))
	})
	if err != nil {
		return "", fmt.Errorf("get Weaviate's JavaScript client: %w", err)
	}
	return filepath.Join(dir, "node_modules"), nil
}
