package policy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/internal/access"
)

const tenants = `
allow:
  - {name: all, who: anyone, can: ["*"], on: ["**"]}
protect:
  - name: own-tenant
    on: [docs/**]
    filter: {field: tenant, values: subject.claims.tenant}
    except: {groups: [Operators]}
  - {name: no-drafts, on: ["docs/t:d/posts"], filter: {field: state, values: [published, archived]}}
`

var posts = access.Resource{Target: "docs", Namespace: "t:d", Collection: "posts"}

// of is somebody with a claim.
func of(tenant any, groups ...string) *access.Subject {
	s := person("ana", groups...)
	s.Claims = map[string]any{"tenant": tenant}
	return s
}

func TestAFilterIsAnObligationWithTheValuesOfTheSubject(t *testing.T) {
	p := parse(t, tenants)
	want := []access.FilterRule{
		{Pattern: "docs/**", Field: "tenant", Values: []string{"acme"}, Rule: "own-tenant"},
		{Pattern: "docs/t:d/posts", Field: "state", Values: []string{"published", "archived"}, Rule: "no-drafts"},
	}
	for _, a := range []access.Action{access.Search, access.Fetch, access.Count, access.Upsert, access.DeleteAll, access.SchemaDrop} {
		d := p.Decide(of("acme"), one(a, posts), access.Context{Now: noon})
		check(t, d, access.Allow, access.CodeAllowed, "all")
		if diff := cmp.Diff(want, d.Obligations.Filters); diff != "" {
			t.Errorf("%s: %s", a, diff)
		}
	}
	// The same view of the same policy, with another subject's value.
	d := p.Decide(of([]any{"beta", "gamma", "beta"}), one(access.Search, posts), access.Context{Now: noon})
	if got := d.Obligations.Filters[0].Values; !cmp.Equal(got, []string{"beta", "gamma"}) {
		t.Errorf("values of a list: %v", got)
	}
	for _, r := range []access.Resource{{Target: "other", Namespace: "t:d", Collection: "posts"}} {
		if d := p.Decide(of("acme"), one(access.Search, r), access.Context{Now: noon}); len(d.Obligations.Filters) > 0 || d.Effect != access.Allow {
			t.Errorf("%s: %+v", r, d)
		}
	}
	if d := p.Decide(of("acme", "Operators"), one(access.Search, posts), access.Context{Now: noon}); len(d.Obligations.Filters) != 1 || d.Obligations.Filters[0].Rule != "no-drafts" {
		t.Errorf("who is excepted: %+v", d.Obligations.Filters)
	}
}

func TestWhatReachesNoPointsIsNotFiltered(t *testing.T) {
	p := parse(t, tenants)
	for _, a := range []access.Action{access.SchemaList, access.SchemaRead, access.Connect, access.MetaHealth} {
		if d := p.Decide(of(""), one(a, posts), access.Context{Now: noon}); d.Effect != access.Allow || len(d.Obligations.Filters) > 0 {
			t.Errorf("%s: %+v", a, d)
		}
	}
	whole := access.Resource{Target: "docs", Namespace: "t:d"}
	if d := p.Decide(of("acme"), one(access.TenantDrop, whole), access.Context{Now: noon}); len(d.Obligations.Filters) != 2 {
		t.Errorf("dropping all collections at once: %+v", d.Obligations)
	}
}

func TestWithoutAValueNothingIsReached(t *testing.T) {
	p := parse(t, tenants)
	long := make([]any, 0, maxFilterValues+1)
	for i := range maxFilterValues + 1 {
		long = append(long, "t"+itoa(i))
	}
	none := person("ana")
	for name, s := range map[string]*access.Subject{
		"no claims": none, "null": of(nil), "empty": of(""), "empty list": of([]any{}), "list with an empty text": of([]any{"acme", ""}),
		"number": of(7), "list with a number": of([]any{"acme", 7}), "nested": of([]any{[]any{"acme"}}), "object": of(map[string]any{"a": "b"}), "true": of(true),
		"control character": of("acme\x00"), "line feed": of("acme\n"), "not UTF-8": of("ac\xff"), "too long": of(strings.Repeat("a", maxFilterValue+1)), "too many": of(long),
	} {
		for _, a := range []access.Action{access.Search, access.Upsert, access.DeleteAll, access.Unknown} {
			op := one(a, posts)
			d := p.Decide(s, op, access.Context{Now: noon})
			if d.Effect != access.Deny || len(d.Obligations.Filters) > 0 {
				t.Errorf("%s, %s: %s with %+v", name, a, d.Effect, d.Obligations)
				continue
			}
			if a == access.Unknown {
				continue
			}
			check(t, d, access.Deny, access.CodeObligation, "own-tenant")
			for _, word := range []string{"own-tenant", "subject.claims.tenant"} {
				if !strings.Contains(d.Reason.Sentence, word) {
					t.Errorf("%s: %q does not say %q", name, d.Reason.Sentence, word)
				}
			}
		}
	}
	if d := p.Decide(none, one(access.Search, access.Resource{Target: "other", Namespace: "n", Collection: "c"}), access.Context{Now: noon}); d.Effect != access.Allow {
		t.Errorf("elsewhere: %+v", d)
	}
}

func TestWhatCouldNotBeReadIsUnderEveryFilterOfItsTarget(t *testing.T) {
	p := parse(t, strings.Replace(tenants, `can: ["*"]`, `can: ["*", unknown]`, 1))
	op := one(access.Search, access.Resource{Target: "docs", Namespace: "t:d", Collection: "other"})
	op.Unclear = "?"
	d := p.Decide(of("acme"), op, access.Context{Now: noon})
	if d.Effect != access.Allow || len(d.Obligations.Filters) != 2 || d.Obligations.Unfiltered(op) == nil {
		t.Errorf("%+v", d)
	}
}

func TestAConditionalFilterHoldsWhenItsConditionIsNotKnown(t *testing.T) {
	p := parse(t, `
allow:
  - {name: all, who: anyone, can: ["*"], on: ["**"]}
protect:
  - {name: partners, when: subject.claims.partner == "yes", on: [docs/**], filter: {field: tenant, values: subject.id}}
`)
	for want, claims := range map[int][]map[string]any{
		0: {{"partner": "no"}},
		1: {{"partner": "yes"}, {}, nil},
	} {
		for _, c := range claims {
			s := person("ana")
			s.Claims = c
			d := p.Decide(s, one(access.Search, posts), access.Context{Now: noon})
			if len(d.Obligations.Filters) != want || d.Effect != access.Allow {
				t.Errorf("%v: %+v", c, d.Obligations.Filters)
			}
			// With a second access elsewhere the filter is not forgotten, nor asked where it does not belong.
			two := &access.Operation{Accesses: []access.Access{{Action: access.Search, Resource: items}, {Action: access.Search, Resource: posts}}}
			if d := p.Decide(s, two, access.Context{Now: noon}); len(d.Obligations.Filters) != want {
				t.Errorf("%v, with another access: %+v", c, d.Obligations.Filters)
			}
			if d := p.Decide(s, one(access.Search, items), access.Context{Now: noon}); len(d.Obligations.Filters) != 0 {
				t.Errorf("%v, elsewhere: %+v", c, d.Obligations.Filters)
			}
		}
	}
}

func TestAReleasedRequestIsUnderTheFiltersOfWhoUsesTheApproval(t *testing.T) {
	p := parse(t, `
allow:
  - {name: writes, who: anyone, can: [upsert], on: ["**"], after: {approval: {by: {groups: [V]}}}}
protect:
  - {name: own-tenant, on: [docs/**], filter: {field: tenant, values: subject.claims.tenant}}
`)
	held := p.Decide(of("acme"), one(access.Upsert, posts), access.Context{Now: noon})
	check(t, held, access.Hold, access.CodeHeld, "writes")
	if len(held.Obligations.Filters) != 1 || held.Obligations.Filters[0].Values[0] != "acme" {
		t.Errorf("held: %+v", held.Obligations)
	}
	grant := &access.Grant{Request: "R", Digest: "d", Rule: "writes", Persons: []string{"vera"}, Expires: noon.Add(1)}
	again := p.Decide(of("beta"), one(access.Upsert, posts), access.Context{Now: noon, Grant: grant})
	if again.Effect != access.Allow || len(again.Obligations.Filters) != 1 || again.Obligations.Filters[0].Values[0] != "beta" {
		t.Errorf("released: %+v", again)
	}
	check(t, p.Decide(person("ana"), one(access.Upsert, posts), access.Context{Now: noon, Grant: grant}), access.Deny, access.CodeObligation, "own-tenant")
	check(t, p.Decide(person("ana"), one(access.Upsert, posts), access.Context{Now: noon}), access.Deny, access.CodeObligation, "own-tenant")
}

func TestExplainSaysWhatAFilterLeaves(t *testing.T) {
	p := parse(t, tenants)
	x := p.Explain(of("acme"), access.Access{Action: access.Search, Resource: posts}, access.Context{Now: noon})
	if got := strings.Join(x.Masks, "\n"); !strings.Contains(got, "points of docs/** whose tenant is not acme (rule own-tenant)") {
		t.Errorf("masks:\n%s", got)
	}
	said := map[string]string{}
	for _, st := range x.Steps {
		said[st.Name] = st.Why
	}
	if said["own-tenant"] != "only points whose tenant is one of subject.claims.tenant" || said["no-drafts"] != "only points whose state is one of [published, archived]" {
		t.Errorf("%q", said)
	}
}

func TestARenameDoesNotBringDataOutFromUnderARule(t *testing.T) {
	const allow = "allow:\n  - {name: all, who: anyone, can: [\"*\"], on: [\"**\"]}\nprotect:\n  - "
	name := func(c string) access.Resource {
		return access.Resource{Target: "docs", Namespace: "t:d", Collection: c}
	}
	for _, x := range []struct {
		rule    string
		from    string
		to      string
		refused bool
	}{
		{`{name: p, fields: ["docs/t:d/customers.email"]}`, "customers", "x", true},
		{`{name: p, fields: ["docs/t:d/customers.email"], except: {groups: [R]}}`, "customers", "x", true},
		{`{name: p, fields: ["docs/t:d/customers.email", "docs/t:d/x.*"]}`, "customers", "x", false},
		{`{name: p, fields: ["docs/t:d/customers.email", "docs/t:d/x.city"]}`, "customers", "x", true},
		{`{name: p, fields: ["docs/t:d/*.email"]}`, "customers", "x", false},
		{`{name: p, fields: ["**.email"]}`, "customers", "x", false},
		{`{name: p, fields: ["docs/t:d/my.customers.email"]}`, "my.customers", "x", true},
		{`{name: p, fields: ["docs/t:d/customers.email"]}`, "x", "y", false},
		{`{name: p, fields: ["docs/t:d/customers.email"]}`, "x", "customers", false},
		{`{name: p, on: ["docs/t:d/customers"], vectors: withhold}`, "customers", "x", true},
		{`{name: p, on: ["docs/t:d/x"], vectors: allow}`, "customers", "x", true},
		{`{name: p, on: ["docs/t:d/customers"], vectors: allow}`, "customers", "x", false},
		{`{name: p, on: ["docs/t:d/customers"], limit: {rows: 5}}`, "customers", "x", true},
		{`{name: p, on: ["docs/t:d/customers"], filter: {field: tenant, values: [a]}, except: {groups: [R]}}`, "customers", "x", true},
		{`{name: p, on: ["docs/t:d/customers"], record: full}`, "customers", "x", true},
		{`{name: p, on: [docs/**], filter: {field: tenant, values: [a]}}`, "customers", "x", false},
	} {
		p := parse(t, allow+x.rule+"\n")
		for _, actions := range [][2]access.Action{{access.SchemaRename, access.SchemaRename}, {access.Export, access.SchemaCreate}} {
			op := &access.Operation{Accesses: []access.Access{
				{Action: actions[1], Resource: name(x.to), Attributes: access.Attributes{Role: "destination"}},
				{Action: actions[0], Resource: name(x.from), Attributes: access.Attributes{Role: "source"}},
			}}
			d := p.Decide(person("ana", "R"), op, access.Context{Now: noon})
			if (d.Effect == access.Deny) != x.refused || x.refused && (d.Reason.Rule != "p" || d.Reason.Code != access.CodeObligation) {
				t.Errorf("%s: %s of %s to %s: %s %+v", x.rule, actions[0], x.from, x.to, d.Effect, d.Reason)
			}
		}
	}
}

func TestCasesSayWhichFiltersTheyExpect(t *testing.T) {
	suite, err := ParseSuite("cases.yaml", []byte(`
policy: p.yaml
subjects:
  ana: {id: "corp:ana", kind: person, claims: {tenant: [acme, beta]}}
  bo:  {id: "corp:bo", kind: person, groups: [Operators]}
cases:
  - {name: hers, subject: ana, does: search, on: docs/t:d/posts, expect: {effect: allow, filters: {tenant: [beta, acme], state: [archived, published]}}}
  - {name: his, subject: bo, does: search, on: docs/t:d/other, expect: {effect: allow, filters: {}}}
  - {name: wrong, subject: ana, does: search, on: docs/t:d/posts, expect: {effect: allow, filters: {tenant: [acme]}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range suite.Run(parse(t, tenants)) {
		got = append(got, strings.Join(r.Differences, "; "))
	}
	want := []string{"", "", `filters is "state: archived, published; tenant: acme, beta", expected "tenant: acme"`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	changes := suite.Diff(parse(t, tenants), parse(t, strings.Replace(tenants, "[published, archived]", "[published]", 1)))
	if len(changes) != 2 || !strings.Contains(strings.Join(changes[0].Differences, ";"), "whose state is not published (rule no-drafts)") {
		t.Errorf("%+v", changes)
	}
}
