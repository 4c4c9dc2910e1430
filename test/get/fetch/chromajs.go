package fetch

import (
	"context"
	"embed"
	"fmt"
	"os"
	"path/filepath"
)

//go:embed clients/chroma-js/package.json clients/chroma-js/package-lock.json
var chromaJS embed.FS

// ChromaJS brings Chroma's client for Node, without the server that npm would put beside it, and returns a directory from
// which a module can import it.
func (f *Fetcher) ChromaJS(ctx context.Context) (dir string, err error) {
	files := map[string][]byte{}
	for _, name := range []string{"package.json", "package-lock.json"} {
		if files[name], err = chromaJS.ReadFile("clients/chroma-js/" + name); err != nil {
			return "", err
		}
	}
	dir, err = f.Once("chroma-js-"+fingerprint(files["package.json"], files["package-lock.json"]), func(dir string) error {
		f.Log.Info("downloading Chroma's client for Node", "to", f.Cache)
		for name, content := range files {
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
				return err
			}
		}
		if _, err := f.run(ctx, dir, "npm", "ci", "--silent", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund", "--cache", filepath.Join(dir, "npm-cache")); err != nil {
			return err
		}
		if _, err := f.run(ctx, dir, "node", "-e", "require('chromadb')"); err != nil {
			return err
		}
		return os.RemoveAll(filepath.Join(dir, "npm-cache"))
	})
	if err != nil {
		return "", fmt.Errorf("get Chroma's client for Node: %w", err)
	}
	return dir, nil
}
