package weaviate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
)

// The fields of an object that are not its properties, as policy names them.
const (
	fieldID      = "id"
	fieldVector  = "vector"
	fieldCreated = "creationTimeUnix"
	fieldUpdated = "lastUpdateTimeUnix"
)

// internal are the names that conditions and orders give to those fields.
var internal = map[string]string{
	"id": fieldID, "_id": fieldID, "_creationTimeUnix": fieldCreated, "_lastUpdateTimeUnix": fieldUpdated,
}

// place is a field of a collection.
type place struct {
	at    access.Resource
	field string
}

// condition is one field's part in deciding which objects are meant.
type condition struct {
	place
	equality bool // the field equals a constant, and nothing else could make the object one that is meant
}

// conditions are what a filter looks at.
type conditions struct {
	all     []condition
	present bool
	ids     []string // when the filter names objects by their ids, and nothing else could make another one meant
}

// describe puts the conditions into the attributes of an access.
func (w *conditions) describe(at *access.Attributes) {
	for _, c := range w.all {
		at.FilterFields = append(at.FilterFields, c.field)
	}
	switch {
	case len(w.ids) > 0:
		at.Filter, at.IDs = access.FilterKey, w.ids[:min(len(w.ids), mostIDs)]
	case len(w.all) > 0:
		at.Filter = access.FilterOther
	case w.present:
		at.Filter = access.FilterTrivial
	}
}

// mostIDs is how many ids the record of a request names.
const mostIDs = 256

// oblige refuses conditions on what is hidden: which objects come back would tell the value.
func (w *conditions) oblige(p *access.Protection) error {
	for _, c := range w.all {
		t := treatment(p, c.at, c.field)
		if t.Mask == access.MaskNone || t.Predicates == "allow" || t.Predicates == "equality" && c.equality {
			continue
		}
		return &access.Refusal{
			Code: access.CodeObligation, Rule: t.Rule, Message: "field " + c.field + " of " + c.at.String() + " is hidden, so no condition may be put on it",
			Hint: "leave it out of the filter",
		}
	}
	return nil
}

// treatment is what happens to a property, or to a part of one (address.city).
func treatment(p *access.Protection, at access.Resource, path string) access.Treatment {
	return p.Field(at, path, false)
}

// vectorTreatment is what happens to a vector; the name of the one that has none is empty.
func vectorTreatment(p *access.Protection, at access.Resource, name string) access.Treatment {
	if name == "" {
		name = fieldVector
	}
	return p.Field(at, name, true)
}

// vectorsOf is the strictest of what happens to the vectors of a collection.
func vectorsOf(p *access.Protection, at access.Resource, c *class) access.Treatment {
	found := vectorTreatment(p, at, "")
	for _, name := range c.vectors {
		t := vectorTreatment(p, at, name)
		if found.Mask == access.MaskNone {
			found = t
		}
		if t.Mask != access.MaskNone && strictness[t.Distance] > strictness[found.Distance] {
			found.Distance = t.Distance
		}
		if t.Mask != access.MaskNone && strictness[t.Predicates] > strictness[found.Predicates] {
			found.Predicates = t.Predicates
		}
	}
	return found
}

// strictness orders what a rule says of distances, and of the searches of a vector.
var strictness = map[string]int{"allow": 0, "round": 1, "knn": 1, "": 1, "equality": 2, "deny": 3}

// distances is what happens to the distance from a vector.
func distances(vectors access.Treatment) access.Treatment {
	switch {
	case vectors.Mask == access.MaskNone || vectors.Distance == "allow":
		return access.Treatment{}
	case vectors.Distance == "deny":
		return access.Treatment{Mask: access.MaskNull, Rule: vectors.Rule}
	}
	return access.Treatment{Mask: access.MaskRound, Rule: vectors.Rule}
}

// protects says whether anything of a collection may be hidden.
func protects(p *access.Protection, at access.Resource, c *class) bool {
	return p.Inside(at, "").Mask != access.MaskNone || vectorsOf(p, at, c).Mask != access.MaskNone
}

// refers says how many collections deep a condition may look through references.
const refers = 8

// path reads the path of a condition or an order: a property, or a reference, the collection that it leads to, and so on.
func (r *reading) path(c *class, tenant string, path []string) (place, error) {
	for step := 0; ; step++ {
		if len(path) == 0 || step > refers {
			return place{}, unclear("the path of a condition is empty, or too long")
		}
		at, name := r.of(c, tenant), path[0]
		if field, ok := internal[name]; ok && len(path) == 1 {
			return place{at, field}, nil
		}
		if inner, ok := strings.CutPrefix(name, "len("); ok && len(path) == 1 {
			name, ok = strings.CutSuffix(inner, ")")
			if !ok {
				return place{}, unclear("the path of a condition has something that is not a property")
			}
		}
		if !propertyForm.MatchString(name) || name != lower(name) {
			return place{}, unclear("the path of a condition has something that is not a property")
		}
		if len(path) == 1 {
			return place{at, name}, nil
		}
		next, err := r.class(path[1])
		if err != nil {
			return place{}, err
		}
		if len(path) == 2 {
			return place{}, unclear("the path of a condition ends at a collection")
		}
		if next.name != path[1] {
			return place{}, unclear("the path of a condition leads to a collection by another name than its own")
		}
		r.join(next, tenant)
		c, path = next, path[2:]
	}
}

// join notes that another collection is read through a reference.
func (r *reading) join(c *class, tenant string) {
	at := r.of(c, tenant)
	for _, a := range r.accesses {
		if a.Resource == at && a.Attributes.Role == "join" {
			return
		}
	}
	r.does(access.Fetch, at, access.Attributes{Role: "join", Rows: access.Unbounded, Limit: access.Unbounded})
}

// narrow says how an object must be for the obligation's filters: each field must have one of its values. A property on which
// equality does not mean equality cannot keep objects apart.
func narrow(o *access.Obligations, at access.Resource, c *class) ([]access.FilterRule, error) {
	rules := o.FiltersOn(at)
	for _, f := range rules {
		if p, ok := c.properties[f.Field]; !ok || !p.exact {
			return nil, &access.Refusal{
				Code: access.CodeObligation, Rule: f.Rule,
				Message: fmt.Sprintf("%s can only be reached by its field %s, which is not an indexed property of type uuid, or text with tokenization \"field\"", at, f.Field),
				Hint:    "define the property so, or take the filter off",
			}
		}
	}
	return rules, nil
}

// filtered says whether the obligation's filters concern none of what a request does but at the places where they have been
// put on it.
func (r *reading) filtered(o *access.Obligations, at ...access.Resource) bool {
	for _, a := range r.accesses {
		if a.Action.ReachesPoints() && (a.Attributes.Role != "" || !slices.Contains(at, a.Resource)) && len(o.FiltersOn(a.Resource)) > 0 {
			return false
		}
	}
	return true
}

func tooMany(may, asks int64) *access.Refusal {
	return &access.Refusal{
		Code: access.CodeLimit, Message: fmt.Sprintf("a request may return %d objects at most here, and this one asks for %d", may, asks),
		Hint: fmt.Sprintf("ask for a limit of %d or less", may),
	}
}
