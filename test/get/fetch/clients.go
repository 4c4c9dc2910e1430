package fetch

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The locks of everything that comes from PyPI, npm and Maven, a folder for each engine: every package with version and
// hash.
//
//go:embed clients
var clients embed.FS

// The JDBC driver, and the Maven plugin that is asked to copy it.
const (
	jdbcVersion = "42.7.14"
	jdbcSHA256  = "73914527305a40cce504b0d3d90b23caf565136912d607ae8ae7c5895512332c"
	mavenCopy   = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
)

// Python brings an interpreter with psycopg 3, psycopg2, asyncpg, SQLAlchemy,
// pgvector, LangChain's PGVector and NumPy, and returns its path.
func (f *Fetcher) Python(ctx context.Context) (interpreter string, err error) {
	return f.venv(ctx, "the Python clients", "python", "postgres/requirements.txt",
		"psycopg, psycopg_pool, psycopg2, asyncpg, sqlalchemy, pgvector.psycopg, pgvector.sqlalchemy, langchain_postgres, numpy")
}

// Node brings node-postgres and pgvector and returns the directory for NODE_PATH.
func (f *Fetcher) Node(ctx context.Context) (modules string, err error) {
	return f.modules(ctx, "the Node clients", "node", "postgres", []string{"pg", "pgvector/pg"})
}

// JDBC brings the PostgreSQL JDBC driver and returns the path of its jar.
func (f *Fetcher) JDBC(ctx context.Context) (jar string, err error) {
	name := "postgresql-" + jdbcVersion + ".jar"
	dir, err := f.Once("jdbc-"+jdbcVersion, func(dir string) error {
		f.Log.Info("downloading the JDBC driver", "version", jdbcVersion, "to", f.Cache)
		repository := filepath.Join(dir, "repository") // of this one run: the user's own stays as it is
		_, err := f.run(ctx, dir, "mvn", "--quiet", "--batch-mode", "-Dmaven.repo.local="+repository, mavenCopy,
			"-Dartifact=org.postgresql:postgresql:"+jdbcVersion, "-DoutputDirectory="+dir)
		if err != nil {
			return err
		}
		if err := checkSum(filepath.Join(dir, name), jdbcSHA256); err != nil {
			return err
		}
		return os.RemoveAll(repository)
	})
	if err != nil {
		return "", fmt.Errorf("get the JDBC driver: %w", err)
	}
	return filepath.Join(dir, name), nil
}

// fingerprint names what was made from the parts.
func fingerprint(parts ...[]byte) string {
	hash := sha256.New()
	for _, part := range parts {
		fmt.Fprintln(hash, len(part))
		hash.Write(part)
	}
	return strings.ToLower(hex.EncodeToString(hash.Sum(nil))[:12])
}
