package identity

import (
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/access"
)

func TestAccountsOfOnePersonCountOnce(t *testing.T) {
	p, err := NewPersons([]Person{
		{Name: "alice", Accounts: []string{"corp:alice", "github:17"}, Owns: []string{"ci:acme/*:*", "ci:acme/shared:nightly"}},
		{Name: "bob", Accounts: []string{"corp:bob"}, Owns: []string{"ci:acme/shared:*"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		id, claimed string
		kind        access.Kind
		person      string
	}{
		{"corp:alice", "", access.Person, "alice"},
		{"github:17", "", access.Person, "alice"},
		{"corp:carol", "", access.Person, "corp:carol"},
		{"ci:acme/train:job", "", access.Workload, "alice"},
		{"ci:acme/shared:daily", "", access.Workload, "bob"},     // the longer pattern is the better one
		{"ci:acme/shared:nightly", "", access.Workload, "alice"}, // and so is the exact one
		{"xci:acme/train:job", "", access.Workload, ""},          // and matches the whole ID
		{"ci:other:x", "corp:alice", access.Workload, "alice"},   // the provider's owner claim is an account
		{"ci:other:x", "corp:carol", access.Workload, "corp:carol"},
		{"ci:acme/shared:daily", "corp:alice", access.Workload, "bob"}, // what the operator wrote wins
		{"ci:acme/train:job", "", access.Person, "ci:acme/train:job"},  // patterns own workloads, not people
	} {
		s := &access.Subject{ID: c.id, Kind: c.kind, OwnerAccount: c.claimed}
		if err := p.resolve(s); err != nil || s.Person != c.person {
			t.Errorf("%s %s (owner claim %q) is %q, %v, want %q", c.kind, c.id, c.claimed, s.Person, err, c.person)
		}
		if c.kind == access.Workload && s.Owner != s.Person {
			t.Errorf("%s: owner %q is not person %q", c.id, s.Owner, s.Person)
		}
	}
}

func TestWorkloadWithTwoOwnersIsNobodys(t *testing.T) {
	p, err := NewPersons([]Person{{Name: "alice", Owns: []string{"ci:acme/*"}}, {Name: "bob", Owns: []string{"ci:*cme/j"}}})
	if err != nil {
		t.Fatal(err)
	}
	s := &access.Subject{ID: "ci:acme/j", Kind: access.Workload}
	if err := p.resolve(s); err == nil {
		t.Errorf("%s has owner %q by two patterns of the same length", s.ID, s.Owner)
	}
}

func TestPersonsThatOverlapAreRefused(t *testing.T) {
	_, err := NewPersons([]Person{
		{Name: "alice", Accounts: []string{"corp:alice", "nocolon"}, Owns: []string{"*", "ci:x"}},
		{Name: "alice", Accounts: []string{"corp:alice"}},
		{Name: "corp:bob", Owns: []string{"ci:x"}},
	})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{`"nocolon" is not the ID`, `persons[1].person: "alice" is listed twice`, "is already alice", `"corp:bob" is not a name`, `"*" must begin`, `"ci:x" is already owned`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("faults do not mention %q:\n%v", want, err)
		}
	}
}
