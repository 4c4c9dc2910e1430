//lint:file-ignore SA1019 some fields are deprecated: servers still answer with them.

// Package milvus reads the calls of Milvus' gRPC interface, and the requests of its REST interface (v2), as operations, and
// says how they are sent on and their answers masked under obligations.
//
// A resource is target/DATABASE/COLLECTION; an alias is judged, and sent on, as the collection behind it. Which columns a
// collection has is asked of the target and kept for some seconds. The filter language is read by package expr, and
// written anew from what was read. It opens no socket and knows no user or rule. Start at Dialect.Read, then table; at
// REST.Read for the other interface.
package milvus

import (
	"context"
	"strconv"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
)

// Dialect is Milvus over gRPC. It implements grpcwire.Dialect.
type Dialect struct {
	names   names
	methods []grpcwire.Method
	entries map[string]*entry // by the method's name
}

// New makes a dialect for one target. Now tells how old a schema is.
func New(now func() time.Time) *Dialect {
	d := &Dialect{names: names{now: now, known: map[string]known{}}, methods: Methods(), entries: map[string]*entry{}}
	for i := range d.methods {
		d.entries[d.methods[i].Name] = &table[i]
	}
	return d
}

// Methods implements grpcwire.Dialect.
func (d *Dialect) Methods() []grpcwire.Method { return d.methods }

// Metadata implements grpcwire.Dialect. Clients also send the time, an identifier that Connect gave them and one for the call:
// with those, a call that was approved would be another one when it is sent again, and Milvus does without.
func (d *Dialect) Metadata() []string { return []string{metaDatabase} }

// Read implements grpcwire.Dialect.
func (d *Dialect) Read(ctx context.Context, r *grpcwire.Request) (*grpcwire.Call, error) {
	e := d.entries[r.Method.Name]
	if e == nil {
		return nil, unclear("the call is not known")
	}
	c := &call{Request: r, ctx: ctx, dialect: d, entry: e, out: grpcwire.Call{Message: r.Message, Metadata: map[string]string{metaDatabase: r.Metadata[metaDatabase]}, Failure: failure}}
	if err := c.base(); err != nil {
		return nil, err
	}
	if err := c.database(); err != nil {
		return nil, err
	}
	if err := e.read(c); err != nil {
		return nil, err
	}
	return &c.out, nil
}

// Error implements grpcwire.Dialect. All of Milvus' clients throw on a status, and take none of these for an invitation to
// try again, as pymilvus takes INTERNAL; a refusal inside of a successful answer, which Milvus also has, is overlooked by some.
func (d *Dialect) Error(_ *grpcwire.Method, r *access.Refusal) (proto.Message, *status.Status) {
	code := grpcwire.Code(r.Code)
	if code == codes.Internal {
		code = codes.PermissionDenied
	}
	return nil, status.New(code, grpcwire.Sentence(r))
}

// failure is the code of an answer that is a no, with which Milvus answers where others have a status.
func failure(m proto.Message) string {
	s, ok := m.(*commonpb.Status)
	if !ok {
		if in, has := m.(interface{ GetStatus() *commonpb.Status }); has {
			s = in.GetStatus()
		}
	}
	switch {
	case !failed(s):
		return ""
	case s.GetCode() != 0:
		return strconv.Itoa(int(s.GetCode()))
	}
	return s.GetErrorCode().String()
}

func unclear(why string) error { return &grpcwire.Unclear{Why: why} }
