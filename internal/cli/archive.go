package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/audit/archive"
	"github.com/vecgate/vecgate/internal/config"
	"github.com/vecgate/vecgate/internal/server"
)

// verifyArchive checks the archive that a file names; dir, if not empty, is the gateway's own log.
func verifyArchive(ctx context.Context, env *Env, file, to, dir string, opts audit.VerifyOptions, asJSON bool) error {
	where, faults := config.LoadArchive(file, os.Getenv)
	for _, f := range faults {
		fmt.Fprintln(env.Stderr, f)
	}
	if where == nil {
		return fmt.Errorf("%s does not say where the archive is", file)
	}
	store, err := server.OpenArchive(where.Origin, &where.Archive)
	if err != nil {
		return err
	}
	if to == "" {
		if to, err = os.MkdirTemp("", "vecgate-archive-*"); err != nil {
			return err
		}
		defer os.RemoveAll(to)
	} else if there, err := filepath.Glob(filepath.Join(to, "*")); err != nil || len(there) > 0 {
		return errors.Join(err, fmt.Errorf("--copy %s is not empty", to))
	}
	o := archive.VerifyOptions{Key: opts.Key, Known: opts.Known, Identities: opts.Identities, Copy: to, Log: dir}
	if s := where.Archive.S3; s != nil && s.Lock != nil {
		o.Keep, o.Mode = s.Lock.Keep, s.Lock.Mode
	}
	report, err := archive.Verify(ctx, store, o)
	if err != nil {
		return err
	}
	if asJSON {
		err = printJSON(env.Stdout, report)
	} else {
		err = printArchive(env, report)
	}
	if err == nil && !report.OK() {
		err = &ExitError{Code: exitTampered, Err: fmt.Errorf("the archive in %s is not in order", report.Where)}
	}
	return err
}

func printArchive(env *Env, r *archive.Report) error {
	b := bufio.NewWriter(env.Stdout)
	verdict := "in order"
	if !r.OK() {
		verdict = "NOT IN ORDER"
	}
	fmt.Fprintf(b, "archive      %s: %s\n", r.Where, verdict)
	fmt.Fprintf(b, "objects      %d, %d bytes\n", r.Objects, r.Bytes)
	if !r.At.IsZero() {
		fmt.Fprintf(b, "newest       checkpoint %d, of %s\n", r.Checkpoint, r.At.UTC().Format(time.RFC3339))
	}
	if r.Expired > 0 {
		fmt.Fprintf(b, "expired      %d %s at the beginning\n", r.Expired, plural(int64(r.Expired), "segment"))
	}
	for _, p := range r.Problems {
		fmt.Fprintf(b, "problem      %s: %s\n", visible(p.Where), visible(p.What))
	}
	if r.More > 0 {
		fmt.Fprintf(b, "problem      and %d more\n", r.More)
	}
	if err := b.Flush(); err != nil {
		return err
	}
	for _, one := range []struct {
		title string
		of    *audit.Report
	}{{"what the archive holds", r.Archive}, {"the gateway's own log", r.Log}} {
		if one.of == nil {
			continue
		}
		if _, err := fmt.Fprintf(env.Stdout, "\n%s\n", one.title); err != nil {
			return err
		}
		if err := printReport(env.Stdout, one.of); err != nil {
			return err
		}
	}
	return nil
}
