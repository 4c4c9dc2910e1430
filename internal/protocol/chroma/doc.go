// Package chroma reads requests of Chroma's REST interface (v2) as operations, and says how they are sent on and their
// answers masked under obligations.
//
// A resource is target/TENANT:DATABASE/COLLECTION. Collections are addressed by UUID where records are read and written,
// whatever the path says of tenant and database, so every UUID is looked up and judged by the name behind it. It opens no
// socket and knows no user or rule. Start at Dialect.Read.
package chroma

import (
	"context"
	"net/http"
	"regexp"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// Dialect is Chroma. It implements httpwire.Dialect.
type Dialect struct {
	names names
}

// New makes a dialect for one target. Now tells how old a name is.
func New(now func() time.Time) *Dialect {
	return &Dialect{names: names{now: now, known: map[string]named{}}}
}

// Health implements httpwire.Dialect.
func (d *Dialect) Health() string { return "/api/v2/heartbeat" }

// Routes implements httpwire.Dialect.
func (d *Dialect) Routes() []httpwire.Route { return Routes() }

// Error implements httpwire.Dialect. Chroma's Python client goes by the error's name, the others by the status.
func (d *Dialect) Error(r *access.Refusal) (int, []byte) {
	status, name := httpwire.Status(r.Code), "AuthorizationError"
	switch status {
	case http.StatusUnauthorized:
		name = "AuthError"
	case http.StatusBadRequest:
		name = "InvalidArgumentError"
	case http.StatusInternalServerError, http.StatusServiceUnavailable:
		name = "InternalError"
	}
	body := jsonstream.AppendString([]byte(`{"error":`), name)
	body = jsonstream.AppendString(append(body, `,"message":`...), httpwire.Sentence(r))
	return status, append(body, '}')
}

// nameForm is what names look like that a resource is made of.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,511}$`)

func unclear(why string) error { return &httpwire.Unclear{Why: why} }

// Read implements httpwire.Dialect.
func (d *Dialect) Read(ctx context.Context, r *httpwire.Request) (*httpwire.Call, error) {
	for _, p := range []string{"tenant", "database", "name"} {
		if v, ok := r.Params[p]; ok && !nameForm.MatchString(v) {
			return nil, unclear("the name of its " + p + " has characters that a name cannot have")
		}
	}
	for i := range table {
		if e := &table[i]; e.route.Name == r.Route.Name {
			c := &call{dialect: d, ctx: ctx, Request: r, out: httpwire.Call{Method: r.Route.Method, Query: r.Query, Body: r.Body}}
			if err := c.closed(e.members); err != nil {
				return nil, err
			}
			c.out.Path = c.path()
			if err := e.read(c); err != nil {
				return nil, err
			}
			return &c.out, nil
		}
	}
	return nil, unclear("the operation is not known")
}
