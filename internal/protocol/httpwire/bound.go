package httpwire

import (
	"io"
	"sync"
)

// budget bounds the memory of all request bodies together.
type budget struct {
	mu   sync.Mutex
	free int64
}

func (b *budget) take(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.free {
		return false
	}
	b.free -= n
	return true
}

func (b *budget) give(n int64) {
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

// readAll reads a body whose length was announced, or says that it was not as long.
func readAll(body io.Reader, n int64) ([]byte, error) {
	text := make([]byte, n)
	_, err := io.ReadFull(body, text)
	return text, err
}
