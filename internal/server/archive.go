package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/mod/sumdb/note"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/admin"
	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/audit/archive"
	"github.com/vecgate/vecgate/internal/audit/archive/s3"
	"github.com/vecgate/vecgate/internal/config"
	"github.com/vecgate/vecgate/internal/gate"
)

// OpenArchive returns the place where the log of a name is archived, or nil when there is none.
func OpenArchive(origin string, a *config.Archive) (archive.Store, error) {
	switch {
	case a == nil:
		return nil, nil
	case a.S3 == nil:
		return archive.OpenDirectory(string(a.Directory), origin)
	}
	c := a.S3
	o := s3.Options{
		Endpoint: c.Endpoint, Bucket: c.Bucket, Prefix: joined(c.Prefix, origin), Region: c.Region, PathStyle: c.PathStyle,
		Credential: func() (id, secret string, err error) {
			s, err := c.SecretKey.Read()
			return c.AccessKey, s.Reveal(), err
		},
	}
	if !c.CA.IsZero() {
		var err error
		if o.Roots, err = authorities(c.CA); err != nil {
			return nil, fmt.Errorf("audit.archive.s3.ca: %w", err)
		}
	}
	if c.Lock != nil {
		o.Mode, o.Keep = c.Lock.Mode, c.Lock.Keep
	}
	return s3.Open(o)
}

func joined(prefix, origin string) string {
	if prefix == "" || prefix[len(prefix)-1] == '/' {
		return prefix + origin
	}
	return prefix + "/" + origin
}

// atStart is how long the archive is waited for before the gateway starts without its word.
const atStart = 15 * time.Second

// archived asks the archive for its newest checkpoint, which the log must contain. One that cannot be reached is asked
// again while the gateway runs.
func (s *Server) archived(ctx context.Context, store archive.Store) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, atStart)
	defer cancel()
	key, err := audit.PublicKey(string(s.config.Audit.Dir))
	if errors.Is(err, fs.ErrNotExist) {
		switch there, err := store.Read(ctx, "log.pub", 64<<10); {
		case err == nil:
			return nil, fmt.Errorf("audit.archive: %s holds a log of the name %s (key %s), and %s holds none: restore it from there, or begin a new log with another audit.origin",
				store, s.config.Audit.Origin, bytes.TrimSpace(there), s.config.Audit.Dir)
		case !errors.Is(err, fs.ErrNotExist):
			s.log.Warn("audit archive: it could not be asked whether it knows this log", "where", store.String(), "error", err)
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	newest, err := archive.Newest(ctx, store, key, audit.PublishedSize(string(s.config.Audit.Dir), key))
	if _, ok := errors.AsType[*archive.IncidentError](err); ok {
		return nil, fmt.Errorf("audit.archive: %w", err)
	}
	if err != nil {
		s.log.Warn("audit archive: it could not be asked whether this log was put back", "where", store.String(), "error", err)
	}
	return newest.Note, nil
}

// archiving makes the archiver of the log that is open.
func (s *Server) archiving(store archive.Store) error {
	key, err := note.NewVerifier(s.journal.State().Key)
	if err != nil {
		return err
	}
	c := &s.config.Audit
	o := archive.Options{
		Store: store, Dir: string(c.Dir), Key: key, Every: c.Archive.Every, Shred: c.Bodies,
		State: s.journal.State, Record: func(r *audit.Record) { s.journal.Append(r) }, Now: s.options.Now, Log: s.log,
	}
	if c.Archive.Require != nil {
		o.Lag = c.Archive.Require.Lag
	}
	a := archive.New(o)
	s.archive.Store(a)
	s.metrics.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "vecgate_archive_lag_seconds", Help: "For how long records have waited for the archive of the audit log.",
		}, func() float64 { return a.Status().Lag.Seconds() }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "vecgate_archive_records", Help: "Records of the audit log that its archive is known to hold.",
		}, func() float64 { return float64(a.Archived()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "vecgate_archive_checkpoint_timestamp_seconds", Help: "When the newest checkpoint was archived.",
		}, func() float64 { return seconds(a.Status().At) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "vecgate_archive_failures_total", Help: "Attempts to archive that failed.",
		}, func() float64 { return float64(a.Status().Failures) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "vecgate_archive_incidents_total", Help: "Times that the archive did not hold what was put there, or held something else.",
		}, func() float64 { return float64(a.Status().Found) }),
	)
	return nil
}

// lastCopy archives what the log's end has brought.
func (s *Server) lastCopy() {
	a := s.archive.Load()
	if a == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), atStart)
	defer cancel()
	_ = a.Sync(ctx) // it tells by itself; the next start goes on
}

func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// closedByArchive says why the archive lets no request through; nil when it does.
func (s *Server) closedByArchive() error {
	if a := s.archive.Load(); a != nil {
		return a.Closed()
	}
	return nil
}

// mayBegin implements gate.Gate.Admit.
func (s *Server) mayBegin(ctx context.Context, who *access.Subject) *access.Refusal {
	if err := s.closedByArchive(); err != nil {
		return &access.Refusal{
			Code: access.CodeNotRecorded, Err: err, Message: "the audit log's archive is not up to date, so nothing is carried out",
			Hint: "tell the operator of the gateway; its log has the details",
		}
	}
	return s.standing(ctx, who)
}

// guarded is the log as the gate has it: an intent is good only while the archive is not too far behind.
type guarded struct {
	gate.Journal
	closed func() error
}

// Append implements gate.Journal. The record is written in any case.
func (g guarded) Append(r *audit.Record) audit.Commit {
	c := g.Journal.Append(r)
	if r.Type == audit.TypeIntent {
		if err := g.closed(); err != nil {
			return audit.Resolved(c.Seq, err)
		}
	}
	return c
}

// archiveNote is a line for those who watch, and a fault when there is one.
func (s *Server) archiveNote() (line string, fault error) {
	a := s.archive.Load()
	if a == nil {
		return "", nil
	}
	st := a.Status()
	line = fmt.Sprintf("audit archive: %d records, %s behind", st.Archived, st.Lag.Round(time.Second))
	switch {
	case st.Incident != "":
		return line, errors.New("audit archive: it is not as this gateway left it; the log has the details")
	case a.Closed() != nil:
		return line, errors.New("audit archive: too far behind; requests are refused")
	case !st.Reached:
		line = "audit archive: not reached yet"
	case st.Fault != "":
		line += ", and the last attempt failed"
	}
	return line, nil
}

// archiveState tells the console how the archive stands.
func (s *Server) archiveState() *admin.Archived {
	a := s.archive.Load()
	if a == nil {
		return nil
	}
	st := a.Status()
	v := &admin.Archived{Size: st.Archived, Lag: st.Lag.Round(time.Second).String(), Failing: st.Fault != "", Incident: st.Incident != "", Closed: a.Closed() != nil}
	if !st.At.IsZero() {
		v.Time = &st.At
	}
	return v
}
