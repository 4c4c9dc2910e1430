// Package qdrant reads requests of Qdrant's two interfaces, REST and gRPC, as operations, and says how they are sent on
// and their answers masked under obligations.
//
// Both doors are read into the same small form, a list of parts (type part): what a request asks of the points of one
// collection. What policy is asked, and what obligations change, is decided on parts alone, so that the doors cannot
// disagree. A resource is target/default/COLLECTION; an alias is resolved first, and what is sent on names the collection
// itself. The package opens no socket and knows no user or rule. Start at part, then REST.Read and GRPC.Read.
package qdrant

import (
	"context"
	"regexp"
	"slices"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// Namespace stands in every resource: Qdrant has collections only, and nothing between them and the target.
const Namespace = "default"

// REST is Qdrant's HTTP interface. It implements httpwire.Dialect.
type REST struct {
	names *Names
}

// NewREST makes a dialect for one target. Now tells how old a name is.
func NewREST(now func() time.Time) *REST { return &REST{names: NewNames(now)} }

// Share makes the door go by names that others know too. It is called before the first request.
func (d *REST) Share(n *Names) { d.names = n }

// Health implements httpwire.Dialect.
func (d *REST) Health() string { return "/readyz" }

// Routes implements httpwire.Dialect.
func (d *REST) Routes() []httpwire.Route { return Routes() }

// Error implements httpwire.Dialect: the form in which Qdrant's clients find the message.
func (d *REST) Error(r *access.Refusal) (int, []byte) {
	body := jsonstream.AppendString([]byte(`{"status":{"error":`), httpwire.Sentence(r))
	return httpwire.Status(r.Code), append(body, `},"result":null,"time":0.0}`...)
}

// Read implements httpwire.Dialect.
func (d *REST) Read(ctx context.Context, r *httpwire.Request) (*httpwire.Call, error) {
	for i := range table {
		if e := &table[i]; e.route.Name == r.Route.Name {
			c := &call{Request: r, ctx: ctx, dialect: d, out: httpwire.Call{Method: r.Route.Method, Query: r.Query, Body: r.Body}}
			if err := c.begin(); err != nil {
				return nil, err
			}
			if err := e.read(c); err != nil {
				return nil, err
			}
			c.out.Path = c.path()
			return &c.out, nil
		}
	}
	return nil, unclear("the operation is not known")
}

func unclear(why string) error { return &httpwire.Unclear{Why: why} }

// nameForm is what names look like that a resource is made of, or a path.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,254}$`)

func resource(target, collection string) access.Resource {
	return access.Resource{Target: target, Namespace: Namespace, Collection: collection}
}

// gravest sorts accesses as an Operation wants them.
func gravest(list []access.Access) {
	slices.SortStableFunc(list, func(a, b access.Access) int { return b.Action.Weight() - a.Action.Weight() })
}
