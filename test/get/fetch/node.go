package fetch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// modules installs what a lock names, and returns the directory for NODE_PATH. The lock is npm's, in a folder of clients
// beside its package.json; name begins the directory's in the cache; requires are what must load; args go to npm.
func (f *Fetcher) modules(ctx context.Context, what, name, folder string, requires []string, args ...string) (dir string, err error) {
	files := [...]string{"package.json", "package-lock.json"}
	var texts [len(files)][]byte
	for i, file := range files {
		if texts[i], err = clients.ReadFile("clients/" + folder + "/" + file); err != nil {
			return "", err
		}
	}
	dir, err = f.Once(name+"-"+fingerprint(texts[:]...), func(dir string) error {
		f.Log.Info("downloading "+what, "lock", folder, "to", f.Cache)
		for i, file := range files {
			if err := os.WriteFile(filepath.Join(dir, file), texts[i], 0o644); err != nil {
				return err
			}
		}
		cache := filepath.Join(dir, "npm-cache") // of this one run: the user's own stays as it is
		if _, err := f.run(ctx, dir, "npm", append([]string{"ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--cache", cache}, args...)...); err != nil {
			return err
		}
		for _, module := range requires {
			if _, err := f.run(ctx, dir, "node", "-e", fmt.Sprintf("require(%q)", module)); err != nil {
				return err
			}
		}
		return os.RemoveAll(cache)
	})
	if err != nil {
		return "", fmt.Errorf("get %s: %w", what, err)
	}
	return filepath.Join(dir, "node_modules"), nil
}
