package weaviate

import (
	"context"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// readBatch reads objects of any collections; every collection and tenant is an access of its own.
func readBatch(c *call) error {
	list := c.Body.Get("objects")
	if list.Kind() != jsonstream.Array {
		return unclear("its objects are not a list")
	}
	var all []*written
	var values []jsonstream.Value
	where := map[access.Resource]*access.Attributes{}
	var order []access.Resource
	var tenants []string
	shown := objects{}
	for item := range list.Items() {
		w, err := c.write(item)
		if err != nil {
			return err
		}
		all, values = append(all, w), append(values, w.value)
		at, ok := where[w.at]
		if !ok {
			at = &access.Attributes{Filter: access.FilterKey, Batch: len(order), Alias: w.class.alias()}
			where[w.at] = at
			order, tenants = append(order, w.at), append(tenants, w.tenant)
			shown.all = append(shown.all, stored{w.at, w.class})
		}
		at.Points++
		at.Vectors = at.Vectors || w.vectors
		if w.id != "" && len(at.IDs) < mostIDs {
			at.IDs = append(at.IDs, w.id)
		}
		c.grown(w)
	}
	if len(all) == 0 {
		return unclear("its list of objects is empty")
	}
	for _, place := range order {
		c.does(access.Upsert, place, *where[place])
	}
	c.out.Body = c.Body.With("objects", jsonstream.List(values...))
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		named := map[access.Resource][]string{}
		rulesOf := map[access.Resource][]access.FilterRule{}
		for _, w := range all {
			rules, err := narrow(o, w.at, w.class)
			if err != nil {
				return nil, err
			}
			if f := passes(rules, w.value.Get("properties")); f != nil {
				return nil, astray(f, w.at)
			}
			if w.id != "" {
				named[w.at] = append(named[w.at], w.id)
			}
			rulesOf[w.at] = rules
		}
		var checks []func(context.Context) error
		for i, place := range order {
			if check := c.reaching(rulesOf[place], shown.all[i].class, tenants[i], true, named[place]...); check != nil {
				checks = append(checks, check)
			}
		}
		masked := shown
		masked.p = o.Protection
		return &httpwire.Obliged{
			Filtered: true, Check: every(checks), Mask: &jsonstream.Node{Items: masked.object()}, Mute: !o.Protection.Empty(),
		}, nil
	}
	return nil
}

func readBatchDelete(c *call) error {
	match := c.Body.Get("match")
	if err := members(match, "class where", "its match"); err != nil {
		return err
	}
	name, _ := match.Get("class").Text()
	found, err := c.class(name)
	if err != nil {
		return err
	}
	if found.alias() != "" {
		return unclear("its collection is an alias; name the collection itself")
	}
	tenant := c.Query["tenant"]
	place := c.of(found, tenant)
	filter := stripped(match.Get("where"))
	w, err := c.where(filter, found, tenant)
	if err != nil {
		return err
	}
	dry, ok := c.Body.Get("dryRun").Bool()
	if c.Body.Get("dryRun").Kind() != jsonstream.None && !ok {
		return unclear("its dryRun is neither true nor false")
	}
	action, at := w.deletes(dry)
	c.does(action, place, at)
	match = match.With("class", jsonstream.String(found.name))
	if w.present {
		match = match.With("where", filter)
	}
	body := c.Body.With("match", match)
	c.out.Body = body
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		if err := w.oblige(o.Protection); err != nil {
			return nil, err
		}
		if dry && o.Rows > 0 {
			return nil, dryRun()
		}
		rules, err := narrow(o, place, found)
		if err != nil {
			return nil, err
		}
		obliged := &httpwire.Obliged{Filtered: c.filtered(o, place), Mute: !o.Protection.Empty()}
		if len(rules) > 0 {
			obliged.Body = body.With("match", match.With("where", confined(rules, filter)))
		}
		shown := &objects{p: o.Protection, all: []stored{{place, found}}}
		each := shown.object()
		each.Fields["errors"], each.Fields["status"] = complaints("error", o.Protection), plain
		obliged.Mask = &jsonstream.Node{Fields: map[string]*jsonstream.Node{"results": {Fields: map[string]*jsonstream.Node{"objects": {Items: each}}}}}
		return obliged, nil
	}
	return nil
}

// dryRun refuses a rehearsal to who may see so much only.
func dryRun() *access.Refusal {
	return &access.Refusal{
		Code: access.CodeLimit, Message: "a dry run tells of all objects that a filter finds, which is more than may be asked for at once here",
	}
}

// deletes tells objects that are named by their ids from those that another filter finds, and from all.
func (w *conditions) deletes(dry bool) (access.Action, access.Attributes) {
	at := access.Attributes{Points: access.Unbounded}
	w.describe(&at)
	switch {
	case dry:
		at.Points, at.Rows, at.Limit = 0, access.Unbounded, access.Unbounded
		return access.ListIDs, at
	case len(w.ids) > 0:
		at.Points = int64(len(w.ids))
		return access.Delete, at
	case len(w.all) == 0:
		return access.DeleteAll, at
	}
	return access.DeleteByFilter, at
}

// readBatchLinks reads references between objects of any collections.
func readBatchLinks(c *call) error {
	all, at := []jsonstream.Value{}, map[access.Resource]int{}
	for item := range c.Body.Items() {
		if err := members(item, "from to tenant", "a reference"); err != nil {
			return err
		}
		from, _ := item.Get("from").Text()
		to, _ := item.Get("to").Text()
		head, property, ok := cutLast(from)
		name, id, isBeacon := beacon(head)
		if !ok || !isBeacon || !propertyForm.MatchString(property) {
			return unclear("the beginning of a reference is not of the form weaviate://localhost/Collection/UUID/property")
		}
		tenant, isText := item.Get("tenant").Text()
		if item.Get("tenant").Kind() != jsonstream.None && !isText || tenant != "" && !tenantForm.MatchString(tenant) {
			return unclear("a reference's tenant is not a name")
		}
		found, err := c.class(name)
		if err != nil {
			return err
		}
		if found.alias() != "" {
			return unclear("the collection of a reference is an alias; name the collection itself")
		}
		if found, err = c.with(found, property); err != nil {
			return err
		}
		if to, err = found.properties[lower(property)].leads(to); err != nil {
			return err
		}
		all = append(all, item.With("from", jsonstream.String(beacons+found.name+"/"+id+"/"+property)).With("to", jsonstream.String(to)))
		c.tally(at, access.Update, c.of(found, tenant), id, property)
	}
	if len(all) == 0 {
		return unclear("its list of references is empty")
	}
	c.out.Body = jsonstream.List(all...)
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		each := &jsonstream.Node{Field: none, Fields: map[string]*jsonstream.Node{"from": plain, "to": plain, "result": (&objects{p: o.Protection}).result()}}
		return &httpwire.Obliged{Mask: &jsonstream.Node{Items: each}, Mute: !o.Protection.Empty()}, nil
	}
	return nil
}

// cutLast cuts at the last slash.
func cutLast(s string) (head, tail string, ok bool) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}
