package weaviate

import (
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/hidden"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// selection reads what a Get shows, and says where it will stand in the answer.
type selection struct {
	*reading
	part *part
	at   *access.Attributes
}

// shown makes the mask of a part of the answer.
type shown func(*access.Protection) *jsonstream.Node

// branch is a part of the answer whose members are known.
func branch(members map[string]shown) shown {
	return func(p *access.Protection) *jsonstream.Node {
		n := &jsonstream.Node{Field: none, Fields: map[string]*jsonstream.Node{}}
		for name, m := range members {
			n.Fields[name] = m(p)
		}
		return n
	}
}

func pass(*access.Protection) *jsonstream.Node { return plain }

func items(s shown) shown {
	return func(p *access.Protection) *jsonstream.Node { return &jsonstream.Node{Items: s(p)} }
}

// class reads a selection of an object's properties.
func (s *selection) class(set ast.SelectionSet, of stored, top bool, depth int) (shown, error) {
	all, err := fields(set)
	if err != nil {
		return nil, err
	}
	members := map[string]shown{}
	for _, f := range all {
		var err error
		switch {
		case f.Name == "_additional":
			members[f.Alias], err = s.additional(f, of, top, depth)
		case f.Name == "__typename":
			members[f.Alias], err = pass, bare(f)
		case strings.HasPrefix(f.Name, "_"):
			err = unclear("its query asks for something that is not a property")
		case len(f.Arguments) > 0:
			err = unclear("its query has an argument that is not understood")
		default:
			members[f.Alias], err = s.property(f, of, depth)
		}
		if err != nil {
			return nil, err
		}
	}
	return branch(members), nil
}

// bare checks that a field has neither arguments nor a selection.
func bare(f *ast.Field) error {
	if len(f.Arguments) > 0 || len(f.SelectionSet) > 0 {
		return unclear("its query asks for a part of what has none")
	}
	return nil
}

// property reads a property: a value, an object, or a reference.
func (s *selection) property(f *ast.Field, of stored, depth int) (shown, error) {
	if of.at == s.part.at {
		s.at.Fields = append(s.at.Fields, f.Name)
	}
	links := false
	for _, sel := range f.SelectionSet {
		if _, ok := sel.(*ast.InlineFragment); ok {
			links = true
		}
	}
	if links {
		return s.links(f, of, depth)
	}
	return s.value(f, of, f.Name, depth)
}

// value reads a value, or what is inside of an object.
func (s *selection) value(f *ast.Field, of stored, path string, depth int) (shown, error) {
	if depth > mostDepth {
		return nil, unclear("its query is nested too deep")
	}
	var inside shown
	if len(f.SelectionSet) > 0 {
		all, err := fields(f.SelectionSet)
		if err != nil {
			return nil, err
		}
		members := map[string]shown{}
		for _, inner := range all {
			if len(inner.Arguments) > 0 {
				return nil, unclear("its query has an argument that is not understood")
			}
			if members[inner.Alias], err = s.value(inner, of, path+"."+inner.Name, depth+1); err != nil {
				return nil, err
			}
		}
		inside = branch(members)
	}
	return func(p *access.Protection) *jsonstream.Node {
		n := &jsonstream.Node{Treatment: treatment(p, of.at, path)}
		if inside == nil {
			n.Document = hidden.Of(p, nil, of.at).Document(path)
			n.Items = &jsonstream.Node{Document: n.Document}
		}
		if inside != nil {
			in := inside(p)
			n.Fields, n.Field, n.Items = in.Fields, in.Field, in
		}
		return n
	}, nil
}

// links reads a reference: what is shown of the objects of each collection that it may lead to.
func (s *selection) links(f *ast.Field, of stored, depth int) (shown, error) {
	if depth >= refers {
		return nil, unclear("its query follows references too far")
	}
	var each []shown
	names := map[string]string{}
	for _, sel := range f.SelectionSet {
		fragment, ok := sel.(*ast.InlineFragment)
		if !ok {
			if f, ok := sel.(*ast.Field); ok && f.Name == "__typename" && bare(f) == nil && len(f.Directives) == 0 && names[f.Alias] == "" {
				names[f.Alias] = f.Name
				each = append(each, branch(map[string]shown{f.Alias: pass}))
				continue
			}
			return nil, unclear("its query has a reference of which it does not say the collection")
		}
		if len(fragment.Directives) > 0 {
			return nil, unclear("its query has directives")
		}
		to, err := s.reading.class(fragment.TypeCondition)
		if err != nil {
			return nil, err
		}
		if to.name != fragment.TypeCondition {
			return nil, unclear("its query follows a reference to a collection by another name than its own")
		}
		inner, err := fields(fragment.SelectionSet)
		if err != nil {
			return nil, err
		}
		for _, f := range inner {
			if name, ok := names[f.Alias]; ok && name != f.Name {
				return nil, unclear("its query asks for two things under one name; give them aliases")
			}
			names[f.Alias] = f.Name
		}
		s.join(to, s.part.tenant)
		place := s.of(to, s.part.tenant)
		one, err := s.class(fragment.SelectionSet, stored{place, to}, false, depth+1)
		if err != nil {
			return nil, err
		}
		each = append(each, one)
	}
	return func(p *access.Protection) *jsonstream.Node {
		var all *jsonstream.Node
		for _, one := range each {
			all = merged(all, one(p))
		}
		return &jsonstream.Node{Treatment: treatment(p, of.at, f.Name), Items: all}
	}, nil
}

// merged hides what one of two masks hides.
func merged(a, b *jsonstream.Node) *jsonstream.Node {
	switch {
	case a == nil || a == plain:
		return b
	case b == nil || b == plain || a.Treatment.Mask != access.MaskNone:
		return a
	case b.Treatment.Mask != access.MaskNone:
		return b
	}
	n := &jsonstream.Node{Fields: map[string]*jsonstream.Node{}, Field: a.Field, Items: merged(a.Items, b.Items)}
	if n.Field == nil {
		n.Field = b.Field
	}
	for name, m := range a.Fields {
		n.Fields[name] = m
	}
	for name, m := range b.Fields {
		if have, ok := n.Fields[name]; ok {
			m = merged(have, m)
		}
		n.Fields[name] = m
	}
	return n
}

// additional reads what is asked for besides the properties.
func (s *selection) additional(f *ast.Field, of stored, top bool, depth int) (shown, error) {
	if len(f.Arguments) > 0 {
		return nil, unclear("its query has an argument that is not understood")
	}
	all, err := fields(f.SelectionSet)
	if err != nil {
		return nil, err
	}
	members := map[string]shown{}
	for _, f := range all {
		one, err := s.beside(f, of, top, depth)
		if err != nil {
			return nil, err
		}
		members[f.Alias] = one
	}
	return branch(members), nil
}

func (s *selection) beside(f *ast.Field, of stored, top bool, depth int) (shown, error) {
	of1 := func(p *access.Protection) *objects { return &objects{p: p, all: []stored{of}} }
	switch f.Name {
	case "id":
		return func(p *access.Protection) *jsonstream.Node { return of1(p).id() }, bare(f)
	case "isConsistent":
		return pass, bare(f)
	case fieldCreated, fieldUpdated:
		return func(p *access.Protection) *jsonstream.Node {
			return &jsonstream.Node{Treatment: p.Field(of.at, f.Name, false)}
		}, bare(f)
	case fieldVector:
		s.at.Vectors = true
		return func(p *access.Protection) *jsonstream.Node { return of1(p).vector("") }, bare(f)
	case "vectors":
		s.at.Vectors = true
		all, err := fields(f.SelectionSet)
		if err != nil || len(f.Arguments) > 0 {
			return nil, unclear("its query does not say which vectors it asks for")
		}
		members := map[string]shown{}
		for _, f := range all {
			if err := bare(f); err != nil {
				return nil, err
			}
			members[f.Alias] = func(p *access.Protection) *jsonstream.Node { return of1(p).vector(f.Name) }
		}
		return branch(members), nil
	case "distance", "certainty", "score":
		return s.nearby(of), bare(f)
	case "explainScore":
		return func(p *access.Protection) *jsonstream.Node {
			if protects(p, of.at, of.class) {
				return nothing
			}
			return plain
		}, bare(f)
	}
	if !top {
		return nil, unclear("its query asks for something that is not understood")
	}
	switch f.Name {
	case "group":
		return s.group(f, of, depth)
	case "rerank":
		return pass, s.rerank(f)
	case "generate":
		return pass, s.generate(f)
	}
	return nil, unclear("its query asks for something that is not understood")
}

// nearby is what happens to how near an object is.
func (s *selection) nearby(of stored) shown {
	return func(p *access.Protection) *jsonstream.Node {
		if !s.part.near {
			return plain
		}
		return &jsonstream.Node{Treatment: distances(vectorsOf(p, of.at, of.class))}
	}
}

func (s *selection) group(f *ast.Field, of stored, depth int) (shown, error) {
	all, err := fields(f.SelectionSet)
	if err != nil || len(f.Arguments) > 0 {
		return nil, unclear("its query asks for something of a group that is not understood")
	}
	members := map[string]shown{}
	for _, f := range all {
		switch f.Name {
		case "id", "count":
			members[f.Alias], err = pass, bare(f)
		case "minDistance", "maxDistance":
			members[f.Alias], err = s.nearby(of), bare(f)
		case "groupedBy":
			members[f.Alias], err = s.groupedBy(f)
		case "hits":
			var one shown
			if one, err = s.class(f.SelectionSet, of, false, depth+1); err == nil {
				members[f.Alias] = items(counted(one))
			}
		default:
			err = unclear("its query asks for something of a group that is not understood")
		}
		if err != nil {
			return nil, err
		}
	}
	return branch(members), nil
}

// counted counts what it masks.
func counted(s shown) shown {
	return func(p *access.Protection) *jsonstream.Node {
		n := *s(p)
		n.Count = true
		return &n
	}
}

// groupedBy reads the value that a group has in common.
func (s *selection) groupedBy(f *ast.Field) (shown, error) {
	all, err := fields(f.SelectionSet)
	if err != nil || len(f.Arguments) > 0 {
		return nil, unclear("its query asks for something of a group that is not understood")
	}
	members := map[string]shown{}
	for _, f := range all {
		if err := bare(f); err != nil {
			return nil, err
		}
		switch f.Name {
		case "path":
			members[f.Alias] = pass
		case "value":
			members[f.Alias] = func(p *access.Protection) *jsonstream.Node {
				for _, by := range s.part.groups {
					if t := treatment(p, by.at, by.field); t.Mask != access.MaskNone {
						return &jsonstream.Node{Treatment: t}
					}
				}
				for _, by := range s.part.groups {
					return copied(p, by.at, by.field)
				}
				return plain
			}
		default:
			return nil, unclear("its query asks for something of a group that is not understood")
		}
	}
	return branch(members), nil
}

// rerank reads an order that a service elsewhere makes of a property.
func (s *selection) rerank(f *ast.Field) error {
	for _, a := range f.Arguments {
		v, err := constant(a.Value, 0)
		if err != nil {
			return err
		}
		text, ok := v.Text()
		switch {
		case !ok, a.Name != "property" && a.Name != "query":
			return unclear("its rerank has an argument that is not understood")
		case a.Name == "property":
			s.part.computed = append(s.part.computed, lower(text))
		}
	}
	s.at.Egress = true
	all, err := fields(f.SelectionSet)
	if err != nil || len(all) != 1 || all[0].Name != "score" {
		return unclear("its rerank asks for something else than the score")
	}
	return bare(all[0])
}

// generate reads what a language model is to be told. Where the model is asked is the server's business alone.
func (s *selection) generate(f *ast.Field) error {
	for _, a := range f.Arguments {
		v, err := constant(a.Value, 0)
		if err != nil {
			return err
		}
		form, ok := map[string]string{"singleResult": "prompt", "groupedResult": "task properties"}[a.Name]
		if !ok {
			return unclear("its generate has an argument that is not understood")
		}
		if err := members(v, form, "its "+a.Name); err != nil {
			return err
		}
	}
	s.at.Egress, s.part.generates = true, true
	all, err := fields(f.SelectionSet)
	if err != nil {
		return err
	}
	for _, f := range all {
		if f.Name != "singleResult" && f.Name != "groupedResult" && f.Name != "error" {
			return unclear("its generate asks for something that is not understood")
		}
		if err := bare(f); err != nil {
			return err
		}
	}
	return nil
}

// aggregations are what can be computed of a property.
var aggregations = map[string]bool{
	"count": true, "type": true, "minimum": true, "maximum": true, "mean": true, "mode": true, "median": true, "sum": true,
	"totalTrue": true, "totalFalse": true, "percentageTrue": true, "percentageFalse": true, "pointingTo": true, "topOccurrences": true,
}

// aggregation reads what an Aggregate shows.
func (r *reading) aggregation(p *part, at *access.Attributes) error {
	at.Limit, at.Rows = p.limit, p.rows
	s := &selection{reading: r, part: p, at: at}
	all, err := fields(p.field.SelectionSet)
	if err != nil {
		return err
	}
	members := map[string]shown{}
	for _, f := range all {
		switch {
		case len(f.Arguments) > 0:
			err = unclear("its query has an argument that is not understood")
		case f.Name == "meta":
			inner, ferr := fields(f.SelectionSet)
			if ferr != nil || len(inner) != 1 || inner[0].Name != "count" || bare(inner[0]) != nil {
				return unclear("its query asks for something of meta that is not understood")
			}
			members[f.Alias] = pass
		case f.Name == "groupedBy":
			members[f.Alias], err = s.groupedBy(f)
		case strings.HasPrefix(f.Name, "_"):
			err = unclear("its query asks for something that is not a property")
		default:
			at.Fields = append(at.Fields, f.Name)
			p.aggregated = append(p.aggregated, f.Name)
			members[f.Alias], err = s.computed(f)
		}
		if err != nil {
			return err
		}
	}
	p.answer = branch(members)
	return nil
}

// computed reads what is computed of a property.
func (s *selection) computed(f *ast.Field) (shown, error) {
	all, err := fields(f.SelectionSet)
	if err != nil {
		return nil, err
	}
	for _, inner := range all {
		if !aggregations[inner.Name] {
			return nil, unclear("its query asks for an aggregation that is not understood")
		}
		if inner.Name != "topOccurrences" {
			if err := bare(inner); err != nil {
				return nil, err
			}
			continue
		}
		for _, a := range inner.Arguments {
			if a.Name != "limit" || a.Value.Kind != ast.IntValue {
				return nil, unclear("its query has an argument that is not understood")
			}
		}
		parts, err := fields(inner.SelectionSet)
		if err != nil {
			return nil, err
		}
		for _, part := range parts {
			if part.Name != "value" && part.Name != "occurs" || bare(part) != nil {
				return nil, unclear("its query asks for an aggregation that is not understood")
			}
		}
	}
	return func(p *access.Protection) *jsonstream.Node {
		if t := treatment(p, s.part.at, f.Name); t.Mask != access.MaskNone {
			return nothing // allowed to be computed, and shown as null
		}
		return copied(p, s.part.at, f.Name)
	}, nil
}
