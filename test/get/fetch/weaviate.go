package fetch

import (
	"context"
	"encoding/json"
	"fmt"
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
	return f.venv(ctx, "Weaviate's Python client", "weaviate-python", "weaviate/requirements.txt", "weaviate")
}

// WeaviateNode brings Weaviate's own JavaScript client and returns the directory for NODE_PATH.
func (f *Fetcher) WeaviateNode(ctx context.Context) (modules string, err error) {
	return f.modules(ctx, "Weaviate's client for Node", "weaviate-node", "weaviate", []string{"weaviate-client"})
}
