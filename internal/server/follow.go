package server

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"sync/atomic"

	"github.com/vecgate/vecgate/internal/config"
	"github.com/vecgate/vecgate/internal/vault"
)

// following are the files that are read again with the configuration, beside what the parts that can be swapped hold. Each
// reads, and returns what takes the content into force.
type following []func() (apply func(), err error)

// read reads all of them; nothing is in force before apply is called.
func (f following) read() (apply func(), err error) {
	var all []func()
	for _, one := range f {
		next, err := one()
		if err != nil {
			return nil, err
		}
		all = append(all, next)
	}
	return func() {
		for _, next := range all {
			next()
		}
	}, nil
}

// follow reads a value now, and again with every change of the configuration.
func follow[T any](f *following, where string, read func() (*T, error)) (current func() *T, err error) {
	var now atomic.Pointer[T]
	once := func() (func(), error) {
		v, err := read()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", where, err)
		}
		return func() { now.Store(v) }, nil
	}
	apply, err := once()
	if err != nil {
		return nil, err
	}
	apply()
	*f = append(*f, once)
	return now.Load, nil
}

// clientAuthorities are the authorities whose client certificates a listener takes; nil when it takes none.
func (s *Server) clientAuthorities(l *config.Listener) (func() *x509.CertPool, error) {
	if l.TLS == nil || l.TLS.ClientCA.IsZero() {
		return nil, nil
	}
	return follow(&s.follows, "listener "+l.Name+": tls.client_ca", func() (*x509.CertPool, error) { return authorities(l.TLS.ClientCA) })
}

// upstreamTLS is clientTLSTo with a client certificate that follows its files: a renewed one is shown from the next
// connection on.
func (s *Server) upstreamTLS(t *config.Target, host string) (*tls.Config, error) {
	c, err := clientTLSTo(t, host)
	if err != nil || c == nil || len(c.Certificates) == 0 {
		return c, err
	}
	current, err := follow(&s.follows, "target "+t.Name, func() (*tls.Certificate, error) { return keyPair(t.TLS.Cert.Source, t.TLS.Key.Source) })
	if err != nil {
		return nil, err
	}
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return current(), nil }
	return c, nil
}

// keyPair reads a certificate and its private key.
func keyPair(certificate, private vault.Source) (*tls.Certificate, error) {
	cert, err := certificate.Read()
	if err != nil {
		return nil, fmt.Errorf("tls.cert: %w", err)
	}
	key, err := private.Read()
	if err != nil {
		return nil, fmt.Errorf("tls.key: %w", err)
	}
	pair, err := tls.X509KeyPair([]byte(cert.Reveal()), []byte(key.Reveal()))
	if err != nil {
		return nil, fmt.Errorf("tls.cert and tls.key: %w", err)
	}
	return &pair, nil
}
