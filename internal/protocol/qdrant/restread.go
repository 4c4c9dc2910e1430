package qdrant

import (
	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// What the documents of single operations mean. Every function reads one part.

func (p *part) search(t *tree, members string, body func(*part, *tree) error) error {
	if err := closed(t, members); err != nil {
		return err
	}
	grouped := t.get("group_by") != nil
	if grouped && t.get("offset") != nil {
		return unclear("groups have no offset")
	}
	if err := p.limits(t, usualLimit, !grouped); err != nil {
		return err
	}
	if err := p.shows(t, false); err != nil {
		return err
	}
	if err := p.filters(t); err != nil {
		return err
	}
	if members == queryMembers || members == queryMembers+groupMembers {
		if err := p.query(t, true); err != nil {
			return err
		}
	} else {
		if err := p.threshold(t); err != nil {
			return err
		}
		if err := body(p, t); err != nil {
			return err
		}
	}
	if grouped {
		return p.grouped(t)
	}
	return nil
}

func searching(members string, body func(*part, *tree) error) func(*part, *tree) error {
	return func(p *part, t *tree) error { return p.search(t, members, body) }
}

// plainVector reads the vector of a search: a list, or one with a name.
func plainVector(p *part, t *tree) error {
	v := t.get("vector")
	if v.kind() == jsonstream.Array {
		p.searched = append(p.searched, "")
		return nil
	}
	if !v.only("name", "vector") {
		return unclear("its vector is not of a known form")
	}
	name, err := text(v, "name")
	p.searched = append(p.searched, name)
	return err
}

func recommended(p *part, t *tree) error {
	using, from, err := p.usingFrom(t)
	if err != nil {
		return err
	}
	p.searched = append(p.searched, using)
	if err := p.inputs(t.get("positive"), from); err != nil {
		return err
	}
	return p.inputs(t.get("negative"), from)
}

func discovered(p *part, t *tree) error {
	using, from, err := p.usingFrom(t)
	if err != nil {
		return err
	}
	p.searched = append(p.searched, using)
	if target := t.get("target"); target != nil {
		if err := p.input(target, from); err != nil {
			return err
		}
	}
	return p.pairs(t.get("context"), from)
}

// usingFrom reads which vectors are compared with; older clients name one in an object.
func (p *part) usingFrom(t *tree) (string, *lookup, error) {
	using, err := text(t, "using")
	if err != nil {
		return "", nil, err
	}
	from, err := p.from(t)
	return using, from, err
}

func (p *part) scroll(t *tree) error {
	if err := closed(t, scrollMembers); err != nil {
		return err
	}
	if err := p.limits(t, usualLimit, false); err != nil {
		return err
	}
	if offset := t.get("offset"); offset != nil {
		if _, ok := readID(offset.value); !ok {
			return unclear("its offset is not a point's id")
		}
		p.cursor = true
	}
	if err := p.shows(t, true); err != nil {
		return err
	}
	if order := t.get("order_by"); order != nil {
		if err := p.orders(order); err != nil {
			return err
		}
	}
	return p.filters(t)
}

func (p *part) fetch(t *tree) error {
	if err := closed(t, "ids with_payload with_vector with_vectors shard_key"); err != nil {
		return err
	}
	var err error
	if p.ids, p.named, err = readIDs(t.get("ids")); err != nil {
		return err
	}
	p.limit = p.named
	ids := t.get("ids").value
	for v := range ids.Items() {
		id, _ := readID(v)
		p.every = append(p.every, id)
	}
	p.edit.keep = func(passes map[string]bool) error {
		var kept []jsonstream.Value
		for v := range ids.Items() {
			if id, _ := readID(v); passes[id] {
				kept = append(kept, v)
			}
		}
		t.set("ids", jsonstream.List(kept...))
		return nil
	}
	return p.shows(t, true)
}

func (p *part) count(t *tree) error {
	if err := closed(t, "filter exact shard_key"); err != nil {
		return err
	}
	p.limit = 1
	p.edit.exactly = func() { t.set("exact", yes) }
	return p.filters(t)
}

func (p *part) facet(t *tree) error {
	if err := closed(t, "key limit filter exact shard_key"); err != nil {
		return err
	}
	key, err := field(t.get("key"))
	if err != nil {
		return err
	}
	p.uses = append(p.uses, use{key, asFacet})
	p.edit.exactly = func() { t.set("exact", yes) }
	if err := p.limits(t, usualLimit, false); err != nil {
		return err
	}
	return p.filters(t)
}

// matrix reads a request for the scores between points of a sample.
func (p *part) matrix(t *tree) error {
	if err := closed(t, "filter sample limit using shard_key"); err != nil {
		return err
	}
	using, err := text(t, "using")
	if err != nil {
		return err
	}
	p.searched = []string{using}
	if p.group, err = number(t, "sample", usualSample); err != nil {
		return err
	}
	t.set("sample", jsonstream.Int(p.group))
	if err := p.limits(t, usualNeighbors, false); err != nil {
		return err
	}
	return p.filters(t)
}

// readPoint reads the fetch of one point by its path.
func readPoint(c *call) error {
	id, ok := readID(literalID(c.Params["id"]))
	if !ok {
		return unclear("the id in its path is neither a number nor a UUID")
	}
	c.Params["id"] = id
	return c.points(func(*tree) ([]*part, error) {
		p := &part{action: access.Fetch, ids: []string{id}, every: []string{id}, named: 1, limit: 1, group: 1, show: &show{all: true, vectors: true}}
		p.edit.keep = func(passes map[string]bool) error {
			if !passes[id] {
				return &access.Refusal{Code: access.CodeObligation, Message: "there is no point " + id + " in " + c.collection.String() + ", or it is not yours"}
			}
			return nil
		}
		return []*part{p}, nil
	}, single)
}

// literalID is a path's segment as it would stand in a document.
func literalID(s string) jsonstream.Value {
	if v, err := jsonstream.Read([]byte(s)); err == nil && v.Kind() == jsonstream.Number {
		return v
	}
	return jsonstream.String(s)
}
