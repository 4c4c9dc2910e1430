// Package s3 keeps an archive of the audit log in a bucket: Amazon's S3, or a store with its interface that honours
// If-None-Match and, where objects shall be locked, versioning and object lock.
//
// It speaks to the configured host and to no other, and knows nothing of what the objects are. Start at Open.
package s3

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // Content-MD5 is what object lock asks for; nothing rests on it
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/vecgate/vecgate/internal/audit/archive"
)

// Options say where the bucket is.
type Options struct {
	Endpoint  string // https://host[:port]
	Bucket    string
	Prefix    string // of every name
	Region    string
	PathStyle bool
	// Credential fetches the credential as it is now.
	Credential func() (id, secret string, err error)
	Roots      *x509.CertPool // nil means the system's

	Mode string        // compliance or governance
	Keep time.Duration // for how long objects are locked; 0 means that they are not
	Now  func() time.Time

	// Patience bounds how long the store may take to answer, and to take or give one object; 0 means 30 seconds, and
	// four times that for an object.
	Patience time.Duration
}

// Store is an archive in a bucket.
type Store struct {
	o      Options
	client *minio.Client
	core   minio.Core
	prefix string
}

var _ archive.Store = (*Store)(nil)

// Open returns a store; nothing is asked of it yet.
func Open(o Options) (*Store, error) {
	if o.Patience == 0 {
		o.Patience = 30 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("%q is not the address of an object store", o.Endpoint)
	}
	lookup := minio.BucketLookupDNS
	if o.PathStyle {
		lookup = minio.BucketLookupPath
	}
	client, err := minio.New(u.Host, &minio.Options{
		Creds:  credentials.New(&source{fetch: o.Credential, now: o.Now}),
		Secure: u.Scheme == "https", Region: o.Region, BucketLookup: lookup, MaxRetries: 1,
		Transport: &only{scheme: u.Scheme, host: u.Host, bucket: o.Bucket, next: transport(&o)},
	})
	if err != nil {
		return nil, fmt.Errorf("archive in %s: %w", o.Endpoint, err)
	}
	client.SetS3EnableDualstack(false)
	prefix := o.Prefix
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	return &Store{o: o, client: client, core: minio.Core{Client: client}, prefix: prefix}, nil
}

func transport(o *Options) *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: o.Patience / 3, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.Roots},
		TLSHandshakeTimeout:    o.Patience / 3,
		ResponseHeaderTimeout:  o.Patience,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        time.Minute,
		DisableCompression:     true,
	}
}

// only lets requests go to the configured host, whatever a store answers, and reads no endless answers.
type only struct {
	scheme, host, bucket string
	next                 http.RoundTripper
}

// maxAnswer is more than the largest object, and than a page of a listing.
const maxAnswer = 32 << 20

// RoundTrip implements http.RoundTripper.
func (t *only) RoundTrip(r *http.Request) (*http.Response, error) {
	host := r.URL.Host
	const amazon = ".amazonaws.com"
	ours := host == t.host || host == t.bucket+"."+t.host || strings.HasSuffix(t.host, amazon) && strings.HasSuffix(host, amazon)
	if !ours || r.URL.Scheme != t.scheme {
		return nil, fmt.Errorf("a request for %s://%s was not sent: the archive is at %s", r.URL.Scheme, host, t.host)
	}
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 && resp.StatusCode < 400 && resp.StatusCode != http.StatusNotModified {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("the archive at %s sends elsewhere (%s), and is not followed", t.host, resp.Status)
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	return resp, nil
}

// source is the credential, which is fetched again from time to time.
type source struct {
	fetch func() (id, secret string, err error)
	now   func() time.Time
	until time.Time
}

// fresh is how long a credential is used before it is fetched again.
const fresh = time.Minute

// Retrieve implements credentials.Provider.
func (s *source) Retrieve() (credentials.Value, error) {
	id, secret, err := s.fetch()
	if err != nil {
		return credentials.Value{}, err
	}
	s.until = s.now().Add(fresh)
	return credentials.Value{AccessKeyID: id, SecretAccessKey: secret, SignerType: credentials.SignatureV4}, nil
}

// RetrieveWithCredContext implements credentials.Provider.
func (s *source) RetrieveWithCredContext(*credentials.CredContext) (credentials.Value, error) {
	return s.Retrieve()
}

// IsExpired implements credentials.Provider.
func (s *source) IsExpired() bool { return s.now().After(s.until) }

// String implements archive.Store.
func (s *Store) String() string { return s.o.Endpoint + "/" + s.o.Bucket + "/" + s.prefix }

// told turns what the library says into what archive.Store promises.
func told(what, name string, err error) error {
	r := minio.ToErrorResponse(err)
	switch {
	case err == nil:
		return nil
	case r.Code == minio.PreconditionFailed || r.StatusCode == http.StatusPreconditionFailed:
		err = archive.ErrExists
	case r.Code == minio.NoSuchKey || r.Code == minio.NoSuchVersion || r.StatusCode == http.StatusNotFound && r.Code != minio.NoSuchBucket:
		err = fs.ErrNotExist
	}
	return fmt.Errorf("%s %s: %w", what, name, err)
}

func (s *Store) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 4*s.o.Patience)
}

// Create implements archive.Store.
func (s *Store) Create(ctx context.Context, name string, data []byte, erasable bool) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	opts := minio.PutObjectOptions{ContentType: "application/octet-stream"}
	opts.SetMatchETagExcept("*")
	if s.o.Keep > 0 && !erasable {
		opts.Mode = minio.RetentionMode(strings.ToUpper(s.o.Mode))
		opts.RetainUntilDate = s.o.Now().Add(s.o.Keep).UTC().Truncate(time.Second)
	}
	sum, check := sha256.Sum256(data), md5.Sum(data) //nolint:gosec // as above
	_, err := s.core.PutObject(ctx, s.o.Bucket, s.prefix+name, bytes.NewReader(data), int64(len(data)),
		base64.StdEncoding.EncodeToString(check[:]), hex.EncodeToString(sum[:]), opts)
	return told("create", name, err)
}

// Read implements archive.Store.
func (s *Store) Read(ctx context.Context, name string, limit int64) ([]byte, error) {
	return s.read(ctx, name, minio.GetObjectOptions{}, limit)
}

func (s *Store) read(ctx context.Context, name string, opts minio.GetObjectOptions, limit int64) ([]byte, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	body, _, _, err := s.core.GetObject(ctx, s.o.Bucket, s.prefix+name, opts)
	if err != nil {
		return nil, told("read", name, err)
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return nil, told("read", name, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("read %s: it is larger than the %d bytes that it can have", name, limit)
	}
	return data, nil
}

// Size implements archive.Store.
func (s *Store) Size(ctx context.Context, name string) (int64, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	info, err := s.client.StatObject(ctx, s.o.Bucket, s.prefix+name, minio.StatObjectOptions{})
	return info.Size, told("look for", name, err)
}

// List implements archive.Store.
func (s *Store) List(ctx context.Context, folder, after string, each func(archive.Object) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stalled := time.AfterFunc(4*s.o.Patience, cancel)
	defer stalled.Stop()
	opts := minio.ListObjectsOptions{Prefix: s.prefix + folder, Recursive: true}
	if after != "" {
		opts.StartAfter = s.prefix + after
	}
	for o := range s.client.ListObjects(ctx, s.o.Bucket, opts) {
		if o.Err != nil {
			return told("list", folder, o.Err)
		}
		stalled.Reset(4 * s.o.Patience)
		name, ok := strings.CutPrefix(o.Key, s.prefix)
		if !ok || name <= after {
			continue // a store that does not know StartAfter begins at the beginning
		}
		if !each(archive.Object{Name: name, Size: o.Size, Time: o.LastModified}) {
			return nil
		}
	}
	return ctx.Err()
}

// Erase implements archive.Store.
func (s *Store) Erase(ctx context.Context, name string) error {
	var all []minio.ObjectInfo
	err := s.versions(ctx, name, func(o minio.ObjectInfo) error {
		if o.Key == s.prefix+name {
			all = append(all, o)
		}
		return nil
	})
	if err != nil {
		return err
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	for _, o := range all {
		if err := s.client.RemoveObject(ctx, s.o.Bucket, o.Key, minio.RemoveObjectOptions{VersionID: o.VersionID}); err != nil {
			return told("erase", name, err)
		}
	}
	return nil
}

func (s *Store) versions(ctx context.Context, prefix string, each func(minio.ObjectInfo) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stalled := time.AfterFunc(4*s.o.Patience, cancel)
	defer stalled.Stop()
	for o := range s.client.ListObjects(ctx, s.o.Bucket, minio.ListObjectsOptions{Prefix: s.prefix + prefix, Recursive: true, WithVersions: true}) {
		if o.Err != nil {
			return told("list the versions of", s.prefix+prefix, o.Err)
		}
		stalled.Stop() // each may take its time
		if err := each(o); err != nil {
			return err
		}
		stalled.Reset(4 * s.o.Patience)
	}
	return ctx.Err()
}

// Versions implements archive.Store.
func (s *Store) Versions(ctx context.Context, each func(archive.Version) error) error {
	return s.versions(ctx, "", func(o minio.ObjectInfo) error {
		name, ok := strings.CutPrefix(o.Key, s.prefix)
		if !ok {
			return fmt.Errorf("the store lists %q, which was not asked for", o.Key)
		}
		return each(archive.Version{
			Object: archive.Object{Name: name, Size: o.Size, Time: o.LastModified}, ID: o.VersionID, Deleted: o.IsDeleteMarker, Latest: o.IsLatest,
		})
	})
}

// ReadVersion implements archive.Store.
func (s *Store) ReadVersion(ctx context.Context, v archive.Version, limit int64) ([]byte, error) {
	return s.read(ctx, v.Name, minio.GetObjectOptions{VersionID: v.ID}, limit)
}

// Locked implements archive.Store. Who may ask is told with the object; the retention itself is asked for besides, because
// a store that keeps silent about it in one place may tell it in the other.
func (s *Store) Locked(ctx context.Context, v archive.Version) (time.Time, string, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	info, err := s.client.StatObject(ctx, s.o.Bucket, s.prefix+v.Name, minio.StatObjectOptions{VersionID: v.ID})
	if err != nil {
		return time.Time{}, "", told("ask for the lock of", v.Name, err)
	}
	if mode := info.Metadata.Get("X-Amz-Object-Lock-Mode"); mode != "" {
		until, err := time.Parse(time.RFC3339, info.Metadata.Get("X-Amz-Object-Lock-Retain-Until-Date"))
		if err != nil {
			return time.Time{}, "", fmt.Errorf("ask for the lock of %s: %w", v.Name, err)
		}
		return until, strings.ToLower(mode), nil
	}
	mode, until, err := s.client.GetObjectRetention(ctx, s.o.Bucket, s.prefix+v.Name, v.ID)
	switch code := minio.ToErrorResponse(err).Code; {
	case err == nil && mode != nil && until != nil:
		return *until, strings.ToLower(string(*mode)), nil
	case err == nil, code == "NoSuchObjectLockConfiguration", code == "ObjectLockConfigurationNotFoundError", code == "InvalidRequest":
		return time.Time{}, "", nil
	}
	return time.Time{}, "", told("ask for the lock of", v.Name, err)
}
