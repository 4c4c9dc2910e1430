// Package archivetest proves the archive of the audit log against a real S3 server with versions and object lock, and with
// the gateway as the process that users run.
package archivetest

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/vecgate/vecgate/internal/audit/archive/s3"
	"github.com/vecgate/vecgate/test/get/fetch"
	"github.com/vecgate/vecgate/test/ports"
	"github.com/vecgate/vecgate/test/stage"
)

const (
	accessKey = "vecgate-test"
	secretKey = "a-secret-that-nobody-may-see"
	bucket    = "audit"
	region    = "eu-test-1"
)

// server is an S3 server that runs.
type server struct {
	address string // host:port
	program string
	dir     string
	process *stage.Process
	client  *minio.Client // of its administrator
}

// start starts an S3 server with an empty bucket.
func start(t *testing.T, locking bool) *server {
	t.Helper()
	f, err := fetch.New(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		t.Fatal(err)
	}
	program, err := f.S3(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	port, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"objects", "versions", "metadata"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s := &server{address: fmt.Sprintf("127.0.0.1:%d", port), program: program, dir: dir}
	s.run(t)
	if s.client, err = minio.New(s.address, &minio.Options{
		Creds: credentials.NewStaticV4(accessKey, secretKey, ""), Region: region, BucketLookup: minio.BucketLookupPath,
		Transport: &http.Transport{},
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.client.MakeBucket(t.Context(), bucket, minio.MakeBucketOptions{Region: region, ObjectLocking: locking}); err != nil {
		t.Fatal(err)
	}
	return s
}

// run starts the process, also again after it was stopped.
func (s *server) run(t *testing.T) {
	t.Helper()
	s.process = stage.Beside(t, s.dir, []string{"ROOT_ACCESS_KEY=" + accessKey, "ROOT_SECRET_KEY=" + secretKey}, s.program,
		"--port", s.address, "--region", region, "--health", "/health", "--quiet",
		"posix", "--sidecar", filepath.Join(s.dir, "metadata"), "--versioning-dir", filepath.Join(s.dir, "versions"), filepath.Join(s.dir, "objects"))
	if err := s.process.Ready(t.Context(), "http://"+s.address+"/health"); err != nil {
		t.Fatal(err)
	}
}

// options are those of an archive on the server.
func (s *server) options(keep time.Duration) s3.Options {
	return s3.Options{
		Endpoint: "http://" + s.address, Bucket: bucket, Prefix: "logs/" + origin, Region: region, PathStyle: true,
		Credential: func() (string, string, error) { return accessKey, secretKey, nil },
		Mode:       "governance", Keep: keep,
	}
}

func (s *server) store(t *testing.T, keep time.Duration) *s3.Store {
	t.Helper()
	return opened(t, s.options(keep))
}

// names are those of all objects below a folder of the log, in order.
func (s *server) names(t *testing.T, folder string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var all []string
	for o := range s.client.ListObjects(ctx, bucket, minio.ListObjectsOptions{Prefix: "logs/" + origin + "/" + folder, Recursive: true}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		all = append(all, o.Key)
	}
	if len(all) == 0 {
		t.Fatalf("there is nothing below %s", folder)
	}
	return all
}

func opened(t *testing.T, o s3.Options) *s3.Store {
	t.Helper()
	store, err := s3.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return store
}
