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
	on         string // what that stood for
	search     *search
	filters    string // what it was narrowed by when it began
	until      time.Time
}

// cursors keeps what was begun here. What it does not know is refused: such an id could be anybody's.
type cursors struct {
	now func() time.Time

	mu   sync.Mutex
	open map[[sha256.Size]byte]*cursor
	had  map[string]int // how many of them a subject has
}

const (
	mostCursors = 1000           // of one subject; a node itself has 500 scrolls at once, and 300 points in time
	allCursors  = 10_000         // of all
	keepCursor  = 24 * time.Hour // the longest that the engines keep one by default
)

// put remembers a cursor. Who has too many loses the one that they used longest ago, and nobody loses any for others: when
// there are too many in all, those who have most lose one.
func (k *cursors) put(id string, c cursor) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	sum := sha256.Sum256([]byte(id))
	c.until = now.Add(keepCursor)
	old := k.open[sum]
	k.open[sum] = &c
	if old != nil {
		k.had[old.subject]--
	}
	k.had[c.subject]++
	loses := c.subject
	if k.had[loses] <= mostCursors {
		if len(k.open) <= allCursors {
			return
		}
		for subject, n := range k.had {
			if n > k.had[loses] {
				loses = subject
			}
		}
	}
	var oldest [sha256.Size]byte
	for id, c := range k.open {
		if c.subject == loses && (k.open[oldest] == nil || c.until.Before(k.open[oldest].until)) {
			oldest = id
		}
	}
	k.remove(oldest)
}

func (k *cursors) remove(sum [sha256.Size]byte) {
	c := k.open[sum]
	if c == nil {
		return
	}
	delete(k.open, sum)
	if k.had[c.subject]--; k.had[c.subject] <= 0 {
		delete(k.had, c.subject)
	}
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
	k.remove(sha256.Sum256([]byte(id)))
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
