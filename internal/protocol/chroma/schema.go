package chroma

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// call is a request that is being read.
type call struct {
	*httpwire.Request
	ctx        context.Context
	dialect    *Dialect
	collection access.Resource
	out        httpwire.Call
}

func (c *call) does(a access.Action, r access.Resource, at access.Attributes) {
	c.out.Accesses = append(c.out.Accesses, access.Access{Action: a, Resource: r, Attributes: at})
	slices.SortStableFunc(c.out.Accesses, func(a, b access.Access) int { return b.Action.Weight() - a.Action.Weight() })
}

func (c *call) namespace() access.Resource {
	return access.Resource{Target: c.Target, Namespace: namespace(c.Params["tenant"], c.Params["database"])}
}

// named is the resource of a collection of the request's database.
func (c *call) named(name string) access.Resource {
	r := c.namespace()
	r.Collection = name
	return r
}

// name returns a member of the document that is to be a name.
func (c *call) name(member string) (string, error) {
	name, ok := c.Body.Get(member).Text()
	if !ok || !nameForm.MatchString(name) {
		return "", unclear("its " + member + " is not a name")
	}
	return name, nil
}

// action is what an operation does that always does the same.
func (c *call) action() access.Action { return c.Route.Actions[0] }

func free(c *call) error {
	c.out.Free = true
	return nil
}

func refuse(why string) func(*call) error {
	return func(*call) error { return unclear(why) }
}

func readReset(c *call) error {
	c.does(access.SchemaDrop, access.Resource{Target: c.Target}, access.Attributes{})
	c.out.Done = c.dialect.names.forget
	return nil
}

func readCreateTenant(c *call) error {
	name, err := c.name("name")
	c.does(access.TenantCreate, access.Resource{Target: c.Target, Namespace: name}, access.Attributes{})
	return err
}

func readTenant(c *call) error {
	c.does(c.action(), access.Resource{Target: c.Target, Namespace: c.Params["tenant"]}, access.Attributes{})
	return c.paging()
}

func readCreateDatabase(c *call) error {
	name, err := c.name("name")
	c.does(access.TenantCreate, access.Resource{Target: c.Target, Namespace: namespace(c.Params["tenant"], name)}, access.Attributes{})
	return err
}

func readNamespace(c *call) error {
	c.does(c.action(), c.namespace(), access.Attributes{})
	if c.action() == access.TenantDrop {
		c.out.Done = c.dialect.names.forget
	}
	return c.paging()
}

// readList reads a list of collections: those that the subject may read or list are shown.
func readList(c *call) error {
	if err := readNamespace(c); err != nil {
		return err
	}
	c.out.Oblige = func(*access.Obligations) (*httpwire.Obliged, error) {
		return &httpwire.Obliged{Rewrite: c.visible}, nil
	}
	return nil
}

// readListCount counts what readList shows.
func readListCount(c *call) error {
	if err := readNamespace(c); err != nil {
		return err
	}
	c.out.Oblige = func(*access.Obligations) (*httpwire.Obliged, error) {
		return &httpwire.Obliged{
			Instead: &httpwire.Instead{
				Method: http.MethodGet, Path: httpwire.Path("api", "v2", "tenants", c.Params["tenant"], "databases", c.Params["database"], "collections"),
			},
			Rewrite: func(v jsonstream.Value) (jsonstream.Value, error) {
				v, err := c.visible(v)
				return jsonstream.Int(int64(v.Len())), err
			},
		}, nil
	}
	return nil
}

// visible leaves out of a list of collections those that policy would not let the subject describe.
func (c *call) visible(v jsonstream.Value) (jsonstream.Value, error) {
	if v.Kind() != jsonstream.Array {
		return v, errors.New("there is no list of collections")
	}
	var shown []jsonstream.Value
	for item := range v.Items() {
		name, ok := item.Get("name").Text()
		if ok && nameForm.MatchString(name) && c.may(c.named(name), access.SchemaRead, access.SchemaList) {
			shown = append(shown, item)
		}
	}
	return jsonstream.List(shown...), nil
}

// may says whether policy would let the subject do one of some things.
func (c *call) may(r access.Resource, actions ...access.Action) bool {
	return slices.ContainsFunc(actions, func(a access.Action) bool { return c.May(access.Access{Action: a, Resource: r}) })
}

// readDatabases reads a list of databases: those that the subject may read are shown.
func readDatabases(c *call) error {
	if err := readTenant(c); err != nil {
		return err
	}
	tenant := c.Params["tenant"]
	c.out.Oblige = func(*access.Obligations) (*httpwire.Obliged, error) {
		return &httpwire.Obliged{Rewrite: func(v jsonstream.Value) (jsonstream.Value, error) {
			if v.Kind() != jsonstream.Array {
				return v, errors.New("there is no list of databases")
			}
			var shown []jsonstream.Value
			for item := range v.Items() {
				name, ok := item.Get("name").Text()
				at := access.Resource{Target: c.Target, Namespace: namespace(tenant, name)}
				if ok && nameForm.MatchString(name) && c.may(at, access.TenantRead, access.SchemaList) {
					shown = append(shown, item)
				}
			}
			return jsonstream.List(shown...), nil
		}}, nil
	}
	return nil
}

// paging checks what pages through a list.
func (c *call) paging() error {
	for _, name := range []string{"limit", "offset"} {
		if v, ok := c.Query[name]; ok {
			if n, err := strconv.ParseInt(v, 10, 32); err != nil || n < 0 {
				return unclear("its " + name + " is not a number")
			}
		}
	}
	return nil
}

func readNamed(c *call) error {
	c.does(c.action(), c.named(c.Params["name"]), access.Attributes{})
	if c.action() == access.SchemaDrop {
		c.out.Done = c.dialect.names.forget
	}
	return nil
}

func readByID(c *call) error {
	if err := c.resolve(); err != nil {
		return err
	}
	c.does(access.SchemaRead, c.collection, access.Attributes{})
	return nil
}

func readOf(a access.Action) func(*call) error {
	return func(c *call) error {
		if err := c.resolve(); err != nil {
			return err
		}
		if level, ok := c.Query["read_level"]; ok && level != "index_and_wal" && level != "index_only" {
			return unclear("its read_level is not known")
		}
		at := access.Attributes{}
		if a == access.Count {
			at.Rows = 1
		}
		c.does(a, c.collection, at)
		return nil
	}
}

func readCRN(c *call) error {
	parts := strings.Split(c.Params["crn"], ":")
	if len(parts) != 3 || slices.ContainsFunc(parts, func(s string) bool { return !nameForm.MatchString(s) }) {
		return unclear("its name is not tenant:database:collection")
	}
	c.does(access.SchemaRead, access.Resource{Target: c.Target, Namespace: namespace(parts[0], parts[1]), Collection: parts[2]}, access.Attributes{})
	return nil
}

// readCreate reads what every client sends that only wants to open a collection as what it is: reading, when the
// collection exists. It is then sent on as such, so that it cannot become a creation meanwhile.
func readCreate(c *call) error {
	name, err := c.name("name")
	if err != nil {
		return err
	}
	orGet := c.Body.Get("get_or_create")
	wanted, ok := orGet.Bool()
	if orGet.Kind() != jsonstream.None && !ok {
		return unclear("its get_or_create is neither true nor false")
	}
	may := wanted && c.May(access.Access{Action: access.SchemaRead, Resource: c.named(name)})
	if wanted && !may {
		c.out.Body = c.Body.With("get_or_create", jsonstream.Flag(false)) // it may be created, and not be read when it is there
	}
	if wanted && may {
		path := httpwire.Path("api", "v2", "tenants", c.Params["tenant"], "databases", c.Params["database"], "collections", name)
		status, _, err := c.Ask(c.ctx, path)
		if err != nil {
			return err
		}
		if status < 300 {
			c.out.Method, c.out.Path, c.out.Body = http.MethodGet, path, jsonstream.Value{}
			c.does(access.SchemaRead, c.named(name), access.Attributes{})
			return nil
		}
	}
	c.does(access.SchemaCreate, c.named(name), access.Attributes{})
	return nil
}

func readAlter(c *call) error {
	if err := c.resolve(); err != nil {
		return err
	}
	if k := c.Body.Get("new_name").Kind(); k == jsonstream.None || k == jsonstream.Null {
		c.does(access.SchemaAlter, c.collection, access.Attributes{})
		return nil
	}
	name, err := c.name("new_name")
	if err != nil {
		return err
	}
	c.does(access.SchemaRename, c.collection, access.Attributes{Role: "source"})
	c.does(access.SchemaRename, c.named(name), access.Attributes{Role: "destination"})
	c.out.Done = c.dialect.names.forget
	return nil
}

func readFork(c *call) error {
	if err := c.resolve(); err != nil {
		return err
	}
	name, err := c.name("new_name")
	if err != nil {
		return err
	}
	c.does(access.Export, c.collection, access.Attributes{Rows: access.Unbounded, Limit: access.Unbounded, Vectors: true, Role: "source"})
	c.does(access.SchemaCreate, c.named(name), access.Attributes{Role: "destination"})
	return c.whole("forked")
}

// readAttach reads what makes the server compute something of all records, from now on, and write it into another collection.
func readAttach(c *call) error {
	if err := c.resolve(); err != nil {
		return err
	}
	to, err := c.name("output_collection")
	if err != nil {
		return err
	}
	c.does(access.CodeExec, c.collection, access.Attributes{Role: "source"})
	c.does(access.SchemaCreate, c.named(to), access.Attributes{Role: "destination"})
	c.does(access.Upsert, c.named(to), access.Attributes{Points: access.Unbounded, Role: "destination"})
	return c.whole("computed with")
}

// readDetach reads what may drop the collection that a function writes, whatever its name is.
func readDetach(c *call) error {
	if err := c.resolve(); err != nil {
		return err
	}
	drop := c.Body.Get("delete_output")
	is, ok := drop.Bool()
	if drop.Kind() != jsonstream.None && !ok {
		return unclear("its delete_output is neither true nor false")
	}
	c.does(access.CodeExec, c.collection, access.Attributes{})
	if is {
		c.does(access.SchemaDrop, c.namespace(), access.Attributes{})
		c.out.Done = c.dialect.names.forget
	}
	return nil
}

// whole makes a call that takes all of a collection elsewhere, which cannot be done while parts of it are hidden.
func (c *call) whole(verb string) error {
	at := c.collection
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		if !o.Protection.Empty() || o.Rows > 0 {
			return nil, &access.Refusal{
				Code: access.CodeObligation, Message: at.String() + " cannot be " + verb + " by who may not see all of it",
			}
		}
		return &httpwire.Obliged{}, nil
	}
	return nil
}
