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
		if !Pattern("**").Match(r) {
			t.Errorf("** does not match %v", r)
		}
	})
}
