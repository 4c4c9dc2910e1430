package fetch

import (
	"context"
	"embed"
	"fmt"
	"os"
	"path/filepath"
)

// The locks of Pinecone's clients: every package with version and hash.
//
//go:embed clients/pinecone
var pineconeLocks embed.FS

// Pinecone brings Pinecone's own Python client as it is now, and returns the interpreter that has it.
func (f *Fetcher) Pinecone(ctx context.Context) (interpreter string, err error) {
	return f.pineconePython(ctx, "python.txt", "import pinecone, pinecone.grpc")
}

// PineconeGRPC brings the last Python client of Pinecone that speaks gRPC by Google's own library and comes with the
// interface's descriptors, and returns the interpreter that has it.
func (f *Fetcher) PineconeGRPC(ctx context.Context) (interpreter string, err error) {
	return f.pineconePython(ctx, "python-grpc.txt", "import pinecone.grpc")
}

func (f *Fetcher) pineconePython(ctx context.Context, name, check string) (interpreter string, err error) {
	lock, err := pineconeLocks.ReadFile("clients/pinecone/" + name)
	if err != nil {
		return "", err
	}
	// An environment belongs to the interpreter that it was made with.
	base, err := f.run(ctx, "", "python3", "-c", "import sys; print(sys.executable, sys.version)")
	if err != nil {
		return "", err
	}
	dir, err := f.Once("pinecone-"+fingerprint(lock, []byte(base)), func(dir string) error {
		f.Log.Info("downloading Pinecone's client", "lock", name, "to", f.Cache)
		if _, err := f.run(ctx, dir, "python3", "-m", "venv", "--without-pip", dir); err != nil {
			return err
		}
		requirements := filepath.Join(dir, "requirements.txt")
		if err := os.WriteFile(requirements, lock, 0o644); err != nil {
			return err
		}
		python := filepath.Join(dir, "bin", "python")
		if _, err := f.run(ctx, dir, "python3", "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", "--requirement", requirements); err != nil {
			return err
		}
		_, err := f.run(ctx, dir, python, "-c", check)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("get Pinecone's Python client: %w", err)
	}
	return filepath.Join(dir, "bin", "python"), nil
}

// PineconeNode brings Pinecone's own client for Node and returns the directory for NODE_PATH.
func (f *Fetcher) PineconeNode(ctx context.Context) (modules string, err error) {
	var parts [][]byte
	names := []string{"package.json", "package-lock.json"}
	for _, name := range names {
		text, err := pineconeLocks.ReadFile("clients/pinecone/node/" + name)
		if err != nil {
			return "", err
		}
		parts = append(parts, text)
	}
	dir, err := f.Once("pinecone-node-"+fingerprint(parts...), func(dir string) error {
		f.Log.Info("downloading Pinecone's client for Node", "to", f.Cache)
		for i, name := range names {
			if err := os.WriteFile(filepath.Join(dir, name), parts[i], 0o644); err != nil {
				return err
			}
		}
		if _, err := f.run(ctx, dir, "npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--cache", filepath.Join(dir, "npm-cache")); err != nil {
			return err
		}
		if _, err := f.run(ctx, dir, "node", "-e", "require('@pinecone-database/pinecone')"); err != nil {
			return err
		}
		return os.RemoveAll(filepath.Join(dir, "npm-cache"))
	})
	if err != nil {
		return "", fmt.Errorf("get Pinecone's client for Node: %w", err)
	}
	return filepath.Join(dir, "node_modules"), nil
}
