package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/vecgate/vecgate/internal/identity/jwt"
)

// How long keys are believed, and how often a provider is asked.
const (
	keysFresh    = time.Hour        // after this they are fetched again
	keysStale    = 24 * time.Hour   // while the provider is down they serve this long
	unknownEvery = 5 * time.Minute  // an unknown key id makes us ask at most this often, whoever sends it
	retryEvery   = 10 * time.Second // after a failed fetch
	maxKeys      = 100
	maxTried     = 8 // keys that one token may make us try
)

// Faults of looking up a key.
var (
	errUnknownKey  = errors.New("no published key fits")
	errUnreachable = errors.New("the provider's keys cannot be fetched")
)

// keys are the signing keys of one issuer. An outage of the provider never widens what is accepted: known keys go on
// serving for a day, unknown ones stay unknown. While one sign-in fetches, others go on with the keys that are known.
type keys struct {
	issuer string
	client *http.Client
	now    func() time.Time
	known  atomic.Pointer[published]

	turn    chan struct{} // the right to fetch, and to touch what follows
	failed  time.Time     // last failure, if it was the last thing that happened
	fault   error         // of that failure
	unknown time.Time     // last time that an unknown key id made us ask
}

// published is what a provider published at one time; it never changes.
type published struct {
	metadata *Metadata
	set      []jose.JSONWebKey
	at       time.Time
}

func newKeys(issuer string, c *http.Client, now func() time.Time) *keys {
	return &keys{issuer: issuer, client: c, now: now, turn: make(chan struct{}, 1)}
}

// find returns the keys that may have signed a token: those with its key id or, when it names none, the only one that
// fits its algorithm.
func (k *keys) find(ctx context.Context, kid, algorithm string) ([]jose.JSONWebKey, error) {
	p, err := k.ensure(ctx)
	if err != nil {
		return nil, err
	}
	if found := match(p.set, kid, algorithm); found != nil {
		return found, nil
	}
	if p, err = k.again(ctx, p); err != nil {
		return nil, err
	}
	if found := match(p.set, kid, algorithm); found != nil {
		return found, nil
	}
	return nil, errUnknownKey
}

// ensure returns keys that are fresh or, when the provider is down or being asked, not too stale.
func (k *keys) ensure(ctx context.Context) (*published, error) {
	p := k.known.Load()
	if p != nil && k.age(p) < keysFresh {
		return p, nil
	}
	if p != nil && k.age(p) < keysStale {
		select {
		case k.turn <- struct{}{}:
		default:
			return p, nil
		}
	} else {
		select {
		case k.turn <- struct{}{}:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	defer func() { <-k.turn }()
	if p = k.known.Load(); p != nil && k.age(p) < keysFresh {
		return p, nil // somebody else fetched while we waited
	}
	err := k.fault
	if since := k.now().Sub(k.failed); k.failed.IsZero() || since >= retryEvery || since < 0 {
		err = k.refresh(ctx)
	}
	if p = k.known.Load(); err == nil || p != nil && k.age(p) < keysStale {
		return p, nil
	}
	return nil, fmt.Errorf("%w: %w", errUnreachable, err)
}

// again asks the provider because a key was not found in what it had published, unless that was done a short while ago.
func (k *keys) again(ctx context.Context, seen *published) (*published, error) {
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if p := k.known.Load(); p != seen {
		return p, nil
	}
	now := k.now()
	if since := now.Sub(k.unknown); !k.unknown.IsZero() && since < unknownEvery && since >= 0 {
		return nil, errUnknownKey
	}
	k.unknown = now
	if err := k.refresh(ctx); err != nil {
		return nil, fmt.Errorf("%w; asking again: %w", errUnknownKey, err)
	}
	return k.known.Load(), nil
}

// refresh asks the provider. It outlives the client that caused it, so that hanging up early starves nobody.
func (k *keys) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	m, set, err := k.download(ctx)
	if err != nil {
		k.failed, k.fault = k.now(), err
		return err
	}
	k.known.Store(&published{metadata: m, set: set, at: k.now()})
	k.failed, k.fault = time.Time{}, nil
	return nil
}

func (k *keys) age(p *published) time.Duration { return k.now().Sub(p.at) }

func (k *keys) download(ctx context.Context) (*Metadata, []jose.JSONWebKey, error) {
	m, err := discover(ctx, k.client, k.issuer)
	if err != nil {
		return nil, nil, err
	}
	var document struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := fetch(ctx, k.client, m.JWKS, &document); err != nil {
		return nil, nil, err
	}
	if len(document.Keys) > maxKeys {
		return nil, nil, fmt.Errorf("get %s: more than %d keys", m.JWKS, maxKeys)
	}
	set := []jose.JSONWebKey{}
	for _, raw := range document.Keys {
		var key jose.JSONWebKey
		// A set may hold keys of kinds that we do not know, or for other uses; they verify nothing here.
		if json.Unmarshal(raw, &key) != nil || !key.Valid() || !key.IsPublic() {
			continue
		}
		set = append(set, key)
	}
	if len(set) == 0 {
		return nil, nil, fmt.Errorf("get %s: no usable key", m.JWKS)
	}
	return m, set, nil
}

// about returns the provider's metadata.
func (k *keys) about(ctx context.Context) (*Metadata, error) {
	p, err := k.ensure(ctx)
	if err != nil {
		return nil, err
	}
	return p.metadata, nil
}

func match(set []jose.JSONWebKey, kid, algorithm string) []jose.JSONWebKey {
	var found []jose.JSONWebKey
	for i := range set {
		if jwt.Fits(&set[i], algorithm) && (kid == "" || set[i].KeyID == kid) && len(found) < maxTried {
			found = append(found, set[i])
		}
	}
	if kid == "" && len(found) > 1 {
		return nil
	}
	return found
}
