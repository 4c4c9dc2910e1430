package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vecgate/vecgate/internal/config"
)

// tls is the TLS of the listener with that name, nil when it has none.
func (s *Server) tls(name string, t *config.ServerTLS) (*tls.Config, error) {
	if t == nil || s.shown[t] != nil {
		return s.shown[t], nil
	}
	c, current, err := serverTLS(t, s.log)
	if err != nil {
		return nil, err
	}
	s.metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "vecgate_certificate_expiry_timestamp_seconds", Help: "When the certificate of a listener ends.", ConstLabels: prometheus.Labels{"listener": name},
	}, func() float64 {
		current.certificate() // read again, if nobody has come for a while
		return float64(current.ends().Unix())
	}))
	s.shown[t] = c
	return c, nil
}

// serverTLS is the TLS of a listener. A renewed certificate is used from the next handshake after its files changed.
func serverTLS(t *config.ServerTLS, log *slog.Logger) (c *tls.Config, current *renewed, err error) {
	current = &renewed{source: t, log: log}
	pair, err := current.read()
	if err != nil {
		return nil, nil, err
	}
	current.pair.Store(pair)
	c = &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return current.certificate(), nil },
	}
	if t.Min == "1.3" {
		c.MinVersion = tls.VersionTLS13
	}
	if !t.ClientCA.IsZero() {
		if c.ClientCAs, err = authorities(t.ClientCA); err != nil {
			return nil, nil, fmt.Errorf("tls.client_ca: %w", err)
		}
		c.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return c, current, nil
}

// renewed is a certificate that is read again now and then. While its files cannot be read, the last one that could be is
// used.
type renewed struct {
	source *config.ServerTLS
	log    *slog.Logger
	pair   atomic.Pointer[tls.Certificate]
	next   atomic.Int64 // unix time from which on the files are read again
}

func (r *renewed) read() (*tls.Certificate, error) {
	cert, err := r.source.Cert.Read()
	if err != nil {
		return nil, fmt.Errorf("tls.cert: %w", err)
	}
	key, err := r.source.Key.Read()
	if err != nil {
		return nil, fmt.Errorf("tls.key: %w", err)
	}
	pair, err := tls.X509KeyPair([]byte(cert.Reveal()), []byte(key.Reveal()))
	if err != nil {
		return nil, fmt.Errorf("tls.cert and tls.key: %w", err)
	}
	return &pair, nil
}

// again is how often the files are read at most.
const again = time.Minute

func (r *renewed) certificate() *tls.Certificate {
	now := time.Now()
	if next := r.next.Load(); now.Unix() >= next && r.next.CompareAndSwap(next, now.Add(again).Unix()) {
		r.renew(now)
	}
	return r.pair.Load()
}

// renew takes over what the files hold. Who renews certificates hears here that it did not work, while there is time.
func (r *renewed) renew(now time.Time) {
	pair, err := r.read()
	if err == nil {
		r.pair.Store(pair)
	}
	switch ends := r.ends(); {
	case err != nil:
		r.log.Warn("certificate not renewed; the last one stays", "cert", r.source.Cert.String(), "ends", ends.UTC(), "error", err)
	case !now.Before(ends):
		r.log.Error("certificate has expired; clients refuse it", "cert", r.source.Cert.String(), "ended", ends.UTC())
	}
}

// ends is when clients begin to refuse the certificate.
func (r *renewed) ends() time.Time { return r.pair.Load().Leaf.NotAfter }
