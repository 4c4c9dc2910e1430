package server

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/config"
	"github.com/vecgate/vecgate/internal/vault"
)

// Both used to be read at the start only: an authority that was no longer trusted went on letting its clients in, and a
// client certificate that was renewed ended with the old one.
func TestAuthoritiesAndClientCertificatesFollowTheirFiles(t *testing.T) {
	listener, target := t.TempDir(), t.TempDir()
	source := func(dir, name string, public bool) vault.Source {
		s, err := vault.ParseSource("file:"+name, vault.SourceOptions{Dir: dir, Public: public})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	ends := time.Now().Add(30 * time.Minute)
	pair(t, listener, ends)
	pair(t, target, ends)
	s := &Server{}
	callers, err := s.clientAuthorities(&config.Listener{Name: "sql", TLS: &config.ServerTLS{ClientCA: config.PEM{Source: source(listener, "crt", true)}}})
	if err != nil {
		t.Fatal(err)
	}
	to := &config.Target{Name: "products", TLS: config.ClientTLS{
		Mode: config.TLSVerifyFull, Cert: config.PEM{Source: source(target, "crt", true)}, Key: config.Secret{Source: source(target, "key", false)},
	}}
	upstream, err := s.upstreamTLS(to, "db.example.com")
	if err != nil {
		t.Fatal(err)
	}
	shown := func() []byte {
		t.Helper()
		c, err := upstream.GetClientCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return c.Certificate[0]
	}
	pool, certificate := callers(), shown()

	// All or nothing: one file is half written.
	pair(t, listener, ends)
	if err := os.WriteFile(filepath.Join(target, "key"), []byte("half a k"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.follows.read(); err == nil || !strings.Contains(err.Error(), "target products: tls.cert and tls.key") || strings.Contains(err.Error(), "half a k") {
		t.Errorf("half a key: %v", err)
	}
	if callers() != pool || !bytes.Equal(shown(), certificate) {
		t.Error("half of a change is in force")
	}

	pair(t, target, ends)
	apply, err := s.follows.read()
	if err != nil {
		t.Fatal(err)
	}
	if callers() != pool || !bytes.Equal(shown(), certificate) {
		t.Error("a change is in force before it is taken over")
	}
	apply()
	if callers().Equal(pool) || bytes.Equal(shown(), certificate) {
		t.Error("a change is not taken over")
	}
	if none, err := s.clientAuthorities(&config.Listener{Name: "plain"}); err != nil || none != nil {
		t.Errorf("a listener without authorities: %v", err)
	}
}
