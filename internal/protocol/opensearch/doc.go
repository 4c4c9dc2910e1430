// Package opensearch reads requests of the REST interface that OpenSearch and Elasticsearch share as operations, and says
// how they are sent on and their answers masked under obligations.
//
// A resource is target/default/INDEX: neither engine has a level between. Whatever name a client uses (an index, an alias, a
// data stream), it is looked up and judged by the indices behind it; patterns, hidden indices, date math and other clusters
// are refused. A clause of a query or an aggregation is taken only when it is known which fields it reads. It opens no
// socket and knows no user or rule. Start at Dialect.Read.
package opensearch

import (
	"context"
	"crypto/sha256"
	"net/http"
	"strconv"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// Dialect is OpenSearch or Elasticsearch. It implements httpwire.Dialect and httpwire.Accented.
type Dialect struct {
	clauses map[string]clause
	indices indices
	cursors cursors
}

// New makes a dialect for one target. Now tells how old a mapping or a cursor is.
func New(now func() time.Time) *Dialect {
	return &Dialect{clauses: queries(), indices: indices{now: now, known: map[string]*index{}}, cursors: cursors{now: now, open: map[[sha256.Size]byte]*cursor{}, had: map[string]int{}}}
}

// Health implements httpwire.Dialect.
func (d *Dialect) Health() string { return "/" }

// Routes implements httpwire.Dialect.
func (d *Dialect) Routes() []httpwire.Route { return Routes() }

// Accents implements httpwire.Accented. Elasticsearch's own clients name JSON in a way of their own, and believe no answer
// without the product's header.
func (d *Dialect) Accents() httpwire.Accents {
	return httpwire.Accents{
		JSON:          []string{"application/vnd.elasticsearch+json"},
		Lines:         []string{"application/vnd.elasticsearch+x-ndjson", "application/vnd.elasticsearch+json", "application/json"},
		TypeParams:    []string{"compatible-with"},
		AnswerHeaders: []string{"X-Elastic-Product"},
	}
}

// Error implements httpwire.Dialect.
func (d *Dialect) Error(r *access.Refusal) (int, []byte) {
	status, kind := httpwire.Status(r.Code), "security_exception"
	switch status {
	case http.StatusBadRequest:
		kind = "illegal_argument_exception"
	case http.StatusInternalServerError, http.StatusServiceUnavailable:
		kind = "gateway_exception"
	}
	reason := func(body []byte) []byte {
		body = jsonstream.AppendString(append(body, `"type":`...), kind)
		return jsonstream.AppendString(append(body, `,"reason":`...), httpwire.Sentence(r))
	}
	body := reason([]byte(`{"error":{"root_cause":[{`))
	body = reason(append(body, `}],`...))
	return status, append(strconv.AppendInt(append(body, `},"status":`...), int64(status), 10), '}')
}

func unclear(why string) error { return &httpwire.Unclear{Why: why} }

// Read implements httpwire.Dialect.
func (d *Dialect) Read(ctx context.Context, r *httpwire.Request) (*httpwire.Call, error) {
	e, ok := entries[r.Route.Name]
	if !ok {
		return nil, unclear("the operation is not known")
	}
	c := &call{
		dialect: d, ctx: ctx, Request: r, since: d.indices.now(),
		out: httpwire.Call{Method: r.Route.Method, Query: r.Query, Body: r.Body, Lines: r.Lines, Path: path(r)},
	}
	if err := c.params(); err != nil {
		return nil, err
	}
	if err := c.closed(r.Body, e.members, "its document"); err != nil {
		return nil, err
	}
	if err := e.read(c); err != nil {
		return nil, err
	}
	return &c.out, nil
}
