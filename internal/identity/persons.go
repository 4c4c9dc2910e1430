package identity

import (
	"errors"
	"fmt"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
)

// Person is one human being: the accounts that are theirs, and the workloads that they answer for.
type Person struct {
	Name string
	// Accounts are IDs of subjects: "corp:alice". An account belongs to one person.
	Accounts []string
	// Owns are patterns of IDs of workloads; "*" stands for any run of characters, as everywhere in policies.
	Owns []string
}

// Persons tells which accounts are the same person, so that persons are counted and not accounts. Nil knows nobody.
type Persons struct {
	byAccount map[string]string
	owns      []ownership
}

type ownership struct {
	pattern string
	person  string
}

// NewPersons checks the list. All faults are reported at once.
func NewPersons(list []Person) (*Persons, error) {
	p := &Persons{byAccount: make(map[string]string)}
	var faults []error
	seen := make(map[string]bool)
	patterns := make(map[string]string)
	for i, person := range list {
		at := fmt.Sprintf("persons[%d]", i)
		// Person names and IDs of subjects share one space when persons are counted; the colon keeps them apart.
		if person.Name == "" || strings.ContainsAny(person.Name, ": \t\r\n*") {
			faults = append(faults, fmt.Errorf("%s.person: %q is not a name: it may not be empty or hold colons, spaces or *", at, person.Name))
		}
		if seen[person.Name] {
			faults = append(faults, fmt.Errorf("%s.person: %q is listed twice", at, person.Name))
		}
		seen[person.Name] = true
		for j, account := range person.Accounts {
			if !strings.Contains(account, ":") {
				faults = append(faults, fmt.Errorf("%s.accounts[%d]: %q is not the ID of a subject, such as corp:alice", at, j, account))
			}
			if other, taken := p.byAccount[account]; taken {
				faults = append(faults, fmt.Errorf("%s.accounts[%d]: %q is already %s", at, j, account, other))
			}
			p.byAccount[account] = person.Name
		}
		for j, pattern := range person.Owns {
			if !strings.Contains(pattern, ":") || strings.HasPrefix(pattern, "*") {
				faults = append(faults, fmt.Errorf("%s.owns[%d]: %q must begin with the name of a provider and a colon", at, j, pattern))
			}
			if other, taken := patterns[pattern]; taken && other != person.Name {
				faults = append(faults, fmt.Errorf("%s.owns[%d]: %q is already owned by %s", at, j, pattern, other))
			}
			patterns[pattern] = person.Name
			p.owns = append(p.owns, ownership{pattern, person.Name})
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return p, nil
}

// Of returns who an account is: a person by name, or the account itself, which then is a person of its own.
func (p *Persons) Of(account string) string {
	if p != nil {
		if name, ok := p.byAccount[account]; ok {
			return name
		}
	}
	return account
}

// resolve fills in Person and Owner of a subject that was just verified. What they were before does not count.
func (p *Persons) resolve(s *access.Subject) error {
	if s.Kind == access.Person {
		s.Person, s.Owner = p.Of(s.ID), ""
		return nil
	}
	owner, err := p.owner(s.ID)
	if err != nil {
		return err
	}
	if owner == "" && s.OwnerAccount != "" {
		owner = p.Of(s.OwnerAccount)
	}
	s.Owner, s.Person = owner, owner
	return nil
}

// owner returns the person whose pattern fits a workload best. Two persons with equally good patterns are a fault of
// the configuration, and counting either of them could let one person act twice.
func (p *Persons) owner(id string) (string, error) {
	if p == nil {
		return "", nil
	}
	best, owner, tie := -1, "", ""
	for _, o := range p.owns {
		if !access.Glob(o.pattern, id) {
			continue
		}
		fixed := len(o.pattern) - strings.Count(o.pattern, "*")
		switch {
		case fixed > best:
			best, owner, tie = fixed, o.person, ""
		case fixed == best && o.person != owner:
			tie = o.person
		}
	}
	if tie != "" {
		return "", fmt.Errorf("both %s and %s own %s by patterns of the same length", owner, tie, id)
	}
	return owner, nil
}
