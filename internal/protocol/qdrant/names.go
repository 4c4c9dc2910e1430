package qdrant

import (
	"context"
	"sync"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// Names keeps which collections a server has and what its aliases stand for, for a short time: somebody may change that
// beside the gateway. What is judged is what is sent on all the same, because a request goes on under the collection's own
// name, and no alias can get the name of a collection that there is. All doors of one target share it, so that what was
// changed at one of them is known at the others.
type Names struct {
	now func() time.Time

	mu    sync.Mutex
	known *directoryOf
	until time.Time
	turn  int // grows whenever what is known is forgotten
}

// NewNames knows nothing yet. Now tells how old a name is.
func NewNames(now func() time.Time) *Names { return &Names{now: now} }

// directoryOf is what a server told of its names.
type directoryOf struct {
	aliases     map[string]string
	collections map[string]bool
}

func (d *directoryOf) has(name string) bool {
	_, alias := d.aliases[name]
	return alias || d.collections[name]
}

const (
	remember    = 10 * time.Second
	mostAliases = 10_000
)

// collection is what a name stands for; list asks the target for all its aliases and collections. A name that is neither is
// not remembered: it could be an alias in a moment.
func (n *Names) collection(ctx context.Context, name string, list func(context.Context) (*directoryOf, error)) (string, error) {
	n.mu.Lock()
	known, fresh, turn := n.known, n.known != nil && n.now().Before(n.until), n.turn
	n.mu.Unlock()
	if !fresh || !known.has(name) {
		var err error
		if known, err = list(ctx); err != nil {
			return "", err
		}
		if len(known.aliases) > mostAliases {
			return "", untold()
		}
		n.mu.Lock()
		if n.turn == turn { // nobody changed an alias while we asked
			n.known, n.until = known, n.now().Add(remember)
		}
		n.mu.Unlock()
	}
	to, ok := known.aliases[name]
	switch {
	case !ok:
		return name, nil
	case !nameForm.MatchString(to):
		return "", unclear("the collection that an alias stands for has characters in its name that a name cannot have here")
	}
	return to, nil
}

// forget is called after aliases or collections were changed.
func (n *Names) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known = nil
	n.turn++
}

func untold() error {
	return &access.Refusal{Code: access.CodeUnavailable, Message: "the target does not tell which collection is meant"}
}
