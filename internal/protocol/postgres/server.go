package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/vecgate/vecgate/internal/protocol/postgres/analysis"
	"github.com/vecgate/vecgate/internal/protocol/postgres/value"
)

// Server serves PostgreSQL clients. It may serve several listeners at once.
type Server struct {
	config  Config
	limits  Limits
	log     *slog.Logger
	now     func() time.Time
	tls     *tls.Config
	masker  *value.Masker
	targets map[string]*target
	keys    keys
	doors   doors
}

// New returns a Server; it opens nothing yet.
func New(c Config) (*Server, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("postgres listener: %w", err)
	}
	s := &Server{config: c, limits: c.Limits.withDefaults(), log: c.Log, now: c.Now, masker: c.Masker, targets: map[string]*target{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if c.TLS != nil {
		s.tls = s.clientTLS(c.TLS)
	}
	analyzer := c.NewAnalyzer
	if analyzer == nil {
		analyzer = func(name string) Analyzer {
			return analysis.New(analysis.Options{Target: name, MaxText: s.limits.Statement})
		}
	}
	for name, t := range c.Targets {
		t.Gate.Name = name
		if t.SearchPath == "" {
			t.SearchPath = "public, pg_temp"
		}
		if t.Refresh == 0 {
			t.Refresh = 30 * time.Second
		}
		s.targets[name] = c.Shared.target(name, func() *target { return &target{Target: t, name: name, server: s, analyzer: analyzer(name)} })
	}
	s.keys.live = map[uint32]*session{}
	s.doors.waiting = map[string]int{}
	return s, nil
}

// clientTLS makes the configuration of the client's side: PostgreSQL's ALPN, and certificates where they sign clients in.
func (s *Server) clientTLS(base *tls.Config) *tls.Config {
	c := base.Clone()
	c.NextProtos = []string{alpn}
	if c.MinVersion < tls.VersionTLS12 {
		c.MinVersion = tls.VersionTLS12
	}
	if c.ClientCAs != nil && c.ClientAuth < tls.VerifyClientCertIfGiven {
		c.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return c
}

const alpn = "postgresql"

// Serve takes connections until ctx ends or the listener fails, and returns when every session has ended. When ctx ends
// no new connection is taken; live sessions end as the gate drains them.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() {
		l.Close()
		s.drain()
	})
	defer stop()
	refresh, done := context.WithCancel(context.WithoutCancel(ctx))
	var background, sessions sync.WaitGroup
	defer background.Wait()
	defer done()
	for _, t := range s.targets {
		background.Go(func() { t.keepFresh(refresh) })
	}
	defer sessions.Wait()
	pause := 5 * time.Millisecond
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() || isResource(err) {
				s.log.ErrorContext(ctx, "accept", "error", err)
				time.Sleep(pause)
				pause = min(2*pause, time.Second)
				continue
			}
			return fmt.Errorf("accept: %w", err)
		}
		pause = 5 * time.Millisecond
		sessions.Go(func() { s.handle(context.WithoutCancel(ctx), conn) })
	}
}

// Ready returns nil when the catalog of every target is known and was read lately.
func (s *Server) Ready(ctx context.Context) error {
	var faults []error
	for name := range s.targets {
		faults = append(faults, s.ReadyFor(ctx, name))
	}
	return errors.Join(faults...)
}

// ReadyFor is Ready for one target. One that cannot be reached here is no fault.
func (s *Server) ReadyFor(ctx context.Context, target string) error {
	t := s.targets[target]
	if t == nil {
		return nil
	}
	_, err := t.refresh(ctx, time.Now().Add(-2*t.Refresh))
	return err
}

// doors counts the connections of each address, as gate.Network tells them apart, that have not signed in.
type doors struct {
	mu      sync.Mutex
	waiting map[string]int
}

func (d *doors) enter(address string, most int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiting[address] >= most {
		return false
	}
	d.waiting[address]++
	return true
}

func (d *doors) leave(address string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiting[address]--; d.waiting[address] <= 0 {
		delete(d.waiting, address)
	}
}
