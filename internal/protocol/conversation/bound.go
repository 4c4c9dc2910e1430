package conversation

import "sync"

// Budget bounds the memory of all that is held at once.
type Budget struct {
	mu   sync.Mutex
	free int64
}

// NewBudget has n bytes to give.
func NewBudget(n int64) *Budget { return &Budget{free: n} }

// Take takes n bytes, or none and says so.
func (b *Budget) Take(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.free {
		return false
	}
	b.free -= n
	return true
}

// Give gives them back.
func (b *Budget) Give(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free += n
}

// guests counts the sign-ins under way by address.
type guests struct {
	mu sync.Mutex
	of map[string]int
}

func (g *guests) enter(address string, most int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.of == nil {
		g.of = map[string]int{}
	}
	if g.of[address] >= most {
		return false
	}
	g.of[address]++
	return true
}

func (g *guests) leave(address string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.of[address]--; g.of[address] <= 0 {
		delete(g.of, address)
	}
}
