package config

import (
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// Archive is a second copy of the audit log, in a directory or in a bucket; one of both is named.
type Archive struct {
	// Directory to copy into: another disk, or a file server. It must be there, and is never created. The log has a folder
	// of its own in it.
	Directory Path `yaml:"directory"`
	// S3 is a bucket to copy into.
	S3 *S3 `yaml:"s3"`
	// Every is how often what is new is copied.
	Every time.Duration `yaml:"every" default:"1m" min:"1s"`
	// Require makes the gateway refuse sessions and requests while the archive is too far behind.
	Require *ArchiveRequire `yaml:"require"`
}

// ArchiveRequire says when the gateway fails closed.
type ArchiveRequire struct {
	// Lag is for how long a record may wait for the archive.
	Lag time.Duration `yaml:"lag" default:"10m" min:"2s"`
}

// S3 is a bucket of Amazon's S3, or of a store with its interface that honours If-None-Match.
type S3 struct {
	// Endpoint is the store's address: https://s3.eu-central-1.amazonaws.com. Only one of this machine may go without TLS.
	Endpoint string `yaml:"endpoint" required:"true"`
	// Bucket to write to; it must exist, with versioning and object lock when lock is asked for.
	Bucket string `yaml:"bucket" required:"true"`
	// Prefix of the names of all objects.
	Prefix string `yaml:"prefix"`
	// Region that requests are signed for.
	Region string `yaml:"region" default:"us-east-1"`
	// PathStyle names the bucket in the path, and not in the host name.
	PathStyle bool `yaml:"path_style"`
	// AccessKey is the name of the credential.
	AccessKey string `yaml:"access_key" required:"true"`
	// SecretKey is the credential. It is read again while the gateway runs.
	SecretKey Secret `yaml:"secret_key" required:"true"`
	// CA are the authorities to trust, in PEM; the system's own when left out.
	CA PEM `yaml:"ca"`
	// Lock makes the store keep every object.
	Lock *ObjectLock `yaml:"lock"`
}

// ObjectLock is the retention that is set for each object.
type ObjectLock struct {
	// Mode compliance can be lifted by nobody, governance by those with a special right.
	Mode string `yaml:"mode" default:"compliance" enum:"compliance|governance"`
	// Keep is for how long an object is kept from when it was written.
	Keep time.Duration `yaml:"keep" default:"400d" min:"1d"`
}

// originForm is what names of logs look like; they are folders of an archive.
var originForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]*[a-z0-9])?(/[a-z0-9]([a-z0-9._-]*[a-z0-9])?)*$`)

// bucketForm is what S3 calls a bucket.
var bucketForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// prefixForm is what begins the names of objects.
var prefixForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*/?$`)

func checkOrigin(c *Config, r *report) {
	if c.Audit.Origin == "" {
		c.Audit.Origin = "vecgate/" + c.Gateway.Name
		return
	}
	checkOriginName(c.Audit.Origin, "audit.origin", r)
}

func checkOriginName(name, path string, r *report) {
	if !originForm.MatchString(name) || len(name) > 200 {
		r.at(path, "%s is not the name of a log, such as vecgate/gw/2: names of a-z, 0-9, dot, dash and underscore, with slashes between them", r.shown(path, name))
	}
}

func checkArchive(a *Archive, dir Path, retention time.Duration, path string, r *report) {
	if a == nil {
		return
	}
	switch {
	case a.Directory == "" && a.S3 == nil:
		r.at(path, "says nowhere to copy to: name a directory, or s3")
	case a.Directory != "" && a.S3 != nil:
		r.at(path, "names two places; one of directory and s3 is meant")
	case a.Directory != "" && dir != "":
		if rel, err := filepath.Rel(string(dir), string(a.Directory)); err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
			r.at(path+".directory", "%s lies in audit.dir: a copy beside the log is lost with it", r.shown(path+".directory", string(a.Directory)))
		}
	}
	if a.Require != nil && a.Require.Lag < 2*a.Every {
		r.at(path+".require.lag", "%s is too short: it must be twice as long as every, or the gateway would close between two copies", r.shown(path+".require.lag", a.Require.Lag.String()))
	}
	s := a.S3
	if s == nil {
		return
	}
	at := path + ".s3"
	if s.Endpoint != "" {
		checkURL(r, at+".endpoint", strings.TrimSuffix(s.Endpoint, "/"), false)
	}
	if s.Bucket != "" && !bucketForm.MatchString(s.Bucket) {
		r.at(at+".bucket", "%s is not the name of a bucket", r.shown(at+".bucket", s.Bucket))
	}
	if s.Prefix != "" && (!prefixForm.MatchString(s.Prefix) || len(s.Prefix) > 200) {
		r.at(at+".prefix", "%s cannot begin names of objects: names of letters, digits, dot, dash and underscore, with slashes between them", r.shown(at+".prefix", s.Prefix))
	}
	if s.Lock != nil && retention > s.Lock.Keep {
		r.at(at+".lock.keep", "%s is shorter than audit.retention", r.shown(at+".lock.keep", s.Lock.Keep.String()))
	}
	if s.Lock == nil {
		r.warn(at+".lock", "is missing: who has the gateway's credential can remove what it wrote, unless the bucket forbids that")
	}
}

// ArchiveFile is a file that says where an archive is, for those who check it without being the gateway.
type ArchiveFile struct {
	// Origin is the name of the log.
	Origin string `yaml:"origin" required:"true"`
	// Archive is as in audit.archive of the gateway's configuration.
	Archive Archive `yaml:"archive" required:"true"`
	// Secrets says how values that begin with "age:" are opened.
	Secrets Secrets `yaml:"secrets"`
}

// LoadArchive reads where an archive is from the configuration of a gateway, or from an ArchiveFile: a file that has a key
// origin. What a gateway's configuration has besides is not looked at.
func LoadArchive(path string, getenv func(string) string) (*ArchiveFile, []Fault) {
	text, err := readFile(path)
	if err != nil {
		return nil, []Fault{{File: path, Message: err.Error()}}
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, []Fault{{File: path, Message: fmt.Sprintf("find its directory: %v", err)}}
	}
	r := &reader{report: &report{file: path, lines: map[string]int{}, raw: map[string]string{}}, dir: dir, getenv: getenv}
	body := r.parse(text)
	if body == nil {
		return nil, r.done()
	}
	r.identity = r.identityFile(body)
	entries, ok := r.entries(body, "")
	if !ok {
		return nil, r.done()
	}
	f := &ArchiveFile{}
	if entries["origin"] == nil {
		r.gatewayArchive(entries, f)
	} else {
		r.value(body, reflect.ValueOf(f).Elem(), "", "")
		if f.Origin != "" {
			checkOriginName(f.Origin, "origin", r.report)
		}
		checkArchive(&f.Archive, "", 0, "archive", r.report)
	}
	if Fatal(r.faults) {
		return nil, r.done()
	}
	return f, r.done()
}

// gatewayArchive finds the archive in the configuration of a gateway.
func (r *reader) gatewayArchive(entries map[string]*ast.MappingValueNode, f *ArchiveFile) {
	var c Config
	for key, into := range map[string]any{"gateway": &c.Gateway, "audit": &c.Audit} {
		if e := entries[key]; e != nil {
			r.value(e.Value, reflect.ValueOf(into).Elem(), key, "")
		}
	}
	checkOrigin(&c, r.report)
	if c.Audit.Archive == nil {
		c.Audit.Archive = &Archive{} // what is said of one that names no place fits
	}
	checkArchive(c.Audit.Archive, c.Audit.Dir, c.Audit.Retention, "audit.archive", r.report)
	f.Origin, f.Archive = c.Audit.Origin, *c.Audit.Archive
}
