package chroma

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// names keeps which collection a UUID stands for, for a short time: somebody may rename it beside the gateway.
type names struct {
	now func() time.Time

	mu    sync.Mutex
	known map[string]named
}

// named is what a UUID stands for.
type named struct {
	tenant, database, collection string
	until                        time.Time
}

const (
	remember  = 10 * time.Second
	mostNames = 10_000
)

func (n *names) get(id string) (named, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	found, ok := n.known[id]
	return found, ok && n.now().Before(found.until)
}

func (n *names) put(id string, found named) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.known) >= mostNames {
		clear(n.known)
	}
	found.until = n.now().Add(remember)
	n.known[id] = found
}

// forget is called after a collection was renamed or dropped.
func (n *names) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.known)
}

// uuid returns the one spelling of a UUID; Chroma takes others too, which its clients never send.
func uuid(s string) (string, bool) {
	if len(s) != 36 {
		return "", false
	}
	s = strings.ToLower(s)
	for i := range len(s) {
		c := s[i]
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return "", false
		}
	}
	return s, true
}

// nobody is the UUID of no collection.
const nobody = "00000000-0000-0000-0000-000000000000"

// resolve finds out which collection the request is about, and addresses it in the one way that is right.
func (c *call) resolve() error {
	id, ok := uuid(c.Params["collection"])
	if !ok {
		return unclear("its collection is not named by a UUID in the usual form")
	}
	c.Params["collection"] = id
	found, ok := c.dialect.names.get(id)
	if !ok {
		status, v, err := c.Ask(c.ctx, httpwire.Path("api", "v2", "tenants", c.Params["tenant"], "databases", c.Params["database"], "collections", "by-id", id))
		switch {
		case err != nil:
			return err
		case status == http.StatusNotFound:
			found = named{} // in no database
		case status >= 300:
			return &access.Refusal{Code: access.CodeUnavailable, Message: "the target does not tell which collection is meant"}
		default:
			if found, ok = namedIn(v, id); !ok {
				return &access.Refusal{Code: access.CodeUnavailable, Message: "the target does not tell which collection is meant"}
			}
			c.dialect.names.put(id, found)
		}
	}
	if found.tenant != c.Params["tenant"] || found.database != c.Params["database"] {
		// There is none in this database. The target says so in its own words, of a UUID that no collection has: it would
		// look in other databases too, and nobody is to find out by their UUIDs what there is elsewhere.
		found = named{tenant: c.Params["tenant"], database: c.Params["database"], collection: id}
		c.Params["collection"] = nobody
	}
	c.collection = access.Resource{Target: c.Target, Namespace: namespace(found.tenant, found.database), Collection: found.collection}
	c.out.Path = c.path()
	return nil
}

func namedIn(v jsonstream.Value, id string) (named, bool) {
	var n named
	for field, to := range map[string]*string{"tenant": &n.tenant, "database": &n.database, "name": &n.collection} {
		text, ok := v.Get(field).Text()
		if !ok || !nameForm.MatchString(text) {
			return n, false
		}
		*to = text
	}
	told, _ := v.Get("id").Text()
	return n, strings.EqualFold(told, id)
}

// namespace is a tenant's database as a segment of a resource; neither name can have a colon.
func namespace(tenant, database string) string { return tenant + ":" + database }

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
