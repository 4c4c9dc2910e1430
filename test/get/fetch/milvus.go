package fetch

import (
	"context"
	"embed"
	"fmt"
	"os"
	"path/filepath"
)

// The locks of Milvus Lite, and of Milvus' clients.
//
//go:embed clients/milvus/requirements.txt clients/milvus/package.json clients/milvus/package-lock.json
var milvusLocks embed.FS

// Milvus brings Milvus Lite, a server that speaks Milvus' gRPC interface, with pymilvus and LangChain's store, and returns
// the interpreter that has them: -m milvus_lite.cmdline server is the server.
func (f *Fetcher) Milvus(ctx context.Context) (interpreter string, err error) {
	lock, err := milvusLocks.ReadFile("clients/milvus/requirements.txt")
	if err != nil {
		return "", err
	}
	// An environment belongs to the interpreter that it was made with.
	base, err := f.run(ctx, "", "python3", "-c", "import sys; print(sys.executable, sys.version)")
	if err != nil {
		return "", err
	}
	dir, err := f.Once("milvus-"+fingerprint(lock, []byte(base)), func(dir string) error {
		f.Log.Info("downloading Milvus Lite", "to", f.Cache)
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
		_, err = f.run(ctx, dir, python, "-c", "import milvus_lite.cmdline, pymilvus, langchain_milvus")
		return err
	})
	if err != nil {
		return "", fmt.Errorf("get Milvus Lite: %w", err)
	}
	return filepath.Join(dir, "bin", "python"), nil
}

// MilvusNode brings Milvus' client for Node and returns the directory for NODE_PATH.
func (f *Fetcher) MilvusNode(ctx context.Context) (modules string, err error) {
	files := map[string][]byte{}
	for _, name := range []string{"package.json", "package-lock.json"} {
		if files[name], err = milvusLocks.ReadFile("clients/milvus/" + name); err != nil {
			return "", err
		}
	}
	dir, err := f.Once("milvus-node-"+fingerprint(files["package.json"], files["package-lock.json"]), func(dir string) error {
		f.Log.Info("downloading Milvus' client for Node", "to", f.Cache)
		for name, content := range files {
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
				return err
			}
		}
		if _, err := f.run(ctx, dir, "npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--cache", filepath.Join(dir, "npm-cache")); err != nil {
			return err
		}
		if _, err := f.run(ctx, dir, "node", "-e", "require('@zilliz/milvus2-sdk-node')"); err != nil {
			return err
		}
		return os.RemoveAll(filepath.Join(dir, "npm-cache"))
	})
	if err != nil {
		return "", fmt.Errorf("get Milvus' client for Node: %w", err)
	}
	return filepath.Join(dir, "node_modules"), nil
}
