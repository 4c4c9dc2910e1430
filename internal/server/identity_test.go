package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/config"
	"github.com/vecgate/vecgate/internal/vault"
)

func authority(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// The registry keeps the keys of a provider that is reached in the same way as before (oidc.Provider.Inherit).
func TestAProviderWithItsOwnAuthoritiesIsReachedAsBeforeAfterAChange(t *testing.T) {
	var carry carriers
	reached := func(ca string) *http.Client {
		t.Helper()
		c := &config.Config{Identity: config.Identity{Providers: []config.Provider{{Name: "corp", Issuer: "https://idp.example.com"}}}}
		pem, err := vault.ParseSource(ca, vault.SourceOptions{Public: true})
		if err != nil {
			t.Fatal(err)
		}
		c.Identity.Providers[0].CA = config.PEM{Source: pem}
		s, err := sources(c, &carry)
		if err != nil {
			t.Fatal(err)
		}
		return s.Providers[0].HTTP
	}
	one, other := authority(t), authority(t)
	before := reached(one)
	if after := reached(one); after != before || before == nil {
		t.Errorf("the same authorities make another client: %p, %p", before, after)
	}
	if after := reached(other); after == before {
		t.Error("other authorities make the same client")
	}
}
