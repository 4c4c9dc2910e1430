package weaviate

import (
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	pb "github.com/vecgate/vecgate/internal/protocol/weaviate/weaviatepb"
)

// filters reads a filter as gRPC writes it.
func (r *reading) filters(f *pb.Filters, c *class, tenant string) (*conditions, error) {
	w := &conditions{}
	if f == nil {
		return w, nil
	}
	w.present = true
	return w, r.filterClause(w, f, c, tenant, true)
}

// filterClause reads a part of a filter. top says that no object is meant that does not pass it.
func (r *reading) filterClause(w *conditions, f *pb.Filters, c *class, tenant string, top bool) error {
	switch f.GetOperator() {
	case pb.Filters_OPERATOR_AND, pb.Filters_OPERATOR_OR, pb.Filters_OPERATOR_NOT:
		if len(f.GetFilters()) == 0 || len(f.GetOn()) > 0 || f.GetTestValue() != nil || f.GetTarget() != nil {
			return unclear("a filter has no operands, or a value besides them")
		}
		and := f.GetOperator() == pb.Filters_OPERATOR_AND || f.GetOperator() == pb.Filters_OPERATOR_OR && len(f.GetFilters()) == 1
		for _, operand := range f.GetFilters() {
			if err := r.filterClause(w, operand, c, tenant, top && and); err != nil {
				return err
			}
		}
		return nil
	case pb.Filters_OPERATOR_UNSPECIFIED:
		return unclear("a filter has no operator")
	}
	if _, known := pb.Filters_Operator_name[int32(f.GetOperator())]; !known {
		return unclear("a filter has an operator that is not known")
	}
	if len(f.GetFilters()) > 0 || f.GetTestValue() == nil || (len(f.GetOn()) > 0) == (f.GetTarget() != nil) {
		return unclear("a filter does not compare one property with one value")
	}
	path := f.GetOn()
	if t := f.GetTarget(); t != nil {
		var err error
		if path, err = r.targetPath(t, c, 0); err != nil {
			return err
		}
	}
	on, err := r.path(c, tenant, path)
	if err != nil {
		return err
	}
	whole := len(path) == 1 && !strings.HasPrefix(path[0], "len(")
	w.all = append(w.all, condition{on, top && whole && f.GetOperator() == pb.Filters_OPERATOR_EQUAL})
	if top && len(path) == 1 && on.field == fieldID {
		switch f.GetOperator() {
		case pb.Filters_OPERATOR_EQUAL:
			w.ids = append(w.ids, f.GetValueText())
		case pb.Filters_OPERATOR_CONTAINS_ANY:
			w.ids = append(w.ids, f.GetValueTextArray().GetValues()...)
		}
	}
	return nil
}

// targetPath is the path of a condition: where a reference leads to one collection only, that is looked up.
func (r *reading) targetPath(t *pb.FilterTarget, c *class, depth int) ([]string, error) {
	if depth > refers {
		return nil, unclear("the path of a condition is too long")
	}
	var property, to string
	var next *pb.FilterTarget
	switch t := t.GetTarget().(type) {
	case *pb.FilterTarget_Property:
		return []string{t.Property}, nil
	case *pb.FilterTarget_Count:
		return []string{lower(t.Count.GetOn())}, nil
	case *pb.FilterTarget_SingleTarget:
		property, next = lower(t.SingleTarget.GetOn()), t.SingleTarget.GetTarget()
		var err error
		if c, err = r.with(c, property); err != nil {
			return nil, err
		}
		if p, ok := c.properties[property]; ok && len(p.targets) == 1 {
			to = p.targets[0]
		}
	case *pb.FilterTarget_MultiTarget:
		property, next, to = lower(t.MultiTarget.GetOn()), t.MultiTarget.GetTarget(), t.MultiTarget.GetTargetCollection()
	}
	if to == "" || next == nil {
		return nil, unclear("a condition does not say to which collection its reference leads")
	}
	through, err := r.class(to)
	if err != nil {
		return nil, err
	}
	rest, err := r.targetPath(next, through, depth+1)
	if err != nil {
		return nil, err
	}
	return append([]string{property, to}, rest...), nil
}

// confinedFilters is a filter with the obligation's own put before it.
func confinedFilters(rules []access.FilterRule, f *pb.Filters) *pb.Filters {
	if len(rules) == 0 {
		return f
	}
	join := func(operator pb.Filters_Operator, operands []*pb.Filters) *pb.Filters {
		if len(operands) == 1 {
			return operands[0]
		}
		return &pb.Filters{Operator: operator, Filters: operands}
	}
	var all []*pb.Filters
	for _, rule := range rules {
		var any []*pb.Filters
		for _, value := range rule.Values {
			any = append(any, &pb.Filters{
				Operator:  pb.Filters_OPERATOR_EQUAL,
				Target:    &pb.FilterTarget{Target: &pb.FilterTarget_Property{Property: rule.Field}},
				TestValue: &pb.Filters_ValueText{ValueText: value},
			})
		}
		all = append(all, join(pb.Filters_OPERATOR_OR, any))
	}
	if f != nil {
		all = append(all, f)
	}
	return join(pb.Filters_OPERATOR_AND, all)
}
