package policy

import (
	"testing"

	"github.com/vecgate/vecgate/internal/access"
)

const separated = `
duties: {write: [upsert]}
allow:
  - {name: w, who: {groups: [W]}, can: [write], on: [products/**]}
  - {name: held, who: {groups: [R]}, can: [write], on: [products/**], after: {approval: {by: {groups: [V], except: [zoe]}}}}
separate:
  - {name: apart, duties: [write, approve]}
`

func TestWhoMayDecideOnARequest(t *testing.T) {
	p := parse(t, separated)
	ana := person("ana", "R")
	d := p.Decide(ana, one(access.Upsert, items), access.Context{})
	ask := func(s *access.Subject) *access.Request {
		return &access.Request{ID: "7F3K", Subject: *s, Target: "products", Accesses: one(access.Upsert, items).Accesses, Terms: *d.Hold}
	}
	second := person("ana", "V") // another account of the same person
	second.ID, second.Provider = "partner:a", "partner"
	bot := &access.Subject{ID: "ci:x", Kind: access.Workload, Person: "bo", Owner: "bo"}
	agent := person("ana", "R")
	agent.Actor = &access.Subject{ID: "agents:x", Kind: access.Workload, Owner: "bo"}
	through := person("cy", "V")
	through.Actor = bot
	unmapped := person("", "V")
	scoped := person("cy", "V")
	scoped.Scopes = []string{"read"}
	approving, both := person("cy", "V"), person("eli", "V", "W")
	approving.Scopes, both.Scopes = []string{"approve"}, []string{"approve"} // as vecgate token --scope approve makes them
	botVoter := &access.Subject{ID: "ci:y", Kind: access.Workload, Person: "cy", Owner: "cy", Groups: []string{"V"}}
	for _, c := range []struct {
		name    string
		voter   *access.Subject
		request *access.Request
		code    access.Code // "" = may
		rule    string
	}{
		{"another approver", person("bo", "V"), ask(ana), "", ""},
		{"the requester", person("ana", "R", "V"), ask(ana), access.CodeSeparation, RequesterIsNotApprover},
		{"the requester's second account", second, ask(ana), access.CodeSeparation, RequesterIsNotApprover},
		{"the owner of the workload", person("bo", "V"), ask(bot), access.CodeSeparation, RequesterIsNotApprover},
		{"the owner of the agent that asked", person("bo", "V"), ask(agent), access.CodeSeparation, RequesterIsNotApprover},
		{"a workload", botVoter, ask(ana), access.CodeSeparation, ""},
		{"a person through an agent", through, ask(ana), access.CodeSeparation, ""},
		{"an account of nobody known", unmapped, ask(ana), access.CodeSeparation, ""},
		{"a narrowed credential", scoped, ask(ana), access.CodeScope, ""},
		{"a credential for approving only", approving, ask(ana), "", ""},
		{"an approver who writes, with one for approving only", both, ask(ana), access.CodeSeparation, "apart"},
		{"somebody outside the group", person("dan", "R"), ask(ana), access.CodeNoRule, "held"},
		{"somebody whom the rule excludes", person("zoe", "V"), ask(ana), access.CodeSeparation, "held"},
		{"an approver who writes", person("eli", "V", "W"), ask(ana), access.CodeSeparation, "apart"},
		{"an approver whose writes are held", person("eli", "V", "R"), ask(ana), "", ""},
		{"nobody", nil, ask(ana), access.CodeIdentity, ""},
	} {
		no := p.MayApprove(c.voter, c.request)
		switch {
		case no == nil && c.code != "":
			t.Errorf("%s may decide", c.name)
		case no != nil && (no.Code != c.code || no.Rule != c.rule):
			t.Errorf("%s: %s, rule %q (%s); want %s, rule %q", c.name, no.Code, no.Rule, no.Message, c.code, c.rule)
		}
	}
}

func TestAnEmptyPersonIsNotTheSameAsAnother(t *testing.T) {
	p := parse(t, separated)
	orphan := &access.Subject{ID: "ci:orphan", Kind: access.Workload, Groups: []string{"R"}}
	d := p.Decide(orphan, one(access.Upsert, items), access.Context{})
	request := &access.Request{ID: "7F3K", Subject: *orphan, Accesses: one(access.Upsert, items).Accesses, Terms: *d.Hold}
	if no := p.MayApprove(person("bo", "V"), request); no != nil {
		t.Errorf("bo may not decide on a workload's request: %s", no.Message)
	}
}
