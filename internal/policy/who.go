package policy

import (
	"slices"

	"github.com/vecgate/vecgate/internal/access"
)

// who is the part of a statement that says whom it is about. Every dimension that is given must match; of a list, one
// entry is enough.
type who struct {
	anyone    bool
	kind      access.Kind
	id        string
	groups    []string
	persons   []string
	providers []string
	except    *who
	// gives says that matching gives the subject something. A name in persons then means the person, not the workloads
	// that the person owns; where matching takes something away it means both.
	gives bool
}

func (w *who) match(s *access.Subject) bool {
	if w == nil || w.anyone {
		return w == nil || w.except == nil || !w.except.match(s)
	}
	if w.kind != "" && w.kind != s.Kind {
		return false
	}
	if w.id != "" && !access.Glob(w.id, s.ID) {
		return false
	}
	if w.groups != nil && !slices.ContainsFunc(w.groups, s.InGroup) {
		return false
	}
	if w.persons != nil {
		if s.Person == "" || w.gives && w.kind == "" && s.Kind != access.Person || !anyGlob(w.persons, s.Person) {
			return false
		}
	}
	if w.providers != nil && !anyGlob(w.providers, s.Provider) {
		return false
	}
	return w.except == nil || !w.except.match(s)
}

// anyOf reports whether w matches the subject or somebody who acts for it: for statements that take something away.
func (w *who) anyOf(s *access.Subject) bool {
	for depth := 0; s != nil && depth < maxActors; depth++ {
		if w.match(s) {
			return true
		}
		s = s.Actor
	}
	return s != nil // a longer chain is not followed, and taken for the worst
}

// allOf reports whether w matches the subject and everybody who acts for it: for statements that spare somebody.
func (w *who) allOf(s *access.Subject) bool {
	for depth := 0; s != nil && depth < maxActors; depth++ {
		if !w.match(s) {
			return false
		}
		s = s.Actor
	}
	return s == nil
}

// maxActors bounds the chain of those who act for each other.
const maxActors = 8

func anyGlob(patterns []string, s string) bool {
	for _, p := range patterns {
		if access.Glob(p, s) {
			return true
		}
	}
	return false
}

// covers reports whether everybody whom o matches is matched by w too. It may say no where yes is true.
func (w *who) covers(o *who) bool {
	if w.except != nil && !w.except.equal(o.except) {
		return false
	}
	if w.anyone {
		return true
	}
	if o.anyone {
		return false
	}
	return (w.kind == "" || w.kind == o.kind) &&
		(w.id == "" || o.id != "" && globCovers(w.id, o.id)) &&
		subset(o.groups, w.groups, false) &&
		subset(o.persons, w.persons, true) &&
		subset(o.providers, w.providers, true) &&
		(w.persons == nil || w.kind == o.kind)
}

// subset reports whether every entry of inner is matched by outer; an absent outer list asks nothing.
func subset(inner, outer []string, globs bool) bool {
	if outer == nil {
		return true
	}
	if inner == nil {
		return false
	}
	for _, i := range inner {
		if !slices.ContainsFunc(outer, func(o string) bool { return o == i || globs && globCovers(o, i) }) {
			return false
		}
	}
	return true
}

func (w *who) equal(o *who) bool {
	if w == nil || o == nil {
		return w == o
	}
	return w.anyone == o.anyone && w.kind == o.kind && w.id == o.id && slices.Equal(w.groups, o.groups) &&
		slices.Equal(w.persons, o.persons) && slices.Equal(w.providers, o.providers) && w.except.equal(o.except)
}
