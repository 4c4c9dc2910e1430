package policy

import (
	"sort"
	"sync"
	"sync/atomic"

	"github.com/vecgate/vecgate/internal/access"
)

// view is a policy as one subject meets it: only the statements that are about the subject.
type view struct {
	policy   *Policy
	subject  *access.Subject
	allows   []*rule
	denies   []*rule
	protects []*rule // that are about the subject
	spared   []*rule // protects of vectors whose exception the subject is
	readOnly bool    // the credential is for reading only
	scope    string  // a scope that nobody here knows; nothing is done with such a credential

	mu     sync.Mutex // writers of judged and guards
	judged atomic.Pointer[map[question]*judgement]
	guards atomic.Pointer[map[string]*access.Protection] // unconditional protections by target
}

// question is an access without its attributes.
type question struct {
	action   access.Action
	resource access.Resource
}

// judgement is all that can be said about a question before attributes and context are looked at.
type judgement struct {
	denies   []*rule // that match, if their conditions hold
	allows   []*rule // that match, if their conditions hold; the one that asks least first
	protects []*rule // conditional ones
	filters  []*rule // unconditional protects whose filter concerns the question
	parts    []part  // of a whole, that the subject may not take freely
	conflict *conflict
	rows     int64
	topK     int64
	record   access.Level
	// final is the whole decision when nothing else has to be looked at; its Effect is empty otherwise.
	final access.Decision
}

// conflict is a separation of duties that the subject breaks.
type conflict struct {
	rule   *separation
	does   string // the duty that the action is part of
	also   string // the duty that the subject holds besides
	doesBy *rule
	alsoBy *rule
}

func newView(p *Policy, s *access.Subject) *view {
	v := &view{policy: p, subject: s}
	for _, r := range p.allows {
		if r.who.match(s) {
			v.allows = append(v.allows, r)
		}
	}
	sort.SliceStable(v.allows, func(i, j int) bool { return v.allows[i].asksLess(v.allows[j]) })
	for _, r := range p.denies {
		if r.who.anyOf(s) && (r.except == nil || !r.except.allOf(s)) {
			v.denies = append(v.denies, r)
		}
	}
	for _, r := range p.protects {
		if r.protect.gives() {
			if r.who.allOf(s) && (r.except == nil || !r.except.anyOf(s)) {
				v.protects = append(v.protects, r)
			}
			continue
		}
		if !r.who.anyOf(s) {
			continue
		}
		if r.except == nil || !r.except.allOf(s) {
			v.protects = append(v.protects, r)
		} else if r.protect.vectors == "withhold" {
			v.spared = append(v.spared, r)
		}
	}
	v.scopes(s)
	return v
}

// scopes reads what narrows the credential. A scope that is not known narrows it in a way that is not known.
func (v *view) scopes(s *access.Subject) {
	if len(s.Scopes) == 0 {
		return
	}
	v.readOnly = true
	for _, scope := range s.Scopes {
		switch scope {
		case "read":
		case "write":
			v.readOnly = false
		default:
			v.scope = scope
		}
	}
}

// maxJudged bounds the questions whose judgement a view keeps.
const maxJudged = 512

func (v *view) judge(q question) *judgement {
	if kept := v.judged.Load(); kept != nil {
		if j := (*kept)[q]; j != nil {
			return j
		}
	}
	j := v.consider(q)
	v.mu.Lock()
	defer v.mu.Unlock()
	next := map[question]*judgement{}
	if kept := v.judged.Load(); kept != nil && len(*kept) < maxJudged {
		for k, old := range *kept {
			next[k] = old
		}
	}
	next[q] = j
	v.judged.Store(&next)
	if v.policy.kept.Add(1) > maxKept {
		v.policy.forget()
	}
	return j
}

// consider works out a judgement.
func (v *view) consider(q question) *judgement {
	j := &judgement{}
	unknown := q.action == access.Unknown
	for _, r := range v.denies {
		// What could not be read is able to do anything that is denied anywhere on the target.
		if unknown && onTarget(r.on, q.resource.Target) || r.forbids(q) {
			j.denies = append(j.denies, r)
		}
	}
	for _, r := range v.allows {
		if r.can[q.action] && matchAny(r.on, q.resource) {
			j.allows = append(j.allows, r)
		}
	}
	j.parts = v.parts(q)
	j.conflict = v.conflict(q)
	for _, r := range v.protects {
		if r.when != nil {
			if onTarget(protectOn(r), q.resource.Target) {
				j.protects = append(j.protects, r)
			}
			continue
		}
		j.protect(r, q)
		if r.concerns(q) {
			j.filters = append(j.filters, r)
		}
	}
	j.final = v.finish(q, j)
	return j
}

// protectOn are the resources that a protect statement may have to do with.
func protectOn(r *rule) []access.Pattern {
	if len(r.protect.fields) == 0 {
		return r.on
	}
	return []access.Pattern{"**"}
}

// protect takes on the caps of a protect statement.
func (j *judgement) protect(r *rule, q question) {
	if !matchAny(r.on, q.resource) && !(q.action == access.Unknown && onTarget(r.on, q.resource.Target)) {
		return
	}
	j.rows = least(j.rows, r.protect.rows)
	j.topK = least(j.topK, r.protect.topK)
	j.record = most(j.record, r.protect.record)
}

// least is the smaller cap; zero caps nothing.
func least(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

var levels = map[access.Level]int{access.LevelDefault: 0, access.LevelEnvelope: 1, access.LevelRequests: 2, access.LevelFull: 3}

// most is the level that records more.
func most(a, b access.Level) access.Level {
	if levels[b] > levels[a] {
		return b
	}
	return a
}

// conflict finds a separation that keeps this action apart from another duty that the subject holds there too.
func (v *view) conflict(q question) *conflict {
	for _, s := range v.policy.separations {
		if !matchAny(s.on, q.resource) {
			continue
		}
		for _, d := range s.duties {
			if !d.actions[q.action] && q.action != access.Unknown {
				continue
			}
			by := v.holds(d, q.resource)
			if by == nil {
				continue
			}
			for _, o := range s.duties {
				if o.name == d.name {
					continue
				}
				if also := v.holds(o, q.resource); also != nil {
					return &conflict{rule: s, does: d.name, also: o.name, doesBy: by, alsoBy: also}
				}
			}
		}
	}
	return nil
}

// holds finds the allow that gives the subject a duty, or part of it, on a resource without another person having to
// agree. What a condition asks is taken as fulfilled: it could be.
func (v *view) holds(d duty, r access.Resource) *rule {
	for _, a := range v.allows {
		if !a.needsPersons() && a.can.meets(d.actions) && matchAny(a.on, r) {
			return a
		}
	}
	return nil
}
