package policy

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

var (
	noon  = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	items = access.Resource{Target: "products", Namespace: "public", Collection: "items"}
)

// parse reads a policy for a test.
func parse(t testing.TB, text string, tickets ...Tickets) *Policy {
	t.Helper()
	opts := Options{}
	if len(tickets) > 0 {
		opts.Tickets = tickets[0]
	}
	p, err := Parse("policy.yaml", []byte(text), opts)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func person(id string, groups ...string) *access.Subject {
	return &access.Subject{ID: "corp:" + id, Name: id, Kind: access.Person, Provider: "corp", Person: id, Groups: groups}
}

func one(a access.Action, r access.Resource) *access.Operation {
	return &access.Operation{Accesses: []access.Access{{Action: a, Resource: r}}, Text: "x"}
}

// check compares a decision by effect, code and rule.
func check(t *testing.T, d access.Decision, effect access.Effect, code access.Code, rule string) {
	t.Helper()
	if d.Effect != effect || d.Reason.Code != code || d.Reason.Rule != rule {
		t.Errorf("decided %s, %s, rule %q; want %s, %s, rule %q\n%s", d.Effect, d.Reason.Code, d.Reason.Rule, effect, code, rule, d.Reason.Sentence)
	}
}

const readers = `
allow:
  - {name: read, who: {groups: [R]}, can: [search, fetch], on: [products/**]}
`

func TestNobodyMayDoWhatNoRuleAllows(t *testing.T) {
	p := parse(t, readers)
	ana := person("ana", "R")
	check(t, p.Decide(ana, one(access.Search, items), access.Context{}), access.Allow, access.CodeAllowed, "read")
	for _, a := range access.Actions() {
		if a == access.Search || a == access.Fetch || a == access.Connect {
			continue
		}
		if d := p.Decide(ana, one(a, items), access.Context{}); d.Effect != access.Deny {
			t.Errorf("%s: %s", a, d.Effect)
		}
	}
	check(t, p.Decide(person("eve"), one(access.Search, items), access.Context{}), access.Deny, access.CodeNoRule, "")
	check(t, p.Decide(nil, one(access.Search, items), access.Context{}), access.Deny, access.CodeIdentity, "")
	check(t, p.Decide(ana, &access.Operation{Text: "nothing is known of it"}, access.Context{}), access.Deny, access.CodeUnclear, "")
	check(t, p.Decide(ana, &access.Operation{Free: true}, access.Context{}), access.Allow, access.CodeAllowed, "")
}

func TestTheZeroHolderDeniesEverything(t *testing.T) {
	var h Holder
	check(t, h.Decide(person("ana", "R"), one(access.Search, items), access.Context{}), access.Deny, access.CodeInternal, "")
	if h.MayApprove(person("ana"), &access.Request{}) == nil {
		t.Error("a holder without a policy lets approve")
	}
}

func TestASwappedPolicyCountsFromTheNextDecision(t *testing.T) {
	h := NewHolder(parse(t, readers))
	ana := person("ana", "R")
	check(t, h.Decide(ana, one(access.Search, items), access.Context{}), access.Allow, access.CodeAllowed, "read")
	old := h.Swap(parse(t, strings.ReplaceAll(readers, "[search, fetch]", "[fetch]")))
	check(t, h.Decide(ana, one(access.Search, items), access.Context{}), access.Deny, access.CodeNoRule, "")
	if old == h.Load() || old.Digest() == h.Load().Digest() {
		t.Error("the policies have the same digest")
	}
	if d := h.Decide(ana, one(access.Fetch, items), access.Context{}); d.Policy != h.Load().Digest() {
		t.Errorf("the decision names policy %s, want %s", d.Policy, h.Load().Digest())
	}
}

func TestADenyWinsOverEveryAllow(t *testing.T) {
	p := parse(t, readers+`
deny:
  - {name: not-secret, who: {groups: [R]}, on: [products/secret/**], because: it is secret}
`)
	ana := person("ana", "R")
	d := p.Decide(ana, one(access.Search, access.Resource{Target: "products", Namespace: "secret", Collection: "x"}), access.Context{})
	check(t, d, access.Deny, access.CodeDenied, "not-secret")
	if d.Reason.Sentence != "ana may not search products/secret/x: rule not-secret forbids it: it is secret" || d.Reason.Position != "policy.yaml:6" {
		t.Errorf("reason %+v", d.Reason)
	}
	both := &access.Operation{Accesses: []access.Access{{Action: access.Search, Resource: items}, {Action: access.Fetch, Resource: access.Resource{Target: "products", Namespace: "secret", Collection: "x"}}}}
	check(t, p.Decide(ana, both, access.Context{}), access.Deny, access.CodeDenied, "not-secret")
}

// A deny about a collection holds for what is done to the points of all of its database, too.
func TestADenyOfAPartForbidsWhatTakesTheWhole(t *testing.T) {
	p := parse(t, `
allow:
  - {name: all, who: anyone, can: ["*"], on: ["**"]}
deny:
  - {name: keep, who: anyone, can: [schema.drop, tenant.drop, snapshot.download, schema.list, code.exec], on: ["docs/t:d/posts"]}
`)
	whole, all, other := access.Resource{Target: "docs", Namespace: "t:d"}, access.Resource{Target: "docs"}, access.Resource{Target: "docs", Namespace: "t:e"}
	for _, x := range []struct {
		action access.Action
		on     access.Resource
		denied bool
	}{
		{access.SchemaDrop, posts, true},
		{access.SchemaDrop, all, true},
		{access.TenantDrop, whole, true},
		{access.SnapshotDownload, all, true},
		{access.TenantDrop, other, false},
		{access.SchemaDrop, access.Resource{Target: "docs", Namespace: "t:d", Collection: "else"}, false},
		{access.SchemaDrop, access.Resource{Target: "elsewhere"}, false},
		{access.DeleteAll, whole, false},
		{access.SchemaList, whole, false},
		{access.CodeExec, all, false}, // which do nothing to its points, as a whole
	} {
		d := p.Decide(person("ana"), one(x.action, x.on), access.Context{Now: noon})
		if (d.Effect == access.Deny) != x.denied || x.denied && d.Reason.Rule != "keep" {
			t.Errorf("%s on %s: %+v", x.action, x.on, d)
		}
		for _, step := range p.Explain(person("ana"), access.Access{Action: x.action, Resource: x.on}, access.Context{Now: noon}).Steps {
			if step.Name == "keep" && step.Applies != x.denied {
				t.Errorf("%s on %s is explained otherwise: %+v", x.action, x.on, step)
			}
		}
	}
}

func TestAHoldOfAPartHoldsWhatTakesTheWhole(t *testing.T) {
	p := parse(t, `
allow:
  - {name: all, who: anyone, can: [schema.drop, tenant.drop, export, schema.list], on: [docs, docs/a, docs/b, "docs/free/**"]}
  - {name: drops, who: anyone, can: [schema.drop], on: ["docs/a/*"], after: {approval: {by: {groups: [V, W]}, persons: 2}}}
  - {name: exports, who: anyone, can: [export], on: ["docs/a/posts"], after: {approval: {by: {groups: [V]}}}}
  - {name: notes, who: anyone, can: [schema.drop], on: ["docs/b/*"], when: access.collection == "notes", after: {approval: {by: {groups: [W]}}}}
`)
	for _, x := range []struct {
		action  access.Action
		on      access.Resource
		rule    string
		persons int
	}{
		{access.SchemaDrop, access.Resource{Target: "docs", Namespace: "a"}, "drops", 2},
		{access.TenantDrop, access.Resource{Target: "docs", Namespace: "a"}, "drops", 2}, // a database holds collections
		{access.TenantDrop, access.Resource{Target: "docs"}, "drops+notes", 2},
		{access.Export, access.Resource{Target: "docs", Namespace: "a"}, "exports", 1},
		{access.Export, access.Resource{Target: "docs"}, "exports", 1},
		{access.SchemaDrop, access.Resource{Target: "docs", Namespace: "b"}, "notes", 1}, // notes may be in it
		{access.Export, access.Resource{Target: "docs", Namespace: "b"}, "all", 0},
		{access.TenantDrop, access.Resource{Target: "docs", Namespace: "free"}, "all", 0},
		{access.SchemaList, access.Resource{Target: "docs"}, "all", 0},
	} {
		d := p.Decide(person("ana"), one(x.action, x.on), access.Context{Now: noon})
		if (d.Effect == access.Hold) != (x.persons > 0) || d.Reason.Rule != x.rule || d.Hold != nil && d.Hold.Persons != x.persons {
			t.Errorf("%s on %s: %+v", x.action, x.on, d)
		}
		explained := p.Explain(person("ana"), access.Access{Action: x.action, Resource: x.on}, access.Context{Now: noon})
		for _, step := range explained.Steps {
			if said := strings.Contains("+"+x.rule+"+", "+"+step.Name+"+"); said && !step.Applies {
				t.Errorf("%s on %s is explained otherwise: %+v", x.action, x.on, step)
			}
		}
	}
	held := p.Decide(person("ana"), one(access.Export, access.Resource{Target: "docs"}), access.Context{Now: noon})
	if !strings.Contains(held.Reason.Sentence, "docs/a/posts, which is part of it") {
		t.Errorf("says %q", held.Reason.Sentence)
	}
	// A release of the whole is one under the terms of its parts.
	g := &access.Grant{Request: "R1", Digest: "d", Rule: "exports", Policy: p.digest, Persons: []string{"bo"}, Expires: noon.Add(time.Minute)}
	check(t, p.Decide(person("ana"), one(access.Export, access.Resource{Target: "docs"}), access.Context{Now: noon, Grant: g}), access.Allow, access.CodeAllowed, "exports")
}

func TestAWholeWantsTheTicketThatAPartWants(t *testing.T) {
	text := `
allow:
  - {name: wholes, who: anyone, can: [schema.drop], on: [docs/a]}
  - {name: parts, who: anyone, can: [schema.drop], on: ["docs/a/*"], after: {ticket: reviewed}}
`
	p, err := Parse("policy.yaml", []byte(text), Options{Tickets: reviewedTickets{"T": "reviewed"}})
	if err != nil {
		t.Fatal(err)
	}
	drop := one(access.SchemaDrop, access.Resource{Target: "docs", Namespace: "a"})
	check(t, p.Decide(person("ana"), drop, access.Context{Now: noon}), access.Deny, access.CodeTicket, "parts")
	check(t, p.Decide(person("ana"), drop, access.Context{Now: noon, Ticket: "T"}), access.Allow, access.CodeAllowed, "wholes")
}

func TestADenyByTheNameOfAPartForbidsWhatTakesTheWhole(t *testing.T) {
	p := parse(t, `
allow:
  - {name: all, who: anyone, can: [schema.drop, tenant.drop], on: ["**"]}
deny:
  - {name: posts, who: anyone, can: [schema.drop], on: ["docs/**"], when: access.collection == "posts"}
  - {name: prod, who: anyone, can: [schema.drop], on: ["docs/**"], when: access.namespace == "prod"}
`)
	for on, rule := range map[access.Resource]string{
		{Target: "docs", Namespace: "a"}:                      "posts",
		{Target: "docs"}:                                      "posts",
		{Target: "else"}:                                      "",
		{Target: "docs", Namespace: "a", Collection: "else"}:  "",
		{Target: "docs", Namespace: "prod", Collection: "at"}: "prod",
	} {
		for _, a := range []access.Action{access.SchemaDrop, access.TenantDrop} {
			if d := p.Decide(person("ana"), one(a, on), access.Context{Now: noon}); on.Collection == "" && (d.Effect == access.Deny) != (rule != "") || a == access.SchemaDrop && rule != "" && d.Reason.Rule != rule {
				t.Errorf("%s on %s: %+v", a, on, d)
			}
		}
	}
}

func TestADenyOfTheActorBindsTheSubjectToo(t *testing.T) {
	p := parse(t, readers+`
deny:
  - {name: no-agents, who: {kind: workload}, on: [products/**]}
`)
	ana := person("ana", "R")
	check(t, p.Decide(ana, one(access.Search, items), access.Context{}), access.Allow, access.CodeAllowed, "read")
	through := *ana
	through.Actor = &access.Subject{ID: "agents:x", Kind: access.Workload}
	check(t, p.Decide(&through, one(access.Search, items), access.Context{}), access.Deny, access.CodeDenied, "no-agents")
}

func TestWhatIsGivenToAPersonIsNotGivenToTheirWorkloads(t *testing.T) {
	p := parse(t, `
allow:
  - {name: ana, who: {persons: [ana]}, can: [search], on: [products/**]}
  - {name: bots-fetch, who: {kind: workload}, can: [fetch], on: [products/**]}
deny:
  - {name: not-bo, who: {persons: [bo]}, on: [products/**]}
`)
	bot := &access.Subject{ID: "ci:x", Kind: access.Workload, Person: "ana", Owner: "ana"}
	check(t, p.Decide(person("ana"), one(access.Search, items), access.Context{}), access.Allow, access.CodeAllowed, "ana")
	check(t, p.Decide(bot, one(access.Search, items), access.Context{}), access.Deny, access.CodeNoRule, "")
	bots := &access.Subject{ID: "ci:y", Kind: access.Workload, Person: "bo", Owner: "bo"}
	check(t, p.Decide(bots, one(access.Fetch, items), access.Context{}), access.Deny, access.CodeDenied, "not-bo")
}

func TestTheAllowThatAsksLeastIsUsed(t *testing.T) {
	rules := []string{
		`{name: two, who: {groups: [A]}, can: [upsert], on: [products/**], after: {approval: {by: {groups: [V]}, persons: 2}}}`,
		`{name: one, who: {groups: [B]}, can: [upsert], on: [products/**], after: {approval: {by: {groups: [V]}}}}`,
		`{name: ticket, who: {groups: [C]}, can: [upsert], on: [products/**], after: {ticket: reviewed}}`,
		`{name: free, who: {groups: [D]}, can: [upsert], on: [products/**]}`,
	}
	p := parse(t, "allow:\n  - "+strings.Join(rules, "\n  - "), reviewedTickets{"CHG-7": "reviewed"})
	with := access.Context{Ticket: "CHG-7"}
	check(t, p.Decide(person("x", "A"), one(access.Upsert, items), with), access.Hold, access.CodeHeld, "two")
	check(t, p.Decide(person("x", "A", "B"), one(access.Upsert, items), with), access.Hold, access.CodeHeld, "one")
	check(t, p.Decide(person("x", "A", "B", "C"), one(access.Upsert, items), with), access.Allow, access.CodeAllowed, "ticket")
	check(t, p.Decide(person("x", "A", "B", "C"), one(access.Upsert, items), access.Context{}), access.Hold, access.CodeHeld, "one")
	check(t, p.Decide(person("x", "A", "B", "C", "D"), one(access.Upsert, items), access.Context{}), access.Allow, access.CodeAllowed, "free")
	check(t, p.Decide(person("x", "C"), one(access.Upsert, items), access.Context{}), access.Deny, access.CodeTicket, "ticket")
}

func TestWithoutATicketSystemNoTicketIsGoodEnough(t *testing.T) {
	p := parse(t, `
allow:
  - {name: ticket, who: anyone, can: [upsert], on: [products/**], after: {ticket: reviewed}}
`)
	d := p.Decide(person("x"), one(access.Upsert, items), access.Context{Ticket: "CHG-7"})
	check(t, d, access.Deny, access.CodeTicket, "ticket")
	if !strings.Contains(d.Reason.Sentence, "no ticket system") {
		t.Errorf("sentence %q", d.Reason.Sentence)
	}
}

func TestAConditionThatCannotBeEvaluatedCountsAgainstTheRequest(t *testing.T) {
	p := parse(t, `
allow:
  - {name: read, who: anyone, can: [fetch], on: [products/**]}
  - {name: maybe, who: anyone, can: [search], on: [products/**], when: subject.claims.team == "a"}
deny:
  - {name: unless, who: anyone, can: [fetch], on: [products/**], when: subject.claims.team == "b"}
protect:
  - {name: hide, fields: ["**.email"], when: subject.claims.team == "b"}
  - {name: show, vectors: allow, when: subject.claims.team == "a"}
`)
	with := func(claims map[string]any) *access.Subject {
		s := person("x")
		s.Claims = claims
		return s
	}
	none, a, b := with(nil), with(map[string]any{"team": "a"}), with(map[string]any{"team": "b"})
	number := with(map[string]any{"team": map[string]any{}})
	check(t, p.Decide(a, one(access.Search, items), access.Context{}), access.Allow, access.CodeAllowed, "maybe")
	check(t, p.Decide(none, one(access.Search, items), access.Context{}), access.Deny, access.CodeNoRule, "")
	check(t, p.Decide(number, one(access.Search, items), access.Context{}), access.Deny, access.CodeNoRule, "")
	check(t, p.Decide(a, one(access.Fetch, items), access.Context{}), access.Allow, access.CodeAllowed, "read")
	check(t, p.Decide(b, one(access.Fetch, items), access.Context{}), access.Deny, access.CodeDenied, "unless")
	check(t, p.Decide(none, one(access.Fetch, items), access.Context{}), access.Deny, access.CodeDenied, "unless")
	// Masks: hidden unless it is known that they are not, vectors withheld unless it is known that they are granted.
	g := p.Decide(a, one(access.Search, items), access.Context{}).Obligations.Protection
	if m := g.Field(items, "email", false).Mask; m != access.MaskNone {
		t.Errorf("team a: email is masked with %q", m)
	}
	if m := g.Field(items, "embedding", true).Mask; m != access.MaskNone {
		t.Errorf("team a: vectors are masked with %q", m)
	}
	g = p.view(none).guard("products", p.view(none).oblige(&access.Obligations{}, p.view(none).judge(question{access.Fetch, items}), question{access.Fetch, items},
		&facts{subject: none, access: &access.Access{Action: access.Fetch, Resource: items}, context: &access.Context{}}, nil))
	if m := g.Field(items, "email", false).Mask; m != access.MaskRedact {
		t.Errorf("no team: email is masked with %q", m)
	}
	if r := g.Field(items, "embedding", true); r.Mask != access.MaskNull || r.Rule != byDefault {
		t.Errorf("no team: vectors are treated as %+v", r)
	}
}

func TestACostlyConditionIsNotSatisfied(t *testing.T) {
	p := parse(t, `
allow:
  - {name: costly, who: anyone, can: [fetch], on: ["**"], when: "access.ids.all(a, access.ids.all(b, access.ids.all(c, a + b + c != 'x')))"}
`)
	op := one(access.Fetch, items)
	for i := range 100 {
		op.Accesses[0].Attributes.IDs = append(op.Accesses[0].Attributes.IDs, fmt.Sprint(i))
	}
	check(t, p.Decide(person("x"), op, access.Context{}), access.Deny, access.CodeNoRule, "")
}

func TestConditionsSeeAttributesAndContext(t *testing.T) {
	p := parse(t, `
allow:
  - name: small
    who: anyone
    can: [scroll]
    on: ["**"]
    when: |
      access.rows > 0 && access.rows <= 100 && within(context.client, "10.0.0.0/8") && context.now < timestamp("2027-01-01T00:00:00Z")
      && glob("pub*", access.namespace) && context.settings["app"] == "x" && "R" in subject.groups
`)
	about := access.Context{Now: noon, Client: "10.1.2.3", Settings: map[string]string{"app": "x"}}
	op := func(rows int64) *access.Operation {
		o := one(access.Scroll, items)
		o.Accesses[0].Attributes.Rows = rows
		return o
	}
	ana := person("ana", "R")
	check(t, p.Decide(ana, op(10), about), access.Allow, access.CodeAllowed, "small")
	check(t, p.Decide(ana, op(101), about), access.Deny, access.CodeNoRule, "")
	check(t, p.Decide(ana, op(access.Unbounded), about), access.Deny, access.CodeNoRule, "")
	elsewhere := about
	elsewhere.Client = "192.0.2.1"
	check(t, p.Decide(ana, op(10), elsewhere), access.Deny, access.CodeNoRule, "")
	elsewhere.Client = "not an address"
	check(t, p.Decide(ana, op(10), elsewhere), access.Deny, access.CodeNoRule, "")
	later := about
	later.Now = noon.AddDate(2, 0, 0)
	check(t, p.Decide(ana, op(10), later), access.Deny, access.CodeNoRule, "")
	check(t, p.Decide(person("bo"), op(10), about), access.Deny, access.CodeNoRule, "")
}

func TestWhatCouldNotBeReadPassesOnlyByName(t *testing.T) {
	star := parse(t, `
allow:
  - {name: all, who: anyone, can: ["*"], on: ["**"]}
`)
	unclear := &access.Operation{Accesses: []access.Access{{Action: access.Search, Resource: items}}, Unclear: "what is f()?"}
	d := star.Decide(person("x"), unclear, access.Context{})
	check(t, d, access.Deny, access.CodeUnclear, "")
	if d.Reason.Sentence != "x may not send what could not be read to products: what is f()?" {
		t.Errorf("sentence %q", d.Reason.Sentence)
	}
	check(t, star.Decide(person("x"), &access.Operation{Unclear: "?"}, access.Context{}), access.Deny, access.CodeUnclear, "")
	check(t, star.Decide(person("x"), one("serach", items), access.Context{}), access.Deny, access.CodeUnclear, "")

	named := parse(t, `
allow:
  - {name: all, who: anyone, can: ["*", unknown], on: ["**"]}
`)
	check(t, named.Decide(person("x"), unclear, access.Context{}), access.Allow, access.CodeAllowed, "all")

	// Able to do anything includes what is denied, anywhere on the target and whatever the condition asks of the access.
	denied := parse(t, `
allow:
  - {name: all, who: anyone, can: ["*", unknown], on: ["**"]}
deny:
  - {name: no-drop, who: anyone, can: [schema.drop], on: [products/secret/**], when: access.rows > 5}
`)
	check(t, denied.Decide(person("x"), unclear, access.Context{}), access.Deny, access.CodeDenied, "no-drop")
	check(t, denied.Decide(person("x"), &access.Operation{Unclear: "?"}, access.Context{}), access.Deny, access.CodeDenied, "no-drop")
	other := &access.Operation{Accesses: []access.Access{{Action: access.Unknown, Resource: access.Resource{Target: "other"}}}, Unclear: "?"}
	check(t, denied.Decide(person("x"), other, access.Context{}), access.Allow, access.CodeAllowed, "all")
}

func TestARefusalReadsLikeASentenceWhateverTheAction(t *testing.T) {
	nothing := parse(t, `allow: [{name: read, who: {groups: [R]}, can: [search], on: ["**"]}]`)
	for _, action := range access.Actions() {
		d := nothing.Decide(person("x"), one(action, items), access.Context{})
		if strings.Contains(d.Reason.Sentence, " do ") {
			t.Errorf("%s has no words of its own: %q", action, d.Reason.Sentence)
		}
	}
}

func TestConnectingNeedsARuleThatCouldApply(t *testing.T) {
	p := parse(t, `
allow:
  - {name: read, who: {groups: [R]}, can: [search], on: [products/public/items], when: access.rows > 5}
  - {name: other, who: {groups: [O]}, can: [search], on: [other/**]}
deny:
  - {name: out, who: {groups: [Out]}, on: ["**"]}
  - {name: half, who: {groups: [R]}, on: [products/secret/**]}
`)
	connect := one(access.Connect, access.Resource{Target: "products"})
	check(t, p.Decide(person("ana", "R"), connect, access.Context{}), access.Allow, access.CodeAllowed, "read")
	check(t, p.Decide(person("bo", "O"), connect, access.Context{}), access.Deny, access.CodeNoRule, "")
	check(t, p.Decide(person("eve"), connect, access.Context{}), access.Deny, access.CodeNoRule, "")
	check(t, p.Decide(person("ana", "R", "Out"), connect, access.Context{}), access.Deny, access.CodeDenied, "out")
}

func TestAReadOnlyCredentialNeverWrites(t *testing.T) {
	p := parse(t, `
allow:
  - {name: all, who: anyone, can: ["*", unknown], on: ["**"]}
`)
	s := person("x")
	s.Scopes = []string{"read"}
	for _, a := range access.Actions() {
		d := p.Decide(s, one(a, items), access.Context{})
		if want := map[bool]access.Effect{true: access.Deny, false: access.Allow}[a.Writes()]; d.Effect != want {
			t.Errorf("%s with scope read: %s, want %s", a, d.Effect, want)
		}
	}
	lock := one(access.Fetch, items)
	lock.Accesses[0].Attributes.Lock = true
	check(t, p.Decide(s, lock, access.Context{}), access.Deny, access.CodeScope, "")
}

const held = `
allow:
  - {name: w, who: {groups: [R]}, can: [upsert], on: [products/**], after: {approval: {by: {groups: [V]}, persons: 2, within: 5m, grant: 2m}}}
  - {name: x, who: {groups: [R]}, can: [export], on: [products/**], after: {approval: {by: {groups: [V, X], except: [zoe]}, within: 1h}}}
  - {name: y, who: {groups: [R]}, can: [schema.drop], on: [products/**], after: {approval: {by: {groups: [Y]}}}}
  - {name: r, who: {groups: [R]}, can: [fetch], on: [products/**]}
`

func TestAGrantReleasesOnlyWhatItWasGivenFor(t *testing.T) {
	p := parse(t, held)
	ana := person("ana", "R")
	op := one(access.Upsert, items)
	d := p.Decide(ana, op, access.Context{Now: noon})
	check(t, d, access.Hold, access.CodeHeld, "w")
	if h := d.Hold; h == nil || h.Rule != "w" || h.Persons != 2 || h.Within != 5*time.Minute || h.Window != 2*time.Minute || len(h.Groups) != 1 || h.Groups[0] != "V" {
		t.Fatalf("terms %+v", d.Hold)
	}
	good := access.Grant{Request: "7F3K", Digest: "d", Rule: "w", Persons: []string{"bo", "cy"}, Expires: noon.Add(time.Minute)}
	with := func(change func(*access.Grant)) access.Context {
		g := good
		change(&g)
		return access.Context{Now: noon, Grant: &g}
	}
	check(t, p.Decide(ana, op, with(func(*access.Grant) {})), access.Allow, access.CodeAllowed, "w")
	check(t, p.Decide(ana, op, with(func(g *access.Grant) { g.Policy = p.Digest() })), access.Allow, access.CodeAllowed, "w")
	for name, change := range map[string]func(*access.Grant){
		"another rule":             func(g *access.Grant) { g.Rule = "x" },
		"one person":               func(g *access.Grant) { g.Persons = []string{"bo"} },
		"one person twice":         func(g *access.Grant) { g.Persons = []string{"bo", "bo"} },
		"nobody":                   func(g *access.Grant) { g.Persons = nil },
		"empty persons":            func(g *access.Grant) { g.Persons = []string{"bo", ""} },
		"the requester":            func(g *access.Grant) { g.Persons = []string{"bo", "ana"} },
		"another policy":           func(g *access.Grant) { g.Policy = "sha256:0" },
		"expired":                  func(g *access.Grant) { g.Expires = noon },
		"without a digest":         func(g *access.Grant) { g.Digest = "" },
		"without a request":        func(g *access.Grant) { g.Request = "" },
		"a person who is shut out": func(g *access.Grant) { g.Rule, g.Persons = "w", []string{"bo", "ana"} },
	} {
		if d := p.Decide(ana, op, with(change)); d.Effect != access.Hold {
			t.Errorf("grant %s: %s", name, d.Effect)
		}
	}
	excluded := access.Context{Now: noon, Grant: &access.Grant{Request: "7F3K", Digest: "d", Rule: "x", Persons: []string{"zoe"}, Expires: noon.Add(time.Minute)}}
	check(t, p.Decide(ana, one(access.Export, items), excluded), access.Hold, access.CodeHeld, "x")
}

func TestAGrantDoesNotOutliveADeny(t *testing.T) {
	p := parse(t, held+`
deny:
  - {name: stop, who: anyone, can: [upsert], on: [products/**], when: context.channel == "sql"}
`)
	g := &access.Grant{Request: "7F3K", Digest: "d", Rule: "w", Persons: []string{"bo", "cy"}, Expires: noon.Add(time.Minute)}
	check(t, p.Decide(person("ana", "R"), one(access.Upsert, items), access.Context{Now: noon, Grant: g, Channel: "sql"}), access.Deny, access.CodeDenied, "stop")
}

func TestTermsOfSeveralHoldsAreMergedToTheStrictest(t *testing.T) {
	p := parse(t, held)
	ana := person("ana", "R")
	op := &access.Operation{Accesses: []access.Access{{Action: access.Export, Resource: items}, {Action: access.Upsert, Resource: items}, {Action: access.Fetch, Resource: items}}}
	d := p.Decide(ana, op, access.Context{Now: noon})
	check(t, d, access.Hold, access.CodeHeld, "w+x")
	want := "a member"
	if h := d.Hold; h.Persons != 2 || h.Within != 5*time.Minute || h.Window != 2*time.Minute || fmt.Sprint(h.Groups) != "[V]" || fmt.Sprint(h.Exclude) != "[zoe]" {
		t.Errorf("terms %+v, want %s of V, two persons, 5m", h, want)
	}
	turned := &access.Operation{Accesses: []access.Access{op.Accesses[1], op.Accesses[0]}}
	if h := p.Decide(ana, turned, access.Context{Now: noon}).Hold; h.Rule != "w+x" || fmt.Sprint(h.Exclude) != "[zoe]" {
		t.Errorf("terms in the other order %+v", h)
	}
	// A release of one half does not release the whole.
	half := access.Context{Now: noon, Grant: &access.Grant{Request: "1", Digest: "d", Rule: "x", Persons: []string{"bo", "cy"}, Expires: noon.Add(time.Minute)}}
	check(t, p.Decide(ana, op, half), access.Hold, access.CodeHeld, "w+x")
	whole := half
	g := *half.Grant
	g.Rule = "w+x"
	whole.Grant = &g
	check(t, p.Decide(ana, op, whole), access.Allow, access.CodeAllowed, "w+x")
	// Nobody may release both halves, so the whole cannot be released.
	op.Accesses[0].Action = access.SchemaDrop
	check(t, p.Decide(ana, op, access.Context{Now: noon}), access.Deny, access.CodeDenied, "w")
}

func TestSeparateDutiesAreNotCombined(t *testing.T) {
	p := parse(t, `
duties: {write: [upsert], export: [export]}
allow:
  - {name: w, who: {groups: [W]}, can: [write], on: [products/**]}
  - {name: e, who: {groups: [E]}, can: [export], on: [products/public/**]}
  - {name: h, who: {groups: [H]}, can: [export], on: [products/**], after: {approval: {by: {groups: [V]}}}}
separate:
  - {name: apart, duties: [write, export]}
`)
	secret := access.Resource{Target: "products", Namespace: "secret", Collection: "x"}
	check(t, p.Decide(person("a", "W"), one(access.Upsert, items), access.Context{}), access.Allow, access.CodeAllowed, "w")
	check(t, p.Decide(person("a", "E"), one(access.Export, items), access.Context{}), access.Allow, access.CodeAllowed, "e")
	check(t, p.Decide(person("a", "W", "E"), one(access.Upsert, items), access.Context{}), access.Deny, access.CodeSeparation, "apart")
	check(t, p.Decide(person("a", "W", "E"), one(access.Export, items), access.Context{}), access.Deny, access.CodeSeparation, "apart")
	// Where only one of the duties is held, nothing is combined.
	check(t, p.Decide(person("a", "W", "E"), one(access.Upsert, secret), access.Context{}), access.Allow, access.CodeAllowed, "w")
	// What another person must release is not one's own to combine.
	check(t, p.Decide(person("a", "W", "H"), one(access.Export, items), access.Context{}), access.Hold, access.CodeHeld, "h")
}

func TestVectorsAreWithheldUnlessGranted(t *testing.T) {
	embedding := func(p *Policy, s *access.Subject, r access.Resource) access.Treatment {
		return p.Decide(s, one(access.Search, r), access.Context{}).Obligations.Protection.Field(r, "embedding", true)
	}
	silent := parse(t, readers)
	if got := embedding(silent, person("a", "R"), items); got.Mask != access.MaskNull || got.Rule != byDefault || got.Predicates != "knn" || got.Distance != "round" || got.Derived != "deny" {
		t.Errorf("without a statement: %+v", got)
	}
	p := parse(t, readers+`
protect:
  - {name: open, vectors: allow, who: {groups: [G]}, on: [products/public/**]}
  - {name: shut, vectors: withhold, on: [products/public/secret]}
`)
	if got := embedding(p, person("a", "R", "G"), items); got.Mask != access.MaskNone {
		t.Errorf("granted: %+v", got)
	}
	if got := embedding(p, person("a", "R"), items); got.Mask != access.MaskNull {
		t.Errorf("not granted: %+v", got)
	}
	if got := embedding(p, person("a", "R", "G"), access.Resource{Target: "products", Namespace: "public", Collection: "secret"}); got.Rule != "shut" {
		t.Errorf("granted, but withheld by another statement: %+v", got)
	}
	if got := embedding(p, person("a", "R", "G"), access.Resource{Target: "products", Namespace: "x", Collection: "y"}); got.Rule != byDefault {
		t.Errorf("granted elsewhere: %+v", got)
	}
	// An exception is for the subject, not for whoever acts through it.
	q := parse(t, readers+`
protect:
  - {name: shut, vectors: withhold, except: {groups: [G]}}
`)
	ana := person("a", "R", "G")
	if got := embedding(q, ana, items); got.Mask != access.MaskNone {
		t.Errorf("excepted: %+v", got)
	}
	through := *ana
	through.Actor = &access.Subject{ID: "agents:x", Kind: access.Workload}
	if got := embedding(q, &through, items); got.Rule != "shut" {
		t.Errorf("through an agent: %+v", got)
	}
}

func TestEveryMatchingProtectAppliesTheStrictestFirst(t *testing.T) {
	p := parse(t, readers+`
protect:
  - {name: part, fields: ["**.email"], mask: partial, predicates: deny, derived: deny}
  - {name: drop, fields: ["products/public/*.email"], mask: drop, predicates: equality, derived: "null"}
  - {name: hash, fields: ["**.phone"], mask: hash, predicates: equality}
  - {name: few, limit: {top_k: 50, rows: 500}, record: requests}
  - {name: fewer, limit: {top_k: 100, rows: 200}, on: [products/public/**], record: full}
  - {name: other, limit: {rows: 1}, on: [products/other/**]}
`)
	o := p.Decide(person("a", "R"), one(access.Search, items), access.Context{}).Obligations
	if got, want := o.Protection.Field(items, "email", false), (access.Treatment{Mask: access.MaskDrop, Rule: "drop", Predicates: "deny", Derived: "deny"}); got != want {
		t.Errorf("email %+v, want %+v", got, want)
	}
	if got := o.Protection.Field(items, "phone", false); got.Mask != access.MaskHash || got.Predicates != "equality" {
		t.Errorf("phone %+v", got)
	}
	if o.Rows != 200 || o.TopK != 50 || o.Record != access.LevelFull {
		t.Errorf("rows %d, top_k %d, record %s", o.Rows, o.TopK, o.Record)
	}
	// Over several accesses the smallest cap counts.
	op := &access.Operation{Accesses: []access.Access{{Action: access.Search, Resource: items}, {Action: access.Search, Resource: access.Resource{Target: "products", Namespace: "other", Collection: "x"}}}}
	if o := p.Decide(person("a", "R"), op, access.Context{}).Obligations; o.Rows != 1 {
		t.Errorf("rows %d, want 1", o.Rows)
	}
}

func TestEqualProtectionsShareOnePointer(t *testing.T) {
	p := parse(t, readers+`
protect:
  - {name: a, fields: ["**.email"], except: {groups: [P]}}
`)
	get := func(s *access.Subject) *access.Protection {
		return p.Decide(s, one(access.Search, items), access.Context{}).Obligations.Protection
	}
	x, y, z := get(person("x", "R")), get(person("y", "R", "Q")), get(person("z", "R", "P"))
	if x != y || x == nil || x.ID == 0 {
		t.Errorf("two subjects with the same protection got %p and %p", x, y)
	}
	if x == z || x.ID == z.ID {
		t.Error("two protections share a pointer or an ID")
	}
}

func TestCachesAreBounded(t *testing.T) {
	p := parse(t, readers)
	ana := person("ana", "R")
	for i := range 5 * maxJudged {
		p.Decide(ana, one(access.Search, access.Resource{Target: "products", Namespace: "public", Collection: fmt.Sprint(i)}), access.Context{})
	}
	if n := len(*p.view(ana).judged.Load()); n > maxJudged+1 {
		t.Errorf("%d judgements are kept, want at most %d", n, maxJudged)
	}
	for range maxViews + 10 {
		p.view(person("x"))
	}
	for i := range maxKept + 10 {
		p.Decide(person("x", "R"), one(access.Search, access.Resource{Target: "products", Namespace: "public", Collection: fmt.Sprint(i)}), access.Context{})
		if n := p.kept.Load(); n > maxKept {
			t.Fatalf("%d judgements are kept, want at most %d", n, maxKept)
		}
	}
	n := 0
	p.views.Range(func(any, any) bool { n++; return true })
	if n > maxViews {
		t.Errorf("%d views are kept, want at most %d", n, maxViews)
	}
}

type angryTickets struct{}

func (angryTickets) Reviewed(*access.Context, *access.Subject, *access.Access) error {
	return errors.New("reviewed by its author")
}

func TestATicketThatTheSystemRejectsSaysWhy(t *testing.T) {
	p := parse(t, `
allow:
  - {name: ticket, who: anyone, can: [upsert], on: [products/**], after: {ticket: reviewed}}
`, angryTickets{})
	d := p.Decide(person("x"), one(access.Upsert, items), access.Context{Ticket: "CHG-7"})
	check(t, d, access.Deny, access.CodeTicket, "ticket")
	if !strings.Contains(d.Reason.Sentence, "CHG-7: reviewed by its author") || !strings.Contains(d.Reason.Hint, "SET vecgate.ticket") {
		t.Errorf("reason %+v", d.Reason)
	}
}

// lookedUp judges by what was looked up, as a ticket system's connector does.
type lookedUp struct{}

func (lookedUp) Reviewed(about *access.Context, s *access.Subject, a *access.Access) error {
	if about.Change == nil {
		return errors.New("nobody has looked it up")
	}
	return about.Change.Reviewed(s, a, about.Now)
}

// covers is a change that is about one collection.
type covers string

func (c covers) Reviewed(_ *access.Subject, a *access.Access, _ time.Time) error {
	if a.Resource.Collection != string(c) {
		return &access.Refusal{Message: "it is about " + string(c), Hint: "attach another"}
	}
	return nil
}
func (covers) Digest() string { return "d" }

func TestADecisionSaysWhetherItHangsOnATicketThatNobodyHasLookedUp(t *testing.T) {
	p := parse(t, `
allow:
  - {name: read, who: anyone, can: [search, fetch], on: [products/**]}
  - {name: ticket, who: anyone, can: [upsert], on: [products/**], after: {ticket: reviewed}}
  - {name: approval, who: {groups: [G]}, can: [upsert], on: [products/**], after: {approval: {by: {groups: [A]}}}}
`, lookedUp{})
	ticket := access.Context{Ticket: "CHG-7"}
	for _, c := range []struct {
		what   string
		who    *access.Subject
		op     *access.Operation
		about  access.Context
		effect access.Effect
		lookUp bool
	}{
		{"a write with a ticket", person("x"), one(access.Upsert, items), ticket, access.Deny, true},
		{"a write that another rule holds", person("x", "G"), one(access.Upsert, items), ticket, access.Hold, true},
		{"a write without one", person("x"), one(access.Upsert, items), access.Context{}, access.Deny, false},
		{"a read", person("x"), one(access.Search, items), ticket, access.Allow, false},
		{"what nothing allows", person("x"), one(access.SchemaDrop, items), ticket, access.Deny, false},
		{"a read and a write", person("x"), &access.Operation{Accesses: []access.Access{{Action: access.Search, Resource: items}, {Action: access.Upsert, Resource: items}}}, ticket, access.Deny, true},
		{"a write, looked up", person("x"), one(access.Upsert, items), access.Context{Ticket: "CHG-7", Change: covers("items")}, access.Allow, false},
		{"a write, looked up in vain", person("x"), one(access.Upsert, items), access.Context{Ticket: "CHG-7", Change: covers("orders")}, access.Deny, false},
	} {
		if d := p.Decide(c.who, c.op, c.about); d.Effect != c.effect || d.LookUp != c.lookUp {
			t.Errorf("%s: %s, look up %v; want %s, %v", c.what, d.Effect, d.LookUp, c.effect, c.lookUp)
		}
	}

	// Each access that passes by a ticket must be covered by it, and no other need be.
	orders := items
	orders.Collection = "orders"
	both := &access.Operation{Accesses: []access.Access{{Action: access.Upsert, Resource: items}, {Action: access.Upsert, Resource: orders}}}
	d := p.Decide(person("x"), both, access.Context{Ticket: "CHG-7", Change: covers("items")})
	check(t, d, access.Deny, access.CodeTicket, "ticket")
	if !strings.HasSuffix(d.Reason.Sentence, "CHG-7: it is about items") || d.Reason.Hint != "attach another" {
		t.Errorf("reason %+v", d.Reason)
	}
	copied := &access.Operation{Accesses: []access.Access{{Action: access.Upsert, Resource: items}, {Action: access.Fetch, Resource: orders}}}
	check(t, p.Decide(person("x"), copied, access.Context{Ticket: "CHG-7", Change: covers("items")}), access.Allow, access.CodeAllowed, "ticket")

	// A whole hangs on the ticket that one of its parts wants.
	parts := parse(t, `
allow:
  - {name: drop, who: anyone, can: [schema.drop], on: [products, products/public]}
  - {name: ticket, who: anyone, can: [schema.drop], on: [products/public/items], after: {ticket: reviewed}}
`, lookedUp{})
	whole := one(access.SchemaDrop, access.Resource{Target: "products", Namespace: "public"})
	if d := parts.Decide(person("x"), whole, ticket); d.Effect != access.Deny || d.Reason.Code != access.CodeTicket || !d.LookUp {
		t.Errorf("a whole: %s, look up %v; %+v", d.Effect, d.LookUp, d.Reason)
	}
	if d := parts.Decide(person("x"), whole, access.Context{Ticket: "CHG-7", Change: covers("items")}); d.Effect != access.Allow || d.LookUp {
		t.Errorf("a whole, looked up: %s, look up %v; %+v", d.Effect, d.LookUp, d.Reason)
	}

	// Who is held although a ticket is attached learns why it did not do.
	d = p.Decide(person("x", "G"), one(access.Upsert, items), access.Context{Ticket: "CHG-7", Change: covers("orders")})
	if !strings.HasSuffix(d.Reason.Sentence, "(rule approval); rule ticket does not let it pass at once: CHG-7: it is about orders") {
		t.Errorf("reason %+v", d.Reason)
	}
}

func TestACredentialNarrowedToTargetsReachesNoOthers(t *testing.T) {
	p := parse(t, `
allow:
  - {name: all, who: anyone, can: ["*", unknown], on: ["**"]}
`)
	s := person("x")
	s.Targets = []string{"other"}
	check(t, p.Decide(s, one(access.Search, items), access.Context{}), access.Deny, access.CodeScope, "")
	check(t, p.Decide(s, one(access.Connect, access.Resource{Target: "products"}), access.Context{}), access.Deny, access.CodeScope, "")
	check(t, p.Decide(s, one(access.Search, access.Resource{Target: "other", Namespace: "a", Collection: "b"}), access.Context{}), access.Allow, access.CodeAllowed, "all")
}

func TestManyDecideWhileThePolicyIsSwapped(t *testing.T) {
	reads, none := parse(t, readers), parse(t, strings.ReplaceAll(readers, "[search, fetch]", "[fetch]"))
	h := NewHolder(reads)
	shared := person("ana", "R")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 2000 {
				s := shared
				if i%3 == 0 {
					s = person("ana", "R")
				}
				d := h.Decide(s, one(access.Search, access.Resource{Target: "products", Namespace: "public", Collection: fmt.Sprint(i % 700)}), access.Context{})
				if want := map[string]access.Effect{reads.Digest(): access.Allow, none.Digest(): access.Deny}[d.Policy]; d.Effect != want {
					t.Errorf("policy %s decided %s, want %s", d.Policy, d.Effect, want)
					return
				}
			}
		})
	}
	for i := range 200 {
		if i%2 == 0 {
			h.Swap(none)
		} else {
			h.Swap(reads)
		}
	}
	wg.Wait()
}

func TestACapIsNotLiftedByAStatementThatCapsSomethingElse(t *testing.T) {
	p := parse(t, readers+`
protect:
  - {name: rows, limit: {rows: 10}}
  - {name: k, limit: {top_k: 5}}
  - {name: all, record: full}
`)
	if o := p.Decide(person("a", "R"), one(access.Search, items), access.Context{}).Obligations; o.Rows != 10 || o.TopK != 5 || o.Record != access.LevelFull {
		t.Errorf("rows %d, top_k %d, record %q", o.Rows, o.TopK, o.Record)
	}
}

func TestAGrantOfAllVectorsDoesNotOpenThoseThatAreWithheld(t *testing.T) {
	p := parse(t, readers+`
protect:
  - {name: open, vectors: allow}
  - {name: shut, vectors: withhold, on: [products/public/items]}
`)
	g := p.Decide(person("a", "R"), one(access.Search, items), access.Context{}).Obligations.Protection
	if got := g.Field(items, "embedding", true); got.Rule != "shut" {
		t.Errorf("withheld vectors are treated as %+v", got)
	}
	if got := g.Field(access.Resource{Target: "products", Namespace: "public", Collection: "other"}, "embedding", true); got.Mask != access.MaskNone {
		t.Errorf("granted vectors are treated as %+v", got)
	}
}

func TestWhoIsExceptedIsNotMeant(t *testing.T) {
	p := parse(t, `
allow:
  - {name: a, who: {groups: [R], except: {groups: [X], kind: person}}, can: [search], on: [products/**]}
  - {name: b, who: {except: {persons: [bo]}}, can: [fetch], on: [products/**]}
deny:
  - {name: d, except: {groups: [R]}, can: [search], on: [products/**]}
`)
	check(t, p.Decide(person("ana", "R"), one(access.Search, items), access.Context{}), access.Allow, access.CodeAllowed, "a")
	check(t, p.Decide(person("ana", "R", "X"), one(access.Search, items), access.Context{}), access.Deny, access.CodeNoRule, "")
	check(t, p.Decide(person("ana"), one(access.Search, items), access.Context{}), access.Deny, access.CodeDenied, "d")
	check(t, p.Decide(person("ana"), one(access.Fetch, items), access.Context{}), access.Allow, access.CodeAllowed, "b")
	check(t, p.Decide(person("bo"), one(access.Fetch, items), access.Context{}), access.Deny, access.CodeNoRule, "")
	bot := &access.Subject{ID: "ci:x", Kind: access.Workload, Person: "bo", Owner: "bo"}
	check(t, p.Decide(bot, one(access.Fetch, items), access.Context{}), access.Deny, access.CodeNoRule, "")
}

func TestTheQuickStartDecidesAsItsCasesSay(t *testing.T) {
	decidesAsItsCasesSay(t, "quickstart_test.yaml")
}

func TestThePolicyWithTicketsDecidesAsItsCasesSay(t *testing.T) {
	decidesAsItsCasesSay(t, "tickets_test.yaml")
}

func decidesAsItsCasesSay(t *testing.T, name string) {
	t.Helper()
	suite, err := LoadSuite("../../examples/policy/" + name)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Load(suite.Policy, Options{Tickets: suite.Tickets(), Targets: []string{"products"}})
	if err != nil {
		t.Fatal(err)
	}
	if p.File() != suite.Policy || len(p.Text()) == 0 {
		t.Errorf("the policy says that it was read from %q", p.File())
	}
	for _, r := range suite.Run(p) {
		if r.Differences != nil {
			t.Errorf("%s %s: %s\n%s", r.Case.Position, r.Case.Name, strings.Join(r.Differences, "; "), r.Decision.Reason.Sentence)
		}
	}
}

func TestAGrantOfVectorsIsForNobodyWhoActsThroughAnother(t *testing.T) {
	p := parse(t, readers+`
protect:
  - {name: open, vectors: allow, who: {groups: [G]}, except: {groups: [Out]}}
`)
	mask := func(s *access.Subject) access.Mask {
		return p.Decide(s, one(access.Search, items), access.Context{}).Obligations.Protection.Field(items, "embedding", true).Mask
	}
	ana := person("ana", "R", "G")
	if got := mask(ana); got != access.MaskNone {
		t.Errorf("granted: %q", got)
	}
	if got := mask(person("ana", "R", "G", "Out")); got != access.MaskNull {
		t.Errorf("granted, but excepted: %q", got)
	}
	through := *ana
	through.Actor = &access.Subject{ID: "agents:x", Kind: access.Workload}
	if got := mask(&through); got != access.MaskNull {
		t.Errorf("through an agent that is not granted them: %q", got)
	}
	out := *ana
	out.Actor = person("out", "G", "Out")
	if got := mask(&out); got != access.MaskNull {
		t.Errorf("through somebody who is excepted: %q", got)
	}
}

func TestAnExceptionOfAConditionalStatementGrantsNothing(t *testing.T) {
	p := parse(t, readers+`
protect:
  - {name: shut, vectors: withhold, except: {groups: [G]}, when: context.channel == "sql"}
`)
	for _, channel := range []string{"sql", "rest"} {
		g := p.Decide(person("ana", "R", "G"), one(access.Search, items), access.Context{Channel: channel}).Obligations.Protection
		if got := g.Field(items, "embedding", true); got.Rule != byDefault {
			t.Errorf("%s: %+v, want them withheld by default", channel, got)
		}
	}
}
