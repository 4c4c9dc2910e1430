package opensearch

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// cursor is a reading that goes on: a scroll, or a point in time.
type cursor struct {
	subject    string // who began it, and alone may go on
	expression string // the indices, as they were named
	search     *search
	filters    string // what it was narrowed by when it began
	until      time.Time
}

// cursors keeps what was begun here. What it does not know is refused: such an id could be anybody's.
type cursors struct {
	now func() time.Time

	mu   sync.Mutex
	open map[[sha256.Size]byte]*cursor
}

const (
	mostCursors = 10_000
	keepCursor  = 24 * time.Hour // the longest that the engines keep one by default
)

func (k *cursors) put(id string, c cursor) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if len(k.open) >= mostCursors {
		for id, c := range k.open {
			if now.After(c.until) || len(k.open) >= mostCursors {
				delete(k.open, id)
			}
		}
	}
	c.until = now.Add(keepCursor)
	k.open[sha256.Sum256([]byte(id))] = &c
}

func (k *cursors) get(id, subject string) (*cursor, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.open[sha256.Sum256([]byte(id))]
	if c == nil || c.subject != subject || k.now().After(c.until) {
		return nil, &access.Refusal{Code: access.CodeUnclear, Message: "the cursor was not opened by you through this gateway", Hint: "begin the search anew"}
	}
	return c, nil
}

func (k *cursors) drop(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.open, sha256.Sum256([]byte(id)))
}

// digest tells sets of filters apart.
func digest(o *access.Obligations, at places) string {
	sum := sha256.New()
	for _, p := range at {
		for _, f := range o.FiltersOn(p.resource) {
			fmt.Fprintf(sum, "%q %q %q\n", p.resource, f.Field, f.Values)
		}
	}
	return string(sum.Sum(nil))
}
