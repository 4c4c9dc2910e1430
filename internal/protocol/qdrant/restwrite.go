package qdrant

import (
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// selects reads which points a write is about: named ones, or those that a filter finds. Both at once are refused, because
// Qdrant would heed one of them.
func (p *part) selects(t *tree) (err error) {
	if t.get("points") != nil && t.get("filter") != nil {
		return unclear("it has points and a filter, and one of them would not be heeded")
	}
	if t.get("points") == nil && t.get("filter") == nil {
		return unclear("it has neither points nor a filter")
	}
	p.points = access.Unbounded
	if ids := t.get("points"); ids != nil {
		if p.ids, p.named, err = readIDs(ids); err != nil {
			return err
		}
		p.points = p.named
	}
	p.filter, err = readFilter(t.get("filter"))
	p.edit.narrow = append(p.edit.narrow, narrowIDs(t))
	return err
}

// updates reads the filter that a point must pass that is there already.
func (p *part) updates(t *tree) error {
	f, err := readFilter(t.get("update_filter"))
	p.join(f)
	p.edit.narrow = append(p.edit.narrow, narrowAt(t, "update_filter"))
	return err
}

const upsertMembers = "points batch shard_key update_filter update_mode"

// upsert reads points that are written, by point or by column.
func (p *part) upsert(t *tree) error {
	if err := closed(t, upsertMembers); err != nil {
		return err
	}
	if (t.get("points") == nil) == (t.get("batch") == nil) {
		return unclear("it has neither points nor a batch of columns, or both")
	}
	var payloads []jsonstream.Value
	if points := t.get("points"); points != nil {
		if points.kind() != jsonstream.Array {
			return unclear("its points are not a list")
		}
		for v := range points.value.Items() {
			payload, err := p.point(v)
			if err != nil {
				return err
			}
			payloads = append(payloads, payload)
		}
	} else if err := p.columns(t.get("batch"), &payloads); err != nil {
		return err
	}
	p.edit.written = func(field string, check func(string, bool) error) error {
		for _, v := range payloads {
			if err := check(textAt(v, field)); err != nil {
				return err
			}
		}
		return nil
	}
	return p.updates(t)
}

// point reads a point and returns its payload.
func (p *part) point(v jsonstream.Value) (payload jsonstream.Value, err error) {
	if v.Kind() != jsonstream.Object {
		return payload, unclear("a point is not an object")
	}
	vectors := 0
	id, ok := "", false
	for name, member := range v.Members() {
		switch name {
		case "id":
			id, ok = readID(member)
		case "vector", "vectors":
			vectors++
			err = p.vectorIn(member)
		case "payload":
			payload = member
			if k := member.Kind(); k != jsonstream.Object && k != jsonstream.Null {
				err = unclear("the payload of a point is not an object")
			}
		default:
			err = unclear("a point has a member that is not known")
		}
		if err != nil {
			return payload, err
		}
	}
	if !ok || vectors > 1 {
		return payload, unclear("a point has no id, or its vector by two names")
	}
	p.wrote(id)
	return payload, nil
}

func (p *part) wrote(id string) {
	p.points++
	p.every = append(p.every, id)
	if len(p.ids) < mostIDs {
		p.ids = append(p.ids, id)
	}
	p.named++
}

// vectorIn looks whether a vector that is written is made by the server of something else.
func (p *part) vectorIn(v jsonstream.Value) error {
	if v.Kind() != jsonstream.Object {
		return nil
	}
	t := grow(v)
	if inferred(t) {
		p.egress = true
		return nil
	}
	for _, named := range t.look().parts {
		if named.kind() == jsonstream.Object && inferred(named) {
			p.egress = true
		}
	}
	return nil
}

func (p *part) columns(t *tree, payloads *[]jsonstream.Value) error {
	if !t.only("ids", "vectors", "payloads") {
		return unclear("its batch has a column that is not known")
	}
	ids := t.get("ids")
	if ids.kind() != jsonstream.Array {
		return unclear("its ids are not a list")
	}
	for v := range ids.value.Items() {
		id, ok := readID(v)
		if !ok {
			return unclear("an id is neither a number nor a UUID")
		}
		p.wrote(id)
	}
	column := t.get("payloads")
	if column != nil && (column.kind() != jsonstream.Array || int64(column.value.Len()) != p.points) {
		return unclear("its payloads are not one for every id")
	}
	if column == nil {
		*payloads = make([]jsonstream.Value, p.points)
	} else {
		for v := range column.value.Items() {
			*payloads = append(*payloads, v)
		}
	}
	vectors := t.get("vectors")
	if vectors.kind() == jsonstream.Object {
		for _, named := range vectors.look().parts {
			if err := p.vectorsIn(named); err != nil {
				return err
			}
		}
		return nil
	}
	return p.vectorsIn(vectors)
}

func (p *part) vectorsIn(t *tree) error {
	if t == nil {
		return nil
	}
	for v := range t.value.Items() {
		if err := p.vectorIn(v); err != nil {
			return err
		}
	}
	return nil
}

// textAt is the text in a field of a payload.
func textAt(v jsonstream.Value, field string) (string, bool) {
	for name := range strings.SplitSeq(field, ".") {
		v = v.Get(name)
	}
	return v.Text()
}

// updateVectors reads vectors of points that are there.
func (p *part) updateVectors(t *tree) error {
	if err := closed(t, "points shard_key update_filter"); err != nil {
		return err
	}
	points := t.get("points")
	if points.kind() != jsonstream.Array {
		return unclear("its points are not a list")
	}
	for v := range points.value.Items() {
		if payload, err := p.point(v); err != nil || payload.Kind() != jsonstream.None {
			return unclear("a point is not an id with a vector")
		}
	}
	return p.updates(t)
}

func (p *part) deleteVectors(t *tree) error {
	if err := closed(t, "points filter vector vectors shard_key"); err != nil {
		return err
	}
	return p.selects(t)
}

const payloadMembers = "payload points filter key shard_key"

// setPayload reads a payload that is put into points; overwrite says that nothing of theirs stays.
func (p *part) setPayload(t *tree, overwrite bool) error {
	if err := closed(t, payloadMembers); err != nil {
		return err
	}
	payload := t.get("payload")
	if payload.kind() != jsonstream.Object {
		return unclear("its payload is not an object")
	}
	inside := ""
	if key := t.get("key"); key != nil {
		var err error
		if inside, err = field(key); err != nil {
			return err
		}
	}
	value := payload.value
	p.edit.written = func(field string, check func(string, bool) error) error {
		return settled(field, inside, overwrite, check, func(path string) (string, bool) { return textAt(value, path) }, func(name string) bool { return value.Get(name).Kind() != jsonstream.None })
	}
	return p.selects(t)
}

// settled checks a payload that is put into points, or into a field inside of them.
func settled(field, inside string, overwrite bool, check func(string, bool) error, text func(string) (string, bool), has func(name string) bool) error {
	first, _, _ := strings.Cut(field, ".")
	switch {
	case overwrite && inside == "", inside == "" && has(first):
		return check(text(field))
	case overwrite, inside != "" && (within(field, inside) || within(inside, field)):
		return check("", false)
	}
	return nil
}

func (p *part) deletePayload(t *tree) error {
	if err := closed(t, "keys points filter shard_key"); err != nil {
		return err
	}
	keys := t.get("keys")
	if keys.kind() != jsonstream.Array {
		return unclear("its keys are not a list")
	}
	var fields []string
	for _, item := range keys.items() {
		f, err := field(item)
		if err != nil {
			return err
		}
		fields = append(fields, f)
	}
	p.edit.written = func(field string, check func(string, bool) error) error { return lost(field, fields, check) }
	return p.selects(t)
}

// lost checks fields that are taken out of payloads.
func lost(field string, gone []string, check func(string, bool) error) error {
	for _, f := range gone {
		if within(field, f) || within(f, field) {
			return check("", false)
		}
	}
	return nil
}

func (p *part) clearPayload(t *tree) error {
	if err := closed(t, "points filter shard_key"); err != nil {
		return err
	}
	p.edit.written = cleared
	return p.selects(t)
}

func cleared(_ string, check func(string, bool) error) error { return check("", false) }

func (p *part) deletePoints(t *tree) error {
	if err := closed(t, "points filter shard_key"); err != nil {
		return err
	}
	if err := p.selects(t); err != nil {
		return err
	}
	p.action = deletes(p.named, p.filter)
	return nil
}

// operations are the elements of a batch of writes, by the name of their one member.
var operations = map[string]struct {
	action access.Action
	read   func(*part, *tree) error
}{
	"upsert":            {access.Upsert, (*part).upsert},
	"delete":            {access.Delete, (*part).deletePoints},
	"set_payload":       {access.Update, func(p *part, t *tree) error { return p.setPayload(t, false) }},
	"overwrite_payload": {access.Update, func(p *part, t *tree) error { return p.setPayload(t, true) }},
	"delete_payload":    {access.Update, (*part).deletePayload},
	"clear_payload":     {access.Update, (*part).clearPayload},
	"update_vectors":    {access.UpdateVectors, (*part).updateVectors},
	"delete_vectors":    {access.UpdateVectors, (*part).deleteVectors},
}
