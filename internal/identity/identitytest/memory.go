// Package identitytest helps to test what uses identity: a Store in memory, and the suite that every Store passes.
//
// It refuses to be used by anything but tests. Start at CheckStore.
package identitytest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/vecgate/vecgate/internal/identity"
	"github.com/vecgate/vecgate/internal/identity/secret"
)

// Memory is a Store that forgets everything when the process ends.
type Memory struct {
	mu         sync.Mutex
	revoked    map[string]time.Time
	suspended  map[string]identity.Suspension
	secrets    map[string]secret.Entry
	Err        error // returned by everything, when set
	TokenReads int   // calls of TokenRevoked
}

// NewMemory returns an empty Store.
func NewMemory() *Memory {
	return &Memory{revoked: map[string]time.Time{}, suspended: map[string]identity.Suspension{}, secrets: map[string]secret.Entry{}}
}

func (m *Memory) lock() func() {
	m.mu.Lock()
	return m.mu.Unlock
}

// RevokeToken implements identity.Store.
func (m *Memory) RevokeToken(_ context.Context, jti string, until time.Time) error {
	defer m.lock()()
	m.revoked[jti] = until
	return m.Err
}

// TokenRevoked implements identity.Store.
func (m *Memory) TokenRevoked(_ context.Context, jti string) (bool, error) {
	defer m.lock()()
	m.TokenReads++
	_, found := m.revoked[jti]
	return found, m.Err
}

// Suspend implements identity.Store.
func (m *Memory) Suspend(_ context.Context, s identity.Suspension) error {
	defer m.lock()()
	m.suspended[s.Who] = s
	return m.Err
}

// Reinstate implements identity.Store.
func (m *Memory) Reinstate(_ context.Context, who string) error {
	defer m.lock()()
	delete(m.suspended, who)
	return m.Err
}

// Suspensions implements identity.Store.
func (m *Memory) Suspensions(context.Context) ([]identity.Suspension, error) {
	defer m.lock()()
	var all []identity.Suspension
	for _, who := range slices.Sorted(maps.Keys(m.suspended)) {
		all = append(all, m.suspended[who])
	}
	return all, m.Err
}

// PutSecret implements secret.Store.
func (m *Memory) PutSecret(_ context.Context, e secret.Entry, now time.Time, room int) error {
	defer m.lock()()
	for name, old := range m.secrets {
		switch {
		case old.Holder != e.Holder:
		case !now.Before(old.Expires):
			delete(m.secrets, name)
		default:
			room--
		}
	}
	if room <= 0 {
		return secret.ErrTooMany
	}
	m.secrets[e.Name] = e
	return m.Err
}

// Secret implements secret.Store.
func (m *Memory) Secret(_ context.Context, name string) (secret.Entry, error) {
	defer m.lock()()
	if m.Err != nil {
		return secret.Entry{}, m.Err
	}
	e, found := m.secrets[name]
	if !found {
		return e, secret.ErrUnknown
	}
	return e, nil
}

// DeleteSecret implements secret.Store.
func (m *Memory) DeleteSecret(_ context.Context, name string) error {
	defer m.lock()()
	delete(m.secrets, name)
	return m.Err
}
