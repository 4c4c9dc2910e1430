// Package generic speaks HTTP interfaces that an operator describes: which requests there are, where in them collection,
// limit, filter, ids and records stand, and where in their answers the rows, their fields and their vectors do.
//
// What is not described is refused in a request and withheld from an answer of which anything must be hidden. It opens no
// socket, reads no file and knows no user or rule. Start at API and New.
package generic

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// API describes an interface.
type API struct {
	// Health is a path that a healthy server answers to GET.
	Health string
	// Message and Code are where a refusal's sentence and its code stand in an error: error.message. Code may be empty.
	Message, Code string
	Operations    []Operation
}

// Operation describes a request. Places are path:NAME, query:NAME, body:a.b (body: is the whole document), or fixed:TEXT;
// a place may end in |TEXT, which counts when there is nothing.
type Operation struct {
	Name, Method, Path string
	// Action is what the request does. fetch and delete are graded by what ids, filter and all say; see graded.
	Action access.Action
	// Namespace and Collection are the places of the resource's parts.
	Namespace, Collection string
	// IDs, Limit, Offset and Queries (a list of searches in one) are the places of attributes; empty when there are none.
	IDs, Limit, Offset, Queries string
	// WithVectors is the place of a flag that asks for vectors in the answer, All of one that means every point.
	WithVectors, All string
	// OrderBy is the place of a field, or a list of them, that the answer is ordered by.
	OrderBy string
	// Filter is the place of a condition that narrows everything that the request reaches, ids included; Form says how it
	// is written.
	Filter string
	Form   Form
	// Records is the place of the list of points that are written, RecordFields where in each its fields are.
	Records, RecordFields string
	// Members of the document and Parameters of the query mean nothing to policy and are sent on.
	Members, Parameters []string
	Answer              Answer
}

// Form is how conditions are written.
type Form string

// The forms.
const (
	Opaque Form = "opaque" // not understood
	Mongo  Form = "mongo"  // {"field": value, "field": {"$gt": 1}, "$and": [...]}
	Equals Form = "equals" // {"field": value, ...}: all of them
)

// Answer describes what comes back.
type Answer struct {
	// Rows is where the points are: hits[], results[].matches[], vectors.* for an object of them by id, "." when the document
	// is one. Empty when there are none.
	Rows string
	// ID, Fields, Vectors and Scores are paths in a row; "." is the row itself. Fields hold what policy calls fields.
	ID, Fields      string
	Vectors, Scores []string
	// Plain are the members of the document, and RowPlain those of a row, that hold nothing of what is stored in points.
	Plain, RowPlain []string
	// Collections is where an answer lists collections, Name where in each its name is, "." when it is the name itself.
	Collections, Name string
}

// Dialect is a described interface. It implements httpwire.Dialect.
type Dialect struct {
	api        API
	routes     []httpwire.Route
	operations map[string]*operation
}

// New makes a dialect of a description.
func New(api API) (*Dialect, error) {
	d := &Dialect{api: api, operations: map[string]*operation{}}
	var faults []error
	for i := range api.Operations {
		op, err := compile(&api.Operations[i])
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("operation %s: %w", api.Operations[i].Name, err))
		case d.operations[op.Name] != nil:
			faults = append(faults, fmt.Errorf("operation %s is described twice", op.Name))
		default:
			d.operations[op.Name] = op
			d.routes = append(d.routes, op.route)
		}
	}
	if api.Health == "" || api.Message == "" || len(api.Operations) == 0 {
		faults = append(faults, errors.New("a description has a health path, an error form and operations"))
	}
	return d, errors.Join(faults...)
}

// Health implements httpwire.Dialect.
func (d *Dialect) Health() string { return d.api.Health }

// Routes implements httpwire.Dialect.
func (d *Dialect) Routes() []httpwire.Route { return d.routes }

// Error implements httpwire.Dialect.
func (d *Dialect) Error(r *access.Refusal) (int, []byte) {
	body := put(jsonstream.Value{}, strings.Split(d.api.Message, "."), jsonstream.String(httpwire.Sentence(r)))
	if d.api.Code != "" {
		body = put(body, strings.Split(d.api.Code, "."), jsonstream.String(string(r.Code)))
	}
	return httpwire.Status(r.Code), body.Raw()
}

// Read implements httpwire.Dialect.
func (d *Dialect) Read(_ context.Context, r *httpwire.Request) (*httpwire.Call, error) {
	op := d.operations[r.Route.Name]
	if op == nil {
		return nil, unclear("the operation is not described")
	}
	return op.read(r)
}

func unclear(why string) error { return &httpwire.Unclear{Why: why} }
