package policy

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sort"
	"strings"
	"sync"

	"github.com/vecgate/vecgate/internal/access"
)

// byDefault is the rule that is named when vectors are withheld because no statement speaks about them.
const byDefault = "vectors-are-withheld-by-default"

// maskRank orders masks, the strictest first.
var maskRank = map[access.Mask]int{
	access.MaskDrop: 0, access.MaskNull: 1, access.MaskRedact: 2, access.MaskHash: 3, access.MaskPartial: 4,
}

// guard is the protection of the subject on a target. With conditional statements it is made from those that hold.
func (v *view) guard(target string, holding []*rule) *access.Protection {
	if len(holding) == 0 {
		if kept := v.guards.Load(); kept != nil {
			if g, ok := (*kept)[target]; ok {
				return g
			}
		}
	}
	g := v.policy.protections.intern(v.build(target, holding))
	if len(holding) > 0 {
		return g
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	next := map[string]*access.Protection{}
	if kept := v.guards.Load(); kept != nil && len(*kept) < 64 {
		for k, old := range *kept {
			next[k] = old
		}
	}
	next[target] = g
	v.guards.Store(&next)
	return g
}

// build lists the field and vector rules that apply, the strictest first.
func (v *view) build(target string, holding []*rule) *access.Protection {
	var fields []access.FieldRule
	var withheld, granted []access.VectorRule
	for _, r := range v.protects {
		if r.when != nil && !contains(holding, r) {
			continue
		}
		for _, f := range r.protect.fields {
			resource, _ := splitField(f)
			if onTarget([]access.Pattern{access.Pattern(resource)}, target) {
				fields = append(fields, access.FieldRule{Pattern: f, Treatment: r.protect.treat})
			}
		}
		for _, on := range r.on {
			if !onTarget([]access.Pattern{on}, target) {
				continue
			}
			switch r.protect.vectors {
			case "withhold":
				withheld = append(withheld, access.VectorRule{Pattern: on, Treatment: vectorTreatment(r.protect.treat)})
			case "allow":
				granted = append(granted, access.VectorRule{Pattern: on})
			}
		}
	}
	for _, r := range v.spared {
		if r.when != nil {
			continue // it might not be in force, and then it spares nobody
		}
		for _, on := range r.on {
			if onTarget([]access.Pattern{on}, target) {
				granted = append(granted, access.VectorRule{Pattern: on})
			}
		}
	}
	return &access.Protection{Fields: strictestFirst(fields), Vectors: vectorRules(withheld, granted)}
}

func contains(rules []*rule, r *rule) bool {
	for _, o := range rules {
		if o == r {
			return true
		}
	}
	return false
}

func vectorTreatment(t access.Treatment) access.Treatment {
	if t.Mask == access.MaskRedact {
		t.Mask = access.MaskNull
	}
	if t.Predicates == "" {
		t.Predicates = "knn"
	}
	if t.Distance == "" {
		t.Distance = "round"
	}
	if t.Derived == "" {
		t.Derived = "deny"
	}
	return t
}

// vectorRules orders what was said about vectors: what is withheld, then what is granted, then the default, which
// withholds all the rest. A grant never opens what another statement withholds.
func vectorRules(withheld, granted []access.VectorRule) []access.VectorRule {
	sort.SliceStable(withheld, func(i, j int) bool { return stricter(withheld[i].Treatment, withheld[j].Treatment) })
	for i := range withheld {
		for j := i + 1; j < len(withheld); j++ {
			if patternsMeet(string(withheld[i].Pattern), string(withheld[j].Pattern)) {
				withheld[i].Treatment = withheld[i].Treatment.Tighten(withheld[j].Treatment)
			}
		}
	}
	for _, g := range granted {
		if len(withheld) == 0 && g.Pattern == "**" {
			return nil
		}
	}
	rules := append(withheld, granted...)
	return append(rules, access.VectorRule{
		Pattern: "**", Treatment: access.Treatment{Mask: access.MaskNull, Rule: byDefault, Predicates: "knn", Derived: "deny", Distance: "round"},
	})
}

// strictestFirst orders field rules so that the first that matches hides most.
func strictestFirst(fields []access.FieldRule) []access.FieldRule {
	sort.SliceStable(fields, func(i, j int) bool { return stricter(fields[i].Treatment, fields[j].Treatment) })
	return fields
}

func stricter(a, b access.Treatment) bool { return maskRank[a.Mask] < maskRank[b.Mask] }

// interned keeps one pointer per protection.
type interned struct {
	mu  sync.Mutex
	all map[[sha256.Size]byte]*access.Protection
}

// maxInterned bounds the protections that are kept; past it, equal ones get new pointers, which costs speed only.
const maxInterned = 4096

// intern returns the one pointer for protections equal to g, nil for one that hides nothing.
func (n *interned) intern(g *access.Protection) *access.Protection {
	if g.Empty() {
		return nil
	}
	var b strings.Builder
	for _, f := range g.Fields {
		fmt.Fprintf(&b, "field %q %q\n", f.Pattern, f.Treatment)
	}
	for _, r := range g.Vectors {
		fmt.Fprintf(&b, "vector %q %q\n", r.Pattern, r.Treatment)
	}
	key := sha256.Sum256([]byte(b.String()))
	n.mu.Lock()
	defer n.mu.Unlock()
	if old := n.all[key]; old != nil {
		return old
	}
	g.ID = binary.BigEndian.Uint64(key[:8])
	if n.all == nil {
		n.all = map[[sha256.Size]byte]*access.Protection{}
	}
	if len(n.all) < maxInterned {
		n.all[key] = g
	}
	return g
}
