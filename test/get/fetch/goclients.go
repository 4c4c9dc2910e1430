package fetch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// GoClients are the official clients for Go with a day of their own in test/goclients, each a module for itself: what they
// depend on is nothing that the gateway depends on, and nothing that the others must agree with.
var GoClients = []string{"elasticsearch", "milvus", "opensearch", "pinecone", "weaviate"}

// GoClient builds the day of one of the GoClients, which takes a minute the first time, and returns the program's path.
// Its go.sum pins what it is made of.
func (f *Fetcher) GoClient(ctx context.Context, name string) (program string, err error) {
	_, file, _, _ := runtime.Caller(0)
	source := filepath.Join(filepath.Dir(file), "..", "..", "goclients")
	parts, err := sources(filepath.Join(source, "day"), filepath.Join(source, name))
	if err != nil {
		return "", fmt.Errorf("get the client of %s for Go: %w", name, err)
	}
	dir, err := f.Once("go-"+name+"-"+fingerprint(parts...), func(dir string) error {
		f.Log.Info("building a client for Go", "client", name, "to", f.Cache)
		// Two compilers at once, and nothing for debuggers: a small machine must manage it.
		_, err := f.run(ctx, filepath.Join(source, name), "go", "build", "-mod=readonly", "-p=2", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", filepath.Join(dir, name), ".")
		return err
	})
	if err != nil {
		return "", fmt.Errorf("get the client of %s for Go: %w", name, err)
	}
	return filepath.Join(dir, name), nil
}

// sources are the names and contents of all files in the directories.
func sources(dirs ...string) (parts [][]byte, err error) {
	for _, dir := range dirs {
		files, err := os.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			text, err := os.ReadFile(filepath.Join(dir, file.Name()))
			if err != nil {
				return nil, err
			}
			parts = append(parts, []byte(file.Name()), text)
		}
	}
	return parts, nil
}
