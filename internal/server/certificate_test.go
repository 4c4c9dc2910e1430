package server

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vecgate/vecgate/internal/config"
	"github.com/vecgate/vecgate/internal/vault"
)

// pair writes a certificate that ends then, and its key.
func pair(t *testing.T, dir string, ends time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: ends.Add(-time.Hour), NotAfter: ends, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"crt": {Type: "CERTIFICATE", Bytes: cert}, "key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Whoever renews certificates must hear that it did not work before clients do.
func TestARenewalThatDidNotWorkIsSaid(t *testing.T) {
	dir := t.TempDir()
	source := func(name string, public bool) vault.Source {
		s, err := vault.ParseSource("file:"+name, vault.SourceOptions{Dir: dir, Public: public})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	now := time.Now().Truncate(time.Second)
	pair(t, dir, now.Add(30*time.Minute))
	var said bytes.Buffer
	s := &Server{log: slog.New(slog.NewTextHandler(&said, nil)), metrics: prometheus.NewRegistry(), shown: map[*config.ServerTLS]*tls.Config{}}
	of := &config.ServerTLS{Cert: config.PEM{Source: source("crt", true)}, Key: config.Secret{Source: source("key", false)}}
	c, err := s.tls("sql", of)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.tls("sql", of); err != nil || again != c {
		t.Errorf("asked for again: %v", err)
	}
	ends := func() float64 {
		t.Helper()
		all, err := s.metrics.Gather()
		if err != nil || len(all) != 1 || len(all[0].GetMetric()) != 1 {
			t.Fatalf("%v, %v", all, err)
		}
		return all[0].GetMetric()[0].GetGauge().GetValue()
	}
	if at := ends(); at != float64(now.Add(30*time.Minute).Unix()) {
		t.Errorf("it ends at %v", at)
	}
	_, current, err := serverTLS(of, s.log)
	if err != nil {
		t.Fatal(err)
	}
	old := current.pair.Load()

	if err := os.WriteFile(filepath.Join(dir, "key"), []byte("half a k"), 0o600); err != nil {
		t.Fatal(err)
	}
	current.renew(now)
	if current.pair.Load() != old || !strings.Contains(said.String(), "certificate not renewed; the last one stays") || !strings.Contains(said.String(), "file:") {
		t.Errorf("half written: %s", said.String())
	}
	if strings.Contains(said.String(), "half a k") {
		t.Errorf("the key is told: %s", said.String())
	}
	said.Reset()
	pair(t, dir, now.Add(2*time.Hour))
	current.renew(now)
	if current.pair.Load() == old || said.Len() > 0 {
		t.Errorf("renewed: %s", said.String())
	}
	current.renew(now.Add(2 * time.Hour))
	if !strings.Contains(said.String(), "certificate has expired") {
		t.Errorf("at its end: %s", said.String())
	}
}
