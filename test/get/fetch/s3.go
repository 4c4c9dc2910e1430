package fetch

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
)

// The S3 server: a module of the Go proxy, and the hash by which Go's checksum database knows it. Its own go.sum pins what
// it is made of.
const (
	s3Module  = "github.com/versity/versitygw"
	S3Version = "v1.8.0"
	s3Sum     = "h1:au+wI+aybno/STsQiSm35Uu6Q6iK5MWReQxgO6SEMFc="
)

// S3 builds Versity's S3 server from its source, which takes a minute or two the first time, and returns its path. It
// keeps objects in a directory, with versions and object lock.
func (f *Fetcher) S3(ctx context.Context) (program string, err error) {
	dir, err := f.Once("versitygw-"+S3Version, func(dir string) error {
		f.Log.Info("building an S3 server, which takes a minute or two", "version", S3Version, "to", f.Cache)
		told, err := f.run(ctx, dir, "go", "mod", "download", "-json", s3Module+"@"+S3Version)
		if err != nil {
			return err
		}
		var module struct{ Dir, Sum string }
		if err := json.Unmarshal([]byte(told), &module); err != nil {
			return fmt.Errorf("read what go mod download says: %w", err)
		}
		if module.Sum != s3Sum {
			return fmt.Errorf("%s %s has the hash %s, but %s is pinned: it is not what was reviewed", s3Module, S3Version, module.Sum, s3Sum)
		}
		// Two compilers at once, and nothing for debuggers: a small machine must manage it.
		_, err = f.run(ctx, module.Dir, "go", "build", "-mod=readonly", "-p=2", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", filepath.Join(dir, "versitygw"), "./cmd/versitygw")
		return err
	})
	if err != nil {
		return "", fmt.Errorf("get the S3 server: %w", err)
	}
	return filepath.Join(dir, "versitygw"), nil
}
