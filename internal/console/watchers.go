package console

import "sync"

// watchers bounds the event streams of one person: a browser opens one per page, and an attacker with a session many.
type watchers struct {
	mu sync.Mutex
	of map[string]int
}

const maxWatchers = 24

func (w *watchers) enter(who string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.of == nil {
		w.of = make(map[string]int)
	}
	if w.of[who] >= maxWatchers {
		return false
	}
	w.of[who]++
	return true
}

func (w *watchers) leave(who string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.of[who]--; w.of[who] <= 0 {
		delete(w.of, who)
	}
}
