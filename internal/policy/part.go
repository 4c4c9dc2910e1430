package policy

import (
	"strings"

	"github.com/vecgate/vecgate/internal/access"
)

// part is what a policy says of something inside a whole: the tables of a schema, one of them, a database of a server.
// What there really is, only the engine knows.
type part struct {
	action access.Action
	name   access.Pattern // which parts, below the whole
	asker  *rule          // the allow that speaks of them
	allows []*rule        // the allows that are about each of them, the one that asks least first; the asker is among them
}

// parts are the parts of a whole that the subject may not take freely by themselves, when the action takes the whole.
func (v *view) parts(q question) []part {
	if !q.takesWhole() {
		return nil
	}
	var found []part
	for _, action := range comesTo(q.action) {
		for _, asker := range v.allows {
			if !asker.can[action] {
				continue
			}
			for _, on := range asker.on {
				for _, name := range below(on, q.resource) {
					p := part{action: action, name: name, asker: asker}
					for _, r := range v.allows {
						if r == asker || r.can[action] && allCovered(r.on, []access.Pattern{name}) {
							p.allows = append(p.allows, r)
						}
					}
					if first := p.allows[0]; first.after != nil || first.when != nil {
						found = append(found, p)
					}
				}
			}
		}
	}
	return found
}

// comesTo are the actions that an action on a whole comes to for its parts: who drops a database drops what is in it.
func comesTo(a access.Action) []access.Action {
	if a == access.TenantDrop {
		return []access.Action{access.TenantDrop, access.SchemaDrop}
	}
	return []access.Action{a}
}

// below are the parts of a whole that a pattern is about, as patterns without "**".
func below(on access.Pattern, whole access.Resource) []access.Pattern {
	if !on.Reaches(whole) {
		return nil
	}
	names := []string{whole.Target}
	if whole.Namespace != "" {
		names = append(names, whole.Namespace)
	}
	segments := strings.Split(string(on), "/")
	least, most := len(segments), len(segments)
	if segments[len(segments)-1] == "**" {
		segments = segments[:len(segments)-1]
		least, most = len(segments), 3
	}
	var all []access.Pattern
	for n := max(least, len(names)+1); n <= most; n++ {
		name := append([]string(nil), names...)
		for i := len(names); i < n; i++ {
			if i < len(segments) {
				name = append(name, segments[i])
			} else {
				name = append(name, "*")
			}
		}
		all = append(all, access.Pattern(strings.Join(name, "/")))
	}
	return all
}

// resource is the part as far as it has a name.
func (p *part) resource() access.Resource {
	var r access.Resource
	for i, segment := range strings.SplitN(string(p.name), "/", 3) {
		if strings.Contains(segment, "*") {
			break
		}
		*[]*string{&r.Target, &r.Namespace, &r.Collection}[i] = segment
	}
	return r
}

// asks says what is asked of the subject for such a part by itself: the rule that would be used, nil when it asks nothing,
// or why the part would be refused for want of a ticket. What a condition asks of a name that a part does not have here is
// taken as fulfilled by the rule that speaks of it, and by no other.
func (v *view) asks(p *part, whole *facts) (*rule, *access.Reason) {
	about := *whole.access
	about.Action, about.Resource = p.action, p.resource()
	f := &facts{subject: whole.subject, access: &about, context: whole.context}
	defer func() { whole.lookUp = whole.lookUp || f.lookUp }()
	var short *access.Reason
	for _, r := range p.allows {
		if r.when.asksNameIn(about.Resource) {
			if r != p.asker {
				continue
			}
		} else if !r.when.holds(f, true) {
			continue
		}
		if r.after != nil && r.after.ticket {
			if why := v.ticket(f); why != nil {
				if short == nil {
					reason := needsTicket(v, question{p.action, about.Resource}, r, why)
					short = &reason
				}
				continue
			}
		}
		if r.needsPersons() {
			return r, nil
		}
		return nil, nil
	}
	return nil, short
}
