package devidp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// ring holds the keys of one issuer: the last signs, all are published.
type ring struct {
	algorithm jose.SignatureAlgorithm
	mu        sync.Mutex
	keys      []jose.JSONWebKey
}

func newRing(algorithm string) (*ring, error) {
	r := &ring{algorithm: jose.ES256}
	if algorithm != "" {
		r.algorithm = jose.SignatureAlgorithm(algorithm)
	}
	return r, r.rotate()
}

func (r *ring) rotate() error {
	var private crypto.Signer
	var err error
	if r.algorithm == jose.RS256 {
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		return fmt.Errorf("make key: %w", err)
	}
	key := jose.JSONWebKey{Key: private, Algorithm: string(r.algorithm), Use: "sig"}
	thumb, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return fmt.Errorf("make key: %w", err)
	}
	key.KeyID = base64.RawURLEncoding.EncodeToString(thumb[:9])
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = append(r.keys, key)
	return nil
}

func (r *ring) public() jose.JSONWebKeySet {
	r.mu.Lock()
	defer r.mu.Unlock()
	var set jose.JSONWebKeySet
	for _, k := range r.keys {
		set.Keys = append(set.Keys, k.Public())
	}
	return set
}

func (r *ring) sign(typ string, claims map[string]any) (string, error) {
	r.mu.Lock()
	key := r.keys[len(r.keys)-1]
	r.mu.Unlock()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: r.algorithm, Key: key}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return signed.CompactSerialize()
}
