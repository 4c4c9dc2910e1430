package qdrant

import (
	"context"
	"strings"
	"time"

	pb "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
)

// GRPC is Qdrant's gRPC interface. It implements grpcwire.Dialect.
type GRPC struct {
	names *Names
}

// NewGRPC makes a dialect for one target. Now tells how old a name is.
func NewGRPC(now func() time.Time) *GRPC { return &GRPC{names: NewNames(now)} }

// Share makes the door go by names that others know too. It is called before the first request.
func (d *GRPC) Share(n *Names) { d.names = n }

// Methods implements grpcwire.Dialect.
func (d *GRPC) Methods() []grpcwire.Method { return Methods() }

// Metadata implements grpcwire.Dialect: none is carried on.
func (d *GRPC) Metadata() []string { return nil }

// mostMessage is how much of a refusal is told: some clients read no more of a status.
const mostMessage = 1000

// Error implements grpcwire.Dialect. Clients try UNAVAILABLE and RESOURCE_EXHAUSTED again, so a refusal is neither.
func (d *GRPC) Error(m *grpcwire.Method, r *access.Refusal) (proto.Message, *status.Status) {
	code := codes.PermissionDenied
	switch r.Code {
	case access.CodeIdentity, access.CodeExpired:
		code = codes.Unauthenticated
	case access.CodeUnclear:
		code = codes.InvalidArgument
		if m == nil {
			code = codes.Unimplemented
		}
	case access.CodeShuttingDown:
		code = codes.Unavailable
	case access.CodeUnavailable, access.CodeNotRecorded, access.CodeInternal:
		code = codes.Internal
	}
	words := strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, httpwire.Sentence(r))
	return nil, status.New(code, words[:min(len(words), mostMessage)])
}

// Read implements grpcwire.Dialect.
func (d *GRPC) Read(ctx context.Context, r *grpcwire.Request) (*grpcwire.Call, error) {
	for i := range rpcs {
		if e := &rpcs[i]; e.method.Name == r.Method.Name {
			c := &rpc{Request: r, ctx: ctx, dialect: d, found: directory{}, out: grpcwire.Call{Message: r.Message}}
			if err := e.read(c); err != nil {
				if u, ok := err.(*httpwire.Unclear); ok { //nolint:errorlint // made in this package, unwrapped
					return nil, &grpcwire.Unclear{Why: u.Why}
				}
				return nil, err
			}
			return &c.out, nil
		}
	}
	return nil, &grpcwire.Unclear{Why: "the operation is not known"}
}

// rpc is a call that is being read.
type rpc struct {
	*grpcwire.Request
	ctx     context.Context
	dialect *GRPC
	found   directory
	out     grpcwire.Call
}

func (c *rpc) find(name string) (access.Resource, string, error) {
	if p, ok := c.found[name]; ok {
		return p.at, p.alias, nil
	}
	if !nameForm.MatchString(name) {
		return access.Resource{}, "", unclear("the name of a collection has characters that a name cannot have here")
	}
	to, err := c.dialect.names.collection(c.ctx, name, c.directory)
	if err != nil {
		return access.Resource{}, "", err
	}
	p := c.found.put(c.Target, name, to)
	return p.at, p.alias, nil
}

// directory asks the target.
func (c *rpc) directory(ctx context.Context) (*directoryOf, error) {
	aliases, collections := &pb.ListAliasesResponse{}, &pb.ListCollectionsResponse{}
	if err := c.Ask(ctx, pb.Collections_ListAliases_FullMethodName, &pb.ListAliasesRequest{}, aliases); err != nil {
		return nil, err
	}
	if err := c.Ask(ctx, pb.Collections_List_FullMethodName, &pb.ListCollectionsRequest{}, collections); err != nil {
		return nil, err
	}
	d := &directoryOf{aliases: map[string]string{}, collections: map[string]bool{}}
	for _, a := range aliases.GetAliases() {
		d.aliases[a.GetAliasName()] = a.GetCollectionName()
	}
	for _, m := range collections.GetCollections() {
		d.collections[m.GetName()] = true
	}
	return d, nil
}

func (c *rpc) does(a access.Action, r access.Resource, at access.Attributes) {
	c.out.Accesses = append(c.out.Accesses, access.Access{Action: a, Resource: r, Attributes: at})
	gravest(c.out.Accesses)
}

func (c *rpc) action() access.Action { return c.Method.Actions[0] }

// nameOf is the collection that a message names, and the way to put another name there.
func nameOf(m proto.Message) (name string, rename func(string)) {
	r := m.ProtoReflect()
	f := r.Descriptor().Fields().ByName("collection_name")
	if f == nil {
		return "", func(string) {}
	}
	return r.Get(f).String(), func(to string) { r.Set(f, stringValue(to)) }
}

// readingRPC reads a message as parts; it may change it.
type readingRPC func(m proto.Message) ([]*part, error)

// points makes a call of parts, as its namesake does for the other door.
func (c *rpc) points(read readingRPC) error {
	parts, err := c.parts(c.Message, read)
	if err != nil {
		return err
	}
	for _, p := range parts {
		c.out.Accesses = append(c.out.Accesses, p.accesses()...)
	}
	gravest(c.out.Accesses)
	c.out.Oblige = func(o *access.Obligations) (*grpcwire.Obliged, error) {
		if o.Protection.Empty() && o.Rows == 0 && o.TopK == 0 && len(o.Filters) == 0 {
			return &grpcwire.Obliged{Filtered: true}, nil
		}
		// What stays as it is need not be copied, nor put into bytes again: the whole of an upsert, for one.
		parts, m, err := parts, proto.Message(nil), error(nil)
		if !stays(o, parts) {
			m = proto.Clone(c.Message)
			if parts, err = c.parts(m, read); err != nil {
				return nil, err
			}
		}
		checks, err := oblige(o, parts)
		if err != nil {
			return nil, err
		}
		obliged := &grpcwire.Obliged{Message: m, Filtered: true, Rows: o.Rows, Mute: !o.Protection.Empty() || len(o.Filters) > 0}
		if !o.Protection.Empty() || o.Rows > 0 {
			obliged.Mask = (&concealer{parts: parts, protection: o.Protection}).mask
		}
		if len(checks) > 0 {
			obliged.Check = func(ctx context.Context) error {
				for _, check := range checks {
					if err := check(ctx, c); err != nil {
						return err
					}
				}
				return nil
			}
		}
		return obliged, nil
	}
	return nil
}

func (c *rpc) parts(m proto.Message, read readingRPC) ([]*part, error) {
	parts, err := read(m)
	if err != nil {
		return nil, err
	}
	name, rename := nameOf(m)
	at, alias, err := c.find(name)
	if err != nil {
		return nil, err
	}
	rename(at.Collection)
	for i, p := range parts {
		// Qdrant does not heed the names in the elements of a batch; who sends another one there means something else.
		if p.name != "" && p.name != name && p.name != at.Collection {
			return nil, unclear("an element of its batch names another collection")
		}
		if p.edit.rename != nil {
			p.edit.rename(at.Collection)
		}
		p.name, p.batch = name, i
		if err := p.resolve(c.find); err != nil {
			return nil, err
		}
		p.alias = alias
	}
	return parts, nil
}

// alone reads a message of one part.
func alone[M proto.Message](a access.Action, read func(*part, M) error) func(*rpc) error {
	return func(c *rpc) error {
		return c.points(func(m proto.Message) ([]*part, error) {
			p := &part{action: a, group: 1}
			return []*part{p}, read(p, m.(M))
		})
	}
}

// batch reads a message of many.
func batch[M, E proto.Message](list func(M) []E, read func(*part, E) error) func(*rpc) error {
	return func(c *rpc) error {
		return c.points(func(m proto.Message) ([]*part, error) {
			elements := list(m.(M))
			if len(elements) > mostParts {
				return nil, unclear("its batch is too long")
			}
			var parts []*part
			for _, e := range elements {
				name, rename := nameOf(e)
				p := &part{action: access.Search, group: 1, name: name}
				if err := read(p, e); err != nil {
					return nil, err
				}
				p.edit.rename = rename
				parts = append(parts, p)
			}
			return parts, nil
		})
	}
}
