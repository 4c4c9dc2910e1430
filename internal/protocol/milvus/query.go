package milvus

import (
	"fmt"
	"strconv"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"google.golang.org/protobuf/proto"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
)

// readQuery tells points that are named by their keys from those that a filter finds, and from all; and points from what is
// computed of them.
func readQuery(c *call) error {
	m, ok := c.Message.(*milvuspb.QueryRequest)
	if !ok {
		return unclear("it is no query")
	}
	at, schema, err := c.resolve()
	if err != nil {
		return err
	}
	if m.GetTravelTimestamp() != 0 {
		return unclear("it asks for the past")
	}
	w, err := where(m.GetExpr())
	if err != nil {
		return err
	}
	m.Expr = w.String()
	output, err := readOutput(m.GetOutputFields())
	if err != nil {
		return err
	}
	p, err := readParams(m.GetQueryParams(), queryKeys)
	if err != nil {
		return err
	}
	limit, err := p.number("limit", access.Unbounded)
	if err != nil {
		return err
	}
	offset, err := p.number("offset", 0)
	if err != nil {
		return err
	}
	if id, err := p.number("collection_id", 0); err != nil || id != 0 && id != schema.id {
		return unclear("its collection is named by a number that is not that of the name")
	}
	shapes, err := ordered(p["order_by_fields"])
	if err != nil {
		return err
	}
	groups, err := ordered(p["group_by_fields"])
	if err != nil {
		return err
	}
	for _, g := range groups {
		shapes = append(shapes, shape{g.path, "group"})
	}
	_, cursor := p["iterator"]
	named, n, byKey := keys(w, schema.key, m.GetExprTemplateValues())
	attributes := access.Attributes{
		Limit: limit, Offset: offset, Rows: limit, IDs: named, Fields: output.fields(), Vectors: output.vectors(schema), Cursor: cursor, OrderBy: ordering(shapes),
	}
	describe(&attributes, w, schema.key, byKey)
	var action access.Action
	switch {
	case output.aggregate || len(groups) > 0:
		action = access.Aggregate
	case output.count:
		action, attributes.Rows = access.Count, 1
	case byKey:
		action = access.Fetch
		if limit == access.Unbounded || n < limit {
			attributes.Rows = n
		}
	case limit == access.Unbounded && !w.Narrows(schema.key):
		action = access.Export
	case output.only(schema.key):
		action = access.ListIDs
	default:
		action = access.Scroll
	}
	c.does(action, at, attributes)
	c.out.Oblige = func(o *access.Obligations) (*grpcwire.Obliged, error) {
		v := &view{at, schema, o.Protection}
		if err := v.conditions(w); err != nil {
			return nil, err
		}
		for _, shape := range shapes {
			if err := v.shaping(shape.path, shape.what, false); err != nil {
				return nil, err
			}
		}
		if output.aggregate {
			for _, path := range output.paths {
				if path == "*" {
					continue
				}
				if err := v.computed(path); err != nil {
					return nil, err
				}
			}
		}
		sent := shallow(m)
		if sent.Expr, err = v.narrowed(w, o.FiltersOn(at)); err != nil {
			return nil, err
		}
		if !output.aggregate && !output.count {
			sent.OutputFields = v.visible(output)
		}
		if o.Rows > 0 && action != access.Count {
			switch {
			case attributes.Rows > o.Rows:
				return nil, tooMany(o.Rows, attributes.Rows, fmt.Sprintf("ask for a limit of %d or less", o.Rows))
			case attributes.Rows == access.Unbounded:
				sent.QueryParams = with(m.GetQueryParams(), "limit", strconv.FormatInt(o.Rows+1, 10)) // one more, to find out that there are more
			}
		}
		return &grpcwire.Obliged{
			Message: sent, Filtered: true, Rows: o.Rows, Mute: v.any(),
			Mask: func(h *mask.Hider, m proto.Message) (int64, error) {
				answer, ok := m.(*milvuspb.QueryResults)
				if !ok {
					return 0, fmt.Errorf("milvus: the answer of a query is a %T", m)
				}
				return (&masker{view: v, hider: h, computed: output.aggregate || output.count}).queried(answer)
			},
		}, nil
	}
	return nil
}

// computed refuses that something is computed of what is hidden.
func (v *view) computed(path string) error {
	t := v.whole(path)
	if t.Mask == access.MaskNone {
		return nil
	}
	return &access.Refusal{
		Code: access.CodeObligation, Rule: t.Rule, Message: "field " + path + " of " + v.at.String() + " is hidden, so nothing may be computed of it", Hint: "leave it out of the output fields",
	}
}
