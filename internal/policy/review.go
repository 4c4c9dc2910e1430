package policy

import "github.com/vecgate/vecgate/internal/access"

// review looks at the statements together: those that can never matter, and separations that the allows break for
// everybody they are about. What depends on who a subject is can only be seen at decision time.
func (p *Policy) review() error {
	faults := &faultList{file: p.file}
	for _, r := range p.allows {
		if why := p.unreachable(r); why != "" {
			faults.add(r.line, statementPath(r), "%s can never matter: %s", r.name, why)
		}
	}
	for _, d := range p.denies {
		for _, o := range p.denies {
			if o != d && o.when == nil && o.except == nil && o.can.covers(d.can) && allCovered(o.on, d.on) && o.who.covers(d.who) &&
				(o.index < d.index || !d.deniesAllOf(o)) {
				faults.add(d.line, statementPath(d), "%s can never matter: %s (line %d) denies all of it already", d.name, o.name, o.line)
				break
			}
		}
	}
	for _, s := range p.separations {
		p.reviewSeparation(s, faults)
	}
	return faults.err()
}

func (d *rule) deniesAllOf(o *rule) bool {
	return d.when == nil && d.except == nil && d.can.covers(o.can) && allCovered(d.on, o.on) && d.who.covers(o.who)
}

func statementPath(r *rule) string { return string(r.kind) + "[" + itoa(r.index) + "]" }

// unreachable says why an allow can never be used, "" when it can.
func (p *Policy) unreachable(r *rule) string {
	if len(r.can) == 0 || len(r.on) == 0 {
		return "it allows no action"
	}
	for _, d := range p.denies {
		if d.when == nil && d.except == nil && d.can.covers(r.can) && allCovered(d.on, r.on) && d.who.covers(r.who) {
			return d.name + " (line " + itoa(d.line) + ") denies all of it"
		}
	}
	for _, o := range p.allows {
		if o == r || o.when != nil || o.asks() != 0 && o.asks() != r.asks() || !o.asksLess(r) {
			continue
		}
		if o.can.covers(r.can) && allCovered(o.on, r.on) && o.who.covers(r.who) && sameApprovers(o, r) {
			return o.name + " (line " + itoa(o.line) + ") allows all of it and asks no more"
		}
	}
	return ""
}

// sameApprovers reports whether whoever could release r could release o too.
func sameApprovers(o, r *rule) bool {
	if !o.needsPersons() {
		return true
	}
	if !r.needsPersons() || len(o.after.approval.exclude) > 0 {
		return false
	}
	return subset(r.after.approval.groups, o.after.approval.groups, false)
}

// reviewSeparation reports allows that give two separate duties to the same subjects, whoever they are.
func (p *Policy) reviewSeparation(s *separation, faults *faultList) {
	for i, a := range s.duties {
		for _, b := range s.duties[i+1:] {
			for _, r := range p.holders(s, a) {
				for _, o := range p.holders(s, b) {
					if !r.who.covers(o.who) && !o.who.covers(r.who) || !meetOn(s, r, o) {
						continue
					}
					later, first, gets, has := o, r, b.name, a.name
					if r.index > o.index {
						later, first, gets, has = r, o, a.name, b.name
					}
					if later == first {
						faults.add(later.line, statementPath(later), "gives %s and %s to the same subjects, which %s (line %d) keeps apart", a.name, b.name, s.name, s.line)
						continue
					}
					faults.add(later.line, statementPath(later), "gives %s to subjects to whom %s (line %d) gives %s, which %s (line %d) keeps apart", gets, first.name, first.line, has, s.name, s.line)
				}
			}
		}
	}
	if !s.approve {
		return
	}
	for _, held := range p.allows {
		if !held.needsPersons() || !anyMeet(held.on, s.on) {
			continue
		}
		for _, d := range s.duties {
			for _, r := range p.holders(s, d) {
				if meetOn(s, r, held) && r.who.except == nil && (r.who.anyone || r.who.coversGroups(held.after.approval.groups)) {
					faults.add(held.line, statementPath(held), "nobody could ever release it: %s (line %d) gives %s to all its approvers, and %s (line %d) keeps %s and approve apart",
						r.name, r.line, d.name, s.name, s.line, d.name)
				}
			}
		}
	}
}

// coversGroups reports whether being a person in any of the groups is enough to be matched.
func (w *who) coversGroups(groups []string) bool {
	return w.id == "" && w.persons == nil && w.providers == nil && w.kind != access.Workload && subset(groups, w.groups, false)
}

// holders are the allows that give a duty, or part of it, without somebody else having to agree.
func (p *Policy) holders(s *separation, d duty) []*rule {
	var rules []*rule
	for _, r := range p.allows {
		if !r.needsPersons() && r.can.meets(d.actions) && anyMeet(r.on, s.on) {
			rules = append(rules, r)
		}
	}
	return rules
}

func meetOn(s *separation, a, b *rule) bool {
	for _, p := range a.on {
		for _, q := range b.on {
			for _, o := range s.on {
				if patternsMeet(string(p), string(q)) && patternsMeet(string(p), string(o)) && patternsMeet(string(q), string(o)) {
					return true
				}
			}
		}
	}
	return false
}
