package vault

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// Entry says which credential a target is shown.
type Entry struct {
	Target   string
	User     string
	Password Source // none for a database that trusts its socket or a client certificate
}

// Vault holds the credentials in force. It is safe for concurrent use and implements gate.Credentials.
type Vault struct {
	held atomic.Pointer[map[string]Credential] // immutable; replaced as a whole

	mu      sync.Mutex // one reload at a time
	entries []Entry
}

// New reads every credential. All that cannot be read are in the error.
func New(entries []Entry) (*Vault, error) {
	v := &Vault{}
	v.held.Store(&map[string]Credential{})
	if err := v.Replace(entries); err != nil {
		return nil, err
	}
	return v, nil
}

// ErrNoCredential is returned for a target that the vault does not know.
var ErrNoCredential = errors.New("no credential")

// Lease returns the credential in force for a target.
func (v *Vault) Lease(_ context.Context, target string) (Credential, error) {
	c, ok := (*v.held.Load())[target]
	if !ok {
		return Credential{}, fmt.Errorf("%w for target %s", ErrNoCredential, target)
	}
	return c, nil
}

// Replace takes new entries, all of them or, when one cannot be read, none.
func (v *Vault) Replace(entries []Entry) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	next, _, err := v.read(entries)
	if err != nil {
		return err
	}
	v.entries = entries
	v.held.Store(&next)
	return nil
}

// Reload reads every source again and returns the targets whose credential is a new one. Where a source cannot be read,
// the old credential stays in force and the error says so.
func (v *Vault) Reload() (changed []string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	next, changed, err := v.read(v.entries)
	v.held.Store(&next)
	return changed, err
}

// read fetches what the entries say. A credential that is the same as the one held keeps its version; another one gets
// the next. The caller holds mu.
func (v *Vault) read(entries []Entry) (next map[string]Credential, changed []string, err error) {
	held := *v.held.Load()
	next = make(map[string]Credential, len(entries))
	for _, e := range entries {
		old := held[e.Target]
		secret, rerr := e.Password.Read()
		if rerr != nil {
			err = errors.Join(err, fmt.Errorf("credential of target %s: %w", e.Target, rerr))
			if old.Version > 0 {
				next[e.Target] = old
			}
			continue
		}
		c := Credential{User: e.User, Secret: secret, Version: old.Version}
		if old.Version == 0 || old.User != e.User || !old.Secret.Equal(secret) {
			c.Version++
			changed = append(changed, e.Target)
		}
		c.Name = fmt.Sprintf("%s@%d", e.Target, c.Version)
		next[e.Target] = c
	}
	return next, changed, err
}
