package pinecone

import (
	"context"
	"net"
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
	place
	ctx     context.Context
	dialect *Dialect
	out     httpwire.Call
}

func (c *call) does(a access.Action, r access.Resource, at access.Attributes) {
	c.doesAll(access.Access{Action: a, Resource: r, Attributes: at})
}

func (c *call) doesAll(all ...access.Access) {
	c.out.Accesses = ordered(append(c.out.Accesses, all...))
}

// ordered is accesses with the most consequential first.
func ordered(all []access.Access) []access.Access {
	slices.SortStableFunc(all, func(a, b access.Access) int { return b.Action.Weight() - a.Action.Weight() })
	return all
}

// action is what an operation does that always does the same.
func (c *call) action() access.Action { return c.Route.Actions[0] }

// named is the resource of an index, at the control plane.
func (c *call) named(index string) access.Resource {
	return access.Resource{Target: c.Target, Namespace: index}
}

// name returns a member of the document that is to be a name.
func (c *call) name(member string) (string, error) {
	name, ok := c.Body.Get(member).Text()
	if !ok || !nameForm.MatchString(name) {
		return "", unclear("its " + member + " is not a name")
	}
	return name, nil
}

// readTarget reads what concerns all of a project.
func readTarget(c *call) error {
	at := access.Attributes{}
	for _, id := range c.Params {
		at.IDs = append(at.IDs, id)
	}
	c.does(c.action(), access.Resource{Target: c.Target}, at)
	return c.paging()
}

func readInference(c *call) error {
	c.does(access.CodeExec, access.Resource{Target: c.Target}, access.Attributes{Egress: true})
	return nil
}

func readIndexes(c *call) error {
	c.does(access.SchemaList, access.Resource{Target: c.Target}, access.Attributes{})
	mask, may := c.dialect.hosts(), c.May
	c.out.Oblige = func(*access.Obligations) (*httpwire.Obliged, error) {
		return &httpwire.Obliged{Mask: mask, Rewrite: func(v jsonstream.Value) (jsonstream.Value, error) {
			return readable(v, "indexes", func(name string) bool {
				return may(access.Access{Action: access.SchemaRead, Resource: c.named(name)})
			}), nil
		}}, nil
	}
	return nil
}

// readable is an answer with those members of a list whose names may be read.
func readable(v jsonstream.Value, list string, may func(name string) bool) jsonstream.Value {
	all := v.Get(list)
	if all.Kind() != jsonstream.Array {
		return v
	}
	var kept []jsonstream.Value
	for item := range all.Items() {
		if name, ok := item.Get("name").Text(); ok && may(name) {
			kept = append(kept, item)
		}
	}
	return v.With(list, jsonstream.List(kept...))
}

func readIndex(c *call) error {
	c.does(c.action(), c.named(c.Params["index"]), access.Attributes{})
	if c.Route.Method != http.MethodDelete { // whose answer is empty
		c.rehosted()
	}
	return c.paging()
}

// rehosted makes the answer name the gateway's hosts.
func (c *call) rehosted() {
	mask := c.dialect.hosts()
	c.out.Oblige = func(*access.Obligations) (*httpwire.Obliged, error) { return &httpwire.Obliged{Mask: mask}, nil }
}

// nowhere is named for indexes that cannot be reached through the gateway.
const nowhere = "not-registered-at-the-gateway.invalid"

// hosts rewrites the hosts in an answer, wherever they stand, except in what users wrote themselves.
func (d *Dialect) hosts() *jsonstream.Node {
	host := &jsonstream.Node{Rewrite: func(s string) string {
		if own, ok := d.Hosts[Address(s)]; ok {
			return own
		}
		return nowhere
	}}
	anywhere := &jsonstream.Node{Fields: map[string]*jsonstream.Node{
		"host": host, "tags": nil, "schema": nil,
		"private_host": {Treatment: access.Treatment{Mask: access.MaskDrop}},
	}}
	anywhere.Field = func(string) *jsonstream.Node { return anywhere }
	anywhere.Items = anywhere
	return anywhere
}

// Address is host:port of a host as Pinecone names it, which speaks HTTPS when nothing else is said.
func Address(host string) string {
	host, port := strings.ToLower(host), "443"
	if rest, ok := strings.CutPrefix(host, "http://"); ok {
		host, port = rest, "80"
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "https://"), "/")
	if h, p, err := net.SplitHostPort(host); err == nil {
		host, port = h, p
	}
	return net.JoinHostPort(host, port)
}

// readCreateIndex finds what a new index would be filled from, wherever its document says so.
func readCreateIndex(c *call) error {
	name, err := c.name("name")
	if err != nil {
		return err
	}
	c.does(access.SchemaCreate, c.named(name), access.Attributes{})
	sources, err := sources(c.Body, nil)
	if err != nil {
		return err
	}
	for _, source := range sources {
		c.does(access.SnapshotRestore, c.named(name), access.Attributes{Role: "destination"})
		c.does(access.Export, access.Resource{Target: c.Target}, access.Attributes{Rows: access.Unbounded, Limit: access.Unbounded, Vectors: true, Role: "source", IDs: []string{source}})
	}
	mask := c.dialect.hosts()
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		if err := whole(o, access.Resource{Target: c.Target}); err != nil && len(sources) > 0 {
			return nil, err
		}
		return &httpwire.Obliged{Mask: mask}, nil
	}
	return nil
}

// sources are the collections and backups that a document names.
func sources(v jsonstream.Value, found []string) (_ []string, err error) {
	for name, member := range v.Members() {
		if name == "tags" {
			continue
		}
		if strings.HasPrefix(name, "source") && present(member) {
			text, ok := member.Text()
			if !ok {
				return nil, unclear("its " + name + " is not a name")
			}
			found = append(found, text)
		}
		if found, err = sources(member, found); err != nil {
			return nil, err
		}
	}
	for item := range v.Items() {
		if found, err = sources(item, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// whole refuses what takes all of an index elsewhere from who may not see all of it.
func whole(o *access.Obligations, at access.Resource) error {
	if o.Protection.Empty() && o.Rows == 0 && len(o.FiltersOn(at)) == 0 {
		return nil
	}
	return &access.Refusal{Code: access.CodeObligation, Message: at.String() + " cannot be copied by who may not see all of it"}
}

// copied is for a call that makes a copy of an index.
func (c *call) copied(at access.Resource) {
	mask := c.dialect.hosts()
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		if err := whole(o, at); err != nil {
			return nil, err
		}
		return &httpwire.Obliged{Mask: mask, Filtered: true}, nil
	}
}

func readCopied(c *call) error {
	at := c.named(c.Params["index"])
	c.does(access.SnapshotCreate, at, access.Attributes{})
	c.copied(at)
	return nil
}

func readCollect(c *call) error {
	if _, err := c.name("name"); err != nil {
		return err
	}
	source, err := c.name("source")
	if err != nil {
		return err
	}
	c.does(access.SnapshotCreate, c.named(source), access.Attributes{Role: "source"})
	c.copied(c.named(source))
	return nil
}

// backup finds out of which index a backup is.
func (c *call) backup() (index string, err error) {
	status, v, err := c.Ask(c.ctx, httpwire.Path("backups", c.Params["backup"]))
	switch {
	case err != nil:
		return "", err
	case status == http.StatusNotFound:
		return "", nil
	case status >= 300:
		return "", &access.Refusal{Code: access.CodeUnavailable, Message: "the target does not tell of which index the backup is"}
	}
	index, ok := v.Get("source_index_name").Text()
	if !ok || !nameForm.MatchString(index) {
		return "", &access.Refusal{Code: access.CodeUnavailable, Message: "the target does not tell of which index the backup is"}
	}
	return index, nil
}

// readBackup is judged by the index that was backed up; a backup that does not exist, by the whole target.
func readBackup(c *call) error {
	index, err := c.backup()
	if err != nil {
		return err
	}
	c.does(c.action(), c.named(index), access.Attributes{IDs: []string{c.Params["backup"]}})
	return nil
}

func readRestore(c *call) error {
	name, err := c.name("name")
	if err != nil {
		return err
	}
	index, err := c.backup()
	if err != nil {
		return err
	}
	c.does(access.SnapshotRestore, c.named(name), access.Attributes{Role: "destination", IDs: []string{c.Params["backup"]}})
	c.does(access.Export, c.named(index), access.Attributes{Rows: access.Unbounded, Limit: access.Unbounded, Vectors: true, Role: "source"})
	c.copied(c.named(index))
	return nil
}

// paging checks what pages through a list.
func (c *call) paging() error {
	_, err := c.page()
	return err
}

func (c *call) page() (page, error) {
	p := page{limit: access.Unbounded, cursor: c.Query[token] != ""}
	if v, ok := c.Query["limit"]; ok {
		n, err := strconv.ParseInt(v, 10, 32)
		if err != nil || n < 0 {
			return p, unclear("its limit is not a number")
		}
		p.limit = n
	}
	return p, nil
}
