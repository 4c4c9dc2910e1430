// Package weaviate reads requests of Weaviate's REST, GraphQL and gRPC interfaces as operations, and says how they are sent
// on and their answers masked under obligations.
//
// A resource is target/default/COLLECTION, or target/tenant:TENANT/COLLECTION for the objects of one tenant. A collection may
// be addressed by an alias or with a small first letter; it is looked up, judged and sent on by its own name. The package
// opens no socket and knows no user or rule. Start at Dialect.Read for REST and GraphQL, at GRPC.Read for gRPC.
package weaviate

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// Dialect is Weaviate's REST interface with GraphQL. It implements httpwire.Dialect.
type Dialect struct {
	// Message is the largest message that the gateway takes of a client, which clients are told; they make theirs as large as
	// the server says. Zero leaves what the server says.
	Message int64
	catalog catalog
}

// New makes a dialect for one target. Now tells how old a definition of a collection is.
func New(now func() time.Time) *Dialect {
	return &Dialect{catalog: catalog{now: now, known: map[string]*class{}}}
}

// Health implements httpwire.Dialect.
func (d *Dialect) Health() string { return "/v1/.well-known/ready" }

// Routes implements httpwire.Dialect.
func (d *Dialect) Routes() []httpwire.Route { return Routes() }

// Error implements httpwire.Dialect.
func (d *Dialect) Error(r *access.Refusal) (int, []byte) {
	body := jsonstream.AppendString([]byte(`{"error":[{"message":`), httpwire.Sentence(r))
	return httpwire.Status(r.Code), append(body, `}]}`...)
}

func unclear(why string) error { return &httpwire.Unclear{Why: why} }

// asUnclear is why a request could not be read, when that is what an error says.
func asUnclear(err error) (string, bool) {
	u, ok := errors.AsType[*httpwire.Unclear](err)
	if !ok {
		return "", false
	}
	return u.Why, true
}

// Read implements httpwire.Dialect.
func (d *Dialect) Read(ctx context.Context, r *httpwire.Request) (*httpwire.Call, error) {
	for i := range table {
		e := &table[i]
		if e.route.Name != r.Route.Name {
			continue
		}
		c := &call{
			Request: r, out: httpwire.Call{Method: r.Route.Method, Query: r.Query, Body: r.Body},
			reading: reading{ctx: ctx, target: r.Target, look: r.Ask, catalog: &d.catalog}, message: d.Message,
		}
		if err := c.closed(e.members); err != nil {
			return nil, err
		}
		if err := c.parameters(); err != nil {
			return nil, err
		}
		if err := e.read(c); err != nil {
			return nil, err
		}
		if err := c.bounded(); err != nil {
			return nil, err
		}
		c.out.Accesses = c.sorted()
		if c.out.Path == "" {
			c.out.Path = c.path()
		}
		return &c.out, nil
	}
	return nil, unclear("the operation is not known")
}

// call is a request that is being read.
type call struct {
	*httpwire.Request
	reading
	message int64 // see Dialect.Message
	out     httpwire.Call
}

// action is what an operation does that always does the same.
func (c *call) action() access.Action { return c.Route.Actions[0] }

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

// parameters checks what stands in the path and in the query, whatever the operation.
func (c *call) parameters() error {
	for name, form := range forms {
		if v, ok := c.Params[name]; ok && !form.MatchString(v) {
			return unclear("the " + name + " in its path has characters that it cannot have")
		}
		if v, ok := c.Query[name]; ok && !form.MatchString(v) {
			return unclear("its parameter " + name + " is not of a form that is known")
		}
	}
	if id, ok := c.Params["id"]; ok && strings.Contains(c.Route.Path, "objects") {
		id, ok := uuid(id)
		if !ok {
			return unclear("its id is not a UUID in the usual form")
		}
		c.Params["id"] = id
	}
	return nil
}

// members of a document.
func members(v jsonstream.Value, known, of string) error {
	if v.Kind() != jsonstream.Object {
		return unclear(of + " is not an object")
	}
	for name := range v.Members() {
		if !strings.Contains(" "+known+" ", " "+name+" ") || strings.Contains(name, " ") {
			return unclear(of + " has a member that it does not have in Weaviate")
		}
	}
	return nil
}

// closed refuses members that the operation does not have: Weaviate takes them in any case, and ignores what it does not
// know.
func (c *call) closed(known string) error {
	if !c.Route.Body {
		return nil
	}
	if known == "*" {
		return folded(c.Body)
	}
	if known == "[]" {
		if c.Body.Kind() != jsonstream.Array {
			return unclear("its document is not a list")
		}
		return nil
	}
	return members(c.Body, known, "its document")
}

// well says that the gateway is there; how the server behind it is, only its clients may know.
func well(httpwire.Discovery) (int, []byte) { return http.StatusOK, nil }

// signIn tells Weaviate's clients where they get a token, as Weaviate itself would.
func signIn(d httpwire.Discovery) (int, []byte) {
	if d.URL == "" || d.ClientID == "" {
		return http.StatusNotFound, nil
	}
	var scopes []jsonstream.Value
	for _, scope := range strings.Fields(d.Scope) {
		scopes = append(scopes, jsonstream.String(scope))
	}
	return http.StatusOK, empty.With("href", jsonstream.String(d.URL)).With("clientId", jsonstream.String(d.ClientID)).With("scopes", jsonstream.List(scopes...)).Raw()
}

// folded refuses members that are one member to a server that reads them in any case.
func folded(v jsonstream.Value) error {
	seen := map[string]bool{}
	for name, member := range v.Members() {
		small := strings.ToLower(name)
		if seen[small] {
			return unclear("its document has two members that differ in case only")
		}
		seen[small] = true
		if err := folded(member); err != nil {
			return err
		}
	}
	for item := range v.Items() {
		if err := folded(item); err != nil {
			return err
		}
	}
	return nil
}

func free(c *call) error {
	c.out.Free = true
	return nil
}

// readMeta reads the question what the server is. Clients go by what it says is the largest message over gRPC.
func readMeta(c *call) error {
	const largest = "grpcMaxMessageSize"
	c.out.Oblige = func(*access.Obligations) (*httpwire.Obliged, error) {
		return &httpwire.Obliged{Rewrite: func(v jsonstream.Value) (jsonstream.Value, error) {
			if n, ok := v.Get(largest).Int(); ok && c.message > 0 && n > c.message {
				v = v.With(largest, jsonstream.Int(c.message))
			}
			return v, nil
		}}, nil
	}
	return free(c)
}

func refuse(why string) func(*call) error {
	return func(*call) error { return unclear(why) }
}

// target is an operation that concerns the target as a whole.
func whole(c *call) error {
	c.does(c.action(), access.Resource{Target: c.Target}, access.Attributes{Egress: c.Route.Method == http.MethodPost && strings.Contains(c.Route.Path, "backups")})
	return nil
}
