package weaviate

import (
	"slices"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// collection finds the collection in the path. What changes it must name it by its own name: Weaviate does not do with an
// alias there what it does with it elsewhere.
func (c *call) collection() (*class, error) {
	found, err := c.class(c.Params["className"])
	if err != nil {
		return nil, err
	}
	if found.alias() != "" && c.action().Writes() {
		return nil, unclear("its collection is an alias; name the collection itself")
	}
	c.Params["className"] = found.name
	return found, nil
}

// readList reads a list of collections or of what leads to them, of which only those are told that may be read.
func readList(list string) func(*call) error {
	return func(c *call) error {
		c.does(c.action(), access.Resource{Target: c.Target, Namespace: noTenant}, access.Attributes{})
		c.out.Oblige = func(*access.Obligations) (*httpwire.Obliged, error) {
			return &httpwire.Obliged{Rewrite: func(answer jsonstream.Value) (jsonstream.Value, error) {
				var seen []jsonstream.Value
				for item := range answer.Get(list).Items() {
					name, _ := item.Get("class").Text()
					if c.May(access.Access{Action: access.SchemaRead, Resource: resource(c.Target, "", name)}) {
						seen = append(seen, item)
					}
				}
				return empty.With(list, jsonstream.List(seen...)), nil
			}}, nil
		}
		return nil
	}
}

func readClass(c *call) error {
	found, err := c.collection()
	if err != nil {
		return err
	}
	c.does(c.action(), c.of(found, ""), access.Attributes{Alias: found.alias(), Egress: c.Route.Body && reachesOut(c.Body)})
	if c.action().Writes() {
		c.out.Done = c.reading.catalog.forget
	}
	return nil
}

// reachesOut says whether a definition makes the server ask a service elsewhere.
func reachesOut(definition jsonstream.Value) bool {
	vectorizer := definition.Get("vectorizer")
	if name, ok := vectorizer.Text(); ok && name != "" && name != "none" {
		return true
	}
	if definition.Get("moduleConfig").Len() > 0 {
		return true
	}
	for _, config := range definition.Get("vectorConfig").Members() {
		if v := config.Get("vectorizer"); v.Kind() == jsonstream.Object && v.Get("none").Kind() == jsonstream.None {
			return true
		}
	}
	return slices.ContainsFunc(slices.Collect(definition.Get("properties").Items()), func(p jsonstream.Value) bool { return p.Get("moduleConfig").Len() > 0 })
}

func (c *call) nameIn(member string) (string, error) {
	name, ok := c.Body.Get(member).Text()
	if !ok || !classForm.MatchString(name) {
		return "", unclear("its " + member + " is not a name")
	}
	return upper(name), nil
}

func readCreateClass(c *call) error {
	name, err := c.nameIn("class")
	if err != nil {
		return err
	}
	c.out.Body = c.Body.With("class", jsonstream.String(name))
	c.does(access.SchemaCreate, resource(c.Target, "", name), access.Attributes{Egress: reachesOut(c.Body)})
	c.out.Done = c.reading.catalog.forget
	return nil
}

func readAlterClass(c *call) error {
	found, err := c.collection()
	if err != nil {
		return err
	}
	if name, err := c.nameIn("class"); err != nil || name != found.name {
		return unclear("the collection in its document is not the one in its path")
	}
	return readClass(c)
}

func readTenant(c *call) error {
	found, err := c.collection()
	if err != nil {
		return err
	}
	c.does(c.action(), resource(c.Target, c.Params["tenantName"], found.name), access.Attributes{})
	return nil
}

func readTenants(c *call) error {
	found, err := c.collection()
	if err != nil {
		return err
	}
	for item := range c.Body.Items() {
		name, ok := item.Text()
		if item.Kind() == jsonstream.Object {
			if err := members(item, "name activityStatus", "a tenant"); err != nil {
				return err
			}
			name, ok = item.Get("name").Text()
		}
		if !ok || !tenantForm.MatchString(name) {
			return unclear("a tenant's name is not one")
		}
		c.does(c.action(), resource(c.Target, name, found.name), access.Attributes{Batch: len(c.accesses)})
	}
	if len(c.accesses) == 0 {
		return unclear("its list of tenants is empty")
	}
	return nil
}

func readAlias(c *call) error {
	name, ok := c.Params["aliasName"]
	if !ok {
		var err error
		if name, err = c.nameIn("alias"); err != nil {
			return err
		}
	} else {
		c.Params["aliasName"] = upper(name)
	}
	c.does(c.action(), resource(c.Target, "", upper(name)), access.Attributes{})
	if !c.action().Writes() {
		return nil
	}
	c.out.Done = c.reading.catalog.forget
	// An alias that there is leads somewhere: whoever changes it takes that away from others.
	for _, led := range []string{name, ""} {
		if led == "" && c.Route.Body {
			to, err := c.nameIn("class")
			if err != nil {
				return err
			}
			led = to
		}
		if led == "" {
			continue
		}
		found, err := c.class(led)
		if err != nil {
			return err
		}
		if !found.missing {
			c.does(access.AliasWrite, c.of(found, ""), access.Attributes{Role: "destination", Alias: upper(name)})
		}
	}
	return nil
}
