package opensearch

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// place is an index that a request reaches, as policy names it.
type place struct {
	resource access.Resource
	alias    string // the name that the client used, when it was another one
	fields   fields
}

type places []*place

// String names them all.
func (p places) String() string {
	names := make([]string, len(p))
	for i := range p {
		names[i] = p[i].resource.Collection
	}
	return strings.Join(names, ",")
}

// index is what a name stands for: one index, or those behind an alias or a data stream.
type index struct {
	behind []behind
	text   string // of the answer, to find out that nothing changed; "" when there is none of that name
	until  time.Time
}

type behind struct {
	name   string
	fields fields
}

// indices keeps what names stand for, for a short time: somebody may change that beside the gateway.
type indices struct {
	now func() time.Time

	mu    sync.Mutex
	known map[string]*index
}

const (
	remember    = 5 * time.Second
	mostIndices = 2000
)

func (n *indices) get(name string) (*index, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	found, ok := n.known[name]
	return found, ok && n.now().Before(found.until)
}

func (n *indices) put(name string, found *index) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.known) >= mostIndices {
		clear(n.known)
	}
	n.known[name] = found
}

// forget is called after a mapping, an alias or an index changed through the gateway.
func (n *indices) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.known)
}

// nameForm is what the name of an index, an alias or a data stream looks like. It leaves out what the engines read as more
// than a name: patterns, lists, exclusions, date math, other clusters, and names that begin like their own.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,254}$`)

// stream is a data stream's index, which is judged by the data stream's name.
var stream = regexp.MustCompile(`^\.ds-(.+?)(-\d{4}\.\d{2}\.\d{2})?-\d{6}$`)

// names reads an expression of the client's: one name, or several with commas between them.
func names(expression string) ([]string, error) {
	all := strings.Split(expression, ",")
	for _, name := range all {
		if !nameForm.MatchString(name) {
			return nil, unclear("an index is not named by its plain name (patterns, hidden indices and other clusters are not taken)")
		}
	}
	if len(all) > 100 {
		return nil, unclear("it names more than 100 indices")
	}
	return all, nil
}

// resolve finds out what an expression stands for.
func (c *call) resolve(expression string) (places, error) { return c.resolved(expression, c.index) }

// resolved is resolve by way of a look-up.
func (c *call) resolved(expression string, look func(context.Context, string) (*index, error)) (places, error) {
	all, err := names(expression)
	if err != nil {
		return nil, err
	}
	var at places
	for _, name := range all {
		ix, err := look(c.ctx, name)
		if err != nil {
			return nil, err
		}
		if c.names == nil {
			c.names = map[string]string{}
		}
		c.names[name] = ix.text
		for _, b := range ix.behind {
			p := &place{resource: c.resource(b.name), fields: b.fields}
			if b.name != name {
				p.alias = name
			}
			at = append(at, p)
		}
	}
	return at, nil
}

// index looks a name up. One look-up tells both what is behind a name and which fields there are.
func (c *call) index(ctx context.Context, name string) (*index, error) {
	ix, ok := c.dialect.indices.get(name)
	if ok && ix.alias(name) {
		var err error
		if ok, err = c.leads(ctx, name, ix); err != nil {
			return nil, err
		}
	}
	if ok {
		return ix, nil
	}
	return c.look(ctx, name)
}

// look is index, asked anew.
func (c *call) look(ctx context.Context, name string) (*index, error) {
	status, v, err := c.Ask(ctx, httpwire.Path(name, "_mapping"))
	switch {
	case err != nil:
		return nil, err
	case status == http.StatusNotFound:
		// There is none: the target will say so in its own words, to who may ask about an index of that name.
		return &index{behind: []behind{{name: name}}}, nil
	case status >= 300 || v.Kind() != jsonstream.Object || v.Len() == 0 || v.Len() > 1000:
		return nil, &access.Refusal{Code: access.CodeUnavailable, Message: "the target does not tell what index " + name + " is"}
	}
	ix := &index{text: string(v.Raw()), until: c.dialect.indices.now().Add(remember)}
	for concrete, described := range v.Members() {
		b := behind{name: judged(concrete), fields: fields{}}
		b.fields.read(described.Get("mappings"))
		if i := slices.IndexFunc(ix.behind, func(other behind) bool { return other.name == b.name }); i >= 0 {
			ix.behind[i].fields.join(b.fields)
			continue
		}
		ix.behind = append(ix.behind, b)
	}
	c.dialect.indices.put(name, ix)
	return ix, nil
}

// judged is the name by which an index is judged.
func judged(concrete string) string {
	if m := stream.FindStringSubmatch(concrete); m != nil {
		return m[1]
	}
	return concrete
}

// alias says whether a name is another one than those of what it stands for.
func (ix *index) alias(name string) bool {
	return ix.text != "" && !slices.ContainsFunc(ix.behind, func(b behind) bool { return b.name == name })
}

// leads asks whether an alias still stands for what is behind it. An alias is sent on as such, because it may have a filter, a
// routing and an index that is written to; so it is asked for every request that names one.
func (c *call) leads(ctx context.Context, name string, ix *index) (bool, error) {
	status, v, err := c.Ask(ctx, httpwire.Path("_alias", name))
	if err != nil {
		return false, err
	}
	if status != http.StatusNotFound && (status >= 300 || v.Kind() != jsonstream.Object) {
		return false, &access.Refusal{Code: access.CodeUnavailable, Message: "the target does not tell what index " + name + " is"}
	}
	found := map[string]bool{}
	for concrete := range v.Members() {
		found[judged(concrete)] = true
	}
	return len(found) == len(ix.behind) && !slices.ContainsFunc(ix.behind, func(b behind) bool { return !found[b.name] }), nil
}

// unchanged returns a check that what names stand for is what it was when the request was read: a person may have taken
// their time to release it, and obligations are taken on once more after that.
func (c *call) unchanged() func(context.Context) error {
	return func(ctx context.Context) error {
		if c.dialect.indices.now().Before(c.since.Add(remember)) {
			return nil
		}
		for name, text := range c.names {
			ix, err := c.index(ctx, name)
			if err != nil {
				return err
			}
			if ix.text != text {
				return &access.Refusal{Code: access.CodeUnclear, Message: "index " + name + " is not what it was when the request was read", Hint: "send the request again"}
			}
		}
		return nil
	}
}
