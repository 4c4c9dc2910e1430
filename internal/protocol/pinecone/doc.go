// Package pinecone reads requests of Pinecone's control plane and data plane, over REST and gRPC, as operations, and says how
// they are sent on and their answers masked under obligations.
//
// A resource is target/INDEX/NAMESPACE: an index is what holds namespaces, so that an operation on a whole index is one on
// target/INDEX. Both doors of an index ask the same things, which are judged in one place (search.go, records.go). The
// package opens no socket and knows no user or rule. Start at Dialect.Read; for gRPC at GRPC.Read.
package pinecone

import (
	"context"
	"net/http"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// Dialect is Pinecone's REST interface. It implements httpwire.Dialect.
type Dialect struct {
	// Index is the name of the index whose host the target is; empty when the target is the control plane.
	Index string
	// Hosts are what the control plane's answers name instead of the hosts of indexes, so that clients come to the gateway:
	// by host:port of the index.
	Hosts map[string]string
}

// Health implements httpwire.Dialect. Pinecone has no path that answers without a key.
func (d *Dialect) Health() string { return "" }

// Routes implements httpwire.Dialect.
func (d *Dialect) Routes() []httpwire.Route { return Routes() }

// Error implements httpwire.Dialect: both of Pinecone's forms in one, because the clients of the control plane look for
// error.message and those of the data plane for message.
func (d *Dialect) Error(r *access.Refusal) (int, []byte) {
	status, name, code := httpwire.Status(r.Code), "FORBIDDEN", int64(7)
	switch status {
	case http.StatusUnauthorized:
		name, code = "UNAUTHENTICATED", 16
	case http.StatusBadRequest:
		name, code = "INVALID_ARGUMENT", 3
	case http.StatusInternalServerError:
		name, code = "INTERNAL", 13
	case http.StatusServiceUnavailable:
		name, code = "UNAVAILABLE", 14
	}
	said := jsonstream.String(httpwire.Sentence(r))
	body := object("status", jsonstream.Int(int64(status)), "error", object("code", jsonstream.String(name), "message", said),
		"code", jsonstream.Int(code), "message", said, "details", jsonstream.List())
	return status, body.Raw()
}

// Read implements httpwire.Dialect.
func (d *Dialect) Read(ctx context.Context, r *httpwire.Request) (*httpwire.Call, error) {
	for i := range table {
		e := &table[i]
		if e.route.Name != r.Route.Name {
			continue
		}
		if e.data != (d.Index != "") {
			if e.data {
				return nil, unclear("this target is the control plane, and " + e.route.Name + " is asked at the host of an index")
			}
			return nil, unclear("this target is the host of index " + d.Index + ", and " + e.route.Name + " is asked at the control plane")
		}
		for name, value := range r.Params {
			if !nameForm.MatchString(value) {
				return nil, unclear("its " + name + " has characters that a name cannot have here")
			}
		}
		if v, ok := r.Headers[versionHeader]; ok && !versions[v] {
			return nil, unclear("its version of the interface is not known here")
		}
		c := &call{dialect: d, ctx: ctx, Request: r, place: place{r.Target, d.Index}, out: httpwire.Call{
			Method: r.Route.Method, Path: path(r), Query: r.Query, Lists: r.Lists, Headers: r.Headers, Body: r.Body, Lines: r.Lines,
		}}
		if err := c.closed(e.members); err != nil {
			return nil, err
		}
		if err := e.read(c); err != nil {
			return nil, err
		}
		return &c.out, nil
	}
	return nil, unclear("the operation is not known")
}

// versionHeader names the version of the interface that a client speaks. The members of every document are closed lists that
// hold for all of these versions.
const versionHeader = "X-Pinecone-Api-Version"

var versions = map[string]bool{
	"2024-07": true, "2024-10": true, "2025-01": true, "2025-04": true, "2025-10": true, "2026-01": true, "2026-04": true, "2026-07": true,
}

func unclear(why string) error { return &httpwire.Unclear{Why: why} }

// object makes a JSON object of names and values in turn.
func object(pairs ...any) jsonstream.Value {
	v := empty
	for i := 0; i < len(pairs); i += 2 {
		v = v.With(pairs[i].(string), pairs[i+1].(jsonstream.Value))
	}
	return v
}

var empty = must(`{}`)

func must(text string) jsonstream.Value {
	v, err := jsonstream.Read([]byte(text))
	if err != nil {
		panic(err)
	}
	return v
}
