package opensearch

import (
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

func free(c *call) error {
	c.out.Free = true
	return nil
}

func refuse(why string) func(*call) error {
	return func(*call) error { return unclear(why) }
}

// whatever is an operation on the target as a whole.
func whatever(c *call) error {
	for _, a := range c.Route.Actions {
		c.does(a, c.target(), access.Attributes{})
	}
	c.out.Done = c.dialect.indices.forget
	return nil
}

// readOf is an operation on indices that touches no document; what it changes may be what names stand for.
func readOf(c *call) error {
	at, err := c.resolve(c.Params["index"])
	if err != nil {
		return err
	}
	c.doesAt(c.action(), at, access.Attributes{})
	if c.action().Writes() {
		c.out.Done = c.dialect.indices.forget
	}
	c.runs(c.Body)
	if c.action() == access.SchemaRead {
		c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
			return &httpwire.Obliged{Mute: mute(o)}, nil
		}
	}
	return nil
}

// readDrop takes plain indices only: dropping an alias's index by the alias is refused by the engines, too.
func readDrop(c *call) error {
	all, err := names(c.Params["index"])
	if err != nil {
		return err
	}
	for _, name := range all {
		c.does(access.SchemaDrop, c.resource(name), access.Attributes{})
	}
	at, err := c.resolve(c.Params["index"])
	if err != nil {
		return err
	}
	for _, p := range at {
		if p.alias != "" {
			c.does(access.SchemaDrop, p.resource, access.Attributes{Alias: p.alias})
		}
	}
	c.out.Done = c.dialect.indices.forget
	return nil
}

func readCreate(c *call) error {
	all, err := names(c.Params["index"])
	if err != nil || len(all) != 1 {
		return firstOf(err, unclear("it names several indices"))
	}
	c.does(access.SchemaCreate, c.resource(all[0]), access.Attributes{})
	for alias := range c.Body.Get("aliases").Members() {
		if err := c.named(access.AliasWrite, alias, "destination"); err != nil {
			return err
		}
	}
	c.runs(c.Body)
	c.out.Done = c.dialect.indices.forget
	return nil
}

// runs adds that code would run, now or whenever documents are written or read: pipelines, scripts and computed fields.
func (c *call) runs(v jsonstream.Value) {
	if code(v) {
		c.does(access.CodeExec, c.target(), access.Attributes{})
	}
}

func code(v jsonstream.Value) bool {
	for name, m := range v.Members() {
		if strings.Contains(name, "pipeline") && present(m) || strings.HasSuffix(name, "script") || name == "runtime" || name == "derived" || code(m) {
			return true
		}
	}
	for m := range v.Items() {
		if code(m) {
			return true
		}
	}
	return false
}

// named adds an access to something of a plain name, which need not exist.
func (c *call) named(a access.Action, name, role string) error {
	if !nameForm.MatchString(name) {
		return unclear("a name is not a plain one")
	}
	c.does(a, c.resource(name), access.Attributes{Role: role})
	return nil
}

// readAliases reads a list of changes to aliases.
func readAliases(c *call) error {
	if c.Body.Get("actions").Kind() != jsonstream.Array {
		return unclear("its actions are not a list")
	}
	for action := range c.Body.Get("actions").Items() {
		kind, v, ok := one(action)
		if !ok {
			return unclear("an action is not an object with one member")
		}
		if err := c.closed(v, "index indices alias aliases filter routing index_routing search_routing is_write_index is_hidden must_exist", "an action"); err != nil {
			return err
		}
		var on, as []string
		for _, member := range []struct {
			names []string
			to    *[]string
		}{{[]string{"index", "indices"}, &on}, {[]string{"alias", "aliases"}, &as}} {
			for _, name := range member.names {
				list, err := texts(v.Get(name), "the "+name+" of an action")
				if err != nil {
					return err
				}
				*member.to = append(*member.to, list...)
			}
		}
		if len(on) == 0 || len(as) == 0 && kind != "remove_index" {
			return unclear("an action names no index, or no alias")
		}
		switch kind {
		case "add", "remove":
			for _, alias := range as {
				if err := c.named(access.AliasWrite, alias, "destination"); err != nil {
					return err
				}
			}
			for _, index := range on {
				if err := c.doesTo(access.AliasWrite, index, "source"); err != nil {
					return err
				}
			}
		case "remove_index":
			for _, index := range on {
				if err := c.named(access.SchemaDrop, index, ""); err != nil {
					return err
				}
			}
		default:
			return unclear("an action is not one of add, remove and remove_index")
		}
	}
	if len(c.out.Accesses) == 0 {
		return unclear("it has no actions")
	}
	c.out.Done = c.dialect.indices.forget
	return nil
}

func (c *call) doesTo(a access.Action, expression, role string) error {
	at, err := c.resolve(expression)
	if err != nil {
		return err
	}
	c.doesAt(a, at, access.Attributes{Role: role})
	return nil
}

// readAlias reads the change of one alias, which the path names.
func readAlias(c *call) error {
	c.out.Done = c.dialect.indices.forget
	return firstOf(c.named(access.AliasWrite, c.Params["alias"], "destination"), c.doesTo(access.AliasWrite, c.Params["index"], "source"))
}

// readCopy reads making another index of all of one.
func readCopy(c *call) error {
	at, err := c.resolve(c.Params["index"])
	if err != nil {
		return err
	}
	c.doesAt(access.Export, at, access.Attributes{Limit: access.Unbounded, Rows: access.Unbounded, Vectors: true, Role: "source"})
	if err := c.named(access.SchemaCreate, c.Params["to"], "destination"); err != nil {
		return err
	}
	c.runs(c.Body)
	c.whole(at, "copied")
	c.out.Done = c.dialect.indices.forget
	return nil
}

// readStream reads an operation on a data stream.
func readStream(c *call) error {
	c.out.Done = c.dialect.indices.forget
	return c.named(c.action(), c.Params["index"], "")
}

// readFieldCaps tells which fields there are.
func readFieldCaps(c *call) error {
	if c.Body.Kind() != jsonstream.None && c.Body.Len() > 0 {
		return unclear("a document that says which fields is not taken: name them in the address")
	}
	return readOf(c)
}
