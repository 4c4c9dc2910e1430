package qdrant

import (
	"slices"
	"strings"

	pb "github.com/qdrant/go-client/qdrant"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
)

// The readers of restquery.go for the other door: every function reads a message where its namesake reads a document.

type limitOf interface{ ~uint32 | ~uint64 }

// rpcLimit reads a limit and makes it explicit.
func rpcLimit[N limitOf](at **N, usual int64) (int64, error) {
	if *at == nil {
		n := N(usual)
		*at = &n
	}
	return wholeNumber(uint64(**at))
}

func wholeNumber(n uint64) (int64, error) {
	if n > 1<<32 {
		return 0, unclear("a number of it is too large")
	}
	return int64(n), nil
}

// rpcShows reads what an answer is to hold.
func (p *part) rpcShows(payload *pb.WithPayloadSelector, vectors **pb.WithVectorsSelector, usual bool) (err error) {
	p.show = &show{all: usual}
	if err := p.show.rpcPayload(payload); err != nil {
		return err
	}
	p.edit.vectors, err = p.show.rpcVectors(vectors)
	return err
}

func (s *show) rpcPayload(m *pb.WithPayloadSelector) error {
	if m == nil {
		return nil
	}
	s.all = false
	switch o := m.GetSelectorOptions().(type) {
	case *pb.WithPayloadSelector_Enable:
		s.all = o.Enable
	case *pb.WithPayloadSelector_Exclude:
		s.all = true
	case *pb.WithPayloadSelector_Include:
		for _, key := range o.Include.GetFields() {
			f, err := rpcKey(key, "")
			if err != nil {
				return err
			}
			s.fields = append(s.fields, f)
		}
	default:
		return unclear("its with_payload is not of a known form")
	}
	return nil
}

func (s *show) rpcVectors(at **pb.WithVectorsSelector) (func(func(string) bool), error) {
	if *at == nil {
		return nil, nil
	}
	none := &pb.WithVectorsSelector{SelectorOptions: &pb.WithVectorsSelector_Enable{}}
	switch o := (*at).GetSelectorOptions().(type) {
	case *pb.WithVectorsSelector_Enable:
		if s.vectors = o.Enable; !s.vectors {
			return nil, nil
		}
		return func(keep func(string) bool) {
			if !keep("") {
				*at = none
			}
		}, nil
	case *pb.WithVectorsSelector_Include:
		names := o.Include.GetNames()
		s.vectors = len(names) > 0
		return func(keep func(string) bool) {
			kept := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !keep(name) })
			if len(kept) == len(names) {
				return
			}
			*at = none
			if len(kept) > 0 {
				*at = &pb.WithVectorsSelector{SelectorOptions: &pb.WithVectorsSelector_Include{Include: &pb.VectorsSelector{Names: kept}}}
			}
		}, nil
	}
	return nil, unclear("its with_vectors is not of a known form")
}

func (p *part) rpcFilters(at **pb.Filter) (err error) {
	p.filter, err = readRPCFilter(*at)
	p.edit.narrow = append(p.edit.narrow, narrowFilter(at))
	return err
}

func (p *part) rpcThreshold(at *float32) {
	if at != nil {
		p.edit.thresholds = append(p.edit.thresholds, func() { *at = float32(mask.Round(float64(*at))) })
	}
}

func (p *part) rpcGroups(by string, with *pb.WithLookup) error {
	key, err := rpcKey(by, "")
	if err != nil {
		return err
	}
	p.uses = append(p.uses, use{key, asGroup})
	if with == nil {
		return nil
	}
	l := &lookup{name: with.GetCollection(), show: &show{all: true}}
	if err := l.show.rpcPayload(with.GetWithPayload()); err != nil {
		return err
	}
	if l.edit, err = l.show.rpcVectors(&with.WithVectors); err != nil {
		return err
	}
	p.lookups = append(p.lookups, l)
	p.edit.renames = append(p.edit.renames, func(to string) { with.Collection = to })
	return nil
}

func (p *part) rpcFrom(m *pb.LookupLocation) (*lookup, error) {
	if m == nil {
		return nil, nil
	}
	if m.GetCollectionName() == "" {
		return nil, unclear("its lookup_from names no collection")
	}
	l := &lookup{name: m.GetCollectionName(), vector: m.GetVectorName()}
	p.lookups = append(p.lookups, l)
	p.edit.renames = append(p.edit.renames, func(to string) { m.CollectionName = to })
	return l, nil
}

func (p *part) rpcInput(m *pb.VectorInput, from *lookup) error {
	switch v := m.GetVariant().(type) {
	case *pb.VectorInput_Dense, *pb.VectorInput_Sparse, *pb.VectorInput_MultiDense:
		return nil
	case *pb.VectorInput_Id:
		id, err := rpcID(v.Id)
		p.probe(id, from)
		return err
	case *pb.VectorInput_Document, *pb.VectorInput_Image, *pb.VectorInput_Object:
		p.egress = true
		return nil
	}
	return unclear("a query is neither a vector nor a point's id")
}

func (p *part) rpcInputs(list []*pb.VectorInput, from *lookup) error {
	for _, m := range list {
		if err := p.rpcInput(m, from); err != nil {
			return err
		}
	}
	return nil
}

func (p *part) rpcPairs(list []*pb.ContextInputPair, from *lookup) error {
	for _, m := range list {
		if err := p.rpcInputs([]*pb.VectorInput{m.GetPositive(), m.GetNegative()}, from); err != nil {
			return err
		}
	}
	return nil
}

func (p *part) rpcOrders(m *pb.OrderBy) error {
	key, err := rpcKey(m.GetKey(), "")
	p.uses = append(p.uses, use{key, asOrder})
	return err
}

// rpcQuery reads a query, or that of a prefetch.
func (p *part) rpcQuery(m *pb.Query, using string, at *pb.LookupLocation, threshold *float32, prefetch []*pb.PrefetchQuery, top bool) error {
	from, err := p.rpcFrom(at)
	if err != nil {
		return err
	}
	p.rpcThreshold(threshold)
	for _, sub := range prefetch {
		if err := p.rpcPrefetch(sub); err != nil {
			return err
		}
	}
	bounded := len(prefetch) > 0
	if m == nil {
		if top && !bounded {
			p.action = access.Scroll
		}
		return nil
	}
	scroll, err := p.rpcVariant(m, using, from)
	if scroll && top && !bounded {
		p.action = access.Scroll
	}
	return err
}

func (p *part) rpcVariant(m *pb.Query, using string, from *lookup) (scroll bool, err error) {
	compared := func() { p.searched = append(p.searched, using) }
	switch q := m.GetVariant().(type) {
	case *pb.Query_Nearest:
		compared()
		return false, p.rpcInput(q.Nearest, from)
	case *pb.Query_NearestWithMmr:
		compared()
		return false, p.rpcInput(q.NearestWithMmr.GetNearest(), from)
	case *pb.Query_Recommend:
		compared()
		return false, p.rpcInputs(slices.Concat(q.Recommend.GetPositive(), q.Recommend.GetNegative()), from)
	case *pb.Query_Discover:
		compared()
		if err := p.rpcInput(q.Discover.GetTarget(), from); err != nil {
			return false, err
		}
		return false, p.rpcPairs(q.Discover.GetContext().GetPairs(), from)
	case *pb.Query_Context:
		compared()
		return false, p.rpcPairs(q.Context.GetPairs(), from)
	case *pb.Query_RelevanceFeedback:
		compared()
		p.rescored = true
		if err := p.rpcInput(q.RelevanceFeedback.GetTarget(), from); err != nil {
			return false, err
		}
		for _, item := range q.RelevanceFeedback.GetFeedback() {
			if err := p.rpcInput(item.GetExample(), from); err != nil {
				return false, err
			}
		}
		return false, nil
	case *pb.Query_OrderBy:
		return true, p.rpcOrders(q.OrderBy)
	case *pb.Query_Sample:
		return true, nil
	case *pb.Query_Fusion:
		p.rescored = p.rescored || q.Fusion != pb.Fusion_RRF
		return false, nil
	case *pb.Query_Rrf:
		return false, nil
	case *pb.Query_Formula:
		p.rescored = true
		return false, p.rpcExpression(q.Formula.GetExpression())
	}
	return false, unclear("its query is not of a known form")
}

func (p *part) rpcPrefetch(m *pb.PrefetchQuery) error {
	if _, err := rpcLimit(&m.Limit, usualLimit); err != nil {
		return err
	}
	f, err := readRPCFilter(m.GetFilter())
	if err != nil {
		return err
	}
	p.join(f)
	p.edit.narrow = append(p.edit.narrow, narrowFilter(&m.Filter))
	return p.rpcQuery(m.GetQuery(), m.GetUsing(), m.GetLookupFrom(), m.ScoreThreshold, m.GetPrefetch(), false)
}

func (p *part) rpcExpression(m *pb.Expression) error {
	field := func(key string) error {
		f, err := rpcKey(key, "")
		p.uses = append(p.uses, use{f, asFormula})
		return err
	}
	decay := func(d *pb.DecayParamsExpression) []*pb.Expression {
		if d.GetTarget() == nil {
			return []*pb.Expression{d.GetX()}
		}
		return []*pb.Expression{d.GetX(), d.GetTarget()}
	}
	var all []*pb.Expression
	switch e := m.GetVariant().(type) {
	case *pb.Expression_Constant, *pb.Expression_Datetime:
	case *pb.Expression_Variable:
		if strings.HasPrefix(e.Variable, "$score") {
			return nil
		}
		return field(e.Variable)
	case *pb.Expression_DatetimeKey:
		return field(e.DatetimeKey)
	case *pb.Expression_GeoDistance:
		return field(e.GeoDistance.GetTo())
	case *pb.Expression_Condition:
		f := &filter{}
		_, err := f.rpcCondition(e.Condition, "", false)
		for _, c := range f.uses {
			p.uses = append(p.uses, use{c.field, asFormula})
		}
		return err
	case *pb.Expression_Mult:
		all = e.Mult.GetMult()
	case *pb.Expression_Sum:
		all = e.Sum.GetSum()
	case *pb.Expression_Div:
		all = []*pb.Expression{e.Div.GetLeft(), e.Div.GetRight()}
	case *pb.Expression_Neg:
		all = []*pb.Expression{e.Neg}
	case *pb.Expression_Abs:
		all = []*pb.Expression{e.Abs}
	case *pb.Expression_Sqrt:
		all = []*pb.Expression{e.Sqrt}
	case *pb.Expression_Exp:
		all = []*pb.Expression{e.Exp}
	case *pb.Expression_Log10:
		all = []*pb.Expression{e.Log10}
	case *pb.Expression_Ln:
		all = []*pb.Expression{e.Ln}
	case *pb.Expression_Pow:
		all = []*pb.Expression{e.Pow.GetBase(), e.Pow.GetExponent()}
	case *pb.Expression_ExpDecay:
		all = decay(e.ExpDecay)
	case *pb.Expression_GaussDecay:
		all = decay(e.GaussDecay)
	case *pb.Expression_LinDecay:
		all = decay(e.LinDecay)
	default:
		return unclear("its formula has an expression that is not known")
	}
	for _, sub := range all {
		if err := p.rpcExpression(sub); err != nil {
			return err
		}
	}
	return nil
}
