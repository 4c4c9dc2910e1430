package qdrant

import (
	"context"
	"sync"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// names keeps which collection an alias stands for, for a short time: somebody may change it beside the gateway. What is
// judged is what is sent on all the same, because a request goes on under the collection's own name.
type names struct {
	now func() time.Time

	mu    sync.Mutex
	known map[string]string
	until time.Time
	turn  int // grows whenever what is known is forgotten
}

const (
	remember    = 10 * time.Second
	mostAliases = 10_000
)

// collection is what a name stands for; list asks the target for all its aliases.
func (n *names) collection(ctx context.Context, name string, list func(context.Context) (map[string]string, error)) (string, error) {
	n.mu.Lock()
	known, fresh, turn := n.known, n.now().Before(n.until), n.turn
	n.mu.Unlock()
	if !fresh {
		var err error
		if known, err = list(ctx); err != nil {
			return "", err
		}
		if len(known) > mostAliases {
			return "", untold()
		}
		n.mu.Lock()
		if n.turn == turn { // nobody changed an alias while we asked
			n.known, n.until = known, n.now().Add(remember)
		}
		n.mu.Unlock()
	}
	if to, ok := known[name]; ok {
		return to, nil
	}
	return name, nil
}

// forget is called after aliases or collections were changed.
func (n *names) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.until = time.Time{}
	n.turn++
}

func untold() error {
	return &access.Refusal{Code: access.CodeUnavailable, Message: "the target does not tell which collection is meant"}
}
