//go:build linux

package netloop

import "fmt"

// Set is a few loops that share the tasks.
type Set struct{ loops []*Loop }

// New starts loops.
func New(n int) (*Set, error) {
	s := &Set{}
	for range n {
		l, err := newLoop()
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("start loop: %w", err)
		}
		s.loops = append(s.loops, l)
	}
	return s, nil
}

// Go runs f as a task, detached. A panic in f is one of the process.
func (s *Set) Go(f func(*Task)) {
	least := s.loops[0]
	for _, l := range s.loops[1:] {
		if l.tasks.Load() < least.tasks.Load() {
			least = l
		}
	}
	least.start(f)
}

// Close ends the loops, once their tasks have ended.
func (s *Set) Close() {
	for _, l := range s.loops {
		l.close()
	}
}
