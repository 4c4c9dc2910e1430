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

// The locks of the Python and Node clients, and of Chroma: every package with version and hash.
//
//go:embed clients/requirements.txt clients/chroma.txt clients/package.json clients/package-lock.json clients/weaviate.txt clients/weaviate-node
var locks embed.FS

// The JDBC driver, and the Maven plugin that is asked to copy it.
const (
	jdbcVersion = "42.7.14"
	jdbcSHA256  = "73914527305a40cce504b0d3d90b23caf565136912d607ae8ae7c5895512332c"
	mavenCopy   = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
)

// Python brings an interpreter with psycopg 3, psycopg2, asyncpg, SQLAlchemy,
// pgvector, LangChain's PGVector and NumPy, and returns its path.
func (f *Fetcher) Python(ctx context.Context) (interpreter string, err error) {
	lock, err := locks.ReadFile("clients/requirements.txt")
	if err != nil {
		return "", err
	}
	// An environment belongs to the interpreter that it was made with.
	base, err := f.run(ctx, "", "python3", "-c", "import sys; print(sys.executable, sys.version)")
	if err != nil {
		return "", err
	}
	dir, err := f.Once("python-"+fingerprint(lock, []byte(base)), func(dir string) error {
		f.Log.Info("downloading the Python clients", "to", f.Cache)
		// pip comes from outside: Debian's python3 without python3-venv has none to put in.
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
		_, err = f.run(ctx, dir, python, "-c", "import psycopg, psycopg_pool, psycopg2, asyncpg, sqlalchemy, pgvector.psycopg, pgvector.sqlalchemy, langchain_postgres, numpy")
		return err
	})
	if err != nil {
		return "", fmt.Errorf("get the Python clients: %w", err)
	}
	return filepath.Join(dir, "bin", "python"), nil
}

// Node brings node-postgres and pgvector and returns the directory for NODE_PATH.
func (f *Fetcher) Node(ctx context.Context) (modules string, err error) {
	pkg, err := locks.ReadFile("clients/package.json")
	if err != nil {
		return "", err
	}
	lock, err := locks.ReadFile("clients/package-lock.json")
	if err != nil {
		return "", err
	}
	dir, err := f.Once("node-"+fingerprint(pkg, lock), func(dir string) error {
		f.Log.Info("downloading the Node clients", "to", f.Cache)
		for name, content := range map[string][]byte{"package.json": pkg, "package-lock.json": lock} {
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
				return err
			}
		}
		if _, err := f.run(ctx, dir, "npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--cache", filepath.Join(dir, "npm-cache")); err != nil {
			return err
		}
		if _, err := f.run(ctx, dir, "node", "-e", "require('pg'); require('pgvector/pg')"); err != nil {
			return err
		}
		return os.RemoveAll(filepath.Join(dir, "npm-cache"))
	})
	if err != nil {
		return "", fmt.Errorf("get the Node clients: %w", err)
	}
	return filepath.Join(dir, "node_modules"), nil
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
