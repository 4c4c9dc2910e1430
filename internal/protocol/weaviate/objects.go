package weaviate

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// usualLimit is Weaviate's own limit of a listing, or of a search by gRPC, that has none. It is made explicit, so that the
// limit that was judged is the one that holds.
const usualLimit = 10

// included reads which parts of objects besides their properties are asked for.
func (c *call) included() (vectors bool, err error) {
	list, ok := c.Query["include"]
	if !ok {
		return false, nil
	}
	for _, name := range strings.Split(list, ",") {
		switch name {
		case "vector", "vectors":
			vectors = true
		case "":
		default:
			return false, unclear("its include has something that is not known")
		}
	}
	return vectors, nil
}

// readObjects reads a listing of one collection.
func readObjects(c *call) error {
	name, ok := c.Query["class"]
	if !ok {
		return unclear("it names no collection (class), and would list the objects of all")
	}
	found, err := c.class(name)
	if err != nil {
		return err
	}
	q := &query{class: found, tenant: c.Query["tenant"], where: &conditions{}, limit: usualLimit}
	q.at = c.of(found, q.tenant)
	vectors, err := c.included()
	if err != nil {
		return err
	}
	if v, ok := c.Query["limit"]; ok {
		q.limit, _ = strconv.ParseInt(v, 10, 64)
	}
	at := access.Attributes{Fields: []string{fieldID, "*"}, Vectors: vectors}
	if v, ok := c.Query["offset"]; ok {
		at.Offset, _ = strconv.ParseInt(v, 10, 64)
	}
	if after, ok := c.Query["after"]; ok && after != "" {
		at.Cursor = true
		if _, ok := uuid(after); !ok {
			return unclear("its after is not a UUID in the usual form")
		}
	}
	if by, ok := c.Query["sort"]; ok {
		for _, name := range strings.Split(by, ",") {
			place, err := c.reading.path(found, q.tenant, []string{strings.TrimPrefix(strings.TrimSuffix(name, `"]`), `["`)})
			if err != nil {
				return err
			}
			q.orders = append(q.orders, place)
		}
	}
	q.rows = q.limit
	c.out.Query = map[string]string{}
	for name, value := range c.Query {
		c.out.Query[name] = value
	}
	c.out.Query["class"], c.out.Query["limit"] = found.name, strconv.FormatInt(q.limit, 10)
	action, at := q.list(at)
	c.does(action, q.at, at)
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		if err := q.oblige(o); err != nil {
			return nil, err
		}
		shown := &objects{p: o.Protection, all: []stored{{q.at, found}}}
		each := shown.object()
		each.Count = true
		return &httpwire.Obliged{
			Mask: &jsonstream.Node{Field: none, Fields: map[string]*jsonstream.Node{"objects": {Items: each}, "totalResults": plain, "deprecations": plain}},
			Rows: o.Rows, Mute: !o.Protection.Empty(),
		}, nil
	}
	return nil
}

// readObject reads an operation on one object that carries no document.
func readObject(c *call) error {
	found, err := c.collection()
	if err != nil {
		return err
	}
	vectors, err := c.included()
	if err != nil {
		return err
	}
	tenant, id := c.Query["tenant"], c.Params["id"]
	at := access.Attributes{IDs: []string{id}, Filter: access.FilterKey, Vectors: vectors, Alias: found.alias()}
	if c.action() == access.Delete {
		at.Points = 1
	} else {
		at.Limit, at.Rows, at.Fields = 1, 1, []string{fieldID, "*"}
	}
	on := c.of(found, tenant)
	c.does(c.action(), on, at)
	named := &conditions{all: []condition{{place{on, fieldID}, true}}}
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		if err := named.oblige(o.Protection); err != nil && c.action() == access.Fetch {
			return nil, err
		}
		rules, err := narrow(o, on, found)
		if err != nil {
			return nil, err
		}
		obliged := &httpwire.Obliged{Filtered: true, Check: c.reaching(rules, found, tenant, false, id), Mute: !o.Protection.Empty()}
		if c.Route.Method == http.MethodGet {
			obliged.Mask = (&objects{p: o.Protection, all: []stored{{on, found}}}).object()
		}
		return obliged, nil
	}
	return nil
}

// written is an object of a document.
type written struct {
	class   *class
	tenant  string
	id      string
	at      access.Resource
	vectors bool
	grows   access.Action // what Weaviate would do to the schema on its own account
	value   jsonstream.Value
}

// write reads an object that is to be stored, and puts its collection's own name into it.
func (c *call) write(v jsonstream.Value) (*written, error) {
	if err := members(v, object, "an object"); err != nil {
		return nil, err
	}
	name, ok := v.Get("class").Text()
	if !ok {
		return nil, unclear("an object names no collection (class)")
	}
	w := &written{}
	var err error
	if w.class, err = c.class(name); err != nil {
		return nil, err
	}
	w.value = v.With("class", jsonstream.String(w.class.name))
	if t := v.Get("tenant"); t.Kind() != jsonstream.None {
		if w.tenant, ok = t.Text(); !ok || w.tenant != "" && !tenantForm.MatchString(w.tenant) {
			return nil, unclear("an object's tenant is not a name")
		}
	}
	if id := v.Get("id"); id.Kind() != jsonstream.None {
		text, _ := id.Text()
		if w.id, ok = uuid(text); !ok {
			return nil, unclear("an object's id is not a UUID in the usual form")
		}
	}
	properties := v.Get("properties")
	if k := properties.Kind(); k != jsonstream.None && k != jsonstream.Null && k != jsonstream.Object {
		return nil, unclear("an object's properties are not an object")
	}
	if w.class.missing {
		w.grows = access.SchemaCreate
	}
	for name := range properties.Members() {
		if w.class, err = c.with(w.class, name); err != nil {
			return nil, err
		}
	}
	seen, own := map[string]bool{}, empty
	for name, value := range properties.Members() {
		if !propertyForm.MatchString(name) || seen[lower(name)] {
			return nil, unclear("an object has a property whose name is none, or two that Weaviate takes for one")
		}
		seen[lower(name)], own = true, own.With(lower(name), value)
		if _, known := w.class.properties[lower(name)]; !known && w.grows == "" {
			w.grows = access.SchemaAlter
		}
	}
	if len(seen) > 0 {
		w.value = w.value.With("properties", own) // by the names that Weaviate gives them, which are those that are judged
	}
	w.vectors = v.Get("vector").Len() > 0 || v.Get("vectors").Len() > 0
	w.at = c.of(w.class, w.tenant)
	return w, nil
}

// grow notes what Weaviate would do to the schema for an object.
func (r *reading) grow(w *written) {
	if w.grows == "" {
		return
	}
	place := r.of(w.class, "")
	for _, a := range r.accesses {
		if a.Action == w.grows && a.Resource == place {
			return
		}
	}
	r.does(w.grows, place, access.Attributes{})
}

func readCreate(c *call) error {
	w, err := c.write(c.Body)
	if err != nil {
		return err
	}
	c.out.Body = w.value
	at := access.Attributes{Points: 1, Vectors: w.vectors, Filter: access.FilterKey, Alias: w.class.alias()}
	if w.id != "" {
		at.IDs = []string{w.id}
	}
	c.does(access.Insert, w.at, at)
	c.grown(w)
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		rules, err := narrow(o, w.at, w.class)
		if err != nil {
			return nil, err
		}
		if f := passes(rules, w.value.Get("properties")); f != nil {
			return nil, astray(f, w.at)
		}
		return c.echoed(o, w, nil), nil // Weaviate refuses to create an object that there is
	}
	return nil
}

// grown notes it, and that the definition that is kept may be old afterwards.
func (c *call) grown(w *written) {
	c.grow(w)
	if w.grows != "" {
		c.out.Done = c.reading.catalog.forget
	}
}

// echoed masks what Weaviate tells of an object that was written: vectors that it made, properties that were there.
func (c *call) echoed(o *access.Obligations, w *written, check func(context.Context) error) *httpwire.Obliged {
	obliged := &httpwire.Obliged{Filtered: true, Check: check, Mute: !o.Protection.Empty()}
	if c.Route.Method != http.MethodPatch {
		obliged.Mask = (&objects{p: o.Protection, all: []stored{{w.at, w.class}}}).object()
	}
	return obliged
}

func readValidate(c *call) error {
	w, err := c.write(c.Body)
	if err != nil {
		return err
	}
	c.out.Body = w.value
	c.does(access.SchemaRead, c.of(w.class, ""), access.Attributes{})
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		return &httpwire.Obliged{Mute: !o.Protection.Empty()}, nil
	}
	return nil
}

// readChange reads a replacement or a change of one object.
func readChange(c *call) error {
	found, err := c.collection()
	if err != nil {
		return err
	}
	body := c.Body
	if body.Get("class").Kind() == jsonstream.None {
		body = body.With("class", jsonstream.String(found.name))
	}
	w, err := c.write(body)
	if err != nil {
		return err
	}
	if w.class.name != found.name || w.id != "" && w.id != c.Params["id"] {
		return unclear("the object in its document is not the one in its path")
	}
	w.id = c.Params["id"]
	c.out.Body = w.value.With("id", jsonstream.String(w.id))
	at := access.Attributes{Points: 1, Vectors: w.vectors, IDs: []string{w.id}, Filter: access.FilterKey}
	c.does(c.action(), w.at, at)
	if c.action() == access.Update && w.vectors {
		c.does(access.UpdateVectors, w.at, at)
	}
	c.grown(w)
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		rules, err := narrow(o, w.at, w.class)
		if err != nil {
			return nil, err
		}
		for i := range rules {
			// A change that says nothing of the field leaves it as it is.
			if c.action() == access.Update && w.value.Get("properties").Get(rules[i].Field).Kind() == jsonstream.None {
				continue
			}
			if f := passes(rules[i:i+1], w.value.Get("properties")); f != nil {
				return nil, astray(f, w.at)
			}
		}
		return c.echoed(o, w, c.reaching(rules, found, w.tenant, c.action() == access.Upsert, w.id)), nil
	}
	return nil
}

// linkTo reads a reference, and puts in the collection that it leads to where only one is possible.
func linkTo(v jsonstream.Value, p property) (jsonstream.Value, error) {
	if err := members(v, "beacon href", "a reference"); err != nil {
		return v, err
	}
	text, _ := v.Get("beacon").Text()
	text, err := p.leads(text)
	return empty.With("beacon", jsonstream.String(text)), err
}

// leads is the beacon of an object that a reference leads to.
func (p property) leads(text string) (string, error) {
	if class, id, ok := beacon(text); ok {
		return beacons + class + "/" + id, nil
	}
	if id, ok := uuid(strings.TrimPrefix(text, beacons)); ok && len(p.targets) == 1 {
		return beacons + p.targets[0] + "/" + id, nil
	}
	return "", unclear("a reference is not of the form weaviate://localhost/Collection/UUID")
}

func readLink(c *call) error {
	found, err := c.collection()
	if err != nil {
		return err
	}
	if found, err = c.with(found, c.Params["propertyName"]); err != nil {
		return err
	}
	property := found.properties[lower(c.Params["propertyName"])]
	if c.Body.Kind() == jsonstream.Array {
		var all []jsonstream.Value
		for item := range c.Body.Items() {
			link, err := linkTo(item, property)
			if err != nil {
				return err
			}
			all = append(all, link)
		}
		c.out.Body = jsonstream.List(all...)
	} else if c.out.Body, err = linkTo(c.Body, property); err != nil {
		return err
	}
	tenant, id := c.Query["tenant"], c.Params["id"]
	at := access.Attributes{Points: 1, IDs: []string{id}, Filter: access.FilterKey, Fields: []string{c.Params["propertyName"]}}
	place := c.of(found, tenant)
	c.does(access.Update, place, at)
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		rules, err := narrow(o, place, found)
		return &httpwire.Obliged{Filtered: true, Check: c.reaching(rules, found, tenant, false, id), Mute: !o.Protection.Empty()}, err
	}
	return nil
}
