package chroma

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// filters are those of a collection. A filter on what is not metadata cannot be put into a condition.
func filters(o *access.Obligations, at access.Resource) ([]access.FilterRule, error) {
	on := o.FiltersOn(at)
	for _, f := range on {
		switch f.Field {
		case fieldID, fieldDocument, fieldEmbedding, fieldURI:
			return nil, &access.Refusal{
				Code: access.CodeObligation, Rule: f.Rule, Message: "a filter on " + f.Field + " of " + at.String() + " is not possible in Chroma, only one on its metadata",
				Hint: "tell whoever writes the policy",
			}
		}
	}
	return on, nil
}

// object is an Object with one member.
func object(name string, member jsonstream.Value) jsonstream.Value {
	return jsonstream.Value{}.With(name, member)
}

// narrowed is a document whose where lets only records pass that pass every filter too.
func narrowed(body jsonstream.Value, on []access.FilterRule) jsonstream.Value {
	if len(on) == 0 {
		return body
	}
	var all []jsonstream.Value
	for _, f := range on {
		values := make([]jsonstream.Value, len(f.Values))
		for i, v := range f.Values {
			values[i] = jsonstream.String(v)
		}
		all = append(all, object(f.Field, object("$in", jsonstream.List(values...))))
	}
	if where := body.Get("where"); where.Len() > 0 {
		all = append(all, where)
	}
	if len(all) == 1 {
		return body.With("where", all[0])
	}
	return body.With("where", object("$and", jsonstream.List(all...)))
}

// carries checks that every record that is written holds a value that each filter lets pass. A record that is changed may
// keep the value that it has; whole says that records are written as a whole.
func (c *call) carries(n int64, on []access.FilterRule, whole bool) error {
	if len(on) == 0 {
		return nil
	}
	foreign := func(f access.FilterRule, i int64) error {
		return &access.Refusal{
			Code: access.CodeObligation, Rule: f.Rule, Message: fmt.Sprintf("record %d has no value of yours in %s, which rule %s asks of what is written to %s", i, f.Field, f.Rule, c.collection),
			Hint: fmt.Sprintf("put a value of yours into metadata field %s of every record", f.Field),
		}
	}
	var i int64
	for metadata := range c.Body.Get("metadatas").Items() {
		for _, f := range on {
			v := metadata.Get(f.Field)
			if !whole && v.Kind() == jsonstream.None {
				continue
			}
			if value, ok := v.Text(); !ok || !slices.Contains(f.Values, value) {
				return foreign(f, i)
			}
		}
		i++
	}
	if whole && i < n {
		return foreign(on[0], i)
	}
	return nil
}

// owned is a check that every record that is there already under one of the ids passes the filters. Between it and the
// write, somebody else may still put another record there: Chroma has no write that is conditional.
func (c *call) owned(on []access.FilterRule) func(context.Context) error {
	path, ids := httpwire.Path("api", "v2", "tenants", c.Params["tenant"], "databases", c.Params["database"], "collections", c.Params["collection"], "get"), c.Body.Get("ids")
	found := func(ctx context.Context, question jsonstream.Value) (int, error) {
		status, answer, err := c.Post(ctx, path, question)
		if err != nil {
			return 0, err
		}
		if list := answer.Get("ids"); status < 300 && list.Kind() == jsonstream.Array {
			return list.Len(), nil
		}
		if status == http.StatusNotFound { // the target will say so itself
			return 0, nil
		}
		return 0, fmt.Errorf("look up ids: status %d", status)
	}
	return func(ctx context.Context) error {
		question := object("ids", ids).With("include", jsonstream.List())
		own, err := found(ctx, narrowed(question, on))
		if err != nil {
			return err
		}
		all, err := found(ctx, question)
		if err != nil {
			return err
		}
		if own != all {
			return &access.Refusal{
				Code: access.CodeObligation, Rule: on[0].Rule, Message: "under one of the ids there is a record of " + c.collection.String() + " already that rule " + on[0].Rule + " does not let you reach",
				Hint: "use other ids",
			}
		}
		return nil
	}
}
