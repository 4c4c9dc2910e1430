package policy

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/access"
)

// gravity orders effects.
var gravity = map[access.Effect]int{access.Allow: 0, access.Hold: 1, access.Deny: 2}

// dice makes random statements that are often about the same things.
type dice struct{ *rand.Rand }

func (d dice) pick(from ...string) string { return from[d.IntN(len(from))] }

func (d dice) who() string {
	return d.pick("anyone", "{groups: [A]}", "{groups: [A, B]}", "{groups: [B], kind: person}", "{kind: workload}", `{id: "corp:a*"}`, "{groups: [A], except: {groups: [B]}}", "{persons: [ana]}")
}

func (d dice) can() string {
	return d.pick("[search]", "[search, upsert]", "[upsert]", "[schema.drop, search]", `["*"]`, `["schema.*", upsert]`, "[unknown, search]")
}

func (d dice) on() string {
	return d.pick(`["**"]`, "[products/**]", "[products/public/items]", `["products/*/items"]`, "[other/**]", "[products/public/**, other/**]")
}

func (d dice) when() string {
	return d.pick("", "", "", ", when: access.rows < 10", ", when: subject.claims.x == 1", ", when: context.ticket != ''", `, when: access.namespace == "public"`)
}

func (d dice) after() string {
	return d.pick("", "", ", after: {ticket: reviewed}", ", after: {approval: {by: {groups: [V]}}}", ", after: {approval: {by: {groups: [V, W]}, persons: 2}}")
}

// policy writes a random policy that has no faults, with its statements apart so that one can be added.
func (d dice) policy(t *testing.T) (string, *Policy) { return d.policyOf(t, d.can, d.on) }

// policyOf is policy with actions and resources of the caller's choice.
func (d dice) policyOf(t *testing.T, can, on func() string) (string, *Policy) {
	for range 1000 {
		var b strings.Builder
		b.WriteString("allow:\n")
		for i := range 1 + d.IntN(4) {
			fmt.Fprintf(&b, "  - {name: a%d, who: %s, can: %s, on: %s%s%s}\n", i, d.who(), can(), on(), d.when(), d.after())
		}
		b.WriteString("deny:\n")
		for i := range d.IntN(2) {
			fmt.Fprintf(&b, "  - {name: d%d, who: %s, can: %s, on: %s%s}\n", i, d.who(), can(), on(), d.when())
		}
		text := b.String()
		if strings.HasSuffix(text, "deny:\n") {
			text = strings.TrimSuffix(text, "deny:\n") + "deny: []\n"
		}
		if p, err := Parse("policy.yaml", []byte(text), Options{Tickets: reviewedTickets{"T": "reviewed"}}); err == nil {
			return text, p
		}
	}
	t.Fatal("no random policy is free of faults")
	return "", nil
}

// questions are operations of several subjects.
func (d dice) question() (*access.Subject, *access.Operation, access.Context) {
	s := person(d.pick("ana", "bo"))
	for _, g := range []string{"A", "B"} {
		if d.IntN(2) == 0 {
			s.Groups = append(s.Groups, g)
		}
	}
	if d.IntN(4) == 0 {
		s.Kind = access.Workload
	}
	if d.IntN(4) == 0 {
		s.Claims = map[string]any{"x": int64(d.IntN(2))}
	}
	op := &access.Operation{}
	for range 1 + d.IntN(2) {
		op.Accesses = append(op.Accesses, access.Access{
			Action:     access.Action(d.pick("search", "upsert", "schema.drop", "unknown", "code.exec")),
			Resource:   access.Resource{Target: d.pick("products", "products", "other"), Namespace: d.pick("public", "x"), Collection: d.pick("items", "y")},
			Attributes: access.Attributes{Rows: int64(d.IntN(20) - 1)},
		})
	}
	if d.IntN(8) == 0 {
		op.Unclear = "?"
	}
	about := access.Context{Now: noon, Ticket: d.pick("", "T")}
	return s, op, about
}

func TestAddingADenyNeverWidens(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(1, 2))}
	narrowed, compared := 0, 0
	for range 150 {
		text, before := d.policy(t)
		extra := fmt.Sprintf("deny:\n  - {name: extra, who: %s, can: %s, on: %s%s}\n", d.who(), d.can(), d.on(), d.when())
		var grown string
		if strings.Contains(text, "deny: []\n") {
			grown = strings.Replace(text, "deny: []\n", extra, 1)
		} else {
			grown = strings.Replace(text, "deny:\n", extra, 1)
		}
		after, err := Parse("policy.yaml", []byte(grown), Options{Tickets: reviewedTickets{"T": "reviewed"}})
		if err != nil {
			continue // the extra statement makes another one unreachable: a fault, not a decision
		}
		for range 60 {
			s, op, about := d.question()
			was, is := before.Decide(s, op, about).Effect, after.Decide(s, op, about).Effect
			compared++
			if gravity[is] < gravity[was] {
				t.Fatalf("a deny turned %s into %s\n%s\n%+v\n%+v", was, is, grown, s, op)
			}
			if gravity[is] > gravity[was] {
				narrowed++
			}
		}
	}
	if compared < 1000 || narrowed < 50 {
		t.Errorf("compared %d decisions, of which %d became narrower: too few to mean anything", compared, narrowed)
	}
}

func TestMoreAccessesNeverWiden(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(3, 4))}
	for range 150 {
		text, p := d.policy(t)
		for range 60 {
			s, op, about := d.question()
			whole := p.Decide(s, op, about).Effect
			for i := range op.Accesses {
				part := &access.Operation{Accesses: op.Accesses[i : i+1]}
				if e := p.Decide(s, part, about).Effect; gravity[e] > gravity[whole] {
					t.Fatalf("part %d is %s, the whole is %s\n%s\n%+v\n%+v", i, e, whole, text, s, op)
				}
			}
		}
	}
}

func TestWhatIsKeptDecidesAsWhatIsWorkedOutAnew(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(5, 6))}
	for range 100 {
		text, p := d.policy(t)
		again, err := Parse("policy.yaml", []byte(text), Options{Tickets: reviewedTickets{"T": "reviewed"}})
		if err != nil {
			t.Fatal(err)
		}
		for range 60 {
			s, op, about := d.question()
			first, second := p.Decide(s, op, about), p.Decide(s, op, about)
			fresh := *s
			third := again.Decide(&fresh, op, about)
			if first.Effect != second.Effect || first.Reason != second.Reason || first.Effect != third.Effect || first.Reason != third.Reason {
				t.Fatalf("decided %+v, then %+v, anew %+v\n%s", first, second, third, text)
			}
		}
	}
}

// rank orders decisions: the effect, then how many persons must release what is held.
func rank(d access.Decision) int {
	n := gravity[d.Effect] * 100
	if d.Effect == access.Hold {
		n += d.Hold.Persons
	}
	return n
}

// A hold of a part counts for the whole: nobody drops, empties or exports as a whole what they may not in its parts. What no
// rule allows in a part is no hold: that the whole is allowed says that it may be taken.
func TestAWholeNeverAsksLessThanTheStrictestOfItsParts(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(7, 8))}
	stricter, equal := 0, 0
	for range 200 {
		text, p := d.policyOf(t, func() string {
			return d.pick("[schema.drop]", "[schema.drop, export]", "[tenant.drop]", "[tenant.drop, schema.drop]", `["*"]`, "[export]")
		}, func() string {
			return d.pick(`["**"]`, "[products]", "[products/public]", "[products/public/items]", "[products/public/*]", "[products/*/items]", "[products/**]", `["*/public/**"]`, "[products/x, products/public/it*]")
		})
		for range 20 {
			s, op, about := d.question()
			action := access.Action(d.pick("schema.drop", "tenant.drop", "export"))
			whole := access.Resource{Target: "products", Namespace: d.pick("", "public", "x")}
			op = &access.Operation{Accesses: []access.Access{{Action: action, Resource: whole, Attributes: op.Accesses[0].Attributes}}}
			took := p.Decide(s, op, about)
			for _, ns := range []string{"public", "x"} {
				for _, coll := range []string{"", "items", "y"} {
					at := access.Resource{Target: "products", Namespace: ns, Collection: coll}
					if whole.Namespace != "" && (ns != whole.Namespace || coll == "") {
						continue
					}
					for _, a := range comesTo(action) {
						one := op.Accesses[0]
						one.Action, one.Resource = a, at
						part := p.Decide(s, &access.Operation{Accesses: []access.Access{one}}, about)
						if part.Reason.Code == access.CodeNoRule {
							continue
						}
						if rank(took) < rank(part) {
							t.Fatalf("%s of %s is %s (%s), and %s of all of %s %s (%s)\n%s\n%+v\n%+v", a, at, part.Effect, part.Reason.Sentence, action, whole, took.Effect, took.Reason.Sentence, text, s, one)
						}
						if part.Effect == access.Hold && took.Effect == access.Hold {
							for _, g := range took.Hold.Groups {
								if !containsText(part.Hold.Groups, g) {
									t.Fatalf("%s may release %s and not %s\n%s", g, whole, at, text)
								}
							}
						}
						if rank(took) == rank(part) && part.Effect == access.Hold {
							equal++
						}
						if took.Effect == access.Hold && part.Effect == access.Allow {
							stricter++
						}
					}
				}
			}
		}
	}
	if stricter < 20 || equal < 100 {
		t.Errorf("%d parts were held as their whole was, %d asked less: too few to mean anything", equal, stricter)
	}
}
