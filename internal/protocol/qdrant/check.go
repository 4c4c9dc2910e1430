package qdrant

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	pb "github.com/qdrant/go-client/qdrant"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// check finds out about stored points what filters want to be known before a request is sent that goes by ids. Qdrant
// fetches by ids alone, and releases before 1.16 write by ids alone, whatever is there already.
type check func(context.Context, asker) error

// asker asks the target, on the gateway's own account, through the door that the request came by.
type asker interface {
	// passing are those of the points that pass the filters.
	passing(ctx context.Context, collection string, ids []string, rules []access.FilterRule) (map[string]bool, error)
	// foreign is how many of them are there and do not.
	foreign(ctx context.Context, collection string, ids []string, rules []access.FilterRule) (int64, error)
}

// mostChecked is how many points a request may name whose filters must be looked up.
const mostChecked = 10_000

// byID is what must be known before the part is sent; nil when it is nothing.
func (p *part) byID(o *access.Obligations) check {
	rules := o.FiltersOn(p.at)
	if len(rules) == 0 || len(p.every) == 0 {
		return nil
	}
	return func(ctx context.Context, ask asker) error {
		if len(p.every) > mostChecked {
			return &access.Refusal{
				Code: access.CodeLimit, Rule: rules[0].Rule,
				Message: fmt.Sprintf("a request to %s may name %d points at most while only some of its points may be reached", p.at, mostChecked), Hint: "name fewer at once",
			}
		}
		if p.edit.keep != nil {
			passes, err := ask.passing(ctx, p.at.Collection, p.every, rules)
			if err != nil {
				return err
			}
			return p.edit.keep(passes)
		}
		n, err := ask.foreign(ctx, p.at.Collection, p.every, rules)
		if err == nil && n > 0 {
			err = unfiltered(rules, p.at, "some of the points that it would write are others'", "write under other ids")
		}
		return err
	}
}

func (c *call) passing(ctx context.Context, collection string, ids []string, rules []access.FilterRule) (map[string]bool, error) {
	document := object([]string{"limit", "with_payload", "with_vector", "filter"}, []jsonstream.Value{
		jsonstream.Int(int64(len(ids))), no, no, object([]string{"must"}, []jsonstream.Value{allOf(rules, hasID(ids))}),
	})
	status, v, err := c.Post(ctx, "/collections/"+collection+"/points/scroll", document)
	list := v.Get("result").Get("points")
	if err == nil && (status != http.StatusOK || list.Kind() != jsonstream.Array) {
		err = unchecked()
	}
	if err != nil {
		return nil, err
	}
	passes := map[string]bool{}
	for item := range list.Items() {
		if id, ok := readID(item.Get("id")); ok {
			passes[id] = true
		}
	}
	return passes, nil
}

func (c *call) foreign(ctx context.Context, collection string, ids []string, rules []access.FilterRule) (int64, error) {
	document := object([]string{"filter", "exact"}, []jsonstream.Value{object([]string{"must", "must_not"}, []jsonstream.Value{
		jsonstream.List(hasID(ids)), jsonstream.List(object([]string{"must"}, []jsonstream.Value{allOf(rules)})),
	}), yes})
	status, v, err := c.Post(ctx, "/collections/"+collection+"/points/count", document)
	n, ok := v.Get("result").Get("count").Int()
	if err == nil && (status != http.StatusOK || !ok) {
		err = unchecked()
	}
	return n, err
}

func hasID(ids []string) jsonstream.Value {
	list := make([]jsonstream.Value, len(ids))
	for i, id := range ids {
		list[i] = literalID(id)
	}
	return object([]string{"has_id"}, []jsonstream.Value{jsonstream.List(list...)})
}

// allOf is a list of the conditions of filters, and more.
func allOf(rules []access.FilterRule, more ...jsonstream.Value) jsonstream.Value {
	var must []jsonstream.Value
	for c := range tenants(rules).Items() {
		must = append(must, c)
	}
	return jsonstream.List(append(must, more...)...)
}

func unchecked() error {
	return &access.Refusal{Code: access.CodeUnavailable, Message: "the target does not tell which points may be reached"}
}

func (c *rpc) passing(ctx context.Context, collection string, ids []string, rules []access.FilterRule) (map[string]bool, error) {
	f := narrowed(nil, rules)
	f.Must = append(f.Must, rpcHasID(ids))
	answer, limit := &pb.ScrollResponse{}, uint32(len(ids))
	err := c.Ask(ctx, pb.Points_Scroll_FullMethodName, &pb.ScrollPoints{
		CollectionName: collection, Filter: f, Limit: &limit, WithPayload: &pb.WithPayloadSelector{SelectorOptions: &pb.WithPayloadSelector_Enable{}},
	}, answer)
	if err != nil {
		return nil, err
	}
	passes := map[string]bool{}
	for _, p := range answer.GetResult() {
		if id, err := rpcID(p.GetId()); err == nil {
			passes[id] = true
		}
	}
	return passes, nil
}

func (c *rpc) foreign(ctx context.Context, collection string, ids []string, rules []access.FilterRule) (int64, error) {
	f := &pb.Filter{
		Must:    []*pb.Condition{rpcHasID(ids)},
		MustNot: []*pb.Condition{{ConditionOneOf: &pb.Condition_Filter{Filter: narrowed(nil, rules)}}},
	}
	answer, exact := &pb.CountResponse{}, true
	if err := c.Ask(ctx, pb.Points_Count_FullMethodName, &pb.CountPoints{CollectionName: collection, Filter: f, Exact: &exact}, answer); err != nil {
		return 0, err
	}
	if answer.GetResult() == nil {
		return 0, unchecked()
	}
	return int64(answer.GetResult().GetCount()), nil
}

func rpcHasID(ids []string) *pb.Condition {
	list := make([]*pb.PointId, len(ids))
	for i, id := range ids {
		list[i] = pb.NewIDUUID(id)
		if n, err := strconv.ParseUint(id, 10, 64); err == nil {
			list[i] = pb.NewIDNum(n)
		}
	}
	return pb.NewHasID(list...)
}
