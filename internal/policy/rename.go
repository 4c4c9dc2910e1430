package policy

import (
	"fmt"

	"github.com/vecgate/vecgate/internal/access"
)

// uncovered finds a protect statement, whomever it is about, that protects the source of a rename or a copy more than its
// destination: what it protects would come out under the new name.
func (p *Policy) uncovered(accesses []access.Access) *rule {
	for i := range accesses {
		from := &accesses[i]
		if from.Attributes.Role != "source" || from.Action != access.SchemaRename && from.Action != access.Export {
			continue
		}
		for j := range accesses {
			to := &accesses[j]
			if to.Attributes.Role != "destination" || to.Action != access.SchemaRename && to.Action != access.SchemaCreate {
				continue
			}
			for _, r := range p.protects {
				if r.protect.uncovers(r.on, from.Resource, to.Resource) {
					return r
				}
			}
		}
	}
	return nil
}

func (p *protection) uncovers(on []access.Pattern, from, to access.Resource) bool {
	if p.gives() {
		return matchAny(on, to) && !matchAny(on, from)
	}
	if (p.vectors != "" || p.rows > 0 || p.topK > 0 || p.record != "" || p.filter != nil) && matchAny(on, from) && !matchAny(on, to) {
		return true
	}
next:
	for _, f := range p.fields {
		for resource, name := range splits(f) {
			if !access.Pattern(resource).Match(from) {
				continue
			}
			for _, g := range p.fields {
				for other, covers := range splits(g) {
					if access.Pattern(other).Match(to) && pathCovers(covers, name) {
						continue next
					}
				}
			}
			return true
		}
	}
	return false
}

// uncovers says that a rename or a copy is refused.
func uncovers(s *access.Subject, accesses []access.Access, r *rule) access.Reason {
	var from, to access.Resource
	for i := range accesses {
		switch accesses[i].Attributes.Role {
		case "source":
			from = accesses[i].Resource
		case "destination":
			to = accesses[i].Resource
		}
	}
	return access.Reason{
		Code: access.CodeObligation, Rule: r.name, Position: r.position,
		Sentence: fmt.Sprintf("%s may not bring %s under the name %s: rule %s does not protect the new name as it protects the old one", s.Display(), from, to, r.name),
		Hint:     "ask for the rule to speak of both names alike",
	}
}
