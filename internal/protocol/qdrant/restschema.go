package qdrant

import (
	"errors"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

func free(c *call) error {
	c.out.Free = true
	return nil
}

// found reads an operation on points.
func found(read reading, answer shape) func(*call) error {
	return func(c *call) error { return c.points(read, answer) }
}

// ofTarget reads an operation on the target as a whole.
func ofTarget(c *call) error {
	at := c.target()
	c.does(c.action(), at, access.Attributes{})
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		return &httpwire.Obliged{}, whole(o, at, "looked into or changed as a whole")
	}
	return nil
}

// ofList reads a list of collections or of aliases: those are shown that are, or stand for, a collection that the subject may
// describe.
func ofList(member, named string) func(*call) error {
	return func(c *call) error {
		c.does(c.action(), access.Resource{Target: c.Target, Namespace: Namespace}, access.Attributes{})
		c.out.Oblige = func(*access.Obligations) (*httpwire.Obliged, error) {
			return &httpwire.Obliged{Rewrite: func(v jsonstream.Value) (jsonstream.Value, error) {
				result := v.Get("result")
				if result.Get(member).Kind() != jsonstream.Array {
					return v, errors.New("there is no list of " + member)
				}
				var shown []jsonstream.Value
				for item := range result.Get(member).Items() {
					if name, ok := item.Get(named).Text(); ok && describes(c.May, c.Target, name) {
						shown = append(shown, item)
					}
				}
				return v.With("result", result.With(member, jsonstream.List(shown...))), nil
			}}, nil
		}
		return nil
	}
}

// describes says whether policy would let the subject describe a collection.
func describes(may func(access.Access) bool, target, name string) bool {
	at := resource(target, name)
	return nameForm.MatchString(name) && (may(access.Access{Action: access.SchemaRead, Resource: at}) || may(access.Access{Action: access.SchemaList, Resource: at}))
}

// ofCollection reads an operation on a collection that says nothing of its points.
func ofCollection(c *call) error {
	c.does(c.action(), c.collection, access.Attributes{})
	return nil
}

// ofShared reads an operation that concerns all points of a collection alike.
func ofShared(verb string) func(*call) error {
	return func(c *call) error {
		at := c.collection
		c.does(c.action(), at, access.Attributes{})
		c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
			return &httpwire.Obliged{}, unshared(o, at, verb)
		}
		return nil
	}
}

// ofWhole reads an operation that shows points as they are stored.
func ofWhole(verb string) func(*call) error {
	return func(c *call) error {
		at := c.collection
		c.does(c.action(), at, access.Attributes{Limit: access.Unbounded, Rows: access.Unbounded, Vectors: true, Fields: []string{"*"}})
		c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
			return &httpwire.Obliged{}, whole(o, at, verb)
		}
		return nil
	}
}

// readDocument reads a document whose members are known and that says nothing of points.
func readDocument(members string) func(*call) error {
	return func(c *call) error {
		if !grow(c.Body).only(strings.Fields(members)...) {
			return unclear("its document has a member that " + c.Route.Name + " does not have, or is not an object")
		}
		return ofCollection(c)
	}
}

const createMembers = "vectors shard_number sharding_method replication_factor write_consistency_factor on_disk_payload hnsw_config wal_config optimizers_config init_from quantization_config sparse_vectors strict_mode_config metadata"

func readCreate(c *call) error {
	t := grow(c.Body)
	if !t.only(strings.Fields(createMembers)...) {
		return unclear("its document has a member that create_collection does not have, or is not an object")
	}
	c.collection, c.alias = resource(c.Target, c.Params["collection"]), ""
	if err := ofCollection(c); err != nil {
		return err
	}
	c.out.Done = c.dialect.names.forget
	from := t.get("init_from")
	if from == nil {
		return nil
	}
	name, ok := from.get("collection").orNone().Text()
	if !from.only("collection") || !ok {
		return unclear("its init_from is not of the known form")
	}
	source, alias, err := c.find(name)
	if err != nil {
		return err
	}
	from.set("collection", jsonstream.String(source.Collection))
	c.out.Body = t.render()
	c.does(access.Export, source, access.Attributes{Rows: access.Unbounded, Limit: access.Unbounded, Vectors: true, Role: "source", Alias: alias})
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		return &httpwire.Obliged{}, whole(o, source, "copied")
	}
	return nil
}

func readDrop(c *call) error {
	c.out.Done = c.dialect.names.forget
	return ofShared("dropped")(c)
}

func readDropIndex(c *call) error {
	if _, ok := fieldOf(c.Params["field"]); !ok {
		return unclear("the field in its path is not a path in Qdrant's grammar")
	}
	return ofCollection(c)
}

// readRecover reads what puts other points in the place of a collection's.
func readRecover(c *call) error {
	if c.Route.Body && !grow(c.Body).only("location", "priority", "checksum") {
		return unclear("its document has a member other than location, priority and checksum; a key would be written down with it")
	}
	at := c.collection
	c.does(access.SnapshotRestore, at, access.Attributes{Egress: true, Points: access.Unbounded})
	c.out.Done = c.dialect.names.forget
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		return &httpwire.Obliged{}, unshared(o, at, "replaced")
	}
	return nil
}

// readAliases reads what becomes of aliases, all at once or not at all.
func readAliases(c *call) error {
	t := grow(c.Body)
	actions := t.get("actions")
	if !t.only("actions") || actions.kind() != jsonstream.Array {
		return unclear("its document is not a list of actions")
	}
	if len(actions.items()) > mostParts || t.full() {
		return unclear("its batch is too long")
	}
	for i, item := range actions.items() {
		if item.kind() != jsonstream.Object || len(item.look().names) != 1 {
			return unclear("an action has not exactly one member")
		}
		var change aliasChange
		a := item.parts[0]
		var err error
		switch item.names[0] {
		case "create_alias":
			change.alias, err = nameIn(a, "alias_name", "collection_name", "alias_name")
			if err == nil {
				change.collection, err = nameIn(a, "collection_name", "collection_name", "alias_name")
			}
		case "delete_alias":
			change.alias, err = nameIn(a, "alias_name", "alias_name")
		case "rename_alias":
			change.alias, err = nameIn(a, "old_alias_name", "old_alias_name", "new_alias_name")
			if err == nil {
				change.renamed, err = nameIn(a, "new_alias_name", "old_alias_name", "new_alias_name")
			}
		default:
			err = unclear("an action is not known")
		}
		if err != nil {
			return err
		}
		list, err := change.accesses(c.Target, i, c.find)
		if err != nil {
			return err
		}
		c.out.Accesses = append(c.out.Accesses, list...)
	}
	c.out.Done = c.dialect.names.forget
	return nil
}

// orNone is a tree's value; of none there is none.
func (t *tree) orNone() jsonstream.Value {
	if t == nil {
		return jsonstream.Value{}
	}
	return t.render()
}

func nameIn(t *tree, member string, members ...string) (string, error) {
	name, ok := t.get(member).orNone().Text()
	if !t.only(members...) || !ok {
		return "", unclear("an action on an alias is not of the known form")
	}
	return name, nil
}

// aliasChange is what becomes of an alias: it is made for a collection, gets another name, or goes.
type aliasChange struct {
	alias, collection, renamed string
}

// accesses are alias.write on every name that a change concerns: the alias as if it were a collection, because others read
// by that name; what it stood for; what it will stand for.
func (a aliasChange) accesses(target string, batch int, find func(string) (access.Resource, string, error)) ([]access.Access, error) {
	var list []access.Access
	add := func(name, role string, resolve bool) error {
		if name == "" {
			return nil
		}
		if !nameForm.MatchString(name) {
			return unclear("the name of an alias has characters that a name cannot have here")
		}
		at, alias := resource(target, name), ""
		if resolve {
			to, as, err := find(name)
			if err != nil {
				return err
			}
			if role == "source" && to == at {
				return nil // it is no alias yet
			}
			at, alias = to, as
		}
		list = append(list, access.Access{Action: access.AliasWrite, Resource: at, Attributes: access.Attributes{Role: role, Alias: alias, Batch: batch}})
		return nil
	}
	for _, x := range []struct {
		name, role string
		resolve    bool
	}{{a.alias, "", false}, {a.alias, "source", true}, {a.renamed, "", false}, {a.renamed, "source", true}, {a.collection, "destination", true}} {
		if err := add(x.name, x.role, x.resolve); err != nil {
			return nil, err
		}
	}
	return list, nil
}
