// Package server makes a gateway out of its parts: it is the only package that knows all of them. It opens the store and
// the log, hands every part the few things it needs, listens where the configuration says, swaps what can be swapped while
// sessions live, and stops in good order.
//
// It refuses to decide anything. Start at Run.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/admin"
	"github.com/vecgate/vecgate/internal/approval"
	"github.com/vecgate/vecgate/internal/approval/ticket"
	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/audit/archive"
	"github.com/vecgate/vecgate/internal/config"
	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/identity"
	"github.com/vecgate/vecgate/internal/policy"
	"github.com/vecgate/vecgate/internal/protocol/astray"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/postgres"
	"github.com/vecgate/vecgate/internal/protocol/qdrant"
	"github.com/vecgate/vecgate/internal/store"
	"github.com/vecgate/vecgate/internal/vault"
)

// Options of Run.
type Options struct {
	Version string
	Log     *slog.Logger
	Now     func() time.Time
	// Reload asks for the configuration to be read again, as SIGHUP does.
	Reload <-chan os.Signal
	// Ready, if not nil, is called once everything listens.
	Ready func()
}

// Server is a gateway and its parts.
type Server struct {
	options  Options
	config   *config.Config // as it was at start; what can change is in the parts
	log      *slog.Logger
	store    *store.DB
	journal  *audit.Log
	archive  atomic.Pointer[archive.Archiver] // nil when there is none
	records  recorder
	policy   *policy.Holder
	registry *identity.Registry
	desk     *approval.Desk
	tickets  *ticket.Book
	vault    *vault.Vault
	gate     *gate.Gate
	metrics  *prometheus.Registry
	meter    *meter
	targets  postgres.Shared             // what listeners know of targets that several of them reach
	names    map[string]*qdrant.Names    // by target, as the next two
	speaks   map[string]httpwire.Dialect // what it speaks
	calling  map[string]grpcwire.Dialect // what it speaks over gRPC
	fronts   []front
	evidence *evidence
	locks    []*os.File // of what only one process may use
	carriers carriers
	follows  following
	shown    map[*config.ServerTLS]*tls.Config // made of it

	policySince atomic.Pointer[time.Time]
}

// front is one listener with what serves it.
type front struct {
	name     string
	listener net.Listener
	serve    func(context.Context, net.Listener) error
	ready    func(context.Context) error
	readyFor func(ctx context.Context, target string) error
}

// Run is a gateway's life: it returns nil after ctx ended and everything was stopped in good order.
func Run(ctx context.Context, cfg *config.Config, o Options) error {
	s := &Server{options: o, config: cfg, log: o.Log, metrics: prometheus.NewRegistry(), names: map[string]*qdrant.Names{}, speaks: map[string]httpwire.Dialect{}, calling: map[string]grpcwire.Dialect{}, shown: map[*config.ServerTLS]*tls.Config{}}
	if s.options.Now == nil {
		s.options.Now = time.Now
	}
	defer s.close()
	if err := s.open(ctx); err != nil {
		return err
	}
	if err := s.listen(ctx); err != nil {
		return err
	}
	return s.serve(ctx)
}

// open makes the parts, those that others lean on first.
func (s *Server) open(ctx context.Context) (err error) {
	c := s.config
	now := s.options.Now
	if err := s.own(); err != nil {
		return err
	}
	if s.store, err = store.Open(ctx, store.Options{Path: string(c.Store.SQLite), Gateway: c.Gateway.Name, Log: s.log, Now: now}); err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	checkpoints := remember(string(c.Gateway.Data), s.log)
	remembered, err := checkpoints.known()
	if err != nil {
		return err
	}
	known := [][]byte{remembered}
	copies, err := OpenArchive(c.Audit.Origin, c.Audit.Archive)
	if err != nil {
		return err
	}
	var held func() uint64
	if copies != nil {
		newest, err := s.archived(ctx, copies)
		if err != nil {
			return err
		}
		known = append(known, newest)
		held = func() uint64 {
			if a := s.archive.Load(); a != nil {
				return a.Archived()
			}
			return 0
		}
	}
	s.journal, err = audit.Open(ctx, audit.Options{
		Dir: string(c.Audit.Dir), Origin: c.Audit.Origin, Recipients: c.Audit.Recipients, Self: c.Audit.Self,
		Segment: int64(c.Audit.Segment), Checkpoint: c.Audit.Checkpoint, Retention: c.Audit.Retention, Bodies: c.Audit.Bodies,
		Known: known, Archived: held, Published: checkpoints.keep, Log: s.log, Now: now,
	})
	if err != nil {
		return fmt.Errorf("open the audit log: %w", checkpoints.explain(err))
	}
	s.records = recorder{s.journal}
	var journal gate.Journal = s.journal
	if copies != nil {
		if err := s.archiving(copies); err != nil {
			return err
		}
		journal = guarded{s.journal, s.closedByArchive}
	}

	systems, err := ticketSystems(c)
	if err != nil {
		return err
	}
	s.tickets, err = ticket.NewBook(systems, ticket.Options{
		Recorder: s.records, Person: func(account string) string { return s.registry.Persons().Of(account) }, Log: s.log, Now: now,
	})
	if err != nil {
		return err
	}
	rules, err := policy.Load(string(c.Policy), policy.Options{Targets: names(c), Tickets: s.checks(c)})
	if err != nil {
		return err
	}
	s.policy = policy.NewHolder(rules)

	believed, err := sources(c, &s.carriers)
	if err != nil {
		return err
	}
	s.registry, err = identity.New(identity.Options{
		Sources: believed, URL: c.Gateway.URL, Dir: filepath.Join(string(c.Gateway.Data), "tokens"),
		TokenLifetime: c.Identity.Tokens.Lifetime, TokenMax: c.Identity.Tokens.MaxLifetime,
		SecretsPerSubject: c.Limits.SecretsPerSubject, Store: s.store.Identity(), Log: s.log, Now: now,
	})
	if err != nil {
		return err
	}
	s.registry.SignedIn = s.records.SignedIn
	s.registry.Refused = func(ctx context.Context, refusal *access.Refusal, client string) {
		s.gate.RefuseSignIn(ctx, gate.SignIn{Client: client, Method: "api"}, refusal)
	}
	s.registry.CutOff = func(who identity.Suspension) {
		if err := s.records.Suspended(context.WithoutCancel(ctx), who); err != nil {
			s.log.Error("suspension not recorded", "who", who.Who, "error", err)
		}
		n := s.gate.CutOff(who.Covers, fmt.Errorf("suspended: %s", who.Reason))
		s.log.Warn("suspended", "who", who.Who, "by", who.By, "sessions", n)
	}

	s.registry.Ended = func(credential string) {
		ended := errors.New("the credential was revoked")
		s.gate.CutOff(func(who *access.Subject) bool { return who.ShownBy(credential) }, ended)
	}

	s.desk = &approval.Desk{
		Store: s.store.Requests(), Recorder: s.records, May: s.policy.MayApprove, Stands: s.voteStands, BaseURL: c.Gateway.URL,
		OpenPerSubject: c.Limits.OpenRequests, Log: s.log, Now: now,
	}
	if s.vault, err = vault.New(credentials(c)); err != nil {
		return fmt.Errorf("credentials of the targets: %w", err)
	}
	s.gate = &gate.Gate{
		Policy: s.policy, Journal: journal, Approvals: s.desk, Credentials: s.vault, Tickets: s.tickets, Roll: s.store.Roll(), Log: s.log, Now: now,
		MaxSessions: c.Limits.Sessions, MaxPerSubject: c.Limits.SessionsPerSubject,
	}
	s.gate.Admit = s.mayBegin
	s.meter = newMeter(s.metrics, s.gate)
	s.gate.Meter = s.meter
	s.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	start := &audit.Record{Type: audit.TypeStart, Policy: rules.Digest(), Detail: fmt.Sprintf("version %s, configuration %s", s.options.Version, c.Digest)}
	if err := s.journal.Append(start).Wait(ctx); err != nil {
		return fmt.Errorf("write the first record: %w", err)
	}
	return nil
}

// listen opens every listener before anything is served, so that a taken port is found at start.
func (s *Server) listen(ctx context.Context) error {
	c := s.config
	var lc net.ListenConfig
	for i := range c.Listeners {
		l := &c.Listeners[i]
		server, err := protocols[l.Protocol](s, l)
		if err != nil {
			return fmt.Errorf("listener %s: %w", l.Name, err)
		}
		ln, err := lc.Listen(ctx, "tcp", l.Address)
		if err != nil {
			return fmt.Errorf("listener %s: %w", l.Name, err)
		}
		if l.Protocol != config.ProtocolPostgres {
			t, err := s.tls(l.Name, l.TLS)
			if err != nil {
				return fmt.Errorf("listener %s: %w", l.Name, err)
			}
			ln = astray.Listener(ln, t, s.notSQL(spoken[l.Protocol]+" (listener "+l.Name+")"))
		}
		s.fronts = append(s.fronts, front{name: l.Name, listener: ln, serve: server.Serve, ready: server.Ready, readyFor: server.ReadyFor})
	}
	if c.Console != nil {
		handler, err := s.web()
		if err != nil {
			return fmt.Errorf("console: %w", err)
		}
		if err := s.listenHTTP(ctx, lc, "console", c.Console.Address, c.Console.TLS, handler); err != nil {
			return err
		}
	}
	if c.Ops != nil {
		if err := s.listenHTTP(ctx, lc, "ops", c.Ops.Address, c.Ops.TLS, ops(s.metrics, s.options.Version, s.faults, s.archiveNote)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) listenHTTP(ctx context.Context, lc net.ListenConfig, name, address string, t *config.ServerTLS, handler http.Handler) error {
	ln, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	tlsConfig, err := s.tls(name, t)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	ln = astray.Listener(ln, tlsConfig, s.notSQL("HTTP ("+name+")"))
	if tlsConfig != nil {
		tlsConfig = tlsConfig.Clone()
		tlsConfig.NextProtos = []string{"h2", "http/1.1"}
		ln = tls.NewListener(ln, tlsConfig)
	}
	server := admin.HTTPServer(handler, s.log)
	server.ConnState = newVisitors(roomForVisitors).see
	serve := func(ctx context.Context, ln net.Listener) error {
		stop := context.AfterFunc(ctx, func() {
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			if server.Shutdown(end) != nil {
				_ = server.Close() // event streams do not end by themselves
			}
		})
		defer stop()
		if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}
	s.fronts = append(s.fronts, front{name: name, listener: ln, serve: serve})
	return nil
}

// serve runs everything that has a loop until ctx ends or one of them fails, then drains.
func (s *Server) serve(ctx context.Context) error {
	// Fronts outlive ctx by the drain: live sessions go on, new ones are refused.
	fronts, stopFronts := context.WithCancel(context.WithoutCancel(ctx))
	defer stopFronts()
	loops, ctx := errgroup.WithContext(ctx)
	for _, f := range s.fronts {
		loops.Go(func() error {
			if err := f.serve(fronts, f.listener); err != nil && fronts.Err() == nil {
				return fmt.Errorf("%s: %w", f.name, err)
			}
			return nil
		})
		s.log.Info("listening", "name", f.name, "address", f.listener.Addr().String())
	}
	loops.Go(func() error { s.desk.Run(ctx, time.Second); return nil })
	loops.Go(func() error { return s.watch(ctx) })
	loops.Go(func() error { return s.verifyLog(ctx) })
	loops.Go(func() error { return s.age(ctx) })
	if a := s.archive.Load(); a != nil {
		loops.Go(func() error { return a.Run(ctx) })
	}
	loops.Go(func() error { return s.tidy(ctx) })
	loops.Go(func() error {
		<-ctx.Done()
		s.log.Info("draining", "sessions", len(s.gate.Sessions()))
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.Limits.Drain)
		defer cancel()
		s.gate.Drain(drain, 2*time.Second)
		stopFronts()
		return nil
	})
	if s.options.Ready != nil {
		s.options.Ready()
	}
	err := loops.Wait()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return err
}

// age forgets what is older than its retention, once an hour.
func (s *Server) age(ctx context.Context) error {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if err := s.store.Prune(ctx, s.config.Audit.Retention); err != nil && ctx.Err() == nil {
			s.log.Error("forget what is older than audit.retention", "error", err)
		}
	}
}

// faults are the reasons why no session should be sent here now.
func (s *Server) faults(ctx context.Context) []error {
	var faults []error
	if err := s.store.Ready(ctx); err != nil {
		faults = append(faults, fmt.Errorf("store: %w", err))
	}
	if err := s.journal.Sync(ctx); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = errors.New("what was written last is not on disk yet: the disk is slow, or does not answer")
		}
		faults = append(faults, fmt.Errorf("audit log: %w", err))
	}
	if _, err := s.archiveNote(); err != nil {
		faults = append(faults, err)
	}
	for _, f := range s.fronts {
		if f.ready == nil {
			continue
		}
		if err := f.ready(ctx); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", f.name, err))
		}
	}
	return faults
}

// close ends the parts in the reverse order of open; sessions have ended by then.
func (s *Server) close() {
	for _, f := range s.fronts {
		_ = f.listener.Close()
	}
	if s.tickets != nil {
		s.tickets.Close()
	}
	if s.journal != nil {
		s.journal.Append(&audit.Record{Type: audit.TypeStop})
		if err := s.journal.Close(); err != nil {
			s.log.Error("close the audit log", "error", err)
		}
		s.lastCopy()
	}
	if s.store != nil {
		if err := s.store.Close(); err != nil {
			s.log.Error("close the store", "error", err)
		}
	}
	for _, f := range s.locks {
		_ = f.Close()
	}
}

func names(c *config.Config) []string {
	var all []string
	for i := range c.Targets {
		all = append(all, c.Targets[i].Name)
	}
	return all
}
