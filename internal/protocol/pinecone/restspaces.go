package pinecone

import (
	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// readWhole reads what concerns the index as such.
func readWhole(c *call) error {
	c.does(c.action(), c.whole(), access.Attributes{})
	return c.paging()
}

func readImport(c *call) error {
	c.does(access.Import, c.whole(), access.Attributes{Egress: true, Points: access.Unbounded, Vectors: true})
	return nil
}

func readNamespaces(c *call) error {
	c.does(access.TenantRead, c.whole(), access.Attributes{})
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		return &httpwire.Obliged{
			Mask: &jsonstream.Node{Fields: map[string]*jsonstream.Node{"namespaces": {Items: described(o, c.whole())}}},
			Rewrite: func(v jsonstream.Value) (jsonstream.Value, error) {
				shown := readable(v, "namespaces", func(name string) bool { return readsIn(c.May, c.place, name) })
				if shown.Get("total_count").Kind() != jsonstream.None {
					shown = shown.With("total_count", jsonstream.Int(int64(shown.Get("namespaces").Len())))
				}
				return shown, nil
			},
		}, nil
	}
	return c.paging()
}

// readsIn says whether a namespace is shown to who asks which there are.
func readsIn(may func(access.Access) bool, p place, name string) bool {
	at, err := p.in(name)
	if err != nil {
		return false
	}
	for _, a := range []access.Action{access.TenantRead, access.Search, access.Fetch, access.Upsert} {
		if may(access.Access{Action: a, Resource: at, Attributes: access.Attributes{Rows: 1, Limit: 1}}) {
			return true
		}
	}
	return false
}

// described is what is told of a namespace: not how many records it has, to who reaches some of them only.
func described(o *access.Obligations, at access.Resource) *jsonstream.Node {
	if len(o.FiltersOn(at)) == 0 {
		return nil
	}
	drop := &jsonstream.Node{Treatment: access.Treatment{Mask: access.MaskDrop}}
	return &jsonstream.Node{Fields: map[string]*jsonstream.Node{"record_count": drop, "recordCount": drop}}
}

func readCreateNamespace(c *call) error {
	name, err := c.name("name")
	if err != nil {
		return err
	}
	at, err := c.in(name)
	if err != nil {
		return err
	}
	c.does(access.TenantCreate, at, access.Attributes{})
	return nil
}

func readDescribeNamespace(c *call) error {
	at, err := c.in(c.Params["namespace"])
	if err != nil {
		return err
	}
	c.does(access.TenantRead, at, access.Attributes{})
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		return &httpwire.Obliged{Mask: described(o, at)}, nil
	}
	return nil
}

func readDeleteNamespace(c *call) error {
	at, err := c.in(c.Params["namespace"])
	if err != nil {
		return err
	}
	c.doesAll(dropped(at)...)
	return nil
}

// dropped is what the deletion of a namespace does.
func dropped(at access.Resource) []access.Access {
	return []access.Access{
		{Action: access.TenantDrop, Resource: at},
		{Action: access.DeleteAll, Resource: at, Attributes: access.Attributes{Points: access.Unbounded}},
	}
}
