package generic

import (
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

// Of a described interface nobody knows which of several vectors a search compares: the strictest rule counts.
func TestTheStrictestOfSeveralVectorsCounts(t *testing.T) {
	rules := func(first, second access.Treatment) access.Obligations {
		first.Mask, second.Mask = access.MaskNull, access.MaskNull
		return access.Obligations{Protection: &access.Protection{Fields: []access.FieldRule{{Pattern: "**.vector", Treatment: first}, {Pattern: "**.sparse.values", Treatment: second}}}}
	}
	for _, x := range []struct {
		first, second access.Treatment
		want          string // the score, or the code of the refusal
	}{
		{access.Treatment{Distance: "round", Predicates: "knn"}, access.Treatment{Distance: "deny", Predicates: "knn"}, `"score":null`},
		{access.Treatment{Distance: "deny", Predicates: "knn"}, access.Treatment{Distance: "allow", Predicates: "knn"}, `"score":null`},
		{access.Treatment{Distance: "allow", Predicates: "knn"}, access.Treatment{Distance: "round", Predicates: "knn"}, `"score":0.12,`},
		{access.Treatment{Predicates: "knn"}, access.Treatment{Predicates: "deny"}, "cannot-be-obliged"},
		{access.Treatment{Predicates: "deny"}, access.Treatment{Predicates: "knn"}, "cannot-be-obliged"},
	} {
		w := protocoltest.Start(t, suite(t))
		w.Oblige(rules(x.first, x.second))
		a := w.Do(t.Context(), protocoltest.Request{Method: "POST", Path: at1 + "/search", Body: `{"vector":[1]}`})
		if got := a.Header.Get("X-Vecgate-Code") + a.Body; !strings.Contains(got, x.want) || x.want != "cannot-be-obliged" && a.Status != 200 {
			t.Errorf("%+v, %+v: %v, want %s", x.first, x.second, a, x.want)
		}
	}
}
