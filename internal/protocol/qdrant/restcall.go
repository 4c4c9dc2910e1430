package qdrant

import (
	"context"
	"net/http"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// call is a request that is being read.
type call struct {
	*httpwire.Request
	ctx        context.Context
	dialect    *REST
	collection access.Resource // of the path
	alias      string          // its name there, when that is an alias
	found      directory
	out        httpwire.Call
}

// directory is what the names of a request stand for, looked up once.
type directory map[string]place

type place struct {
	at    access.Resource
	alias string
}

// put takes down what a name stands for, also under the name that is sent on.
func (d directory) put(target, name, to string) place {
	p := place{at: resource(target, to)}
	if to != name {
		d[to] = p
		p.alias = name
	}
	d[name] = p
	return p
}

// find is what a name stands for.
func (c *call) find(name string) (access.Resource, string, error) {
	if p, ok := c.found[name]; ok {
		return p.at, p.alias, nil
	}
	if !nameForm.MatchString(name) {
		return access.Resource{}, "", unclear("the name of a collection has characters that a name cannot have here")
	}
	to, err := c.dialect.names.collection(c.ctx, name, c.names)
	if err != nil {
		return access.Resource{}, "", err
	}
	p := c.found.put(c.Target, name, to)
	return p.at, p.alias, nil
}

// names asks the target.
func (c *call) names(ctx context.Context) (*directoryOf, error) {
	d := &directoryOf{aliases: map[string]string{}, collections: map[string]bool{}}
	list := func(path, member string) (jsonstream.Value, error) {
		status, v, err := c.Ask(ctx, path)
		v = v.Get("result").Get(member)
		if err == nil && (status != http.StatusOK || v.Kind() != jsonstream.Array) {
			err = untold()
		}
		return v, err
	}
	aliases, err := list("/aliases", "aliases")
	if err != nil {
		return nil, err
	}
	for item := range aliases.Items() {
		alias, ok := item.Get("alias_name").Text()
		to, named := item.Get("collection_name").Text()
		if !ok || !named {
			return nil, untold()
		}
		d.aliases[alias] = to
	}
	collections, err := list("/collections", "collections")
	for item := range collections.Items() {
		name, ok := item.Get("name").Text()
		if !ok {
			return nil, untold()
		}
		d.collections[name] = true
	}
	return d, err
}

// begin checks what stands in the path, and finds out which collection is meant.
func (c *call) begin() (err error) {
	c.found = directory{}
	for name, v := range c.Params {
		if name != "field" && !nameForm.MatchString(v) {
			return unclear("the " + name + " in its path has characters that it cannot have here")
		}
	}
	if name, ok := c.Params["collection"]; ok {
		if c.collection, c.alias, err = c.find(name); err != nil {
			return err
		}
		if c.Route.Name != "create_collection" {
			c.Params["collection"] = c.collection.Collection
		}
	}
	return nil
}

// path is the request's path, rebuilt from what was read.
func (c *call) path() string {
	segments := strings.Split(strings.TrimPrefix(c.Route.Path, "/"), "/")
	for i, s := range segments {
		if name, ok := strings.CutPrefix(s, "{"); ok {
			segments[i] = c.Params[strings.TrimSuffix(name, "}")]
		}
	}
	return httpwire.Path(segments...)
}

func (c *call) does(a access.Action, r access.Resource, at access.Attributes) {
	if r == c.collection {
		at.Alias = c.alias
	}
	c.out.Accesses = append(c.out.Accesses, access.Access{Action: a, Resource: r, Attributes: at})
	gravest(c.out.Accesses)
}

// target is where operations are that concern no collection.
func (c *call) target() access.Resource { return access.Resource{Target: c.Target} }

// action is what an operation does that always does the same.
func (c *call) action() access.Action { return c.Route.Actions[0] }

// reading reads a document as parts; it may change it.
type reading func(t *tree) ([]*part, error)

// shape says where in an answer the points of parts are.
type shape func([]*part, *access.Protection) *jsonstream.Node

// points makes a call of parts. For every decision the document is read anew, so that what is changed is what was read.
func (c *call) points(read reading, answer shape) error {
	if c.Route.Body && c.Body.Kind() != jsonstream.Object {
		return unclear("its document is not an object")
	}
	t := grow(c.Body)
	parts, err := c.parts(t, read)
	if err != nil {
		return err
	}
	for _, p := range parts {
		c.out.Accesses = append(c.out.Accesses, p.accesses()...)
	}
	gravest(c.out.Accesses)
	if c.Route.Body {
		c.out.Body = t.render()
	}
	body := c.out.Body
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		if o.Protection.Empty() && o.Rows == 0 && o.TopK == 0 && len(o.Filters) == 0 {
			return &httpwire.Obliged{Filtered: true}, nil
		}
		// What stays as it is need not be read and written again: the whole of an upsert, for one.
		parts, t, same, err := parts, (*tree)(nil), stays(o, parts), error(nil)
		if !same {
			t = grow(body)
			if parts, err = c.parts(t, read); err != nil {
				return nil, err
			}
		}
		checks, err := oblige(o, parts)
		if err != nil {
			return nil, err
		}
		obliged := &httpwire.Obliged{Filtered: true, Rows: o.Rows, Mute: !o.Protection.Empty() || len(o.Filters) > 0}
		if c.Route.Body && !same {
			obliged.Body = t.render()
		}
		if len(checks) > 0 {
			obliged.Check = func(ctx context.Context) error {
				for _, check := range checks {
					if err := check(ctx, c); err != nil {
						return err
					}
				}
				if c.Route.Body && !same {
					obliged.Body = t.render()
				}
				return nil
			}
		}
		if answer != nil && (!o.Protection.Empty() || o.Rows > 0) {
			obliged.Mask = answer(parts, o.Protection)
		}
		return obliged, nil
	}
	return nil
}

func (c *call) parts(t *tree, read reading) ([]*part, error) {
	parts, err := read(t)
	if err == nil && t.full() {
		err = unclear("its document has too many parts")
	}
	if err != nil {
		return nil, err
	}
	for i, p := range parts {
		p.name, p.batch = c.Params["collection"], i
		if err := p.resolve(c.find); err != nil {
			return nil, err
		}
		p.alias = c.alias
	}
	return parts, nil
}

// one reads a document of one part.
func one(a access.Action, read func(*part, *tree) error) reading {
	return func(t *tree) ([]*part, error) {
		p := &part{action: a, group: 1}
		return []*part{p}, read(p, t)
	}
}

// mostParts is how many elements a batch may have.
const mostParts = 10_000

// each reads a batch: a list of documents in a member.
func each(member string, a access.Action, read func(*part, *tree) error) reading {
	return func(t *tree) ([]*part, error) {
		batch := t.get(member)
		if !t.only(member) || batch.kind() != jsonstream.Array {
			return nil, unclear("its document is not a list of " + member)
		}
		if len(batch.items()) > mostParts {
			return nil, unclear("its batch is too long")
		}
		var parts []*part
		for _, item := range batch.items() {
			p := &part{action: a, group: 1}
			if err := read(p, item); err != nil {
				return nil, err
			}
			parts = append(parts, p)
		}
		return parts, nil
	}
}

func readOperations(t *tree) ([]*part, error) {
	batch := t.get("operations")
	if !t.only("operations") || batch.kind() != jsonstream.Array {
		return nil, unclear("its document is not a list of operations")
	}
	if len(batch.items()) > mostParts {
		return nil, unclear("its batch is too long")
	}
	var parts []*part
	for _, item := range batch.items() {
		if item.kind() != jsonstream.Object || len(item.look().names) != 1 {
			return nil, unclear("an operation has not exactly one member")
		}
		op, ok := operations[item.names[0]]
		if !ok {
			return nil, unclear("an operation is not known")
		}
		p := &part{action: op.action, group: 1}
		if err := op.read(p, item.parts[0]); err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return parts, nil
}
