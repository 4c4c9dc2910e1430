package policy

import (
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/vecgate/vecgate/internal/access"
)

// Policy is one policy file, compiled. It never changes and is safe for concurrent use; what it has worked out about a
// subject it keeps, within bounds.
type Policy struct {
	file        string // as positions call it
	path        string
	text        []byte
	digest      string
	tickets     Tickets
	duties      map[string]actionSet
	allows      []*rule
	denies      []*rule
	protects    []*rule
	separations []*separation

	views  sync.Map // *access.Subject -> *view
	viewed atomic.Int64
	kept   atomic.Int64 // judgements in all views

	protections interned
}

// Digest names the policy: the SHA-256 of its file.
func (p *Policy) Digest() string { return p.digest }

// File is the path of the file that the policy was read from, or the name that was given to Parse.
func (p *Policy) File() string { return p.path }

// Text is the policy as it was read: what is in force, whatever the file says by now. It must not be changed.
func (p *Policy) Text() []byte { return p.text }

// Statements counts the statements, for people.
func (p *Policy) Statements() int {
	return len(p.allows) + len(p.denies) + len(p.protects) + len(p.separations)
}

// maxViews bounds the subjects whose views are kept, and maxKept the judgements in all of them, about 1 KiB each.
// Subjects are kept by pointer: they never change once made.
const (
	maxViews = 8192
	maxKept  = 50_000
)

func (p *Policy) view(s *access.Subject) *view {
	if v, ok := p.views.Load(s); ok {
		return v.(*view)
	}
	v := newView(p, s)
	if p.viewed.Add(1) > maxViews {
		p.forget()
	}
	p.views.Store(s, v)
	return v
}

// forget starts the caches anew: whoever comes next is looked at again.
func (p *Policy) forget() {
	p.views.Clear()
	p.viewed.Store(1)
	p.kept.Store(0)
}

func itoa(n int) string { return strconv.Itoa(n) }
