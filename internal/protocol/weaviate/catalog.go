package weaviate

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// lookup asks the target with GET, on the gateway's own credential.
type lookup func(ctx context.Context, path string) (int, jsonstream.Value, error)

// catalog keeps how collections are defined, for a short time: somebody may change them beside the gateway.
type catalog struct {
	now func() time.Time

	mu    sync.Mutex
	known map[string]*class // by the name that was asked for
}

const (
	remember    = 10 * time.Second
	mostClasses = 10_000
)

// class is how a collection is defined. It is immutable.
type class struct {
	name       string // its own, whatever it was asked for by
	asked      string // the name that it was asked for by
	missing    bool   // there is no such collection
	tenants    bool   // its objects belong to tenants
	egress     bool   // the server asks a service for vectors
	properties map[string]property
	vectors    []string // the names of its named vectors
	until      time.Time
}

// property is how a property is defined.
type property struct {
	kind       string   // text, int, uuid, …; empty for a reference
	targets    []string // of a reference
	exact      bool     // a condition of equality means exactly the value
	searchable bool     // a keyword search that names no properties looks into it
}

// find returns a collection by a name that may be an alias, or have a small first letter.
func (c *catalog) find(ctx context.Context, look lookup, name string) (*class, error) {
	name = upper(name)
	c.mu.Lock()
	found, ok := c.known[name]
	c.mu.Unlock()
	if ok && c.now().Before(found.until) {
		return found, nil
	}
	if look == nil {
		return nil, &access.Refusal{Code: access.CodeUnavailable, Message: "the gateway has no way to find out which collection is meant"}
	}
	status, v, err := look(ctx, httpwire.Path("v1", "schema", name))
	switch {
	case err != nil:
		return nil, err
	case status == http.StatusNotFound:
		// There is none: the target will say so in its own words, to who may ask about a collection of that name.
		return &class{name: name, asked: name, missing: true}, nil
	case status >= 300:
		return nil, &access.Refusal{Code: access.CodeUnavailable, Message: "the target does not tell which collection is meant"}
	}
	found, ok = defined(v)
	if !ok {
		return nil, &access.Refusal{Code: access.CodeUnavailable, Message: "the target does not tell which collection is meant"}
	}
	found.asked, found.until = name, c.now().Add(remember)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= mostClasses {
		clear(c.known)
	}
	c.known[name] = found
	return found, nil
}

// drop forgets one definition, unless it has been read anew meanwhile.
func (c *catalog) drop(old *class) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known[old.asked] == old {
		delete(c.known, old.asked)
	}
}

// forget is called after a collection or an alias was changed.
func (c *catalog) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.known)
}

// defined reads a collection's definition.
func defined(v jsonstream.Value) (*class, bool) {
	name, ok := v.Get("class").Text()
	if !ok || !classForm.MatchString(name) || name != upper(name) {
		return nil, false
	}
	c := &class{name: name, properties: map[string]property{}}
	c.tenants, _ = v.Get("multiTenancyConfig").Get("enabled").Bool()
	vectorizer, _ := v.Get("vectorizer").Text()
	c.egress = vectorizer != "" && vectorizer != "none"
	for name, config := range v.Get("vectorConfig").Members() {
		c.vectors = append(c.vectors, name)
		c.egress = c.egress || config.Get("vectorizer").Get("none").Kind() == jsonstream.None
	}
	slices.Sort(c.vectors)
	for item := range v.Get("properties").Items() {
		name, ok := item.Get("name").Text()
		if !ok {
			return nil, false
		}
		var p property
		for kind := range item.Get("dataType").Items() {
			kind, ok := kind.Text()
			if !ok {
				return nil, false
			}
			if isClass(kind) {
				p.targets = append(p.targets, kind)
				continue
			}
			p.kind = kind
		}
		tokenization, _ := item.Get("tokenization").Text()
		p.exact = p.kind == "text" && tokenization == "field" || p.kind == "uuid"
		if strings.HasPrefix(p.kind, "text") || strings.HasPrefix(p.kind, "string") {
			searchable, told := item.Get("indexSearchable").Bool()
			p.searchable = searchable || !told
		}
		c.properties[name] = p
	}
	return c, true
}

// reading is what the interfaces have in common while a request is being read.
type reading struct {
	ctx      context.Context
	target   string
	look     lookup
	catalog  *catalog
	accesses []access.Access
	named    map[string]*class // what was looked up for this request, by the name that it was asked for by
	anew     map[string]bool   // those of it whose definitions were read anew
}

// Bounds of one request: each collection is looked up, and each access is judged and written down.
const (
	mostNamed    = 100
	mostAccesses = 10_000
)

// bounded refuses a request that does too much at once to be judged.
func (r *reading) bounded() error {
	if len(r.accesses) > mostAccesses {
		return unclear("it touches more tenants and collections than one request may")
	}
	return nil
}

// tally notes a write of one object more.
func (r *reading) tally(at map[access.Resource]int, a access.Action, on access.Resource, id, field string) {
	i, ok := at[on]
	if !ok {
		i = len(r.accesses)
		at[on] = i
		r.does(a, on, access.Attributes{Filter: access.FilterKey, Batch: len(at) - 1})
	}
	in := &r.accesses[i].Attributes
	in.Points++
	if len(in.IDs) < mostIDs {
		in.IDs = append(in.IDs, id)
	}
	if len(in.Fields) < mostIDs && !slices.Contains(in.Fields, field) {
		in.Fields = append(in.Fields, field)
	}
}

func (r *reading) does(a access.Action, on access.Resource, at access.Attributes) {
	r.accesses = append(r.accesses, access.Access{Action: a, Resource: on, Attributes: at})
}

// sorted are the accesses, most consequential first.
func (r *reading) sorted() []access.Access {
	slices.SortStableFunc(r.accesses, func(a, b access.Access) int { return b.Action.Weight() - a.Action.Weight() })
	return r.accesses
}

// class finds the collection that a request names.
func (r *reading) class(name string) (*class, error) {
	if !classForm.MatchString(name) {
		return nil, unclear("the name of its collection has characters that a name cannot have")
	}
	name = upper(name)
	if found, ok := r.named[name]; ok {
		return found, nil
	}
	if len(r.named) >= mostNamed {
		return nil, unclear("it names more collections than one request may")
	}
	found, err := r.catalog.find(r.ctx, r.look, name)
	if err != nil {
		return nil, err
	}
	if r.named == nil {
		r.named = map[string]*class{}
	}
	r.named[name] = found
	return found, nil
}

// with is a collection's definition that knows the properties: one that does not may be old, and is read anew, once.
func (r *reading) with(c *class, names ...string) (*class, error) {
	unknown := slices.ContainsFunc(names, func(name string) bool {
		_, known := c.properties[lower(name)]
		return !known
	})
	if !unknown || c.missing {
		return c, nil
	}
	if !r.anew[c.asked] {
		if r.anew == nil {
			r.anew = map[string]bool{}
		}
		r.anew[c.asked] = true
		r.catalog.drop(c)
		delete(r.named, c.asked)
	}
	return r.class(c.asked)
}

// of is the resource of a collection's objects. Where objects belong to no tenant, a tenant that is named is none.
func (r *reading) of(c *class, tenant string) access.Resource {
	if !c.tenants && !c.missing {
		tenant = ""
	}
	return resource(r.target, tenant, c.name)
}

// alias is the name that a collection was asked for by, when it is not its own.
func (c *class) alias() string {
	if c.asked == c.name {
		return ""
	}
	return c.asked
}
