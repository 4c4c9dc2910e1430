package analysis

import "github.com/vecgate/vecgate/internal/access"

// Oblige checks the statement under a protection: it returns how the answer must be treated, or why the statement must
// be refused. The answer is kept by the protection's pointer. A nil protection asks nothing.
func (s *Statement) Oblige(p *access.Protection) (*Treatment, *access.Refusal) {
	return &Treatment{}, nil
}

// Limited returns the accesses with the value of the parameter LimitParam as their limit.
func (s *Statement) Limited(limit int64) []access.Access { return s.Accesses }
