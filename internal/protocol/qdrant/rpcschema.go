package qdrant

import (
	"fmt"
	"slices"

	pb "github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
)

func rpcFree(c *rpc) error {
	c.out.Free = true
	return nil
}

// rpcTarget reads an operation on the target as a whole.
func rpcTarget(c *rpc) error {
	at := access.Resource{Target: c.Target}
	c.does(c.action(), at, access.Attributes{})
	c.out.Oblige = func(o *access.Obligations) (*grpcwire.Obliged, error) {
		return &grpcwire.Obliged{}, whole(o, at, "looked into or changed as a whole")
	}
	return nil
}

// rpcList reads a list of collections or of aliases, as ofList does for the other door.
func rpcList(c *rpc) error {
	c.does(c.action(), access.Resource{Target: c.Target, Namespace: Namespace}, access.Attributes{})
	c.out.Oblige = func(*access.Obligations) (*grpcwire.Obliged, error) {
		return &grpcwire.Obliged{Mask: func(_ *mask.Hider, m proto.Message) (int64, error) {
			switch m := m.(type) {
			case *pb.ListCollectionsResponse:
				m.Collections = slices.DeleteFunc(m.Collections, func(d *pb.CollectionDescription) bool { return !describes(c.May, c.Target, d.GetName()) })
			case *pb.ListAliasesResponse:
				m.Aliases = slices.DeleteFunc(m.Aliases, func(d *pb.AliasDescription) bool { return !describes(c.May, c.Target, d.GetCollectionName()) })
			default:
				return 0, fmt.Errorf("an answer of type %T is no list", m)
			}
			return 0, nil
		}}, nil
	}
	return nil
}

// named resolves the collection of a message, and puts the name there that it stands for.
func (c *rpc) named() (access.Resource, error) {
	name, rename := nameOf(c.Message)
	at, alias, err := c.find(name)
	if err != nil {
		return at, err
	}
	rename(at.Collection)
	c.does(c.action(), at, access.Attributes{Alias: alias})
	return at, nil
}

// rpcCollection reads an operation on a collection that says nothing of its points.
func rpcCollection(c *rpc) error {
	_, err := c.named()
	return err
}

// rpcShared reads an operation that concerns all points of a collection alike.
func rpcShared(verb string) func(*rpc) error {
	return func(c *rpc) error {
		at, err := c.named()
		c.out.Oblige = func(o *access.Obligations) (*grpcwire.Obliged, error) {
			return &grpcwire.Obliged{}, unshared(o, at, verb)
		}
		return err
	}
}

func rpcDrop(c *rpc) error {
	c.out.Done = c.dialect.names.forget
	return rpcShared("dropped")(c)
}

func rpcCreate(c *rpc) error {
	name, _ := nameOf(c.Message)
	if !nameForm.MatchString(name) {
		return unclear("the name of a collection has characters that a name cannot have here")
	}
	c.does(access.SchemaCreate, resource(c.Target, name), access.Attributes{})
	c.out.Done = c.dialect.names.forget
	return nil
}

func rpcAliases(c *rpc) error {
	actions := c.Message.(*pb.ChangeAliases).GetActions()
	if len(actions) > mostParts {
		return unclear("its batch is too long")
	}
	for i, m := range actions {
		var change aliasChange
		switch a := m.GetAction().(type) {
		case *pb.AliasOperations_CreateAlias:
			change = aliasChange{alias: a.CreateAlias.GetAliasName(), collection: a.CreateAlias.GetCollectionName()}
		case *pb.AliasOperations_DeleteAlias:
			change = aliasChange{alias: a.DeleteAlias.GetAliasName()}
		case *pb.AliasOperations_RenameAlias:
			change = aliasChange{alias: a.RenameAlias.GetOldAliasName(), renamed: a.RenameAlias.GetNewAliasName()}
		default:
			return unclear("an action is not known")
		}
		list, err := change.accesses(c.Target, i, c.find)
		if err != nil {
			return err
		}
		c.out.Accesses = append(c.out.Accesses, list...)
	}
	c.out.Done = c.dialect.names.forget
	return nil
}
