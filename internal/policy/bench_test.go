package policy

import (
	"testing"

	"github.com/vecgate/vecgate/internal/access"
)

// quickstartPolicy is what most gateways look like: the policy of the quick start.
func quickstartPolicy(t testing.TB) *Policy {
	t.Helper()
	p, err := Load("../../examples/policy/quickstart.yaml", Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAnAllowedAccessCostsNoAllocation(t *testing.T) {
	p := quickstartPolicy(t)
	ana, op, about := person("ana", "Vector-Read"), one(access.Search, items), access.Context{Now: noon}
	check(t, p.Decide(ana, op, about), access.Allow, access.CodeAllowed, "scientists-read")
	if n := testing.AllocsPerRun(1000, func() { p.Decide(ana, op, about) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func BenchmarkDecideAllowed(b *testing.B) {
	p := quickstartPolicy(b)
	ana, op, about := person("ana", "Vector-Read"), one(access.Search, items), access.Context{Now: noon}
	b.ReportAllocs()
	for b.Loop() {
		p.Decide(ana, op, about)
	}
}

func BenchmarkDecideThroughHolderInParallel(b *testing.B) {
	h := NewHolder(quickstartPolicy(b))
	op, about := one(access.Search, items), access.Context{Now: noon}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		ana := person("ana", "Vector-Read")
		for pb.Next() {
			h.Decide(ana, op, about)
		}
	})
}

func BenchmarkDecideWithCondition(b *testing.B) {
	p := quickstartPolicy(b)
	ana, op, about := person("ana", "Vector-Read"), one(access.Scroll, items), access.Context{Now: noon}
	op.Accesses[0].Attributes.Rows = 50
	check := p.Decide(ana, op, about)
	if check.Effect != access.Allow {
		b.Fatal(check.Reason)
	}
	b.ReportAllocs()
	for b.Loop() {
		p.Decide(ana, op, about)
	}
}

func BenchmarkDecideHeld(b *testing.B) {
	p := quickstartPolicy(b)
	ana, op, about := person("ana", "Vector-Read"), one(access.Upsert, items), access.Context{Now: noon}
	b.ReportAllocs()
	for b.Loop() {
		p.Decide(ana, op, about)
	}
}

func BenchmarkDecideTwoAccesses(b *testing.B) {
	p := quickstartPolicy(b)
	ana, about := person("ana", "Vector-Read"), access.Context{Now: noon}
	op := &access.Operation{Accesses: []access.Access{{Action: access.Search, Resource: items}, {Action: access.Fetch, Resource: items}}}
	b.ReportAllocs()
	for b.Loop() {
		p.Decide(ana, op, about)
	}
}

func BenchmarkNewSubject(b *testing.B) {
	p := quickstartPolicy(b)
	op, about := one(access.Search, items), access.Context{Now: noon}
	b.ReportAllocs()
	for b.Loop() {
		p.Decide(person("ana", "Vector-Read"), op, about)
	}
}
