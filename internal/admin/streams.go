package admin

import "sync"

// streams bounds the event streams of one subject, at both doors together: a browser opens one per page that somebody looks
// at, and an attacker with a credential many.
type streams struct {
	mu sync.Mutex
	of map[string]int // by the subject's ID
}

const maxStreams = 24

func (s *streams) enter(who string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = make(map[string]int)
	}
	if s.of[who] >= maxStreams {
		return false
	}
	s.of[who]++
	return true
}

func (s *streams) leave(who string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[who]--; s.of[who] <= 0 {
		delete(s.of, who)
	}
}
