package fetch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// PsqlOAuth brings a psql that can sign in by OAuth's device flow and returns the path
// of a script that runs it. Only Debian's packages have the module for that flow
// (libpq-oauth), and only for a newer C library than Debian 12's; so they are unpacked
// with all that they need, C library included, into a directory of their own. apt checks
// their signatures; their versions are those of the day, as that suite still moves.
func (f *Fetcher) PsqlOAuth(ctx context.Context) (psql string, err error) {
	dir, err := f.Once("psql-oauth-18", func(dir string) error {
		f.Log.Info("downloading a psql with OAuth", "to", f.Cache)
		return f.buildPsqlOAuth(ctx, dir)
	})
	if err != nil {
		return "", fmt.Errorf("get a psql with OAuth: %w", err)
	}
	return filepath.Join(dir, "psql"), nil
}

const forky = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian forky main\n"

func (f *Fetcher) buildPsqlOAuth(ctx context.Context, dir string) error {
	apt := filepath.Join(dir, "apt")
	for _, folder := range []string{"lists/partial", "archives/partial"} {
		if err := os.MkdirAll(filepath.Join(apt, folder), 0o755); err != nil {
			return err
		}
	}
	for name, content := range map[string]string{"status": "", "sources.list": forky} {
		if err := os.WriteFile(filepath.Join(apt, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	// An apt that knows nothing of the system's packages and sources, and leaves them alone.
	options := []string{}
	for _, option := range []string{
		"Dir::Etc::SourceList=" + apt + "/sources.list", "Dir::Etc::SourceParts=/dev/null", "Dir::Etc::PreferencesParts=/dev/null",
		"Dir::State=" + apt, "Dir::State::status=" + apt + "/status", "Dir::Cache=" + apt,
		"APT::Sandbox::User=root", "Debug::NoLocking=1", "Acquire::Languages=none", "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
	} {
		options = append(options, "-o", option)
	}
	archives := filepath.Join(apt, "archives")
	for _, command := range [][]string{
		{"update"},
		{"install", "--yes", "--no-install-recommends", "--download-only", "libpq-oauth", "libreadline8t64"},
		{"download", "postgresql-client-18"}, // without what it depends on for Debian's own wrappers
	} {
		if _, err := f.run(ctx, archives, "apt-get", append(options, command...)...); err != nil {
			return err
		}
	}
	packages, err := filepath.Glob(filepath.Join(archives, "*.deb"))
	if err != nil {
		return err
	}
	root := filepath.Join(dir, "root")
	for _, pkg := range packages {
		if _, err := f.run(ctx, dir, "dpkg-deb", "--extract", pkg, root); err != nil {
			return err
		}
	}
	// The unpacked C library's own loader runs the program; the script finds both
	// beside itself.
	const script = `#!/bin/sh
root="$(dirname "$(readlink -f "$0")")/root/usr"
exec "$root/lib64/ld-linux-x86-64.so.2" --library-path "$root/lib/x86_64-linux-gnu" "$root/lib/postgresql/18/bin/psql" "$@"
`
	psql := filepath.Join(dir, "psql")
	if err := os.WriteFile(psql, []byte(script), 0o755); err != nil {
		return err
	}
	said, err := f.run(ctx, dir, psql, "--version")
	if err != nil {
		return fmt.Errorf("it does not run on this machine: %w", err)
	}
	if !strings.Contains(said, "PostgreSQL) 18") {
		return fmt.Errorf("it says %q instead of version 18", strings.TrimSpace(said))
	}
	return os.RemoveAll(apt)
}
