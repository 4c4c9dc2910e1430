package access

import "testing"

func TestPatternsMatchWholeSegmentsOnly(t *testing.T) {
	items := Resource{"products", "public", "items"}
	for _, c := range []struct {
		pattern Pattern
		r       Resource
		want    bool
	}{
		{"products/**", items, true},
		{"products/**", Resource{Target: "products"}, true},
		{"**", items, true},
		{"products/public/items", items, true},
		{"products/public/it*", items, true},
		{"products/*/items", items, true},
		{"*/*/*", items, true},
		{"products/public", items, false},
		{"products", items, false},
		{"products/*", items, false},
		{"products/public/items", Resource{Target: "products", Namespace: "public"}, false},
		{"products/public/items", Resource{Target: "products"}, false},
		{"product/**", items, false},
		{"products/public/ITEMS", items, false},
		{"", items, false},
	} {
		if got := c.pattern.Match(c.r); got != c.want {
			t.Errorf("Pattern(%q).Match(%v) = %v, want %v", c.pattern, c.r, got, c.want)
		}
	}
}

func TestFieldPatterns(t *testing.T) {
	customers := Resource{"products", "public", "customers"}
	for _, c := range []struct {
		pattern FieldPattern
		field   string
		want    bool
	}{
		{"products/public/customers.email", "email", true},
		{"**.email", "email", true},
		{"**.phone", "email", false},
		{"products/public/customers.*", "ssn", true},
		{"products/public/items.email", "email", false},
		{"products/public/customers.meta.email", "meta.email", true},
		{"products/public/customers", "email", false},
	} {
		if got := c.pattern.Match(customers, c.field); got != c.want {
			t.Errorf("FieldPattern(%q).Match(%q) = %v, want %v", c.pattern, c.field, got, c.want)
		}
	}
}

func TestAFieldOfACollectionWithDotsInItsNameIsMatched(t *testing.T) {
	dotted := Resource{"docs", "t:d", "my.customers"}
	for _, c := range []struct {
		pattern FieldPattern
		field   string
		want    bool
	}{
		{"docs/t:d/my.customers.email", "email", true},
		{"docs/t:d/my.customers.meta.email", "meta.email", true},
		{"docs/t:d/my.customers.*", "x", true},
		{"docs/t:d/*.email", "email", true},
		{"docs/t:d/my.customers.email", "city", false},
		{"docs/t:d/my.suppliers.email", "email", false},
	} {
		if got := c.pattern.Match(dotted, c.field); got != c.want {
			t.Errorf("FieldPattern(%q).Match(%q) = %v, want %v", c.pattern, c.field, got, c.want)
		}
	}
}

func TestAPatternReachesWhatHoldsWhatItMatches(t *testing.T) {
	for _, c := range []struct {
		pattern Pattern
		r       Resource
		want    bool
	}{
		{"docs/t/x", Resource{"docs", "t", "x"}, true},
		{"docs/t/x", Resource{"docs", "t", "y"}, false},
		{"docs/t/x", Resource{Target: "docs", Namespace: "t"}, true},
		{"docs/t/x", Resource{Target: "docs", Namespace: "u"}, false},
		{"docs/t/x", Resource{Target: "docs"}, true},
		{"docs/t/x", Resource{Target: "other"}, false},
		{"docs/**", Resource{Target: "docs", Namespace: "t"}, true},
		{"docs", Resource{"docs", "t", "x"}, false},
		{"docs/t", Resource{"docs", "t", "x"}, false},
		{"docs/t/**", Resource{"docs", "t", "x"}, true},
		{"*/*/x", Resource{"docs", "t", "x"}, true},
		{"**", Resource{}, true},
	} {
		if got := c.pattern.Reaches(c.r); got != c.want {
			t.Errorf("Pattern(%q).Reaches(%v) = %v, want %v", c.pattern, c.r, got, c.want)
		}
	}
}

func TestWhoCannotFilterRefuses(t *testing.T) {
	o := &Obligations{Filters: []FilterRule{{Pattern: "docs/t/x", Field: "tenant", Values: []string{"acme"}, Rule: "own-tenant"}}}
	in := Resource{"docs", "t", "x"}
	for _, c := range []struct {
		access  Access
		refused bool
	}{
		{Access{Action: Search, Resource: in}, true},
		{Access{Action: Count, Resource: in}, true},
		{Access{Action: DeleteAll, Resource: in}, true},
		{Access{Action: SchemaDrop, Resource: in}, true},
		{Access{Action: TenantDrop, Resource: Resource{Target: "docs", Namespace: "t"}}, true},
		{Access{Action: Unknown, Resource: Resource{Target: "docs"}}, true},
		{Access{Action: Search, Resource: Resource{"docs", "t", "y"}}, false},
		{Access{Action: SchemaRead, Resource: in}, false},
		{Access{Action: SchemaList, Resource: Resource{Target: "docs", Namespace: "t"}}, false},
	} {
		refusal := o.Unfiltered(&Operation{Accesses: []Access{{Action: SchemaRead, Resource: in}, c.access}})
		if (refusal != nil) != c.refused {
			t.Errorf("%s on %s: %v, want refused %v", c.access.Action, c.access.Resource, refusal, c.refused)
		}
		if refusal != nil && (refusal.Code != CodeObligation || refusal.Rule != "own-tenant") {
			t.Errorf("%s on %s: %+v", c.access.Action, c.access.Resource, refusal)
		}
	}
	if refusal := o.Unfiltered(&Operation{Unclear: "?", Accesses: []Access{{Action: SchemaRead, Resource: in}}}); refusal == nil {
		t.Error("what could not be read is not refused")
	}
	if refusal := (&Obligations{}).Unfiltered(&Operation{Accesses: []Access{{Action: Search, Resource: in}}}); refusal != nil {
		t.Errorf("without a filter: %v", refusal)
	}
	for _, a := range Actions() {
		if a.Writes() && !a.ReachesPoints() && a != SchemaCreate && a != IndexCreate && a != IndexRebuild && a != TenantCreate {
			t.Errorf("%s changes something, yet no filter concerns it", a)
		}
	}
}

func TestEveryUnknownActionWeighsAsUnknown(t *testing.T) {
	if Action("serach").Known() || Action("serach").Weight() != Unknown.Weight() || !Action("serach").Writes() {
		t.Error("an action outside the vocabulary is not treated as able to do anything")
	}
	for _, a := range Actions() {
		if !a.Known() {
			t.Errorf("%s is listed but not known", a)
		}
	}
}

func TestReadsDoNotWriteAndWritesDo(t *testing.T) {
	for _, a := range []Action{Search, Fetch, Scroll, Export, Count, Aggregate, SchemaRead, SessionSet, Connect} {
		if a.Writes() {
			t.Errorf("%s writes", a)
		}
	}
	for _, a := range []Action{Insert, Upsert, Update, Delete, DeleteAll, SchemaDrop, SnapshotRestore, CodeExec, IAMWrite, Import} {
		if !a.Writes() {
			t.Errorf("%s does not write", a)
		}
	}
}

func TestProtectionTakesTheFirstRuleThatMatches(t *testing.T) {
	customers := Resource{"products", "public", "customers"}
	p := &Protection{
		Fields:  []FieldRule{{"**.email", Treatment{Mask: MaskRedact, Rule: "a"}}, {"**.email", Treatment{Mask: MaskPartial, Rule: "b"}}},
		Vectors: []VectorRule{{"products/**", Treatment{Mask: MaskNull, Rule: "v"}}},
	}
	if got := p.Field(customers, "email", false); got.Rule != "a" {
		t.Errorf("email: rule %q, want a", got.Rule)
	}
	if got := p.Field(customers, "embedding", true); got.Rule != "v" {
		t.Errorf("embedding: rule %q, want v", got.Rule)
	}
	if got := p.Field(customers, "city", false); got.Mask != MaskNone {
		t.Errorf("city: %+v, want nothing", got)
	}
	if got := (*Protection)(nil).Field(customers, "email", false); got.Mask != MaskNone {
		t.Errorf("no protection: %+v", got)
	}
}

func FuzzPatternsNeverPanic(f *testing.F) {
	f.Add("products/**", "products", "public", "items")
	f.Fuzz(func(t *testing.T, pattern, a, b, c string) {
		r := Resource{a, b, c}
		Pattern(pattern).Match(r)
		FieldPattern(pattern).Match(r, c)
		if Pattern(pattern).Match(r) && !Pattern(pattern).Reaches(r) {
			t.Errorf("%q matches %v and does not reach it", pattern, r)
		}
		if !Pattern("**").Match(r) {
			t.Errorf("** does not match %v", r)
		}
	})
}
