package qdrant

import (
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// Qdrant's own limits, where a request has none.
const (
	usualLimit     = 10
	usualGroup     = 3
	usualSample    = 10
	usualNeighbors = 3
)

// searchMembers are what all forms of search have.
const searchMembers = "filter params limit top offset with_payload with_vector with_vectors score_threshold shard_key"

// The members of the documents of searches, by route and, with an s, of an element of a batch.
const (
	queryMembers     = searchMembers + " prefetch query using lookup_from"
	searchOnly       = searchMembers + " vector"
	recommendMembers = searchMembers + " positive negative strategy using lookup_from"
	discoverMembers  = searchMembers + " target context using lookup_from"
	groupMembers     = " group_by group_size with_lookup"
	scrollMembers    = "offset limit filter with_payload with_vector with_vectors order_by shard_key"
)

// closed refuses members that a document does not have, and gives those with two names the one that is sent on.
func closed(t *tree, members string) error {
	if !t.only(strings.Fields(members)...) {
		return unclear("its document has a member that the operation does not have, or is not an object")
	}
	if err := parameters(t); err != nil {
		return err
	}
	for from, to := range map[string]string{"top": "limit", "with_vectors": "with_vector", "vectors": "vector"} {
		if !t.rename(from, to) {
			return unclear("its document says " + to + " by two names")
		}
	}
	return nil
}

// parameters refuses parameters of a search that are not known: newer ones have filters of their own.
func parameters(t *tree) error {
	if m := t.get("params"); m != nil && !m.only("hnsw_ef", "exact", "quantization", "indexed_only", "acorn") {
		return unclear("its params have a member that is not known")
	}
	return nil
}

// number reads a member that is a whole number; absent says that it is not there.
func number(t *tree, member string, absent int64) (int64, error) {
	m := t.get(member)
	if m == nil {
		return absent, nil
	}
	n, ok := m.value.Int()
	if !ok || n < 0 || n > 1<<32 {
		return 0, unclear("its " + member + " is not a number")
	}
	return n, nil
}

func text(t *tree, member string) (string, error) {
	m := t.get(member)
	if m == nil {
		return "", nil
	}
	s, ok := m.value.Text()
	if !ok {
		return "", unclear("its " + member + " is not a text")
	}
	return s, nil
}

// limits reads limit and offset, and makes the limit explicit.
func (p *part) limits(t *tree, usual int64, paged bool) (err error) {
	if p.limit, err = number(t, "limit", usual); err != nil {
		return err
	}
	if paged {
		if p.offset, err = number(t, "offset", 0); err != nil {
			return err
		}
	}
	t.set("limit", jsonstream.Int(p.limit))
	return nil
}

// shows reads what an answer is to hold.
func (p *part) shows(t *tree, payload bool) error {
	p.show = &show{all: payload}
	if err := p.show.payload(t.get("with_payload")); err != nil {
		return err
	}
	var err error
	p.edit.vectors, err = p.show.vector(t, "with_vector")
	return err
}

func (s *show) payload(t *tree) error {
	switch t.kind() {
	case jsonstream.None:
		return nil
	case jsonstream.Bool:
		s.all, _ = t.value.Bool()
		return nil
	case jsonstream.Object:
		if !t.only("include", "exclude") || t.get("include") != nil && t.get("exclude") != nil {
			return unclear("its with_payload is not of a known form")
		}
		if ex := t.get("exclude"); ex != nil {
			s.all = true
			return nil
		}
		t = t.get("include")
	}
	if t.kind() != jsonstream.Array {
		return unclear("its with_payload is not of a known form")
	}
	s.all = false
	for _, item := range t.items() {
		f, err := field(item)
		if err != nil {
			return err
		}
		s.fields = append(s.fields, f)
	}
	return nil
}

func (s *show) vector(t *tree, member string) (func(func(string) bool), error) {
	v := t.get(member)
	var names []string
	switch v.kind() {
	case jsonstream.None:
		return nil, nil
	case jsonstream.Bool:
		s.vectors, _ = v.value.Bool()
	case jsonstream.Array:
		for item := range v.value.Items() {
			name, ok := item.Text()
			if !ok {
				return nil, unclear("its with_vector is not of a known form")
			}
			names = append(names, name)
		}
		s.vectors = len(names) > 0
	default:
		return nil, unclear("its with_vector is not of a known form")
	}
	if !s.vectors {
		return nil, nil
	}
	return func(keep func(string) bool) {
		if names == nil {
			if !keep("") {
				t.set(member, no)
			}
			return
		}
		var kept []jsonstream.Value
		for _, name := range names {
			if keep(name) {
				kept = append(kept, jsonstream.String(name))
			}
		}
		if len(kept) < len(names) {
			t.set(member, no)
			if len(kept) > 0 {
				t.set(member, jsonstream.List(kept...))
			}
		}
	}, nil
}

// filters reads the filter of a document.
func (p *part) filters(t *tree) (err error) {
	p.filter, err = readFilter(t.get("filter"))
	p.edit.narrow = append(p.edit.narrow, narrowAt(t, "filter"))
	return err
}

// threshold reads a score threshold. Where scores are shown rounded it is rounded as they are, so that trying thresholds
// tells no more of a score than the answers do.
func (p *part) threshold(t *tree) error {
	v := t.get("score_threshold")
	if v == nil {
		return nil
	}
	if v.kind() != jsonstream.Number {
		return unclear("its score_threshold is not a number")
	}
	p.edit.thresholds = append(p.edit.thresholds, func() { t.set("score_threshold", roundNumber(v.value)) })
	return nil
}

// grouped reads what searches by groups have besides.
func (p *part) grouped(t *tree) error {
	by, err := field(t.get("group_by"))
	if err != nil {
		return err
	}
	p.uses = append(p.uses, use{by, asGroup})
	if p.group, err = number(t, "group_size", usualGroup); err != nil {
		return err
	}
	t.set("group_size", jsonstream.Int(p.group))
	w := t.get("with_lookup")
	if w == nil {
		return nil
	}
	l := &lookup{show: &show{all: true}}
	if name, ok := w.value.Text(); ok {
		l.name = name
		p.lookups = append(p.lookups, l)
		p.edit.renames = append(p.edit.renames, func(to string) { t.set("with_lookup", jsonstream.String(to)) })
		return nil
	}
	if !w.only("collection", "with_payload", "with_vectors") {
		return unclear("its with_lookup is not of a known form")
	}
	if l.name, err = text(w, "collection"); err != nil {
		return err
	}
	if err := l.show.payload(w.get("with_payload")); err != nil {
		return err
	}
	if l.edit, err = l.show.vector(w, "with_vectors"); err != nil {
		return err
	}
	p.lookups = append(p.lookups, l)
	p.edit.renames = append(p.edit.renames, func(to string) { w.set("collection", jsonstream.String(to)) })
	return nil
}

// from reads lookup_from: the collection in which points are looked for whose vectors are searched with.
func (p *part) from(t *tree) (*lookup, error) {
	f := t.get("lookup_from")
	if f == nil {
		return nil, nil
	}
	if err := closed(f, "collection vector shard_key"); err != nil {
		return nil, err
	}
	name, err := text(f, "collection")
	if err != nil || name == "" {
		return nil, unclear("its lookup_from names no collection")
	}
	vector, err := text(f, "vector")
	l := &lookup{name: name, vector: vector}
	p.lookups = append(p.lookups, l)
	p.edit.renames = append(p.edit.renames, func(to string) { f.set("collection", jsonstream.String(to)) })
	return l, err
}

// input reads one thing to search with: a vector, a point's id, or something that the server makes a vector of.
func (p *part) input(t *tree, from *lookup) error {
	switch t.kind() {
	case jsonstream.Array:
		return nil
	case jsonstream.Number, jsonstream.Text:
		id, ok := readID(t.value)
		if !ok {
			return unclear("a query is neither a vector nor a point's id")
		}
		p.probe(id, from)
		return nil
	case jsonstream.Object:
		if t.only("indices", "values") || t.only("name", "vector") && t.get("vector").kind() != jsonstream.Text {
			return nil
		}
		if inferred(t) {
			p.egress = true
			return nil
		}
	}
	return unclear("a query is neither a vector nor a point's id")
}

// inferred says whether an object is a text, an image or an object of which the server makes a vector, with a model that
// it may have to ask elsewhere.
func inferred(t *tree) bool {
	return t.get("text").kind() == jsonstream.Text && t.only("text", "model", "options") ||
		t.get("image") != nil && t.only("image", "model", "options") || t.get("object") != nil && t.only("object", "model", "options")
}

func (p *part) inputs(t *tree, from *lookup) error {
	for _, item := range list(t) {
		if err := p.input(item, from); err != nil {
			return err
		}
	}
	return nil
}

// pairs reads a context: pairs of a positive and a negative example.
func (p *part) pairs(t *tree, from *lookup) error {
	for _, pair := range list(t) {
		if !pair.only("positive", "negative") {
			return unclear("a pair of its context is not of the known form")
		}
		for _, name := range []string{"positive", "negative"} {
			if err := p.input(pair.get(name), from); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *part) orders(t *tree) error {
	key := t
	if t.kind() == jsonstream.Object {
		if !t.only("key", "direction", "start_from") {
			return unclear("its order_by is not of a known form")
		}
		key = t.get("key")
	}
	f, err := field(key)
	p.uses = append(p.uses, use{f, asOrder})
	return err
}

// query reads a query, or a prefetch.
func (p *part) query(t *tree, top bool) error {
	using, err := text(t, "using")
	if err != nil {
		return err
	}
	from, err := p.from(t)
	if err != nil {
		return err
	}
	if err := p.threshold(t); err != nil {
		return err
	}
	prefetch := list(t.get("prefetch"))
	for _, sub := range prefetch {
		if err := p.prefetch(sub); err != nil {
			return err
		}
	}
	q := t.get("query")
	bounded := len(prefetch) > 0
	if q == nil {
		if top && !bounded {
			p.action = access.Scroll
		}
		return nil
	}
	if q.kind() == jsonstream.Object {
		known, scroll, err := p.variant(q, using, from)
		if known {
			if scroll && top && !bounded {
				p.action = access.Scroll
			}
			return err
		}
	}
	p.searched = append(p.searched, using)
	return p.input(q, from)
}

// variant reads a query of the forms that have a name.
func (p *part) variant(q *tree, using string, from *lookup) (known, scroll bool, err error) {
	compared := func() { p.searched = append(p.searched, using) }
	switch {
	case q.get("nearest") != nil && q.only("nearest", "mmr"):
		compared()
		return true, false, p.input(q.get("nearest"), from)
	case q.get("recommend") != nil && q.only("recommend"):
		compared()
		r := q.get("recommend")
		if !r.only("positive", "negative", "strategy") {
			return true, false, unclear("its recommend is not of the known form")
		}
		if err := p.inputs(r.get("positive"), from); err != nil {
			return true, false, err
		}
		return true, false, p.inputs(r.get("negative"), from)
	case q.get("discover") != nil && q.only("discover"):
		compared()
		d := q.get("discover")
		if !d.only("target", "context") {
			return true, false, unclear("its discover is not of the known form")
		}
		if err := p.input(d.get("target"), from); err != nil {
			return true, false, err
		}
		return true, false, p.pairs(d.get("context"), from)
	case q.get("context") != nil && q.only("context"):
		compared()
		return true, false, p.pairs(q.get("context"), from)
	case q.get("relevance_feedback") != nil && q.only("relevance_feedback"):
		compared()
		p.rescored = true
		f := q.get("relevance_feedback")
		if !f.only("target", "feedback", "strategy") {
			return true, false, unclear("its relevance_feedback is not of the known form")
		}
		if err := p.input(f.get("target"), from); err != nil {
			return true, false, err
		}
		for _, item := range list(f.get("feedback")) {
			if !item.only("example", "score") {
				return true, false, unclear("its relevance_feedback is not of the known form")
			}
			if err := p.input(item.get("example"), from); err != nil {
				return true, false, err
			}
		}
		return true, false, nil
	case q.get("order_by") != nil && q.only("order_by"):
		return true, true, p.orders(q.get("order_by"))
	case q.get("sample") != nil && q.only("sample"):
		return true, true, nil
	case q.get("fusion") != nil && q.only("fusion"), q.get("rrf") != nil && q.only("rrf"):
		kind, _ := q.get("fusion").orNone().Text()
		p.rescored = p.rescored || q.get("rrf") == nil && kind != "rrf"
		return true, false, nil
	case q.get("formula") != nil && q.only("formula", "defaults"):
		p.rescored = true
		return true, false, p.expression(q.get("formula"))
	}
	return false, false, nil
}

func (p *part) prefetch(t *tree) error {
	if err := closed(t, "prefetch query using filter params score_threshold limit top lookup_from"); err != nil {
		return err
	}
	n, err := number(t, "limit", usualLimit)
	if err != nil {
		return err
	}
	t.set("limit", jsonstream.Int(n))
	f, err := readFilter(t.get("filter"))
	if err != nil {
		return err
	}
	p.join(f)
	p.edit.narrow = append(p.edit.narrow, narrowAt(t, "filter"))
	return p.query(t, false)
}

// expression reads a formula: which fields it makes scores of.
func (p *part) expression(t *tree) error {
	switch t.kind() {
	case jsonstream.Number:
		return nil
	case jsonstream.Text:
		name, _ := t.value.Text()
		if strings.HasPrefix(name, "$score") {
			return nil
		}
		return p.formula(t)
	case jsonstream.Object:
		if names := t.look().names; len(names) == 1 {
			if known, err := p.operator(names[0], t.parts[0]); known {
				return err
			}
		}
		f := &filter{} // a condition counts as one or zero
		if _, err := f.condition(t, "", false); err != nil {
			return unclear("its formula has an expression that is not known")
		}
		for _, c := range f.uses {
			p.uses = append(p.uses, use{c.field, asFormula})
		}
		return nil
	}
	return unclear("its formula has an expression that is not known")
}

func (p *part) formula(t *tree) error {
	f, err := field(t)
	p.uses = append(p.uses, use{f, asFormula})
	return err
}

func (p *part) operator(name string, t *tree) (known bool, err error) {
	all := func(of ...*tree) (bool, error) {
		for _, e := range of {
			if err := p.expression(e); err != nil {
				return true, err
			}
		}
		return true, nil
	}
	odd := unclear("its formula has an expression that is not known")
	switch name {
	case "mult", "sum":
		if t.kind() != jsonstream.Array {
			return true, odd
		}
		return all(t.items()...)
	case "neg", "abs", "sqrt", "exp", "log10", "ln":
		return all(t)
	case "div":
		if !t.only("left", "right", "by_zero_default") {
			return true, odd
		}
		return all(t.get("left"), t.get("right"))
	case "pow":
		if !t.only("base", "exponent") {
			return true, odd
		}
		return all(t.get("base"), t.get("exponent"))
	case "exp_decay", "gauss_decay", "lin_decay":
		if !t.only("x", "target", "scale", "midpoint") {
			return true, odd
		}
		if target := t.get("target"); target != nil {
			return all(t.get("x"), target)
		}
		return all(t.get("x"))
	case "geo_distance":
		if !t.only("origin", "to") {
			return true, odd
		}
		return true, p.formula(t.get("to"))
	case "datetime_key":
		return true, p.formula(t)
	case "datetime":
		return true, nil
	}
	return false, nil
}
