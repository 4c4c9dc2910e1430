package token

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// rotateEvery is how long one key signs.
const rotateEvery = 30 * 24 * time.Hour

// keyring holds the gateway's signing keys: the last one signs, the others verify until everything they signed expired.
type keyring struct {
	path string
	keep time.Duration // how long a key verifies after it stopped signing
	now  func() time.Time

	decoy []byte // see Minter.DecoyKey; it is made once and stays

	mu   sync.Mutex
	keys []signingKey
}

type signingKey struct {
	id      string
	created time.Time
	private *ecdsa.PrivateKey
}

// storedRing is the key file.
type storedRing struct {
	Decoy []byte      `json:"decoy"`
	Keys  []storedKey `json:"keys"`
}

// storedKey is one entry of the key file.
type storedKey struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	PKCS8   []byte    `json:"pkcs8"`
}

// openKeyring reads the key file of a directory, or makes both. A file that others can read is refused: whoever holds
// these keys is everybody.
func openKeyring(dir string, keep time.Duration, now func() time.Time) (*keyring, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make directory for token keys: %w", err)
	}
	k := &keyring{path: filepath.Join(dir, "token-keys.json"), keep: keep, now: now}
	info, err := os.Stat(k.path)
	if errors.Is(err, fs.ErrNotExist) {
		k.decoy = make([]byte, 32)
		_, _ = rand.Read(k.decoy) // never fails, see crypto/rand
		return k, k.rotate()
	}
	if err != nil {
		return nil, fmt.Errorf("read token keys: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("token keys %s can be read by others (mode %04o): chmod 600 it and, if others had access, delete it to get new keys", k.path, mode)
	}
	body, err := os.ReadFile(k.path)
	if err != nil {
		return nil, fmt.Errorf("read token keys: %w", err)
	}
	var stored storedRing
	if err := json.Unmarshal(body, &stored); err != nil {
		return nil, fmt.Errorf("read token keys %s: %w", k.path, err)
	}
	if len(stored.Decoy) != 32 || len(stored.Keys) == 0 {
		return nil, fmt.Errorf("read token keys %s: it is not complete", k.path)
	}
	k.decoy = stored.Decoy
	for _, s := range stored.Keys {
		parsed, err := x509.ParsePKCS8PrivateKey(s.PKCS8)
		private, ok := parsed.(*ecdsa.PrivateKey)
		if err != nil || !ok || private.Curve != elliptic.P256() {
			return nil, fmt.Errorf("read token keys %s: key %q is not a P-256 key", k.path, s.ID)
		}
		k.keys = append(k.keys, signingKey{s.ID, s.Created, private})
	}
	return k, nil
}

// signing returns the key to sign with, a new one when the last has signed long enough.
func (k *keyring) signing() (signingKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	last := k.keys[len(k.keys)-1]
	if k.now().Sub(last.created) < rotateEvery {
		return last, nil
	}
	if err := k.rotate(); err != nil {
		return last, err
	}
	return k.keys[len(k.keys)-1], nil
}

// verifying returns the public half of a key.
func (k *keyring) verifying(id string) (*jose.JSONWebKey, bool) {
	for _, key := range k.public().Keys {
		if key.KeyID == id {
			return &key, true
		}
	}
	return nil, false
}

// public is every key that may still verify something.
func (k *keyring) public() jose.JSONWebKeySet {
	k.mu.Lock()
	defer k.mu.Unlock()
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for i, key := range k.keys {
		if k.spent(i) {
			continue
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.private.Public(), KeyID: key.id, Algorithm: string(jose.ES256), Use: "sig"})
	}
	return set
}

// spent reports whether everything that a key signed has expired.
func (k *keyring) spent(i int) bool {
	return i+1 < len(k.keys) && k.now().Sub(k.keys[i+1].created) > k.keep
}

// rotate adds a key and drops the spent ones, on disk first. The caller holds the lock, or is the only one.
func (k *keyring) rotate() error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make token key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		return fmt.Errorf("make token key: %w", err)
	}
	digest := sha256.Sum256(public)
	var next []signingKey
	for i, key := range k.keys {
		if !k.spent(i) {
			next = append(next, key)
		}
	}
	next = append(next, signingKey{base64.RawURLEncoding.EncodeToString(digest[:9]), k.now().UTC(), private})
	if err := k.write(next); err != nil {
		return err
	}
	k.keys = next
	return nil
}

// write replaces the file as a whole; it is durable once it returns.
func (k *keyring) write(keys []signingKey) error {
	stored := storedRing{Decoy: k.decoy}
	for _, key := range keys {
		der, err := x509.MarshalPKCS8PrivateKey(key.private)
		if err != nil {
			return fmt.Errorf("encode token key: %w", err)
		}
		stored.Keys = append(stored.Keys, storedKey{key.id, key.created, der})
	}
	body, err := json.Marshal(stored)
	if err != nil {
		return fmt.Errorf("encode token keys: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(k.path), ".token-keys-*") // made with mode 0600
	if err != nil {
		return fmt.Errorf("write token keys: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(body)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), k.path)
	}
	if err != nil {
		return fmt.Errorf("write token keys: %w", err)
	}
	return nil
}
