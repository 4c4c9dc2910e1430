package opensearch

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// name is a text, or a number that stands for its digits.
func name(v jsonstream.Value) (string, bool) {
	if v.Kind() == jsonstream.Number {
		return string(v.Raw()), true
	}
	return v.Text()
}

// wanted is a document that is asked for by its id.
type wanted struct {
	index, id, routing string
	source             sourceFilter
	at                 places
}

func (c *call) fetches(all []wanted, fields []string) {
	type group struct {
		at places
		access.Attributes
	}
	groups, described := map[string]*group{}, map[string]bool{}
	var order []string
	for _, w := range all {
		g := groups[w.index]
		if g == nil {
			g = &group{at: w.at}
			g.Filter, g.Batch = access.FilterKey, len(order)
			groups[w.index] = g
			order = append(order, w.index)
		}
		if key := fmt.Sprint(w.index, w.source); !described[key] {
			described[key] = true
			s := search{reading: &reading{}, source: w.source, fields: fields}
			s.describe(&g.Attributes, w.at)
			slices.Sort(g.Fields)
			g.Fields = slices.Compact(g.Fields)
		}
		g.Rows++
		if len(g.IDs) < mostIDs {
			g.IDs = append(g.IDs, w.id)
		}
	}
	for _, index := range order {
		c.doesAt(access.Fetch, groups[index].at, groups[index].Attributes)
	}
}

// obligeFetch takes on obligations for documents that are asked for by id; mask makes the mask of the answer.
func (c *call) obligeFetch(all []wanted, mask func(*view) *jsonstream.Node) {
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		if o.Rows > 0 && int64(len(all)) > o.Rows {
			return nil, &access.Refusal{Code: access.CodeLimit, Message: fmt.Sprintf("a request may return %d documents at most here, and this one asks for %d", o.Rows, len(all))}
		}
		v := &view{protection: o.Protection}
		var points []point
		checks := []func(context.Context) error{c.unchanged()}
		seen := map[string]bool{}
		for _, w := range all {
			for _, p := range w.at {
				d, err := demands(o, p)
				if err != nil {
					return nil, err
				}
				if len(d) > 0 {
					points = append(points, point{index: w.index, id: w.id, routing: w.routing, at: *p, demands: d})
				}
			}
			if !seen[w.index] {
				seen[w.index] = true
				v.at = append(v.at, w.at...)
			}
		}
		if len(points) > 0 {
			if live, asked := c.Query["realtime"]; asked && live != "true" && live != "" {
				return nil, &access.Refusal{
					Code: access.CodeObligation, Rule: points[0].demands[0].rule,
					Message: "a document as it was before it was last written may have been somebody else's", Hint: "leave out realtime",
				}
			}
			checks = append(checks, c.owned(points))
		}
		obliged := &httpwire.Obliged{Mute: mute(o), Filtered: true, Rows: o.Rows, Check: each(checks)}
		if !c.head() {
			obliged.Mask = mask(v)
		}
		return obliged, nil
	}
}

func each(checks []func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, check := range checks {
			if err := check(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}

func readGet(c *call) error {
	at, err := c.resolve(c.Params["index"])
	if err != nil {
		return err
	}
	source, _ := sourceOf(c.Query)
	one := wanted{index: c.Params["index"], id: c.Params["id"], routing: c.Query["routing"], source: source, at: at}
	var fields []string
	if v := c.Query["stored_fields"]; v != "" {
		fields = strings.Split(v, ",")
	}
	one.source.none = one.source.none || c.head()
	c.fetches([]wanted{one}, fields)
	c.obligeFetch([]wanted{one}, func(v *view) *jsonstream.Node {
		if strings.Contains(c.Route.Path, "/_source/") {
			if n := v.values(""); n != nil {
				return n
			}
			return &jsonstream.Node{}
		}
		n := v.document()
		n.Count = true
		return n
	})
	return nil
}

func readMultiGet(c *call) error {
	var all []wanted
	usual, _ := sourceOf(c.Query)
	named := map[string]places{}
	add := func(index, id, routing string, source sourceFilter) error {
		if index == "" {
			return unclear("a document names no index")
		}
		at, ok := named[index]
		if !ok {
			var err error
			if at, err = c.resolve(index); err != nil {
				return err
			}
			named[index] = at
		}
		all = append(all, wanted{index: index, id: id, routing: routing, source: source, at: at})
		if len(all) > 10_000 {
			return unclear("it asks for more than 10000 documents")
		}
		return nil
	}
	for doc := range c.Body.Get("docs").Items() {
		if err := c.closed(doc, "_index _id _source stored_fields routing _routing version version_type", "a document that is asked for"); err != nil {
			return err
		}
		if present(doc.Get("routing")) && present(doc.Get("_routing")) {
			return unclear("the routing of a document is said by two names")
		}
		index, id, routing := c.Params["index"], "", ""
		for _, member := range []struct {
			name string
			to   *string
		}{{"_index", &index}, {"_id", &id}, {"routing", &routing}, {"_routing", &routing}} {
			v := doc.Get(member.name)
			s, ok := name(v)
			if present(v) && !ok {
				return unclear("the " + member.name + " of a document is not a text")
			}
			if ok {
				*member.to = s
			}
		}
		source := usual
		if own := doc.Get("_source"); present(own) {
			var err error
			if source, err = readSource(own); err != nil {
				return err
			}
		}
		if err := add(index, id, routing, source); err != nil {
			return err
		}
	}
	ids, err := texts(c.Body.Get("ids"), "its ids")
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := add(c.Params["index"], id, c.Query["routing"], usual); err != nil {
			return err
		}
	}
	if len(all) == 0 {
		return unclear("it names no documents")
	}
	c.fetches(all, nil)
	c.obligeFetch(all, func(v *view) *jsonstream.Node {
		doc := v.document()
		doc.Count = true
		return v.only("", map[string]*jsonstream.Node{"docs": {Items: doc}})
	})
	return nil
}

// item is a write of one document.
type item struct {
	action  access.Action
	index   string
	id      string // "" when the engine draws one
	routing string
	at      places
	doc     jsonstream.Value // what is written as a whole
	part    jsonstream.Value // what an update changes
	creates bool             // refused by the engine when there is a document of that id
	script  bool
}

// update reads the document of an update.
func (it *item) update(c *call, v jsonstream.Value) error {
	if err := c.closed(v, "doc doc_as_upsert upsert script scripted_upsert detect_noop _source", "an update"); err != nil {
		return err
	}
	if _, err := readSource(v.Get("_source")); err != nil {
		return err
	}
	it.part, it.doc, it.script = v.Get("doc"), v.Get("upsert"), present(v.Get("script"))
	asUpsert := v.Get("doc_as_upsert")
	on, ok := asUpsert.Bool()
	if present(asUpsert) && !ok {
		return unclear("the doc_as_upsert of an update is neither true nor false")
	}
	if on {
		it.doc = it.part
	}
	return nil
}

// writes puts what writes do into the operation, one access for each action on each index.
func (c *call) writes(items []*item) {
	type key struct {
		action access.Action
		index  string
	}
	groups := map[key]*access.Access{}
	var order []key
	count := func(a access.Action, it *item, p *place, vectors bool) {
		k := key{a, p.resource.Collection}
		g := groups[k]
		if g == nil {
			g = &access.Access{Action: a, Resource: p.resource, Attributes: access.Attributes{Filter: access.FilterKey, Alias: p.alias, Batch: len(order)}}
			groups[k] = g
			order = append(order, k)
		}
		g.Attributes.Points++
		g.Attributes.Vectors = g.Attributes.Vectors || vectors
		if it.id != "" && len(g.Attributes.IDs) < mostIDs {
			g.Attributes.IDs = append(g.Attributes.IDs, it.id)
		}
	}
	script := false
	for _, it := range items {
		script = script || it.script
		for _, p := range it.at {
			vectors := false
			for path := range p.fields {
				if p.vector(path) && (len(stored(it.doc, path)) > 0 || len(stored(it.part, path)) > 0) {
					vectors = true
				}
			}
			count(it.action, it, p, vectors)
			if it.action == access.Update {
				if vectors || it.script {
					count(access.UpdateVectors, it, p, true)
				}
				if present(it.doc) {
					count(access.Upsert, it, p, vectors)
				}
			}
		}
	}
	if script {
		c.does(access.CodeExec, c.target(), access.Attributes{})
	}
	for _, k := range order {
		c.does(groups[k].Action, groups[k].Resource, groups[k].Attributes)
	}
}

// obligeWrites takes on obligations for writes; sent makes what is sent of the updates that had to be changed, by position.
func (c *call) obligeWrites(items []*item, mask func(*view) *jsonstream.Node, sent func(updates map[int]jsonstream.Value) *httpwire.Obliged) {
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		v := &view{protection: o.Protection}
		changed := map[int]jsonstream.Value{}
		var points []point
		checks := []func(context.Context) error{c.unchanged()}
		seen := map[string]bool{}
		for i, it := range items {
			for _, p := range it.at {
				own, err := it.oblige(o, p)
				if err != nil {
					return nil, err
				}
				points = append(points, own...)
				if it.action == access.Update && it.touchesHidden(o.Protection, p) {
					changed[i] = never
				}
			}
			if !seen[it.index] {
				seen[it.index] = true
				v.at = append(v.at, it.at...)
			}
		}
		if len(points) > 0 {
			checks = append(checks, c.owned(points))
		}
		made := sent(changed)
		made.Mask, made.Mute, made.Filtered, made.Check = mask(v), mute(o), true, each(checks)
		return made, nil
	}
}

// oblige says what must be known of the document that is there already.
func (it *item) oblige(o *access.Obligations, p *place) ([]point, error) {
	all, err := demands(o, p)
	if err != nil {
		return nil, err
	}
	if it.script && !o.Protection.Empty() {
		return nil, &access.Refusal{Code: access.CodeObligation, Message: "a script could read what is hidden of " + p.resource.String()}
	}
	if len(all) == 0 {
		return nil, nil
	}
	if it.script {
		return nil, &access.Refusal{Code: access.CodeObligation, Rule: all[0].rule, Message: "a script could write documents that are not yours", Hint: "send the fields that change as doc"}
	}
	if present(it.doc) {
		if err := written(all, p.resource, it.doc, false); err != nil {
			return nil, err
		}
	}
	if present(it.part) {
		if err := written(all, p.resource, it.part, true); err != nil {
			return nil, err
		}
	}
	if it.id == "" || it.creates {
		return nil, nil
	}
	return []point{{index: it.index, id: it.id, routing: it.routing, at: *p, demands: all}}, nil
}

// touchesHidden says whether the answer of an update would tell whether a hidden value is the one that was sent.
func (it *item) touchesHidden(protection *access.Protection, p *place) bool {
	if protection.Empty() {
		return false
	}
	var hidden func(prefix string, v jsonstream.Value) bool
	hidden = func(prefix string, v jsonstream.Value) bool {
		for name, m := range v.Members() {
			if p.treat(protection, prefix+name).Mask != access.MaskNone || hidden(prefix+name+".", m) {
				return true
			}
		}
		for m := range v.Items() {
			if hidden(prefix, m) {
				return true
			}
		}
		return false
	}
	return hidden("", it.part)
}

// readWrite reads the write of one document.
func readWrite(c *call) error {
	at, err := c.resolve(c.Params["index"])
	if err != nil {
		return err
	}
	it := &item{action: c.action(), index: c.Params["index"], id: c.Params["id"], routing: c.Query["routing"], at: at}
	switch it.action {
	case access.Update:
		if err := it.update(c, c.Body); err != nil {
			return err
		}
	case access.Insert, access.Upsert:
		it.doc = c.Body
		it.creates = strings.Contains(c.Route.Path, "/_create/")
		switch c.Query["op_type"] {
		case "", "index":
		case "create":
			it.creates = true
		default:
			return unclear("its op_type is neither index nor create")
		}
		it.action = access.Upsert
		if it.creates || it.id == "" {
			it.action = access.Insert
		}
	}
	c.writes([]*item{it})
	body := c.Body
	c.obligeWrites([]*item{it}, (*view).document, func(updates map[int]jsonstream.Value) *httpwire.Obliged {
		if noop, ok := updates[0]; ok {
			return &httpwire.Obliged{Body: body.With("detect_noop", noop)}
		}
		return &httpwire.Obliged{}
	})
	return nil
}

const actionMembers = "_index _id routing if_seq_no if_primary_term version version_type retry_on_conflict require_alias"

// readBulk reads lines of actions and documents. Where an action names an index, that goes before the path's.
func readBulk(c *call) error {
	var items []*item
	where := map[int]int{} // the line of an update's document by the position of its item
	known := map[string]places{}
	for i := 0; i < len(c.Lines); i++ {
		op, meta, ok := one(c.Lines[i])
		if !ok {
			return unclear("a line that should be an action is not an object with one member")
		}
		if err := c.closed(meta, actionMembers, "an action"); err != nil {
			return err
		}
		it := &item{index: c.Params["index"], routing: c.Query["routing"]}
		for _, member := range []struct {
			name string
			to   *string
		}{{"_index", &it.index}, {"_id", &it.id}, {"routing", &it.routing}} {
			v := meta.Get(member.name)
			s, ok := name(v)
			if present(v) && !ok {
				return unclear("the " + member.name + " of an action is not a text")
			}
			if ok {
				*member.to = s
			}
		}
		if it.index == "" {
			return unclear("an action names no index")
		}
		if it.at, ok = known[it.index]; !ok {
			var err error
			if it.at, err = c.resolve(it.index); err != nil {
				return err
			}
			known[it.index] = it.at
		}
		switch op {
		case "index", "create":
			it.creates = op == "create"
			it.action = access.Upsert
			if it.creates || it.id == "" {
				it.action = access.Insert
			}
		case "update":
			it.action = access.Update
		case "delete":
			it.action = access.Delete
		default:
			return unclear("an action is not one of index, create, update and delete")
		}
		if it.action != access.Insert && it.id == "" {
			return unclear("an action names no document")
		}
		if it.action != access.Delete {
			if i++; i >= len(c.Lines) || c.Lines[i].Kind() != jsonstream.Object {
				return unclear("an action is not followed by its document")
			}
			if it.action == access.Update {
				where[len(items)] = i
				if err := it.update(c, c.Lines[i]); err != nil {
					return err
				}
			} else {
				it.doc = c.Lines[i]
			}
		}
		items = append(items, it)
	}
	c.writes(items)
	c.obligeWrites(items, func(v *view) *jsonstream.Node {
		updated := v.document()
		result := &jsonstream.Node{Field: func(op string) *jsonstream.Node {
			if op == "update" {
				return updated
			}
			return nil
		}}
		return v.only("took errors ingest_took", map[string]*jsonstream.Node{"items": {Items: result}})
	}, func(updates map[int]jsonstream.Value) *httpwire.Obliged {
		if len(updates) == 0 {
			return &httpwire.Obliged{}
		}
		lines := append([]jsonstream.Value(nil), c.Lines...)
		for i, noop := range updates {
			lines[where[i]] = lines[where[i]].With("detect_noop", noop)
		}
		return &httpwire.Obliged{Lines: lines}
	})
	return nil
}
